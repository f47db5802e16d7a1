/* What a configured model will need in memory, with the very settings its child will get: as the operator says, else as it was measured, else as the
 * engine projects, else by arithmetic. Blocks on the disk and may ask the engine: for the pool and for commands. */
#ifndef HOB_FLEET_ESTIMATE_H
#define HOB_FLEET_ESTIMATE_H

#include "backend/engine.h"
#include "model/calibrate.h"

struct loop;

struct estimate {
    int64_t bytes;                  /* what to book; 0 = nobody knows (source FIT_UNKNOWN) */
    enum fit_source source;
    struct fit_terms terms;         /* the arithmetic; zeros for a command */
    struct fit_ask ask;             /* what it was made for; its texts are static or the configuration's */
    char architecture[64];          /* "" for a command */
    int64_t context_train;          /* 0 = not said */
    bool architecture_unclear;      /* the engine did not say whether it knows it: tried all the same */
    char model[65], engine[65], settings[65];   /* identities, for the row that measure.h writes; engine "" for a command */
};

enum estimate_effort {
    ESTIMATE_CACHED,                /* no engine is run: what the store does not know of it stays unclear */
    ESTIMATE_PROBE,                 /* it is asked whether it knows the architecture, some 20 ms, once for each build and name */
    ESTIMATE_PROJECT,               /* and what it would need, when that was never measured: it begins to load, a fraction of a second and more */
};

/* m: on this machine. s may be NULL (nothing is known, nothing is kept). ERR_WEIGHTS_*, ERR_ENGINE_MISSING, ERR_UNKNOWN_ARCHITECTURE (with the engine's
 * build, the name, and who knows it), ERR_SYSTEM. On error *out is untouched. */
enum err_code estimate_model(const struct config *c, const struct conf_model *m, enum estimate_effort effort, struct store *s, struct estimate *out,
    struct err *e) __attribute__((warn_unused_result));

/* Asks the engines now, on the pool and once for each architecture, what ESTIMATE_PROBE would ask later: so that no first request waits for it. The
 * configuration is held meanwhile. At start and after a reload; s NULL: nothing to keep it in, so nothing is done. */
void estimate_warm(struct loop *l, const struct config *c, struct store *s);

#endif
