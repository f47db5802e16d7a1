/* A host that is probed, sleeps, is woken, lists models and has caps. Time, timers and the wire are this file's: it defines what host*.c takes of the loop
 * and of the HTTP client, so that the linker takes none of the real ones, and each test says what comes back and when. */
#include "backend/host_int.h"

#include "base/clock.h"
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char kitchen[] =
    "breaker: {failures: 3, window: 30s, open: 30s}\n"
    "hosts:\n"
    "  anvil: {url: \"http://127.0.0.1:9001\", probe: 10s}\n"
    "  cloud: {url: \"http://127.0.0.1:9002\", cold_start: 120s, scale_down: 10m}\n"
    "  meter: {url: \"http://127.0.0.1:9003\", probe: never, cap: {tokens_day: 1000}, price: {input: 1, output: 1}}\n"
    "models:\n"
    "  near:  {host: anvil, name: org/Near}\n"
    "  other: {host: anvil}\n"
    "  big:   {host: cloud}\n"
    "  dear:  {host: meter}\n";

static const char moved[] =
    "hosts: {anvil: {url: \"http://127.0.0.1:9009\", probe: 10s}}\n"
    "models: {near: {host: anvil, name: org/Near}}\n";

enum { NEAR, OTHER, BIG, DEAR, MODELS };

static enum err_code read_refusal(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e);
static const struct backend_kind elsewhere = { .name = "elsewhere", .read_refusal = read_refusal },
                                 whole = { .name = "whole", .read_refusal = read_refusal, .lists_all = true };

static struct {
    struct config *config;
    struct hosts *hosts;
    struct backend b[MODELS];
    int64_t now_ms, wall_ms;
    struct timer *timers[16];
    size_t ntimers;
    struct later *laters[16];
    size_t nlaters;
    /* the call that is open */
    const struct http_call_ops *ops;
    void *ctx;
    int calls, gets, posts, cancels;
    char path[200], body[500];
    int64_t limit_ms;
    int told;
    struct err why;
    /* the store */
    struct host_day kept;
    int kept_times;
    void (*got)(void *ctx, const struct host_day *row);
    void *got_ctx;
    struct host_day_ask **slot;
} k;

/* ---- stand-ins ---- */

static enum err_code read_refusal(const struct backend *b, int status, struct str retry_after, struct str body, struct err *e)
{
    enum err_code code = status == 401 ? ERR_UP_AUTH : status == 404 ? ERR_UP_MODEL_MISSING : status == 429 ? ERR_UP_BUSY
        : status < 500 ? ERR_INVALID_REQUEST : ERR_UP_STATUS;
    return err_set(e, code, "it said %d", status);
}

int64_t loop_now_ms(const struct loop *l)
{
    return k.now_ms;
}

static int64_t wall(void)
{
    return k.wall_ms;
}

static int64_t mono(void)
{
    return k.now_ms * 1000000;
}

void timer_init(struct timer *t, struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    *t = (struct timer){ .fn = fn, .ctx = ctx };
}

void timer_cancel(struct timer *t)
{
    t->due_ms = 0;
    for (size_t i = 0; i < k.ntimers; i++)
        if (k.timers[i] == t)
            k.timers[i] = k.timers[--k.ntimers];
}

void timer_set(struct timer *t, int64_t in_ms)
{
    timer_cancel(t);
    t->due_ms = k.now_ms + (in_ms > 0 ? in_ms : 1);
    assert_true(k.ntimers < COUNTOF(k.timers));
    k.timers[k.ntimers++] = t;
}

void later_init(struct later *w, void (*fn)(void *ctx), void *ctx)
{
    *w = (struct later){ .fn = fn, .ctx = ctx };
}

void loop_later(struct loop *l, struct later *w)
{
    assert_true(k.nlaters < COUNTOF(k.laters));
    k.laters[k.nlaters++] = w;
}

