/* What the web may be asked and where a redirect may lead, with a module that plays the answers. */
#include "http/web.h"

#include "http/web_module.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { MAX_HOPS = 16 };

struct reply {
    int status;
    const char *fields[8];      /* name, value, … NULL */
    const char *body;
    enum err_code end;
};
static const struct reply *replies;
static char asked[MAX_HOPS][512];
static char authorization[MAX_HOPS][64], range[MAX_HOPS][64], if_range[MAX_HOPS][64];
static bool direct[MAX_HOPS];
static int hops;

static enum err_code play(const struct web_hop *h, struct err *e)
{
    const struct reply *r = &replies[hops];
    assert_true(hops < MAX_HOPS);
    snprintf(asked[hops], sizeof asked[0], "%s", h->url);
    snprintf(authorization[hops], sizeof authorization[0], "%s", h->authorization ? h->authorization : "");
    snprintf(range[hops], sizeof range[0], "%s", h->range ? h->range : "");
    snprintf(if_range[hops], sizeof if_range[0], "%s", h->if_range ? h->if_range : "");
    direct[hops++] = h->direct;
    if (r->end && !r->status)
        return err_set(e, r->end, "played");
    bool on = h->on_status(h->ctx, r->status);
    for (size_t i = 0; on && r->fields[i]; i += 2)
        on = h->on_field(h->ctx, str_of(r->fields[i]), str_of(r->fields[i + 1]));
    on = on && h->on_fields_end(h->ctx);
    if (on && r->body)
        on = h->on_body(h->ctx, str_of(r->body));
    return on ? (r->end ? err_set(e, r->end, "played") : ERR_OK) : err_set(e, ERR_CALLER_GONE, "stopped");
}

static const struct web_module module = { .abi = WEB_MODULE_ABI, .release = HOB_VERSION, .get = play };

static enum err_code fetch(const struct reply *r, const struct web_get *g, struct web_answer *out, struct err *e)
{
    replies = r;
    hops = 0;
    web_module_use(&module);
    *e = (struct err){ 0 };
    return web_fetch(g, out, e);
}

static struct web_get get_of(const char *url)
{
    return (struct web_get){ .url = str_of(url), .bearer = { STR("hf_token") } };
}

static void test_a_token_stays_with_its_origin(void **state)
{
    static const struct reply r[] = {
        { .status = 307, .fields = { "Location", "/renamed" } },
        { .status = 302, .fields = { "location", "https://cdn.test/file" }, .body = "go there" },
        { .status = 302, .fields = { "Location", "https://hub.test/back" } },
        { .status = 200, .body = "{}" },
    };
    struct web_get g = get_of("https://hub.test/file");
    struct web_answer a;
    struct err e;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_OK);
    assert_int_equal(hops, 4);
    assert_string_equal(asked[1], "https://hub.test/renamed");
    assert_string_equal(authorization[0], "Bearer hf_token");
    assert_string_equal(authorization[1], "Bearer hf_token");
    assert_string_equal(authorization[2], "");
    assert_string_equal(authorization[3], ""); /* who has met another cannot be told what is the first's */
    assert_true(str_eq(buf_str(&a.body), STR("{}")));
    assert_string_equal(a.final_host, "hub.test");
    buf_free(&a.body);
}

