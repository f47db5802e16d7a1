/* Host and Origin against what the configuration says. Both come well-formed: a Host that is none was refused with the head. */
#include "guard/door.h"

#include "base/hostname.h"

#include <arpa/inet.h>

/* Names for the machine a container runs on, by which its programs reach a port that only this machine sees. `internal` is reserved for private use, so nobody can
 * own a name below it that the world's resolvers answer for. */
static const struct str always[] = { STR("localhost"), STR("host.docker.internal"), STR("host.containers.internal") };

void door_set(struct door *d, const struct config *c, bool open)
{
    *d = (struct door){ .listen = c->listen, .hosts = c->allowed_hosts, .origins = c->allowed_origins, .open = open };
}

/* Without its port, and the dot that may stand behind a name; an IPv6 address keeps its brackets. */
static struct str without_port(struct str host)
{
    struct str rest;
    if (host.n && host.p[0] == '[') {
        str_cut(host, ']', &rest);
        return rest.p ? str_make(host.p, (size_t)(rest.p - host.p)) : host;
    }
    host = str_cut(host, ':', &rest);
    host.n -= host.n > 1 && host.p[host.n - 1] == '.' && host.p[host.n - 2] != '.';
    return host;
}

static bool as_ip6(struct str bracketed, struct in6_addr *out)
{
    char text[INET6_ADDRSTRLEN];
    if (bracketed.n < 3 || bracketed.p[0] != '[' || bracketed.n - 2 >= sizeof text)
        return false;
    memcpy(text, bracketed.p + 1, bracketed.n - 2);
    text[bracketed.n - 2] = 0;
    return inet_pton(AF_INET6, text, out) == 1;
}

static bool is_loopback(struct str name)
{
    struct in6_addr ip6;
    if (name.n > 10 && str_eq_nocase(str_from(name, name.n - 10), STR(".localhost")))
        return true;
    return as_ip6(name, &ip6) ? IN6_IS_ADDR_LOOPBACK(&ip6) : hostname_is_loopback(name);
}

/* `*.example.org` is all below it, and not itself. Addresses are the same however they are written. */
static bool host_matches(struct str pattern, struct str name)
{
    struct in6_addr a, b;
    if (as_ip6(pattern, &a))
        return as_ip6(name, &b) && memcmp(&a, &b, sizeof a) == 0;
    if (!str_starts(pattern, STR("*.")))
        return str_eq_nocase(pattern, name);
    struct str tail = str_from(pattern, 1);
    return name.n > tail.n && str_eq_nocase(str_from(name, name.n - tail.n), tail);
}

bool door_knows_host(const struct door *d, struct str host)
{
    struct str name = without_port(host);
    if (!d->open && !d->hosts.n)
        return true;
    for (size_t i = 0; i < COUNTOF(always); i++)
        if (str_eq_nocase(name, always[i]))
            return true;
    if (is_loopback(name) || str_eq_nocase(name, without_port(d->listen)))
        return true;
    for (size_t i = 0; i < d->hosts.n; i++)
        if (host_matches(d->hosts.at[i], name))
            return true;
    return false;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* The star of an origin is the beginning of its name: never a port, a user, or another host. */
static bool origin_matches(struct str pattern, struct str origin)
{
    struct str tail, head = str_cut(pattern, '*', &tail);
    if (!tail.p)
        return str_eq_nocase(pattern, origin);
    if (origin.n <= head.n + tail.n || !str_eq_nocase(str_make(origin.p, head.n), head) || !str_eq_nocase(str_from(origin, origin.n - tail.n), tail))
        return false;
    for (size_t i = head.n; i < origin.n - tail.n; i++)
        if (!is_name_byte(origin.p[i]))
            return false;
    return true;
}

bool door_knows_origin(const struct door *d, struct str origin)
{
    for (size_t i = 0; i < d->origins.n; i++)
        if (origin_matches(d->origins.at[i], origin))
            return true;
    return false;
}

/* The page came from where it asks: the same name and port, which is one that we go by. Whether by https a proxy in front knows. */
static bool is_own(struct str origin, struct str host)
{
    struct str rest = str_starts(origin, STR("http://")) ? str_from(origin, 7) : str_starts(origin, STR("https://")) ? str_from(origin, 8) : STR("");
    return rest.n && str_eq_nocase(rest, host);
}

static bool is_safe(struct str method)
{
    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) || str_eq(method, STR("OPTIONS"));
}

bool door_is_preflight(struct str method, const struct http_headers *h)
{
    return str_eq(method, STR("OPTIONS")) && http_header(h, STR("access-control-request-method")).p;
}

static int shown(struct str s)
{
    return s.n < 80 ? (int)s.n : 80;
}

static enum err_code refuse_host(struct str host, struct err *e)
{
    err_set(e, ERR_HOST, "This gateway does not go by the name '%.*s'.", shown(host), host.p);
    return err_hint(e, "Ask it as localhost or 127.0.0.1, or let its operator name it in `allowed_hosts`.");
}

static enum err_code refuse_origin(struct str origin, struct err *e)
{
    err_set(e, ERR_ORIGIN, "Pages from '%.*s' may not use this gateway.", shown(origin), origin.n ? origin.p : "");
    if (str_eq(origin, STR("null")) || !origin.n)
        return err_hint(e, "A page without an origin (a file, a sandbox) never may; serve it from one that `allowed_origins` names.");
    return err_hint(e, "Its operator may name it in `allowed_origins`.");
}

static bool is_last(const struct door *d, struct str host)
{
    return host.n == d->last_n && memcmp(host.p, d->last, host.n) == 0;
}

static void keep_last(struct door *d, struct str host)
{
    d->last_n = host.n <= sizeof d->last ? host.n : 0;
    memcpy(d->last, host.p, d->last_n);
}

static enum err_code check_origin(const struct door *d, struct str method, struct str host, const struct http_headers *h, struct str one, struct err *e)
{
    if (door_is_preflight(method, h))
        return refuse_origin(one, e);
    /* With keys none is needed: a page of another origin can send no key unless a preflight has allowed it, and without one it is refused anyway. */
    if (!d->open || is_safe(method) || is_own(one, host))
        return ERR_OK;
    return refuse_origin(one, e);
}

enum err_code door_check(struct door *d, struct str method, const struct http_headers *h, struct str *origin, struct err *e)
{
    struct str host = { NULL, 0 }, one = { NULL, 0 };
    bool two = false;
    *origin = STR("");
    for (size_t i = 0; i < h->n; i++) {
        struct str name = h->at[i].name;
        if (name.n == 4 && str_eq_nocase(name, STR("host"))) {
            host = h->at[i].value;
        } else if (name.n == 6 && str_eq_nocase(name, STR("origin"))) {
            two |= one.p != NULL;
            one = h->at[i].value;
        }
    }
    if (host.p && !is_last(d, host)) { /* HTTP/1.0 may do without; no browser does */
        if (!door_knows_host(d, host))
            return refuse_host(host, e);
        keep_last(d, host);
    }
    if (!one.p)
        return ERR_OK;
    if (two)
        return refuse_origin(STR(""), e);
    if (door_knows_origin(d, one)) {
        *origin = one;
        return ERR_OK;
    }
    return check_origin(d, method, host, h, one, e);
}
