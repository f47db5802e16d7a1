/* answer.c - a chat or a text, from its request to the bytes of its answer.
 *
 * It becomes a struct answer that answer_step() takes from phase to phase, a piece
 * at a time, when the time of the piece has come; so a stream of any length costs no memory here. */
#include "fake.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum phase { PH_HEAD, PH_ROLE, PH_REASONING, PH_PIECES, PH_FINISH, PH_USAGE, PH_DONE, PH_TRIP, PH_STALLED };

struct answer {
    struct plan plan;
    enum phase phase;
    int64_t due, started;
    bool stream, include_usage, tripped;
    bool plain;    /* a text, not a chat */
    char *whole;   /* neither: a body that is ready */
    size_t whole_n;
    char *id, *model;
    char *text; /* what the pieces are cut from; NULL: they are words */
    size_t text_n;
    int piece, pieces, reasoned;
    long prompt_tokens, cached;
    uint32_t seed;
    const char *finish;
};

/* -- chat: reading the request */

/* All text of a message, whether a string or a list of parts. */
static void message_text(yyjson_val *message, struct buf *out)
{
    yyjson_val *content = yyjson_obj_get(message, "content"), *part;
    size_t i, n;
    buf_add(out, "", 0);
    if (yyjson_is_str(content))
        buf_add(out, yyjson_get_str(content), yyjson_get_len(content));
    yyjson_arr_foreach(content, i, n, part) {
        yyjson_val *text = yyjson_obj_get(part, "text");
        if (yyjson_is_str(text))
            buf_add(out, yyjson_get_str(text), yyjson_get_len(text));
    }
}

/* The last user message's text; *words counts the words of all. */
static struct buf last_user_text(yyjson_val *messages, long *words)
{
    struct buf last = {0};
    size_t i, n;
    yyjson_val *m;
    buf_add(&last, "", 0);
    *words = 0;
    yyjson_arr_foreach(messages, i, n, m) {
        struct buf text = {0};
        message_text(m, &text);
        *words += count_words(text.p);
        if (yyjson_equals_str(yyjson_obj_get(m, "role"), "user")) {
            buf_free(&last);
            last = text;
        } else {
            buf_free(&text);
        }
    }
    return last;
}

static yyjson_mut_doc *window_fault(long words)
{
    long window = fake.n_ctx / (fake.slots > 0 ? fake.slots : 1);
    if (!fake.model || words < window)
        return NULL;
    char text[160];
    snprintf(text, sizeof text, "request (%ld tokens) exceeds the available context size (%ld tokens), try increasing it", words, window);
    yyjson_mut_doc *d = error_doc(400, "exceed_context_size_error", text);
    yyjson_mut_val *e = yyjson_mut_obj_get(yyjson_mut_doc_get_root(d), "error");
    yyjson_mut_obj_add_int(d, e, "n_prompt_tokens", words);
    yyjson_mut_obj_add_int(d, e, "n_ctx", window);
    return d;
}

static yyjson_mut_doc *logits_fault(int *status)
{
    *status = 500;
    return error_doc(500, "server_error", "the current context does not logits computation. skipping");
}

/* What llama-server itself refuses. NULL: fine. */
static yyjson_mut_doc *chat_fault(yyjson_val *root, long words, int *status)
{
    yyjson_val *messages = yyjson_obj_get(root, "messages"), *n = yyjson_obj_get(root, "n");
    *status = 400;
    if (!yyjson_is_obj(root)) {
        *status = 500;
        return error_doc(500, "server_error", "[json.exception.parse_error.101] parse error at line 1, column 1");
    }
    if (!messages)
        return error_doc(400, "invalid_request_error", "'messages' is required");
    if (!yyjson_is_arr(messages))
        return error_doc(400, "invalid_request_error", "Expected 'messages' to be an array");
    if (n && yyjson_get_int(n) != 1)
        return error_doc(400, "invalid_request_error", "Field 'n': Value must be between 1 <= value <= 1");
    return fake.embeddings ? logits_fault(status) : window_fault(words);
}

/* -- chat: the text of the answer */

static size_t slice_end(const struct answer *a, size_t at) /* 16 bytes on, but never inside a character */
{
    size_t end = at + 16 < a->text_n ? at + 16 : a->text_n;
    while (end < a->text_n && ((unsigned char)a->text[end] & 0xC0) == 0x80)
        end++;
    return end;
}

