/* What is shown, as JSON. The fields are a contract (scripts read them): one may be added, none renamed. */
#include "admin/admin_int.h"

#include "backend/host.h"
#include "base/clock.h"
#include "json/json.h"
#include "route/decide.h"

static void put_str(struct json_out *o, const char *key, struct str value) /* empty = null */
{
    json_key(o, str_of(key));
    json_string_or_null(o, value);
}

static void put_int(struct json_out *o, const char *key, int64_t value) /* negative = null */
{
    json_key(o, str_of(key));
    json_int_or_null(o, value);
}

static void begin(struct json_out *o, const char *key)
{
    json_key(o, str_of(key));
    json_begin_object(o);
}

static void put_strs(struct json_out *o, const char *key, const struct conf_strs *all)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    for (size_t i = 0; i < all->n; i++)
        json_string(o, all->at[i]);
    json_end_array(o);
}

struct word {
    unsigned bit;
    const char *name;
};
static const struct word inputs[] = { { INPUT_TEXT, "text" }, { INPUT_IMAGE, "image" }, { INPUT_AUDIO, "audio" }, { INPUT_VIDEO, "video" },
    { INPUT_FILE, "file" } };
static const struct word services[] = { { SERVES_CHAT, "chat" }, { SERVES_EMBED, "embed" }, { SERVES_RERANK, "rerank" },
    { SERVES_TRANSCRIBE, "transcribe" }, { SERVES_SPEECH, "speech" }, { SERVES_IMAGE, "image" } };
static const struct word abilities[] = { { CAN_TOOLS, "tools" }, { CAN_SCHEMA, "schema" } };

static void add_words(struct json_out *o, unsigned bits, const struct word *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bits & words[i].bit)
            json_string(o, str_of(words[i].name));
}

static void put_inputs(struct json_out *o, const struct conf_model *m)
{
    json_key(o, STR("input"));
    json_begin_array(o);
    add_words(o, m->input, inputs, COUNTOF(inputs));
    json_end_array(o);
}

/* What it serves; and of chats, what may be asked for in them. */
static void put_capabilities(struct json_out *o, const struct backend *b)
{
    const struct conf_model *m = b->model;
    json_key(o, STR("capabilities"));
    json_begin_array(o);
    add_words(o, m->serves, services, COUNTOF(services));
    if (m->serves & SERVES_CHAT)
        add_words(o, backend_can(b), abilities, COUNTOF(abilities));
    json_end_array(o);
}

/* Tokens one request may use: as the engine said, else as configured; 0 in both means nobody knows. */
static int64_t context_of(const struct backend *b)
{
    int64_t known = backend_context(b);
    return known ? known : -1;
}

/* What went wrong last, while it may still matter: the child's own, or what requests there ended in. */
static const struct err *last_error(const struct backend *b, const struct host_figures *h)
{
    enum { FRESH_MS = 10 * 60 * 1000 };
    bool troubled = health_breaker(b) != BREAKER_CLOSED || health_is_refusing(b);
    if (b->last_error.code)
        return &b->last_error;
    if (b->health.last.code && (troubled || clock_wall_ms() - b->health.last_ms < FRESH_MS))
        return &b->health.last;
    return h->error;
}

static void put_error(struct json_out *o, const struct backend *b, const struct host_figures *h)
{
    const struct err *e = last_error(b, h);
    struct buf text = { 0 };
    if (e) {
        buf_add(&text, str_of(e->text));
        if (e->hint[0])
            buf_printf(&text, "%s %s", err_stop(e), e->hint);
    }
    put_str(o, "last_error", buf_str(&text));
    buf_free(&text);
}

/* Where the schedule knows more than the backend: the word for it (NULL: the backend's own), and a flag. */
static const struct {
    const char *word, *flag;
} schedule[SCHED_STATES] = {
    [SCHED_LOOKING] = { "loading", NULL },
    [SCHED_WANTING] = { NULL, "waits_for_memory" },
    [SCHED_LEAVING] = { "draining", NULL },
    [SCHED_RECLAIM] = { "draining", "memory_not_back" },
    [SCHED_FAILED]  = { "failed", NULL },
    [SCHED_WEDGED]  = { "wedged", NULL },
};

