/* hob swap report ID: how a swap went, role by role, as Markdown; with --json what it is made of. Each figure names the run or the requests that it comes from. */
#include "cli/swap.h"

#include "cli/ask.h"
#include "cli/input.h"
#include "cli/table.h"
#include "evidence/kept.h"
#include "evidence/swap.h"

#include <stdio.h>

struct report {
    const struct cli_args *args;
    int64_t id;
    struct buf bodies[3];
    struct json_doc swap, steps, ps;
    struct buf out;
};

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

static double number_at(yyjson_val *obj, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(obj, key));
}

static void cell(struct buf *out, struct str text)
{
    buf_lit(out, " ");
    markdown_text(out, text.n ? text : STR("-"));
    buf_lit(out, " |");
}

static int fetch(struct report *r)
{
    char swap[64], steps[80];
    snprintf(swap, sizeof swap, "/hob/v1/swaps?id=%lld", (long long)r->id);
    snprintf(steps, sizeof steps, "/hob/v1/swaps/log?id=%lld&n=1000", (long long)r->id);
    int code = swap_ask(r->args, "GET", swap, STR(""), &r->bodies[0], &r->swap);
    if (!code)
        code = swap_ask(r->args, "GET", steps, STR(""), &r->bodies[1], &r->steps);
    if (!code)
        code = swap_ask(r->args, "GET", "/hob/v1/ps", STR(""), &r->bodies[2], &r->ps);
    return code;
}

/* The roles; of an engine's swap its models. */
static yyjson_val *roles_of(const struct report *r)
{
    yyjson_val *models = yyjson_obj_get(yyjson_obj_get(r->swap.root, "engine"), "models");
    return yyjson_arr_size(models) ? models : yyjson_obj_get(r->swap.root, "roles");
}

static struct str name_of(yyjson_val *role)
{
    struct str name = text_at(role, "role");
    return name.n ? name : text_at(role, "model");
}

/* ---- memory ---- */

/* As it was measured, else as it was estimated; -1: it takes none of ours, or nobody knows. */
static int64_t memory_of(const struct report *r, struct str model, bool *measured)
{
    size_t i, n;
    yyjson_val *b;
    *measured = false;
    yyjson_arr_foreach(yyjson_obj_get(r->ps.root, "backends"), i, n, b) {
        yyjson_val *memory = yyjson_obj_get(b, "memory"), *said = yyjson_obj_get(memory, "measured_bytes"), *estimated = yyjson_obj_get(memory, "estimated_bytes");
        if (!str_eq(text_at(b, "model"), model))
            continue;
        *measured = yyjson_is_int(said);
        return *measured ? yyjson_get_sint(said) : yyjson_is_int(estimated) ? yyjson_get_sint(estimated) : -1;
    }
    return -1;
}

struct room {
    int64_t old, new;           /* bytes; -1: not known */
    bool old_measured, new_measured;
};

static struct room room_of(const struct report *r, yyjson_val *role)
{
    struct room m;
    m.old = memory_of(r, text_at(role, "from"), &m.old_measured);
    m.new = memory_of(r, text_at(role, "to"), &m.new_measured);
    return m;
}

static void put_room(struct report *r, yyjson_val *role)
{
    struct room m = room_of(r, role);
    char old[32], new[32], apart[32];
    if (m.old < 0 || m.new < 0)
        return;
    buf_printf(&r->out, "- memory: %.*s (%s) -> %.*s (%s)", STR_ARG(show_bytes(m.old, old)), m.old_measured ? "measured" : "estimated", STR_ARG(show_bytes(m.new, new)),
        m.new_measured ? "measured" : "estimated");
    if (m.old != m.new)
        buf_printf(&r->out, ": %.*s %s", STR_ARG(show_bytes(m.new > m.old ? m.new - m.old : m.old - m.new, apart)), m.new > m.old ? "more" : "less");
    buf_lit(&r->out, "\n");
}

/* ---- a role ---- */

static const struct { const char *state, *words; } fates[] = {
    { "planned", "is planned" }, { "refused", "was refused" }, { "evidenced", "has its evidence, and has not begun" }, { "shadow", "has a shadow, and has not begun" }, { "trial", "is on trial" },
    { "promoted", "stayed" }, { "rolled_back", "moved back" }, { "retired", "is put away: the file says what holds" },
};

