/* hob eval: suites put to models, and what came of it. */
#include "cli/commands.h"
#include "cli/eval.h"

/* A word more is a row here, one in `run_sub`, and a file. */
static const struct cli_sub subs[] = {
    { "run", "put a suite to models, and keep what they say", CLI_WORDS_FILES },
    { "list", "the runs so far", CLI_WORDS_NONE },
    { "show", "a run, case by case", CLI_WORDS_NONE },
    { "compare", "is one as good as the other, and how sure is that", CLI_WORDS_NONE },
    { "export", "a run as JSON, Markdown, or JUnit's XML", CLI_WORDS_NONE },
    { "capture", "draw a suite from what a role was really asked", CLI_WORDS_NAMES },
    { "label", "say what was expected of its cases, one by one", CLI_WORDS_FILES },
    { "suites", "the suites that hob brings", CLI_WORDS_NONE },
    { "show-suite", "one of them, as YAML", CLI_WORDS_NONE },
    { "check", "is a suite right, and could its cases be met", CLI_WORDS_FILES },
    { "import", "take over samples, or a promptfoo configuration", CLI_WORDS_FILES },
    { .name = NULL },
};
static const struct cli_sub_run run_sub[] = {
    { eval_run, 1, 1, "run SUITE --models A,B" },
    { eval_list, 0, 0, "list" },
    { eval_show, 1, 1, "show RUN" },
    { eval_compare, 0, 32, "compare RUN [RUN …] [--models A,B] | compare --pairs FILE" },
    { eval_export, 1, 1, "export RUN [--form json|markdown|junit] [-o FILE]" },
    { eval_capture, 0, 1, "capture ROLE [--n 20] [--seed 1] [-o FILE] | capture ROLE --forget | capture --status" },
    { eval_label, 1, 1, "label FILE [--all]" },
    { eval_suites, 0, 0, "suites" },
    { eval_show_suite, 1, 1, "show-suite NAME" },
    { eval_check, 1, 1, "check SUITE" },
    { eval_import, 1, 1, "import FILE" },
};

_Static_assert(COUNTOF(run_sub) + 1 == COUNTOF(subs), "a word without its row");

static int run(const struct cli_args *a)
{
    return cli_dispatch(a, run_sub, "list");
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--pairs", NULL, "FILE", "compare: lines of {\"a\":true,\"b\":false}, a being the old model; - is stdin" },
    { "--margin", NULL, "POINTS", "compare: so much worse is still \"not worse\" (default: as the suite says, else 5)" },
    { "--models", "-m", "A,B", "run: whom to ask; MODEL@HOST for a replica of it on that host; compare: the old one and the new one" },
    { "--repeat", NULL, "N", "run: ask each case so often (default: as the suite says)" },
    { "--concurrency", NULL, "N", "run: so many requests at a time (default: 1)" },
    { "--interleave", NULL, NULL, "run: the models in turn, case by case, for times that can be compared" },
    { "--judge", NULL, "ROLE", "run: who is asked where a case wants a judge (default: nobody)" },
    { "--n", "-n", "N", "capture: so many asks (default: 20)" },
    { "--status", NULL, NULL, "capture: what is kept of which role, and until when" },
    { "--forget", NULL, NULL, "capture: delete all that is kept of the role" },
    { "--all", NULL, NULL, "label: cases that say already what they expect, too" },
    { "--seed", NULL, "N", "capture: another draw (default: 1); run: of suites that are drawn, and for the models" },
    { "--lengths", NULL, "TOKENS", "run long-context: how long its texts are, like 1k,8k,32k; check, show-suite: likewise" },
    { "--resume", NULL, "RUN", "run: go on with one that was stopped" },
    { "--at-least", NULL, "PERCENT", "run: exit 4 when a model passes less" },
    { "--quiet", "-q", NULL, "run: no progress" },
    { "--from", NULL, "FORM", "import: promptfoo or jsonl (default: by the file's ending)" },
    { "--form", NULL, "FORM", "export: json, markdown or junit (default: by the file's ending, else json)" },
    { "--output", "-o", "FILE", "import, show-suite, capture: write there instead of to stdout; a file that is there stays. export: written anew" },
    { "--json", NULL, NULL, "one JSON object; import and show-suite write YAML" },
    CLI_END,
};

const struct command cli_eval = { .name = "eval", .usage = "run SUITE --models A,B | list | show|export RUN | compare RUN [RUN] | check|import FILE | suites | capture ROLE | label FILE", .what = "put suites of cases to models, and compare them",
    .example = "hob eval run json-bench --models old,new", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .subs = subs };
