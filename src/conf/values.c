/* One value: from text to a field and back, by the type of its row. Types are rows too: how to read, how to write. */
#include "base/hostname.h"
#include "conf/conf.h"
#include "conf/conf_int.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct value {
    const struct setting *s;
    struct str text;
    const char *shown;   /* quoted, as the user wrote it */
    struct arena *a;
    struct err *e;
};

struct unit {
    const char *name;
    int64_t factor;
};

/* Ascending: written with the largest that divides evenly. */
static const struct unit duration_units[] = {
    { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 }, { NULL, 0 },
};
static const struct unit size_units[] = {
    { "", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { "TiB", INT64_C(1) << 40 }, { NULL, 0 },
};
static const struct unit decimal_units[] = { /* read, never written */
    { "B", 1 }, { "kB", 1000 }, { "KB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 }, { "TB", INT64_C(1000000000000) }, { NULL, 0 },
};
static const struct unit token_units[] = { { "", 1 }, { "k", 1024 }, { "K", 1024 }, { "M", 1 << 20 }, { NULL, 0 } };

static const struct unit *unit_find(const struct unit *units, struct str name)
{
    for (; units->name; units++)
        if (str_eq(str_of(units->name), name))
            return units;
    return NULL;
}

/* "15m" -> 15 and "m". False when there are no digits, or too many. */
static bool split_number(struct str text, int64_t *number, struct str *unit)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    *unit = str_trim(str_from(text, digits));
    return str_to_int((struct str){ text.p, digits }, 0, INT64_MAX, number);
}

static void put_units(struct buf *out, int64_t v, const struct unit *units)
{
    const struct unit *best = v == 0 && units == duration_units ? &units[1] : units; /* 0s, not 0ms */
    for (const struct unit *u = units; u->name; u++)
        if (v && v % u->factor == 0)
            best = u;
    buf_add_int(out, v / best->factor);
    buf_add(out, str_of(best->name));
}

static void put_number(const struct setting *s, int64_t v, struct buf *out)
{
    if (s->type == SET_MS)
        put_units(out, v, duration_units);
    else if (s->type == SET_BYTES)
        put_units(out, v, size_units);
    else
        buf_add_int(out, v);
}

static enum err_code store_number(const struct value *v, int64_t number, bool fits, void *field)
{
    const struct setting *s = v->s;
    if (fits && number >= s->min && number <= s->max) {
        *(int64_t *)field = number;
        return ERR_OK;
    }
    struct buf range;
    buf_init(&range, 0);
    put_number(s, s->min, &range);
    buf_lit(&range, " to ");
    put_number(s, s->max, &range);
    err_set(v->e, ERR_CONFIG, "%s is out of range, %.*s%s%s", v->shown, STR_ARG(buf_str(&range)), s->zero ? " or " : "", s->zero ? s->zero : "");
    buf_free(&range);
    return ERR_CONFIG;
}

static bool is_zero_word(const struct value *v, void *field)
{
    if (!v->s->zero || !str_eq(v->text, str_of(v->s->zero)))
        return false;
    *(int64_t *)field = 0;
    return true;
}

static enum err_code read_count(const struct value *v, void *field)
{
    int64_t number = 0;
    struct str unit;
    if (is_zero_word(v, field))
        return ERR_OK;
    bool fits = split_number(v->text, &number, &unit);
    if (v->text.p[0] < '0' || v->text.p[0] > '9' || unit.n)
        return err_set(v->e, ERR_CONFIG, "%s is not a whole number%s%s", v->shown, v->s->zero ? " or " : "", v->s->zero ? v->s->zero : "");
    return store_number(v, number, fits, field);
}

/* A number with one of the units; `all` names them in the error. */
static enum err_code read_units(const struct value *v, const struct unit *units, const struct unit *more, const char *all, void *field)
{
    int64_t number = 0;
    struct str unit;
    if (is_zero_word(v, field))
        return ERR_OK;
    bool fits = split_number(v->text, &number, &unit);
    const struct unit *u = unit_find(units, unit);
    if (!u && more)
        u = unit_find(more, unit);
    if (v->text.n == 0 || v->text.p[0] < '0' || v->text.p[0] > '9' || !u)
        return err_set(v->e, ERR_CONFIG, "%s is not %s", v->shown, all);
    fits = fits && !__builtin_mul_overflow(number, u->factor, &number);
    return store_number(v, number, fits, field);
}

enum { NUMBER_MAX_BYTES = 32 };

/* -?D[.D]: what an exponent, a hex float or an infinity would be good for here, nobody knows. */
static bool is_decimal(struct str s)
{
    struct str digits = str_starts(s, STR("-")) ? str_from(s, 1) : s, after, before = str_cut(digits, '.', &after);
    bool point = before.n < digits.n;
    for (size_t i = 0; i < before.n; i++)
        if (!isdigit((unsigned char)before.p[i]))
            return false;
    for (size_t i = 0; i < after.n; i++)
        if (!isdigit((unsigned char)after.p[i]))
            return false;
    return before.n && (!point || after.n);
}

/* False: it is none. */
static bool to_real(struct str text, double *out)
{
    char copy[NUMBER_MAX_BYTES + 1];
    if (!text.n || text.n > NUMBER_MAX_BYTES || !is_decimal(text))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    *out = strtod(copy, NULL) + 0.0; /* no -0 */
    return true;
}

static enum err_code read_number(const struct value *v, void *field)
{
    double number;
    if (v->s->zero && str_eq(v->text, str_of(v->s->zero))) {
        *(double *)field = -1;
        return ERR_OK;
    }
    if (!to_real(v->text, &number))
        return err_set(v->e, ERR_CONFIG, "%s is not a number, like 1 or 0.5%s%s", v->shown, v->s->zero ? ", or " : "", v->s->zero ? v->s->zero : "");
    if (number < (double)v->s->min || number > (double)v->s->max)
        return err_set(v->e, ERR_CONFIG, "%s is out of range, %lld to %lld", v->shown, (long long)v->s->min, (long long)v->s->max);
    *(double *)field = number;
    return ERR_OK;
}

static enum err_code read_share(const struct value *v, void *field)
{
    bool percent = str_ends(v->text, STR("%"));
    double number;
    if (!to_real((struct str){ v->text.p, v->text.n - percent }, &number))
        return err_set(v->e, ERR_CONFIG, "%s is no share, like 20%% or 0.2", v->shown);
    number = percent ? number / 100 : number;
    if (number < 0 || number > 1)
        return err_set(v->e, ERR_CONFIG, "%s is out of range, 0%% to 100%%", v->shown);
    *(double *)field = number;
    return ERR_OK;
}

static enum err_code read_maybe(const struct value *v, void *field)
{
    struct conf_maybe *m = field;
    enum err_code rc = read_number(v, &m->value);
    m->said = !rc;
    return rc;
}

static enum err_code read_maybe_int(const struct value *v, void *field)
{
    double number;
    if (to_real(v->text, &number) && number != floor(number))
        return err_set(v->e, ERR_CONFIG, "%s is not a whole number", v->shown);
    return read_maybe(v, field);
}

static bool is_date(struct str s)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t year, month, day;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !str_to_int((struct str){ s.p, 4 }, 1970, 9999, &year) ||
        !str_to_int((struct str){ s.p + 5, 2 }, 1, 12, &month) || !str_to_int((struct str){ s.p + 8, 2 }, 1, days[month - 1], &day))
        return false;
    bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    return month != 2 || day < 29 || leap;
}

