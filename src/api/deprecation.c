#include "api/deprecation.h"

#include "http/web_url.h"

#include <stdio.h>

struct deprecation deprecation_of_model(const struct conf_model *m)
{
    return m->deprecated.n ? (struct deprecation){ m->name, m->deprecated, m->successor } : (struct deprecation){ .until = STR("") };
}

struct deprecation deprecation_of_alias(const struct conf_alias *a)
{
    return a->deprecated.n ? (struct deprecation){ a->name, a->deprecated, a->to } : (struct deprecation){ .until = STR("") };
}

struct deprecation deprecation_of(const struct decision *d)
{
    if (d->alias)
        return deprecation_of_alias(d->alias);
    return d->leaving ? deprecation_of_model(d->leaving) : (struct deprecation){ .until = STR("") };
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; years begin in March, so that a leap day is the last of its. */
static int64_t days_to(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1, of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

static bool parse_day(struct str date, int64_t *year, int64_t *month, int64_t *day)
{
    struct str rest, digits = str_cut(date, '-', &rest), more;
    return str_to_int(digits, 1970, 9999, year) && str_to_int(str_cut(rest, '-', &more), 1, 12, month) && str_to_int(more, 1, 31, day);
}

/* When it began to be deprecated nobody has said: by today it is, and not later than its end. */
void deprecation_put_headers(const struct deprecation *d, int64_t now_s, struct buf *to)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" }; /* 1970 began on a Thursday */
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    enum { DAY_S = 86400 };
    int64_t year, month, day, today = now_s / DAY_S;
    if (!parse_day(d->until, &year, &month, &day))
        return;
    int64_t end = days_to(year, month, day), since = today < end ? today : end;
    buf_printf(to, "Deprecation: @%lld\r\n", (long long)(since * DAY_S));
    buf_printf(to, "Sunset: %s, %02lld %s %04lld 00:00:00 GMT\r\n", days[end % 7], (long long)day, months[month - 1], (long long)year);
    if (!d->successor.n)
        return;
    buf_lit(to, "Link: </v1/models/");
    web_url_escape(to, d->successor, true);
    buf_lit(to, ">; rel=\"successor-version\"\r\n");
}
