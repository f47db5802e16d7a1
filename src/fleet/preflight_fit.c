/* architecture, fit, context: will the engine run it, and is there room. */
#include "fleet/preflight_int.h"

#include "backend/llama_args.h"
#include "backend/version.h"
#include "proc/machine.h"

#include <stdio.h>

/* ---- architecture ---- */

/* A program of its own tells by its version. */
static void check_program(struct preflight *p, struct preflight_check *out)
{
    struct str wanted = version_wanted(p->m, STR(""));
    char has[VERSION_BYTES];
    struct err e;
    if (!p->m->version_command.n) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "what the program knows is not said");
        fix(out, "name a command that says its version, `version:`, and the lowest that will do, `min_version:`");
    } else if (version_ask(p->m, has, &e)) {
        say_err(out, &e);
        fix(out, "correct `version:`, or install the program");
    } else if (wanted.n && version_compare(str_of(has), wanted) < 0) {
        say(out, PREFLIGHT_NO, "the program's version is %s, and it takes %.*s for this model", has, STR_ARG(wanted));
        fix(out, "install version %.*s or later", STR_ARG(wanted));
    } else {
        say(out, PREFLIGHT_YES, "the program's version is %s%s%.*s", has, wanted.n ? ", enough for " : "", STR_ARG(wanted));
    }
}

void check_architecture(struct preflight *p, struct preflight_check *out)
{
    struct engine g;
    struct err e = { 0 };
    if (p->m->command.n) {
        check_program(p, out);
        return;
    }
    if (!is_model(p, out))
        return;
    if (p->files.safetensors) {
        say(out, PREFLIGHT_NO, "hob's engines read GGUF; this is safetensors");
        fix(out, "get or make the GGUF, or give the model a `command:` that serves it");
        return;
    }
    if (engine_find(p->c, p->m->engine, &g, &e)) {
        say_err(out, &e);
        return;
    }
    struct str name = p->files.first.architecture;
    switch (engine_knows(&g, name, p->ask->store)) {
    case PROBE_KNOWN:
        say(out, PREFLIGHT_YES, "the engine '%.*s' knows '%.*s'", STR_ARG(g.name), STR_ARG(name));
        break;
    case PROBE_UNKNOWN:
        (void)engine_refuse(p->c, &g, name, p->ask->store, &e);
        say_err(out, &e);
        break;
    case PROBE_UNCLEAR:
        say(out, PREFLIGHT_NOT_APPLICABLE, "the engine '%.*s' did not say whether it knows '%.*s'", STR_ARG(g.name), STR_ARG(name));
        fix(out, "try it: hob preflight --load");
        break;
    }
}

/* ---- fit ---- */

static const char *show(int64_t bytes, char out[32])
{
    if (bytes >= (int64_t)10 << 30)
        snprintf(out, 32, "%.0f GiB", (double)bytes / (double)GIB);
    else if (bytes >= (int64_t)1 << 30)
        snprintf(out, 32, "%.1f GiB", (double)bytes / (double)GIB);
    else
        snprintf(out, 32, "%lld MiB", (long long)((bytes + (int64_t)MIB / 2) / (int64_t)MIB));
    return out;
}

/* What others keep, whom nothing evicts. */
struct kept {
    int64_t bytes;
    struct buf who;
};

static void keep(struct kept *k, struct str name, int64_t bytes)
{
    char text[32];
    if (bytes <= 0)
        return;
    k->bytes = __builtin_add_overflow(k->bytes, bytes, &k->bytes) ? INT64_MAX : k->bytes;
    buf_printf(&k->who, "%s%.*s %s", k->who.n ? ", " : "", STR_ARG(name), show(bytes, text));
}

static void collect_kept(struct preflight *p, struct kept *k)
{
    const struct preflight_daemon *d = p->ask->daemon;
    struct estimate est;
    struct err ignored;
    for (size_t i = 0; d && i < d->n; i++)
        if (d->at[i].stays && !str_eq(d->at[i].model, p->m->name))
            keep(k, d->at[i].model, d->at[i].bytes);
    for (size_t i = 0; !d && i < p->c->nmodels; i++) {
        const struct conf_model *m = &p->c->models[i];
        if (m->keep == KEEP_HOT && !m->host.n && !str_eq(m->name, p->m->name) && !estimate_model(p->c, m, ESTIMATE_CACHED, p->ask->store, &est, &ignored))
            keep(k, m->name, est.bytes);
    }
}

static int64_t budget_of(struct preflight *p)
{
    struct machine here;
    if (p->ask->daemon && p->ask->daemon->total_bytes >= 0)
        return p->ask->daemon->total_bytes;
    if (p->c->budget_bytes)
        return p->c->budget_bytes;
    machine_look("", &here);
    return here.models_free > p->c->reserve_bytes ? here.models_free - p->c->reserve_bytes : 0;
}

/* What context would fit, where it is the context that decides; 0: none. What was seen beyond the arithmetic, and what goes along, stays as it is. */
static int64_t context_that_fits(const struct preflight *p, const struct estimate *est, int64_t free)
{
    int64_t besides = est->bytes - est->terms.total + est->terms.extras;
    if (!p->shaped || est->source == FIT_GIVEN || free <= besides)
        return 0;
    int64_t context = fit_largest_context(&p->shape, NULL, &est->ask, free - besides);
    return context < est->ask.context ? context : 0;
}

