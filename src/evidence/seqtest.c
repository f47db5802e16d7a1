/* Accounts of bets against the candidate; see seqtest.h, and doc/internals/evidence.md for why it may be done so.
 *
 * One bet: the odds of a bad event are r times what they were at rate p. Each bad event then multiplies the account by r, and each event divides it by
 * 1 + p (r - 1). An account is spread over several r, since nobody knows how much worse a candidate is. It falls when p rises, so that it is enough to hold
 * it against the highest rate that each grade of the baseline's uncertainty leaves. */
#include "evidence/seqtest.h"

#include "base/err.h"
#include "evidence/chance.h"

#include <math.h>

/* What is staked on each ratio of odds. Most lies where rollbacks are worth their trouble; what is much worse shows soon, with any stake. */
static const struct bet { double ratio, stake; } bets[SEQ_RATIOS] = {
    { 1.2, 0.08 }, { 1.5, 0.12 }, { 2.0, 0.16 }, { 2.7, 0.20 }, { 3.6, 0.18 }, { 5.0, 0.12 }, { 9.0, 0.08 }, { 30.0, 0.06 },
};

/* ---- one guard ---- */

static void set_level(struct seq_guard *g, int level, double price, double rate)
{
    double p = fmin(rate + g->rule.tolerance, 1);
    g->price[level] = log(price);
    for (int k = 0; k < SEQ_RATIOS; k++)
        g->loss[level][k] = log1p(p * (bets[k].ratio - 1));
}

/* What the baseline says of a rate p: the chance u of seeing so few bad events or fewer, were it p. The true rate has a u below x with a chance of at most x, so
 * that u^(-2/3) / 3 is a fair price for it (its mean is 1; V. Vovk and R. Wang, Ann. Statist. 49, 2021). The exponent weighs small baselines, where far rates
 * must be paid for, against large ones. In steps of 2: between the rates with u = 2^-j and 2^-(j+1) the price is its mean over that step, and the account is the
 * higher rate's. Rates with u < 2^-30 are left out: once in 1e9 that is wrong. */
static void set_levels(struct seq_guard *g)
{
    static const double root = 0.79370052598409973738; /* of 1/2, the third */
    const struct seq_counts *b = &g->rule.baseline;
    g->levels = b->total ? SEQ_LEVELS : 1;
    if (!b->total)
        set_level(g, 0, 1, g->rule.rate);
    double u = 0.5, price = 2 * (1 - root);
    for (int j = 0; b->total && j < SEQ_LEVELS; j++) {
        set_level(g, j, price, binomial_upper(b->bad, b->total, u));
        u /= 2;
        price *= 2 * root;
    }
}

/* log of what a bet on one level has come to, and of all of them. */
static double log_bet(const struct seq_guard *g, int level, int k)
{
    return (double)g->seen.bad * log(bets[k].ratio) - (double)g->seen.total * g->loss[level][k];
}

static double log_bets(const struct seq_guard *g, int level)
{
    double at[SEQ_RATIOS], most = -INFINITY, sum = 0;
    for (int k = 0; k < SEQ_RATIOS; k++) {
        at[k] = log_bet(g, level, k);
        most = fmax(most, at[k]);
    }
    for (int k = 0; k < SEQ_RATIOS; k++)
        sum += bets[k].stake * exp(at[k] - most);
    return most + log(sum);
}

/* From here on this level is the one that is kept up with. */
static void follow(struct seq_guard *g, int level)
{
    g->tightest = level;
    for (int k = 0; k < SEQ_RATIOS; k++) {
        g->good[k] = exp(-g->loss[level][k]);
        g->bad[k] = g->good[k] * bets[k].ratio;
        g->stakes[k] = bets[k].stake * exp(fmin(g->price[level] + log_bet(g, level, k), 600));
    }
}

void seq_begin(struct seq_guard *g, const struct seq_rule *rule, struct seq_counts seen)
{
    const struct seq_counts *b = &rule->baseline;
    if (b->total < 0 || b->bad < 0 || b->bad > b->total || seen.bad < 0 || seen.bad > seen.total || !(rule->rate >= 0 && rule->rate <= 1) || !(rule->tolerance >= 0)
        || !(rule->weight >= 0))
        die("seq_begin: no such rule");
    *g = (struct seq_guard){ .rule = *rule, .seen = seen };
    if (rule->weight == 0)
        g->rule.weight = 1;
    set_levels(g);
    follow(g, 0);
}

