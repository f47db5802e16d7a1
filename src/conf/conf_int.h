/* Inside the room: the table's form, the file as a tree, and the steps between them.
 *
 *   text --tree_parse--> tree of nodes with marks --read_tree + the table--> struct config --resolve, check--> ready
 *
 * A setting's value is one scalar (or a list of them). YAML decides only the shape; what a scalar means is decided by the row's type,
 * so `off`, `0x1` and `1e3` are what the setting makes of them, quoted or not. */
#ifndef HOB_CONF_INT_H
#define HOB_CONF_INT_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"
#include "conf/tree.h"

enum {
    CONF_MAX_BYTES = 1024 * 1024,
    CONF_MAX_DEPTH = 16,
    CONF_MAX_NODES = 64 * 1024,
    CONF_MAX_ENTRIES = 4096,           /* of one map or list: duplicates are found by comparing all pairs */
    CONF_MAX_VALUE_BYTES = 64 * 1024,  /* of one scalar, ${…} resolved */
    CONF_MAX_NAME_BYTES = 128,
    MAX_WORDS = 16,                    /* of one setting */
};

/* ---- the table (settings.c) ---- */

enum setting_type {
    SET_BOOL,     /* bool */
    SET_COUNT,    /* int64_t */
    SET_TOKENS,   /* int64_t, 32k = 32768 */
    SET_BYTES,    /* int64_t, 8MiB */
    SET_MS,       /* int64_t, 10s */
    SET_NUMBER,   /* double, 0.5; `zero` is its word for -1, outside of min..max */
    SET_SHARE,    /* double, 0..1: 20% or 0.2 */
    SET_MAYBE,    /* struct conf_maybe, a number */
    SET_MAYBE_INT, /* struct conf_maybe, a whole number */
    SET_THINKING, /* the beginning of struct conf_policy: a word, or `budget 512` */
    SET_WORD,     /* an enum, by its words */
    SET_CHOICE,   /* struct str, one of the words */
    SET_TEXT,     /* struct str, any text */
    SET_PROSE,    /* struct str, any text, line breaks too */
    SET_PROSE_FILE, /* struct conf_prose: the path, made absolute; the text is read at once */
    SET_NAME,     /* struct str, refers to a model, host … */
    SET_FOLDER,   /* struct str, made absolute */
    SET_WEIGHTS,  /* struct str, made absolute; looked for in models_dir too */
    SET_PROGRAM,  /* struct str, absolute when it has a slash, else a name for PATH */
    SET_LISTEN,   /* struct str, an address with port */
    SET_URL,      /* struct str, http://… or https://… */
    SET_WEB,      /* struct str, https://…, or http:// on this machine; without a slash at its end */
    SET_DATE,     /* struct str, 2027-01-31 */
    SET_RANGE,    /* struct conf_range, >0.6 */
    SET_PROXY,    /* struct secret, socks5h://…, socks5://… or http://… */
    SET_SHA256,   /* struct str, 64 hex digits, made lower case */
    SET_COMMAND,  /* struct str, words for conf_words(); ${port} and ${socket} stay in it */
    SET_SECRET,   /* struct secret */
    SET_NAMES,    /* struct conf_strs */
    SET_PROSES,   /* struct conf_strs of SET_PROSE */
    SET_ARGS,     /* struct conf_strs, must be written as a list */
    SET_PATHS,    /* struct conf_strs of paths, made absolute; `:rw` at their ends stays */
    SET_WEBS,     /* struct conf_strs of SET_WEB */
    SET_HOSTNAMES, /* struct conf_strs: names, `*.` before them for all below */
    SET_ORIGINS,  /* struct conf_strs: https://chat.example.org, a star for the beginning of a name */
    SET_FLAGS,    /* unsigned, words or-ed */
    SET_TYPES
};

struct word {
    const char *name; /* NULL ends an array */
    unsigned value;
};

enum scope { SCOPE_ANY, SCOPE_FILE, SCOPE_COMMAND, SCOPE_HERE, SCOPE_HOST }; /* of a model's settings: with `file`, `command`, either, `host` */

