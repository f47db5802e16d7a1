/* Fish: conditions by two small functions, since fish's own "seen subcommand" also sees the words of a prompt. */
#include "cli/complete.h"

static void put_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) /* inside '…' a backslash is one only before ' and itself */
        if (*p == '\'' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else
            buf_add_char(out, *p);
}

static void put_head(struct buf *out)
{
    const struct cli_option *values[COMPLETE_MAX_OPTIONS + 1];
    complete_value_options(values);
    buf_lit(out, "# Completions of hob for fish, printed by `hob completion fish`.\n\n"
                 "# The words so far that are neither options nor their values, without hob itself.\n"
                 "function __hob_words\n"
                 "    set -l skip 0\n"
                 "    for word in (commandline -opc)[2..-1]\n"
                 "        if test $skip = 1\n"
                 "            set skip 0\n"
                 "            continue\n"
                 "        end\n"
                 "        switch $word\n"
                 "            case");
    for (size_t i = 0; values[i]; i++)
        buf_printf(out, " %s%s%s", values[i]->name, values[i]->letter ? " " : "", values[i]->letter ? values[i]->letter : "");
    if (!values[0])
        buf_lit(out, " ''");
    buf_lit(out, "\n                set skip 1\n            case '-*'\n            case '*'\n                echo -- $word\n        end\n    end\nend\n"
                 "# At COMMAND, with COUNT words behind it (any number when it is left out); with WORD, the first of them.\n"
                 "function __hob_at --argument-names command count word\n"
                 "    set -l words (__hob_words)\n"
                 "    test \"$words[1]\" = \"$command\"; or return 1\n"
                 "    test -z \"$count\"; or test (count $words) = (math $count + 1); or return 1\n"
                 "    test -z \"$word\"; or test \"$words[2]\" = \"$word\"\nend\n"
                 "function __hob_start\n"
                 "    test (count (__hob_words)) = 0\n"
                 "end\n"
                 "function __hob_names\n"
                 "    set -l program (commandline -opc)[1]\n"
                 "    command $program __names $argv[1] 2>/dev/null\n"
                 "end\n\n"
                 "complete -c hob -f\n"
                 "complete -c hob -n __hob_start -s h -l help -d 'show what there is'\n"
                 "complete -c hob -n __hob_start -l version -d 'print the version'\n");
}

/* word: the one that takes it, where not all do. */
static void put_option(struct buf *out, const struct command *c, const struct cli_option *o, struct str word)
{
    const char *words;
    buf_printf(out, "complete -c hob -n '__hob_at %s%s%.*s' -l %s", c->name, word.n ? " \"\" " : "", STR_ARG(word), o->name + 2);
    if (o->letter)
        buf_printf(out, " -s %s", o->letter + 1);
    if (o->value)
        switch (value_kind_of(o, &words)) {
        case VALUE_FILE:
            buf_lit(out, " -r -F");
            break;
        case VALUE_FOLDER:
            buf_lit(out, " -x -a '(__fish_complete_directories)'");
            break;
        case VALUE_WORDS:
            buf_printf(out, " -x -a '%s'", words);
            break;
        case VALUE_NAMES:
            buf_printf(out, " -x -a '(__hob_names %s)'", words);
            break;
        case VALUE_ANY:
            buf_lit(out, " -x");
            break;
        }
    buf_lit(out, " -d '");
    put_text(out, o->what);
    buf_lit(out, "'\n");
}

static void put_options(struct buf *out, const struct command *c)
{
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        if (!o->of)
            put_option(out, c, o, STR(""));
        for (struct str rest, list = str_of(o->of ? o->of : ""); list.n; list = rest)
            put_option(out, c, o, str_cut(list, ' ', &rest));
    }
}

static void put_words(struct buf *out, const char *condition, enum cli_words words)
{
    const char *names = names_argument(words);
    if (names)
        buf_printf(out, "complete -c hob -n '%s' -a '(__hob_names %s)'\n", condition, names);
    else if (words == CLI_WORDS_FILES)
        buf_printf(out, "complete -c hob -n '%s' -F\n", condition);
    else if (words == CLI_WORDS_COMMANDS)
        for (size_t i = 0; cli_commands[i]; i++)
            if (!cli_commands[i]->hidden)
                buf_printf(out, "complete -c hob -n '%s' -a %s\n", condition, cli_commands[i]->name);
}

static void put_command(struct buf *out, const struct command *c)
{
    struct buf condition = { 0 };
    buf_printf(out, "\ncomplete -c hob -n __hob_start -a %s -d '", c->name);
    put_text(out, c->what);
    buf_printf(out, "'\ncomplete -c hob -n '__hob_at %s' -s h -l help -d 'show how it is used'\n", c->name);
    put_options(out, c);
    buf_printf(&condition, "__hob_at %s 0", c->name);
    buf_add_char(&condition, 0);
    put_words(out, condition.p, c->words);
    for (const struct cli_sub *s = c->subs; s && s->name; s++) {
        buf_printf(out, "complete -c hob -n '__hob_at %s 0' -a %s -d '", c->name, s->name);
        put_text(out, s->what);
        buf_lit(out, "'\n");
        condition.n = 0;
        buf_printf(&condition, "__hob_at %s 1 %s", c->name, s->name);
        buf_add_char(&condition, 0);
        put_words(out, condition.p, s->words);
    }
    buf_free(&condition);
}

void complete_fish(struct buf *out)
{
    put_head(out);
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            put_command(out, cli_commands[i]);
}
