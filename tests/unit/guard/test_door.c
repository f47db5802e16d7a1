/* The door: which Hosts and Origins are let in, row by row. */
#include "guard/door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct str hosts[] = { STR("hob.example.org"), STR("*.lan"), STR("192.0.2.7"), STR("[fd00::7]") };
static const struct str origins[] = { STR("https://chat.example.org"), STR("https://*.example.net:8443"), STR("app://*"), STR("http://localhost:3000") };

static struct door door(bool open, bool named)
{
    struct config c = { .listen = STR("127.0.0.1:8080") };
    struct door d;
    if (named) {
        c.allowed_hosts = (struct conf_strs){ hosts, COUNTOF(hosts) };
        c.allowed_origins = (struct conf_strs){ origins, COUNTOF(origins) };
    }
    door_set(&d, &c, open);
    return d;
}

static const struct {
    const char *host;
    bool alone, named; /* let in without, and with, the lists above */
} host_rows[] = {
    { "localhost", true, true },
    { "LocalHost:8080", true, true },
    { "localhost:", true, true },
    { "app.localhost:1", true, true },
    { "localhost.:8080", true, true }, /* a browser says it so when its user did */
    { "localhost..", false, false },
    { "app.localhost.", true, true },
    { ".localhost", false, false },
    { "127.0.0.1", true, true },
    { "127.0.0.1:8080", true, true },
    { "127.255.0.3:9", true, true },
    { "[::1]", true, true },
    { "[::1]:8080", true, true },
    { "[0:0:0:0:0:0:0:1]:8080", true, true },
    { "host.docker.internal:8080", true, true },
    { "host.containers.internal", true, true },
    { "x.host.docker.internal", false, false },
    { "evil.example", false, false },
    { "localhost.evil.example", false, false },
    { "127.0.0.1.evil.example", false, false },
    { "127.0.0.1.nip.io:8080", false, false },
    { "evillocalhost", false, false },
    { "127.1", false, false },
    { "0177.0.0.1", false, false },
    { "2130706433", false, false },
    { "0x7f000001", false, false },
    { "0.0.0.0:8080", false, false },
    { "[::]", false, false },
    { "[::ffff:127.0.0.1]", false, false },
    { "[::1%25lo]", false, false },
    { "[fe80::1]", false, false },
    { "10.0.0.1", false, false },
    { "128.0.0.1", false, false },
    { "hob.example.org", false, true },
    { "HOB.example.org:443", false, true },
    { "hob.example.org.:443", false, true },
    { "a.hob.example.org", false, false },
    { "hob.example.org.evil.example", false, false },
    { "box.lan", false, true },
    { "a.b.lan:8080", false, true },
    { "lan", false, false },
    { ".lan", false, false },
    { "boxlan", false, false },
    { "192.0.2.7:8080", false, true },
    { "192.0.2.70", false, false },
    { "[FD00::7]:80", false, true },
    { "[fd00:0:0::7]", false, true },
    { "[fd00::8]", false, false },
};

static enum err_code ask(struct door *d, const char *method, const char *host, const char *origin, bool preflight, struct str *told)
{
    struct http_header fields[4];
    struct http_headers h = { fields, 0 };
    struct err e = { 0 };
    if (host)
        fields[h.n++] = (struct http_header){ STR("HOST"), str_of(host) };
    if (origin)
        fields[h.n++] = (struct http_header){ STR("origin"), str_of(origin) };
    if (preflight)
        fields[h.n++] = (struct http_header){ STR("Access-Control-Request-Method"), STR("POST") };
    enum err_code rc = door_check(d, str_of(method), &h, told, &e);
    if (rc) {
        assert_true(e.text[0] && e.hint[0]);
        assert_true(strstr(e.hint, rc == ERR_HOST ? "allowed_hosts" : "allowed_origins") != NULL);
    }
    return rc;
}

static void test_hosts(void **state)
{
    struct str told;
    for (size_t i = 0; i < COUNTOF(host_rows); i++) {
        for (int way = 0; way < 4; way++) {
            struct door d = door(way < 2, way & 1);
            bool want = way == 2 || (way & 1 ? host_rows[i].named : host_rows[i].alone); /* keys alone: any name */
            for (int twice = 0; twice < 2; twice++)                                       /* the second time from memory */
                if (ask(&d, "GET", host_rows[i].host, NULL, false, &told) != (want ? ERR_OK : ERR_HOST))
                    fail_msg("%s, way %d", host_rows[i].host, way);
        }
    }
}

