#include "evidence/residency.h"

#include <stdio.h>

static const double gib = 1073741824.0, worth_a_gib_hour_s = 1, least_loads_day = 1;

const char *const resident_advice_names[RESIDENT_ADVICES] = { "unknown", "hot", "demand", "never" };

/* ---- rows ---- */

static struct resident_use *use_of(struct resident *m, struct str role)
{
    for (size_t i = 0; i < m->nroles; i++)
        if (str_eq(m->roles[i].name, role))
            return &m->roles[i].use;
    if (m->nroles == RESIDENT_MOST_ROLES)
        return NULL;
    m->roles[m->nroles] = (struct resident_role){ .name = role };
    return &m->roles[m->nroles++].use;
}

static void count(struct resident_use *u, const struct request_row *r, bool saved)
{
    if (!u)
        return;
    u->requests++;
    u->saved += saved;
    if (r->load_ms > 0) {
        u->waited++;
        u->waited_ms += r->load_ms;
    }
}

/* With `demand` it would stay for `idle` behind the end of each request: what is between two is the shorter of the gap and that. */
static void stay(struct resident *m, int64_t begin_ms, int64_t end_ms, int64_t since_ms)
{
    if (m->last_end_ms && begin_ms > m->last_end_ms) {
        int64_t until = m->last_end_ms + m->idle_ms < begin_ms ? m->last_end_ms + m->idle_ms : begin_ms, from = m->last_end_ms > since_ms ? m->last_end_ms : since_ms;
        m->demand_ms += until > from ? until - from : 0;
    }
    int64_t from = m->last_end_ms > begin_ms ? m->last_end_ms : begin_ms;
    from = from > since_ms ? from : since_ms;
    m->demand_ms += end_ms > from ? end_ms - from : 0;
}

void resident_row(struct resident *m, const struct request_row *r, struct str role, int64_t since_ms)
{
    int64_t end_ms = r->time_ms + (r->total_ms > 0 ? (int64_t)r->total_ms : 0);
    bool gap = m->last_end_ms && r->time_ms - m->last_end_ms > m->idle_ms;
    stay(m, r->time_ms, end_ms, since_ms);
    if (r->time_ms >= since_ms) {
        bool saved = gap && r->load_ms <= 0 && r->fault == FAULT_NONE;
        m->gaps += gap;
        count(&m->all, r, saved);
        count(use_of(m, role), r, saved);
    }
    if (end_ms > m->last_end_ms)
        m->last_end_ms = end_ms;
}

void resident_end(struct resident *m, int64_t since_ms, int64_t until_ms)
{
    int64_t from = m->last_end_ms > since_ms ? m->last_end_ms : since_ms, until = m->last_end_ms + m->idle_ms < until_ms ? m->last_end_ms + m->idle_ms : until_ms;
    m->demand_ms += m->last_end_ms && until > from ? until - from : 0;
}

/* ---- advice ---- */

static void figure(const struct resident *m, double hours, struct resident_verdict *v)
{
    const double days = hours / 24, hot_hours = (double)m->hot_ms / 3600e3;
    double spared = hours - (double)m->demand_ms / 3600e3;
    v->gib = m->hot_ms > 0 && m->byte_seconds > 0 ? (double)m->byte_seconds / ((double)m->hot_ms / 1000) / gib : -1;
    v->load_s = m->loads > 0 ? (double)m->load_ms / 1000 / (double)m->loads : m->all.waited > 0 ? m->all.waited_ms / 1000 / (double)m->all.waited : -1;
    v->requests_per_hot_hour = hot_hours > 0 ? (double)m->all.requests / hot_hours : -1;
    v->loads_day = days > 0 ? (double)m->gaps / days : 0;
    v->wait_s_day = v->load_s >= 0 ? v->loads_day * v->load_s : -1;
    v->gib_hours_day = v->gib >= 0 && days > 0 ? v->gib * (spared > 0 ? spared : 0) / days : -1;
    v->worth = v->wait_s_day >= 0 && v->gib_hours_day > 0 ? v->wait_s_day / v->gib_hours_day : -1;
}

static void advise(struct resident_verdict *v, enum resident_advice advice, const char *why)
{
    v->advice = advice;
    snprintf(v->why, sizeof v->why, "%s", why);
}

void resident_judge(const struct resident *m, double hours, struct resident_verdict *v)
{
    char text[sizeof v->why];
    *v = (struct resident_verdict){ .advice = RESIDENT_UNKNOWN };
    figure(m, hours, v);
    if (hours < RESIDENT_LEAST_HOURS) {
        snprintf(text, sizeof text, "There are records of %.1f hours alone: after %d there is something to say.", hours, RESIDENT_LEAST_HOURS);
        advise(v, RESIDENT_UNKNOWN, text);
    } else if (hours >= RESIDENT_NEVER_DAYS * 24 && (double)m->all.requests * RESIDENT_NEVER_DAYS * 24 < hours) {
        snprintf(text, sizeof text, "Of it %lld requests were made in %.0f days: it need not be in memory, nor perhaps in the configuration.", (long long)m->all.requests, hours / 24);
        advise(v, RESIDENT_NEVER, text);
    } else if (!m->all.requests) {
        snprintf(text, sizeof text, "Nobody asked for it in %.0f hours: nothing is won by keeping it loaded.", hours);
        advise(v, RESIDENT_DEMAND, text);
    } else if (v->loads_day < least_loads_day) {
        snprintf(text, sizeof text, "With `demand` it would be loaded %.2g times a day: its callers keep it in memory themselves, or hardly wait.", v->loads_day);
        advise(v, RESIDENT_DEMAND, text);
    } else if (v->worth < 0) {
        snprintf(text, sizeof text, "Nobody knows yet %s: it has not been in memory since this is recorded.", v->gib < 0 ? "how much memory it takes" : "how long its load takes");
        if (v->gib >= 0 && v->load_s < 0)
            snprintf(text, sizeof text, "Nobody knows yet how long its load takes: it has not been loaded since this is recorded.");
        else if (v->gib >= 0)
            snprintf(text, sizeof text, "With `demand` it would be in memory as long, and its callers would wait for %.1f loads a day.", v->loads_day);
        advise(v, v->gib >= 0 && v->load_s >= 0 ? RESIDENT_HOT : RESIDENT_UNKNOWN, text);
    } else {
        bool hot = v->worth >= worth_a_gib_hour_s;
        snprintf(text, sizeof text, "With `demand` callers would wait for %.1f loads of %.1f s a day, and %.1f GiB-hours a day would be free: %.2f s of waiting for each, %s %.0f.",
            v->loads_day, v->load_s, v->gib_hours_day, v->worth, hot ? "at least" : "less than", worth_a_gib_hour_s);
        advise(v, hot ? RESIDENT_HOT : RESIDENT_DEMAND, text);
    }
}
