/* Which settings there are to choose from, and how a choice is written: into a lab, and for hob.yaml. */
#include "cli/tune.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

const struct command *const cli_commands[] = { NULL };

#define HELP STR("-t, --threads N\n-b, --batch-size N\n-ub, --ubatch-size N\n-fa, --flash-attn X\n-nr, --no-repack\n-ctk, --cache-type-k T\n-dev, --device D\n")

static struct config *parse(const char *model)
{
    char text[512];
    struct config *c = NULL;
    struct err e;
    snprintf(text, sizeof text, "models: {m: {file: /m/m.gguf, %s}}\n", model);
    if (conf_parse(STR("/tmp/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static size_t factor_named(const struct knobs *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (str_eq(knobs_name(k, i), str_of(name)))
            return i;
    fail_msg("no %s", name);
    return 0;
}

static void choose(const struct knobs *k, struct tune_point *p, const char *name, const char *value)
{
    size_t f = factor_named(k, name);
    for (size_t i = 0; i < k->factors[f].values; i++)
        if (str_eq(k->values[f][i], str_of(value))) {
            p->at[f] = (uint8_t)i;
            return;
        }
    fail_msg("%s has no %s", name, value);
}

static void assert_text(struct str got, const char *wanted)
{
    if (!str_eq(got, str_of(wanted)))
        fail_msg("'%.*s', not '%s'", STR_ARG(got), wanted);
}

/* What is in force, a choice, and what is written for it. */
static void test_a_choice_is_written_as_the_configuration_has_it(void **state)
{
    static const struct row { const char *model, *choice[4][2], *lines, *args, *threads, *kv; } rows[] = {
        { "threads: 3", { { NULL } }, "", "", "3", "\"f16\"" },
        { "", { { "threads", "1" }, { "kv", "q8_0" } }, "threads: 1\nkv: q8_0\n", "", "1", "\"q8_0\"" },
        { "", { { "flash", "on" } }, "args: [\"--flash-attn\",\"on\"]\n", "[\"--flash-attn\",\"on\"]", "7", "\"f16\"" },
        { "args: [--no-repack, --x, '1']", { { "repack", "on" } }, "args: [\"--x\",\"1\"]\n", "[\"--x\",\"1\"]", "7", "\"f16\"" },
        { "args: [-fa, 'off', --x]", { { "repack", "off" } }, "args: [\"--x\",\"--no-repack\",\"--flash-attn\",\"off\"]\n", "[\"--x\",\"--no-repack\",\"--flash-attn\",\"off\"]", "7", "\"f16\"" },
        { "args: [-b, '300']", { { NULL } }, "", "[\"--batch-size\",\"300\"]", "7", "\"f16\"" },
        { "", { { "ubatch", "1024" } }, "args: [\"--ubatch-size\",\"1024\",\"--batch-size\",\"1024\"]\n", NULL, "7", "\"f16\"" }, /* a larger batch holds it */
        { "", { { "ubatch", "128" }, { "batch", "2048" } }, "args: [\"--ubatch-size\",\"128\",\"--batch-size\",\"2048\"]\n", NULL, "7", "\"f16\"" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct config *c = parse(rows[i].model);
        struct knobs_wish w = { .model = &c->models[0], .cores = 8, .physical = 4, .help = HELP };
        struct knobs k;
        struct err e;
        struct lab_set sets[KNOBS_SETS];
        struct buf lines = { 0 };
        assert_int_equal(knobs_make(&w, &k, &e), ERR_OK);
        struct tune_point p = knobs_present(&k);
        for (size_t n = 0; n < 4 && rows[i].choice[n][0]; n++)
            choose(&k, &p, rows[i].choice[n][0], rows[i].choice[n][1]);
        knobs_put_lines(&k, &p, "", &lines);
        assert_text(buf_str(&lines), rows[i].lines);
        knobs_sets(&k, &p, sets);
        if (rows[i].args)
            assert_text(sets[0].value, rows[i].args);
        assert_text(sets[1].value, rows[i].threads);
        assert_text(sets[2].value, rows[i].kv);
        buf_free(&lines);
        knobs_free(&k);
        conf_free(c);
    }
    (void)state;
}

static void test_what_there_is_to_choose_from(void **state)
{
    struct config *c = parse("args: [--batch-size, '777']");
    struct knobs_wish w = { .model = &c->models[0], .cores = 8, .physical = 4, .help = HELP, .only = STR("threads, kv") };
    struct knobs k;
    struct err e;
    assert_int_equal(knobs_make(&w, &k, &e), ERR_OK);
    const struct tune_factor *threads = &k.factors[factor_named(&k, "threads")], *batch = &k.factors[factor_named(&k, "batch")], *kv = &k.factors[factor_named(&k, "kv")];
    assert_text(k.values[factor_named(&k, "threads")][threads->present], "7");
    assert_text(k.values[factor_named(&k, "threads")][threads->standard], "4");
    assert_int_equal(threads->searched, 6); /* 8 7 6 4 2 1 */
    assert_int_equal(batch->searched, 0);
    assert_text(k.values[factor_named(&k, "batch")][batch->present], "777");
    assert_text(k.values[factor_named(&k, "batch")][batch->standard], "2048");
    assert_true(kv->answers && !threads->answers);
    for (size_t i = 0; i < k.n; i++) /* no GPU, and a flag that the engine does not have */
        assert_true(!str_eq(knobs_name(&k, i), STR("placement")) && !str_eq(knobs_name(&k, i), STR("poll")));
    knobs_free(&k);
    w.only = STR("thread");
    assert_int_equal(knobs_make(&w, &k, &e), ERR_INVALID_REQUEST);
    knobs_free(&k);
    w = (struct knobs_wish){ .model = &c->models[0], .cores = 8, .physical = 4, .help = STR("usage: something else") };
    assert_int_equal(knobs_make(&w, &k, &e), ERR_INVALID_REQUEST);
    knobs_free(&k);
    w = (struct knobs_wish){ .model = &c->models[0], .cores = 1, .physical = 1, .gpus = true, .help = HELP };
    assert_int_equal(knobs_make(&w, &k, &e), ERR_OK);
    assert_int_equal(k.factors[factor_named(&k, "threads")].searched, 1);
    assert_int_equal(k.factors[factor_named(&k, "placement")].searched, 2);
    knobs_free(&k);
    conf_free(c);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_choice_is_written_as_the_configuration_has_it),
        cmocka_unit_test(test_what_there_is_to_choose_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
