/* The books of a request: counted, its row written, and then its last bytes leave; those of an error too. A caller who has been answered finds the row,
 * whoever dies then. With `durability: lazy` nobody waits.
 *
 * A store that fails stops no answer: the row waits in memory until it can be written; one for which there is no room is lost, which is said once and counted. One
 * that hangs stops it for PATIENCE_MS. With `rows.on_error: refuse` no new request is taken meanwhile. */
#include "api/caller.h"
#include "api/exchange_int.h"
#include "backend/health.h"
#include "base/clock.h"

enum { PATIENCE_MS = 2000 };

/* ---- what is known at its begin ---- */

/* Under which a caller may know its request, the best first. */
static const char *const own_ids[] = { "x-client-request-id", "x-request-id", "traceparent" };

static void keep_client_id(struct books *b, const struct http_headers *h)
{
    struct str id = STR("");
    for (size_t i = 0; i < COUNTOF(own_ids) && !id.n; i++)
        id = http_header(h, str_of(own_ids[i]));
    size_t n = id.n < sizeof b->client_id ? id.n : sizeof b->client_id - 1;
    for (size_t i = 0; i < n; i++) /* what a terminal would obey, and what is no UTF-8, is not kept */
        b->client_id[i] = id.p[i] > ' ' && id.p[i] < 0x7f ? id.p[i] : '?';
    b->client_id[n] = 0;
}

void books_open(struct exchange *x)
{
    x->books.open = true;
    keep_client_id(&x->books, http_req_headers(x->req));
    x->books.bytes_in = (int64_t)http_req_body(x->req).n;
}

/* ---- the row ---- */

static struct str reason(const struct exchange *x)
{
    const struct decision *d = &x->decision;
    bool first = !x->lead->b || !x->lead->at || x->lead->at >= d->n;
    return str_of(first && d->why[0] ? d->why : d->n ? d->chain[first ? 0 : x->lead->at].reason : "");
}

static bool is_remote(const struct attempt *t)
{
    return t->b && !backend_is_local(t->b);
}

/* Its last try. */
static bool was_away(const struct exchange *x, const struct backend *b)
{
    bool away = false;
    for (size_t i = 0; i < x->ntried; i++)
        if (str_eq(x->tried[i].model, b->name) && str_eq(x->tried[i].host, b->host))
            away = x->tried[i].away;
    return away;
}

static void note_way(struct exchange *x, struct request_row *r)
{
    const struct attempt *t = x->lead;
    const struct decision *d = &x->decision;
    const struct candidate *c = t->b && t->at < d->n ? &d->chain[t->at] : NULL;
    r->endpoint = str_of(exchange_errands[x->ask.task].name);
    r->caller = x->ask.caller;
    r->class = caller_class_name(x->class);
    r->role = d->role;
    r->tier = c ? c->tier : STR("");
    r->asked = x->ask.name;
    r->unknown = !t->b && x->books.why.code == ERR_MODEL_NOT_FOUND;
    r->model = t->b ? t->b->name : STR("");
    r->host = t->b ? t->b->host : STR("");
    r->remote = is_remote(t);
    r->redacted = c && c->redact;
    r->private_ = d->privacy != PRIVATE_NO;
    r->reason = reason(x);
    r->chain = x->ntried ? buf_str(&x->books.chain) : STR("");
    r->verdict = (enum row_verdict)x->verified.verdict;
    r->fell_back = !x->books.why.code && exchange_fell_back(x);
    r->away = t->b && x->books.why.code && was_away(x, t->b);
}

double exchange_price(const struct backend *b, const struct tokens *n)
{
    return n->input >= 0 && n->output >= 0 ? health_price(b, n->input, n->output) : -1;
}

/* It was told not to think, and did. */
static void note_thoughts(const struct exchange *x, struct request_row *r)
{
    const struct attempt *t = x->lead;
    const struct answer_facts *f = attempt_facts(t);
    r->unasked_thoughts = t->b && t->think.plan.decided && !t->think.plan.on && (f->thought || f->tokens.reasoning > 0);
}

static void note_end(const struct exchange *x, struct request_row *r)
{
    const struct attempt *t = x->lead;
    r->finish = t->b ? row_finish_of(str_of(attempt_facts(t)->finish)) : FINISH_UNKNOWN;
    r->others = t->b && t->sent_ns ? t->others : -1;
}

void exchange_lose(struct attempt *t)
{
    struct lost *l = &t->x->lost;
    const struct tokens used = attempt_used(t);
    double cost = is_remote(t) ? exchange_price(t->b, &used) : 0;
    l->any = true;
    l->remote |= is_remote(t);
    l->cost = l->cost < 0 || cost < 0 ? -1 : l->cost + cost;
    l->input = l->input < 0 || used.input < 0 ? -1 : l->input + used.input;
    l->output = l->output < 0 || used.output < 0 ? -1 : l->output + used.output;
}