static const struct word flags[] = { { BACKEND_PROMPTS_NOT_KEPT, "prompts_not_kept" }, { BACKEND_THINKS_THOUGH_OFF, "thinks_though_off" }, { BACKEND_TRUNCATES, "truncates" } };

/* A host that sleeps has cold models. */
static const char *state_elsewhere(const struct backend *b)
{
    struct host_figures h;
    if (!host_figures(b, &h) || !h.sleep || !health_is_asleep(b))
        return NULL;
    return h.wakes_in_ms >= 0 ? "loading" : "cold";
}

static struct str state_of(const struct backend *b, const struct fleet_figures *f)
{
    const char *word = b->kind->managed ? schedule[f->state].word : state_elsewhere(b);
    return str_of(word ? word : backend_state_name[b->state]);
}

/* Why requests do not go there, besides its breaker. */
static void put_health_flags(struct json_out *o, const struct backend *b, const struct host_figures *h)
{
    const struct {
        bool is;
        const char *flag;
    } all[] = {
        { health_cool_ms(b) > 0, "cooling_down" },
        { health_is_refusing(b) && b->health.refused.code == ERR_UP_AUTH, "key_refused" },
        { health_is_refusing(b) && b->health.refused.code == ERR_UP_MODEL_MISSING, "model_refused" },
        { !h->lists_model, "model_not_listed" },
        { h->reached != NULL, "cap_reached" },
        { h->up == TRI_NO, "host_down" },
    };
    for (size_t i = 0; i < COUNTOF(all); i++)
        if (all[i].is)
            json_string(o, str_of(all[i].flag));
}

static void put_flags(struct json_out *o, const struct backend *b, const struct fleet_figures *f, const struct host_figures *h)
{
    json_key(o, STR("flags"));
    json_begin_array(o);
    if (b->kind->managed && schedule[f->state].flag)
        json_string(o, str_of(schedule[f->state].flag));
    for (size_t i = 0; i < COUNTOF(flags); i++)
        if (b->flags & flags[i].bit)
            json_string(o, str_of(flags[i].name));
    put_health_flags(o, b, h);
    json_end_array(o);
}

/* What was used of its host today, of what may be; null for this machine. */
static void put_spent(struct json_out *o, const struct backend *b, const struct host_figures *h)
{
    json_key(o, STR("today"));
    if (!b->at) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    put_int(o, "tokens", h->spent.tokens);
    put_int(o, "unpriced_tokens", h->spent.unpriced);
    json_key(o, STR("cost"));
    json_double(o, h->spent.money, 6);
    put_int(o, "cap_tokens", h->cap.tokens_day ? h->cap.tokens_day : -1);
    json_key(o, STR("cap_cost"));
    if (h->cap.money_day > 0)
        json_double(o, h->cap.money_day, 6);
    else
        json_null(o);
    json_end_object(o);
}

static void put_host(struct json_out *o, const struct backend *b, const struct host_figures *h)
{
    put_str(o, "breaker", str_of(breaker_state_name[health_breaker(b)]));
    put_int(o, "cooling_ms", health_cool_ms(b) ? health_cool_ms(b) : -1);
    put_str(o, "sleep", str_of(h->sleep));
    put_int(o, "wakes_in_ms", h->wakes_in_ms);
    put_spent(o, b, h);
}

/* How long it took to get into memory: until there was a process, and from there until it answered; null before the first load, and elsewhere. */
static void put_load_times(struct json_out *o, const struct backend *b)
{
    bool loaded = b->kind->managed && b->state == BACKEND_HOT && b->load_ms > 0 && b->spawn_ms >= 0;
    json_key(o, STR("load"));
    if (!loaded) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    put_int(o, "spawn_ms", b->spawn_ms);
    put_int(o, "ready_ms", b->load_ms - b->spawn_ms);
    json_end_object(o);
}

