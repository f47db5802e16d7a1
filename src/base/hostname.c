#include "base/hostname.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool hostname_split(struct str authority, struct str *host, bool *brackets, struct str *port)
{
    struct str rest;
    *brackets = authority.n && authority.p[0] == '[';
    *port = (struct str){ NULL, 0 };
    if (!*brackets) {
        *host = str_cut(authority, ':', port);
        return !port->p || !memchr(port->p, ':', port->n);
    }
    *host = str_cut(str_from(authority, 1), ']', &rest);
    if (!rest.p || (rest.n && rest.p[0] != ':'))
        return false;
    if (rest.n)
        *port = (struct str){ rest.p + 1, rest.n - 1 };
    return true;
}

/* ---- addresses ---- */

static bool as_text(struct str s, char *out, size_t room)
{
    if (s.n >= room || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return true;
}

static bool is_zone(struct str s)
{
    if (s.n > 2 && str_starts(s, STR("25"))) {
        s = str_from(s, 2);
        if (s.n > 2 && str_starts(s, STR("25"))) /* written again, it would be read as another zone */
            return false;
    }
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (!s.p[i] || !strchr("-._", s.p[i])))
            return false;
    return s.n > 0 && s.n <= HOSTNAME_ZONE_BYTES;
}

static bool is_ip6(struct str s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    struct str zone, address = str_cut(s, '%', &zone);
    return as_text(address, text, sizeof text) && inet_pton(AF_INET6, text, &ip) == 1 && (!zone.p || is_zone(zone));
}

static bool is_ip4(struct str s)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr ip;
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '0' && is_digit(s.p[i + 1]) && (i == 0 || s.p[i - 1] == '.')) /* octal to some */
            return false;
    return as_text(s, text, sizeof text) && inet_pton(AF_INET, text, &ip) == 1;
}

static bool is_number(struct str label)
{
    size_t i = 0;
    bool hex = label.n > 1 && label.p[0] == '0' && (label.p[1] | 0x20) == 'x';
    for (i = hex ? 2 : 0; i < label.n; i++)
        if (!is_digit(label.p[i]) && !(hex && strchr("abcdef", label.p[i] | 0x20)))
            return false;
    return label.n > 0;
}

/* ---- names ---- */

static struct str last_label(struct str s)
{
    size_t at = s.n;
    while (at && s.p[at - 1] != '.')
        at--;
    return str_from(s, at);
}

static bool labels_fit(struct str s)
{
    struct str rest = s;
    while (rest.p) {
        struct str label = str_cut(rest, '.', &rest);
        if (!label.n || label.n > HOSTNAME_LABEL_BYTES)
            return false;
    }
    return true;
}

const char *hostname_fault(struct str host, bool brackets, const char **hint)
{
    *hint = "";
    if (!host.n)
        return "is empty";
    for (size_t i = 0; i < host.n; i++)
        if ((unsigned char)host.p[i] >= 0x80) {
            *hint = "write it as DNS has it, each such part beginning with xn-- (`idn2 NAME` prints that)";
            return "is not in ASCII";
        }
    if (brackets)
        return is_ip6(host) ? NULL : "is no IPv6 address";
    for (size_t i = 0; i < host.n; i++)
        if (!is_alnum(host.p[i]) && (!host.p[i] || !strchr("-._", host.p[i])))
            return "holds a character that may not stand in a name";
    struct str name = host;
    name.n -= name.n > 1 && name.p[name.n - 1] == '.';
    if (is_number(last_label(name))) {
        if (is_ip4(host))
            return NULL;
        *hint = "write an IPv4 address as four decimal numbers without zeros before them, like 127.0.0.1";
        return "ends in a number and is no IPv4 address";
    }
    return name.n <= HOSTNAME_MAX_BYTES && labels_fit(name) ? NULL : "is no name: between dots stand 1 to 63 characters, and 253 in all";
}

bool hostname_is_loopback(struct str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr ip4;
    struct in6_addr ip6;
    if (str_eq_nocase(host, STR("localhost")) || str_eq_nocase(host, STR("localhost.")))
        return true;
    if (!as_text(host, text, sizeof text))
        return false;
    if (inet_pton(AF_INET, text, &ip4) == 1)
        return ntohl(ip4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &ip6) == 1 && IN6_IS_ADDR_LOOPBACK(&ip6);
}
