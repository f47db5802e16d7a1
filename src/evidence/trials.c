/* Trials under guard. A row is seen when it is committed, or as good as: its place is kept with the guards, so that a gateway that comes after a crash reads the rows behind
 * it and goes on as if nothing had been. */
#include "evidence/swaps_int.h"

#include "base/clock.h"
#include "evidence/baselines.h"
#include "proc/machine.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAVE_MS = 10 * 1000, MISSED_MAX_BYTES = 8 * 1024 * 1024 };
enum { FIRST_SAMPLE_MS = 1000, NO_SAMPLE_MS = 10 * 1000 }; /* after a start; while no candidate has a process. Then every GUARD_SAMPLE_MS */
enum { FEW_REQUESTS = 100 };    /* of the old model on record: a saved baseline with more of them is used */

/* One look at the store, on the pool; lives until it is through, whoever has gone. */
struct trial_job {
    struct swaps *swaps;        /* NULL: they are gone */
    struct work work;
    struct arena arena;
    struct str state;
    bool baseline;              /* else rows since `after` */
    size_t n;
    struct { struct guard_whom old; struct guards *guards; } roles[SWAP_MAX_ROLES];
    struct str source;          /* swap_wish.baseline */
    struct swap_engine engine;  /* whose builds must be there; without a name: none */
    int64_t after, newest;
    struct buf rows;
    enum err_code rc;
    struct err e;
};

/* ---- rows, kept for later: place, length, text ---- */

static void keep_row(struct buf *rows, const struct request_row *r, int64_t at)
{
    struct buf text = { 0 };
    request_pack(r, &text);
    const int64_t head[2] = { at, (int64_t)text.n };
    buf_add(rows, (struct str){ (const char *)head, sizeof head });
    buf_add(rows, buf_str(&text));
    buf_free(&text);
}

static void see(struct swaps *s, const struct request_row *r, int64_t at);

static void see_kept(struct swaps *s, const struct buf *rows)
{
    for (size_t at = 0; at < rows->n;) {
        struct json_doc d = { 0 };
        struct request_row row;
        struct err e;
        int64_t head[2];
        memcpy(head, rows->p + at, sizeof head);
        at += sizeof head;
        if (!request_unpack((struct str){ rows->p + at, (size_t)head[1] }, &d, &row, &e)) {
            see(s, &row, head[0]);
            json_free(&d);
        }
        at += (size_t)head[1];
    }
}

/* ---- on the pool ---- */

static void on_newest_row(void *ctx, const struct request_row *r)
{
    struct trial_job *j = ctx;
    j->newest = r->at > j->newest ? r->at : j->newest;
}

static void on_missed_row(void *ctx, const struct request_row *r)
{
    struct trial_job *j = ctx;
    if (j->rows.n < 8 * (size_t)MISSED_MAX_BYTES)
        keep_row(&j->rows, r, r->at);
}

static enum err_code begin_with_rows(struct store *st, const struct guard_whom *old, struct guards *g, struct err *e)
{
    struct baseline b;
    baseline_begin(&b);
    enum err_code rc = baseline_of_rows(st, old, &b, e);
    if (!rc)
        guards_begin(g, &b);
    baseline_end(&b);
    return rc;
}

static enum err_code not_saved(const struct guard_whom *old, struct err *e)
{
    if (!old->role.n) {
        err_set(e, ERR_NOT_FOUND, "Baselines are saved of roles, and this swap is of an engine.");
        return err_hint(e, "Without --baseline it is held against what its models did in the last 30 days.");
    }
    err_set(e, ERR_NOT_FOUND, "No baseline of '%.*s' is saved.", STR_ARG(old->role));
    return err_hint(e, "`hob swap baseline` lists them; without --baseline the trial is held against the old model's requests of the last 30 days.");
}

