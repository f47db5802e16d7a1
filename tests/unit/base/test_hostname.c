/* One table of hosts as people and attackers write them, and every reader of such texts held to it: the configuration, the plain client, the web client, the door. */
#include "base/hostname.h"

#include "conf/conf.h"
#include "guard/door.h"
#include "http/web_url.h"
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { NO, YES, HERE /* and it is this machine */ };
static const struct {
    const char *authority; /* HOST or HOST:PORT */
    int fits;
    const char *fault;     /* in what `hob config check` says */
    const char *host;      /* as it is asked for; NULL: as it stands there */
} rows[] = {
    /* names */
    { "anvil", YES },
    { "anvil:9001", YES, NULL, "anvil" },
    { "ANVIL.Example.ORG", YES },
    { "a_b.example", YES },
    { "-a.example", YES },
    { "xn--bcher-kva.example", YES },
    { "3com.example", YES },
    { "1.example", YES },
    { "anvil.", YES },
    { "anvil..", NO, "is no name" },
    { ".anvil", NO, "is no name" },
    { "a..b", NO, "is no name" },
    { ".", NO, "is no name" },
    { "a234567890123456789012345678901234567890123456789012345678901234.example", NO, "is no name" },
    { "a23456789012345678901234567890123456789012345678901234567890123.example", YES },
    /* this machine, and what only looks like it */
    { "localhost", HERE },
    { "LocalHost:80", HERE, NULL, "LocalHost" },
    { "localhost.", HERE },
    { "localhost.evil", YES },
    { "localhost.evil.example", YES },
    { "x.localhost", YES },
    { "evillocalhost", YES },
    { "127.evil.example", YES },
    { "127.0.0.1.evil.example", YES },
    { "127.0.0.1.nip.io", YES },
    { "10.0.0.1.example", YES },
    /* beyond ASCII */
    { "b\xc3\xbc" "cher.example", NO, "is not in ASCII" },
    { "b\xc3\xbc" "cher.example:80", NO, "is not in ASCII" },
    { "example\xe3\x80\x82org", NO, "is not in ASCII" },       /* a dot to some */
    { "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", NO, "is not in ASCII" }, /* wide digits */
    { "\xd0\xb0nvil", NO, "is not in ASCII" },                 /* Cyrillic */
    { "[\xc3\xbc::1]", NO, "is not in ASCII" },
    /* IPv4 */
    { "127.0.0.1", HERE },
    { "127.255.0.3:9", HERE, NULL, "127.255.0.3" },
    { "128.0.0.1", YES },
    { "0.0.0.0", YES },
    { "127.1", NO, "ends in a number" },
    { "127.0.1", NO, "ends in a number" },
    { "0x7f.1", NO, "ends in a number" },
    { "0x7F000001", NO, "ends in a number" },
    { "127.0.0.0x1", NO, "ends in a number" },
    { "0x", NO, "ends in a number" },
    { "2130706433", NO, "ends in a number" },
    { "0177.0.0.1", NO, "ends in a number" },
    { "127.0.0.01", NO, "ends in a number" },
    { "127.0.0.1.", NO, "ends in a number" },
    { "127.0.0.256", NO, "ends in a number" },
    { "1.2.3.4.5", NO, "ends in a number" },
    { "example.1", NO, "ends in a number" },
    { "example.1.", NO, "ends in a number" },
    { "1", NO, "ends in a number" },
    /* IPv6 */
    { "[::1]", HERE, NULL, "::1" },
    { "[::1]:8080", HERE, NULL, "::1" },
    { "[0:0:0:0:0:0:0:1]", HERE, NULL, "0:0:0:0:0:0:0:1" },
    { "[::]", YES, NULL, "::" },
    { "[FE80::1]", YES, NULL, "FE80::1" },
    { "[::ffff:127.0.0.1]", YES, NULL, "::ffff:127.0.0.1" },
    { "[::1]evil", NO, "no valid host" },
    { "[::1]:", NO, "no valid host" },
    { "[::1", NO, "no valid host" },
    { "::1", NO, "no valid host" },
    { "fe80::1:80", NO, "no valid host" },
    { "[]", NO, "no valid host" },
    { "[127.0.0.1]", NO, "is no IPv6 address" },
    { "[anvil]", NO, "is no IPv6 address" },
    { "[::1::2]", NO, "is no IPv6 address" },
    { "[[::1]]", NO, "" },
    { "[fe80::1%]", NO, "is no IPv6 address" },
    { "[fe80::1%a/b]", NO, "" },
    { "[fe80::1%a%b]", NO, "is no IPv6 address" },
    { "[fe80::1%a234567890123456]", NO, "is no IPv6 address" },
    /* ports */
    { "anvil:1", YES, NULL, "anvil" },
    { "anvil:65535", YES, NULL, "anvil" },
    { "anvil:", NO, "no valid host" },
    { "anvil:0", NO, "no valid host" },
    { "anvil:65536", NO, "no valid host" },
    { "anvil:-1", NO, "no valid host" },
    { "anvil:+1", NO, "no valid host" },
    { "anvil:0x50", NO, "no valid host" },
    { "anvil:80:80", NO, "no valid host" },
    { "anvil:99999999999999999999", NO, "no valid host" },
    { ":80", NO, "no valid host" },
    { "", NO, "no valid host" },
    /* users, and other ways to say two hosts at once */
    { "me@anvil", NO, "no user or password" },
    { "me:secret@anvil", NO, "no user or password" },
    { "127.0.0.1@evil.example", NO, "no user or password" },
    { "@anvil", NO, "no user or password" },
    { "anvil%2eevil", NO, "may not stand in a name" },
    { "anvil%00", NO, "may not stand in a name" },
    { "127.0.0.1\\evil.example", NO, "may not stand" },
    { "an vil", NO, "may not stand" },
    { "anvil\tx", NO, "" },
    { "anvil,evil", NO, "may not stand in a name" },
    { "anvil;evil", NO, "may not stand in a name" },
    { "$(id)", NO, "may not stand in a name" },
};

