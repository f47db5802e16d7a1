/* One model, measured at the public door that every caller uses. Requests are ordinary ones; what is special is what is made sure of: prompts that no cache can answer, of a length
 * that is counted before; answers that go on to the last token where the engine can be told to; who answered; and that nobody else was served meanwhile.
 *
 * Times are read when bytes arrive at this process. On one machine that is a few hundredths of a millisecond behind the gateway, and the client's own work (an event parsed) lies between
 * two readings: little beside a token's. */
#include "cli/bench.h"

#include "api/question.h"
#include "base/clock.h"
#include "base/random.h"
#include "evidence/averages.h"
#include "http/sse.h"
#include "proc/energy.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECT_MS = 10 * 1000,
    ANSWER_MS = 60 * 60 * 1000,     /* a prompt of 32k on a small machine takes its time */
    LOOK_MS = 2000,                 /* so often at ps while a round runs: a look makes the kernel sum up pages */
    TICK_MS = 100,
    UNLOAD_MS = 120 * 1000,
    QUIET_MS = 3000,                /* so long is waited for a place to be free */
    EVENT_MAX_BYTES = 4 * 1024 * 1024,
    PROBE_FEW = 16, PROBE_MANY = 80, PROBE_TOKENS = 8, COLD_WORDS = 16,
    LEAST_WORDS = 8,
    OWN_CACHE_TOKENS = 16,          /* beside the template's own: engines cache in blocks */
};

/* Words that nearly every tokenizer has as one token each, with the space before them. */
static const char *const words[] = { "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state", "family", "student", "group", "country",
    "problem", "hand", "part", "place", "case", "week", "company", "system", "program", "question", "work", "government", "number", "night", "point", "home", "water", "room", "mother", "area",
    "money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue", "side", "kind", "head", "house", "service", "friend", "father", "power",
    "hour", "game", "line", "end", "member", "law", "car", "city", "community", "name", "president", "team", "minute", "idea", "body", "information", "back", "parent", "face", "others",
    "level", "office", "door", "health", "person", "art", "war", "history", "party", "result", "change", "morning", "reason", "research", "girl", "guy", "moment", "air", "teacher",
    "force", "education", "food", "light", "road", "stone", "river", "paper", "music", "field", "winter", "summer", "market", "window", "table", "green", "black", "white", "north", "south",
    "east", "west", "early", "small", "large", "young", "important", "public", "human", "local", "sure", "low", "high", "able" };

struct bench;

/* One request. */
struct flight {
    struct bench *bench;
    struct http_call *call;
    struct sse *sse;
    struct json_scratch scratch;
    struct buf body, in;
    struct str piece;               /* the body, as it is sent */
    int64_t now_ns;                 /* of the bytes at hand */
    int64_t sent_ns, *pieces_ns;    /* when each piece of the answer came */
    size_t npieces, room;
    int status;
    bool finished, broken;
    char model[160], host[160], id[80], why[240];
    int64_t prompt_tokens, cached_tokens, output_tokens, load_ms;
    struct { int64_t prompt_n, predicted_n; double prompt_ms, predicted_ms; } engine;
};

struct bench {
    const struct door *at, *admin;
    const struct bench_wish *wish;
    struct speed_report *report;
    struct bench_place place;
    struct bench_found found;
    struct arena memory;            /* of place and found */
    struct loop *loop;
    struct http_pool *pool, *admin_pool;
    struct flight flights[BENCH_MAX_AT_ONCE];
    size_t flying, together;        /* requests under way; of the round at hand, those that are through included: their slots come back a little later */
    struct timer tick, look;
    struct http_call *looking;
    struct buf ps;
    int looked_status;
    bool disturbed;                 /* in the round at hand */
    struct energy *energy;          /* NULL = not of this place */
    struct dice dice;
    double overhead, per_word;      /* tokens of a prompt: overhead + per_word * words */
    bool tells_engine;              /* ignore_eos and cache_prompt are sent */
    int64_t steps, step;
    char build[80];
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
    (void)signum;
    interrupted = 1;
}

/* ---- one request: what comes ---- */

static void copy_text(char *out, size_t room, struct str s)
{
    if (s.n)
        snprintf(out, room, "%.*s", STR_ARG(s));
}

static int64_t int_or(yyjson_val *v, int64_t otherwise)
{
    return yyjson_is_int(v) ? yyjson_get_sint(v) : otherwise;
}

static void take_error(struct flight *f, yyjson_val *root, struct str otherwise)
{
    struct str message = json_str(yyjson_obj_get(yyjson_obj_get(root, "error"), "message"));
    f->broken = true;
    copy_text(f->why, sizeof f->why, message.n ? message : otherwise);
}

static void take_piece(struct flight *f)
{
    if (f->npieces == f->room) {
        f->room = f->room ? 2 * f->room : 512;
        f->pieces_ns = realloc(f->pieces_ns, f->room * sizeof *f->pieces_ns);
        if (!f->pieces_ns)
            die("out of memory for a measurement");
    }
    f->pieces_ns[f->npieces++] = f->now_ns;
}