static void put_fate(struct report *r, yyjson_val *role)
{
    struct str state = text_at(role, "state"), why = text_at(role, "why");
    buf_lit(&r->out, "\n## ");
    markdown_text(&r->out, name_of(role));
    if (text_at(role, "role").n) {
        buf_lit(&r->out, ": ");
        markdown_text(&r->out, text_at(role, "from"));
        buf_lit(&r->out, " -> ");
        markdown_text(&r->out, text_at(role, "to"));
    }
    for (size_t i = 0; i < COUNTOF(fates); i++)
        if (str_eq(state, str_of(fates[i].state)))
            buf_printf(&r->out, " %s", fates[i].words);
    buf_lit(&r->out, "\n\n");
    if (why.n) {
        buf_lit(&r->out, "- why: ");
        markdown_text(&r->out, why);
        buf_lit(&r->out, "\n");
    }
    put_room(r, role);
    if (text_at(role, "smoked").n)
        buf_printf(&r->out, "- a request through the public door was answered at %.*s\n", STR_ARG(text_at(role, "smoked")));
}

static void put_proof(struct report *r, yyjson_val *p)
{
    yyjson_val *ci = yyjson_obj_get(p, "ci"), *needed = yyjson_obj_get(p, "needed");
    buf_lit(&r->out, "|");
    cell(&r->out, text_at(p, "suite"));
    buf_lit(&r->out, " **");
    markdown_text(&r->out, text_at(p, "verdict"));
    buf_printf(&r->out, "** | %.0f | %.0f | %.0f | %+.1f points (%+.1f to %+.1f) |", number_at(p, "pairs"), number_at(p, "only_old"), number_at(p, "only_new"),
        100 * number_at(p, "difference"), 100 * yyjson_get_num(yyjson_arr_get(ci, 0)), 100 * yyjson_get_num(yyjson_arr_get(ci, 1)));
    if (yyjson_is_int(needed) && yyjson_get_sint(needed) > 0)
        buf_printf(&r->out, " about %lld cases would tell;", (long long)yyjson_get_sint(needed));
    cell(&r->out, text_at(p, "note"));
    buf_lit(&r->out, " `hob eval show ");
    markdown_text(&r->out, text_at(p, "run"));
    buf_lit(&r->out, "` |\n");
}

static void put_proofs(struct report *r, yyjson_val *role)
{
    yyjson_val *all = yyjson_obj_get(role, "evidence"), *p;
    size_t i, n;
    if (!yyjson_arr_size(all)) {
        buf_lit(&r->out, "- there is no evidence: no suite was run with both\n");
        return;
    }
    buf_lit(&r->out, "\n| suite | verdict | cases | only old | only new | difference (95 %) | note | run |\n|---|---|---:|---:|---:|---|---|---|\n");
    yyjson_arr_foreach(all, i, n, p)
        put_proof(r, p);
}

static void put_guard(struct report *r, yyjson_val *g)
{
    struct str first = text_at(g, "first"), last = text_at(g, "last");
    double value = number_at(g, "value"), baseline = number_at(g, "baseline");
    char new[32], old[32];
    buf_lit(&r->out, "|");
    cell(&r->out, text_at(g, "name"));
    cell(&r->out, text_at(g, "verdict"));
    if (str_eq(text_at(g, "name"), STR("memory"))) /* bytes; of all others a share of requests */
        buf_printf(&r->out, " %.*s | %.*s |", STR_ARG(show_bytes((int64_t)value, new)), STR_ARG(show_bytes((int64_t)baseline, old)));
    else
        buf_printf(&r->out, " %.2f %% | %.2f %% |", 100 * value, 100 * baseline);
    cell(&r->out, text_at(g, "evidence"));
    if (first.n)
        buf_printf(&r->out, " `hob logs %.*s`%s%.*s%s |\n", STR_ARG(first), str_eq(first, last) ? "" : ", `", STR_ARG(str_eq(first, last) ? STR("") : last),
            str_eq(first, last) ? "" : "`");
    else
        buf_lit(&r->out, " - |\n");
}

static void put_guards(struct report *r, struct str role)
{
    size_t i, n, shown = 0;
    yyjson_val *g;
    yyjson_arr_foreach(yyjson_obj_get(r->swap.root, "guards"), i, n, g) {
        if (!str_eq(text_at(g, "role"), role))
            continue;
        if (!shown++)
            buf_lit(&r->out, "\n| guard | verdict | new | old | in words | requests |\n|---|---|---:|---:|---|---|\n");
        put_guard(r, g);
    }
}

