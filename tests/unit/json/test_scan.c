/* The fast check of long strings, held against the slow reader: 64 bytes at a time have edges, and this is about nothing else. */
#include "json/json_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CASES = 200000 };

static uint64_t seed = 88172645463325252u;

static unsigned roll(unsigned n) /* xorshift64: the same cases each time */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 11) % n);
}

static const char *const fine[] = { "a", "bb", "ccccccc", "\\\\", "\\\"", "\\n", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa9", "\xe6\xbc\xa2",
    "\xe0\xa4\x84", "\xed\x9f\xbf", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "u", "/", "\\/", "\\uDbfF\\uDFff" };
static const unsigned char odd[] = { 0, 1, 0x1f, '"', '\\', 'u', '8', 'd', 'D', ' ', 't', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
    0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff };

static char odd_byte(void)
{
    return (char)odd[roll(COUNTOF(odd))];
}

/* A string, something behind it, and up to three bytes that do not belong, half of them where a block of 64 ends. */
static void make_case(struct buf *b)
{
    b->n = 0;
    buf_add_char(b, '"');
    unsigned long_enough = roll(220), mix = roll(4);
    for (unsigned k = mix == 0 ? roll(200) : 0; k; k--)
        buf_add_char(b, '.');
    unsigned one = roll(COUNTOF(fine)), other = roll(COUNTOF(fine));
    while (b->n < long_enough + 1)
        buf_add(b, str_of(fine[mix == 1 ? (roll(2) ? one : other) : roll(COUNTOF(fine))]));
    buf_add_char(b, '"');
    for (unsigned k = roll(90); k; k--)
        buf_add_char(b, odd_byte());
    for (unsigned bad = roll(4); bad; bad--) {
        size_t at = roll(2) ? 1 + roll((unsigned)b->n - 1) : 56 + roll(16);
        if (at < b->n)
            b->p[at] = odd_byte();
    }
    if (roll(8) == 0)
        b->n = 1 + roll((unsigned)b->n);
}

static void test_the_fast_check_agrees_with_the_slow_reader(void **state)
{
    struct buf b = { 0 };
    size_t good = 0;
    for (int i = 0; i < CASES && JSON_CAN_SCAN; i++) {
        make_case(&b);
        char *exact = malloc(b.n); /* so that the sanitizers see a look beyond its end */
        assert_non_null(exact);
        memcpy(exact, b.p, b.n);
        struct str text = str_make(exact, b.n);
        size_t end = json_string_end(text, 1);
        struct err why = { .code = ERR_OK };
        bool fits = end < b.n && !json_explain(str_make(exact, end + 1), &why);
        good += fits;
        size_t due = fits ? end : b.n, narrow = json_scan_narrow(text, 1), wide = json_can_scan_wide() ? json_scan_wide(text, 1) : due;
        if (narrow != due || wide != due || json_scan_string(text, 1) != due)
            fail_msg("case %d: %zu, wide %zu, where %zu was due: %s", i, narrow, wide, due, why.text);
        free(exact);
    }
    assert_true(!JSON_CAN_SCAN || (good > CASES / 10 && good < CASES - CASES / 10));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fast_check_agrees_with_the_slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