static void say_too_large(struct preflight *p, const struct estimate *est, int64_t total, const struct kept *k, struct preflight_check *out)
{
    char need[32], all[32];
    int64_t free = total > k->bytes ? total - k->bytes : 0;
    show(est->bytes, need);
    show(total, all);
    if (est->bytes > total)
        say(out, PREFLIGHT_NO, "it needs %s (%s), and %s are for models: it cannot fit, whatever goes", need, fit_source_basis[est->source], all);
    else
        say(out, PREFLIGHT_NO, "it needs %s (%s); of the %s for models others keep %.*s", need, fit_source_basis[est->source], all,
            STR_ARG(buf_str(&k->who)));
    int64_t context = context_that_fits(p, est, free);
    if (context)
        fix(out, "set `context: %lld`, or take a smaller quantisation%s", (long long)context, k->bytes ? ", or `keep: demand` for another" : "");
    else
        fix(out, "take a smaller quantisation or another model%s", k->bytes ? ", or `keep: demand` for another" : "");
}

/* It fits; that is not to say that it should be used so. */
static void say_fits(struct preflight *p, const struct estimate *est, int64_t total, const struct kept *k, struct preflight_check *out)
{
    struct fit_warning warnings[FIT_MAX_WARNINGS];
    struct buf text = { 0 };
    char need[32], all[32];
    buf_printf(&text, "it needs %s (%s) of %s for models", show(est->bytes, need), fit_source_basis[est->source], show(total, all));
    if (k->who.n)
        buf_printf(&text, "; others keep %.*s", STR_ARG(buf_str(&k->who)));
    size_t n = p->shaped && est->terms.total
        ? fit_warnings(&p->shape, &est->ask, &est->terms, total > k->bytes ? total - k->bytes : 1, p->ask->role, warnings) : 0;
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%s", i ? " " : ". But: ", warnings[i].text);
    say(out, PREFLIGHT_YES, "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

void check_fit(struct preflight *p, struct preflight_check *out)
{
    struct estimate est;
    struct kept kept = { 0 };
    struct err e = { 0 };
    if ((p->m->host.n || p->m->file.n) && !is_model(p, out))
        return;
    if (p->m->file.n && p->files.safetensors) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "what it needs is up to the program that runs it");
        fix(out, "`hob fit` reckons it by its files");
        return;
    }
    enum err_code rc = estimate_model(p->c, p->m, ESTIMATE_PROBE, p->ask->store, &est, &e);
    int64_t total = rc ? -1 : budget_of(p);
    if (rc == ERR_UNKNOWN_ARCHITECTURE || rc == ERR_ENGINE_MISSING) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "there is no engine that would run it");
    } else if (rc == ERR_WEIGHTS_MISSING || rc == ERR_WEIGHTS_BROKEN) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "a file that goes along with it could not be read");
    } else if (rc) {
        say_err(out, &e);
    } else if (est.source == FIT_UNKNOWN) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "what the program needs is learned at its first load");
        fix(out, "say it with `memory:`");
    } else if (total < 0) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "the memory of this machine is not known");
        fix(out, "say it with `budget: {memory: …}`");
    } else {
        collect_kept(p, &kept);
        if (est.bytes > total - (kept.bytes < total ? kept.bytes : total))
            say_too_large(p, &est, total, &kept, out);
        else
            say_fits(p, &est, total, &kept, out);
        buf_free(&kept.who);
    }
}

/* ---- context ---- */

static void after_load(struct preflight *p, struct preflight_check *out)
{
    long long asked = (long long)p->m->context, given = (long long)p->ask->loaded_context;
    if (p->ask->load_error)
        say(out, PREFLIGHT_NO, "the trial load failed: %s", p->ask->load_error);
    else if (given < asked)
        say(out, PREFLIGHT_NO, "%lld tokens are asked for, the engine gives %lld", asked, given);
    else
        say(out, PREFLIGHT_YES, "the engine gives %lld tokens, as it says after a trial load", given);
}

void check_context(struct preflight *p, struct preflight_check *out)
{
    long long asked = (long long)p->m->context, trained = p->shaped ? (long long)p->shape.context_train : 0;
    if (p->ask->load_error || p->ask->loaded_context) {
        after_load(p, out);
        return;
    }
    if (!p->shaped && asked) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "%lld tokens are configured; what the model can take is not known here", asked);
    } else if (!p->shaped) {
        has_header(p, out);
        if (!out->detail[0])
            say(out, PREFLIGHT_NOT_APPLICABLE, "what the model can take is not known here");
    } else if (!trained) {
        say(out, PREFLIGHT_YES, "%lld tokens; the file does not say what it was trained for", asked ? asked : (long long)LLAMA_DEFAULT_CONTEXT);
    } else if (asked > trained) {
        say(out, PREFLIGHT_NO, "%lld tokens are asked for, it was trained for %lld", asked, trained);
        fix(out, "set `context: %lld` or less", trained);
    } else {
        long long used = asked ? asked : trained < LLAMA_DEFAULT_CONTEXT ? trained : LLAMA_DEFAULT_CONTEXT;
        say(out, PREFLIGHT_YES, "%lld tokens of the %lld it was trained for", used, trained);
    }
}