static int slice_count(const struct answer *a)
{
    int n = 0;
    for (size_t at = 0; at < a->text_n; at = slice_end(a, at))
        n++;
    return n;
}

static void piece_add(const struct answer *a, int i, struct buf *out)
{
    static const char *const words[] = {
        "amber", "birch", "cedar", "dune", "ember", "fjord", "grün", "heath", "inlet", "jasper", "kelp", "lichen", "moss",
        "naïve", "oak", "pebble", "quartz", "reed", "sedge", "thistle", "umber", "vale", "willow", "日本", "yarrow", "zephyr",
    };
    if (a->text) {
        size_t at = 0;
        for (; i > 0; i--)
            at = slice_end(a, at);
        buf_add(out, a->text + at, slice_end(a, at) - at);
        return;
    }
    if (i)
        buf_text(out, " ");
    if (a->plan.word_bytes) {
        for (int n = 0; n < a->plan.word_bytes; n++)
            buf_add(out, &"abcdefghijklmnop"[(a->seed + (uint32_t)(i + n)) % 16], 1);
        return;
    }
    buf_text(out, words[(a->seed + (uint32_t)i * 7u) % (sizeof words / sizeof *words)]);
}

/* -- chat: the objects */

static void add_usage(yyjson_mut_doc *d, yyjson_mut_val *root, const struct answer *a)
{
    long out = a->piece + a->reasoned;
    yyjson_mut_val *u = yyjson_mut_obj_add_obj(d, root, "usage");
    yyjson_mut_obj_add_int(d, u, "prompt_tokens", a->prompt_tokens);
    yyjson_mut_obj_add_int(d, u, "completion_tokens", out);
    yyjson_mut_obj_add_int(d, u, "total_tokens", a->prompt_tokens + out);
    yyjson_mut_obj_add_int(d, yyjson_mut_obj_add_obj(d, u, "prompt_tokens_details"), "cached_tokens", a->plan.cached);
}

static void add_timings(yyjson_mut_doc *d, yyjson_mut_val *root, const struct answer *a)
{
    int64_t ms = a->plan.first_ms + (int64_t)(a->piece + a->reasoned) * a->plan.gap_ms + 1; /* as it was told: how busy the machine is, is not in it */
    yyjson_mut_val *t = yyjson_mut_obj_add_obj(d, root, "timings");
    yyjson_mut_obj_add_int(d, t, "cache_n", a->plan.cached);
    yyjson_mut_obj_add_int(d, t, "prompt_n", a->prompt_tokens);
    yyjson_mut_obj_add_real(d, t, "prompt_ms", 1.5);
    yyjson_mut_obj_add_real(d, t, "prompt_per_second", (double)a->prompt_tokens / 0.0015);
    yyjson_mut_obj_add_int(d, t, "predicted_n", a->piece + a->reasoned);
    if (fake.draft && fake.spec_type && !strcmp(fake.spec_type, "draft-simple")) { /* half of what it guesses is right */
        yyjson_mut_obj_add_int(d, t, "draft_n", 2 * a->piece);
        yyjson_mut_obj_add_int(d, t, "draft_n_accepted", a->piece);
    }
    yyjson_mut_obj_add_real(d, t, "predicted_ms", (double)ms);
    yyjson_mut_obj_add_real(d, t, "predicted_per_second", 1000.0 * (a->piece + a->reasoned) / (double)ms);
}

static const char *serial_id(const char *id, int n)
{
    static char text[64];
    snprintf(text, sizeof text, "%s-%d", id, n);
    return text;
}

static yyjson_mut_doc *object_new(yyjson_mut_val **root)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, *root);
    return d;
}

/* What comes after the choices, in the engine's order. */
static void add_frame(yyjson_mut_doc *d, yyjson_mut_val *root, const struct answer *a, const char *object)
{
    yyjson_mut_obj_add_int(d, root, "created", 1700000000 + (a->plan.created_drifts ? a->piece : 0));
    if (a->plan.ids_differ)
        yyjson_mut_obj_add_strcpy(d, root, "id", serial_id(a->id, a->piece));
    else if (!a->plan.no_id)
        yyjson_mut_obj_add_str(d, root, "id", a->id);
    yyjson_mut_obj_add_str(d, root, "model", a->model);
    yyjson_mut_obj_add_str(d, root, "system_fingerprint", "b1-fa4e000");
    yyjson_mut_obj_add_str(d, root, "object", object);
}

