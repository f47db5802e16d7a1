/* What follows from a program, its words and its environment, in a folder of our own. */
#include "proc/fence.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char place[64];
static struct arena arena;
static struct fence_rules f;

static void put(const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    if (!text) {
        assert_int_equal(mkdir(path, 0700), 0);
        return;
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(chmod(path, mode), 0);
}

static int up(void **state)
{
    static const struct {
        const char *name, *text;
        mode_t mode;
    } made[] = {
        { "home", NULL, 0 }, { "home/bin", NULL, 0 }, { "home/bin/own", "\177ELF", 0755 }, { "home/models", NULL, 0 },
        { "home/models/a.gguf", "GGUF", 0755 }, { "home/models/b-00001-of-00002.gguf", "GGUF", 0600 }, { "home/models/b-00002-of-00002.gguf", "GGUF", 0600 },
        { "home/state", NULL, 0 }, { "home/state/hob.db", "x", 0600 }, { "home/venv", NULL, 0 }, { "home/venv/pyvenv.cfg", "", 0600 }, { "home/venv/bin", NULL, 0 },
        { "home/venv/bin/tool", "#!/usr/bin/env sh\n", 0755 }, { "py", NULL, 0 }, { "py/bin", NULL, 0 }, { "py/bin/python3", "\177ELF", 0755 },
        { "home/plain", "#!PLACE", 0755 },
    };
    snprintf(place, sizeof place, "/tmp/hob-fence-XXXXXX");
    assert_non_null(mkdtemp(place));
    for (size_t i = 0; i < COUNTOF(made); i++)
        put(made[i].name, made[i].text, made[i].mode);
    char path[256], target[256];
    snprintf(path, sizeof path, "%s/home/venv/bin/python", place);
    snprintf(target, sizeof target, "%s/py/bin/python3", place);
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof path, "%s/home", place);
    setenv("HOME", path, 1);
    arena_init(&arena);
    return 0;
}

static int put_away(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    return remove(path);
}

static int down(void **state)
{
    arena_fini(&arena);
    return nftw(place, put_away, 16, FTW_DEPTH | FTW_PHYS);
}

static void fresh(void)
{
    fence_init(&f, &arena, arena_printf(&arena, "%s/home/state", place));
}

/* "r/home/x": PLACE stands before the path. */
static bool has(const char *rule)
{
    struct str wanted = arena_printf(&arena, "%c%s%s", rule[0], place, rule + 1);
    for (size_t i = 0; i < f.n; i++)
        if (str_eq(f.at[i], wanted))
            return true;
    return false;
}

static struct str at(const char *path)
{
    return arena_printf(&arena, "%s%s", place, path);
}

static void test_a_word_opens_what_it_names(void **state)
{
    static const struct {
        const char *before, *word, *rule, *second; /* rule NULL: none at all */
    } cases[] = {
        { "", "/home/models/a.gguf", "r/home/models/a.gguf", NULL },
        { "--model=", "/home/models/a.gguf", "r/home/models/a.gguf", NULL },
        { "", "/home/models/b-00001-of-00002.gguf", "r/home/models/b-00001-of-00002.gguf", "r/home/models/b-00002-of-00002.gguf" },
        { "", "/home/models", "r/home/models", NULL },
        { "", "/home/models/", "r/home/models", NULL },
        { "", "/home/bin/own", "x/home/bin/own", "x/home/bin" },
        { "", "/home", NULL, NULL },            /* a home is never opened whole */
        { "", "", NULL, NULL },                 /* nor what holds it */
        { "", "/home/state", NULL, NULL },      /* nor what is hob's own */
        { "", "/home/not-there", NULL, NULL },
        { "-", "/home/models/a.gguf", NULL, NULL },
        { "x=", "/home/models/a.gguf", NULL, NULL },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fresh();
        fence_add_word(&f, arena_printf(&arena, "%s%s%s", cases[i].before, place, cases[i].word));
        assert_int_equal(f.n == 0, cases[i].rule == NULL);
        assert_true(!cases[i].rule || has(cases[i].rule));
        assert_true(!cases[i].second || has(cases[i].second));
    }
    static const char *const none[] = { "/", "/tmp", "serve", "127.0.0.1", "-m", "--port=80", "", "a\nb" };
    for (size_t i = 0; i < COUNTOF(none); i++) {
        fresh();
        fence_add_word(&f, str_of(none[i]));
        assert_int_equal(f.n, 0);
    }
}

static void link_to(const char *from, const char *to)
{
    assert_int_equal(symlink(to[0] == '/' && to[1] ? at(to).p : to, at(from).p), 0);
}

