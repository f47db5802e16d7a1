/* hob swap start, promote, rollback, retire. Before a start each candidate is asked one thing at the door that callers use. */
#include "cli/swap.h"

#include "api/question.h"
#include "cli/ask.h"
#include "cli/numbers.h"
#include "evidence/averages.h"

#include <stdio.h>

enum { LOAD_MS = 30 * 60 * 1000 };
static const int64_t second_ms = 1000, year_ms = 365ll * 86400 * 1000;

struct step {
    int64_t id;
    const char *name;
    struct str role, why;
    bool force, early;
    int64_t window_ms, idle_ms;
    double share;
    struct str baseline;
};

static int take(const struct cli_args *a, const struct step *s, struct buf *answer)
{
    struct buf body = { 0 };
    struct json_out o = json_out(&body);
    json_begin_object(&o);
    json_key(&o, STR("id"));
    json_int(&o, s->id);
    json_key(&o, STR("step"));
    json_string(&o, str_of(s->name));
    json_key(&o, STR("role"));
    json_string(&o, s->role);
    json_key(&o, STR("why"));
    json_string(&o, s->why);
    json_key(&o, STR("force"));
    json_bool(&o, s->force);
    json_key(&o, STR("early"));
    json_bool(&o, s->early);
    if (s->window_ms) {
        json_key(&o, STR("window_ms"));
        json_int(&o, s->window_ms);
    }
    if (s->share > 0) {
        json_key(&o, STR("share"));
        json_double(&o, s->share, 6);
    }
    json_key(&o, STR("baseline"));
    json_string(&o, s->baseline);
    if (s->idle_ms) {
        json_key(&o, STR("idle_ms"));
        json_int(&o, s->idle_ms);
    }
    json_end_object(&o);
    int code = swap_ask(a, "POST", "/hob/v1/swaps/step", buf_str(&body), answer, NULL);
    buf_free(&body);
    return code;
}

static int read_step(const struct cli_args *a, const struct str *words, const char *name, struct step *s)
{
    *s = (struct step){ .name = name, .role = cli_option_value(a, "--role"), .why = cli_option_value(a, "--why"), .force = cli_flag(a, "--force"), .early = cli_flag(a, "--early") };
    int code = swap_number(words[0], &s->id);
    if (!code)
        code = option_duration(a, "--window", second_ms, year_ms, &s->window_ms);
    return code ? code : option_share(a, "--share", &s->share);
}

static int take_and_print(const struct cli_args *a, const struct step *s)
{
    struct buf answer = { 0 };
    int code = take(a, s, &answer);
    if (!code)
        code = swap_print(a, buf_str(&answer));
    buf_free(&answer);
    return code;
}

/* ---- smoke ---- */

static void put_smoke(struct buf *body, struct str model, enum swap_question kind)
{
    struct json_out o = json_out(body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, model);
    if (kind == QUESTION_EMBED) {
        json_key(&o, STR("input"));
        json_string(&o, STR("Hello."));
    } else if (kind == QUESTION_RERANK) {
        json_key(&o, STR("query"));
        json_string(&o, STR("hello"));
        json_key(&o, STR("documents"));
        json_raw(&o, STR("[\"Hello.\",\"Stones.\"]"));
    } else {
        json_key(&o, STR("max_tokens"));
        json_int(&o, 16);
        question_put_chat(&o, STR("Say hello."));
    }
    json_end_object(&o);
}

/* It has answered, and nobody in its place. */
static bool is_its_own(struct str body, struct str model, enum swap_question kind)
{
    struct json_doc d = { 0 };
    struct err e;
    bool own = !json_parse(&d, body, &e);
    struct str who = json_str(yyjson_obj_get(yyjson_obj_get(d.root, "_routing"), "model"));
    own = own && (str_eq(who, model) || (kind != QUESTION_CHAT && !who.n));
    json_free(&d);
    return own;
}

int swap_ask_model(const struct cli_args *a, struct str model, enum swap_question kind, const char *then)
{
    static const char *const paths[] = { [QUESTION_CHAT] = "/v1/chat/completions", [QUESTION_EMBED] = "/v1/embeddings", [QUESTION_RERANK] = "/v1/rerank" };
    struct config *c = NULL;
    struct door door;
    struct buf body = { 0 }, headers = { 0 };
    struct answer got = { 0 };
    struct err e;
    int code = cli_load_config(a, &c);
    if (code)
        return code;
    put_smoke(&body, model, kind);
    enum err_code rc = daemon_find(c, &door, &e);
    if (!rc) {
        buf_lit(&headers, "x-hob-wait: true\r\nx-client-request-id: " MEASURED_EVAL_ID "smoke\r\n"); /* nobody's own: it is left out of averages */
        daemon_put_key(&door, &headers);
        struct question q = { .method = "POST", .path = paths[kind], .body = buf_str(&body), .headers = buf_str(&headers), .answer_ms = LOAD_MS };
        rc = door_ask(&door, &q, &got, &e);
    }
    if (rc) {
        cli_error(&e);
        code = EXIT_FAILED;
    } else if (got.status != 200 || !is_its_own(buf_str(&got.body), model, kind)) {
        fprintf(stderr, "hob: %.*s does not answer at the public door (%d): %s\n", STR_ARG(model), got.status, then);
        fprintf(stderr, "hob: `hob run %.*s hello` shows why\n", STR_ARG(model));
        code = EXIT_GATE;
    }
    conf_free(c);
    buf_free(&body);
    wipe(headers.p, headers.n);
    buf_free(&headers);
    buf_free(&got.body);
    return code;
}

