/* What a model's memory was good for: gaps, loads that were saved and suffered, and the advice by its thresholds. */
#include "evidence/residency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { MIN = 60 * 1000, IDLE = 15 * MIN };
static const double gib = 1073741824.0;

struct came {
    int64_t at_min, total_min;
    double load_ms;
    enum fault fault;
};

static void test_rows_are_counted(void **state)
{
    static const struct {
        struct came rows[6];    /* ended by total -1; since is minute 100, until 1000; role "a", the last "b" */
        int64_t requests, waited, saved, gaps, demand_min;
    } cases[] = {
        { { { .total_min = -1 } }, 0, 0, 0, 0, 0 },
        { { { 100, 5, 0 }, { .total_min = -1 } }, 1, 0, 0, 0, 20 },                                     /* nobody knows what was before */
        { { { 50, 5, 0 }, { 100, 5, 0 }, { .total_min = -1 } }, 1, 0, 1, 1, 20 },                       /* it was used 45 minutes ago, and it was there */
        { { { 50, 5, 0 }, { 100, 5, 3000 }, { .total_min = -1 } }, 1, 1, 0, 1, 20 },                    /* … and it was not */
        { { { 50, 5, 0 }, { 100, 5, 0, FAULT_BACKEND }, { .total_min = -1 } }, 1, 0, 0, 1, 20 },
        { { { 90, 5, 0 }, { 100, 5, 0 }, { .total_min = -1 } }, 1, 0, 0, 0, 20 },                       /* in between it would have stayed */
        { { { 100, 0, 0 }, { 110, 0, 0 }, { 125, 0, 0 }, { 141, 0, 0 }, { .total_min = -1 } }, 4, 0, 1, 1, 55 },
        { { { 101, 1, 0 }, { 100, 20, 0 }, { 130, 1, 0 }, { .total_min = -1 } }, 3, 0, 0, 0, 45 },       /* one within the other */
        { { { 990, 5, 0 }, { .total_min = -1 } }, 1, 0, 0, 0, 10 },                                     /* the window ends before it would go */
        { { { 80, 15, 0 }, { .total_min = -1 } }, 0, 0, 0, 0, 10 },
        { { { 50, 5, 0 }, { .total_min = -1 } }, 0, 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct resident m = { .idle_ms = IDLE };
        size_t n = 0;
        while (cases[i].rows[n].total_min >= 0)
            n++;
        for (size_t k = 0; k < n; k++) {
            const struct came *c = &cases[i].rows[k];
            struct request_row r = { .time_ms = c->at_min * MIN, .total_ms = (double)c->total_min * MIN, .load_ms = c->load_ms, .fault = c->fault };
            resident_row(&m, &r, k + 1 == n ? STR("b") : STR("a"), 100 * MIN);
        }
        resident_end(&m, 100 * MIN, 1000 * MIN);
        if (m.all.requests != cases[i].requests || m.all.waited != cases[i].waited || m.all.saved != cases[i].saved || m.gaps != cases[i].gaps ||
            m.demand_ms != cases[i].demand_min * MIN)
            fail_msg("case %zu: %d requests, %d waited, %d saved, %d gaps, %d min", i, (int)m.all.requests, (int)m.all.waited, (int)m.all.saved, (int)m.gaps,
                (int)(m.demand_ms / MIN));
        int64_t of_roles = 0;
        for (size_t k = 0; k < m.nroles; k++)
            of_roles += m.roles[k].use.requests;
        assert_int_equal(of_roles, m.all.requests);
    }
}

static void test_the_advice(void **state)
{
    static const struct {
        double hours, hot_hours, gib;
        int64_t loads, load_ms, requests, gaps;
        double demand_hours;
        enum resident_advice want;
        const char *says;
    } cases[] = {
        { 23, 23, 4, 1, 8000, 1000, 20, 5, RESIDENT_UNKNOWN, "23.0 hours" },
        { 168, 168, 4, 1, 8000, 0, 0, 0, RESIDENT_NEVER, "0 requests" },
        { 336, 336, 4, 1, 8000, 1, 1, 1, RESIDENT_NEVER, "14 days" },
        { 336, 336, 4, 1, 8000, 2, 2, 1, RESIDENT_DEMAND, "times a day" },
        { 167, 167, 4, 1, 8000, 0, 0, 0, RESIDENT_DEMAND, "Nobody asked" },
        { 240, 240, 4, 1, 8000, 9000, 9, 200, RESIDENT_DEMAND, "0.9 times a day" },         /* always in use */
        { 24, 24, 4, 1, 8000, 10, 10, 2.5, RESIDENT_DEMAND, "less than 1" },                /* 80 s for 86 GiB-hours */
        { 24, 24, 4, 1, 8700, 10, 10, 2.5, RESIDENT_HOT, "at least 1" },                    /* 87 s */
        { 24, 24, 0.125, 1, 1000, 10, 10, 2.5, RESIDENT_HOT, "10.0 loads of 1.0 s" },
        { 24, 0, 0, 0, 0, 10, 10, 2.5, RESIDENT_UNKNOWN, "how much memory" },
        { 24, 24, 4, 0, 0, 10, 10, 2.5, RESIDENT_UNKNOWN, "how long its load takes" },
        { 24, 24, 4, 1, 8000, 100, 10, 24, RESIDENT_HOT, "as long" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct resident m = { .hot_ms = (int64_t)(cases[i].hot_hours * 3600e3), .byte_seconds = (int64_t)(cases[i].gib * gib * cases[i].hot_hours * 3600),
            .loads = cases[i].loads, .load_ms = cases[i].load_ms, .all = { .requests = cases[i].requests }, .gaps = cases[i].gaps,
            .demand_ms = (int64_t)(cases[i].demand_hours * 3600e3) };
        struct resident_verdict v;
        resident_judge(&m, cases[i].hours, &v);
        if (v.advice != cases[i].want || !strstr(v.why, cases[i].says))
            fail_msg("case %zu: %s: %s", i, resident_advice_names[v.advice], v.why);
        if (cases[i].gib > 0)
            assert_true(fabs(v.gib - cases[i].gib) < 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_counted),
        cmocka_unit_test(test_the_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