static yyjson_mut_val *add_choice(yyjson_mut_doc *d, yyjson_mut_val *root, const char *finish)
{
    yyjson_mut_val *choice = yyjson_mut_arr_add_obj(d, yyjson_mut_obj_add_arr(d, root, "choices"));
    yyjson_mut_obj_add_int(d, choice, "index", 0);
    if (finish)
        yyjson_mut_obj_add_str(d, choice, "finish_reason", finish);
    else
        yyjson_mut_obj_add_null(d, choice, "finish_reason");
    return choice;
}

static yyjson_mut_val *add_tool_call(yyjson_mut_doc *d, yyjson_mut_val *to, const struct answer *a, const char *arguments)
{
    yyjson_mut_val *call = yyjson_mut_arr_add_obj(d, yyjson_mut_obj_add_arr(d, to, "tool_calls"));
    yyjson_mut_obj_add_int(d, call, "index", 0);
    yyjson_mut_obj_add_str(d, call, "id", "call_1");
    yyjson_mut_obj_add_str(d, call, "type", "function");
    yyjson_mut_val *f = yyjson_mut_obj_add_obj(d, call, "function");
    yyjson_mut_obj_add_str(d, f, "name", a->plan.tool);
    yyjson_mut_obj_add_strcpy(d, f, "arguments", arguments);
    return call;
}

/* -- chat: streaming */

static void send_chunk(struct conn *c, const char *p, size_t n)
{
    char size[24];
    int k = snprintf(size, sizeof size, "%zx\r\n", n);
    conn_send(c, size, (size_t)k);
    conn_send(c, p, n);
    conn_send(c, "\r\n", 2);
}

static void send_data(struct conn *c, const struct answer *a, const char *data, size_t n)
{
    struct buf b = {0};
    const char *eol = a->plan.crlf ? "\r\n" : "\n";
    buf_text(&b, "data: ");
    buf_add(&b, data, n);
    buf_text(&b, eol);
    buf_text(&b, eol);
    send_chunk(c, b.p, b.n);
    buf_free(&b);
}

static void send_doc(struct conn *c, const struct answer *a, yyjson_mut_doc *d)
{
    size_t n;
    char *text = doc_text(d, &n);
    send_data(c, a, text, n);
    free(text);
}

static const char *chunk_kind(const struct answer *a)
{
    return a->plain ? "text_completion" : "chat.completion.chunk";
}

static void send_framed(struct conn *c, const struct answer *a, yyjson_mut_doc *d, yyjson_mut_val *root)
{
    add_frame(d, root, a, chunk_kind(a));
    send_doc(c, a, d);
}

static void send_delta(struct conn *c, const struct answer *a, const char *key, const char *value, size_t n)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *d = object_new(&root);
    yyjson_mut_val *choice = add_choice(d, root, NULL);
    if (a->plain) {
        yyjson_mut_obj_add_strncpy(d, choice, "text", value, n);
        yyjson_mut_obj_add_null(d, choice, "logprobs");
    } else {
        yyjson_mut_obj_add_strncpy(d, yyjson_mut_obj_add_obj(d, choice, "delta"), key, value, n);
    }
    send_framed(c, a, d, root);
}

static void send_role(struct conn *c, const struct answer *a)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *d = object_new(&root);
    yyjson_mut_val *delta = yyjson_mut_obj_add_obj(d, add_choice(d, root, NULL), "delta");
    yyjson_mut_obj_add_str(d, delta, "role", "assistant");
    yyjson_mut_obj_add_null(d, delta, "content");
    if (a->plan.tool)
        add_tool_call(d, delta, a, "");
    send_framed(c, a, d, root);
}

static void send_arguments(struct conn *c, const struct answer *a, const struct buf *piece)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *d = object_new(&root);
    yyjson_mut_val *delta = yyjson_mut_obj_add_obj(d, add_choice(d, root, NULL), "delta");
    yyjson_mut_val *call = yyjson_mut_arr_add_obj(d, yyjson_mut_obj_add_arr(d, delta, "tool_calls"));
    yyjson_mut_obj_add_int(d, call, "index", 0);
    yyjson_mut_obj_add_strncpy(d, yyjson_mut_obj_add_obj(d, call, "function"), "arguments", piece->p, piece->n);
    send_framed(c, a, d, root);
}

