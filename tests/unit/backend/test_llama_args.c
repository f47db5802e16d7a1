/* From a model's settings to a command line, and where the engine is looked for. */
#include "backend/llama_args.h"

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

extern char **environ;

static struct config *parse(const char *model)
{
    struct config *c = NULL;
    struct err e = { 0 };
    char text[1024];
    snprintf(text, sizeof text, "models: {m: {file: /w/m.gguf, %s}}\n", model);
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

/* The words behind `flag`, or NULL; each flag of ours stands once. */
static const struct str *value_of(const struct launch *a, const char *flag)
{
    const struct str *found = NULL;
    for (size_t i = 1; i + 1 < a->nargv; i++)
        if (str_eq(a->argv[i], str_of(flag))) {
            assert_null(found);
            found = &a->argv[i + 1];
        }
    return found;
}

static void assert_value(const struct launch *a, const char *flag, const char *want)
{
    const struct str *v = value_of(a, flag);
    if (!v || !str_eq(*v, str_of(want)))
        fail_msg("%s: got %.*s, want %s", flag, v ? (int)v->n : 4, v ? v->p : "none", want);
}

static void test_settings_become_flags(void **state)
{
    static const struct { const char *model; int64_t trained; int64_t context; const char *flags[12]; } cases[] = {
        { "context: 4096, slots: 2", 8192, 4096, { "--ctx-size", "8192", "--parallel", "2", "--cache-type-k", "f16", "--cache-type-v", "f16" } },
        { "context: 4096", 0, 4096, { "--ctx-size", "4096", "--parallel", "1" } },
        { "context: 4096", 4096, 4096, { "--ctx-size", "4096" } },
        { "context: 4097", 4096, 4096, { "--ctx-size", "4096" } },
        { "context: 65536, slots: 3", 2048, 2048, { "--ctx-size", "6144" } },
        { "context: auto", 2048, 2048, { "--ctx-size", "2048" } },
        { "context: auto", 0, LLAMA_DEFAULT_CONTEXT, { "--ctx-size", "8192" } },
        { "context: 16777216, slots: 256", 0, 16777216, { "--ctx-size", "4294967296" } },
        { "context: 4096, slots: 3, kv_shared: true", 0, 4096, { "--ctx-size", "4096", "--parallel", "3" } },
        { "context: 512, cache: 64MiB", 0, 512, { "--cache-ram", "64" } },
        { "context: 512, cache: 0", 0, 512, { "--cache-ram", "0" } },
        { "context: 512", 0, 512, { "--cache-ram", "256" } },
        { "context: 512, kv: q8_0, threads: 3", 0, 512, { "--cache-type-k", "q8_0", "--cache-type-v", "q8_0", "--threads", "3" } },
        { "context: 512, args: [--flash-attn, \"on\", \"\"]", 0, 512, { "--flash-attn", "on" } },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct config *conf = parse(cases[i].model);
        struct weights w = { .context_train = cases[i].trained };
        struct llama_args a = { .engine = "/bin/engine" };
        struct launch c;
        launch_init(&c);
        llama_args_make(&a, &conf->models[0], &w, "/run/0.sock", "/run/0.key", &c);
        assert_int_equal(a.context, cases[i].context);
        assert_true(str_eq(c.argv[0], STR("/bin/engine")));
        assert_value(&c, "--model", "/w/m.gguf");
        assert_value(&c, "--alias", "m");
        assert_value(&c, "--host", "/run/0.sock");
        assert_value(&c, "--api-key-file", "/run/0.key");
        assert_value(&c, "--batch-size", "512");
        assert_value(&c, "--ubatch-size", "512");
        assert_value(&c, "--cors-origins", "localhost");
        assert_non_null(value_of(&c, "--offline"));
        assert_non_null(value_of(&c, "--no-ui"));
        assert_non_null(value_of(&c, "--no-slots"));
        for (size_t k = 0; cases[i].flags[k]; k += 2)
            assert_value(&c, cases[i].flags[k], cases[i].flags[k + 1]);
        launch_free(&c);
        conf_free(conf);
    }
}

static void test_what_lies_beside_a_model_is_given_with_it(void **state)
{
    struct config *conf = parse("mmproj: /w/p.gguf, draft: /w/d.gguf, lora: [{file: /w/a.gguf, scale: 0.25}, {file: /w/b.gguf}, {file: /w/c.gguf, scale: 0}]");
    struct weights w = { 0 };
    struct llama_args a = { .engine = "e" };
    struct launch c;
    launch_init(&c);
    llama_args_make(&a, &conf->models[0], &w, "s", "k", &c);
    assert_value(&c, "--mmproj", "/w/p.gguf");
    assert_value(&c, "--model-draft", "/w/d.gguf");
    assert_value(&c, "--spec-type", "draft-simple");
    assert_value(&c, "--lora-scaled", "/w/a.gguf:0.25,/w/b.gguf:1,/w/c.gguf:0");
    launch_free(&c);
    conf_free(conf);
}

static void test_threads_are_at_least_one_and_leave_a_core(void **state)
{
    struct config *conf = parse("context: 512");
    struct weights w = { 0 };
    struct llama_args a = { .engine = "e" };
    struct launch c;
    launch_init(&c);
    char want[24];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    llama_args_make(&a, &conf->models[0], &w, "s", "k", &c);
    snprintf(want, sizeof want, "%ld", cores > 1 ? cores - 1 : 1);
    assert_value(&c, "--threads", want);
    launch_free(&c);
    conf_free(conf);
}

static bool has_variable(const struct launch *a, const char *text)
{
    for (size_t i = 0; i < a->nenv; i++)
        if (str_eq(a->env[i], str_of(text)))
            return true;
    return false;
}

static void test_the_engine_gets_only_what_it_needs_of_our_environment(void **state)
{
    static char *const ours[] = {
        "PATH=/bin", "HOME=/home/cook", "LANG=C", "LC_ALL=C", "CUDA_VISIBLE_DEVICES=0", "GGML_VK_DEVICE=1", "OMP_NUM_THREADS=2", "LD_LIBRARY_PATH=/l",
        "HOB_KEY=k", "HOB_STATE=/s", "HOB_CONFIG=/c", "OPENAI_API_KEY=k", "HF_TOKEN=t", "LLAMA_ARG_HOST=0.0.0.0", "LLAMA_API_KEY=k", "AWS_SECRET_ACCESS_KEY=k",
        "HTTP_PROXY=p", "PATHOLOGY=1", "XDG_RUNTIME_DIR=/r", "LD_PRELOAD=/x.so", "=odd", "novalue", NULL,
    };
    enum { PASSED = 8 }; /* the first so many */
    struct config *conf = parse("context: 512");
    struct weights w = { 0 };
    struct llama_args a = { .engine = "e" };
    struct launch c;
    launch_init(&c);
    char **real = environ;
    environ = (char **)ours;
    llama_args_make(&a, &conf->models[0], &w, "/run/0.sock", "/run/0.key", &c);
    environ = real;
    for (size_t i = 0; ours[i]; i++)
        if (has_variable(&c, ours[i]) != (i < PASSED))
            fail_msg("%s", ours[i]);
    launch_free(&c);
    conf_free(conf);
}

static void test_an_overlong_environment_is_cut_at_its_bound(void **state)
{
    char text[200][16], *many[201];
    struct config *conf = parse("context: 512");
    struct weights w = { 0 };
    struct llama_args a = { .engine = "e" };
    struct launch c;
    launch_init(&c);
    for (size_t i = 0; i < 200; i++) {
        snprintf(text[i], sizeof text[i], "LC_%zu=x", i);
        many[i] = text[i];
    }
    many[200] = NULL;
    char **real = environ;
    environ = many;
    llama_args_make(&a, &conf->models[0], &w, "s", "k", &c);
    environ = real;
    assert_int_equal(c.nenv, LAUNCH_MAX_PASSED);
    launch_free(&c);
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_become_flags),
        cmocka_unit_test(test_what_lies_beside_a_model_is_given_with_it),
        cmocka_unit_test(test_threads_are_at_least_one_and_leave_a_core),
        cmocka_unit_test(test_the_engine_gets_only_what_it_needs_of_our_environment),
        cmocka_unit_test(test_an_overlong_environment_is_cut_at_its_bound),
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
