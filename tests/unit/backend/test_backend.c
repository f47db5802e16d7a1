/* How refusals of places read: by status, and by an engine's own words. Backends are made for real; nothing is asked over a wire. */
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
    "  anvil: {url: \"http://127.0.0.1:9001\", key: sekret, timeouts: {idle: 7s}}\n"
    "  lathe: {url: \"http://127.0.0.1:80/base/v1\"}\n"
    "  shed:  {kind: hob, url: \"http://127.0.0.1:9002/base\"}\n"
    "models:\n"
    "  far:  {host: anvil, name: org/Far}\n"
    "  same: {host: lathe}\n"
    "  near: {file: /w/m.gguf, slots: 3}\n"
    "  next: {host: shed, name: chat}\n";

enum { FAR, SAME, NEAR, NEXT };

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

static void test_a_place_elsewhere_is_hot_at_once_and_has_its_address(void **state)
{
    struct backend *far = make(FAR), *same = make(SAME);
    assert_int_equal(far->state, BACKEND_HOT);
    assert_false(far->kind->managed);
    assert_true(str_eq(far->host, STR("anvil")));
    assert_true(str_eq(far->upstream, STR("org/Far")));
    assert_true(str_eq(buf_str(&far->path), STR("/v1")));
    assert_true(str_find(buf_str(&far->headers), STR("Authorization: Bearer sekret\r\n")) >= 0);
    assert_int_equal(far->timeouts.idle_ms, 7000);
    assert_int_equal(far->timeouts.first_byte_ms, 300000);
    assert_int_equal(far->slots, 0);
    assert_true(str_eq(same->upstream, STR("same")));
    assert_true(str_eq(buf_str(&same->path), STR("/base/v1")));
    assert_true(str_find(buf_str(&same->headers), STR("Authorization")) < 0);
    backend_free(far);
    backend_free(same);
    backend_free(NULL);
}

static void test_another_hob_tells_how_its_model_is(void **state)
{
    static const struct { const char *body; bool known, hot; int64_t wait_ms, queue, context, total; } cases[] = {
        { "{\"schema\":1,\"models\":[{\"name\":\"x\"},{\"name\":\"chat\",\"state\":\"hot\",\"queue\":2,\"wait_ms\":70,\"context\":4096}],"
          "\"memory\":{\"total\":100,\"used\":7}}", true, true, 70, 2, 4096, 100 },
        { "{\"models\":[{\"name\":\"m\",\"aliases\":[\"a\",\"chat\"],\"state\":\"cold\",\"wait_ms\":null}],\"memory\":{\"total\":null}}", true, false, -1, -1, 4096, -1 },
        { "{\"models\":[{\"name\":\"other\",\"state\":\"hot\"}]}", false, false, -1, -1, 4096, -1 },
        { "{\"models\":[{\"name\":\"chat\",\"state\":\"hot\",\"wait_ms\":-5,\"queue\":\"x\",\"context\":\"y\"}]}", true, true, -1, -1, 4096, -1 },
        { "{\"models\":7}", false, false, -1, -1, 4096, -1 },
        { "[]", false, false, -1, -1, 4096, -1 },
    };
    struct backend *b = make(NEXT);
    assert_true(str_eq(buf_str(&b->list), STR("/base/hob/v1/state")));
    assert_true(str_eq(buf_str(&b->path), STR("/base/v1")));
    assert_true(str_find(buf_str(&b->headers), STR("X-Hob-Hops: 1\r\n")) >= 0);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        b->kind->take_state(b, str_of(cases[i].body));
        assert_int_equal(b->far.seen_ms != 0, cases[i].known);
        assert_int_equal(b->far.hot, cases[i].hot);
        assert_int_equal(b->far.wait_ms, cases[i].wait_ms);
        assert_int_equal(b->far.queue, cases[i].queue);
        assert_int_equal(b->far.total_bytes, cases[i].total);
        assert_int_equal(b->context, cases[i].context);
    }
    b->kind->take_state(b, STR("<html>"));
    assert_int_equal(b->far.seen_ms, 0);
    backend_free(b);
}