/* ---- its shadow ---- */

static void put_amount(struct buf *out, yyjson_val *v, struct str unit, bool sign)
{
    char text[32];
    buf_add(out, yyjson_is_num(v) ? swap_amount(yyjson_get_num(v), unit, sign, text) : STR("-"));
}

static void put_measure(struct report *r, yyjson_val *m)
{
    struct str unit = text_at(m, "unit"), name = text_at(m, "name");
    yyjson_val *ci = yyjson_obj_get(m, "ci"), *needed = yyjson_obj_get(m, "needed");
    struct buf verdict = { 0 };
    buf_add(&verdict, text_at(m, "verdict"));
    if (yyjson_is_int(needed))
        buf_printf(&verdict, ": about %lld pairs would tell", (long long)yyjson_get_sint(needed));
    buf_lit(&r->out, "| ");
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(&r->out, name.p[i] == '_' ? ' ' : name.p[i]);
    buf_printf(&r->out, ", %.*s | %.0f | ", STR_ARG(str_eq(unit, STR("share")) ? STR("%") : unit), number_at(m, "pairs"));
    put_amount(&r->out, yyjson_obj_get(m, "old"), unit, false);
    buf_lit(&r->out, " | ");
    put_amount(&r->out, yyjson_obj_get(m, "new"), unit, false);
    buf_lit(&r->out, " | ");
    put_amount(&r->out, yyjson_obj_get(m, "difference"), unit, true);
    buf_lit(&r->out, " (");
    put_amount(&r->out, yyjson_arr_get(ci, 0), unit, false);
    buf_lit(&r->out, " to ");
    put_amount(&r->out, yyjson_arr_get(ci, 1), unit, false);
    buf_lit(&r->out, ") |");
    cell(&r->out, buf_str(&verdict));
    buf_lit(&r->out, "\n");
    buf_free(&verdict);
}

static void put_measures(struct report *r, struct str role)
{
    size_t i, n, shown = 0;
    yyjson_val *m;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_obj_get(r->swap.root, "shadow"), "measures"), i, n, m) {
        if (!str_eq(text_at(m, "role"), role))
            continue;
        if (!shown++)
            buf_lit(&r->out, "\n| in the shadow | pairs | old | new | difference (95 %) | verdict |\n|---|---:|---:|---:|---|---|\n");
        put_measure(r, m);
    }
}

static void put_shadow(struct report *r)
{
    static const struct { const char *key, *words; } lost[] = { { "dropped", "dropped" }, { "cancelled", "cut off for somebody who came" }, { "unfit", "that said nothing" } };
    yyjson_val *s = yyjson_obj_get(r->swap.root, "shadow");
    char cost[32];
    if (yyjson_is_null(s))
        buf_lit(&r->out, "\nShadow: the store cannot be read, where its pairs are.\n");
    if (!yyjson_is_obj(s))
        return;
    buf_printf(&r->out, "\nShadow%s: copies of %.3g %% of the asks, from %.*s; %.0f pair%s of answers", yyjson_is_true(yyjson_obj_get(s, "on")) ? "" : ", over",
        100 * number_at(s, "share"), STR_ARG(text_at(s, "from")), number_at(s, "pairs"), number_at(s, "pairs") == 1 ? "" : "s");
    for (size_t i = 0; i < COUNTOF(lost); i++)
        if (number_at(s, lost[i].key) > 0)
            buf_printf(&r->out, ", %.0f %s", number_at(s, lost[i].key), lost[i].words);
    if (yyjson_is_num(yyjson_obj_get(s, "cost")))
        buf_printf(&r->out, "; the copies cost %.*s", STR_ARG(show_money(number_at(s, "cost"), cost)));
    buf_lit(&r->out, ". Nobody has said what a right answer to them is: this is no evidence.\n");
}

/* ---- the whole ---- */

