/* hob swap simulate: plays trials with a guard as a real one has it, and says how many are rolled back, and when. No daemon is asked. */
#include "cli/numbers.h"
#include "cli/swap.h"
#include "evidence/seqtest.h"
#include "json/json.h"

#include <stdio.h>

static const double ALPHA = 0.05; /* of all guards of a trial */
static const int64_t EVENTS_MOST = 20000000000; /* some minutes */

struct simulation {
    double baseline, candidate, tolerance, share;
    int64_t requests, trials, sample, seed;
    struct seq_simulated found;
};

static int read_options(const struct cli_args *a, struct simulation *s)
{
    const struct { const char *name; double max, *to; } numbers[] = {
        { "--baseline", 1, &s->baseline }, { "--candidate", 1, &s->candidate }, { "--tolerance", 1, &s->tolerance }, { "--share", 1, &s->share } };
    const struct { const char *name; int64_t min, max, *to; } counts[] = {
        { "--requests", 1, 100000000, &s->requests }, { "--trials", 1, 10000000, &s->trials }, { "--baseline-requests", 0, 10000000, &s->sample },
        { "--seed", 0, INT64_MAX, &s->seed } };
    int rc = EXIT_OK;
    for (size_t i = 0; i < COUNTOF(numbers) && !rc; i++)
        rc = option_number(a, numbers[i].name, numbers[i].to == &s->share ? 0.001 : 0, numbers[i].max, numbers[i].to);
    for (size_t i = 0; i < COUNTOF(counts) && !rc; i++)
        rc = option_count(a, counts[i].name, counts[i].min, counts[i].max, counts[i].to);
    return rc;
}

static void print_json(const struct simulation *s)
{
    const struct { const char *key; double value; } rates[] = {
        { "baseline", s->baseline }, { "candidate", s->candidate }, { "tolerance", s->tolerance }, { "share", s->share }, { "rollback_rate", s->found.rollback_rate } };
    const struct { const char *key; int64_t value; } counts[] = {
        { "baseline_requests", s->sample }, { "requests", s->requests }, { "trials", s->trials }, { "median_requests", s->found.median_requests },
        { "p90_requests", s->found.p90_requests } };
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    for (size_t i = 0; i < COUNTOF(rates); i++) {
        json_key(&o, str_of(rates[i].key));
        json_double(&o, rates[i].value, 6);
    }
    for (size_t i = 0; i < COUNTOF(counts); i++) {
        json_key(&o, str_of(counts[i].key));
        json_int_or_null(&o, counts[i].value);
    }
    json_end_object(&o);
    printf("%.*s\n", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

static void print_lines(const struct simulation *s)
{
    printf("%.2f %% of %lld windows of %lld requests are rolled back\n", 100 * s->found.rollback_rate, (long long)s->trials, (long long)s->requests);
    const struct { const char *share; int64_t at; } rows[] = { { "half of all", s->found.median_requests }, { "90 % of all", s->found.p90_requests } };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (rows[i].at >= 0)
            printf("%s within %lld requests\n", rows[i].share, (long long)rows[i].at);
}

int swap_simulate(const struct cli_args *a, const struct str *words, size_t n)
{
    struct simulation s = { .baseline = -1, .candidate = -1, .share = 0.25, .requests = 2000, .trials = 10000, .sample = 2000, .seed = 1 };
    (void)words;
    (void)n;
    int rc = read_options(a, &s);
    if (rc)
        return rc;
    if (s.baseline < 0 || s.candidate < 0 || s.trials * (s.requests < 1000 ? 1000 : s.requests) > EVENTS_MOST || s.trials * s.sample > EVENTS_MOST) {
        fprintf(stderr, s.baseline < 0 || s.candidate < 0 ? "hob: how often do they fail? --baseline 0.02 --candidate 0.06\n" : "hob: that would take hours: fewer --trials or --requests\n");
        return EXIT_USAGE;
    }
    struct seq_guess guess = { .baseline = s.baseline, .candidate = s.candidate, .rule = { .baseline = { s.sample, 0 }, .tolerance = s.tolerance } };
    struct dice dice = dice_of((uint64_t)s.seed);
    seq_simulate(&guess, 1, ALPHA * s.share, s.requests, s.trials, &dice, &s.found);
    if (cli_flag(a, "--json"))
        print_json(&s);
    else
        print_lines(&s);
    return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}
