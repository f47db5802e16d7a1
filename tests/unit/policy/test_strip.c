/* Thoughts at the beginning of a text: shapes as families' templates and places make them, each whole, cut in two at every place, and byte by byte. */
#include "policy/strip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct shape {
    const char *family, *in, *text, *thought;
    bool open;
};

#define H_ANALYSIS "<|channel|>analysis<|message|>"
#define H_FINAL "<|channel|>final<|message|>"
#define BLANKS8 "        "

static const struct shape shapes[] = {
    /* ---- no thoughts: nothing changes ---- */
    { "plain",            "Hello there.", "Hello there.", "" },
    { "plain, empty",     "", "", "" },
    { "plain, blank",     " \n\n", " \n\n", "" },
    { "plain, blank first", "\n\n Hi <think>", "\n\n Hi <think>", "" },
    { "plain, much blank", BLANKS8 BLANKS8 BLANKS8 BLANKS8 " <think>a</think>b", BLANKS8 BLANKS8 BLANKS8 BLANKS8 " <think>a</think>b", "" },
    { "plain, JSON",      "{\"a\":[1]}", "{\"a\":[1]}", "" },
    { "plain, list",      "[1, 2]", "[1, 2]", "" },
    { "plain, [T",        "[TODO] x", "[TODO] x", "" },
    { "plain, HTML",      "<p>one</p>", "<p>one</p>", "" },
    { "plain, table",     "<th>one</th><thead>", "<th>one</th><thead>", "" },
    { "plain, arrow",     "→ next", "→ next", "" },
    { "plain, triangle",  "◁ back", "◁ back", "" },
    { "plain, less",      "<", "<", "" },
    { "plain, cell",      "<td", "<td", "" },
    { "plain, code",      "```\n<think>a</think>\n```", "```\n<think>a</think>\n```", "" },
    { "plain, later",     "The tag <think> opens, </think> closes.", "The tag <think> opens, </think> closes.", "" },
    { "plain, quoted",    "`<think>` is a tag", "`<think>` is a tag", "" },
    { "attributes",       "<think lang=\"en\">a</think>b", "<think lang=\"en\">a</think>b", "" },
    { "attributes, close", "<think>a</think >b</think>c", "c", "a</think >b" },
    { "capitals",         "<THINK>a</THINK>b", "<THINK>a</THINK>b", "" },
    { "longer name",      "<thinker>a", "<thinker>a", "" },
    /* ---- Qwen ---- */
    { "Qwen3",            "<think>\nOkay, so.\n</think>\n\nFour.", "Four.", "Okay, so.\n" },
    { "Qwen3, off",       "<think>\n\n</think>\n\nFour.", "Four.", "" },
    { "Qwen3, engine that leaves it", "\n\n<think>\nI think hard.\n</think>\n\nAnswer.", "Answer.", "I think hard.\n" },
    { "Qwen3, cut",       "<think>\nOkay, so", "", "Okay, so" },
    { "Qwen3, cut in the tag", "<think", "", "<think" },
    { "Qwen3, cut in the tag, blank", "\n<thin", "", "<thin" },
    { "Qwen3, cut in the close", "<think>a</thi", "", "a</thi" },
    { "Qwen3, cut behind", "<think>a</think>\n\n", "", "a" },
    { "Qwen3, code in it", "<think>if (a < b) return \"</thinking>\";</think>\n```c\nx;\n```", "```c\nx;\n```", "if (a < b) return \"</thinking>\";" },
    { "Qwen3, nested",    "<think>a<think>b</think>c", "c", "a<think>b" },
    { "Qwen3, <<",        "<think>a<<</think>b", "b", "a<<" },
    { "Qwen3, </</",      "<think>a</th</think>b", "b", "a</th" },
    { "Qwen3, later block", "<think>a</think>b <think>c</think>", "b <think>c</think>", "a" },
    { "Qwen3 2507 Thinking, forced", "Okay.\n</think>\n\nFour.", "Four.", "Okay.\n", true },
    { "Qwen3 2507 Thinking, opens again", "<think>\nOkay.\n</think>\n\nFour.", "Four.", "Okay.\n", true },
    { "Qwen3 2507 Thinking, at once", "</think>\n\nFour.", "Four.", "", true },
    { "Qwen3 2507 Thinking, cut", "Okay, so", "", "Okay, so", true },
    { "Qwen3, left over",  "</think>\n\nFour.", "Four.", "" },
    { "QwQ, blank lines",  "\n\n\n<think>\n\n\nAlright", "", "Alright" },
    /* ---- DeepSeek ---- */
    { "DeepSeek R1",       "<think>\nFirst.\n\nThen.\n</think>\n\n**4**", "**4**", "First.\n\nThen.\n" },
    { "DeepSeek R1, no opening", "First.\n</think>\n\n**4**", "**4**", "First.\n", true },
    { "DeepSeek R1, not told", "First.\n</think>\n\n**4**", "First.\n</think>\n\n**4**", "" },
    { "DeepSeek V3.1, off", "</think>Four.", "Four.", "" },
    { "DeepSeek R1 Distill, two blocks", "<think>a</think>\n<think>\nb</think>\n\nc", "c", "ab" },
    /* ---- Gemma ---- */
    { "Gemma 4",           "<|channel>thought\nThe user asks.\n<channel|>Four.", "Four.", "The user asks.\n" },
    { "Gemma 4, off",      "<|channel>thought\n<channel|>Four.", "Four.", "" },
    { "Gemma 4, cut",      "<|channel>thought\nThe user", "", "The user" },
    { "Gemma 4, cut in the tag", "<|channel>tho", "", "<|channel>tho" },
    { "Gemma 4, other channel", "<|channel>other\nx", "<|channel>other\nx", "" },
    { "Gemma 4, left over", "<channel|>Four.", "Four.", "" },
    { "Gemini",            "<thought>\n**Plan**\n</thought>\nFour.", "Four.", "**Plan**\n" },
    /* ---- gpt-oss ---- */
    { "gpt-oss",           H_ANALYSIS "Simple.<|end|><|start|>assistant" H_FINAL "4", "4", "Simple." },
    { "gpt-oss, whole head", "<|start|>assistant" H_ANALYSIS "Simple.<|end|><|start|>assistant" H_FINAL "4", "4", "Simple." },
    { "gpt-oss, two thoughts", H_ANALYSIS "a<|end|><|start|>assistant" H_ANALYSIS "b<|end|><|start|>assistant" H_FINAL "4", "4", "ab" },
    { "gpt-oss, no end",   H_ANALYSIS "a<|start|>assistant" H_FINAL "4", "4", "a" },
    { "gpt-oss, straight on", H_ANALYSIS "a" H_FINAL "4", "4", "a" },
    { "gpt-oss, none",     H_FINAL "4", "4", "" },
    { "gpt-oss, cut",      H_ANALYSIS "We need", "", "We need" },
    { "gpt-oss, cut in the head", "<|channel|>analy", "", "<|channel|>analy" },
    { "gpt-oss, preamble", H_ANALYSIS "a<|end|><|start|>assistant<|channel|>commentary<|message|>I look.", "I look.", "a" },
    { "gpt-oss, forced",   "We need.<|end|><|start|>assistant" H_FINAL "4", "4", "We need.", true },
    /* ---- Mistral ---- */
    { "Magistral",         "[THINK]Okay.[/THINK]Four.", "Four.", "Okay." },
    { "Magistral, list in it", "[THINK]a[0] [/x] [[/THINK]\n[1]", "[1]", "a[0] [/x] [" },
    { "Magistral, old",    "<think>\nOkay.\n</think>\nFour.", "Four.", "Okay.\n" },
    /* ---- GLM, MiniMax ---- */
    { "GLM 4.5",           "\n<think>Okay.</think>\nFour.", "Four.", "Okay." },
    { "GLM 4.5, off",      "\n<think></think>\nFour.", "Four.", "" },
    { "GLM 4.1V",          "<think>Okay.</think><answer>Four.</answer>", "<answer>Four.</answer>", "Okay." },
    { "MiniMax M2, forced", "Okay.\n</think>\n\nFour.", "Four.", "Okay.\n", true },
    { "MiniMax M3",        "<mm:think>Okay.</mm:think>Four.", "Four.", "Okay." },
    /* ---- Kimi ---- */
    { "Kimi VL",           "◁think▷Okay.◁/think▷Four.", "Four.", "Okay." },
    { "Kimi VL, arrows",   "◁think▷a → ◁ ◁/think◁/think▷b", "b", "a → ◁ ◁/think" },
    { "Kimi VL, cut",      "◁thi", "", "◁thi" },
    { "Kimi K2 Thinking",  "<think>Okay.</think>Four.", "Four.", "Okay." },
    /* ---- others ---- */
    { "Seed OSS",          "<seed:think>a<seed:cot_budget_reflect>b</seed:cot_budget_reflect></seed:think>Four.", "Four.", "a<seed:cot_budget_reflect>b</seed:cot_budget_reflect>" },
    { "Seed OSS, forced",  "Okay.</seed:think>Four.", "Four.", "Okay.", true },
    { "Command A",         "<|START_THINKING|>Okay.<|END_THINKING|><|START_RESPONSE|>Four.", "Four.", "Okay." },
    { "Command A, off",    "<|START_RESPONSE|>Four.", "Four.", "" },
    { "Granite 3.3",       "<think>Okay.</think><response>Four.</response>", "<response>Four.</response>", "Okay." },
    { "EXAONE Deep",       "<thought>\nOkay.\n</thought>\n\nFour.", "Four.", "Okay.\n" },
    { "Marco",             "<Thought>\nOkay.\n</Thought>\nFour.", "Four.", "Okay.\n" },
    { "Reka",              "<reasoning>Okay.</reasoning>Four.", "Four.", "Okay." },
    { "Claude's habit",    "<thinking>\nOkay.\n</thinking>\n\nFour.", "Four.", "Okay.\n" },
    { "Hunyuan",           "<think>\nOkay.\n</think>\n<answer>\nFour.", "<answer>\nFour.", "Okay.\n" },
    { "LongCat",           "<longcat_think>Okay.</longcat_think>Four.", "Four.", "Okay." },
    { "Solar",             "<|think|>Okay.<|end|><|begin|>assistant<|content|>Four.", "Four.", "Okay." },
    { "Solar 2",           "<|think:start|>Okay.<|think:end|>Four.", "Four.", "Okay." },
    { "Apertus",           "<|inner_prefix|>Okay.<|inner_suffix|>Four.", "Four.", "Okay." },
    { "OpenThinker",       "<|begin_of_thought|>\nOkay.\n<|end_of_thought|>\n\n<|begin_of_solution|>\nFour.", "Four.", "Okay.\n" },
    { "Pangu",             "[unused16]Okay.[unused17]Four.", "Four.", "Okay." },
    { "two spellings",     "<thinking>a</thinking>\n<reasoning>b</reasoning> c", "c", "ab" },
    { "another's close",   "<think>a</thinking>b", "", "a</thinking>b" },
    { "two closes",        "<think>a</think>\n</think>\nb", "b", "a" },
    { "tag behind, cut",   "<think>a</think>\n<think", "", "a<think" },
    { "less behind, cut",  "<think>a</think>\n<", "<", "a" },
};

