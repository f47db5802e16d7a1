#include "stage.h"

#include "keeper/fence.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- small words ---- */

static uint32_t hello(struct stage *s) /* how many gateways so far */
{
    struct wire_reader in;
    size_t at = stage_begin(s, WIRE_HELLO);
    wire_put_u32(&s->line.out, WIRE_VERSION);
    assert_int_equal(stage_ask(s, at, &in, NULL), WIRE_WELCOME);
    assert_int_equal(wire_u32(&in), WIRE_VERSION);
    assert_int_equal(wire_u32(&in), s->keeper);
    uint32_t starts = wire_u32(&in);
    assert_true(wire_reader_ok(&in));
    return starts;
}

static void up(struct stage *s)
{
    stage_up(s);
    stage_meet(s);
    assert_int_equal(hello(s), 1);
}

static void ready(struct stage *s)
{
    line_end(&s->line, line_begin(&s->line, WIRE_READY, 0));
    hello(s); /* it has been read by now */
}

/* The fields of a spawn, `sh -c script` unless argv is given. */
struct act {
    const char *label, *script, *argv0, *cwd;
    const char *file;
    uint64_t file_max;
    uint32_t fence, port;
    const char *const *rules; /* ended by NULL */
};

static enum wire_type spawn(struct stage *s, struct act a, struct wire_reader *in)
{
    size_t at = stage_begin(s, WIRE_SPAWN);
    struct buf *b = &s->line.out;
    wire_put_text(b, str_of(a.label));
    wire_put_text(b, str_of(a.file));
    wire_put_u64(b, a.file_max);
    wire_put_u32(b, a.argv0 ? 1 : 3);
    wire_put_text(b, a.argv0 ? str_of(a.argv0) : STR("/bin/sh"));
    if (!a.argv0) {
        wire_put_text(b, STR("-c"));
        wire_put_text(b, str_of(a.script));
    }
    wire_put_u32(b, 2);
    wire_put_text(b, STR("PATH=/usr/bin:/bin"));
    wire_put_text(b, STR("ONLY=this"));
    wire_put_text(b, str_of(a.cwd));
    wire_put_u32(b, a.fence);
    wire_put_u32(b, a.port);
    size_t n = 0;
    while (a.rules && a.rules[n])
        n++;
    wire_put_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        wire_put_text(b, str_of(a.rules[i]));
    return stage_ask(s, at, in, NULL);
}

static pid_t run(struct stage *s, const char *label, const char *script)
{
    struct wire_reader in;
    assert_int_equal(spawn(s, (struct act){ .label = label, .script = script }, &in), WIRE_SPAWNED);
    pid_t pid = (pid_t)wire_u32(&in);
    assert_true(wire_reader_ok(&in) && pid > 0);
    return pid;
}

/* What a living child has said; waits until `needle` is in it, NULL = as it is now. *tail is the copy, NUL-terminated. */
static void hear(struct stage *s, const char *label, const char *needle, char *tail, size_t room)
{
    int64_t until_ms = clock_mono_ms() + STAGE_WAIT_MS;
    for (;;) {
        struct wire_reader in;
        size_t at = stage_begin(s, WIRE_OBITUARY);
        wire_put_text(&s->line.out, str_of(label));
        assert_int_equal(stage_ask(s, at, &in, NULL), WIRE_TAIL);
        struct str text = wire_text(&in);
        assert_true(wire_reader_ok(&in) && text.n < room);
        memcpy(tail, text.n ? text.p : "", text.n);
        tail[text.n] = 0;
        if (!needle || strstr(tail, needle))
            return;
        if (!stage_left(until_ms))
            fail_msg("%s never says \"%s\", only \"%s\"", label, needle, tail);
        poll(NULL, 0, 2);
    }
}

static pid_t hear_pid(struct stage *s, const char *label)
{
    char tail[256];
    hear(s, label, "\n", tail, sizeof tail);
    return (pid_t)strtol(tail, NULL, 10);
}

struct death {
    char label[64];
    pid_t pid;
    int exit_code, signal;
    char last[WIRE_OBITUARY_BYTES + 1];
    size_t last_bytes;
};

static const struct death *death(struct stage *s)
{
    static struct death d;
    struct wire_reader in;
    assert_int_equal(stage_news(s, &in), WIRE_EXITED);
    struct str label = wire_text(&in);
    memset(&d, 0, sizeof d);
    assert_true(label.n < sizeof d.label);
    memcpy(d.label, label.p, label.n);
    d.pid = (pid_t)wire_u32(&in);
    d.exit_code = (int)wire_u32(&in);
    d.signal = (int)wire_u32(&in);
    struct str last = wire_text(&in);
    assert_true(wire_reader_ok(&in));
    memcpy(d.last, last.n ? last.p : "", last.n);
    d.last_bytes = last.n;
    return &d;
}

