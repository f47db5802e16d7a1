/* Kinds of places elsewhere: where they are reached, and how their refusals read. Nothing is asked over a wire. */
#include "backend/backend.h"

#include "conf/conf.h"
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char kitchen[] =
    "hosts:\n"
    "  anthropic: {kind: anthropic, url: \"http://127.0.0.1:9001\", key: sekret}\n"
    "  copy: {kind: anthropic, url: \"http://127.0.0.1:9001/like/v1\"}\n"
    "  box: {kind: ollama, url: \"http://127.0.0.1:11434/\"}\n"
    "  guarded: {kind: ollama, url: \"http://127.0.0.1:11434/v1\", key: sekret}\n"
    "models:\n"
    "  claude: {host: anthropic, name: claude-x}\n"
    "  alike: {host: copy}\n"
    "  qwen: {host: box, name: \"qwen3:8b\"}\n"
    "  kept: {host: guarded}\n";

enum { CLAUDE, ALIKE, QWEN, KEPT };

static struct config *config;
static struct loop *loop;
static struct services *services;

static int open_kitchen(void **state)
{
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), STR(kitchen), &config, &e))
        fail_msg("%s", e.text);
    loop = loop_new();
    services = services_new(loop, NULL);
    return 0;
}

static int close_kitchen(void **state)
{
    services_free(services);
    loop_free(loop);
    conf_free(config);
    return 0;
}

static struct backend *make(size_t index)
{
    return backend_new(loop, config, index, services, STR("/tmp/hob-test-none"), NULL, NULL);
}

static void test_each_has_its_address_its_headers_and_its_dialect(void **state)
{
    static const struct { size_t model; const char *path, *headers; const struct dialect *dialect; } cases[] = {
        { CLAUDE, "/v1", "x-api-key: sekret\r\nanthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n", &dialect_anthropic },
        { ALIKE, "/like/v1", "anthropic-version: 2023-06-01\r\nContent-Type: application/json\r\n", &dialect_anthropic },
        { QWEN, "/v1", "Content-Type: application/json\r\n", &dialect_ollama },
        { KEPT, "/v1", "Authorization: Bearer sekret\r\nContent-Type: application/json\r\n", &dialect_ollama },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct backend *b = make(cases[i].model);
        assert_int_equal(b->state, BACKEND_HOT);
        assert_non_null(b->pool);
        assert_true(str_eq(buf_str(&b->path), str_of(cases[i].path)));
        assert_true(str_eq(buf_str(&b->headers), str_of(cases[i].headers)));
        assert_ptr_equal(b->kind->dialect, cases[i].dialect);
        backend_free(b);
    }
}

struct refusal_case {
    int status;
    const char *retry_after, *body;
    enum err_code code;
    const char *param, *text, *hint;
    int wait_s;
};

static void check_refusals(size_t model, const struct refusal_case *cases, size_t n)
{
    struct backend *b = make(model);
    for (size_t i = 0; i < n; i++) {
        const struct refusal_case *c = &cases[i];
        struct err e;
        enum err_code rc = b->kind->read_refusal(b, c->status, str_of(c->retry_after), str_of(c->body), &e);
        bool same = rc == c->code && e.code == rc && !strcmp(e.param, c->param) && e.retry_after_s == c->wait_s;
        if (!same || !strstr(e.text, c->text) || !strstr(e.hint, c->hint) || strstr(e.text, "sekret"))
            fail_msg("case %zu: %d (%s), %d s: %s / %s", i, (int)e.code, e.param, e.retry_after_s, e.text, e.hint);
    }
    backend_free(b);
}

#define SAYS(type, message) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\"},\"request_id\":\"req_1\"}"

