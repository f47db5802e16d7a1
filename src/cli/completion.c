/* hob completion, hob man: prints what complete_*.c make of the table of commands. */
#include "cli/commands.h"
#include "cli/complete.h"

#include <stdio.h>

enum value_kind value_kind_of(const struct cli_option *o, const char **words)
{
    static const struct {
        const char *name;
        enum value_kind kind;
        const char *words;
    } rows[] = {
        { "FILE",  VALUE_FILE,   NULL },
        { "DIR",   VALUE_FOLDER, NULL },
        { "LEVEL", VALUE_WORDS,  "error warn info debug trace" },
        { "MANAGER", VALUE_WORDS, "systemd launchd" },
        { "CLASS", VALUE_WORDS,  "chat program background" },
        { "FORM",  VALUE_WORDS,  "json markdown junit" },
        { "KIND",  VALUE_WORDS,  "promptfoo jsonl" },
        { "FROM",  VALUE_WORDS,  "rows saved none" },
        { "MODEL", VALUE_NAMES,  "models" },
        { "ROLE",  VALUE_NAMES,  "all" },
        { "ROLE=MODEL", VALUE_NAMES, "all" },
    };
    for (size_t i = 0; o->value && i < COUNTOF(rows); i++)
        if (str_eq(str_of(o->value), str_of(rows[i].name))) {
            *words = rows[i].words;
            return rows[i].kind;
        }
    *words = NULL;
    return VALUE_ANY;
}

void complete_value_options(const struct cli_option *out[COMPLETE_MAX_OPTIONS + 1])
{
    size_t n = 0;
    for (size_t i = 0; cli_commands[i]; i++)
        for (const struct cli_option *o = cli_commands[i]->hidden ? NULL : cli_commands[i]->options; o && o->name; o++) {
            size_t k = 0;
            while (k < n && !str_eq(str_of(out[k]->name), str_of(o->name)))
                k++;
            if (k == n && o->value && n < COMPLETE_MAX_OPTIONS)
                out[n++] = o;
        }
    out[n] = NULL;
}

const char *names_argument(enum cli_words words)
{
    switch (words) {
    case CLI_WORDS_MODELS:
        return "models";
    case CLI_WORDS_NAMES:
        return "all";
    case CLI_WORDS_NONE:
    case CLI_WORDS_COMMANDS:
    case CLI_WORDS_FILES:
        break;
    }
    return NULL;
}

static int print(void (*make)(struct buf *out))
{
    struct buf out = { 0 };
    make(&out);
    bool whole = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_free(&out);
    if (!whole)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return whole ? EXIT_OK : EXIT_FAILED;
}

static const struct {
    const char *name;
    void (*make)(struct buf *out);
} shells[] = { { "bash", complete_bash }, { "zsh", complete_zsh }, { "fish", complete_fish } };

static int run(const struct cli_args *a)
{
    for (size_t i = 0; a->nwords && i < COUNTOF(shells); i++)
        if (str_eq(a->words[0], str_of(shells[i].name)))
            return print(shells[i].make);
    if (a->nwords)
        fprintf(stderr, "hob: there are no completions for '%.*s'; there are for bash, zsh and fish\n", STR_ARG(a->words[0]));
    else
        fprintf(stderr, "hob: for which shell? hob completion bash, zsh or fish\n");
    return EXIT_USAGE;
}

static int run_man(const struct cli_args *a)
{
    (void)a;
    return print(complete_man);
}

static const struct cli_option no_options[] = { CLI_END };
static const struct cli_sub subs[] = {
    { .name = "bash", .what = "for ~/.bashrc: eval \"$(hob completion bash)\"" },
    { .name = "zsh", .what = "for ~/.zshrc, behind compinit: eval \"$(hob completion zsh)\"" },
    { .name = "fish", .what = "for ~/.config/fish/config.fish: hob completion fish | source" },
    { .name = NULL },
};
const struct command cli_completion = { .name = "completion", .usage = "bash|zsh|fish", .what = "print completions for a shell",
    .example = "eval \"$(hob completion bash)\"", .run = run, .options = no_options, .max_words = 1, .subs = subs };
const struct command cli_man = { .name = "man", .usage = "", .what = "print the man page", .example = "hob man | man -l -",
    .run = run_man, .options = no_options };
