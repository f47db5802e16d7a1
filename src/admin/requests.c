#include "admin/requests.h"

#include "json/json.h"

#include <stdio.h>
#include <time.h>

static void put_str(struct json_out *o, const char *key, struct str v)
{
    json_key(o, str_of(key));
    json_string_or_null(o, v);
}

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int_or_null(o, v);
}

static void put_bool(struct json_out *o, const char *key, bool v)
{
    json_key(o, str_of(key));
    json_bool(o, v);
}

/* Negative: null. */
static void put_number(struct json_out *o, const char *key, double v, int decimals)
{
    json_key(o, str_of(key));
    if (v < 0)
        json_null(o);
    else
        json_double(o, v, decimals);
}

static void begin(struct json_out *o, const char *key)
{
    json_key(o, str_of(key));
    json_begin_object(o);
}

void view_time(struct json_out *o, const char *key, int64_t ms)
{
    char day[32] = "", text[48];
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    if (!gmtime_r(&s, &tm) || !strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm))
        day[0] = 0;
    snprintf(text, sizeof text, "%s.%03dZ", day, (int)(ms % 1000));
    put_str(o, key, str_of(text));
}

/* ---- a row ---- */

static void put_way(struct json_out *o, const struct request_row *r)
{
    view_time(o, "time", r->time_ms);
    put_str(o, "id", r->id);
    put_str(o, "client_id", r->client_id);
    put_str(o, "caller", r->caller);
    put_str(o, "class", r->class);
    put_str(o, "endpoint", r->endpoint);
    put_str(o, "role", r->role);
    put_str(o, "tier", r->tier);
    put_str(o, "asked", r->asked);
    put_str(o, "model", r->model);
    put_str(o, "host", r->host);
    put_bool(o, "remote", r->remote);
    put_str(o, "reason", r->reason);
}

static void put_end(struct json_out *o, const struct request_row *r)
{
    put_int(o, "status", r->status);
    put_str(o, "fault", r->fault == FAULT_NONE ? STR("") : str_of(fault_name(r->fault)));
    put_str(o, "code", r->code);
    put_str(o, "evidence", r->evidence);
    begin(o, "tokens");
    put_int(o, "input", r->input_tokens);
    put_int(o, "output", r->output_tokens);
    put_int(o, "reasoning", r->reasoning_tokens);
    put_int(o, "cached", r->cached_tokens);
    json_end_object(o);
    put_number(o, "queue_ms", r->queue_ms, 1);
    put_number(o, "load_ms", r->load_ms, 1);
    put_number(o, "ttft_ms", r->ttft_ms, 1);
    put_number(o, "total_ms", r->total_ms, 1);
    json_key(o, STR("chain"));
    json_raw(o, r->chain.n ? r->chain : STR("[]"));
}

void view_request(const struct request_row *r, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    put_way(&o, r);
    put_end(&o, r);
    put_bool(&o, "fell_back", r->fell_back);
    put_str(&o, "finish", str_of(row_finish_name[r->finish]));
    put_int(&o, "others", r->others);
    put_bool(&o, "stream", r->stream);
    put_int(&o, "bytes_in", r->bytes_in);
    put_int(&o, "bytes_out", r->bytes_out);
    put_bool(&o, "private", r->private_);
    put_bool(&o, "redacted", r->redacted);
    put_bool(&o, "unasked_thoughts", r->unasked_thoughts);
    put_number(&o, "complexity", r->complexity, 3);
    put_number(&o, "cost", r->cost, 9);
    put_str(&o, "verify", str_of(row_verdict_name[r->verdict]));
    json_end_object(&o);
}

/* ---- what it came to ---- */

void gain_add(void *gain, const struct request_sum *r)
{
    struct gain *g = gain;
    struct gain_side *side = !r->model.n ? &g->nowhere : r->remote ? &g->remote : &g->local;
    side->requests += r->requests;
    side->faults += r->faults;
    side->input_tokens += r->input_tokens;
    side->output_tokens += r->output_tokens;
    side->cached_tokens += r->cached_tokens;
    g->cost += r->cost;
    g->unpriced += r->remote ? r->unpriced : 0;
    g->verified += r->verified;
    g->agreed += r->agreed;
    g->fell_back += r->fell_back;
}