struct got {
    struct buf text, thought;
};

static void feed(struct strip *s, struct str piece, struct got *g)
{
    char *own = malloc(piece.n ? piece.n : 1); /* as short as it is: reading past it is seen */
    assert_non_null(own);
    memcpy(own, piece.p, piece.n);
    bool settled = strip_settled(s);
    size_t thought = g->thought.n;
    strip_feed(s, str_make(own, piece.n), &g->text, &g->thought);
    assert_true(!settled || (strip_settled(s) && g->thought.n == thought));
    free(own);
}

static void check(const struct shape *c, struct strip *s, struct got *g, size_t cut)
{
    strip_end(s, &g->text, &g->thought);
    if (!str_eq(buf_str(&g->text), str_of(c->text)) || !str_eq(buf_str(&g->thought), str_of(c->thought)))
        fail_msg("%s, cut at %zu\n   text: '%.*s'\n   want: '%s'\nthought: '%.*s'\n   want: '%s'", c->family, cut, STR_ARG(buf_str(&g->text)), c->text,
            STR_ARG(buf_str(&g->thought)), c->thought);
    assert_true(strip_settled(s));
    buf_free(&g->text);
    buf_free(&g->thought);
}

static void test_leading_thoughts_leave_any_text_at_any_split(void **state)
{
    for (size_t i = 0; i < COUNTOF(shapes); i++) {
        const struct shape *c = &shapes[i];
        struct str in = str_of(c->in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            struct strip s;
            struct got g = { .text = { 0 } };
            strip_init(&s, c->open);
            feed(&s, str_make(in.p, cut), &g);
            feed(&s, str_make(in.p + cut, in.n - cut), &g);
            check(c, &s, &g, cut);
        }
        for (size_t step = 1; step <= 3; step++) {
            struct strip s;
            struct got g = { .text = { 0 } };
            strip_init(&s, c->open);
            for (size_t at = 0; at < in.n; at += step)
                feed(&s, str_make(in.p + at, in.n - at < step ? in.n - at : step), &g);
            check(c, &s, &g, 1000 + step);
        }
    }
}

