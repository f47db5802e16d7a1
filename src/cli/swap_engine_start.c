/* hob swap start ID, of a build of an engine: its models move one after the other, and each is asked one thing at the door that callers use as soon as it is up in the new
 * build. One that does not answer there sends them all back. Broken off, it goes on where it was with the same words. */
#include "cli/swap.h"

#include "base/clock.h"
#include "conf/conf.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 200, TELL_MS = 5 * 1000, UP_MS = 30 * 60 * 1000 };

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

static bool is_silent(yyjson_val *m)
{
    return str_eq(text_at(m, "state"), STR("trial")) && yyjson_is_true(yyjson_obj_get(m, "resident")) && !text_at(m, "smoked").n;
}

/* The first that is up and has not been asked; else the first that is not up yet; NULL: all have answered. */
static yyjson_val *next_of(yyjson_val *swap)
{
    yyjson_val *m, *waits = NULL;
    size_t i, n;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_obj_get(swap, "engine"), "models"), i, n, m) {
        if (is_silent(m) && text_at(m, "up").n)
            return m;
        waits = waits || !is_silent(m) ? waits : m;
    }
    return waits;
}

static int look(const struct cli_args *a, int64_t id, struct buf *body, struct json_doc *d)
{
    char path[64];
    snprintf(path, sizeof path, "/hob/v1/swaps?id=%lld", (long long)id);
    json_free(d);
    buf_free(body);
    return swap_ask(a, "GET", path, STR(""), body, d);
}

static enum swap_question question_for(const struct cli_args *a, struct str model)
{
    struct config *c = NULL;
    enum swap_question q = QUESTION_CHAT;
    if (cli_load_config(a, &c))
        return q; /* who asks next says so */
    const struct conf_model *m = conf_model(c, model);
    if (m && !(m->serves & SERVES_CHAT))
        q = m->serves & SERVES_RERANK ? QUESTION_RERANK : QUESTION_EMBED;
    conf_free(c);
    return q;
}

static int send_back(const struct cli_args *a, int64_t id, struct str model)
{
    struct buf answer = { 0 };
    char why[256];
    snprintf(why, sizeof why, "'%.*s' came up in the new build and did not answer at the public door", STR_ARG(model));
    int code = swap_take_step(a, id, "rollback", STR(""), str_of(why), &answer);
    buf_free(&answer);
    return code;
}

/* EXIT_GATE: it has not answered, and all go back. */
static int smoke(const struct cli_args *a, int64_t id, yyjson_val *m)
{
    struct buf answer = { 0 };
    struct str model = text_at(m, "model");
    int code = swap_ask_model(a, model, question_for(a, model), "all models go back to the old build");
    if (code) {
        int back = send_back(a, id, model);
        return back ? back : code;
    }
    fprintf(stderr, "hob: %.*s answers in the new build\n", STR_ARG(model));
    code = swap_take_step(a, id, "smoke", model, STR(""), &answer);
    buf_free(&answer);
    return code;
}

/* Not in memory, and nobody is about to load it. */
static bool is_cold(const struct cli_args *a, struct str model)
{
    struct buf body = { 0 };
    struct json_doc d = { 0 };
    bool cold = false;
    yyjson_val *b;
    size_t i, n;
    if (!swap_ask(a, "GET", "/hob/v1/ps", STR(""), &body, &d))
        yyjson_arr_foreach(yyjson_obj_get(d.root, "backends"), i, n, b)
            cold = cold || (str_eq(text_at(b, "model"), model) && str_eq(text_at(b, "state"), STR("cold")));
    json_free(&d);
    buf_free(&body);
    return cold;
}

/* Its turn may be long in coming. What was in memory when the swap was planned may have gone since: then asking is what loads it, in the new build. True: it shall be asked. */
static bool wait_for(const struct cli_args *a, struct str model, int64_t until_ms, bool *told)
{
    const struct timespec t = { .tv_nsec = LOOK_MS * 1000000L };
    if (!*told && until_ms - clock_mono_ms() < UP_MS - TELL_MS) {
        *told = true;
        bool cold = is_cold(a, model);
        fprintf(stderr, "hob: %s %.*s in the new build\n", cold ? "loading" : "waiting for", STR_ARG(model));
        if (cold)
            return true;
    }
    nanosleep(&t, NULL);
    return false;
}

/* hob itself has sent it back: the reason is with the model that was it. */
static int tell_fallen(yyjson_val *swap)
{
    yyjson_val *m;
    size_t i, n;
    struct str why = { NULL, 0 };
    yyjson_arr_foreach(yyjson_obj_get(yyjson_obj_get(swap, "engine"), "models"), i, n, m)
        why = why.n ? why : text_at(m, "why");
    fprintf(stderr, "hob: its models are in the old build again: %.*s\n", STR_ARG(why));
    return EXIT_GATE;
}

static int smoke_all(const struct cli_args *a, int64_t id)
{
    struct buf body = { 0 };
    struct json_doc d = { 0 };
    int64_t until_ms = clock_mono_ms() + UP_MS;
    yyjson_val *m = NULL;
    bool told = false;
    int code = look(a, id, &body, &d);
    while (!code && str_eq(text_at(d.root, "state"), STR("trial")) && (m = next_of(d.root))) {
        if (text_at(m, "up").n || wait_for(a, text_at(m, "model"), until_ms, &told)) {
            code = smoke(a, id, m);
            told = false;
            until_ms = clock_mono_ms() + UP_MS;
        } else if (clock_mono_ms() > until_ms) {
            fprintf(stderr, "hob: %.*s is not up in the new build after half an hour: `hob ps` says how it is; the same command goes on\n", STR_ARG(text_at(m, "model")));
            code = EXIT_FAILED;
        }
        code = code ? code : look(a, id, &body, &d);
    }
    if (!code && !str_eq(text_at(d.root, "state"), STR("trial")))
        code = tell_fallen(d.root);
    if (!code)
        code = swap_print(a, buf_str(&body));
    json_free(&d);
    buf_free(&body);
    return code;
}

int swap_start_engine(const struct cli_args *a, int64_t id, yyjson_val *swap, int (*start)(void *ctx, struct buf *answer), void *ctx)
{
    struct buf answer = { 0 };
    yyjson_val *m = str_eq(text_at(swap, "state"), STR("trial")) ? next_of(swap) : NULL;
    int code = m ? EXIT_OK : start(ctx, &answer);
    buf_free(&answer);
    return code ? code : smoke_all(a, id);
}
