/* A run told to people and programs elsewhere: Markdown, and JSON with its sums and comparisons beside what the store has. */
#include "evidence/kept.h"

#include "evidence/verdict_put.h"

/* ---- Markdown ---- */

void markdown_text(struct buf *out, struct str text)
{
    static const char markup[] = "\\`*_[]|#~";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '<' || c == '>')
            buf_add(out, c == '<' ? STR("&lt;") : STR("&gt;"));
        else if (c == '&')
            buf_lit(out, "&amp;");
        else if (c < 0x20 || c == 0x7f)
            buf_lit(out, " ");
        else if (strchr(markup, c))
            buf_printf(out, "\\%c", c);
        else
            buf_add_char(out, (char)c);
    }
}

static void cell(struct buf *out, struct str text)
{
    buf_lit(out, " ");
    markdown_text(out, text.n ? text : STR("-"));
    buf_lit(out, " |");
}

static void put_models(const struct kept_run *r, struct buf *out)
{
    buf_lit(out, "| model | host | passed | of | rate | 95 % | gateway | backend | harness |\n|---|---|---:|---:|---:|---|---:|---:|---:|\n");
    for (size_t i = 0; i < r->nplaces; i++) {
        struct run_cell c = run_tally_sum(&r->tally, &r->suite, i, false), aside = run_tally_sum(&r->tally, &r->suite, i, true);
        struct interval ci = wilson_interval(c.passed, c.total, 0.05);
        buf_lit(out, "|");
        cell(out, r->places[i].name);
        cell(out, r->places[i].host);
        buf_printf(out, " %d | %d |", c.passed, c.total);
        if (c.total)
            buf_printf(out, " %.1f %% | %.1f to %.1f |", 100.0 * c.passed / c.total, 100 * ci.lo, 100 * ci.hi);
        else
            buf_lit(out, " - | - |");
        buf_printf(out, " %d | %d | %d |\n", c.faults[FAULT_GATEWAY], c.faults[FAULT_BACKEND], c.faults[FAULT_HARNESS]);
        if (aside.total)
            buf_printf(out, "| beside the score | | %d | %d | | | | | |\n", aside.passed, aside.total);
    }
    buf_lit(out, "\n");
}

static void put_setup(const struct kept_run *r, struct buf *out)
{
    for (size_t i = 0; i < r->nplaces; i++) {
        const struct kept_place *p = &r->places[i];
        const struct { const char *what; struct str text; } all[] = { { "runtime", p->runtime }, { "engine", p->engine }, { "quantisation", p->quantisation }, { "file", p->file } };
        size_t n = 0;
        for (size_t k = 0; k < COUNTOF(all); k++) {
            if (!all[k].text.n)
                continue;
            if (!n++) {
                buf_lit(out, "- ");
                markdown_text(out, p->name);
            }
            buf_printf(out, "%s%s ", n > 1 ? ", " : ": ", all[k].what);
            markdown_text(out, all[k].text);
        }
        buf_add(out, n ? STR("\n") : STR(""));
    }
    buf_lit(out, "\n");
}

/* Results of one sort, as a table; nothing when there are none. */
static void put_results(const struct kept_run *r, const char *head, bool of_models, struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->nresults; i++) {
        const struct kept_result *x = &r->results[i];
        if (of_models ? x->passed != 0 : x->passed >= 0)
            continue;
        if (!n++)
            buf_printf(out, "## %s\n\n| case | model |%s why | request |\n|---|---|%s---|---|\n", head, of_models ? "" : " fault |", of_models ? "" : "---|");
        buf_lit(out, "|");
        cell(out, r->suite.cases[x->item].id);
        cell(out, r->places[x->place].name);
        if (!of_models)
            cell(out, str_of(x->fault ? fault_name(x->fault) : ""));
        cell(out, x->why);
        cell(out, x->request_id);
        buf_lit(out, "\n");
    }
    buf_add(out, n ? STR("\n") : STR(""));
}

static void put_pair(const struct kept_pair *p, struct buf *out)
{
    const struct verdict *v = &p->verdict;
    buf_lit(out, "|");
    cell(out, p->a.run->places[p->a.place].name);
    cell(out, p->b.run->places[p->b.place].name);
    buf_printf(out, " %lld | %lld | %lld | %+.1f points (%+.1f to %+.1f) | **%s**", (long long)v->pairs, (long long)p->majority.only_a, (long long)p->majority.only_b, 100 * v->difference,
        100 * v->lo, 100 * v->hi, verdict_names[v->kind]);
    if (v->needed > 0)
        buf_printf(out, ": about %lld cases would tell", (long long)v->needed);
    if (p->total.n > 1)
        buf_printf(out, " | %+.0f ms (%+.0f to %+.0f) |\n", p->total.median.value, p->total.median.lo, p->total.median.hi);
    else
        buf_lit(out, " | - |\n");
}

