#include "proc/service.h"

#include "base/clock.h"
#include "keeper/line.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* The test plays the keeper over a socketpair; the loop is turned by hand. */
struct stage {
    struct loop *loop;
    struct keeper *keeper;
    struct services *all;
    struct service *service;
    struct line line;       /* the keeper's end */
    uint32_t last_id;       /* of the last request heard */
    char states[256];       /* what the owner was told, one word a state */
    enum err_code last_code;
    int deaths, lost;
    bool start_again;
};

static const struct str argv[] = { { "/engine", 7 }, { "-m", 2 } };
static const struct keeper_spawn spec = { .argv = argv, .nargv = 2 };

static void on_state(void *ctx, enum service_state now, const struct keeper_exit *death, const struct err *e)
{
    struct stage *s = ctx;
    size_t n = strlen(s->states);
    snprintf(s->states + n, sizeof s->states - n, "%s ", service_state_name[now]);
    s->deaths += death != NULL;
    s->last_code = e ? e->code : ERR_OK;
    assert_true(!death || e);
    assert_int_equal(service_now(s->service), now);
    if (now == SERVICE_STOPPED && e && s->start_again)
        service_start(s->service, &spec);
}

static const struct service_ops service_ops = { on_state };

static void on_exited(void *ctx, const struct keeper_exit *x)
{
    services_exited(((struct stage *)ctx)->all, x);
}

static void on_stop(void *ctx, bool hard)
{
}

static void on_reload(void *ctx)
{
}

static void on_lost(void *ctx)
{
    ((struct stage *)ctx)->lost++;
}

static const struct keeper_ops keeper_ops = { on_exited, on_stop, on_reload, on_lost };

static void turn(struct stage *s)
{
    for (int i = 0; i < 4; i++)
        uv_run(loop_uv(s->loop), UV_RUN_NOWAIT);
}

/* The gateway's next request, which must be of this type. */
static struct wire_reader heard(struct stage *s, enum wire_type type)
{
    struct wire_head h;
    struct str body;
    int fd;
    turn(s);
    assert_int_equal(line_read(&s->line), LINE_OPEN);
    assert_true(line_next(&s->line, &h, &body, &fd));
    assert_int_equal(h.type, type);
    s->last_id = h.id;
    struct wire_reader r = wire_reader(body);
    static char kept[4096]; /* outlives the next read */
    assert_true(body.n <= sizeof kept);
    memcpy(kept, body.p, body.n);
    r.left.p = kept;
    return r;
}

static void said(struct stage *s, size_t at)
{
    line_end(&s->line, at);
    assert_int_equal(line_flush(&s->line), LINE_OPEN);
    turn(s);
}

static void say_spawned(struct stage *s, uint32_t pid)
{
    size_t at = line_begin(&s->line, WIRE_SPAWNED, s->last_id);
    wire_put_u32(&s->line.out, pid);
    said(s, at);
}

static void say_failed(struct stage *s, uint32_t sys)
{
    size_t at = line_begin(&s->line, WIRE_FAILED, s->last_id);
    wire_put_u32(&s->line.out, sys);
    wire_put_text(&s->line.out, STR("cannot run /engine"));
    said(s, at);
}

static void say_exited(struct stage *s, struct str label, uint32_t pid, uint32_t exit_code, uint32_t sig, struct str last)
{
    size_t at = line_begin(&s->line, WIRE_EXITED, 0);
    wire_put_text(&s->line.out, label);
    wire_put_u32(&s->line.out, pid);
    wire_put_u32(&s->line.out, exit_code);
    wire_put_u32(&s->line.out, sig);
    wire_put_text(&s->line.out, last);
    said(s, at);
}

static void up(struct stage *s)
{
    int fds[2];
    *s = (struct stage){ .loop = loop_new() };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    line_open(&s->line, fds[0], 1 << 20);
    s->keeper = keeper_attach(s->loop, fds[1], &keeper_ops, s);
    s->all = services_new(s->loop, s->keeper);
    s->service = service_new(s->all, STR("m"), &service_ops, s);
    heard(s, WIRE_HELLO);
    size_t at = line_begin(&s->line, WIRE_WELCOME, s->last_id);
    wire_put_u32(&s->line.out, WIRE_VERSION);
    wire_put_u32(&s->line.out, 1);
    wire_put_u32(&s->line.out, 2);
    assert_int_equal(keeper_starts(s->keeper), 0);
    said(s, at);
    assert_int_equal(keeper_starts(s->keeper), 2);
}

