/* Engines: where they are, what makes a build, what they are asked and how often. The engines here are shell scripts. */
#include "backend/engine.h"

#include "conf/conf.h"
#include "proc/run.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- where the engine is ---- */

static char folder[64];

static void make_file(const char *name, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void make_folder(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int make_kitchen(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    make_folder("a");
    make_folder("b");
    make_folder("c");
    make_folder("a/engine"); /* a folder may be entered, which looks like "may be run" */
    make_file("b/engine", 0600);
    make_file("c/engine", 0700);
    return 0;
}

static int clear_kitchen(void **state)
{
    static const char *const all[] = { "c/engine", "b/engine", "a/engine", "c", "b", "a" };
    char path[128];
    for (size_t i = 0; i < COUNTOF(all); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, all[i]);
        assert_int_equal(remove(path), 0);
    }
    return rmdir(folder);
}

static void test_the_engine_is_the_first_program_of_its_name(void **state)
{
    static const struct { const char *named, *path, *found; } cases[] = { /* @ is the folder */
        { "engine", "@/c", "@/c/engine" },
        { "engine", "/nowhere:@/b:@/c", "@/c/engine" },
        { "engine", ":@/a::@/c:", "@/c/engine" },
        { "engine", "@/a:@/b", NULL },
        { "engine", "", NULL },
        { "engine", NULL, NULL },
        { "", "@/c", NULL },
        { "@/c/engine", "", "@/c/engine" },
        { "@/a/engine", "", NULL },
        { "@/b/engine", "", NULL },
        { "@/c/", "", NULL },
        { "@/none", "", NULL },
    };
    char *before = getenv("PATH") ? strdup(getenv("PATH")) : NULL;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char texts[3][256] = { "", "", "" }, found[1024];
        const char *const in[] = { cases[i].named, cases[i].path, cases[i].found };
        for (size_t k = 0; k < COUNTOF(in); k++)
            for (const char *p = in[k]; p && *p; p++) {
                size_t n = strlen(texts[k]);
                snprintf(texts[k] + n, sizeof texts[k] - n, *p == '@' ? "%s" : "%.1s", *p == '@' ? folder : p);
            }
        if (cases[i].path)
            setenv("PATH", texts[1], 1);
        else
            unsetenv("PATH");
        bool is = run_find_program(str_of(texts[0]), found, sizeof found);
        if (is != (cases[i].found != NULL))
            fail_msg("case %zu: %s", i, is ? found : "nothing");
        if (is)
            assert_string_equal(found, texts[2]);
    }
    if (before)
        setenv("PATH", before, 1);
    free(before);
}

static void test_a_path_that_does_not_fit_is_not_cut_to_another(void **state)
{
    char named[2048], found[64];
    snprintf(named, sizeof named, "%s/c/engine", folder);
    size_t n = strlen(named);
    assert_true(run_find_program(str_of(named), found, n + 1));
    memset(named + n, 'x', 100); /* the program's name is the part that would be left */
    assert_false(run_find_program(str_make(named, n + 100), found, n + 1));
}


/* ---- builds ---- */

static void write_text(const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_empty(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int clear_all(void **state)
{
    static const char *const deep[] = { "/*/*", "/*" };
    for (size_t i = 0; i < COUNTOF(deep); i++) {
        char pattern[128];
        glob_t found;
        snprintf(pattern, sizeof pattern, "%s%s", folder, deep[i]);
        if (!glob(pattern, 0, NULL, &found))
            for (size_t k = 0; k < found.gl_pathc; k++)
                assert_int_equal(remove(found.gl_pathv[k]), 0);
        globfree(&found);
    }
    return rmdir(folder);
}

/* @ in the text is the folder. */
static struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    char yaml[2048] = "";
    for (const char *p = text; *p; p++) {
        size_t n = strlen(yaml);
        snprintf(yaml + n, sizeof yaml - n, *p == '@' ? "%s" : "%.1s", *p == '@' ? folder : p);
    }
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(yaml), &c, &e))
        fail_msg("%s\n%s", e.text, yaml);
    return c;
}

static void find(const struct config *c, const char *name, struct engine *g)
{
    struct err e;
    if (engine_find(c, str_of(name), g, &e))
        fail_msg("%s", e.text);
}