static void put_head(struct report *r)
{
    yyjson_val *s = r->swap.root, *window = yyjson_obj_get(s, "window");
    struct str from = text_at(window, "from"), why = text_at(s, "why");
    buf_printf(&r->out, "# Swap %lld: %.*s\n\n", (long long)r->id, STR_ARG(swap_state_words(text_at(s, "state"))));
    buf_printf(&r->out, "Planned %.*s", STR_ARG(text_at(s, "made")));
    if (from.n)
        buf_printf(&r->out, "; on trial from %.*s, for %.3g days until %.*s", STR_ARG(from), number_at(window, "days"), STR_ARG(text_at(window, "until")));
    if (number_at(s, "share") < 1)
        buf_printf(&r->out, "; %.3g %% of the conversations", 100 * number_at(s, "share"));
    buf_add(&r->out, yyjson_is_true(yyjson_obj_get(s, "forced")) ? STR("; started by force") : STR(""));
    buf_lit(&r->out, ".\n");
    if (why.n) {
        buf_lit(&r->out, "\n> ");
        markdown_text(&r->out, why);
        buf_lit(&r->out, "\n");
    }
}

static void put_engine(struct report *r)
{
    yyjson_val *g = yyjson_obj_get(r->swap.root, "engine");
    static const char *const keys[] = { "from", "version_from", "to", "version_to" }, *const before[] = { ": ", " (", ") -> ", " (" };
    if (!yyjson_is_obj(g))
        return;
    buf_lit(&r->out, "\nEngine ");
    markdown_text(&r->out, text_at(g, "name"));
    for (size_t i = 0; i < COUNTOF(keys); i++) {
        buf_add(&r->out, str_of(before[i]));
        markdown_text(&r->out, text_at(g, keys[i]));
    }
    buf_lit(&r->out, ").\n");
}

static void put_steps(struct report *r)
{
    size_t i, n;
    yyjson_val *s;
    buf_lit(&r->out, "\n## Who did what when\n\n| time | step | state | role | by | why |\n|---|---|---|---|---|---|\n");
    yyjson_arr_foreach(yyjson_obj_get(r->steps.root, "steps"), i, n, s) {
        static const char *const keys[] = { "time", "step", "state", "role", "actor", "reason" };
        buf_lit(&r->out, "|");
        for (size_t k = 0; k < COUNTOF(keys); k++)
            cell(&r->out, swap_state_words(text_at(s, keys[k])));
        buf_lit(&r->out, "\n");
    }
    buf_lit(&r->out, "\nNext: ");
    markdown_text(&r->out, text_at(r->swap.root, "next"));
    buf_lit(&r->out, "\n");
}

static void write_markdown(struct report *r)
{
    size_t i, n;
    yyjson_val *role;
    put_head(r);
    put_engine(r);
    put_shadow(r);
    yyjson_arr_foreach(roles_of(r), i, n, role) {
        put_fate(r, role);
        put_proofs(r, role);
        put_measures(r, name_of(role));
        put_guards(r, name_of(role));
    }
    put_steps(r);
}

static void put_bytes(struct json_out *o, const char *key, int64_t bytes, bool measured)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    json_key(o, STR("bytes"));
    json_int_or_null(o, bytes);
    json_key(o, STR("measured"));
    json_bool(o, measured);
    json_end_object(o);
}

static void write_json(struct report *r)
{
    struct json_out o = json_out(&r->out);
    size_t i, n;
    yyjson_val *role;
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("swap"));
    json_value(&o, r->swap.root);
    json_key(&o, STR("memory"));
    json_begin_array(&o);
    yyjson_arr_foreach(yyjson_obj_get(r->swap.root, "roles"), i, n, role) {
        struct room m = room_of(r, role);
        json_begin_object(&o);
        json_key(&o, STR("role"));
        json_string(&o, text_at(role, "role"));
        put_bytes(&o, "old", m.old, m.old_measured);
        put_bytes(&o, "new", m.new, m.new_measured);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_key(&o, STR("steps"));
    json_value(&o, yyjson_obj_get(r->steps.root, "steps"));
    json_end_object(&o);
    buf_lit(&r->out, "\n");
}

int swap_report(const struct cli_args *a, const struct str *words, size_t n)
{
    struct report r = { .args = a };
    (void)n;
    int code = swap_number(words[0], &r.id);
    if (!code)
        code = fetch(&r);
    if (!code) {
        if (cli_flag(a, "--json"))
            write_json(&r);
        else
            write_markdown(&r);
        code = output_write(cli_option_value(a, "--output"), buf_str(&r.out));
    }
    json_free(&r.swap);
    json_free(&r.steps);
    json_free(&r.ps);
    for (size_t i = 0; i < COUNTOF(r.bodies); i++)
        buf_free(&r.bodies[i]);
    buf_free(&r.out);
    return code;
}
