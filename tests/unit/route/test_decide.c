/* From names to chains: configurations as YAML, asks as rows. */
#include "route/decide.h"

#include "conf/conf.h"
#include "conf/overlay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char kitchen[] =
    "hosts: {anvil: {url: \"http://127.0.0.1:9001\"}}\n"
    "models:\n"
    "  small: {file: small.gguf, aliases: [tiny, gpt-small]}\n"
    "  big:   {host: anvil}\n"
    "  eyes:  {host: anvil, input: [text, image]}\n"
    "  ears:  {host: anvil, input: [text, image, audio]}\n"
    "  bert:  {host: anvil, serves: [embed]}\n"
    "  both:  {host: anvil, serves: [chat, embed], input: [image]}\n"
    "tiers: {fast: tiny, heavy: big}\n"
    "roles:\n"
    "  chat:   {model: heavy, fallback: [small, fast, tiny, big, eyes]}\n"
    "  vision: {model: big, fallback: [bert, eyes, ears]}\n"
    "  plain:  small\n"
    "  embed:  {model: bert, fallback: [small]}\n"
    "  mixed:  {model: bert, fallback: [big]}\n"
    "  all:    {model: small, fallback: [big, eyes, ears, bert, both]}\n";

static struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

/* Everything up and idle. */
static const struct snapshot *all_up(const struct config *c)
{
    static struct route_place places[512];
    static struct snapshot s;
    assert_true(c->nmodels <= COUNTOF(places));
    route_assume(c, places);
    s = (struct snapshot){ .at = places, .n = c->nmodels };
    return &s;
}

static void chain_text(const struct config *c, const struct decision *d, struct buf *out)
{
    for (size_t i = 0; i < d->n; i++) {
        assert_true(d->chain[i].model < c->nmodels && d->chain[i].reason[0]);
        buf_printf(out, "%s%.*s", i ? " " : "", STR_ARG(c->models[d->chain[i].model].name));
    }
    buf_add_char(out, 0);
}

static void test_names_lead_to_chains(void **state)
{
    static const struct { const char *name; unsigned input; const char *chain, *role, *tier, *reason; } cases[] = {
        { "small", INPUT_TEXT, "small", "", "", "named by the caller" },
        { "tiny", INPUT_TEXT, "small", "", "", "named by the caller" },
        { "gpt-small", INPUT_TEXT, "small", "", "", "named by the caller" },
        { "big", INPUT_TEXT, "big", "", "", "named by the caller" },
        { "fast", INPUT_TEXT, "small", "", "fast", "the tier's model" },
        { "heavy", INPUT_TEXT, "big small", "", "heavy", "the tier's model" }, /* then the weaker tiers */
        { "plain", INPUT_TEXT, "small", "plain", "", "the role's model" },
        { "chat", INPUT_TEXT, "big small eyes", "chat", "heavy", "the role's model" }, /* a model once, however often it is named */
        /* only those that can take what is asked; the first of them answers */
        { "vision", INPUT_TEXT, "big eyes ears", "vision", "", "the role's model" },
        { "vision", INPUT_TEXT | INPUT_IMAGE, "eyes ears", "vision", "", "the role's fallback" },
        { "vision", INPUT_TEXT | INPUT_IMAGE | INPUT_AUDIO, "ears", "vision", "", "the role's fallback" },
        { "chat", INPUT_TEXT | INPUT_IMAGE, "eyes", "chat", "", "the role's fallback" },
        { "mixed", INPUT_TEXT, "big", "mixed", "", "the role's fallback" },
        { "embed", INPUT_TEXT, "small", "embed", "", "the role's fallback" },
        { "all", INPUT_TEXT, "small big eyes ears", "all", "", "the role's model" },
    };
    struct config *c = parse(kitchen);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct ask ask = { .name = str_of(cases[i].name), .serves = SERVES_CHAT, .input = cases[i].input };
        struct decision d;
        struct buf chain = { 0 };
        struct err e;
        if (route_decide(c, &ask, all_up(c), &d, NULL, &e))
            fail_msg("%s: %s", cases[i].name, e.text);
        chain_text(c, &d, &chain);
        assert_string_equal(chain.p, cases[i].chain);
        assert_true(str_eq(d.role, str_of(cases[i].role)));
        assert_true(str_eq(d.chain[0].tier, str_of(cases[i].tier)));
        assert_string_equal(d.chain[0].reason, cases[i].reason);
        buf_free(&chain);
    }
    conf_free(c);
}

