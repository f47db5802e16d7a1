#include "cli/spark.h"

#include <math.h>
#include <stdlib.h>

enum { LEVELS = 8 };
static const char *const blocks[LEVELS] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const ascii[LEVELS] = { "_", ".", "-", "~", "=", "+", "*", "#" };

/* Nothing is the lowest block and nothing else is: one fault among a thousand is seen. */
static size_t level_of(double v, double most)
{
    if (!(v > 0) || !(most > 0))
        return 0;
    size_t level = 1 + (size_t)(v / most * (LEVELS - 1));
    return level < LEVELS ? level : LEVELS - 1;
}

void spark_write(struct buf *out, const double *v, size_t n, bool plain)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = v[i] > most ? v[i] : most; /* NaN is not */
    for (size_t i = 0; i < n; i++)
        buf_add(out, str_of(isnan(v[i]) ? " " : (plain ? ascii : blocks)[level_of(v[i], most)]));
}

bool spark_must_be_plain(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < COUNTOF(names); i++) {
        const char *said = getenv(names[i]);
        struct str rest, charset;
        if (!said || !*said)
            continue;
        str_cut(str_of(said), '.', &charset);
        charset = str_cut(charset, '@', &rest);
        return !str_eq_nocase(charset, STR("UTF-8")) && !str_eq_nocase(charset, STR("utf8"));
    }
    return true;
}
