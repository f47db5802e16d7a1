/* The answer of `hob fit`: a table with each term, what it is held against, and what speaks against using it although it fits. */
#include "cli/fit.h"

#include "base/clock.h"
#include "cli/table.h"
#include "json/json.h"

#include <stdio.h>

static const char *verdict(const struct fit_row *row)
{
    return !row->fits ? "does not fit" : row->nwarnings ? "fits, but" : "fits";
}

/* ---- for people ---- */

static void show_params(int64_t n, char out[32])
{
    static const struct { int64_t size; const char *name; } units[] = { { INT64_C(1000000000000), "T" }, { 1000000000, "B" }, { 1000000, "M" }, { 1, "" } };
    size_t i = 0;
    while (i + 1 < COUNTOF(units) && n < units[i].size)
        i++;
    double v = (double)n / (double)units[i].size;
    snprintf(out, 32, v < 10 && units[i].size > 1 ? "%.1f%s" : "%.0f%s", v, units[i].name);
}

static void put_heading(const struct fit_report *r, struct buf *out)
{
    const struct shape *s = &r->subject->shape;
    char params[32], active[32];
    show_params(s->params, params);
    show_params(s->params_active, active);
    buf_printf(out, "%s: %s", r->subject->name, s->architecture[0] ? s->architecture : "?");
    if (s->params)
        buf_printf(out, ", %s weights", params);
    if (s->params_active && s->params_active < s->params)
        buf_printf(out, " (%s active)", active);
    if (s->quant[0])
        buf_printf(out, ", mostly %s", s->quant);
    if (s->context_train)
        buf_printf(out, ", trained for %lld tokens", (long long)s->context_train);
    buf_printf(out, "; memory counted as: %s\n\n", s->formula);
}

/* Some GiB more or less decide: a digit more than elsewhere. */
static struct str exact_bytes(int64_t bytes, char out[32])
{
    if (bytes < (int64_t)GIB)
        return show_bytes(bytes, out);
    snprintf(out, 32, "%.1f GiB", (double)bytes / (double)GIB);
    return str_of(out);
}

static void put_bytes(struct table *t, int64_t bytes)
{
    char text[32];
    table_cell(t, bytes ? exact_bytes(bytes, text) : STR("-"));
}

static void put_row(struct table *t, const struct fit_row *row)
{
    const struct fit_terms *x = &row->terms;
    table_int(t, row->ask.context);
    table_cell(t, row->ask.kv_k);
    table_int(t, row->ask.slots);
    put_bytes(t, x->weights);
    put_bytes(t, x->extras);
    put_bytes(t, x->kv);
    put_bytes(t, x->compute);
    put_bytes(t, x->cache);
    put_bytes(t, x->process);
    put_bytes(t, row->total);
    table_cell(t, str_of(fit_source_name[row->source]));
    table_cell(t, str_of(verdict(row)));
}

static void put_rows(const struct fit_report *r, struct buf *out)
{
    static const char *const heads[] = { "CONTEXT", "TYPE", "SLOTS", "WEIGHTS", "BESIDE", "KV", "COMPUTE", "PROMPTS", "ENGINE", "TOTAL", "SOURCE", "VERDICT" };
    struct table t;
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < r->nrows; i++)
        put_row(&t, &r->rows[i]);
    table_print(&t, out);
    table_fini(&t);
}

static void put_room(const struct fit_report *r, struct buf *out)
{
    char room[32], reserve[32], used[32], total[32], held[32];
    exact_bytes(r->room, room);
    exact_bytes(r->reserve, reserve);
    exact_bytes(r->used, used);
    exact_bytes(r->total, total);
    exact_bytes(r->held, held);
    if (!r->total)
        buf_printf(out, "\nheld against %s\n", room);
    else if (r->room == r->total - r->used - r->reserve || !r->room)
        buf_printf(out, "\nthis machine has %s: %s less %s in use by others now and %s kept back leaves %s\n", r->machine.what, total, used, reserve, room);
    else
        buf_printf(out, "\nthis machine has %s; the configuration's budget for models is %s\n", r->machine.what, room);
    if (r->held)
        buf_printf(out, "hob's own models hold %s of that; they can go\n", held);
}

static void put_largest(const struct fit_report *r, struct buf *out)
{
    const struct fit_row *row = &r->rows[0];
    if (r->largest_context)
        buf_printf(out, "largest context that fits: %lld tokens (%.*s, %lld slot%s)\n", (long long)r->largest_context, STR_ARG(row->ask.kv_k),
            (long long)row->ask.slots, row->ask.slots == 1 ? "" : "s");
    else
        buf_printf(out, "no context fits (%.*s, %lld slot%s)\n", STR_ARG(row->ask.kv_k), (long long)row->ask.slots, row->ask.slots == 1 ? "" : "s");
}

static bool said_before(const struct fit_report *r, size_t row, const char *code)
{
    for (size_t i = 0; i < row; i++)
        for (size_t k = 0; k < r->rows[i].nwarnings; k++)
            if (strcmp(r->rows[i].warnings[k].code, code) == 0)
                return true;
    return false;
}

/* Each once. */
static void put_warnings(const struct fit_report *r, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < r->nrows; i++)
        for (size_t k = 0; k < r->rows[i].nwarnings; k++) {
            if (said_before(r, i, r->rows[i].warnings[k].code))
                continue;
            buf_printf(out, "%s- %s\n", any ? "" : "\nfits is not should-use:\n", r->rows[i].warnings[k].text);
            any = true;
        }
}

