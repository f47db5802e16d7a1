#include "backend/spend.h"

#include <time.h>

enum { DAY_MS = 24 * 3600 * 1000, FAR_MS = 3 * DAY_MS }; /* no day ends so late, also with a clock that was set back by a day or two */

static int day_of(const struct tm *t)
{
    return (t->tm_year + 1900) * 10000 + (t->tm_mon + 1) * 100 + t->tm_mday;
}

void spend_turn(struct spend *s, int64_t wall_ms)
{
    time_t now = (time_t)(wall_ms / 1000);
    struct tm t;
    bool lasts = s->day && wall_ms < s->until_ms;
    if ((lasts && s->until_ms - wall_ms < FAR_MS) || !localtime_r(&now, &t))
        return;
    int day = day_of(&t);
    t.tm_hour = t.tm_min = t.tm_sec = 0;
    t.tm_mday++; /* mktime() knows how long months and days of changing clocks are */
    t.tm_isdst = -1;
    time_t end = mktime(&t);
    if (!lasts)
        *s = (struct spend){ .day = 0 };
    s->day = day;
    s->until_ms = end > now ? (int64_t)end * 1000 : wall_ms + DAY_MS;
}

void spend_add(struct spend *s, int64_t tokens, double money)
{
    s->tokens += tokens;
    if (money >= 0)
        s->money += money;
    else
        s->unpriced += tokens;
}

const char *spend_reached(const struct spend *s, const struct conf_cap *cap, int64_t wall_ms)
{
    if (wall_ms >= s->until_ms)
        return NULL;
    if (cap->tokens_day > 0 && s->tokens >= cap->tokens_day)
        return "tokens_day";
    return cap->money_day > 0 && s->money >= cap->money_day ? "money_day" : NULL;
}

int64_t spend_left_ms(const struct spend *s, int64_t wall_ms)
{
    return s->until_ms > wall_ms ? s->until_ms - wall_ms : 0;
}