void later_cancel(struct later *w)
{
    for (size_t i = 0; i < k.nlaters; i++)
        if (k.laters[i] == w)
            k.laters[i] = k.laters[--k.nlaters];
}

struct http_call *http_call_start(struct http_pool *p, const struct http_request *r, const struct http_call_ops *ops, void *ctx)
{
    assert_null(k.ops); /* never two at a time: the tests have one host each that is asked */
    k.ops = ops;
    k.ctx = ctx;
    k.calls++;
    k.gets += str_eq(r->method, STR("GET"));
    k.posts += str_eq(r->method, STR("POST"));
    k.limit_ms = r->first_byte_ms;
    assert_true(str_find(r->headers, STR("X-Hob-Probe: 1\r\n")) >= 0);
    snprintf(k.path, sizeof k.path, "%.*s", STR_ARG(r->path));
    snprintf(k.body, sizeof k.body, "%.*s", r->pieces ? (int)r->body[0].n : 0, r->pieces ? r->body[0].p : "");
    return (struct http_call *)(void *)&k;
}

void http_call_cancel(struct http_call *c)
{
    if (!c)
        return;
    assert_non_null(k.ops);
    k.ops = NULL;
    k.cancels++;
}

struct str http_header(const struct http_headers *h, struct str name)
{
    return STR("");
}

void host_day_put(struct store *s, const struct host_day *row)
{
    k.kept = *row;
    k.kept_times++;
}

void host_day_get(struct store *s, struct str host, int day, void (*got)(void *ctx, const struct host_day *row), void *ctx, struct host_day_ask **ask)
{
    k.got = got;
    k.got_ctx = ctx;
    k.slot = ask;
    *ask = (struct host_day_ask *)(void *)&k;
}

void host_day_forget(struct host_day_ask *ask)
{
    if (ask)
        k.got = NULL;
}

/* ---- the world goes on ---- */

static void turn(void)
{
    while (k.nlaters) {
        struct later *w = k.laters[--k.nlaters];
        w->fn(w->ctx);
    }
}

/* Until something is asked, or somebody told, or so much time has gone by. */
static void pass(int64_t ms)
{
    int64_t end = k.now_ms + ms;
    int calls = k.calls, told = k.told;
    while (k.calls == calls && k.told == told) {
        struct timer *next = NULL;
        for (size_t i = 0; i < k.ntimers; i++)
            if (!next || k.timers[i]->due_ms < next->due_ms)
                next = k.timers[i];
        if (!next || next->due_ms > end)
            break;
        k.wall_ms += next->due_ms - k.now_ms;
        k.now_ms = next->due_ms;
        timer_cancel(next);
        next->fn(next->ctx);
        turn();
    }
    if (k.calls == calls && k.told == told) {
        k.wall_ms += end - k.now_ms;
        k.now_ms = end;
    }
}

static void answer(int status, const char *body)
{
    const struct http_call_ops *ops = k.ops;
    struct err e = { .code = ERR_OK };
    assert_non_null(ops);
    struct http_answer a = { .status = status };
    ops->on_head(k.ctx, &a);
    ops->on_body(k.ctx, str_of(body));
    k.ops = NULL;
    ops->on_done(k.ctx, ERR_OK, &e);
    turn();
}

static void nobody_there(void)
{
    const struct http_call_ops *ops = k.ops;
    struct err e;
    assert_non_null(ops);
    err_set(&e, ERR_UP_REFUSED, "connection refused");
    k.ops = NULL;
    ops->on_done(k.ctx, ERR_UP_REFUSED, &e);
    turn();
}

static void set_up(size_t i, struct config *c, const struct conf_model *m)
{
    struct backend *b = &k.b[i];
    *b = (struct backend){ .config = c, .model = m, .place = conf_host(c, m->host), .kind = &elsewhere, .name = m->name, .host = m->host,
        .upstream = m->upstream, .state = BACKEND_HOT, .pool = (struct http_pool *)(void *)&k, .timeouts = { .first_byte_ms = 300000 } };
    buf_lit(&b->list, "/v1/models");
    buf_lit(&b->path, "/v1");
    buf_lit(&b->headers, "Authorization: Bearer sekret\r\n");
    hosts_join(k.hosts, b);
}

