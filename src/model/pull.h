/* One file, brought here whole or not at all: NAME.part grows beside NAME.part.json, which says what it is a part of, and becomes NAME when its size and
 * SHA-256 are as expected and its header is a model's. A part is gone on with only when that is safe: a known SHA-256 decides at the end, or the server
 * swears by a strong etag that its file is still the same. One at a time for each NAME. Blocks on the network and the disk. */
#ifndef HOB_MODEL_PULL_H
#define HOB_MODEL_PULL_H

#include "base/log.h"
#include "model/hub_ask.h"
#include "model/sha256.h"

struct pull_source {
    struct str url;
    struct secret token;        /* for its own origin only; empty = none */
};

enum pull_phase { PULL_CHECKING, PULL_FETCHING, PULL_VERIFYING }; /* what lies there already; bytes come; all is there and is looked at */
struct pull_progress {
    enum pull_phase phase;
    int64_t done_bytes, total_bytes;    /* total: -1 = unknown */
    int64_t began_bytes;                /* of done, from before this run */
};

struct pull_ask {
    const struct pull_source *sources;  /* tried in order */
    size_t nsources;
    const struct hub_access *hub;       /* for what refusals mean */
    const struct hub_name *name;
    struct str target;          /* absolute path, with a NUL behind it */
    int64_t bytes;              /* -1 = not known before */
    struct str sha256;          /* 64 lower-case digits; empty = not known before */
    bool check_header;          /* it must be a model that an engine could be started on */
    bool force;                 /* whatever lies there under that name is replaced */
    int64_t idle_ms;
    void (*on_progress)(void *ctx, const struct pull_progress *p);
    void (*on_word)(void *ctx, const char *text); /* a line for people: starting anew, trying the next … */
    bool (*go_on)(void *ctx);   /* asked at least four times a second; false: stop, the part stays */
    void *ctx;
};
struct pull_result {
    int64_t bytes;
    int64_t fetched_bytes, resumed_bytes; /* in this run; there before it */
    char sha256[SHA256_HEX];
    bool verified;              /* against a SHA-256 known before */
    bool was_there;             /* nothing was fetched */
    char host[256];             /* who gave the last of it; "" when was_there */
};
/* ERR_WEIGHTS_BROKEN: not what was expected; what came was removed. ERR_SYSTEM: the disk (full, not writable), another pull of the same, another file
 * under that name. ERR_CALLER_GONE: stopped. Else the last source's error: ERR_UP_*, ERR_NOT_FOUND, ERR_INVALID_REQUEST. */
enum err_code pull_file(const struct pull_ask *ask, struct pull_result *out, struct err *e) __attribute__((warn_unused_result));

/* The bytes of its part that lie at target already; 0 = none. */
int64_t pull_part_bytes(struct str target, struct arena *a);
/* ERR_SYSTEM with both numbers when the disk of that folder (or of the nearest there is above it) has less room. */
enum err_code pull_check_space(struct str folder, int64_t bytes, struct err *e) __attribute__((warn_unused_result));
/* Makes the folder and those above it. ERR_SYSTEM. */
enum err_code pull_make_folder(struct str folder, struct err *e) __attribute__((warn_unused_result));

#endif
