/* One model, measured at the public door that every caller uses. Requests are ordinary ones; what is special is what is made sure of: prompts that no cache can answer, of a length
 * that is counted before; answers that go on to the last token where the engine can be told to; who answered; and that nobody else was served meanwhile.
 *
 * Times are read when bytes arrive at this process. On one machine that is a few hundredths of a millisecond behind the gateway, and the client's own work (an event parsed) lies between
 * two readings: little beside a token's. */
#include "cli/bench_int.h"

#include "base/clock.h"
#include "base/random.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAST_WORDS = 8 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
    (void)signum;
    interrupted = 1;
}

bool bench_interrupted(void)
{
    return interrupted;
}

static struct str why_not(struct bench *b, int64_t context, int64_t concurrency)
{
    struct arena *a = &b->report->memory;
    if (b->place.context > 0 && context > b->place.context)
        return arena_printf(a, "its context is %lld tokens", (long long)b->place.context);
    if ((double)(context - b->wish->tokens) < b->overhead + b->per_word * LEAST_WORDS)
        return arena_printf(a, "an answer of %lld tokens leaves no room for a prompt", (long long)b->wish->tokens);
    if (b->place.slots > 0 && concurrency > b->place.slots)
        return arena_printf(a, "it has %lld slot%s: the others would wait in line", (long long)b->place.slots, b->place.slots == 1 ? "" : "s");
    if (concurrency > BENCH_MAX_AT_ONCE)
        return STR("that is more at once than hob bench sends");
    return STR("");
}

static void plan_cell(struct bench *b, int64_t context, int64_t concurrency)
{
    struct speed_report *r = b->report;
    if (r->ncells == SPEED_MAX_CELLS)
        return;
    struct speed_cell *c = &r->cells[r->ncells++];
    c->context = context;
    c->concurrency = concurrency;
    c->left_out = why_not(b, context, concurrency);
    b->steps += c->left_out.n ? 0 : b->wish->runs;
}

static void plan_cells(struct bench *b)
{
    const struct bench_wish *w = b->wish;
    for (size_t i = 0; i < w->ncontexts; i++)
        for (size_t k = 0; k < w->nconcurrency; k++)
            if (!w->corner || i == 0 || k == 0)
                plan_cell(b, w->contexts[i], w->concurrency[k]);
}

static void warn_of_rounds(struct bench *b)
{
    struct speed_report *r = b->report;
    size_t n[SPEED_FLAGS] = { 0 };
    for (size_t i = 0; i < r->nrequests; i++)
        for (size_t k = 0; k < SPEED_FLAGS; k++)
            n[k] += r->requests[i].flags >> k & 1;
    if (n[3])
        speed_warn(r, "%zu requests count for nothing: somebody else was served meanwhile", n[3]);
    if (n[2])
        speed_warn(r, "%zu requests count for nothing: their prompts came out of a cache", n[2]);
    if (n[1])
        speed_warn(r, "%zu requests count for nothing: another place answered", n[1]);
    if (n[0])
        speed_warn(r, "%zu requests count for nothing: they failed", n[0]);
    if (n[6])
        speed_warn(r, "%zu requests count for nothing: the place did not say how many tokens there were", n[6]);
    if (n[4])
        speed_warn(r, "%zu answers were shorter than %lld tokens%s", n[4], (long long)b->wish->tokens, b->tells_engine ? "" : ": this place is not told to go on past the model's end");
    if (n[5])
        speed_warn(r, "%zu prompts were more than 2 %% off the length they should have had", n[5]);
    for (size_t i = 0; i < r->ncells; i++)
        if (!r->cells[i].left_out.n && (int64_t)r->cells[i].counted < b->wish->runs && !r->stopped)
            speed_warn(r, "%lld tokens, %lld at a time: %zu of %lld runs count", (long long)r->cells[i].context, (long long)r->cells[i].concurrency, r->cells[i].counted,
                (long long)b->wish->runs);
}

static void look_at_machine(struct bench *b)
{
    double load[3];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    b->found.load_average = NAN;
    if (b->at->remote || getloadavg(load, 1) != 1)
        return;
    b->found.load_average = load[0];
    if (cores > 0 && load[0] > 0.5 * (double)cores)
        speed_warn(b->report, "the machine was busy when it began: a load of %.1f on %ld cores", load[0], cores);
}

