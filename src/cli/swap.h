/* hob swap: a file for each of its words; swap.c has the table. Each returns an exit code, and is given the words behind its own. */
#ifndef HOB_CLI_SWAP_H
#define HOB_CLI_SWAP_H

#include "cli/cli.h"

int swap_simulate(const struct cli_args *a, const struct str *words, size_t n); /* swap_simulate.c */

#endif
