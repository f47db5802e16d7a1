/* hob models: what may be asked for, models first, then the roles, tiers and old names that stand for them, and `auto`. */
#include "admin/requests.h"
#include "base/clock.h"
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
    static const char *const heads[] = { "MODEL", "ALIASES", "HOST", "STATE", "CONTEXT", "CAN", "INPUT" };
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
    struct buf out = { 0 };
    if (read_answer(json, &d))
        return EXIT_FAILED;
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

/* ---- who asks by which name ---- */

/* "2026-11-21T14:30:05.250Z" -> "2026-11-21 14:30" */
static struct str show_time(struct str text, char out[32])
{
    snprintf(out, 32, "%.10s %.5s", text.n >= 16 ? text.p : "", text.n >= 16 ? text.p + 11 : "");
    return str_trim(str_of(out));
}

static int print_callers(struct str json)
{
    static const char *const heads[] = { "NAME", "KIND", "KEY", "REQUESTS", "FAULTS", "LAST (UTC)", "GOES ON" };
    struct json_doc d = { 0 };
    struct buf out = { 0 };
    struct table t;
    size_t i, n;
    yyjson_val *x;
    char last[32];
    if (read_answer(json, &d))
        return EXIT_FAILED;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(yyjson_obj_get(d.root, "names"), i, n, x) {
        table_cell(&t, json_str(yyjson_obj_get(x, "name")));
        table_cell(&t, json_str(yyjson_obj_get(x, "kind")));
        table_cell(&t, json_str(yyjson_obj_get(x, "caller")));
        table_int(&t, yyjson_get_sint(yyjson_obj_get(x, "requests")));
        table_int(&t, yyjson_get_sint(yyjson_obj_get(x, "faults")));
        table_cell(&t, show_time(json_str(yyjson_obj_get(x, "last")), last));
        table_cell(&t, json_str(yyjson_obj_get(x, "deprecated_until")));
    }
    table_print(&t, &out);
    fwrite(out.p, 1, out.n, stdout);
    table_fini(&t);
    buf_free(&out);
    json_free(&d);
    return EXIT_OK;
}

static int show_callers(const struct cli_args *a)
{
    struct str since = cli_option_value(a, "--since");
    struct buf body;
    int64_t now_ms = clock_wall_ms(), since_ms;
    char path[64];
    if (!when_parse(since.p ? since : STR("30d"), now_ms, &since_ms)) {
        fprintf(stderr, "hob: --since wants a time, like 12h, 30d or 2026-11-21, not '%.*s'\n", STR_ARG(since));
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/hob/v1/callers?since=%llds", (long long)((now_ms - since_ms) / 1000));
    struct question q = { .method = "GET", .path = path, .answer_ms = 60 * 1000 };
    int rc = ask_daemon(a, &q, &body);
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_callers(buf_str(&body));
    buf_free(&body);
    return rc;
}

static int run(const struct cli_args *a)
{
    if (cli_flag(a, "--callers"))
        return show_callers(a);
    struct buf body;
    struct question q = { .method = "GET", .path = "/hob/v1/models", .answer_ms = 30 * 1000 };
    int rc = ask_daemon(a, &q, &body);
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_tables(buf_str(&body));
    buf_free(&body);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--callers", NULL, NULL, "who asks by which name, how often, and when last; names that go first" },
    { "--since", NULL, "WHEN", "with --callers, from then on: 12h, 30d, 2026-11-21 (default: 30d)" }, { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_models = { .name = "models", .usage = "[--callers] [--json]", .what = "show what may be asked for: models, roles, tiers, old names",
    .example = "hob models", .run = run, .options = options };