static enum err_code read_text(const struct value *v, void *field);

static enum err_code read_date(const struct value *v, void *field)
{
    if (!is_date(v->text))
        return err_set(v->e, ERR_CONFIG, "%s is no date, like 2027-01-31", v->shown);
    return read_text(v, field);
}

static bool parse_range(struct str s, struct conf_range *r)
{
    ptrdiff_t dots = str_find(s, STR(".."));
    *r = (struct conf_range){ .said = true, .least = -INFINITY, .most = INFINITY };
    if (dots >= 0)
        return to_real((struct str){ s.p, (size_t)dots }, &r->least) && to_real(str_from(s, (size_t)dots + 2), &r->most) && r->least <= r->most;
    bool more = str_starts(s, STR(">")), less = str_starts(s, STR("<")), equal = s.n > 1 && s.p[1] == '=';
    double *end = less ? &r->most : &r->least;
    if (!more && !less)
        return to_real(s, &r->least) && ((r->most = r->least), true);
    r->over = more && !equal;
    r->under = less && !equal;
    return to_real(str_trim(str_from(s, equal ? 2 : 1)), end);
}

static enum err_code read_range(const struct value *v, void *field)
{
    struct conf_range r;
    if (!parse_range(v->text, &r))
        return err_set(v->e, ERR_CONFIG, "%s is no range, like >0.6, <=3, 2..5 or 7", v->shown);
    *(struct conf_range *)field = r;
    return ERR_OK;
}

