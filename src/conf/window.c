/* Windows of local time: days of the week, hours, or both. */
#include "conf/window.h"

enum { DAY_MIN = 24 * 60, ALL_DAYS = 0x7f };

static const char day_names[7][4] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static bool read_day(struct str text, unsigned *out)
{
    for (unsigned i = 0; i < COUNTOF(day_names); i++)
        if (str_eq_nocase(str_trim(text), str_of(day_names[i]))) {
            *out = i;
            return true;
        }
    return false;
}

/* "mon-fri", "sat,sun", "fri-mon,wed" */
static bool read_days(struct str text, unsigned *days)
{
    *days = 0;
    do {
        struct str last, first = str_cut(str_cut(text, ',', &text), '-', &last);
        unsigned from, to;
        if (!read_day(first, &from))
            return false;
        to = from;
        if (last.p && !read_day(last, &to))
            return false;
        for (unsigned day = from;; day = (day + 1) % COUNTOF(day_names)) {
            *days |= 1U << day;
            if (day == to)
                break;
        }
    } while (text.p);
    return true;
}

/* "06:30" -> 390; 24:00 is the day's end. */
static bool read_clock(struct str text, int *min)
{
    struct str minutes, hours = str_cut(str_trim(text), ':', &minutes);
    int64_t h, m;
    if (hours.n > 2 || minutes.n != 2 || !str_to_int(hours, 0, 24, &h) || !str_to_int(minutes, 0, 59, &m) || h * 60 + m > DAY_MIN)
        return false;
    *min = (int)(h * 60 + m);
    return true;
}

static bool read_hours(struct str text, struct window *w)
{
    struct str until, from = str_cut(text, '-', &until);
    return read_clock(from, &w->from_min) && read_clock(until, &w->until_min) && w->from_min != w->until_min && w->from_min < DAY_MIN;
}

bool window_read(struct str text, struct window *out)
{
    struct window w = { ALL_DAYS, 0, DAY_MIN };
    size_t cut = 0; /* where the hours begin: no day has a digit */
    while (cut < text.n && (text.p[cut] < '0' || text.p[cut] > '9'))
        cut++;
    struct str days = str_trim(str_make(text.p, cut)), hours = str_trim(str_from(text, cut));
    if ((!days.n && !hours.n) || (days.n && !read_days(days, &w.days)) || (hours.n && !read_hours(hours, &w)))
        return false;
    *out = w;
    return true;
}

bool window_holds(const struct window *w, int64_t wall_s, int utc_offset_s)
{
    int64_t local_min = (wall_s + utc_offset_s) / 60;
    int now_min = (int)(local_min % DAY_MIN);
    unsigned today = (unsigned)((local_min / DAY_MIN + 3) % 7), yesterday = (today + 6) % 7; /* 1 January 1970 was a Thursday */
    bool begins_today = w->days >> today & 1, began_yesterday = w->days >> yesterday & 1;
    if (w->from_min < w->until_min)
        return begins_today && now_min >= w->from_min && now_min < w->until_min;
    return (begins_today && now_min >= w->from_min) || (began_yesterday && now_min < w->until_min);
}
