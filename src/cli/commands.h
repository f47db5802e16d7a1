/* The commands, one file each. */
#ifndef HOB_CLI_COMMANDS_H
#define HOB_CLI_COMMANDS_H

#include "cli/cli.h"

int gateway_run(const struct cli_args *a); /* gateway.c */

extern const struct command
    cli_serve,
    cli_gateway,
    cli_run,
    cli_ps,
    cli_models,
    cli_show,
    cli_load,
    cli_unload,
    cli_pull,
    cli_logs,
    cli_gain,
    cli_stats,
    cli_advise,
    cli_fit,
    cli_preflight,
    cli_route,
    cli_lint,
    cli_service,
    cli_upgrade,
    cli_doctor,
    cli_engine,
    cli_config,
    cli_keys,
    cli_eval,
    cli_bench,
    cli_tune,
    cli_swap,
    cli_api,
    cli_completion,
    cli_man,
    cli_names,
    cli_lab,
    cli_version,
    cli_help;

#endif
