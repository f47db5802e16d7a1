/* What is counted of requests and backends. Names and units: one table. No caller, key or request id ever becomes a label. */
#include "api/api_int.h"
#include "backend/host.h"
#include "store/store.h"

#include <stdlib.h>

static const double latency_buckets[] = { 0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    163.84, 327.68 }; /* OpenTelemetry's for generative AI, and two more: a cold start takes minutes */

static const double row_buckets[] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5 };

enum { M_REQUESTS, M_SECONDS, M_TTFT, M_TOKENS, M_FALLBACKS, M_HEDGES, M_SHADOWS, M_THOUGHTS, M_ROWS, M_ROWS_LOST, M_ROWS_HELD, M_HELD, M_STORE_FAILING, M_ROWS_LATE, M_ROW_WAIT, M_ROW_COMMIT, M_LAG, M_RUNNING, M_WAITING, M_UP, M_WEDGED, M_LOAD,
    M_MEMORY, M_EVICTIONS, M_BUDGET, M_CONNECTIONS, M_INFO, M_BREAKER, M_OPENS, M_HOST_UP, M_HOST_PROBE, M_HOST_TOKENS,
    M_HOST_COST, M_HOST_ASLEEP, M_REFUSED, M_TRIMMED, M_TRUNCATED,
    M_OWN_MEMORY, M_OVERLOADED, M_OVERLOAD, M_OVERLOADS, M_LIMIT, M_EVICTED, M_TURNED, M_CAPTURED, M_COUNT };