static void send_piece(struct conn *c, struct answer *a)
{
    struct buf piece = {0};
    piece_add(a, a->piece++, &piece);
    conn_record(c)->pieces = a->piece;
    if (a->plan.ping)
        send_chunk(c, ": ping\n\n", 8);
    if (a->plan.tool)
        send_arguments(c, a, &piece);
    else
        send_delta(c, a, "content", piece.p, piece.n);
    buf_free(&piece);
}

static void send_finish(struct conn *c, const struct answer *a)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *d = object_new(&root);
    yyjson_mut_val *choice = add_choice(d, root, a->finish);
    if (a->plain)
        yyjson_mut_obj_add_str(d, choice, "text", "");
    else
        yyjson_mut_obj_add_obj(d, choice, "delta");
    add_frame(d, root, a, chunk_kind(a));
    if (a->plan.usage_in_finish)
        add_usage(d, root, a);
    if (!a->include_usage)
        add_timings(d, root, a);
    send_doc(c, a, d);
}

static void send_usage(struct conn *c, const struct answer *a)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *d = object_new(&root);
    if (a->plan.null_choices_usage)
        yyjson_mut_obj_add_null(d, root, "choices");
    else
        yyjson_mut_obj_add_arr(d, root, "choices");
    add_frame(d, root, a, chunk_kind(a));
    add_usage(d, root, a);
    add_timings(d, root, a);
    send_doc(c, a, d);
}

/* -- chat: whole */

static void add_message(yyjson_mut_doc *d, yyjson_mut_val *choice, const struct answer *a, const struct buf *text)
{
    yyjson_mut_val *m = yyjson_mut_obj_add_obj(d, choice, "message");
    yyjson_mut_obj_add_str(d, m, "role", "assistant");
    if (a->plan.tool) {
        yyjson_mut_obj_add_null(d, m, "content");
        add_tool_call(d, m, a, text->p);
    } else {
        yyjson_mut_obj_add_strncpy(d, m, "content", text->p, text->n);
    }
    if (a->plan.reasoning)
        yyjson_mut_obj_add_str(d, m, "reasoning_content", "think think");
}

/* A body in one, or as much of it as the plan lets out; json is scratch. */
static void send_body(struct conn *c, struct answer *a, char *json, size_t n)
{
    bool half = a->plan.trip == TRIP_CLOSE || a->plan.trip == TRIP_DIE || a->plan.trip == TRIP_STALL || a->plan.trip == TRIP_RESET;
    if (a->plan.trip == TRIP_GARBAGE)
        n = (size_t)snprintf(json, n, "<html>this is no JSON</html>");
    if (a->plan.trip == TRIP_TRUNCATED)
        n /= 2;
    send_head(c, 200, a->plan.content_type ? a->plan.content_type : "application/json; charset=utf-8",
              a->plan.trip == TRIP_BAD_CHUNK ? -1 : (long)n, -1);
    if (a->plan.trip == TRIP_BAD_CHUNK)
        conn_send(c, "zz\r\n", 4);
    conn_send(c, json, half ? n / 2 : n);
    if (half)
        a->phase = PH_TRIP;
    else
        conn_finish(c, a->plan.early_close ? END_CLOSE : a->plan.stale_next ? END_STALE_NEXT : END_KEEP, OUT_COMPLETED);
}

static void send_whole(struct conn *c, struct answer *a)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *d = object_new(&root);
    yyjson_mut_val *choice = add_choice(d, root, a->finish);
    struct buf text = {0};
    buf_add(&text, "", 0);
    for (; a->piece < a->pieces; a->piece++)
        piece_add(a, a->piece, &text);
    if (a->plan.trip == TRIP_BIG)
        for (int i = 0; i < a->plan.big_event; i++)
            buf_text(&text, "x");
    conn_record(c)->pieces = a->piece;
    a->reasoned = a->plan.reasoning;
    if (a->plain)
        yyjson_mut_obj_add_strncpy(d, choice, "text", text.p, text.n);
    else
        add_message(d, choice, a, &text);
    add_frame(d, root, a, a->plain ? "text_completion" : "chat.completion");
    if (!a->plan.no_usage)
        add_usage(d, root, a);
    add_timings(d, root, a);
    buf_free(&text);
    size_t n;
    char *json = doc_text(d, &n);
    send_body(c, a, json, n);
    free(json);
}

