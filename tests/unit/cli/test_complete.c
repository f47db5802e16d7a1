/* What is printed from a table of commands with all that could break a shell's or roff's quoting in it. That real shells take it is for the end-to-end
 * tests. */
#include "cli/complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct cli_option options[] = {
    { "--file", "-f", "FILE", "it's a `file`: [x] \\ 1" }, { "--level", NULL, "LEVEL", "how much" }, { "--dry", NULL, NULL, "nothing" },
    { "--deep", NULL, NULL, "into it" , "in" }, { "--both", NULL, NULL, "of two", "in out" }, CLI_END,
};
static const struct cli_option more_options[] = { { "--file", "-f", "FILE", "again" }, { "--to", NULL, "WORD", "…" }, CLI_END };
static const struct cli_sub subs[] = { { "in", "into it", CLI_WORDS_FILES }, { "out", "it's \"out\"", CLI_WORDS_NONE }, { .name = NULL } };
static const struct command cook = { .name = "cook", .usage = "in|out", .what = "cook - it's food", .example = ".hidden -x", .options = options, .subs = subs };
static const struct command eat = { .name = "eat", .usage = "MODEL", .what = "eat", .options = more_options, .words = CLI_WORDS_MODELS, .max_words = 1 };
static const struct command secret = { .name = "secret", .usage = "", .what = "secret", .hidden = true, .options = options };
const struct command *const cli_commands[] = { &cook, &eat, &secret, NULL };

static void print_all(struct buf *out)
{
    complete_bash(out);
    complete_zsh(out);
    complete_fish(out);
    complete_man(out);
    buf_add_char(out, 0);
}

static void test_all_that_may_be_seen_is_in_it_and_nothing_else(void **state)
{
    static void (*const makers[])(struct buf *out) = { complete_bash, complete_zsh, complete_fish, complete_man };
    static const char *const words[] = { "cook", "eat", "level", "in", "out" };
    for (size_t i = 0; i < COUNTOF(makers); i++) {
        struct buf out = { 0 };
        makers[i](&out);
        for (size_t k = 0; k < COUNTOF(words); k++)
            assert_true(str_find(buf_str(&out), str_of(words[k])) >= 0);
        assert_true(str_find(buf_str(&out), STR("secret")) < 0);
        buf_free(&out);
    }
}

/* In bash and zsh by a case of the word, in fish by a condition, in the page by name. */
static void test_options_of_a_word_come_with_it(void **state)
{
    static const char *const want[] = {
        "            in) _hob_words \"$cur\" --help --file -f --level --dry --deep --both ;;\n            out) _hob_words \"$cur\" --help --file -f --level --dry --both ;;\n"
        "            *) _hob_words \"$cur\" --help --file -f --level --dry ;;\n",
        "complete -c hob -n '__hob_at cook \"\" in' -l deep ", "complete -c hob -n '__hob_at cook \"\" out' -l both ", "complete -c hob -n '__hob_at cook' -l dry ",
        "in, out: of two\n",
    };
    struct buf out = { 0 };
    print_all(&out);
    for (size_t i = 0; i < COUNTOF(want); i++)
        if (str_find(buf_str(&out), str_of(want[i])) < 0)
            fail_msg("no %s in\n%s", want[i], out.p);
    buf_reset(&out, 0);
    complete_zsh(&out);
    struct str zsh = buf_str(&out), in = str_from(zsh, (size_t)str_find(zsh, STR("        in) "))), both;
    struct str of_out = str_from(in, (size_t)str_find(in, STR("        out) ")));
    assert_true(str_find(in, STR("--deep[")) >= 0 && str_find(of_out, STR("--deep[")) < 0);
    both = str_from(of_out, (size_t)str_find(of_out, STR("        *) ")));
    assert_true(str_find(of_out, STR("--both[")) >= 0 && str_find(both, STR("--both[")) < 0);
    buf_free(&out);
}

static void test_value_options_come_once(void **state)
{
    const struct cli_option *values[COMPLETE_MAX_OPTIONS + 1];
    complete_value_options(values);
    assert_string_equal(values[0]->name, "--file");
    assert_string_equal(values[1]->name, "--level");
    assert_string_equal(values[2]->name, "--to");
    assert_null(values[3]);
}

static void test_texts_cannot_leave_their_quotes(void **state)
{
    static const char *const want[] = {
        "it'\\''s a `file`\\: \\[x\\] \\\\ 1", /* zsh */
        "it\\'s a `file`: [x] \\\\ 1",         /* fish */
        "it\\(aqs a \\(gafile\\(ga: [x] \\e 1", /* roff */
        "Cook \\- it\\(aqs food.",
        "\n\\&.hidden \\-x\n",
        "\n\\&...\n", /* what begins with a dot would be a macro */
    };
    struct buf out = { 0 };
    print_all(&out);
    for (size_t i = 0; i < COUNTOF(want); i++)
        if (str_find(buf_str(&out), str_of(want[i])) < 0)
            fail_msg("no %s in\n%s", want[i], out.p);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_may_be_seen_is_in_it_and_nothing_else),
        cmocka_unit_test(test_options_of_a_word_come_with_it),
        cmocka_unit_test(test_value_options_come_once),
        cmocka_unit_test(test_texts_cannot_leave_their_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
