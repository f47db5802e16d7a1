/* Bash: one function, no need of the bash-completion package.
 *
 * Bash cuts the line at `=` and `:` too, so the word is taken from the line itself, and what stands before the last `:` or `=` in it is taken off the
 * replies again: bash replaces only what is behind it. */
#include "cli/complete.h"

static const char head[] =
    "# Completions of hob for bash, printed by `hob completion bash`.\n"
    "\n"
    "# Of what may come, one a line on stdin, what fits $1.\n"
    "_hob_offer() {\n"
    "    local cur=$1 line cut=${1%\"${1##*[:=]}\"}\n"
    "    while IFS= read -r line; do\n"
    "        [[ $line == \"$cur\"* ]] && COMPREPLY+=(\"${line#\"$cut\"}\")\n"
    "    done\n"
    "}\n"
    "_hob_words() { # CURRENT WORD...\n"
    "    local cur=$1\n"
    "    shift\n"
    "    _hob_offer \"$cur\" < <(printf '%s\\n' \"$@\")\n"
    "}\n"
    "_hob_paths() { # CURRENT -f|-d\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    local line\n"
    "    while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen \"$2\" -- \"$1\")\n"
    "}\n"
    "_hob_names() { # CURRENT models|all\n"
    "    _hob_offer \"$1\" < <(\"${COMP_WORDS[0]}\" __names \"$2\" 2>/dev/null)\n"
    "}\n";

static const char words_head[] =
    "_hob() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} cur prev command word i n=0 skip=0\n"
    "    local -a words\n"
    "    COMPREPLY=()\n"
    "    read -ra words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] || ${#words[@]} -eq 0 ]] && words+=(\"\")\n"
    "    cur=${words[${#words[@]}-1]}\n"
    "    prev=${words[${#words[@]}-2]}\n"
    "    command=${words[1]}\n";

/* word: whose they are; empty: those that every word takes. */
static void put_options(struct buf *out, const struct command *c, struct str word)
{
    buf_printf(out, "_hob_words \"$cur\" --help");
    for (const struct cli_option *o = c->options; o && o->name; o++)
        if (cli_option_of(o, word))
            buf_printf(out, " %s%s%s", o->name, o->letter ? " " : "", o->letter ? o->letter : "");
}

static void put_all_options(struct buf *out, const struct command *c)
{
    if (!cli_has_own_options(c)) {
        buf_lit(out, "            ");
        put_options(out, c, STR(""));
        buf_lit(out, "\n");
        return;
    }
    buf_lit(out, "            case $word in\n");
    for (const struct cli_sub *s = c->subs; s->name; s++) {
        buf_printf(out, "            %s) ", s->name);
        put_options(out, c, str_of(s->name));
        buf_lit(out, " ;;\n");
    }
    buf_lit(out, "            *) ");
    put_options(out, c, STR(""));
    buf_lit(out, " ;;\n            esac\n");
}

/* Patterns of a case: `--config|-c`. */
static void put_pattern(struct buf *out, const struct cli_option *o)
{
    buf_printf(out, "%s%s%s", o->name, o->letter ? "|" : "", o->letter ? o->letter : "");
}

static void put_value(struct buf *out, const struct cli_option *o, const char *cur)
{
    const char *words;
    switch (value_kind_of(o, &words)) {
    case VALUE_FILE:
        buf_printf(out, "_hob_paths \"%s\" -f", cur);
        break;
    case VALUE_FOLDER:
        buf_printf(out, "_hob_paths \"%s\" -d", cur);
        break;
    case VALUE_WORDS:
        buf_printf(out, "_hob_words \"%s\" %s", cur, words);
        break;
    case VALUE_NAMES:
        buf_printf(out, "_hob_names \"%s\" %s", cur, words);
        break;
    case VALUE_ANY:
        buf_lit(out, ":");
        break;
    }
}

