/* What requests say of thinking, in every dialect; how places are told, byte by byte. */
#include "backend/think.h"

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void parse(struct json_doc *d, const char *text)
{
    struct err e;
    if (json_parse(d, str_of(text), &e))
        fail_msg("%s: %s", e.text, text);
}

#define UNSAID TRI_UNSAID, EFFORT_UNSAID, 0, false
#define YES TRI_YES, EFFORT_UNSAID, 0, false
#define NO TRI_NO, EFFORT_UNSAID, 0, false

static void test_a_wish_is_read_in_every_dialect(void **state)
{
    static const struct {
        const char *in;
        enum tri wanted;
        enum effort effort;
        int64_t budget;
        bool torn;
        const char *field;
    } cases[] = {
        { "{}", UNSAID, NULL },
        { "{\"messages\":[],\"temperature\":1,\"tools\":[],\"thin\":true,\"chat\":1}", UNSAID, NULL },
        { "{\"thinking\":\"off\"}", NO, "thinking" },
        { "{\"thinking\":\"on\"}", YES, "thinking" },
        { "{\"thinking\":\"OFF\"}", NO, "thinking" },
        { "{\"thinking\":false}", NO, "thinking" },
        { "{\"thinking\":true}", YES, "thinking" },
        { "{\"thinking\":null}", UNSAID, NULL },
        { "{\"thinking\":\"low\"}", TRI_YES, EFFORT_LOW, 0, false, "thinking" },
        { "{\"thinking\":{\"type\":\"disabled\"}}", NO, "thinking" },
        { "{\"thinking\":{\"type\":\"disabled\",\"budget_tokens\":5}}", NO, "thinking" },
        { "{\"thinking\":{\"type\":\"enabled\"}}", YES, "thinking" },
        { "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}}", TRI_YES, EFFORT_UNSAID, 2048, false, "thinking" },
        { "{\"thinking\":{\"type\":\"adaptive\"}}", YES, "thinking" },
        { "{\"thinking\":{\"budget_tokens\":0}}", NO, "thinking" },
        { "{\"reasoning_effort\":\"none\"}", NO, "reasoning_effort" },
        { "{\"reasoning_effort\":\"minimal\"}", TRI_YES, EFFORT_MINIMAL, 0, false, "reasoning_effort" },
        { "{\"reasoning_effort\":\"low\"}", TRI_YES, EFFORT_LOW, 0, false, "reasoning_effort" },
        { "{\"reasoning_effort\":\"Medium\"}", TRI_YES, EFFORT_MEDIUM, 0, false, "reasoning_effort" },
        { "{\"reasoning_effort\":\"xhigh\"}", TRI_YES, EFFORT_XHIGH, 0, false, "reasoning_effort" },
        { "{\"reasoning_effort\":\"heroic\"}", YES, "reasoning_effort" },
        { "{\"reasoning\":{\"effort\":\"high\"}}", TRI_YES, EFFORT_HIGH, 0, false, "reasoning" },
        { "{\"reasoning\":{\"effort\":\"none\"}}", NO, "reasoning" },
        { "{\"reasoning\":{\"max_tokens\":700}}", TRI_YES, EFFORT_UNSAID, 700, false, "reasoning" },
        { "{\"reasoning\":{\"enabled\":false}}", NO, "reasoning" },
        { "{\"reasoning\":{\"enabled\":true}}", YES, "reasoning" },
        { "{\"reasoning\":{\"summary\":\"auto\"}}", UNSAID, NULL },
        { "{\"chat_template_kwargs\":{\"enable_thinking\":false}}", NO, "chat_template_kwargs" },
        { "{\"chat_template_kwargs\":{\"enable_thinking\":\"false\"}}", NO, "chat_template_kwargs" },
        { "{\"chat_template_kwargs\":{\"thinking\":true}}", YES, "chat_template_kwargs" },
        { "{\"chat_template_kwargs\":{\"thinking_budget\":9}}", TRI_YES, EFFORT_UNSAID, 9, false, "chat_template_kwargs" },
        { "{\"chat_template_kwargs\":{\"reasoning_effort\":\"low\"}}", TRI_YES, EFFORT_LOW, 0, false, "chat_template_kwargs" },
        { "{\"chat_template_kwargs\":{\"x\":1}}", UNSAID, NULL },
        { "{\"chat_template_kwargs\":\"zz\"}", UNSAID, NULL },
        { "{\"enable_thinking\":false}", NO, "enable_thinking" },
        { "{\"enable_thinking\":true}", YES, "enable_thinking" },
        { "{\"think\":false}", NO, "think" },
        { "{\"think\":true}", YES, "think" },
        { "{\"think\":\"high\"}", TRI_YES, EFFORT_HIGH, 0, false, "think" },
        { "{\"thinking_budget_tokens\":512}", TRI_YES, EFFORT_UNSAID, 512, false, "thinking_budget_tokens" },
        { "{\"thinking_budget_tokens\":0}", NO, "thinking_budget_tokens" },
        { "{\"reasoning_budget_tokens\":0}", NO, "reasoning_budget_tokens" },
        { "{\"thinking_budget\":512.0}", TRI_YES, EFFORT_UNSAID, 512, false, "thinking_budget" },
        { "{\"thinking_budget_tokens\":-7}", UNSAID, "thinking_budget_tokens" },
        { "{\"thinking_budget_tokens\":1e300,\"thinking_budget\":\"5\",\"\":1}", UNSAID, NULL },
        { "{\"thinking_budget_tokens\":50,\"reasoning\":{\"max_tokens\":100}}", TRI_YES, EFFORT_UNSAID, 50, false, "thinking_budget_tokens" },
        { "{\"reasoning_effort\":\"low\",\"think\":\"high\"}", TRI_YES, EFFORT_LOW, 0, false, "reasoning_effort" },
        { "[1]", UNSAID, NULL },
        { "{\"thinking_budget_tokens\":-1}", UNSAID, "thinking_budget_tokens" }, /* no limit: no word on whether */
        /* several: a no holds, the least budget, the first effort */
        { "{\"enable_thinking\":true,\"thinking\":\"off\"}", TRI_NO, EFFORT_UNSAID, 0, true, "enable_thinking" },
        { "{\"thinking\":\"off\",\"enable_thinking\":true}", TRI_NO, EFFORT_UNSAID, 0, true, "thinking" },
        { "{\"reasoning_effort\":\"high\",\"chat_template_kwargs\":{\"enable_thinking\":false}}", TRI_NO, EFFORT_HIGH, 0, true, "reasoning_effort" },
        { "{\"think\":true,\"enable_thinking\":true}", TRI_YES, EFFORT_UNSAID, 0, false, "think" },
        { "{\"enable_thinking\":false,\"thinking_budget_tokens\":100}", TRI_NO, EFFORT_UNSAID, 100, false, "enable_thinking" },
        { "{\"thinking_budget_tokens\":100,\"reasoning\":{\"max_tokens\":50,\"effort\":\"low\"}}", TRI_YES, EFFORT_LOW, 50, false, "thinking_budget_tokens" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct think_wish w;
        parse(&d, cases[i].in);
        think_read(d.root, &w);
        if (w.wanted != cases[i].wanted || w.effort != cases[i].effort || w.budget_tokens != cases[i].budget || w.torn != cases[i].torn)
            fail_msg("%s: wanted %d, effort %d, budget %lld, torn %d", cases[i].in, w.wanted, w.effort, (long long)w.budget_tokens, w.torn);
        if (!w.field != !cases[i].field || (w.field && strcmp(w.field, cases[i].field)))
            fail_msg("%s: field %s", cases[i].in, w.field ? w.field : "(none)");
        json_free(&d);
    }
}

static void test_a_word_nobody_knows_is_a_yes_that_is_known_as_such(void **state)
{
    struct json_doc d;
    struct think_wish w;
    parse(&d, "{\"reasoning_effort\":\"heroic\"}");
    think_read(d.root, &w);
    assert_string_equal(w.unknown, "reasoning_effort");
    json_free(&d);
    parse(&d, "{\"reasoning_effort\":\"low\"}");
    think_read(d.root, &w);
    assert_null(w.unknown);
    json_free(&d);
}

static void test_what_says_nothing_is_told(void **state)
{
    static const struct { const char *in, *param; } rows[] = { /* NULL: fine */
        { "{}", NULL },                                   { "{\"thinking\":\"on\"}", NULL },                   { "{\"chat_template_kwargs\":{\"thinking\":\"odd\"}}", NULL },
        { "{\"thinking_budget_tokens\":-1}", NULL },      { "{\"thinking_budget_tokens\":-2}", "thinking_budget_tokens" },
        { "{\"reasoning\":{\"max_tokens\":-5}}", "reasoning" }, { "{\"reasoning_effort\":\"heroic\"}", "reasoning_effort" }, { "{\"think\":\"\"}", "think" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct json_doc d;
        struct err e = { 0 };
        parse(&d, rows[i].in);
        enum err_code rc = think_ask_check(d.root, &e);
        if (rc != (rows[i].param ? ERR_INVALID_REQUEST : ERR_OK) || (rc && strcmp(e.param, rows[i].param)))
            fail_msg("%s: %d, %s", rows[i].in, rc, e.param);
        json_free(&d);
    }
}

static void test_the_names_of_its_fields(void **state)
{
    for (size_t bit = 0; bit < THINK_FIELDS; bit++)
        assert_true(think_is_field(str_of(think_field_name(bit))));
    assert_null(think_field_name(THINK_FIELDS));
    assert_false(think_is_field(STR("thinkin")) || think_is_field(STR("")));
}

static void test_a_template_tells_whether_it_thinks(void **state)
{
    static const struct { struct template_look l; enum thinks thinks; } rows[] = {
        { { .parses = false, .thinking = true }, THINKS_UNKNOWN },          { { .parses = true }, THINKS_NONE },
        { { .parses = true, .thinking = true, .enable_thinking = true }, THINKS_SWITCHABLE }, { { .parses = true, .thinking = true, .thinking_named = true }, THINKS_SWITCHABLE },
        { { .parses = true, .thinking = true, .opens_thought = true }, THINKS_FORCED },       { { .parses = true, .thinking = true }, THINKS_ALWAYS },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(think_of_template(&rows[i].l), rows[i].thinks);
}

/* ---- families ---- */

static void test_families_go_by_host_and_model(void **state)
{
    static const struct {
        const char *url, *model;
        bool local;
        enum conf_think_by said, by;
        enum thinks thinks;
        const char *word;
    } cases[] = {
        { "http://127.0.0.1:8000/v1", "Qwen/Qwen3-32B", true, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://192.168.1.4:8000", "Qwen/Qwen3-32B", false, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://vllm:8000", "qwen3:8b", false, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "https://api.example.com/v1", "Qwen/Qwen3-32B", false, THINK_BY_AUTO, THINK_BY_AUTO, THINKS_UNKNOWN, NULL },
        { "http://127.0.0.1:1", "Qwen3-30B-A3B-Thinking-2507", true, THINK_BY_AUTO, THINK_BY_NONE, THINKS_FORCED, NULL },
        { "http://127.0.0.1:1", "Qwen3-30B-A3B-Instruct-2507", true, THINK_BY_AUTO, THINK_BY_NONE, THINKS_NONE, NULL },
        { "http://127.0.0.1:1", "openai/gpt-oss-20b", true, THINK_BY_AUTO, THINK_BY_EFFORT, THINKS_ALWAYS, "low" },
        { "http://127.0.0.1:1", "zai-org/GLM-4.6", true, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://127.0.0.1:1", "deepseek-ai/DeepSeek-V3.1", true, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, "thinking" },
        { "http://127.0.0.1:1", "DeepSeek-R1-Distill-Qwen-7B", true, THINK_BY_AUTO, THINK_BY_NONE, THINKS_FORCED, NULL },
        { "http://127.0.0.1:1", "mlx-community/gemma-4-e4b", true, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://127.0.0.1:1", "llama-3.3-70b", true, THINK_BY_AUTO, THINK_BY_AUTO, THINKS_UNKNOWN, NULL },
        { "http://127.0.0.1:1", "llama-3.3-70b", true, THINK_BY_TEMPLATE, THINK_BY_TEMPLATE, THINKS_UNKNOWN, NULL },
        { "https://openrouter.ai/api/v1", "anything/at-all", false, THINK_BY_AUTO, THINK_BY_REASONING, THINKS_UNKNOWN, NULL },
        { "https://api.openai.com/v1", "gpt-5.1", false, THINK_BY_AUTO, THINK_BY_EFFORT, THINKS_SWITCHABLE, "none" },
        { "https://api.openai.com/v1", "gpt-5-mini", false, THINK_BY_AUTO, THINK_BY_EFFORT, THINKS_ALWAYS, "minimal" },
        { "https://api.openai.com/v1", "o3", false, THINK_BY_AUTO, THINK_BY_EFFORT, THINKS_ALWAYS, "low" },
        { "https://api.openai.com/v1", "o4-mini-2025-04-16", false, THINK_BY_AUTO, THINK_BY_EFFORT, THINKS_ALWAYS, "low" },
        { "https://api.openai.com/v1", "gpt-4o", false, THINK_BY_AUTO, THINK_BY_NONE, THINKS_NONE, NULL },
        { "https://api.deepseek.com", "deepseek-chat", false, THINK_BY_AUTO, THINK_BY_THINKING, THINKS_SWITCHABLE, NULL },
        { "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen-plus", false, THINK_BY_AUTO, THINK_BY_SWITCH, THINKS_SWITCHABLE, NULL },
        { "https://api.groq.com/openai/v1", "openai/gpt-oss-120b", false, THINK_BY_AUTO, THINK_BY_EFFORT, THINKS_ALWAYS, "low" },
        { "http://[::1]:8000/v1", "Qwen/Qwen3-32B", false, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://[fd00::7]:8000", "Qwen/Qwen3-32B", false, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://[fe80::1%eth0]:8000", "Qwen/Qwen3-32B", false, THINK_BY_AUTO, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "https://[2001:db8::1]/v1", "Qwen/Qwen3-32B", false, THINK_BY_AUTO, THINK_BY_AUTO, THINKS_UNKNOWN, NULL }, /* in public */
        { "http://vllm:8000", "qwen3:8b", false, THINK_BY_EFFORT, THINK_BY_EFFORT, THINKS_SWITCHABLE, NULL },
        { "http://vllm:8000", "gpt-oss-20b", false, THINK_BY_TEMPLATE, THINK_BY_TEMPLATE, THINKS_ALWAYS, NULL },
        { "http://vllm:8000", "qwen3:8b", false, THINK_BY_TEMPLATE, THINK_BY_TEMPLATE, THINKS_SWITCHABLE, NULL },
        { "http://vllm:8000", "gpt-oss-20b", false, THINK_BY_EFFORT, THINK_BY_EFFORT, THINKS_ALWAYS, "low" },
        { "https://cloud.example.com/v1", "gpt-oss-20b", false, THINK_BY_EFFORT, THINK_BY_EFFORT, THINKS_UNKNOWN, "low" }, /* in the words of its like */
        { "https://cloud.example.com/v1", "big", false, THINK_BY_EFFORT, THINK_BY_EFFORT, THINKS_UNKNOWN, NULL },
    };
    int wrong = 0;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct conf_host h = { .kind = HOST_OPENAI, .url = str_of(cases[i].url), .local = cases[i].local };
        struct think_place t = think_family(&h, str_of(cases[i].model), cases[i].said);
        const char *word = t.variable ? t.variable : t.least;
        if (t.by != cases[i].by || t.thinks != cases[i].thinks || !word != !cases[i].word || (word && strcmp(word, cases[i].word)))
            wrong++, print_error("%s at %s: by %d, %s, %s", cases[i].model, cases[i].url, t.by, thinks_name[t.thinks], word ? word : "(none)");
    }
    assert_int_equal(wrong, 0);
}

static void test_a_program_of_ours_and_another_hob(void **state)
{
    struct conf_host other = { .kind = HOST_HOB, .url = STR("https://hob.example.org") };
    struct think_place t = think_family(NULL, STR("qwen3"), THINK_BY_AUTO);
    assert_true(t.by == THINK_BY_TEMPLATE && t.lenient && t.limit == LIMIT_TOKENS);
    t = think_family(&other, STR("qwen3"), THINK_BY_AUTO);
    assert_true(t.by == THINK_BY_HOB && t.lenient && t.limit == LIMIT_TOKENS && t.thinks == THINKS_UNKNOWN);
    assert_int_equal(think_family(&other, STR("qwen3"), THINK_BY_EFFORT).by, THINK_BY_EFFORT);
}

static void test_a_way_that_is_said_has_its_limit(void **state)
{
    static const struct { enum conf_think_by said; enum think_limit limit; } rows[] = {
        { THINK_BY_TEMPLATE, LIMIT_TOKENS }, { THINK_BY_REASONING, LIMIT_INSIDE }, { THINK_BY_THINKING, LIMIT_INSIDE }, { THINK_BY_SWITCH, LIMIT_BUDGET }, { THINK_BY_EFFORT, LIMIT_NOT },
        { THINK_BY_NONE, LIMIT_NOT },
    };
    const struct conf_host cloud = { .kind = HOST_OPENAI, .url = STR("https://cloud.example.com/v1") };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct think_place t = think_family(&cloud, STR("big"), rows[i].said);
        assert_true(t.by == rows[i].said && t.limit == rows[i].limit && !t.lenient);
    }
}

/* ---- how a place is told ---- */

static const struct think_place template = { THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL, NULL, LIMIT_TOKENS, false, true },
    named = { THINKS_SWITCHABLE, THINK_BY_TEMPLATE, "thinking", NULL, LIMIT_TOKENS, false, true },
    forced = { THINKS_FORCED, THINK_BY_TEMPLATE, NULL, NULL, LIMIT_TOKENS, false, true },
    effort = { THINKS_ALWAYS, THINK_BY_EFFORT, NULL, "low", LIMIT_NOT, false, false },
    plain_effort = { THINKS_SWITCHABLE, THINK_BY_EFFORT, NULL, NULL, LIMIT_NOT, false, false },
    reasoning = { THINKS_UNKNOWN, THINK_BY_REASONING, NULL, NULL, LIMIT_INSIDE, false, false },
    thinking = { THINKS_SWITCHABLE, THINK_BY_THINKING, NULL, NULL, LIMIT_INSIDE, false, false },
    toggle = { THINKS_SWITCHABLE, THINK_BY_SWITCH, NULL, NULL, LIMIT_BUDGET, false, false },
    other_hob = { THINKS_UNKNOWN, THINK_BY_HOB, NULL, NULL, LIMIT_TOKENS, false, true },
    unknown = { THINKS_UNKNOWN, THINK_BY_AUTO, NULL, NULL, LIMIT_NOT, false, false },
    none = { THINKS_NONE, THINK_BY_NONE, NULL, NULL, LIMIT_NOT, false, false },
    plain = { THINKS_NONE, THINK_BY_TEMPLATE, NULL, NULL, LIMIT_TOKENS, false, true },
    forced_not = { THINKS_FORCED, THINK_BY_NONE, NULL, NULL, LIMIT_NOT, false, true },
    unknown_at_home = { THINKS_UNKNOWN, THINK_BY_AUTO, NULL, NULL, LIMIT_NOT, false, true };

#define OFF { .decided = true }
#define ON { .decided = true, .on = true }
#define BUDGET { .decided = true, .on = true, .budget_tokens = 512 }
#define LOW { .decided = true, .on = true, .effort = EFFORT_LOW }
#define INSIST { .decided = true, .insist = true }

static void test_each_place_is_told_in_its_own_way(void **state)
{
    static const struct {
        const struct think_place *place;
        struct think_plan plan;
        const char *in, *out; /* out NULL: it may leave as it came */
    } cases[] = {
        { &template, OFF, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":false}}" },
        { &template, ON, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":true}}" },
        { &template, BUDGET, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":true},\"thinking_budget_tokens\":512}" },
        { &template, LOW, "{\"reasoning_effort\":\"low\"}", "{\"chat_template_kwargs\":{\"enable_thinking\":true},\"reasoning_effort\":\"low\"}" },
        { &template, OFF, "{\"reasoning_effort\":\"none\"}", "{\"chat_template_kwargs\":{\"enable_thinking\":false}}" },
        { &template, OFF, "{\"chat_template_kwargs\":{\"enable_thinking\":false}}", NULL },
        { &template, OFF, "{\"chat_template_kwargs\":{\"a\":[1, 2],\"enable_thinking\":true,\"b\":\"x\"}}",
          "{\"chat_template_kwargs\":{\"a\":[1,2],\"b\":\"x\",\"enable_thinking\":false}}" },
        { &template, OFF, "{\"chat_template_kwargs\":{\"enable_thinking\":\"false\"}}", NULL }, /* a child's body is written anew all the same */
        { &named, OFF, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":false,\"thinking\":false}}" },
        { &named, ON, "{\"thinking\":\"on\"}", "{\"chat_template_kwargs\":{\"enable_thinking\":true,\"thinking\":true}}" },
        { &forced, OFF, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":false},\"thinking_budget_tokens\":1}" },
        { &forced, ON, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":true}}" },
        { &effort, OFF, "{}", "{\"reasoning_effort\":\"low\"}" },
        { &effort, ON, "{}", "{}" },
        { &effort, LOW, "{\"reasoning_effort\":\"low\"}", NULL },
        { &effort, LOW, "{\"think\":\"low\"}", "{\"reasoning_effort\":\"low\"}" },
        { &effort, OFF, "{\"chat_template_kwargs\":{\"enable_thinking\":false,\"x\":1}}", "{\"chat_template_kwargs\":{\"x\":1},\"reasoning_effort\":\"low\"}" },
        { &plain_effort, OFF, "{\"reasoning_effort\":\"high\"}", "{\"reasoning_effort\":\"none\"}" },
        { &plain_effort, OFF, "{\"reasoning_effort\":\"none\"}", NULL },
        { &reasoning, OFF, "{}", "{\"reasoning\":{\"enabled\":false}}" },
        { &reasoning, ON, "{}", "{\"reasoning\":{\"enabled\":true}}" },
        { &reasoning, BUDGET, "{}", "{\"reasoning\":{\"max_tokens\":512}}" },
        { &reasoning, LOW, "{\"reasoning_effort\":\"low\"}", "{\"reasoning\":{\"effort\":\"low\"}}" },
        { &reasoning, LOW, "{\"reasoning\":{\"effort\":\"low\",\"exclude\":true}}", NULL },
        { &thinking, OFF, "{}", "{\"thinking\":{\"type\":\"disabled\"}}" },
        { &thinking, BUDGET, "{\"thinking\":\"on\"}", "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":512}}" },
        { &toggle, OFF, "{}", "{\"enable_thinking\":false}" },
        { &toggle, BUDGET, "{}", "{\"enable_thinking\":true,\"thinking_budget\":512}" },
        { &other_hob, OFF, "{}", "{\"thinking\":\"off\"}" },
        { &other_hob, LOW, "{\"reasoning_effort\":\"low\"}", NULL },
        { &other_hob, BUDGET, "{}", "{\"thinking\":\"on\",\"thinking_budget_tokens\":512}" },
        /* nobody knows how: what the request says, and nothing else, unless it was denied */
        { &unknown, OFF, "{}", NULL },
        { &unknown, ON, "{}", NULL },
        { &unknown, ON, "{\"reasoning_effort\":\"high\"}", NULL },
        { &unknown, OFF, "{\"enable_thinking\":false}", NULL },
        { &unknown, OFF, "{\"enable_thinking\":true}", "{\"enable_thinking\":false}" },
        { &unknown, OFF, "{\"reasoning_effort\":\"high\"}", "{\"reasoning_effort\":\"none\"}" },
        { &unknown, OFF, "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":9}}", "{\"thinking\":{\"type\":\"disabled\"}}" },
        { &unknown, OFF, "{\"thinking\":true,\"think\":\"low\"}", "{\"thinking\":false,\"think\":false}" },
        { &unknown, OFF, "{\"reasoning\":{\"effort\":\"low\"},\"thinking_budget_tokens\":9}", "{\"reasoning\":{\"enabled\":false}}" },
        { &unknown, OFF, "{\"chat_template_kwargs\":{\"enable_thinking\":true,\"x\":1}}", "{\"chat_template_kwargs\":{\"x\":1,\"enable_thinking\":false}}" },
        { &unknown, { .decided = false }, "{\"enable_thinking\":true}", NULL },
        { &unknown, ON, "{\"thinking\":\"off\"}", NULL }, /* a place of which nothing is known is not made to think */
        { &unknown, ON, "{\"thinking\":\"off\",\"think\":true}", "{\"thinking\":\"on\",\"think\":true}" },
        { &unknown, OFF, "{\"thinking\":\"off\",\"think\":true}", "{\"thinking\":\"off\",\"think\":false}" },
        { &unknown, BUDGET, "{\"thinking_budget\":900}", NULL },
        { &unknown, BUDGET, "{\"thinking\":\"off\",\"think\":true,\"thinking_budget\":900}", "{\"thinking\":\"on\",\"think\":true,\"thinking_budget\":512}" },
        { &unknown, BUDGET, "{\"thinking\":\"off\",\"think\":true,\"reasoning_budget_tokens\":900}", "{\"thinking\":\"on\",\"think\":true,\"thinking_budget_tokens\":512}" },
        { &unknown, BUDGET, "{\"thinking\":\"off\",\"think\":true}", "{\"thinking\":\"on\",\"think\":true}" },
        { &unknown, LOW, "{\"reasoning_effort\":\"low\",\"think\":false}", "{\"reasoning_effort\":\"low\",\"think\":true}" },
        { &unknown, ON, "{\"reasoning_effort\":\"low\",\"think\":false}", "{\"reasoning_effort\":\"medium\",\"think\":true}" },
        { &none, OFF, "{}", NULL },
        { &none, ON, "{\"enable_thinking\":true}", NULL },
        { &plain, OFF, "{}", NULL },
        { &forced_not, OFF, "{\"think\":false}", NULL },
        { &thinking, ON, "{}", "{\"thinking\":{\"type\":\"enabled\"}}" },
        { &template, LOW, "{\"chat_template_kwargs\":{\"reasoning_effort\":\"low\",\"thinking_budget\":5}}",
          "{\"chat_template_kwargs\":{\"reasoning_effort\":\"low\",\"enable_thinking\":true},\"reasoning_effort\":\"low\"}" },
        { &template, OFF, "{\"chat_template_kwargs\":{\"reasoning_effort\":\"low\"}}", "{\"chat_template_kwargs\":{\"enable_thinking\":false}}" },
        { &effort, LOW, "{\"reasoning_effort\":\"low\",\"think\":false}", "{\"reasoning_effort\":\"low\"}" },
        { &effort, ON, "{\"reasoning_effort\":\"odd\"}", "{}" },
        { &unknown_at_home, { .decided = true, .on = true, .insist = true }, "{}", NULL },
        { &unknown, INSIST, "{}", NULL },
        { &unknown_at_home, INSIST, "{}", "{\"chat_template_kwargs\":{\"enable_thinking\":false}}" },
    };
    int wrong = 0;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_doc d;
        struct think_wish w;
        struct buf out = { 0 };
        struct json_out o = json_out(&out);
        parse(&d, cases[i].in);
        think_read(d.root, &w);
        bool fits = think_fits(&cases[i].plan, &w, cases[i].place);
        json_begin_object(&o);
        think_put(&o, d.root, &cases[i].plan, &w, cases[i].place);
        json_end_object(&o);
        if (fits != !cases[i].out || (cases[i].out && !str_eq(buf_str(&out), str_of(cases[i].out))))
            wrong++, print_error("case %zu, %s: %s, %.*s\n", i, cases[i].in, fits ? "as it came" : "anew", STR_ARG(buf_str(&out)));
        buf_free(&out);
        json_free(&d);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wish_is_read_in_every_dialect),
        cmocka_unit_test(test_a_word_nobody_knows_is_a_yes_that_is_known_as_such),
        cmocka_unit_test(test_what_says_nothing_is_told),
        cmocka_unit_test(test_the_names_of_its_fields),
        cmocka_unit_test(test_a_template_tells_whether_it_thinks),
        cmocka_unit_test(test_a_program_of_ours_and_another_hob),
        cmocka_unit_test(test_a_way_that_is_said_has_its_limit),
        cmocka_unit_test(test_families_go_by_host_and_model),
        cmocka_unit_test(test_each_place_is_told_in_its_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
