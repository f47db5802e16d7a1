/* What a place answers, three ways. The first byte chooses what the gateway wants; the rest is one event a line (a vertical tab, which JSON has no
 * use for, stands for a line's end inside an event), and as a whole the body of an answer that is no stream.
 * Oracles: what the caller gets is events of one line each that read as objects with our model's name and one id, [DONE] once and last; what is
 * collected reads as an object; what can be collected can be relayed, to the same facts, and of one choice to the same text, thoughts and calls; an event
 * leaves the same whichever was before it; a whole answer reads back with model and routing. What is kept of a stream is what has left of it, and calls that are put in the place of its text leave as calls. Calls of tools are by the rules; no thoughts leave under a name of theirs where they are dropped. */
#include "api/answer.h"

#include "api/said.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WANT_USAGE = 1, WANT_ROUTING = 2, WANT_DROP = 4, WANT_OPEN = 8, WANT_KEPT = 16, MAX_BYTES = 4096 };

/* What a choice adds up to; calls: `id name arguments` one after the other. */
struct sum {
    struct buf content, thoughts, calls[4];
    bool several;           /* choices, so that collected is not what is relayed */
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct answer_frame make_frame(uint8_t wants)
{
    return (struct answer_frame){
        .model = STR("a \"model\"\xc3\xa9"), .id = STR("req_1"), .created_s = 99, .include_usage = wants & WANT_USAGE, .max_bytes = MAX_BYTES,
        .think_show = wants & WANT_DROP ? THINK_DROP : THINK_MOVE, .think_open = wants & WANT_OPEN, .keep = wants & WANT_KEPT,
    };
}

static struct str make_routing(uint8_t wants)
{
    return wants & WANT_ROUTING ? STR("{\"r\":1}") : STR("");
}

/* The next event in memory of its own: reading past it, or keeping a slice of it, is seen. */
static char *next_event(struct str *rest, struct str *event)
{
    struct str line = str_cut(*rest, '\n', rest);
    char *own = malloc(line.n + 1);
    must(own);
    for (size_t i = 0; i < line.n; i++)
        own[i + 1] = (char)(line.p[i] == '\v' ? '\n' : line.p[i]);
    *event = str_make(own + 1, line.n);
    return own;
}

static void sum_free(struct sum *s)
{
    struct buf *all[] = { &s->content, &s->thoughts, &s->calls[0], &s->calls[1], &s->calls[2], &s->calls[3] };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
}

static bool sum_equal(const struct sum *a, const struct sum *b)
{
    bool same = str_eq(buf_str(&a->content), buf_str(&b->content)) && str_eq(buf_str(&a->thoughts), buf_str(&b->thoughts));
    for (size_t i = 0; i < COUNTOF(a->calls); i++)
        same &= str_eq(buf_str(&a->calls[i]), buf_str(&b->calls[i]));
    return same;
}

static void check_calls(yyjson_val *calls, bool whole, struct sum *s)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(calls, i, n, v) {
        yyjson_val *function = yyjson_obj_get(v, "function"), *arguments = yyjson_obj_get(function, "arguments"), *at = yyjson_obj_get(v, "index");
        struct str type = json_str(yyjson_obj_get(v, "type")), name = json_str(yyjson_obj_get(function, "name"));
        size_t call = whole ? i : (size_t)yyjson_get_uint(at);
        must(whole || yyjson_is_uint(at));
        if (type.n && !yyjson_is_obj(function))
            continue;
        must(!arguments || yyjson_is_str(arguments));
        must(whole || !name.n == !json_str(yyjson_obj_get(v, "id")).n);
        if (call >= COUNTOF(s->calls))
            continue;
        must(whole || s->several || !name.n || !s->calls[call].n || s->calls[call].p[0] != '!'); /* once */
        if (name.n) {
            struct buf arguments_before = s->calls[call];
            s->calls[call] = (struct buf){ 0 };
            buf_add_char(&s->calls[call], '!');
            buf_add(&s->calls[call], json_str(yyjson_obj_get(v, "id")));
            buf_add(&s->calls[call], name);
            buf_add(&s->calls[call], buf_str(&arguments_before));
            buf_free(&arguments_before);
        }
        buf_add(&s->calls[call], json_str(arguments));
    }
}

static bool is_there(yyjson_val *v)
{
    return json_str(v).n > 0 || yyjson_arr_size(v) > 0 || yyjson_obj_size(v) > 0;
}

