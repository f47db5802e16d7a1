/* One object to one object: the bytes as the place sent them, with our name for the model and the routing put in. Choices are written anew only where
 * thoughts stand in their text or a call of a tool is not as callers expect it. */
#include "api/answer.h"

#include "api/answer_edit.h"
#include "api/choice.h"

/* What has become of a choice since it was read. */
static void take_changes(struct kept *kept, struct choice_delta *d, struct choice_bufs *b)
{
    struct said_all s;
    kept_said(kept, &s);
    d->text = s.content;
    d->changed = d->text_changed = true;
    d->finish = str_of(s.finish);
    if (!s.ncalls)
        return;
    b->calls.n = 0;
    struct json_out o = json_out(&b->calls);
    said_put_calls(&o, &s);
    d->calls_changed = true;
}

/* One choice after the other, counted; true when one of them cannot leave as it came. With o they are written. kept: of the first. */
static bool walk_choices(yyjson_val *choices, const struct answer_frame *f, struct answer_facts *facts, struct kept *kept, struct json_out *o)
{
    struct choice_bufs bufs = { 0 };
    char first[sizeof facts->finish] = "";
    bool changed = false;
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(choices, i, n, v) {
        struct choice c;
        struct choice_delta d;
        struct err e;
        choice_init(&c, (int64_t)i, f);
        c.whole = c.role_sent = true;
        c.kept = i == 0 && !kept_is_changed(kept) ? kept : NULL;
        choice_read(&c, f, v, &bufs, &d);
        if (d.calls && choice_read_calls(&c, f, &bufs, &d, &e))
            continue; /* whole ones cannot fail */
        choice_count(&c, f, &d, facts);
        if (i == 0 && kept_is_changed(kept))
            take_changes(kept, &d, &bufs);
        if (i == 0)
            memcpy(first, facts->finish, sizeof first);
        changed |= d.changed;
        if (o)
            choice_put(o, &c, f, &d, &bufs);
        choice_free(&c);
    }
    memcpy(facts->finish, first, sizeof first);
    choice_bufs_free(&bufs);
    return changed;
}

/* Whatever the others hold is looked at by who reads them. */
static bool choices_are_sound(yyjson_val *choices, const struct answer_frame *f)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(choices, i, n, v) {
        if (!choice_is_sound(v, true, f->text))
            return false;
    }
    return true;
}

static enum err_code read_answer(yyjson_val *root, const char *holds, const struct answer_frame *f, struct answer_facts *facts, struct kept *kept,
    struct err *e)
{
    yyjson_val *error = yyjson_obj_get(root, "error");
    if (error && !yyjson_is_null(error))
        return answer_error(error, e);
    yyjson_val *first = yyjson_arr_get_first(yyjson_obj_get(root, holds));
    if (!first)
        return err_set(e, ERR_UP_GARBLED, "its answer is not what was asked for (no '%s')", holds);
    if (!choices_are_sound(yyjson_obj_get(root, "choices"), f))
        return err_set(e, ERR_UP_GARBLED, "a choice of its answer is none");
    facts->began = true;
    walk_choices(yyjson_obj_get(root, "choices"), f, facts, kept, NULL);
    facts_usage(facts, yyjson_obj_get(root, "usage"));
    return ERR_OK;
}

enum err_code whole_read(struct str body, const char *holds, const struct answer_frame *f, struct json_scratch *scratch, struct json_doc *d,
    struct answer_facts *facts, struct kept *kept, struct err *e)
{
    facts_init(facts);
    enum err_code rc = json_parse_sure(d, body, scratch, e);
    if (rc)
        return err_set(e, ERR_UP_GARBLED, rc == ERR_BAD_REQUEST ? "its answer has a key twice, or is nested too deep" : "its answer is no JSON");
    rc = read_answer(d->root, holds, f, facts, kept, e);
    if (rc)
        json_free(d);
    return rc;
}

/* Nothing when they leave as they came. */
static void write_choices(const struct json_doc *d, const struct answer_frame *f, struct kept *kept, struct buf *anew)
{
    struct answer_facts again;
    yyjson_val *choices = yyjson_obj_get(d->root, "choices");
    facts_init(&again);
    kept = kept_is_changed(kept) ? kept : NULL;
    if (!walk_choices(choices, f, &again, kept, NULL))
        return;
    struct json_out o = json_out(anew);
    json_begin_array(&o);
    walk_choices(choices, f, &again, kept, &o);
    json_end_array(&o);
}

void whole_write(const struct json_doc *d, const struct answer_frame *f, struct kept *kept, struct str routing, struct buf *out)
{
    struct edits x = { .n = 0 };
    struct buf anew = { 0 };
    write_choices(d, f, kept, &anew);
    if (anew.n)
        edits_value(&x, d, STR("choices"), buf_str(&anew));
    edits_string(&x, d, STR("model"), f->model);
    edits_routing(&x, d, routing);
    json_splice(out, d->text, x.at, x.n);
    edits_free(&x);
    buf_free(&anew);
}