static void test_redirects_that_may_not_be(void **state)
{
    static const struct {
        const char *from, *location, *said;
    } rows[] = {
        { "https://hub.test/x", "http://cdn.test/x", "is http" },
        { "https://hub.test/x", "http://127.0.0.1:1/x", "this machine itself" },
        { "https://hub.test/x", "https://localhost/x", "this machine itself" },
        { "https://hub.test/x", "file:///etc/passwd", "neither https" },
        { "https://hub.test/x", "https://user:secret@cdn.test/", "no user or password" },
        { "http://127.0.0.1:1/x", "http://cdn.test/x", "is http" },
        { "https://hub.test/x", "/a b", "redirects to nowhere" },
        { "https://hub.test/x", NULL, "without saying where" },
        { "https://hub.test/x", "https://hub.test/x", "more than 10" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct reply r[MAX_HOPS];
        for (size_t k = 0; k < MAX_HOPS; k++)
            r[k] = (struct reply){ .status = 302, .fields = { rows[i].location ? "Location" : NULL, rows[i].location } };
        struct web_get g = get_of(rows[i].from);
        struct web_answer a;
        struct err e;
        assert_int_equal(fetch(r, &g, &a, &e), ERR_UP_GARBLED);
        assert_non_null(strstr(e.text, rows[i].said));
        assert_null(strstr(e.text, "secret"));
        assert_int_equal(hops, i + 1 == COUNTOF(rows) ? WEB_MAX_REDIRECTS + 1 : 1);
        buf_free(&a.body);
    }
}

static void test_loopback_may_redirect_anywhere_it_may_ask(void **state)
{
    static const struct reply r[] = {
        { .status = 301, .fields = { "Location", "http://127.0.0.1:2/b" } },
        { .status = 308, .fields = { "Location", "https://cdn.test/c" } },
        { .status = 204 },
    };
    struct web_get g = get_of("http://127.0.0.1:1/a");
    struct web_answer a;
    struct err e;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_OK);
    assert_int_equal(a.status, 204);
    assert_true(direct[0] && direct[1] && !direct[2]); /* this machine is not asked through a proxy */
    assert_string_equal(authorization[0], "Bearer hf_token");
    assert_string_equal(authorization[1], ""); /* another port is somebody else */
}

struct seen {
    struct web_head head;
    int heads;
    size_t bytes;
    bool stop;
};

static bool on_head(void *ctx, const struct web_head *head)
{
    struct seen *s = ctx;
    s->head = *head;
    s->heads++;
    return !s->stop;
}

static bool on_bytes(void *ctx, struct str bytes)
{
    ((struct seen *)ctx)->bytes += bytes.n;
    return true;
}

static void test_ranges(void **state)
{
    static const struct {
        int64_t from, bytes;
        const char *asked;
        int status;
        const char *field, *value;
        enum err_code rc;
        int64_t got_from, whole;
    } rows[] = {
        { 0, 0,     "",        200, "Content-Length", "1000",                 ERR_OK,         0,   1000 },
        { 0, 0,     "",        200, "X-None", "1",                            ERR_OK,         0,   -1 },
        { 100, 0,   "100-",    206, "Content-Range", "bytes 100-999/1000",    ERR_OK,         100, 1000 },
        { 100, 0,   "100-",    206, "Content-Range", "bytes 100-999/*",       ERR_OK,         100, -1 },
        { 0, 100,   "0-99",    206, "content-range", "bytes 0-99/1000",       ERR_OK,         0,   1000 },
        { 100, 50,  "100-149", 200, "Content-Length", "1000",                 ERR_OK,         0,   1000 }, /* did not heed it: the asker sees */
        { 100, 0,   "100-",    206, "Content-Range", "bytes 0-999/1000",      ERR_UP_GARBLED, 0,   0 },
        { 100, 0,   "100-",    206, "Content-Range", "bytes 100-1000/1000",   ERR_UP_GARBLED, 0,   0 },
        { 100, 0,   "100-",    206, "Content-Range", "bytes 100-",            ERR_UP_GARBLED, 0,   0 },
        { 100, 0,   "100-",    206, "Content-Range", "bytes 99999999999999999999-1/1", ERR_UP_GARBLED, 0, 0 },
        { 100, 0,   "100-",    206, "X-None", "1",                            ERR_UP_GARBLED, 0,   0 },
        { 0, 0,     "",        206, "Content-Range", "bytes 0-9/10",          ERR_UP_GARBLED, 0,   0 },
        { 0, 0,     "",        200, "Content-Length", "-1",                   ERR_UP_GARBLED, 0,   0 },
        { 0, 0,     "",        200, "Content-Encoding", "gzip",               ERR_UP_GARBLED, 0,   0 },
        { 0, 0,     "",        404, "Content-Length", "3",                    ERR_OK,         0,   0 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct reply r[] = { { .status = rows[i].status, .fields = { rows[i].field, rows[i].value, "ETag", "\"e1\"" }, .body = "abc" } };
        struct seen s = { 0 };
        struct web_get g = get_of("https://hub.test/f");
        g.from = rows[i].from, g.bytes = rows[i].bytes, g.if_range = STR("\"e0\"");
        g.on_head = on_head, g.on_bytes = on_bytes, g.ctx = &s;
        struct web_answer a;
        struct err e;
        assert_int_equal(fetch(r, &g, &a, &e), rows[i].rc);
        assert_string_equal(range[0], rows[i].asked);
        assert_string_equal(if_range[0], rows[i].asked[0] ? "\"e0\"" : "");
        bool handed = !rows[i].rc && rows[i].status != 404;
        assert_int_equal(s.heads, handed);
        assert_int_equal(s.bytes, handed ? 3 : 0);
        if (handed)
            assert_true(s.head.from == rows[i].got_from && s.head.whole_bytes == rows[i].whole && s.head.ranged == (rows[i].status == 206));
        else if (!rows[i].rc)
            assert_true(str_eq(buf_str(&a.body), STR("abc")));
        buf_free(&a.body);
    }
}

static void test_refusals_tell_why_and_are_cut(void **state)
{
    static char long_body[WEB_REFUSAL_BYTES + 10];
    memset(long_body, 'x', sizeof long_body - 1);
    const struct reply r[] = { { .status = 403, .fields = { "X-Error-Code", "GatedRepo", "Retry-After", "99999" }, .body = long_body } };
    struct web_get g = get_of("https://hub.test/f");
    struct web_answer a;
    struct err e;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_OK);
    assert_int_equal(a.status, 403);
    assert_string_equal(a.error_code, "GatedRepo");
    assert_int_equal(a.retry_after_s, 3600);
    assert_int_equal(a.body.n, WEB_REFUSAL_BYTES);
    buf_free(&a.body);
}