static enum err_code read_tokens(const struct value *v, void *field)
{
    static const char all[] = "a number of tokens, like 4096 or 32k (32768)";
    return read_units(v, token_units, NULL, v->s->zero ? arena_printf(v->a, "%s, or %s", all, v->s->zero).p : all, field);
}

static enum err_code read_bytes(const struct value *v, void *field)
{
    int64_t number;
    struct str unit;
    if (split_number(v->text, &number, &unit) && unit.n == 1 && strchr("kKmMgGtT", unit.p[0]))
        return err_set(v->e, ERR_CONFIG, "%s has half a unit: write %lld%ciB", v->shown, (long long)number,
                       unit.p[0] == 'k' ? 'K' : unit.p[0] & ~0x20);
    return read_units(v, size_units, decimal_units, "a size, like 4096, 8MiB, 2GiB or 10MB", field);
}

static enum err_code read_ms(const struct value *v, void *field)
{
    int64_t number;
    struct str unit;
    if (split_number(v->text, &number, &unit) && unit.n == 0)
        return err_set(v->e, ERR_CONFIG, "%s has no unit: write %llds", v->shown, (long long)number);
    return read_units(v, duration_units, NULL, "a duration, like 250ms, 10s, 15m, 1h or 2d", field);
}

static enum err_code read_bool(const struct value *v, void *field)
{
    static const struct word words[] = {
        { "on", 1 }, { "off", 0 }, { "true", 1 }, { "false", 0 }, { "yes", 1 }, { "no", 0 }, { NULL, 0 },
    };
    for (const struct word *w = words; w->name; w++)
        if (str_eq_nocase(str_of(w->name), v->text)) {
            *(bool *)field = w->value;
            return ERR_OK;
        }
    return err_set(v->e, ERR_CONFIG, "%s is neither on nor off", v->shown);
}

/* Who writes no where the word is off has not misspelled on. */
static struct str other_word(struct str text, const struct str *names, size_t n)
{
    static const struct { const char *said, *meant; } others[] = {
        { "no", "off" }, { "false", "off" }, { "never", "off" }, { "yes", "on" }, { "true", "on" }, { "always", "on" },
    };
    for (size_t i = 0; i < COUNTOF(others); i++)
        for (size_t k = 0; k < n && str_eq_nocase(text, str_of(others[i].said)); k++)
            if (str_eq(names[k], str_of(others[i].meant)))
                return names[k];
    return str_nearest(text, names, n);
}

static const struct word *find_word(const struct value *v)
{
    struct str names[MAX_WORDS] = { 0 }, all = { NULL, 0 };
    size_t n = 0;
    for (const struct word *w = v->s->words; w->name && n < MAX_WORDS; w++) {
        names[n] = str_of(w->name);
        if (str_eq(names[n++], v->text))
            return w;
        all = arena_printf(v->a, "%.*s%s%s", STR_ARG(all), all.n ? ", " : "", w->name);
    }
    struct str near = other_word(v->text, names, n);
    if (near.n)
        err_set(v->e, ERR_CONFIG, "%s is none of: %.*s; did you mean '%.*s'?", v->shown, STR_ARG(all), STR_ARG(near));
    else
        err_set(v->e, ERR_CONFIG, "%s is none of: %.*s", v->shown, STR_ARG(all));
    return NULL;
}