/* -- chat: going wrong */

static const char not_json[] = "{<html>this is no JSON";
static const char half_json[] = "{\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"del";
static const char in_stream_error[] = "{\"error\":{\"message\":\"scripted error in the stream\",\"type\":\"server_error\",\"code\":500}}";

/* Before piece trip_after. What ends the connection waits (PH_TRIP) until all that came before has left. */
static void trip(struct conn *c, struct answer *a)
{
    a->tripped = true;
    switch (a->plan.trip) {
    case TRIP_NONE:
        break;
    case TRIP_STALL:
    case TRIP_DIE:
    case TRIP_CLOSE:
    case TRIP_RESET:
        a->phase = PH_TRIP;
        break;
    case TRIP_GARBAGE:
        send_data(c, a, not_json, sizeof not_json - 1);
        break;
    case TRIP_BAD_CHUNK:
        conn_send(c, "zz\r\nno chunk\r\n", 14);
        break;
    case TRIP_ERROR:
        send_data(c, a, in_stream_error, sizeof in_stream_error - 1);
        break;
    case TRIP_BIG: {
        char *big = must_alloc((size_t)a->plan.big_event + 1);
        memset(big, 'x', (size_t)a->plan.big_event);
        send_delta(c, a, "content", big, (size_t)a->plan.big_event);
        free(big);
        break;
    }
    case TRIP_TRUNCATED:
        send_data(c, a, half_json, sizeof half_json - 1);
        break;
    }
}

static void trip_now(struct conn *c, struct answer *a)
{
    if (a->plan.trip == TRIP_DIE)
        fake_die(SIGSEGV);
    a->phase = PH_STALLED;
    a->due = INT64_MAX;
    if (a->plan.trip == TRIP_CLOSE || a->plan.trip == TRIP_RESET)
        conn_finish(c, a->plan.trip == TRIP_RESET ? END_RESET : END_CLOSE, OUT_CUT);
}

/* -- chat: the phases */

static void step_head(struct conn *c, struct answer *a)
{
    const struct plan *p = &a->plan;
    a->phase = PH_ROLE;
    if (p->close_before) {
        conn_finish(c, END_CLOSE, OUT_CUT);
    } else if (p->has_raw) {
        conn_send(c, p->raw.p, p->raw.n);
        conn_finish(c, END_CLOSE, OUT_COMPLETED);
    } else if (p->status && p->status != 200) {
        char text[64];
        size_t n;
        snprintf(text, sizeof text, "scripted error %d", p->status);
        char *json = doc_text(error_doc(p->status, "scripted_error", text), &n);
        respond(c, p->status, json, n, p->retry_after);
        free(json);
    } else if (a->whole) {
        send_body(c, a, a->whole, a->whole_n);
    } else if (!a->stream) {
        send_whole(c, a);
    } else {
        send_head(c, 200, p->content_type ? p->content_type : "text/event-stream", -1, -1);
    }
}

static void step_done(struct conn *c, struct answer *a)
{
    const struct plan *p = &a->plan;
    for (int i = 0; i < (p->no_done ? 0 : p->two_done ? 2 : 1); i++)
        send_data(c, a, "[DONE]", 6);
    if (p->after_done)
        send_delta(c, a, "content", "late", 4);
    conn_send(c, "0\r\n\r\n", 5);
    conn_finish(c, p->early_close ? END_CLOSE : p->stale_next ? END_STALE_NEXT : END_KEEP, OUT_COMPLETED);
}

static void step_piece(struct conn *c, struct answer *a)
{
    if (!a->tripped && a->plan.trip && a->piece == a->plan.trip_after) {
        trip(c, a);
    } else if (a->piece < a->pieces) {
        send_piece(c, a);
        a->due = now_ms() + a->plan.gap_ms;
    } else {
        a->phase = PH_FINISH;
        if (!a->tripped && a->plan.trip)
            trip(c, a);
    }
}

