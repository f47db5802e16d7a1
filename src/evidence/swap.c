#include "evidence/swap.h"

#include <string.h>
#include <time.h>

const char *const swap_state_name[SWAP_STATES] = {
    [SWAP_PLANNED] = "planned", [SWAP_REFUSED] = "refused", [SWAP_EVIDENCED] = "evidenced", [SWAP_SHADOW] = "shadow", [SWAP_TRIAL] = "trial",
    [SWAP_PROMOTED] = "promoted", [SWAP_ROLLED_BACK] = "rolled_back", [SWAP_RETIRED] = "retired",
};
struct str swap_state_words(struct str name)
{
    return str_eq(name, str_of(swap_state_name[SWAP_ROLLED_BACK])) ? STR("rolled back") : name;
}

/* Behind "is". */
static struct str is_words(enum swap_state state)
{
    return state == SWAP_TRIAL ? STR("on trial") : state == SWAP_SHADOW ? STR("in its shadow") : swap_state_words(str_of(swap_state_name[state]));
}

const char *const swap_verdict_name[SWAP_VERDICTS] = {
    [SWAP_UNJUDGED] = "", [SWAP_BETTER] = "better", [SWAP_NOT_WORSE] = "not worse", [SWAP_WORSE] = "worse", [SWAP_CANNOT_TELL] = "cannot tell",
};
const char *const swap_step_name[SWAP_STEPS] = {
    [STEP_PLAN] = "plan", [STEP_EVIDENCE] = "evidence", [STEP_SMOKE] = "smoke", [STEP_START] = "start", [STEP_PROMOTE] = "promote",
    [STEP_ROLLBACK] = "rollback", [STEP_RETIRE] = "retire", [STEP_SHADOW] = "shadow", [STEP_BREACH] = "breach",
};

void swap_init(struct swap *s)
{
    *s = (struct swap){ .share = 1, .room = 4 };
    arena_init(&s->arena);
    s->roles = arena_array(&s->arena, struct swap_role, s->room);
}

struct swap_role *swap_add(struct swap *s)
{
    if (s->nroles == (s->engine.name.n ? SWAP_MAX_MODELS : SWAP_MAX_ROLES))
        return NULL;
    if (s->nroles == s->room) {
        struct swap_role *more = arena_array(&s->arena, struct swap_role, 2 * s->room);
        memcpy(more, s->roles, s->nroles * sizeof *more);
        s->roles = more;
        s->room *= 2;
    }
    s->roles[s->nroles] = (struct swap_role){ .state = SWAP_PLANNED };
    return &s->roles[s->nroles++];
}

void swap_fini(struct swap *s)
{
    arena_fini(&s->arena);
}

/* ---- states ---- */

#define ON(state) (1u << (state))

/* From which states of a role a step may be taken, and where it leads; from some it is taken, and leaves them as they are. */
static const struct { unsigned from; enum swap_state to; unsigned stays; } moves[SWAP_STEPS] = {
    [STEP_EVIDENCE] = { ON(SWAP_PLANNED) | ON(SWAP_EVIDENCED) | ON(SWAP_SHADOW), SWAP_EVIDENCED, ON(SWAP_SHADOW) },
    [STEP_SHADOW]   = { ON(SWAP_PLANNED) | ON(SWAP_EVIDENCED) | ON(SWAP_SHADOW) | ON(SWAP_ROLLED_BACK), SWAP_SHADOW, 0 },
    [STEP_START]    = { ON(SWAP_PLANNED) | ON(SWAP_EVIDENCED) | ON(SWAP_SHADOW) | ON(SWAP_ROLLED_BACK), SWAP_TRIAL, 0 },
    [STEP_PROMOTE]  = { ON(SWAP_TRIAL), SWAP_PROMOTED, 0 },
    [STEP_ROLLBACK] = { ON(SWAP_SHADOW) | ON(SWAP_TRIAL) | ON(SWAP_PROMOTED), SWAP_ROLLED_BACK, 0 },
    [STEP_RETIRE]   = { ON(SWAP_PLANNED) | ON(SWAP_EVIDENCED) | ON(SWAP_SHADOW) | ON(SWAP_TRIAL) | ON(SWAP_PROMOTED) | ON(SWAP_ROLLED_BACK), SWAP_RETIRED, 0 },
    [STEP_BREACH]   = { ON(SWAP_TRIAL), SWAP_ROLLED_BACK, 0 },
};

/* The whole is what the liveliest of its roles is. */
static const enum swap_state liveliest[] = { SWAP_TRIAL, SWAP_PROMOTED, SWAP_SHADOW, SWAP_EVIDENCED, SWAP_PLANNED, SWAP_RETIRED, SWAP_ROLLED_BACK };

