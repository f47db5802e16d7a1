/* hob stats --residency: what models in memory were good for, and whether to keep them there. */
#include "cli/stats.h"

#include "cli/table.h"

#include <math.h>
#include <stdio.h>

static void cell(struct table *t, struct buf *b)
{
    table_cell(t, buf_str(b));
    b->n = 0;
}

static void number(struct table *t, struct buf *b, yyjson_val *o, const char *key, double per)
{
    double v = report_get(o, key) / per;
    if (!isnan(v))
        buf_printf(b, v < 10 ? "%.2f" : "%.0f", v);
    cell(t, b);
}

static void uses(struct table *t, struct buf *b, yyjson_val *o)
{
    table_int(t, report_count(o, "requests"));
    number(t, b, o, "requests_per_hot_hour", 1);
}

static void waits(struct table *t, struct buf *b, yyjson_val *o)
{
    table_int(t, report_count(o, "loads_saved"));
    buf_printf(b, "%lld", (long long)report_count(o, "waited_for_load"));
    if (report_count(o, "waited_for_load")) {
        buf_printf(b, ", ");
        report_ms(report_get(o, "waited_ms"), b);
    }
    cell(t, b);
}

static void put_model(struct table *t, yyjson_val *m)
{
    yyjson_val *advice = yyjson_obj_get(m, "advice"), *roles = yyjson_obj_get(m, "roles"), *r;
    struct str keep = json_str(yyjson_obj_get(advice, "keep")), role;
    struct buf b = { 0 };
    size_t i, max;
    table_cell(t, json_str(yyjson_obj_get(m, "model")));
    table_cell(t, json_str(yyjson_obj_get(m, "keep")));
    number(t, &b, m, "hot_s", 3600);
    number(t, &b, m, "gib_hours", 1);
    uses(t, &b, m);
    buf_printf(&b, "%lld", (long long)report_count(m, "loads"));
    cell(t, &b);
    waits(t, &b, m);
    table_cell(t, keep.n ? keep : STR("cannot tell"));
    yyjson_arr_foreach(roles, i, max, r) {
        if ((role = json_str(yyjson_obj_get(r, "role"))).n)
            buf_printf(&b, "  as %.*s", STR_ARG(role));
        else
            buf_printf(&b, "  by its own name");
        cell(t, &b);
        for (int k = 0; k < 3; k++)
            table_cell(t, STR(""));
        uses(t, &b, r);
        table_cell(t, STR(""));
        waits(t, &b, r);
        table_cell(t, STR(""));
    }
    table_note(t, json_str(yyjson_obj_get(advice, "why")));
    buf_free(&b);
}

void stats_put_residency(yyjson_val *root, struct buf *out)
{
    static const char *const heads[] = { "MODEL", "KEEP", "HOURS HOT", "GIB-HOURS", "REQUESTS", "PER HOT HOUR", "LOADS", "LOADS SAVED", "WAITED FOR A LOAD", "ADVICE" };
    yyjson_val *models = yyjson_obj_get(root, "models"), *m;
    struct table t;
    size_t i, max;
    if (!yyjson_arr_size(models)) {
        buf_printf(out, "No model that hob loads itself has been asked so: what hosts keep in memory is theirs to say.\n");
        return;
    }
    buf_printf(out, "on record: ");
    report_window(yyjson_obj_get(root, "observed"), out);
    buf_printf(out, "\n");
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(models, i, max, m)
        put_model(&t, m);
    table_print(&t, out);
    table_fini(&t);
    buf_printf(out, "\nLoads saved: requests that found their model loaded, though with `keep: demand` and its `idle` it would have gone by then.\n");
}