/* What a change of it means for a program that runs (conf/diff.h). */
enum takes {
    TAKES_UNSAID,   /* no row may leave it open */
    TAKES_NOW,      /* it holds for what comes next */
    TAKES_MODEL,    /* the models it is about start anew */
    TAKES_ENGINE,   /* models with `file` start anew; for others as TAKES_NOW */
    TAKES_RESTART,  /* hob must be started anew */
};

struct setting {
    const char *path;         /* "models.*.context"; "*" stands for a name of the user's, "[]" for an item of a list of maps */
    enum setting_type type;
    size_t at;                /* offset in struct config, or in the entry's struct behind the last "*" or "[]" */
    enum takes takes;
    const char *def;          /* default as text (a list: words with spaces between); NULL = not set */
    const char *from;         /* path of the global setting that holds when this one is not set */
    const char *env;          /* global settings: the environment variable that holds before the default */
    int64_t min, max;
    const char *zero;         /* word for 0, outside of min..max */
    const struct word *words;
    enum scope scope;         /* of what stands directly in a model */
    bool required;
    const char *doc;
};

/* What lies between the root and the settings. An entry group ("hosts.*", a map by names; "models.*.lora.[]", a list of maps) also says what the
 * entries look like in struct config, or in the entry's struct around them. */
struct group {
    const char *path;
    const char *doc;
    size_t size;                       /* entry: bytes of its struct, 0 = no entry group */
    size_t list_at, count_at;          /* entry: offsets in the struct around it */
    size_t name_at, place_at;          /* entry: offsets in its struct */
    const char *what;                  /* entry: "host", for sentences */
    const char *one_of[3];             /* entry: exactly one of these settings must be there */
    const char *always;                /* entry, in struct config: one of this name is always there, and is the first */
    enum scope scope;                  /* as a setting's */
};

extern const struct setting settings[];
extern const size_t nsettings;
extern const struct group groups[];
extern const size_t ngroups;

/* A key that may stand under a group: a setting, a group, or both (`roles.*` may be a plain name or a map). */
struct child {
    struct str name;                   /* last part of path; "*" = any name, "[]" = an item */
    struct str path;
    const struct setting *setting;     /* or NULL */
    const struct group *group;         /* or NULL */
};
/* The children of path ("" = root) in the table's order; *cursor starts at 0. */
bool child_next(struct str path, size_t *cursor, struct child *out);
const struct setting *setting_find(struct str path);
const struct group *group_find(struct str path);

/* Each place where a setting is: once for a global one, else once for each entry, and entry within entry. `base` is the struct that holds the field
 * (at base + s->at). Ends early when fn returns an error. */
typedef enum err_code field_fn(void *ctx, const struct setting *s, void *base);
enum err_code fields_each(struct config *c, const struct setting *s, field_fn *fn, void *ctx); /* what fn said */
/* The entries of an entry group; base is the struct around them. */
char *group_entries(const struct group *g, const void *base, size_t *n);

/* ---- values (values.c): one text <-> one field ---- */

/* Reads `text` into *field; for SET_FLAGS it is or-ed, for list types it is one element. `shown` is what the user wrote (before ${…} was
 * resolved): only that is quoted in errors. ERR_CONFIG with a sentence that has no place in front. */
enum err_code value_read(const struct setting *s, struct str text, struct str shown, struct arena *a, void *field, struct err *e)
    __attribute__((warn_unused_result));
/* The field as the file would have it, without quotes; scalar types only. A secret is "(hidden)", nothing set is "". */
void value_write(const struct setting *s, const void *field, struct buf *out);
bool value_same(const struct setting *s, const void *a, const void *b); /* two fields */
bool setting_is_list(const struct setting *s);
bool setting_is_strs(const struct setting *s); /* a struct conf_strs */
bool setting_is_number(const struct setting *s, const void *field); /* is written as a JSON number */
/* Nothing was set and there is no default: not shown. */
bool value_is_empty(const struct setting *s, const void *field);
enum scope model_scope(const struct conf_model *m); /* SCOPE_FILE, SCOPE_COMMAND or SCOPE_HOST */
bool scope_applies(enum scope scope, const void *base); /* base: a model, unless scope is SCOPE_ANY */

