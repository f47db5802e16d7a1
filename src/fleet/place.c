/* A model's place: what its backend says becomes the schedule's events, its file is looked at, and configurations come and go. */
#include "fleet/fleet_int.h"

#include "conf/conf.h"
#include "model/files.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_LOOK_MS = 1000 };

/* ---- what the configuration says of it ---- */

static bool names(const struct config *c, struct str name, const struct conf_model *m)
{
    struct str role;
    return conf_meant(c, name, &role) == m;
}

/* Among what is kept hot: as roles name them, each role's model before its fallbacks; then as the file has them. */
static size_t order_of(const struct config *c, const struct conf_model *m)
{
    size_t order = 0;
    for (size_t i = 0; i < c->nroles; i++) {
        const struct conf_role *r = &c->roles[i];
        if (names(c, r->model, m))
            return order;
        order++;
        for (size_t k = 0; k < r->fallback.n; k++, order++)
            if (names(c, r->fallback.at[k], m))
                return order;
    }
    return order + (size_t)(m - c->models);
}

static struct sched_settings settings(const struct fleet_place *p)
{
    const struct backend *b = p->b;
    const struct conf_model *m = b->model;
    return (struct sched_settings){
        .name = b->name,
        .managed = b->kind->managed,
        .keep_hot = b->kind->managed && m->keep == KEEP_HOT,
        .slots = b->kind->managed ? b->slots : b->place ? b->place->slots : 0,
        .idle_ms = m->idle_ms,
        .drain_ms = b->config->drain_ms,
        .weight = m->weight,
        .queue_limit = m->queue.limit,
        .age_ms = m->queue.age_ms,
        .deadline_ms = m->queue.deadline_ms,
        .order = order_of(b->config, m),
    };
}

/* ---- the look ---- */

bool place_works(const struct fleet_place *p)
{
    return p->look.parts > 0 || p->file.work.running || p->template.work.running;
}

/* The engine is not asked what it projects: one that does not say loads the model for that. What it really had is known from the first load on, and an
 * estimate that was too small is what the second try after an out-of-memory death is for. */
static void look(void *ctx) /* on the pool */
{
    struct place_look *k = ctx;
    struct identity id;
    char path[4096];
    identity_init(&id);
    snprintf(path, sizeof path, "%.*s", STR_ARG(k->model->file));
    identity_add_file(&id, path);
    identity_hex(&id, k->file);
    k->rc = estimate_model(k->config, k->model, ESTIMATE_PROBE, k->store, &k->estimate, &k->why);
}

static void tell_schedule(struct fleet_place *p)
{
    struct place_look *k = &p->look;
    int64_t now = fleet_now(p->fleet);
    if (!k->rc) {
        p->estimate = k->estimate;
        p->estimated = true;
    }
    if (p->m.state == SCHED_LOOKING && k->rc)
        sched_cannot(&p->m, &k->why, now);
    else if (p->m.state == SCHED_LOOKING)
        sched_looked(&p->m, k->estimate.bytes, now);
    else /* it was taken over, and runs */
        sched_measured(&p->m, !k->rc && p->m.booked_bytes < k->estimate.bytes ? k->estimate.bytes : p->m.booked_bytes, now);
}

/* Removed while the pool had something of it: nobody else tells it to go. */
static void works_no_more(struct fleet_place *p)
{
    if (p->removed)
        loop_later(p->fleet->loop, &p->settle);
    fleet_carry(p->fleet);
}

static void look_part_done(struct fleet_place *p)
{
    struct place_look *k = &p->look;
    if (--k->parts)
        return;
    conf_free(k->config);
    k->config = NULL;
    if (k->again && !p->fleet->stopping) {
        k->again = false;
        place_look(p);
        return;
    }
    k->again = false;
    tell_schedule(p);
    works_no_more(p);
}

static void looked(void *ctx)
{
    look_part_done(list_entry(ctx, struct fleet_place, look));
}

static void budget_looked(void *ctx)
{
    look_part_done(ctx);
}

void place_look(struct fleet_place *p)
{
    struct place_look *k = &p->look;
    struct fleet *f = p->fleet;
    if (k->parts) {
        k->again = true;
        return;
    }
    k->config = conf_hold(p->b->config);
    k->model = p->b->model;
    k->store = f->store;
    k->parts = 1;
    loop_work(f->loop, &k->work);
    if (budget_needs_looks(f->budget)) {
        k->parts++;
        budget_ask(f->budget, &k->budget);
    }
}

