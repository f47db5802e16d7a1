/* hob swap: another model under a role, with evidence before and a way back. */
#include "cli/swap.h"

#include "cli/commands.h"

/* A word more is a row here, one in `run_sub`, and a file. */
static const struct cli_sub subs[] = {
    { "plan", "which model takes whose place, and whether it would serve there", CLI_WORDS_NONE },
    { "evidence", "the roles' suites, put to the old model and the new one", CLI_WORDS_NONE },
    { "start", "begin the trial: the new one answers (--shadow: only copies go to it)", CLI_WORDS_NONE },
    { "promote", "keep the new one", CLI_WORDS_NONE },
    { "rollback", "back to the old one, at once", CLI_WORDS_NONE },
    { "retire", "let the file say what holds", CLI_WORDS_NONE },
    { "status", "what is swapped, how it goes, and what is next", CLI_WORDS_NONE },
    { "log", "who took which step when, and why: which model answered which role", CLI_WORDS_NONE },
    { "baseline", "what a role's model has done, saved for the guards of a trial", CLI_WORDS_NAMES },
    { "report", "how it went, role by role, as Markdown: for a wiki, or whoever has to agree", CLI_WORDS_NONE },
    { "history", "which model answered which role, from when until when, and by what", CLI_WORDS_NONE },
    { "simulate", "how many requests a trial needs to see what one fears", CLI_WORDS_NONE },
    { .name = NULL },
};
static const struct cli_sub_run run_sub[] = {
    { swap_plan, 0, 0, "plan --role ROLE=MODEL [--role …] [--window 7d] [--share 10%] [--shadow 5%] | --engine ENGINE=PATH" },
    { swap_evidence, 1, 1, "evidence ID [--suite SUITE …]" },
    { swap_start, 1, 1, "start ID [--force --why TEXT | --shadow 5%] [--baseline rows|saved|none]" },
    { swap_promote, 1, 1, "promote ID [--role R] [--early]" },
    { swap_rollback, 1, 1, "rollback ID [--role R] [--why TEXT]" },
    { swap_retire, 1, 1, "retire ID [--role R]" },
    { swap_status, 0, 1, "status [ID]" },
    { swap_log, 0, 1, "log [ID]" },
    { swap_baseline, 0, 1, "baseline [ROLE] [--save|--forget]" },
    { swap_report, 1, 1, "report ID [-o FILE]" },
    { swap_history, 0, 1, "history [ROLE]" },
    { swap_simulate, 0, 0, "simulate --baseline P --candidate P [--requests N] [--trials N]" },
};

_Static_assert(COUNTOF(run_sub) + 1 == COUNTOF(subs), "a word without its row");

static int run(const struct cli_args *a)
{
    return cli_dispatch(a, run_sub, NULL);
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--role", NULL, "ROLE", "plan: ROLE=MODEL, as often as there are roles to move; other steps: this one alone" },
    { "--engine", NULL, "ENGINE", "plan: ENGINE=PATH, another build of llama-server under the models of that engine" },
    { "--window", NULL, "TIME", "plan, start: how long the trial lasts (default: 7d)" },
    { "--share", NULL, "SHARE", "plan, start: of the conversations that the new one gets: 10% (default: all)" },
    { "--shadow", NULL, "SHARE", "plan, start: no trial yet: copies of so many asks (5%) go to the new one when the machine is idle, and nobody hears its answers" },
    { "--idle", NULL, "TIME", "with --shadow: for so long nobody must have wanted the machine (default: 3s)" },
    { "--alert-only", NULL, NULL, "plan: a guard's breach is told, and changes nothing" },
    { "--suite", NULL, "SUITE", "evidence: by which (default: the role's `suites:`, else t-suite and chat-bench)" },
    { "--all", NULL, NULL, "evidence, of an engine: also its models that were not in memory" },
    { "--repeat", NULL, "N", "evidence: ask each case so often" },
    { "--concurrency", NULL, "N", "evidence: so many requests at a time (default: 1)" },
    { "--judge", NULL, "ROLE", "evidence: who is asked where a case wants a judge (default: nobody)" },
    { "--seed", NULL, "N", "evidence: of suites that are drawn; simulate: other chances (default: 1)" },
    { "--quiet", "-q", NULL, "evidence: no progress" },
    { "--why", NULL, "TEXT", "why this step is taken: kept with it" },
    { "--force", NULL, NULL, "start: without evidence, or against it; --why says why" },
    { "--early", NULL, NULL, "promote: before the window is over" },
    { "--baseline", NULL, "FROM", "start: what the guards hold the trial against: rows (of the last 30 days), saved, none (default: rows; what is saved where they are few)" },
    { "--save", NULL, NULL, "baseline: keep what the role's model has done in the last 30 days" },
    { "--forget", NULL, NULL, "baseline: what was saved" },
    { "--output", "-o", "FILE", "report: write there, anew, instead of to stdout" },
    { "--plain", NULL, NULL, "status: sparklines of ASCII (default: where the locale is not UTF-8)" },
    { "--baseline", NULL, "P", "simulate: how often the old model fails, 0..1" },
    { "--candidate", NULL, "P", "simulate: how often the new one does" },
    { "--requests", NULL, "N", "simulate: of the window (default: 2000)" },
    { "--trials", NULL, "N", "simulate: windows that are played (default: 10000)" },
    { "--baseline-requests", NULL, "N", "simulate: that were seen of the old model (default: 2000; 0: it is known)" },
    { "--tolerance", NULL, "P", "simulate: so much more often is still borne (default: 0)" },
    { "--share", NULL, "P", "simulate: this guard's of the 5 % that all may be wrong (default: 0.25)" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};

const struct command cli_swap = { .name = "swap", .usage = "plan --role ROLE=MODEL | evidence|start|promote|rollback|retire ID | status|log [ID] | report ID | history [ROLE] | baseline [ROLE] | simulate", .what = "put another model in a role's place, on trial",
    .example = "hob swap plan --role chat=new", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .subs = subs };
