/* A swap: models that take the place of others under roles and tiers, or a build of an engine that takes another's place under its models, as an object with a life.
 * Pure: a value, steps that it may or may not take, and its form in the store. Who keeps swaps, and makes them true, is swaps.h.
 *
 *   planned -> evidenced -> trial -> promoted -> retired
 *      |           |          |         |
 *   refused     (forced)      +---------+--> rolled_back
 *
 * Each may be retired: what the file says holds then.
 *
 * Before the trial, from any state without one, there may be a shadow: the old model answers, and copies of asks go to the new one. Evidence is taken meanwhile.
 *
 * Each role of it has a state of its own: some may stay while others go back. The whole is `trial` while any role is, then `promoted` while any stays. Of an engine's
 * swap the roles are its models: each moves to the new build, and back, by itself; it has no shadow. */
#ifndef HOB_EVIDENCE_SWAP_H
#define HOB_EVIDENCE_SWAP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/overlay.h"
#include "json/json.h"

enum swap_state { SWAP_PLANNED, SWAP_REFUSED, SWAP_EVIDENCED, SWAP_SHADOW, SWAP_TRIAL, SWAP_PROMOTED, SWAP_ROLLED_BACK, SWAP_RETIRED, SWAP_STATES };
extern const char *const swap_state_name[SWAP_STATES];
struct str swap_state_words(struct str name); /* of such a name, as people write it: "rolled back" */

enum swap_verdict { SWAP_UNJUDGED, SWAP_BETTER, SWAP_NOT_WORSE, SWAP_WORSE, SWAP_CANNOT_TELL, SWAP_VERDICTS };
extern const char *const swap_verdict_name[SWAP_VERDICTS]; /* "" "better" "not worse" "worse" "cannot tell" */

enum { SWAP_MAX_ROLES = 16, SWAP_MAX_MODELS = 256, SWAP_MAX_PROOFS = 8, SWAP_MAX_GUARDS = 12 };

/* A suite run with both models. */
struct swap_proof {
    struct str suite;
    struct str run;             /* of the store's evals */
    int64_t pairs, both, only_old, only_new, neither;
    double difference, lo, hi;  /* rate(new) - rate(old), 0..1, and its interval */
    int64_t needed;             /* pairs that would tell; -1 = it tells, or nobody knows */
    enum swap_verdict verdict;
    struct str note;            /* "does not discriminate", "12 cases were the harness's" … */
};

struct swap_role {
    struct str name;            /* a role or a tier; in an engine's swap a model */
    struct str said;            /* conf/overlay.h */
    struct str from, to;        /* models; or paths of builds */
    enum swap_state state;
    enum swap_verdict verdict;  /* over its proofs: the worst that tells; else what they say */
    struct swap_proof proofs[SWAP_MAX_PROOFS];
    size_t nproofs;
    int64_t smoked_ms;          /* wall clock: a request through the public door was answered by `to`; 0 = not yet */
    bool resident;              /* of an engine's: it was in memory when that was planned: nothing begins before it was compared */
    int64_t up_ms;              /* of an engine's: wall clock, its child answered in the new build; 0 = not yet */
    struct str guards;          /* JSON: guards.h's, as they were saved last; empty = none yet */
    int64_t guards_at;          /* the place of the last row that is in them */
    struct str why;             /* why it is in its state, a sentence */
};

/* Another build of an engine. */
struct swap_engine {
    struct str name;            /* as the configuration has it; empty: the swap is of models under roles */
    struct str from, to;        /* programs' paths */
    struct str version_from, version_to; /* what they say of themselves */
    struct str build_from, build_to;     /* engine.hash of backend/engine.h; empty = not known */
    struct str architectures;   /* JSON: {"lost": […], "gained": […]}; empty = not known */
};

