/* A run as JUnit's XML, which every CI shows. What the tools make of it: `failure` and `error` turn a build red, `skipped` is shown with its words and turns nothing. */
#include "evidence/kept.h"

#include <stdio.h>

/* ---- XML ---- */

/* XML 1.0 has no way to say most control characters, nor U+FFFE and U+FFFF: they are written out. Line ends in attributes would be read as spaces. */
static void put_escaped(struct buf *out, struct str text, bool attribute)
{
    static const struct { char c; const char *as; } names[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" } };
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        const char *as = NULL;
        for (size_t k = 0; k < COUNTOF(names); k++)
            if (text.p[i] == names[k].c)
                as = names[k].as;
        if (as)
            buf_add(out, str_of(as));
        else if (c == '\r' || (attribute && (c == '\n' || c == '\t')))
            buf_printf(out, "&#%d;", c);
        else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else if (c == 0xef && text.n - i >= 3 && text.p[i + 1] == '\xbf' && (unsigned char)text.p[i + 2] >= 0xbe)
            buf_printf(out, "\\uff%s", (unsigned char)text.p[(i += 2)] == 0xbe ? "fe" : "ff");
        else
            buf_add_char(out, text.p[i]);
    }
}

static void attribute(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, " %s=\"", name);
    put_escaped(out, value, true);
    buf_lit(out, "\"");
}

static void attribute_count(struct buf *out, const char *name, int64_t n)
{
    buf_printf(out, " %s=\"%lld\"", name, (long long)n);
}

static void attribute_seconds(struct buf *out, int64_t ms)
{
    buf_printf(out, " time=\"%.3f\"", (double)(ms > 0 ? ms : 0) / 1000);
}

/* ---- a run ---- */

enum kind { OK, FAILURE, ERROR, SKIPPED, KINDS };
static const char *const element[KINDS] = { NULL, "failure", "error", "skipped" };

static enum kind kind_of(const struct kept_result *r)
{
    if (r->passed >= 0)
        return r->passed ? OK : FAILURE;
    return r->fault == FAULT_HARNESS ? SKIPPED : ERROR;
}

struct sums {
    int64_t n[KINDS], total, ms;
};

static void add(struct sums *s, const struct kept_result *r)
{
    s->n[kind_of(r)]++;
    s->total++;
    s->ms += r->total_ms > 0 ? r->total_ms : 0;
}

static void put_sums(struct buf *out, const struct sums *s)
{
    attribute_count(out, "tests", s->total);
    attribute_count(out, "failures", s->n[FAILURE]);
    attribute_count(out, "errors", s->n[ERROR]);
    attribute_count(out, "skipped", s->n[SKIPPED]);
    attribute_seconds(out, s->ms);
}

/* Dots make packages of a class's name: "json-bench.llama-3_2". */
static void put_class(struct buf *out, const struct kept_run *r, const struct kept_place *p)
{
    struct buf name = { 0 };
    const struct str parts[] = { r->suite.name, p->name };
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        if (i)
            buf_add_char(&name, '.');
        for (size_t k = 0; k < parts[i].n; k++)
            buf_add_char(&name, parts[i].p[k] == '.' ? '_' : parts[i].p[k]);
    }
    attribute(out, "classname", buf_str(&name));
    buf_free(&name);
}

/* The first turn has the case's own name, so that a test keeps its name when cases come to be repeated. */
static void put_name(struct buf *out, const struct kept_run *r, const struct kept_result *x)
{
    struct buf name = { 0 };
    buf_add(&name, r->suite.cases[x->item].id);
    if (x->turn > 1)
        buf_printf(&name, " (turn %lld)", (long long)x->turn);
    attribute(out, "name", buf_str(&name));
    buf_free(&name);
}

static void put_trouble(struct buf *out, const struct kept_result *x)
{
    enum kind kind = kind_of(x);
    struct str why = x->why.n ? x->why : STR("no reason is known");
    buf_printf(out, "      <%s", element[kind]);
    attribute(out, "message", why);
    if (kind == SKIPPED) {
        buf_lit(out, "/>\n");
        return;
    }
    attribute(out, "type", str_of(x->fault ? fault_name(x->fault) : "model"));
    buf_lit(out, ">");
    put_escaped(out, why, false);
    if (x->request_id.n) {
        buf_lit(out, "\nrequest: ");
        put_escaped(out, x->request_id, false);
    }
    buf_printf(out, "</%s>\n", element[kind]);
}

static void put_case(struct buf *out, const struct kept_run *r, const struct kept_result *x)
{
    bool bare = kind_of(x) == OK && !x->text.n;
    buf_lit(out, "    <testcase");
    put_name(out, r, x);
    put_class(out, r, &r->places[x->place]);
    attribute_seconds(out, x->total_ms);
    buf_add(out, bare ? STR("/>\n") : STR(">\n"));
    if (kind_of(x) != OK)
        put_trouble(out, x);
    if (x->text.n) {
        buf_lit(out, "      <system-out>");
        put_escaped(out, x->text, false);
        buf_lit(out, "</system-out>\n");
    }
    if (!bare)
        buf_lit(out, "    </testcase>\n");
}

static void put_properties(struct buf *out, const struct kept_run *r, const struct kept_place *p)
{
    char run[24];
    snprintf(run, sizeof run, "%lld", (long long)r->run);
    const struct { const char *name; struct str value; } all[] = { { "run", str_of(run) }, { "model", p->name }, { "host", p->host }, { "runtime", p->runtime },
        { "engine", p->engine }, { "quantisation", p->quantisation } };
    buf_lit(out, "    <properties>\n");
    for (size_t i = 0; i < COUNTOF(all); i++) {
        if (!all[i].value.n)
            continue;
        buf_lit(out, "      <property");
        attribute(out, "name", str_of(all[i].name));
        attribute(out, "value", all[i].value);
        buf_lit(out, "/>\n");
    }
    buf_lit(out, "    </properties>\n");
}

static void put_place(struct buf *out, const struct kept_run *r, size_t place)
{
    struct buf name = { 0 };
    struct sums sums = { 0 };
    for (size_t i = 0; i < r->nresults; i++)
        if (r->results[i].place == place)
            add(&sums, &r->results[i]);
    buf_printf(&name, "%.*s: %.*s", STR_ARG(r->suite.name), STR_ARG(r->places[place].name));
    buf_lit(out, "  <testsuite");
    attribute(out, "name", buf_str(&name));
    put_sums(out, &sums);
    if (r->began.n) /* the schema wants it without a zone */
        attribute(out, "timestamp", str_ends(r->began, STR("Z")) ? str_make(r->began.p, r->began.n - 1) : r->began);
    buf_lit(out, ">\n");
    put_properties(out, r, &r->places[place]);
    for (size_t i = 0; i < r->nresults; i++)
        if (r->results[i].place == place)
            put_case(out, r, &r->results[i]);
    buf_lit(out, "  </testsuite>\n");
    buf_free(&name);
}

void kept_junit(const struct kept_run *r, struct buf *out)
{
    struct sums sums = { 0 };
    for (size_t i = 0; i < r->nresults; i++)
        add(&sums, &r->results[i]);
    buf_lit(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    attribute(out, "name", r->suite.name);
    put_sums(out, &sums);
    buf_lit(out, ">\n");
    for (size_t i = 0; i < r->nplaces; i++)
        put_place(out, r, i);
    buf_lit(out, "</testsuites>\n");
}