static void settle(struct swap *s)
{
    if (s->state == SWAP_REFUSED)
        return;
    for (size_t i = 0; i < COUNTOF(liveliest); i++)
        for (size_t k = 0; k < s->nroles; k++)
            if (s->roles[k].state == liveliest[i]) {
                s->state = liveliest[i];
                return;
            }
}

struct swap_role *swap_role(struct swap *s, struct str name)
{
    for (size_t i = 0; i < s->nroles; i++)
        if (str_eq(s->roles[i].name, name))
            return &s->roles[i];
    return NULL;
}

static bool role_is_on(const struct swap_role *r)
{
    return r->state == SWAP_TRIAL || r->state == SWAP_PROMOTED;
}

bool swap_is_on(const struct swap *s)
{
    for (size_t i = 0; i < s->nroles; i++)
        if (role_is_on(&s->roles[i]))
            return true;
    return false;
}

/* One suite that is worse is worse; one that cannot tell leaves it open; better needs one that is, and none of the two. */
enum swap_verdict swap_judge(const struct swap_role *r)
{
    static const enum swap_verdict gravest[] = { SWAP_WORSE, SWAP_CANNOT_TELL, SWAP_BETTER, SWAP_NOT_WORSE };
    for (size_t i = 0; i < COUNTOF(gravest); i++)
        for (size_t k = 0; k < r->nproofs; k++)
            if (r->proofs[k].verdict == gravest[i])
                return gravest[i];
    return SWAP_UNJUDGED;
}

const struct swap_role *swap_unsmoked(const struct swap *s)
{
    for (size_t i = 0; i < s->nroles && s->engine.name.n; i++)
        if (s->roles[i].state == SWAP_TRIAL && s->roles[i].resident && !s->roles[i].smoked_ms)
            return &s->roles[i];
    return NULL;
}

/* ---- the gate ---- */

static bool is_meant(const struct swap_role *r, const struct swap_wish *w)
{
    if (w->role.n)
        return str_eq(r->name, w->role);
    return moves[w->step].from & ON(r->state);
}

static enum err_code no_such_role(const struct swap *s, struct str name, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "Swap %lld has no %s '%.*s'.", (long long)s->id, s->engine.name.n ? "model" : "role", STR_ARG(name));
}

static enum err_code check_state(const struct swap *s, const struct swap_wish *w, struct err *e)
{
    size_t meant = 0;
    if (s->state == SWAP_REFUSED)
        return err_set(e, ERR_WRONG_STATE, "Swap %lld was refused by its preflight: %.150s", (long long)s->id, s->why.n ? s->why.p : "see its checks");
    for (size_t i = 0; i < s->nroles; i++) {
        const struct swap_role *r = &s->roles[i];
        if (!is_meant(r, w))
            continue;
        meant++;
        if (!(moves[w->step].from & ON(r->state)))
            return err_set(e, ERR_WRONG_STATE, "'%.*s' of swap %lld is %.*s: it cannot take the step '%s'.", STR_ARG(r->name), (long long)s->id,
                STR_ARG(is_words(r->state)), swap_step_name[w->step]);
    }
    if (meant)
        return ERR_OK;
    if (w->role.n)
        return no_such_role(s, w->role, e);
    return err_set(e, ERR_WRONG_STATE, "Swap %lld is %.*s: it cannot take the step '%s'.", (long long)s->id, STR_ARG(is_words(s->state)),
        swap_step_name[w->step]);
}

static bool any_judged(const struct swap *s)
{
    for (size_t i = 0; i < s->nroles; i++)
        if (s->roles[i].verdict)
            return true;
    return false;
}

/* Who was in memory has been compared in both builds; of the others nobody knows, and it is said. Smoke comes when its child is up: before, there is none to ask. */
static enum err_code gate_build(const struct swap *s, const struct swap_role *r, struct err *e)
{
    if (r->verdict == SWAP_WORSE || (r->verdict == SWAP_UNJUDGED && r->resident)) {
        err_set(e, ERR_GATE, r->verdict ? "'%.*s': the evidence says that it is worse in the new build." : "'%.*s': nothing is known yet of it in the new build.", STR_ARG(r->name));
        return err_hint(e, r->verdict ? "`hob swap status %lld` has the figures; `hob swap start %lld --force --why TEXT` tries it all the same." :
            "Run `hob swap evidence %lld` first, or `hob swap start %lld --force --why TEXT`.", (long long)s->id, (long long)s->id);
    }
    if (any_judged(s))
        return ERR_OK;
    err_set(e, ERR_GATE, "No model was in memory, and none has been compared in both builds.");
    return err_hint(e, "`hob swap evidence %lld --all` compares them; `hob swap start %lld --force --why TEXT` does without.", (long long)s->id, (long long)s->id);
}

