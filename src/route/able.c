/* Who can serve an ask at all: a row of checks, each with the words for who fails it. The first that fails is why a candidate is skipped; when nobody is left,
 * what the caller hears is what the one failed of that came farthest: it was closest to what was wanted. */
#include "route/decide_int.h"

#include "conf/conf.h"

#include <stdio.h>

struct word {
    unsigned bit;
    const char *name;
};
static const struct word inputs[] = { { INPUT_IMAGE, "image" }, { INPUT_AUDIO, "audio" }, { INPUT_VIDEO, "video" }, { INPUT_FILE, "file" }, { INPUT_TEXT, "text" } };
static const struct word services[] = { { SERVES_CHAT, "chat" }, { SERVES_EMBED, "embeddings" }, { SERVES_RERANK, "reranking" },
    { SERVES_TRANSCRIBE, "transcription" }, { SERVES_SPEECH, "speech" }, { SERVES_IMAGE, "images" } };

static const char *word_for(const struct word *words, size_t n, unsigned bits)
{
    for (size_t i = 0; i < n; i++)
        if (bits & words[i].bit)
            return words[i].name;
    return "such";
}

static const char *service_word(const struct ask *ask)
{
    return word_for(services, COUNTOF(services), (unsigned)ask->serves);
}

static struct str host_of(const struct making *k, size_t model)
{
    enum { SHOWN_BYTES = 40 };
    struct str host = k->c->models[model].host;
    return host.n ? str_make(host.p, host.n < SHOWN_BYTES ? host.n : SHOWN_BYTES) : STR("local");
}

/* ---- the checks ---- */

static enum err_code serves(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    if (k->c->models[model].serves & (unsigned)k->ask->serves)
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "it does not serve %s", service_word(k->ask));
    return ERR_INVALID_REQUEST;
}

static enum err_code takes_input(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    unsigned lacking = k->ask->input & ~place_of(k, model)->input;
    if (!lacking)
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "it takes no %s input", word_for(inputs, COUNTOF(inputs), lacking));
    return ERR_UNSUPPORTED_INPUT;
}

static enum err_code takes_tools(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    if (!k->ask->tools || (place_of(k, model)->can & CAN_TOOLS))
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "it takes no tools");
    return ERR_TOOLS_UNSUPPORTED;
}

static enum err_code takes_schema(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    if (!k->ask->schema || (place_of(k, model)->can & CAN_SCHEMA))
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "it keeps to no schema");
    return ERR_SCHEMA_UNSUPPORTED;
}

/* Tokens are estimated, and may be half as many: who is too small even then is. Who is only a little too small is weighed against the others (decide.c), and
 * who counts is asked. */
static enum err_code takes_length(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    const struct route_place *p = place_of(k, model);
    int64_t context = p->context;
    if (!context || p->counts || k->ask->tokens / 2 <= context)
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "the prompt has about %lld tokens, it takes %lld", (long long)k->ask->tokens, (long long)context);
    return ERR_CONTEXT;
}

static enum err_code is_private_enough(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    if (place_of(k, model)->local || (!k->private && !k->local_only))
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "%s, and '%.*s' is none", k->private ? "what is private stays on local hosts" : "only local hosts may answer",
        STR_ARG(host_of(k, model)));
    return ERR_PRIVATE_NO_PLACE;
}

static enum err_code may_go_there(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    if (place_of(k, model)->local || !k->background || k->may_remote)
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "background requests stay on local hosts, and '%.*s' is none", STR_ARG(host_of(k, model)));
    return ERR_NOT_REMOTE;
}

/* For who measures one place of several. */
static enum err_code is_on_host(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    struct str host = k->c->models[model].host;
    if (!k->ask->host.n || str_eq(host.n ? host : STR("local"), k->ask->host))
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "another host was asked for, and it is on '%.*s'", STR_ARG(host_of(k, model)));
    return ERR_MODEL_NOT_FOUND;
}

static enum err_code may_go_on(const struct making *k, size_t model, char reason[REASON_BYTES])
{
    const struct conf_host *h = conf_host(k->c, k->c->models[model].host);
    if (k->ask->hops < ASK_MOST_HOPS || !h || h->kind != HOST_HOB)
        return ERR_OK;
    snprintf(reason, REASON_BYTES, "the request comes from another hob, and '%.*s' is one, too", STR_ARG(host_of(k, model)));
    return ERR_LOOP;
}

enum err_code able_check(const struct making *k, size_t model, size_t *passed, char reason[REASON_BYTES])
{
    static enum err_code (*const checks[])(const struct making *k, size_t model, char reason[REASON_BYTES]) = {
        serves, takes_input, takes_tools, takes_schema, takes_length, is_private_enough, may_go_there, may_go_on, is_on_host,
    };
    enum err_code rc = ERR_OK;
    for (*passed = 0; *passed < COUNTOF(checks); ++*passed)
        if ((rc = checks[*passed](k, model, reason)))
            return rc;
    return ERR_OK;
}

void able_skip(struct making *k, size_t model, struct str tier, enum err_code code, const char *reason)
{
    if (k->skips->n == ROUTE_MAX_SKIPPED)
        return;
    struct skipped *to = &k->skips->at[k->skips->n++];
    to->model = model;
    to->tier = tier;
    to->code = code;
    snprintf(to->reason, sizeof to->reason, "%s", reason);
}

