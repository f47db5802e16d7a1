/* The configuration that a lab is started with. That one starts, and leaves nothing: tests/e2e/test_tune.py. */
#include "cli/lab.h"
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

const struct command *const cli_commands[] = { NULL };

static const char users[] =
    "state: /tmp/users\n"
    "sandbox: off\n"
    "budget: {memory: 40GiB, reserve: 3GiB}\n"
    "policy: {thinking: off}\n"
    "engines: {llama: {path: /opt/a}, other: {path: /opt/b}}\n"
    "hosts: {anvil: {kind: openai, url: 'http://127.0.0.1:9'}}\n"
    "models:\n"
    "  small: {file: /m/small.gguf, context: 2048, keep: hot, aliases: [s], replicas: [far], args: ['--x', 'a$${b}']}\n"
    "  large: {file: /m/large.gguf, engine: other, threads: 3, lora: [{file: /m/l.gguf, scale: 0.5}]}\n"
    "  far: {host: anvil}\n"
    "roles: {chat: small}\n";

static struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e;
    if (conf_parse(STR("/tmp/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static struct config *made(const struct config *c, const struct lab_model *models, size_t n)
{
    struct buf out = { 0 };
    struct err e;
    struct config *lab = NULL;
    if (lab_write_config(c, models, n, STR("/tmp/lab/state"), &out, &e) || conf_parse(STR("/tmp/lab/hob.yaml"), buf_str(&out), &lab, &e))
        fail_msg("%s", e.text);
    buf_free(&out);
    return lab;
}

static void assert_text(struct str got, const char *wanted)
{
    if (!str_eq(got, str_of(wanted)))
        fail_msg("'%.*s', not '%s'", STR_ARG(got), wanted);
}

static void test_a_lab_has_the_models_and_nothing_that_leads_elsewhere(void **state)
{
    struct config *c = parse(users);
    struct lab_model models[] = { { .model = conf_model(c, STR("small")) }, { .model = conf_model(c, STR("large")), .hot = true } };
    struct config *lab = made(c, models, 2);
    const struct conf_model *small = conf_model(lab, STR("small")), *large = conf_model(lab, STR("large"));
    assert_int_equal(lab->nmodels, 2);
    assert_int_equal(lab->nroles + lab->nhosts + lab->nkeys, 0);
    assert_text(lab->listen, "127.0.0.1:0");
    assert_text(lab->state, "/tmp/lab/state");
    assert_int_equal(lab->budget_bytes, 0);
    assert_int_equal(lab->reserve_bytes, 3 * (int64_t)GIB);
    assert_false(lab->sandbox);
    assert_int_equal(lab->policy.thinking, THINKING_OFF);
    assert_text(small->file, "/m/small.gguf");
    assert_int_equal(small->context, 2048);
    assert_int_equal(small->keep, KEEP_DEMAND);
    assert_int_equal(small->aliases.n + small->replicas.n, 0);
    assert_int_equal(small->args.n, 2);
    assert_text(small->args.at[1], "a${b}");
    assert_int_equal(large->keep, KEEP_HOT);
    assert_int_equal(large->threads, 3);
    assert_int_equal(large->nloras, 1);
    assert_text(conf_engine(lab, small->engine)->path, "/opt/a");
    assert_text(conf_engine(lab, large->engine)->path, "/opt/b");
    conf_free(lab);
    conf_free(c);
    (void)state;
}

static void test_what_a_wish_sets_holds_and_the_last_one_counts(void **state)
{
    struct config *c = parse(users);
    struct lab_set set[] = { { STR("threads"), STR("2") }, { STR("kv"), STR("\"q8_0\"") }, { STR("threads"), STR("1") }, { STR("args"), STR("") }, { STR("file"), STR("\"/m/other.gguf\"") } };
    struct lab_model models[] = { { .model = conf_model(c, STR("small")), .set = set, .nset = COUNTOF(set), .engine = STR("/opt/new"), .name = STR("b") }, { .model = conf_model(c, STR("small")) } };
    struct config *lab = made(c, models, 2);
    const struct conf_model *b = conf_model(lab, STR("b")), *small = conf_model(lab, STR("small"));
    assert_int_equal(b->threads, 1);
    assert_text(b->kv, "q8_0");
    assert_int_equal(b->args.n, 0);
    assert_text(b->file, "/m/other.gguf");
    assert_text(conf_engine(lab, b->engine)->path, "/opt/new");
    assert_text(small->engine, "llama"); /* so that what is wrong with it is told by the name that the user gave */
    assert_text(small->kv, "f16");
    assert_text(conf_engine(lab, small->engine)->path, "/opt/a");
    conf_free(lab);
    conf_free(c);
    (void)state;
}

static void test_a_model_elsewhere_is_refused(void **state)
{
    struct config *c = parse(users);
    struct lab_model m = { .model = conf_model(c, STR("far")) };
    struct buf out = { 0 };
    struct err e;
    assert_int_equal(lab_write_config(c, &m, 1, STR("/tmp/lab/state"), &out, &e), ERR_CONFIG);
    buf_free(&out);
    conf_free(c);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lab_has_the_models_and_nothing_that_leads_elsewhere),
        cmocka_unit_test(test_what_a_wish_sets_holds_and_the_last_one_counts),
        cmocka_unit_test(test_a_model_elsewhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
