#include "net/resolve.h"

#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* In the place of the C library's: counts, and hangs where the name says so until the test lets go. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t go;
    int asked, hanging;
    bool let_go;
} resolver = { .lock = PTHREAD_MUTEX_INITIALIZER, .go = PTHREAD_COND_INITIALIZER };

static struct addrinfo answer;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    pthread_mutex_lock(&resolver.lock);
    resolver.asked++;
    if (strstr(name, "hangs")) {
        resolver.hanging++;
        while (!resolver.let_go)
            pthread_cond_wait(&resolver.go, &resolver.lock);
        resolver.hanging--;
    }
    pthread_mutex_unlock(&resolver.lock);
    errno = EIO;
    *out = &answer;
    return strstr(name, "none") ? EAI_NONAME : strstr(name, "system") ? EAI_SYSTEM : 0;
}

void freeaddrinfo(struct addrinfo *a)
{
    assert_ptr_equal(a, &answer);
}

static int locked(const int *n)
{
    pthread_mutex_lock(&resolver.lock);
    int v = *n;
    pthread_mutex_unlock(&resolver.lock);
    return v;
}

static void let_go(bool yes)
{
    pthread_mutex_lock(&resolver.lock);
    resolver.let_go = yes;
    resolver.asked = 0;
    pthread_cond_broadcast(&resolver.go);
    pthread_mutex_unlock(&resolver.lock);
}

struct asker {
    struct resolving r;
    int done;
    bool found;
    const char *why;
};

static void on_done(void *ctx, struct addresses *found, const char *why)
{
    struct asker *a = ctx;
    a->done++;
    a->found = found;
    a->why = why;
    addresses_release(found);
}

static void ask(struct loop *l, struct asker *a, const char *name)
{
    *a = (struct asker){ 0 };
    resolve_start(l, &a->r, name, on_done, a);
    assert_int_equal(a->done, 0); /* never from inside */
}

static void wait_for(struct loop *l, const struct asker *a)
{
    while (!a->done)
        uv_run(loop_uv(l), UV_RUN_ONCE);
}

static void test_a_name_that_hangs_holds_up_no_other(void **state)
{
    struct loop *l = loop_new();
    struct asker stuck[32], well;
    char name[32];
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof name, "hangs%d", i % 8);
        ask(l, &stuck[i], name);
    }
    ask(l, &well, "well");
    wait_for(l, &well);
    assert_true(well.found);
    let_go(true);
    for (int i = 0; i < 32; i++) {
        wait_for(l, &stuck[i]);
        assert_true(stuck[i].found && stuck[i].done == 1);
    }
    loop_free(l);
}

static void test_who_asks_for_the_same_name_joins_even_when_the_first_has_left(void **state)
{
    struct loop *l = loop_new();
    struct asker gone[50], well, last;
    let_go(false);
    for (int i = 0; i < 50; i++) {
        ask(l, &gone[i], "hangs");
        resolve_cancel(&gone[i].r);
    }
    ask(l, &last, "hangs");
    ask(l, &well, "well");
    wait_for(l, &well);
    while (!locked(&resolver.hanging))
        usleep(1000);
    assert_int_equal(locked(&resolver.asked), 2);
    let_go(true);
    wait_for(l, &last);
    for (int i = 0; i < 50; i++)
        assert_int_equal(gone[i].done, 0);
    resolve_cancel(&last.r); /* fine after it has run */
    loop_free(l);
}

static void test_a_loop_ends_though_a_name_hangs(void **state)
{
    struct loop *l = loop_new();
    struct asker a;
    let_go(false);
    ask(l, &a, "hangs");
    while (!locked(&resolver.hanging))
        usleep(1000);
    resolve_cancel(&a.r);
    loop_free(l);
    assert_int_equal(a.done, 0);
    let_go(true);
    while (locked(&resolver.hanging))
        usleep(1000);
}

static void test_why_there_is_none(void **state)
{
    struct loop *l = loop_new();
    struct asker a;
    ask(l, &a, "none");
    wait_for(l, &a);
    assert_true(!a.found && strlen(a.why) > 5);
    ask(l, &a, "system");
    wait_for(l, &a);
    assert_string_equal(a.why, strerror(EIO));
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_that_hangs_holds_up_no_other),
        cmocka_unit_test(test_who_asks_for_the_same_name_joins_even_when_the_first_has_left),
        cmocka_unit_test(test_a_loop_ends_though_a_name_hangs),
        cmocka_unit_test(test_why_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