static void test_a_child_is_cold_and_has_a_key_of_its_own(void **state)
{
    struct backend *a = make(NEAR), *b = make(NEAR);
    assert_int_equal(a->state, BACKEND_COLD);
    assert_true(a->kind->managed);
    assert_true(str_eq(a->host, STR("local")));
    assert_int_equal(a->slots, 3);
    assert_true(str_starts(buf_str(&a->headers), STR("Authorization: Bearer ")));
    assert_false(str_eq(buf_str(&a->headers), buf_str(&b->headers)));
    backend_free(a);
    backend_free(b);
}

static void test_statuses_have_their_meaning(void **state)
{
    static const struct { int status; const char *retry_after, *said; enum err_code code; int wait_s; const char *text; } cases[] = {
        { 401, "", "bad key", ERR_UP_AUTH, 0, "'far' on 'anvil' did not accept the gateway's key (401)" },
        { 403, "", "", ERR_UP_AUTH, 0, "did not accept the gateway's key (403)" },
        { 407, "", "", ERR_UP_AUTH, 0, "proxy" },
        { 404, "", "no such model", ERR_UP_MODEL_MISSING, 0, "(404): no such model" },
        { 408, "", "", ERR_UP_TIMEOUT, 0, "gave up waiting (408)" },
        { 504, "", "", ERR_UP_TIMEOUT, 0, "gave up waiting (504)" },
        { 429, "7", "slow down", ERR_UP_BUSY, 7, "slow down" },
        { 429, " 60 ", "", ERR_UP_BUSY, 60, "" },
        { 429, "", "", ERR_UP_BUSY, 0, "" },
        { 429, "-1", "", ERR_UP_BUSY, 0, "" },
        { 429, "99999999999999999999", "", ERR_UP_BUSY, 0, "" },
        { 429, "Wed, 21 Oct 2026 07:28:00 GMT", "", ERR_UP_BUSY, 0, "" },
        { 400, "", "max_tokens is too large", ERR_INVALID_REQUEST, 0, "max_tokens is too large" },
        { 400, "9", "", ERR_INVALID_REQUEST, 0, "'far' on 'anvil' refused the request (400)" },
        { 402, "", "", ERR_UP_AUTH, 0, "wants to be paid (402)" },
        { 413, "", "", ERR_TOO_LARGE, 0, "(413)" },
        { 529, "5", "", ERR_UP_BUSY, 5, "(529)" },
        { 422, "", "x", ERR_INVALID_REQUEST, 0, "x" },
        { 499, "", "", ERR_INVALID_REQUEST, 0, "" },
        { 500, "", "boom", ERR_UP_STATUS, 0, "'far' on 'anvil' failed (500): boom" },
        { 502, "", "", ERR_UP_STATUS, 0, "failed (502)" },
        { 503, "", "", ERR_UP_STATUS, 0, "" },
        { 501, "", "", ERR_UP_STATUS, 0, "" },
        { 201, "", "", ERR_UP_STATUS, 0, "(201)" },
        { 204, "", "", ERR_UP_STATUS, 0, "" },
        { 302, "", "", ERR_UP_STATUS, 0, "(302)" },
        { 999, "", "", ERR_UP_STATUS, 0, "" },
    };
    struct backend *b = make(FAR);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e;
        enum err_code rc = backend_refusal(b, cases[i].status, str_of(cases[i].retry_after), str_of(cases[i].said), &e);
        if (rc != cases[i].code || e.code != rc || !strstr(e.text, cases[i].text) || e.retry_after_s != cases[i].wait_s)
            fail_msg("%d: %d, %d s, %s", cases[i].status, (int)e.code, e.retry_after_s, e.text);
    }
    backend_free(b);
}

static void test_messages_are_found_in_whatever_shape_they_come(void **state)
{
    static const struct { const char *body, *message; } cases[] = {
        { "{\"error\":{\"message\":\"m\",\"type\":\"t\"}}", "m" },
        { "{\"error\":\"m\"}", "m" },
        { "{\"message\":\"m\"}", "m" },
        { "{\"error\":{\"message\":\"\"},\"message\":\"n\"}", "n" },
        { "{\"error\":{\"message\":7}}", "" },
        { "{\"error\":null}", "" },
        { "{\"detail\":\"d\"}", "" },
        { "[1]", "" },
        { "7", "" },
        { "", "" },
        { "<html>bad</html>", "a web page" },
        { "\n<!DOCTYPE HTML>\n<title>501</title>", "a web page" },
        { "<!doc", "<!doc" },
        { " two\r\n\tlines\x01of it\n", "two lines of it" },
        { "\x01", "" },
        { "{\"error\":", "{\"error\":" },
    };
    char out[40];
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        backend_error_message(str_of(cases[i].body), out, sizeof out);
        assert_string_equal(out, cases[i].message);
    }
    backend_error_message(STR("{\"error\":\"0123456789012345678901234567890123456789012345\"}"), out, sizeof out);
    assert_string_equal(out, "012345678901234567890123456789012345678");
    backend_error_message(STR(""), out, sizeof out);
    backend_error_message(STR("plain text of more bytes than there is room for in what is shown"), out, sizeof out);
    assert_int_equal(strlen(out), sizeof out - 1);
}

