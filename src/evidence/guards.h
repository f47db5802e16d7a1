/* The guards of a trial: what each request of a role says of the candidate, held against what the old model's requests said of it, looked at after every request (seqtest.h).
 *
 * A guard is a question with yes or no: did it fail, was it felt to be slower than nearly all of the old one's answers … Requests that failed by the gateway's, the caller's or a harness' fault
 * say nothing of a model and are passed over; one that another place had to answer, because the candidate failed, is the candidate's.
 *
 * What depends on a place (it fails, it is busy, it is slow) comes in bursts, and a test of single events would take a minute in which a host was down for fifty of them. So a run of bad
 * ones counts once for its first GUARD_RUN_MS: a good one that came later ends it, and what goes on longer counts each time. The old model's are counted in the same way. Who has not
 * given one good answer yet has no runs but of slow ones: that is no outage, while first answers are slow.
 *
 * Where nobody could be reached at all (no connection, or left alone because there was none) it is its host that is down, and says nothing of a model: an outage is one event, however
 * long it lasts, until anything comes from there again, be it a failure. Whether that is too long is no question of statistics: it has a rule of its own, GUARD_PLACE.
 *
 * Times are held against those of requests that came to a host with as much to do: with nothing else (`ttft`, `total`), or with other requests (`ttft_busy`, `total_busy`). Which of
 * the two it is is known when a request is sent, and not changed by how long it takes.
 *
 * Pure: rows in, a breach out. What there is to keep is a text of some hundred bytes (guards_put), and the place of the last row that is in it: a restart reads the
 * rows behind it again, and comes to the same. */
#ifndef HOB_EVIDENCE_GUARDS_H
#define HOB_EVIDENCE_GUARDS_H

#include "evidence/seqtest.h"
#include "json/json.h"
#include "store/requests.h"

enum guard_kind {
    GUARD_ERRORS,       /* it was asked, and failed or answered wrongly */
    GUARD_BUSY,         /* its place said 429 */
    GUARD_TTFT, GUARD_TOTAL, GUARD_TTFT_BUSY, GUARD_TOTAL_BUSY,
    GUARD_SCHEMA, GUARD_THOUGHTS, GUARD_EMPTY,
    GUARD_CUT,          /* its answer ended by its length */
    GUARD_FALLBACK,     /* somebody else had to answer: it failed, was passed over, or could not take what was asked */
    GUARD_KINDS,
    GUARD_MEMORY = GUARD_KINDS, /* these two are no question to a request, and have no part in the test: below */
    GUARD_PLACE,
    GUARD_NAMES
};
extern const char *const guard_name[GUARD_NAMES]; /* "errors" "saturation" "ttft" "total" "ttft_busy" "total_busy" "schema" "thoughts" "empty" "cut" "fallback" "memory" "place" */
enum { GUARD_RUN_MS = 60 * 1000 };

/* A model under a role, or a tier; or wherever it is asked for: role empty. */
struct guard_whom {
    struct str role, model;
};

/* ---- the place ---- */

/* Whether it can be reached, as requests have found it. GUARD_PLACE: nobody could for GUARD_AWAY_MS at a stretch, and GUARD_AWAY_LEAST requests or more met that; or for GUARD_AWAY_SUM_MS in
 * all, and for more than half of the trial so far. */
enum { GUARD_AWAY_MS = 15 * 60 * 1000, GUARD_AWAY_LEAST = 3, GUARD_AWAY_SUM_MS = 60 * 60 * 1000 };
struct guard_place {
    int64_t first_ms;               /* wall clock: of the first request */
    int64_t since_ms, last_ms;      /* wall clock: of the first and the last request that found nobody; since_ms 0 = the last one found somebody */
    int64_t requests;               /* that found nobody, since then */
    int64_t sum_ms;                 /* of outages that are over */
};

/* ---- the old model ---- */

enum { BASELINE_TIMES = 20000 };    /* of which the newest are kept */
enum baseline_load { LOAD_NONE, LOAD_SOME, LOAD_UNKNOWN, LOADS };
struct baseline_time {
    double ms;                      /* without a load */
    int64_t came_ms;
};
struct baseline {
    struct seq_counts counts[GUARD_KINDS]; /* times: filled by guards_begin() */
    int64_t runs[GUARD_KINDS];
    struct guard_place place;
    struct baseline_time *times[2][LOADS]; /* to the first words, in all; rings of BASELINE_TIMES. NULL: none yet */
    int64_t ntimes[2][LOADS];
    int64_t requests;
    int64_t from_ms, until_ms;      /* wall clock of the first and the last */
};
void baseline_begin(struct baseline *b);
void baseline_see(struct baseline *b, const struct guard_whom *old, const struct request_row *r);
void baseline_end(struct baseline *b); /* frees what times take */

