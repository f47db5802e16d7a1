/* Reads the command line by the table, and helps. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct command *find_command(struct str name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (str_eq(name, str_of(cli_commands[i]->name)))
            return cli_commands[i];
    return NULL;
}

static int unknown_command(struct str name)
{
    struct str names[64];
    size_t n = 0;
    for (size_t i = 0; cli_commands[i] && n < COUNTOF(names); i++)
        if (!cli_commands[i]->hidden)
            names[n++] = str_of(cli_commands[i]->name);
    struct str near = str_nearest(name, names, n);
    fprintf(stderr, "hob: there is no command '%.*s'", STR_ARG(name));
    if (near.n)
        fprintf(stderr, ", did you mean '%.*s'?", STR_ARG(near));
    fprintf(stderr, "\nhob: `hob help` lists them\n");
    return EXIT_USAGE;
}

void cli_unknown_word(const struct command *c, struct str word)
{
    struct str names[32];
    size_t n = 0;
    for (const struct cli_sub *s = c->subs; s && s->name && n < COUNTOF(names); s++)
        names[n++] = str_of(s->name);
    struct str near = str_nearest(word, names, n);
    fprintf(stderr, "hob: there is no `hob %s %.*s`", c->name, STR_ARG(word));
    if (near.n)
        fprintf(stderr, ", did you mean '%.*s'?", STR_ARG(near));
    fputc('\n', stderr);
}

static const struct cli_sub *find_sub(const struct command *c, struct str word)
{
    for (const struct cli_sub *s = c->subs; s && s->name; s++)
        if (str_eq(word, str_of(s->name)))
            return s;
    return NULL;
}

static void sub_usage(FILE *to, const char *head, const struct command *c, const struct cli_sub *s)
{
    fprintf(to, "%shob %s %s%s%s\n", head, c->name, s->name, s->usage && s->usage[0] ? " " : "", s->usage ? s->usage : "");
}

bool cli_option_of(const struct cli_option *o, struct str word)
{
    if (!o->of)
        return true;
    for (struct str rest, list = str_of(o->of); list.n; list = rest)
        if (str_eq(str_cut(list, ' ', &rest), word))
            return true;
    return false;
}

bool cli_has_own_options(const struct command *c)
{
    for (const struct cli_option *o = c->options; o && o->name; o++)
        if (o->of)
            return true;
    return false;
}

static int check_options(const struct cli_args *a, const struct cli_sub *s)
{
    for (size_t i = 0; i < a->ngiven; i++) {
        struct str name = str_of(a->given[i].option->name);
        bool takes = false;
        for (const struct cli_option *o = a->command->options; o->name; o++)
            takes |= str_eq(str_of(o->name), name) && cli_option_of(o, str_of(s->name));
        if (takes)
            continue;
        fprintf(stderr, "hob: `hob %s %s` takes no %.*s\nhob: `hob help %s %s` shows how it is used\n", a->command->name, s->name, STR_ARG(name), a->command->name, s->name);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

int cli_dispatch(const struct cli_args *a, const char *otherwise)
{
    const struct cli_sub *s = find_sub(a->command, a->nwords ? a->words[0] : str_of(otherwise ? otherwise : ""));
    size_t n = a->nwords ? a->nwords - 1 : 0;
    if (s && n >= s->least && n <= s->most) {
        int code = check_options(a, s);
        return code ? code : s->run(a, a->words + 1, n);
    }
    if (s) {
        sub_usage(stderr, "hob: ", a->command, s);
        return EXIT_USAGE;
    }
    if (a->nwords)
        cli_unknown_word(a->command, a->words[0]);
    for (s = a->command->subs; s->name; s++)
        sub_usage(stderr, "hob: ", a->command, s);
    return EXIT_USAGE;
}

static const struct cli_option *find_option(const struct command *c, struct str word)
{
    for (const struct cli_option *o = c->options; o && o->name; o++)
        if (str_eq(word, str_of(o->name)) || (o->letter && str_eq(word, str_of(o->letter))))
            return o;
    return NULL;
}

static int unknown_option(const struct command *c, struct str word)
{
    struct str names[64];
    size_t n = 0;
    for (const struct cli_option *o = c->options; o && o->name && n < COUNTOF(names); o++)
        names[n++] = str_of(o->name);
    struct str near = str_nearest(word, names, n);
    fprintf(stderr, "hob: `hob %s` has no option '%.*s'", c->name, STR_ARG(word));
    if (near.n)
        fprintf(stderr, ", did you mean '%.*s'?", STR_ARG(near));
    fprintf(stderr, "\nhob: `hob help %s` shows how it is used\n", c->name);
    return EXIT_USAGE;
}

/* One option, as `--name value`, `--name=value` or `-x value`; *i moves past its value. */
static int take_option(struct cli_args *a, char **argv, int argc, int *i)
{
    struct str word = str_of(argv[*i]), value = { NULL, 0 };
    if (str_starts(word, STR("--")))
        word = str_cut(word, '=', &value);
    const struct cli_option *o = find_option(a->command, word);
    if (!o)
        return unknown_option(a->command, word);
    if (o->value && !value.p) {
        if (*i + 1 >= argc) {
            fprintf(stderr, "hob: %s wants a value: %s\n", o->name, o->value);
            return EXIT_USAGE;
        }
        value = str_of(argv[++*i]);
    }
    if (!o->value && value.p) {
        fprintf(stderr, "hob: %s takes no value\n", o->name);
        return EXIT_USAGE;
    }
    if (a->ngiven == CLI_MAX_ARGS) {
        fprintf(stderr, "hob: more than %d options\n", CLI_MAX_ARGS);
        return EXIT_USAGE;
    }
    a->given[a->ngiven].option = o;
    a->given[a->ngiven++].value = value.p ? value : STR("");
    return EXIT_OK;
}