/* Of the answer, or the draft that it has replaced, of its check, and of those that were none. Negative: unknown, or nothing that has a price. */
double exchange_cost(const struct exchange *x)
{
    bool remote = is_remote(x->lead);
    const struct tokens used = attempt_used(x->lead);
    const struct verified *v = &x->verified;
    bool checked = v->verdict == VERDICT_AGREED || v->verdict == VERDICT_IMPROVED;
    double of_check = checked ? exchange_price(world_backend(x->world, v->model), &v->tokens) : 0;
    double of_answer = v->verdict == VERDICT_IMPROVED ? v->draft_cost : remote ? exchange_price(x->lead->b, &used) : 0;
    if (!remote && !checked && !x->lost.remote)
        return -1;
    return of_check < 0 || of_answer < 0 || x->lost.cost < 0 ? -1 : of_check + of_answer + x->lost.cost;
}

static void note_figures(const struct exchange *x, struct request_row *r)
{
    const struct attempt *t = x->lead;
    const struct books *b = &x->books;
    const struct tokens used = attempt_used(t), *n = &used;
    double waited = clock_ms_between(t->waited_ns, t->sent_ns ? t->sent_ns : b->settled_ns) - (double)t->load_ms;
    r->input_tokens = t->b ? n->input : -1;
    r->output_tokens = t->b ? n->output : -1;
    r->reasoning_tokens = t->b ? n->reasoning : -1;
    r->cached_tokens = t->b ? n->cached : -1;
    r->queue_ms = t->b && waited > 0 ? waited : 0;
    r->load_ms = (double)t->load_ms;
    r->ttft_ms = t->first_ns ? clock_ms_between(x->started_ns, t->first_ns) : -1;
    r->total_ms = clock_ms_between(x->started_ns, b->settled_ns);
    r->bytes_in = b->bytes_in;
    r->bytes_out = x->streamed + (int64_t)(b->why.code ? b->refusal.n : t->out.n);
    r->cost = exchange_cost(x);
    r->complexity = x->ask.complexity.score > 0 ? x->ask.complexity.score : -1;
}

static void make_row(struct exchange *x)
{
    struct books *b = &x->books;
    const struct err_row *row = err_row(b->why.code);
    b->chain.n = 0;
    struct json_out chain = json_out(&b->chain);
    if (x->ntried)
        reply_put_tried(&chain, x->tried, x->ntried);
    b->row = (struct request_row){
        .time_ms = clock_wall_ms() - (b->settled_ns - x->started_ns) / 1000000,
        .id = str_of(x->id),
        .client_id = str_of(b->client_id),
        .status = row->http,
        .fault = err_fault(&b->why),
        .code = str_of(row->code),
        .evidence = str_of(x->evidence), /* of an answer, too: why it fell back */
        .stream = x->ask.stream || x->whole_stream,
    };
    note_way(x, &b->row);
    note_figures(x, &b->row);
    note_thoughts(x, &b->row);
    note_end(x, &b->row);
}

/* ---- what is counted ---- */

static void count(struct exchange *x)
{
    const struct attempt *t = x->lead;
    const struct err *e = &x->books.why;
    const struct tokens used = attempt_used(t);
    struct request_figures figures = {
        .endpoint = str_of(exchange_errands[x->ask.task].name),
        .model = t->b ? t->b->name : STR(""),
        .host = t->b ? t->b->host : STR(""),
        .code = str_of(err_row(e->code)->code),
        .seconds = (double)(x->books.settled_ns - x->started_ns) / 1e9,
        .ttft_seconds = t->first_ns ? (double)(t->first_ns - x->started_ns) / 1e9 : -1,
        .input_tokens = used.input,
        .output_tokens = used.output,
    };
    metrics_request(x->api->metrics, &figures);
    if (!e->code && exchange_fell_back(x))
        metrics_fallback(x->api->metrics, world_config(x->world)->models[x->decision.chain[0].model].name, figures.model);
    log_debug("%s %.*s -> %.*s on %.*s: %s, %.1f ms%s%s", x->id, STR_ARG(x->ask.name), STR_ARG(figures.model), STR_ARG(figures.host),
        err_row(e->code)->code, figures.seconds * 1e3, x->evidence[0] ? ": " : "", x->evidence); /* the place's own words may cite a prompt */
}