/* Which of the two: what was said, else the rows, unless they are few and more is saved, of the same model. */
static enum err_code begin_guards(struct trial_job *j, struct store *st, const struct guard_whom *old, struct guards *g)
{
    bool saved_only = str_eq(j->source, STR("saved")), any = !j->source.n;
    struct baseline none = { .requests = 0 };
    if (str_eq(j->source, STR("none"))) {
        guards_begin(g, &none);
        return ERR_OK;
    }
    enum err_code rc = saved_only ? ERR_OK : begin_with_rows(st, old, g, &j->e);
    if (rc || !(saved_only || (any && g->base_requests < FEW_REQUESTS)))
        return rc;
    struct guards *kept = malloc(sizeof *kept);
    if (!kept)
        die("out of memory for guards");
    bool found = baseline_saved(st, old->role, kept, &j->e);
    if (found && (saved_only || (kept->base_requests > g->base_requests && str_eq(str_of(kept->origin.model), old->model))))
        *g = *kept;
    free(kept);
    return j->e.code ? j->e.code : saved_only && !found ? not_saved(old, &j->e) : ERR_OK;
}

static enum err_code read_baselines(struct trial_job *j, struct store *st)
{
    struct requests_wish newest = { .last = 1 };
    enum err_code rc = st ? requests_read(st, &newest, on_newest_row, j, &j->e) : ERR_OK;
    for (size_t i = 0; i < j->n && !rc; i++)
        rc = begin_guards(j, st, &j->roles[i].old, j->roles[i].guards);
    return rc;
}

static void look(void *ctx)
{
    struct trial_job *j = ctx;
    struct store *st = NULL;
    bool blind = j->baseline && str_eq(j->source, STR("none")); /* then the store need not be well */
    j->rc = j->engine.name.n ? swaps_look_at_builds(&j->engine, &j->e) : ERR_OK;
    if (!j->rc && !blind)
        j->rc = store_open_to_read(j->state, &st, &j->e);
    if (!j->rc && j->baseline)
        j->rc = read_baselines(j, st);
    else if (!j->rc && st)
        j->rc = requests_read(st, &(struct requests_wish){ .after = j->after }, on_missed_row, j, &j->e);
    store_close(st);
}

/* ---- a baseline ---- */

/* Of an engine's swap: all that its model does, whoever asks for it. */
static struct guard_whom whom(const struct swap *w, const struct swap_role *r, struct str model)
{
    return w->engine.name.n ? (struct guard_whom){ STR(""), r->name } : (struct guard_whom){ r->name, model };
}

static void name_origin(struct swaps *s, struct trial_job *j, const struct swap_role *r, struct guards_origin *from)
{
    struct swaps_place place;
    struct str model = s->next->swap.engine.name.n ? r->name : r->from;
    swaps_place_of(s, model, &place);
    if (from->saved_ms) {
        baseline_judge(from, model, place.engine, clock_wall_ms());
        return;
    }
    snprintf(from->source, sizeof from->source, "%s", str_eq(j->source, STR("none")) ? "none" : "rows");
    snprintf(from->model, sizeof from->model, "%.*s", STR_ARG(model));
    snprintf(from->engine, sizeof from->engine, "%s", place.engine);
}

static void take_baselines(struct swaps *s, struct trial_job *j)
{
    size_t at = 0;
    for (size_t i = 0; i < guarded(&s->next->swap); i++) {
        struct swap_role *r = &s->next->swap.roles[i];
        struct buf text = { 0 };
        struct json_out o = json_out(&text);
        if (r->state != SWAP_TRIAL || r->guards.n || at == j->n)
            continue;
        struct guards *g = j->roles[at++].guards;
        name_origin(s, j, r, &g->origin);
        if (g->origin.note[0])
            log_warn("swap %lld, %.*s: the saved baseline is used, though %s", (long long)s->next->swap.id, STR_ARG(r->name), g->origin.note);
        guards_put(g, &o);
        r->guards = arena_copy(&s->next->swap.arena, buf_str(&text));
        r->guards_at = j->newest;
        buf_free(&text);
    }
}

/* ---- after a start ---- */

static void catch_up(struct swaps *s);

static void caught_up(struct swaps *s, struct trial_job *j)
{
    struct trials *t = &s->trials;
    if (j->rc) {
        log_warn("the guards of trials wait for the rows that they have missed: %s", j->e.text);
        timer_set(&t->save, SAVE_MS);
        return;
    }
    see_kept(s, &j->rows);
    see_kept(s, &t->missed);
    buf_free(&t->missed);
    t->behind = false;
}