static enum wire_type kill_child(struct stage *s, const char *label, uint32_t term_ms, uint32_t again_ms)
{
    struct wire_reader in;
    size_t at = stage_begin(s, WIRE_KILL);
    wire_put_text(&s->line.out, str_of(label));
    wire_put_u32(&s->line.out, term_ms);
    wire_put_u32(&s->line.out, again_ms);
    return stage_ask(s, at, &in, NULL);
}

/* The labels of the living, space-separated, then "|", then the listeners. */
static void list(struct stage *s, char *out, size_t room)
{
    struct wire_reader in;
    assert_int_equal(stage_ask(s, stage_begin(s, WIRE_LIST), &in, NULL), WIRE_LISTED);
    size_t n = 0;
    for (uint32_t left = wire_u32(&in); left > 0; left--) {
        struct str label = wire_text(&in);
        uint32_t argc, pid = wire_u32(&in);
        assert_true(wire_u64(&in) > 0);
        wire_list(&in, &argc);
        assert_int_equal(argc, 3);
        assert_int_equal(kill((pid_t)pid, 0), 0);
        n += (size_t)snprintf(out + n, room - n, "%.*s ", STR_ARG(label));
    }
    n += (size_t)snprintf(out + n, room - n, "|");
    for (uint32_t left = wire_u32(&in); left > 0; left--) {
        struct str addr = wire_text(&in);
        n += (size_t)snprintf(out + n, room - n, " %.*s", STR_ARG(addr));
    }
    assert_true(wire_reader_ok(&in));
}

static enum wire_type listen_at(struct stage *s, const char *addr, struct wire_reader *in, int *fd)
{
    size_t at = stage_begin(s, WIRE_LISTEN);
    wire_put_text(&s->line.out, str_of(addr));
    wire_put_u32(&s->line.out, 16);
    return stage_ask(s, at, in, fd);
}

/* Listens; returns the descriptor, *bound as told. */
static int listen_well(struct stage *s, const char *addr, char bound[128])
{
    struct wire_reader in;
    int fd = -1;
    assert_int_equal(listen_at(s, addr, &in, &fd), WIRE_LISTENING);
    struct str told = wire_text(&in);
    snprintf(bound, 128, "%.*s", STR_ARG(told));
    assert_true(fd >= 0 && wire_reader_ok(&in));
    return fd;
}

static uint32_t failed_with(struct wire_reader *in)
{
    uint32_t sys = wire_u32(in);
    assert_true(wire_text(in).n > 0);
    assert_true(wire_reader_ok(in));
    return sys;
}

static bool same_socket(int a, int b)
{
    struct stat sa, sb;
    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino;
}

/* ---- the gateway ---- */

static void test_the_gateways_exit_code_is_the_keepers(void **state)
{
    struct stage s;
    up(&s);
    pid_t child = run(&s, "m", "exec sleep 1000");
    stage_deed(&s, 'x', 7);
    int status = stage_end(&s);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_true(stage_gone(child));
    stage_down(&s);
}

static void test_another_version_is_told_so(void **state)
{
    struct stage s;
    struct wire_reader in;
    up(&s);
    size_t at = stage_begin(&s, WIRE_HELLO);
    wire_put_u32(&s.line.out, WIRE_VERSION + 1);
    assert_int_equal(stage_ask(&s, at, &in, NULL), WIRE_FAILED);
    assert_int_equal(failed_with(&in), EPROTO);
    stage_down(&s);
}

static void test_a_crashed_gateway_comes_back_to_its_children_and_listeners(void **state)
{
    struct stage s;
    char names[256], wanted[256], bound[128], again[128];
    up(&s);
    ready(&s);
    int fd = listen_well(&s, "127.0.0.1:0", bound);
    pid_t child = run(&s, "m", "exec sleep 1000");
    for (uint32_t starts = 2; starts < 5; starts++) {
        stage_deed(&s, 's', 0);
        stage_meet(&s);
        assert_int_equal(hello(&s), starts);
        ready(&s);
        list(&s, names, sizeof names);
        snprintf(wanted, sizeof wanted, "m | %s", bound);
        assert_string_equal(names, wanted);
        assert_int_equal(kill(child, 0), 0);
        int fd2 = listen_well(&s, "127.0.0.1:0", again);
        assert_string_equal(bound, again);
        assert_true(same_socket(fd, fd2));
        close(fd2);
    }
    close(fd);
    stage_deed(&s, 'x', 0);
    assert_int_equal(stage_end(&s), 0);
    assert_true(stage_gone(child));
    stage_down(&s);
}

static void test_a_gateway_that_never_gets_ready_is_started_again_and_again(void **state)
{
    struct stage s;
    pid_t child = 0;
    stage_up(&s);
    for (int i = 0; i < 6; i++) {
        stage_meet(&s);
        assert_int_equal(hello(&s), i + 1);
        if (i == 0)
            child = run(&s, "m", "exec sleep 1000");
        stage_deed(&s, 's', 0);
    }
    stage_meet(&s);
    assert_int_equal(kill(child, 0), 0); /* the children do not suffer for it */
    stage_deed(&s, 'x', 0);
    assert_int_equal(stage_end(&s), 0);
    stage_down(&s);
}