static void leave(size_t i)
{
    host_leave(&k.b[i]);
    buf_free(&k.b[i].list);
    buf_free(&k.b[i].path);
    buf_free(&k.b[i].headers);
}

static struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static int begin(void **state)
{
    static const struct clock_source source = { mono, wall };
    memset(&k, 0, sizeof k);
    k.now_ms = 5000;
    k.wall_ms = INT64_C(1795000000000);
    clock_use(&source);
    log_set_level(LOG_ERROR);
    k.config = parse(kitchen);
    k.hosts = hosts_new(NULL, NULL);
    hosts_start(k.hosts);
    return 0;
}

static void open_with(size_t i)
{
    set_up(i, k.config, &k.config->models[i]);
}

static int end(void **state)
{
    hosts_stop(k.hosts);
    turn();
    assert_int_equal(k.ntimers, 0);
    assert_null(k.ops);
    for (size_t i = 0; i < MODELS; i++)
        if (k.b[i].at)
            leave(i);
    hosts_free(k.hosts);
    conf_free(k.config);
    clock_use(NULL);
    return 0;
}

static enum err_code ask_it(size_t i)
{
    struct err e;
    return health_admits(&k.b[i], &e);
}

static void tell_of(size_t i, enum err_code code, int64_t tokens)
{
    struct err e;
    err_set(&e, code, "it went so");
    health_tell(&k.b[i], &(struct outcome){ .code = code, .why = code ? &e : NULL, .asked_ms = k.now_ms, .ttft_ms = -1, .input_tokens = tokens,
        .output_tokens = 0 });
}

static struct host_figures figures(size_t i)
{
    struct host_figures f;
    assert_true(host_figures(&k.b[i], &f));
    return f;
}

static const char listed[] = "{\"object\":\"list\",\"data\":[{\"id\":\"org/Near\"},{\"id\":\"x\"}]}";

/* ---- probes ---- */

static void test_it_is_asked_at_once_and_then_from_time_to_time(void **state)
{
    open_with(NEAR);
    pass(10);
    assert_int_equal(k.gets, 1);
    assert_string_equal(k.path, "/v1/models");
    k.now_ms += 7;
    answer(200, listed);
    assert_int_equal(figures(NEAR).up, TRI_YES);
    assert_int_equal(figures(NEAR).models, 2);
    assert_int_equal(figures(NEAR).probe_ms, 7);
    for (int i = 0; i < 50; i++) {
        int64_t before = k.now_ms;
        pass(60000);
        assert_in_range(k.now_ms - before, 8000, 12000); /* give or take a fifth */
        answer(200, listed);
    }
    assert_int_equal(k.posts, 0);
}

static void test_one_question_at_a_time_however_many_models_are_on_it(void **state)
{
    open_with(NEAR);
    open_with(OTHER);
    pass(10);
    pass(3600000); /* it does not answer for an hour: the client would have given up long before */
    assert_int_equal(k.calls, 1);
    nobody_there();
}

static void test_who_is_asked_by_requests_is_not_probed(void **state)
{
    open_with(NEAR);
    pass(10);
    answer(200, listed);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ask_it(NEAR), ERR_OK);
        tell_of(NEAR, ERR_OK, 5);
        pass(3000);
    }
    assert_int_equal(k.calls, 1);
    pass(60000);
    assert_int_equal(k.calls, 2);
    answer(200, listed);
}