static void test_what_was_let_in_lets_nobody_else_in(void **state)
{
    struct door d = door(true, false);
    struct str told;
    assert_int_equal(ask(&d, "GET", "localhost:8080", NULL, false, &told), ERR_OK);
    assert_int_equal(ask(&d, "GET", "localhost:808", NULL, false, &told), ERR_OK);
    assert_int_equal(ask(&d, "GET", "localhost:8080.evil", NULL, false, &told), ERR_OK); /* no Host that the head lets through */
    assert_int_equal(ask(&d, "GET", "ocalhost:8080", NULL, false, &told), ERR_HOST);
    assert_int_equal(ask(&d, "GET", NULL, NULL, false, &told), ERR_OK);
    assert_int_equal(ask(&d, "POST", NULL, "http://a.example", false, &told), ERR_ORIGIN);
}

enum { OWN = 1, LISTED = 2 };
static const struct {
    const char *origin, *host;
    int is;
} origin_rows[] = {
    { "http://localhost:8080", "localhost:8080", OWN },
    { "https://LOCALHOST:8080", "localhost:8080", OWN },
    { "http://127.0.0.1:8080", "localhost:8080", 0 },
    { "http://localhost", "localhost:8080", 0 },
    { "http://localhost:80800", "localhost:8080", 0 },
    { "ftp://localhost:8080", "localhost:8080", 0 },
    { "http://localhost:8080@evil.example", "localhost:8080", 0 },
    { "http://evil.example", "localhost:8080", 0 },
    { "null", "localhost:8080", 0 },
    { "", "localhost:8080", 0 },
    { "http://", "localhost:8080", 0 },
    { "localhost:8080", "localhost:8080", 0 },
    { "http://localhost:3000", "localhost:8080", LISTED },
    { "https://chat.example.org", "localhost:8080", LISTED },
    { "HTTPS://Chat.Example.Org", "localhost:8080", LISTED },
    { "http://chat.example.org", "localhost:8080", 0 },
    { "https://chat.example.org:444", "localhost:8080", 0 },
    { "https://chat.example.org.evil.example", "localhost:8080", 0 },
    { "https://a.example.net:8443", "localhost:8080", LISTED },
    { "https://a.b.example.net:8443", "localhost:8080", LISTED },
    { "https://.example.net:8443", "localhost:8080", 0 },
    { "https://example.net:8443", "localhost:8080", 0 },
    { "https://a.example.net", "localhost:8080", 0 },
    { "https://evil.example/.example.net:8443", "localhost:8080", 0 },
    { "https://evil.example#.example.net:8443", "localhost:8080", 0 },
    { "https://u@a.example.net:8443", "localhost:8080", 0 },
    { "app://obsidian.md", "localhost:8080", LISTED },
    { "app://x/y", "localhost:8080", 0 },
    { "xapp://x", "localhost:8080", 0 },
};

static void test_origins(void **state)
{
    static const char *const methods[] = { "POST", "DELETE", "PUT", "BREW" };
    struct str told;
    for (size_t i = 0; i < COUNTOF(origin_rows); i++) {
        const char *origin = origin_rows[i].origin, *host = origin_rows[i].host;
        for (int named = 0; named < 2; named++) {
            struct door d = door(true, named), keyed = door(false, named);
            bool listed = named && origin_rows[i].is & LISTED;
            for (size_t m = 0; m < COUNTOF(methods); m++)
                if (ask(&d, methods[m], host, origin, false, &told) != (listed || origin_rows[i].is & OWN ? ERR_OK : ERR_ORIGIN) || (told.n > 0) != listed)
                    fail_msg("%s %s, named %d", methods[m], origin, named);
            assert_int_equal(ask(&d, "GET", host, origin, false, &told), ERR_OK);
            assert_int_equal(told.n > 0, listed);
            assert_int_equal(ask(&d, "OPTIONS", host, origin, true, &told), listed ? ERR_OK : ERR_ORIGIN);
            assert_int_equal(ask(&d, "OPTIONS", host, origin, false, &told), ERR_OK);
            assert_int_equal(ask(&keyed, "POST", host, origin, false, &told), ERR_OK);
            assert_int_equal(told.n > 0, listed);
            assert_int_equal(ask(&keyed, "OPTIONS", host, origin, true, &told), listed ? ERR_OK : ERR_ORIGIN);
        }
    }
}

static void test_two_origins_are_none(void **state)
{
    struct door d = door(true, true);
    struct http_header fields[] = { { STR("Host"), STR("localhost") }, { STR("Origin"), STR("app://a") }, { STR("Origin"), STR("app://a") } };
    struct http_headers h = { fields, 3 };
    struct str told;
    struct err e;
    assert_int_equal(door_check(&d, STR("GET"), &h, &told, &e), ERR_ORIGIN);
    assert_int_equal(told.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_what_was_let_in_lets_nobody_else_in),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_two_origins_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