/* The lowest of the levels. */
static double log_account(const struct seq_guard *g, int *level)
{
    double least = INFINITY;
    for (int j = 0; j < g->levels; j++) {
        double at = g->price[j] + log_bets(g, j);
        if (at < least) {
            least = at;
            *level = j;
        }
    }
    return least;
}

double seq_log_account(const struct seq_guard *g)
{
    int level;
    return log_account(g, &level);
}

double seq_rate_at_least(struct seq_counts seen, double alpha)
{
    struct seq_guard g = { .rule = { .weight = 1 }, .seen = seen, .levels = 1 };
    double lo = 0, hi = seen.total ? (double)seen.bad / (double)seen.total : 0;
    for (int i = 0; i < 60 && seen.bad; i++) {
        double middle = (lo + hi) / 2;
        set_level(&g, 0, 1, middle);
        *(log_bets(&g, 0) >= -log(alpha) ? &lo : &hi) = middle;
    }
    return lo;
}

/* ---- several ---- */

void seq_watch_begin(struct seq_watch *w, double alpha, const struct seq_rule *rules, const struct seq_counts *seen, size_t n)
{
    double sum = 0;
    if (n > SEQ_GUARDS || !(alpha > 0 && alpha < 1))
        die("seq_watch_begin: %zu guards, alpha %g", n, alpha);
    *w = (struct seq_watch){ .alpha = alpha, .n = n };
    for (size_t i = 0; i < n; i++) {
        seq_begin(&w->guards[i], &rules[i], seen ? seen[i] : (struct seq_counts){ 0, 0 });
        sum += w->guards[i].rule.weight;
    }
    for (size_t i = 0; i < n; i++)
        w->guards[i].rule.weight /= sum;
}

void seq_see(struct seq_watch *w, size_t i, bool bad)
{
    struct seq_guard *g = &w->guards[i];
    const double *factor = bad ? g->bad : g->good;
    g->seen.total++;
    g->seen.bad += bad;
    for (int k = 0; k < SEQ_RATIOS; k++) {
        double stake = g->stakes[k] * factor[k];
        g->stakes[k] = stake > 1e-250 ? stake : 0; /* as good as lost; what is below 1e-308 would be slow to reckon with */
    }
    w->fresh |= bad; /* a good event only lowers accounts */
}

static double sum_of_stakes(const struct seq_guard *g)
{
    double sum = 0;
    for (int k = 0; k < SEQ_RATIOS; k++)
        sum += g->stakes[k];
    return sum;
}

static double share_of(const struct seq_watch *w, const struct seq_guard *g, double log_of_account)
{
    return w->alpha * g->rule.weight * exp(fmin(log_of_account, 700));
}

double seq_progress(const struct seq_watch *w, size_t i)
{
    return share_of(w, &w->guards[i], seq_log_account(&w->guards[i]));
}

int seq_look(struct seq_watch *w)
{
    double most = 0, sum = 0;
    int loudest = -1;
    if (!w->fresh)
        return -1;
    w->fresh = false;
    for (size_t i = 0; i < w->n; i++)
        most += w->guards[i].rule.weight * sum_of_stakes(&w->guards[i]);
    if (most * w->alpha < 1)
        return -1;
    for (size_t i = 0; i < w->n; i++) {
        struct seq_guard *g = &w->guards[i];
        int level = g->tightest;
        double share = share_of(w, g, log_account(g, &level));
        if (level != g->tightest)
            follow(g, level);
        if (loudest < 0 || share > most) {
            loudest = (int)i;
            most = share;
        }
        sum += share;
    }
    return sum >= 1 ? loudest : -1;
}

/* ---- times ---- */

struct seq_limit seq_limit_of(const double *sorted, size_t n, double q)
{
    if (!n)
        return (struct seq_limit){ INFINITY, { 0, 0 } };
    size_t k = (size_t)fmax(ceil((double)n * q - 1e-9), 1); /* the k-th smallest */
    k = k > n ? n : k;
    return (struct seq_limit){ sorted[k - 1], { (int64_t)n, (int64_t)(n - k) } };
}