static bool read_by_conf(const char *authority, struct err *e, bool *local)
{
    char text[512];
    struct config *c = NULL;
    snprintf(text, sizeof text, "hosts:\n  h:\n    url: \"http://%s/v1\"\n", authority);
    for (char *p = text; *p; p++)
        if (*p == '\\') { /* in quotes of YAML's */
            memmove(p + 1, p, strlen(p) + 1);
            p++;
        }
    if (conf_parse(STR("hob.yaml"), str_of(text), &c, e))
        return false;
    *local = c->hosts[0].local;
    conf_free(c);
    return true;
}

static void test_all_readers_of_addresses_agree(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const char *authority = rows[i].authority;
        char http[512], https[512];
        struct err conf_e = { 0 }, e = { 0 };
        struct addr a;
        struct web_url u;
        struct str path;
        bool tls, local = false, fits = rows[i].fits != NO;
        snprintf(http, sizeof http, "http://%s/v1", authority);
        snprintf(https, sizeof https, "https://%s/v1", authority);
        bool by_conf = read_by_conf(authority, &conf_e, &local), by_plain = !addr_parse_web(str_of(http), &a, &tls, &path, &e), by_web = !web_url_parse(str_of(https), &u, &e);
        if (by_conf != fits || by_plain != fits || by_web != fits)
            fail_msg("'%s': configuration %d (%s), client %d, web %d", authority, by_conf, conf_e.text, by_plain, by_web);
        if (!fits) {
            if (!strstr(conf_e.text, rows[i].fault) || !strstr(conf_e.text, "hob.yaml:3:") || strstr(conf_e.text, "secret"))
                fail_msg("'%s' is refused with '%s'", authority, conf_e.text);
            continue;
        }
        struct str rest, host = str_of(rows[i].host ? rows[i].host : authority);
        assert_string_equal(a.host, str_cut(host, '\0', &rest).p);
        assert_true(str_eq(u.host, host));
        if (local != (rows[i].fits == HERE) || addr_is_loopback(&a) != local || u.loopback != local)
            fail_msg("'%s' is here: configuration %d, client %d, web %d", authority, local, addr_is_loopback(&a), u.loopback);
    }
}

/* A zone is for who knows the link: hosts of one's own. In what is downloaded from it has no place. */
static void test_a_zone_is_a_zone_however_it_is_written(void **state)
{
    static const struct {
        const char *url, *host;
    } zones[] = { { "http://[fe80::1%eth0]:80", "fe80::1%eth0" }, { "http://[fe80::1%25eth0]/v1", "fe80::1%eth0" }, { "http://[fe80::1%25]", "fe80::1%25" },
        { "http://[fe80::1%br-lan.2]", "fe80::1%br-lan.2" } };
    for (size_t i = 0; i < COUNTOF(zones); i++) {
        struct addr a;
        struct web_url u;
        struct err e;
        struct str path;
        char https[128];
        bool tls, local;
        assert_int_equal(addr_parse_web(str_of(zones[i].url), &a, &tls, &path, &e), ERR_OK);
        assert_string_equal(a.host, zones[i].host);
        assert_true(read_by_conf(zones[i].url + 7, &e, &local) && !local);
        snprintf(https, sizeof https, "https%s", zones[i].url + 4);
        assert_int_equal(web_url_parse(str_of(https), &u, &e), ERR_INVALID_REQUEST);
    }
}

