#include "loop/overload.h"

#include "base/log.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#undef MIB
#define MIB (INT64_C(1) << 20)

static struct stage {
    struct loop *loop;
    struct overload *o;
    int64_t has;        /* what the system says */
    int asked, told;
    enum overload_level last;
} stage;

static int64_t measure(void *ctx)
{
    stage.asked++;
    return stage.has;
}

static void on_level(void *ctx, enum overload_level now)
{
    stage.told++;
    stage.last = now;
}

static int set_up(void **state)
{
    stage = (struct stage){ .loop = loop_new(), .has = 10 * MIB };
    stage.o = overload_new(stage.loop, measure, NULL);
    overload_limit(stage.o, 100 * MIB);
    overload_watch(stage.o, on_level, NULL);
    log_set_level(LOG_ERROR);
    return 0;
}

static int tear_down(void **state)
{
    overload_free(stage.o);
    loop_free(stage.loop);
    return 0;
}

static void run_until(enum overload_level level)
{
    while (stage.last != level)
        uv_run(loop_uv(stage.loop), UV_RUN_ONCE);
}

static void test_a_promise_counts_before_anything_has_come(void **state)
{
    assert_true(overload_admits(stage.o, 79 * MIB));
    assert_false(overload_admits(stage.o, 80 * MIB));
    overload_promise(stage.o, 60 * MIB);
    assert_true(overload_admits(stage.o, 19 * MIB));
    assert_false(overload_admits(stage.o, 20 * MIB));
    assert_true(overload_bears(stage.o, 26 * MIB)); /* what runs may go on almost to the limit */
    assert_false(overload_bears(stage.o, 27 * MIB));
    overload_forget(stage.o, 60 * MIB);
    assert_true(overload_admits(stage.o, 79 * MIB));
}

static void test_what_has_landed_counts_until_it_is_seen(void **state)
{
    struct overload_figures f;
    overload_promise(stage.o, 40 * MIB);
    overload_keep(stage.o, 30 * MIB);
    overload_figures(stage.o, &f);
    assert_true(f.used_bytes == 50 * MIB && f.promised_bytes == 10 * MIB);
    overload_landed(stage.o, 10 * MIB);
    assert_true(overload_admits(stage.o, 29 * MIB) && !overload_admits(stage.o, 30 * MIB));
    stage.has = 50 * MIB; /* the system sees all of it now */
    int asked = stage.asked;
    while (stage.asked == asked)
        uv_run(loop_uv(stage.loop), UV_RUN_ONCE);
    overload_figures(stage.o, &f);
    assert_true(f.measured_bytes == 50 * MIB && f.used_bytes == 60 * MIB);
}

static void test_levels_rise_and_fall_with_a_gap(void **state)
{
    struct overload_figures f;
    stage.has = 91 * MIB;
    overload_landed(stage.o, 1);
    run_until(OVERLOAD_REFUSING);
    assert_false(overload_admits(stage.o, 0));
    stage.has = 96 * MIB;
    run_until(OVERLOAD_SHEDDING);
    stage.has = 85 * MIB; /* below where it began, above where it ends */
    run_until(OVERLOAD_REFUSING);
    assert_false(overload_admits(stage.o, 0));
    stage.has = 79 * MIB;
    run_until(OVERLOAD_CALM);
    assert_true(overload_admits(stage.o, 0));
    overload_figures(stage.o, &f);
    assert_true(f.level == OVERLOAD_CALM && f.times == 1);
}

static void test_a_system_that_does_not_say_it_makes_nothing_forgotten(void **state)
{
    struct overload_figures f;
    stage.has = -1;
    overload_landed(stage.o, 95 * MIB);
    run_until(OVERLOAD_SHEDDING);
    overload_figures(stage.o, &f);
    assert_true(f.used_bytes == 105 * MIB);
    stage.has = 10 * MIB;
    run_until(OVERLOAD_CALM);
}

static void test_nothing_is_looked_at_while_nothing_comes(void **state)
{
    overload_landed(stage.o, 1);
    while (uv_run(loop_uv(stage.loop), UV_RUN_NOWAIT) && stage.asked < 2)
        ;
    assert_int_equal(uv_backend_timeout(loop_uv(stage.loop)), -1); /* no timer is left */
}

static void test_what_was_kept_and_is_gone_again_is_looked_after(void **state)
{
    overload_promise(stage.o, 60 * MIB);
    int asked = stage.asked;
    while (stage.asked == asked)
        uv_run(loop_uv(stage.loop), UV_RUN_ONCE);
    overload_keep(stage.o, 60 * MIB); /* it came later than the look, and is freed */
    assert_false(overload_admits(stage.o, 20 * MIB));
    while (uv_run(loop_uv(stage.loop), UV_RUN_ONCE) && stage.asked < asked + 2)
        ;
    assert_true(overload_admits(stage.o, 79 * MIB));
}

static void test_the_systems_word_is_heard(void **state)
{
    enum { BYTES = 64 << 20 };
    struct own_memory *m = own_memory_open();
    int64_t before = own_memory_bytes(m);
    char *p = malloc(BYTES);
    assert_non_null(p);
    for (size_t i = 0; i < BYTES; i += 4096)
        ((volatile char *)p)[i] = 1;
    int64_t with = own_memory_bytes(m);
    free(p);
    own_memory_give_back();
    int64_t after = own_memory_bytes(m);
    own_memory_close(m);
    assert_true(before > 0 && with >= before + BYTES * 9 / 10);
    const char *loaded = getenv("LD_PRELOAD"); /* valgrind, too, keeps what is freed */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(after < with - BYTES / 2 || (loaded && strstr(loaded, "vgpreload")));
#else
    (void)loaded;
    (void)after;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_promise_counts_before_anything_has_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_has_landed_counts_until_it_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_kept_and_is_gone_again_is_looked_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels_rise_and_fall_with_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_system_that_does_not_say_it_makes_nothing_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_looked_at_while_nothing_comes, set_up, tear_down),
        cmocka_unit_test(test_the_systems_word_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