/* The first against each of the others. */
static void put_pairs(const struct kept_run *r, struct buf *out)
{
    struct arena memory;
    struct kept_pair p;
    if (r->nplaces < 2)
        return;
    arena_init(&memory);
    buf_lit(out, "## Compared\n\n| old | new | cases | only old | only new | difference (95 %) | verdict | median time |\n|---|---|---:|---:|---:|---|---|---|\n");
    for (size_t i = 1; i < r->nplaces; i++) {
        kept_compare(&memory, (struct kept_side){ r, 0 }, (struct kept_side){ r, i }, -1, &p);
        put_pair(&p, out);
    }
    buf_lit(out, "\n");
    for (size_t k = 0; k < p.nwarnings; k++) {
        buf_lit(out, "- ");
        markdown_text(out, p.warnings[k]);
        buf_lit(out, "\n");
    }
    if (!p.tells.discriminates)
        buf_printf(out, "- this suite does not discriminate: models differ on %lld of its cases, and %lld would be the fewest that say anything\n", (long long)p.tells.tells_most,
            (long long)p.tells.tells_least);
    buf_lit(out, "\n");
    arena_fini(&memory);
}

void kept_markdown(const struct kept_run *r, struct buf *out)
{
    buf_lit(out, "# ");
    markdown_text(out, r->suite.name);
    buf_printf(out, ", run %lld\n\n", (long long)r->run);
    buf_printf(out, "%.*s; began %.*s", STR_ARG(r->state), STR_ARG(r->began));
    if (r->ended.n)
        buf_printf(out, ", ended %.*s", STR_ARG(r->ended));
    buf_printf(out, ". Each case: `hob eval show %lld`.\n\n", (long long)r->run);
    put_models(r, out);
    put_setup(r, out);
    put_pairs(r, out);
    put_results(r, "Wrong answers", true, out);
    put_results(r, "What says nothing of a model", false, out);
}

/* ---- JSON ---- */

static void put_place(const struct kept_run *r, size_t place, struct json_out *o)
{
    const struct kept_place *p = &r->places[place];
    const struct { const char *key; struct str text; } all[] = { { "host", p->host }, { "runtime", p->runtime }, { "engine", p->engine }, { "quantisation", p->quantisation },
        { "file", p->file } };
    struct run_cell c = run_tally_sum(&r->tally, &r->suite, place, false), aside = run_tally_sum(&r->tally, &r->suite, place, true);
    json_begin_object(o);
    json_key(o, STR("model"));
    json_string(o, p->name);
    for (size_t i = 0; i < COUNTOF(all); i++) {
        json_key(o, str_of(all[i].key));
        json_string_or_null(o, all[i].text);
    }
    run_cell_put(&c, o);
    run_faults_put(&c, o);
    if (aside.total) {
        json_key(o, STR("aside"));
        json_begin_object(o);
        run_cell_put(&aside, o);
        run_faults_put(&aside, o);
        json_end_object(o);
    }
    json_end_object(o);
}

static void put_comparisons(const struct kept_run *r, struct json_out *o)
{
    struct arena memory;
    struct kept_pair p;
    arena_init(&memory);
    for (size_t i = 1; i < r->nplaces; i++) {
        kept_compare(&memory, (struct kept_side){ r, 0 }, (struct kept_side){ r, i }, -1, &p);
        json_begin_object(o);
        kept_pair_put(&p, o);
        json_end_object(o);
    }
    arena_fini(&memory);
}

void kept_json(const struct kept_run *r, struct str kept, struct buf *out)
{
    struct json_out o = json_out(out);
    struct json_doc d = { 0 };
    struct err e;
    const struct { const char *key; struct str text; } all[] = { { "suite", r->suite.name }, { "state", r->state }, { "began", r->began }, { "ended", r->ended } };
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("run"));
    json_int(&o, r->run);
    for (size_t i = 0; i < COUNTOF(all); i++) {
        json_key(&o, str_of(all[i].key));
        json_string_or_null(&o, all[i].text);
    }
    json_key(&o, STR("models"));
    json_begin_array(&o);
    for (size_t i = 0; i < r->nplaces; i++)
        put_place(r, i, &o);
    json_end_array(&o);
    json_key(&o, STR("comparisons"));
    json_begin_array(&o);
    put_comparisons(r, &o);
    json_end_array(&o);
    json_key(&o, STR("results"));
    if (!json_parse(&d, kept, &e))
        json_value(&o, yyjson_obj_get(d.root, "results"));
    else
        json_raw(&o, STR("[]"));
    json_end_object(&o);
    buf_lit(out, "\n");
    json_free(&d);
}