static void test_one_that_cannot_begin_after_a_crash_is_tried_again(void **state)
{
    struct stage s;
    up(&s);
    ready(&s);
    pid_t child = run(&s, "m", "exec sleep 1000");
    stage_deed(&s, 's', 0);
    for (uint32_t starts = 2; starts < 4; starts++) {
        stage_meet(&s);
        assert_int_equal(hello(&s), starts);
        stage_deed(&s, 'x', 1);
    }
    stage_meet(&s);
    assert_int_equal(hello(&s), 4);
    assert_int_equal(kill(child, 0), 0);
    ready(&s);
    list(&s, (char[256]){ 0 }, 256); /* it was heard: ready has no answer */
    stage_deed(&s, 'x', 1);          /* its own will */
    int status = stage_end(&s);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    stage_down(&s);
}

static void test_a_missing_gateway_is_no_reason_to_try_again(void **state)
{
    struct stage s;
    stage_up_with(&s, "/no/such/gateway");
    int status = stage_end(&s);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    stage_down(&s);
}

static void put_raw(struct stage *s, const void *bytes, size_t n)
{
    assert_int_equal(wire_send(s->line.sock, str_make(bytes, n), -1), n);
}

static void nonsense(struct stage *s, int kind)
{
    static const unsigned char heads[][WIRE_HEAD_BYTES] = {
        { 1, 0, 0x10, 0, WIRE_HELLO, 0, 0, 0, 1 },   /* longer than any message */
        { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
        { 0, 0, 0, 0, 77, 0, 0, 0, 1 },              /* no such word */
        { 0, 0, 0, 0, WIRE_WELCOME, 0, 0, 0, 1 },    /* our word */
        { 0, 0, 0, 0, 0, 0, 0, 0, 1 },
        { 0, 0, 0, 0, WIRE_SPAWN, 0, 0, 0, 1 },      /* no fields */
        { 0, 0, 0, 0, WIRE_LIST, 0, 1, 0, 1 },       /* a descriptor is promised, none comes */
        { 1, 0, 0, 0, WIRE_LIST, 0, 0, 0, 1 },       /* one byte too many (below) */
    };
    if (kind < (int)COUNTOF(heads)) {
        unsigned char bytes[WIRE_HEAD_BYTES + 1] = "";
        memcpy(bytes, heads[kind], WIRE_HEAD_BYTES);
        put_raw(s, bytes, heads[kind][0] == 1 ? sizeof bytes : WIRE_HEAD_BYTES); /* in one go: the wire may be shut right after the head */
        return;
    }
    size_t at;
    switch (kind - (int)COUNTOF(heads)) {
    case 0: /* a descriptor nobody asked for */
        line_end_fd(&s->line, stage_begin(s, WIRE_LIST), STDIN_FILENO);
        break;
    case 1: /* a NUL inside a text */
        at = stage_begin(s, WIRE_LISTEN);
        wire_put_text(&s->line.out, STR("unix:/tmp/a\0b"));
        wire_put_u32(&s->line.out, 1);
        line_end(&s->line, at);
        break;
    default: /* plain noise */
        for (uint32_t i = 0, seed = (uint32_t)kind; i < 200; i++) {
            seed = seed * 1664525 + 1013904223;
            wire_put_u32(&s->line.out, seed);
        }
        break;
    }
    line_flush(&s->line);
}

static void test_a_gateway_that_speaks_nonsense_is_replaced(void **state)
{
    struct stage s;
    char names[64];
    up(&s);
    pid_t child = run(&s, "m", "exec sleep 1000");
    for (int kind = 0; kind < 14; kind++) {
        ready(&s); /* so that it does not count as an early death */
        nonsense(&s, kind);
        assert_true(stage_eof(&s));
        stage_meet(&s);
        assert_int_equal(hello(&s), kind + 2);
    }
    list(&s, names, sizeof names);
    assert_string_equal(names, "m |");
    assert_int_equal(kill(child, 0), 0);
    stage_down(&s);
    assert_true(stage_gone(child));
}

static void test_a_gateway_that_does_not_read_is_replaced(void **state)
{
    struct stage s;
    char tail[WIRE_OBITUARY_BYTES + 1];
    up(&s);
    ready(&s);
    run(&s, "m", "yes | head -c 65000; echo ready; exec sleep 1000");
    hear(&s, "m", "ready", tail, sizeof tail);
    for (int i = 0; i < 400; i++) { /* 26 MB of answers */
        size_t at = stage_begin(&s, WIRE_OBITUARY);
        wire_put_text(&s.line.out, STR("m"));
        line_end(&s.line, at);
    }
    line_flush(&s.line);
    stage_meet(&s);
    assert_int_equal(hello(&s), 2);
    stage_down(&s);
}

static void test_a_gateway_that_shuts_its_wire_and_stays_is_replaced(void **state)
{
    struct stage s;
    up(&s);
    ready(&s);
    stage_deed(&s, 'c', 0);
    line_close(&s.line); /* ours is the last copy of that end */
    stage_meet(&s);
    assert_int_equal(hello(&s), 2);
    stage_down(&s);
}

/* ---- listeners ---- */

static void test_the_same_address_gives_the_same_socket(void **state)
{
    struct stage s;
    char bound[128], again[128], other[128];
    up(&s);
    int a = listen_well(&s, "127.0.0.1:0", bound), b = listen_well(&s, bound, again), c = listen_well(&s, "[::1]:0", other);
    assert_string_equal(bound, again);
    assert_true(same_socket(a, b));
    assert_false(same_socket(a, c));
    assert_true(str_starts(str_of(bound), STR("127.0.0.1:")));
    assert_true(str_starts(str_of(other), STR("[::1]:")));
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atol(strrchr(bound, ':') + 1)) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int caller = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(caller, (struct sockaddr *)&to, sizeof to), 0);
    close(caller);
    close(a);
    close(b);
    close(c);
    stage_down(&s);
}

