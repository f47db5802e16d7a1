/* Addresses: reading them from configuration and printing them back. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { UNIX_PATH_MAX_BYTES = 107 }; /* sun_path less its NUL, on Linux; macOS has 103, where bind() says so */

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_host_char(s.p[i]))
            return false;
    }
    return s.n > 0;
}

static void set_host(struct addr *a, struct str host)
{
    memcpy(a->host, host.p, host.n);
    a->host[host.n] = 0;
}

static bool is_ip6(struct str s)
{
    char text[256];
    struct in6_addr ip;
    if (s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    char *zone = memchr(text, '%', s.n); /* fe80::1%eth0: which link, checked at connect */
    if (zone)
        *zone = 0;
    return inet_pton(AF_INET6, text, &ip) == 1;
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

/* host, host:port or [ip6]:port. */
static enum err_code parse_tcp(struct str text, int default_port, struct addr *out, struct err *e)
{
    struct addr a = { .kind = ADDR_TCP };
    struct str host = text, port = { NULL, 0 };
    int64_t number = default_port;
    if (text.n && text.p[0] == '[') {
        struct str rest;
        host = str_cut(str_from(text, 1), ']', &rest);
        if (!rest.p)
            return err_set(e, ERR_CONFIG, "'%.*s': no closing bracket", STR_ARG(text));
        if (rest.n && rest.p[0] != ':')
            return err_set(e, ERR_CONFIG, "'%.*s': expected ':PORT' after the bracket", STR_ARG(text));
        port = str_from(rest, 1);
        if (rest.n == 1)
            return err_set(e, ERR_CONFIG, "'%.*s': no port after ':'", STR_ARG(text));
        if (!is_ip6(host))
            return err_set(e, ERR_CONFIG, "'%.*s' is not an IPv6 address", STR_ARG(host));
    } else {
        ptrdiff_t colon = str_find(text, STR(":"));
        if (colon >= 0) {
            host = str_make(text.p, (size_t)colon);
            port = str_from(text, (size_t)colon + 1);
            if (port.n == 0)
                return err_set(e, ERR_CONFIG, "'%.*s': no port after ':'", STR_ARG(text));
            if (memchr(port.p, ':', port.n))
                return err_set(e, ERR_CONFIG, "'%.*s': write an IPv6 address in brackets, [::1]:8080", STR_ARG(text));
        }
        if (!is_name(host))
            return err_set(e, ERR_CONFIG, "'%.*s' is not an address; expected HOST:PORT, [IPV6]:PORT or unix:PATH", STR_ARG(text));
    }
    if (host.n >= sizeof a.host)
        return err_set(e, ERR_CONFIG, "host name of %zu bytes", host.n);
    if (port.n == 0 && default_port == PORT_NEEDED)
        return err_set(e, ERR_CONFIG, "'%.*s': no port; expected HOST:PORT", STR_ARG(text));
    if (port.n && !str_to_int(port, 0, 65535, &number))
        return err_set(e, ERR_CONFIG, "'%.*s' is not a port (0 to 65535)", STR_ARG(port));
    set_host(&a, host);
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
    struct in_addr ip4;
    struct in6_addr ip6;
    if (a->kind == ADDR_UNIX)
        return true;
    if (inet_pton(AF_INET, a->host, &ip4) == 1)
        return (ntohl(ip4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, a->host, &ip6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&ip6);
    return str_eq_nocase(str_of(a->host), STR("localhost"));
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