static int smoke_role(const struct cli_args *a, const struct step *start, yyjson_val *role)
{
    struct step smoke = { .id = start->id, .name = "smoke", .role = json_str(yyjson_obj_get(role, "role")) };
    struct buf answer = { 0 };
    if (start->role.n && !str_eq(start->role, smoke.role))
        return EXIT_OK;
    enum swap_question kind = str_starts(smoke.role, STR("embed")) ? QUESTION_EMBED : QUESTION_CHAT;
    int code = swap_ask_model(a, json_str(yyjson_obj_get(role, "to")), kind, "nothing was started; --force --why TEXT starts all the same");
    if (!code)
        code = take(a, &smoke, &answer);
    buf_free(&answer);
    return code;
}

static int smoke(const struct cli_args *a, const struct step *start, yyjson_val *swap)
{
    size_t i, n;
    yyjson_val *role;
    int code = EXIT_OK;
    yyjson_arr_foreach(yyjson_obj_get(swap, "roles"), i, n, role)
        if (!code)
            code = smoke_role(a, start, role);
    return code;
}

int swap_take_step(const struct cli_args *a, int64_t id, const char *step, struct str role, struct str why, struct buf *answer)
{
    return take(a, &(struct step){ .id = id, .name = step, .role = role, .why = why }, answer);
}

/* ---- the steps ---- */

/* A shadow needs no smoke request: it asks the candidate itself, and nobody hears the answer. */
int swap_shadow(const struct cli_args *a, int64_t id, struct buf *answer)
{
    struct step s = { .id = id, .name = "shadow", .role = cli_option_value(a, "--role"), .why = cli_option_value(a, "--why") };
    if (str_find(s.role, STR("=")) >= 0) /* a plan's: all of it */
        s.role = STR("");
    int code = option_share(a, "--shadow", &s.share);
    if (!code)
        code = option_duration(a, "--idle", 1, 86400 * second_ms, &s.idle_ms);
    return code ? code : take(a, &s, answer);
}

static int begin_shadow(const struct cli_args *a, int64_t id)
{
    struct buf answer = { 0 };
    int code = swap_shadow(a, id, &answer);
    if (!code)
        code = swap_print(a, buf_str(&answer));
    buf_free(&answer);
    return code;
}

struct starting {
    const struct cli_args *args;
    struct step step;
};

static int take_start(void *ctx, struct buf *answer)
{
    struct starting *s = ctx;
    return take(s->args, &s->step, answer);
}

int swap_start(const struct cli_args *a, const struct str *words, size_t n)
{
    struct starting s = { .args = a };
    struct buf body = { 0 };
    struct json_doc d = { 0 };
    char path[64];
    (void)n;
    int code = read_step(a, words, "start", &s.step);
    s.step.baseline = cli_option_value(a, "--baseline");
    if (!code && s.step.baseline.n && !str_eq(s.step.baseline, STR("rows")) && !str_eq(s.step.baseline, STR("saved")) && !str_eq(s.step.baseline, STR("none"))) {
        fprintf(stderr, "hob: --baseline wants rows, saved or none, not '%.*s'\n", STR_ARG(s.step.baseline));
        return EXIT_USAGE;
    }
    if (!code && s.step.force && !str_trim(s.step.why).n) {
        fprintf(stderr, "hob: --force wants --why TEXT, which says why: it is kept with the swap\n");
        return EXIT_USAGE;
    }
    if (!code && cli_option_value(a, "--shadow").n)
        return begin_shadow(a, s.step.id);
    snprintf(path, sizeof path, "/hob/v1/swaps?id=%lld", (long long)s.step.id);
    if (!code)
        code = swap_ask(a, "GET", path, STR(""), &body, &d);
    bool engine = !code && yyjson_is_obj(yyjson_obj_get(d.root, "engine"));
    if (engine)
        code = swap_start_engine(a, s.step.id, d.root, take_start, &s);
    if (!code && !engine && !s.step.force)
        code = smoke(a, &s.step, d.root);
    if (!code && !engine)
        code = take_and_print(a, &s.step);
    json_free(&d);
    buf_free(&body);
    return code;
}

int swap_promote(const struct cli_args *a, const struct str *words, size_t n)
{
    struct step s;
    (void)n;
    int code = read_step(a, words, "promote", &s);
    return code ? code : take_and_print(a, &s);
}

int swap_rollback(const struct cli_args *a, const struct str *words, size_t n)
{
    struct step s;
    (void)n;
    int code = read_step(a, words, "rollback", &s);
    return code ? code : take_and_print(a, &s);
}

int swap_retire(const struct cli_args *a, const struct str *words, size_t n)
{
    struct step s;
    (void)n;
    int code = read_step(a, words, "retire", &s);
    return code ? code : take_and_print(a, &s);
}