static void test_a_listener_that_cannot_be_made_is_told_with_its_reason(void **state)
{
    static const struct {
        const char *addr;
        int sys;
    } cases[] = {
        { "", EINVAL },           { "8080", EINVAL },          { "127.0.0.1", EINVAL },     { "127.0.0.1:65536", EINVAL },
        { "127.0.0.1:-1", EINVAL }, { "anvil:80", EINVAL },    { "[::1", EINVAL },          { "[]:1", EINVAL },
        { "::1:80", EINVAL },     { "unix:", EINVAL },         { "256.0.0.1:1", EINVAL },   { "192.0.2.1:80", EADDRNOTAVAIL },
        { "unix:/no/such/folder/x", ENOENT },
        { "unix:/tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012", EINVAL },
    };
    struct stage s;
    struct wire_reader in;
    char bound[128];
    up(&s);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(listen_at(&s, cases[i].addr, &in, NULL), WIRE_FAILED);
        uint32_t sys = failed_with(&in);
        if (sys != (uint32_t)cases[i].sys)
            fail_msg("%s: errno %u", cases[i].addr, sys);
    }
    int taken = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t n = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(taken, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(taken, 1), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &n), 0);
    snprintf(bound, sizeof bound, "localhost:%u", ntohs(at.sin_port));
    assert_int_equal(listen_at(&s, bound, &in, NULL), WIRE_FAILED);
    assert_int_equal(failed_with(&in), EADDRINUSE);
    close(taken);
    char free_now[128];
    close(listen_well(&s, bound, free_now));
    stage_down(&s);
}

static void test_a_path_is_ours_alone_and_dead_ones_are_cleared(void **state)
{
    struct stage s;
    struct wire_reader in;
    struct stat st;
    char addr[128], bound[128];
    up(&s);
    snprintf(addr, sizeof addr, "unix:%s/s", s.dir);
    const char *path = addr + 5;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    memcpy(at.sun_path, path, strlen(path));
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(listen_at(&s, addr, &in, NULL), WIRE_FAILED); /* somebody lives there */
    assert_int_equal(failed_with(&in), EADDRINUSE);
    close(other);
    int fd = listen_well(&s, addr, bound); /* now it is dead */
    assert_string_equal(addr, bound);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    close(fd);

    size_t begun = stage_begin(&s, WIRE_UNLISTEN);
    wire_put_text(&s.line.out, str_of(addr));
    assert_int_equal(stage_ask(&s, begun, &in, NULL), WIRE_DONE);
    assert_int_equal(lstat(path, &st), -1);
    begun = stage_begin(&s, WIRE_UNLISTEN);
    wire_put_text(&s.line.out, str_of(addr));
    assert_int_equal(stage_ask(&s, begun, &in, NULL), WIRE_FAILED);

    close(listen_well(&s, addr, bound));
    stage_deed(&s, 'x', 0);
    assert_int_equal(stage_end(&s), 0);
    assert_int_equal(lstat(path, &st), -1); /* the keeper leaves none behind */

    stage_down(&s);
}