/* ---- the file as a tree (tree.c) ---- */

/* *root is NULL for an empty file. Nodes live in a. Names are as the user gave them, for errors. */
enum err_code tree_parse(struct str name, struct str text, struct arena *a, struct node **root, struct err *e)
    __attribute__((warn_unused_result));

/* ---- ${…} (expand.c) ---- */

struct expansion {
    const char *const *keep;           /* names whose ${name} stays as it is; NULL-ended, or NULL */
    struct str folder;                 /* relative ${file:…} are looked up here; absolute, or "" for the working directory */
    struct buf out;                    /* the text; never reallocated, so that wiping it leaves no copy */
    bool any;                          /* something was put in */
    char open_file[256];               /* a file that others may read was put in: its name, else "" */
};
void expansion_init(struct expansion *x, struct str folder);
void expansion_free(struct expansion *x); /* wipes */
/* Errors are sentences without a place. */
enum err_code expand(struct expansion *x, struct str raw, struct err *e) __attribute__((warn_unused_result));

/* ---- tree + table -> config (read.c), then what needs all of it (resolve.c, check.c) ---- */

struct reading {
    struct config *c;
    struct str name;                   /* of the file as the user gave it */
    struct arena *tree;
    struct expansion x;
    struct conf_said *said;
    size_t nsaid, said_room;
    bool literal_secret;               /* a key is written in the file itself */
    struct err *e;
};
enum err_code read_tree(struct reading *r, const struct node *root) __attribute__((warn_unused_result));
enum err_code resolve_all(struct reading *r) __attribute__((warn_unused_result));
enum err_code resolve_instructions(struct reading *r) __attribute__((warn_unused_result)); /* instructions.c: a part of resolve_all() */
enum err_code check_all(struct reading *r) __attribute__((warn_unused_result));
enum err_code check_names(struct reading *r) __attribute__((warn_unused_result)); /* check_names.c, */
enum err_code check_rules(struct reading *r) __attribute__((warn_unused_result)); /* check_rules.c: parts of check_all() */

/* Letters, digits and . _ : / - */
bool name_is_valid(struct str name);
/* Where the setting behind this field was written; zeros when it was not. */
struct conf_place said_where(const struct config *c, const void *field);

/* ---- words (words.c) ---- */

/* As a YAML scalar, quoted where it must be, `${` escaped (show.c). */
void put_yaml_value(struct buf *out, struct str s);
/* The names that stay in a command: "port", "socket", NULL. */
extern const char *const command_names[];

/* "NAME:LINE:COLUMN: " + sentence, and the usual hint. Line 0: "NAME: ". */
enum err_code fail_at(struct str name, struct conf_place at, struct err *e, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#ifdef HOB_ANALYZE /* as in base/err.h */
#define fail_at(...) (fail_at(__VA_ARGS__) ?: ERR_INTERNAL)
#endif
/* Puts the place, and the key if not empty, in front of a sentence that is in e already. */
enum err_code fail_here(struct str name, struct conf_place at, struct str key, struct err *e);
/* How many bytes of s are UTF-8 text without control characters but tab, LF and CR; s.n = all. */
size_t text_valid(struct str s);
struct str last_part(struct str path); /* behind the last dot */
/* Folder part of a path as given ("" when it has no slash). */
struct str path_folder(struct str path);
/* path itself when it starts with "/", else folder + "/" + path. */
struct str path_join(struct arena *a, struct str folder, struct str path);

/* ---- patterns.c ---- */
/* NULL, or what is wrong with it, to stand behind the text in quotes. */
const char *host_pattern_fault(struct str s);
const char *origin_pattern_fault(struct str s);

#endif