/* How well its draft model guesses; null without one. */
static void put_draft(struct json_out *o, const struct backend *b)
{
    json_key(o, STR("draft"));
    if (!b->model->draft.n) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    put_int(o, "proposed", b->drafted);
    put_int(o, "accepted", b->accepted);
    json_key(o, STR("acceptance"));
    if (b->drafted > 0)
        json_double(o, (double)b->accepted / (double)b->drafted, 3);
    else
        json_null(o);
    json_end_object(o);
}

static void put_backend(struct json_out *o, const struct backend *b, const struct fleet_figures *f, int64_t measured)
{
    int pid = backend_pid(b);
    struct host_figures h = { .wakes_in_ms = -1, .lists_model = true };
    host_figures(b, &h);
    json_begin_object(o);
    put_str(o, "model", b->name);
    put_str(o, "host", b->host);
    put_str(o, "state", state_of(b, f));
    put_str(o, "keep", b->kind->managed ? str_of(b->model->keep == KEEP_HOT ? "hot" : "demand") : STR(""));
    json_key(o, STR("pinned"));
    json_bool(o, f->pinned);
    put_int(o, "pid", pid ? pid : -1);
    put_str(o, "engine", b->kind->managed ? str_of(b->kind->name) : STR("")); /* what runs elsewhere does not say */
    begin(o, "memory");
    put_int(o, "estimated_bytes", f->estimated_bytes);
    put_int(o, "measured_bytes", measured > f->measured_bytes ? measured : f->measured_bytes);
    put_int(o, "booked_bytes", b->kind->managed ? f->booked_bytes : -1);
    json_end_object(o);
    put_str(o, "thinking", str_of(b->model->serves & SERVES_CHAT ? thinks_name[b->think.thinks] : ""));
    put_int(o, "context", context_of(b));
    begin(o, "slots");
    put_int(o, "total", b->slots ? b->slots : -1); /* elsewhere: no limit of ours */
    put_int(o, "used", (int64_t)f->held);
    json_end_object(o);
    begin(o, "queue");
    put_int(o, "depth", (int64_t)f->waiting);
    put_int(o, "oldest_ms", f->oldest_ms);
    put_int(o, "eta_ms", f->eta_ms); /* of who is last in line */
    json_end_object(o);
    put_int(o, "leases", (int64_t)(f->held + f->waiting));
    put_int(o, "idle_ms", f->idle_ms);
    put_host(o, b, &h);
    put_str(o, "deprecated_until", b->model->deprecated);
    put_flags(o, b, f, &h);
    put_load_times(o, b);
    put_draft(o, b);
    put_error(o, b, &h);
    json_end_object(o);
}

static void put_load(struct json_out *o, const struct api_load *l)
{
    begin(o, "memory");
    put_int(o, "limit_bytes", l->memory.limit_bytes ? l->memory.limit_bytes : -1);
    put_int(o, "used_bytes", l->memory.limit_bytes ? l->memory.used_bytes : -1);
    put_int(o, "promised_bytes", l->memory.promised_bytes);
    put_str(o, "level", str_of(overload_level_name[l->memory.level]));
    json_end_object(o);
    begin(o, "connections");
    put_int(o, "open", (int64_t)l->connections.connections);
    put_int(o, "limit", (int64_t)l->connections.limit);
    json_end_object(o);
    begin(o, "requests");
    put_int(o, "running", (int64_t)l->running);
    put_int(o, "limit", (int64_t)l->most_running);
    json_end_object(o);
}

static void put_store(struct json_out *o, const struct store_health *h)
{
    begin(o, "store");
    json_key(o, STR("failing"));
    json_bool(o, h->failing);
    put_int(o, "held_rows", (int64_t)h->held);
    put_str(o, "reason", str_of(h->failing ? h->why : ""));
    json_end_object(o);
}