static enum err_code gate_start(const struct swap *s, const struct swap_role *r, const struct swap_wish *w, struct err *e)
{
    if (w->force && !str_trim(w->why).n) {
        err_set(e, ERR_GATE, "A start by force says why.");
        return err_hint(e, "Add --why TEXT: it is kept with the swap.");
    }
    if (w->force)
        return ERR_OK;
    if (s->engine.name.n)
        return gate_build(s, r, e);
    if (r->verdict == SWAP_UNJUDGED || r->verdict == SWAP_WORSE) {
        err_set(e, ERR_GATE, r->verdict ? "'%.*s': the evidence says that %.*s is worse than %.*s." : "'%.*s': nothing is known yet of %.*s against %.*s.",
            STR_ARG(r->name), STR_ARG(r->to), STR_ARG(r->from));
        return err_hint(e, r->verdict ? "`hob swap status %lld` has the figures; `hob swap start %lld --force --why TEXT` tries it all the same." :
            "Run `hob swap evidence %lld` first, or `hob swap start %lld --force --why TEXT`.", (long long)s->id, (long long)s->id);
    }
    if (!r->smoked_ms) {
        err_set(e, ERR_GATE, "'%.*s': %.*s has not answered at the public door yet.", STR_ARG(r->name), STR_ARG(r->to));
        return err_hint(e, "`hob swap start %lld` asks it one thing first; over HTTP say that with the step `smoke`.", (long long)s->id);
    }
    return ERR_OK;
}

static enum err_code gate_promote(const struct swap *s, const struct swap_wish *w, struct err *e)
{
    const struct swap_role *silent = swap_unsmoked(s);
    if (silent) {
        err_set(e, ERR_GATE, "'%.*s' has not answered at the public door in the new build yet.", STR_ARG(silent->name));
        return err_hint(e, "`hob swap start %lld` asks it.", (long long)s->id);
    }
    if (w->early || w->now_ms >= s->until_ms)
        return ERR_OK;
    int64_t hours = (s->until_ms - w->now_ms + 3599999) / 3600000;
    err_set(e, ERR_GATE, "The trial of swap %lld lasts %lld h more.", (long long)s->id, (long long)hours);
    return err_hint(e, "`hob swap promote %lld --early` ends it now.", (long long)s->id);
}

static enum err_code check_gate(const struct swap *s, const struct swap_wish *w, struct err *e)
{
    enum err_code rc = ERR_OK;
    if (w->step == STEP_PROMOTE)
        rc = gate_promote(s, w, e);
    for (size_t i = 0; i < s->nroles && !rc && w->step == STEP_START; i++)
        if (is_meant(&s->roles[i], w))
            rc = gate_start(s, &s->roles[i], w, e);
    return rc;
}

/* ---- steps ---- */

static void add_proof(struct swap *s, struct swap_role *r, const struct swap_proof *p)
{
    size_t at = 0;
    while (at < r->nproofs && !str_eq(r->proofs[at].suite, p->suite))
        at++;
    if (at == SWAP_MAX_PROOFS)
        return;
    r->nproofs = at < r->nproofs ? r->nproofs : at + 1; /* a suite run again takes the place of its last run */
    r->proofs[at] = *p;
    r->proofs[at].suite = arena_copy(&s->arena, p->suite);
    r->proofs[at].run = arena_copy(&s->arena, p->run);
    r->proofs[at].note = arena_copy(&s->arena, p->note);
    r->verdict = swap_judge(r);
}

static void begin_trial(struct swap *s, const struct swap_wish *w)
{
    s->window_ms = w->window_ms ? w->window_ms : s->window_ms;
    s->share = w->share > 0 ? w->share : s->share;
    s->forced |= w->force;
    if (w->force)
        s->why = arena_copy(&s->arena, w->why);
    s->from_ms = w->now_ms;
    s->until_ms = w->now_ms + s->window_ms;
}

static void begin_shadow(struct swap *s, const struct swap_wish *w)
{
    s->shadow_share = w->share > 0 ? w->share : s->shadow_share > 0 ? s->shadow_share : SWAP_SHADOW_SHARE;
    s->shadow_idle_ms = w->idle_ms ? w->idle_ms : s->shadow_idle_ms ? s->shadow_idle_ms : SWAP_SHADOW_IDLE_MS;
    s->shadow_ms = w->now_ms;
}

static void move_role(struct swap *s, struct swap_role *r, const struct swap_wish *w)
{
    if (!(moves[w->step].stays & ON(r->state)))
        r->state = moves[w->step].to;
    r->why = arena_copy(&s->arena, w->why);
    if (w->step == STEP_EVIDENCE && w->proof)
        add_proof(s, r, w->proof);
    if (w->step == STEP_START) {
        r->guards = STR("");
        r->guards_at = 0;
        r->up_ms = 0;
        r->smoked_ms = s->engine.name.n ? 0 : r->smoked_ms;
    }
}

