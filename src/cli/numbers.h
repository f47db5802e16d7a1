/* Numbers that an option is given. */
#ifndef HOB_CLI_NUMBERS_H
#define HOB_CLI_NUMBERS_H

#include "cli/cli.h"

/* Each leaves *out as it is when the option was not given. EXIT_OK, or EXIT_USAGE with a word on stderr. */
int option_number(const struct cli_args *a, const char *name, double min, double max, double *out);
int option_count(const struct cli_args *a, const char *name, int64_t min, int64_t max, int64_t *out);
int option_duration(const struct cli_args *a, const char *name, int64_t min_ms, int64_t max_ms, int64_t *out_ms); /* "7d", "12h", "30m", "45s", "250ms" */
int option_share(const struct cli_args *a, const char *name, double *out); /* "10%", "0.1": above 0, at most all */

#endif
