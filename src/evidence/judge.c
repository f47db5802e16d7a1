/* Verdicts, and how many pairs would lead to one. */
#include "base/err.h"
#include "evidence/chance.h"
#include "evidence/stats_int.h"

#include <math.h>

const struct judge_rule judge_usual = { .alpha = 0.05, .margin = 0.05, .power = 0.8, .mcnemar = MCNEMAR_EXACT };

const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_BETTER] = "better", [VERDICT_NOT_WORSE] = "not worse", [VERDICT_WORSE] = "worse", [VERDICT_CANNOT_TELL] = "cannot tell" };

enum verdict_kind verdict_read(const struct verdict *v, const struct judge_rule *rule)
{
    if (v->lo > 0 && v->p <= rule->alpha)
        return VERDICT_BETTER;
    if (v->lo > -rule->margin)
        return VERDICT_NOT_WORSE;
    return v->hi < 0 && v->p <= rule->alpha ? VERDICT_WORSE : VERDICT_CANNOT_TELL;
}

void pairs_judge(const struct pairs *p, const struct judge_rule *rule, struct verdict *out)
{
    const struct judge_rule *r = rule ? rule : &judge_usual;
    int64_t n = pairs_total(p), a = p->both + p->only_a, b = p->both + p->only_b;
    struct interval d = pairs_interval(p, r->alpha);
    *out = (struct verdict){ .pairs = n, .lo = d.lo, .hi = d.hi, .p = pairs_p(p, r->mcnemar), .power = r->power,
        .a_pass = a, .b_pass = b, .a_total = n, .b_total = n, .a = wilson_interval(a, n, r->alpha), .b = wilson_interval(b, n, r->alpha) };
    if (n) {
        out->difference = (double)(p->only_b - p->only_a) / (double)n;
        out->a_rate = (double)a / (double)n;
        out->b_rate = (double)b / (double)n;
    }
    out->kind = verdict_read(out, r);
    if (out->kind == VERDICT_CANNOT_TELL)
        out->needed = needed_after((double)p->only_a, (double)p->only_b, (double)n, r);
}

void verdicts_adjust(struct verdict *v, size_t n, const struct judge_rule *rule)
{
    const struct judge_rule *r = rule ? rule : &judge_usual;
    enum { MOST = 1024 };
    double p[MOST] = { 0 };
    if (n > MOST)
        die("verdicts_adjust: %zu suites", n);
    for (size_t i = 0; i < n; i++)
        p[i] = v[i].p;
    holm_adjust(p, n, p);
    for (size_t i = 0; i < n; i++) {
        bool told = v[i].kind != VERDICT_CANNOT_TELL;
        v[i].p = p[i];
        if (told)
            v[i].kind = verdict_read(&v[i], r);
    }
}

/* ---- how many would tell ---- */

enum { EXACT_MOST = 20000 }; /* pairs; beyond, the normal distribution is as good */
static const int64_t NEEDED_MOST = 1000000000;

/* Standard deviation of a pair's difference: when it is `difference`, and as Tango's statistic assumes it under the margin. */
static double deviation(double discordance, double difference)
{
    return sqrt(fmax(discordance - difference * difference, 0));
}

static double deviation_at_margin(double discordance, double difference, double margin)
{
    double only_a = (discordance - difference) / 2, only_b = (discordance + difference) / 2, score = tango_score(only_a, only_b, 1, -margin);
    double excess = difference + margin;
    return score != 0 && excess != 0 ? excess / score : deviation(discordance, difference);
}

static double power_by_normal(double n, double discordance, double difference, const struct judge_rule *r)
{
    double z = normal_quantile(1 - r->alpha / 2), s = fmax(deviation(discordance, difference), 1e-12), root = sqrt(n);
    double not_worse = normal_below((root * (difference + r->margin) - z * deviation_at_margin(discordance, difference, r->margin)) / s);
    double worse = normal_below((-root * difference - z * sqrt(discordance)) / s);
    return fmax(not_worse, worse);
}

/* Of `differing` pairs: the fewest that b must win for "not worse"; differing + 1: it cannot. */
static int64_t wins_for_not_worse(int64_t differing, double total, double z, double margin)
{
    int64_t lo = 0, hi = differing + 1;
    while (lo < hi) {
        int64_t wins = lo + (hi - lo) / 2;
        if (tango_score((double)(differing - wins), (double)wins, total, -margin) > z)
            hi = wins;
        else
            lo = wins + 1;
    }
    return lo;
}

