/* Ollama's answers, an object a line, as OpenAI's events. A call of a tool comes whole, its arguments as an object and, from older versions, without an
 * id: one is made of what the line says, so that the same bytes give the same name, and two calls of one conversation never share one. */
#include "backend/dialect_events.h"
#include "backend/dialect_ollama.h"

#include <stdio.h>
#include <stdlib.h>

struct dialect_reader {
    struct chunks out;
    struct json_scratch scratch;
    struct buf line;              /* the beginning of one whose end has not come */
    size_t max;
    size_t ncalls;
    struct err broke;
    bool over;                    /* the last line has come */
};

static void take_call(struct dialect_reader *r, yyjson_val *call, struct str created)
{
    yyjson_val *function = yyjson_obj_get(call, "function"), *v = yyjson_obj_get(function, "arguments");
    struct str id = json_str(yyjson_obj_get(call, "id")), name = json_str(yyjson_obj_get(function, "name"));
    struct buf arguments = { 0 };
    char made[48];
    struct json_out o = json_out(&arguments);
    if (yyjson_is_obj(v))
        json_value(&o, v);
    else
        json_raw(&o, STR("{}"));
    if (!id.n) {
        uint64_t hash = str_hash(created) ^ str_hash(name) * 31 ^ str_hash(buf_str(&arguments)) * 961;
        snprintf(made, sizeof made, "call_%zu_%016llx", r->ncalls, (unsigned long long)hash);
        id = str_of(made);
    }
    chunks_call(&r->out, r->ncalls++, id, name.n ? name : STR("?"), buf_str(&arguments));
    buf_free(&arguments);
}

static void take_message(struct dialect_reader *r, yyjson_val *root)
{
    yyjson_val *message = yyjson_obj_get(root, "message"), *call;
    size_t i, n;
    chunks_thought(&r->out, json_str(yyjson_obj_get(message, "thinking")));
    chunks_content(&r->out, json_str(yyjson_obj_get(message, "content")));
    yyjson_arr_foreach(yyjson_obj_get(message, "tool_calls"), i, n, call) take_call(r, call, json_str(yyjson_obj_get(root, "created_at")));
}

static void take_end(struct dialect_reader *r, yyjson_val *root)
{
    bool cut = yyjson_equals_str(yyjson_obj_get(root, "done_reason"), "length");
    struct chunk_usage u = {
        .input = chunks_count(yyjson_obj_get(root, "prompt_eval_count"), 0), /* a zero is left out there */
        .output = chunks_count(yyjson_obj_get(root, "eval_count"), 0),
        .cached = -1,
        .reasoning = -1,
    };
    r->over = true;
    chunks_finish(&r->out, cut ? "length" : r->ncalls ? "tool_calls" : "stop");
    chunks_usage(&r->out, &u);
    chunks_done(&r->out);
}

static void take_object(struct dialect_reader *r, yyjson_val *root)
{
    yyjson_val *error = yyjson_obj_get(root, "error");
    if (error) {
        struct str said = json_str(error);
        err_set(&r->broke, ERR_UP_STATUS, "it broke off with an error: %.*s", said.n ? (int)(said.n < 160 ? said.n : 160) : 7, said.n ? said.p : "(empty)");
        return;
    }
    take_message(r, root);
    if (yyjson_is_true(yyjson_obj_get(root, "done")))
        take_end(r, root);
}

static void take_line(struct dialect_reader *r, struct str line)
{
    struct json_doc d;
    line = str_trim(line);
    if (!line.n || r->over || r->broke.code || r->out.stopped)
        return;
    if (json_parse_fast(&d, line, &r->scratch, NULL)) {
        err_set(&r->broke, ERR_UP_GARBLED, "it sent a line that is no JSON");
        return;
    }
    if (yyjson_is_obj(d.root))
        take_object(r, d.root);
    else
        err_set(&r->broke, ERR_UP_GARBLED, "it sent a line that is no object");
    json_free(&d);
}

/* ---- the reader ---- */

struct dialect_reader *ollama_reader_new(size_t max_line_bytes, dialect_event_fn *on_event, void *ctx)
{
    struct dialect_reader *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a reader of lines");
    r->max = max_line_bytes;
    chunks_init(&r->out, on_event, ctx);
    return r;
}

static enum err_code broken(const struct dialect_reader *r, struct err *e)
{
    if (!r->broke.code)
        return ERR_OK;
    *e = r->broke;
    return e->code;
}

/* Whether a line is too long must not depend on where it was cut: what is held of it counts, and what has come now. */
static bool has_room(struct dialect_reader *r, size_t more)
{
    if (r->line.n + more <= r->max)
        return true;
    if (!r->broke.code && !r->over)
        err_set(&r->broke, ERR_UP_GARBLED, "a line of its stream is longer than %zu bytes", r->max);
    return false;
}

enum err_code ollama_feed(struct dialect_reader *r, struct str bytes, struct err *e)
{
    while (bytes.n && !r->broke.code && !r->over && !r->out.stopped) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        struct str piece = str_make(bytes.p, end ? (size_t)(end - bytes.p) : bytes.n);
        bytes = str_from(bytes, piece.n + (end != NULL));
        if (!has_room(r, piece.n))
            break;
        if (end && !r->line.n) {
            take_line(r, piece);
            continue;
        }
        buf_add(&r->line, piece);
        if (!end)
            break;
        take_line(r, buf_str(&r->line));
        r->line.n = 0;
    }
    return broken(r, e);
}

enum err_code ollama_end(struct dialect_reader *r, struct err *e)
{
    take_line(r, buf_str(&r->line)); /* the last may lack its end */
    r->line.n = 0;
    if (!r->broke.code && !r->over)
        err_set(&r->broke, ERR_UP_GARBLED, "its stream broke off before the answer was over");
    return broken(r, e);
}

void ollama_stop(struct dialect_reader *r)
{
    r->out.stopped = true;
}

void ollama_free(struct dialect_reader *r)
{
    if (!r)
        return;
    chunks_free(&r->out);
    json_scratch_free(&r->scratch);
    buf_free(&r->line);
    free(r);
}