static void check_choices(yyjson_val *root, const struct answer_frame *f, const char *holds, struct sum *s)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(yyjson_obj_get(root, "choices"), i, n, v) {
        yyjson_val *said = yyjson_obj_get(v, holds);
        bool thinks = is_there(yyjson_obj_get(said, "reasoning_content")) || is_there(yyjson_obj_get(said, "reasoning")) || is_there(yyjson_obj_get(said, "reasoning_details"));
        must(f->think_show == THINK_MOVE || !thinks);
        buf_add(&s->content, json_str(yyjson_obj_get(said, "content")));
        if (!json_str(yyjson_obj_get(said, "content")).n)
            buf_add(&s->content, json_str(yyjson_obj_get(v, "text")));
        buf_add(&s->thoughts, json_str(yyjson_obj_get(said, "reasoning_content")));
        check_calls(yyjson_obj_get(said, "tool_calls"), strcmp(holds, "message") == 0, s);
    }
}

/* Notes whether the place sends more than choice 0. */
static void look_for_several(struct str event, struct sum *s)
{
    struct json_scratch scratch = { 0 };
    struct json_doc d;
    if (!json_parse_fast(&d, event, &scratch, NULL)) {
        yyjson_val *choices = yyjson_obj_get(d.root, "choices"), *index = yyjson_obj_get(yyjson_arr_get_first(choices), "index");
        s->several |= yyjson_arr_size(choices) > 1 || (yyjson_is_int(index) && yyjson_get_sint(index) != 0);
        json_free(&d);
    }
    json_scratch_free(&scratch);
}

static void check_chunk(struct str json, const struct answer_frame *f, const char *holds, struct buf *id, struct sum *sum)
{
    struct json_scratch scratch = { 0 };
    struct json_doc d;
    must(json_parse_fast(&d, json, &scratch, NULL) == ERR_OK && yyjson_is_obj(d.root));
    must(str_eq(json_str(yyjson_obj_get(d.root, "model")), f->model));
    struct str has = json_str(yyjson_obj_get(d.root, "id"));
    must(has.n > 0);
    if (!id->n)
        buf_add(id, has);
    must(str_eq(has, buf_str(id)));
    check_choices(d.root, f, holds, sum);
    json_free(&d);
    json_scratch_free(&scratch);
}

static void check_events(struct str rest, const struct answer_frame *f, bool ended, struct sum *sum)
{
    struct buf id = { 0 };
    bool done = false;
    while (rest.n) {
        struct str line = str_cut(rest, '\n', &rest);
        must(str_starts(line, STR("data: ")) && rest.n && rest.p[0] == '\n' && !done);
        rest = str_from(rest, 1);
        done = str_eq(line, STR("data: [DONE]"));
        if (!done)
            check_chunk(str_from(line, 6), f, "delta", &id, sum);
    }
    must(done == ended);
    buf_free(&id);
}

/* The first choice's, which is the only one. Some places send a chat's words as `text`: those are kept, too, and are no content. */
static void check_kept(struct kept *kept, const struct sum *sum)
{
    struct said_all s;
    kept_said(kept, &s);
    if (sum->several)
        return;
    must(s.content.n >= sum->content.n && (s.content.n > sum->content.n || str_eq(s.content, buf_str(&sum->content))));
    must(str_eq(s.reasoning, buf_str(&sum->thoughts)));
}

/* A stream whose text was held back from the beginning, and turns out to be two calls. */
static void try_calls(struct str rest, uint8_t wants)
{
    static const struct said_call calls[] = { { STR("c1"), STR("f"), STR("{\"a\":\"\"}") }, { STR("c2"), STR("g\n"), STR("") } };
    const struct answer_frame f = make_frame(wants | WANT_KEPT);
    struct json_scratch scratch = { 0 };
    struct relay r;
    struct buf out = { 0 };
    struct sum sum = { .several = false };
    struct said_all s = { .finish = "" };
    struct err e;
    enum err_code rc = ERR_OK;
    relay_init(&r, &f, &scratch);
    while (rest.p && !rc) {
        struct str event;
        char *own = next_event(&rest, &event);
        rc = relay_event(&r, event, &out, &e);
        free(own);
    }
    if (r.kept)
        kept_said(r.kept, &s);
    if (!rc && r.nchoices == 1 && s.finish[0] && !s.ncalls) {
        out.n = 0;
        must(!relay_say_calls(&r, calls, COUNTOF(calls), true, &out, &e) && !relay_end(&r, make_routing(wants), &out, &e));
        check_events(buf_str(&out), &f, true, &sum);
        kept_said(r.kept, &s);
        must(s.ncalls == 2 && !s.content.n && str_eq(str_of(s.finish), STR("tool_calls")) && str_eq(s.calls[1].name, calls[1].name));
        must(str_find(buf_str(&out), STR("\"finish_reason\":\"tool_calls\"")) > 0);
    }
    relay_free(&r);
    json_scratch_free(&scratch);
    buf_free(&out);
    sum_free(&sum);
}

