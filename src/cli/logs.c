/* hob logs: rows about requests; with --model alone, what that model's engine says. */
#include "cli/logs.h"

#include "cli/commands.h"

#include <stdio.h>

enum { LINES_DEFAULT = 100 };

static int run(const struct cli_args *a)
{
    struct str n = cli_option_value(a, "--lines");
    int64_t lines = LINES_DEFAULT;
    bool engine = cli_option_value(a, "--model").n && !cli_flag(a, "--requests");
    static const char *const of_rows[] = { "--since", "--faults", "--caller" };
    if (str_eq(n, STR("all"))) {
        lines = INT64_MAX;
    } else if (n.p && !str_to_int(n, 0, INT32_MAX, &lines)) {
        fprintf(stderr, "hob: -n wants a number of lines, or `all`, not '%.*s'\n", STR_ARG(n));
        return EXIT_USAGE;
    }
    for (size_t i = 0; engine && i < COUNTOF(of_rows); i++)
        engine = !cli_option_value(a, of_rows[i]).p; /* an engine's words know neither */
    if (engine && a->nwords) {
        fprintf(stderr, "hob: a request is shown by its id alone; `hob help logs` shows how\n");
        return EXIT_USAGE;
    }
    return engine ? logs_engine(a, lines) : logs_rows(a, lines);
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--model", "-m", "MODEL", "what its engine says; with --requests, --since, --faults or --caller: requests that named it, or that it answered" },
    { "--requests", "-r", NULL, "requests, also with --model" },
    { "--lines", "-n", "LINES", "the last so many, or `all` (default: 100)" },
    { "--since", NULL, "WHEN", "from then on: 2h, 7d, 2026-11-21, 2026-11-21T14:30" },
    { "--faults", NULL, NULL, "only those that failed" },
    { "--caller", NULL, "NAME", "only those of this key" },
    { "--follow", "-f", NULL, "go on with what comes from now on, until interrupted" },
    { "--json", NULL, NULL, "one JSON object a line" },
    CLI_END,
};
const struct command cli_logs = { .name = "logs", .usage = "[ID] [-n N] [--since WHEN] [--faults] [-f] | --model MODEL [-n LINES] [-f]",
    .what = "show requests and what came of them, or what a model's engine says", .example = "hob logs --faults --since 2h", .run = run, .options = options,
    .max_words = 1 };
