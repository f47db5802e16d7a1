/* Trials that never were, to know how long a real one must be, and that a guard does not cry wolf. */
#include "base/err.h"
#include "evidence/chance.h"
#include "evidence/seqtest.h"

#include <math.h>
#include <stdlib.h>

/* Guards as they begin, by what their baseline happened to be: most samples of the old model have one of a few hundred counts. */
enum { KEPT = 512 };
struct kept {
    struct seq_guard *guards; /* KEPT of them; levels 0: none yet */
};

struct world {
    const struct seq_guess *guess;
    size_t n;
    struct kept kept[SEQ_GUARDS];
    struct dice *dice;
};

static int64_t draw_count(struct dice *dice, int64_t total, double p)
{
    int64_t bad = 0;
    for (int64_t i = 0; i < total; i++)
        bad += dice_chance(dice, p);
    return bad;
}

static struct seq_guard *begun(struct world *w, size_t i, const struct seq_rule *rule)
{
    struct seq_guard *g = &w->kept[i].guards[rule->baseline.bad % KEPT];
    if (!g->levels || g->rule.baseline.bad != rule->baseline.bad)
        seq_begin(g, rule, (struct seq_counts){ 0, 0 });
    return g;
}

/* A new sample of the old model, the guard that follows from it, and how often the candidate will be bad. A limit has the same number above it each time, and
 * what varies is the share of all times that lies above: a draw from the distribution that order statistics have. */
static double begin_guard(struct world *w, size_t i, struct seq_guard *out)
{
    const struct seq_guess *guess = &w->guess[i];
    struct seq_rule rule = guess->rule;
    double worse = guess->candidate - guess->baseline, truth = guess->baseline;
    int64_t total = rule.baseline.total;
    if (!total)
        rule.rate = guess->baseline;
    else if (guess->limit) {
        rule.baseline.bad = (int64_t)floor((double)total * guess->baseline + 1e-9);
        truth = binomial_upper(rule.baseline.bad, total, 1 - dice_unit(w->dice));
    } else
        rule.baseline.bad = draw_count(w->dice, total, guess->baseline);
    double weight = out->rule.weight;
    *out = *begun(w, i, &rule);
    out->rule.weight = weight;
    return fmin(fmax(truth + worse, 0), 1);
}

/* The request after which one trial is rolled back, -1 = never; *which: the guard that said so. */
static int64_t one_trial(struct world *w, struct seq_watch *watch, int64_t requests, int *which)
{
    double rates[SEQ_GUARDS];
    for (size_t i = 0; i < w->n; i++)
        rates[i] = begin_guard(w, i, &watch->guards[i]);
    for (int64_t r = 1; r <= requests; r++) {
        for (size_t i = 0; i < w->n; i++)
            seq_see(watch, i, dice_chance(w->dice, rates[i]));
        *which = seq_look(watch);
        if (*which >= 0)
            return r;
    }
    return -1;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t within(const int64_t *sorted, int64_t found, int64_t trials, double q)
{
    int64_t k = (int64_t)ceil((double)trials * q);
    return k >= 1 && k <= found ? sorted[k - 1] : -1;
}

void seq_simulate(const struct seq_guess *guess, size_t n, double alpha, int64_t requests, int64_t trials, struct dice *dice, struct seq_simulated *out)
{
    struct world w = { .guess = guess, .n = n, .dice = dice };
    struct seq_watch watch;
    struct seq_rule rules[SEQ_GUARDS];
    int64_t *at = calloc(trials > 0 ? (size_t)trials : 1, sizeof *at), found = 0;
    if (n > SEQ_GUARDS || !at)
        die("seq_simulate: %zu guards, %lld trials", n, (long long)trials);
    for (size_t i = 0; i < n; i++) {
        rules[i] = guess[i].rule;
        if (!(w.kept[i].guards = calloc(KEPT, sizeof *w.kept[i].guards)))
            die("no memory for a simulation");
    }
    seq_watch_begin(&watch, alpha, rules, NULL, n);
    *out = (struct seq_simulated){ 0 };
    for (int64_t t = 0; t < trials; t++) {
        int which = -1;
        watch.fresh = false;
        int64_t r = one_trial(&w, &watch, requests, &which);
        if (r < 0)
            continue;
        at[found++] = r;
        out->by_guard[which]++;
    }
    qsort(at, (size_t)found, sizeof *at, compare);
    out->rollback_rate = trials > 0 ? (double)found / (double)trials : 0;
    out->median_requests = within(at, found, trials, 0.5);
    out->p90_requests = within(at, found, trials, 0.9);
    for (size_t i = 0; i < n; i++)
        free(w.kept[i].guards);
    free(at);
}