static void count_row(struct exchange *x, const struct err *e)
{
    struct api *a = x->api;
    bool lost = e && !x->books.put.kept;
    if (lost && !a->row_was_lost)
        log_error("requests are answered, but not written down: %s", e->text);
    else if (!e && a->row_was_lost)
        log_info("requests are written down again");
    a->row_was_lost = e ? a->row_was_lost || lost : false;
    int64_t since_ns = x->books.settled_ns, ended_ns = x->books.put.job.ended_ns; /* of another process's commit nothing is known */
    metrics_row(a->metrics, lost ? ROW_LOST : e ? ROW_HELD : ROW_WRITTEN, (double)(clock_mono_ns() - since_ns) / 1e9, (double)(ended_ns - since_ns) / 1e9);
}

enum { LATE_MS = PATIENCE_MS }; /* the first row has waited so long: the disk hangs */

bool api_refuses_for_store(struct api *a, struct err *e)
{
    struct store_health h;
    if (!a->store || !api_config(a)->rows_refuse)
        return false;
    store_health(a->store, &h);
    if (!h.failing && h.lag_ms < LATE_MS)
        return false;
    err_set(e, ERR_STORE_FAILING, "Requests cannot be written down, and none is taken without that: %.120s", h.failing ? h.why : "the disk hangs");
    e->retry_after_s = 1;
    err_hint(e, "Try again in a moment. The operator makes room for the state folder, or sets `rows.on_error: serve`.");
    return true;
}

/* ---- the end ---- */

/* The last bytes. */
static void leave(struct exchange *x)
{
    x->books.closed = true;
    if ((x->req || x->asker) && x->books.why.code) {
        exchange_answer_error(x, &x->books.why);
    } else if (x->req && x->lead->way == WAY_RELAY) {
        exchange_send_out(x);
        http_reply_end(x->req);
        x->req = NULL;
    } else if (x->req || x->asker) {
        exchange_answer_whole(x);
    }
    exchange_finish(x);
}

/* Out of the store, where nobody is inside of us. */
static void on_row(void *ctx, const struct err *e)
{
    struct exchange *x = ctx;
    timer_cancel(&x->books.patience);
    count_row(x, e);
    if (x->api->on_row && (!e || x->books.put.kept))
        x->api->on_row(x->api->on_row_ctx, &x->books.row, x->books.put.at);
    if (!x->books.closed)
        leave(x);
    x->books.under_way = false;
    if (!x->reading.work.running)
        exchange_dispose(x);
}

static void on_impatience(void *ctx)
{
    struct exchange *x = ctx;
    metrics_row(x->api->metrics, ROW_LATE, 0, -1);
    leave(x);
}

void exchange_settle(struct exchange *x, const struct err *e)
{
    struct books *b = &x->books;
    bool lazy = world_config(x->world)->durability == DURABLE_LAZY;
    if (e)
        b->why = *e;
    if (e && x->req)
        exchange_write_error(x, e);
    b->settled_ns = clock_mono_ns();
    if (x->api->shadows && !x->is_copy)
        shadow_settled(x);
    if (!x->is_copy)
        count(x);
    if (!x->api->store || !b->open) {
        leave(x);
        return;
    }
    if (x->captures && !e)
        exchange_capture(x);
    make_row(x);
    b->under_way = true;
    requests_put(x->api->store, &b->put, lazy ? STORE_LEISURE : x->api->running - x->api->nshadows);
    if (lazy)
        leave(x);
    else
        timer_set(&b->patience, PATIENCE_MS);
}

void exchange_deliver(struct exchange *x)
{
    struct attempt *t = x->lead;
    exchange_enter(x, X_SETTLED);
    lease_outcome(&t->lease, NULL, attempt_facts(t)->tokens.input);
    attempt_drop(t); /* its slot is for others while the row is written */
    exchange_settle(x, NULL);
}

/* ---- birth and death ---- */

void books_init(struct exchange *x)
{
    struct books *b = &x->books;
    b->put = (struct request_put){ .row = &b->row, .on_done = on_row, .ctx = x };
    timer_init(&b->patience, x->api->loop, on_impatience, x);
}

void books_clear(struct exchange *x, size_t keep_bytes)
{
    struct books *b = &x->books;
    b->why.code = ERR_OK;
    b->why.fault = FAULT_NONE;
    b->open = b->closed = false;
    b->bytes_in = 0;
    x->streamed = 0;
    b->client_id[0] = 0;
    buf_reset(&b->chain, keep_bytes);
    buf_reset(&b->refusal, keep_bytes);
}

void books_free(struct exchange *x)
{
    buf_free(&x->books.chain);
    buf_free(&x->books.refusal);
    timer_cancel(&x->books.patience);
}
