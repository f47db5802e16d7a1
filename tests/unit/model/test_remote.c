/* A GGUF's header out of a file elsewhere, with a module that plays the server: what is fetched, how much, and what is said of servers that will not. */
#include "model/remote.h"

#include "http/web_module.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FILE_BYTES = 12 << 20 };

/* The server, and what it does. */
static struct {
    char *file;
    int64_t size;
    int status;             /* instead of 206 */
    bool no_ranges;         /* 200 and all of it */
    int failures;           /* so many requests end before their answer */
    int64_t shrinks_to;     /* from the second request on */
    int requests;
    char ranges[16][64];
} server;

static enum err_code play(const struct web_hop *h, struct err *e)
{
    long long from = 0, to = server.size - 1;
    char field[96];
    snprintf(server.ranges[server.requests++ % 16], 64, "%s", h->range ? h->range : "");
    if (server.failures && server.failures--)
        return err_set(e, ERR_UP_RESET, "played");
    if (server.shrinks_to && server.requests > 1)
        server.size = server.shrinks_to;
    assert_int_equal(sscanf(h->range, "%lld-%lld", &from, &to), 2);
    to = to < server.size ? to : server.size - 1;
    snprintf(field, sizeof field, "bytes %lld-%lld/%lld", from, to, (long long)server.size);
    int status = server.status ? server.status : server.no_ranges ? 200 : 206;
    bool on = h->on_status(h->ctx, status);
    if (status == 206)
        on = on && h->on_field(h->ctx, STR("Content-Range"), str_of(field));
    on = on && h->on_fields_end(h->ctx);
    on = on && h->on_body(h->ctx, str_make(server.file + from, (size_t)(to + 1 - from)));
    return on ? ERR_OK : err_set(e, ERR_CALLER_GONE, "stopped");
}

static const struct web_module module = { .abi = WEB_MODULE_ABI, .release = HOB_VERSION, .get = play };

static int begin(void **state)
{
    char *file = server.file ? server.file : malloc(FILE_BYTES);
    if (!file)
        return -1;
    for (size_t i = 0; i < FILE_BYTES; i++)
        file[i] = (char)(i * 7 + i / 251);
    memset(&server, 0, sizeof server);
    server.file = file;
    server.size = FILE_BYTES;
    web_module_use(&module);
    return 0;
}

static struct remote *open_it(void)
{
    struct remote *r;
    struct err e = { 0 };
    if (remote_open(STR("https://hub.test/m.gguf"), (struct secret){ STR("") }, 0, &r, &e))
        fail_msg("%s", e.text);
    return r;
}

static void must_read(struct gguf_source *s, uint64_t at, size_t n)
{
    char *to = malloc(n);
    assert_non_null(to);
    assert_true(s->read(s->ctx, at, to, n));
    assert_memory_equal(to, server.file + at, n);
    free(to);
}

static void test_a_small_header_is_one_request(void **state)
{
    struct remote *r = open_it();
    struct gguf_source s = remote_source(r);
    assert_int_equal(s.size, FILE_BYTES);
    must_read(&s, 0, 64);
    must_read(&s, 1000, 64 * 1024);
    must_read(&s, REMOTE_FIRST_BYTES - 10, 10);
    assert_int_equal(server.requests, 1);
    assert_string_equal(server.ranges[0], "0-1048575");
    assert_int_equal(remote_fetched_bytes(r), REMOTE_FIRST_BYTES);
    assert_null(remote_error(r));
    remote_close(r);
}

static void test_longer_ones_come_in_growing_steps(void **state)
{
    struct remote *r = open_it();
    struct gguf_source s = remote_source(r);
    for (uint64_t at = 0; at < FILE_BYTES; at += 64 * 1024)
        must_read(&s, at, 64 * 1024);
    must_read(&s, 5, 7); /* back to the beginning */
    static const char *const want[] = { "0-1048575", "1048576-3145727", "3145728-7340031", "7340032-12582911" };
    for (size_t i = 0; i < COUNTOF(want); i++)
        assert_string_equal(server.ranges[i], want[i]);
    assert_int_equal(server.requests, 5);
    remote_close(r);
}

static void test_small_files_end_where_they_end(void **state)
{
    server.size = 100;
    struct remote *r = open_it();
    struct gguf_source s = remote_source(r);
    char to[8];
    assert_int_equal(s.size, 100);
    must_read(&s, 92, 8);
    assert_false(s.read(s.ctx, 93, to, 8));
    assert_int_equal(errno, EIO);
    assert_int_equal(server.requests, 1);
    remote_close(r);
}

static void test_a_reset_is_tried_again(void **state)
{
    server.failures = 1;
    struct remote *r = open_it();
    assert_int_equal(server.requests, 2);
    remote_close(r);
}

static void test_servers_that_will_not(void **state)
{
    static const struct {
        int status;
        bool no_ranges;
        enum err_code code;
        const char *said;
    } rows[] = {
        { 0, true, ERR_UP_GARBLED, "does not heed ranges" },
        { 401, false, ERR_UP_AUTH, "answered 401" },
        { 403, false, ERR_UP_AUTH, "answered 403" },
        { 404, false, ERR_NOT_FOUND, "answered 404" },
        { 416, false, ERR_UP_GARBLED, "answered 416" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct remote *r = NULL;
        struct err e = { 0 };
        begin(NULL);
        server.status = rows[i].status;
        server.no_ranges = rows[i].no_ranges;
        assert_int_equal(remote_open(STR("https://hub.test/m.gguf"), (struct secret){ STR("") }, 0, &r, &e), rows[i].code);
        assert_non_null(strstr(e.text, rows[i].said));
        assert_null(r);
        assert_int_equal(server.requests, 1);
    }
}

static void test_a_file_that_changes_meanwhile_is_an_error(void **state)
{
    server.shrinks_to = FILE_BYTES - 1;
    struct remote *r = open_it();
    struct gguf_source s = remote_source(r);
    char to[8];
    must_read(&s, 0, 8);
    assert_false(s.read(s.ctx, 2 << 20, to, 8));
    assert_non_null(remote_error(r));
    assert_non_null(strstr(remote_error(r)->text, "changed"));
    assert_false(s.read(s.ctx, 0, to, 8)); /* nothing of it is believed any more */
    assert_int_equal(server.requests, 2);
    remote_close(r);
}

static int end(void **state)
{
    free(server.file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_small_header_is_one_request, begin),
        cmocka_unit_test_setup(test_longer_ones_come_in_growing_steps, begin),
        cmocka_unit_test_setup(test_small_files_end_where_they_end, begin),
        cmocka_unit_test_setup(test_a_reset_is_tried_again, begin),
        cmocka_unit_test_setup(test_servers_that_will_not, begin),
        cmocka_unit_test_setup(test_a_file_that_changes_meanwhile_is_an_error, begin),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
