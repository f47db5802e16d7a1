/* hob models: what may be asked for, models first, then the roles, tiers and old names that stand for them, and `auto`. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "json/json.h"

#include <stdio.h>

/* ["a","b"] -> "a, b" */
static void put_list(struct table *t, yyjson_val *list)
{
    struct buf text = { 0 };
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v) {
        if (i)
            buf_lit(&text, ", ");
        buf_add(&text, json_str(v));
    }
    table_cell(t, buf_str(&text));
    buf_free(&text);
}

/* Of a model that goes. */
static void put_leaving(struct table *t, yyjson_val *m)
{
    struct str until = json_str(yyjson_obj_get(m, "deprecated_until")), successor = json_str(yyjson_obj_get(m, "successor"));
    struct buf text = { 0 };
    if (!until.n)
        return;
    buf_printf(&text, "goes on %.*s", STR_ARG(until));
    if (successor.n)
        buf_printf(&text, ": ask for %.*s instead", STR_ARG(successor));
    table_note(t, buf_str(&text));
    buf_free(&text);
}

static void put_models(yyjson_val *models, struct buf *out)
{
    static const char *const heads[] = { "MODEL", "ALIASES", "HOST", "STATE", "CONTEXT", "SERVES", "INPUT" };
    struct table t;
    size_t i, n;
    yyjson_val *m;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(models, i, n, m) {
        yyjson_val *context = yyjson_obj_get(m, "context");
        table_cell(&t, json_str(yyjson_obj_get(m, "name")));
        put_list(&t, yyjson_obj_get(m, "aliases"));
        table_cell(&t, json_str(yyjson_obj_get(m, "host")));
        table_cell(&t, json_str(yyjson_obj_get(m, "state")));
        table_int(&t, yyjson_is_int(context) ? yyjson_get_sint(context) : -1);
        put_list(&t, yyjson_obj_get(m, "capabilities"));
        put_list(&t, yyjson_obj_get(m, "input"));
        put_leaving(&t, m);
    }
    table_print(&t, out);
    table_fini(&t);
}

static void put_roles(yyjson_val *roles, struct buf *out)
{
    static const char *const heads[] = { "ROLE", "MODEL", "FALLBACK" };
    struct table t;
    size_t i, n;
    yyjson_val *name, *r;
    if (!yyjson_obj_size(roles))
        return;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_obj_foreach(roles, i, n, name, r) {
        table_cell(&t, json_str(name));
        table_cell(&t, json_str(yyjson_obj_get(r, "model")));
        put_list(&t, yyjson_obj_get(r, "fallback"));
    }
    buf_lit(out, "\n");
    table_print(&t, out);
    table_fini(&t);
}

static void put_tiers(yyjson_val *tiers, struct buf *out)
{
    static const char *const heads[] = { "TIER", "MODEL" };
    struct table t;
    size_t i, n;
    yyjson_val *name, *model;
    if (!yyjson_obj_size(tiers))
        return;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_obj_foreach(tiers, i, n, name, model) {
        table_cell(&t, json_str(name));
        table_cell(&t, json_str(model));
    }
    buf_lit(out, "\n");
    table_print(&t, out);
    table_fini(&t);
}

static void put_old_names(yyjson_val *aliases, struct buf *out)
{
    static const char *const heads[] = { "OLD NAME", "STANDS FOR", "UNTIL", "AFTER" };
    struct table t;
    size_t i, n;
    yyjson_val *name, *a;
    if (!yyjson_obj_size(aliases))
        return;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_obj_foreach(aliases, i, n, name, a) {
        struct str until = json_str(yyjson_obj_get(a, "deprecated_until"));
        table_cell(&t, json_str(name));
        table_cell(&t, json_str(yyjson_obj_get(a, "to")));
        table_cell(&t, until);
        table_cell(&t, until.n ? json_str(yyjson_obj_get(a, "after")) : STR(""));
    }
    buf_lit(out, "\n");
    table_print(&t, out);
    table_fini(&t);
}

static int print_tables(struct str json)
{
    struct json_doc d = { 0 };
    struct err e;
    struct buf out = { 0 };
    if (json_parse(&d, json, &e)) {
        fprintf(stderr, "hob: the daemon's answer is no JSON: %s\n", e.text);
        return EXIT_FAILED;
    }
    put_models(yyjson_obj_get(d.root, "models"), &out);
    put_roles(yyjson_obj_get(d.root, "roles"), &out);
    put_tiers(yyjson_obj_get(d.root, "tiers"), &out);
    put_old_names(yyjson_obj_get(d.root, "aliases"), &out);
    if (yyjson_get_bool(yyjson_obj_get(d.root, "auto")))
        buf_lit(&out, "\nauto: hob chooses the tier\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    json_free(&d);
    return EXIT_OK;
}

static int run(const struct cli_args *a)
{
    struct buf body;
    struct question q = { .method = "GET", .path = "/hob/v1/models", .answer_ms = 30 * 1000 };
    int rc = ask_daemon(a, &q, &body);
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_tables(buf_str(&body));
    buf_free(&body);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_models = { .name = "models", .usage = "[--json]", .what = "show what may be asked for: models, roles, tiers, old names",
    .example = "hob models", .run = run, .options = options };
