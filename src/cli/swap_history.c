/* hob swap history [ROLE]: which model answered which role, from when until when, and by what. */
#include "cli/swap.h"

#include "cli/ask.h"
#include "cli/table.h"

#include <stdio.h>

/* "2026-11-22T07:15:03Z" -> "2026-11-22 07:15:03" */
static void cell_time(struct table *t, struct str time, const char *otherwise)
{
    char text[24];
    snprintf(text, sizeof text, "%.10s %.8s", time.n >= 19 ? time.p : "", time.n >= 19 ? time.p + 11 : "");
    table_cell(t, time.n >= 19 ? str_of(text) : str_of(otherwise));
}

static int print(yyjson_val *history)
{
    static const char *const heads[] = { "ROLE", "MODEL", "FROM (UTC)", "UNTIL", "BY", "WHY" };
    struct table t;
    struct buf out = { 0 };
    char by[32];
    size_t i, n;
    yyjson_val *p;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(history, i, n, p) {
        yyjson_val *swap = yyjson_obj_get(p, "swap");
        snprintf(by, sizeof by, yyjson_is_int(swap) ? "swap %lld" : "hob.yaml", (long long)yyjson_get_sint(swap));
        table_cell(&t, json_str(yyjson_obj_get(p, "role")));
        table_cell(&t, json_str(yyjson_obj_get(p, "model")));
        cell_time(&t, json_str(yyjson_obj_get(p, "from")), "");
        cell_time(&t, json_str(yyjson_obj_get(p, "until")), "now");
        table_cell(&t, str_of(by));
        table_cell(&t, yyjson_is_int(swap) ? json_str(yyjson_obj_get(p, "why")) : STR(""));
    }
    table_print(&t, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    table_fini(&t);
    return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

int swap_history(const struct cli_args *a, const struct str *words, size_t n)
{
    struct buf body = { 0 }, path = { 0 };
    struct json_doc d = { 0 };
    buf_lit(&path, "/hob/v1/models/history");
    swap_put_query(&path, "role", n ? words[0] : STR(""));
    buf_add_char(&path, '\0');
    int code = swap_ask(a, "GET", path.p, STR(""), &body, &d);
    yyjson_val *history = yyjson_obj_get(d.root, "history");
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&body));
    else if (!code && !yyjson_arr_size(history))
        fprintf(stderr, n ? "hob: nobody has served '%.*s' so far\n" : "hob: no role or tier has been served so far%.*s\n", n ? (int)words[0].n : 0, n ? words[0].p : "");
    else if (!code)
        code = print(history);
    json_free(&d);
    buf_free(&body);
    buf_free(&path);
    return code;
}