static enum err_code read_word(const struct value *v, void *field)
{
    const struct word *w = find_word(v);
    if (!w)
        return ERR_CONFIG;
    *(unsigned *)field = w->value; /* all our enums are unsigned int underneath; checked in the test of the table */
    return ERR_OK;
}

static enum err_code read_flag(const struct value *v, void *field)
{
    const struct word *w = find_word(v);
    if (!w)
        return ERR_CONFIG;
    *(unsigned *)field |= w->value;
    return ERR_OK;
}

static enum err_code read_choice(const struct value *v, void *field)
{
    const struct word *w = find_word(v);
    if (!w)
        return ERR_CONFIG;
    *(struct str *)field = arena_copy(v->a, v->text);
    return ERR_OK;
}

static enum err_code read_text(const struct value *v, void *field)
{
    *(struct str *)field = arena_copy(v->a, v->text);
    return ERR_OK;
}

/* HOST:PORT or [HOST]:PORT. */
static bool split_listen(struct str text, struct str *host, struct str *port)
{
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *port = str_from(text, colon);
    *host = (struct str){ text.p, colon - 1 };
    if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']') {
        *host = (struct str){ host->p + 1, host->n - 2 };
        return true;
    }
    return !host->n || !memchr(host->p, ':', host->n);
}

/* An address, or localhost: a name would be another address tomorrow. */
static bool is_address(struct str host, bool brackets)
{
    char name[64];
    struct in6_addr any;
    if (host.n >= sizeof name)
        return false;
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    return inet_pton(brackets ? AF_INET6 : AF_INET, name, &any) == 1 || (!brackets && str_eq(host, STR("localhost")));
}

static enum err_code read_listen(const struct value *v, void *field)
{
    struct str host, port;
    int64_t number;
    if (!split_listen(v->text, &host, &port) || !str_to_int(port, 0, 65535, &number))
        return err_set(v->e, ERR_CONFIG, "%s is not ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080", v->shown);
    if (!host.n)
        return err_set(v->e, ERR_CONFIG, "%s names no address: write 127.0.0.1:%lld, or 0.0.0.0:%lld for all", v->shown, (long long)number, (long long)number);
    if (!is_address(host, v->text.p[0] == '['))
        return err_set(v->e, ERR_CONFIG, "%s names no address of this machine: write an IP address, 0.0.0.0 or [::] for all of a kind, or localhost", v->shown);
    return read_text(v, field);
}

/* What follows the scheme. By the rules of base/hostname.h, as whoever opens a connection reads it later. */
static enum err_code check_authority(const struct value *v, struct str rest, struct str *host)
{
    if (v->text.n > 480)
        return err_set(v->e, ERR_CONFIG, "an address of %zu bytes is too long: at most 480", v->text.n);
    struct str path, port, authority = str_cut(rest, '/', &path);
    const char *hint;
    int64_t number;
    bool brackets;
    for (size_t i = 0; i < rest.n; i++) {
        unsigned char c = (unsigned char)rest.p[i];
        if (c <= ' ' || strchr("?#\\\"<>", c))
            return err_set(v->e, ERR_CONFIG, "%s holds a character that may not stand in a host's address", v->shown);
        if (c >= 0x80 && i >= authority.n)
            return err_set(v->e, ERR_CONFIG, "%s: in its path stands what is not ASCII: write it in percent signs (%%C3%%BC)", v->shown);
    }
    if (authority.n && memchr(authority.p, '@', authority.n)) /* may be a password: not quoted */
        return err_set(v->e, ERR_CONFIG, "no user or password may stand in an address: put the key in 'key'");
    if (!hostname_split(authority, host, &brackets, &port) || host->n == 0 || (port.p && !str_to_int(port, 1, 65535, &number)))
        return err_set(v->e, ERR_CONFIG, "%s has no valid host and port", v->shown);
    const char *fault = hostname_fault(*host, brackets, &hint);
    if (!fault)
        return ERR_OK;
    err_set(v->e, ERR_CONFIG, "%s: the host %s", v->shown, fault);
    return *hint ? err_hint(v->e, "%s", hint) : ERR_CONFIG;
}

