/* hob api: the reference of the public API, as this very program has it. */
#include "api/reference.h"
#include "cli/commands.h"

#include <stdio.h>

static int run(const struct cli_args *a)
{
    struct buf out = { 0 };
    if (cli_flag(a, "--json"))
        reference_put_openapi(&out);
    else
        reference_put_page(&out);
    if (cli_flag(a, "--json"))
        buf_add_char(&out, '\n');
    bool whole = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_free(&out);
    if (!whole)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return whole ? EXIT_OK : EXIT_FAILED;
}

static const struct cli_option options[] = { { "--json", NULL, NULL, "an OpenAPI 3.1 document" }, CLI_END };
const struct command cli_api = { "api", "[--json]", "print the reference of the API", "hob api --json >openapi.json", run, options, false, 0 };
