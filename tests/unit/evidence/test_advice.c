/* Local, cloud or hybrid: each rule from both sides of its threshold, and what is missing. */
#include "evidence/advice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { NONE = -1 };

/* A role whose places are both there unless it is said. */
struct given {
    double hours;
    int64_t requests;
    double private_share;
    bool no_local, no_cloud;
    struct { double errors, refused, wait_p95_ms; int64_t requests; } local;
    int suite;                  /* NONE: not judged */
    bool no_price;
};

static struct advice_facts facts(const struct given *g)
{
    return (struct advice_facts){
        .hours = g->hours,
        .requests = g->requests,
        .private_share = g->private_share,
        .local = { !g->no_local, g->local.requests, g->local.errors, g->local.refused, g->local.wait_p95_ms, 900 },
        .cloud = { !g->no_cloud, 100, 0, 0, 0, 900 },
        .judged = g->suite != NONE,
        .suite = g->suite == NONE ? VERDICT_CANNOT_TELL : (enum verdict_kind)g->suite,
        .price_input = 1,
        .price_output = g->no_price ? -1 : 2,
    };
}

static void test_the_rules(void **state)
{
    enum { OK = VERDICT_NOT_WORSE, BAD = VERDICT_WORSE };
    static const struct {
        struct given g;
        enum advice_place place;
        const char *rule, *says;
        unsigned missing;           /* besides the electricity */
    } cases[] = {
        { { 240, 10000, 0, 0, 0, { 0.01, 0, 100, 9000 }, OK }, ADVICE_LOCAL, "good_enough", "1000 requests a day", 0 },
        { { 23.9, 10000, 0, 0, 0, { 0 }, OK }, ADVICE_UNKNOWN, "too_few_rows", "23.9 hours", MISSING_ROWS },
        { { 240, 29, 0, 0, 0, { 0 }, OK }, ADVICE_UNKNOWN, "too_few_rows", "29 requests", MISSING_ROWS },
        { { 240, 30, 0, 0, 0, { 0 }, OK }, ADVICE_LOCAL, "low_volume", "3.0 requests a day are too little volume for hybrid", 0 },
        { { 0, 0, 0, 0, 0, { 0 }, NONE, true }, ADVICE_UNKNOWN, "too_few_rows", "0 requests in 0.0 hours", MISSING_ROWS | MISSING_SUITE | MISSING_PRICE },
        { { 240, 10000, 0.5, 0, 0, { 0 }, OK }, ADVICE_LOCAL, "private", "50 % of its requests are private", 0 },
        { { 240, 10000, 0.49, 0, 0, { 0 }, OK }, ADVICE_LOCAL, "good_enough", "", 0 },
        { { 240, 10000, 0.5, true, 0, { 0 }, NONE }, ADVICE_LOCAL, "private_without_a_place", "nobody may answer", MISSING_LOCAL },
        { { 240, 10000, 0, true, 0, { 0 }, NONE }, ADVICE_CLOUD, "only_cloud", "nothing to choose", MISSING_LOCAL },
        { { 240, 10000, 0, 0, true, { 0.02, 0.01, 5000, 9000 }, NONE }, ADVICE_LOCAL, "only_local", "keeps up", MISSING_CLOUD },
        { { 240, 10000, 0, 0, true, { 0.021, 0, 0, 9000 }, NONE }, ADVICE_HYBRID, "strained_alone", "2.1 % errors", MISSING_CLOUD },
        { { 240, 1990, 0, 0, 0, { 0 }, OK }, ADVICE_LOCAL, "low_volume", "199 requests a day", 0 },
        { { 240, 1990, 0, 0, 0, { 0 }, NONE }, ADVICE_LOCAL, "low_volume", "stay simple", MISSING_SUITE },
        { { 240, 1990, 0, 0, 0, { 0 }, BAD }, ADVICE_CLOUD, "low_volume_worse", "stay simple", 0 },
        { { 240, 1990, 0.1, 0, 0, { 0 }, BAD }, ADVICE_HYBRID, "worse_and_private", "10 % of the requests", 0 },
        { { 240, 2000, 0, 0, 0, { 0 }, OK }, ADVICE_LOCAL, "good_enough", "200 requests a day", 0 },
        { { 240, 10000, 0, 0, 0, { 0 }, NONE }, ADVICE_UNKNOWN, "not_judged", "no suite was put to both", MISSING_SUITE },
        { { 240, 10000, 0, 0, 0, { 0 }, BAD }, ADVICE_CLOUD, "worse", "calls the local model worse", 0 },
        { { 240, 10000, 0.01, 0, 0, { 0 }, BAD }, ADVICE_HYBRID, "worse_and_private", "1.0 % of the requests", 0 },
        { { 240, 10000, 0, 0, 0, { 0.021, 0, 0, 9000 }, OK }, ADVICE_HYBRID, "strained", "2.1 % errors", 0 },
        { { 240, 10000, 0, 0, 0, { 0, 0.011, 0, 9000 }, OK }, ADVICE_HYBRID, "strained", "1.1 % refused", 0 },
        { { 240, 10000, 0, 0, 0, { 0, 0, 5001, 9000 }, OK }, ADVICE_HYBRID, "strained", "5.0 s in line", 0 },
        { { 240, 10000, 0, 0, 0, { 1, 1, 90000, 29 }, OK }, ADVICE_LOCAL, "good_enough", "", 0 },         /* too few to say so */
        { { 240, 10000, 0, 0, 0, { 0 }, VERDICT_CANNOT_TELL }, ADVICE_LOCAL, "cannot_tell", "too small", MISSING_CASES },
        { { 240, 10000, 0, 0, 0, { 0 }, VERDICT_BETTER, true }, ADVICE_LOCAL, "good_enough", "", MISSING_PRICE },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct advice_facts f = facts(&cases[i].g);
        struct advice a;
        advice_give(&f, &a);
        if (a.place != cases[i].place || strcmp(a.rule, cases[i].rule) != 0 || !strstr(a.why, cases[i].says) || a.missing != (cases[i].missing | MISSING_ELECTRICITY))
            fail_msg("case %zu: %s by %s, missing %x: %s", i, advice_names[a.place], a.rule, a.missing, a.why);
        assert_true(a.changes[0] && !strchr(a.why, '{') && strlen(a.why) + 1 < sizeof a.why);
    }
}

static void test_a_month(void **state)
{
    assert_true(fabs(advice_month(240, 10000000, 1000000, 0.5, 2) - 21) < 1e-9); /* 7 in ten days */
    assert_true(advice_month(240, 1, 1, -1, 2) < 0);
    assert_true(advice_month(240, 1, 1, 1, -1) < 0);
    assert_true(advice_month(0, 1, 1, 1, 1) < 0);
    assert_true(advice_month(24, 0, 0, 1, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rules),
        cmocka_unit_test(test_a_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