/* What else holds hosts: each with its line and column, and never an address silently read as another. */
static void test_every_setting_with_a_host_is_checked(void **state)
{
    static const struct {
        const char *text, *says; /* NULL: it is fine */
    } cases[] = {
        { "listen: '127.0.0.1:0'", NULL },
        { "listen: 'localhost:80'", NULL },
        { "listen: '[::1]:65535'", NULL },
        { "listen: '127.1:80'", "hob.yaml:1:9: listen: '127.1:80' names no address of this machine" },
        { "listen: 'b\xc3\xbc" "cher:80'", "hob.yaml:1:9: listen: " },
        { "listen: '127.0.0.1:65536'", "hob.yaml:1:9: listen: " },
        { "listen: '[fe80::1%eth0]:80'", "hob.yaml:1:9: listen: " },
        { "listen: '0x7f000001:80'", "hob.yaml:1:9: listen: " },
        { "allowed_hosts: [Hob.Example.Org, '*.lan', '[fd00::7]', 192.0.2.7, xn--bcher-kva.example]", NULL },
        { "allowed_hosts: [b\xc3\xbc" "cher.example]", "hob.yaml:1:17: allowed_hosts: 'b\xc3\xbc" "cher.example' is not in ASCII: browsers say" },
        { "allowed_hosts: [hob.lan.]", "hob.yaml:1:17: allowed_hosts: 'hob.lan.' is no name" },
        { "allowed_hosts: ['127.1']", "hob.yaml:1:17: allowed_hosts: '127.1' is no name" },
        { "allowed_hosts: ['[fe80::1%eth0]']", "hob.yaml:1:17: " },
        { "allowed_hosts: ['hob.lan:80']", "has a port" },
        { "allowed_hosts: ['a..b']", "is no name" },
        { "allowed_origins: ['https://b\xc3\xbc" "cher.example']", "hob.yaml:1:19: allowed_origins: 'https://b\xc3\xbc" "cher.example' is not in ASCII" },
        { "allowed_origins: ['https://chat.example.org:8443', 'app://*', 'http://[fd00::7]:3000', 'https://*.example.org']", NULL },
        { "allowed_origins: ['https://chat.example.org:443']", "names the port that browsers leave out" },
        { "allowed_origins: ['http://chat.example.org:80']", "names the port that browsers leave out" },
        { "allowed_origins: ['http://chat.example.org:443']", NULL },
        { "allowed_origins: ['http://[FD00:0::7]:3000']", "browsers write differently" },
        { "allowed_origins: ['http://127.1:3000']", "is no origin" },
        { "allowed_origins: ['http://localhost.']", "is no origin" },
        { "hosts: {h: {url: 'http://a', proxy: 'socks5h://me:pw@127.0.0.1:1055'}}", NULL },
        { "hosts: {h: {url: 'http://a', proxy: 'socks5h://127.1:1055'}}", "hob.yaml:1:37: proxy: is no proxy" },
        { "hosts: {h: {url: 'http://a', proxy: 'http://b\xc3\xbc" "cher:80'}}", "hob.yaml:1:37: proxy: is no proxy" },
        { "hosts: {h: {url: 'http://a', proxy: 'http://anvil:0'}}", "hob.yaml:1:37: proxy: is no proxy" },
        { "hosts: {h: {url: 'HTTP://a'}}", "hob.yaml:1:18: url: " },
        { "hosts: {h: {url: 'http://a/\xc3\xbc'}}", "percent signs" },
        { "notify: {url: 'https://hooks.example/x?token=1'}", NULL },
        { "notify: {url: 'https://b\xc3\xbc" "cher.example/secret'}", "hob.yaml:1:15: url: holds a space or another character" },
        { "notify: {url: 'https://127.1/secret'}", "notify.url: it has no valid host and port" },
        { "notify: {url: 'https://me:secret@hooks.example/'}", "notify.url: it has no valid host and port" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct config *c = NULL;
        struct err e = { 0 };
        enum err_code rc = conf_parse(STR("hob.yaml"), str_of(cases[i].text), &c, &e);
        if (!rc != !cases[i].says || (cases[i].says && !strstr(e.text, cases[i].says)))
            fail_msg("%s\n%s", cases[i].text, rc ? e.text : "is taken");
        assert_null(strstr(e.text, "secret"));
        if (!rc)
            conf_free(c);
    }
}

static void test_whoever_is_not_in_ascii_is_told_how_it_is_written(void **state)
{
    struct err e = { 0 };
    bool local;
    assert_false(read_by_conf("b\xc3\xbc" "cher.example", &e, &local));
    assert_non_null(strstr(e.hint, "xn--"));
    assert_false(read_by_conf("127.1", &e, &local));
    assert_non_null(strstr(e.hint, "127.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_readers_of_addresses_agree),
        cmocka_unit_test(test_a_zone_is_a_zone_however_it_is_written),
        cmocka_unit_test(test_every_setting_with_a_host_is_checked),
        cmocka_unit_test(test_whoever_is_not_in_ascii_is_told_how_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
