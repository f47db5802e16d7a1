/* The search over an engine's settings; what its phases are for stands in tune.h. */
#include "evidence/tune.h"

#include "base/err.h"
#include "base/str.h"
#include "evidence/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Five pairs all one way come by chance once in 32; four once in 16. */
enum { LEAST_ROUNDS = 5, MAX_PAIRS = 8, BASE_RUNS = 2, CONTESTS = 2, ARMS = 3 };
enum { ARM_STANDARD, ARM_PRESENT, ARM_FOUND };

const struct tune_rule tune_usual = { 10 * 60 * 1000, 0.02, 0.15, 3, 6 };
const char *const tune_phase_names[TUNE_OVER + 1] = {
    [TUNE_BASE] = "base", [TUNE_ANCHOR] = "anchor", [TUNE_SCREEN] = "screen", [TUNE_CONTEST] = "contest", [TUNE_CHECK] = "check", [TUNE_CONFIRM] = "confirm", [TUNE_OVER] = "over",
};

struct tune {
    struct tune_factor factors[TUNE_MAX_FACTORS];
    size_t n;
    struct tune_rule rule;
    enum tune_phase phase;
    struct tune_point best;
    double anchor;              /* what the best took when it was last run */
    size_t base_runs;
    size_t factor, value;       /* in turn */
    double screened[TUNE_MAX_VALUES]; /* of the factor in turn; NaN = out, or not yet */
    size_t contests;
    bool rival_next;            /* in a contest: the best is run first, then the rival */
    double best_took[MAX_PAIRS], rival_took[MAX_PAIRS];
    size_t npairs;
    bool enough, cut;
    /* the confirmation */
    struct tune_point arms[ARMS];
    size_t same[ARMS];          /* the arm with the same point that is run for it */
    double took[ARMS][TUNE_MAX_ROUNDS];
    size_t round, arm, rounds;
    /* what a trial costs */
    size_t trials;
    int64_t ended_ms;           /* of the last trial */
    double trial_ms;            /* mean of those so far */
    struct tune_result kept;    /* its list of refused ones */
};

/* ---- points ---- */

static bool same_point(const struct tune *t, const struct tune_point *a, const struct tune_point *b)
{
    return memcmp(a->at, b->at, t->n) == 0;
}

static struct tune_point with(const struct tune *t, size_t factor, size_t value)
{
    struct tune_point p = t->best;
    p.at[factor] = (uint8_t)value;
    return p;
}

struct tune *tune_new(const struct tune_factor *factors, size_t n, const struct tune_rule *rule)
{
    struct tune *t = calloc(1, sizeof *t);
    if (!t)
        die("out of memory for a search");
    if (n == 0 || n > TUNE_MAX_FACTORS)
        die("%zu factors", n);
    memcpy(t->factors, factors, n * sizeof *factors);
    t->n = n;
    t->rule = rule ? *rule : tune_usual;
    t->rule.pairs = t->rule.pairs < 1 ? 1 : t->rule.pairs > MAX_PAIRS ? MAX_PAIRS : t->rule.pairs;
    t->rule.rounds = t->rule.rounds > TUNE_MAX_ROUNDS ? TUNE_MAX_ROUNDS : t->rule.rounds;
    for (size_t i = 0; i < n; i++) {
        t->best.at[i] = (uint8_t)factors[i].present;
        t->arms[ARM_PRESENT].at[i] = (uint8_t)factors[i].present;
        t->arms[ARM_STANDARD].at[i] = (uint8_t)factors[i].standard;
    }
    t->anchor = NAN;
    return t;
}

void tune_free(struct tune *t)
{
    free(t);
}

/* ---- the confirmation ---- */

static void begin_confirm(struct tune *t)
{
    t->phase = TUNE_CONFIRM;
    t->arms[ARM_FOUND] = t->best;
    for (size_t i = 0; i < ARMS; i++) {
        t->same[i] = i;
        for (size_t k = 0; k < i && t->same[i] == i; k++)
            if (same_point(t, &t->arms[i], &t->arms[k]))
                t->same[i] = k;
    }
    t->rounds = t->rule.rounds ? t->rule.rounds : 1;
    t->arm = t->round = 0;
}

static size_t arms_of(const struct tune *t, const struct tune_point *found)
{
    const struct tune_point *standard = &t->arms[ARM_STANDARD], *present = &t->arms[ARM_PRESENT];
    size_t n = 1 + !same_point(t, standard, present);
    return n + (!same_point(t, found, present) && !same_point(t, found, standard));
}

/* Is there time left to search, beside what confirming will take? */
static bool time_left(const struct tune *t, int64_t now_ms)
{
    struct tune_point other = with(t, t->factor < t->n ? t->factor : 0, 0);
    double confirm = t->trial_ms * (double)(LEAST_ROUNDS * (arms_of(t, &other) > 2 ? 3 : 2));
    return !t->rule.budget_ms || (double)now_ms + t->trial_ms + confirm < (double)t->rule.budget_ms;
}