static void put_words(struct buf *out, enum cli_words words)
{
    const char *names = names_argument(words);
    if (names)
        buf_printf(out, "_hob_names \"$cur\" %s", names);
    else if (words == CLI_WORDS_FILES)
        buf_lit(out, "_hob_paths \"$cur\" -f");
    else if (words == CLI_WORDS_COMMANDS)
        buf_lit(out, "_hob_commands \"$cur\"");
    else
        buf_lit(out, ":");
}

static void put_command(struct buf *out, const struct command *c)
{
    bool behind = false;
    buf_printf(out, "    %s)\n        if [[ $cur == -* ]]; then\n", c->name);
    put_all_options(out, c);
    if (c->subs) {
        buf_lit(out, "        elif ((n == 0)); then\n            _hob_words \"$cur\"");
        for (const struct cli_sub *s = c->subs; s->name; s++) {
            buf_printf(out, " %s", s->name);
            behind = behind || s->words != CLI_WORDS_NONE;
        }
        buf_lit(out, "\n");
    } else if (c->words != CLI_WORDS_NONE) {
        buf_lit(out, "        elif ((n == 0)); then\n            ");
        put_words(out, c->words);
        buf_lit(out, "\n");
    }
    if (behind) {
        buf_lit(out, "        elif ((n == 1)); then\n            case $word in\n");
        for (const struct cli_sub *s = c->subs; s->name; s++) {
            if (s->words == CLI_WORDS_NONE)
                continue;
            buf_printf(out, "            %s) ", s->name);
            put_words(out, s->words);
            buf_lit(out, " ;;\n");
        }
        buf_lit(out, "            esac\n");
    }
    buf_lit(out, "        fi ;;\n");
}

static void put_commands(struct buf *out)
{
    buf_lit(out, "_hob_commands() {\n    _hob_words \"$1\"");
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            buf_printf(out, " %s", cli_commands[i]->name);
    buf_lit(out, "\n}\n");
}

/* The first word that is neither an option nor its value, and how many there are: $word, $n. And the value that is being typed. */
static void put_reading(struct buf *out, const struct cli_option *const *values)
{
    buf_lit(out, "    if ((${#words[@]} == 2)); then\n"
                 "        if [[ $cur == -* ]]; then _hob_words \"$cur\" --help --version; else _hob_commands \"$cur\"; fi\n"
                 "        return\n"
                 "    fi\n"
                 "    case $prev in\n");
    for (size_t i = 0; values[i]; i++) {
        buf_lit(out, "    ");
        put_pattern(out, values[i]);
        buf_lit(out, ") ");
        put_value(out, values[i], "$cur");
        buf_lit(out, "; return ;;\n");
    }
    buf_lit(out, "    esac\n    case $cur in\n");
    for (size_t i = 0; values[i]; i++) {
        buf_printf(out, "    %s=*) ", values[i]->name);
        put_value(out, values[i], "${cur#*=}");
        buf_lit(out, "; return ;;\n");
    }
    buf_lit(out, "    esac\n"
                 "    for ((i = 2; i < ${#words[@]} - 1; i++)); do\n"
                 "        if ((skip)); then skip=0; continue; fi\n"
                 "        case ${words[i]} in\n"
                 "        ");
    for (size_t i = 0; values[i]; i++) {
        buf_add(out, str_of(i ? "|" : ""));
        put_pattern(out, values[i]);
    }
    buf_add(out, values[0] ? STR(") skip=1 ;;\n") : STR("'') ;;\n"));
    buf_lit(out, "        -*) ;;\n        *) ((n++ == 0)) && word=${words[i]} ;;\n        esac\n    done\n");
}

void complete_bash(struct buf *out)
{
    const struct cli_option *values[COMPLETE_MAX_OPTIONS + 1];
    complete_value_options(values);
    buf_lit(out, head);
    put_commands(out);
    buf_lit(out, words_head);
    put_reading(out, values);
    buf_lit(out, "    case $command in\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            put_command(out, cli_commands[i]);
    buf_lit(out, "    esac\n}\ncomplete -F _hob hob\n");
}