static void test_an_outage_is_found_before_a_request_finds_it_and_one_token_ends_it(void **state)
{
    open_with(NEAR);
    pass(10);
    answer(200, listed);
    int64_t from = k.now_ms;
    while (health_would_admit(&k.b[NEAR]) == ERR_OK) {
        pass(60000);
        nobody_there();
    }
    assert_in_range(k.now_ms - from, 12000, 30000);
    assert_int_equal(health_would_admit(&k.b[NEAR]), ERR_BREAKER_OPEN);
    from = k.now_ms;
    while (!k.posts) { /* it is back at once; while the breaker is open it is asked for its list only */
        pass(60000);
        if (k.posts)
            break;
        answer(200, listed);
    }
    assert_in_range(k.now_ms - from, 30000, 45000);
    assert_string_equal(k.path, "/v1/chat/completions");
    assert_string_equal(k.body, "{\"model\":\"org/Near\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":1,\"stream\":false}");
    assert_int_equal(health_would_admit(&k.b[NEAR]), ERR_BREAKER_OPEN); /* the one trial is out */
    answer(200, "{}");
    assert_int_equal(health_would_admit(&k.b[NEAR]), ERR_OK);
    assert_int_equal(k.posts, 1);
}

static void test_a_token_that_does_not_come_is_one_failure_more(void **state)
{
    open_with(NEAR);
    pass(10);
    answer(200, listed);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_it(NEAR), ERR_OK);
        tell_of(NEAR, ERR_UP_GARBLED, -1);
    }
    int64_t opened = k.now_ms;
    for (int trials = 0; trials < 20; trials++) {
        do {
            pass(60000);
            if (!k.body[0])
                answer(200, listed);
        } while (!k.body[0]);
        answer(500, "");
        k.body[0] = 0;
    }
    assert_int_equal(k.posts, 20);
    assert_true(k.now_ms - opened >= 20 * 30000);
}

static void test_a_question_it_does_not_like_shows_that_it_is_there(void **state)
{
    open_with(NEAR);
    pass(10);
    answer(404, "nothing here");
    assert_int_equal(figures(NEAR).up, TRI_YES);
    assert_int_equal(figures(NEAR).models, -1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_it(NEAR), ERR_OK);
        tell_of(NEAR, ERR_UP_TIMEOUT, -1);
    }
    while (!k.posts) {
        pass(60000);
        if (!k.posts)
            answer(404, "");
    }
    answer(400, "max_tokens is not for this model");
    assert_int_equal(health_would_admit(&k.b[NEAR]), ERR_OK);
}

static void test_a_key_that_is_not_accepted_is_seen_in_a_probe(void **state)
{
    open_with(NEAR);
    pass(10);
    answer(401, "");
    assert_int_equal(figures(NEAR).up, TRI_YES);
    assert_int_equal(figures(NEAR).error->code, ERR_UP_AUTH);
    assert_int_equal(health_would_admit(&k.b[NEAR]), ERR_OK); /* a list may be for others than who may ask */
}

/* ---- lists ---- */

static void test_a_list_is_believed_where_it_is_whole_or_a_request_was_refused(void **state)
{
    open_with(OTHER);
    pass(10);
    answer(200, listed);
    assert_false(figures(OTHER).lists_model);
    assert_int_equal(health_would_admit(&k.b[OTHER]), ERR_OK); /* many take any name */
    k.b[OTHER].kind = &whole;
    assert_int_equal(ask_it(OTHER), ERR_UP_MODEL_MISSING);
    k.b[OTHER].kind = &elsewhere;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_it(OTHER), ERR_OK);
        tell_of(OTHER, ERR_UP_MODEL_MISSING, -1);
    }
    while (k.now_ms < 100000) { /* longer than refusals are minded */
        pass(60000);
        answer(200, listed);
        assert_int_equal(health_would_admit(&k.b[OTHER]), ERR_UP_MODEL_MISSING);
    }
    pass(60000);
    answer(200, "{\"data\":[{\"id\":\"other\"}]}"); /* somebody got it there */
    assert_int_equal(ask_it(OTHER), ERR_OK);
    tell_of(OTHER, ERR_OK, 1);
}