static void test_a_file_in_the_place_of_a_socket_is_left_alone(void **state)
{
    struct stage s;
    struct wire_reader in;
    char addr[128];
    up(&s);
    snprintf(addr, sizeof addr, "unix:%s/t", s.dir);
    FILE *f = fopen(addr + 5, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(listen_at(&s, addr, &in, NULL), WIRE_FAILED);
    assert_int_equal(failed_with(&in), EEXIST);
    assert_int_equal(access(addr + 5, F_OK), 0);
    stage_down(&s);
}

/* ---- children ---- */

static void test_a_child_gets_what_it_was_given_and_nothing_else(void **state)
{
    struct stage s;
    struct wire_reader in;
    up(&s);
    struct act a = { .label = "m", .cwd = "/usr", .script =
        "echo \"[$ONLY][$HOME][$USER]\"; pwd; read x || echo nothing to read; echo to stderr >&2;"
        "for fd in 3 4 5 6 7 8 9; do (true >&$fd) 2>/dev/null && echo open: $fd; done; kill -TERM $$; echo masked" };
    assert_int_equal(spawn(&s, a, &in), WIRE_SPAWNED);
    pid_t pid = (pid_t)wire_u32(&in);
    const struct death *d = death(&s);
    assert_string_equal(d->label, "m");
    assert_int_equal(d->pid, pid);
    assert_int_equal(d->signal, SIGTERM);
    assert_string_equal(d->last, "[this][][]\n/usr\nnothing to read\nto stderr\n");
    stage_down(&s);
}

static void put_file(const char *dir, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = strchr(name, '.') ? fopen(path, "w") : NULL;
    if (f)
        fprintf(f, "%s\n", name);
    if (f)
        fclose(f);
    else
        assert_int_equal(mkdir(path, 0700), 0);
}

static void put_away(const char *dir, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(remove(path), 0);
}

static void test_a_fence_shuts_out_what_no_rule_names(void **state)
{
    struct stage s;
    struct wire_reader in;
    char rules[3][160];
    if (!fence_abi())
        skip();
    up(&s);
    static const char *const made[] = { "open", "open/a.txt", "open/in", "open/in/b.txt", "own", "one.txt", "other.txt" };
    for (size_t i = 0; i < COUNTOF(made); i++)
        put_file(s.dir, made[i]);
    snprintf(rules[0], sizeof rules[0], "r%s/open", s.dir);
    snprintf(rules[1], sizeof rules[1], "w%s/own", s.dir);
    snprintf(rules[2], sizeof rules[2], "r%s/one.txt", s.dir);
    const char *const all[] = { "x/usr", "x/bin", "x/lib", "x/lib64", "r/etc/ld.so.cache", "d/dev/null", "x/not/there", rules[0], rules[1], rules[2], NULL };
    struct act a = { .label = "m", .cwd = s.dir, .fence = WIRE_FENCE_FILES, .rules = all, .script =
        "cat open/in/b.txt one.txt; cat other.txt 2>/dev/null || echo not read; ls . 2>/dev/null || echo not listed;"
        "(echo x >open/c.txt) 2>/dev/null || echo not made; (echo x >>one.txt) 2>/dev/null || echo not written; rm open/a.txt 2>/dev/null || echo not removed;"
        "echo new >own/d.txt && mkdir own/e && mv own/d.txt own/e && cat own/e/d.txt && rm -r own/e && echo own;"
        "cp /bin/true own/true && own/true 2>/dev/null || echo not run; kill -0 $PPID 2>/dev/null || echo not killed; ulimit -c" };
    assert_int_equal(spawn(&s, a, &in), WIRE_SPAWNED);
    const struct death *d = death(&s);
    char expected[400];
    snprintf(expected, sizeof expected, "open/in/b.txt\none.txt\nnot read\nnot listed\nnot made\nnot written\nnot removed\nnew\nown\nnot run\n%s0\n",
        fence_abi() >= 6 ? "not killed\n" : "");
    assert_string_equal(d->last, expected);
    put_away(s.dir, "own/true");
    for (size_t i = COUNTOF(made); i > 0; i--)
        put_away(s.dir, made[i - 1]);
    stage_down(&s);
}

static void test_a_rule_that_is_none_starts_nothing(void **state)
{
    static const char *const bad[] = { "", "r", "rusr", "z/usr", "/usr" };
    struct stage s;
    struct wire_reader in;
    if (!fence_abi())
        skip();
    up(&s);
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        const char *const rules[] = { "x/usr", bad[i], NULL };
        assert_int_equal(spawn(&s, (struct act){ .label = "m", .script = "exit", .fence = WIRE_FENCE_FILES, .rules = rules }, &in), WIRE_FAILED);
        assert_int_equal(failed_with(&in), EINVAL);
    }
    stage_down(&s);
}

static void test_an_exit_code_comes_through_and_the_label_is_free_again(void **state)
{
    struct stage s;
    up(&s);
    for (int i = 0; i < 100; i++) {
        pid_t pid = run(&s, "m", "echo bye; exit 3");
        const struct death *d = death(&s);
        assert_int_equal(d->pid, pid);
        assert_int_equal(d->exit_code, 3);
        assert_int_equal(d->signal, 0);
        assert_string_equal(d->last, "bye\n");
    }
    stage_down(&s);
}

