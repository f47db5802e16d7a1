/* What a model was seen to need, and what that says about the next load. Pure; the rows are the store's (store/calibrations.h).
 * Kept per (model file, engine build, settings): with the same three the estimate is what was measured; with the same file and build it is the
 * arithmetic plus what was seen beyond it then (a repacked copy of the weights, the engine itself). */
#ifndef HOB_MODEL_CALIBRATE_H
#define HOB_MODEL_CALIBRATE_H

#include "model/fit.h"

struct calibration {
    char model[65], engine[65], settings[65];   /* identities: file (path, size, mtime), build, what it was run with; hex */
    int64_t estimated_bytes;                    /* the arithmetic's total, then */
    int64_t idle_bytes, busy_bytes;             /* measured after the load, and after the first long prompt; 0 = not seen */
    int64_t at_s;                               /* wall clock */
};

enum fit_source { FIT_ESTIMATE, FIT_ENGINE, FIT_CALIBRATED, FIT_MEASURED };
extern const char *const fit_source_name[];     /* "estimate", "engine", "estimate", "measured": DESIGN's words; calibrated says so in `basis` */

/* rows: of this file and build, any settings, newest first. */
int64_t calibrate(int64_t arithmetic_total, struct str settings, const struct calibration *rows, size_t n, enum fit_source *source);

/* Hex identities for the keys. false: the file cannot be looked at. */
bool calibrate_model_id(const char *path, char out[65]);
void calibrate_settings_id(const struct fit_ask *ask, const struct str *args, size_t n, char out[65]);

#endif