static void test_a_build_is_its_files(void **state)
{
    static const struct {
        const char *file;
        bool counts;
    } steps[] = {
        { "bin/libggml-cpu.so.0.20", true }, { "bin/libsomething.so", true }, { "bin/README", false }, { "bin/libnot", false },
        { "lib/libllama.so", true }, { "lib/libmtmd.0.dylib", true }, { "lib/libcrypto.so.3", false }, { "lib64/libggml.so", true },
        { "bin/llama-server", true },
    };
    struct engine before, now;
    make_folder("bin");
    make_folder("lib");
    make_folder("lib64");
    write_text("bin/llama-server", "#!/bin/sh\n", 0700);
    struct config *c = parse("engines: {llama: {path: '@/bin/llama-server'}}\n");
    find(c, "llama", &before);
    find(c, "llama", &now);
    assert_string_equal(before.hash, now.hash);
    for (size_t i = 0; i < COUNTOF(steps); i++) {
        write_text(steps[i].file, "#!/bin/sh\nlonger\n", 0700);
        find(c, "llama", &now);
        if ((strcmp(before.hash, now.hash) != 0) != steps[i].counts)
            fail_msg("%s", steps[i].file);
        before = now;
    }
    conf_free(c);
}

static void test_a_link_is_the_build_it_leads_to(void **state)
{
    struct engine one, two, link;
    char from[128], to[128];
    make_folder("a");
    make_folder("b");
    write_text("a/llama-server", "#!/bin/sh\n", 0700);
    write_text("b/llama-server", "#!/bin/sh\n# the other\n", 0700);
    struct config *c = parse("engines: {llama: {path: '@/a/llama-server'}, two: {path: '@/b/llama-server'}, link: {path: '@/link'}}\n");
    snprintf(from, sizeof from, "%s/link", folder);
    for (int i = 0; i < 2; i++) {
        snprintf(to, sizeof to, "%s/%s/llama-server", folder, i ? "b" : "a");
        unlink(from);
        assert_int_equal(symlink(to, from), 0);
        find(c, "llama", &one);
        find(c, "two", &two);
        find(c, "link", &link);
        assert_string_not_equal(one.hash, two.hash);
        assert_string_equal(link.hash, i ? two.hash : one.hash);
    }
    conf_free(c);
}

static void test_what_is_not_there_says_where_to_name_it(void **state)
{
    struct engine g;
    struct err e;
    struct config *c = parse("engines: {llama: {path: no-such-program-anywhere}, gone: {path: '@/gone'}}\n");
    assert_int_equal(engine_find(c, STR("llama"), &g, &e), ERR_ENGINE_MISSING);
    assert_non_null(strstr(e.text, "PATH"));
    assert_int_equal(engine_find(c, STR("gone"), &g, &e), ERR_ENGINE_MISSING);
    assert_non_null(strstr(e.hint, "gone"));
    assert_int_equal(engine_find(c, STR("other"), &g, &e), ERR_INVALID_REQUEST);
    conf_free(c);
}

/* ---- asking ---- */

/* Counts how often it was asked; knows what the file `known` in its folder lists. */
#define SCRIPT(last)                                                              \
    "#!/bin/sh\n"                                                                 \
    "cd \"$(dirname \"$0\")\"\n"                                                  \
    "echo asked >>count\n"                                                        \
    "case $1 in --version) echo 'some words'; echo 'version: 7 (abc)'; exit 0;; esac\n" \
    "name=$(tr -d '\\000-\\037' <\"$2\" | sed 's/.*architecture//')\n" last

static const char knowing[] = SCRIPT("if grep -qx \"$name\" known; then echo \"error: key not found in model: $name.context_length\"; "
                                     "else echo \"unknown model architecture: '$name'\"; fi; exit 1\n");
static const char silent_at_first[] = SCRIPT("[ $(wc -l <count) -gt 1 ] && echo \"error: key not found in model: $name.x\"; exit 1\n");
static const char silent[] = SCRIPT("exit 1\n");

