/* Asks for all that is left of a plan, so many at a time, at the public door that every caller uses. A place is warmed up apart, so that no case pays for a load; what was
 * refused because somebody loads or is busy is asked again a little later. */
#include "cli/eval_int.h"

#include "api/question.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "evidence/averages.h"
#include "json/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECT_MS = 10 * 1000, ANSWER_MAX_BYTES = 64 * 1024 * 1024, JUDGE_TOKENS = 300, TICK_MS = 200, WARM_MS = 30 * 60 * 1000 };

struct asker;

/* One request at a time; its step may take several. */
struct slot {
    struct asker *asker;
    bool busy;
    bool warming;
    struct run_step step;
    int tries;
    struct http_call *call;
    struct arena arena;
    struct str body;
    struct buf headers, in;
    struct run_answer got;
    struct err trouble;
    int64_t sent_ms;
    struct timer again;
    bool over;              /* the answer is there, to be looked at outside of the loop's callbacks */
};

struct asker {
    struct eval_job *job;
    struct loop *loop;
    struct http_pool *pool;
    struct slot *slots;
    size_t n;
    bool warm[RUN_MAX_PLACES];
    struct timer tick;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
    (void)signum;
    interrupted = 1;
}

/* ---- one request ---- */

static void on_head(void *ctx, const struct http_answer *a)
{
    struct slot *s = ctx;
    int64_t after;
    s->got.status = a->status;
    if (str_to_int(http_header(&a->headers, STR("retry-after")), 1, INT32_MAX, &after))
        s->got.retry_after_ms = after * 1000;
}

static void on_body(void *ctx, struct str bytes)
{
    struct slot *s = ctx;
    struct err e;
    if (buf_feed(&s->in, bytes, &e))
        s->got.status = -1; /* longer than any answer: told when it ends */
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct slot *s = ctx;
    s->call = NULL;
    s->over = true;
    s->got.total_ms = clock_mono_ms() - s->sent_ms;
    if (rc || s->got.status < 0) {
        s->trouble = rc ? *e : (struct err){ .text = "the answer is longer than 64 MiB" };
        s->got.status = 0;
        s->got.trouble = str_of(s->trouble.text);
    }
    loop_stop(s->asker->loop);
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

static void put_headers(struct slot *s)
{
    const struct eval_job *j = s->asker->job;
    buf_reset(&s->headers, 512);
    buf_printf(&s->headers, "Content-Type: application/json\r\nUser-Agent: hob/%s\r\nx-hob-class: program\r\nx-hob-wait: true\r\nx-client-request-id: " MEASURED_EVAL_ID "%lld-%zu\r\n", HOB_VERSION,
        (long long)j->run, s->step.item);
    if (j->places[s->step.place].host.n)
        buf_printf(&s->headers, "x-hob-host: %.*s\r\n", STR_ARG(j->places[s->step.place].host));
    daemon_put_key(&j->door, &s->headers);
}

static void send_it(void *ctx)
{
    struct slot *s = ctx;
    struct eval_job *j = s->asker->job;
    char path[512];
    snprintf(path, sizeof path, "%.*s/v1/chat/completions", STR_ARG(j->door.prefix));
    put_headers(s);
    buf_reset(&s->in, 64 * 1024);
    s->got = (struct run_answer){ 0 };
    s->sent_ms = clock_mono_ms();
    s->tries++;
    struct http_request r = { .method = STR("POST"), .path = str_of(path), .headers = buf_str(&s->headers), .body = &s->body, .pieces = 1,
        .first_byte_ms = WARM_MS, .idle_ms = WARM_MS };
    s->call = http_call_start(s->asker->pool, &r, &ops, s);
}

/* ---- a step ---- */

static void finish(struct slot *s)
{
    s->busy = s->over = s->warming = false;
    s->tries = 0;
    arena_reset(&s->arena);
}

static const struct suite_finding *spoilt(const struct eval_job *j, const struct suite_case *c)
{
    for (size_t i = 0; i < j->nfindings; i++)
        if (j->findings[i].c == c && j->findings[i].fault == FAULT_HARNESS)
            return &j->findings[i];
    return NULL;
}

static int put_result(struct eval_job *j, struct slot *s, struct run_result *r)
{
    bool counts = r->outcome == RUN_PASSED || r->outcome == RUN_FAILED;
    if (r->outcome == RUN_JUDGE) {
        r->outcome = RUN_NOTHING;
        r->fault = FAULT_HARNESS;
        r->why = STR("a judge would have to be asked: --judge ROLE");
    }
    run_tally_add(&j->tally, s->step.item, s->step.place, counts ? r->outcome == RUN_PASSED : -1, r->fault, r->score);
    j->done++;
    return eval_book_put(j, &s->step, r, &s->got, s->tries);
}

/* Asked of nobody: whatever came of it would say nothing of a model. */
static int refuse(struct eval_job *j, struct slot *s, struct str why)
{
    struct run_result r = { .outcome = RUN_NOTHING, .fault = FAULT_HARNESS, .why = why, .input_tokens = -1, .output_tokens = -1, .ttft_ms = -1 };
    int code = put_result(j, s, &r);
    finish(s);
    return code;
}

static void warm_up(struct slot *s)
{
    const struct run_place *p = &s->asker->job->places[s->step.place];
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    s->warming = true;
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, p->model);
    json_key(&o, STR("max_tokens"));
    json_int(&o, 1);
    question_put_chat(&o, STR("Hello."));
    json_end_object(&o);
    s->body = arena_copy(&s->arena, buf_str(&body));
    buf_free(&body);
    send_it(s);
}

