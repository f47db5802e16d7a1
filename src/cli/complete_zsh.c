/* Zsh: a file for $fpath (`_hob`), which may also be sourced once compinit has run. _arguments does the reading. */
#include "cli/complete.h"

static const char head[] =
    "#compdef hob\n"
    "# Completions of hob for zsh, printed by `hob completion zsh`.\n"
    "\n"
    "_hob_names() { # models|all\n"
    "    local -a names\n"
    "    names=(${(f)\"$(_call_program names ${(q)service:-hob} __names $1)\"})\n"
    "    compadd -a names\n"
    "}\n";

/* Text inside [...] or behind a colon in a specification. */
static void put_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_lit(out, "'\\''");
        else if (strchr("[]:\\", *text))
            buf_printf(out, "\\%c", *text);
        else
            buf_add_char(out, *text);
    }
}

static void put_action(struct buf *out, enum cli_words words)
{
    const char *names = names_argument(words);
    if (names)
        buf_printf(out, "{_hob_names %s}", names);
    else if (words == CLI_WORDS_FILES)
        buf_lit(out, "_files");
    else if (words == CLI_WORDS_COMMANDS)
        buf_lit(out, "_hob_commands");
}

static void put_value(struct buf *out, const struct cli_option *o)
{
    const char *words;
    if (!o->value)
        return;
    buf_printf(out, ":%s:", o->value);
    switch (value_kind_of(o, &words)) {
    case VALUE_FILE:
        buf_lit(out, "_files");
        break;
    case VALUE_FOLDER:
        buf_lit(out, "_files -/");
        break;
    case VALUE_WORDS:
        buf_printf(out, "(%s)", words);
        break;
    case VALUE_NAMES:
        buf_printf(out, "{_hob_names %s}", words);
        break;
    case VALUE_ANY:
        break;
    }
}

/* Each of `--config` and `-c` by a line of its own: one excludes the other. */
static void put_option(struct buf *out, const struct cli_option *o)
{
    const char *const spellings[] = { o->name, o->letter };
    for (size_t i = 0; i < COUNTOF(spellings); i++) {
        if (!spellings[i])
            continue;
        buf_lit(out, " \\\n            '");
        if (o->letter)
            buf_printf(out, "(%s %s)", o->name, o->letter);
        buf_printf(out, "%s%s[", spellings[i], o->value && i == 0 ? "=" : "");
        put_escaped(out, o->what);
        buf_lit(out, "]");
        put_value(out, o);
        buf_lit(out, "'");
    }
}

/* Inside "…" inside '…'. */
static void put_quoted(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\'')
            buf_lit(out, "'\\''");
        else if (strchr("\"$`\\:", *p))
            buf_printf(out, "\\%c", *p);
        else
            buf_add_char(out, *p);
    }
}

static void put_subs(struct buf *out, const struct command *c)
{
    buf_lit(out, " \\\n            '1:what:((");
    for (const struct cli_sub *s = c->subs; s->name; s++) {
        buf_printf(out, "%s%s\\:\"", s == c->subs ? "" : " ", s->name);
        put_quoted(out, s->what);
        buf_lit(out, "\"");
    }
    buf_lit(out, "))'");
}

static void put_behind(struct buf *out, enum cli_words words)
{
    if (words == CLI_WORDS_NONE)
        return;
    buf_lit(out, " \\\n            '2:name:");
    put_action(out, words);
    buf_lit(out, "'");
}

/* s: the word that stands there; NULL: none that is known does. */
static void put_arguments(struct buf *out, const struct command *c, const struct cli_sub *s)
{
    buf_lit(out, "_arguments \\\n            '(- *)'{-h,--help}'[show how it is used]'");
    for (const struct cli_option *o = c->options; o && o->name; o++)
        if (cli_option_of(o, str_of(s ? s->name : "")))
            put_option(out, o);
    if (c->subs) {
        put_subs(out, c);
        put_behind(out, s ? s->words : CLI_WORDS_NONE);
    } else if (c->words != CLI_WORDS_NONE) {
        buf_lit(out, " \\\n            '1:name:");
        put_action(out, c->words);
        buf_lit(out, "'");
    }
    if (c->max_words > 2)
        buf_lit(out, " \\\n            '*:: :'");
    buf_lit(out, " ;;\n");
}

static void put_command(struct buf *out, const struct command *c)
{
    buf_printf(out, "    %s)\n        ", c->name);
    if (!c->subs) {
        put_arguments(out, c, NULL);
        return;
    }
    buf_lit(out, "case $words[2] in\n");
    for (const struct cli_sub *s = c->subs; s->name; s++) {
        buf_printf(out, "        %s) ", s->name);
        put_arguments(out, c, s);
    }
    buf_lit(out, "        *) ");
    put_arguments(out, c, NULL);
    buf_lit(out, "        esac ;;\n");
}

static void put_commands(struct buf *out)
{
    buf_lit(out, "_hob_commands() {\n    local -a commands\n    commands=(\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        if (cli_commands[i]->hidden)
            continue;
        buf_printf(out, "        '%s:", cli_commands[i]->name);
        put_escaped(out, cli_commands[i]->what);
        buf_lit(out, "'\n");
    }
    buf_lit(out, "    )\n    _describe command commands\n}\n");
}

void complete_zsh(struct buf *out)
{
    buf_lit(out, head);
    put_commands(out);
    buf_lit(out, "_hob() {\n"
                 "    local service=$words[1] curcontext=$curcontext\n"
                 "    if ((CURRENT == 2)); then\n"
                 "        _hob_commands\n"
                 "        return\n"
                 "    fi\n"
                 "    shift words\n"
                 "    ((CURRENT--))\n"
                 "    case $words[1] in\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            put_command(out, cli_commands[i]);
    buf_lit(out, "    esac\n}\n"
                 "if [[ $funcstack[1] == _hob ]]; then\n    _hob \"$@\"\nelse\n    compdef _hob hob\nfi\n");
}
