/* Addresses and names, by all who read them. The input up to its first line feed is one, the rest is where it redirects to. Oracles: what one reader takes another takes for the
 * same host and port; what is written back is read the same; what leads elsewhere is an address again or is refused, and nothing that may not stand in one comes through. */
#include "base/hostname.h"
#include "conf/conf_int.h"
#include "http/web_url.h"
#include "net/addr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_listen(struct str text)
{
    struct addr a, again;
    struct err e = { 0 };
    char shown[400];
    if (addr_parse(text, &a, &e)) {
        must(e.code == ERR_CONFIG && e.text[0]);
        return;
    }
    addr_format(&a, shown, sizeof shown);
    must(addr_parse(str_of(shown), &again, &e) == ERR_OK);
    must(again.kind == a.kind && again.port == a.port && strcmp(again.host, a.host) == 0 && addr_is_loopback(&again) == addr_is_loopback(&a));
}

static void check_web(struct str text, struct str location)
{
    struct web_url u, next;
    struct addr a;
    struct str path;
    struct err e = { 0 };
    struct buf to = { 0 };
    const char *hint;
    char shown[64];
    bool tls;
    must(strlen(web_url_show(text, shown, sizeof shown)) < sizeof shown);
    if (web_url_parse(text, &u, &e)) {
        must(e.code == ERR_INVALID_REQUEST && e.text[0]);
        return;
    }
    must(u.tls || u.loopback);
    must(!hostname_fault(u.host, u.host.p[-1] == '[', &hint));
    must(addr_parse_web(u.origin, &a, &tls, &path, &e) == ERR_OK);
    must(str_eq(str_of(a.host), u.host) && a.port == u.port && tls == u.tls && addr_is_loopback(&a) == u.loopback);
    if (web_url_join(&u, location, &to, &e) == ERR_OK) {
        for (size_t i = 0; i < to.n; i++)
            must((unsigned char)to.p[i] > ' ' && (unsigned char)to.p[i] < 0x7F);
        if (web_url_parse(buf_str(&to), &next, &e) == ERR_OK && location.p[0] == '/' && !str_starts(location, STR("//")))
            must(web_url_same_origin(&u, &next));
    }
    buf_free(&to);
}

static void check_patterns(struct str text)
{
    const char *hint;
    struct str name = str_starts(text, STR("*.")) ? str_from(text, 2) : text;
    bool brackets = name.n && name.p[0] == '[';
    if (!host_pattern_fault(text))
        must(!hostname_fault(brackets ? str_make(name.p + 1, name.n - 2) : name, brackets, &hint));
    if (!origin_pattern_fault(text))
        must(str_find(text, STR("://")) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str location, text = str_cut(str_make((const char *)data, size), '\n', &location);
    if (!size)
        return 0;
    check_listen(text);
    check_web(text, location);
    check_patterns(text);
    return 0;
}
