/* Asks that are kept for suites, where their role says so (`roles.NAME.capture`). Whether one may be is known with the decision; what was answered is noted before the
 * answer's last bytes are made; after it was delivered all of it is copied, looked through for personal data on the pool (api/capture.c), and handed to the
 * store, whose writer is in no hurry. Nobody waits for any of it, and when much is under way, or the store is behind, it is dropped and counted. A request of
 * any other role pays for one look at its role. */
#include "api/capture.h"
#include "api/exchange_int.h"
#include "base/clock.h"
#include "base/random.h"
#include "conf/conf.h"
#include "store/captured.h"

#include <stdlib.h>

enum { MOST_UNDER_WAY = 16, LAG_MS = 500 }; /* of a store that is behind */

struct capture {
    struct api *api;
    struct store *store;                /* held: it may be closed while the pool is at work, and then takes no more */
    struct work work;
    const struct config *config;        /* held: the role is its */
    const struct conf_role *role;
    struct buf request, answer;
    char thinking[24];
    struct arena names;                 /* of the row */
    struct buf text;
    enum err_code rc;
    struct err e;
    struct captured_put put;
};

/* ---- may it be kept? ---- */

static double draw(void)
{
    uint32_t r;
    random_bytes(&r, sizeof r);
    return (double)r / 4294967296.0;
}

/* What is private is not kept. Personal data that was found is replaced, but where the policy is that it stays with local places it is not taken for more than
 * that: it is not kept either. Nor is what a triage model alone takes for private, in which there is nothing to replace. */
static bool is_private(const struct exchange *x)
{
    const struct config *c = world_config(x->world);
    const struct decision *d = &x->decision;
    bool said = d->by_rule && d->by_rule->redact != TRI_UNSAID, redact = said ? d->by_rule->redact == TRI_YES : c->redact;
    bool stays = c->detect == DETECT_LOCAL && !redact;
    return d->privacy == PRIVATE_SAID || (d->privacy == PRIVATE_FOUND && (stays || !x->ask.findings));
}

/* What hob asks itself to measure, by its names for it (evidence/averages.h): nobody's question. */
static bool is_measurement(const struct exchange *x)
{
    struct str id = str_of(x->books.client_id);
    return str_starts(id, STR("eval-")) || str_starts(id, STR("bench-"));
}

void exchange_decide_capture(struct exchange *x)
{
    const struct conf_role *role = x->decision.by_role;
    x->captures = false;
    if (!role || role->capture.share <= 0 || !x->api->store || !x->books.open || !x->req || x->ask.task != TASK_CHAT || is_private(x)
        || is_measurement(x))
        return;
    enum capture_end why = http_req_body(x->req).n > CAPTURE_MAX_BYTES || !x->doc.text.n ? CAPTURE_LARGE : x->ask.input & ~(unsigned)INPUT_TEXT ? CAPTURE_MEDIA : CAPTURE_KEPT;
    if (why != CAPTURE_KEPT)
        metrics_capture(x->api->metrics, why);
    x->captures = why == CAPTURE_KEPT && (role->capture.share >= 1 || draw() < role->capture.share);
}

/* ---- what was answered ---- */

static void put_message(struct json_out *o, const struct said_all *s)
{
    json_begin_object(o);
    json_key(o, STR("role"));
    json_string(o, STR("assistant"));
    json_key(o, STR("content"));
    json_string(o, s->content);
    if (s->ncalls) {
        json_key(o, STR("tool_calls"));
        said_put_calls(o, s);
    }
    json_end_object(o);
}

void exchange_note_answer(struct exchange *x, const struct said_all *s)
{
    struct json_out o = json_out(&x->captured);
    x->captured.n = 0;
    if (s->content.n <= CAPTURE_MAX_BYTES)
        put_message(&o, s);
}

/* ---- and all of it kept ---- */

static void capture_free(struct capture *c)
{
    conf_free(c->config);
    wipe(c->request.p, c->request.n);
    wipe(c->answer.p, c->answer.n);
    buf_free(&c->request);
    buf_free(&c->answer);
    buf_free(&c->text);
    arena_fini(&c->names);
    store_release(c->store);
    c->api->capturing--;
    free(c);
}