static enum err_code take_smoke(struct swap *s, const struct swap_wish *w, struct err *e)
{
    struct swap_role *r = swap_role(s, w->role);
    if (!r)
        return no_such_role(s, w->role, e);
    if (s->engine.name.n && (r->state != SWAP_TRIAL || !r->up_ms))
        return err_set(e, ERR_WRONG_STATE, "'%.*s' does not run in the new build.", STR_ARG(r->name));
    r->smoked_ms = w->now_ms;
    return ERR_OK;
}

enum err_code swap_take(struct swap *s, const struct swap_wish *w, struct err *e)
{
    if (w->step == STEP_SMOKE)
        return take_smoke(s, w, e);
    enum err_code rc = check_state(s, w, e);
    if (!rc)
        rc = check_gate(s, w, e);
    if (rc)
        return rc;
    bool meant[SWAP_MAX_MODELS] = { false };
    for (size_t i = 0; i < s->nroles; i++)
        meant[i] = is_meant(&s->roles[i], w);
    if (w->step == STEP_START)
        begin_trial(s, w);
    if (w->step == STEP_SHADOW)
        begin_shadow(s, w);
    for (size_t i = 0; i < s->nroles; i++)
        if (meant[i])
            move_role(s, &s->roles[i], w);
    settle(s);
    return ERR_OK;
}

/* ---- what it changes ---- */

static struct str day_of(struct arena *a, int64_t wall_ms)
{
    char text[16];
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%d", &tm))
        return STR("");
    return arena_copy(a, str_of(text));
}

size_t swap_shifts(const struct swap *s, struct arena *a, struct conf_shift *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s->nroles; i++) {
        const struct swap_role *r = &s->roles[i];
        bool all = r->state == SWAP_PROMOTED || s->share >= 1;
        if (role_is_on(r) && s->engine.name.n)
            out[n++] = (struct conf_shift){ r->name, r->said, r->from, r->to, 1, STR(""), s->engine.name };
        else if (role_is_on(r))
            out[n++] = (struct conf_shift){ r->name, r->said, r->from, r->to, all ? 1 : s->share, all ? day_of(a, s->until_ms) : STR(""), STR("") };
    }
    return n;
}

/* The number of the swap stands between the two. */
struct words {
    const char *before, *after; /* after NULL: `before` alone */
};

static bool lacks_proof(const struct swap *s)
{
    for (size_t i = 0; i < s->nroles; i++)
        if (s->roles[i].resident && !s->roles[i].verdict)
            return true;
    return false;
}

static struct words next_words(const struct swap *s, int64_t now_ms)
{
    static const struct words rows[SWAP_STATES] = {
        [SWAP_PLANNED]     = { "hob swap evidence ", ": run the suites with both models" },
        [SWAP_REFUSED]     = { "mend what the preflight has found, and plan it again", NULL },
        [SWAP_EVIDENCED]   = { "hob swap start ", ": begin the trial" },
        [SWAP_SHADOW]      = { "pairs gather while the machine is idle; hob swap start ", " begins the trial" },
        [SWAP_TRIAL]       = { "wait for the window's end; hob swap rollback ", " ends it at once" },
        [SWAP_PROMOTED]    = { "write it into hob.yaml; until then hob keeps to it, and hob swap rollback ", " leads back" },
        [SWAP_ROLLED_BACK] = { "it is as it was; hob swap start ", " tries again" },
        [SWAP_RETIRED]     = { "nothing: the file says what holds", NULL },
    };
    if (s->engine.name.n && s->state == SWAP_PLANNED)
        return (struct words){ "hob swap evidence ", ": run the suites with its models in both builds" };
    if (s->engine.name.n && s->state == SWAP_PROMOTED)
        return (struct words){ "write its path into hob.yaml; until then hob keeps to it, and hob swap rollback ", " leads back" };
    if (s->engine.name.n && s->state == SWAP_EVIDENCED && lacks_proof(s))
        return (struct words){ "hob swap evidence ", ": not all models that were in memory have been compared" };
    if (swap_unsmoked(s))
        return (struct words){ "hob swap start ", " goes on: not all models have answered in the new build yet" };
    for (size_t i = 0; i < s->nroles && s->state == SWAP_EVIDENCED; i++)
        if (s->roles[i].verdict == SWAP_WORSE)
            return (struct words){ "it is worse: nothing is to be done, or hob swap start ", " --force --why TEXT" };
    if (s->state == SWAP_TRIAL && now_ms >= s->until_ms)
        return (struct words){ "the window is over: hob swap promote ", ", or rollback" };
    return rows[s->state];
}

void swap_next(const struct swap *s, int64_t now_ms, struct buf *out)
{
    struct words w = next_words(s, now_ms);
    buf_add(out, str_of(w.before));
    if (w.after)
        buf_printf(out, "%lld%s", (long long)s->id, w.after);
}
