#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>

struct table_line {
    struct table_line *next;
    size_t n;
    struct str cell[TABLE_MAX_COLUMNS];
    struct str note; /* then it has no cells */
};

/* Characters, not bytes: names may be in any script. Wide ones count as one; that much disorder is bearable. */
static size_t width_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static struct str clean(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.n + 1);
    memcpy(copy, s.n ? s.p : "", s.n);
    str_mask_controls(copy, s.n);
    return str_make(copy, s.n);
}

static struct table_line *add_line(struct table *t)
{
    struct table_line *l = arena_new(&t->arena, struct table_line);
    if (t->last)
        t->last->next = l;
    else
        t->first = l;
    return t->last = l;
}

void table_init(struct table *t, const char *const *heads, size_t columns)
{
    *t = (struct table){ .columns = columns };
    arena_init(&t->arena);
    for (size_t i = 0; i < columns; i++)
        table_cell(t, str_of(heads[i]));
}

void table_fini(struct table *t)
{
    arena_fini(&t->arena);
}

void table_cell(struct table *t, struct str text)
{
    struct table_line *l = t->last;
    if (!l || l->note.p || l->n == t->columns)
        l = add_line(t);
    l->cell[l->n] = clean(&t->arena, text.n ? text : STR("-"));
    size_t width = width_of(l->cell[l->n]);
    if (width > t->width[l->n])
        t->width[l->n] = width;
    l->n++;
}

void table_int(struct table *t, int64_t v)
{
    char text[24] = "";
    if (v >= 0)
        snprintf(text, sizeof text, "%lld", (long long)v);
    table_cell(t, str_of(text));
}

void table_note(struct table *t, struct str text)
{
    add_line(t)->note = clean(&t->arena, text);
}

void table_print(const struct table *t, struct buf *out)
{
    for (const struct table_line *l = t->first; l; l = l->next) {
        if (l->note.p)
            buf_printf(out, "    %.*s", STR_ARG(l->note));
        for (size_t i = 0; i < l->n; i++) {
            buf_add(out, l->cell[i]);
            for (size_t k = width_of(l->cell[i]); i + 1 < l->n && k < t->width[i] + 2; k++)
                buf_add_char(out, ' ');
        }
        buf_add_char(out, '\n');
    }
}

void show_fact(struct buf *out, const char *head, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    str_mask_controls(text, strlen(text));
    buf_printf(out, "%-18s%s\n", head, text);
}

struct str show_bytes(int64_t bytes, char out[32])
{
    static const struct {
        int64_t size;
        const char *name;
    } units[] = { { (int64_t)1 << 40, "TiB" }, { (int64_t)1 << 30, "GiB" }, { (int64_t)1 << 20, "MiB" }, { (int64_t)1 << 10, "KiB" }, { 1, "B" } };
    size_t i = 0;
    out[0] = 0;
    if (bytes < 0)
        return str_of(out);
    while (i + 1 < COUNTOF(units) && bytes < units[i].size)
        i++;
    double v = (double)bytes / (double)units[i].size;
    snprintf(out, 32, v < 10 && units[i].size > 1 ? "%.1f %s" : "%.0f %s", v, units[i].name);
    return str_of(out);
}

struct str show_ms(int64_t ms, char out[32])
{
    static const struct {
        int64_t ms, until;
        const char *name;
    } units[] = { { 1000, 120 * 1000, "s" }, { 60 * 1000, 120 * 60 * 1000, "min" }, { 3600 * 1000, 48 * 3600 * 1000, "h" }, { 24 * 3600 * 1000, INT64_MAX, "d" } };
    size_t i = 0;
    out[0] = 0;
    if (ms < 0)
        return str_of(out);
    while (i + 1 < COUNTOF(units) && ms >= units[i].until)
        i++;
    snprintf(out, 32, "%lld %s", (long long)(ms / units[i].ms), units[i].name);
    return str_of(out);
}

struct str show_money(double v, char out[32])
{
    int n = snprintf(out, 32, "%.*f", v == 0 || v >= 0.01 ? 2 : 6, v);
    return str_make(out, (size_t)n < 32 ? (size_t)n : 31);
}
