/* Swaps over a configuration: what leads where, who stays, and that the file goes before. */
#include "conf/overlay.h"

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char kitchen[] =
    "hosts: {anvil: {url: \"http://127.0.0.1:9001\"}}\n"
    "models:\n"
    "  old:   {file: old.gguf, keep: hot, aliases: [elder]}\n"
    "  new:   {file: new.gguf}\n"
    "  far:   {host: anvil}\n"
    "  other: {file: other.gguf, deprecated: 2031-01-01}\n"
    "tiers: {fast: old, heavy: far}\n"
    "roles:\n"
    "  chat:   {model: elder, fallback: [far, new]}\n"
    "  code:   {model: fast}\n"
    "  vision: {model: other}\n";

static const struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

static const struct conf_role *role(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->nroles; i++)
        if (str_eq(c->roles[i].name, str_of(name)))
            return &c->roles[i];
    fail_msg("no role %s", name);
    return NULL;
}

static const char *chain(const struct config *c, const char *name)
{
    static struct buf text;
    const struct conf_role *r = role(c, name);
    buf_reset(&text, 256);
    buf_add(&text, r->model);
    for (size_t i = 0; i < r->fallback.n; i++)
        buf_printf(&text, " %.*s", STR_ARG(r->fallback.at[i]));
    buf_add_char(&text, 0);
    return text.p;
}

static struct conf_shift shift(const char *name, const char *from, const char *to, double share)
{
    return (struct conf_shift){ str_of(name), str_of(from), str_of(from), str_of(to), share, share < 1 ? STR("") : STR("2030-05-01"), STR("") };
}

static void test_a_shift_leads_elsewhere_and_back(void **state)
{
    const struct config *c = parse(kitchen);
    struct conf_shift all[] = { shift("chat", "old", "new", 1), shift("fast", "old", "new", 1) };
    const struct config *d = conf_overlay(c, all, 2);
    assert_string_equal(chain(d, "chat"), "new old far");
    assert_string_equal(chain(c, "chat"), "elder far new");
    struct str name;
    assert_true(str_eq(conf_meant(d, STR("fast"), &name)->name, STR("new")));
    assert_true(str_eq(conf_meant(d, STR("code"), &name)->name, STR("new"))); /* by way of its tier */
    const struct conf_model *was = conf_model(d, STR("old")), *is = conf_model(d, STR("new"));
    assert_true(str_eq(was->deprecated, STR("2030-05-01")) && str_eq(was->successor, STR("new")));
    assert_int_equal(was->keep, KEEP_DEMAND);
    assert_int_equal(is->keep, KEEP_HOT);
    assert_true(was->idle_ms > is->idle_ms);
    /* no process starts anew for it, there and back */
    struct arena a;
    struct conf_diff diff;
    arena_init(&a);
    conf_diff(c, d, &a, &diff);
    for (size_t i = 0; i < diff.nmodels; i++)
        assert_int_equal(diff.models[i].change, CONF_SAME);
    assert_true(diff.changed.n > 0 && !diff.restart.n && !diff.removed.n);
    arena_fini(&a);
    assert_ptr_equal(conf_as_read(d), c);
    const struct config *back = conf_overlay(d, NULL, 0); /* nothing of what it was derived from stays */
    assert_ptr_equal(back, c);
    conf_free(back);
    conf_free(c);
    assert_string_equal(chain(d, "chat"), "new old far"); /* it holds its base */
    conf_free(d);
}

static void test_who_still_leads_is_not_sent_away(void **state)
{
    const struct config *c = parse(kitchen);
    struct conf_shift one = shift("chat", "old", "new", 1);
    const struct config *d = conf_overlay(c, &one, 1);
    const struct conf_model *was = conf_model(d, STR("old"));
    assert_false(was->deprecated.n); /* the tier fast, and so the role code, are its own */
    assert_int_equal(was->keep, KEEP_HOT);
    conf_free(d);
    struct conf_shift other = shift("vision", "other", "far", 1);
    d = conf_overlay(c, &other, 1);
    assert_true(str_eq(conf_model(d, STR("other"))->deprecated, STR("2031-01-01"))); /* the file's word goes before */
    assert_int_equal(conf_model(d, STR("far"))->keep, KEEP_DEMAND);
    conf_free(d);
    conf_free(c);
}

static void test_a_share_leaves_the_role_its_model(void **state)
{
    const struct config *c = parse(kitchen);
    struct conf_shift one = shift("chat", "old", "new", 0.1);
    const struct config *d = conf_overlay(c, &one, 1);
    assert_string_equal(chain(d, "chat"), "elder far new");
    assert_true(str_eq(role(d, "chat")->trial, STR("new")) && role(d, "chat")->trial_share > 0.09);
    assert_false(role(c, "chat")->trial.n);
    assert_false(conf_model(d, STR("old"))->deprecated.n);
    conf_free(d);
    conf_free(c);
}

static void test_what_a_person_writes_goes_before(void **state)
{
    static const struct { const char *name, *from, *to; enum conf_shift_state is; } cases[] = {
        { "chat", "old", "new", SHIFT_HOLDS },
        { "fast", "old", "far", SHIFT_HOLDS },
        { "code", "old", "new", SHIFT_HOLDS },       /* by way of the tier */
        { "chat", "far", "new", SHIFT_OVERTAKEN },
        { "chat", "new", "old", SHIFT_DONE },
        { "nobody", "old", "new", SHIFT_NO_NAME },
        { "chat", "old", "gone", SHIFT_NO_MODEL },
    };
    const struct config *c = parse(kitchen);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct conf_shift s = shift(cases[i].name, cases[i].from, cases[i].to, 1);
        assert_int_equal(conf_shift_look(c, &s), cases[i].is);
        const struct config *d = conf_overlay(c, &s, 1);
        assert_int_equal(d != c, cases[i].is == SHIFT_HOLDS);
        conf_free(d);
    }
    conf_free(c);
}