static void test_what_nobody_can_take_is_refused_with_the_reason(void **state)
{
    static const struct { const char *name; enum serves serves; unsigned input; enum err_code code; const char *param, *text; } cases[] = {
        { "smal", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "'smal'; did you mean 'small'?" },
        { "gpt-smal", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "did you mean 'gpt-small'?" },
        { "chta", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "did you mean 'chat'?" },
        { "fasst", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "did you mean 'fast'?" },
        { "something-else", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "role or tier 'something-else'." },
        { "anvil", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "'anvil'" }, /* a host is no model */
        { "Small", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "model", "did you mean 'small'?" },
        { "small", SERVES_CHAT, INPUT_TEXT | INPUT_IMAGE, ERR_UNSUPPORTED_INPUT, "messages", "'small' takes no image input" },
        { "eyes", SERVES_CHAT, INPUT_TEXT | INPUT_AUDIO, ERR_UNSUPPORTED_INPUT, "messages", "takes no audio input" },
        { "all", SERVES_CHAT, INPUT_TEXT | INPUT_VIDEO, ERR_UNSUPPORTED_INPUT, "messages", "'all' takes no video input" },
        { "bert", SERVES_CHAT, INPUT_TEXT, ERR_INVALID_REQUEST, "model", "'bert' does not serve chat" },
        { "bert", SERVES_CHAT, INPUT_TEXT | INPUT_IMAGE, ERR_INVALID_REQUEST, "model", "does not serve chat" },
        { "small", SERVES_EMBED, INPUT_TEXT, ERR_INVALID_REQUEST, "model", "does not serve embeddings" },
        { "small", SERVES_RERANK, INPUT_TEXT, ERR_INVALID_REQUEST, "model", "does not serve reranking" },
        { "mixed", SERVES_CHAT, INPUT_TEXT | INPUT_IMAGE, ERR_UNSUPPORTED_INPUT, "messages", "takes no image input" },
    };
    struct config *c = parse(kitchen);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct ask ask = { .name = str_of(cases[i].name), .serves = cases[i].serves, .input = cases[i].input };
        struct decision d;
        struct err e = { 0 };
        assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), cases[i].code);
        assert_int_equal(d.n, 0);
        assert_string_equal(e.param, cases[i].param);
        assert_true(e.hint[0]);
        if (!strstr(e.text, cases[i].text))
            fail_msg("%s\nwant: %s", e.text, cases[i].text);
    }
    conf_free(c);
}

static void test_names_of_any_length_and_bytes_are_only_unknown(void **state)
{
    char name[4000];
    struct config *c = parse(kitchen);
    memset(name, 0xC3, sizeof name);
    for (size_t n = 1; n <= sizeof name; n += n < 100 ? 1 : 100) {
        struct ask ask = { .name = { name, n }, .serves = SERVES_CHAT, .input = INPUT_TEXT };
        struct decision d;
        struct err e;
        assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), ERR_MODEL_NOT_FOUND);
    }
    conf_free(c);
}

static void test_an_empty_kitchen_says_where_models_go(void **state)
{
    struct config *c = parse("");
    struct ask ask = { .name = STR("chat"), .serves = SERVES_CHAT, .input = INPUT_TEXT };
    struct decision d;
    struct err e;
    assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), ERR_MODEL_NOT_FOUND);
    assert_non_null(strstr(e.hint, "`models:`"));
    conf_free(c);
}