static enum err_code read_url(const struct value *v, void *field)
{
    struct str host;
    bool plain = str_starts(v->text, STR("http://"));
    if (!plain && !str_starts(v->text, STR("https://")))
        return err_set(v->e, ERR_CONFIG, "%s is no address like http://127.0.0.1:9001 or https://api.example.com/v1", v->shown);
    enum err_code rc = check_authority(v, str_from(v->text, plain ? 7 : 8), &host);
    return rc ? rc : read_text(v, field);
}

/* What is fetched becomes a model, so it comes encrypted, or from this machine. */
static enum err_code read_web(const struct value *v, void *field)
{
    struct str host;
    bool plain = str_starts(v->text, STR("http://"));
    if (!plain && !str_starts(v->text, STR("https://")))
        return err_set(v->e, ERR_CONFIG, "%s is no address like https://example.com", v->shown);
    enum err_code rc = check_authority(v, str_from(v->text, plain ? 7 : 8), &host);
    if (rc)
        return rc;
    if (plain && !hostname_is_loopback(host))
        return err_set(v->e, ERR_CONFIG, "%s is not encrypted: write https://; http:// is for this machine alone", v->shown);
    struct value trimmed = *v;
    while (str_ends(trimmed.text, STR("/")))
        trimmed.text.n--;
    return read_text(&trimmed, field);
}

static enum err_code read_hostname(const struct value *v, void *field)
{
    const char *fault = host_pattern_fault(v->text);
    return fault ? err_set(v->e, ERR_CONFIG, "%s %s", v->shown, fault) : read_text(v, field);
}

static enum err_code read_origin(const struct value *v, void *field)
{
    const char *fault = origin_pattern_fault(v->text);
    return fault ? err_set(v->e, ERR_CONFIG, "%s %s", v->shown, fault) : read_text(v, field);
}

static enum err_code read_sha256(const struct value *v, void *field)
{
    bool fits = v->text.n == 64;
    for (size_t i = 0; fits && i < v->text.n; i++)
        fits = isxdigit((unsigned char)v->text.p[i]);
    if (!fits)
        return err_set(v->e, ERR_CONFIG, "%s is no SHA-256: 64 hex digits", v->shown);
    char *lower = arena_alloc(v->a, 65);
    for (size_t i = 0; i < 64; i++)
        lower[i] = (char)tolower((unsigned char)v->text.p[i]);
    *(struct str *)field = (struct str){ lower, 64 };
    return ERR_OK;
}

static enum err_code read_command(const struct value *v, void *field)
{
    struct conf_strs words;
    enum err_code rc = conf_words(v->text, v->a, &words, v->e);
    return rc ? rc : read_text(v, field);
}

static enum err_code read_secret(const struct value *v, void *field)
{
    for (size_t i = 0; i < v->text.n; i++)
        if ((unsigned char)v->text.p[i] <= ' ' || (unsigned char)v->text.p[i] > '~')
            return err_set(v->e, ERR_CONFIG, "holds a space or another character that may not stand in a key");
    if (str_eq(v->text, STR("(hidden)"))) {
        err_set(v->e, ERR_CONFIG, "'(hidden)' is what `hob config show` prints for a key, not a key");
        return err_hint(v->e, "write ${file:NAME} or ${env:NAME}");
    }
    ((struct secret *)field)->hidden = arena_copy(v->a, v->text);
    return ERR_OK;
}

/* SCHEME://[USER:PASSWORD@]HOST:PORT. Never quoted: a password may be in it. */
static enum err_code read_proxy(const struct value *v, void *field)
{
    static const struct str schemes[] = { STR("socks5h://"), STR("socks5://"), STR("http://") };
    struct str rest = { NULL, 0 }, host, port;
    const char *hint;
    bool brackets;
    int64_t number;
    for (size_t i = 0; i < COUNTOF(schemes); i++)
        if (str_starts(v->text, schemes[i]))
            rest = str_from(v->text, schemes[i].n);
    for (size_t i = rest.n; i > 0; i--)
        if (rest.p[i - 1] == '@') {
            rest = str_from(rest, i);
            break;
        }
    if (str_ends(rest, STR("/")))
        rest.n--;
    if (!rest.p || !hostname_split(rest, &host, &brackets, &port) || hostname_fault(host, brackets, &hint) || !port.p || !str_to_int(port, 1, 65535, &number)) {
        err_set(v->e, ERR_CONFIG, "is no proxy");
        return err_hint(v->e, "write socks5h://HOST:PORT, socks5://HOST:PORT or http://HOST:PORT, a login before the host if it wants one");
    }
    return read_secret(v, field);
}

