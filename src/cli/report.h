/* Commands that print what admin/reports.h makes: out of the store beside a daemon or without one, or over HOB_URL. */
#ifndef HOB_CLI_REPORT_H
#define HOB_CLI_REPORT_H

#include "admin/reports.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "json/json.h"

/* One key of the query. An empty value is left out. */
struct report_ask {
    const char *key;
    struct str value;
};
/* Makes it, and prints it: as JSON with --json, else in words (put, into out). Returns the exit code. */
int report_run(const struct cli_args *a, const struct report *r, const struct report_ask *asks, size_t n, void (*put)(yyjson_val *root, struct buf *out));

/* ---- words ---- */
double report_get(yyjson_val *o, const char *key);                  /* NaN: null, or not there */
int64_t report_count(yyjson_val *o, const char *key);
void report_ms(double ms, struct buf *out);                         /* "83 ms", "4.20 s", "12 min"; NaN: "unknown" */
void report_window(yyjson_val *window, struct buf *out);            /* "24 h, 2026-11-21 06:00 to 2026-11-22 06:00 UTC" */
void report_hours(double hours, struct buf *out);                   /* "90 min", "24 h", "7 d" */

#endif