static void test_where_things_were_said_is_still_known(void **state)
{
    const struct config *c = parse(kitchen);
    struct conf_shift one = shift("chat", "old", "new", 1);
    const struct config *d = conf_overlay(c, &one, 1);
    assert_true(conf_says(d, &conf_model(d, STR("old"))->keep));
    assert_false(conf_says(d, &conf_model(d, STR("new"))->keep));
    assert_true(conf_says(d, &role(d, "vision")->model));
    assert_false(conf_says(d, &d->drain_ms));
    conf_free(d);
    conf_free(c);
}

/* ---- builds of engines ---- */

static const char engines[] =
    "engines: {llama: {path: /opt/a/llama-server}, other: {path: /opt/o/llama-server}}\n"
    "models:\n"
    "  one:  {file: one.gguf, aliases: [first]}\n"
    "  two:  {file: two.gguf}\n"
    "  side: {file: side.gguf, engine: other}\n"
    "  cmd:  {command: \"x ${port}\"}\n";

static struct conf_shift build(const char *model, const char *engine, const char *said, const char *from, const char *to)
{
    return (struct conf_shift){ str_of(model), str_of(said), str_of(from), str_of(to), 1, STR(""), str_of(engine) };
}

static const char *path_of(const struct config *c, const char *model)
{
    return conf_engine(c, conf_model(c, str_of(model))->engine)->path.p;
}

static void test_a_model_runs_in_another_build(void **state)
{
    const struct config *c = parse(engines);
    struct conf_shift one = build("one", "llama", "/opt/a/llama-server", "/opt/a/llama-server", "/opt/b/llama-server");
    const struct config *d = conf_overlay(c, &one, 1);
    assert_string_equal(path_of(d, "one"), "/opt/b/llama-server");
    assert_string_equal(path_of(d, "two"), "/opt/a/llama-server"); /* its turn has not come */
    assert_string_equal(path_of(c, "one"), "/opt/a/llama-server");
    assert_true(conf_says(d, &conf_model(d, STR("side"))->engine));
    struct arena a;
    struct conf_diff diff;
    arena_init(&a);
    conf_diff(c, d, &a, &diff);
    for (size_t i = 0; i < diff.nmodels; i++)
        assert_int_equal(diff.models[i].change, str_eq(d->models[i].name, STR("one")) ? CONF_RESTART : CONF_SAME);
    assert_true(str_eq(diff.models[conf_model(d, STR("one")) - d->models].cause, STR("models.one.engine")));
    /* both, and a third that is not of that engine: one build more, not two */
    struct conf_shift all[] = { one, build("two", "llama", "/opt/a/llama-server", "/opt/a/llama-server", "/opt/b/llama-server"),
        build("side", "other", "/opt/o/llama-server", "/opt/o/llama-server", "/opt/p/llama-server") };
    const struct config *both = conf_overlay(d, all, 3);
    assert_int_equal(both->nengines, c->nengines + 2);
    assert_string_equal(path_of(both, "two"), "/opt/b/llama-server");
    assert_string_equal(path_of(both, "side"), "/opt/p/llama-server");
    conf_diff(d, both, &a, &diff);
    assert_int_equal(diff.models[conf_model(both, STR("one")) - both->models].change, CONF_SAME); /* it is there already */
    arena_fini(&a);
    conf_free(both);
    conf_free(d);
    conf_free(c);
}

static void test_the_file_goes_before_a_build(void **state)
{
    static const struct { const char *model, *engine, *said, *from, *to; enum conf_shift_state is; } cases[] = {
        { "one",    "llama", "/opt/a/llama-server", "/opt/a/llama-server", "/opt/b/llama-server", SHIFT_HOLDS },
        { "one",    "llama", "/opt/a/llama-server", "/opt/b/llama-server", "/opt/c/llama-server", SHIFT_HOLDS },     /* over one that is promoted */
        { "one",    "llama", "/opt/z/llama-server", "/opt/z/llama-server", "/opt/b/llama-server", SHIFT_OVERTAKEN },
        { "one",    "llama", "/opt/z/llama-server", "/opt/z/llama-server", "/opt/a/llama-server", SHIFT_DONE },
        { "one",    "other", "/opt/a/llama-server", "/opt/a/llama-server", "/opt/b/llama-server", SHIFT_OVERTAKEN },
        { "nobody", "llama", "/opt/a/llama-server", "/opt/a/llama-server", "/opt/b/llama-server", SHIFT_NO_NAME },
        { "cmd",    "llama", "/opt/a/llama-server", "/opt/a/llama-server", "/opt/b/llama-server", SHIFT_NO_NAME },
    };
    const struct config *c = parse(engines);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct conf_shift s = build(cases[i].model, cases[i].engine, cases[i].said, cases[i].from, cases[i].to);
        assert_int_equal(conf_shift_look(c, &s), cases[i].is);
        const struct config *d = conf_overlay(c, &s, 1);
        assert_int_equal(d != c, cases[i].is == SHIFT_HOLDS);
        conf_free(d);
    }
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shift_leads_elsewhere_and_back),
        cmocka_unit_test(test_who_still_leads_is_not_sent_away),
        cmocka_unit_test(test_a_share_leaves_the_role_its_model),
        cmocka_unit_test(test_what_a_person_writes_goes_before),
        cmocka_unit_test(test_where_things_were_said_is_still_known),
        cmocka_unit_test(test_a_model_runs_in_another_build),
        cmocka_unit_test(test_the_file_goes_before_a_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
