/* Before a model is measured: cold starts, and how long a prompt of so many words is. */
#include "cli/bench_int.h"

#include "base/clock.h"

#include <stdio.h>

enum { UNLOAD_MS = 120 * 1000, PROBE_FEW = 16, PROBE_MANY = 80, PROBE_TOKENS = 8, COLD_WORDS = 16 };

static enum err_code flight_failed(const struct bench *b, const char *doing, struct err *e)
{
    const struct flight *f = &b->flights[0];
    if (bench_interrupted())
        return err_set(e, ERR_CALLER_GONE, "It was interrupted.");
    if (f->broken)
        return err_set(e, f->status ? ERR_UP_STATUS : ERR_UP_REFUSED, "%s '%.*s' went wrong: %s", doing, STR_ARG(b->place.model), f->why);
    if (f->prompt_tokens < 0)
        return err_set(e, ERR_UP_GARBLED, "'%.*s' does not say how many tokens a prompt has: no rate could be told.", STR_ARG(b->place.model));
    if (!str_eq(str_of(f->model), b->place.model) || !str_eq(str_of(f->host), b->place.host)) {
        err_set(e, ERR_NO_BACKEND, "%s on %s answers in the place of '%.*s' on '%.*s'.", f->model, f->host, STR_ARG(b->place.model), STR_ARG(b->place.host));
        return err_hint(e, "`hob route explain %.*s` says why.", STR_ARG(b->place.model));
    }
    return ERR_OK;
}

/* Two prompts of different length tell what the template adds, and what a word is. */
enum err_code bench_learn_lengths(struct bench *b, struct err *e)
{
    static const int64_t probes[2] = { PROBE_FEW, PROBE_MANY };
    int64_t tokens[2];
    for (size_t i = 0; i < COUNTOF(probes); i++) {
        bench_fly(b, 1, probes[i], PROBE_TOKENS);
        if (i == 0 && b->flights[0].broken && b->flights[0].status == 400 && b->tells_engine && !b->place.here) {
            b->tells_engine = false; /* a host that wants to know of no such field */
            bench_fly(b, 1, probes[i], PROBE_TOKENS);
        }
        enum err_code rc = flight_failed(b, "Warming up", e);
        if (rc)
            return rc;
        tokens[i] = b->flights[0].prompt_tokens;
    }
    b->per_word = (double)(tokens[1] - tokens[0]) / (double)(PROBE_MANY - PROBE_FEW);
    b->overhead = (double)tokens[0] - b->per_word * PROBE_FEW;
    if (b->per_word < 0.5 || b->per_word > 8)
        return err_set(e, ERR_UP_GARBLED, "'%.*s' counts %lld tokens of %d words and %lld of %d: that is no count.", STR_ARG(b->place.model), (long long)tokens[0], PROBE_FEW,
            (long long)tokens[1], PROBE_MANY);
    return ERR_OK;
}

static enum err_code act(struct bench *b, const char *path, bool pin, struct err *e)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    struct answer got = { 0 };
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, b->place.model);
    if (pin) {
        json_key(&o, STR("pin"));
        json_bool(&o, true);
    }
    json_end_object(&o);
    struct question q = { .method = "POST", .path = path, .body = buf_str(&body) };
    enum err_code rc = door_ask(b->admin, &q, &got, e);
    if (!rc && got.status != 200) {
        struct json_doc d = { 0 };
        struct err none;
        struct str why = json_parse(&d, buf_str(&got.body), &none) ? STR("") : json_str(yyjson_obj_get(yyjson_obj_get(d.root, "error"), "message"));
        rc = err_set(e, ERR_UP_STATUS, "'%.*s' cannot be %s: %.*s", STR_ARG(b->place.model), str_ends(str_of(path), STR("unload")) ? "unloaded" : "loaded", STR_ARG(why));
        json_free(&d);
    }
    buf_free(&got.body);
    buf_free(&body);
    return rc;
}

/* The request that wakes it pays for all: spawn and load as the daemon saw them, the rest is the first token's. */
static enum err_code cold_start(struct bench *b, struct err *e)
{
    struct speed_report *r = b->report;
    struct flight *f = &b->flights[0];
    if (!bench_tell_step(b, "starting cold", 0, 1))
        return ERR_OK;
    bench_fly(b, 1, COLD_WORDS, PROBE_TOKENS);
    enum err_code rc = flight_failed(b, "A cold start of", e);
    if (rc || !f->npieces)
        return rc;
    rc = bench_look_now(b, e);
    double total = (double)(f->pieces_ns[0] - f->sent_ns) / 1e6;
    if (!rc && f->load_ms > 0 && r->ncolds < SPEED_MAX_COLDS)
        r->colds[r->ncolds++] = (struct speed_cold){ .spawn_ms = b->place.spawn_ms, .load_ms = b->place.load_ms, .total_ms = total,
            .first_token_ms = total > (double)f->load_ms ? total - (double)f->load_ms : -1 };
    else if (!rc)
        r->cold_why = STR("somebody else had it loaded meanwhile");
    return rc;
}

/* Until its process is gone: what that takes is no part of a start. */
static enum err_code unload(struct bench *b, struct err *e)
{
    int64_t until = clock_mono_ms() + UNLOAD_MS;
    bool gone = false;
    enum err_code rc = act(b, "/hob/v1/models/unload", false, e);
    while (!rc && !gone && !bench_interrupted() && clock_mono_ms() < until) {
        struct bench_place now;
        struct arena a;
        arena_init(&a);
        rc = bench_look(b->admin, b->place.model, b->place.host, &a, &now, e);
        gone = !rc && str_eq(now.state, STR("cold"));
        arena_fini(&a);
        if (!gone)
            bench_pause_ms(20);
    }
    if (!rc && !gone && !bench_interrupted())
        return err_set(e, ERR_UP_TIMEOUT, "'%.*s' was not unloaded within %d s.", STR_ARG(b->place.model), UNLOAD_MS / 1000);
    return rc;
}

enum err_code bench_cold_starts(struct bench *b, struct err *e)
{
    bool pinned = b->place.pinned;
    enum err_code rc = ERR_OK;
    if (!b->place.here) {
        b->report->cold_why = STR("it runs on a host: when that loads it is its own business");
        return ERR_OK;
    }
    if (!b->place.loaded && !b->wish->colds)
        return cold_start(b, e);
    if (!b->wish->colds)
        b->report->cold_why = STR("it was in memory already, and is only unloaded when that is asked for (--cold)");
    for (int64_t i = 0; i < b->wish->colds && !rc && !bench_interrupted(); i++) {
        rc = unload(b, e);
        if (!rc && !bench_interrupted())
            rc = cold_start(b, e);
    }
    if (!rc && b->wish->colds && pinned)
        rc = act(b, "/hob/v1/models/load", true, e); /* as it was */
    return rc;
}