/* The most that b may win for "worse"; -1: it is not. */
static int64_t wins_for_worse(int64_t differing, double total, double z, const struct judge_rule *r)
{
    int64_t lo = -1, hi = differing / 2;
    while (lo < hi) {
        int64_t wins = lo + (hi - lo + 1) / 2;
        struct pairs p = { .only_a = differing - wins, .only_b = wins };
        if (tango_score((double)p.only_a, (double)wins, total, 0) < -z && pairs_p(&p, r->mcnemar) <= r->alpha)
            lo = wins;
        else
            hi = wins - 1;
    }
    return lo;
}

static double power_exactly(int64_t n, double discordance, double difference, const struct judge_rule *r)
{
    double z = normal_quantile(1 - r->alpha / 2), share = discordance > 0 ? fmin(fmax(0.5 + difference / discordance / 2, 0), 1) : 0.5, sum = 0;
    double middle = (double)n * discordance, reach = 6 * sqrt(middle) + 8;
    int64_t from = (int64_t)fmax(middle - reach, 0), to = (int64_t)fmin(middle + reach, (double)n);
    for (int64_t differing = from; differing <= to; differing++) {
        int64_t most = wins_for_worse(differing, (double)n, z, r), least = wins_for_not_worse(differing, (double)n, z, r->margin);
        if (most >= least)
            most = least - 1;
        sum += binomial_at(differing, n, discordance) * (binomial_at_least(least, differing, share) + binomial_at_most(most, differing, share));
    }
    return fmin(sum, 1);
}

double pairs_power(int64_t total, double discordance, double difference, const struct judge_rule *rule)
{
    const struct judge_rule *r = rule ? rule : &judge_usual;
    if (total <= 0)
        return 0;
    return total <= EXACT_MOST ? power_exactly(total, discordance, difference, r) : power_by_normal((double)total, discordance, difference, r);
}

/* The smallest that the normal distribution gives; NEEDED_MOST where none does. (Nam, Biometrics 53, 1997, 1422-1430.) */
static int64_t needed_by_normal(double discordance, double difference, const struct judge_rule *r)
{
    double z = normal_quantile(1 - r->alpha / 2), zb = normal_quantile(r->power), s = deviation(discordance, difference);
    double not_worse = (z * deviation_at_margin(discordance, difference, r->margin) + zb * s) / (difference + r->margin);
    double worse = (z * sqrt(discordance) + zb * s) / -difference;
    double n = (double)NEEDED_MOST;
    if (difference > -r->margin && not_worse < sqrt(n))
        n = not_worse * not_worse;
    if (difference < 0 && worse < sqrt(n))
        n = worse * worse;
    return (int64_t)ceil(n);
}

/* From the normal distribution's number to the exact one. Power rises with the number in small steps up and down: this finds one place where it passes, not
 * the first, and "about" is what is said of it. */
int64_t pairs_needed(double discordance, double difference, const struct judge_rule *rule)
{
    const struct judge_rule *r = rule ? rule : &judge_usual;
    int64_t hi = needed_by_normal(discordance, difference, r), lo;
    if (hi >= NEEDED_MOST)
        return 0;
    hi = hi < 1 ? 1 : hi;
    for (lo = hi; lo > 1 && lo <= EXACT_MOST && pairs_power(lo, discordance, difference, r) >= r->power; lo -= lo / 8 + 1)
        hi = lo;
    while (hi <= EXACT_MOST && pairs_power(hi, discordance, difference, r) < r->power) {
        lo = hi;
        hi += hi / 8 + 1;
    }
    lo = lo < 1 ? 1 : lo;
    while (hi <= EXACT_MOST && hi - lo > 1) {
        int64_t middle = lo + (hi - lo) / 2;
        *(pairs_power(middle, discordance, difference, r) >= r->power ? &hi : &lo) = middle;
    }
    return hi;
}

/* Were the models as they have shown themselves. None of 20 pairs differing does not mean that none ever will: half a pair more is assumed to differ. */
int64_t needed_after(double only_a, double only_b, double total, const struct judge_rule *rule)
{
    if (!(rule->power > 0))
        return 0;
    double discordance = (only_a + only_b + 0.5) / (total + 1), difference = total > 0 ? (only_b - only_a) / total : 0;
    difference = fmin(fmax(difference, -discordance), discordance);
    int64_t n = pairs_needed(discordance, difference, rule);
    return n && n <= (int64_t)total ? (int64_t)total + 1 : n;
}
