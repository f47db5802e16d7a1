/* Addresses: what may be asked, what is refused, where redirects lead. */
#include "http/web_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *host, *path;
        uint16_t port;
        bool tls, loopback;
    } rows[] = {
        { "https://hub.test/a/b?c=d#e",    "hub.test",  "/a/b?c=d", 443,  true,  false },
        { "HTTPS://Hub.Test",              "Hub.Test",  "",         443,  true,  false },
        { "https://hub.test:8443/",        "hub.test",  "/",        8443, true,  false },
        { "http://127.0.0.1:9001/x",       "127.0.0.1", "/x",       9001, false, true },
        { "http://127.8.9.1/",             "127.8.9.1", "/",        80,   false, true },
        { "http://localhost/",             "localhost", "/",        80,   false, true },
        { "http://[::1]:80/x",             "::1",       "/x",       80,   false, true },
        { "https://[2001:db8::1]",         "2001:db8::1", "",       443,  true,  false },
        { "https://10.0.0.1/",             "10.0.0.1",  "/",        443,  true,  false },
        { "https://a.test?q",              "a.test",    "?q",       443,  true,  false },
        { "http://127.0.0.1#@evil.test/",  "127.0.0.1", "",         80,   false, true }, /* a fragment is never sent */
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct web_url u;
        struct err e = { 0 };
        assert_int_equal(web_url_parse(str_of(rows[i].text), &u, &e), ERR_OK);
        assert_true(str_eq(u.host, str_of(rows[i].host)) && str_eq(u.path, str_of(rows[i].path)));
        assert_int_equal(u.port, rows[i].port);
        assert_true(u.tls == rows[i].tls && u.loopback == rows[i].loopback);
    }
}

static void test_what_could_be_read_differently_is_refused(void **state)
{
    static const char *const rows[] = {
        "", "hub.test/a", "ftp://hub.test/", "file:///etc/passwd", "http://hub.test/", "http://10.0.0.1/", "http://127.0.0.1.evil.test/",
        "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/", "http://127.0.0.01/", "https://127.0.0.999/", "https:///x", "https://",
        "https://:443/", "https://a.test:/", "https://a.test:0/", "https://a.test:99999/", "https://a.test:8x/", "https://user@a.test/",
        "https://user:sesame@a.test/", "http://127.0.0.1\\@evil.test/", "https://a b.test/", "https://a.test/a b",
        "https://a.test/\r\nX: y", "https://a.test/\xc3\xa9", "https://\xc3\xa9.test/", "https://%61.test/", "https://[::1/", "https://[::1]x/",
        "https://[]/", "https://a.test/<b>", "https://[a-b]/", "https://[a_b]/", "https://a$b/", "https://1.-0.2.3/", "https://a.test/\x7f",
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct web_url u = { .port = 7 };
        struct err e = { 0 };
        assert_int_equal(web_url_parse(str_of(rows[i]), &u, &e), ERR_INVALID_REQUEST);
        assert_int_equal(u.port, 7);
        assert_null(strstr(e.text, "sesame"));
    }
}

static void test_names_have_253_bytes_and_addresses_a_most(void **state)
{
    char text[WEB_MAX_URL + 2];
    struct web_url u;
    struct err e = { 0 };
    for (int n = 252; n <= 254; n++) {
        snprintf(text, sizeof text, "https://%063d.%063d.%063d.%0*da/", 0, 0, 0, n - 193, 0);
        assert_int_equal(web_url_parse(str_of(text), &u, &e), n > 253 ? ERR_INVALID_REQUEST : ERR_OK);
    }
    memset(text, 'x', sizeof text);
    memcpy(text, "https://a/", 10);
    assert_int_equal(web_url_parse(str_make(text, WEB_MAX_URL), &u, &e), ERR_OK);
    assert_int_equal(web_url_parse(str_make(text, WEB_MAX_URL + 1), &u, &e), ERR_INVALID_REQUEST);
    assert_non_null(strstr(e.text, "is too long"));
    assert_int_equal(web_url_parse(STR("https://A_Z.test./"), &u, &e), ERR_OK);
}

