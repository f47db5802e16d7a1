/* evidence TRIALS: the figures that hob's statistics are held to, as lines of JSON. Windows are played with the very guards of a trial, gates with the very verdict.
 * tests/e2e/test_statistics.py holds them against their limits. */
#include "evidence/guards.h"
#include "evidence/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 5000, SAMPLE = 2000 };

/* Errors, then what a trial watches beside them, with the shares of alpha that they have (guards.c) and no tolerance: times above the old model's quantiles, and rare faults. */
static const struct { const char *name; double rate, weight; bool limit; } guards[] = {
    { "errors", 0.02, 4, false },     { "saturation", 0.01, 1, false }, { "ttft", 0.05, 1.5, true },  { "total", 0.05, 1.5, true },
    { "ttft busy", 0.05, 1, true },   { "total busy", 0.05, 1, true },  { "schema", 0.01, 2, false }, { "thoughts", 0.01, 1, false },
    { "empty", 0.001, 1, false },     { "cut", 0.02, 1, false },        { "fallback", 0.02, 1, false },
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

/* ---- the same with rows, as a trial sees them ---- */

struct life {
    const char *name;
    double errors;              /* of the new one; the old one has 2 % */
    double outage_ms, outages;  /* its host is down for up to so long; how often, for each request */
    double was_busy, is_busy;   /* of requests come to a host that has others, and take four times as long */
    bool each;                  /* no run is known: a row without a time */
    enum down { REFUSES, BREAKER, FAILS } down; /* of outages: no connection; the same behind a breaker, which lets one in 30 s through; it answers with a 500 */
};
enum { GAP_MS = 1000 };         /* between requests, on average */

struct living {
    struct dice *dice;
    double now_ms, down_from_ms, down_until_ms, asked_ms; /* when a breaker let one through last */
};

/* What its breaker makes of one that is down: three may find out, then one in 30 s. */
static bool is_left_alone(struct living *l, const struct life *k, double down_ms)
{
    if (k->down != BREAKER || down_ms < 3 * GAP_MS || l->now_ms - l->asked_ms >= 30000) {
        l->asked_ms = l->now_ms;
        return false;
    }
    return true;
}

static void make_row(struct living *l, const struct life *k, const struct guard_whom *whom, double errors, double busy, struct request_row *r)
{
    double u = dice_unit(l->dice), slow = exp(0.6 * (dice_unit(l->dice) + dice_unit(l->dice) + dice_unit(l->dice) - 1.5));
    l->now_ms -= GAP_MS * log(1 - dice_unit(l->dice));
    if (l->now_ms > l->down_until_ms && dice_chance(l->dice, k->outages)) {
        l->down_from_ms = l->now_ms;
        l->down_until_ms = l->now_ms + k->outage_ms * dice_unit(l->dice);
    }
    *r = (struct request_row){ .time_ms = k->each ? 0 : (int64_t)l->now_ms, .id = STR("req_1"), .endpoint = STR("chat"), .role = whom->role, .model = whom->model, .code = STR("ok"),
        .status = 200, .output_tokens = dice_chance(l->dice, 0.001) ? 0 : 20, .finish = u < 0.02 ? FINISH_LENGTH : FINISH_STOP, .unasked_thoughts = u > 0.99,
        .others = dice_chance(l->dice, busy) ? 3 : 0, .ttft_ms = 150 * slow, .total_ms = 900 * slow };
    if (r->others) {
        r->ttft_ms *= 4;
        r->total_ms *= 4;
    }
    bool down = l->now_ms < l->down_until_ms;
    if (!down && !dice_chance(l->dice, errors))
        return;
    r->status = 502;
    r->fault = down || dice_chance(l->dice, 0.5) ? FAULT_BACKEND : FAULT_MODEL;
    r->code = r->fault == FAULT_BACKEND ? STR("backend_failed") : STR("schema_unmet");
    r->output_tokens = 0;
    r->finish = FINISH_UNKNOWN;
    r->away = down && k->down != FAILS && !k->each;
    if (down && is_left_alone(l, k, l->now_ms - l->down_from_ms))
        r->code = STR("breaker_open");
}

/* After how many requests it is rolled back; -1 = it is not. */
static int64_t one_life(const struct life *k, struct dice *dice, struct guards *g)
{
    static const struct guard_whom old = { STR("chat"), STR("old") }, new = { STR("chat"), STR("new") };
    struct living l = { .dice = dice, .now_ms = 1.8e12 };
    struct request_row row;
    struct baseline b;
    baseline_begin(&b);
    for (int i = 0; i < SAMPLE; i++) {
        make_row(&l, k, &old, 0.02, k->was_busy, &row);
        baseline_see(&b, &old, &row);
    }
    guards_begin(g, &b);
    l.now_ms = fmax(l.now_ms, l.down_until_ms); /* a trial begins with an answer of its candidate */
    for (int64_t i = 1; i <= WINDOW; i++) {
        make_row(&l, k, &new, k->errors, k->is_busy, &row);
        if (guards_see(g, &new, &row) >= 0)
            return i;
    }
    return -1;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void live(const struct life *k, int64_t trials, uint64_t seed)
{
    struct dice dice = dice_of(seed);
    struct guards *g = malloc(sizeof *g);
    int64_t *at = calloc((size_t)trials + 1, sizeof *at), found = 0, breaches[GUARD_NAMES] = { 0 };
    if (!g || !at)
        exit(1);
    for (int64_t t = 0; t < trials; t++) {
        int64_t after = one_life(k, &dice, g);
        if (after > 0) {
            at[found++] = after;
            breaches[g->breach]++;
        }
    }
    qsort(at, (size_t)found, sizeof *at, by_size);
    printf("{\"figure\":\"%s\",\"baseline_requests\":%d,\"window\":%d,\"guards\":%d,\"trials\":%lld,\"rollback_rate\":%g,\"median_requests\":%lld,\"by\":{", k->name, SAMPLE, WINDOW,
        GUARD_KINDS, (long long)trials, (double)found / (double)trials, (long long)(2 * found > trials ? at[(trials - 1) / 2] : -1));
    for (size_t i = 0, n = 0; i < GUARD_NAMES; i++)
        if (breaches[i])
            printf("%s\"%s\":%lld", n++ ? "," : "", guard_name[i], (long long)breaches[i]);
    printf("}}\n");
    fflush(stdout);
    free(at);
    free(g);
}

static const struct life lives[] = {
    { "alike, by rows", 0.02, 0, 0, 0.1, 0.1, false },
    { "alike, a busy week after a quiet month", 0.02, 0, 0, 0.05, 0.6, false },
    { "alike, its host is down for up to a minute after each 500 requests", 0.02, 60000, 0.002, 0.1, 0.1, false },
    { "the same, were each failure counted", 0.02, 60000, 0.002, 0.1, 0.1, true },
    { "alike, its host is down for up to five minutes after each 1000 requests", 0.02, 300000, 0.001, 0.1, 0.1, false },
    { "errors 2 % to 6 %, by rows", 0.06, 0, 0, 0.1, 0.1, false },
    { "errors 2 % to 6 %, its host is down for up to a minute after each 500 requests", 0.06, 60000, 0.002, 0.1, 0.1, false },
    { "alike, the same behind a breaker", 0.02, 300000, 0.001, 0.1, 0.1, false, BREAKER },
    { "the same, were its host up and answered each with a 500", 0.02, 300000, 0.001, 0.1, 0.1, false, FAILS },
    { "its host is down for up to an hour after each 5000 requests, behind a breaker", 0.02, 3600000, 0.0002, 0.1, 0.1, false, BREAKER },
    { "errors 2 % to 6 %, its host is down for up to five minutes after each 1000 requests", 0.06, 300000, 0.001, 0.1, 0.1, false },
    { "errors 2 % to 6 %, the same behind a breaker", 0.06, 300000, 0.001, 0.1, 0.1, false, BREAKER },
};

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
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
        live(&lives[i], trials, 10 + i);
    gate(0.25, trials, 5);
    gate(0.5, trials, 6);
    return 0;
}