int64_t eval_case_tokens(const struct suite_case *c)
{
    struct str head = STR("tokens-");
    int64_t tokens = 0;
    for (size_t i = 0; i < c->tags.n && !tokens; i++)
        if (str_starts(c->tags.at[i], head) && !str_to_int(str_from(c->tags.at[i], head.n), 1, INT64_MAX, &tokens))
            tokens = 0;
    return tokens;
}

static int refuse_long(struct slot *s, int64_t tokens, int64_t context)
{
    return refuse(s->asker->job, s, arena_printf(&s->arena, "a text of %lld tokens does not fit in its window of %lld", (long long)tokens, (long long)context));
}

static int ask_case(struct slot *s)
{
    struct eval_job *j = s->asker->job;
    const struct suite_case *c = &j->suite->cases[s->step.item];
    struct suite_ask ask = { .model = j->places[s->step.place].model, .seed = j->seed >= 0 ? j->seed + s->step.turn - 1 : -1, .image = images_get, .image_ctx = &j->images };
    const struct suite_finding *f = spoilt(j, c);
    int64_t tokens = eval_case_tokens(c), context = j->contexts[s->step.place];
    struct err e;
    if (f)
        return refuse(j, s, f->text);
    if (context && tokens > context)
        return refuse_long(s, tokens, context);
    if (suite_case_request(&s->arena, c, &ask, &s->body, &e))
        return refuse(j, s, arena_copy(&s->arena, str_of(e.text)));
    send_it(s);
    return EXIT_OK;
}

static int begin(struct slot *s, const struct run_step *step)
{
    s->busy = true;
    s->step = *step;
    if (s->asker->warm[step->place])
        return ask_case(s);
    s->asker->warm[step->place] = true;
    warm_up(s);
    return EXIT_OK;
}

/* ---- judges ---- */

static struct str judge_body(struct arena *a, struct str judge, struct str prompt)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, judge);
    json_key(&o, STR("temperature"));
    json_int(&o, 0);
    json_key(&o, STR("max_tokens"));
    json_int(&o, JUDGE_TOKENS);
    question_put_chat(&o, prompt);
    json_end_object(&o);
    struct str kept = arena_copy(a, buf_str(&body));
    buf_free(&body);
    return kept;
}

/* One line of a case. What a judge says is a model's word, too: one that does not answer leaves the line undecided. */
static void judge_line(struct eval_job *j, struct arena *a, const struct suite_case *c, size_t at, struct run_result *r)
{
    struct answer got = { 0 };
    struct grade_answer words;
    struct err e;
    struct buf headers = { 0 };
    daemon_put_key(&j->door, &headers);
    struct question q = { .method = "POST", .path = "/v1/chat/completions", .body = judge_body(a, j->judge, grade_judge_prompt(a, c, at, &r->answer)), .headers = buf_str(&headers),
        .answer_ms = WARM_MS };
    r->grade.lines[at].mark = GRADE_UNDECIDED;
    r->grade.lines[at].why = STR("the judge did not answer");
    if (!door_ask(&j->door, &q, &got, &e)) {
        j->judged.asked++;
        if (got.status == 200 && !grade_answer_read(a, buf_str(&got.body), &words, &e)) {
            j->judged.tokens += words.output_tokens > 0 ? words.output_tokens : 0;
            if (grade_judge_read(a, c, at, words.text, &r->grade.lines[at], &e))
                r->grade.lines[at].why = arena_copy(a, str_of(e.text));
        }
        buf_free(&got.body);
    }
    buf_free(&headers);
}

