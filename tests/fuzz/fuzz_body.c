/* The body that goes to a place, from any request that the table of fields lets in. The first input byte says which kind of request it is, and what
 * was decided of thinking; the rest is the request.
 * Oracles: what is built anew for a child is JSON with members of the allowlist alone, each value as it came, streamed with usage where it is a
 * generation; what is spliced for another place is JSON in which nothing but the model, the stream and what speaks of thinking has changed. */
#include "policy/body.h"
#include "policy/fields.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool is_generation(enum task task)
{
    return task == TASK_CHAT || task == TASK_TEXT;
}

static yyjson_val *get(const struct json_doc *d, struct str name)
{
    return yyjson_obj_getn(d->root, name.p, name.n);
}

static void check_child(const struct json_doc *asked, enum task task, struct str body)
{
    struct json_doc d;
    yyjson_val *key, *v;
    size_t i, n;
    must(json_parse(&d, body, NULL) == ERR_OK && yyjson_is_obj(d.root));
    must(yyjson_equals_str(get(&d, STR("model")), "up"));
    if (is_generation(task))
        must(yyjson_is_true(get(&d, STR("stream"))) && yyjson_is_true(yyjson_obj_get(get(&d, STR("stream_options")), "include_usage")));
    yyjson_obj_foreach(d.root, i, n, key, v) {
        const struct field *f = field_find(task, json_str(key));
        must((f && f->child != CHILD_DROP) || think_is_field(json_str(key)));
        if (f && f->child == CHILD_PASS && !think_is_field(json_str(key)))
            must(yyjson_equals(v, get(asked, json_str(key))));
    }
    json_free(&d);
}

static bool may_change(struct str name)
{
    static const struct str names[] = { STR("model"), STR("stream"), STR("stream_options") };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(names[i], name))
            return true;
    return think_is_field(name);
}

static void check_kept(const struct json_doc *from, const struct json_doc *to)
{
    yyjson_val *key, *v;
    size_t i, n;
    yyjson_obj_foreach(from->root, i, n, key, v) if (!may_change(json_str(key))) must(yyjson_equals(v, get(to, json_str(key))));
}

static void check_splice(const struct json_doc *asked, const struct body_wish *w, bool stream)
{
    struct str pieces[BODY_MAX_PIECES];
    struct buf scratch = { 0 }, body = { 0 };
    struct json_doc d;
    size_t n = body_splice(asked, w, stream, &scratch, pieces);
    must(n <= BODY_MAX_PIECES);
    for (size_t i = 0; i < n; i++)
        buf_add(&body, pieces[i]);
    must(json_parse(&d, buf_str(&body), NULL) == ERR_OK);
    check_kept(asked, &d);
    check_kept(&d, asked);
    if (stream)
        must(yyjson_is_true(yyjson_obj_get(get(&d, STR("stream_options")), "include_usage")));
    if (get(asked, STR("model")))
        must(yyjson_equals_str(get(&d, STR("model")), "up"));
    json_free(&d);
    buf_free(&body);
    buf_free(&scratch);
}

static void check(const struct json_doc *asked, const struct body_wish *w)
{
    struct buf out = { 0 }, dropped = { 0 };
    if (!body_rebuild(asked, w, &out, &dropped, NULL))
        check_child(asked, w->task, buf_str(&out));
    must(!dropped.n || (!memchr(dropped.p, '\r', dropped.n) && !memchr(dropped.p, '\n', dropped.n)));
    buf_free(&dropped);
    buf_free(&out);
    check_splice(asked, w, is_generation(w->task) && yyjson_is_true(get(asked, STR("stream"))));
    check_splice(asked, w, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct think_place places[] = {
        { .thinks = THINKS_SWITCHABLE, .by = THINK_BY_TEMPLATE, .limit = LIMIT_TOKENS, .lenient = true },
        { .thinks = THINKS_SWITCHABLE, .by = THINK_BY_EFFORT },
        { .thinks = THINKS_NONE, .by = THINK_BY_TEMPLATE, .lenient = true },
        { .thinks = THINKS_ALWAYS, .by = THINK_BY_THINKING },
    };
    if (size < 2)
        return 0;
    uint8_t bits = data[0];
    struct think_plan plan = { .decided = bits & 4, .on = bits & 8, .budget_tokens = bits & 16 ? 64 : 0 };
    struct think_wish said;
    struct body_wish w = { .task = (enum task)(bits & 3), .model = STR("up"), .max_tokens = bits & 32 ? 9 : 0, .think = &plan, .wish = &said };
    struct json_doc d;
    struct err e;
    if (json_parse(&d, str_make((const char *)data + 1, size - 1), NULL))
        return 0;
    if (yyjson_is_obj(d.root) && !fields_check(d.root, w.task, &e)) {
        think_read(d.root, &said);
        w.thinks = &places[bits >> 6];
        check(&d, &w);
    }
    json_free(&d);
    return 0;
}