static void take_usage(struct flight *f, yyjson_val *usage, yyjson_val *timings)
{
    f->prompt_tokens = int_or(yyjson_obj_get(usage, "prompt_tokens"), f->prompt_tokens);
    f->output_tokens = int_or(yyjson_obj_get(usage, "completion_tokens"), f->output_tokens);
    f->cached_tokens = int_or(yyjson_obj_get(yyjson_obj_get(usage, "prompt_tokens_details"), "cached_tokens"), f->cached_tokens);
    if (!timings)
        return;
    f->engine.prompt_n = int_or(yyjson_obj_get(timings, "prompt_n"), 0);
    f->engine.predicted_n = int_or(yyjson_obj_get(timings, "predicted_n"), 0);
    f->engine.prompt_ms = yyjson_get_num(yyjson_obj_get(timings, "prompt_ms"));
    f->engine.predicted_ms = yyjson_get_num(yyjson_obj_get(timings, "predicted_ms"));
}

static void take_routing(struct flight *f, yyjson_val *routing)
{
    copy_text(f->model, sizeof f->model, json_str(yyjson_obj_get(routing, "model")));
    copy_text(f->host, sizeof f->host, json_str(yyjson_obj_get(routing, "host")));
    f->load_ms = int_or(yyjson_obj_get(routing, "load_ms"), f->load_ms);
}

static void on_event(void *ctx, struct str event, struct str data)
{
    struct flight *f = ctx;
    struct json_doc d;
    struct err e;
    (void)event;
    if (str_eq(data, STR("[DONE]")) || json_parse_fast(&d, data, &f->scratch, &e))
        return;
    yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(d.root, "choices")), *delta = yyjson_obj_get(choice, "delta");
    if (yyjson_obj_get(d.root, "error"))
        take_error(f, d.root, STR("the stream ended with an error"));
    if (yyjson_get_len(yyjson_obj_get(delta, "content")) || yyjson_get_len(yyjson_obj_get(delta, "reasoning_content")))
        take_piece(f);
    f->finished |= yyjson_is_str(yyjson_obj_get(choice, "finish_reason"));
    take_routing(f, yyjson_obj_get(d.root, "_routing"));
    take_usage(f, yyjson_obj_get(d.root, "usage"), yyjson_obj_get(d.root, "timings"));
    copy_text(f->bench->build, sizeof f->bench->build, json_str(yyjson_obj_get(d.root, "system_fingerprint")));
    json_free(&d);
}

static void on_head(void *ctx, const struct http_answer *a)
{
    struct flight *f = ctx;
    f->status = a->status;
    copy_text(f->id, sizeof f->id, http_header(&a->headers, STR("x-request-id")));
    copy_text(f->model, sizeof f->model, http_header(&a->headers, STR("x-hob-model"))); /* the routing says it, too, where it is on */
    copy_text(f->host, sizeof f->host, http_header(&a->headers, STR("x-hob-host")));
}

static void on_body(void *ctx, struct str bytes)
{
    struct flight *f = ctx;
    struct err e;
    f->now_ns = clock_mono_ns();
    if (f->status == 200 ? sse_feed(f->sse, bytes, &e) : buf_feed(&f->in, bytes, &e))
        f->broken = true;
}

static void land(struct flight *f)
{
    f->call = NULL;
    if (--f->bench->flying == 0)
        loop_stop(f->bench->loop);
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct flight *f = ctx;
    struct json_doc d = { 0 };
    struct err none;
    if (rc) {
        f->broken = true;
        copy_text(f->why, sizeof f->why, str_of(e->text));
    } else if (f->status != 200) {
        bool parsed = !json_parse(&d, buf_str(&f->in), &none);
        char status[40];
        snprintf(status, sizeof status, "it was answered %d", f->status);
        take_error(f, parsed ? d.root : NULL, str_of(status));
        json_free(&d);
    } else if (!f->finished && !f->broken) {
        take_error(f, NULL, STR("the stream ended without an end"));
    }
    land(f);
}

static const struct http_call_ops flight_ops = { on_head, on_body, on_done };

/* ---- one request: what is sent ---- */

/* So many words, drawn anew each time: no two prompts begin alike, so that no cache has the beginning. */
static void put_prompt(struct bench *b, struct buf *out, int64_t n)
{
    buf_lit(out, "Go on with this list:");
    for (int64_t i = 0; i < n; i++) {
        buf_add_char(out, ' ');
        buf_add(out, str_of(words[dice_below(&b->dice, (uint32_t)COUNTOF(words))]));
    }
}