static void test_what_cannot_be_started_says_why(void **state)
{
    static const struct {
        struct act act;
        int sys;
    } cases[] = {
        { { .label = "m", .argv0 = "/no/such/engine" }, ENOENT },
        { { .label = "m", .argv0 = "/etc/passwd" }, EACCES },
        { { .label = "m", .argv0 = "" }, ENOENT },
        { { .label = "m", .script = "true", .cwd = "/no/such/folder" }, ENOENT },
        { { .label = "", .script = "true" }, 0 },
        { { .label = "taken", .script = "true" }, EEXIST },
    };
    struct stage s;
    struct wire_reader in;
    up(&s);
    run(&s, "taken", "exec sleep 1000");
    for (size_t i = 0; i < COUNTOF(cases); i++)
        for (int again = 0; again < 2; again++) { /* the label is free after a failure */
            assert_int_equal(spawn(&s, cases[i].act, &in), WIRE_FAILED);
            assert_int_equal(failed_with(&in), cases[i].sys);
        }
    static char huge[13 * 1024];
    memset(huge, 'x', sizeof huge - 1);
    assert_int_equal(spawn(&s, (struct act){ .label = "m", .argv0 = huge }, &in), WIRE_FAILED);
    assert_int_equal(failed_with(&in), E2BIG);
    stage_down(&s);
}

static void test_the_table_of_children_has_an_end(void **state)
{
    struct stage s;
    struct wire_reader in;
    char label[16];
    up(&s);
    for (int i = 0; i < 64; i++) {
        snprintf(label, sizeof label, "m%d", i);
        run(&s, label, "exec sleep 1000");
    }
    assert_int_equal(spawn(&s, (struct act){ .label = "one more", .script = "true" }, &in), WIRE_FAILED);
    assert_int_equal(failed_with(&in), EAGAIN);
    static char names[2048];
    list(&s, names, sizeof names);
    assert_true(str_starts(str_of(names), STR("m0 m1 ")));
    assert_int_equal(kill_child(&s, "m7", 0, 0), WIRE_DONE);
    assert_string_equal(death(&s)->label, "m7");
    run(&s, "one more", "exec sleep 1000");
    stage_deed(&s, 'x', 0);
    assert_int_equal(stage_end(&s), 0);
    stage_down(&s);
}

static void test_the_obituary_is_the_newest_of_what_was_said(void **state)
{
    struct stage s;
    up(&s);
    run(&s, "m", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    const struct death *d = death(&s);
    assert_int_equal(d->last_bytes, WIRE_OBITUARY_BYTES);
    static const char end[] = "\nline 19998\nline 19999\n";
    assert_string_equal(d->last + d->last_bytes - strlen(end), end);
    stage_down(&s);
}

static void test_the_file_holds_what_was_said_and_is_turned_over_at_its_cap(void **state)
{
    struct stage s;
    struct wire_reader in;
    struct stat st;
    char path[128], old[140], text[64] = "";
    up(&s);
    snprintf(path, sizeof path, "%s/words", s.dir);
    snprintf(old, sizeof old, "%s.1", path);
    for (int i = 0; i < 2; i++) { /* appended to */
        assert_int_equal(spawn(&s, (struct act){ .label = "m", .script = "echo one", .file = path, .file_max = 100 * 1000 }, &in), WIRE_SPAWNED);
        death(&s);
    }
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof text - 1, f), 8);
    fclose(f);
    assert_string_equal(text, "one\none\n");
    struct act chatty = { .label = "m", .script = "yes 0123456 | head -c 1000000", .file = path, .file_max = 100 * 1000 };
    assert_int_equal(spawn(&s, chatty, &in), WIRE_SPAWNED);
    assert_int_equal(death(&s)->exit_code, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 0 && st.st_size <= 100 * 1000);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(old, &st), 0);
    assert_true(st.st_size > 80 * 1000 && st.st_size <= 100 * 1000);
    chatty.file = "/no/such/folder/words"; /* costs the file, not the child */
    assert_int_equal(spawn(&s, chatty, &in), WIRE_SPAWNED);
    assert_int_equal(death(&s)->exit_code, 0);
    stage_down(&s);
}

/* ---- stopping ---- */

static void test_a_polite_child_goes_at_the_first_word(void **state)
{
    struct stage s;
    up(&s);
    run(&s, "m", "exec sleep 1000");
    assert_int_equal(kill_child(&s, "m", 60000, 60000), WIRE_DONE);
    assert_int_equal(death(&s)->signal, SIGTERM);
    assert_int_equal(kill_child(&s, "m", 0, 0), WIRE_FAILED);
    stage_down(&s);
}

static void test_a_stopped_child_hears_term_too(void **state)
{
    struct stage s;
    up(&s);
    pid_t pid = run(&s, "m", "exec sleep 1000");
    kill(pid, SIGSTOP);
    assert_int_equal(kill_child(&s, "m", 60000, 60000), WIRE_DONE);
    assert_int_equal(death(&s)->signal, SIGTERM);
    stage_down(&s);
}

