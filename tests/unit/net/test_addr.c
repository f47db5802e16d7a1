#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_addresses_as_people_write_them(void **state)
{
    static const struct {
        const char *text, *host;
        int port; /* -1: refused; -2: a unix path */
        bool loopback;
    } cases[] = {
        { "127.0.0.1:8080",      "127.0.0.1",      8080, true },
        { "127.9.9.9:1",         "127.9.9.9",      1,    true },
        { "0.0.0.0:80",          "0.0.0.0",        80,   false },
        { "[::1]:8080",          "::1",            8080, true },
        { "[::]:8080",           "::",             8080, false },
        { "[fe80::1%eth0]:80",   "fe80::1%eth0",   80,   false },
        { "anvil:9001",          "anvil",          9001, false },
        { "a_b.example:65535",   "a_b.example",    65535, false },
        { "localhost:0",         "localhost",      0,    true },
        { "unix:/run/x.sock",    "/run/x.sock",    -2,   true },
        { "",                    NULL, -1, false },
        { "anvil",               NULL, -1, false },
        { "anvil:",              NULL, -1, false },
        { ":80",                 NULL, -1, false },
        { "anvil:65536",         NULL, -1, false },
        { "anvil:80x",           NULL, -1, false },
        { "anvil:-1",            NULL, -1, false },
        { "an vil:80",           NULL, -1, false },
        { "::1:8080",            NULL, -1, false },
        { "[::1]",               NULL, -1, false },
        { "[::1]:",              NULL, -1, false },
        { "[::1:8080",           NULL, -1, false },
        { "[::1]8080",           NULL, -1, false },
        { "[anvil]:80",          NULL, -1, false },
        { "unix:",               NULL, -1, false },
        { "A-Z_09.z:1",          "A-Z_09.z",       1,    false },
        { "[1::1]:1",            "1::1",           1,    false },
        { "[0:1::1]:1",          "0:1::1",         1,    false },
        { "[::1:0:0:1]:1",       "::1:0:0:1",      1,    false },
        { "[0:0:1::1]:1",        "0:0:1::1",       1,    false },
        { "[::2]:1",             "::2",            1,    false },
        { "anvil:-0",            NULL, -1, false },
        { "a{b:1",               NULL, -1, false },
        { "a^b:1",               NULL, -1, false },
        { "a;b:1",               NULL, -1, false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct addr a = { .port = 7 };
        struct err e = { 0 };
        char again[300];
        enum err_code rc = addr_parse(str_of(cases[i].text), &a, &e);
        if (cases[i].port == -1) {
            assert_int_equal(rc, ERR_CONFIG);
            assert_true(e.text[0]);
            assert_int_equal(a.port, 7); /* untouched */
            continue;
        }
        assert_int_equal(rc, ERR_OK);
        assert_string_equal(a.host, cases[i].host);
        assert_int_equal(a.kind, cases[i].port == -2 ? ADDR_UNIX : ADDR_TCP);
        if (a.kind == ADDR_TCP)
            assert_int_equal(a.port, cases[i].port);
        assert_int_equal(addr_is_loopback(&a), cases[i].loopback);
        addr_format(&a, again, sizeof again);
        assert_string_equal(again, cases[i].text);
    }
}

static void test_a_socket_path_may_have_107_bytes(void **state)
{
    char text[5 + 109];
    struct addr a;
    snprintf(text, sizeof text, "unix:%0107d", 0);
    assert_int_equal(addr_parse(str_of(text), &a, NULL), ERR_OK);
    snprintf(text, sizeof text, "unix:%0108d", 0);
    assert_int_equal(addr_parse(str_of(text), &a, NULL), ERR_CONFIG);
}

static void test_what_is_too_long_or_holds_a_nul_is_refused(void **state)
{
    char text[400];
    struct addr a = { .port = 7 };
    assert_int_equal(addr_parse(STR("unix:/a\0b"), &a, NULL), ERR_CONFIG);
    assert_int_equal(addr_parse(STR("a\0b:80"), &a, NULL), ERR_CONFIG);
    assert_int_equal(addr_parse(STR("[::1%a\0b]:80"), &a, NULL), ERR_CONFIG);
    assert_int_equal(addr_parse(STR("[::1%2525et]:80"), &a, NULL), ERR_CONFIG); /* a zone that begins with "25" cannot be written back */
    for (int n = 1; n < 300; n++) {
        snprintf(text, sizeof text, "a%0*d:80", n - 1, 0);
        assert_int_equal(addr_parse(str_of(text), &a, NULL), n <= 63 ? ERR_OK : ERR_CONFIG);
        snprintf(text, sizeof text, "[::1%%%0*d]:80", n, 0);
        assert_int_equal(addr_parse(str_of(text), &a, NULL), n <= 15 ? ERR_OK : ERR_CONFIG);
    }
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *host;
        int port;
        const char *path;
        bool tls;
    } cases[] = {
        { "http://127.0.0.1:9001",     "127.0.0.1", 9001, "" },
        { "http://127.0.0.1:9001/",    "127.0.0.1", 9001, "" },
        { "http://anvil/v1",           "anvil",     80,   "/v1" },
        { "HTTP://anvil:1/a/b//",      "anvil",     1,    "/a/b" },
        { "http://[::1]:9/x",          "::1",       9,    "/x" },
        { "http://[::1]",              "::1",       80,   "" },
        { "https://anvil/v1/",         "anvil",     443,  "/v1", true },
        { "HTTPS://[::1]:9",           "::1",       9,    "", true },
        { "https://",                  NULL, 0, NULL },
        { "https:anvil",               NULL, 0, NULL },
        { "ftp://anvil",               NULL, 0, NULL },
        { "anvil:80",                  NULL, 0, NULL },
        { "anvil",                     NULL, 0, NULL },
        { "",                          NULL, 0, NULL },
        { "http://anvil/\x7f",         NULL, 0, NULL },
        { "http://",                   NULL, 0, NULL },
        { "http:///v1",                NULL, 0, NULL },
        { "http://me:secret@anvil/",   NULL, 0, NULL },
        { "http://anvil/?a=b",         NULL, 0, NULL },
        { "http://anvil/#x",           NULL, 0, NULL },
        { "http://anvil/a b",          NULL, 0, NULL },
        { "http://anvil/a\r\nX: y",    NULL, 0, NULL },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct addr a;
        struct str path;
        struct err e = { 0 };
        bool tls = false;
        enum err_code rc = addr_parse_web(str_of(cases[i].url), &a, &tls, &path, &e), plain;
        assert_int_equal(rc, cases[i].host ? ERR_OK : ERR_CONFIG);
        assert_int_equal(tls, cases[i].tls);
        plain = addr_parse_url(str_of(cases[i].url), &a, &path, &e);
        assert_int_equal(plain, cases[i].tls ? ERR_CONFIG : rc);
        if (rc) {
            assert_null(strstr(e.text, "secret"));
            continue;
        }
        assert_string_equal(a.host, cases[i].host);
        assert_int_equal(a.port, cases[i].port);
        assert_true(str_eq(path, str_of(cases[i].path)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_as_people_write_them),
        cmocka_unit_test(test_a_socket_path_may_have_107_bytes),
        cmocka_unit_test(test_what_is_too_long_or_holds_a_nul_is_refused),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