static void looked(void *ctx)
{
    struct trial_job *j = ctx;
    struct swaps *s = j->swaps;
    if (s)
        s->trials.job = NULL;
    if (s && j->baseline && s->next) {
        if (!j->rc)
            take_baselines(s, j);
        swaps_step_ready(s, j->rc ? &j->e : NULL);
    } else if (s && !j->baseline) {
        caught_up(s, j);
    }
    for (size_t i = 0; i < j->n; i++)
        free(j->roles[i].guards);
    arena_fini(&j->arena);
    buf_free(&j->rows);
    free(j);
}

static struct trial_job *job_new(struct swaps *s, bool baseline)
{
    struct trial_job *j = calloc(1, sizeof *j);
    if (!j)
        die("out of memory for a look at rows");
    arena_init(&j->arena);
    j->swaps = s;
    j->baseline = baseline;
    j->state = arena_copy(&j->arena, s->ops->config(s->ctx)->state);
    work_init(&j->work, look, looked, j);
    s->trials.job = j;
    return j;
}

void trials_baseline(struct swaps *s)
{
    struct trial_job *j = job_new(s, true);
    j->source = arena_copy(&j->arena, s->wish.baseline);
    const struct swap_engine *g = &s->next->swap.engine;
    j->engine = (struct swap_engine){ .name = arena_copy(&j->arena, g->name), .from = arena_copy(&j->arena, g->from), .to = arena_copy(&j->arena, g->to),
        .build_from = arena_copy(&j->arena, g->build_from), .build_to = arena_copy(&j->arena, g->build_to) };
    for (size_t i = 0; i < guarded(&s->next->swap); i++) {
        const struct swap_role *r = &s->next->swap.roles[i];
        if (r->state != SWAP_TRIAL || r->guards.n)
            continue;
        struct guard_whom old = whom(&s->next->swap, r, r->from);
        j->roles[j->n].old = (struct guard_whom){ arena_copy(&j->arena, old.role), arena_copy(&j->arena, old.model) };
        if (!(j->roles[j->n++].guards = calloc(1, sizeof(struct guards))))
            die("out of memory for guards");
    }
    loop_work(s->loop, &j->work);
}

static int64_t least_at(const struct swaps *s)
{
    int64_t least = INT64_MAX;
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        const struct kept *k = list_entry(at, struct kept, node);
        for (size_t i = 0; i < SWAP_MAX_ROLES; i++)
            if (k->runs[i] && k->runs[i]->at < least)
                least = k->runs[i]->at;
    }
    return least;
}

static void catch_up(struct swaps *s)
{
    struct trial_job *j = job_new(s, false);
    j->after = least_at(s);
    loop_work(s->loop, &j->work);
}

/* ---- runs ---- */

static struct trial_run *run_new(const struct swap_role *r)
{
    struct trial_run *run = calloc(1, sizeof *run);
    if (!run)
        die("out of memory for guards");
    run->at = r->guards_at;
    if (guards_read(&run->guards, r->guards))
        return run;
    free(run);
    return NULL; /* nothing to hold it against */
}

static void run_free(struct trial_run *run)
{
    if (run)
        buf_free(&run->text);
    free(run);
}

void kept_runs_free(struct kept *k)
{
    for (size_t i = 0; i < SWAP_MAX_ROLES; i++) {
        run_free(k->runs[i]);
        k->runs[i] = NULL;
    }
}

void trials_refresh(struct kept *k)
{
    for (size_t i = 0; i < guarded(&k->swap); i++) {
        struct trial_run *run = k->runs[i];
        if (!run)
            continue;
        struct json_out o = json_out(&run->text);
        buf_reset(&run->text, 0);
        guards_put(&run->guards, &o);
        k->swap.roles[i].guards = buf_str(&run->text);
        k->swap.roles[i].guards_at = run->at;
    }
}

/* What its role had gone on with while the step was being written goes on. */
static struct trial_run *take_run(struct kept *was, struct str role)
{
    for (size_t i = 0; was && i < guarded(&was->swap); i++)
        if (str_eq(was->swap.roles[i].name, role) && was->swap.roles[i].state == SWAP_TRIAL) {
            struct trial_run *run = was->runs[i];
            was->runs[i] = NULL;
            return run;
        }
    return NULL;
}

