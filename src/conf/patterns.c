/* Names and origins that an operator lets in, and how they may be written. A star stands for the beginning of a name and for nothing else: whoever may be anybody is
 * better let in by a key. */
#include "base/hostname.h"
#include "conf/conf_int.h"

#include <arpa/inet.h>
#include <ctype.h>

enum { PATTERN_MAX_BYTES = 255 };

static bool is_bracketed(struct str s)
{
    const char *hint;
    return s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']' && !memchr(s.p, '%', s.n) && !hostname_fault(str_make(s.p + 1, s.n - 2), true, &hint);
}

/* `*.example.org`, a name, an address; IPv6 in brackets. */
static bool is_host_pattern(struct str s)
{
    const char *hint;
    struct str name = str_starts(s, STR("*.")) ? str_from(s, 2) : s;
    return is_bracketed(s) || (s.n <= PATTERN_MAX_BYTES && isalnum((unsigned char)(name.n ? name.p[name.n - 1] : 0)) && !hostname_fault(name, false, &hint));
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

static const char *const not_ascii = "is not in ASCII: browsers say such a name as DNS has it, each such part beginning with xn-- (`idn2 NAME` prints that)";

const char *host_pattern_fault(struct str s)
{
    struct str rest, host = str_cut(s, ':', &rest);
    if (is_host_pattern(s))
        return NULL;
    if (str_eq(s, STR("*")))
        return "stands for any name, and then no name is checked: name those you use, or configure 'keys', which need no names";
    if (str_find(s, STR("://")) >= 0)
        return "is an address: write the name in it alone";
    if (!is_ascii(s))
        return not_ascii;
    if (rest.p && !memchr(rest.p, ':', rest.n) && is_host_pattern(host))
        return "has a port: write the name alone, it holds for any port";
    return "is no name like hob.example.org or *.example.org, and no IP address (IPv6 in brackets)";
}

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && !strchr("+-.", s.p[i]))
            return false;
    return s.n && isalpha((unsigned char)s.p[0]);
}

/* HOST or HOST:PORT as a browser writes it; below a scheme of programs (app://) a star alone is any of them. */
static bool is_origin_rest(struct str s, bool web)
{
    int64_t number;
    struct str rest, host;
    if (!web && str_eq(s, STR("*")))
        return true;
    if (s.n && s.p[0] == '[') {
        ptrdiff_t end = str_find(s, STR("]"));
        host = end < 0 ? s : str_make(s.p, (size_t)end + 1);
        rest = str_from(s, host.n);
        if (rest.n && rest.p[0] != ':')
            return false;
        rest = rest.n ? str_from(rest, 1) : STR("80");
    } else {
        host = str_cut(s, ':', &rest);
        if (!rest.p)
            rest = STR("80");
    }
    return is_host_pattern(host) && isdigit((unsigned char)(rest.n ? rest.p[0] : 0)) && str_to_int(rest, 1, 65535, &number);
}

/* An origin is compared as text, and browsers write an address in one way only. */
static bool is_as_browsers_write(struct str rest)
{
    char text[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    struct str port, host;
    bool brackets;
    if (!hostname_split(rest, &host, &brackets, &port) || !brackets || host.n >= sizeof text)
        return true;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    return inet_pton(AF_INET6, text, &ip) != 1 || !inet_ntop(AF_INET6, &ip, again, sizeof again) || str_eq(host, str_of(again));
}

const char *origin_pattern_fault(struct str s)
{
    ptrdiff_t at = str_find(s, STR("://"));
    if (str_eq(s, STR("*")) || str_eq_nocase(s, STR("null")))
        return "would let any page in: name those you use, like https://chat.example.org";
    if (at < 0)
        return "is no origin like https://chat.example.org or app://obsidian.md";
    struct str scheme = str_make(s.p, (size_t)at), rest = str_from(s, (size_t)at + 3);
    bool web = str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("https"));
    if (!is_ascii(s))
        return not_ascii;
    if (rest.n && memchr(rest.p, '/', rest.n))
        return "has a path: an origin is scheme, name and port alone, without a slash behind them";
    if (s.n > PATTERN_MAX_BYTES || !is_scheme(scheme) || !is_origin_rest(rest, web))
        return "is no origin like https://chat.example.org or https://*.example.org:8443";
    if (web && str_ends(rest, scheme.n == 5 ? STR(":443") : STR(":80")))
        return "names the port that browsers leave out: write it without";
    if (web && !is_as_browsers_write(rest))
        return "has an IPv6 address that browsers write differently: shortened, in small letters, like [fd00::7]";
    return NULL;
}