static void test_the_messages_api_says_why(void **state)
{
    static const struct refusal_case cases[] = {
        { 400, "", SAYS("invalid_request_error", "max_tokens: 99999 > 8192"), ERR_INVALID_REQUEST, "", "max_tokens: 99999 > 8192", "", 0 },
        { 400, "", SAYS("invalid_request_error", "prompt is too long: 215000 tokens > 200000 maximum"), ERR_CONTEXT, "messages",
          "'claude' on 'anthropic': prompt is too long: 215000 tokens > 200000 maximum", "Shorten", 0 },
        { 400, "", SAYS("invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"), ERR_CONTEXT, "messages",
          "190000 + 20000 > 200000", "shorter answer", 0 },
        { 400, "", SAYS("invalid_request_error", "Your credit balance is too low to access the Anthropic API"), ERR_UP_AUTH, "", "no credit left", "topped up", 0 },
        { 400, "", SAYS("invalid_request_error", "output_config.format.schema: For 'object' type, 'additionalProperties' must be set"), ERR_SCHEMA_UNSUPPORTED, "",
          "additionalProperties", "schema", 0 },
        { 401, "", SAYS("authentication_error", "invalid x-api-key sekret"), ERR_UP_AUTH, "", "did not accept", "key", 0 },
        { 402, "", SAYS("billing_error", "pay"), ERR_UP_AUTH, "", "wants to be paid (402)", "topped up", 0 },
        { 403, "", SAYS("permission_error", "no"), ERR_UP_AUTH, "", "did not accept", "key", 0 },
        { 404, "", SAYS("not_found_error", "model: claude-x"), ERR_UP_MODEL_MISSING, "", "(404): model: claude-x", "name:", 0 },
        { 413, "", SAYS("request_too_large", "Request exceeds the maximum size"), ERR_TOO_LARGE, "", "(413)", "", 0 },
        { 429, "17", SAYS("rate_limit_error", "slow down"), ERR_UP_BUSY, "", "slow down", "later", 17 },
        { 500, "", SAYS("api_error", "Internal server error"), ERR_UP_STATUS, "", "(500): Internal", "", 0 },
        { 504, "", SAYS("timeout_error", "timed out"), ERR_UP_TIMEOUT, "", "gave up", "", 0 },
        { 529, "3", SAYS("overloaded_error", "Overloaded"), ERR_UP_BUSY, "", "(529): Overloaded", "later", 3 },
        { 502, "", "<html>bad gateway</html>", ERR_UP_STATUS, "", "a web page", "", 0 },
    };
    check_refusals(CLAUDE, cases, COUNTOF(cases));
}

static void test_ollama_says_why(void **state)
{
    static const struct refusal_case cases[] = {
        { 404, "", "{\"error\":\"model 'qwen3:8b' not found\"}", ERR_UP_MODEL_MISSING, "", "(404): model 'qwen3:8b' not found", "`ollama pull qwen3:8b`", 0 },
        { 400, "", "{\"error\":\"registry.ollama.ai/library/qwen3:8b does not support tools\"}", ERR_TOOLS_UNSUPPORTED, "tools", "does not support tools", "can:", 0 },
        { 400, "", "{\"error\":\"\\\"qwen3:8b\\\" does not support thinking\"}", ERR_INVALID_REQUEST, "reasoning_effort", "does not support thinking", "wish", 0 },
        { 400, "", "{\"error\":\"the input length exceeds the context length\"}", ERR_CONTEXT, "messages", "exceeds the context length", "context:", 0 },
        { 413, "", "{\"error\":\"the input length exceeds the context length\"}", ERR_CONTEXT, "messages", "exceeds the context length", "context:", 0 },
        { 400, "", "{\"error\":\"invalid options: temperature\"}", ERR_INVALID_REQUEST, "", "invalid options: temperature", "", 0 },
        { 500, "", "{\"error\":\"model requires more system memory (5.6 GiB) than is available (3.1 GiB)\"}", ERR_OUT_OF_MEMORY, "", "5.6 GiB", "context:", 0 },
        { 500, "", "{\"error\":\"llama runner process has terminated\"}", ERR_UP_STATUS, "", "(500): llama runner", "", 0 },
        { 503, "2", "{\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}", ERR_UP_BUSY, "", "(503): server busy", "", 2 },
        { 500, "", "{\"error\":\"invalid JSON schema in format\"}", ERR_SCHEMA_UNSUPPORTED, "response_format", "invalid JSON schema", "Simplify", 0 },
    };
    check_refusals(QWEN, cases, COUNTOF(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_its_address_its_headers_and_its_dialect),
        cmocka_unit_test(test_the_messages_api_says_why),
        cmocka_unit_test(test_ollama_says_why),
    };
    return cmocka_run_group_tests(tests, open_kitchen, close_kitchen);
}
