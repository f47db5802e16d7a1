/* hob swap: another model under a role, with evidence before and a way back. */
#include "cli/swap.h"

#include "cli/commands.h"

/* A word more is a row here, and a file. */
static const struct cli_sub subs[] = {
    { "plan", "which model takes whose place, and whether it would serve there", CLI_WORDS_NONE,
        "--role ROLE=MODEL [--role …] [--window 7d] [--share 10%] [--shadow 5%] | --engine ENGINE=PATH", swap_plan, 0, 0 },
    { "evidence", "the roles' suites, put to the old model and the new one", CLI_WORDS_NONE, "ID [--suite SUITE …]", swap_evidence, 1, 1 },
    { "start", "begin the trial: the new one answers (--shadow: only copies go to it)", CLI_WORDS_NONE, "ID [--force --why TEXT | --shadow 5%] [--baseline rows|saved|none]",
        swap_start, 1, 1 },
    { "promote", "keep the new one", CLI_WORDS_NONE, "ID [--role R] [--early]", swap_promote, 1, 1 },
    { "rollback", "back to the old one, at once", CLI_WORDS_NONE, "ID [--role R] [--why TEXT]", swap_rollback, 1, 1 },
    { "retire", "let the file say what holds", CLI_WORDS_NONE, "ID [--role R]", swap_retire, 1, 1 },
    { "status", "what is swapped, how it goes, and what is next", CLI_WORDS_NONE, "[ID]", swap_status, 0, 1 },
    { "log", "who took which step when, and why: which model answered which role", CLI_WORDS_NONE, "[ID] [--role R]", swap_log, 0, 1 },
    { "baseline", "what a role's model has done, saved for the guards of a trial", CLI_WORDS_NAMES, "[ROLE] [--save|--forget]", swap_baseline, 0, 1 },
    { "report", "how it went, role by role, as Markdown: for a wiki, or whoever has to agree", CLI_WORDS_NONE, "ID [-o FILE]", swap_report, 1, 1 },
    { "history", "which model answered which role, from when until when, and by what", CLI_WORDS_NAMES, "[ROLE]", swap_history, 0, 1 },
    { "simulate", "how many requests a trial needs to see what one fears", CLI_WORDS_NONE, "--baseline P --candidate P [--requests N] [--trials N]", swap_simulate, 0, 0 },
    { .name = NULL },
};

static int run(const struct cli_args *a)
{
    return cli_dispatch(a, NULL);
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--role", NULL, "ROLE", "this one alone, where a swap moves several", "evidence start promote rollback retire log" },
    { "--role", NULL, "ROLE=MODEL", "who is to answer it; as often as there are roles to move", "plan" },
    { "--engine", NULL, "ENGINE=PATH", "in place of --role: another build of llama-server, under the models of that engine", "plan" },
    { "--window", NULL, "TIME", "how long the trial lasts (default: 7d)", "plan" },
    { "--window", NULL, "TIME", "how long the trial lasts (default: as planned)", "start" },
    { "--share", NULL, "SHARE", "of the conversations that the new one gets: 10% (default: all)", "plan" },
    { "--share", NULL, "SHARE", "of the conversations that the new one gets: 10% (default: as planned)", "start" },
    { "--shadow", NULL, "SHARE", "no trial yet: copies of so many asks (5%) go to the new one when the machine is idle, and nobody hears its answers", "plan start" },
    { "--idle", NULL, "TIME", "with --shadow: for so long nobody must have wanted the machine (default: 3s)", "plan start" },
    { "--alert-only", NULL, NULL, "a guard's breach is told, and changes nothing", "plan" },
    { "--suite", NULL, "SUITE", "by which, as often as wanted (default: the role's `suites:`, else t-suite and chat-bench)", "evidence" },
    { "--all", NULL, NULL, "of an engine: also its models that were not in memory", "evidence" },
    { "--repeat", NULL, "N", "ask each case so often", "evidence" },
    { "--concurrency", NULL, "N", "so many requests at a time (default: 1)", "evidence" },
    { "--judge", NULL, "ROLE", "who is asked where a case wants a judge (default: nobody)", "evidence" },
    { "--seed", NULL, "N", "of suites that are drawn", "evidence" },
    { "--quiet", "-q", NULL, "no progress", "evidence" },
    { "--why", NULL, "TEXT", "why this step is taken: kept with it", "plan start promote rollback retire" },
    { "--force", NULL, NULL, "without evidence, or against it; --why must say why", "start" },
    { "--early", NULL, NULL, "before the window is over", "promote" },
    { "--baseline", NULL, "FROM", "what the guards hold the trial against: rows (of the last 30 days), saved, none (default: rows; what is saved where they are few)", "start" },
    { "--save", NULL, NULL, "keep what the role's model has done in the last 30 days", "baseline" },
    { "--forget", NULL, NULL, "delete what was saved", "baseline" },
    { "--output", "-o", "FILE", "write there, anew, instead of to stdout", "report" },
    { "--plain", NULL, NULL, "sparklines of ASCII (default: where the locale is not UTF-8)", "status" },
    { "--baseline", NULL, "P", "how often the old model fails, 0..1", "simulate" },
    { "--candidate", NULL, "P", "how often the new one does", "simulate" },
    { "--requests", NULL, "N", "of the window (default: 2000)", "simulate" },
    { "--trials", NULL, "N", "windows that are played (default: 10000)", "simulate" },
    { "--baseline-requests", NULL, "N", "that were seen of the old model (default: 2000; 0: it is known)", "simulate" },
    { "--tolerance", NULL, "P", "so much more often is still borne (default: 0)", "simulate" },
    { "--share", NULL, "P", "this guard's of the 5 % that all may be wrong (default: 0.25)", "simulate" },
    { "--seed", NULL, "N", "other chances (default: 1)", "simulate" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};

const struct command cli_swap = { .name = "swap", .usage = "plan --role ROLE=MODEL | evidence|start|promote|rollback|retire ID | status|log [ID] | report ID | history [ROLE] | baseline [ROLE] | simulate", .what = "put another model in a role's place, on trial",
    .example = "hob swap plan --role chat=new", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .subs = subs };
