/* Both ends together: the gateway's keeper room on a loop, the real hob-keeper at the other end of the wire. */
#include "proc/keeper.h"

#include "../keeper/stage.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct play {
    struct stage stage;
    struct loop *loop;
    struct keeper *keeper;
    struct timer limit;
    bool timed_out;
    /* what came */
    int pid, fd, stops, hards, reloads, losts;
    enum err_code code;
    char bound[128], listed[256], died[256];
    bool free_inside;
    size_t ndoors;
    char door[128];
};

static void done(struct play *p)
{
    loop_stop(p->loop);
}

static void on_limit(void *ctx)
{
    ((struct play *)ctx)->timed_out = true;
    done(ctx);
}

static void on_exited(void *ctx, const struct keeper_exit *x)
{
    struct play *p = ctx;
    snprintf(p->died, sizeof p->died, "%.*s %d %d %.*s", STR_ARG(x->label), x->exit_code, x->signal, STR_ARG(x->last));
    if (p->free_inside) {
        keeper_free(p->keeper);
        p->keeper = NULL;
    }
    done(p);
}

static void on_stop(void *ctx, bool hard)
{
    struct play *p = ctx;
    p->stops++;
    p->hards += hard;
    done(p);
}

static void on_reload(void *ctx)
{
    ((struct play *)ctx)->reloads++;
    done(ctx);
}

static void on_lost(void *ctx)
{
    ((struct play *)ctx)->losts++;
    done(ctx);
}

static const struct keeper_ops ops = { on_exited, on_stop, on_reload, on_lost };

static void on_spawned(void *ctx, int pid, const struct err *e)
{
    struct play *p = ctx;
    p->pid = pid;
    p->code = e ? e->code : ERR_OK;
    done(p);
}

static void on_listening(void *ctx, int fd, struct str bound, const struct err *e)
{
    struct play *p = ctx;
    p->fd = fd;
    p->code = e ? e->code : ERR_OK;
    snprintf(p->bound, sizeof p->bound, "%.*s", STR_ARG(bound));
    done(p);
}

static void on_list(void *ctx, const struct keeper_child *children, size_t n, const struct str *doors, size_t ndoors)
{
    struct play *p = ctx;
    p->ndoors = ndoors;
    snprintf(p->door, sizeof p->door, "%.*s", ndoors ? (int)doors[0].n : 0, ndoors ? doors[0].p : "");
    p->listed[0] = 0;
    for (size_t i = 0; i < n; i++)
        snprintf(p->listed + strlen(p->listed), sizeof p->listed - strlen(p->listed), "%.*s %d %zu %.*s;", STR_ARG(children[i].label),
            children[i].pid, children[i].nargv, STR_ARG(children[i].argv[2]));
    done(p);
}

static void wait_for_it(struct play *p)
{
    timer_set(&p->limit, STAGE_WAIT_MS);
    loop_run(p->loop);
    timer_cancel(&p->limit);
    assert_false(p->timed_out);
}

/* It may have come in one turn with what was waited for before. */
static void wait_for_death(struct play *p, const char *died)
{
    while (!p->died[0])
        wait_for_it(p);
    assert_string_equal(p->died, died);
    p->died[0] = 0;
}

static void wait_for_count(struct play *p, const int *count, int n)
{
    while (*count < n)
        wait_for_it(p);
    assert_int_equal(*count, n);
}

static void attach(struct play *p)
{
    p->loop = loop_new();
    timer_init(&p->limit, p->loop, on_limit, p);
    p->keeper = keeper_attach(p->loop, stage_meet_fd(&p->stage), &ops, p);
}

static void detach(struct play *p)
{
    keeper_free(p->keeper);
    loop_free(p->loop);
}

static void up(struct play *p)
{
    *p = (struct play){ .fd = -1 };
    stage_up(&p->stage);
    attach(p);
}

static void down(struct play *p)
{
    detach(p);
    stage_down(&p->stage);
}

static void start(struct play *p, const char *label, const char *script)
{
    const struct str argv[] = { STR("/bin/sh"), STR("-c"), str_of(script) };
    const struct str env[] = { STR("PATH=/usr/bin:/bin") };
    struct keeper_spawn s = { .label = str_of(label), .argv = argv, .nargv = 3, .env = env, .nenv = 1 };
    p->pid = -1;
    keeper_start_child(p->keeper, &s, on_spawned, p);
    assert_int_equal(p->pid, -1); /* never from inside */
    wait_for_it(p);
}

