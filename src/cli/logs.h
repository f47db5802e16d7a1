/* hob logs, in three: what an engine says (logs_engine.c), rows about requests (logs_rows.c), the whole story of one (logs_story.c). */
#ifndef HOB_CLI_LOGS_H
#define HOB_CLI_LOGS_H

#include "cli/cli.h"
#include "json/json.h"

/* lines: the last so many; INT64_MAX = all. */
int logs_engine(const struct cli_args *a, int64_t lines);
int logs_rows(const struct cli_args *a, int64_t lines);
/* row: as GET /hob/v1/logs has it. */
void logs_story(yyjson_val *row, struct buf *out);
/* "2026-11-21 14:30:05", local time, of a row's "time". */
void logs_time(yyjson_val *row, char out[32]);

#endif