static void test_an_engines_words_count_more_than_its_status(void **state)
{
    static const struct { int status; const char *body; enum err_code code; const char *param, *text; } cases[] = {
        { 400, "{\"error\":{\"code\":400,\"message\":\"request (1231 tokens) exceeds the available context size (512 tokens), try increasing it\","
               "\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":1231,\"n_ctx\":512}}",
          ERR_CONTEXT, "messages", "The prompt has 1231 tokens, 'near' on 'local' can take 512." },
        { 500, "{\"error\":{\"code\":500,\"message\":\"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj\","
               "\"type\":\"server_error\"}}", ERR_UNSUPPORTED_INPUT, "", "image input is not supported" },
        { 500, "{\"error\":{\"message\":\"audio input is not supported - hint\",\"code\":500}}", ERR_UNSUPPORTED_INPUT, "", "audio" },
        { 503, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}", ERR_UP_STATUS, "", "Loading model" },
        { 400, "{\"error\":{\"code\":400,\"message\":\"Failed to initialize samplers: failed to parse grammar\",\"type\":\"invalid_request_error\"}}",
          ERR_INVALID_REQUEST, "", "failed to parse grammar" },
        { 400, "{\"error\":{\"message\":\"JSON schema conversion failed:\\nUnrecognized schema\"}}", ERR_SCHEMA_UNSUPPORTED, "", "Unrecognized" },
        { 501, "{\"error\":{\"code\":501,\"message\":\"This server does not support embeddings. Start it with `--embeddings`\",\"type\":\"not_supported_error\"}}",
          ERR_INVALID_REQUEST, "", "does not support embeddings" },
        { 400, "{\"error\":{\"code\":400,\"message\":\"unsupported content[].type\",\"type\":\"invalid_request_error\"}}", ERR_INVALID_REQUEST, "", "unsupported content" },
        { 500, "{\"error\":{\"code\":500,\"message\":\"[json.exception.parse_error.101] parse error at line 1\",\"type\":\"server_error\"}}", ERR_UP_STATUS, "", "parse error" },
        { 500, "{\"error\":{\"code\":500,\"message\":\"the current context does not logits computation. skipping\"}}", ERR_UP_STATUS, "", "logits" },
        { 500, "", ERR_UP_STATUS, "", "failed (500)" },
        { 502, "<html>", ERR_UP_STATUS, "", "a web page" },
        { 400, "{\"error\":{\"type\":\"exceed_context_size_error\"}}", ERR_CONTEXT, "messages", "has 0 tokens" },
        { 400, "{\"error\":{\"type\":\"exceed_context_size_error\",\"n_ctx\":-1,\"n_prompt_tokens\":\"x\"}}", ERR_CONTEXT, "messages", "" },
    };
    struct backend *b = make(NEAR);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct err e;
        enum err_code rc = b->kind->read_refusal(b, cases[i].status, STR(""), str_of(cases[i].body), &e);
        if (rc != cases[i].code || e.code != rc || strcmp(e.param, cases[i].param) != 0 || !strstr(e.text, cases[i].text))
            fail_msg("case %zu: %d (%s) %s", i, (int)e.code, e.param, e.text);
    }
    backend_free(b);
}

static void test_a_places_words_are_cited(void **state)
{
    struct backend *b = make(FAR);
    struct err e;
    assert_int_equal(b->kind->read_refusal(b, 400, STR(""), STR("{\"error\":{\"message\":\"stop: too many\"}}"), &e), ERR_INVALID_REQUEST);
    assert_string_equal(e.text, "stop: too many");
    assert_int_equal(b->kind->read_refusal(b, 500, STR(""), STR("{\"detail\":[]}"), &e), ERR_UP_STATUS);
    assert_string_equal(e.text, "'far' on 'anvil' failed (500)");
    assert_int_equal(b->kind->read_refusal(b, 429, STR("3"), STR("busy"), &e), ERR_UP_BUSY);
    assert_int_equal(e.retry_after_s, 3);
    backend_free(b);
}