/* The same, each event read the long way: what is cast from the one before it must be what it would have been by itself. */
static void try_apart(struct str rest, uint8_t wants, enum err_code rc, const struct answer_facts *facts, struct str out)
{
    const struct answer_frame f = make_frame(wants);
    struct json_scratch scratch = { 0 };
    struct relay r;
    struct buf apart = { 0 };
    struct err e;
    enum err_code rc_apart = ERR_OK;
    relay_init(&r, &f, &scratch);
    while (rest.p && !rc_apart) {
        struct str event;
        char *own = next_event(&rest, &event);
        rc_apart = relay_event(&r, event, &apart, &e);
        mould_free(&r.mould);
        free(own);
    }
    if (!rc_apart)
        rc_apart = relay_end(&r, make_routing(wants), &apart, &e);
    must(rc == rc_apart && str_eq(out, buf_str(&apart)) && memcmp(facts, &r.facts, sizeof *facts) == 0);
    relay_free(&r);
    json_scratch_free(&scratch);
    buf_free(&apart);
}

static bool try_relay(struct str rest, uint8_t wants, struct answer_facts *facts, struct sum *sum)
{
    struct str all = rest;
    const struct answer_frame f = make_frame(wants);
    struct json_scratch scratch = { 0 };
    struct relay r;
    struct buf out = { 0 };
    struct err e;
    enum err_code rc = ERR_OK;
    relay_init(&r, &f, &scratch);
    while (rest.p && !rc) {
        struct str event;
        char *own = next_event(&rest, &event);
        look_for_several(event, sum);
        rc = relay_event(&r, event, &out, &e);
        free(own);
    }
    if (!rc)
        rc = relay_end(&r, make_routing(wants), &out, &e);
    check_events(buf_str(&out), &f, !rc, sum);
    try_apart(all, wants, rc, &r.facts, buf_str(&out));
    *facts = r.facts;
    if (!rc && r.kept)
        check_kept(r.kept, sum);
    relay_free(&r);
    json_scratch_free(&scratch);
    buf_free(&out);
    return !rc;
}

static bool try_collect(struct str rest, uint8_t wants, struct answer_facts *facts, struct sum *sum)
{
    const struct answer_frame f = make_frame(wants);
    struct json_scratch scratch = { 0 };
    struct collect *c = collect_new(&f, &scratch);
    struct buf out = { 0 };
    struct buf id = { 0 };
    struct err e;
    enum err_code rc = ERR_OK;
    while (rest.p && !rc) {
        struct str event;
        char *own = next_event(&rest, &event);
        rc = collect_event(c, event, &e);
        free(own);
    }
    if (!rc)
        rc = collect_end(c, make_routing(wants), &out, &e);
    if (!rc)
        check_chunk(buf_str(&out), &f, "message", &id, sum);
    *facts = *collect_facts(c);
    collect_free(c);
    json_scratch_free(&scratch);
    buf_free(&out);
    buf_free(&id);
    return !rc;
}

static void try_whole(struct str body, uint8_t wants)
{
    const struct answer_frame f = make_frame(wants);
    struct json_scratch scratch = { 0 };
    struct json_doc d;
    struct answer_facts facts;
    struct buf out = { 0 };
    struct err e;
    struct sum sum = { .several = false };
    if (!whole_read(body, "choices", &f, &scratch, &d, &facts, NULL, &e)) {
        whole_write(&d, &f, NULL, make_routing(wants), &out);
        json_free(&d);
        must(json_parse_fast(&d, buf_str(&out), &scratch, &e) == ERR_OK);
        must(str_eq(json_str(yyjson_obj_get(d.root, "model")), f.model));
        check_choices(d.root, &f, "message", &sum);
        if (wants & WANT_ROUTING)
            must(yyjson_get_int(yyjson_obj_get(yyjson_obj_get(d.root, "_routing"), "r")) == 1);
        json_free(&d);
    }
    sum_free(&sum);
    buf_free(&out);
    json_scratch_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str all = str_make((const char *)data + 1, size - 1);
    struct answer_facts relayed, collected;
    struct sum of_events = { .several = false }, of_object = { .several = false };
    bool relays = try_relay(all, data[0], &relayed, &of_events), collects = try_collect(all, data[0], &collected, &of_object);
    if (collects && !of_events.several)
        must(relays && memcmp(&relayed.tokens, &collected.tokens, sizeof relayed.tokens) == 0 && relayed.began == collected.began && relayed.said == collected.said &&
            relayed.thoughts == collected.thoughts && relayed.thought_bytes == collected.thought_bytes && strcmp(relayed.finish, collected.finish) == 0 &&
            sum_equal(&of_events, &of_object));
    sum_free(&of_events);
    sum_free(&of_object);
    try_whole(all, data[0]);
    try_calls(all, data[0]);
    return 0;
}
