/* evidence TRIALS: the figures that hob's statistics are held to, as lines of JSON. Windows are played with the very guards of a trial, gates with the very verdict.
 * tests/e2e/test_statistics.py holds them against their limits. */
#include "evidence/seqtest.h"
#include "evidence/stats.h"

#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 5000, SAMPLE = 2000 };

/* Errors, then what a trial watches beside them: times above the old model's quantiles, and rare faults. */
static const struct { const char *name; double rate, weight; bool limit; } guards[] = {
    { "errors", 0.02, 0.25, false }, { "ttft p50", 0.5, 0.09375, true },  { "ttft p95", 0.05, 0.09375, true }, { "total p50", 0.5, 0.09375, true },
    { "total p95", 0.05, 0.09375, true }, { "schema", 0.01, 0.09375, false }, { "length", 0.01, 0.09375, false }, { "fallback", 0.02, 0.09375, false },
    { "empty", 0.001, 0.09375, false },
};
enum { GUARDS = sizeof guards / sizeof *guards };

static void play(const char *name, int64_t sample, double errors, int64_t trials, uint64_t seed)
{
    struct seq_guess g[GUARDS];
    struct seq_simulated found;
    struct dice dice = dice_of(seed);
    for (size_t i = 0; i < GUARDS; i++)
        g[i] = (struct seq_guess){ .baseline = guards[i].rate, .candidate = i ? guards[i].rate : errors, .limit = guards[i].limit,
            .rule = { .baseline = { sample, 0 }, .weight = guards[i].weight } };
    seq_simulate(g, GUARDS, 0.05, WINDOW, trials, &dice, &found);
    printf("{\"figure\":\"%s\",\"baseline_requests\":%lld,\"window\":%d,\"guards\":%d,\"trials\":%lld,\"rollback_rate\":%g,\"median_requests\":%lld,\"p90_requests\":%lld}\n", name,
        (long long)sample, WINDOW, GUARDS, (long long)trials, found.rollback_rate, (long long)found.median_requests, (long long)found.p90_requests);
}

/* How often 20 pairs let a model pass that is 25 points worse. */
static void gate(double discordance, int64_t trials, uint64_t seed)
{
    struct judge_rule rule = judge_usual;
    struct dice dice = dice_of(seed);
    int64_t counts[VERDICT_COUNT] = { 0 };
    rule.power = 0;
    for (int64_t t = 0; t < trials; t++) {
        struct pairs p = { 0 };
        struct verdict v;
        for (int i = 0; i < 20; i++) {
            double u = dice_unit(&dice);
            *(u < (discordance - 0.25) / 2 ? &p.only_b : u < discordance ? &p.only_a : &p.both) += 1;
        }
        pairs_judge(&p, &rule, &v);
        counts[v.kind]++;
    }
    double n = (double)trials;
    printf("{\"figure\":\"gate\",\"discordance\":%g,\"trials\":%lld,\"passed\":%g,\"worse\":%g}\n", discordance, (long long)trials,
        (double)(counts[VERDICT_BETTER] + counts[VERDICT_NOT_WORSE]) / n, (double)counts[VERDICT_WORSE] / n);
}

int main(int argc, char **argv)
{
    int64_t trials = argc > 1 ? atoll(argv[1]) : 10000;
    play("alike", SAMPLE, 0.02, trials, 1);
    play("alike, the old model's rates known", 0, 0.02, trials, 2);
    play("alike, few requests of the old model", 300, 0.02, trials, 3);
    play("errors 2 % to 6 %", SAMPLE, 0.06, trials, 4);
    gate(0.25, trials, 5);
    gate(0.5, trials, 6);
    return 0;
}
