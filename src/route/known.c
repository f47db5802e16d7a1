/* The table of known background callers. Templates change with versions and are translated: what is quoted here are the few words that have
 * stayed, as their programs send them by default, and only near the beginning of a text, so that nobody is taken for one because he quotes it. */
#include "route/known.h"

enum { BEGINNING_BYTES = 400 };

enum where { USER, SYSTEM };

/* clang-format off */
static const struct {
    const char *name;
    enum where where;
    struct str first;           /* the text begins so; empty = anyhow */
    struct str then;            /* and this stands in its beginning */
} patterns[] = {
    { "open-webui title",        USER,   STR("### Task:"), STR("word title") },
    { "open-webui title",        USER,   STR("### Task:"), STR("Generate a concise title summarizing the chat history") },
    { "open-webui title",        USER,   STR("Create a concise, 3-5 word"), STR("title") },
    { "open-webui tags",         USER,   STR("### Task:"), STR("broad tags categorizing") },
    { "open-webui follow-up",    USER,   STR("### Task:"), STR("relevant follow-up questions or prompts") },
    { "open-webui query",        USER,   STR("### Task:"), STR("necessity of generating search queries") },
    { "open-webui autocomplete", USER,   STR("### Task:"), STR("You are an autocompletion system") },
    { "open-webui image prompt", USER,   STR("### Task:"), STR("Generate a detailed prompt for a") },
    { "open-webui emoji",        USER,   STR("Your task is to reflect the speaker's likely facial expression"), STR("emoji") },
    { "librechat title",         USER,   STR("Provide a concise, 5-word-or-less title"), STR("title") },
    { "librechat title",         USER,   STR("Please generate a concise, 5-word-or-less title"), STR("title") },
    { "librechat title",         USER,   STR("Detect user language and write in the same language"), STR("title") },
    { "lobe-chat title",         SYSTEM, STR("You are a professional conversation summarizer"), STR("title") },
    { "continue title",          USER,   STR("Given the following"), STR("please reply with a title for the chat") },
    { "opencode title",          SYSTEM, STR("You are a title generator"), STR("You output ONLY a thread title") },
    { "claude-code topic",       SYSTEM, STR("Analyze if this message indicates a new"), STR("title") },
    { "claude-code title",       SYSTEM, STR("Summarize this coding conversation"), STR("") },
    { "claude-code title",       USER,   STR("Please write a 5-10 word title for the following conversation"), STR("") },
};

/* Not "hello": people who try something out with curl say that, and want an answer. */
static const char *const heartbeats[] = {
    "hi", "ping", "warmup", "warm up", "heartbeat", "health", "healthcheck", "health check", "quota", "say ok", "say hi", "say pong",
    "reply ok", "reply with ok",
};
/* clang-format on */

static bool is_pattern(size_t i, struct str text)
{
    text = str_trim(text);
    struct str beginning = str_make(text.p, text.n < BEGINNING_BYTES ? text.n : BEGINNING_BYTES);
    return str_starts(text, patterns[i].first) && str_find(beginning, patterns[i].then) >= 0;
}

/* The few words alone, however they are ended. */
static bool is_heartbeat(struct str text)
{
    text = str_trim(text);
    while (text.n > 1 && memchr(".!?'\"", text.p[text.n - 1], 5))
        text.n--;
    for (size_t i = 0; i < COUNTOF(heartbeats); i++)
        if (str_eq_nocase(text, str_of(heartbeats[i])))
            return true;
    return false;
}

const char *known_caller(struct str last_user, struct str system, size_t messages, enum conf_class class)
{
    for (size_t i = 0; i < COUNTOF(patterns); i++)
        if (is_pattern(i, patterns[i].where == USER ? last_user : system))
            return patterns[i].name;
    return messages == 1 && class != CONF_CLASS_CHAT && is_heartbeat(last_user) ? "heartbeat" : NULL;
}