static void make_body(struct flight *f, int64_t nwords, int64_t tokens)
{
    struct bench *b = f->bench;
    struct buf prompt = { 0 };
    put_prompt(b, &prompt, nwords);
    f->body.n = 0;
    struct json_out o = json_out(&f->body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, b->place.model);
    json_key(&o, STR("stream"));
    json_bool(&o, true);
    json_key(&o, STR("stream_options"));
    json_raw(&o, STR("{\"include_usage\":true}"));
    json_key(&o, STR("max_tokens"));
    json_int(&o, tokens);
    if (b->tells_engine) {
        json_key(&o, STR("ignore_eos"));
        json_bool(&o, true);
        json_key(&o, STR("cache_prompt"));
        json_bool(&o, false);
    }
    question_put_chat(&o, buf_str(&prompt));
    json_end_object(&o);
    buf_free(&prompt);
    f->piece = buf_str(&f->body);
}

static void forget(struct flight *f)
{
    sse_free(f->sse);
    f->sse = sse_new(EVENT_MAX_BYTES, on_event, f);
    f->in.n = f->npieces = 0;
    f->status = 0;
    f->finished = f->broken = false;
    f->model[0] = f->host[0] = f->id[0] = f->why[0] = 0;
    f->prompt_tokens = f->cached_tokens = f->output_tokens = -1;
    f->load_ms = 0;
    f->engine.prompt_n = f->engine.predicted_n = 0;
}

static void take_off(struct flight *f)
{
    struct bench *b = f->bench;
    struct buf headers = { 0 };
    char path[512];
    snprintf(path, sizeof path, "%.*s/v1/chat/completions", STR_ARG(b->at->prefix));
    buf_printf(&headers, "Content-Type: application/json\r\nUser-Agent: hob/%s\r\nx-hob-class: program\r\nx-hob-wait: true\r\nx-client-request-id: " MEASURED_BENCH_ID "%.*s\r\nx-hob-host: %.*s\r\n", HOB_VERSION,
        STR_ARG(b->place.model), STR_ARG(b->place.host));
    daemon_put_key(b->at, &headers);
    struct http_request r = { .method = STR("POST"), .path = str_of(path), .headers = buf_str(&headers), .body = &f->piece, .pieces = 1, .first_byte_ms = ANSWER_MS, .idle_ms = ANSWER_MS };
    b->flying++;
    f->sent_ns = clock_mono_ns();
    f->call = http_call_start(b->pool, &r, &flight_ops, f);
    wipe(headers.p, headers.n); /* a key may be in it */
    buf_free(&headers);
}

/* ---- meanwhile ---- */

static void take_look(struct bench *b)
{
    struct arena a;
    struct bench_place now = b->place;
    arena_init(&a);
    if (b->looked_status == 200 && bench_look_at(buf_str(&b->ps), &a, &now)) {
        if (now.memory_bytes > b->report->memory_bytes)
            b->report->memory_bytes = now.memory_bytes;
        b->disturbed |= now.busy > (int64_t)b->together || now.others_busy > 0;
    }
    arena_fini(&a);
}

static void look_head(void *ctx, const struct http_answer *a)
{
    struct bench *b = ctx;
    b->looked_status = a->status;
}

static void look_body(void *ctx, struct str bytes)
{
    struct bench *b = ctx;
    struct err e;
    if (buf_feed(&b->ps, bytes, &e))
        b->looked_status = 0;
}

static void look_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct bench *b = ctx;
    (void)e;
    b->looking = NULL;
    if (!rc)
        take_look(b);
}

static const struct http_call_ops look_ops = { look_head, look_body, look_done };

static void on_look(void *ctx)
{
    struct bench *b = ctx;
    struct buf headers = { 0 }, path = { 0 };
    timer_set(&b->look, LOOK_MS);
    if (b->looking)
        return;
    b->ps.n = 0;
    buf_printf(&path, "%.*s/hob/v1/ps", STR_ARG(b->admin->prefix));
    buf_lit(&headers, "User-Agent: hob/" HOB_VERSION "\r\n");
    if (b->admin->remote)
        daemon_put_key(b->admin, &headers);
    struct http_request r = { .method = STR("GET"), .path = buf_str(&path), .headers = buf_str(&headers), .first_byte_ms = CONNECT_MS, .idle_ms = CONNECT_MS };
    b->looking = http_call_start(b->admin_pool, &r, &look_ops, b);
    wipe(headers.p, headers.n);
    buf_free(&headers);
    buf_free(&path);
}

static void on_tick(void *ctx)
{
    struct bench *b = ctx;
    if (interrupted)
        loop_stop(b->loop);
    if (b->energy)
        energy_read(b->energy, clock_mono_ns());
    timer_set(&b->tick, TICK_MS);
}

