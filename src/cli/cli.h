/* The command line: one table of commands, each a file. Data goes to stdout, words to stderr. Exit codes: 0 ok, 1 failed, 2 wrong use or
 * configuration, 3 the daemon is not running, 4 a gate said no. */
#ifndef HOB_CLI_CLI_H
#define HOB_CLI_CLI_H

#include "base/arena.h"
#include "conf/conf.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3, EXIT_GATE = 4 };
enum { CLI_MAX_ARGS = 64 };

/* An option of a command. All of them are strings or flags. */
struct cli_option {
    const char *name;        /* "--listen" */
    const char *letter;      /* "-l" or NULL */
    const char *value;       /* "ADDR", or NULL for a flag */
    const char *what;
    const char *of;          /* the command's words that take it, "plan start"; NULL: all. One name may stand in several rows, for different words. */
};

struct cli_args {
    const struct command *command;
    struct str words[CLI_MAX_ARGS]; /* what is no option */
    size_t nwords;
    struct { const struct cli_option *option; struct str value; } given[CLI_MAX_ARGS];
    size_t ngiven;
    const char *program;     /* argv[0] */
    int argc;
    char **argv;
};

/* What a word on the command line is: for completion. */
enum cli_words { CLI_WORDS_NONE, CLI_WORDS_MODELS, CLI_WORDS_NAMES, CLI_WORDS_COMMANDS, CLI_WORDS_FILES }; /* names: models, roles, tiers */

/* A word that a command's first word may be. */
struct cli_sub {
    const char *name, *what;
    enum cli_words words;    /* behind it */
    const char *usage;       /* behind its name: "RUN [-o FILE]"; NULL: the command's tells it */
    int (*run)(const struct cli_args *a, const struct str *words, size_t n); /* for cli_dispatch(): with the words behind it */
    size_t least, most;      /* so many of those */
};

struct command {
    const char *name;
    const char *usage;       /* behind the name: "[MODEL] [PROMPT]" */
    const char *what;        /* a line */
    const char *example;
    int (*run)(const struct cli_args *a);
    const struct cli_option *options; /* ended by a row without a name */
    bool hidden;
    size_t max_words;
    const struct cli_sub *subs; /* ended by a row without a name; NULL: its first word is any, or: */
    enum cli_words words;
};

extern const struct command *const cli_commands[]; /* ended by NULL */

int cli_main(int argc, char **argv);

/* The option's value; p NULL when it was not given (flags have an empty value with p set). */
struct str cli_option_value(const struct cli_args *a, const char *name);
bool cli_flag(const struct cli_args *a, const char *name);

/* Says that a command knows no such first word, and the nearest it knows. The command's usage belongs behind it. */
void cli_unknown_word(const struct command *c, struct str word);

/* Runs what the first word names, with the words behind it; says how the word, or the command, is used when that is wrong, or when an option is another word's.
 * otherwise: the word where none is given; NULL: one must be. */
int cli_dispatch(const struct cli_args *a, const char *otherwise);
/* Does the word take it? Of an empty word: do all? */
bool cli_option_of(const struct cli_option *o, struct str word);
/* Do words of it have options of their own? */
bool cli_has_own_options(const struct command *c);

/* Options every command that needs the configuration or the daemon takes. */
#define CLI_COMMON                                                                             \
    { "--config", "-c", "FILE", "configuration (default: $HOB_CONFIG, ./hob.yaml, ~/.config/hob/hob.yaml, none)" }, \
    { "--state", NULL, "DIR", "state folder (default: the configuration's)" }
#define CLI_END { NULL, NULL, NULL, NULL }

/* Finds and loads the configuration as -c and --state say. */
enum err_code cli_read_config(const struct cli_args *a, struct config **out, struct err *e) __attribute__((warn_unused_result));
/* Its state folder is the one that --state or the environment names, where they do. */
void cli_use_state(const struct cli_args *a, struct config *c);
/* As cli_read_config(); prints why not and returns EXIT_USAGE, else EXIT_OK. */
int cli_load_config(const struct cli_args *a, struct config **out);

/* The absolute path of this very program. */
bool cli_own_path(const struct cli_args *a, char *out, size_t room);
/* The folder, with those above it (0700); false with errno when it is not there in the end, or cannot be written to. */
bool cli_make_dirs(const char *path);

/* "hob: what. hint" on stderr. */
void cli_error(const struct err *e);

#endif
