/* Is b as good as a? What passes and fails on the same cases say of it, and how much they can say: intervals, tests, a verdict, and how many cases would do
 * where there is none. Formulas with their sources, and what was rejected: doc/internals/evidence.md, "Statistics".
 *
 * Pure: nothing is kept, any thread. Rates and differences are 0..1; a difference is rate(b) - rate(a), a being the old one. */
#ifndef HOB_EVIDENCE_STATS_H
#define HOB_EVIDENCE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
    double lo, hi;
};

/* E. B. Wilson's score interval of a rate (JASA 22, 1927), two-sided, error `alpha`. total 0: [0, 1]. */
struct interval wilson_interval(int64_t pass, int64_t total, double alpha);

/* Two models that did not answer the same cases: rate(b) - rate(a), by Newcombe's method 10 (Stat. Med. 17, 1998, 873-890). */
struct interval unpaired_interval(int64_t a_pass, int64_t a_total, int64_t b_pass, int64_t b_total, double alpha);

/* ---- the same cases for both ---- */

/* How many cases: passed by both, by one alone, by none. */
struct pairs {
    int64_t both, only_a, only_b, neither;
};
static inline void pairs_count(struct pairs *p, bool a, bool b)
{
    *(a ? b ? &p->both : &p->only_a : b ? &p->only_b : &p->neither) += 1;
}
static inline int64_t pairs_total(const struct pairs *p)
{
    return p->both + p->only_a + p->only_b + p->neither;
}

/* Tango's score interval of the difference (Stat. Med. 17, 1998, 891-908), two-sided, error `alpha`. No pairs: [-1, 1]. */
struct interval pairs_interval(const struct pairs *p, double alpha);

/* Tango's score statistic against "the difference is `delta`", -1 < delta < 1: about normal where it is; above 0 speaks for more. The same for fractional
 * counts, which weighed cases have. */
double tango_score(double only_a, double only_b, double total, double delta);

/* McNemar's test that both pass as often, two-sided, from the cases that only one passed. Exact: by the binomial. Mid-p: counts half of the chance of what was
 * seen; nearer to its level, yet may exceed it a little (Fagerland, Lydersen, Laake, BMC Med. Res. Methodol. 13:91, 2013). */
enum mcnemar { MCNEMAR_EXACT, MCNEMAR_MID_P };
double pairs_p(const struct pairs *p, enum mcnemar kind);

/* ---- verdicts ---- */

struct judge_rule {
    double alpha;         /* of the two-sided interval and test; one side has half of it */
    double margin;        /* so much worse is still "not worse" */
    double power;         /* the chance that `needed` pairs tell */
    enum mcnemar mcnemar;
};
extern const struct judge_rule judge_usual; /* 5 %, 5 points, 80 %, exact */

/* In this order of precedence. A difference is only claimed when interval and test agree, since either alone is wrong too often where few pairs differ. */
enum verdict_kind {
    VERDICT_BETTER,      /* the interval is above 0, and p <= alpha */
    VERDICT_NOT_WORSE,   /* the interval is above -margin */
    VERDICT_WORSE,       /* the interval is below 0, and p <= alpha */
    VERDICT_CANNOT_TELL,
    VERDICT_COUNT
};
extern const char *const verdict_names[VERDICT_COUNT]; /* "better" "not worse" "worse" "cannot tell" */

struct verdict {
    enum verdict_kind kind;
    int64_t pairs;        /* what was compared: pairs, or cases */
    double difference;    /* 0 without pairs */
    double lo, hi;        /* its interval */
    double p;             /* that the models are alike: McNemar's, or its form for repeated cases */
    int64_t needed;       /* cannot tell: about so many pairs would do; else 0 */
    double power;         /* the rule's: needed pairs tell so often, when the models are as they have shown themselves here */
    struct interval a, b; /* Wilson's of each one's rate */
    double a_rate, b_rate;
    int64_t a_pass, b_pass, a_total, b_total; /* answers */
};

/* rule NULL: the usual one. */
void pairs_judge(const struct pairs *p, const struct judge_rule *rule, struct verdict *out);

/* Each case asked several times. Answers to one case are alike, so that ten answers to one case are not ten cases: cases are what is counted. The difference is
 * the mean of the cases' own differences, its interval Tango's with as many pairs as the scatter between cases is worth (never fewer than the cases), the test
 * turns signs of whole cases (all ways of turning them, counted exactly). With one answer each both are those of pairs_judge(). A case that one of the two never
 * answered is left out. */
struct case_score {
    int32_t a_pass, a_total, b_pass, b_total;
};
void cases_judge(const struct case_score *c, size_t n, const struct judge_rule *rule, struct verdict *out);

/* The chance that `total` new pairs tell (any verdict but "cannot tell"), when so many of them differ (discordance, 0..1) and b is better by `difference`; and how
 * many do so with the rule's power. Exact up to 20,000 pairs, by the normal distribution above. */
double pairs_power(int64_t total, double discordance, double difference, const struct judge_rule *rule);
int64_t pairs_needed(double discordance, double difference, const struct judge_rule *rule);

/* ---- several suites ---- */

/* S. Holm's step-down (Scand. J. Statist. 6, 1979): adjusted[i] <= alpha holds for all claims together with error alpha. adjusted may be p. */
void holm_adjust(const double *p, size_t n, double *adjusted);

/* One comparison on n suites: takes back what was "better" or "worse" by chance among so many (p becomes the adjusted one); "not worse" stays as it is, since
 * who asks for it on every suite is not wrong more often than on one. A "worse" that is taken back is "cannot tell" with `needed` 0. */
void verdicts_adjust(struct verdict *v, size_t n, const struct judge_rule *rule);

/* ---- does a suite tell models apart? ---- */

enum case_kind {
    CASE_TELLS,          /* models differ on it */
    CASE_ALL_PASS,       /* too easy, or it expects too little */
    CASE_ALL_FAIL,       /* too hard, or it expects what is wrong */
    CASE_ALIKE,          /* repeated, and all models pass as often */
    CASE_EMPTY,          /* fewer than two models have answered */
    CASE_KINDS
};
extern const char *const case_names[CASE_KINDS];

struct cell { /* a model's answers to a case */
    int32_t pass, total;
};
struct discrimination {
    int64_t counts[CASE_KINDS];
    int64_t tells_most;  /* cases on which the two models that differ most differ */
    int64_t tells_least; /* so many of them, all for the same model, are the fewest that any test calls a difference */
    bool discriminates;  /* tells_most >= tells_least: below, whatever the models' merits, no comparison by this suite can end in a difference */
    double lowest, highest; /* rate of any model */
};
/* cells[case * models + model]. kinds (cases of them) may be NULL. */
void suite_discriminates(const struct cell *cells, size_t cases, size_t models, double alpha, enum case_kind *kinds, struct discrimination *out);

#endif
