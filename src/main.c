/* hob: joins the tables. */
#include "cli/commands.h"

const struct command *const cli_commands[] = {
    &cli_serve,
    &cli_run,
    &cli_ps,
    &cli_models,
    &cli_show,
    &cli_load,
    &cli_unload,
    &cli_pull,
    &cli_logs,
    &cli_gain,
    &cli_stats,
    &cli_advise,
    &cli_fit,
    &cli_preflight,
    &cli_route,
    &cli_lint,
    &cli_service,
    &cli_upgrade,
    &cli_doctor,
    &cli_engine,
    &cli_config,
    &cli_keys,
    &cli_eval,
    &cli_bench,
    &cli_tune,
    &cli_swap,
    &cli_api,
    &cli_completion,
    &cli_man,
    &cli_version,
    &cli_help,
    &cli_gateway, &cli_names, &cli_lab, /* hidden ones last */
    NULL,
};

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
