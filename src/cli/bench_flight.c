/* Requests to the model that is measured, so many at once; and a look at the place while they are under way. */
#include "cli/bench_int.h"

#include "api/question.h"
#include "base/clock.h"
#include "evidence/averages.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ANSWER_MS = 60 * 60 * 1000,     /* a prompt of 32k on a small machine takes its time */
    LOOK_MS = 2000,                 /* so often at ps while a round runs: a look makes the kernel sum up pages */
    TICK_MS = 100,
    EVENT_MAX_BYTES = 4 * 1024 * 1024,
};

/* Words that nearly every tokenizer has as one token each, with the space before them. */
static const char *const words[] = { "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state", "family", "student", "group", "country",
    "problem", "hand", "part", "place", "case", "week", "company", "system", "program", "question", "work", "government", "number", "night", "point", "home", "water", "room", "mother", "area",
    "money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue", "side", "kind", "head", "house", "service", "friend", "father", "power",
    "hour", "game", "line", "end", "member", "law", "car", "city", "community", "name", "president", "team", "minute", "idea", "body", "information", "back", "parent", "face", "others",
    "level", "office", "door", "health", "person", "art", "war", "history", "party", "result", "change", "morning", "reason", "research", "girl", "guy", "moment", "air", "teacher",
    "force", "education", "food", "light", "road", "stone", "river", "paper", "music", "field", "winter", "summer", "market", "window", "table", "green", "black", "white", "north", "south",
    "east", "west", "early", "small", "large", "young", "important", "public", "human", "local", "sure", "low", "high", "able" };

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

void bench_on_look(void *ctx)
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
    struct http_request r = { .method = STR("GET"), .path = buf_str(&path), .headers = buf_str(&headers), .first_byte_ms = BENCH_CONNECT_MS, .idle_ms = BENCH_CONNECT_MS };
    b->looking = http_call_start(b->admin_pool, &r, &look_ops, b);
    wipe(headers.p, headers.n);
    buf_free(&headers);
    buf_free(&path);
}

void bench_on_tick(void *ctx)
{
    struct bench *b = ctx;
    if (bench_interrupted())
        loop_stop(b->loop);
    if (b->energy)
        energy_read(b->energy, clock_mono_ns());
    timer_set(&b->tick, TICK_MS);
}

/* n requests at once, until all are through. */
void bench_fly(struct bench *b, size_t n, int64_t nwords, int64_t tokens)
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
    while (b->flying && !bench_interrupted())
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