static void written(void *ctx, const struct err *e)
{
    struct capture *c = ctx;
    metrics_capture(c->api->metrics, e ? CAPTURE_DROPPED : CAPTURE_KEPT);
    capture_free(c);
}

static void make(void *ctx) /* on the pool */
{
    struct capture *c = ctx;
    const struct capture_from from = { .request = buf_str(&c->request), .role = c->role->rewords ? c->role : NULL, .answer = buf_str(&c->answer),
        .thinking = str_of(c->thinking) };
    c->rc = capture_make(&from, &c->text, &c->put.row.print, &c->e);
}

static void made(void *ctx)
{
    struct capture *c = ctx;
    if (c->rc) {
        metrics_capture(c->api->metrics, c->rc == ERR_TOO_LARGE ? CAPTURE_LARGE : c->rc == ERR_UNSUPPORTED_INPUT ? CAPTURE_MEDIA : CAPTURE_DROPPED);
        capture_free(c);
        return;
    }
    c->put.row.text = buf_str(&c->text);
    captured_put(c->store, &c->put);
}

static void note_thinking(const struct exchange *x, struct capture *c)
{
    static const char *const words[] = { [EFFORT_MINIMAL] = "low", [EFFORT_LOW] = "low", [EFFORT_MEDIUM] = "medium", [EFFORT_HIGH] = "high", [EFFORT_XHIGH] = "high", [EFFORT_MAX] = "high" };
    const struct think_plan *p = &x->think.plan;
    const char *word = (size_t)p->effort < COUNTOF(words) ? words[p->effort] : NULL;
    if (!p->decided)
        return;
    if (p->on && p->budget_tokens)
        snprintf(c->thinking, sizeof c->thinking, "%lld", (long long)p->budget_tokens);
    else
        snprintf(c->thinking, sizeof c->thinking, "%s", !p->on ? "off" : word ? word : "on");
}

static void note_row(const struct exchange *x, struct capture *c)
{
    const struct attempt *t = x->lead;
    const struct tokens used = attempt_used(t);
    struct captured_row *r = &c->put.row;
    r->time_ms = clock_wall_ms();
    r->until_ms = r->time_ms + c->role->capture.keep_ms;
    r->role = c->role->name;
    r->id = arena_copy(&c->names, str_of(x->id));
    r->caller = arena_copy(&c->names, x->ask.caller);
    r->model = arena_copy(&c->names, t->b->name);
    r->host = arena_copy(&c->names, t->b->host);
    r->stream = x->ask.stream || x->whole_stream;
    r->tools = x->ask.tools;
    r->schema = x->ask.schema;
    r->input_tokens = used.input;
    r->output_tokens = used.output;
}

void exchange_capture(struct exchange *x)
{
    struct api *a = x->api;
    if (!x->req || !x->lead->b)
        return;
    if (!x->captured.n) {
        metrics_capture(a->metrics, CAPTURE_LARGE);
        return;
    }
    if (a->capturing >= MOST_UNDER_WAY || store_lag_ms(a->store) > LAG_MS) {
        metrics_capture(a->metrics, CAPTURE_DROPPED);
        return;
    }
    struct capture *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for an ask that is kept");
    a->capturing++;
    arena_init(&c->names);
    c->api = a;
    c->store = store_hold(a->store);
    c->config = conf_hold(world_config(x->world));
    c->role = x->decision.by_role;
    buf_add(&c->request, x->doc.text);
    c->answer = x->captured;
    x->captured = (struct buf){ 0 };
    note_thinking(x, c);
    note_row(x, c);
    c->put.most = c->role->capture.most;
    c->put.on_done = written;
    c->put.ctx = c;
    work_init(&c->work, make, made, c);
    loop_work(a->loop, &c->work);
}

void exchange_forget_capture(struct exchange *x)
{
    x->captures = false;
    wipe(x->captured.p, x->captured.n);
    buf_free(&x->captured);
}
