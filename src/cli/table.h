/* Columns for people: as wide as their widest cell, two spaces between, nothing at the end of a line. */
#ifndef HOB_CLI_TABLE_H
#define HOB_CLI_TABLE_H

#include "base/arena.h"
#include "base/buf.h"

enum { TABLE_MAX_COLUMNS = 12 };

struct table_line;
struct table {
    struct arena arena;
    size_t columns;
    size_t width[TABLE_MAX_COLUMNS];
    struct table_line *first, *last;
};

void table_init(struct table *t, const char *const *heads, size_t columns);
void table_fini(struct table *t);
/* Cells from left to right; one past the last column begins the next line. Copied; control characters become '?'; empty is shown as "-". */
void table_cell(struct table *t, struct str text);
void table_int(struct table *t, int64_t v); /* negative: "-" */
void table_note(struct table *t, struct str text); /* a line of its own, under the last one, indented */
void table_print(const struct table *t, struct buf *out);

/* A line of a short report: what it is about (or ""), in a column of 18, and the text. Control characters become '?'. */
void show_fact(struct buf *out, const char *head, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "135 MiB", "4.2 GiB"; "3 s", "5 min", "2 h", "4 d". Into out, which is also returned as text. */
struct str show_bytes(int64_t bytes, char out[32]);
struct str show_ms(int64_t ms, char out[32]);
/* "12.50", "0.000015": money, in whatever kind prices are. */
struct str show_money(double v, char out[32]);

#endif
