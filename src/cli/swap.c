/* hob swap: another model under a role, with evidence before and a way back. */
#include "cli/swap.h"

#include "cli/commands.h"

#include <stdio.h>

/* A word more is a row here, one in `run_sub`, and a file. */
static const struct cli_sub subs[] = {
    { "simulate", "how many requests a trial needs to see what one fears", CLI_WORDS_NONE },
    { .name = NULL },
};
static const struct {
    int (*run)(const struct cli_args *a, const struct str *words, size_t n);
    size_t least, most;         /* words behind it */
    const char *usage;
} run_sub[] = {
    { swap_simulate, 0, 0, "simulate --baseline P --candidate P [--requests N] [--trials N]" },
};

static int usage(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        fprintf(stderr, "hob: hob swap %s\n", run_sub[i].usage);
    return EXIT_USAGE;
}

static int run(const struct cli_args *a)
{
    for (size_t i = 0; a->nwords && subs[i].name; i++) {
        size_t n = a->nwords - 1;
        if (!str_eq(a->words[0], str_of(subs[i].name)))
            continue;
        return n < run_sub[i].least || n > run_sub[i].most ? usage(i, i + 1) : run_sub[i].run(a, a->words + 1, n);
    }
    return usage(0, COUNTOF(run_sub));
}

static const struct cli_option options[] = {
    { "--baseline", NULL, "P", "simulate: how often the old model fails, 0..1" },
    { "--candidate", NULL, "P", "simulate: how often the new one does" },
    { "--requests", NULL, "N", "simulate: of the window (default: 2000)" },
    { "--trials", NULL, "N", "simulate: windows that are played (default: 10000)" },
    { "--baseline-requests", NULL, "N", "simulate: that were seen of the old model (default: 2000; 0: it is known)" },
    { "--tolerance", NULL, "P", "simulate: so much more often is still borne (default: 0)" },
    { "--share", NULL, "P", "simulate: this guard's of the 5 % that all may be wrong (default: 0.25)" },
    { "--seed", NULL, "N", "simulate: other chances (default: 1)" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};

const struct command cli_swap = { .name = "swap", .usage = "simulate --baseline P --candidate P", .what = "put another model in a role's place, on trial",
    .example = "hob swap simulate --baseline 0.02 --candidate 0.06", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .subs = subs };