static void put_measured(const struct fit_report *r, struct buf *out)
{
    static const char *const heads[] = { "MEASURED", "ESTIMATED", "ENGINE SAID", "LOADED", "AFTER A LONG PROMPT", "THESE SETTINGS" };
    struct table t;
    if (!r->nmeasured) {
        buf_lit(out, "\nnothing was measured yet: it is, whenever hob loads the model\n");
        return;
    }
    buf_lit(out, "\n");
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < r->nmeasured; i++) {
        const struct calibration *m = &r->measured[i];
        char ago[32];
        table_cell(&t, show_ms(clock_wall_ms() - m->at_s * 1000, ago));
        put_bytes(&t, m->estimated_bytes);
        put_bytes(&t, m->projected_bytes);
        put_bytes(&t, m->idle_bytes);
        put_bytes(&t, m->busy_bytes);
        table_cell(&t, strcmp(m->settings, r->settings) == 0 ? STR("yes") : STR("no"));
    }
    table_print(&t, out);
    table_fini(&t);
    buf_lit(out, "(ages first; kept prompts are in none of them)\n");
}

void fit_show_table(const struct fit_report *r, struct buf *out)
{
    put_heading(r, out);
    put_rows(r, out);
    put_room(r, out);
    put_largest(r, out);
    put_warnings(r, out);
    if (r->show_measured)
        put_measured(r, out);
}

/* ---- for programs ---- */

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    json_int(o, v);
}

static void put_text(struct json_out *o, const char *key, struct str v)
{
    json_key(o, str_of(key));
    json_string(o, v);
}

static void put_int_or_null(struct json_out *o, const char *key, int64_t v)
{
    json_key(o, str_of(key));
    if (v)
        json_int(o, v);
    else
        json_null(o);
}

static void put_row_warnings(struct json_out *o, const struct fit_row *row)
{
    json_key(o, STR("warnings"));
    json_begin_array(o);
    for (size_t i = 0; i < row->nwarnings; i++) {
        json_begin_object(o);
        put_text(o, "code", str_of(row->warnings[i].code));
        put_text(o, "text", str_of(row->warnings[i].text));
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_row_object(struct json_out *o, const struct fit_row *row)
{
    const struct fit_terms *x = &row->terms;
    json_begin_object(o);
    put_int(o, "context", row->ask.context);
    put_text(o, "kv", row->ask.kv_k);
    put_int(o, "slots", row->ask.slots);
    put_int(o, "ubatch", row->ask.ubatch);
    put_int(o, "weights_bytes", x->weights);
    put_int(o, "extras_bytes", x->extras);
    put_int(o, "kv_bytes", x->kv);
    put_int(o, "compute_bytes", x->compute);
    put_int(o, "cache_bytes", x->cache);
    put_int(o, "process_bytes", x->process);
    put_int(o, "total_bytes", row->total);
    json_key(o, STR("fits"));
    json_bool(o, row->fits);
    put_text(o, "verdict", str_of(verdict(row)));
    put_text(o, "source", str_of(fit_source_name[row->source]));
    put_text(o, "basis", str_of(fit_source_basis[row->source]));
    put_row_warnings(o, row);
    json_end_object(o);
}

static void put_machine(struct json_out *o, const struct fit_report *r)
{
    static const char *const kinds[] = { [MEMORY_RAM] = "ram", [MEMORY_VRAM] = "vram", [MEMORY_UNIFIED] = "unified" };
    json_key(o, STR("machine"));
    if (!r->total) {
        json_null(o);
        return;
    }
    json_begin_object(o);
    put_text(o, "kind", str_of(kinds[r->machine.kind]));
    put_text(o, "what", str_of(r->machine.what));
    put_int(o, "total_bytes", r->total);
    put_int(o, "used_bytes", r->used);
    put_int(o, "held_bytes", r->held);
    put_int(o, "reserve_bytes", r->reserve);
    json_end_object(o);
}

static void put_measured_array(struct json_out *o, const struct fit_report *r)
{
    json_key(o, STR("measured"));
    json_begin_array(o);
    for (size_t i = 0; i < r->nmeasured; i++) {
        const struct calibration *m = &r->measured[i];
        json_begin_object(o);
        put_int(o, "at", m->at_s);
        put_int_or_null(o, "estimated_bytes", m->estimated_bytes);
        put_int_or_null(o, "projected_bytes", m->projected_bytes);
        put_int_or_null(o, "idle_bytes", m->idle_bytes);
        put_int_or_null(o, "busy_bytes", m->busy_bytes);
        json_key(o, STR("same_settings"));
        json_bool(o, strcmp(m->settings, r->settings) == 0);
        json_end_object(o);
    }
    json_end_array(o);
}

void fit_show_json(const struct fit_report *r, struct buf *out)
{
    const struct shape *s = &r->subject->shape;
    struct json_out o = json_out(out);
    json_begin_object(&o);
    put_int(&o, "schema", 1);
    put_text(&o, "model", str_of(r->subject->name));
    put_text(&o, "architecture", str_of(s->architecture));
    json_key(&o, STR("architecture_known"));
    json_bool(&o, s->whole_known);
    put_text(&o, "formula", str_of(s->formula));
    put_int_or_null(&o, "params", s->params);
    put_int_or_null(&o, "params_active", s->params_active);
    put_text(&o, "quant", str_of(s->quant));
    put_int_or_null(&o, "context_train", s->context_train);
    put_machine(&o, r);
    put_int(&o, "room_bytes", r->room);
    json_key(&o, STR("rows"));
    json_begin_array(&o);
    for (size_t i = 0; i < r->nrows; i++)
        put_row_object(&o, &r->rows[i]);
    json_end_array(&o);
    put_int(&o, "largest_context", r->largest_context);
    if (r->show_measured)
        put_measured_array(&o, r);
    json_end_object(&o);
    buf_lit(out, "\n");
}
