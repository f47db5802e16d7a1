/* Who asks, by the headers that real clients send. */
#include "api/caller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_HEADERS = 4, REFUSED = -1 };

static const struct {
    const char *name[MAX_HEADERS], *value[MAX_HEADERS];
    int class;
} rows[] = {
    /* says so */
    { { "X-Hob-Class" }, { "chat" }, CALLER_CHAT },
    { { "x-hob-class" }, { "Program" }, CALLER_PROGRAM },
    { { "X-HOB-CLASS" }, { "background" }, CALLER_BACKGROUND },
    { { "x-hob-class", "origin", "user-agent" }, { "background", "http://127.0.0.1:3000", "Mozilla/5.0" }, CALLER_BACKGROUND },
    { { "origin", "x-hob-class" }, { "http://127.0.0.1:3000", "program" }, CALLER_PROGRAM },
    { { "x-hob-class" }, { "urgent" }, REFUSED },
    { { "x-hob-class" }, { "" }, REFUSED },
    { { "x-hob-class" }, { "chat, program" }, REFUSED },
    /* pages and what stands in front of them */
    { { "Origin" }, { "http://localhost:3000" }, CALLER_CHAT },
    { { "Origin" }, { "null" }, CALLER_CHAT },
    { { "User-Agent" }, { "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" }, CALLER_CHAT },
    { { "Sec-Fetch-Mode" }, { "cors" }, CALLER_CHAT },
    { { "User-Agent", "X-OpenWebUI-User-Id" }, { "Python/3.11 aiohttp/3.11", "u1" }, CALLER_CHAT },
    { { "X-OpenWebUI-Chat-Id" }, { "c1" }, CALLER_CHAT },
    { { "X-Forwarded-User" }, { "ann" }, CALLER_CHAT },
    { { "X-Auth-Request-Email" }, { "ann@example.com" }, CALLER_CHAT },
    { { "Remote-User" }, { "ann" }, CALLER_CHAT },
    /* programs */
    { { NULL }, { NULL }, CALLER_PROGRAM },
    { { "User-Agent", "x-stainless-lang" }, { "OpenAI/Python 1.99", "python" }, CALLER_PROGRAM },
    { { "User-Agent" }, { "curl/8.5.0" }, CALLER_PROGRAM },
    { { "User-Agent" }, { "like Mozilla/5.0" }, CALLER_PROGRAM },
    { { "User-Agent", "Accept" }, { "Python/3.11 aiohttp/3.11", "*/*" }, CALLER_PROGRAM },
    { { "Origin", "X-Forwarded-For" }, { "", "10.0.0.1" }, CALLER_PROGRAM },
    { { "X-OpenWebUI" }, { "1" }, CALLER_PROGRAM },
    { { "X-Origin" }, { "http://a" }, CALLER_PROGRAM },
};

static void test_each_client_has_its_class(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct http_header at[MAX_HEADERS];
        struct http_headers h = { at, 0 };
        struct err e = { 0 };
        enum caller_class class = CALLER_PROGRAM;
        for (; h.n < MAX_HEADERS && rows[i].name[h.n]; h.n++)
            at[h.n] = (struct http_header){ str_of(rows[i].name[h.n]), str_of(rows[i].value[h.n]) };
        enum err_code rc = caller_class(&h, CONF_CLASS_UNSAID, &class, &e);
        if (rows[i].class == REFUSED) {
            assert_int_equal(rc, ERR_INVALID_REQUEST);
            assert_non_null(strstr(e.hint, "chat, program or background"));
            continue;
        }
        assert_int_equal(rc, ERR_OK);
        if ((int)class != rows[i].class)
            fail_msg("row %zu: class %d", i, (int)class);
    }
}

static const struct {
    const char *name, *value;
    enum conf_class of_key;
    enum caller_class class;
} keyed[] = {
    { "accept", "*/*", CONF_CLASS_UNSAID, CALLER_PROGRAM },
    { "accept", "*/*", CONF_CLASS_CHAT, CALLER_CHAT },
    { "accept", "*/*", CONF_CLASS_BACKGROUND, CALLER_BACKGROUND },
    { "origin", "http://127.0.0.1:3000", CONF_CLASS_PROGRAM, CALLER_PROGRAM },
    { "origin", "http://127.0.0.1:3000", CONF_CLASS_UNSAID, CALLER_CHAT },
    { "x-hob-class", "chat", CONF_CLASS_BACKGROUND, CALLER_CHAT },
    { "x-hob-class", "background", CONF_CLASS_CHAT, CALLER_BACKGROUND },
};

static void test_a_keys_class_holds_unless_the_caller_says_one(void **state)
{
    for (size_t i = 0; i < COUNTOF(keyed); i++) {
        struct http_header h = { str_of(keyed[i].name), str_of(keyed[i].value) };
        enum caller_class class = CALLER_PROGRAM;
        struct err e;
        assert_int_equal(caller_class(&(struct http_headers){ &h, 1 }, keyed[i].of_key, &class, &e), ERR_OK);
        if (class != keyed[i].class)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_client_has_its_class), cmocka_unit_test(test_a_keys_class_holds_unless_the_caller_says_one) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