static void ask_judges(struct eval_job *j, struct arena *a, const struct suite_case *c, struct run_result *r)
{
    for (size_t i = 0; i < r->grade.nlines; i++)
        if (r->grade.lines[i].mark == GRADE_JUDGE)
            judge_line(j, a, c, i, r);
    run_settle(c, r);
}

/* ---- an answer ---- */

static int take(struct slot *s)
{
    struct eval_job *j = s->asker->job;
    const struct suite_case *c = &j->suite->cases[s->step.item];
    struct run_result r;
    s->over = false;
    s->got.body = buf_str(&s->in);
    if (s->warming) { /* whatever came of it: the case itself tells */
        s->warming = false;
        s->tries = 0;
        return ask_case(s);
    }
    run_take(&s->arena, c, &j->places[s->step.place], &s->got, s->tries, &r);
    if (r.outcome == RUN_AGAIN) {
        timer_set(&s->again, r.wait_ms);
        return EXIT_OK;
    }
    if (r.outcome == RUN_JUDGE && j->judge.n)
        ask_judges(j, &s->arena, c, &r);
    int code = put_result(j, s, &r);
    finish(s);
    return code;
}

/* ---- all of them ---- */

static void on_tick(void *ctx)
{
    struct asker *k = ctx;
    eval_show_progress(k->job, false);
    if (interrupted)
        loop_stop(k->loop);
    timer_set(&k->tick, TICK_MS);
}

/* A place is begun when the one before is through: with several at a time no two would be loaded for one another's sake. */
static bool may_begin(const struct asker *k, const struct run_step *step)
{
    if (k->job->order == RUN_INTERLEAVED)
        return true;
    for (size_t i = 0; i < k->n; i++)
        if (k->slots[i].busy && (k->slots[i].step.place != step->place || k->slots[i].warming))
            return false;
    return true;
}

static int fill(struct asker *k, struct run_step *next, bool *has)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < k->n && !code; i++) {
        while (!k->slots[i].busy && !code) {
            *has = *has || run_plan_next(&k->job->plan, next);
            if (!*has || !may_begin(k, next))
                return code;
            *has = false;
            code = begin(&k->slots[i], next);
        }
    }
    return code;
}

static bool any_busy(const struct asker *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->slots[i].busy)
            return true;
    return false;
}

static int go(struct asker *k)
{
    struct run_step next;
    bool has = false;
    int code = EXIT_OK;
    while (!code && !interrupted) {
        code = fill(k, &next, &has);
        if (code || !any_busy(k))
            break;
        loop_run(k->loop);
        for (size_t i = 0; i < k->n && !code; i++)
            if (k->slots[i].over)
                code = take(&k->slots[i]);
    }
    k->job->stopped = interrupted;
    return code;
}

static void open_slots(struct asker *k)
{
    k->n = k->job->concurrency;
    k->slots = calloc(k->n, sizeof *k->slots);
    if (!k->slots)
        die("out of memory for requests");
    for (size_t i = 0; i < k->n; i++) {
        struct slot *s = &k->slots[i];
        s->asker = k;
        arena_init(&s->arena);
        buf_init(&s->in, ANSWER_MAX_BYTES);
        timer_init(&s->again, k->loop, send_it, s);
    }
}

static void close_slots(struct asker *k)
{
    for (size_t i = 0; i < k->n; i++) {
        struct slot *s = &k->slots[i];
        http_call_cancel(s->call);
        timer_cancel(&s->again);
        arena_fini(&s->arena);
        buf_free(&s->in);
        if (s->headers.p)
            wipe(s->headers.p, s->headers.n); /* a key may be in it */
        buf_free(&s->headers);
    }
    free(k->slots);
}

int eval_ask_all(struct eval_job *j)
{
    struct asker k = { .job = j, .loop = loop_new() };
    struct http_pool_opts opts = { .max_idle = 4, .idle_ms = 4000, .connect_ms = CONNECT_MS };
    struct sigaction stop = { .sa_handler = on_interrupt };
    struct err e;
    int code = EXIT_OK;
    interrupted = 0;
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    if (http_pool_open(k.loop, &j->door.target, &opts, &k.pool, &e)) {
        cli_error(&e);
        code = EXIT_FAILED;
    }
    timer_init(&k.tick, k.loop, on_tick, &k);
    if (!code) {
        open_slots(&k);
        timer_set(&k.tick, TICK_MS);
        code = go(&k);
        timer_cancel(&k.tick);
        close_slots(&k);
    }
    http_pool_free(k.pool);
    loop_free(k.loop);
    eval_show_progress(j, true);
    return code;
}