static void test_redirects_lead_where_they_say(void **state)
{
    static const struct {
        const char *location, *to; /* NULL: nowhere */
    } rows[] = {
        { "https://cdn.test/x?sig=1", "https://cdn.test/x?sig=1" },
        { "//cdn.test/x",             "https://cdn.test/x" },
        { "/x/y",                     "https://hub.test:8443/x/y" },
        { "name",                     "https://hub.test:8443/a/name" },
        { "name?u=http://z",          "https://hub.test:8443/a/name?u=http://z" },
        { "?page=2",                  "https://hub.test:8443/a/b?page=2" },
        { "http://127.0.0.1/",        "http://127.0.0.1/" }, /* whether that may be asked is another question */
        { "HTTPS:x",                  "HTTPS:x" },
        { "x/a:b",                    "https://hub.test:8443/a/x/a:b" },
        { "x?a:b",                    "https://hub.test:8443/a/x?a:b" },
        { ":x",                       "https://hub.test:8443/a/:x" },
        { "",                         NULL },
        { "/a b",                     NULL },
        { "/a\nb",                    NULL },
    };
    struct web_url base;
    struct err e = { 0 };
    struct buf to = { 0 };
    assert_int_equal(web_url_parse(STR("https://hub.test:8443/a/b?c=/d"), &base, &e), ERR_OK);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        enum err_code rc = web_url_join(&base, str_of(rows[i].location), &to, &e);
        assert_int_equal(rc, rows[i].to ? ERR_OK : ERR_UP_GARBLED);
        if (rows[i].to)
            assert_true(str_eq(buf_str(&to), str_of(rows[i].to)));
    }
    assert_int_equal(web_url_parse(STR("https://hub.test"), &base, &e), ERR_OK);
    assert_int_equal(web_url_join(&base, STR("x"), &to, &e), ERR_OK);
    assert_true(str_eq(buf_str(&to), STR("https://hub.test/x")));
    assert_int_equal(web_url_join(&base, STR("?x"), &to, &e), ERR_OK);
    assert_true(str_eq(buf_str(&to), STR("https://hub.test/?x")));
    char large[WEB_MAX_URL + 2];
    memset(large, 'x', sizeof large);
    assert_int_equal(web_url_join(&base, str_make(large, WEB_MAX_URL + 1), &to, &e), ERR_UP_GARBLED);
    assert_int_equal(web_url_parse(STR("http://[::1]:80"), &base, &e), ERR_OK);
    assert_int_equal(web_url_join(&base, STR("//x"), &to, &e), ERR_OK);
    assert_true(str_eq(buf_str(&to), STR("http://x")));
    buf_free(&to);
}

static void test_an_origin_is_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { "https://a.test/x", "https://A.test:443/y", true },
        { "https://a.test/", "https://b.test/", false },
        { "https://a.test/", "https://a.test:444/", false },
        { "https://localhost:80/", "http://localhost/", false },
        { "https://a.test/", "https://x.a.test/", false },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct web_url a, b;
        struct err e = { 0 };
        assert_false(web_url_parse(str_of(rows[i].a), &a, &e) || web_url_parse(str_of(rows[i].b), &b, &e));
        assert_true(web_url_same_origin(&a, &b) == rows[i].same);
    }
}

static void test_parts_are_escaped_and_signatures_not_shown(void **state)
{
    struct buf b = { 0 };
    char shown[24];
    web_url_escape(&b, STR("a/b c%2f\xc3\xa9.gguf"), true);
    assert_true(str_eq(buf_str(&b), STR("a/b%20c%252f%C3%A9.gguf")));
    buf_reset(&b, 0);
    web_url_escape(&b, str_make("/\0", 2), false);
    assert_true(str_eq(buf_str(&b), STR("%2F%00")));
    assert_string_equal(web_url_show(STR("https://a.test/x?sig=secret"), shown, sizeof shown), "https://a.test/x");
    buf_reset(&b, 0);
    web_url_escape(&b, STR("AZ@[`{/:az09"), true);
    assert_true(str_eq(buf_str(&b), STR("AZ%40%5B%60%7B/%3Aaz09")));
    assert_string_equal(web_url_show(STR("https://a.test/#x"), shown, sizeof shown), "https://a.test/");
    assert_string_equal(web_url_show(STR("https://a.test/\x7f"), shown, sizeof shown), "https://a.test/?");
    assert_string_equal(web_url_show(STR("https://a.test/\n0123456789"), shown, sizeof shown), "https://a.test/?0123456");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_taken_apart),
        cmocka_unit_test(test_what_could_be_read_differently_is_refused),
        cmocka_unit_test(test_names_have_253_bytes_and_addresses_a_most),
        cmocka_unit_test(test_redirects_lead_where_they_say),
        cmocka_unit_test(test_an_origin_is_scheme_host_and_port),
        cmocka_unit_test(test_parts_are_escaped_and_signatures_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
