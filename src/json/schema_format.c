/* Formats, each as its RFC writes it: dates RFC 3339, mail addresses RFC 5321 (ASCII), hosts RFC 1123, addresses RFC 4291, URIs RFC 3986. Each
 * reader takes from the front of *s what it knows; a format fits when nothing is left. */
#include "json/schema_format.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool take(struct str *s, const char *set)
{
    if (!s->n || !is_one_of(s->p[0], set))
        return false;
    *s = str_make(s->p + 1, s->n - 1);
    return true;
}

/* Exactly so many digits. */
static bool take_digits(struct str *s, size_t n, int *out)
{
    *out = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s->p[i]))
            return false;
        *out = *out * 10 + (s->p[i] - '0');
    }
    *s = str_make(s->p + n, s->n - n);
    return true;
}

static size_t take_some_digits(struct str *s)
{
    size_t n = 0;
    while (n < s->n && is_digit(s->p[n]))
        n++;
    *s = str_make(s->p + n, s->n - n);
    return n;
}

static bool take_date(struct str *s)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day;
    if (!take_digits(s, 4, &year) || !take(s, "-") || !take_digits(s, 2, &month) || !take(s, "-") || !take_digits(s, 2, &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static bool take_time(struct str *s)
{
    int hour, minute, second, by_hours = 0, by_minutes = 0, sign = 0;
    if (!take_digits(s, 2, &hour) || !take(s, ":") || !take_digits(s, 2, &minute) || !take(s, ":") || !take_digits(s, 2, &second))
        return false;
    if (take(s, ".") && !take_some_digits(s))
        return false;
    if (!take(s, "zZ")) {
        sign = take(s, "+") ? 1 : take(s, "-") ? -1 : 0;
        if (!sign || !take_digits(s, 2, &by_hours) || !take(s, ":") || !take_digits(s, 2, &by_minutes))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 60 || by_hours > 23 || by_minutes > 59)
        return false;
    int utc = hour * 60 + minute - sign * (by_hours * 60 + by_minutes);
    return second < 60 || (utc + 2 * 24 * 60) % (24 * 60) == 23 * 60 + 59; /* a leap second ends a day of UTC */
}

static bool fits_date(struct str s)
{
    return take_date(&s) && s.n == 0;
}

static bool fits_time(struct str s)
{
    return take_time(&s) && s.n == 0;
}

static bool fits_date_time(struct str s)
{
    return take_date(&s) && take(&s, "tT") && take_time(&s) && s.n == 0;
}

/* Of the units some that follow each other, biggest first; at least one. */
static bool take_units(struct str *s, const char *units, bool *any)
{
    size_t from = 0;
    while (s->n && is_digit(s->p[0])) {
        take_some_digits(s);
        const char *unit = s->n && s->p[0] ? strchr(units + from, s->p[0]) : NULL;
        if (!unit || (*any && unit != units + from)) /* PT1H2S: RFC 3339 leaves none out */
            return false;
        from = (size_t)(unit - units) + 1;
        *any = true;
        *s = str_make(s->p + 1, s->n - 1);
    }
    return true;
}

static bool fits_duration(struct str s)
{
    bool date = false, time = false;
    if (!take(&s, "P"))
        return false;
    struct str week = s;
    if (take_some_digits(&week) && take(&week, "W"))
        return week.n == 0;
    if (!take_units(&s, "YMD", &date))
        return false;
    if (s.n == 0)
        return date;
    return take(&s, "T") && take_units(&s, "HMS", &time) && time && s.n == 0;
}

static bool fits_hostname(struct str s)
{
    size_t label = 0;
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i <= s.n; i++) {
        if (i == s.n || s.p[i] == '.') {
            if (label == 0 || s.p[i - 1] == '-')
                return false;
            label = 0;
        } else if (++label > 63 || !(is_alnum(s.p[i]) || (s.p[i] == '-' && label > 1))) {
            return false;
        } else if (label == 4 && s.p[i] == '-' && s.p[i - 1] == '-' && !str_eq_nocase(str_make(s.p + i - 3, 2), STR("xn"))) {
            return false; /* kept for what stands for other scripts */
        }
    }
    return true;
}

static bool fits_ipv4(struct str s)
{
    for (int part = 0; part < 4; part++) {
        int value = 0;
        if (part && !take(&s, "."))
            return false;
        struct str from = s;
        size_t n = take_some_digits(&s);
        for (size_t i = 0; i < n && i < 4; i++)
            value = value * 10 + (from.p[i] - '0');
        if (n < 1 || n > 3 || value > 255 || (n > 1 && from.p[0] == '0'))
            return false;
    }
    return s.n == 0;
}

/* Groups up to "::" or the end: how many, -1 when something else is there. An IPv4 address at the end stands for two. */
static int take_groups(struct str *s, bool *gap)
{
    int groups = 0;
    *gap = false;
    if (str_starts(*s, STR("::"))) {
        *s = str_from(*s, 2);
        *gap = true;
        return 0;
    }
    while (s->n) {
        size_t n = 0;
        while (n < s->n && is_hex(s->p[n]))
            n++;
        if (n < s->n && s->p[n] == '.') {
            bool fits = fits_ipv4(*s);
            *s = str_make(s->p, 0);
            return fits ? groups + 2 : -1;
        }
        if (n < 1 || n > 4)
            return -1;
        groups++;
        *s = str_make(s->p + n, s->n - n);
        if (s->n == 0)
            break;
        if (str_starts(*s, STR("::"))) {
            *s = str_make(s->p + 2, s->n - 2);
            *gap = true;
            break;
        }
        if (!take(s, ":") || s->n == 0)
            return -1;
    }
    return groups;
}

static bool fits_ipv6(struct str s)
{
    bool gap, second = false;
    int before = take_groups(&s, &gap), after = 0;
    if (before >= 0 && gap)
        after = str_starts(s, STR(":")) ? -1 : take_groups(&s, &second);
    if (before < 0 || after < 0 || second)
        return false;
    return gap ? before + after < 8 : before == 8;
}

static bool fits_uuid(struct str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-' : !is_hex(s.p[i]))
            return false;
    return true;
}

static bool fits_quoted(struct str s) /* the part before the @, in quotes */
{
    for (size_t i = 1; i + 1 < s.n; i++) {
        bool escaped = s.p[i] == '\\';
        if (escaped && ++i + 1 >= s.n)
            return false;
        if (s.p[i] == '"' && !escaped)
            return false;
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    }
    return s.n >= 3;
}

static bool fits_local(struct str s)
{
    if (s.n == 0 || s.n > 64)
        return false;
    if (s.p[0] == '"')
        return s.p[s.n - 1] == '"' && fits_quoted(s);
    for (size_t i = 0; i < s.n; i++) {
        bool dot = s.p[i] == '.';
        if (dot && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.'))
            return false;
        if (!dot && !is_alnum(s.p[i]) && !is_one_of(s.p[i], "!#$%&'*+-/=?^_`{|}~"))
            return false;
    }
    return true;
}

static bool fits_email(struct str s)
{
    size_t at = s.n;
    while (at && s.p[at - 1] != '@')
        at--;
    if (at == 0 || !fits_local(str_make(s.p, at - 1)))
        return false;
    struct str host = str_make(s.p + at, s.n - at);
    if (host.n < 2 || host.p[0] != '[' || host.p[host.n - 1] != ']')
        return fits_hostname(host);
    host = str_make(host.p + 1, host.n - 2);
    return str_starts(host, STR("IPv6:")) ? fits_ipv6(str_make(host.p + 5, host.n - 5)) : fits_ipv4(host);
}

static bool fits_json_pointer(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return s.n == 0 || s.p[0] == '/';
}

static bool fits_authority(struct str s) /* behind the "//" */
{
    size_t end = 0, at = 0;
    while (end < s.n && !is_one_of(s.p[end], "/?#"))
        end++;
    for (size_t i = 0; i < end; i++)
        if (s.p[i] == '@')
            at = i + 1;
    struct str host = str_make(s.p + at, end - at);
    for (size_t i = 0; i + 1 < at; i++) /* the user */
        if (is_one_of(s.p[i], "[]@"))
            return false;
    if (host.n && host.p[0] == '[') {
        size_t close = 1;
        while (close < host.n && host.p[close] != ']')
            close++;
        if (close == host.n || !fits_ipv6(str_make(host.p + 1, close - 1)))
            return false;
        host = str_make(host.p + close + 1, host.n - close - 1); /* nothing but a port may follow */
    } else {
        while (host.n && !is_one_of(host.p[0], ":[]"))
            host = str_make(host.p + 1, host.n - 1);
    }
    if (take(&host, ":"))
        take_some_digits(&host);
    return host.n == 0;
}

static bool fits_uri_reference(struct str s)
{
    bool fragment = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%' && (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
            return false;
        if (c == '#' && fragment)
            return false;
        fragment |= c == '#';
        if (!is_alnum(c) && !is_one_of(c, "-._~:/?#[]@!$&'()*+,;=%"))
            return false;
    }
    size_t at = 0;
    while (at < s.n && !is_one_of(s.p[at], ":/?#"))
        at++;
    if (at < s.n && s.p[at] == ':') { /* then it is a scheme */
        for (size_t i = 0; i < at; i++)
            if (!is_alnum(s.p[i]) && !(i && is_one_of(s.p[i], "+-.")))
                return false;
        if (at == 0 || is_digit(s.p[0]))
            return false;
        s = str_make(s.p + at + 1, s.n - at - 1);
    }
    if (str_starts(s, STR("//"))) {
        if (!fits_authority(str_make(s.p + 2, s.n - 2)))
            return false;
        for (s = str_make(s.p + 2, s.n - 2); s.n && !is_one_of(s.p[0], "/?#");)
            s = str_make(s.p + 1, s.n - 1);
    }
    for (size_t i = 0; i < s.n; i++) /* brackets are for an IPv6 host */
        if (is_one_of(s.p[i], "[]"))
            return false;
    return true;
}

static bool fits_uri(struct str s)
{
    size_t at = 0;
    while (at < s.n && !is_one_of(s.p[at], ":/?#"))
        at++;
    return at < s.n && s.p[at] == ':' && fits_uri_reference(s);
}

static const struct {
    struct str name;
    bool (*fits)(struct str s);
} formats[FORMAT_COUNT] = {
    [FORMAT_DATE] = { STR("date"), fits_date },
    [FORMAT_DATE_TIME] = { STR("date-time"), fits_date_time },
    [FORMAT_DURATION] = { STR("duration"), fits_duration },
    [FORMAT_EMAIL] = { STR("email"), fits_email },
    [FORMAT_HOSTNAME] = { STR("hostname"), fits_hostname },
    [FORMAT_IPV4] = { STR("ipv4"), fits_ipv4 },
    [FORMAT_IPV6] = { STR("ipv6"), fits_ipv6 },
    [FORMAT_JSON_POINTER] = { STR("json-pointer"), fits_json_pointer },
    [FORMAT_TIME] = { STR("time"), fits_time },
    [FORMAT_URI] = { STR("uri"), fits_uri },
    [FORMAT_URI_REFERENCE] = { STR("uri-reference"), fits_uri_reference },
    [FORMAT_UUID] = { STR("uuid"), fits_uuid },
};

enum format format_named(struct str name)
{
    for (enum format f = FORMAT_NONE + 1; f < FORMAT_COUNT; f++)
        if (str_eq(formats[f].name, name))
            return f;
    return FORMAT_NONE;
}

struct str format_name(enum format f)
{
    return formats[f].name;
}

bool format_fits(enum format f, struct str text)
{
    return formats[f].fits(text);
}
