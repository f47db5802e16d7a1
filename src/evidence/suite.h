/* A suite: cases to put to a model, each with what its answer is expected to be. One file a suite: YAML, JSON, or lines of {"input","expected"} (.jsonl).
 * The format in words, every expectation with an example: doc/guide/suites.md. Who asks is elsewhere (a runner); who judges answers is grade.h.
 *
 * Pure: no file is opened here. Values are read by anybody and written by nobody once suite_read() has returned. */
#ifndef HOB_EVIDENCE_SUITE_H
#define HOB_EVIDENCE_SUITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/config.h"

enum {
    SUITE_MAX_BYTES = 32 * 1024 * 1024, /* of a file */
    SUITE_MAX_CASES = 20000,
    SUITE_MAX_EXPECTS = 64,             /* of a case */
    SUITE_MAX_ID = 96,                  /* bytes */
};

enum expect_kind {
    EXPECT_EQUALS,      /* texts[0]: the whole answer */
    EXPECT_CONTAINS,    /* texts: all of them, or with `any` one */
    EXPECT_REGEX,       /* texts[0]: somewhere in the answer */
    EXPECT_SCHEMA,      /* json: a JSON Schema that the answer meets */
    EXPECT_JSON,        /* texts[0]: a path into the answer's JSON; `how` says what is expected there */
    EXPECT_NUMBER,      /* number, tolerance: the answer as a number */
    EXPECT_TAGS,        /* texts: the set; min_precision, min_recall */
    EXPECT_TOOL,        /* texts[0]: the name, json: arguments that must be among those given; a name "" = no tool may be called */
    EXPECT_TREE,        /* texts: the paths of a file tree once the answer's commands have been carried out on the case's `tree` */
    EXPECT_NO_THINK,    /* no thoughts, neither beside the text nor in it */
    EXPECT_CHARS,       /* min, max: code points of the answer */
    EXPECT_WORDS,
    EXPECT_LINES,       /* that are not empty */
    EXPECT_MS,          /* max: from request to the last byte */
    EXPECT_TTFT_MS,     /* max: to the first byte of text */
    EXPECT_TOKENS,      /* max: of the answer, as its usage says */
    EXPECT_JUDGE,       /* texts[0]: a rubric; needs another model's word, see grade.h */
    EXPECT_KINDS
};
extern const char *const expect_kind_name[EXPECT_KINDS]; /* "equals": for rows and reports */

enum expect_how { JSON_THERE, JSON_EQUALS, JSON_NUMBER, JSON_CONTAINS, JSON_REGEX, JSON_LENGTH, JSON_TAGS, JSON_SCHEMA }; /* of EXPECT_JSON: the same words, beside the path */

struct suite_texts {
    const struct str *at;
    size_t n;
};

struct suite_expect {
    enum expect_kind kind;
    enum expect_how how;
    bool negated;           /* written under `not:` */
    bool any;               /* contains_any */
    bool nocase;            /* ignore_case: true */
    bool lenient;           /* JSON may stand in a fence or among words, a short answer may carry quotes and a full stop */
    double weight;          /* in the case's score; 1 */
    struct suite_texts texts;
    struct suite_texts values; /* of a path: what contains, regex and tags name */
    struct str json;        /* JSON text: schema, arguments, or what a path must equal */
    double number, tolerance;
    bool percent;           /* the tolerance is a share: 0.01 = 1 % */
    double min_precision, min_recall;
    int64_t min, max;       /* negative: no limit */
    struct conf_place place; /* in the file */
};

/* What a right answer looks like, where the suite says so: it must pass, or the case is wrong (suite_check, and unit tests of the built-in ones). */
struct suite_answer {
    struct str text;
    struct str tool, arguments; /* a call; empty = none */
};

struct suite_case {
    struct str id;          /* unique; stable as long as the file does not change it (`#3` for the third one without an id) */
    struct conf_place place;
    struct str system, input; /* texts; or: */
    struct str messages;    /* JSON: a list in OpenAI's form; `system` is put in front, `input` and images behind */
    struct suite_texts images; /* paths, data: URLs, or "draw:…" (images.h) */
    struct str tools, tool_choice, schema; /* JSON; empty = none */
    bool strict;            /* the schema is sent with strict: true (the default) */
    int64_t max_tokens;     /* 0 = not said */
    double temperature, top_p; /* NaN = not said */
    struct str thinking;    /* off, on, low, medium, high, or a budget in tokens; empty = not said */
    struct suite_texts stop;
    struct suite_texts tags; /* words to choose cases by */
    int64_t repeat;         /* how often a run asks it, unless it says itself; at least 1 */
    bool aside;             /* shown beside the score, not counted in it */
    struct suite_texts tree; /* paths of EXPECT_TREE, folders end in a slash */
    const struct suite_expect *expects;
    size_t nexpects;        /* 0: only beside `answered`, until it is labelled; it is not asked */
    bool has_ideal;
    struct suite_answer ideal;
    bool has_answered;
    struct suite_answer answered; /* what was answered when it was asked in earnest (`hob eval capture`): right or wrong, nobody has said yet */
    struct str answered_by; /* a model */
    struct suite_texts wrong; /* answers that must not pass, likewise */
    uint64_t print;         /* of what is asked and expected: another one = another case, whatever its id */
};