static void test_a_chain_has_a_bound(void **state)
{
    struct buf text = { 0 };
    struct err e;
    struct decision d;
    struct ask ask = { .name = STR("r"), .serves = SERVES_CHAT, .input = INPUT_TEXT };
    buf_lit(&text, "models:\n");
    for (int i = 0; i < 300; i++) /* more than are looked through for a likeness, too */
        buf_printf(&text, "  model%d: {file: m.gguf}\n", i);
    buf_lit(&text, "roles: {r: {model: model0, fallback: [");
    for (int i = 1; i < ROUTE_MAX_CHAIN; i++) /* the configuration allows no more */
        buf_printf(&text, "%smodel%d", i > 1 ? ", " : "", i);
    buf_lit(&text, "]}}\n");
    buf_add_char(&text, 0);
    struct config *c = parse(text.p);
    assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), ERR_OK);
    assert_int_equal(d.n, ROUTE_MAX_CHAIN);
    ask.name = STR("nobody");
    assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), ERR_MODEL_NOT_FOUND);
    conf_free(c);
    buf_free(&text);
}

#define ALL_TIERS "tiers: {fast: a, primary: b, heavy: c}\n"
#define THREE "models: {a: {host: h}, b: {host: h}, c: {host: h, input: [text, image]}, d: {host: h}}\nhosts: {h: {url: \"http://127.0.0.1:9\"}}\n"

