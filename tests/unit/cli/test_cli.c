/* The command line, read by a table of this file's own; what is said on stderr is caught in a file. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
    int runs;
    struct cli_args args;
    char text[4096];        /* what was printed, or the state folder */
} seen;

static int run_eat(const struct cli_args *a)
{
    seen.runs++;
    seen.args = *a;
    return 77;
}

static int run_load(const struct cli_args *a)
{
    struct config *c = NULL;
    int rc = cli_load_config(a, &c);
    if (!rc)
        snprintf(seen.text, sizeof seen.text, "%.*s", STR_ARG(c->state));
    conf_free(c);
    return rc;
}

static const struct cli_option eat_options[] = {
    CLI_COMMON, { "--salt", "-s", NULL, "with salt" }, { "--pepper", NULL, "GRAINS", "how much" }, CLI_END,
};
static const struct command eat = { .name = "eat", .usage = "[DISH]", .what = "eat", .run = run_eat, .options = eat_options, .max_words = 3 };
static const struct command load = { .name = "load", .usage = "", .what = "load", .run = run_load, .options = eat_options };
static const struct command hidden = { .name = "hidden", .usage = "", .what = "x", .run = run_eat, .hidden = true, .max_words = 1000 };

/* Words with options of their own; --heat is one thing for the one and another for the other. */
static int run_boil(const struct cli_args *a, const struct str *words, size_t n)
{
    seen.runs++;
    seen.args = *a;
    return 70 + (int)n;
}

static const struct cli_sub cook_subs[] = {
    { "boil", "in water", CLI_WORDS_NONE, "DISH [DISH]", run_boil, 1, 2 }, { "look", "what there is", CLI_WORDS_NONE, "", run_boil, 0, 0 }, { .name = NULL },
};
static int run_cook(const struct cli_args *a)
{
    return cli_dispatch(a, "look");
}

static const struct cli_option cook_options[] = {
    { "--heat", NULL, "DEGREES", "of the water", "boil" }, { "--heat", NULL, "WORD", "those that are hot", "look" }, { "--lid", NULL, NULL, "with a lid", "boil" },
    { "--json", NULL, NULL, "one JSON object" }, CLI_END,
};
static const struct command cook = { .name = "cook", .usage = "boil DISH | look", .what = "cook", .run = run_cook, .options = cook_options, .max_words = CLI_MAX_ARGS, .subs = cook_subs };
extern const struct command cli_help;
const struct command *const cli_commands[] = { &eat, &load, &cook, &hidden, &cli_help, NULL };

/* Runs it with stdout and stderr caught; what they said goes to seen.text unless that is full already. */
static int call(const char *const *words)
{
    char *argv[CLI_MAX_ARGS * 3] = { (char *)"hob" };
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    memset(&seen, 0, sizeof seen);
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(NULL);
    int out = dup(1), err = dup(2);
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    int rc = cli_main(argc, argv);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    rewind(file);
    size_t n = seen.text[0] ? strlen(seen.text) : fread(seen.text, 1, sizeof seen.text - 1, file);
    seen.text[n] = 0;
    fclose(file);
    return rc;
}

