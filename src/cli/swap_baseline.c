/* hob swap baseline [ROLE]: what the model of a role has done, saved for the guards of trials: for when its rows will be gone, or the model is changed in the file. */
#include "cli/swap.h"

#include "cli/ask.h"
#include "cli/table.h"

#include <stdio.h>

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

static struct str minute_of(struct str time)
{
    return str_make(time.p, time.n < 16 ? time.n : 16);
}

static void print_guards(yyjson_val *guards)
{
    static const char *const heads[] = { "GUARD", "BAD", "OF", "RATE", "LIMIT" };
    struct table t;
    struct buf out = { 0 };
    size_t i, n;
    yyjson_val *g;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(guards, i, n, g) {
        yyjson_val *limit = yyjson_obj_get(g, "limit_ms");
        char rate[24], ms[24] = "";
        snprintf(rate, sizeof rate, "%.2f %%", 100 * yyjson_get_num(yyjson_obj_get(g, "rate")));
        if (yyjson_is_num(limit))
            snprintf(ms, sizeof ms, "%.0f ms", yyjson_get_num(limit));
        table_cell(&t, text_at(g, "name"));
        table_int(&t, yyjson_get_sint(yyjson_obj_get(g, "bad")));
        table_int(&t, yyjson_get_sint(yyjson_obj_get(g, "total")));
        table_cell(&t, str_of(rate));
        table_cell(&t, str_of(ms));
    }
    table_print(&t, &out);
    table_fini(&t);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
}

static void print_one(yyjson_val *b)
{
    struct str note = text_at(b, "note"), engine = text_at(b, "engine");
    printf("%.*s: %lld requests of %.*s, %.*s to %.*s, saved %.*s%s%.*s%s%.*s\n", STR_ARG(text_at(b, "role")), (long long)yyjson_get_sint(yyjson_obj_get(b, "requests")),
        STR_ARG(text_at(b, "model")), STR_ARG(minute_of(text_at(b, "from"))), STR_ARG(minute_of(text_at(b, "until"))), STR_ARG(minute_of(text_at(b, "saved"))),
        engine.n ? "; engine " : "", STR_ARG(engine), note.n ? "; " : "", STR_ARG(note));
    print_guards(yyjson_obj_get(b, "guards"));
}

static int show(const struct cli_args *a, struct str role)
{
    struct buf body = { 0 };
    struct json_doc d = { 0 };
    size_t i, n, shown = 0;
    yyjson_val *b;
    int code = swap_ask(a, "GET", "/hob/v1/swaps/baselines", STR(""), &body, &d);
    struct buf one = { 0 };
    struct json_out o = json_out(&one);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("baselines"));
    json_begin_array(&o);
    yyjson_arr_foreach(yyjson_obj_get(d.root, "baselines"), i, n, b) {
        if (code || (role.n && !str_eq(role, text_at(b, "role"))))
            continue;
        if (!cli_flag(a, "--json"))
            print_one(b);
        json_value(&o, b);
        shown++;
    }
    json_end_array(&o);
    json_end_object(&o);
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&one));
    if (!code && !shown && role.n) {
        fprintf(stderr, "hob: no baseline of '%.*s' is saved: `hob swap baseline %.*s --save`\n", STR_ARG(role), STR_ARG(role));
        code = EXIT_FAILED;
    } else if (!code && !shown && !cli_flag(a, "--json")) {
        fprintf(stderr, "hob: no baseline is saved: `hob swap baseline ROLE --save`\n");
    }
    json_free(&d);
    buf_free(&one);
    buf_free(&body);
    return code;
}

static int change(const struct cli_args *a, struct str role, bool save)
{
    struct buf request = { 0 }, body = { 0 };
    struct json_out o = json_out(&request);
    struct json_doc d = { 0 };
    json_begin_object(&o);
    json_key(&o, STR("role"));
    json_string(&o, role);
    json_key(&o, STR("do"));
    json_string(&o, save ? STR("save") : STR("forget"));
    json_end_object(&o);
    int code = swap_ask(a, "POST", "/hob/v1/swaps/baseline", buf_str(&request), &body, &d);
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&body));
    else if (!code && save)
        print_one(yyjson_arr_get_first(yyjson_obj_get(d.root, "baselines")));
    else if (!code)
        printf("%.*s: %s\n", STR_ARG(role), yyjson_is_true(yyjson_obj_get(d.root, "forgotten")) ? "forgotten" : "nothing was saved");
    json_free(&d);
    buf_free(&request);
    buf_free(&body);
    return code;
}

int swap_baseline(const struct cli_args *a, const struct str *words, size_t n)
{
    bool save = cli_flag(a, "--save"), forget = cli_flag(a, "--forget");
    if (save && forget) {
        fprintf(stderr, "hob: --save or --forget\n");
        return EXIT_USAGE;
    }
    if ((save || forget) && !n) {
        fprintf(stderr, "hob: of which role? hob swap baseline ROLE %s\n", save ? "--save" : "--forget");
        return EXIT_USAGE;
    }
    return save || forget ? change(a, words[0], save) : show(a, n ? words[0] : STR(""));
}
