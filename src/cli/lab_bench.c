/* A lab, a measurement, and its figures. */
#include "cli/lab_bench.h"

#include "cli/assume.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

/* A client that the machine let wait has its pieces all at once; the engine's clock does not care. */
static void take_rates(const struct speed_report *r, const struct speed_cell *cell, struct lab_figures *out)
{
    out->prompt_tps = cell->prompt_tps;
    out->answer_tps = cell->generation_tps;
    for (size_t i = 0; i < r->nrequests; i++) {
        const struct speed_request *q = &r->requests[i];
        if (q->flags & SPEED_LEAVES_OUT || q->engine.predicted_n < 2 || !(q->engine.predicted_ms > 0) || !(q->engine.prompt_ms > 0))
            continue;
        out->prompt_tps = 1000.0 * (double)q->engine.prompt_n / q->engine.prompt_ms;
        out->answer_tps = 1000.0 * (double)q->engine.predicted_n / q->engine.predicted_ms;
    }
}

static void take_machine(const struct speed_report *r, struct lab_figures *out)
{
    struct json_doc d = { 0 };
    struct err e;
    if (r->settings.n && !json_parse(&d, r->settings, &e))
        snprintf(out->machine, sizeof out->machine, "%.*s", STR_ARG(json_str(yyjson_obj_get(d.root, "machine"))));
    json_free(&d);
}

static enum err_code take(const struct speed_report *r, struct lab_figures *out, struct err *e)
{
    const struct speed_cell *cell = speed_first(r);
    out->stopped = r->stopped;
    out->memory_bytes = r->memory_bytes;
    speed_put(r, STR(""), &out->report);
    take_machine(r, out);
    if (r->ncolds && r->colds[0].total_ms >= 0)
        out->cold_ms = r->colds[0].total_ms;
    if (cell) {
        take_rates(r, cell, out);
        out->ttft_ms = cell->ttft_ms.p50;
    }
    if (out->stopped || (out->prompt_tps > 0 && out->answer_tps > 0))
        return ERR_OK;
    return err_set(e, ERR_UP_GARBLED, "nothing of it counts%s%.*s", r->nwarnings ? ": " : "", STR_ARG(r->nwarnings ? r->warnings[0] : STR("")));
}

int lab_find_model(const struct cli_args *a, struct str name, const char *only_such, struct config **config, const struct conf_model **out)
{
    struct str role;
    struct err e;
    int code = cli_load_config(a, config);
    if (!code && assume_models(config, false, NULL, &e)) {
        cli_error(&e);
        code = EXIT_USAGE;
    }
    if (code)
        return code;
    *out = conf_meant(*config, name, &role);
    if (*out && (*out)->file.n && (*out)->serves & SERVES_CHAT)
        return EXIT_OK;
    if (!*out)
        fprintf(stderr, "hob: there is no model '%.*s': `hob models` lists them\n", STR_ARG(name));
    else if (!(*out)->file.n)
        fprintf(stderr, "hob: '%.*s' is not run by an engine of this machine: only what has a `file:` %s\n", STR_ARG(name), only_such);
    else
        fprintf(stderr, "hob: '%.*s' serves no chat: what is measured are chats\n", STR_ARG(name));
    return EXIT_USAGE;
}

static bool has_daemon(const struct lab_wish *w)
{
    static const struct question q = { .method = "GET", .path = "/hob/v1/models", .connect_ms = 300, .answer_ms = 10 * 1000 };
    struct answer got = { 0 };
    struct door door;
    struct err e;
    if (door_find(w->args, w->config, &door, &e) || door_ask(&door, &q, &got, &e))
        return false;
    buf_free(&got.body);
    return got.status == 200;
}

int lab_pair(const struct lab *l, const struct lab_wish *w, struct str suite, struct str old, struct str new, struct eval_pair *out)
{
    bool kept = has_daemon(w);
    int code = eval_pair_in(lab_args(l), kept ? w->args : lab_args(l), suite, old, new, out);
    out->run = kept ? out->run : 0;
    return code;
}

enum err_code lab_measure(const struct lab_wish *w, int64_t context, int64_t tokens, struct lab_figures *out, struct err *e)
{
    const struct lab_model *m = &w->models[0];
    struct bench_wish wish = bench_wish_of(m->name.n ? m->name : m->model->name);
    struct speed_report r;
    struct lab *lab;
    *out = (struct lab_figures){ .prompt_tps = NAN, .answer_tps = NAN, .ttft_ms = NAN, .cold_ms = NAN, .memory_bytes = -1 };
    signal(SIGINT, SIG_DFL); /* a suite before us has left its own */
    signal(SIGTERM, SIG_DFL);
    enum err_code rc = lab_open(&lab, w, e);
    if (rc)
        return rc;
    wish.contexts[0] = context;
    wish.tokens = tokens;
    wish.runs = 1;
    wish.config = lab_config(lab);
    rc = bench_measure(lab_door(lab), lab_admin(lab), &wish, &r, e);
    if (!rc)
        rc = take(&r, out, e);
    speed_fini(&r);
    lab_close(lab);
    return rc;
}

double lab_seconds(const struct lab_figures *f, int64_t context)
{
    double answer = (double)context / 4, prompt = (double)context - answer;
    return f->prompt_tps > 0 && f->answer_tps > 0 ? prompt / f->prompt_tps + answer / f->answer_tps : NAN;
}
