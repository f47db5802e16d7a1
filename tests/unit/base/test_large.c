#include "base/large.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static const size_t sizes[] = { 0, 1, LARGE_FROM_BYTES - 1, LARGE_FROM_BYTES, LARGE_FROM_BYTES + 1, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 5 * 1024 * 1024 };

static void test_it_is_memory_for_free_and_realloc(void **state)
{
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        unsigned char *p = large_alloc(sizes[i]);
        assert_non_null(p);
        memset(p, 0xa5, sizes[i]);
        p = realloc(p, sizes[i] * 3 + 1);
        assert_non_null(p);
        for (size_t k = 0; k < sizes[i]; k += 4095)
            assert_int_equal(p[k], 0xa5);
        p[sizes[i] * 3] = 1;
        free(p);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* theirs ends the program instead */
static void test_what_cannot_be_had_is_null(void **state)
{
    struct buf b = { 0 };
    volatile size_t most = SIZE_MAX - 4096; /* the compiler would tell */
    assert_null(large_alloc(most));
    assert_null(large_alloc(most / 2));
    buf_lit(&b, "stays");
    assert_false(large_begin(&b, most));
    assert_true(str_eq(buf_str(&b), STR("stays")));
    buf_free(&b);
}
#endif

static void test_a_buffer_begins_with_its_room_and_grows_beyond_it(void **state)
{
    struct buf b = { 0 };
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        assert_true(large_begin(&b, sizes[i]));
        assert_int_equal(b.n, 0);
        assert_int_equal(b.cap, sizes[i]);
        char *p = b.p;
        memset(buf_reserve(&b, sizes[i]), 'x', sizes[i]);
        b.n = sizes[i];
        assert_ptr_equal(b.p, p);
        buf_lit(&b, "more");
        assert_true(str_ends(buf_str(&b), STR("more")) && b.n == sizes[i] + 4);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_memory_for_free_and_realloc),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(test_what_cannot_be_had_is_null),
#endif
        cmocka_unit_test(test_a_buffer_begins_with_its_room_and_grows_beyond_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