static const struct meter_row metric_rows[M_COUNT] = {
    [M_REQUESTS]    = { "hob_requests_total", "Requests by outcome; code is ok or an error's.", METER_COUNTER, { "endpoint", "model", "host", "code" }, NULL, 0 },
    [M_SECONDS]     = { "hob_request_duration_seconds", "From the first byte of a request to the end of its answer.", METER_HISTOGRAM, { "endpoint", "model" }, latency_buckets, COUNTOF(latency_buckets) },
    [M_TTFT]        = { "hob_time_to_first_token_seconds", "From the first byte of a request to the first content of its answer.", METER_HISTOGRAM, { "model" }, latency_buckets, COUNTOF(latency_buckets) },
    [M_TOKENS]      = { "hob_tokens_total", "Tokens as counted by the places that answered.", METER_COUNTER, { "model", "host", "kind" }, NULL, 0 },
    [M_FALLBACKS]   = { "hob_fallbacks_total", "Requests that another model answered than the first of their chain.", METER_COUNTER, { "from", "to" }, NULL, 0 },
    [M_HEDGES]      = { "hob_hedges_total", "Second places asked beside one that was late; won: true where the second had the first word.", METER_COUNTER, { "from", "to", "won" }, NULL, 0 },
    [M_SHADOWS]     = { "hob_shadow_asks_total", "Copies of asks for a model that may take another's place, by what became of them: pair, dropped, cancelled, unfit. They count nowhere else.", METER_COUNTER, { "model", "end" }, NULL, 0 },
    [M_THOUGHTS]    = { "hob_thoughts_unasked_total", "Answers with thoughts of models that had been told not to think.", METER_COUNTER, { "model", "host" }, NULL, 0 },
    [M_ROWS]        = { "hob_rows_written_total", "Rows about requests that were written.", METER_COUNTER, { NULL }, NULL, 0 },
    [M_ROWS_LOST]   = { "hob_rows_lost_total", "Rows about requests that could not be written; the requests were answered all the same.", METER_COUNTER, { NULL }, NULL, 0 },
    [M_ROWS_HELD]   = { "hob_rows_held_total", "Rows about requests that had to wait in memory, as the disk failed.", METER_COUNTER, { NULL }, NULL, 0 },
    [M_HELD]        = { "hob_rows_held", "Of these, rows that wait now; they are lost if hob ends.", METER_GAUGE, { NULL }, NULL, 0 },
    [M_STORE_FAILING] = { "hob_store_failing", "1 while the store cannot be written.", METER_GAUGE, { NULL }, NULL, 0 },
    [M_ROWS_LATE]   = { "hob_rows_late_total", "Answers that left before their row was written, as the disk took too long.", METER_COUNTER, { NULL }, NULL, 0 },
    [M_ROW_WAIT]    = { "hob_row_wait_seconds", "How long the end of an answer waited for its row.", METER_HISTOGRAM, { NULL }, row_buckets, COUNTOF(row_buckets) },
    [M_ROW_COMMIT]  = { "hob_row_commit_seconds", "How much of it passed until the row was committed; the rest until the gateway heard of it.", METER_HISTOGRAM, { NULL }, row_buckets, COUNTOF(row_buckets) },
    [M_LAG]         = { "hob_store_lag_seconds", "Since when the oldest record waits that is not written yet.", METER_GAUGE, { NULL }, NULL, 0 },
    [M_RUNNING]     = { "hob_requests_running", "Requests being answered now.", METER_GAUGE, { NULL }, NULL, 0 },
    [M_WAITING]     = { "hob_queue_depth", "Requests waiting for a model.", METER_GAUGE, { "model" }, NULL, 0 },
    [M_UP]          = { "hob_backend_up", "1 while the backend takes requests.", METER_GAUGE, { "model", "host" }, NULL, 0 },
    [M_WEDGED]      = { "hob_backend_wedged", "1 while a child that was killed does not end: its memory counts as taken, and it answers nobody.", METER_GAUGE, { "model" }, NULL, 0 },
    [M_LOAD]        = { "hob_model_load_seconds", "How long the last load took.", METER_GAUGE, { "model" }, NULL, 0 },
    [M_MEMORY]      = { "hob_model_memory_bytes", "What a model that runs was last seen to have of memory, or else is booked for.", METER_GAUGE, { "model" }, NULL, 0 },
    [M_EVICTIONS]   = { "hob_evictions_total", "Models unloaded for the room they took, or because nobody asked for them.", METER_COUNTER, { "model", "reason" }, NULL, 0 },
    [M_BUDGET]      = { "hob_budget_bytes", "Memory for models: all there is (total), booked of it (used), what strangers have of the machine's (others).", METER_GAUGE, { "part" }, NULL, 0 },
    [M_CONNECTIONS] = { "hob_connections", "Open connections of callers.", METER_GAUGE, { NULL }, NULL, 0 },
    [M_BREAKER]     = { "hob_breaker_state", "0 closed, 1 half-open, 2 open: it is left alone.", METER_GAUGE, { "model", "host" }, NULL, 0 },
    [M_OPENS]       = { "hob_breaker_opens_total", "How often its breaker has opened.", METER_COUNTER, { "model", "host" }, NULL, 0 },
    [M_HOST_UP]     = { "hob_host_up", "1 when the last thing that was heard of a host was an answer; not there before anything was.", METER_GAUGE, { "host" }, NULL, 0 },
    [M_HOST_PROBE]  = { "hob_host_probe_seconds", "How long the last probe of a host took.", METER_GAUGE, { "host" }, NULL, 0 },
    [M_HOST_TOKENS] = { "hob_host_tokens_today", "Tokens used at a host since local midnight, in and out.", METER_GAUGE, { "host" }, NULL, 0 },
    [M_HOST_COST]   = { "hob_host_cost_today", "Money spent at a host since local midnight, as far as prices are known.", METER_GAUGE, { "host" }, NULL, 0 },
    [M_HOST_ASLEEP] = { "hob_host_asleep", "1 while a host with cold_start sleeps or is waking.", METER_GAUGE, { "host" }, NULL, 0 },
    [M_REFUSED]     = { "hob_context_refused_total", "Prompts that were too long for a place, alone or with the answer asked for.", METER_COUNTER, { "model", "host" }, NULL, 0 },
    [M_TRIMMED]     = { "hob_context_trimmed_total", "Prompts that fitted once old messages were left out (`context: trim`).", METER_COUNTER, { "model", "host" }, NULL, 0 },
    [M_TRUNCATED]   = { "hob_truncated_total", "Answers to prompts that a place had cut without a word.", METER_COUNTER, { "model", "host" }, NULL, 0 },
    [M_OWN_MEMORY]  = { "hob_memory_bytes", "The gateway's own memory: what may be used (limit), what is (used), what of that is promised to bodies that were announced (promised).", METER_GAUGE, { "part" }, NULL, 0 },
    [M_OVERLOADED]  = { "hob_overload_refused_total", "Requests refused because there was too much of something: memory, requests, connections.", METER_COUNTER, { "reason" }, NULL, 0 },
    [M_OVERLOAD]    = { "hob_overload_level", "0 calm, 1 refusing new requests for want of memory, 2 closing idle connections as well.", METER_GAUGE, { NULL }, NULL, 0 },
    [M_OVERLOADS]   = { "hob_overload_total", "How often new requests began to be refused for want of memory.", METER_COUNTER, { NULL }, NULL, 0 },
    [M_LIMIT]       = { "hob_limit", "How many there may be at a time: connections, requests.", METER_GAUGE, { "of" }, NULL, 0 },
    [M_EVICTED]     = { "hob_connections_closed_total", "Connections closed for others' sake: idle ones (idle), and new ones where there was no idle one (new).", METER_COUNTER, { "which" }, NULL, 0 },
    [M_TURNED]      = { "hob_turned_away_total", "Requests, or what came instead of one, refused before a model was chosen: by what was spoken (tls, http2, http09, proxy, ssh, not_http), framing, headers, slow, host, origin, attempts, memory, requests, connections.", METER_COUNTER, { "reason" }, NULL, 0 },
    [M_CAPTURED]    = { "hob_captured_total", "Asks of roles with `capture`: kept, dropped (the store was behind), large, or media (parts that are no text).", METER_COUNTER, { "end" }, NULL, 0 },
    [M_INFO]        = { "hob_build_info", "1; the version is the label.", METER_GAUGE, { "version" }, NULL, 0 },
};