static void test_a_deaf_child_is_told_twice_then_killed(void **state)
{
    struct stage s;
    char tail[256];
    up(&s);
    run(&s, "m", "trap 'echo told' TERM; echo ready; while :; do read x <&1 || sleep 0.01; done");
    hear(&s, "m", "ready", tail, sizeof tail);
    int64_t at_ms = clock_mono_ms();
    assert_int_equal(kill_child(&s, "m", 150, 250), WIRE_DONE);
    const struct death *d = death(&s);
    int64_t took_ms = clock_mono_ms() - at_ms;
    assert_int_equal(d->signal, SIGKILL);
    int told = 0; /* the shell may remark on its sleep in between */
    for (const char *at = d->last; (at = strstr(at, "told\n")); at++)
        told++;
    assert_int_equal(told, 2);
    assert_true(took_ms >= 400);
    stage_down(&s);
}

static void test_a_second_kill_only_ever_shortens(void **state)
{
    struct stage s;
    char tail[256];
    up(&s);
    run(&s, "m", "trap '' TERM; echo ready; exec sleep 1000");
    hear(&s, "m", "ready", tail, sizeof tail);
    assert_int_equal(kill_child(&s, "m", 60000, 60000), WIRE_DONE);
    assert_int_equal(kill_child(&s, "m", 90000, 90000), WIRE_DONE);
    assert_int_equal(kill_child(&s, "m", 10, 10), WIRE_DONE);
    assert_int_equal(death(&s)->signal, SIGKILL);
    run(&s, "m", "trap '' TERM; echo ready; exec sleep 1000");
    hear(&s, "m", "ready", tail, sizeof tail);
    assert_int_equal(kill_child(&s, "m", 60000, 60000), WIRE_DONE);
    assert_int_equal(kill_child(&s, "m", 0, 0), WIRE_DONE);
    assert_int_equal(death(&s)->signal, SIGKILL);
    stage_down(&s);
}

static void test_a_childs_group_goes_with_it(void **state)
{
    struct stage s;
    up(&s);
    run(&s, "killed", "trap '' TERM; sleep 1000 & echo $!; wait; wait; exec sleep 1000");
    pid_t grandchild = hear_pid(&s, "killed");
    assert_int_equal(kill_child(&s, "killed", 10, 10), WIRE_DONE);
    death(&s);
    assert_true(stage_gone(grandchild));

    run(&s, "ended", "sleep 1000 & echo $!; exec sleep 1000"); /* the grandchild holds the pipe open, too */
    grandchild = hear_pid(&s, "ended");
    assert_int_equal(kill_child(&s, "ended", 60000, 60000), WIRE_DONE);
    death(&s);
    assert_true(stage_gone(grandchild));
    stage_down(&s);
}

#ifdef __linux__ /* the keeper adopts orphans only there */
static void test_what_called_setsid_goes_when_its_parent_dies(void **state)
{
    struct stage s;
    up(&s);
    run(&s, "other", "exec sleep 1000");
    run(&s, "m", "setsid sh -c 'echo $$; exec sleep 1000' & wait");
    pid_t fled = hear_pid(&s, "m");
    assert_int_equal(kill_child(&s, "m", 0, 0), WIRE_DONE);
    death(&s);
    assert_true(stage_gone(fled));
    char names[64];
    list(&s, names, sizeof names);
    assert_string_equal(names, "other |");
    stage_down(&s);
}

static void test_a_killed_keeper_leaves_nothing(void **state)
{
    struct stage s;
    char tail[64];
    up(&s);
    pid_t child = run(&s, "m", "exec sleep 1000"), deaf = run(&s, "deaf", "trap '' TERM HUP INT; echo ready; exec sleep 1000");
    hear(&s, "deaf", "ready", tail, sizeof tail);
    kill(s.keeper, SIGKILL);
    int64_t at_ms = clock_mono_ms();
    assert_true(stage_gone(child));
    assert_true(stage_gone(deaf));
    char byte;
    while (read(s.puppet, &byte, 1) > 0) /* the gateway's end of its socket to us closes when it dies */
        continue;
    assert_true(clock_mono_ms() - at_ms < 2000);
    stage_down(&s);
}
#endif

static void test_term_asks_for_a_drain_and_a_second_one_ends_it(void **state)
{
    struct stage s;
    struct wire_reader in;
    up(&s);
    pid_t child = run(&s, "m", "exec sleep 1000");
    kill(s.keeper, SIGTERM);
    assert_int_equal(stage_news(&s, &in), WIRE_STOP);
    assert_int_equal(wire_u32(&in), 0);
    run(&s, "while draining", "exec sleep 1000"); /* who waits for a load still gets it */
    kill(s.keeper, SIGINT);
    bool told = false;
    for (int i = 0; i < 3; i++) { /* the children's deaths may come first */
        enum wire_type type = stage_news(&s, &in);
        if (type == WIRE_STOP) {
            assert_int_equal(wire_u32(&in), 1);
            told = true;
        }
    }
    assert_true(told);
    int status = stage_end(&s); /* the stand-in does not go by itself: it is killed */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(stage_gone(child));
    stage_down(&s);
}

