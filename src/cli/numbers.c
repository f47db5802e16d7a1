#include "cli/numbers.h"

#include <stdio.h>
#include <stdlib.h>

/* Digits with at most one point among them, perhaps a power of ten: strtod() would take "nan", "0x1p3" and what a locale writes, too. */
static bool reads(struct str s, double *out)
{
    char copy[64], *end;
    if (!s.n || s.n >= sizeof copy || strspn(s.p, "0123456789.eE+-") < s.n)
        return false;
    memcpy(copy, s.p, s.n);
    copy[s.n] = 0;
    *out = strtod(copy, &end);
    return !*end;
}

int option_number(const struct cli_args *a, const char *name, double min, double max, double *out)
{
    struct str said = cli_option_value(a, name);
    double v;
    if (!said.p)
        return EXIT_OK;
    if (reads(said, &v) && v >= min && v <= max) {
        *out = v;
        return EXIT_OK;
    }
    fprintf(stderr, "hob: %s wants a number from %g to %g\n", name, min, max);
    return EXIT_USAGE;
}

int option_count(const struct cli_args *a, const char *name, int64_t min, int64_t max, int64_t *out)
{
    struct str said = cli_option_value(a, name);
    if (!said.p || str_to_int(said, min, max, out))
        return EXIT_OK;
    fprintf(stderr, "hob: %s wants a whole number from %lld to %lld\n", name, (long long)min, (long long)max);
    return EXIT_USAGE;
}

static const struct { const char *name; int64_t ms; } duration_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };

int option_duration(const struct cli_args *a, const char *name, int64_t min_ms, int64_t max_ms, int64_t *out_ms)
{
    struct str said = cli_option_value(a, name);
    size_t digits = strspn(said.n ? said.p : "", "0123456789");
    int64_t n;
    if (!said.p)
        return EXIT_OK;
    for (size_t i = 0; i < COUNTOF(duration_units); i++)
        if (str_eq(str_from(said, digits), str_of(duration_units[i].name)) && str_to_int(str_make(said.p, digits), 0, max_ms / duration_units[i].ms, &n) &&
            n * duration_units[i].ms >= min_ms) {
            *out_ms = n * duration_units[i].ms;
            return EXIT_OK;
        }
    fprintf(stderr, "hob: %s wants a duration, like 7d, 12h, 30m or 45s\n", name);
    return EXIT_USAGE;
}

int option_share(const struct cli_args *a, const char *name, double *out)
{
    struct str said = cli_option_value(a, name);
    bool percent = said.n > 1 && said.p[said.n - 1] == '%';
    double v;
    if (!said.p)
        return EXIT_OK;
    if (reads(str_make(said.p, said.n - percent), &v) && v > 0 && v <= (percent ? 100 : 1)) {
        *out = percent ? v / 100 : v;
        return EXIT_OK;
    }
    fprintf(stderr, "hob: %s wants a share, like 10%% or 0.1\n", name);
    return EXIT_USAGE;
}