struct metrics {
    struct api *api;
    struct meter_family *f[M_COUNT];
    int64_t held_written;           /* counted in M_ROWS */
};

static void set(struct metrics *m, int which, const struct str *labels, double v)
{
    meter_set(meter_series(m->f[which], labels), v);
}

static void collect_memory(struct metrics *m, const struct world *w, size_t model, struct str name)
{
    struct fleet_figures f;
    fleet_figures(w, model, &f);
    set(m, M_MEMORY, &name, (double)(f.measured_bytes >= 0 ? f.measured_bytes : f.booked_bytes));
    for (enum sched_reason why = LEAVE_ROOM; why <= LEAVE_IDLE; why++) {
        struct str labels[] = { name, str_of(sched_reason_name[why]) };
        struct meter_series *s = meter_series(m->f[M_EVICTIONS], labels);
        meter_inc(s, (double)fleet_evictions(w, model, why) - meter_read(s)); /* counted where they happen */
    }
}

static void collect_budget(struct metrics *m)
{
    struct fleet_budget b;
    fleet_budget(m->api->fleet, &b);
    const struct {
        struct str part;
        int64_t bytes;
    } parts[] = { { STR("total"), b.total_bytes }, { STR("used"), b.used_bytes }, { STR("others"), b.others_bytes } };
    for (size_t i = 0; i < COUNTOF(parts); i++)
        if (parts[i].bytes >= 0)
            set(m, M_BUDGET, &parts[i].part, (double)parts[i].bytes);
}

static void collect_host(struct metrics *m, const struct backend *b)
{
    struct host_figures h;
    if (!host_figures(b, &h))
        return;
    if (h.up != TRI_UNSAID)
        set(m, M_HOST_UP, &h.name, h.up == TRI_YES);
    if (h.probe_ms >= 0)
        set(m, M_HOST_PROBE, &h.name, (double)h.probe_ms / 1000);
    if (h.sleep)
        set(m, M_HOST_ASLEEP, &h.name, health_is_asleep(b));
    set(m, M_HOST_TOKENS, &h.name, (double)h.spent.tokens);
    set(m, M_HOST_COST, &h.name, h.spent.money);
}