/* n requests at once, until all are through. */
static void fly(struct bench *b, size_t n, int64_t nwords, int64_t tokens)
{
    b->together = n;
    for (size_t i = 0; i < n; i++) {
        forget(&b->flights[i]);
        make_body(&b->flights[i], nwords, tokens);
    }
    for (size_t i = 0; i < n; i++)
        take_off(&b->flights[i]);
    timer_set(&b->tick, TICK_MS);
    timer_set(&b->look, LOOK_MS);
    while (b->flying && !interrupted)
        loop_run(b->loop);
    timer_cancel(&b->look);
    timer_cancel(&b->tick);
    http_call_cancel(b->looking);
    b->looking = NULL;
    for (size_t i = 0; i < n; i++) {
        http_call_cancel(b->flights[i].call);
        b->flights[i].call = NULL;
    }
    b->flying = 0;
}

/* ---- was it the place, and it alone? ---- */

static enum err_code look_now(struct bench *b, struct err *e)
{
    struct bench_place now;
    struct arena a;
    arena_init(&a);
    enum err_code rc = bench_look(b->admin, b->place.model, b->place.host, &a, &now, e);
    if (!rc) {
        struct bench_place kept = b->place;
        b->place = now;
        b->place.model = kept.model;
        b->place.host = kept.host;
        b->place.file = kept.file;
        b->place.engine = kept.engine;
        b->place.state = STR("");
        if (now.memory_bytes > b->report->memory_bytes)
            b->report->memory_bytes = now.memory_bytes;
    }
    arena_fini(&a);
    return rc;
}

static bool is_ours(const struct bench *b, size_t n, struct str id)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(str_of(b->flights[i].id), id))
            return true;
    return false;
}

/* The newest time of a row into mark (what comes later is of the round); or, with n > 0: is there one since the mark of another caller, at this place or beside it? Rows come in the
 * order in which they were written down, not asked. */
static bool look_at_rows(struct bench *b, char mark[40], size_t n)
{
    struct question q = { .method = "GET", .path = "/hob/v1/logs?n=300", .answer_ms = 60 * 1000 };
    struct answer got = { 0 };
    struct json_doc d = { 0 };
    struct err e;
    bool strangers = false;
    size_t i, max;
    yyjson_val *row;
    if (!door_ask(b->admin, &q, &got, &e) && got.status == 200 && !json_parse(&d, buf_str(&got.body), &e))
        yyjson_arr_foreach(yyjson_obj_get(d.root, "rows"), i, max, row) {
            struct str time = json_str(yyjson_obj_get(row, "time")), host = json_str(yyjson_obj_get(row, "host"));
            bool here = str_eq(host, b->place.host) && (b->place.here || str_eq(json_str(yyjson_obj_get(row, "model")), b->place.model));
            bool later = time.n && time.n < 40 && strncmp(time.p, mark, time.n) > 0;
            if (!n && later)
                snprintf(mark, 40, "%.*s", STR_ARG(time));
            else if (n && here && later && !is_ours(b, n, json_str(yyjson_obj_get(row, "id"))))
                strangers = true;
        }
    json_free(&d);
    buf_free(&got.body);
    return strangers;
}

static void pause_ms(int64_t ms)
{
    struct timespec pause = { .tv_nsec = ms * 1000 * 1000 };
    nanosleep(&pause, NULL);
}

/* Waits a little for whoever is being served: the round before has its lease given back by then. True: nobody is. */
static bool wait_for_quiet(struct bench *b)
{
    int64_t until = clock_mono_ms() + QUIET_MS;
    struct err e;
    do {
        if (look_now(b, &e) || (!b->place.busy && !b->place.others_busy))
            return true;
        pause_ms(50);
    } while (clock_mono_ms() < until && !interrupted);
    return false;
}

/* ---- a round ---- */

static unsigned flags_of(const struct bench *b, const struct flight *f, int64_t length)
{
    unsigned flags = 0;
    if (f->broken || !f->npieces)
        flags |= SPEED_FAILED;
    if (!f->broken && (!str_eq(str_of(f->model), b->place.model) || !str_eq(str_of(f->host), b->place.host)))
        flags |= SPEED_ELSEWHERE;
    if (f->cached_tokens > (int64_t)b->overhead + OWN_CACHE_TOKENS)
        flags |= SPEED_CACHED;
    if (!f->broken && (f->prompt_tokens < 0 || f->output_tokens < 0))
        flags |= SPEED_UNCOUNTED;
    if (!f->broken && f->output_tokens >= 0 && f->output_tokens < b->wish->tokens)
        flags |= SPEED_SHORT;
    if (f->prompt_tokens >= 0 && llabs(f->prompt_tokens - length) * 50 > length)
        flags |= SPEED_LENGTH;
    return flags;
}

static struct str why_of(struct bench *b, const struct flight *f, unsigned flags)
{
    struct arena *a = &b->report->memory;
    if (flags & SPEED_FAILED)
        return f->why[0] ? arena_copy(a, str_of(f->why)) : STR("no word came");
    if (flags & SPEED_ELSEWHERE)
        return arena_printf(a, "%s on %s answered in its place", f->model[0] ? f->model : "another", f->host[0] ? f->host : "another host");
    return STR("");
}