static void test_auto_takes_the_tier_for_the_complexity(void **state)
{
    static const struct { const char *yaml; double score; unsigned input; const char *chain, *tier, *role, *why; } cases[] = {
        { ALL_TIERS, 0.00, INPUT_TEXT, "a b c", "fast", "", "complexity 0.00: greeting, code -> fast" },
        { ALL_TIERS, 0.32, INPUT_TEXT, "a b c", "fast", "", "complexity 0.32: greeting, code -> fast" },
        { ALL_TIERS, 0.33, INPUT_TEXT, "b a c", "primary", "", "complexity 0.33: greeting, code -> primary" },
        { ALL_TIERS, 0.65, INPUT_TEXT, "b a c", "primary", "", "complexity 0.65: greeting, code -> primary" },
        { ALL_TIERS, 0.66, INPUT_TEXT, "c b a", "heavy", "", "complexity 0.66: greeting, code -> heavy" },
        { ALL_TIERS, 1.00, INPUT_TEXT, "c b a", "heavy", "", "complexity 1.00: greeting, code -> heavy" },
        /* the bounds are settings */
        { ALL_TIERS "auto: {primary: 0.1, heavy: 0.2}\n", 0.15, INPUT_TEXT, "b a c", "primary", "", "-> primary" },
        { ALL_TIERS "auto: {primary: 0.1, heavy: 0.2}\n", 0.20, INPUT_TEXT, "c b a", "heavy", "", "-> heavy" },
        { ALL_TIERS "auto: {primary: 0, heavy: 1}\n", 0.00, INPUT_TEXT, "b a c", "primary", "", "-> primary" },
        { ALL_TIERS "auto: {primary: 0.5, heavy: 0.5}\n", 0.50, INPUT_TEXT, "c b a", "heavy", "", "-> heavy" },
        /* a tier is missing: the nearest stronger, else the nearest weaker */
        { "tiers: {primary: b, heavy: c}\n", 0.1, INPUT_TEXT, "b c", "primary", "", "complexity 0.10: greeting, code -> primary" },
        { "tiers: {fast: a, heavy: c}\n", 0.5, INPUT_TEXT, "c a", "heavy", "", "-> heavy" },
        { "tiers: {fast: a, primary: b}\n", 0.9, INPUT_TEXT, "b a", "primary", "", "-> primary" },
        { "tiers: {fast: a}\n", 0.9, INPUT_TEXT, "a", "fast", "", "-> fast" },
        { "tiers: {heavy: c}\n", 0.1, INPUT_TEXT, "c", "heavy", "", "-> heavy" },
        { "tiers: {fast: a, primary: a, heavy: c}\n", 0.5, INPUT_TEXT, "a c", "primary", "", "-> primary" }, /* a model once */
        /* none of the three: role chat, with its fallbacks */
        { "roles: {chat: {model: b, fallback: [a]}}\n", 0.9, INPUT_TEXT, "b a", "", "chat", "complexity 0.90: greeting, code -> chat" },
        { "tiers: {odd: a}\nroles: {chat: b}\n", 0.1, INPUT_TEXT, "b", "", "chat", "-> chat" },
        { "tiers: {odd: a}\nroles: {chat: odd}\n", 0.1, INPUT_TEXT, "a", "odd", "chat", "-> odd" },
        { "tiers: {heavy: c}\nroles: {chat: b}\n", 0.1, INPUT_TEXT, "c", "heavy", "", "-> heavy" },
        /* who cannot take it is not asked, however well it would fit */
        { ALL_TIERS, 0.1, INPUT_TEXT | INPUT_IMAGE, "c", "heavy", "", "complexity 0.10: greeting, code -> heavy" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf yaml = { 0 }, chain = { 0 };
        struct err e;
        struct decision d;
        struct ask ask = { .name = STR("auto"), .serves = SERVES_CHAT, .input = cases[i].input,
                           .complexity = { .score = cases[i].score, .reasons = { "greeting", "code" }, .nreasons = 2 } };
        buf_printf(&yaml, "%s%s", THREE, cases[i].yaml);
        buf_add_char(&yaml, 0);
        struct config *c = parse(yaml.p);
        if (route_decide(c, &ask, all_up(c), &d, NULL, &e))
            fail_msg("%zu: %s", i, e.text);
        chain_text(c, &d, &chain);
        assert_string_equal(chain.p, cases[i].chain);
        assert_true(str_eq(d.chain[0].tier, str_of(cases[i].tier)));
        assert_true(str_eq(d.role, str_of(cases[i].role)));
        if (!str_ends(str_of(d.why), str_of(cases[i].why)))
            fail_msg("%zu: %s", i, d.why);
        assert_true(route_has_auto(c));
        conf_free(c);
        buf_free(&chain);
        buf_free(&yaml);
    }
}

static void test_auto_that_has_nothing_to_choose_says_what_to_configure(void **state)
{
    static const struct { const char *yaml; enum serves serves; unsigned input; enum err_code code; const char *text; bool has; } cases[] = {
        { THREE, SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "'auto' has nothing to choose from.", false },
        { THREE "tiers: {odd: a}\n", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "'auto' has nothing to choose from.", false },
        { "", SERVES_CHAT, INPUT_TEXT, ERR_MODEL_NOT_FOUND, "'auto' has nothing to choose from.", false },
        { THREE ALL_TIERS, SERVES_EMBED, INPUT_TEXT, ERR_INVALID_REQUEST, "'auto' does not serve embeddings.", true },
        { THREE ALL_TIERS, SERVES_CHAT, INPUT_TEXT | INPUT_AUDIO, ERR_UNSUPPORTED_INPUT, "'auto' takes no audio input.", true },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct config *c = parse(cases[i].yaml);
        struct ask ask = { .name = STR("auto"), .serves = cases[i].serves, .input = cases[i].input };
        struct decision d;
        struct err e = { 0 };
        assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), cases[i].code);
        assert_string_equal(e.text, cases[i].text);
        assert_true(e.hint[0] != 0);
        assert_int_equal(route_has_auto(c), cases[i].has);
        conf_free(c);
    }
}

