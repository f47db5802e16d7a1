/* hob fit, in four: what is asked about (fit_subject.c), what it may have (fit_room.c), how much it would need (fit.c), how that is shown
 * (fit_show.c). */
#ifndef HOB_CLI_FIT_H
#define HOB_CLI_FIT_H

#include "cli/cli.h"
#include "fleet/estimate.h"
#include "proc/machine.h"

enum { FIT_MAX_ROWS = 64, FIT_MAX_MEASURED = 32 };

/* A model, and how it would be run when nothing else is asked. */
struct fit_subject {
    struct arena arena;
    char name[256];                 /* as it was asked for */
    struct shape shape, draft;
    struct fit_extras extras;       /* its draft is the one above */
    struct conf_model model;        /* its settings: the configured ones, else the defaults; `file` empty: nothing here could be run */
    bool configured;
    struct str role;                /* one that it serves, for what speaks against it; empty when unknown */
};

/* words: what a person wrote. Prints why not and returns an exit code, else EXIT_OK; then fit_subject_free() is due. */
int fit_subject_find(const struct cli_args *a, const struct config *c, struct fit_subject *s);
void fit_subject_free(struct fit_subject *s);

struct fit_row {
    struct fit_ask ask;
    struct fit_terms terms;
    int64_t total;                  /* by the source; the terms' own when that is arithmetic */
    enum fit_source source;
    bool fits;
    struct fit_warning warnings[FIT_MAX_WARNINGS];
    size_t nwarnings;
};

struct fit_report {
    const struct fit_subject *subject;
    struct machine machine;         /* what: "" when a size was given */
    int64_t total, reserve;         /* of the machine's memory; 0 when a size was given */
    int64_t used, held;             /* by others, and by the daemon's models */
    int64_t room;                   /* what the model may have */
    struct fit_row rows[FIT_MAX_ROWS];
    size_t nrows;
    int64_t largest_context;        /* with the first row's settings */
    bool show_measured;
    const struct calibration *measured; /* of this file and engine, newest first */
    size_t nmeasured;
    char settings[65];              /* the first row's, as measurements are kept under */
};

/* fit_room.c. given: a size that was named, 0 = none. */
void fit_find_room(const struct cli_args *a, const struct config *c, int64_t given, struct fit_report *r);

void fit_show_table(const struct fit_report *r, struct buf *out);
void fit_show_json(const struct fit_report *r, struct buf *out);

/* fit_words.c: figures as people write them. "4k" 4096; "48GiB" "48G" "10MB"; "70B" "1.5b" "135M". */
bool fit_read_tokens(struct str s, int64_t *out);
bool fit_read_bytes(struct str s, int64_t *out);
bool fit_read_params(struct str s, int64_t *out);

/* fit_web.c: the header of a GGUF behind an address, or of all its parts, or of what the hub has under ORG/REPO:QUANT. */
enum err_code fit_web_shape(const struct config *c, struct str what, struct arena *a, struct shape *out, struct err *e) __attribute__((warn_unused_result));
/* An address, or a hub's name with its quantisation; a bare ORG/REPO is a path that may be mistyped, and nobody is asked for it. */
bool fit_is_elsewhere(struct str word);

#endif
