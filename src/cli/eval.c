/* hob eval: suites put to models, and what came of it. */
#include "cli/commands.h"
#include "cli/eval.h"

/* A word more is a row here, and a file. */
static const struct cli_sub subs[] = {
    { "run", "put a suite to models, and keep what they say", CLI_WORDS_FILES, "SUITE --models A,B", eval_run, 1, 1 },
    { "list", "the runs so far", CLI_WORDS_NONE, "", eval_list, 0, 0 },
    { "show", "a run, case by case", CLI_WORDS_NONE, "RUN", eval_show, 1, 1 },
    { "compare", "is one as good as the other, and how sure is that", CLI_WORDS_NONE, "RUN [RUN …] [--models A,B] | --pairs FILE", eval_compare, 0, 32 },
    { "export", "a run as JSON, Markdown, or JUnit's XML", CLI_WORDS_NONE, "RUN [--form json|markdown|junit] [-o FILE]", eval_export, 1, 1 },
    { "capture", "draw a suite from what a role was really asked", CLI_WORDS_NAMES, "ROLE [--n 20] [--seed 1] [-o FILE] | ROLE --forget | --status", eval_capture, 0, 1 },
    { "label", "say what was expected of its cases, one by one", CLI_WORDS_FILES, "FILE [--all]", eval_label, 1, 1 },
    { "suites", "the suites that hob brings", CLI_WORDS_NONE, "", eval_suites, 0, 0 },
    { "show-suite", "one of them, as YAML", CLI_WORDS_NONE, "NAME [-o FILE]", eval_show_suite, 1, 1 },
    { "check", "is a suite right, and could its cases be met", CLI_WORDS_FILES, "SUITE", eval_check, 1, 1 },
    { "import", "take over samples, or a promptfoo configuration", CLI_WORDS_FILES, "FILE [--from KIND] [-o FILE]", eval_import, 1, 1 },
    { .name = NULL },
};

static int run(const struct cli_args *a)
{
    return cli_dispatch(a, "list");
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--models", "-m", "A,B", "whom to ask; MODEL@HOST for a replica of it on that host", "run" },
    { "--models", "-m", "A,B", "the old one and the new one, where a run has more than two", "compare" },
    { "--repeat", NULL, "N", "ask each case so often (default: as the suite says)", "run" },
    { "--concurrency", NULL, "N", "so many requests at a time (default: 1)", "run" },
    { "--interleave", NULL, NULL, "the models in turn, case by case, for times that can be compared", "run" },
    { "--judge", NULL, "ROLE", "who is asked where a case wants a judge (default: nobody)", "run" },
    { "--at-least", NULL, "PERCENT", "exit 4 when a model passes less", "run" },
    { "--resume", NULL, "RUN", "go on with one that was stopped", "run" },
    { "--seed", NULL, "N", "of suites that are drawn, and for the models", "run check show-suite" },
    { "--lengths", NULL, "TOKENS", "of long-context: how long its texts are, like 1k,8k,32k", "run check show-suite" },
    { "--quiet", "-q", NULL, "no progress", "run" },
    { "--margin", NULL, "POINTS", "so much worse is still \"not worse\" (default: as the suite says, else 5)", "compare" },
    { "--pairs", NULL, "FILE", "lines of {\"a\":true,\"b\":false}, a being the old model; - is stdin", "compare" },
    { "--n", "-n", "N", "so many asks (default: 20)", "capture" },
    { "--seed", NULL, "N", "another draw (default: 1)", "capture" },
    { "--status", NULL, NULL, "what is kept of which role, and until when", "capture" },
    { "--forget", NULL, NULL, "delete all that is kept of the role", "capture" },
    { "--all", NULL, NULL, "cases that say already what they expect, too", "label" },
    { "--from", NULL, "KIND", "promptfoo or jsonl (default: by the file's ending)", "import" },
    { "--form", NULL, "FORM", "json, markdown or junit (default: by the file's ending, else json)", "export" },
    { "--output", "-o", "FILE", "write there instead of to stdout; a file that is there stays", "import show-suite capture" },
    { "--output", "-o", "FILE", "write there, anew, instead of to stdout", "export" },
    { "--json", NULL, NULL, "one JSON object; import and show-suite write YAML" },
    CLI_END,
};

const struct command cli_eval = { .name = "eval", .usage = "run SUITE --models A,B | list | show|export RUN | compare RUN [RUN] | check|import FILE | suites | capture ROLE | label FILE", .what = "put suites of cases to models, and compare them",
    .example = "hob eval run json-bench --models old,new", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .subs = subs };