/* The rounds beyond the least are a matter of time. */
static bool round_fits(const struct tune *t, int64_t now_ms)
{
    double cost = t->trial_ms * (double)arms_of(t, &t->arms[ARM_FOUND]);
    return t->round < LEAST_ROUNDS || !t->rule.budget_ms || (double)now_ms + cost < (double)t->rule.budget_ms;
}

/* Those that another stands for, and what could not be run in the first round. */
static void skip_arms(struct tune *t)
{
    while (t->arm < ARMS && (t->same[t->arm] != t->arm || (t->round && isnan(t->took[t->arm][0])))) {
        if (t->round)
            t->took[t->arm][t->round] = NAN;
        t->arm++;
    }
}

static void step_confirm(struct tune *t, int64_t now_ms)
{
    bool nothing = arms_of(t, &t->arms[ARM_FOUND]) < 2; /* all three are one */
    skip_arms(t);
    if (t->arm == ARMS) {
        t->round++;
        t->arm = 0;
        if (t->round < t->rounds && round_fits(t, now_ms))
            skip_arms(t);
        else
            nothing = true;
    }
    if (nothing || t->arm == ARMS)
        t->phase = TUNE_OVER;
}

/* ---- the search ---- */

static bool has_choice(const struct tune_factor *f)
{
    return f->searched > 1 || (f->searched == 1 && f->present != 0);
}

static void begin_factor(struct tune *t, size_t factor)
{
    t->factor = factor;
    t->value = 0;
    t->contests = 0;
    for (size_t i = 0; i < TUNE_MAX_VALUES; i++)
        t->screened[i] = NAN;
    while (t->factor < t->n && !has_choice(&t->factors[t->factor]))
        t->factor++;
    if (t->factor == t->n)
        begin_confirm(t);
    else
        t->phase = TUNE_ANCHOR;
}

/* The value that looked best in its one run and is not through yet; SIZE_MAX: none is worth a contest. */
static size_t best_rival(const struct tune *t)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < t->factors[t->factor].searched; i++)
        if (!isnan(t->screened[i]) && (best == SIZE_MAX || t->screened[i] < t->screened[best]))
            best = i;
    return best;
}

/* A value that was as fast as the best within what one run tells is contested, too: a loser is one that is far behind. But only the first: it costs pairs of runs. */
static void begin_contest(struct tune *t)
{
    size_t rival = best_rival(t);
    bool promising = rival != SIZE_MAX && (isnan(t->anchor) || t->screened[rival] < t->anchor * (t->contests ? 1 - t->rule.least_gain : 1 + t->rule.loser / 3));
    if (!promising || t->contests == CONTESTS) {
        begin_factor(t, t->factor + 1);
        return;
    }
    t->phase = TUNE_CONTEST;
    t->value = rival;
    t->contests++;
    t->npairs = 0;
    t->rival_next = false;
}

static void step_screen(struct tune *t)
{
    const struct tune_factor *f = &t->factors[t->factor];
    while (t->value < f->searched && t->value == t->best.at[t->factor])
        t->value++;
    if (t->value >= f->searched)
        begin_contest(t);
}

static void lose(struct tune *t)
{
    t->screened[t->value] = NAN;
    begin_contest(t);
}

static void take(struct tune *t)
{
    t->best = with(t, t->factor, t->value);
    begin_factor(t, t->factor + 1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *v, size_t n)
{
    double sorted[TUNE_MAX_ROUNDS];
    if (!n)
        return NAN;
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, by_value);
    return quantile_of(sorted, n, 0.5);
}

/* All pairs for it, and by enough in the middle: by chance that comes once in eight, which the confirmation then finds. */
static void judge_contest(struct tune *t)
{
    double ratio[MAX_PAIRS];
    size_t wins = 0;
    for (size_t i = 0; i < t->npairs; i++) {
        ratio[i] = t->rival_took[i] / t->best_took[i];
        wins += ratio[i] < 1;
    }
    double last = ratio[t->npairs - 1];
    if (isnan(last) || wins < t->npairs || last > 1 + t->rule.loser) {
        lose(t);
        return;
    }
    if (t->npairs < t->rule.pairs)
        return;
    if (median(ratio, t->npairs) > 1 - t->rule.least_gain)
        lose(t);
    else if (t->factors[t->factor].answers)
        t->phase = TUNE_CHECK;
    else
        take(t);
}

/* ---- the outside ---- */

static bool searches(const struct tune *t)
{
    return t->phase >= TUNE_ANCHOR && t->phase <= TUNE_CONTEST;
}

void tune_next(struct tune *t, int64_t now_ms, struct tune_trial *out)
{
    if (searches(t) && (t->enough || !time_left(t, now_ms))) {
        t->cut = true;
        begin_confirm(t);
    }
    if (t->phase == TUNE_SCREEN)
        step_screen(t);
    if (t->phase == TUNE_CONFIRM)
        step_confirm(t, now_ms);
    *out = (struct tune_trial){ .want = TUNE_MEASURE, .phase = t->phase, .factor = t->factor, .value = t->value, .point = t->best };
    if (t->phase == TUNE_SCREEN || t->phase == TUNE_CHECK || (t->phase == TUNE_CONTEST && t->rival_next))
        out->point = with(t, t->factor, t->value);
    if (t->phase == TUNE_CHECK)
        out->want = TUNE_SUITE;
    if (t->phase == TUNE_CONFIRM)
        out->point = t->arms[t->arm];
    if (t->phase == TUNE_OVER)
        out->want = TUNE_END;
}