static void put_request(struct bench *b, const struct flight *f, size_t cell, int round, int64_t length, bool shared)
{
    struct arena *a = &b->report->memory;
    struct speed_request *q = speed_add(b->report);
    double *gaps = arena_array(a, double, f->npieces + 1);
    q->cell = cell;
    q->round = round;
    q->flags = flags_of(b, f, length) | (shared ? SPEED_SHARED : 0);
    q->why = why_of(b, f, q->flags);
    q->model = arena_copy(a, str_of(f->model));
    q->host = arena_copy(a, str_of(f->host));
    q->id = arena_copy(a, str_of(f->id));
    q->prompt_tokens = f->prompt_tokens;
    q->cached_tokens = f->cached_tokens;
    q->output_tokens = f->output_tokens;
    q->sent_ns = f->sent_ns;
    q->first_ns = f->npieces ? f->pieces_ns[0] : 0;
    q->last_ns = f->npieces ? f->pieces_ns[f->npieces - 1] : 0;
    for (size_t i = 1; i < f->npieces; i++)
        gaps[i - 1] = (double)(f->pieces_ns[i] - f->pieces_ns[i - 1]) / 1e6;
    q->gaps_ms = gaps;
    q->ngaps = f->npieces ? f->npieces - 1 : 0;
    q->engine.prompt_n = f->engine.prompt_n;
    q->engine.predicted_n = f->engine.predicted_n;
    q->engine.prompt_ms = f->engine.prompt_ms;
    q->engine.predicted_ms = f->engine.predicted_ms;
}

static bool tell_step(struct bench *b, const char *what, int64_t context, int64_t concurrency)
{
    bool go_on = !b->wish->on_step || b->wish->on_step(b->wish->ctx, what, context, concurrency, b->step, b->steps);
    b->step += context > 0;
    b->report->stopped |= !go_on;
    return go_on && !interrupted;
}

static double joules_now(const struct bench *b)
{
    return b->energy ? energy_read(b->energy, clock_mono_ns()) : NAN;
}

static int64_t words_of(const struct bench *b, int64_t length)
{
    return (int64_t)llround(((double)length - b->overhead) / b->per_word);
}

/* True: it counts. */
static bool run_round(struct bench *b, size_t cell, int round)
{
    struct speed_cell *c = &b->report->cells[cell];
    size_t n = (size_t)c->concurrency, before = b->report->nrequests;
    int64_t length = c->context - b->wish->tokens;
    char mark[40] = "";
    bool counts = true;
    b->disturbed = !wait_for_quiet(b);
    look_at_rows(b, mark, 0);
    double before_joules = joules_now(b);
    fly(b, n, words_of(b, length), b->wish->tokens);
    if (interrupted)
        return false;
    c->joules[round - 1] = joules_now(b) - before_joules;
    bool shared = b->disturbed | look_at_rows(b, mark, n);
    for (size_t i = 0; i < n; i++)
        put_request(b, &b->flights[i], cell, round, length, shared);
    for (size_t i = before; i < b->report->nrequests; i++)
        counts &= !(b->report->requests[i].flags & SPEED_LEAVES_OUT);
    return counts;
}

/* One that is not looked at, of the smallest size: what is done once (clocks that go up, pages that are touched for the first time) is done by then. The first of a larger size may
 * still be slower than the others; medians are what is told. */
static bool warm_up(struct bench *b)
{
    for (size_t i = 0; i < b->report->ncells; i++) {
        struct speed_cell *c = &b->report->cells[i];
        if (c->left_out.n)
            continue;
        if (!tell_step(b, "warming up", 0, 1))
            return false;
        fly(b, 1, words_of(b, c->context - b->wish->tokens), b->wish->tokens);
        return !interrupted;
    }
    return true;
}

static bool run_cell(struct bench *b, size_t cell)
{
    struct speed_cell *c = &b->report->cells[cell];
    int64_t counted = 0, failed = 0;
    for (int round = 1; counted < b->wish->runs && round <= 2 * b->wish->runs && failed < 3; round++) {
        if (!tell_step(b, "measuring", c->context, c->concurrency))
            return false;
        bool counts = run_round(b, cell, round);
        if (interrupted)
            return false;
        counted += counts;
        unsigned flags = b->report->requests[b->report->nrequests - 1].flags;
        failed = flags & (SPEED_FAILED | SPEED_ELSEWHERE) ? failed + 1 : 0; /* in a row: it will not get better */
    }
    return true;
}

/* ---- before: load, warm up, count ---- */

