/* A measurement as people read it: a line for each size of prompt and number at a time, then what else there is to know. */
#include "cli/bench.h"

#include "cli/table.h"

#include <math.h>
#include <stdio.h>

static void cell_number(struct table *t, double v, int decimals)
{
    char text[48];
    snprintf(text, sizeof text, "%.*f", decimals, v);
    table_cell(t, isfinite(v) ? str_of(text) : STR(""));
}

static void cell_spread(struct table *t, const struct speed_spread *s, int decimals)
{
    char text[80];
    snprintf(text, sizeof text, "%.*f / %.*f", decimals, s->p50, decimals, s->p99);
    table_cell(t, s->n ? str_of(text) : STR(""));
}

static void put_cells(const struct speed_report *r, struct buf *out)
{
    static const char *const heads[] = { "CONTEXT", "AT ONCE", "PROMPT", "PROMPT tok/s", "ANSWER tok/s", "TTFT ms p50 / p99", "TOKEN ms p50 / p99", "tok/J", "RUNS" };
    struct table t;
    char text[64];
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < r->ncells; i++) {
        const struct speed_cell *c = &r->cells[i];
        if (c->left_out.n)
            continue;
        table_int(&t, c->context);
        table_int(&t, c->concurrency);
        table_int(&t, c->prompt_tokens);
        cell_number(&t, c->prompt_tps, 1);
        cell_number(&t, c->generation_tps, 1);
        cell_spread(&t, &c->ttft_ms, 0);
        cell_spread(&t, &c->per_token_ms, 1);
        cell_number(&t, c->tokens_per_joule, 3);
        snprintf(text, sizeof text, c->counted < c->nrounds ? "%zu of %zu" : "%zu", c->counted, c->nrounds);
        table_cell(&t, str_of(text));
    }
    table_print(&t, out);
    table_fini(&t);
    for (size_t i = 0; i < r->ncells; i++)
        if (r->cells[i].left_out.n)
            buf_printf(out, "left out: %lld tokens, %lld at a time: %.*s\n", (long long)r->cells[i].context, (long long)r->cells[i].concurrency, STR_ARG(r->cells[i].left_out));
}

static void put_prompt_source(const struct speed_report *r, struct buf *out)
{
    bool engine = false, clock = false;
    for (size_t i = 0; i < r->ncells; i++) {
        engine |= r->cells[i].counted && r->cells[i].by_engine;
        clock |= r->cells[i].counted && !r->cells[i].by_engine;
    }
    if (engine)
        buf_printf(out, "prompt rate   by the engine's own clock%s\n", clock ? "; with several at a time: all their tokens by the time to the last first token" : "");
    else if (clock)
        buf_lit(out, "prompt rate   tokens of the prompt by the time to the first token: what the gateway and the way there take is in it\n");
}

static void put_ms(struct buf *out, const char *word, double ms)
{
    if (ms >= 0)
        buf_printf(out, "%s%.0f ms", word, ms);
}

static void put_cold(const struct speed_report *r, struct buf *out)
{
    for (size_t i = 0; i < r->ncolds; i++) {
        const struct speed_cold *c = &r->colds[i];
        put_ms(out, "cold start    ", c->total_ms);
        put_ms(out, ": spawn ", c->spawn_ms);
        put_ms(out, ", load ", c->load_ms);
        put_ms(out, ", first token ", c->first_token_ms);
        buf_add_char(out, '\n');
    }
    if (!r->ncolds && r->cold_why.n)
        buf_printf(out, "cold start    not measured: %.*s\n", STR_ARG(r->cold_why));
}

static struct str energy_words(const struct speed_report *r)
{
    static char words[120];
    if (str_eq(r->energy_source, STR("configured")))
        return STR("as configured");
    snprintf(words, sizeof words, "by %.*s: what it sees of the machine, at rest too", STR_ARG(r->energy_source));
    return str_of(words);
}

static void put_energy(const struct speed_report *r, struct buf *out)
{
    const struct speed_cell *c = speed_first(r);
    if (r->energy_source.n && c && isfinite(c->watts))
        buf_printf(out, "energy        %.1f W, %.1f J a run, %.*s\n", c->watts, c->joules_per_round, STR_ARG(energy_words(r)));
    else if (r->energy_why.n)
        buf_printf(out, "energy        not known: %.*s\n", STR_ARG(r->energy_why));
}

void bench_show(const struct speed_report *r, struct buf *out)
{
    char text[32];
    buf_printf(out, "%.*s on %.*s, %lld tokens an answer\n\n", STR_ARG(r->model), STR_ARG(r->host), (long long)r->tokens);
    put_cells(r, out);
    buf_add_char(out, '\n');
    put_prompt_source(r, out);
    put_cold(r, out);
    if (r->memory_bytes > 0)
        buf_printf(out, "memory        %.*s at most\n", STR_ARG(show_bytes(r->memory_bytes, text)));
    put_energy(r, out);
    for (size_t i = 0; i < r->nwarnings; i++)
        buf_printf(out, "note          %.*s\n", STR_ARG(r->warnings[i]));
}

static const struct {
    const char *figure, *words;
    int decimals;
} figures[] = {
    { "prompt_tps", "prompt tok/s", 1 }, { "generation_tps", "answer tok/s", 1 }, { "ttft_ms", "ttft ms", 0 }, { "per_token_ms", "token ms", 2 }, { "tokens_per_joule", "tok/J", 3 },
};

void bench_show_comparison(const struct speed_comparison *c, struct str against, struct buf *out)
{
    static const char *const heads[] = { "CONTEXT", "AT ONCE", "FIGURE", "BEFORE", "NOW", "CHANGE", "95 %", "VERDICT" };
    struct table t;
    char text[64];
    buf_printf(out, "\nagainst %.*s of %.*s\n", STR_ARG(against), STR_ARG(c->a_time));
    table_init(&t, heads, COUNTOF(heads));
    for (size_t i = 0; i < c->n; i++) {
        const struct speed_difference *d = &c->at[i];
        size_t f = 0;
        while (f + 1 < COUNTOF(figures) && !str_eq(str_of(figures[f].figure), str_of(d->figure)))
            f++;
        table_int(&t, d->context);
        table_int(&t, d->concurrency);
        table_cell(&t, str_of(figures[f].words));
        cell_number(&t, d->a, figures[f].decimals);
        cell_number(&t, d->b, figures[f].decimals);
        snprintf(text, sizeof text, "%+.1f %%", 100 * d->change);
        table_cell(&t, str_of(text));
        snprintf(text, sizeof text, "%+.1f to %+.1f %%", 100 * d->lo, 100 * d->hi);
        table_cell(&t, str_of(isnan(d->lo) ? "" : text));
        table_cell(&t, str_of(speed_verdict_names[d->verdict]));
    }
    if (c->n)
        table_print(&t, out);
    table_fini(&t);
    for (size_t i = 0; i < c->nwarnings; i++)
        buf_printf(out, "not alike     %.*s\n", STR_ARG(c->warnings[i]));
}
