/* What chat pages and agents ask by themselves, and what only looks like it. */
#include "route/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* clang-format off */
static void test_background_callers_are_known_by_their_words(void **state)
{
    static const struct { const char *user, *system; size_t messages; enum conf_class class; const char *name; } cases[] = {
        { "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Guidelines:", "", 1, CONF_CLASS_CHAT, "open-webui title" },
        { "### Task:\nGenerate a concise title summarizing the chat history.\n", "", 1, CONF_CLASS_CHAT, "open-webui title" },
        { "Create a concise, 3-5 word phrase with an emoji as a title for the following query", "", 1, CONF_CLASS_CHAT, "open-webui title" },
        { "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history", "", 1, CONF_CLASS_CHAT, "open-webui tags" },
        { "### Task:\nSuggest 3-5 relevant follow-up questions or prompts that the user might naturally ask", "", 1, CONF_CLASS_CHAT, "open-webui follow-up" },
        { "### Task:\nAnalyze the chat history to determine the necessity of generating search queries, in", "", 1, CONF_CLASS_CHAT, "open-webui query" },
        { "### Task:\nYou are an autocompletion system. Continue the text in `<text>`", "", 1, CONF_CLASS_CHAT, "open-webui autocomplete" },
        { "### Task:\nGenerate a detailed prompt for am image generation task based on", "", 1, CONF_CLASS_CHAT, "open-webui image prompt" },
        { "\nYour task is to reflect the speaker's likely facial expression through a fitting emoji. Interpret", "", 1, CONF_CLASS_CHAT, "open-webui emoji" },
        { "Provide a concise, 5-word-or-less title for the conversation, using title case conventions.", "", 1, CONF_CLASS_PROGRAM, "librechat title" },
        { "Given the following... please reply with a title for the chat that is 3-4 words in length", "", 1, CONF_CLASS_PROGRAM, "continue title" },
        { "fix the tests", "You are a title generator. You output ONLY a thread title. Nothing else.", 2, CONF_CLASS_PROGRAM, "opencode title" },
        { "fix the tests", "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title", 2, CONF_CLASS_PROGRAM, "claude-code topic" },
        { "hi", "", 1, CONF_CLASS_PROGRAM, "heartbeat" },
        { " Ping! ", "", 1, CONF_CLASS_PROGRAM, "heartbeat" },
        { "Say OK.", "", 1, CONF_CLASS_BACKGROUND, "heartbeat" },
        { "quota", "", 1, CONF_CLASS_PROGRAM, "heartbeat" },
        /* not they */
        { "hi", "", 1, CONF_CLASS_CHAT, NULL },              /* a person */
        { "hi", "You are a pirate.", 2, CONF_CLASS_PROGRAM, NULL },
        { "hello", "", 1, CONF_CLASS_PROGRAM, NULL },        /* somebody tries something out */
        { "", "", 1, CONF_CLASS_PROGRAM, NULL },
        { "hi there, can you help?", "", 1, CONF_CLASS_PROGRAM, NULL },
        { "highlight", "", 1, CONF_CLASS_PROGRAM, NULL },
        { "What does Open WebUI ask with '### Task:\nGenerate a concise, 3-5 word title'?", "", 1, CONF_CLASS_CHAT, NULL },
        { "### Task:\nWrite a parser for titles.", "", 1, CONF_CLASS_CHAT, NULL },
        { "Give my essay a title of 5 words or less.", "", 1, CONF_CLASS_CHAT, NULL },
        { "You are a title generator. You output ONLY a thread title.", "", 1, CONF_CLASS_CHAT, NULL },
        { "fix the tests", "You are a coding agent.", 2, CONF_CLASS_PROGRAM, NULL },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *got = known_caller(str_of(cases[i].user), str_of(cases[i].system), cases[i].messages, cases[i].class);
        if ((got != NULL) != (cases[i].name != NULL) || (got && strcmp(got, cases[i].name) != 0))
            fail_msg("%s: %s", cases[i].user, got ? got : "unknown");
    }
}
/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_background_callers_are_known_by_their_words) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
