/* What a model was seen to need, and what that says about the next load. Pure but for the identities; the rows are the store's
 * (store/calibrations.h). Kept per (model file, engine build, settings): with the same three the estimate is what was measured; with the same file and
 * build it is the arithmetic plus what was seen beyond it then (a repacked copy of the weights, the engine itself). */
#ifndef HOB_MODEL_CALIBRATE_H
#define HOB_MODEL_CALIBRATE_H

#include "model/fit.h"
#include "store/calibrations.h"

enum fit_source {
    FIT_ESTIMATE,       /* arithmetic alone */
    FIT_ENGINE,         /* what the engine said that it would need */
    FIT_CALIBRATED,     /* arithmetic, and what other settings of the same file were seen to need beyond it */
    FIT_MEASURED,
    FIT_GIVEN,          /* by the operator: `memory:` */
    FIT_UNKNOWN,        /* a command that was never measured */
};
extern const char *const fit_source_name[];     /* "estimate", "engine", "estimate", "measured", "given", "unknown": what `source` says */
extern const char *const fit_source_basis[];    /* a few words for people */

struct calibrate_ask {
    int64_t total_bytes;        /* the arithmetic's, without kept prompts; 0 = there is none (a command) */
    int64_t cache_bytes;        /* kept prompts: they come with time, so that no measurement has them. On top of everything */
    int64_t weights_bytes;      /* measured figures below half of it are not believed (0: all are) */
    int64_t machine_bytes;      /* nor are those above this (0: all are) */
    struct str settings;
};

/* rows: of this file and build, any settings, newest first. 0 with FIT_UNKNOWN: nothing says anything. */
int64_t calibrate(const struct calibrate_ask *ask, const struct calibration *rows, size_t n, enum fit_source *source);

/* What a measurement of these settings is kept under. args: the operator's own, and the identities of the files beside the model's. */
void calibrate_settings_id(const struct fit_ask *ask, const struct str *args, size_t n, char out[65]);

#endif