static void test_a_drained_gateway_ends_it_well(void **state)
{
    struct stage s;
    struct wire_reader in;
    up(&s);
    pid_t child = run(&s, "m", "trap '' TERM; exec sleep 1000");
    kill(s.keeper, SIGTERM);
    assert_int_equal(stage_news(&s, &in), WIRE_STOP);
    stage_deed(&s, 'x', 0);
    assert_int_equal(stage_end(&s), 0);
    assert_true(stage_gone(child));
    stage_down(&s);
}

static void test_a_gateway_that_does_not_drain_is_not_waited_for_forever(void **state)
{
    struct stage s;
    up(&s);
    pid_t child = run(&s, "m", "exec sleep 1000");
    kill(s.keeper, SIGTERM);
    int status = stage_end(&s);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(stage_gone(child));
    stage_down(&s);
}

static void test_a_gateway_that_crashes_while_stopping_stays_away(void **state)
{
    struct stage s;
    struct wire_reader in;
    up(&s);
    ready(&s);
    kill(s.keeper, SIGTERM);
    assert_int_equal(stage_news(&s, &in), WIRE_STOP);
    stage_deed(&s, 's', 0);
    int status = stage_end(&s);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_false(stage_is_met_within(&s, 0));
    stage_down(&s);
}

static void test_hup_is_a_reload(void **state)
{
    struct stage s;
    struct wire_reader in;
    up(&s);
    kill(s.keeper, SIGHUP);
    assert_int_equal(stage_news(&s, &in), WIRE_RELOAD);
    assert_true(wire_reader_ok(&in));
    stage_down(&s);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    stage_programs(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_gateways_exit_code_is_the_keepers),
        cmocka_unit_test(test_another_version_is_told_so),
        cmocka_unit_test(test_a_crashed_gateway_comes_back_to_its_children_and_listeners),
        cmocka_unit_test(test_a_gateway_that_never_gets_ready_is_started_again_and_again),
        cmocka_unit_test(test_one_that_cannot_begin_after_a_crash_is_tried_again),
        cmocka_unit_test(test_a_missing_gateway_is_no_reason_to_try_again),
        cmocka_unit_test(test_a_gateway_that_speaks_nonsense_is_replaced),
        cmocka_unit_test(test_a_gateway_that_does_not_read_is_replaced),
        cmocka_unit_test(test_a_gateway_that_shuts_its_wire_and_stays_is_replaced),
        cmocka_unit_test(test_the_same_address_gives_the_same_socket),
        cmocka_unit_test(test_a_listener_that_cannot_be_made_is_told_with_its_reason),
        cmocka_unit_test(test_a_path_is_ours_alone_and_dead_ones_are_cleared),
        cmocka_unit_test(test_a_file_in_the_place_of_a_socket_is_left_alone),
        cmocka_unit_test(test_a_child_gets_what_it_was_given_and_nothing_else),
        cmocka_unit_test(test_a_fence_shuts_out_what_no_rule_names),
        cmocka_unit_test(test_a_rule_that_is_none_starts_nothing),
        cmocka_unit_test(test_an_exit_code_comes_through_and_the_label_is_free_again),
        cmocka_unit_test(test_what_cannot_be_started_says_why),
        cmocka_unit_test(test_the_table_of_children_has_an_end),
        cmocka_unit_test(test_the_obituary_is_the_newest_of_what_was_said),
        cmocka_unit_test(test_the_file_holds_what_was_said_and_is_turned_over_at_its_cap),
        cmocka_unit_test(test_a_polite_child_goes_at_the_first_word),
        cmocka_unit_test(test_a_stopped_child_hears_term_too),
        cmocka_unit_test(test_a_deaf_child_is_told_twice_then_killed),
        cmocka_unit_test(test_a_second_kill_only_ever_shortens),
        cmocka_unit_test(test_a_childs_group_goes_with_it),
#ifdef __linux__
        cmocka_unit_test(test_what_called_setsid_goes_when_its_parent_dies),
        cmocka_unit_test(test_a_killed_keeper_leaves_nothing),
#endif
        cmocka_unit_test(test_term_asks_for_a_drain_and_a_second_one_ends_it),
        cmocka_unit_test(test_a_drained_gateway_ends_it_well),
        cmocka_unit_test(test_a_gateway_that_does_not_drain_is_not_waited_for_forever),
        cmocka_unit_test(test_a_gateway_that_crashes_while_stopping_stays_away),
        cmocka_unit_test(test_hup_is_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