static void test_lists_in_all_shapes(void **state)
{
    static const struct { const char *body, *model; bool readable, has; } cases[] = {
        { "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "b", true, true },
        { "{\"models\":[{\"name\":\"qwen3:latest\",\"model\":\"qwen3:latest\"}]}", "qwen3", true, true },
        { "{\"models\":[{\"name\":\"qwen3:8b\"}]}", "qwen3", true, false },
        { "{\"data\":[]}", "a", true, false },
        { "[{\"id\":\"a\"}]", "a", true, true },
        { "[\"a\",7,null,{}]", "a", true, true },
        { "{\"data\":{\"id\":\"a\"}}", "a", false, false },
        { "{}", "a", false, false },
        { "<html>", "a", false, false },
        { "", "a", false, false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct arena a = { 0 };
        struct conf_strs names = { NULL, 0 };
        struct err e;
        bool readable = !host_read_list(str_of(cases[i].body), &a, &names, &e);
        if (readable != cases[i].readable || host_lists(&names, str_of(cases[i].model)) != cases[i].has)
            fail_msg("case %zu", i);
        arena_fini(&a);
    }
}

/* ---- sleep ---- */

static void on_awake(void *ctx, const struct err *e)
{
    k.told++;
    k.why = e ? *e : (struct err){ .code = ERR_OK };
}

static void test_it_sleeps_until_it_is_wanted_and_proves_itself_with_a_token(void **state)
{
    struct err e;
    open_with(BIG);
    pass(3600000);
    assert_int_equal(k.calls, 0); /* never probed awake */
    assert_true(health_is_asleep(&k.b[BIG]));
    assert_int_equal(health_admits(&k.b[BIG], &e), ERR_WAKING);
    assert_non_null(strstr(e.hint, "x-hob-wait: big"));
    assert_int_equal(e.retry_after_s, 120);
    health_wake(&k.b[BIG]);
    health_wake(&k.b[BIG]); /* by many */
    assert_int_equal(k.calls, 1);
    assert_string_equal(figures(BIG).sleep, "waking");
    assert_int_equal(k.limit_ms, 120000);
    nobody_there();
    pass(20000);
    assert_int_equal(k.gets, 2);
    answer(503, "Loading model");
    pass(20000);
    answer(200, listed);
    assert_int_equal(k.posts, 1);
    assert_true(health_is_asleep(&k.b[BIG]));
    answer(200, "{}");
    assert_string_equal(figures(BIG).sleep, "warm");
    assert_int_equal(ask_it(BIG), ERR_OK);
    pass(3600000);
    assert_false(health_is_asleep(&k.b[BIG])); /* at work */
    tell_of(BIG, ERR_OK, 5);
    pass(599999);
    assert_false(health_is_asleep(&k.b[BIG]));
    pass(1);
    assert_true(health_is_asleep(&k.b[BIG]));
    assert_int_equal(k.calls, 4);
}

static void test_who_waits_is_told_and_is_the_proof_himself(void **state)
{
    struct host_wait a, b, gone;
    open_with(BIG);
    host_wait_init(&a, on_awake, NULL);
    host_wait_init(&b, on_awake, NULL);
    host_wait_init(&gone, on_awake, NULL);
    host_wait_begin(&a, &k.b[BIG]);
    host_wait_begin(&b, &k.b[BIG]);
    host_wait_begin(&gone, &k.b[BIG]);
    host_wait_drop(&gone);
    assert_int_equal(k.calls, 1);
    answer(200, listed);
    assert_int_equal(k.told, 2);
    assert_int_equal(k.why.code, ERR_OK);
    assert_int_equal(k.posts, 0);
    assert_int_equal(ask_it(BIG), ERR_OK);
    tell_of(BIG, ERR_OK, 5);
    host_wait_begin(&a, &k.b[BIG]); /* awake already */
    assert_int_equal(k.told, 2);    /* never from inside */
    turn();
    assert_int_equal(k.told, 3);
}

static void test_one_that_does_not_wake_is_given_up_in_time_and_left_alone(void **state)
{
    struct host_wait w;
    struct err e;
    open_with(BIG);
    host_wait_init(&w, on_awake, NULL);
    host_wait_begin(&w, &k.b[BIG]);
    int64_t from = k.now_ms;
    while (!k.told) {
        if (k.ops)
            nobody_there();
        if (!k.told)
            pass(60000);
    }
    assert_in_range(k.now_ms - from, 115000, 121000);
    assert_in_range(k.calls, 20, 60);
    assert_int_equal(k.why.code, ERR_WAKING);
    assert_non_null(strstr(k.why.text, "connection refused"));
    assert_int_equal(health_admits(&k.b[BIG], &e), ERR_WAKING);
    assert_non_null(strstr(e.text, "could not be woken"));
    assert_int_equal(e.retry_after_s, 30);
    int calls = k.calls;
    health_wake(&k.b[BIG]);
    host_wait_begin(&w, &k.b[BIG]);
    turn();
    assert_int_equal(k.told, 2);
    assert_int_equal(k.calls, calls);
    pass(30000);
    health_wake(&k.b[BIG]);
    assert_int_equal(k.calls, calls + 1);
    answer(200, listed);
    answer(200, "{}");
    assert_false(health_is_asleep(&k.b[BIG]));
}

static void test_a_key_that_is_refused_wakes_nobody(void **state)
{
    open_with(BIG);
    health_wake(&k.b[BIG]);
    answer(401, "");
    assert_string_equal(figures(BIG).sleep, "cold");
    assert_int_equal(k.calls, 1);
    pass(3600000);
    assert_int_equal(k.calls, 1);
}

static void test_one_that_went_to_sleep_earlier_is_seen_to(void **state)
{
    open_with(BIG);
    health_wake(&k.b[BIG]);
    answer(200, listed);
    answer(200, "{}");
    assert_int_equal(ask_it(BIG), ERR_OK);
    tell_of(BIG, ERR_UP_REFUSED, -1);
    assert_int_equal(ask_it(BIG), ERR_WAKING);
}

/* ---- caps, addresses, the end ---- */

static void test_a_cap_closes_it_until_midnight(void **state)
{
    struct err e;
    open_with(DEAR);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask_it(DEAR), ERR_OK);
        tell_of(DEAR, i % 2 ? ERR_OK : ERR_UP_RESET, 100); /* what was used before it broke off was used */
        pass(60000);
    }
    assert_int_equal(health_admits(&k.b[DEAR], &e), ERR_CAPPED);
    assert_non_null(strstr(e.text, "tokens_day"));
    assert_in_range(e.retry_after_s, 1, 86400);
    assert_int_equal(figures(DEAR).spent.tokens, 1000);
    assert_true(figures(DEAR).spent.money > 0.0009 && figures(DEAR).spent.money < 0.0011);
    pass(e.retry_after_s * INT64_C(1000));
    assert_int_equal(ask_it(DEAR), ERR_OK);
    tell_of(DEAR, ERR_OK, 1);
    assert_int_equal(figures(DEAR).spent.tokens, 1);
    assert_int_equal(k.calls, 0); /* `probe: never` */
}

