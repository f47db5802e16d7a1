/* hob stats, in two: averages of a window (stats.c), what memory was good for (stats_residency.c). */
#ifndef HOB_CLI_STATS_H
#define HOB_CLI_STATS_H

#include "cli/report.h"

void stats_put_residency(yyjson_val *root, struct buf *out);

#endif
