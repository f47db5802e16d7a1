/* Reading addresses strictly: curl reads them too, and a host that the two see differently would be a way around our rules. */
#include "http/web_url.h"

#include "base/hostname.h"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static enum err_code refuse(struct str text, const char *why, struct err *e)
{
    char shown[160];
    return err_set(e, ERR_INVALID_REQUEST, "the address %s %s", web_url_show(text, shown, sizeof shown), why);
}

const char *web_url_show(struct str url, char *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < url.n && n + 1 < room && url.p[i] != '?' && url.p[i] != '#'; i++)
        out[n++] = (unsigned char)url.p[i] > ' ' && (unsigned char)url.p[i] < 0x7F ? url.p[i] : '?';
    out[n] = 0;
    return out;
}

static bool all_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7F || strchr("\\\"<>^`{|}", s.p[i]))
            return false;
    return true;
}

/* "host", "host:port", "[::1]:port". */
static bool read_authority(struct str s, struct web_url *u)
{
    struct str port;
    const char *hint;
    bool brackets;
    int64_t number = u->tls ? 443 : 80;
    if (!hostname_split(s, &u->host, &brackets, &port) || hostname_fault(u->host, brackets, &hint) || memchr(u->host.p, '%', u->host.n))
        return false;
    if (port.p && !str_to_int(port, 1, 65535, &number))
        return false;
    u->port = (uint16_t)number;
    return true;
}

enum err_code web_url_parse(struct str text, struct web_url *out, struct err *e)
{
    struct web_url u = { 0 };
    if (text.n > WEB_MAX_URL)
        return refuse(str_make(text.p, 100), "is too long", e);
    if (!all_plain(text))
        return refuse(text, "holds a character that may not stand in an address", e);
    u.tls = text.n >= 8 && str_eq_nocase(str_make(text.p, 8), STR("https://"));
    if (!u.tls && !(text.n >= 7 && str_eq_nocase(str_make(text.p, 7), STR("http://"))))
        return refuse(text, "is neither https:// nor http://", e);
    size_t at = u.tls ? 8 : 7, end = at;
    while (end < text.n && !strchr("/?#", text.p[end]))
        end++;
    if (memchr(text.p + at, '@', end - at)) { /* may be a password: not shown */
        err_set(e, ERR_INVALID_REQUEST, "no user or password may stand in an address");
        return err_hint(e, "give a token by HF_TOKEN");
    }
    if (!read_authority(str_make(text.p + at, end - at), &u))
        return refuse(text, "has no valid host and port", e);
    u.loopback = hostname_is_loopback(u.host);
    if (!u.tls && !u.loopback)
        return refuse(text, "is http: that is for this machine only, everybody else is asked by https", e);
    u.origin = str_make(text.p, end);
    const char *fragment = memchr(text.p, '#', text.n);
    u.path = str_make(text.p + end, (fragment ? (size_t)(fragment - text.p) : text.n) - end);
    *out = u;
    return ERR_OK;
}

bool web_url_same_origin(const struct web_url *a, const struct web_url *b)
{
    return a->tls == b->tls && a->port == b->port && str_eq_nocase(a->host, b->host);
}

/* The path up to its last '/', that included. */
static struct str folder(struct str path)
{
    const char *query = path.n ? memchr(path.p, '?', path.n) : NULL;
    size_t n = query ? (size_t)(query - path.p) : path.n;
    while (n && path.p[n - 1] != '/')
        n--;
    return str_make(path.p, n);
}

enum err_code web_url_join(const struct web_url *base, struct str location, struct buf *to, struct err *e)
{
    struct str colon_rest, before = str_cut(location, ':', &colon_rest);
    bool has_scheme = colon_rest.p && before.n && !memchr(before.p, '/', before.n) && !memchr(before.p, '?', before.n);
    buf_reset(to, WEB_MAX_URL);
    if (!location.n || location.n > WEB_MAX_URL || !all_plain(location))
        return err_set(e, ERR_UP_GARBLED, "%.*s redirects to nowhere", STR_ARG(base->host));
    if (has_scheme) {
        buf_add(to, location);
    } else if (str_starts(location, STR("//"))) {
        buf_add(to, base->tls ? STR("https:") : STR("http:"));
        buf_add(to, location);
    } else {
        buf_add(to, base->origin);
        if (location.p[0] == '?') {
            struct str path = base->path.n ? base->path : STR("/");
            struct str rest;
            buf_add(to, str_cut(path, '?', &rest));
        } else if (location.p[0] != '/') {
            struct str before_name = folder(base->path);
            buf_add(to, before_name.n ? before_name : STR("/"));
        }
        buf_add(to, location);
    }
    return ERR_OK;
}

void web_url_escape(struct buf *to, struct str part, bool keep_slashes)
{
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        if (is_alnum(c) || (c && strchr("-._~", c)) || (c == '/' && keep_slashes))
            buf_add_char(to, c);
        else
            buf_printf(to, "%%%02X", (unsigned)(unsigned char)c);
    }
}
