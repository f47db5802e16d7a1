#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_fed_buffer_stops_at_its_maximum(void **state)
{
    struct buf b;
    struct err e = { 0 };
    buf_init(&b, 5);
    assert_int_equal(buf_feed(&b, STR("abc"), &e), ERR_OK);
    assert_int_equal(buf_feed(&b, STR("def"), &e), ERR_TOO_LARGE);
    assert_int_equal(b.n, 3);
    assert_int_equal(buf_feed(&b, STR("de"), &e), ERR_OK);
    assert_true(str_eq(buf_str(&b), STR("abcde")));
    buf_free(&b);
}

static void test_own_writing(void **state)
{
    struct buf b = { 0 };
    buf_add_int(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_int(&b, 0);
    buf_printf(&b, " %s", "x");
    assert_true(str_eq(buf_str(&b), STR("-9223372036854775808 0 x")));
    buf_drop(&b, 21);
    assert_true(str_eq(buf_str(&b), STR("0 x")));
    buf_drop(&b, 99);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void test_arena_gives_aligned_zeroed_memory_and_survives_a_reset(void **state)
{
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < 9000; n += 97) {
            unsigned char *p = arena_alloc(&a, n);
            assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, n);
        }
        arena_reset(&a);
    }
    assert_true(str_eq(arena_printf(&a, "%d-%s", 7, "x"), STR("7-x")));
    arena_fini(&a);
}

#if defined __SANITIZE_ADDRESS__ && defined HOB_ARENA_MALLOC
int __asan_address_is_poisoned(const volatile void *at);

/* What would be reported, without the report. */
static void test_arena_overrun_by_one_byte_is_seen(void **state)
{
    struct arena a;
    arena_init(&a);
    for (int round = 0; round < 2; round++, arena_reset(&a)) {
        for (size_t n = 1; n < 5000; n = n < 40 ? n + 1 : n * 2 + 1) {
            const char *p = arena_alloc(&a, n);
            assert_false(__asan_address_is_poisoned(p + n - 1));
            assert_true(__asan_address_is_poisoned(p + n));
        }
    }
    arena_fini(&a);
}
#else
static void test_arena_overrun_by_one_byte_is_seen(void **state)
{
    skip(); /* -Darena=malloc under AddressSanitizer sees it */
}
#endif

static void test_list_keeps_order_and_forgives_double_removal(void **state)
{
    struct list head, a, b;
    list_init(&head);
    list_init(&a);
    list_init(&b);
    list_push(&head, &a);
    list_push(&head, &b);
    assert_ptr_equal(head.next, &a);
    list_remove(&a);
    list_remove(&a);
    assert_ptr_equal(head.next, &b);
    list_remove(&b);
    assert_true(list_empty(&head));
}

static void test_list_take_gives_the_first_until_there_is_none(void **state)
{
    struct list head, a, b;
    list_init(&head);
    assert_null(list_take(&head));
    list_push(&head, &a);
    list_push(&head, &b);
    assert_ptr_equal(list_take(&head), &a);
    assert_ptr_equal(a.next, &a);
    assert_ptr_equal(head.prev, &b);
    assert_ptr_equal(list_take(&head), &b);
    assert_null(list_take(&head));
    assert_true(list_empty(&head));
}

static void sevens(void *p, size_t n)
{
    memset(p, 0x7a, n);
}

static void test_random_has_a_seam(void **state)
{
    char id[8];
    random_use(sevens);
    random_hex(id, 7);
    assert_string_equal(id, "7a7a7a7");
    random_use(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fed_buffer_stops_at_its_maximum),
        cmocka_unit_test(test_own_writing),
        cmocka_unit_test(test_arena_gives_aligned_zeroed_memory_and_survives_a_reset),
        cmocka_unit_test(test_arena_overrun_by_one_byte_is_seen),
        cmocka_unit_test(test_list_keeps_order_and_forgives_double_removal),
        cmocka_unit_test(test_list_take_gives_the_first_until_there_is_none),
        cmocka_unit_test(test_random_has_a_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
