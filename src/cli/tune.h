/* hob tune in three: which settings there are to choose from, and how a choice is written (tune_knobs.c, pure); the measuring (tune.c); what was found here before
 * (tune_book.c). The search itself is evidence/tune.h. */
#ifndef HOB_CLI_TUNE_H
#define HOB_CLI_TUNE_H

#include "cli/cli.h"
#include "cli/lab.h"
#include "evidence/tune.h"
#include "json/json.h"

/* ---- tune_knobs.c ---- */

struct knob;                                /* a setting: its name, its key in hob.yaml or its flag, its values */

struct knobs {
    struct arena memory;                    /* of all texts */
    size_t n;
    const struct knob *at[TUNE_MAX_FACTORS];
    struct str values[TUNE_MAX_FACTORS][TUNE_MAX_VALUES];
    struct tune_factor factors[TUNE_MAX_FACTORS];
    struct conf_strs rest;                  /* the model's own `args:` without the flags above */
    const struct conf_model *model;         /* borrowed */
};

struct knobs_wish {
    const struct conf_model *model;
    size_t cores, physical;                 /* physical: without second threads of a core, which is what the engine takes by itself */
    bool gpus;                              /* there are some: placement is a choice */
    struct str help;                        /* what the engine's --help says: a flag that is not in it is no choice */
    struct str only;                        /* "threads,kv": the others stay as they are; empty = all */
};
/* ERR_INVALID_REQUEST: a name in `only` is none, or nothing is left to choose. knobs_free() is due either way. */
enum err_code knobs_make(const struct knobs_wish *w, struct knobs *out, struct err *e) __attribute__((warn_unused_result));
void knobs_free(struct knobs *k);

struct str knobs_name(const struct knobs *k, size_t factor);
/* What a point is in a lab. Texts are in k's memory. */
enum { KNOBS_SETS = 3 };
void knobs_sets(struct knobs *k, const struct tune_point *p, struct lab_set out[KNOBS_SETS]);
/* The lines of hob.yaml in which it differs from what the model has now, indented by `indent`; nothing when it does not. */
void knobs_put_lines(struct knobs *k, const struct tune_point *p, const char *indent, struct buf *out);
/* {"threads":"1",…}: each setting by its name. */
void knobs_put(const struct knobs *k, const struct tune_point *p, struct json_out *o);
/* "threads 1, kv q8_0": where it differs from `from`; "as it is" when nowhere. */
void knobs_say(const struct knobs *k, const struct tune_point *p, const struct tune_point *from, struct buf *out);
struct tune_point knobs_present(const struct knobs *k);
struct tune_point knobs_standard(const struct knobs *k);

/* ---- tune_book.c: STATE/tune/, a file for each machine, engine build and model file ---- */

struct tune_of {
    char model[65], engine[65];             /* identities: of the file, of the build */
    char machine[160];                      /* for people, and part of the file's name */
};
/* The file's and the build's; *window: tokens that one request may use. machine stays as it is. Errors are estimate_model()'s. */
enum err_code tune_identify(const struct config *c, const struct conf_model *m, struct tune_of *of, int64_t *window, struct err *e) __attribute__((warn_unused_result));
/* json: one object, kept as it is. The folder is made. ERR_SYSTEM. */
enum err_code tune_keep(const struct config *c, const struct tune_of *of, struct str json, struct err *e) __attribute__((warn_unused_result));
/* hob tune --show: what is kept, of one model or of all. An exit code. */
int tune_show(const struct cli_args *a, const struct config *c, struct str model);

#endif
