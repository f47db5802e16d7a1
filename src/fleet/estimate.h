/* What a configured model will need in memory, with the very settings its child will get: as the operator says, else as it was measured, else as the
 * engine projects, else by arithmetic. Blocks on the disk and may ask the engine: for the pool and for commands. */
#ifndef HOB_FLEET_ESTIMATE_H
#define HOB_FLEET_ESTIMATE_H

#include "backend/engine.h"
#include "model/calibrate.h"

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

/* m: on this machine. s may be NULL (nothing is known, nothing is kept). ERR_WEIGHTS_*, ERR_ENGINE_MISSING, ERR_UNKNOWN_ARCHITECTURE (with the engine's
 * build, the name, and who knows it), ERR_SYSTEM. On error *out is untouched. */
enum err_code estimate_model(const struct config *c, const struct conf_model *m, struct store *s, struct estimate *out, struct err *e)
    __attribute__((warn_unused_result));

#endif
