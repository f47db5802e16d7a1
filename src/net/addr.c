/* Addresses: reading them from configuration and printing them back. */
#include "net/addr.h"

#include "base/hostname.h"

#include <stdio.h>

enum { UNIX_PATH_MAX_BYTES = 107 }; /* sun_path less its NUL, on Linux; macOS has 103, where bind() says so */

static void set_host(struct addr *a, struct str host)
{
    memcpy(a->host, host.p, host.n);
    a->host[host.n] = 0;
}

static enum err_code parse_unix(struct str path, struct addr *out, struct err *e)
{
    if (path.n == 0 || memchr(path.p, 0, path.n))
        return err_set(e, ERR_CONFIG, "no path in a unix address");
    if (path.n > UNIX_PATH_MAX_BYTES)
        return err_set(e, ERR_CONFIG, "socket path of %zu bytes; the system allows %d", path.n, UNIX_PATH_MAX_BYTES);
    struct addr a = { .kind = ADDR_UNIX };
    set_host(&a, path);
    *out = a;
    return ERR_OK;
}

enum { PORT_NEEDED = -1 };

/* Of a zone as URLs have it (`%25eth0`) and as everybody else does (`%eth0`) the second is kept. */
static void set_name(struct addr *a, struct str host)
{
    ptrdiff_t zone = str_find(host, STR("%25"));
    set_host(a, host);
    if (zone >= 0 && (size_t)zone + 3 < host.n)
        memmove(a->host + zone + 1, a->host + zone + 3, host.n - (size_t)zone - 2);
}

/* host, host:port or [ip6]:port. */
static enum err_code parse_tcp(struct str text, int default_port, struct addr *out, struct err *e)
{
    struct addr a = { .kind = ADDR_TCP };
    struct str host, port;
    const char *hint;
    bool brackets;
    int64_t number = default_port;
    if (!hostname_split(text, &host, &brackets, &port))
        return brackets ? err_set(e, ERR_CONFIG, "'%.*s': expected ':PORT', or nothing, behind a closing bracket", STR_ARG(text))
                        : err_set(e, ERR_CONFIG, "'%.*s': write an IPv6 address in brackets, [::1]:8080", STR_ARG(text));
    const char *fault = hostname_fault(host, brackets, &hint);
    if (fault) {
        err_set(e, ERR_CONFIG, "'%.*s': the host %s", STR_ARG(text), fault);
        return *hint ? err_hint(e, "%s", hint) : ERR_CONFIG;
    }
    if (!port.p && default_port == PORT_NEEDED)
        return err_set(e, ERR_CONFIG, "'%.*s': no port; expected HOST:PORT", STR_ARG(text));
    if (port.p && !str_to_int(port, default_port == PORT_NEEDED ? 0 : 1, 65535, &number))
        return err_set(e, ERR_CONFIG, "'%.*s' is not a port (0 to 65535)", STR_ARG(port));
    set_name(&a, host);
    a.port = (uint16_t)number;
    *out = a;
    return ERR_OK;
}

enum err_code addr_parse(struct str text, struct addr *out, struct err *e)
{
    if (str_starts(text, STR("unix:")))
        return parse_unix(str_from(text, 5), out, e);
    return parse_tcp(text, PORT_NEEDED, out, e);
}

bool addr_is_loopback(const struct addr *a)
{
    return a->kind == ADDR_UNIX || hostname_is_loopback(str_of(a->host));
}

void addr_format(const struct addr *a, char *out, size_t room)
{
    if (a->kind == ADDR_UNIX)
        snprintf(out, room, "unix:%s", a->host);
    else if (strchr(a->host, ':'))
        snprintf(out, room, "[%s]:%u", a->host, a->port);
    else
        snprintf(out, room, "%s:%u", a->host, a->port);
}

static bool has_scheme(struct str url, struct str scheme)
{
    return url.n >= scheme.n && str_eq_nocase(str_make(url.p, scheme.n), scheme);
}

static enum err_code refuse_scheme(struct str url, struct err *e)
{
    struct str rest;
    struct str scheme = str_cut(url, ':', &rest);
    if (!rest.p)
        return err_set(e, ERR_CONFIG, "'%.*s' is not a URL; expected http://HOST:PORT", STR_ARG(url));
    return err_set(e, ERR_CONFIG, "'%.*s': unknown scheme '%.*s'; expected http or https", STR_ARG(url), STR_ARG(scheme));
}

enum err_code addr_parse_web(struct str url, struct addr *out, bool *tls, struct str *path, struct err *e)
{
    bool secure = has_scheme(url, STR("https://"));
    if (!secure && !has_scheme(url, STR("http://")))
        return refuse_scheme(url, e);
    for (size_t i = 0; i < url.n; i++) {
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
            return err_set(e, ERR_CONFIG, "a space or control character in a URL");
        if (url.p[i] == '?' || url.p[i] == '#')
            return err_set(e, ERR_CONFIG, "'%.*s': a query or fragment has no place here", STR_ARG(url));
    }
    struct str rest = str_from(url, secure ? 8 : 7);
    if (!rest.n)
        return err_set(e, ERR_CONFIG, "'%.*s': no host", STR_ARG(url));
    ptrdiff_t slash = str_find(rest, STR("/"));
    struct str authority = slash < 0 ? rest : str_make(rest.p, (size_t)slash);
    struct str tail = slash < 0 ? str_make(rest.p, 0) : str_from(rest, (size_t)slash);
    if (memchr(authority.p, '@', authority.n))
        return err_set(e, ERR_CONFIG, "user and password have no place in a URL: use 'key'");
    enum err_code rc = parse_tcp(authority, secure ? 443 : 80, out, e);
    if (rc)
        return rc;
    while (str_ends(tail, STR("/")))
        tail.n--;
    *tls = secure;
    *path = tail;
    return ERR_OK;
}

enum err_code addr_parse_url(struct str url, struct addr *out, struct str *path, struct err *e)
{
    bool tls;
    if (has_scheme(url, STR("https://")))
        return err_set(e, ERR_CONFIG, "'%.*s': only http:// can be used here", STR_ARG(url));
    return addr_parse_web(url, out, &tls, path, e);
}