static void test_children_come_and_go(void **state)
{
    struct play p;
    up(&p);
    start(&p, "m", "echo word; exit 5");
    assert_int_equal(p.code, ERR_OK);
    assert_true(p.pid > 0);
    assert_int_equal(keeper_starts(p.keeper), 1);
    wait_for_death(&p, "m 5 0 word\n");
    start(&p, "m", "exec sleep 1000");
    keeper_kill(p.keeper, STR("m"), 60000, 60000);
    wait_for_death(&p, "m 0 15 ");
    keeper_kill(p.keeper, STR("m"), 0, 0); /* nobody there: nothing comes of it */
    start(&p, "m", "exec sleep 1000");
    start(&p, "m", "exec sleep 1000");
    assert_int_equal(p.code, ERR_LOAD_FAILED); /* the label is in use */
    down(&p);
}

static void test_an_engine_that_is_not_there_is_missing(void **state)
{
    struct play p;
    up(&p);
    const struct str argv[] = { STR("/no/such/engine") };
    struct keeper_spawn s = { .label = STR("m"), .argv = argv, .nargv = 1 };
    keeper_start_child(p.keeper, &s, on_spawned, &p);
    wait_for_it(&p);
    assert_int_equal(p.code, ERR_ENGINE_MISSING);
    assert_int_equal(p.pid, 0);
    down(&p);
}

static void test_listeners_are_handed_over(void **state)
{
    struct play p;
    up(&p);
    keeper_listen(p.keeper, STR("127.0.0.1:0"), on_listening, &p);
    assert_int_equal(p.fd, -1);
    wait_for_it(&p);
    assert_int_equal(p.code, ERR_OK);
    int listening = 0;
    socklen_t n = sizeof listening;
    assert_int_equal(getsockopt(p.fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n), 0);
    assert_true(listening);
    close(p.fd);
    keeper_listen(p.keeper, STR("anvil:1"), on_listening, &p);
    wait_for_it(&p);
    assert_int_equal(p.code, ERR_SYSTEM);
    assert_int_equal(p.fd, -1);
    down(&p);
}

static void test_the_next_gateway_finds_the_children_of_the_last(void **state)
{
    struct play p;
    char wanted[64];
    up(&p);
    start(&p, "m", "exec sleep 1000");
    keeper_ready(p.keeper);
    keeper_list(p.keeper, on_list, &p);
    wait_for_it(&p);
    snprintf(wanted, sizeof wanted, "m %d 3 exec sleep 1000;", p.pid);
    assert_string_equal(p.listed, wanted);
    stage_deed(&p.stage, 's', 0);
    detach(&p);
    attach(&p);
    keeper_list(p.keeper, on_list, &p);
    wait_for_it(&p);
    assert_string_equal(p.listed, wanted);
    assert_int_equal(keeper_starts(p.keeper), 2);
    assert_int_equal(p.ndoors, 0);
    keeper_listen(p.keeper, STR("127.0.0.1:0"), on_listening, &p);
    wait_for_it(&p);
    close(p.fd);
    keeper_list(p.keeper, on_list, &p);
    wait_for_it(&p);
    assert_int_equal(p.ndoors, 1);
    assert_string_equal(p.door, p.bound); /* and its doors, as they were bound */
    down(&p);
}

static void test_signals_of_the_keeper_are_told(void **state)
{
    struct play p;
    up(&p);
    keeper_list(p.keeper, on_list, &p); /* it runs, its handlers are set */
    wait_for_it(&p);
    kill(p.stage.keeper, SIGHUP);
    wait_for_count(&p, &p.reloads, 1);
    kill(p.stage.keeper, SIGTERM);
    wait_for_count(&p, &p.stops, 1);
    assert_int_equal(p.hards, 0);
    kill(p.stage.keeper, SIGTERM);
    wait_for_count(&p, &p.stops, 2);
    assert_int_equal(p.hards, 1);
    wait_for_count(&p, &p.losts, 1); /* the keeper ends, the wire with it */
    down(&p);
}

static void test_a_killed_keeper_is_noticed(void **state)
{
    struct play p;
    up(&p);
    keeper_list(p.keeper, on_list, &p);
    wait_for_it(&p);
    kill(p.stage.keeper, SIGKILL);
    wait_for_count(&p, &p.losts, 1);
    start(&p, "m", "true"); /* whoever still asks is told */
    assert_int_equal(p.code, ERR_SYSTEM);
    down(&p);
}

static void test_it_may_be_freed_from_inside_its_callback(void **state)
{
    struct play p;
    up(&p);
    p.free_inside = true;
    start(&p, "m", "true");
    if (!p.died[0])
        wait_for_it(&p);
    assert_null(p.keeper);
    down(&p);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    stage_programs(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_come_and_go),
        cmocka_unit_test(test_an_engine_that_is_not_there_is_missing),
        cmocka_unit_test(test_listeners_are_handed_over),
        cmocka_unit_test(test_the_next_gateway_finds_the_children_of_the_last),
        cmocka_unit_test(test_signals_of_the_keeper_are_told),
        cmocka_unit_test(test_a_killed_keeper_is_noticed),
        cmocka_unit_test(test_it_may_be_freed_from_inside_its_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