/* `budget 512` is `on`, and so many tokens of it. */
static enum err_code read_thinking(const struct value *v, void *field)
{
    struct conf_policy *p = field;
    struct str tokens, first = str_cut(v->text, ' ', &tokens);
    int64_t budget = 0;
    if (!str_eq(first, STR("budget"))) {
        enum err_code rc = read_word(v, &p->thinking);
        if (rc)
            return err_hint(v->e, "or a budget of tokens: `budget 512`");
        p->thinking_budget = 0;
        return ERR_OK;
    }
    struct value of = *v;
    of.text = str_trim(tokens);
    enum err_code rc = read_tokens(&of, &budget);
    if (rc)
        return err_hint(v->e, "a budget is written `budget 512`");
    p->thinking = THINKING_ON;
    p->thinking_budget = budget;
    return ERR_OK;
}

/* ---- and back ---- */

static void write_bool(const struct setting *s, const void *field, struct buf *out)
{
    buf_add(out, *(const bool *)field ? STR("on") : STR("off"));
}

static void write_number(const struct setting *s, const void *field, struct buf *out)
{
    int64_t v = *(const int64_t *)field;
    if (v == 0 && s->zero)
        buf_add(out, str_of(s->zero));
    else
        put_number(s, v, out);
}

/* As short as it reads back to the same. Without an exponent, which is not read: what is smaller than that was given with few digits. */
static void put_real(double v, struct buf *out)
{
    char text[2 * NUMBER_MAX_BYTES];
    for (int digits = 0; digits <= NUMBER_MAX_BYTES - 2; digits++) {
        snprintf(text, sizeof text, "%.*f", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_add(out, str_of(text));
}

static void write_real(const struct setting *s, const void *field, struct buf *out)
{
    double v = *(const double *)field;
    if (s->zero && v < 0)
        buf_add(out, str_of(s->zero));
    else
        put_real(v, out);
}

static void write_maybe(const struct setting *s, const void *field, struct buf *out)
{
    const struct conf_maybe *m = field;
    (void)s;
    if (m->said)
        put_real(m->value, out);
}

static void write_share(const struct setting *s, const void *field, struct buf *out)
{
    (void)s;
    put_real(*(const double *)field, out);
}

static void write_range(const struct setting *s, const void *field, struct buf *out)
{
    const struct conf_range *r = field;
    (void)s;
    if (!r->said)
        return;
    if (r->least == r->most) {
        put_real(r->least, out);
    } else if (isinf(r->least)) {
        buf_add(out, str_of(r->under ? "<" : "<="));
        put_real(r->most, out);
    } else if (isinf(r->most)) {
        buf_add(out, str_of(r->over ? ">" : ">="));
        put_real(r->least, out);
    } else {
        put_real(r->least, out);
        buf_lit(out, "..");
        put_real(r->most, out);
    }
}

/* Of several words for one value the first. */
static void write_word(const struct setting *s, const void *field, struct buf *out)
{
    for (const struct word *w = s->words; w->name; w++)
        if (w->value == *(const unsigned *)field) {
            buf_add(out, str_of(w->name));
            return;
        }
}

static void write_thinking(const struct setting *s, const void *field, struct buf *out)
{
    const struct conf_policy *p = field;
    if (p->thinking == THINKING_ON && p->thinking_budget)
        buf_printf(out, "budget %lld", (long long)p->thinking_budget);
    else
        write_word(s, &p->thinking, out);
}

static void write_text(const struct setting *s, const void *field, struct buf *out)
{
    buf_add(out, *(const struct str *)field);
}

static void write_secret(const struct setting *s, const void *field, struct buf *out)
{
    if (((const struct secret *)field)->hidden.n)
        buf_lit(out, "(hidden)");
}

/* ---- are two the same ---- */

static bool same_bool(const void *a, const void *b)
{
    return *(const bool *)a == *(const bool *)b;
}

static bool same_number(const void *a, const void *b)
{
    return *(const int64_t *)a == *(const int64_t *)b;
}

static bool same_real(const void *a, const void *b)
{
    return *(const double *)a == *(const double *)b;
}

static bool same_word(const void *a, const void *b)
{
    return *(const unsigned *)a == *(const unsigned *)b;
}

static bool same_thinking(const void *a, const void *b)
{
    const struct conf_policy *x = a, *y = b;
    return x->thinking == y->thinking && x->thinking_budget == y->thinking_budget;
}

static bool same_text(const void *a, const void *b)
{
    return str_eq(*(const struct str *)a, *(const struct str *)b);
}

static bool same_secret(const void *a, const void *b)
{
    return str_eq(((const struct secret *)a)->hidden, ((const struct secret *)b)->hidden);
}

static bool same_range(const void *a, const void *b)
{
    const struct conf_range *x = a, *y = b;
    return x->said == y->said && x->least == y->least && x->most == y->most && x->over == y->over && x->under == y->under;
}

static bool same_maybe(const void *a, const void *b)
{
    const struct conf_maybe *x = a, *y = b;
    return x->said == y->said && (!x->said || x->value == y->value);
}

/* Another text in the same file is another setting. */
static bool same_prose(const void *a, const void *b)
{
    const struct conf_prose *x = a, *y = b;
    return str_eq(x->path, y->path) && str_eq(x->text, y->text);
}

static bool same_list(const void *a, const void *b)
{
    const struct conf_strs *x = a, *y = b;
    bool same = x->n == y->n;
    for (size_t i = 0; same && i < x->n; i++)
        same = str_eq(x->at[i], y->at[i]);
    return same;
}

static const struct type_row {
    enum err_code (*read)(const struct value *v, void *field);
    void (*write)(const struct setting *s, const void *field, struct buf *out);
    bool (*same)(const void *a, const void *b);
    bool list;
} types[SET_TYPES] = {
    [SET_BOOL]    = { read_bool,    write_bool,   same_bool,   false },
    [SET_COUNT]   = { read_count,   write_number, same_number, false },
    [SET_TOKENS]  = { read_tokens,  write_number, same_number, false },
    [SET_BYTES]   = { read_bytes,   write_number, same_number, false },
    [SET_MS]      = { read_ms,      write_number, same_number, false },
    [SET_NUMBER]  = { read_number,  write_real,   same_real,   false },
    [SET_SHARE]   = { read_share,   write_share,  same_real,   false },
    [SET_MAYBE]   = { read_maybe,   write_maybe,  same_maybe,  false },
    [SET_MAYBE_INT] = { read_maybe_int, write_maybe, same_maybe, false },
    [SET_THINKING] = { read_thinking, write_thinking, same_thinking, false },
    [SET_WORD]    = { read_word,    write_word,   same_word,   false },
    [SET_CHOICE]  = { read_choice,  write_text,   same_text,   false },
    [SET_TEXT]    = { read_text,    write_text,   same_text,   false },
    [SET_PROSE]   = { read_text,    write_text,   same_text,   false },
    [SET_PROSE_FILE] = { read_text, write_text,   same_prose,  false }, /* its path is its first member */
    [SET_NAME]    = { read_text,    write_text,   same_text,   false },
    [SET_FOLDER]  = { read_text,    write_text,   same_text,   false },
    [SET_WEIGHTS] = { read_text,    write_text,   same_text,   false },
    [SET_PROGRAM] = { read_text,    write_text,   same_text,   false },
    [SET_LISTEN]  = { read_listen,  write_text,   same_text,   false },
    [SET_URL]     = { read_url,     write_text,   same_text,   false },
    [SET_WEB]     = { read_web,     write_text,   same_text,   false },
    [SET_DATE]    = { read_date,    write_text,   same_text,   false },
    [SET_RANGE]   = { read_range,   write_range,  same_range,  false },
    [SET_PROXY]   = { read_proxy,   write_secret, same_secret, false },
    [SET_SHA256]  = { read_sha256,  write_text,   same_text,   false },
    [SET_COMMAND] = { read_command, write_text,   same_text,   false },
    [SET_SECRET]  = { read_secret,  write_secret, same_secret, false },
    [SET_NAMES]   = { read_text,    NULL,         same_list,   true },
    [SET_PROSES]  = { read_text,    NULL,         same_list,   true },
    [SET_ARGS]    = { read_text,    NULL,         same_list,   true },
    [SET_PATHS]   = { read_text,    NULL,         same_list,   true },
    [SET_WEBS]    = { read_web,     NULL,         same_list,   true },
    [SET_HOSTNAMES] = { read_hostname, NULL,     same_list,   true },
    [SET_ORIGINS] = { read_origin,  NULL,         same_list,   true },
    [SET_FLAGS]   = { read_flag,    NULL,         same_word,   true },
};

enum err_code value_read(const struct setting *s, struct str text, struct str shown, struct arena *a, void *field, struct err *e)
{
    struct shown quoted = show_text(shown);
    struct value v = { s, text, quoted.text, a, e };
    if (text.n == 0 && s->type != SET_SECRET && s->type != SET_ARGS) {
        err_set(e, ERR_CONFIG, "has no value");
        return err_hint(e, "leave the line out, or give it one");
    }
    bool prose = s->type == SET_PROSE || s->type == SET_PROSES;
    for (size_t i = 0; i < text.n && !prose; i++) /* of prose tabs and line breaks are a part: text_valid() lets no other control character in */
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7F)
            return err_set(e, ERR_CONFIG, "holds a line break or another control character");
    return types[s->type].read(&v, field);
}

void value_write(const struct setting *s, const void *field, struct buf *out)
{
    types[s->type].write(s, field, out);
}

bool setting_is_list(const struct setting *s)
{
    return types[s->type].list;
}

bool value_same(const struct setting *s, const void *a, const void *b)
{
    return types[s->type].same(a, b);
}

bool setting_is_strs(const struct setting *s)
{
    return types[s->type].list && s->type != SET_FLAGS;
}

bool setting_is_number(const struct setting *s, const void *field)
{
    return s->type == SET_MAYBE || s->type == SET_MAYBE_INT || (s->type == SET_NUMBER && !(s->zero && *(const double *)field < 0)) || s->type == SET_SHARE || ((s->type == SET_COUNT || s->type == SET_TOKENS) && !(s->zero && *(const int64_t *)field == 0));
}

bool value_is_empty(const struct setting *s, const void *field)
{
    if (setting_is_strs(s))
        return ((const struct conf_strs *)field)->n == 0;
    if (s->type == SET_RANGE)
        return !((const struct conf_range *)field)->said;
    if (s->type == SET_MAYBE || s->type == SET_MAYBE_INT)
        return !((const struct conf_maybe *)field)->said;
    if ((s->type == SET_WORD || s->type == SET_THINKING) && !s->def) /* its words are what it begins with */
        return *(const unsigned *)field == 0;
    if (s->type == SET_TOKENS && !s->def && !s->from)
        return *(const int64_t *)field == 0;
    if (s->type == SET_FLAGS && !s->def)
        return *(const unsigned *)field == 0;
    if (s->type == SET_SECRET || s->type == SET_PROXY)
        return ((const struct secret *)field)->hidden.n == 0;
    if (types[s->type].write == write_text)
        return ((const struct str *)field)->n == 0;
    return false;
}

enum scope model_scope(const struct conf_model *m)
{
    return m->host.n ? SCOPE_HOST : m->command.n ? SCOPE_COMMAND : SCOPE_FILE;
}

bool scope_applies(enum scope scope, const void *base)
{
    if (scope == SCOPE_ANY)
        return true;
    enum scope is = model_scope(base);
    return scope == is || (scope == SCOPE_HERE && is != SCOPE_HOST);
}