static void count_trial(struct tune *t, int64_t now_ms)
{
    t->trial_ms += ((double)(now_ms - t->ended_ms) - t->trial_ms) / (double)(t->trials + 1);
    t->trials++;
    t->ended_ms = now_ms;
}

static void took_contest(struct tune *t, double cost)
{
    if (!t->rival_next) {
        t->best_took[t->npairs] = cost;
        t->anchor = isnan(cost) ? t->anchor : cost;
        t->rival_next = true;
        return;
    }
    t->rival_took[t->npairs++] = cost;
    t->rival_next = false;
    judge_contest(t);
}

void tune_took(struct tune *t, double cost, int64_t now_ms)
{
    count_trial(t, now_ms);
    if (!(cost > 0))
        cost = NAN;
    switch (t->phase) {
    case TUNE_BASE:
        t->anchor = isnan(t->anchor) || cost < t->anchor ? cost : t->anchor;
        if (++t->base_runs >= BASE_RUNS)
            begin_factor(t, 0);
        break;
    case TUNE_ANCHOR:
        t->anchor = isnan(cost) ? t->anchor : cost;
        t->phase = TUNE_SCREEN;
        t->value = 0;
        break;
    case TUNE_SCREEN:
        t->screened[t->value] = isnan(t->anchor) || cost < t->anchor * (1 + t->rule.loser) ? cost : NAN;
        t->value++;
        break;
    case TUNE_CONTEST:
        took_contest(t, cost);
        break;
    case TUNE_CONFIRM:
        t->took[t->arm][t->round] = cost;
        t->arm++;
        break;
    case TUNE_CHECK:
    case TUNE_OVER:
        break;
    }
}

/* The time that a suite takes is no trial's. */
void tune_suite(struct tune *t, bool passes, int64_t now_ms)
{
    t->ended_ms = now_ms;
    if (t->phase != TUNE_CHECK)
        return;
    if (passes) {
        take(t);
        return;
    }
    if (t->kept.nrefused < TUNE_MAX_REFUSED) {
        t->kept.refused[t->kept.nrefused].factor = t->factor;
        t->kept.refused[t->kept.nrefused++].value = t->value;
    }
    lose(t);
}

void tune_enough(struct tune *t)
{
    t->enough = true;
}

/* ---- what it came to ---- */

struct tune_gain tune_gain_of(const double *from, const double *to, size_t n)
{
    struct tune_gain g = { .factor = NAN, .lo = NAN, .hi = NAN };
    double a[TUNE_MAX_ROUNDS], b[TUNE_MAX_ROUNDS];
    for (size_t i = 0; i < n && g.rounds < TUNE_MAX_ROUNDS; i++) {
        if (isnan(from[i]) || isnan(to[i]))
            continue;
        a[g.rounds] = log(from[i]);
        b[g.rounds++] = log(to[i]);
    }
    if (!g.rounds)
        return g;
    struct dice dice = dice_of(1);
    struct quantile d = bootstrap_paired(a, b, g.rounds, 0.5, &bootstrap_usual, &dice);
    g.factor = exp(-d.value);
    g.lo = exp(-d.hi);
    g.hi = exp(-d.lo);
    g.sure = g.rounds >= LEAST_ROUNDS && g.lo > 1;
    return g;
}

/* Of rounds that both arms have. */
static struct tune_gain gain_of(const struct tune *t, size_t over)
{
    size_t from = t->same[over], to = t->same[ARM_FOUND];
    return tune_gain_of(t->took[from], t->took[to], from == to ? 0 : t->round);
}

static double middle(const struct tune *t, size_t arm)
{
    double v[TUNE_MAX_ROUNDS];
    size_t n = 0;
    for (size_t i = 0; i < t->round; i++)
        if (!isnan(t->took[t->same[arm]][i]))
            v[n++] = t->took[t->same[arm]][i];
    return median(v, n);
}

void tune_result(const struct tune *t, struct tune_result *out)
{
    *out = t->kept;
    bool confirmed = t->phase >= TUNE_CONFIRM;
    out->found = t->best;
    out->trials = t->trials;
    out->cut = t->cut;
    out->over_present = confirmed ? gain_of(t, ARM_PRESENT) : (struct tune_gain){ NAN, NAN, NAN, 0, false };
    out->over_standard = confirmed ? gain_of(t, ARM_STANDARD) : (struct tune_gain){ NAN, NAN, NAN, 0, false };
    out->present = confirmed ? middle(t, ARM_PRESENT) : NAN;
    out->standard = confirmed ? middle(t, ARM_STANDARD) : NAN;
    out->cost = confirmed ? middle(t, ARM_FOUND) : NAN;
    out->changed = out->over_present.sure && out->over_present.factor >= 1 + t->rule.least_gain && !same_point(t, &t->best, &t->arms[ARM_PRESENT]);
    out->best = out->changed ? t->best : t->arms[ARM_PRESENT];
}
