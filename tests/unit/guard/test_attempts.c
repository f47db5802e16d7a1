/* Failed attempts: how many are forgiven, whose they are, and that the table is never full. */
#include "guard/attempts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void ip4(unsigned char out[PEER_BYTES], unsigned n)
{
    memset(out, 0, PEER_BYTES);
    out[10] = out[11] = 0xFF;
    for (int i = 0; i < 4; i++)
        out[12 + i] = (unsigned char)(n >> (24 - 8 * i));
}

static enum err_code fail_from(struct attempts *a, const unsigned char *peer, int64_t now_ms, struct err *e)
{
    err_set(e, ERR_NO_KEY, "A valid key is needed here.");
    return attempts_failed(a, peer, now_ms, e);
}

static void test_twenty_at_once_then_two_a_second(void **state)
{
    struct attempts *a = attempts_new();
    unsigned char peer[PEER_BYTES];
    struct err e;
    ip4(peer, 1);
    for (int i = 0; i < ATTEMPTS_BURST; i++)
        assert_int_equal(fail_from(a, peer, 1000, &e), ERR_NO_KEY);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fail_from(a, peer, 1000 + i, &e), ERR_TOO_MANY_ATTEMPTS);
        assert_int_equal(e.retry_after_s, 1);
    }
    assert_int_equal(fail_from(a, peer, 1000 + ATTEMPTS_REFILL_MS, &e), ERR_NO_KEY);
    assert_int_equal(fail_from(a, peer, 1000 + ATTEMPTS_REFILL_MS, &e), ERR_TOO_MANY_ATTEMPTS);
    for (int i = 0; i < ATTEMPTS_BURST; i++)
        assert_int_equal(fail_from(a, peer, 60 * 1000, &e), ERR_NO_KEY);
    attempts_free(a);
}

static void test_each_address_has_its_own(void **state)
{
    struct attempts *a = attempts_new();
    unsigned char one[PEER_BYTES], two[PEER_BYTES];
    struct err e;
    ip4(one, 0x0A000001);
    ip4(two, 0x0A000002);
    for (int i = 0; i < 50; i++)
        (void)fail_from(a, one, 1, &e);
    assert_int_equal(e.code, ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(fail_from(a, two, 1, &e), ERR_NO_KEY);
    attempts_free(a);
}

static void test_a_network_of_ipv6_is_one_address(void **state)
{
    struct attempts *a = attempts_new();
    unsigned char peer[PEER_BYTES] = { 0x20, 0x01, 0x0d, 0xb8 };
    struct err e;
    for (int i = 0; i < ATTEMPTS_BURST; i++) {
        peer[15] = (unsigned char)i;
        assert_int_equal(fail_from(a, peer, 1, &e), ERR_NO_KEY);
    }
    peer[15] = 200;
    assert_int_equal(fail_from(a, peer, 1, &e), ERR_TOO_MANY_ATTEMPTS);
    peer[7] = 1;
    assert_int_equal(fail_from(a, peer, 1, &e), ERR_NO_KEY);
    attempts_free(a);
}

static void test_any_number_of_addresses_is_taken(void **state)
{
    struct attempts *a = attempts_new();
    unsigned char peer[PEER_BYTES];
    struct err e;
    for (unsigned i = 0; i < 100000; i++) {
        ip4(peer, i * 2654435761u);
        assert_int_equal(fail_from(a, peer, 1, &e), ERR_NO_KEY);
    }
    attempts_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twenty_at_once_then_two_a_second),
        cmocka_unit_test(test_each_address_has_its_own),
        cmocka_unit_test(test_a_network_of_ipv6_is_one_address),
        cmocka_unit_test(test_any_number_of_addresses_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
