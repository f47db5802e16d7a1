/* Asks that are kept: so many of a role, until their time is over, and what goes is not left in the file. */
#include "store/captured.h"

#include "base/buf.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static struct store *store;
static int64_t now_ms = 1800000000000;

static int64_t test_mono(void)
{
    return 1;
}

static int64_t test_wall(void)
{
    return now_ms;
}

static int open_store(void **state)
{
    static const struct clock_source source = { test_mono, test_wall };
    struct err e;
    clock_use(&source);
    snprintf(folder, sizeof folder, "/tmp/hob-captured-XXXXXX");
    return !mkdtemp(folder) || store_open(str_of(folder), &store, &e);
}

static int close_store(void **state)
{
    char path[128];
    store_close(store);
    store = NULL;
    snprintf(path, sizeof path, "%s/hob.db", folder);
    unlink(path);
    clock_use(NULL);
    return rmdir(folder);
}

static void was_put(void *ctx, const struct err *e)
{
    if (e)
        fail_msg("%s", e->text);
}

static int64_t put(const char *role, const char *text, int64_t keep_ms, int64_t most)
{
    struct captured_put p = { .row = { .time_ms = now_ms, .until_ms = now_ms + keep_ms, .role = str_of(role), .id = STR("id"), .model = STR("m"), .tools = true,
                                  .input_tokens = 7, .output_tokens = -1, .print = 5, .text = str_of(text) }, .most = most, .on_done = was_put };
    captured_put(store, &p);
    return p.row.at;
}

struct seen {
    char text[400];
    size_t n;
};

static void see(void *ctx, const struct captured_row *r)
{
    struct seen *s = ctx;
    assert_true(r->tools && !r->stream && !r->schema && r->input_tokens == 7 && r->output_tokens == -1 && r->print == 5 && str_eq(r->model, STR("m")));
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%.*s:%lld ", STR_ARG(r->text.p ? r->text : r->role), (long long)r->bytes);
    s->n++;
}

static const char *list(const char *role)
{
    static struct seen s;
    struct err e;
    s = (struct seen){ .n = 0 };
    if (captured_read(store, str_of(role), now_ms, see, &s, &e))
        fail_msg("%s", e.text);
    return s.text;
}

static void test_the_oldest_of_a_role_go(void **state)
{
    struct err e;
    struct seen s = { .n = 0 };
    int64_t first = put("a", "one", 1000, 2), second = put("a", "two", 1000, 2);
    put("b", "other", 1000, 2);
    int64_t third = put("a", "three", 1000, 2);
    assert_string_equal(list("a"), "a:3 a:5 ");
    assert_string_equal(list(""), "a:3 b:5 a:5 ");
    const int64_t at[] = { third, first, second };
    assert_int_equal(captured_read_texts(store, at, COUNTOF(at), now_ms, see, &s, &e), ERR_OK);
    assert_string_equal(s.text, "three:5 two:3 "); /* who is gone is passed over */
}

static void test_what_is_over_is_not_seen(void **state)
{
    put("a", "one", 1000, 9);
    now_ms += 999;
    assert_string_equal(list("a"), "a:3 ");
    now_ms += 1;
    assert_string_equal(list("a"), "");
}

static void was_dropped(void *ctx, const struct err *e)
{
    *(bool *)ctx = e == NULL;
}

/* Bytes of the file and its log. */
static bool is_in_files(const char *needle)
{
    static const char *const names[] = { "hob.db", "hob.db-wal" };
    bool found = false;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        char path[128];
        struct buf all = { 0 };
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *f = fopen(path, "rb");
        for (int c; f && (c = fgetc(f)) != EOF;)
            buf_add_char(&all, (char)c);
        if (f)
            fclose(f);
        found = found || str_find(buf_str(&all), str_of(needle)) >= 0;
        buf_free(&all);
    }
    return found;
}

static void test_what_is_forgotten_is_not_in_the_file(void **state)
{
    bool done = false;
    struct err e;
    struct captured_drop d = { .role = STR("a"), .on_done = was_dropped, .ctx = &done };
    char text[5000];
    memset(text, 'x', sizeof text);
    memcpy(text + 4000, "canary", 7); /* in a page of its own, behind the first */
    put("a", text, 1000, 9);
    put("b", "stays", 1000, 9);
    assert_true(is_in_files("canary"));
    captured_drop(store, &d);
    assert_true(done);
    assert_int_equal(d.dropped, 1);
    assert_string_equal(list(""), "b:5 ");
    store_close(store); /* the log is brought over */
    store = NULL;
    assert_false(is_in_files("canary"));
    assert_true(is_in_files("stays"));
    assert_int_equal(store_open(str_of(folder), &store, &e), ERR_OK);
}

static void test_a_new_limit_shortens(void **state)
{
    put("a", "one", 100000, 9);
    put("a", "two", 100000, 9);
    put("b", "three", 100000, 9);
    captured_limit(store, &(struct captured_limit){ STR("a"), 50, 1 }, 1);
    assert_string_equal(list(""), "a:3 b:5 ");
    now_ms += 50;
    assert_string_equal(list(""), "b:5 ");
    captured_limit(store, &(struct captured_limit){ STR("b"), 1000000, 9 }, 1); /* what was promised to go goes */
    now_ms += 100000;
    assert_string_equal(list(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_oldest_of_a_role_go, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_what_is_over_is_not_seen, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_what_is_forgotten_is_not_in_the_file, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_a_new_limit_shortens, open_store, close_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
