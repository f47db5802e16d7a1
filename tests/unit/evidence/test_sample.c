/* Asks that are drawn: of each kind its share, of each at least one where there is room, and the same ones each time. */
#include "evidence/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MOST = 200 };

/* So many asks of each caller, mixed. */
static size_t make(const size_t *counts, size_t kinds, struct sample_ask *out)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    size_t n = 0, left[6] = { 0 };
    for (size_t i = 0; i < kinds; i++)
        left[i] = counts[i];
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < kinds; i++) {
            if (!left[i])
                continue;
            left[i]--;
            any = true;
            out[n] = (struct sample_ask){ .caller = str_of(names[i]), .model = STR("m"), .tokens = 10, .print = (int64_t)n };
            n++;
        }
    }
    return n;
}

static void test_each_kind_has_its_share(void **state)
{
    static const struct {
        size_t counts[6], kinds, want, drawn[6];
    } cases[] = {
        { { 50, 50 }, 2, 10, { 5, 5 } },
        { { 75, 25 }, 2, 20, { 15, 5 } },
        { { 97, 1, 1, 1 }, 4, 4, { 1, 1, 1, 1 } },          /* each is there, whatever it costs the largest */
        { { 97, 1, 1, 1 }, 4, 10, { 7, 1, 1, 1 } },
        { { 10, 5, 3, 2, 1 }, 5, 3, { 1, 1, 1, 0, 0 } },    /* fewer places than kinds: the largest */
        { { 3, 2 }, 2, 20, { 3, 2 } },                      /* all there are */
        { { 34, 33, 33 }, 3, 10, { 4, 3, 3 } },
        { { 7 }, 1, 0, { 0 } },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct sample_ask asks[MOST];
        struct sample s;
        struct arena a;
        size_t n = make(cases[i].counts, cases[i].kinds, asks), sum = 0;
        arena_init(&a);
        sample_draw(asks, n, cases[i].want, 1, &a, &s);
        assert_int_equal(s.nstrata, cases[i].kinds);
        for (size_t k = 0; k < s.nstrata; k++) {
            assert_int_equal(s.strata[k].there, cases[i].counts[k]);
            assert_int_equal(s.strata[k].drawn, cases[i].drawn[k]);
            sum += s.strata[k].drawn;
        }
        assert_int_equal(s.n, sum);
        for (size_t k = 1; k < s.n; k++)
            assert_true(s.drawn[k] > s.drawn[k - 1]); /* each once */
        arena_fini(&a);
    }
}

static void test_what_makes_a_kind(void **state)
{
    static const struct sample_ask asks[] = {
        { .model = STR("m"), .tokens = 256, .print = 1 },
        { .model = STR("m"), .tokens = 257, .print = 2 },
        { .model = STR("m"), .tokens = 2049, .print = 3 },
        { .model = STR("m"), .tokens = 1, .stream = true, .print = 4 },
        { .model = STR("m"), .tokens = 1, .tools = true, .print = 5 },
        { .model = STR("m"), .tokens = 1, .schema = true, .print = 6 },
        { .model = STR("n"), .tokens = 1, .print = 7 },
        { .model = STR("m"), .tokens = 1, .caller = STR("jane"), .print = 8 },
        { .model = STR("m"), .tokens = 2, .caller = STR("jane"), .print = 9 },
    };
    struct sample s;
    struct arena a;
    arena_init(&a);
    sample_draw(asks, COUNTOF(asks), 8, 1, &a, &s);
    assert_int_equal(s.nstrata, 8);
    assert_string_equal(s.strata[0].name.p, "caller jane, model m, short");
    assert_int_equal(s.strata[0].there, 2);
    for (size_t i = 0; i < s.nstrata; i++)
        assert_int_equal(s.strata[i].drawn, 1);
    arena_fini(&a);
}

static void test_those_alike_count_once(void **state)
{
    struct sample_ask asks[20];
    struct sample s;
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(asks); i++)
        asks[i] = (struct sample_ask){ .model = STR("m"), .print = i < 18 ? 7 : (int64_t)i };
    sample_draw(asks, COUNTOF(asks), 10, 1, &a, &s);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.alike, 17);
    assert_int_equal(s.drawn[0], 17); /* the last of them */
    arena_fini(&a);
}

static bool same(const struct sample *a, const struct sample *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = a->drawn[i] == b->drawn[i];
    return same;
}

static void test_the_seed_decides(void **state)
{
    static const size_t counts[] = { 60, 40 };
    struct sample_ask asks[MOST];
    struct sample s[3];
    struct arena a;
    size_t n = make(counts, 2, asks);
    arena_init(&a);
    sample_draw(asks, n, 20, 1, &a, &s[0]);
    sample_draw(asks, n, 20, 1, &a, &s[1]);
    sample_draw(asks, n, 20, 2, &a, &s[2]);
    assert_true(same(&s[0], &s[1]));
    assert_false(same(&s[0], &s[2]));
    arena_fini(&a);
}

/* Each ask of a kind is as likely as any other: 2000 draws of 5 of 20, 500 each but for chance (5 standard deviations are 97). */
static void test_each_is_as_likely(void **state)
{
    static const size_t counts[] = { 20 };
    struct sample_ask asks[MOST];
    size_t seen[20] = { 0 };
    make(counts, 1, asks);
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct sample s;
        struct arena a;
        arena_init(&a);
        sample_draw(asks, 20, 5, seed, &a, &s);
        for (size_t i = 0; i < s.n; i++)
            seen[s.drawn[i]]++;
        arena_fini(&a);
    }
    for (size_t i = 0; i < COUNTOF(seen); i++)
        assert_in_range(seen[i], 403, 597);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_has_its_share),
        cmocka_unit_test(test_what_makes_a_kind),
        cmocka_unit_test(test_those_alike_count_once),
        cmocka_unit_test(test_the_seed_decides),
        cmocka_unit_test(test_each_is_as_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