static void put_side(struct json_out *o, const char *key, const struct gain_side *s)
{
    begin(o, key);
    put_int(o, "requests", s->requests);
    put_int(o, "faults", s->faults);
    put_int(o, "input_tokens", s->input_tokens);
    put_int(o, "output_tokens", s->output_tokens);
    put_int(o, "cached_tokens", s->cached_tokens);
    json_end_object(o);
}

static double share(int64_t part, int64_t all)
{
    return all > 0 ? (double)part / (double)all : -1;
}

static int64_t tokens(const struct gain_side *s)
{
    return s->input_tokens + s->output_tokens;
}

/* What was answered here, at the price that was paid elsewhere meanwhile, for tokens of any kind; unknown where nothing was paid, or not all prices are known. */
static double at_paid_price(const struct gain *g)
{
    return g->unpriced || tokens(&g->remote) <= 0 ? -1 : g->cost / (double)tokens(&g->remote) * (double)tokens(&g->local);
}

static double at_reference(const struct gain *g, const struct conf_price *p)
{
    if (p->input < 0 || p->output < 0)
        return -1;
    return ((double)g->local.input_tokens * p->input + (double)g->local.output_tokens * p->output) / 1e6;
}

void view_gain(const struct gain *g, const struct conf_price *reference, int64_t since_ms, int64_t until_ms, struct buf *out)
{
    struct json_out o = json_out(out);
    int64_t here = g->local.requests - g->local.faults, there = g->remote.requests - g->remote.faults;
    bool unknown = g->unpriced && g->cost <= 0;
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    view_time(&o, "since", since_ms);
    view_time(&o, "until", until_ms);
    put_int(&o, "requests", g->local.requests + g->remote.requests + g->nowhere.requests);
    put_int(&o, "faults", g->local.faults + g->remote.faults + g->nowhere.faults);
    put_side(&o, "local", &g->local);
    put_side(&o, "remote", &g->remote);
    begin(&o, "local_share");
    put_number(&o, "requests", share(here, here + there), 4);
    put_number(&o, "tokens", share(tokens(&g->local), tokens(&g->local) + tokens(&g->remote)), 4);
    json_end_object(&o);
    begin(&o, "paid");
    put_number(&o, "cost", unknown ? -1 : g->cost, 6);
    put_int(&o, "unpriced_requests", g->unpriced);
    json_end_object(&o);
    begin(&o, "reference");
    put_number(&o, "input", reference->input, 6);
    put_number(&o, "output", reference->output, 6);
    json_end_object(&o);
    begin(&o, "saved");
    put_number(&o, "at_reference", at_reference(g, reference), 6);
    put_number(&o, "at_paid_price", at_paid_price(g), 6);
    json_end_object(&o);
    begin(&o, "verify");
    put_int(&o, "checked", g->verified);
    put_int(&o, "agreed", g->agreed);
    put_number(&o, "share", share(g->agreed, g->verified), 4);
    json_end_object(&o);
    put_int(&o, "fallbacks", g->fell_back);
    json_end_object(&o);
}

/* ---- when ---- */

static bool ago(struct str text, int64_t now_ms, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = { { 's', 1000 }, { 'm', 60 * 1000 }, { 'h', 3600 * 1000 }, { 'd', 24 * 3600 * 1000 }, { 'w', 7 * 24 * 3600 * 1000 } };
    int64_t n;
    for (size_t i = 0; i < COUNTOF(units); i++)
        if (text.n > 1 && text.p[text.n - 1] == units[i].unit && str_to_int(str_make(text.p, text.n - 1), 0, 100 * 1000 * 1000, &n)) {
            *out_ms = n * units[i].ms < now_ms ? now_ms - n * units[i].ms : 0;
            return true;
        }
    return false;
}

bool when_parse(struct str text, int64_t now_ms, int64_t *out_ms)
{
    static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S" };
    char day[32];
    if (ago(text, now_ms, out_ms))
        return true;
    bool utc = str_ends(text, STR("Z"));
    snprintf(day, sizeof day, "%.*s", (int)(text.n - utc), text.n ? text.p : "");
    for (size_t i = 0; i < COUNTOF(forms) && text.n < sizeof day; i++) {
        struct tm tm = { .tm_isdst = -1 };
        const char *end = strptime(day, forms[i], &tm);
        time_t s = end && !*end ? (utc ? timegm(&tm) : mktime(&tm)) : -1;
        if (s >= 0) {
            *out_ms = (int64_t)s * 1000;
            return true;
        }
    }
    return false;
}
