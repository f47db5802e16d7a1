/* hob swap plan --role ROLE=MODEL …: looks whether the model would serve there at all, and has the daemon keep the plan. */
#include "cli/swap.h"

#include "cli/numbers.h"
#include "cli/preflight.h"

#include <stdio.h>

enum { MOST_ROLES = 16 };
static const int64_t second_ms = 1000, year_ms = 365ll * 86400 * 1000;

struct planning {
    const struct cli_args *args;
    struct { struct str role, to; } at[MOST_ROLES];
    size_t n;
    bool refused;
    struct buf why, checks;         /* checks: a JSON list of reports, without its brackets */
};

static int read_roles(struct planning *p)
{
    for (size_t i = 0; i < p->args->ngiven; i++) {
        struct str to, role = str_cut(p->args->given[i].value, '=', &to);
        if (!str_eq(str_of(p->args->given[i].option->name), STR("--role")))
            continue;
        if (!role.n || !to.n) {
            fprintf(stderr, "hob: --role wants ROLE=MODEL, not '%.*s'\n", STR_ARG(p->args->given[i].value));
            return EXIT_USAGE;
        }
        if (p->n == MOST_ROLES) {
            fprintf(stderr, "hob: a swap moves at most %d roles\n", MOST_ROLES);
            return EXIT_USAGE;
        }
        p->at[p->n].role = role;
        p->at[p->n++].to = to;
    }
    if (p->n)
        return EXIT_OK;
    fprintf(stderr, "hob: which model under which role? hob swap plan --role chat=NEW; or which build of an engine? --engine llama=PATH\n");
    return EXIT_USAGE;
}

/* Each model is looked at as what it is to be. */
static int look(struct planning *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct buf report = { 0 }, why = { 0 };
        int code = preflight_look(p->args, p->at[i].to, p->at[i].role, &report, &why);
        if (code && code != EXIT_GATE) {
            buf_free(&report);
            return code;
        }
        buf_printf(&p->checks, "%s%.*s", i ? "," : "", STR_ARG(buf_str(&report)));
        if (code == EXIT_GATE && !p->refused)
            buf_add(&p->why, buf_str(&why));
        p->refused |= code == EXIT_GATE;
        buf_free(&report);
        buf_free(&why);
    }
    return EXIT_OK;
}

static int put_body(struct planning *p, struct buf *body)
{
    struct json_out o = json_out(body);
    int64_t window_ms = 7 * 86400 * 1000;
    double share = 1;
    int code = option_duration(p->args, "--window", second_ms, year_ms, &window_ms);
    if (!code)
        code = option_share(p->args, "--share", &share);
    json_begin_object(&o);
    json_key(&o, STR("roles"));
    json_begin_array(&o);
    for (size_t i = 0; i < p->n; i++) {
        json_begin_object(&o);
        json_key(&o, STR("role"));
        json_string(&o, p->at[i].role);
        json_key(&o, STR("to"));
        json_string(&o, p->at[i].to);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_key(&o, STR("window_ms"));
    json_int(&o, window_ms);
    json_key(&o, STR("share"));
    json_double(&o, share, 6);
    json_key(&o, STR("alert_only"));
    json_bool(&o, cli_flag(p->args, "--alert-only"));
    json_key(&o, STR("refused"));
    json_bool(&o, p->refused);
    json_key(&o, STR("why"));
    json_string(&o, p->why.n ? buf_str(&p->why) : cli_option_value(p->args, "--why"));
    json_key(&o, STR("preflight"));
    json_begin_array(&o);
    json_raw(&o, buf_str(&p->checks));
    json_end_array(&o);
    json_end_object(&o);
    return code;
}

/* The plan stands, and copies of asks go to the new one at once. */
static int shadow(const struct cli_args *a, struct buf *answer)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, buf_str(answer), &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    int64_t id = yyjson_get_sint(yyjson_obj_get(d.root, "id"));
    json_free(&d);
    buf_free(answer);
    return swap_shadow(a, id, answer);
}

int swap_plan(const struct cli_args *a, const struct str *words, size_t n)
{
    struct planning p = { .args = a };
    struct buf body = { 0 }, answer = { 0 };
    (void)words;
    (void)n;
    if (cli_option_value(a, "--engine").p)
        return swap_plan_engine(a);
    int code = read_roles(&p);
    if (!code)
        code = look(&p);
    if (!code)
        code = put_body(&p, &body);
    if (!code)
        code = swap_ask(a, "POST", "/hob/v1/swaps/plan", buf_str(&body), &answer, NULL);
    if (!code && !p.refused && cli_option_value(a, "--shadow").n)
        code = shadow(a, &answer);
    if (!code)
        code = swap_print(a, buf_str(&answer));
    if (!code && p.refused)
        code = EXIT_GATE;
    buf_free(&p.why);
    buf_free(&p.checks);
    buf_free(&body);
    buf_free(&answer);
    return code;
}