void place_fail(struct fleet_place *p, const struct err *why)
{
    struct backend *b = p->b;
    if (b->state != BACKEND_COLD && b->state != BACKEND_FAILED)
        return;
    bool again = b->state == BACKEND_FAILED && strcmp(b->last_error.text, why->text) == 0; /* callers ask as often as they like */
    log_at(again ? LOG_DEBUG : LOG_ERROR, "%.*s: %s%s %s", STR_ARG(b->name), why->text, err_stop(why), why->hint);
    b->last_error = *why;
    backend_enter(b, BACKEND_FAILED);
}

/* ---- has the file changed? ---- */

static void look_at_file(void *ctx) /* on the pool */
{
    struct place_file *k = ctx;
    struct identity id;
    identity_init(&id);
    identity_add_file(&id, k->path);
    identity_hex(&id, k->now);
}

static void file_looked(void *ctx)
{
    struct place_file *k = ctx;
    struct fleet_place *p = list_entry(k, struct fleet_place, file);
    if (p->m.state == SCHED_FAILED && strcmp(k->now, p->look.file) != 0 && !place_works(p)) {
        log_info("%.*s: its file is another now", STR_ARG(p->b->name));
        sched_file_changed(&p->m, fleet_now(p->fleet));
    }
    works_no_more(p);
}

void place_check_file(struct fleet_place *p)
{
    struct place_file *k = &p->file;
    int64_t now = fleet_now(p->fleet);
    if (!p->b->model->file.n || k->work.running || p->look.parts || (k->looked_ms && now - k->looked_ms < FILE_LOOK_MS))
        return;
    k->looked_ms = now;
    snprintf(k->path, sizeof k->path, "%.*s", STR_ARG(p->b->model->file));
    loop_work(p->fleet->loop, &k->work);
}

/* ---- what its template speaks of ---- */

static void look_at_template(void *ctx) /* on the pool */
{
    struct place_template *k = ctx;
    struct model_files f;
    struct err ignored; /* whoever loads it says so */
    if (model_files_open_gguf(k->path, &f, &ignored))
        return;
    k->found = f.chat_template.n > 0;
    if (k->found)
        k->look = template_look(f.chat_template);
    model_files_close(&f);
}

static void template_looked(void *ctx)
{
    struct place_template *k = ctx;
    struct fleet_place *p = list_entry(k, struct fleet_place, template);
    if (k->found && p->b->tools == TRI_UNSAID)
        backend_take_template(p->b, &k->look);
    works_no_more(p);
}

void place_look_at_template(struct fleet_place *p)
{
    struct place_template *k = &p->template;
    const struct conf_model *m = p->b->model;
    if (!m->file.n || !(m->serves & SERVES_CHAT) || p->b->says_can || k->work.running)
        return;
    k->found = false;
    snprintf(k->path, sizeof k->path, "%.*s", STR_ARG(m->file));
    loop_work(p->fleet->loop, &k->work);
}

/* ---- what the backend says ---- */

static struct err own_fault(const struct fleet_place *p)
{
    struct err why = p->b->last_error;
    if (!why.code)
        err_set(&why, ERR_LOAD_FAILED, "The engine of '%.*s' ended by itself.", STR_ARG(p->b->name));
    return why;
}

static void died(struct fleet_place *p)
{
    struct err why = own_fault(p);
    memory_ended(p, &why);
    sched_died(&p->m, &why, fleet_now(p->fleet));
    if (p->m.for_good) /* `hob ps` says, too, what is left to do */
        p->b->last_error = p->m.why;
}

static void ended(struct fleet_place *p, enum backend_state was)
{
    bool told = was == BACKEND_DRAINING || was == BACKEND_WEDGED || p->adopting; /* what an earlier gateway had is no load that failed */
    if (was == BACKEND_COLD || was == BACKEND_FAILED)
        return; /* nothing has run */
    p->stopping = p->adopting = false;
    if (!told) {
        died(p);
        return;
    }
    memory_ended(p, NULL);
    sched_gone(&p->m, fleet_now(p->fleet));
}