static void test_what_was_spent_is_kept_over_a_restart(void **state)
{
    struct hosts *none = k.hosts;
    k.hosts = hosts_new(NULL, (struct store *)(void *)&k);
    hosts_start(k.hosts);
    open_with(DEAR);
    assert_int_equal(ask_it(DEAR), ERR_OK);
    tell_of(DEAR, ERR_OK, 300);
    pass(5000);
    assert_int_equal(k.kept_times, 0); /* what there was is not known yet */
    *k.slot = NULL;
    k.got(k.got_ctx, &(struct host_day){ .day = figures(DEAR).spent.day, .tokens = 500, .money = 0.25 });
    assert_int_equal(figures(DEAR).spent.tokens, 800);
    assert_int_equal(k.kept_times, 1);
    assert_int_equal(k.kept.tokens, 800);
    assert_string_equal(k.kept.host, "meter");
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask_it(DEAR), ERR_OK);
        tell_of(DEAR, ERR_OK, 10);
    }
    assert_int_equal(ask_it(DEAR), ERR_CAPPED);
    pass(5000);
    assert_int_equal(k.kept_times, 2); /* not for each request */
    assert_int_equal(k.kept.tokens, 1000);
    leave(DEAR);
    hosts_free(k.hosts);
    k.hosts = none;
}

