/* Guards in words, as JSON for people, and as the text that is saved. */
#include "evidence/guards_int.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

static const int64_t one_mib = MIB;

/* ---- told ---- */

static const char *when_text(int64_t wall_ms, char text[40])
{
    struct tm tm;
    time_t t = (time_t)(wall_ms / 1000);
    text[0] = 0;
    if (wall_ms && gmtime_r(&t, &tm))
        strftime(text, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

static void say_memory(const struct guards *g, struct buf *out)
{
    const struct guard_memory *m = &g->memory;
    buf_printf(out, "memory: %lld MiB, where %lld MiB were expected and %lld MiB are borne", (long long)(m->now_bytes / one_mib), (long long)(m->expected_bytes / one_mib),
        (long long)(guard_memory_limit(m) / one_mib));
    if (m->over_ms)
        buf_printf(out, ", too much for %lld min", (long long)((m->last_ms - m->over_ms) / 60000));
    else
        buf_printf(out, "; the most was %lld MiB", (long long)(m->most_bytes / one_mib));
}

static void say_place(const struct guards *g, struct buf *out)
{
    const struct guard_place *p = &g->place;
    char since[40];
    if (p->since_ms)
        buf_printf(out, "place: nobody can be reached there since %s: %lld requests in %lld min", when_text(p->since_ms, since), (long long)p->requests,
            (long long)(guard_away_now_ms(p) / 60000));
    else
        buf_printf(out, "place: it is reached");
    if (p->sum_ms)
        buf_printf(out, "; before that it was not for %.1f min in all", (double)p->sum_ms / 60000);
}

static const struct seq_guard *guard_of(const struct guards *g, size_t kind, size_t *at)
{
    for (*at = 0; *at < g->watch.n; ++*at)
        if (g->kinds[*at] == kind)
            return &g->watch.guards[*at];
    return NULL;
}

static double rate(struct seq_counts c)
{
    return c.total ? (double)c.bad / (double)c.total : 0;
}

void guards_say(const struct guards *g, enum guard_kind kind, struct buf *out)
{
    size_t at;
    const struct seq_guard *s = kind < GUARD_KINDS ? guard_of(g, kind, &at) : NULL;
    if (kind == GUARD_MEMORY)
        say_memory(g, out);
    if (kind == GUARD_PLACE)
        say_place(g, out);
    if (!s)
        return;
    const struct seq_counts *base = &s->rule.baseline;
    if (guard_is_time(kind))
        buf_printf(out, "%s over %.0f ms: ", guard_name[kind], g->limit[kind]);
    else
        buf_printf(out, "%s: ", guard_name[kind]);
    buf_printf(out, "%lld of %lld requests (%.1f %%), where the old model had %lld of %lld (%.1f %%)", (long long)s->seen.bad, (long long)s->seen.total, 100 * rate(s->seen),
        (long long)base->bad, (long long)base->total, 100 * rate(*base));
    if (g->first_bad[kind][0])
        buf_printf(out, "; the first is %s, the last %s", g->first_bad[kind], g->last_bad[kind]);
}

static void put_text(struct json_out *o, const char *key, struct str text)
{
    json_key(o, str_of(key));
    json_string(o, text);
}

static void put_double(struct json_out *o, const char *key, double v)
{
    json_key(o, str_of(key));
    json_double(o, v, 6);
}

static void view_memory(const struct guards *g, struct str role, struct json_out *o)
{
    struct buf text = { 0 };
    say_memory(g, &text);
    json_begin_object(o);
    put_text(o, "role", role);
    put_text(o, "name", str_of(guard_name[GUARD_MEMORY]));
    put_text(o, "verdict", g->breach == GUARD_MEMORY ? STR("breached") : g->memory.over_ms ? STR("watched") : STR("holds"));
    put_double(o, "value", (double)g->memory.now_bytes);
    put_double(o, "baseline", (double)g->memory.expected_bytes);
    put_text(o, "evidence", buf_str(&text));
    json_end_object(o);
    buf_free(&text);
}

/* value: how long nobody could be reached, in seconds; baseline: how long that may last. */
static void view_place(const struct guards *g, struct str role, struct json_out *o)
{
    struct buf text = { 0 };
    say_place(g, &text);
    json_begin_object(o);
    put_text(o, "role", role);
    put_text(o, "name", str_of(guard_name[GUARD_PLACE]));
    put_text(o, "verdict", g->breach == GUARD_PLACE ? STR("breached") : g->place.since_ms ? STR("watched") : STR("holds"));
    put_double(o, "value", (double)guards_away_ms(g) / 1000);
    put_double(o, "baseline", (double)GUARD_AWAY_MS / 1000);
    put_text(o, "evidence", buf_str(&text));
    json_end_object(o);
    buf_free(&text);
}

void guards_view(const struct guards *g, struct str role, struct json_out *o)
{
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        const struct seq_guard *s = &g->watch.guards[i];
        struct buf text = { 0 };
        guards_say(g, (enum guard_kind)kind, &text);
        json_begin_object(o);
        put_text(o, "role", role);
        put_text(o, "name", str_of(guard_name[kind]));
        put_text(o, "verdict", g->breach == (int)kind ? STR("breached") : seq_progress(&g->watch, i) > 0.5 ? STR("watched") : STR("holds"));
        put_double(o, "value", rate(s->seen));
        put_double(o, "baseline", rate(s->rule.baseline));
        put_text(o, "evidence", buf_str(&text));
        put_text(o, "first", str_of(g->first_bad[kind])); /* requests that spoke against it; empty: none did */
        put_text(o, "last", str_of(g->last_bad[kind]));
        json_end_object(o);
        buf_free(&text);
    }
    if (g->memory.expected_bytes)
        view_memory(g, role, o);
    if (guards_away_ms(g) || g->place.since_ms)
        view_place(g, role, o);
}

static void put_when(struct json_out *o, const char *key, int64_t wall_ms)
{
    char text[40];
    json_key(o, str_of(key));
    json_string_or_null(o, str_of(when_text(wall_ms, text)));
}

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int(o, v);
}

