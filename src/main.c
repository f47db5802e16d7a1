/* hob: joins the tables. */
#include "cli/commands.h"

const struct command *const cli_commands[] = { &cli_serve, &cli_run, &cli_config, &cli_version, &cli_help, &cli_gateway, NULL };

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
