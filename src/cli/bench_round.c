/* Rounds of a measurement, and whether one counts: was it the place that was asked, and was nobody else served? */
#include "cli/bench_int.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    QUIET_MS = 3000,                /* so long is waited for a place to be free */
    OWN_CACHE_TOKENS = 16,          /* beside the template's own: engines cache in blocks */
};

/* ---- was it the place, and it alone? ---- */

enum err_code bench_look_now(struct bench *b, struct err *e)
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

void bench_pause_ms(int64_t ms)
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
        if (bench_look_now(b, &e) || (!b->place.busy && !b->place.others_busy))
            return true;
        bench_pause_ms(50);
    } while (clock_mono_ms() < until && !bench_interrupted());
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

/* Of an array of the flight's own: that it is there need not be asked, as str_of() does. */
static struct str copy_own(struct arena *a, const char *text, size_t room)
{
    return arena_copy(a, str_make(text, strnlen(text, room)));
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
    q->model = copy_own(a, f->model, sizeof f->model);
    q->host = copy_own(a, f->host, sizeof f->host);
    q->id = copy_own(a, f->id, sizeof f->id);
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

bool bench_tell_step(struct bench *b, const char *what, int64_t context, int64_t concurrency)
{
    bool go_on = !b->wish->on_step || b->wish->on_step(b->wish->ctx, what, context, concurrency, b->step, b->steps);
    b->step += context > 0;
    b->report->stopped |= !go_on;
    return go_on && !bench_interrupted();
}

static double joules_now(const struct bench *b)
{
    return b->energy ? energy_read(b->energy, clock_mono_ns()) : NAN;
}

int64_t bench_words_of(const struct bench *b, int64_t length)
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
    bench_fly(b, n, bench_words_of(b, length), b->wish->tokens);
    if (bench_interrupted())
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
bool bench_warm_up(struct bench *b)
{
    for (size_t i = 0; i < b->report->ncells; i++) {
        struct speed_cell *c = &b->report->cells[i];
        if (c->left_out.n)
            continue;
        if (!bench_tell_step(b, "warming up", 0, 1))
            return false;
        bench_fly(b, 1, bench_words_of(b, c->context - b->wish->tokens), b->wish->tokens);
        return !bench_interrupted();
    }
    return true;
}

bool bench_run_cell(struct bench *b, size_t cell)
{
    struct speed_cell *c = &b->report->cells[cell];
    int64_t counted = 0, failed = 0;
    for (int round = 1; counted < b->wish->runs && round <= 2 * b->wish->runs && failed < 3; round++) {
        if (!bench_tell_step(b, "measuring", c->context, c->concurrency))
            return false;
        bool counts = run_round(b, cell, round);
        if (bench_interrupted())
            return false;
        counted += counts;
        unsigned flags = b->report->requests[b->report->nrequests - 1].flags;
        failed = flags & (SPEED_FAILED | SPEED_ELSEWHERE) ? failed + 1 : 0; /* in a row: it will not get better */
    }
    return true;
}