static int read_args(struct cli_args *a, char **argv, int argc)
{
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        struct str word = str_of(argv[i]);
        if (!only_words && str_eq(word, STR("--"))) {
            only_words = true;
        } else if (!only_words && word.n > 1 && word.p[0] == '-') {
            int rc = take_option(a, argv, argc, &i);
            if (rc)
                return rc;
        } else if (a->nwords < CLI_MAX_ARGS) {
            a->words[a->nwords++] = word;
        } else {
            fprintf(stderr, "hob: too many words; put a prompt in quotes\n");
            return EXIT_USAGE;
        }
    }
    return EXIT_OK;
}

struct str cli_option_value(const struct cli_args *a, const char *name)
{
    for (size_t i = a->ngiven; i > 0; i--) /* the last one counts */
        if (str_eq(str_of(a->given[i - 1].option->name), str_of(name)))
            return a->given[i - 1].value;
    return (struct str){ NULL, 0 };
}

bool cli_flag(const struct cli_args *a, const char *name)
{
    return cli_option_value(a, name).p != NULL;
}

void cli_error(const struct err *e)
{
    fprintf(stderr, "hob: %s%s%s\n", e->text, e->hint[0] ? "\nhob: " : "", e->hint);
}

/* From where we stand: it names the run folder too, in which two daemons of different folders would else meet. */
static struct str make_absolute(struct arena *arena, struct str path)
{
    char here[4096];
    if (path.p[0] == '/' || !getcwd(here, sizeof here))
        return arena_copy(arena, path);
    return arena_printf(arena, "%s/%.*s", here, STR_ARG(path));
}

void cli_use_state(const struct cli_args *a, struct config *c)
{
    struct str state = cli_option_value(a, "--state");
    if (!state.p)
        state = str_of(getenv("HOB_STATE"));
    if (state.n)
        c->state = make_absolute(&c->arena, state);
}

enum err_code cli_read_config(const struct cli_args *a, struct config **out, struct err *e)
{
    struct arena arena;
    struct str path;
    arena_init(&arena);
    enum err_code rc = conf_find(cli_option_value(a, "--config"), &arena, &path, e);
    if (!rc)
        rc = conf_load(path, out, e);
    arena_fini(&arena);
    if (!rc)
        cli_use_state(a, *out);
    return rc;
}

int cli_load_config(const struct cli_args *a, struct config **out)
{
    struct err e;
    if (!cli_read_config(a, out, &e))
        return EXIT_OK;
    cli_error(&e);
    return EXIT_USAGE;
}

enum { USAGE_COLUMNS = 28 };

static int run_help(const struct cli_args *a);

static const struct cli_option no_options[] = { CLI_END };
const struct command cli_help = { "help", "[COMMAND [WORD]]", "show what there is, or how one command is used", "hob help serve", run_help, no_options, false, 2,
    .words = CLI_WORDS_COMMANDS };

