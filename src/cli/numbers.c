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