struct swap {
    struct arena arena;         /* its texts */
    int64_t id;
    enum swap_state state;      /* of the whole: swap_settle() */
    struct swap_engine engine;
    struct swap_role *roles;    /* in the arena: swap_add(). At most SWAP_MAX_ROLES; in an engine's swap SWAP_MAX_MODELS, of which the first SWAP_MAX_ROLES are guarded */
    size_t nroles, room;
    int64_t made_ms, from_ms, until_ms; /* wall clock: planned; the trial's window, 0 = not begun */
    int64_t window_ms;
    double share;               /* of the conversations, 0..1 */
    double shadow_share;        /* of the asks that are copied, 0..1 */
    int64_t shadow_idle_ms;     /* so long nobody must have wanted the machine */
    int64_t shadow_ms;          /* wall clock: when a shadow began last; 0 = there was none */
    bool alert_only;            /* a guard's breach is told, and changes nothing */
    bool forced;
    struct str preflight;       /* JSON: the checks; empty = none */
    struct str why;             /* of the force, or of the refusal */
};

enum { SWAP_SHADOW_IDLE_MS = 3000 };
#define SWAP_SHADOW_SHARE 0.05

void swap_init(struct swap *s);
void swap_fini(struct swap *s);
struct swap_role *swap_add(struct swap *s); /* one role more, zeroed; NULL: it has as many as it may */

/* ---- steps ---- */

enum swap_step { STEP_PLAN, STEP_EVIDENCE, STEP_SMOKE, STEP_START, STEP_PROMOTE, STEP_ROLLBACK, STEP_RETIRE, STEP_SHADOW, STEP_BREACH, SWAP_STEPS };
extern const char *const swap_step_name[SWAP_STEPS];

struct swap_wish {
    enum swap_step step;
    struct str role;            /* only this one; empty = all that may take it */
    struct str why;             /* a sentence: of who forces, or of the breach */
    bool force, early;
    int64_t window_ms;          /* START: 0 = as it was planned */
    double share;               /* START: 0 = as it was planned. SHADOW: of the asks; 0 = as before, or SWAP_SHADOW_SHARE */
    int64_t idle_ms;            /* SHADOW: 0 = as before, or SWAP_SHADOW_IDLE_MS */
    struct str baseline;        /* START: "rows", "saved", "none"; empty = rows, or what is saved where there are too few */
    struct str run;             /* EVIDENCE */
    const struct swap_proof *proof;
    int64_t now_ms;             /* wall clock */
};

/* Changes s, or ERR_WRONG_STATE (it is not in a state for that), ERR_GATE (there is no evidence, or it says worse: say force and why; the window is not over: say early),
 * ERR_NOT_FOUND (no such role in it). On an error s is as it was. */
enum err_code swap_take(struct swap *s, const struct swap_wish *w, struct err *e) __attribute__((warn_unused_result));
/* The role's proofs together. */
enum swap_verdict swap_judge(const struct swap_role *r);
struct swap_role *swap_role(struct swap *s, struct str name); /* NULL: not in it */
/* The next model of an engine's trial that was in memory and has not answered at the public door in the new build; NULL: none. */
const struct swap_role *swap_unsmoked(const struct swap *s);
/* Some role's candidate answers callers. */
bool swap_is_on(const struct swap *s);

/* The shifts of the roles that are on trial or promoted, in `out` (room for s->nroles; texts are the swap's). How many. */
size_t swap_shifts(const struct swap *s, struct arena *a, struct conf_shift *out);

/* What should be done next, in a sentence with the command. */
void swap_next(const struct swap *s, int64_t now_ms, struct buf *out);

/* ---- as text ---- */

/* The object of `hob swap status --json`, without "schema": {id, state, roles, window, …}; what is the store's own (saved guards) is in it too when `whole`. */
void swap_put(const struct swap *s, int64_t now_ms, bool whole, struct json_out *o);
/* What was put with `whole`. Names that are unknown are passed over. ERR_INTERNAL: it is none. */
enum err_code swap_read(struct swap *s, struct str json, struct err *e) __attribute__((warn_unused_result));

#endif