static void down(struct stage *s)
{
    service_free(s->service);
    keeper_free(s->keeper);
    services_free(s->all);
    loop_free(s->loop);
    line_close(&s->line);
}

static void start(struct stage *s, uint32_t pid)
{
    service_start(s->service, &spec);
    struct wire_reader r = heard(s, WIRE_SPAWN);
    assert_true(str_eq(wire_text(&r), STR("m")));
    say_spawned(s, pid);
    assert_int_equal(service_pid(s->service), pid);
}

static void test_a_life_from_start_to_stop(void **state)
{
    struct stage s;
    up(&s);
    assert_int_equal(services_alive(s.all), 0);
    start(&s, 11);
    service_is_ready(s.service);
    service_is_ready(s.service); /* said once */
    assert_int_equal(services_alive(s.all), 1);
    service_stop(s.service, 3000, 2000);
    struct wire_reader r = heard(&s, WIRE_KILL);
    assert_true(str_eq(wire_text(&r), STR("m")));
    assert_int_equal(wire_u32(&r), 3000);
    assert_int_equal(wire_u32(&r), 2000);
    assert_int_equal(services_alive(s.all), 1);
    say_exited(&s, STR("m"), 11, 0, SIGTERM, STR(""));
    assert_string_equal(s.states, "starting running ready stopping stopped ");
    assert_int_equal(s.deaths, 0);
    assert_int_equal(services_alive(s.all), 0);
    service_stop(s.service, 1, 1); /* nothing to stop, nothing said */
    assert_string_equal(s.states, "starting running ready stopping stopped ");
    down(&s);
}

static void test_a_death_nobody_asked_for_is_told_with_its_cause(void **state)
{
    struct stage s;
    up(&s);
    start(&s, 11);
    say_exited(&s, STR("m"), 11, 1, 0, STR("0.1 E gguf_init_from_reader: failed to read magic\n"));
    assert_string_equal(s.states, "starting running stopped ");
    assert_int_equal(s.deaths, 1);
    assert_int_equal(s.last_code, ERR_WEIGHTS_BROKEN);
    assert_int_equal(service_pid(s.service), 0);
    down(&s);
}

static void test_a_stranger_with_our_label_or_pid_is_not_ours(void **state)
{
    struct stage s;
    up(&s);
    start(&s, 11);
    say_exited(&s, STR("m"), 12, 1, 0, STR(""));
    say_exited(&s, STR("n"), 11, 1, 0, STR(""));
    assert_int_equal(service_now(s.service), SERVICE_RUNNING);
    say_exited(&s, STR("m"), 11, 1, 0, STR(""));
    down(&s);
}

static void test_a_failed_spawn_is_a_death_too(void **state)
{
    struct stage s;
    up(&s);
    service_start(s.service, &spec);
    heard(&s, WIRE_SPAWN);
    say_failed(&s, 2 /* ENOENT */);
    assert_string_equal(s.states, "starting stopped ");
    assert_int_equal(s.deaths, 0);
    assert_int_equal(s.last_code, ERR_ENGINE_MISSING);
    down(&s);
}

static void test_five_deaths_in_a_minute_are_enough_until_somebody_asks_again(void **state)
{
    struct stage s;
    up(&s);
    s.start_again = true; /* from inside on_state */
    service_start(s.service, &spec);
    for (uint32_t i = 1; i <= 5; i++) {
        heard(&s, WIRE_SPAWN);
        say_spawned(&s, 10 + i);
        assert_int_equal(service_now(s.service), SERVICE_RUNNING);
        say_exited(&s, STR("m"), 10 + i, 1, 0, STR(""));
    }
    assert_int_equal(service_now(s.service), SERVICE_FAILED);
    assert_int_equal(s.deaths, 5);
    assert_int_equal(services_alive(s.all), 0);
    service_start(s.service, &spec); /* counts from the beginning */
    for (uint32_t i = 1; i <= 4; i++) {
        heard(&s, WIRE_SPAWN);
        say_spawned(&s, 20 + i);
        say_exited(&s, STR("m"), 20 + i, 1, 0, STR(""));
        assert_int_equal(service_now(s.service), SERVICE_STARTING);
    }
    heard(&s, WIRE_SPAWN);
    s.start_again = false;
    say_failed(&s, 0);
    assert_int_equal(service_now(s.service), SERVICE_FAILED);
    down(&s);
}