static void test_who_means_auto_is_told(void **state)
{
    struct config *c = parse(THREE ALL_TIERS);
    struct err e;
    route_unknown_name(c, STR("atuo"), &e);
    assert_non_null(strstr(e.text, "did you mean 'auto'?"));
    conf_free(c);
    c = parse(THREE); /* where it cannot be used it is not offered */
    route_unknown_name(c, STR("atuo"), &e);
    assert_null(strstr(e.text, "'auto'"));
    conf_free(c);
}

static void test_what_comes_from_a_hob_goes_to_no_other(void **state)
{
    struct config *c = parse("hosts: {shed: {kind: hob, url: \"http://127.0.0.1:9002\"}, anvil: {url: \"http://127.0.0.1:9001\"}}\n"
                             "models: {there: {host: shed}, here: {host: anvil}}\n"
                             "roles: {chat: {model: there, fallback: [here]}}\n");
    static const struct { const char *name; int hops; enum err_code code; const char *chain; } cases[] = {
        { "chat", 0, ERR_OK, "there here" }, { "chat", 1, ERR_OK, "here" },   { "there", 0, ERR_OK, "there" },
        { "there", 1, ERR_LOOP, "" },        { "there", 7, ERR_LOOP, "" },    { "here", 1, ERR_OK, "here" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct ask ask = { .name = str_of(cases[i].name), .serves = SERVES_CHAT, .input = INPUT_TEXT, .hops = cases[i].hops };
        struct decision d;
        struct buf chain = { 0 };
        struct err e;
        assert_int_equal(route_decide(c, &ask, all_up(c), &d, NULL, &e), cases[i].code);
        if (!cases[i].code) {
            chain_text(c, &d, &chain);
            assert_string_equal(chain.p, cases[i].chain);
        }
        buf_free(&chain);
    }
    conf_free(c);
}

/* A share of the conversations goes to the model on trial, each of them always or never; who has no conversation keeps the role's own. */
static void test_a_trial_gets_its_share(void **state)
{
    const struct config *c = parse(kitchen);
    struct conf_shift shift = { STR("plain"), STR("small"), STR("small"), STR("big"), 0.1, STR(""), STR("") };
    const struct config *d = conf_overlay(c, &shift, 1);
    const struct snapshot *s = all_up(d);
    size_t drawn = 0;
    for (uint64_t i = 0; i <= 10000; i++) {
        struct ask ask = { .name = STR("plain"), .serves = SERVES_CHAT, .input = INPUT_TEXT, .affinity = i ? str_hash((struct str){ (const char *)&i, sizeof i }) : 0 };
        struct decision first, again;
        struct err e;
        assert_int_equal(route_decide(d, &ask, s, &first, NULL, &e), ERR_OK);
        assert_int_equal(route_decide(d, &ask, s, &again, NULL, &e), ERR_OK);
        bool trial = str_eq(d->models[first.chain[0].model].name, STR("big"));
        assert_int_equal(first.chain[0].model, again.chain[0].model);
        assert_true(!trial || (i && first.n == 2 && !strcmp(first.chain[0].reason, "the role's model on trial")));
        drawn += trial;
    }
    assert_true(drawn > 850 && drawn < 1150); /* five deviations of 1,000 */
    conf_free(d);
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_from_a_hob_goes_to_no_other),
        cmocka_unit_test(test_names_lead_to_chains),
        cmocka_unit_test(test_what_nobody_can_take_is_refused_with_the_reason),
        cmocka_unit_test(test_names_of_any_length_and_bytes_are_only_unknown),
        cmocka_unit_test(test_an_empty_kitchen_says_where_models_go),
        cmocka_unit_test(test_a_chain_has_a_bound),
        cmocka_unit_test(test_auto_takes_the_tier_for_the_complexity),
        cmocka_unit_test(test_auto_that_has_nothing_to_choose_says_what_to_configure),
        cmocka_unit_test(test_who_means_auto_is_told),
        cmocka_unit_test(test_a_trial_gets_its_share),
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
