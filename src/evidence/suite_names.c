/* How expectations are called. */
#include "evidence/suite.h"

const char *const expect_kind_name[EXPECT_KINDS] = {
    [EXPECT_EQUALS] = "equals",
    [EXPECT_CONTAINS] = "contains",
    [EXPECT_REGEX] = "regex",
    [EXPECT_SCHEMA] = "schema",
    [EXPECT_JSON] = "json",
    [EXPECT_NUMBER] = "number",
    [EXPECT_TAGS] = "tags",
    [EXPECT_TOOL] = "tool",
    [EXPECT_TREE] = "tree",
    [EXPECT_NO_THINK] = "no_think",
    [EXPECT_CHARS] = "chars",
    [EXPECT_WORDS] = "words",
    [EXPECT_LINES] = "lines",
    [EXPECT_MS] = "max_ms",
    [EXPECT_TTFT_MS] = "max_ttft_ms",
    [EXPECT_TOKENS] = "max_answer_tokens",
    [EXPECT_JUDGE] = "judge",
};