static void test_nothing_is_held_once_it_is_certain(void **state)
{
    static const struct { const char *in, *text, *thought; bool settled, open; } cases[] = {
        { "H", "H", "", true },
        { "<", "", "", false },
        { "\t\r\n <think>\t\r\na</think>\r\t\nb", "b", "a", true },
        { "\t\r\nb", "\t\r\nb", "", true },
        { "<b", "<b", "", true },
        { "\n<thx", "\n<thx", "", true },
        { "<think>", "", "", false },
        { "<think>a", "", "a", false },
        { "<think>a<", "", "a", false },
        { "<think>a<b", "", "a<b", false },
        { "<think>a</think", "", "a", false },
        { "<think>a</think>", "", "a", false },
        { "<think>a</think>\n", "", "a", false },
        { "<think>a</think>\nb", "b", "a", true },
        { "a", "", "a", false, true },
        { "\xe2\x97", "", "", false },
        { "\xe2\x86\x92", "\xe2\x86\x92", "", true },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct strip s;
        struct got g = { .text = { 0 } };
        strip_init(&s, cases[i].open);
        feed(&s, str_of(cases[i].in), &g);
        if (!str_eq(buf_str(&g.text), str_of(cases[i].text)) || !str_eq(buf_str(&g.thought), str_of(cases[i].thought)) || strip_settled(&s) != cases[i].settled)
            fail_msg("%s: '%.*s' '%.*s'", cases[i].in, STR_ARG(buf_str(&g.text)), STR_ARG(buf_str(&g.thought)));
        buf_free(&g.text);
        buf_free(&g.thought);
    }
}

static void test_a_tag_is_found_wherever_it_stands(void **state)
{
    static const struct { const char *in, *tag; } cases[] = {
        { "", "" }, { "plain < [ text", "" }, { "a <think>b", "<think>" }, { "a</think>", "</think>" }, { "<thin", "" }, { "[THINK]<think>", "[THINK]" },
        { "x \xe2\x97\x81/think\xe2\x96\xb7", "\xe2\x97\x81/think\xe2\x96\xb7" }, { "\xe2\x86\x92", "" },
        { "<|content|> <|begin|>assistant", "" }, /* what is passed over is no tag of thoughts */
        { "<|content|><|end|>", "<|end|>" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str in = str_of(cases[i].in), got = strip_tag_in(in);
        if (!str_eq(got, str_of(cases[i].tag)))
            fail_msg("%s: '%.*s'", cases[i].in, STR_ARG(got));
        assert_true(!got.n || (got.p >= in.p && got.p + got.n <= in.p + in.n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leading_thoughts_leave_any_text_at_any_split),
        cmocka_unit_test(test_nothing_is_held_once_it_is_certain),
        cmocka_unit_test(test_a_tag_is_found_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