static int times_asked(const char *engine)
{
    char path[128];
    int n = 0, c;
    snprintf(path, sizeof path, "%s/%s/count", folder, engine);
    FILE *f = fopen(path, "r");
    while (f && (c = fgetc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static void make_engine(const char *name, const char *script, const char *knows)
{
    char path[64];
    make_folder(name);
    snprintf(path, sizeof path, "%s/engine", name);
    write_text(path, script, 0700);
    snprintf(path, sizeof path, "%s/known", name);
    write_text(path, knows, 0600);
}

static void test_answers_are_asked_for_once_and_kept(void **state)
{
    struct store *s = NULL;
    struct engine g;
    struct err e;
    make_engine("a", knowing, "llama\ngemma3\n");
    struct config *c = parse("engines: {llama: {path: '@/a/engine'}}\n");
    assert_int_equal(store_open(str_of(folder), &s, &e), ERR_OK);
    find(c, "llama", &g);
    assert_int_equal(engine_remembers(&g, STR("llama"), s), PROBE_UNCLEAR);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(engine_knows(&g, STR("llama"), s), PROBE_KNOWN);
        assert_int_equal(engine_knows(&g, STR("qwen9"), s), PROBE_UNKNOWN);
        assert_int_equal(times_asked("a"), 2);
    }
    assert_int_equal(engine_remembers(&g, STR("llama"), s), PROBE_KNOWN);
    assert_int_equal(engine_knows(&g, STR("gemma3"), NULL), PROBE_KNOWN); /* without a store each time */
    assert_int_equal(engine_knows(&g, STR("gemma3"), NULL), PROBE_KNOWN);
    assert_int_equal(times_asked("a"), 4);
    write_text("a/libllama.so", "another build", 0700);
    find(c, "llama", &g);
    assert_int_equal(engine_remembers(&g, STR("llama"), s), PROBE_UNCLEAR);
    store_close(s);
    conf_free(c);
}

static void test_silence_is_asked_again_once_and_never_kept(void **state)
{
    struct store *s = NULL;
    struct engine g;
    struct err e;
    make_engine("a", silent_at_first, "");
    make_engine("b", silent, "");
    struct config *c = parse("engines: {llama: {path: '@/a/engine'}, b: {path: '@/b/engine'}}\n");
    assert_int_equal(store_open(str_of(folder), &s, &e), ERR_OK);
    find(c, "llama", &g);
    assert_int_equal(engine_knows(&g, STR("llama"), s), PROBE_KNOWN);
    assert_int_equal(times_asked("a"), 2);
    find(c, "b", &g);
    assert_int_equal(engine_knows(&g, STR("llama"), s), PROBE_UNCLEAR);
    assert_int_equal(times_asked("b"), 2);
    assert_int_equal(engine_knows(&g, STR("llama"), s), PROBE_UNCLEAR);
    assert_int_equal(times_asked("b"), 4);
    store_close(s);
    conf_free(c);
}

static void test_who_else_knows_it_is_named(void **state)
{
    struct engine g;
    struct err e;
    make_engine("a", knowing, "llama\n");
    make_engine("b", knowing, "llama\nqwen9\n");
    make_engine("c", knowing, "qwen9\n");
    struct config *c = parse("engines: {llama: {path: '@/a/engine'}, new: {path: '@/b/engine'}, newer: {path: '@/c/engine'}, gone: {path: '@/d'}}\n");
    find(c, "llama", &g);
    assert_int_equal(engine_refuse(c, &g, STR("qwen9"), NULL, &e), ERR_UNKNOWN_ARCHITECTURE);
    assert_true(strstr(e.text, "qwen9") && strstr(e.text, "'llama'"));
    assert_non_null(strstr(e.hint, "new, newer"));
    assert_int_equal(engine_refuse(c, &g, STR("nobody"), NULL, &e), ERR_UNKNOWN_ARCHITECTURE);
    assert_null(strstr(e.hint, "newer, "));
    assert_int_equal(engine_ask_version(&g, &e), ERR_OK);
    assert_string_equal(g.version, "version: 7 (abc)");
    conf_free(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_empty, clear_all)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_engine_is_the_first_program_of_its_name, make_kitchen, clear_kitchen),
        cmocka_unit_test_setup_teardown(test_a_path_that_does_not_fit_is_not_cut_to_another, make_kitchen, clear_kitchen),
        CASE(test_a_build_is_its_files),
        CASE(test_a_link_is_the_build_it_leads_to),
        CASE(test_what_is_not_there_says_where_to_name_it),
        CASE(test_answers_are_asked_for_once_and_kept),
        CASE(test_silence_is_asked_again_once_and_never_kept),
        CASE(test_who_else_knows_it_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