static enum err_code flight_failed(const struct bench *b, const char *doing, struct err *e)
{
    const struct flight *f = &b->flights[0];
    if (interrupted)
        return err_set(e, ERR_CALLER_GONE, "It was interrupted.");
    if (f->broken)
        return err_set(e, f->status ? ERR_UP_STATUS : ERR_UP_REFUSED, "%s '%.*s' went wrong: %s", doing, STR_ARG(b->place.model), f->why);
    if (f->prompt_tokens < 0)
        return err_set(e, ERR_UP_GARBLED, "'%.*s' does not say how many tokens a prompt has: no rate could be told.", STR_ARG(b->place.model));
    if (!str_eq(str_of(f->model), b->place.model) || !str_eq(str_of(f->host), b->place.host)) {
        err_set(e, ERR_NO_BACKEND, "%s on %s answers in the place of '%.*s' on '%.*s'.", f->model, f->host, STR_ARG(b->place.model), STR_ARG(b->place.host));
        return err_hint(e, "`hob route explain %.*s` says why.", STR_ARG(b->place.model));
    }
    return ERR_OK;
}

/* Two prompts of different length tell what the template adds, and what a word is. */
static enum err_code learn_lengths(struct bench *b, struct err *e)
{
    static const int64_t probes[2] = { PROBE_FEW, PROBE_MANY };
    int64_t tokens[2];
    for (size_t i = 0; i < COUNTOF(probes); i++) {
        fly(b, 1, probes[i], PROBE_TOKENS);
        if (i == 0 && b->flights[0].broken && b->flights[0].status == 400 && b->tells_engine && !b->place.here) {
            b->tells_engine = false; /* a host that wants to know of no such field */
            fly(b, 1, probes[i], PROBE_TOKENS);
        }
        enum err_code rc = flight_failed(b, "Warming up", e);
        if (rc)
            return rc;
        tokens[i] = b->flights[0].prompt_tokens;
    }
    b->per_word = (double)(tokens[1] - tokens[0]) / (double)(PROBE_MANY - PROBE_FEW);
    b->overhead = (double)tokens[0] - b->per_word * PROBE_FEW;
    if (b->per_word < 0.5 || b->per_word > 8)
        return err_set(e, ERR_UP_GARBLED, "'%.*s' counts %lld tokens of %d words and %lld of %d: that is no count.", STR_ARG(b->place.model), (long long)tokens[0], PROBE_FEW,
            (long long)tokens[1], PROBE_MANY);
    return ERR_OK;
}

static enum err_code act(struct bench *b, const char *path, bool pin, struct err *e)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    struct answer got = { 0 };
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, b->place.model);
    if (pin) {
        json_key(&o, STR("pin"));
        json_bool(&o, true);
    }
    json_end_object(&o);
    struct question q = { .method = "POST", .path = path, .body = buf_str(&body) };
    enum err_code rc = door_ask(b->admin, &q, &got, e);
    if (!rc && got.status != 200) {
        struct json_doc d = { 0 };
        struct err none;
        struct str why = json_parse(&d, buf_str(&got.body), &none) ? STR("") : json_str(yyjson_obj_get(yyjson_obj_get(d.root, "error"), "message"));
        rc = err_set(e, ERR_UP_STATUS, "'%.*s' cannot be %s: %.*s", STR_ARG(b->place.model), str_ends(str_of(path), STR("unload")) ? "unloaded" : "loaded", STR_ARG(why));
        json_free(&d);
    }
    buf_free(&got.body);
    buf_free(&body);
    return rc;
}

/* The request that wakes it pays for all: spawn and load as the daemon saw them, the rest is the first token's. */
static enum err_code cold_start(struct bench *b, struct err *e)
{
    struct speed_report *r = b->report;
    struct flight *f = &b->flights[0];
    if (!tell_step(b, "starting cold", 0, 1))
        return ERR_OK;
    fly(b, 1, COLD_WORDS, PROBE_TOKENS);
    enum err_code rc = flight_failed(b, "A cold start of", e);
    if (rc || !f->npieces)
        return rc;
    rc = look_now(b, e);
    double total = (double)(f->pieces_ns[0] - f->sent_ns) / 1e6;
    if (!rc && f->load_ms > 0 && r->ncolds < SPEED_MAX_COLDS)
        r->colds[r->ncolds++] = (struct speed_cold){ .spawn_ms = b->place.spawn_ms, .load_ms = b->place.load_ms, .total_ms = total,
            .first_token_ms = total > (double)f->load_ms ? total - (double)f->load_ms : -1 };
    else if (!rc)
        r->cold_why = STR("somebody else had it loaded meanwhile");
    return rc;
}

/* Until its process is gone: what that takes is no part of a start. */
static enum err_code unload(struct bench *b, struct err *e)
{
    int64_t until = clock_mono_ms() + UNLOAD_MS;
    bool gone = false;
    enum err_code rc = act(b, "/hob/v1/models/unload", false, e);
    while (!rc && !gone && !interrupted && clock_mono_ms() < until) {
        struct bench_place now;
        struct arena a;
        arena_init(&a);
        rc = bench_look(b->admin, b->place.model, b->place.host, &a, &now, e);
        gone = !rc && str_eq(now.state, STR("cold"));
        arena_fini(&a);
        if (!gone)
            pause_ms(20);
    }
    if (!rc && !gone && !interrupted)
        return err_set(e, ERR_UP_TIMEOUT, "'%.*s' was not unloaded within %d s.", STR_ARG(b->place.model), UNLOAD_MS / 1000);
    return rc;
}