static void collect_health(struct metrics *m, const struct backend *b, const struct str *labels)
{
    static const double level[] = { [BREAKER_CLOSED] = 0, [BREAKER_HALF_OPEN] = 1, [BREAKER_OPEN] = 2 };
    struct meter_series *opens = meter_series(m->f[M_OPENS], labels);
    set(m, M_BREAKER, labels, level[health_breaker(b)]);
    meter_inc(opens, (double)b->health.breaker.opens - meter_read(opens)); /* counted where they happen */
    collect_host(m, b);
}

static void count_up_to(struct metrics *m, int which, const struct str *labels, double now) /* counted where it happens */
{
    struct meter_series *s = meter_series(m->f[which], labels);
    meter_inc(s, now - meter_read(s));
}

static void collect_load(struct metrics *m)
{
    struct api_load l;
    struct str limit = STR("limit"), used = STR("used"), promised = STR("promised"), connections = STR("connections"), requests = STR("requests");
    struct str idle = STR("idle"), new = STR("new");
    api_load(m->api, &l);
    if (l.memory.limit_bytes) {
        set(m, M_OWN_MEMORY, &limit, (double)l.memory.limit_bytes);
        set(m, M_OWN_MEMORY, &used, (double)l.memory.used_bytes);
        set(m, M_OWN_MEMORY, &promised, (double)l.memory.promised_bytes);
    }
    set(m, M_OVERLOAD, NULL, l.memory.level);
    count_up_to(m, M_OVERLOADS, NULL, (double)l.memory.times);
    set(m, M_LIMIT, &connections, (double)l.connections.limit);
    set(m, M_LIMIT, &requests, (double)l.most_running);
    count_up_to(m, M_EVICTED, &idle, (double)l.connections.evicted);
    count_up_to(m, M_EVICTED, &new, (double)l.connections.turned_away);
}

static void collect_store(struct metrics *m)
{
    struct store_health h = { .failing = false };
    if (m->api->store)
        store_health(m->api->store, &h);
    meter_set(meter_plain(m->f[M_LAG]), (double)h.lag_ms / 1000);
    meter_set(meter_plain(m->f[M_HELD]), (double)h.held);
    meter_set(meter_plain(m->f[M_STORE_FAILING]), h.failing);
    meter_inc(meter_plain(m->f[M_ROWS]), (double)(h.held_written - m->held_written));
    m->held_written = h.held_written;
}

/* Gauges that are read where they live, when somebody asks. */
static void collect(void *ctx)
{
    struct metrics *m = ctx;
    struct api *a = m->api;
    meter_set(meter_plain(m->f[M_RUNNING]), (double)(a->running - a->nshadows));
    collect_store(m);
    meter_set(meter_plain(m->f[M_CONNECTIONS]), a->server ? (double)http_server_connections(a->server) : 0);
    const struct world *w = fleet_world(a->fleet);
    for (size_t i = 0; i < world_config(w)->nmodels; i++) {
        const struct backend *b = world_backend(w, i);
        struct str labels[] = { b->name, b->host };
        set(m, M_UP, labels, b->state == BACKEND_HOT);
        set(m, M_WAITING, labels, (double)fleet_waiting(w, i));
        collect_health(m, b, labels);
        if (b->kind->managed) {
            set(m, M_WEDGED, labels, b->state == BACKEND_WEDGED);
            set(m, M_LOAD, labels, (double)b->load_ms / 1000);
            collect_memory(m, w, i, b->name);
        }
    }
    collect_budget(m);
    collect_load(m);
}

struct metrics *metrics_new(struct api *a)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        die("out of memory for metrics");
    m->api = a;
    for (size_t i = 0; i < M_COUNT; i++)
        m->f[i] = meter_add(a->meter, &metric_rows[i]);
    struct str version = STR(HOB_VERSION);
    set(m, M_INFO, &version, 1);
    meter_on_collect(a->meter, collect, m);
    return m;
}