void trials_begin(struct swaps *s, struct kept *k, struct kept *was)
{
    for (size_t i = 0; i < guarded(&k->swap); i++) {
        const struct swap_role *r = &k->swap.roles[i];
        if (r->state != SWAP_TRIAL)
            continue;
        k->runs[i] = take_run(was, r->name);
        if (!k->runs[i] && r->guards.n)
            k->runs[i] = run_new(r);
        if (k->runs[i] && !timer_is_set(&s->trials.save))
            timer_set(&s->trials.save, SAVE_MS);
        if (k->runs[i] && !timer_is_set(&s->trials.sample))
            timer_set(&s->trials.sample, FIRST_SAMPLE_MS);
    }
}

void trials_load(struct swaps *s)
{
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next)
        trials_begin(s, list_entry(at, struct kept, node), NULL);
    s->trials.behind = least_at(s) != INT64_MAX;
    if (s->trials.behind)
        catch_up(s);
}

/* ---- rows ---- */

/* While nobody could be reached at a candidate's place nothing was learned of it: the window ends so much later. */
static void lengthen(struct kept *k)
{
    int64_t away_ms = 0;
    for (size_t i = 0; i < guarded(&k->swap); i++)
        if (k->runs[i] && k->swap.roles[i].state == SWAP_TRIAL && guards_away_ms(&k->runs[i]->guards) > away_ms)
            away_ms = guards_away_ms(&k->runs[i]->guards);
    int64_t until_ms = k->swap.from_ms + k->swap.window_ms + away_ms;
    k->swap.until_ms = until_ms > k->swap.until_ms ? until_ms : k->swap.until_ms;
}

static void tell_breach(struct swaps *s, struct kept *k, size_t role, enum guard_kind kind)
{
    struct swap_role *r = &k->swap.roles[role];
    struct buf why = { 0 };
    guards_say(&k->runs[role]->guards, kind, &why);
    log_warn("swap %lld, %.*s: %.*s %s %.*s: %.*s%s", (long long)k->swap.id, STR_ARG(r->name), STR_ARG(r->to),
        kind == GUARD_PLACE ? "cannot go on in the place of" : "is worse than", STR_ARG(r->from), STR_ARG(buf_str(&why)), k->swap.alert_only ? "" : "; it is rolled back");
    if (!k->swap.alert_only)
        swaps_do(s, k->swap.id, &(struct swap_wish){ .step = STEP_BREACH, .role = r->name, .why = buf_str(&why) }, STR("guard"));
    else if (s->ops->told)
        s->ops->told(s->ctx, &k->swap, STEP_BREACH, r->name, buf_str(&why));
    buf_free(&why);
}

static void see(struct swaps *s, const struct request_row *r, int64_t at)
{
    for (struct list *node = s->kept.next; node != &s->kept; node = node->next) {
        struct kept *k = list_entry(node, struct kept, node);
        for (size_t i = 0; i < guarded(&k->swap); i++) {
            struct trial_run *run = k->runs[i];
            const struct swap_role *role = &k->swap.roles[i];
            const struct guard_whom candidate = whom(&k->swap, role, role->to);
            if (!run || at <= run->at)
                continue;
            run->at = at;
            run->changed = true;
            if (k->swap.engine.name.n && (!role->up_ms || r->time_ms < role->up_ms))
                continue; /* the old build has answered it */
            int64_t away_ms = guards_away_ms(&run->guards);
            int breach = guards_see(&run->guards, &candidate, r);
            if (guards_away_ms(&run->guards) != away_ms)
                lengthen(k);
            if (breach >= 0)
                tell_breach(s, k, i, (enum guard_kind)breach);
        }
    }
}

void swaps_row(struct swaps *s, const struct request_row *r, int64_t at)
{
    struct trials *t = &s->trials;
    if (!t->behind)
        see(s, r, at);
    else if (t->missed.n < MISSED_MAX_BYTES)
        keep_row(&t->missed, r, at);
}

/* Now and then what the guards have seen is written, so that little is to be read again. */
static void save(void *ctx)
{
    struct swaps *s = ctx;
    bool any = false;
    if (s->trials.behind && !s->trials.job)
        catch_up(s);
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next) {
        struct kept *k = list_entry(at, struct kept, node);
        for (size_t i = 0; i < guarded(&k->swap); i++) {
            any |= k->runs[i] != NULL;
            k->unwritten |= k->runs[i] && k->runs[i]->changed;
            if (k->runs[i])
                k->runs[i]->changed = false;
        }
    }
    loop_later(s->loop, &s->turn);
    if (any)
        timer_set(&s->trials.save, SAVE_MS);
}

