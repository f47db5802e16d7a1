#include "model/calibrate.h"

#include "model/identity.h"

#include <stdio.h>

enum {
    SHORT_PERCENT = 125,    /* of the room in which it died: what it is given next */
    LESS_PERCENT = 10,      /* of the arithmetic: with other settings seen to need less by more than this says nothing about these */
};

const char *const fit_source_name[] = {
    [FIT_ESTIMATE] = "estimate", [FIT_ENGINE] = "engine", [FIT_CALIBRATED] = "estimate", [FIT_MEASURED] = "measured", [FIT_GIVEN] = "given",
    [FIT_UNKNOWN] = "unknown",
};
const char *const fit_source_basis[] = {
    [FIT_ESTIMATE] = "arithmetic on the file's header",
    [FIT_ENGINE] = "what the engine projects",
    [FIT_CALIBRATED] = "arithmetic, corrected by what was measured with other settings",
    [FIT_MEASURED] = "measured with these settings",
    [FIT_GIVEN] = "`memory:` in the configuration",
    [FIT_UNKNOWN] = "never measured",
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* What it has had at most; 0 = it was not seen, or what was seen cannot be: a GPU's memory that the system does not tell of, another process's. */
static int64_t believed(const struct calibrate_ask *ask, const struct calibration *r)
{
    int64_t seen = larger(r->idle_bytes, r->busy_bytes);
    bool sane = seen > 0 && seen >= ask->weights_bytes / 2 && (!ask->machine_bytes || seen <= ask->machine_bytes);
    return sane ? seen : 0;
}

/* What it wants after it died for want of memory: a quarter more than it had, though not more than there is. Strangers may have been the cause. */
static int64_t after_death(const struct calibrate_ask *ask, const struct calibration *r)
{
    int64_t wants = r->short_bytes > INT64_MAX / SHORT_PERCENT ? INT64_MAX : r->short_bytes * SHORT_PERCENT / 100;
    return ask->machine_bytes && wants > ask->machine_bytes ? larger(ask->machine_bytes, ask->total_bytes) : wants;
}

static bool is_same(const struct calibrate_ask *ask, const struct calibration *r)
{
    return str_eq(ask->settings, str_of(r->settings));
}

/* Of other settings, the row whose arithmetic is nearest: what the arithmetic misses grows with it. */
static const struct calibration *nearest(const struct calibrate_ask *ask, const struct calibration *rows, size_t n)
{
    const struct calibration *best = NULL;
    int64_t best_off = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        int64_t off = rows[i].estimated_bytes - ask->total_bytes;
        if (rows[i].estimated_bytes <= 0 || is_same(ask, &rows[i]) || !believed(ask, &rows[i]))
            continue;
        if ((off < 0 ? -off : off) < best_off) {
            best_off = off < 0 ? -off : off;
            best = &rows[i];
        }
    }
    return best;
}

/* What another set of settings needed beyond the arithmetic. Upward it is believed whole; downward hardly, for there something may have been left out
 * that these settings have (a draft the engine could not use), and memory that is not there is worse than memory that is not used. */
static int64_t correction(const struct calibrate_ask *ask, const struct calibration *like)
{
    return larger(believed(ask, like) - like->estimated_bytes, -(ask->total_bytes / 100 * LESS_PERCENT));
}

static int64_t without_cache(const struct calibrate_ask *ask, const struct calibration *rows, size_t n, enum fit_source *source)
{
    const struct calibration *same = NULL;
    for (size_t i = 0; i < n && !same; i++)
        if (is_same(ask, &rows[i]))
            same = &rows[i];
    int64_t bytes = ask->total_bytes;
    *source = bytes > 0 ? FIT_ESTIMATE : FIT_UNKNOWN;
    const struct calibration *like = bytes > 0 ? nearest(ask, rows, n) : NULL;
    if (same && believed(ask, same)) {
        bytes = believed(ask, same);
        *source = FIT_MEASURED;
    } else if (like) {
        bytes = larger(add(bytes, correction(ask, like)), ask->weights_bytes);
        *source = FIT_CALIBRATED;
    } else if (same && same->projected_bytes > 0) {
        bytes = larger(bytes, same->projected_bytes);
        *source = FIT_ENGINE;
    }
    if (same && same->short_bytes > 0 && after_death(ask, same) > bytes) {
        bytes = after_death(ask, same);
        *source = FIT_CALIBRATED;
    }
    return bytes;
}

int64_t calibrate(const struct calibrate_ask *ask, const struct calibration *rows, size_t n, enum fit_source *source)
{
    int64_t bytes = without_cache(ask, rows, n, source);
    return *source == FIT_UNKNOWN ? 0 : add(bytes, ask->cache_bytes);
}

void calibrate_settings_id(const struct fit_ask *ask, const struct str *args, size_t n, char out[65])
{
    struct identity id;
    char text[128];
    identity_init(&id);
    snprintf(text, sizeof text, "%lld %lld %lld %d %d", (long long)ask->context, (long long)ask->slots, (long long)ask->ubatch, ask->kv_shared,
        ask->flash);
    identity_add(&id, str_of(text));
    identity_add(&id, ask->kv_k);
    identity_add(&id, ask->kv_v);
    for (size_t i = 0; i < n; i++)
        identity_add(&id, args[i]);
    identity_hex(&id, out);
}