void metrics_free(struct metrics *m)
{
    free(m);
}

static void count_tokens(struct metrics *m, const struct request_figures *f, struct str kind, int64_t n)
{
    struct str labels[] = { f->model, f->host, kind };
    if (n > 0)
        meter_inc(meter_series(m->f[M_TOKENS], labels), (double)n);
}

void metrics_request(struct metrics *m, const struct request_figures *f)
{
    struct str outcome[] = { f->endpoint, f->model, f->host, f->code };
    struct str what[] = { f->endpoint, f->model };
    meter_inc(meter_series(m->f[M_REQUESTS], outcome), 1);
    if (f->seconds >= 0)
        meter_observe(meter_series(m->f[M_SECONDS], what), f->seconds);
    if (f->ttft_seconds >= 0)
        meter_observe(meter_series(m->f[M_TTFT], &f->model), f->ttft_seconds);
    count_tokens(m, f, STR("input"), f->input_tokens);
    count_tokens(m, f, STR("output"), f->output_tokens);
}

void metrics_shadow(struct metrics *m, struct str model, const char *end)
{
    struct str labels[] = { model, str_of(end) };
    meter_inc(meter_series(m->f[M_SHADOWS], labels), 1);
}

void metrics_overloaded(struct metrics *m, enum overload_cause why)
{
    static const struct str names[] = { [OVERLOADED_MEMORY] = STR("memory"), [OVERLOADED_REQUESTS] = STR("requests"), [OVERLOADED_CONNECTIONS] = STR("connections") };
    meter_inc(meter_series(m->f[M_OVERLOADED], &names[why]), 1);
}

void metrics_turned(struct metrics *m, const char *reason)
{
    struct str label = str_of(reason);
    meter_inc(meter_series(m->f[M_TURNED], &label), 1);
}

void metrics_capture(struct metrics *m, enum capture_end end)
{
    static const struct str names[] = { [CAPTURE_KEPT] = STR("kept"), [CAPTURE_DROPPED] = STR("dropped"), [CAPTURE_LARGE] = STR("large"), [CAPTURE_MEDIA] = STR("media") };
    meter_inc(meter_series(m->f[M_CAPTURED], &names[end]), 1);
}

void metrics_row(struct metrics *m, enum row_end end, double seconds, double commit_seconds)
{
    static const int which[] = { [ROW_WRITTEN] = M_ROWS, [ROW_LOST] = M_ROWS_LOST, [ROW_HELD] = M_ROWS_HELD, [ROW_LATE] = M_ROWS_LATE };
    meter_inc(meter_plain(m->f[which[end]]), 1);
    if (end == ROW_WRITTEN)
        meter_observe(meter_plain(m->f[M_ROW_WAIT]), seconds);
    if (end == ROW_WRITTEN && commit_seconds >= 0)
        meter_observe(meter_plain(m->f[M_ROW_COMMIT]), commit_seconds);
}

void metrics_fallback(struct metrics *m, struct str from, struct str to)
{
    struct str labels[] = { from, to };
    meter_inc(meter_series(m->f[M_FALLBACKS], labels), 1);
}
void metrics_thoughts(struct metrics *m, struct str model, struct str host)
{
    struct str labels[] = { model, host };
    meter_inc(meter_series(m->f[M_THOUGHTS], labels), 1);
}

void metrics_context(struct metrics *m, enum context_event what, struct str model, struct str host)
{
    static const int which[] = { [CONTEXT_WAS_REFUSED] = M_REFUSED, [CONTEXT_WAS_TRIMMED] = M_TRIMMED, [CONTEXT_WAS_CUT] = M_TRUNCATED };
    struct str labels[] = { model, host };
    meter_inc(meter_series(m->f[which[what]], labels), 1);
}

void metrics_hedge(struct metrics *m, struct str from, struct str to, bool won)
{
    struct str labels[] = { from, to, won ? STR("true") : STR("false") };
    meter_inc(meter_series(m->f[M_HEDGES], labels), 1);
}