static void put_or_null(struct json_out *o, const char *key, const char *text)
{
    json_key(o, str_of(key));
    json_string_or_null(o, str_of(text));
}

static void put_origin(const struct guards *g, struct str role, struct json_out *o)
{
    const struct guards_origin *from = &g->origin;
    put_text(o, "role", role);
    put_or_null(o, "source", from->source);
    put_or_null(o, "model", from->model);
    put_or_null(o, "engine", from->engine);
    put_int(o, "requests", g->base_requests);
    put_when(o, "from", from->from_ms);
    put_when(o, "until", from->until_ms);
    put_when(o, "saved", from->saved_ms);
    put_or_null(o, "note", from->note);
}

void guards_view_origin(const struct guards *g, struct str role, struct json_out *o)
{
    json_begin_object(o);
    put_origin(g, role, o);
    json_end_object(o);
}

void guards_view_base(const struct guards *g, struct str role, struct json_out *o)
{
    json_begin_object(o);
    put_origin(g, role, o);
    json_key(o, STR("by_load"));
    json_bool(o, g->by_load);
    json_key(o, STR("guards"));
    json_begin_array(o);
    for (size_t i = 0; i < g->watch.n; i++) {
        const struct seq_counts *base = &g->watch.guards[i].rule.baseline;
        json_begin_object(o);
        put_text(o, "name", str_of(guard_name[g->kinds[i]]));
        put_int(o, "bad", base->bad);
        put_int(o, "total", base->total);
        put_double(o, "rate", rate(*base));
        json_key(o, STR("limit_ms"));
        if (guard_is_time(g->kinds[i]))
            json_double(o, g->limit[g->kinds[i]], 1);
        else
            json_null(o);
        json_end_object(o);
    }
    json_end_array(o);
    json_end_object(o);
}

/* ---- to save ---- */

static void put_counts(struct json_out *o, const char *key, struct seq_counts c)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    json_int(o, c.bad);
    json_int(o, c.total);
    json_end_array(o);
}

struct field { const char *name; size_t at; };
static const struct field memory_fields[] = {
#define FIELD(name) { #name, offsetof(struct guard_memory, name) }
    FIELD(expected_bytes), FIELD(now_bytes), FIELD(most_bytes), FIELD(first_ms), FIELD(last_ms), FIELD(over_ms),
#undef FIELD
};
static const struct field place_fields[] = {
#define FIELD(name) { #name, offsetof(struct guard_place, name) }
    FIELD(first_ms), FIELD(since_ms), FIELD(last_ms), FIELD(requests), FIELD(sum_ms),
#undef FIELD
};

static void put_fields(struct json_out *o, const char *key, const struct field *fields, size_t n, const void *from)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    for (size_t i = 0; i < n; i++)
        put_int(o, fields[i].name, *(const int64_t *)(const void *)((const char *)from + fields[i].at));
    json_end_object(o);
}

static void read_fields(yyjson_val *v, const struct field *fields, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++)
        *(int64_t *)(void *)((char *)to + fields[i].at) = yyjson_get_sint(yyjson_obj_get(v, fields[i].name));
}