struct suite {
    struct str name, description, from; /* from: the file, or "built-in" */
    double margin;          /* how much worse still counts as "not worse": 0.05 */
    const struct suite_case *cases;
    size_t ncases;
    uint64_t print;         /* of all cases */
    struct arena memory;    /* owns all of it */
};

enum suite_form { SUITE_YAML, SUITE_JSON, SUITE_JSONL };
enum suite_form suite_form_of(struct str name); /* by its ending; else YAML, which JSON is too */

/* text may die afterwards. `name` is the file's in errors, and without a `suite:` key its last part is the suite's. ERR_CONFIG "NAME:LINE:COLUMN: what is wrong",
 * with "did you mean" for an unknown key. On error *out is untouched. */
enum err_code suite_read(struct str name, struct str text, enum suite_form form, struct suite **out, struct err *e) __attribute__((warn_unused_result));
void suite_free(struct suite *s); /* NULL is fine */
const struct suite_case *suite_case_named(const struct suite *s, struct str id); /* NULL: none */
/* Back to YAML; read again it gives a suite that equals this one (places aside). Defaults are written into each case. */
void suite_write(const struct suite *s, struct buf *yaml);
bool suite_equal(const struct suite *a, const struct suite *b);

/* ---- what is sent ---- */

/* Bytes behind a case's image, as a data: URL ready to be sent, in a. The runner's; images.h has one that reads files and draws. */
typedef enum err_code suite_image_fn(void *ctx, struct str image, struct arena *a, struct str *data_url, struct err *e);

struct suite_ask {
    struct str model;
    int64_t seed;           /* negative: none is sent */
    bool stream;            /* with usage asked for */
    suite_image_fn *image;  /* NULL: a case with other than data: URLs is ERR_INVALID_REQUEST */
    void *image_ctx;
};
/* The body of POST /v1/chat/completions. Lives in a. */
enum err_code suite_case_request(struct arena *a, const struct suite_case *c, const struct suite_ask *ask, struct str *body, struct err *e)
    __attribute__((warn_unused_result));

/* ---- what can be told before anything is sent ---- */

struct suite_finding {
    const struct suite_case *c;
    enum fault fault;       /* FAULT_HARNESS: a failure of this case would say nothing of a model; FAULT_NONE: worth knowing */
    struct str text;        /* a sentence */
};
/* In the order of cases; in a. A budget that the smallest right answer does not fit in (its own, or with max_tokens 0 `usual_max_tokens`; 0 = unknown), an `ideal`
 * that does not pass, a `wrong` that does, expectations that contradict each other. Returns how many. */
size_t suite_check(const struct suite *s, int64_t usual_max_tokens, struct arena *a, const struct suite_finding **out);
/* Tokens that the smallest right answer takes at the very least, as far as the expectations tell; 0 = nobody knows. */
int64_t suite_least_tokens(const struct suite_case *c);

/* ---- suites of others ---- */

struct suite_note {
    int line;               /* of the file that is taken over */
    struct str text;        /* what was not taken, and why */
};
/* A promptfoo configuration (YAML or JSON) as our YAML in *yaml. Notes are in a, in the file's order: whatever could not be taken has one. ERR_CONFIG: it is none. */
enum err_code suite_import_promptfoo(struct str name, struct str text, struct arena *a, struct buf *yaml, const struct suite_note **notes, size_t *n, struct err *e)
    __attribute__((warn_unused_result));

/* ---- suites that hob brings (builtin.c) ---- */

struct suite_builtin {
    const char *name, *measures; /* a line */
    bool seeded;            /* the seed changes the cases */
    bool images;            /* needs pictures drawn: cairo, and a model that sees */
};
extern const struct suite_builtin suite_builtins[]; /* ended by a row without a name */
struct suite_choice {
    uint64_t seed;          /* 0: the one that figures are published with */
    const int64_t *lengths; /* of long-context: tokens; NULL = the usual ones */
    size_t nlengths;
};
/* Its YAML in *out. ERR_NOT_FOUND with the nearest name. o may be NULL. */
enum err_code suite_builtin_text(struct str name, const struct suite_choice *o, struct buf *out, struct err *e) __attribute__((warn_unused_result));
/* The same, read. */
enum err_code suite_builtin_read(struct str name, const struct suite_choice *o, struct suite **out, struct err *e) __attribute__((warn_unused_result));

#endif