static enum err_code cold_starts(struct bench *b, struct err *e)
{
    bool pinned = b->place.pinned;
    enum err_code rc = ERR_OK;
    if (!b->place.here) {
        b->report->cold_why = STR("it runs on a host: when that loads it is its own business");
        return ERR_OK;
    }
    if (!b->place.loaded && !b->wish->colds)
        return cold_start(b, e);
    if (!b->wish->colds)
        b->report->cold_why = STR("it was in memory already, and is only unloaded when that is asked for (--cold)");
    for (int64_t i = 0; i < b->wish->colds && !rc && !interrupted; i++) {
        rc = unload(b, e);
        if (!rc && !interrupted)
            rc = cold_start(b, e);
    }
    if (!rc && b->wish->colds && pinned)
        rc = act(b, "/hob/v1/models/load", true, e); /* as it was */
    return rc;
}

/* ---- what is measured ---- */

static struct str why_not(struct bench *b, int64_t context, int64_t concurrency)
{
    struct arena *a = &b->report->memory;
    if (b->place.context > 0 && context > b->place.context)
        return arena_printf(a, "its context is %lld tokens", (long long)b->place.context);
    if ((double)(context - b->wish->tokens) < b->overhead + b->per_word * LEAST_WORDS)
        return arena_printf(a, "an answer of %lld tokens leaves no room for a prompt", (long long)b->wish->tokens);
    if (b->place.slots > 0 && concurrency > b->place.slots)
        return arena_printf(a, "it has %lld slot%s: the others would wait in line", (long long)b->place.slots, b->place.slots == 1 ? "" : "s");
    if (concurrency > BENCH_MAX_AT_ONCE)
        return STR("that is more at once than hob bench sends");
    return STR("");
}

static void plan_cell(struct bench *b, int64_t context, int64_t concurrency)
{
    struct speed_report *r = b->report;
    if (r->ncells == SPEED_MAX_CELLS)
        return;
    struct speed_cell *c = &r->cells[r->ncells++];
    c->context = context;
    c->concurrency = concurrency;
    c->left_out = why_not(b, context, concurrency);
    b->steps += c->left_out.n ? 0 : b->wish->runs;
}

static void plan_cells(struct bench *b)
{
    const struct bench_wish *w = b->wish;
    for (size_t i = 0; i < w->ncontexts; i++)
        for (size_t k = 0; k < w->nconcurrency; k++)
            if (!w->corner || i == 0 || k == 0)
                plan_cell(b, w->contexts[i], w->concurrency[k]);
}

static void warn_of_rounds(struct bench *b)
{
    struct speed_report *r = b->report;
    size_t n[SPEED_FLAGS] = { 0 };
    for (size_t i = 0; i < r->nrequests; i++)
        for (size_t k = 0; k < SPEED_FLAGS; k++)
            n[k] += r->requests[i].flags >> k & 1;
    if (n[3])
        speed_warn(r, "%zu requests count for nothing: somebody else was served meanwhile", n[3]);
    if (n[2])
        speed_warn(r, "%zu requests count for nothing: their prompts came out of a cache", n[2]);
    if (n[1])
        speed_warn(r, "%zu requests count for nothing: another place answered", n[1]);
    if (n[0])
        speed_warn(r, "%zu requests count for nothing: they failed", n[0]);
    if (n[6])
        speed_warn(r, "%zu requests count for nothing: the place did not say how many tokens there were", n[6]);
    if (n[4])
        speed_warn(r, "%zu answers were shorter than %lld tokens%s", n[4], (long long)b->wish->tokens, b->tells_engine ? "" : ": this place is not told to go on past the model's end");
    if (n[5])
        speed_warn(r, "%zu prompts were more than 2 %% off the length they should have had", n[5]);
    for (size_t i = 0; i < r->ncells; i++)
        if (!r->cells[i].left_out.n && (int64_t)r->cells[i].counted < b->wish->runs && !r->stopped)
            speed_warn(r, "%lld tokens, %lld at a time: %zu of %lld runs count", (long long)r->cells[i].context, (long long)r->cells[i].concurrency, r->cells[i].counted,
                (long long)b->wish->runs);
}

static void look_at_machine(struct bench *b)
{
    double load[3];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    b->found.load_average = NAN;
    if (b->at->remote || getloadavg(load, 1) != 1)
        return;
    b->found.load_average = load[0];
    if (cores > 0 && load[0] > 0.5 * (double)cores)
        speed_warn(b->report, "the machine was busy when it began: a load of %.1f on %ld cores", load[0], cores);
}