/* Who may write in home/work may have put every link in it, for the next start. */
static void test_a_name_through_a_folder_that_is_written_opens_nothing_beyond_it(void **state)
{
    static const struct {
        const char *name;
        bool opens;
    } cases[] = {
        { "/home/models/a.gguf", true },
        { "/home/outer", true },            /* a link, in a folder that nobody writes in */
        { "/home/work", true },             /* the folder itself: it has its rule */
        { "/home/work/a.gguf", false },
        { "/home/work/deep/a.gguf", false },  /* deep is a link to home/models */
        { "/home/work/../models/a.gguf", false },
        { "/home/through", false },         /* a link to a link in there */
        { "/home/to-work/a.gguf", false },  /* by another name */
        { "/home/round", false },
    };
    put("home/work", NULL, 0);
    link_to("/home/outer", "models/a.gguf");
    link_to("/home/work/a.gguf", "/home/models/a.gguf");
    link_to("/home/work/deep", "../models");
    link_to("/home/through", "/home/work/a.gguf");
    link_to("/home/to-work", "work");
    link_to("/home/round", "round");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        static const char letters[] = { FENCE_ALL, FENCE_WRITE, FENCE_SHARED };
        for (size_t k = 0; k < COUNTOF(letters); k++) {
            fresh();
            fence_add(&f, letters[k], at("/home/work"));
            size_t before = f.n;
            fence_add_word(&f, at(cases[i].name));
            assert_int_equal(f.n > before, cases[i].opens);
            fence_add_program(&f, at(cases[i].name));
            fence_add_path(&f, FENCE_RUN, at(cases[i].name));
            assert_int_equal(f.n > before, cases[i].opens);
        }
    }
    fresh();
    fence_add_word(&f, at("/home/work/a.gguf")); /* nobody writes there: it is what it leads to */
    assert_true(has("r/home/models/a.gguf"));
}

static void test_an_environment_opens_the_paths_it_names(void **state)
{
    static const struct {
        const char *name, *rule;
    } cases[] = { { "LD_LIBRARY_PATH", "x/home/models" }, { "VK_DRIVER_FILES", "x/home/models" }, { "HOME", NULL }, { "PATH", NULL }, { "TMPDIR", NULL } };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fresh();
        fence_add_env(&f, arena_printf(&arena, "%s=/not/there:%s/home/models:.", cases[i].name, place));
        assert_int_equal(f.n, cases[i].rule ? 1 : 0);
        assert_true(!cases[i].rule || has(cases[i].rule));
    }
}

static void test_a_program_brings_its_folder_its_libraries_and_what_runs_it(void **state)
{
    fresh();
    fence_add_program(&f, at("/home/bin/own"));
    assert_true(has("x/home/bin/own") && has("x/home/bin") && has("x/home/lib"));
    assert_false(has("x/home"));

    fresh();
    fence_add_program(&f, at("/home/venv/bin/python")); /* an environment, whose program lies elsewhere */
    assert_true(has("x/home/venv") && has("x/py/bin") && has("x/py/lib"));

    fresh();
    fence_add_program(&f, at("/home/venv/bin/tool")); /* run by the shell that PATH finds */
    bool shell = false;
    for (size_t i = 0; i < f.n; i++)
        shell = shell || str_ends(f.at[i], STR("/bin/sh"));
    assert_true(has("x/home/venv") && shell);

    fresh();
    fence_add_program(&f, at("/home/plain")); /* in the home itself: it alone, and what runs it is not there */
    assert_true(f.n == 1 && has("x/home/plain"));
}

static void test_the_system_is_no_secret(void **state)
{
    static const char *const shut[] = { "/home", "/root", "/tmp", "/var", "/run", "/etc", "/etc/shadow", "/", "/opt", "/dev", "/mnt", "/srv" };
    fresh();
    fence_add_system(&f);
    fence_add_gpus(&f);
    assert_in_range(f.n, 40, FENCE_MAX_RULES - 128);
    for (size_t i = 0; i < f.n; i++)
        for (size_t k = 0; k < COUNTOF(shut); k++)
            assert_false(str_eq(str_from(f.at[i], 1), str_of(shut[k])));
}

static void test_rules_are_paths_said_once_and_bounded(void **state)
{
    fresh();
    fence_add(&f, FENCE_READ, STR("relative"));
    fence_add(&f, FENCE_READ, STR(""));
    assert_int_equal(f.n, 0);
    for (int i = 0; i < 2 * FENCE_MAX_RULES; i++)
        fence_add(&f, FENCE_READ, arena_printf(&arena, "/%d", i / 2));
    assert_int_equal(f.n, FENCE_MAX_RULES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_word_opens_what_it_names),
        cmocka_unit_test(test_a_name_through_a_folder_that_is_written_opens_nothing_beyond_it),
        cmocka_unit_test(test_an_environment_opens_the_paths_it_names),
        cmocka_unit_test(test_a_program_brings_its_folder_its_libraries_and_what_runs_it),
        cmocka_unit_test(test_the_system_is_no_secret),
        cmocka_unit_test(test_rules_are_paths_said_once_and_bounded),
    };
    return cmocka_run_group_tests(tests, up, down);
}