static void goes_by_itself(struct fleet_place *p)
{
    struct err why = own_fault(p);
    sched_hung(&p->m, p->adopting ? NULL : &why, fleet_now(p->fleet)); /* what was found and is not as wanted has no fault */
    p->adopting = false;
}

static void hear(struct fleet_place *p, enum backend_state was)
{
    struct backend *b = p->b;
    switch (b->state) {
    case BACKEND_LOADING:
        break;
    case BACKEND_HOT:
        hours_hot(p, p->adopting ? -1 : b->load_ms);
        p->adopting = false;
        sched_answers(&p->m, b->slots, b->load_ms, fleet_now(p->fleet));
        memory_hot(p);
        break;
    case BACKEND_DRAINING:
        if (!p->stopping)
            goes_by_itself(p);
        break;
    case BACKEND_WEDGED:
        sched_wedged(&p->m, &b->last_error, fleet_now(p->fleet));
        break;
    case BACKEND_COLD:
    case BACKEND_FAILED:
        ended(p, was);
        break;
    }
}

static void on_backend(void *ctx, struct backend *b)
{
    struct fleet_place *p = ctx;
    struct fleet *f = p->fleet;
    enum backend_state was = p->was;
    if (b != p->b)
        return;
    p->was = b->state;
    if (b->kind->managed && was != b->state)
        hear(p, was);
    if (f->on_state)
        f->on_state(f->watch_ctx, b);
    turns_later(f);
    fleet_carry(f);
}

static bool is_wanted(void *ctx, const struct backend *b)
{
    struct fleet_place *p = ctx;
    return b == p->b && p->m.nwaiting > 0;
}

struct backend *place_backend(struct fleet_place *p, const struct config *c, size_t model)
{
    struct fleet *f = p->fleet;
    struct backend *b = backend_new(f->loop, c, model, f->services, f->run_dir, on_backend, p);
    b->wanted = is_wanted;
    if (b->place)
        hosts_join(f->hosts, b);
    return b;
}

/* ---- configurations ---- */

void place_configure(struct fleet_place *p, const struct config *c, size_t model)
{
    backend_use_config(p->b, c, model);
    host_reconfigured(p->b);
    struct sched_settings set = settings(p);
    sched_configure(&p->m, &set, fleet_now(p->fleet));
}

void place_change(struct fleet_place *p)
{
    struct sched_settings set = settings(p); /* new ones when it has gone: place_renewed() */
    p->changed = true;
    sched_change(&p->m, &set, fleet_now(p->fleet));
}

void place_renewed(struct fleet_place *p)
{
    p->was = p->b->state;
    p->estimated = false;
    struct sched_settings set = settings(p);
    sched_configure(&p->m, &set, fleet_now(p->fleet));
}

void place_remove(struct fleet_place *p)
{
    p->removed = true;
    p->changed = false;
    turns_forget(p);
    sched_remove(&p->m, fleet_now(p->fleet));
}

static void settle(void *ctx)
{
    struct fleet_place *p = ctx;
    if (p->removed && !p->gone && p->m.told_removed && p->m.state == SCHED_COLD && !place_works(p))
        place_gone(p);
}

/* ---- birth and death ---- */

struct fleet_place *place_new(struct fleet *f, const struct config *c, size_t model)
{
    struct fleet_place *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory for a place");
    p->fleet = f;
    p->holders = 1;
    list_init(&p->wishes);
    list_push(&f->places, &p->node);
    later_init(&p->settle, settle, p);
    work_init(&p->look.work, look, looked, &p->look);
    budget_wait_init(&p->look.budget, budget_looked, p);
    work_init(&p->file.work, look_at_file, file_looked, &p->file);
    work_init(&p->template.work, look_at_template, template_looked, &p->template);
    memory_begin(p);
    p->b = place_backend(p, c, model);
    p->was = p->b->state;
    struct sched_settings set = settings(p);
    sched_add(f->sched, &p->m, &set, fleet_now(f));
    if (f->started)
        place_look_at_template(p);
    return p;
}

void place_free(struct fleet_place *p)
{
    sched_forget(&p->m);
    turns_forget(p);
    memory_end(p);
    budget_leave(&p->look.budget);
    later_cancel(&p->settle);
    backend_free(p->b);
    for (size_t i = 0; i < p->nretired; i++)
        backend_free(p->retired[i]);
    free(p->retired);
    free(p);
}
