/* Is the candidate worse than the old model was? Asked after every request of a trial, for as long as it lasts, without raising more false alarms than one look
 * at its end would: a test by betting. For each guard there is an account that begins with 1 and gains with every bad event, more than it loses with good ones,
 * only when bad events come more often than they may; that it ever holds 1/alpha has a chance of at most alpha where they do not, however often one looks
 * (J. Ville, 1939). A number of guards share one alpha by putting their weighed accounts together.
 *
 * An event is a yes or no: an error, a broken answer, or a time above the old model's median or 95th percentile: how far above does not count, so that no
 * distribution of times can mislead it. What is known of the old model is a sample too; a candidate is held against all rates that this leaves likely.
 *
 * Pure, and all there is to keep of a guard is its rule and two counts. Idea, formulas, sources: doc/internals/evidence.md, "Sequential tests". */
#ifndef HOB_EVIDENCE_SEQTEST_H
#define HOB_EVIDENCE_SEQTEST_H

#include "evidence/dice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEQ_GUARDS = 16, SEQ_LEVELS = 30, SEQ_RATIOS = 8 };

struct seq_counts {
    int64_t total, bad;
};

struct seq_rule {
    struct seq_counts baseline; /* what was seen of the old model; total 0: `rate` is known to be its */
    double rate;
    double tolerance;           /* the candidate's rate may be higher by this much (0.01: one point) */
    double weight;              /* this guard's share of alpha; those of a watch are scaled to sum up to 1. 0 counts as 1 */
};

/* To save one: rule and seen. seq_begin() makes the rest of them. */
struct seq_guard {
    struct seq_rule rule;
    struct seq_counts seen;

    int levels;
    double price[SEQ_LEVELS];               /* log: what the baseline says against a rate above the level before */
    double loss[SEQ_LEVELS][SEQ_RATIOS];    /* log: what each event costs the bet on an odds ratio, were the old model's rate that level */
    int tightest;                           /* the level that was lowest when all were looked at last; the account is at most its */
    double stakes[SEQ_RATIOS];              /* what the bets on it have come to, times its price */
    double good[SEQ_RATIOS], bad[SEQ_RATIOS]; /* what an event does to them */
};

struct seq_watch {
    double alpha;                           /* of all guards together, over the whole window */
    size_t n;
    struct seq_guard guards[SEQ_GUARDS];
    bool fresh;                             /* nothing that could breach has been seen since the last look */
};

/* seen: what was saved, or zeros. A rule that is none (bad > total, rates outside 0..1) is a bug: die(). About 100 us. */
void seq_begin(struct seq_guard *g, const struct seq_rule *rule, struct seq_counts seen);
void seq_watch_begin(struct seq_watch *w, double alpha, const struct seq_rule *rules, const struct seq_counts *seen, size_t n); /* seen NULL: zeros */

/* An event of guard i. Those of one request are all seen before the next look: they depend on each other. */
void seq_see(struct seq_watch *w, size_t i, bool bad);

/* -1, or the guard that speaks loudest against the candidate, when all together say so often enough: the trial is over (who goes on is told -1 again when the
 * accounts fall, so the first answer is the one to keep). O(1); cheap when nothing bad was seen. */
int seq_look(struct seq_watch *w);

/* log of the account: 0 at the beginning, below 0 speaks for the candidate. */
double seq_log_account(const struct seq_guard *g);
/* How much of what a breach takes guard i has by itself: 1 is enough. For people. */
double seq_progress(const struct seq_watch *w, size_t i);
/* The candidate's rate is at least this, with error `alpha` over all looks (0 without evidence): "at least 3.1 %, where the old model had 2 %". */
double seq_rate_at_least(struct seq_counts seen, double alpha);

/* ---- times ---- */

/* The old model's quantile as a limit, and the counts for a rule: how many of its own times were above. Right for any distribution of times: which share of all
 * times lies above the k-th of n does not depend on it. n 0: no limit (infinite), counts zero, and there is no guard. */
struct seq_limit {
    double limit;
    struct seq_counts counts;
};
struct seq_limit seq_limit_of(const double *sorted, size_t n, double q);

/* ---- how long a window must be ---- */

struct seq_guess {
    double baseline, candidate; /* true rates */
    struct seq_rule rule;       /* its baseline.total is the size of the sample of the old model, drawn anew each trial; 0: the rate is known */
    bool limit;                 /* a share of times above a limit: the limit is what is drawn */
};
struct seq_simulated {
    double rollback_rate;       /* of all trials */
    int64_t median_requests, p90_requests; /* until the rollback, over all trials; -1: that many trials were not rolled back within the window */
    int64_t by_guard[SEQ_GUARDS];
};
/* n guards (at most SEQ_GUARDS) see every request of `trials` windows of `requests`. Some 50 ns a request and guard. */
void seq_simulate(const struct seq_guess *guess, size_t n, double alpha, int64_t requests, int64_t trials, struct dice *dice, struct seq_simulated *out);

#endif