/* This machine's counters say something of what runs on it alone. */
static void open_energy(struct bench *b)
{
    struct speed_report *r = b->report;
    struct energy_opts opts = { .watts = b->wish->watts };
    if (!(b->wish->watts > 0) && (!b->place.here || b->at->remote)) {
        r->energy_why = STR("it runs elsewhere, and what that machine takes is not known here (--watts)");
        return;
    }
    b->energy = energy_open(&opts, clock_mono_ns());
    r->energy_source = arena_copy(&r->memory, energy_source(b->energy));
    r->energy_why = arena_copy(&r->memory, energy_why(b->energy));
    if (!r->energy_source.n && r->energy_why.n)
        r->energy_why = arena_printf(&r->memory, "%.*s (--watts)", STR_ARG(r->energy_why));
}

static enum err_code measure(struct bench *b, struct err *e)
{
    struct speed_report *r = b->report;
    enum err_code rc = bench_look(b->admin, b->wish->model, b->wish->host, &b->memory, &b->place, e);
    if (rc)
        return rc;
    r->model = arena_copy(&r->memory, b->place.model);
    r->host = arena_copy(&r->memory, b->place.host);
    r->began_ms = clock_wall_ms();
    r->tokens = b->wish->tokens;
    r->runs = b->wish->runs;
    b->tells_engine = true;
    look_at_machine(b);
    open_energy(b);
    rc = bench_cold_starts(b, e);
    if (!rc && !bench_interrupted())
        rc = bench_learn_lengths(b, e);
    if (!rc && !bench_interrupted())
        rc = bench_look_now(b, e); /* its context is known once it is loaded */
    if (rc || bench_interrupted())
        return rc;
    plan_cells(b);
    bool go_on = bench_warm_up(b);
    for (size_t i = 0; i < r->ncells && go_on; i++)
        go_on = r->cells[i].left_out.n || bench_run_cell(b, i);
    return ERR_OK;
}

static void set_up(struct bench *b)
{
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    b->dice = dice_of(seed);
    arena_init(&b->memory);
    buf_init(&b->ps, 16 * MIB);
    timer_init(&b->tick, b->loop, bench_on_tick, b);
    timer_init(&b->look, b->loop, bench_on_look, b);
    for (size_t i = 0; i < BENCH_MAX_AT_ONCE; i++) {
        b->flights[i].bench = b;
        buf_init(&b->flights[i].in, MIB);
    }
}

static void clean_up(struct bench *b)
{
    for (size_t i = 0; i < BENCH_MAX_AT_ONCE; i++) {
        struct flight *f = &b->flights[i];
        sse_free(f->sse);
        json_scratch_free(&f->scratch);
        buf_free(&f->body);
        buf_free(&f->in);
        free(f->pieces_ns);
    }
    buf_free(&b->ps);
    energy_close(b->energy);
    http_pool_free(b->pool);
    http_pool_free(b->admin_pool);
    loop_free(b->loop);
    arena_fini(&b->memory);
    free(b);
}

static enum err_code open_pools(struct bench *b, struct err *e)
{
    struct http_pool_opts opts = { .max_idle = BENCH_MAX_AT_ONCE, .idle_ms = 4000, .connect_ms = BENCH_CONNECT_MS };
    enum err_code rc = http_pool_open(b->loop, &b->at->target, &opts, &b->pool, e);
    if (!rc && b->admin->remote)
        return http_pool_open(b->loop, &b->admin->target, &opts, &b->admin_pool, e);
    if (!rc)
        b->admin_pool = http_pool_new(b->loop, &b->admin->target.to, STR("localhost"), &opts);
    return rc;
}

enum err_code bench_measure(const struct door *at, const struct door *admin, const struct bench_wish *w, struct speed_report *out, struct err *e)
{
    struct bench *b = calloc(1, sizeof *b);
    struct sigaction stop = { .sa_handler = on_interrupt }, old_int, old_term;
    if (!b)
        die("out of memory for a measurement");
    *b = (struct bench){ .at = at, .admin = admin, .wish = w, .report = out, .loop = loop_new() };
    interrupted = 0;
    sigaction(SIGINT, &stop, &old_int);
    sigaction(SIGTERM, &stop, &old_term);
    speed_init(out);
    set_up(b);
    enum err_code rc = open_pools(b, e);
    if (!rc)
        rc = measure(b, e);
    out->stopped |= bench_interrupted();
    if (!rc) {
        b->found.build = str_of(b->build);
        b->found.ignore_eos = b->tells_engine;
        b->found.energy = out->energy_source;
        out->settings = bench_settings(w, &b->place, &b->found, at, &out->memory);
        speed_count(out);
        warn_of_rounds(b);
    }
    clean_up(b);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    return rc;
}

struct bench_wish bench_wish_of(struct str model)
{
    return (struct bench_wish){ .model = model, .contexts = { 1024 }, .ncontexts = 1, .concurrency = { 1 }, .nconcurrency = 1, .tokens = 256, .runs = 5 };
}