/* ---- memory ---- */

/* What candidates' processes have: the kernel takes its time to say it of large ones, so it is asked on the pool. */
struct memory_job {
    struct swaps *swaps;        /* NULL: they are gone */
    struct work work;
    size_t n;
    struct { int64_t swap; size_t role; int pid; int64_t expected_bytes, bytes; } at[];
};

static void measure(void *ctx)
{
    struct memory_job *j = ctx;
    for (size_t i = 0; i < j->n; i++)
        j->at[i].bytes = machine_process_ram(j->at[i].pid);
}

static struct kept *kept_of(struct swaps *s, int64_t id)
{
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next)
        if (list_entry(at, struct kept, node)->swap.id == id)
            return list_entry(at, struct kept, node);
    return NULL;
}

static void measured(void *ctx)
{
    struct memory_job *j = ctx;
    struct swaps *s = j->swaps;
    if (s)
        s->trials.sampling = NULL;
    for (size_t i = 0; s && i < j->n; i++) {
        struct kept *k = kept_of(s, j->at[i].swap);
        struct trial_run *run = k ? k->runs[j->at[i].role] : NULL;
        if (!run)
            continue;
        run->changed = true;
        if (guards_see_memory(&run->guards, j->at[i].bytes, j->at[i].expected_bytes, clock_wall_ms()) >= 0)
            tell_breach(s, k, j->at[i].role, GUARD_MEMORY);
    }
    free(j);
}

static size_t count_runs(const struct swaps *s)
{
    size_t n = 0;
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next)
        for (size_t i = 0; i < SWAP_MAX_ROLES; i++)
            n += list_entry(at, struct kept, node)->runs[i] != NULL;
    return n;
}

static void add_place(struct swaps *s, struct memory_job *j, const struct kept *k, size_t role)
{
    struct swaps_place place;
    const struct swap_role *r = &k->swap.roles[role];
    if (k->swap.engine.name.n && !r->up_ms)
        return; /* what runs is the old build */
    swaps_place_of(s, whom(&k->swap, r, r->to).model, &place);
    bool blind = str_eq(str_of(k->runs[role]->guards.origin.source), STR("none"));
    if (!blind && place.pid > 0 && place.expected_bytes > 0) {
        j->at[j->n].swap = k->swap.id;
        j->at[j->n].role = role;
        j->at[j->n].pid = place.pid;
        j->at[j->n++].expected_bytes = place.expected_bytes;
    }
}

static void sample(void *ctx)
{
    struct swaps *s = ctx;
    size_t most = count_runs(s);
    if (!most)
        return;
    if (s->trials.sampling) {
        timer_set(&s->trials.sample, GUARD_SAMPLE_MS);
        return;
    }
    struct memory_job *j = calloc(1, sizeof *j + most * sizeof j->at[0]);
    if (!j)
        die("out of memory for a look at memory");
    for (struct list *at = s->kept.next; at != &s->kept; at = at->next)
        for (size_t i = 0; i < guarded(&list_entry(at, struct kept, node)->swap); i++)
            if (list_entry(at, struct kept, node)->runs[i])
                add_place(s, j, list_entry(at, struct kept, node), i);
    timer_set(&s->trials.sample, j->n ? GUARD_SAMPLE_MS : NO_SAMPLE_MS);
    if (!j->n) {
        free(j);
        return;
    }
    j->swaps = s;
    s->trials.sampling = j;
    work_init(&j->work, measure, measured, j);
    loop_work(s->loop, &j->work);
}

void trials_init(struct swaps *s)
{
    timer_init(&s->trials.save, s->loop, save, s);
    timer_init(&s->trials.sample, s->loop, sample, s);
}

void trials_free(struct swaps *s)
{
    if (s->trials.job)
        s->trials.job->swaps = NULL;
    if (s->trials.sampling)
        s->trials.sampling->swaps = NULL;
    timer_cancel(&s->trials.save);
    timer_cancel(&s->trials.sample);
    buf_free(&s->trials.missed);
}