void guards_put(const struct guards *g, struct json_out *o)
{
    json_begin_object(o);
    const struct guards_origin *from = &g->origin;
    put_int(o, "requests", g->requests);
    put_int(o, "base_requests", g->base_requests);
    put_text(o, "source", str_of(from->source));
    put_text(o, "model", str_of(from->model));
    put_text(o, "engine", str_of(from->engine));
    put_text(o, "note", str_of(from->note));
    put_int(o, "from_ms", from->from_ms);
    put_int(o, "until_ms", from->until_ms);
    put_int(o, "saved_ms", from->saved_ms);
    json_key(o, STR("by_load"));
    json_bool(o, g->by_load);
    if (g->memory.expected_bytes)
        put_fields(o, "memory", memory_fields, COUNTOF(memory_fields), &g->memory);
    if (g->place.first_ms)
        put_fields(o, "place", place_fields, COUNTOF(place_fields), &g->place);
    put_text(o, "breach", g->breach >= 0 ? str_of(guard_name[g->breach]) : STR(""));
    json_key(o, STR("guards"));
    json_begin_object(o);
    for (size_t i = 0; i < g->watch.n; i++) {
        size_t kind = g->kinds[i];
        json_key(o, str_of(guard_name[kind]));
        json_begin_object(o);
        put_counts(o, "base", g->watch.guards[i].rule.baseline);
        put_counts(o, "seen", g->watch.guards[i].seen);
        if (guard_is_time(kind))
            put_double(o, "limit", g->limit[kind]);
        if (g->runs[kind])
            put_int(o, "run", g->runs[kind]);
        put_text(o, "first", str_of(g->first_bad[kind]));
        put_text(o, "last", str_of(g->last_bad[kind]));
        json_end_object(o);
    }
    json_end_object(o);
    json_end_object(o);
}

static bool read_counts(yyjson_val *v, struct seq_counts *out)
{
    yyjson_val *bad = yyjson_arr_get(v, 0), *total = yyjson_arr_get(v, 1);
    *out = (struct seq_counts){ .bad = yyjson_get_sint(bad), .total = yyjson_get_sint(total) };
    return yyjson_is_int(bad) && yyjson_is_int(total) && out->bad >= 0 && out->total >= out->bad;
}

static bool read_guard(struct guards *g, size_t kind, yyjson_val *v, struct seq_counts *base, struct seq_counts *seen)
{
    struct str first = json_str(yyjson_obj_get(v, "first")), last = json_str(yyjson_obj_get(v, "last"));
    yyjson_val *limit = yyjson_obj_get(v, "limit");
    g->limit[kind] = guard_is_time(kind) ? yyjson_is_num(limit) ? yyjson_get_num(limit) : INFINITY : 0;
    g->runs[kind] = yyjson_get_sint(yyjson_obj_get(v, "run"));
    snprintf(g->first_bad[kind], sizeof g->first_bad[kind], "%.*s", STR_ARG(first));
    snprintf(g->last_bad[kind], sizeof g->last_bad[kind], "%.*s", STR_ARG(last));
    return read_counts(yyjson_obj_get(v, "base"), base) && read_counts(yyjson_obj_get(v, "seen"), seen) && base->total > 0;
}

static void take_text(yyjson_val *obj, const char *key, char *to, size_t room)
{
    struct str text = json_str(yyjson_obj_get(obj, key));
    snprintf(to, room, "%.*s", STR_ARG(text));
}

static void read_origin(struct guards_origin *from, yyjson_val *v)
{
    take_text(v, "source", from->source, sizeof from->source);
    take_text(v, "model", from->model, sizeof from->model);
    take_text(v, "engine", from->engine, sizeof from->engine);
    take_text(v, "note", from->note, sizeof from->note);
    from->from_ms = yyjson_get_sint(yyjson_obj_get(v, "from_ms"));
    from->until_ms = yyjson_get_sint(yyjson_obj_get(v, "until_ms"));
    from->saved_ms = yyjson_get_sint(yyjson_obj_get(v, "saved_ms"));
}

bool guards_read(struct guards *g, struct str json)
{
    struct json_doc d = { 0 };
    struct err e;
    struct seq_counts base[GUARD_KINDS] = { { 0, 0 } }, seen[GUARD_KINDS] = { { 0, 0 } };
    *g = (struct guards){ .breach = -1 };
    for (size_t i = 0; i < GUARD_KINDS; i++)
        g->limit[i] = guard_is_time(i) ? INFINITY : 0;
    if (json_parse(&d, json, &e))
        return false;
    yyjson_val *guards = yyjson_obj_get(d.root, "guards");
    bool good = yyjson_is_obj(guards);
    for (size_t i = 0; i < GUARD_KINDS && good; i++) {
        yyjson_val *v = yyjson_obj_get(guards, guard_name[i]);
        good = !v || read_guard(g, i, v, &base[i], &seen[i]);
        if (str_eq(json_str(yyjson_obj_get(d.root, "breach")), str_of(guard_name[i])))
            g->breach = (int)i;
    }
    read_origin(&g->origin, d.root);
    read_fields(yyjson_obj_get(d.root, "memory"), memory_fields, COUNTOF(memory_fields), &g->memory);
    read_fields(yyjson_obj_get(d.root, "place"), place_fields, COUNTOF(place_fields), &g->place);
    for (int i = GUARD_KINDS; i < GUARD_NAMES; i++)
        if (str_eq(json_str(yyjson_obj_get(d.root, "breach")), str_of(guard_name[i])))
            g->breach = i;
    g->by_load = yyjson_is_true(yyjson_obj_get(d.root, "by_load"));
    g->requests = yyjson_get_sint(yyjson_obj_get(d.root, "requests"));
    g->base_requests = yyjson_get_sint(yyjson_obj_get(d.root, "base_requests"));
    json_free(&d);
    if (good)
        guards_watch(g, base, seen);
    return good;
}