static void test_a_changed_child_is_told_of_in_its_new_settings(void **state)
{
    struct backend *b = make(NEAR);
    struct config *other = NULL;
    struct err e = { 0 };
    assert_int_equal(conf_parse(STR("/kitchen/hob.yaml"), STR("models: {x: {file: x}, near: {file: /w/n.gguf, slots: 5, context: 1k}}\ntimeouts: {idle: 3s}\n"),
                         &other, &e), ERR_OK);
    b->context = 77;
    err_set(&b->last_error, ERR_LOAD_FAILED, "it was broken");
    b->state = BACKEND_FAILED;
    backend_renew(b, other, 1);
    conf_free(other); /* the backend holds it */
    assert_int_equal(b->state, BACKEND_COLD);
    assert_int_equal(b->slots, 5);
    assert_int_equal(b->context, 0);
    assert_int_equal(b->last_error.code, ERR_OK);
    assert_int_equal(b->timeouts.idle_ms, 3000);
    assert_true(str_eq(b->model->file, STR("/w/n.gguf")));
    assert_true(str_eq(b->name, STR("near")));
    backend_free(b);
}

/* Exits are told by the child's name: only one of a name may listen. */
static void test_a_retired_one_keeps_its_names_and_nothing_else(void **state)
{
    struct backend *old = make(NEAR);
    assert_int_equal(services_alive(services), 0);
    backend_retire(old);
    backend_retire(old);
    struct backend *now = make(NEAR);
    assert_true(str_eq(old->name, STR("near")) && str_eq(old->host, STR("local")));
    assert_int_equal(backend_pid(old), 0);
    assert_int_equal(old->model->slots, 3);
    backend_free(now);
    backend_free(old);
    struct backend *far = make(FAR);
    backend_retire(far);
    assert_non_null(far->pool);
    backend_free(far);
}

/* Between the keeper's list and the end of the look at its file. */
static void test_a_child_that_ends_before_it_is_taken_over_is_seen_to_be_gone(void **state)
{
    static const struct {
        bool unwanted;
        enum backend_state ends;
    } cases[] = { { false, BACKEND_FAILED }, { true, BACKEND_COLD } };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct backend *b = make(NEAR);
        struct str argv[] = { STR("/engine"), STR("-m"), STR("/w/m.gguf") };
        backend_adopt(b, &(struct keeper_child){ .label = b->name, .pid = 42, .argv = argv, .nargv = COUNTOF(argv) });
        assert_int_equal(backend_pid(b), 42); /* what it has is not a stranger's */
        if (cases[i].unwanted)
            backend_unload(b);
        services_exited(services, &(struct keeper_exit){ .label = b->name, .pid = 42, .signal = 9, .last = STR("") });
        while (b->state == BACKEND_LOADING || b->state == BACKEND_DRAINING)
            uv_run(loop_uv(loop), UV_RUN_ONCE);
        assert_int_equal(b->state, cases[i].ends);
        assert_int_equal(backend_pid(b), 0);
        assert_true(cases[i].unwanted || b->last_error.code);
        backend_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_elsewhere_is_hot_at_once_and_has_its_address),
        cmocka_unit_test(test_another_hob_tells_how_its_model_is),
        cmocka_unit_test(test_a_child_is_cold_and_has_a_key_of_its_own),
        cmocka_unit_test(test_statuses_have_their_meaning),
        cmocka_unit_test(test_messages_are_found_in_whatever_shape_they_come),
        cmocka_unit_test(test_an_engines_words_count_more_than_its_status),
        cmocka_unit_test(test_a_places_words_are_cited),
        cmocka_unit_test(test_a_changed_child_is_told_of_in_its_new_settings),
        cmocka_unit_test(test_a_retired_one_keeps_its_names_and_nothing_else),
        cmocka_unit_test(test_a_child_that_ends_before_it_is_taken_over_is_seen_to_be_gone),
    };
    setenv("HOME", "/home/cook", 1);
    return cmocka_run_group_tests(tests, open_kitchen, close_kitchen);
}