/* Of a command those that all its words take; of a word its own, and then those. */
static void help_options(FILE *to, const struct command *c, struct str word)
{
    bool any = false;
    for (int own = 1; own >= 0; own--)
        for (const struct cli_option *o = c->options; o && o->name; o++) {
            char left[64];
            if ((o->of != NULL) != own || !cli_option_of(o, word))
                continue;
            snprintf(left, sizeof left, "%s%s%s%s%s", o->letter ? o->letter : "", o->letter ? ", " : "", o->name, o->value ? " " : "", o->value ? o->value : "");
            fprintf(to, "%s  %-24s %s\n", any ? "" : "\noptions:\n", left, o->what);
            any = true;
        }
}

static void help_command(FILE *to, const struct command *c)
{
    fprintf(to, "usage: hob %s %s\n\n  %s\n", c->name, c->usage, c->what);
    if (c->example)
        fprintf(to, "\nexample:\n  %s\n", c->example);
    if (c->subs && c->subs->name)
        fprintf(to, "\nwords:\n");
    for (const struct cli_sub *s = c->subs; s && s->name; s++)
        fprintf(to, "  %-24s %s\n", s->name, s->what);
    help_options(to, c, STR(""));
    if (cli_has_own_options(c))
        fprintf(to, "\n`hob help %s WORD` shows the options of a word.\n", c->name);
}

/* Of a word; where its words have neither usage nor options of their own, of the command. */
static void help_sub(FILE *to, const struct command *c, const struct cli_sub *s)
{
    if (!s->usage) {
        help_command(to, c);
        return;
    }
    sub_usage(to, "usage: ", c, s);
    fprintf(to, "\n  %s\n", s->what);
    help_options(to, c, str_of(s->name));
}

/* A usage too long for its column has a line of its own. */
static void help_row(FILE *to, const struct command *c)
{
    if (strlen(c->usage) > USAGE_COLUMNS)
        fprintf(to, "  %-10s %s\n  %-10s %-*s %s\n", c->name, c->usage, "", USAGE_COLUMNS, "", c->what);
    else
        fprintf(to, "  %-10s %-*s %s\n", c->name, USAGE_COLUMNS, c->usage, c->what);
}

static void help_all(FILE *to)
{
    fprintf(to, "hob - one door to many language models\n\nfirst steps:\n"
                "  hob serve                      serve what hob.yaml names, or the models folder\n"
                "  hob run chat \"Say hello\"       ask, from the terminal\n\ncommands:\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            help_row(to, cli_commands[i]);
    fprintf(to, "\n`hob help COMMAND` says more.\n");
}

static int run_help(const struct cli_args *a)
{
    if (!a->nwords) {
        help_all(stdout);
        return EXIT_OK;
    }
    const struct command *c = find_command(a->words[0]);
    if (!c)
        return unknown_command(a->words[0]);
    const struct cli_sub *s = a->nwords > 1 ? find_sub(c, a->words[1]) : NULL;
    if (a->nwords > 1 && !s) {
        cli_unknown_word(c, a->words[1]);
        return EXIT_USAGE;
    }
    if (s)
        help_sub(stdout, c, s);
    else
        help_command(stdout, c);
    return EXIT_OK;
}

static bool asks_help(struct str word)
{
    return str_eq(word, STR("--help")) || str_eq(word, STR("-h"));
}

/* Anywhere before `--`; was it given? */
static bool wants_help(const struct cli_args *a)
{
    const struct cli_sub *s = NULL;
    bool asked = false;
    for (int i = 2; i < a->argc && !str_eq(str_of(a->argv[i]), STR("--")); i++) {
        asked |= asks_help(str_of(a->argv[i]));
        s = s ? s : find_sub(a->command, str_of(a->argv[i]));
    }
    if (asked && s)
        help_sub(stdout, a->command, s);
    else if (asked)
        help_command(stdout, a->command);
    return asked;
}

int cli_main(int argc, char **argv)
{
    if (argc < 2) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    struct str name = str_of(argv[1]);
    if (asks_help(name))
        name = STR("help");
    if (str_eq(name, STR("--version")))
        name = STR("version");
    struct cli_args a = { .command = find_command(name), .program = argv[0], .argc = argc, .argv = argv };
    if (!a.command)
        return unknown_command(name);
    if (wants_help(&a))
        return EXIT_OK;
    int rc = read_args(&a, argv + 2, argc - 2);
    if (!rc && a.nwords > a.command->max_words) {
        fprintf(stderr, "hob: `hob %s` does not know what to do with '%.*s'\nhob: `hob help %s` shows how it is used\n", a.command->name,
            STR_ARG(a.words[a.command->max_words]), a.command->name);
        rc = EXIT_USAGE;
    }
    return rc ? rc : a.command->run(&a);
}