void view_ps(const struct world *w, const struct fleet_budget *budget, const struct view_gateway *gateway, const int64_t *measured, struct buf *out)
{
    struct json_out o = json_out(out);
    struct fleet_figures figures;
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    json_key(&o, STR("backends"));
    json_begin_array(&o);
    for (size_t i = 0; i < world_config(w)->nmodels; i++) {
        fleet_figures(w, i, &figures);
        put_backend(&o, world_backend(w, i), &figures, measured[i]);
    }
    json_end_array(&o);
    begin(&o, "budget");
    put_int(&o, "total_bytes", budget->total_bytes);
    put_int(&o, "used_bytes", budget->used_bytes);
    put_int(&o, "others_bytes", budget->others_bytes);
    json_end_object(&o);
    if (gateway->load || gateway->store)
        begin(&o, "gateway");
    if (gateway->load)
        put_load(&o, gateway->load);
    if (gateway->store)
        put_store(&o, gateway->store);
    if (gateway->load || gateway->store)
        json_end_object(&o);
    json_end_object(&o);
}

static void put_model(struct json_out *o, const struct backend *b, const struct fleet_figures *f)
{
    const struct conf_model *m = b->model;
    json_begin_object(o);
    put_str(o, "name", m->name);
    put_strs(o, "aliases", &m->aliases);
    put_str(o, "host", b->host);
    put_str(o, "file", m->file);
    put_str(o, "state", state_of(b, f));
    put_int(o, "context", context_of(b));
    put_inputs(o, m);
    put_capabilities(o, b);
    put_strs(o, "replicas", &m->replicas);
    put_str(o, "deprecated_until", m->deprecated);
    put_str(o, "successor", m->successor);
    json_end_object(o);
}

static void put_old_names(struct json_out *o, const struct config *c)
{
    begin(o, "aliases");
    for (size_t i = 0; i < c->naliases; i++) {
        const struct conf_alias *a = &c->aliases[i];
        json_key(o, a->name);
        json_begin_object(o);
        put_str(o, "to", a->to);
        put_str(o, "deprecated_until", a->deprecated);
        put_str(o, "after", a->after == AFTER_REFUSE ? STR("refuse") : STR("serve"));
        json_end_object(o);
    }
    json_end_object(o);
}

void view_models(const struct world *w, struct buf *out)
{
    const struct config *c = world_config(w);
    struct json_out o = json_out(out);
    struct fleet_figures figures;
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    json_key(&o, STR("models"));
    json_begin_array(&o);
    for (size_t i = 0; i < c->nmodels; i++) {
        fleet_figures(w, i, &figures);
        put_model(&o, world_backend(w, i), &figures);
    }
    json_end_array(&o);
    begin(&o, "roles");
    for (size_t i = 0; i < c->nroles; i++) {
        json_key(&o, c->roles[i].name);
        json_begin_object(&o);
        put_str(&o, "model", c->roles[i].model);
        put_strs(&o, "fallback", &c->roles[i].fallback);
        json_key(&o, STR("background"));
        json_bool(&o, c->roles[i].background);
        json_end_object(&o);
    }
    json_end_object(&o);
    begin(&o, "tiers");
    for (size_t i = 0; i < c->ntiers; i++) {
        json_key(&o, c->tiers[i].name);
        json_string(&o, c->tiers[i].model);
    }
    json_end_object(&o);
    put_old_names(&o, c);
    json_key(&o, STR("auto"));
    json_bool(&o, route_has_auto(c));
    json_end_object(&o);
}

void view_done(const struct world *w, size_t model, int64_t took_ms, struct buf *out)
{
    const struct backend *b = world_backend(w, model);
    struct json_out o = json_out(out);
    struct fleet_figures figures;
    fleet_figures(w, model, &figures);
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    put_str(&o, "model", b->name);
    put_str(&o, "host", b->host);
    put_str(&o, "state", state_of(b, &figures));
    put_int(&o, "context", context_of(b));
    json_key(&o, STR("pinned"));
    json_bool(&o, figures.pinned);
    put_int(&o, "took_ms", took_ms);
    json_end_object(&o);
}
