/* hob pull, before the first byte of a file: which files are meant, whence, and under which names they shall lie here. */
#ifndef HOB_CLI_PULL_PLAN_H
#define HOB_CLI_PULL_PLAN_H

#include "conf/config.h"
#include "model/pull.h"

/* As the command line says it; empty = not said. */
struct pull_wish {
    struct str what;            /* a configured model's name, ORG/REPO…, an address */
    struct str sha256, to, quant;
    bool projector;
};

struct pull_job {
    const struct pull_source *sources;
    size_t nsources;
    struct str target;          /* absolute, with a NUL behind it */
    int64_t bytes;              /* -1 = not known */
    struct str sha256;          /* lower case; empty = not known */
    bool projector, part;       /* part: one of several files of one model */
};

struct pull_plan {
    struct hub_name name;
    const struct conf_model *model; /* a configured one; else NULL */
    const struct pull_job *jobs;
    size_t n;
    struct str choice;          /* what was chosen, "" when there was nothing to choose */
    bool has_projector;         /* there is one that was not asked for */
    /* after ERR_NOT_FOUND for a choice: what there is */
    const struct hub_choice *there;
    size_t nthere;
};

/* Asks the hub. Texts lie in the arena, the configuration or the wish. ERR_INVALID_REQUEST: what was wished cannot be; also the errors of hub_ask(),
 * hub_choose(). */
enum err_code pull_plan_make(const struct config *c, const struct hub_access *h, const struct pull_wish *w, struct arena *a, struct pull_plan *out,
    struct err *e) __attribute__((warn_unused_result));

/* What is still to come for all of it. */
int64_t pull_plan_missing(const struct pull_plan *p, bool force, struct arena *a);

#endif
