/* What lies around a SHA-256: files, digits, stops. That the digits are right is seen end to end (test_pull.py). */
#include "model/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "http/web_module.h"

/* A stand-in for the module shows what is handed through. */
static size_t fed;
static bool freed;

static struct web_sha256 *stand_in_new(void)
{
    fed = 0;
    freed = false;
    return (struct web_sha256 *)&fed;
}

static void stand_in_feed(struct web_sha256 *h, struct str bytes)
{
    fed += bytes.n;
}

static void stand_in_end(struct web_sha256 *h, unsigned char out[32])
{
    freed = true;
    for (int i = 0; out && i < 32; i++)
        out[i] = (unsigned char)(i * 8 + 7);
}

static const struct web_module module = { .abi = WEB_MODULE_ABI, .release = HOB_VERSION, .sha256_new = stand_in_new, .sha256_feed = stand_in_feed,
    .sha256_end = stand_in_end };

static char path[] = "/tmp/hob-sha256-XXXXXX";

static int make_file(void **state)
{
    static char zeros[3 << 20];
    web_module_use(&module);
    int fd = mkstemp(path);
    bool whole = fd >= 0 && write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros;
    if (fd >= 0)
        close(fd);
    return whole ? 0 : -1;
}

static int remove_file(void **state)
{
    return unlink(path);
}

static void test_digits_are_those_of_the_bytes(void **state)
{
    char hex[SHA256_HEX];
    struct err e;
    assert_int_equal(sha256_file(path, hex, NULL, NULL, &e), ERR_OK);
    assert_string_equal(hex, "070f171f272f373f474f575f676f777f878f979fa7afb7bfc7cfd7dfe7eff7ff");
    assert_int_equal(fed, 3 << 20);
    assert_true(freed);
    assert_int_equal(sha256_file("/nowhere/at/all", hex, NULL, NULL, &e), ERR_SYSTEM);
}

static bool at_most_one_part(void *ctx, int64_t done)
{
    ++*(int *)ctx;
    return false;
}

static void test_it_can_be_stopped_and_takes_a_beginning(void **state)
{
    char hex[SHA256_HEX];
    struct err e;
    int parts = 0;
    assert_int_equal(sha256_file(path, hex, at_most_one_part, &parts, &e), ERR_CALLER_GONE);
    assert_true(parts == 1 && freed);
    FILE *f = fopen(path, "r");
    struct sha256 *h;
    assert_non_null(f);
    assert_int_equal(sha256_new(&h, &e), ERR_OK);
    assert_int_equal(sha256_feed_fd(h, fileno(f), (1 << 20) + 5, NULL, NULL, &e), ERR_OK);
    assert_int_equal(fed, (1 << 20) + 5);
    assert_int_equal(sha256_feed_fd(h, fileno(f), 4 << 20, NULL, NULL, &e), ERR_SYSTEM); /* it is not so long */
    sha256_free(h);
    fclose(f);
}

static void test_what_a_hash_looks_like(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", true },
        { "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", true },
        { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", false },
        { "g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false },
        { "", false },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_true(sha256_is_hex(str_of(rows[i].text)) == rows[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits_are_those_of_the_bytes),
        cmocka_unit_test(test_it_can_be_stopped_and_takes_a_beginning),
        cmocka_unit_test(test_what_a_hash_looks_like),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
