/* Figures as people write them on a command line: digits, perhaps a fraction, and a unit. */
#include "cli/fit.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit token_units[] = { { "", 1 }, { "k", 1024 }, { "m", 1 << 20 }, { NULL, 0 } };
static const struct unit byte_units[] = {
    { "", 1 }, { "b", 1 }, { "kb", 1000 }, { "mb", 1000000 }, { "gb", 1000000000 }, { "tb", INT64_C(1000000000000) },
    { "k", 1 << 10 }, { "m", 1 << 20 }, { "g", 1 << 30 }, { "t", INT64_C(1) << 40 },
    { "kib", 1 << 10 }, { "mib", 1 << 20 }, { "gib", 1 << 30 }, { "tib", INT64_C(1) << 40 }, { NULL, 0 },
};
static const struct unit param_units[] = { { "", 1 }, { "k", 1000 }, { "m", 1000000 }, { "b", 1000000000 }, { "t", INT64_C(1000000000000) }, { NULL, 0 } };

static size_t count_digits(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n;
}

/* "5" behind a point, of a unit of 1024: 512. More digits than a double tells apart do not matter. */
static int64_t fraction(struct str digits, int64_t factor)
{
    double part = 0, place = 1;
    for (size_t i = 0; i < digits.n && i < 15; i++) {
        place *= 10;
        part = part * 10 + (digits.p[i] - '0');
    }
    return (int64_t)(part / place * (double)factor + 0.5);
}

static bool read_figure(struct str s, const struct unit *units, int64_t *out)
{
    size_t n = count_digits(s);
    int64_t whole;
    struct str rest = str_from(s, n), part = { NULL, 0 };
    if (!str_to_int(str_make(s.p, n), 0, INT64_MAX, &whole))
        return false;
    if (rest.n > 1 && rest.p[0] == '.') {
        rest = str_from(rest, 1);
        part = str_make(rest.p, count_digits(rest));
        rest = str_from(rest, part.n);
        if (!part.n)
            return false;
    }
    rest = str_trim(rest);
    for (; units->name; units++)
        if (str_eq_nocase(rest, str_of(units->name)))
            return !__builtin_mul_overflow(whole, units->factor, &whole) && !__builtin_add_overflow(whole, fraction(part, units->factor), out);
    return false;
}

bool fit_read_tokens(struct str s, int64_t *out)
{
    return read_figure(s, token_units, out) && *out >= 1 && *out <= INT32_MAX;
}

bool fit_read_bytes(struct str s, int64_t *out)
{
    return read_figure(s, byte_units, out) && *out >= 1;
}

bool fit_read_params(struct str s, int64_t *out)
{
    return read_figure(s, param_units, out) && *out >= 1;
}
