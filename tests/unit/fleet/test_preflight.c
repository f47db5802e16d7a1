/* The report: its names are a contract, and what a name stands for. What the checks find is tested with files: tests/e2e/test_preflight.py. */
#include "fleet/preflight.h"

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char kitchen[] = "hosts: {anvil: {url: \"http://127.0.0.1:9001\"}}\n"
                              "models:\n"
                              "  far: {host: anvil, aliases: [away]}\n"
                              "  speech: {command: \"whisper --port ${port}\", serves: [transcribe]}\n"
                              "  gone: {file: /none/m.gguf}\n"
                              "roles: {chat: {model: fast}, transcribe: speech}\n"
                              "tiers: {fast: away}\n";

static struct config *config;

static int open_kitchen(void **state)
{
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), STR(kitchen), &config, &e))
        fail_msg("%s", e.text);
    return 0;
}

static int close_kitchen(void **state)
{
    conf_free(config);
    return 0;
}

static void test_names_stand_for_models(void **state)
{
    static const struct {
        struct str name;
        const char *model, *role;
    } rows[] = {
        { STR("far"), "far", "" },        { STR("away"), "far", "" },  { STR("fast"), "far", "" },
        { STR("chat"), "far", "chat" },   { STR("speech"), "speech", "" },
        { STR("transcribe"), "speech", "transcribe" }, { STR("none"), NULL, "" }, { STR(""), NULL, "" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct str role;
        const struct conf_model *m = conf_meant(config, rows[i].name, &role);
        assert_true(str_eq(role, str_of(rows[i].role)));
        assert_true(rows[i].model ? m && str_eq(m->name, str_of(rows[i].model)) : !m);
    }
}

static void test_every_model_gets_every_check_under_its_name(void **state)
{
    static const char *const names[] = { "weights", "header", "architecture", "fit", "template", "capabilities", "thinking", "context", "callers",
        "rollback" };
    static const struct preflight_daemon nothing = { .total_bytes = (int64_t)1 << 30 };
    for (size_t m = 0; m < config->nmodels; m++) {
        struct preflight_ask ask = { .config = config, .model = &config->models[m], .daemon = &nothing };
        struct preflight_report r;
        bool no = false;
        preflight(&ask, &r);
        assert_int_equal(COUNTOF(names), PREFLIGHT_CHECKS);
        for (size_t i = 0; i < PREFLIGHT_CHECKS; i++) {
            assert_string_equal(r.checks[i].name, names[i]);
            assert_true(r.checks[i].detail[0]);
            no = no || r.checks[i].answer == PREFLIGHT_NO;
        }
        assert_int_equal(r.ok, !no);
        assert_int_equal(r.ok, !str_eq(config->models[m].name, STR("gone")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_stand_for_models),
        cmocka_unit_test(test_every_model_gets_every_check_under_its_name),
    };
    return cmocka_run_group_tests(tests, open_kitchen, close_kitchen);
}