/* This machine's counters say something of what runs on it alone. */
static void open_energy(struct bench *b)
{
    struct speed_report *r = b->report;
    struct energy_opts opts = { .watts = b->wish->watts };
    if (!(b->wish->watts > 0) && (!b->place.here || b->at->remote)) {
        r->energy_why = STR("it runs elsewhere, and what that machine takes is not known here (--watts)");
        return;
    }
    b->energy = energy_open(&opts, clock_mono_ns());
    r->energy_source = arena_copy(&r->memory, energy_source(b->energy));
    r->energy_why = arena_copy(&r->memory, energy_why(b->energy));
    if (!r->energy_source.n && r->energy_why.n)
        r->energy_why = arena_printf(&r->memory, "%.*s (--watts)", STR_ARG(r->energy_why));
}

static enum err_code measure(struct bench *b, struct err *e)
{
    struct speed_report *r = b->report;
    enum err_code rc = bench_look(b->admin, b->wish->model, b->wish->host, &b->memory, &b->place, e);
    if (rc)
        return rc;
    r->model = arena_copy(&r->memory, b->place.model);
    r->host = arena_copy(&r->memory, b->place.host);
    r->began_ms = clock_wall_ms();
    r->tokens = b->wish->tokens;
    r->runs = b->wish->runs;
    b->tells_engine = true;
    look_at_machine(b);
    open_energy(b);
    rc = cold_starts(b, e);
    if (!rc && !interrupted)
        rc = learn_lengths(b, e);
    if (!rc && !interrupted)
        rc = look_now(b, e); /* its context is known once it is loaded */
    if (rc || interrupted)
        return rc;
    plan_cells(b);
    bool go_on = warm_up(b);
    for (size_t i = 0; i < r->ncells && go_on; i++)
        go_on = r->cells[i].left_out.n || run_cell(b, i);
    return ERR_OK;
}

static void set_up(struct bench *b)
{
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    b->dice = dice_of(seed);
    arena_init(&b->memory);
    buf_init(&b->ps, 16 * MIB);
    timer_init(&b->tick, b->loop, on_tick, b);
    timer_init(&b->look, b->loop, on_look, b);
    for (size_t i = 0; i < BENCH_MAX_AT_ONCE; i++) {
        b->flights[i].bench = b;
        buf_init(&b->flights[i].in, MIB);
    }
}

static void clean_up(struct bench *b)
{
    for (size_t i = 0; i < BENCH_MAX_AT_ONCE; i++) {
        struct flight *f = &b->flights[i];
        sse_free(f->sse);
        json_scratch_free(&f->scratch);
        buf_free(&f->body);
        buf_free(&f->in);
        free(f->pieces_ns);
    }
    buf_free(&b->ps);
    energy_close(b->energy);
    http_pool_free(b->pool);
    http_pool_free(b->admin_pool);
    loop_free(b->loop);
    arena_fini(&b->memory);
    free(b);
}

static enum err_code open_pools(struct bench *b, struct err *e)
{
    struct http_pool_opts opts = { .max_idle = BENCH_MAX_AT_ONCE, .idle_ms = 4000, .connect_ms = CONNECT_MS };
    enum err_code rc = http_pool_open(b->loop, &b->at->target, &opts, &b->pool, e);
    if (!rc && b->admin->remote)
        return http_pool_open(b->loop, &b->admin->target, &opts, &b->admin_pool, e);
    if (!rc)
        b->admin_pool = http_pool_new(b->loop, &b->admin->target.to, STR("localhost"), &opts);
    return rc;
}

enum err_code bench_measure(const struct door *at, const struct door *admin, const struct bench_wish *w, struct speed_report *out, struct err *e)
{
    struct bench *b = calloc(1, sizeof *b);
    struct sigaction stop = { .sa_handler = on_interrupt }, old_int, old_term;
    if (!b)
        die("out of memory for a measurement");
    *b = (struct bench){ .at = at, .admin = admin, .wish = w, .report = out, .loop = loop_new() };
    interrupted = 0;
    sigaction(SIGINT, &stop, &old_int);
    sigaction(SIGTERM, &stop, &old_term);
    speed_init(out);
    set_up(b);
    enum err_code rc = open_pools(b, e);
    if (!rc)
        rc = measure(b, e);
    out->stopped |= interrupted;
    if (!rc) {
        b->found.build = str_of(b->build);
        b->found.ignore_eos = b->tells_engine;
        b->found.energy = out->energy_source;
        out->settings = bench_settings(w, &b->place, &b->found, at, &out->memory);
        speed_count(out);
        warn_of_rounds(b);
    }
    clean_up(b);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    return rc;
}

struct bench_wish bench_wish_of(struct str model)
{
    return (struct bench_wish){ .model = model, .contexts = { 1024 }, .ncontexts = 1, .concurrency = { 1 }, .nconcurrency = 1, .tokens = 256, .runs = 5 };
}
