/* hob version: ours, and the libraries' that matter when something is reported. */
#include "admin/admin.h"
#include "cli/ask.h"
#include "cli/commands.h"

#include <llhttp.h>
#include <stdio.h>
#include <uv.h>
#include <yyjson.h>

static int run(const struct cli_args *a)
{
    if (cli_flag(a, "--json")) {
        struct buf out = { 0 };
        admin_put_version(&out, 0);
        int rc = print_answer(buf_str(&out));
        buf_free(&out);
        return rc;
    }
    printf("hob %s (libuv %s, llhttp %d.%d.%d, yyjson %s)\n", HOB_VERSION, uv_version_string(), LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR,
        LLHTTP_VERSION_PATCH, YYJSON_VERSION_STRING);
    return EXIT_OK;
}

static const struct cli_option options[] = { { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_version = { "version", "[--json]", "print the version", NULL, run, options, false, 0 };