void answer_step(struct conn *c, struct answer *a)
{
    switch (a->phase) {
    case PH_HEAD:
        step_head(c, a);
        break;
    case PH_ROLE:
        if (!a->plan.no_role && !a->plain)
            send_role(c, a);
        a->phase = PH_REASONING;
        break;
    case PH_REASONING:
        if (a->reasoned < a->plan.reasoning && !a->plain) {
            a->reasoned++;
            send_delta(c, a, "reasoning_content", "think ", 6);
            a->due = now_ms() + a->plan.gap_ms;
        } else {
            a->phase = PH_PIECES;
        }
        break;
    case PH_PIECES:
        step_piece(c, a);
        break;
    case PH_FINISH:
        if (!a->plan.no_finish)
            send_finish(c, a);
        a->phase = PH_USAGE;
        break;
    case PH_USAGE:
        if ((a->include_usage && !a->plan.no_usage && !a->plan.usage_in_finish) || a->plan.always_usage)
            send_usage(c, a);
        a->phase = PH_DONE;
        break;
    case PH_DONE:
        step_done(c, a);
        break;
    case PH_TRIP:
        trip_now(c, a);
        break;
    case PH_STALLED:
        break;
    }
}

int64_t answer_due(const struct answer *a)
{
    return a->due;
}

int answer_split(const struct answer *a)
{
    return a->plan.split_bytes;
}

void answer_free(struct answer *a)
{
    if (!a)
        return;
    plan_free(&a->plan);
    free(a->id);
    free(a->model);
    free(a->text);
    free(a->whole);
    free(a);
}

/* -- chat: the start */

static void answer_text(struct answer *a, const struct request *r)
{
    const struct plan *p = &a->plan;
    const char *text = p->echo ? r->body : p->tool ? p->tool_args : p->json;
    a->pieces = p->words;
    if (text) {
        a->text_n = p->echo ? r->body_n : strlen(text);
        a->text = must_dup(text, a->text_n);
        a->pieces = slice_count(a);
    }
}

static void answer_limits(struct answer *a, yyjson_val *root)
{
    yyjson_val *limit = yyjson_obj_get(root, "max_completion_tokens");
    if (!yyjson_is_int(limit))
        limit = yyjson_obj_get(root, "max_tokens");
    a->finish = a->plan.finish ? a->plan.finish : a->plan.tool ? "tool_calls" : "stop";
    if (yyjson_is_int(limit) && yyjson_get_sint(limit) >= 0 && yyjson_get_sint(limit) < a->pieces) {
        a->pieces = (int)yyjson_get_sint(limit);
        a->finish = "length";
    }
}

static struct answer *answer_new(struct conn *c, yyjson_val *root, const struct request *r, const char *prompt)
{
    static unsigned serial;
    struct answer *a = must_alloc(sizeof *a);
    struct buf id = {0};
    const char *asked = yyjson_get_str(yyjson_obj_get(root, "model"));
    plan_init(&a->plan);
    const char *defaults = conn_record(c)->probe ? fake.probe_defaults : fake.defaults;
    if (defaults)
        plan_read(&a->plan, defaults);
    plan_read(&a->plan, prompt);
    if (a->plan.heeds && yyjson_is_false(yyjson_ptr_get(root, "/chat_template_kwargs/enable_thinking"))) {
        a->plan.reasoning = 0;
        a->plan.words = 8;
    }
    a->stream = yyjson_is_true(yyjson_obj_get(root, "stream"));
    a->include_usage = yyjson_is_true(yyjson_obj_get(yyjson_obj_get(root, "stream_options"), "include_usage"));
    a->seed = text_hash(prompt);
    buf_printf(&id, "chatcmpl-fake%u", ++serial);
    a->id = id.p;
    asked = fake.alias || !asked ? model_name() : asked;
    a->model = must_dup(asked, strlen(asked));
    answer_text(a, r);
    answer_limits(a, root);
    a->started = now_ms();
    a->due = a->started + a->plan.first_ms;
    if (!a->stream)
        a->due += (int64_t)a->pieces * a->plan.gap_ms;
    return a;
}

void answer_never(struct conn *c)
{
    struct answer *a = must_alloc(sizeof *a);
    plan_init(&a->plan);
    a->phase = PH_STALLED;
    a->due = INT64_MAX;
    conn_answering(c, a);
}

static void answer_begin(struct conn *c, struct answer *a, long prompt_tokens)
{
    a->prompt_tokens = prompt_tokens;
    conn_record(c)->stream = a->stream;
    record_chat_begins(conn_record(c));
    conn_answering(c, a);
}