static void test_options_are_read_in_all_their_spellings(void **state)
{
    static const struct { const char *words[8]; const char *config, *pepper; bool salt; const char *rest; } cases[] = {
        { { "eat" }, NULL, NULL, false, "" },
        { { "eat", "soup", "bread" }, NULL, NULL, false, "soup|bread" },
        { { "eat", "--config", "a.yaml", "soup" }, "a.yaml", NULL, false, "soup" },
        { { "eat", "--config=a.yaml", "soup" }, "a.yaml", NULL, false, "soup" },
        { { "eat", "-c", "a.yaml", "soup" }, "a.yaml", NULL, false, "soup" },
        { { "eat", "soup", "-s" }, NULL, NULL, true, "soup" },
        { { "eat", "--salt", "soup", "--pepper", "3" }, NULL, "3", true, "soup" },
        { { "eat", "--pepper=a=b" }, NULL, "a=b", false, "" },
        { { "eat", "--pepper=" }, NULL, "", false, "" },
        { { "eat", "--pepper", "" }, NULL, "", false, "" },
        { { "eat", "--pepper", "-1" }, NULL, "-1", false, "" },
        { { "eat", "--pepper=1", "--pepper=2" }, NULL, "2", false, "" }, /* the last one counts */
        { { "eat", "-", "" }, NULL, NULL, false, "-|" },
        { { "eat", "--", "-s", "--pepper", "--" }, NULL, NULL, false, "-s|--pepper|--" },
        { { "eat", "-s", "--", "--help" }, NULL, NULL, true, "--help" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (call(cases[i].words) != 77)
            fail_msg("case %zu: %s", i, seen.text);
        struct str config = cli_option_value(&seen.args, "--config"), pepper = cli_option_value(&seen.args, "--pepper");
        assert_int_equal(config.p != NULL, cases[i].config != NULL);
        assert_true(str_eq(config, str_of(cases[i].config)));
        assert_int_equal(pepper.p != NULL, cases[i].pepper != NULL);
        assert_true(str_eq(pepper, str_of(cases[i].pepper)));
        assert_int_equal(cli_flag(&seen.args, "--salt"), cases[i].salt);
        char words[256] = "";
        for (size_t k = 0, n = 0; k < seen.args.nwords; k++)
            n += (size_t)snprintf(words + n, sizeof words - n, "%s%.*s", k ? "|" : "", STR_ARG(seen.args.words[k]));
        assert_string_equal(words, cases[i].rest);
    }
}

static void test_wrong_use_is_named_and_runs_nothing(void **state)
{
    static const struct { const char *words[8]; const char *text; } cases[] = {
        { { "eat", "--pepperr", "1" }, "no option '--pepperr', did you mean '--pepper'?" },
        { { "eat", "--pepperr=1" }, "no option '--pepperr', did you mean '--pepper'?" },
        { { "eat", "--zzzzzzzz" }, "no option '--zzzzzzzz'\n" },
        { { "eat", "-x" }, "no option '-x'" },
        { { "eat", "-sc", "a" }, "no option '-sc'" },
        { { "eat", "--=" }, "no option '--'" },
        { { "eat", "--pepper" }, "--pepper wants a value: GRAINS" },
        { { "eat", "-c" }, "--config wants a value: FILE" },
        { { "eat", "--salt=yes" }, "--salt takes no value" },
        { { "eat", "a", "b", "c", "d" }, "does not know what to do with 'd'" },
        { { "hidden", "--salt" }, "no option '--salt'" }, /* it has none at all */
        { { "eta" }, "no command 'eta', did you mean 'eat'?" },
        { { "hiden" }, "no command 'hiden'\n" },
        { { "" }, "no command ''" },
        { { NULL }, "commands:" },
        { { "help", "eta" }, "did you mean 'eat'?" },
        { { "cook", "look", "--lid" }, "`hob cook look` takes no --lid" },
        { { "cook", "--lid" }, "`hob help cook look` shows" },
        { { "cook", "boil" }, "hob: hob cook boil DISH [DISH]\n" },
        { { "cook", "look", "there" }, "hob: hob cook look\n" },
        { { "cook", "bowl" }, "no `hob cook bowl`, did you mean 'boil'?" },
        { { "help", "cook", "bowl" }, "did you mean 'boil'?" },
        { { "help", "eat", "soup" }, "no `hob eat soup`" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(call(cases[i].words), EXIT_USAGE);
        assert_int_equal(seen.runs, 0);
        if (!strstr(seen.text, cases[i].text))
            fail_msg("case %zu: %s", i, seen.text);
    }
}

static void test_help_is_found_where_it_is_looked_for(void **state)
{
    static const struct { const char *words[4]; const char *text; } cases[] = {
        { { "help" }, "commands:" },   { { "--help" }, "commands:" },      { { "-h" }, "commands:" },
        { { "help", "eat" }, "--pepper GRAINS" }, { { "eat", "--help" }, "--pepper GRAINS" }, { { "eat", "soup", "-h" }, "usage: hob eat [DISH]" },
        { { "cook", "-h" }, "`hob help cook WORD`" }, { { "help", "cook", "boil" }, "of the water" }, { { "cook", "boil", "-h" }, "usage: hob cook boil DISH [DISH]\n" },
        { { "cook", "--lid", "look", "-h" }, "those that are hot" }, { { "cook", "look", "-h" }, "--json" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(call(cases[i].words), EXIT_OK);
        assert_int_equal(seen.runs, 0);
        if (!strstr(seen.text, cases[i].text) || strstr(seen.text, "hidden"))
            fail_msg("case %zu: %s", i, seen.text);
    }
}

static void test_a_word_has_its_own_options(void **state)
{
    static const struct { const char *words[6], *heat; int rc; } cases[] = {
        { { "cook", "boil", "soup", "--heat", "90", "--lid" }, "90", 71 },
        { { "cook", "--lid", "boil", "a", "b" }, NULL, 72 },
        { { "cook", "look", "--heat=very", "--json" }, "very", 70 },
        { { "cook", "--heat=little" }, "little", 70 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *words[7] = { NULL };
        memcpy(words, cases[i].words, sizeof cases[i].words);
        assert_int_equal(call(words), cases[i].rc);
        assert_true(str_eq(cli_option_value(&seen.args, "--heat"), str_of(cases[i].heat ? cases[i].heat : "")));
    }
    static const char *const help[][4] = { { "cook", "-h" }, { "cook", "look", "-h" } };
    for (size_t i = 0; i < COUNTOF(help); i++) {
        assert_int_equal(call(help[i]), EXIT_OK);
        assert_null(strstr(seen.text, "--lid"));
    }
}

static void test_what_is_too_much_is_refused_not_cut(void **state)
{
    const char *words[CLI_MAX_ARGS + 3] = { "hidden" };
    for (size_t i = 1; i <= CLI_MAX_ARGS + 1; i++)
        words[i] = "w";
    assert_int_equal(call(words), EXIT_USAGE);
    assert_int_equal(seen.runs, 0);
    words[CLI_MAX_ARGS + 1] = NULL;
    assert_int_equal(call(words), 77);
    assert_int_equal(seen.args.nwords, CLI_MAX_ARGS);
    words[0] = "eat";
    for (size_t i = 1; i <= CLI_MAX_ARGS + 1; i++)
        words[i] = i <= CLI_MAX_ARGS ? "-s" : "--pepper=1";
    assert_int_equal(call(words), EXIT_USAGE); /* an option that is not heard is worse than none */
    assert_int_equal(seen.runs, 0);
}

/* The state folder names the run folder: relative, two daemons started in different folders would meet in one. */
static void test_the_state_folder_is_absolute(void **state)
{
    static const struct { const char *words[4], *variable; const char *want; } cases[] = { /* @: where we are */
        { { "load", "--state", "/var/hob" }, NULL, "/var/hob" },
        { { "load", "--state=st" }, NULL, "@/st" },
        { { "load", "--state", "./a/b" }, NULL, "@/./a/b" },
        { { "load" }, "rel", "@/rel" },
        { { "load", "--state=st" }, "/other", "@/st" },
        { { "load" }, "/var/hob", "/var/hob" },
    };
    char here[2048], want[4096];
    assert_non_null(getcwd(here, sizeof here));
    setenv("HOME", "/home/cook", 1);
    unsetenv("HOB_CONFIG");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (cases[i].variable)
            setenv("HOB_STATE", cases[i].variable, 1);
        else
            unsetenv("HOB_STATE");
        assert_int_equal(call(cases[i].words), EXIT_OK);
        bool relative = cases[i].want[0] == '@';
        snprintf(want, sizeof want, "%s%s", relative ? here : "", cases[i].want + relative);
        assert_string_equal(seen.text, want);
    }
    unsetenv("HOB_STATE");
    static const char *const missing[] = { "load", "-c", "/nowhere/hob.yaml", NULL };
    assert_int_equal(call(missing), EXIT_USAGE);
    assert_non_null(strstr(seen.text, "/nowhere/hob.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_read_in_all_their_spellings),
        cmocka_unit_test(test_wrong_use_is_named_and_runs_nothing),
        cmocka_unit_test(test_help_is_found_where_it_is_looked_for),
        cmocka_unit_test(test_a_word_has_its_own_options),
        cmocka_unit_test(test_what_is_too_much_is_refused_not_cut),
        cmocka_unit_test(test_the_state_folder_is_absolute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