static void test_a_stop_while_starting_waits_for_the_end(void **state)
{
    struct stage s;
    up(&s);
    service_start(s.service, &spec);
    service_stop(s.service, 0, 0);
    heard(&s, WIRE_SPAWN);
    say_spawned(&s, 11);
    assert_int_equal(service_now(s.service), SERVICE_STOPPING);
    heard(&s, WIRE_KILL);
    say_exited(&s, STR("m"), 11, 0, SIGKILL, STR(""));
    assert_string_equal(s.states, "starting stopping stopped ");
    assert_int_equal(s.deaths, 0);

    service_start(s.service, &spec);
    service_stop(s.service, 0, 0);
    heard(&s, WIRE_SPAWN);
    say_failed(&s, 2);
    assert_string_equal(s.states, "starting stopping stopped starting stopping stopped ");
    assert_int_equal(s.last_code, ERR_OK);
    down(&s);
}

static void test_a_child_of_an_earlier_gateway_is_taken_over(void **state)
{
    struct stage s;
    up(&s);
    service_adopt(s.service, 42);
    service_is_ready(s.service);
    assert_int_equal(service_pid(s.service), 42);
    say_exited(&s, STR("m"), 42, 0, SIGSEGV, STR(""));
    assert_string_equal(s.states, "running ready stopped ");
    assert_int_equal(s.last_code, ERR_LOAD_FAILED);
    down(&s);
}

static void test_a_command_line_too_long_fails_later_not_inside(void **state)
{
    static char huge[300 * 1024];
    struct stage s;
    up(&s);
    memset(huge, 'x', sizeof huge);
    const struct str long_argv[] = { { "/engine", 7 }, { huge, sizeof huge } };
    service_start(s.service, &(struct keeper_spawn){ .argv = long_argv, .nargv = 2 });
    assert_string_equal(s.states, "starting ");
    turn(&s);
    assert_string_equal(s.states, "starting stopped ");
    assert_int_equal(s.last_code, ERR_LOAD_FAILED);
    down(&s);
}

static void test_a_lost_keeper_fails_what_waits_and_is_told_once(void **state)
{
    struct stage s;
    up(&s);
    service_start(s.service, &spec);
    turn(&s);
    line_close(&s.line);
    turn(&s);
    assert_int_equal(s.lost, 1);
    assert_string_equal(s.states, "starting stopped ");
    assert_int_equal(s.last_code, ERR_SYSTEM);
    service_start(s.service, &spec); /* asked of nobody: fails as well */
    turn(&s);
    assert_string_equal(s.states, "starting stopped starting stopped ");
    assert_int_equal(s.lost, 1);
    down(&s);
}

static void test_a_keeper_that_speaks_nonsense_is_lost(void **state)
{
    static const struct {
        uint16_t type;
        const char *body;
        size_t n;
    } cases[] = {
        { 99, "", 0 },
        { WIRE_SPAWN, "", 0 },
        { WIRE_EXITED, "\1\0\0\0", 4 },
        { WIRE_STOP, "", 0 },
        { WIRE_RELOAD, "x", 1 },
        { WIRE_SPAWNED, "\1\0\0\0", 4 },                 /* nobody asked */
        { WIRE_LISTED, "\0\0\0\0\0\0\0\0", 8 },
        { WIRE_LISTENING, "\0\0\0\0", 4 },
        { WIRE_WELCOME, "\177\0\0\0\1\0\0\0\1\0\0\0", 12 }, /* another version */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct stage s;
        up(&s);
        size_t at = line_begin(&s.line, (enum wire_type)cases[i].type, 77);
        buf_add(&s.line.out, str_make(cases[i].body, cases[i].n));
        line_end(&s.line, at);
        line_flush(&s.line);
        turn(&s);
        if (s.lost != 1)
            fail_msg("case %zu", i);
        down(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_life_from_start_to_stop),
        cmocka_unit_test(test_a_death_nobody_asked_for_is_told_with_its_cause),
        cmocka_unit_test(test_a_stranger_with_our_label_or_pid_is_not_ours),
        cmocka_unit_test(test_a_failed_spawn_is_a_death_too),
        cmocka_unit_test(test_five_deaths_in_a_minute_are_enough_until_somebody_asks_again),
        cmocka_unit_test(test_a_stop_while_starting_waits_for_the_end),
        cmocka_unit_test(test_a_child_of_an_earlier_gateway_is_taken_over),
        cmocka_unit_test(test_a_command_line_too_long_fails_later_not_inside),
        cmocka_unit_test(test_a_lost_keeper_fails_what_waits_and_is_told_once),
        cmocka_unit_test(test_a_keeper_that_speaks_nonsense_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