void answer_chat(struct conn *c, const struct request *r)
{
    long words = 0;
    int status;
    yyjson_doc *doc = yyjson_read(r->body, r->body_n, YYJSON_READ_BIGNUM_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct buf prompt = last_user_text(yyjson_obj_get(root, "messages"), &words);
    yyjson_mut_doc *fault = chat_fault(root, words, &status);
    if (fault)
        respond_doc(c, status, fault);
    else
        answer_begin(c, answer_new(c, root, r, prompt.p), words);
    buf_free(&prompt);
    yyjson_doc_free(doc);
}

/* -- texts */

/* A string, or a list of one string; "" when it is neither. */
static const char *prompt_text(yyjson_val *root)
{
    yyjson_val *prompt = yyjson_obj_get(root, "prompt");
    if (yyjson_is_arr(prompt) && yyjson_arr_size(prompt) == 1)
        prompt = yyjson_arr_get_first(prompt);
    return yyjson_is_str(prompt) ? yyjson_get_str(prompt) : "";
}

void answer_completion(struct conn *c, const struct request *r)
{
    yyjson_doc *doc = yyjson_read(r->body, r->body_n, YYJSON_READ_BIGNUM_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *prompt = prompt_text(root);
    int status = 400;
    yyjson_mut_doc *fault = !yyjson_obj_get(root, "prompt") ? error_doc(400, "invalid_request_error", "'prompt' is required")
        : fake.embeddings ? logits_fault(&status) : window_fault(count_words(prompt));
    if (fault) {
        respond_doc(c, status, fault);
    } else {
        struct answer *a = answer_new(c, root, r, prompt);
        a->plain = true;
        answer_begin(c, a, count_words(prompt));
    }
    yyjson_doc_free(doc);
}

/* How long a prompt is: a number of a chat, the tokens of a text. A word is one. */
void answer_count(struct conn *c, const struct request *r)
{
    yyjson_doc *doc = yyjson_read(r->body, r->body_n, YYJSON_READ_BIGNUM_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc), *content = yyjson_obj_get(root, "content");
    yyjson_mut_doc *out = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *o = yyjson_mut_obj(out);
    long words = 0;
    yyjson_mut_doc_set_root(out, o);
    if (content) {
        yyjson_mut_val *tokens = yyjson_mut_obj_add_arr(out, o, "tokens");
        words = count_words(yyjson_is_str(content) ? yyjson_get_str(content) : "");
        for (long i = 0; i < words; i++)
            yyjson_mut_arr_add_int(out, tokens, 1000 + i);
    } else {
        struct buf prompt = last_user_text(yyjson_obj_get(root, "messages"), &words);
        buf_free(&prompt);
        yyjson_mut_obj_add_int(out, o, "input_tokens", words);
    }
    respond_doc(c, 200, out);
    yyjson_doc_free(doc);
}

/* -- embeddings and rerankings: the body is made at once, and sent when its time has come */

typedef yyjson_mut_doc *fault_fn(yyjson_val *root, const struct plan *p, int *status);
typedef yyjson_mut_doc *make_fn(yyjson_val *root, const struct plan *p, const char *model);

static void answer_vectors(struct conn *c, const struct request *r, fault_fn *find_fault, make_fn *make)
{
    int status;
    yyjson_doc *doc = yyjson_read(r->body, r->body_n, YYJSON_READ_BIGNUM_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct buf prompt = vectors_prompt(root);
    struct answer *a = answer_new(c, root, r, prompt.p);
    yyjson_mut_doc *fault = find_fault(root, &a->plan, &status);
    if (fault) {
        respond_doc(c, status, fault);
        answer_free(a);
    } else {
        a->whole = a->plan.json ? must_dup(a->plan.json, a->whole_n = strlen(a->plan.json)) : doc_text(make(root, &a->plan, a->model), &a->whole_n);
        a->due = a->started + a->plan.first_ms;
        answer_begin(c, a, 0);
    }
    buf_free(&prompt);
    yyjson_doc_free(doc);
}

void answer_embeddings(struct conn *c, const struct request *r)
{
    answer_vectors(c, r, vectors_embed_fault, vectors_embed);
}

void answer_rerank(struct conn *c, const struct request *r)
{
    answer_vectors(c, r, vectors_rerank_fault, vectors_rerank);
}