void able_skip_failed(struct making *k, size_t model, struct str tier, enum err_code code, size_t passed, const char *reason)
{
    able_skip(k, model, tier, code, reason);
    if (passed + 1 <= k->passed)
        return;
    k->passed = passed + 1;
    k->failed = code;
    k->failed_model = model;
}

/* ---- nobody can ---- */

/* Is there anybody behind this role who could? */
static bool role_could(const struct making *k, const struct conf_role *r)
{
    char reason[REASON_BYTES];
    size_t passed;
    struct str ignored;
    size_t last = k->too_long ? 0 : r->fallback.n; /* too long for its first is too long for it */
    for (size_t i = 0; i <= last; i++) {
        const struct conf_model *m = conf_meant(k->c, i ? r->fallback.at[i - 1] : r->model, &ignored);
        if (m && !able_check(k, (size_t)(m - k->c->models), &passed, reason))
            return true;
    }
    return false;
}

/* "Roles that do: vision, all." or, without one, what to do. */
static enum err_code hint_roles(const struct making *k, struct err *e, const char *otherwise)
{
    char names[128] = "";
    size_t n = 0;
    for (size_t i = 0; i < k->c->nroles; i++) {
        struct str name = k->c->roles[i].name;
        if (!role_could(k, &k->c->roles[i]) || n + name.n + 3 > sizeof names)
            continue;
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", n ? ", " : "", STR_ARG(name));
    }
    return n ? err_hint(e, "Ask for a role that can: %s.", names) : err_hint(e, "%s", otherwise);
}

static enum err_code refuse_length(const struct making *k, struct str name, size_t model, struct err *e)
{
    k->out->window = place_of(k, model)->context;
    err_set(e, ERR_CONTEXT, "The prompt has about %lld tokens, and '%.*s' takes %lld.", (long long)k->ask->tokens, STR_ARG(name),
        (long long)k->out->window);
    hint_roles(k, e, "Shorten it, or ask a model with a larger context: GET /v1/models shows them.");
    return err_param(e, k->ask->task == TASK_CHAT ? "messages" : k->ask->task == TASK_TEXT ? "prompt" : "input");
}

static enum err_code refuse_private(const struct making *k, struct str name, struct err *e)
{
    if (k->private)
        err_set(e, ERR_PRIVATE_NO_PLACE, "This request is private, and no place that is local can answer for '%.*s'.", STR_ARG(name));
    else
        err_set(e, ERR_PRIVATE_NO_PLACE, "Only local places may answer for '%.*s', and none that is can.", STR_ARG(name));
    return err_hint(e, "A model on this machine, or on a host with `local: true`, can take it; `hob route explain` shows who was left out.");
}

enum err_code able_refuse(const struct making *k, struct str name, struct err *e)
{
    const struct ask *ask = k->ask;
    if (k->too_long)
        return refuse_length(k, name, k->skips->at[0].model, e);
    if (k->failed == ERR_UNSUPPORTED_INPUT) {
        unsigned lacking = ask->input & ~place_of(k, k->failed_model)->input;
        err_set(e, k->failed, "'%.*s' takes no %s input.", STR_ARG(name), word_for(inputs, COUNTOF(inputs), lacking));
        hint_roles(k, e, "Ask a model whose `input:` in the configuration names it, or send text only.");
        return err_param(e, "messages");
    }
    if (k->failed == ERR_TOOLS_UNSUPPORTED) {
        err_set(e, k->failed, "'%.*s' takes no tools.", STR_ARG(name));
        hint_roles(k, e, "Ask a model that takes them (`hob models` says which do), or offer none.");
        return err_param(e, "tools");
    }
    if (k->failed == ERR_SCHEMA_UNSUPPORTED) {
        err_set(e, k->failed, "'%.*s' keeps to no schema.", STR_ARG(name));
        hint_roles(k, e, "Ask a model whose `capabilities:` in the configuration name schema, or ask for text.");
        return err_param(e, "response_format");
    }
    if (k->failed == ERR_CONTEXT)
        return refuse_length(k, name, k->failed_model, e);
    if (k->failed == ERR_PRIVATE_NO_PLACE)
        return refuse_private(k, name, e);
    if (k->failed == ERR_NOT_REMOTE) {
        err_set(e, k->failed, "Background requests stay on local hosts, and '%.*s' is on none.", STR_ARG(name));
        return err_hint(e, "A rule under `routes:` with `remote: yes` lets them go elsewhere.");
    }
    if (k->failed == ERR_LOOP) {
        err_set(e, k->failed, "The request comes from another hob, and '%.*s' is on one, too: it would go on for ever if they name each other.", STR_ARG(name));
        return err_hint(e, "Name the host that has the model itself, at the first hob.");
    }
    if (k->failed == ERR_MODEL_NOT_FOUND) {
        err_set(e, k->failed, "'%.*s' is not on the host '%.*s', which `x-hob-host` asks for.", STR_ARG(name), ask->host.n < 60 ? (int)ask->host.n : 60, ask->host.p);
        return err_hint(e, "`hob models` shows where it is; what runs here is on `local`.");
    }
    err_set(e, ERR_INVALID_REQUEST, "'%.*s' does not serve %s.", STR_ARG(name), service_word(ask));
    err_hint(e, "GET /v1/models lists what each model serves.");
    return err_param(e, "model");
}
