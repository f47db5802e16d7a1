/* Between two gateways: everything arrives, in order, with its descriptor, however much of it there is and however slowly it is read. */
#include "proc/heir.h"

#include "base/buf.h"
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct side {
    struct heir *heir;
    size_t got, fds, bytes;
    bool ended, in_order;
    ino_t ino;
};

static struct loop *loop;

static void on_msg(void *ctx, const struct heir_msg *m)
{
    struct side *s = ctx;
    struct stat st;
    s->in_order = s->in_order && m->id == s->got;
    s->got++;
    s->bytes += m->text.n;
    for (size_t i = 0; i < m->text.n; i += 4096)
        s->in_order = s->in_order && m->text.p[i] == (char)('a' + m->id % 26);
    if (m->fd >= 0) {
        s->fds++;
        s->in_order = s->in_order && !fstat(m->fd, &st) && st.st_ino == s->ino && (m->id % 3 == 0);
        close(m->fd);
    }
}

static void on_end(void *ctx)
{
    ((struct side *)ctx)->ended = true;
}

static const struct heir_ops ops = { on_msg, on_end };

static void up(struct side *a, struct side *b, int *raw)
{
    int pair[2];
    log_set_level(LOG_ERROR);
    loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *a = (struct side){ .in_order = true };
    *b = (struct side){ .in_order = true };
    a->heir = heir_new(loop, pair[0], &ops, a);
    if (raw)
        *raw = pair[1];
    else
        b->heir = heir_new(loop, pair[1], &ops, b);
}

static void down(struct side *a, struct side *b)
{
    heir_free(a->heir);
    heir_free(b->heir);
    loop_free(loop);
}

static void run_until(const size_t *what, size_t n)
{
    for (int i = 0; i < 200000 && *what < n; i++)
        uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    assert_int_equal(*what, n);
}

static void test_all_of_it_arrives(void **state)
{
    static const size_t sizes[] = { 0, 1, 5000, HEIR_TEXT_MAX };
    struct side a, b;
    struct stat st;
    int file = open("/dev/null", O_RDONLY);
    up(&a, &b, NULL);
    assert_int_equal(fstat(file, &st), 0);
    b.ino = st.st_ino;
    char *text = malloc(HEIR_TEXT_MAX);
    assert_non_null(text);
    size_t n = 600, bytes = 0, fds = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t size = i % 50 == 49 ? sizes[3] : sizes[i % 3];
        memset(text, 'a' + (int)(i % 26), HEIR_TEXT_MAX);
        struct heir_msg m = { .word = HEIR_CONN, .id = i, .number = i, .text = str_make(text, size), .fd = i % 3 ? -1 : dup(file) };
        heir_send(a.heir, &m);
        bytes += size;
        fds += i % 3 == 0;
    }
    assert_true(heir_waits(a.heir));
    run_until(&b.got, n);
    assert_true(b.in_order);
    assert_int_equal(b.bytes, bytes);
    assert_int_equal(b.fds, fds);
    assert_false(heir_waits(a.heir));
    heir_free(b.heir);
    b.heir = NULL;
    for (int i = 0; i < 1000 && !a.ended; i++)
        uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    assert_true(a.ended);
    free(text);
    close(file);
    down(&a, &b);
}

static void test_nonsense_is_the_end(void **state)
{
    static const unsigned char cases[][16] = {
        { 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 1 },  /* longer than any */
        { 0, 0, 0, 0, 1, 0, 0, 0, 1 },              /* no fields */
        { 0, 0, 0, 0, 77, 0, 0, 0, 1 },             /* no such word */
        { 0, 0, 0, 0, 1, 0, 1, 0, 1 },              /* a descriptor that does not come */
        { 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct side a, b;
        int raw;
        up(&a, &b, &raw);
        assert_int_equal(write(raw, cases[i], sizeof cases[i]), sizeof cases[i]);
        for (int n = 0; n < 1000 && !a.ended; n++)
            uv_run(loop_uv(loop), UV_RUN_NOWAIT);
        assert_true(a.ended);
        assert_int_equal(a.got, 0);
        close(raw);
        down(&a, &b);
    }
}

static void test_what_is_said_last_is_heard(void **state)
{
    struct side a, b;
    int raw;
    up(&a, &b, &raw);
    struct heir_msg m = { .word = HEIR_FAILED, .text = STR("no"), .fd = -1 };
    heir_say_and_end(raw, &m);
    run_until(&a.got, 1);
    for (int n = 0; n < 1000 && !a.ended; n++)
        uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    assert_true(a.ended);
    heir_send(a.heir, &m); /* for nothing */
    down(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it_arrives),
        cmocka_unit_test(test_nonsense_is_the_end),
        cmocka_unit_test(test_what_is_said_last_is_heard),
    };
    return cmocka_run_group_tests_name("heir", tests, NULL, NULL);
}