static void test_another_address_is_another_place_and_the_same_budget(void **state)
{
    struct config *other = parse(moved);
    open_with(NEAR);
    pass(10);
    answer(200, listed);
    assert_int_equal(ask_it(NEAR), ERR_OK);
    tell_of(NEAR, ERR_OK, 100);
    set_up(BIG, other, &other->models[0]);
    assert_ptr_equal(k.b[NEAR].at, k.b[BIG].at);
    assert_int_equal(figures(BIG).up, TRI_UNSAID);
    assert_int_equal(figures(BIG).models, -1);
    assert_int_equal(figures(BIG).spent.tokens, 100);
    assert_int_equal(ask_it(NEAR), ERR_OK);
    tell_of(NEAR, ERR_UP_REFUSED, 7); /* of the old one: no word about the new one */
    assert_int_equal(figures(BIG).up, TRI_UNSAID);
    assert_int_equal(figures(BIG).spent.tokens, 107);
    leave(NEAR);
    pass(10);
    assert_int_equal(k.gets, 2);
    leave(BIG); /* under way */
    assert_int_equal(k.cancels, 1);
    conf_free(other);
}

static void test_nothing_is_asked_after_the_end(void **state)
{
    struct host_wait w;
    open_with(BIG);
    host_wait_init(&w, on_awake, NULL);
    host_wait_begin(&w, &k.b[BIG]);
    hosts_stop(k.hosts);
    turn();
    assert_int_equal(k.cancels, 1);
    assert_int_equal(k.why.code, ERR_SHUTTING_DOWN);
    health_wake(&k.b[BIG]);
    pass(3600000);
    assert_int_equal(k.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_asked_at_once_and_then_from_time_to_time, begin, end),
        cmocka_unit_test_setup_teardown(test_one_question_at_a_time_however_many_models_are_on_it, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_asked_by_requests_is_not_probed, begin, end),
        cmocka_unit_test_setup_teardown(test_an_outage_is_found_before_a_request_finds_it_and_one_token_ends_it, begin, end),
        cmocka_unit_test_setup_teardown(test_a_token_that_does_not_come_is_one_failure_more, begin, end),
        cmocka_unit_test_setup_teardown(test_a_question_it_does_not_like_shows_that_it_is_there, begin, end),
        cmocka_unit_test_setup_teardown(test_a_key_that_is_not_accepted_is_seen_in_a_probe, begin, end),
        cmocka_unit_test_setup_teardown(test_a_list_is_believed_where_it_is_whole_or_a_request_was_refused, begin, end),
        cmocka_unit_test(test_lists_in_all_shapes),
        cmocka_unit_test_setup_teardown(test_it_sleeps_until_it_is_wanted_and_proves_itself_with_a_token, begin, end),
        cmocka_unit_test_setup_teardown(test_who_waits_is_told_and_is_the_proof_himself, begin, end),
        cmocka_unit_test_setup_teardown(test_one_that_does_not_wake_is_given_up_in_time_and_left_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_a_key_that_is_refused_wakes_nobody, begin, end),
        cmocka_unit_test_setup_teardown(test_one_that_went_to_sleep_earlier_is_seen_to, begin, end),
        cmocka_unit_test_setup_teardown(test_a_cap_closes_it_until_midnight, begin, end),
        cmocka_unit_test_setup_teardown(test_what_was_spent_is_kept_over_a_restart, begin, end),
        cmocka_unit_test_setup_teardown(test_another_address_is_another_place_and_the_same_budget, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_is_asked_after_the_end, begin, end),
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