/* ---- where the figures of the old model are from ---- */

struct guards_origin {
    char source[8];                 /* "rows", "saved", "none"; "" = of a program that did not say */
    char model[96], engine[72];     /* whose; engine: a build's mark, "" = not known, or elsewhere */
    int64_t from_ms, until_ms;      /* wall clock: of the first request and the last */
    int64_t saved_ms;               /* 0 = it was not saved */
    char note[200];                 /* what is to be thought of when it is used; "" = nothing */
};

/* ---- memory ---- */

/* What the candidate's process has, now and then. It is bad when it has a quarter more than was expected, and 256 MiB more, for GUARD_MEMORY_MS without a break: it leaks, or needs what nobody
 * gave it. Expected is what the fleet books for it, the most of that in the first GUARD_MEMORY_MS, in which nothing is held against it: by then it has been measured at work. */
enum { GUARD_MEMORY_MS = 10 * 60 * 1000, GUARD_SAMPLE_MS = 60 * 1000 };
struct guard_memory {
    int64_t expected_bytes;         /* 0 = not looked at yet */
    int64_t now_bytes, most_bytes;
    int64_t first_ms, last_ms;      /* wall clock: of looks */
    int64_t over_ms;                /* since when it has had too much; 0 = it has not */
};

/* ---- the trial ---- */

struct guards {
    struct guard_memory memory;
    struct guard_place place;
    struct guards_origin origin;
    struct seq_watch watch;
    size_t kinds[GUARD_KINDS];      /* of the watch's guards: enum guard_kind */
    double limit[GUARD_KINDS];      /* ms; of times alone */
    bool by_load;                   /* times are apart by what else the host had to do; else `ttft` and `total` are of all requests */
    int64_t runs[GUARD_KINDS];      /* wall clock: when the first of a run of bad ones came; 0 = there is none */
    int64_t requests;               /* of the candidate, that said something */
    int64_t base_requests;
    int breach;                     /* enum guard_kind, memory and place too; -1 = none. The first one stays */
    char first_bad[GUARD_KINDS][40], last_bad[GUARD_KINDS][40]; /* ids of requests that spoke against it: the proof */
};
/* b: before baseline_end(), which it calls. origin: from_ms and until_ms are filled. Without a request nothing is watched. */
void guards_begin(struct guards *g, struct baseline *b);
/* The guard that ends the trial, once; else -1. */
int guards_see(struct guards *g, const struct guard_whom *candidate, const struct request_row *r);
/* RAM of its process. GUARD_MEMORY when that ends the trial, once; else -1. expected_bytes below 1: nothing is known, and nothing is held against it. */
int guards_see_memory(struct guards *g, int64_t bytes, int64_t expected_bytes, int64_t now_ms);
/* For how long nobody could be reached, the outage that goes on included: so much of the trial says nothing, and its window ends so much later. */
int64_t guards_away_ms(const struct guards *g);
/* "errors: 14 of 210 (at least 3.9 %), where the old model had 20 of 2000 (1.0 %)": one sentence. */
void guards_say(const struct guards *g, enum guard_kind kind, struct buf *out);

/* To save; and read again, false when it is none. */
void guards_put(const struct guards *g, struct json_out *o);
bool guards_read(struct guards *g, struct str json);
/* {source, model, engine, requests, from, until, saved, note}: an object. */
void guards_view_origin(const struct guards *g, struct str role, struct json_out *o);
/* A saved one, for people: that and {by_load, guards: [{name, bad, total, rate, limit_ms}]}. */
void guards_view_base(const struct guards *g, struct str role, struct json_out *o);
/* [{name, verdict: "holds"|"watched"|"breached", value, baseline, evidence}] as `hob swap status` shows it. A guard without a baseline is left out. */
void guards_view(const struct guards *g, struct str role, struct json_out *o); /* the elements: the array is open */

#endif