static void test_answers_have_a_maximum(void **state)
{
    static const struct reply r[] = { { .status = 200, .body = "0123456789" } };
    struct web_get g = get_of("https://hub.test/f");
    struct web_answer a;
    struct err e;
    g.body_max = 9;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_TOO_LARGE);
    buf_free(&a.body);
    g.body_max = 10;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_OK);
    buf_free(&a.body);
}

static void test_errors_name_the_address_without_its_query(void **state)
{
    static const struct reply r[] = { { .end = ERR_UP_REFUSED } };
    struct web_get g = get_of("https://hub.test/f?signature=abc");
    struct web_answer a;
    struct err e;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_UP_REFUSED);
    assert_string_equal(e.text, "https://hub.test/f: played");
}

static void test_what_is_asked_wrongly_is_not_asked(void **state)
{
    struct web_get rows[] = { get_of("http://hub.test/"), get_of("https://hub.test/"), get_of("https://hub.test/"), get_of("https://hub.test/") };
    rows[1].bearer.hidden = STR("a\r\nX-Evil: 1");
    rows[2].from = -1;
    rows[3].from = INT64_MAX, rows[3].bytes = 1;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct web_answer a;
        struct err e;
        assert_int_equal(fetch(NULL, &rows[i], &a, &e), ERR_INVALID_REQUEST);
        assert_int_equal(hops, 0);
        assert_null(strstr(e.text, "Evil"));
    }
}

static void test_a_callback_stops_it(void **state)
{
    static const struct reply r[] = { { .status = 200, .body = "abc" } };
    struct seen s = { .stop = true };
    struct web_get g = get_of("https://hub.test/f");
    g.on_head = on_head, g.on_bytes = on_bytes, g.ctx = &s;
    struct web_answer a;
    struct err e;
    assert_int_equal(fetch(r, &g, &a, &e), ERR_CALLER_GONE);
    assert_int_equal(s.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_stays_with_its_origin),
        cmocka_unit_test(test_redirects_that_may_not_be),
        cmocka_unit_test(test_loopback_may_redirect_anywhere_it_may_ask),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_refusals_tell_why_and_are_cut),
        cmocka_unit_test(test_answers_have_a_maximum),
        cmocka_unit_test(test_errors_name_the_address_without_its_query),
        cmocka_unit_test(test_what_is_asked_wrongly_is_not_asked),
        cmocka_unit_test(test_a_callback_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
