/* The two tables of the format: what may stand in a case, and what in an expectation. doc/guide/suites.md describes each row. */
#include "evidence/suite_int.h"

#define CASE(field) offsetof(struct suite_case, field)
#define EXPECT(field) offsetof(struct suite_expect, field)

/* clang-format off */
const struct case_key case_keys[] = {
    { "id",          KEY_ID,       CASE(id),          .own = true },
    { "system",      KEY_TEXT,     CASE(system) },
    { "input",       KEY_TEXT,     CASE(input) },
    { "messages",    KEY_LIST,     CASE(messages) },
    { "images",      KEY_TEXTS,    CASE(images) },
    { "tools",       KEY_TOOLS,    CASE(tools) },
    { "tool_choice", KEY_CHOICE,   CASE(tool_choice) },
    { "schema",      KEY_JSON,     CASE(schema) },
    { "strict",      KEY_BOOL,     CASE(strict) },
    { "max_tokens",  KEY_COUNT,    CASE(max_tokens),  1, 1e6 },
    { "temperature", KEY_NUMBER,   CASE(temperature), 0, 2 },
    { "top_p",       KEY_NUMBER,   CASE(top_p),       0, 1 },
    { "thinking",    KEY_THINKING, CASE(thinking) },
    { "stop",        KEY_TEXTS,    CASE(stop) },
    { "tags",        KEY_TEXTS,    CASE(tags) },
    { "repeat",      KEY_COUNT,    CASE(repeat),      1, 1000 },
    { "aside",       KEY_BOOL,     CASE(aside) },
    { "tree",        KEY_TEXTS,    CASE(tree) },
    { "answered",    KEY_ANSWERED, CASE(answered),    .own = true, .note = true },
    { "answered_by", KEY_TEXT,     CASE(answered_by), .own = true, .note = true },
    { "expect",      KEY_EXPECT,   CASE(expects) },
    { "expected",    KEY_EXPECTED, CASE(expects),     .own = true },
    { "ideal",       KEY_IDEAL,    CASE(ideal),       .own = true },
    { "wrong",       KEY_TEXTS,    CASE(wrong),       .own = true },
    { 0 },
};

enum {
    TEXTUAL = OF(EXPECT_EQUALS) | OF(EXPECT_CONTAINS) | OF(EXPECT_REGEX) | OF(EXPECT_JSON),
    LOOSE = OF(EXPECT_EQUALS) | OF(EXPECT_SCHEMA) | OF(EXPECT_JSON) | OF(EXPECT_NUMBER) | OF(EXPECT_TAGS) | OF(EXPECT_TREE),
    ALL = OF(EXPECT_KINDS) - 1,
};

const struct expect_part expect_parts[] = {
    /* name            type             begins           beside json    where */
    { "json",          PART_TEXT,      EXPECT_JSON,     JSON_THERE,    EXPECT(texts) },
    { "equals",        PART_TEXT,      EXPECT_EQUALS,   JSON_EQUALS,   EXPECT(texts),         .beside_json = true },
    { "contains",      PART_TEXTS,     EXPECT_CONTAINS, JSON_CONTAINS, EXPECT(texts),         .beside_json = true },
    { "contains_any",  PART_ANY,       EXPECT_CONTAINS, JSON_CONTAINS, EXPECT(texts),         .beside_json = true },
    { "regex",         PART_TEXT,      EXPECT_REGEX,    JSON_REGEX,    EXPECT(texts),         .beside_json = true },
    { "schema",        PART_JSON,      EXPECT_SCHEMA,   JSON_SCHEMA,   EXPECT(json),          .beside_json = true },
    { "number",        PART_NUMBER,    EXPECT_NUMBER,   JSON_NUMBER,   EXPECT(number),        .beside_json = true },
    { "tags",          PART_TEXTS,     EXPECT_TAGS,     JSON_TAGS,     EXPECT(texts),         .beside_json = true },
    { "tool",          PART_TEXT,      EXPECT_TOOL,     0,             EXPECT(texts) },
    { "no_tool",       PART_TRUE,      EXPECT_TOOL,     0,             EXPECT(texts) },
    { "tree",          PART_TEXTS,     EXPECT_TREE,     0,             EXPECT(texts) },
    { "no_think",      PART_TRUE,      EXPECT_NO_THINK, 0,             0 },
    { "min_chars",     PART_MIN,       EXPECT_CHARS,    0,             EXPECT(min) },
    { "max_chars",     PART_MAX,       EXPECT_CHARS,    0,             EXPECT(max) },
    { "min_words",     PART_MIN,       EXPECT_WORDS,    0,             EXPECT(min) },
    { "max_words",     PART_MAX,       EXPECT_WORDS,    0,             EXPECT(max) },
    { "min_lines",     PART_MIN,       EXPECT_LINES,    0,             EXPECT(min) },
    { "max_lines",     PART_MAX,       EXPECT_LINES,    0,             EXPECT(max) },
    { "max_ms",        PART_MAX,       EXPECT_MS,       0,             EXPECT(max) },
    { "max_ttft_ms",   PART_MAX,       EXPECT_TTFT_MS,  0,             EXPECT(max) },
    { "max_answer_tokens", PART_MAX,   EXPECT_TOKENS,   0,             EXPECT(max) },
    { "judge",         PART_TEXT,      EXPECT_JUDGE,    0,             EXPECT(texts) },
    /* only beside a path */
    { "min_length",    PART_MIN,       NO_KIND,         JSON_LENGTH,   EXPECT(min),           .beside_json = true },
    { "max_length",    PART_MAX,       NO_KIND,         JSON_LENGTH,   EXPECT(max),           .beside_json = true },
    /* what says more about those beside it */
    { "ignore_case",   PART_BOOL,      NO_KIND,         0,             EXPECT(nocase),        .with = TEXTUAL },
    { "lenient",       PART_BOOL,      NO_KIND,         0,             EXPECT(lenient),       .with = LOOSE },
    { "tolerance",     PART_TOLERANCE, NO_KIND,         0,             EXPECT(tolerance),     .with = OF(EXPECT_NUMBER) | OF(EXPECT_JSON) },
    { "min_precision", PART_SHARE,     NO_KIND,         0,             EXPECT(min_precision), .with = OF(EXPECT_TAGS) | OF(EXPECT_JSON) },
    { "min_recall",    PART_SHARE,     NO_KIND,         0,             EXPECT(min_recall),    .with = OF(EXPECT_TAGS) | OF(EXPECT_JSON) },
    { "arguments",     PART_JSON,      NO_KIND,         0,             EXPECT(json),          .with = OF(EXPECT_TOOL) },
    { "weight",        PART_NUMBER,    NO_KIND,         0,             EXPECT(weight),        .with = ALL },
    { 0 },
};
/* clang-format on */
