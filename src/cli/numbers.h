/* Numbers that an option is given. */
#ifndef HOB_CLI_NUMBERS_H
#define HOB_CLI_NUMBERS_H

#include "cli/cli.h"

/* Each leaves *out as it is when the option was not given. EXIT_OK, or EXIT_USAGE with a word on stderr. */
int option_number(const struct cli_args *a, const char *name, double min, double max, double *out);
int option_count(const struct cli_args *a, const char *name, int64_t min, int64_t max, int64_t *out);

#endif
