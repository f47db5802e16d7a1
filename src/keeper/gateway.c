/* The gateways as their parent sees them. One counts: an exit is its own will and ends us all; a signal is a crash, and it is started again: at once, except
 * when it dies before it was ever ready: then it waits longer each time. Once one has been ready, one that exits in error before it is, is a crash too.
 * A gateway that speaks nonsense, or does not read what it is told, is killed, which makes it a crash like others.
 *
 * At most one more lives beside it, the other: first an heir that is to take its place (an upgrade), then, once that has taken it, the elder, which ends
 * what it had begun. Neither's end is the end of all.
 *
 *      main ── WIRE_UPGRADE ──> main + heir ── WIRE_TAKE ──> elder + main, not ready ── WIRE_READY ──> elder + main ── elder ends ──> main
 *        ^                        │ heir ends                  │ main ends                               (main crashes: one more comes, with a
 *        └────────────────────────┴────────────────────────────┘                                          socket to the elder) */
#include "keeper/gateway.h"

#include "base/log.h"
#include "keeper/bounds.h"
#include "keeper/children.h"
#include "keeper/line.h"
#include "keeper/listeners.h"
#include "keeper/os.h"
#include "keeper/requests.h"
#include "keeper/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ONE, ANOTHER, SLOTS };

struct gateway {
    pid_t pid;                      /* 0: there is none */
    struct line line;
    uint32_t serial;                /* of its start, from 1 on */
    bool ready;
    bool cut;                       /* it was we who killed it */
    int64_t started_ms, kill_at_ms; /* 0: not due */
};

/* Its file is held: what is put in its place meanwhile, or that it is gone, changes nothing. An upgrade is asked for, and does not come with a crash. */
struct program {
    char *const *argv;              /* NULL: there is none */
    char **kept;                    /* whose memory that is; NULL: main()'s */
    int fd;
};

static struct {
    struct program program;         /* what is started again */
    struct program heirs;           /* what an upgrade has brought, until it is ready: then it is the one above */
    struct gateway slot[SLOTS];
    int main;                       /* which slot is the one that counts */
    enum { NOBODY, HEIR, ELDER } other;
    struct gateway *speaker;        /* whom answers go to; NULL: nobody */
    uint32_t starts;
    bool served;                    /* one of them was ready once */
    bool killed;                    /* the last one that counted was, from outside */
    int64_t start_at_ms, backoff_ms;
} g = { .program = { .fd = -1 }, .heirs = { .fd = -1 }, .slot = { { .line = { .sock = -1 } }, { .line = { .sock = -1 } } } };

static struct gateway *counts(void)
{
    return &g.slot[g.main];
}

static struct gateway *other(void)
{
    return &g.slot[!g.main];
}

static struct program program_of(char *const *argv, char **kept)
{
    return (struct program){ .argv = argv, .kept = kept, .fd = os_hold(argv[0]) };
}

static void forget(struct program *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free(p->kept); /* its texts lie in the same piece of memory */
    *p = (struct program){ .fd = -1 };
}

void gateway_init(char *const *argv)
{
    g.program = program_of(argv, NULL);
    g.start_at_ms = 1; /* at once: monotonic time is past that */
}

pid_t gateway_pid(void)
{
    return counts()->pid;
}

bool gateway_is_one(pid_t pid)
{
    return pid > 0 && (pid == counts()->pid || pid == other()->pid);
}

bool gateway_any(void)
{
    return counts()->pid || other()->pid;
}

bool gateway_speaker_counts(void)
{
    return g.speaker == counts();
}

uint32_t gateway_speaker(void)
{
    return g.speaker ? g.speaker->serial : 0;
}

void gateway_answer(uint32_t speaker)
{
    g.speaker = NULL;
    for (int i = 0; i < SLOTS; i++)
        if (g.slot[i].pid && g.slot[i].serial == speaker)
            g.speaker = &g.slot[i];
}

/* An upgrade is through: what crashes from now on comes back as the new program. */
static void take_program_over(void)
{
    if (!g.heirs.argv)
        return;
    forget(&g.program);
    g.program = g.heirs;
    g.heirs = (struct program){ .fd = -1 };
}

void gateway_is_ready(void)
{
    if (g.speaker != counts())
        return;
    g.speaker->ready = g.served = true;
    g.backoff_ms = 0;
    if (g.other != HEIR) /* else it is the one before it that has become ready only now */
        take_program_over();
}

/* ---- its words ---- */

static void say_plain(struct gateway *to, enum wire_type type, uint32_t id)
{
    if (to)
        line_end(&to->line, line_begin(&to->line, type, id));
}

static void say_u32(struct gateway *to, enum wire_type type, uint32_t id, uint32_t v)
{
    if (!to)
        return;
    size_t at = line_begin(&to->line, type, id);
    wire_put_u32(&to->line.out, v);
    line_end(&to->line, at);
}

/* Who is asking. Only for answers inside of a request: then there is somebody. */
static struct line *asker(void)
{
    return &g.speaker->line;
}

void gateway_tell_welcome(uint32_t id)
{
    size_t at = line_begin(asker(), WIRE_WELCOME, id);
    wire_put_u32(&asker()->out, WIRE_VERSION);
    wire_put_u32(&asker()->out, (uint32_t)getpid());
    wire_put_u32(&asker()->out, g.speaker->serial);
    line_end(asker(), at);
}

void gateway_tell_listening(uint32_t id, struct str bound, int fd)
{
    size_t at = line_begin(asker(), WIRE_LISTENING, id);
    wire_put_text(&asker()->out, bound);
    line_end_fd(asker(), at, fd);
}

void gateway_tell_spawned(uint32_t id, pid_t pid)
{
    say_u32(g.speaker, WIRE_SPAWNED, id, (uint32_t)pid);
}

void gateway_tell_done(uint32_t id)
{
    say_plain(g.speaker, WIRE_DONE, id);
}

void gateway_tell_failed(uint32_t id, int sys, const char *sentence)
{
    if (!g.speaker)
        return;
    size_t at = line_begin(asker(), WIRE_FAILED, id);
    wire_put_u32(&asker()->out, (uint32_t)sys);
    wire_put_text(&asker()->out, str_of(sentence));
    line_end(asker(), at);
}

void gateway_tell_listed(uint32_t id)
{
    size_t at = line_begin(asker(), WIRE_LISTED, id);
    children_put(&asker()->out);
    listeners_put(&asker()->out);
    line_end(asker(), at);
}

bool gateway_tell_tail(uint32_t id, struct str label)
{
    size_t at = line_begin(asker(), WIRE_TAIL, id);
    if (!children_tail(label, &asker()->out)) {
        asker()->out.n = at; /* unsaid */
        return false;
    }
    line_end(asker(), at);
    return true;
}

static void tell_heir(struct gateway *to, uint32_t id, int fd)
{
    size_t at = line_begin(&to->line, WIRE_HEIR, id);
    wire_put_u32(&to->line.out, (uint32_t)(id ? other() : counts())->pid);
    line_end_fd(&to->line, at, fd);
}

static void tell_heir_gone(struct gateway *to, int status)
{
    size_t at = line_begin(&to->line, WIRE_HEIR_GONE, 0);
    wire_put_u32(&to->line.out, WIFSIGNALED(status) ? 0 : (uint32_t)WEXITSTATUS(status));
    wire_put_u32(&to->line.out, WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0);
    line_end(&to->line, at);
}

/* Both hear of it: which of them has the child's requests is theirs to know, and one may yet get the other's place back. */
void gateway_tell_exited(struct str label, pid_t pid, int exit_code, int sig, const struct tail *words)
{
    bool heard = false;
    for (int i = 0; i < SLOTS; i++) {
        struct line *l = &g.slot[i].line;
        if (l->sock < 0)
            continue;
        size_t at = line_begin(l, WIRE_EXITED, 0);
        wire_put_text(&l->out, label);
        wire_put_u32(&l->out, (uint32_t)pid);
        wire_put_u32(&l->out, (uint32_t)exit_code);
        wire_put_u32(&l->out, (uint32_t)sig);
        tail_put(words, &l->out, WIRE_OBITUARY_BYTES);
        line_end(l, at);
        heard = true;
    }
    if (!heard && (gateway_any() || g.start_at_ms)) /* else all is being ended, and nobody wonders */
        log_info("child %.*s (%d) ended while no gateway listened: exit %d, signal %d", STR_ARG(label), (int)pid, exit_code, sig);
}

void gateway_tell_stop(bool hard)
{
    for (int i = 0; i < SLOTS; i++)
        say_u32(&g.slot[i], WIRE_STOP, 0, hard);
}

void gateway_tell_reload(void)
{
    say_plain(counts(), WIRE_RELOAD, 0);
}

/* ---- its process ---- */

struct birth {
    const struct program *program;
    const char *heir;       /* what WIRE_HEIR_NAME is to say; NULL: it is alone */
    bool after_kill;        /* … and WIRE_KILLED_NAME */
};

/* Where no number of ours lies in the way. Of -1: -1. */
static int lift(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, WIRE_HEIR_FD + 1);
}

static _Noreturn void become(const struct birth *b, int sock, int to_other)
{
    int wire = lift(sock), heir = b->heir ? lift(to_other) : -1, file = lift(b->program->fd), from = b->heir ? WIRE_HEIR_FD + 1 : WIRE_KEPT_FD + 1;
    unsetenv(WIRE_HEIR_NAME);
    unsetenv(WIRE_KILLED_NAME);
    if (wire < 0 || dup2(wire, WIRE_FD) < 0)
        _exit(1);
    if (b->heir && (heir < 0 || dup2(heir, WIRE_HEIR_FD) < 0 || setenv(WIRE_HEIR_NAME, b->heir, 1)))
        _exit(1);
    if (b->after_kill && setenv(WIRE_KILLED_NAME, "1", 1))
        _exit(1);
    if (file >= 0 && (file = dup2(file, from)) == from && fcntl(from, F_SETFD, FD_CLOEXEC) == 0)
        from++;
    os_close_from(from); /* the one that is kept is closed by itself, unless it was given to us */
    os_exec(file, b->program->argv);
    log_error("cannot run %s: %s", b->program->argv[0], strerror(errno));
    _exit(1); /* the end of all, when it never ran; else it is tried again, later each time */
}

static bool begin(struct gateway *w, const struct birth *b, int to_other, int64_t now_ms)
{
    int pair[2] = { -1, -1 };
    pid_t keeper = getpid(), pid = -1;
    bool made = socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
    if (made)
        pid = spawn_fork_quietly();
    if (pid == 0) {
        spawn_fresh(keeper);
        become(b, pair[1], to_other);
    }
    if (made)
        close(pair[1]);
    if (pid < 0) {
        log_error("cannot start the gateway: %s", strerror(errno));
        if (made)
            close(pair[0]);
        return false;
    }
    *w = (struct gateway){ .pid = pid, .serial = ++g.starts, .started_ms = now_ms };
    line_open(&w->line, pair[0], OUT_MAX_BYTES);
    return true;
}

/* The one that counts. While its elder lives they get a socket between them, so that the elder can hand over what it had meant for the dead one. */
static void start(int64_t now_ms)
{
    int pair[2] = { -1, -1 };
    bool linked = g.other == ELDER && other()->line.sock >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
    struct birth b = { .program = &g.program, .heir = linked ? "again" : NULL, .after_kill = g.killed };
    bool begun = begin(counts(), &b, pair[1], now_ms);
    if (begun && linked)
        tell_heir(other(), 0, pair[0]);
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
    g.start_at_ms = begun ? 0 : now_ms + BACKOFF_MAX_MS / 10;
}

/* One piece of memory: the pointers, then the texts. NULL: none, or no words in it. */
static char **vector(struct str list)
{
    struct wire_reader r = wire_reader(list);
    uint32_t n = wire_u32(&r);
    char **v = n ? malloc((n + 1) * sizeof *v + list.n + n) : NULL;
    char *at = v ? (char *)(v + n + 1) : NULL;
    for (uint32_t i = 0; v && i < n; i++) {
        struct str s = wire_text(&r);
        v[i] = at;
        memcpy(at, s.n ? s.p : "", s.n);
        at += s.n;
        *at++ = 0;
    }
    if (v)
        v[n] = NULL;
    return v;
}

void gateway_upgrade(uint32_t id, struct str argv, int64_t now_ms)
{
    int pair[2];
    if (g.other != NOBODY) {
        gateway_tell_failed(id, EBUSY, "there are two gateways already");
        return;
    }
    char **v = vector(argv);
    if (!v || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
        gateway_tell_failed(id, v ? errno : EINVAL, "cannot start another gateway");
        free(v);
        return;
    }
    forget(&g.heirs);
    g.heirs = program_of(v, v);
    struct birth b = { .program = &g.heirs, .heir = "heir" };
    if (begin(other(), &b, pair[1], now_ms)) {
        g.other = HEIR;
        tell_heir(g.speaker, id, pair[0]);
    } else {
        forget(&g.heirs);
        gateway_tell_failed(id, EAGAIN, "cannot start another gateway");
    }
    close(pair[0]);
    close(pair[1]);
}

static bool is_on_trial(void)
{
    return g.other == ELDER && g.heirs.argv && counts()->pid && !counts()->ready;
}

void gateway_drop_heir(void)
{
    if (g.other == HEIR)
        kill(-other()->pid, SIGKILL);
}

void gateway_drop_other(void)
{
    if (g.other == HEIR || (g.other == ELDER && g.speaker == counts()))
        kill(-other()->pid, SIGKILL);
    else if (is_on_trial())
        kill(-counts()->pid, SIGKILL);
}

bool gateway_take(void)
{
    if (g.other != HEIR || g.speaker != other() || !counts()->pid) /* whose heir it was is dead: so is it, just now */
        return false;
    g.main = !g.main;
    g.other = ELDER;
    return true;
}

static void go_mad(struct gateway *w, const char *why)
{
    log_warn("the gateway %s: killed", why);
    w->cut = true;
    kill(-w->pid, SIGKILL); /* first: one that sees its wire shut may exit before this comes, which would look like its own will */
    line_close(&w->line);
}

static void kill_by(struct gateway *w, int64_t at_ms)
{
    if (w->pid && (!w->kill_at_ms || at_ms < w->kill_at_ms))
        w->kill_at_ms = at_ms;
}

void gateway_kill_by(int64_t at_ms)
{
    for (int i = 0; i < SLOTS; i++)
        kill_by(&g.slot[i], at_ms);
}

void gateway_kill_all(void)
{
    for (int i = 0; i < SLOTS; i++)
        if (g.slot[i].pid)
            kill(-g.slot[i].pid, SIGKILL);
}

/* Not while the dead one's heir dies: it may have got the lock, and the store. */
static int64_t start_due_ms(void)
{
    return counts()->pid || g.other == HEIR ? 0 : g.start_at_ms;
}

int64_t gateway_due_ms(void)
{
    int64_t dues[] = { counts()->pid ? counts()->kill_at_ms : start_due_ms(), other()->pid ? other()->kill_at_ms : 0 };
    return !dues[0] || (dues[1] && dues[1] < dues[0]) ? dues[1] : dues[0];
}

void gateway_step(int64_t now_ms)
{
    if (start_due_ms() && now_ms >= start_due_ms())
        start(now_ms);
    for (int i = 0; i < SLOTS; i++) {
        struct gateway *w = &g.slot[i];
        if (!w->pid || !w->kill_at_ms || now_ms < w->kill_at_ms)
            continue;
        log_warn("the gateway did not end in time: killed");
        w->cut = true;
        w->kill_at_ms = 0;
        kill(-w->pid, SIGKILL);
    }
}

static void start_again(const struct gateway *dead, int64_t now_ms)
{
    if (dead->ready) {
        g.start_at_ms = now_ms - dead->started_ms < CRASH_LOOP_MS ? now_ms + CRASH_PAUSE_MS : now_ms;
        return;
    }
    g.start_at_ms = now_ms + g.backoff_ms;
    g.backoff_ms = g.backoff_ms ? 2 * g.backoff_ms : BACKOFF_FIRST_MS;
    if (g.backoff_ms > BACKOFF_MAX_MS)
        g.backoff_ms = BACKOFF_MAX_MS;
}

void gateway_start_again(int64_t now_ms)
{
    start_again(counts(), now_ms);
}

void gateway_never_again(void)
{
    g.start_at_ms = 0;
}

/* ---- its wire ---- */

size_t gateway_poll(struct pollfd out[GATEWAY_POLLS])
{
    for (int i = 0; i < SLOTS; i++) {
        const struct line *l = &g.slot[i].line;
        out[i] = (struct pollfd){ .fd = l->sock, .events = (short)(POLLIN | (line_waits(l) ? POLLOUT : 0)) };
    }
    return SLOTS;
}

/* False: nonsense came. */
static bool hear(struct gateway *w, int64_t now_ms)
{
    struct wire_head head;
    struct str body;
    int fd;
    while (line_next(&w->line, &head, &body, &fd)) {
        g.speaker = w;
        if (fd >= 0)
            close(fd); /* nobody asked for one */
        if (fd >= 0 || !request_handle(&head, body, now_ms))
            return false;
    }
    return !w->line.broken;
}

static void polled(struct gateway *w, short revents, int64_t now_ms)
{
    if (w->line.sock < 0 || !(revents & (POLLIN | POLLHUP | POLLERR)))
        return;
    enum line_state state = line_read(&w->line);
    if (!hear(w, now_ms) || state == LINE_BROKEN) {
        go_mad(w, w->line.out.n > OUT_MAX_BYTES ? "does not read what it is told" : "speaks nonsense");
    } else if (state == LINE_EOF) {
        line_close(&w->line);
        kill_by(w, now_ms + CLOSED_PATIENCE_MS); /* on its way out; when not, it is of no more use */
    }
}

void gateway_polled(const struct pollfd in[GATEWAY_POLLS], int64_t now_ms)
{
    for (int i = 0; i < SLOTS; i++)
        if (g.slot[i].line.sock == in[i].fd)
            polled(&g.slot[i], in[i].revents, now_ms);
}

void gateway_flush(void)
{
    for (int i = 0; i < SLOTS; i++) {
        struct line *l = &g.slot[i].line;
        if (l->sock >= 0 && line_waits(l) && line_flush(l) == LINE_BROKEN)
            go_mad(&g.slot[i], "does not read what it is told");
    }
}

/* ---- its end ---- */

/* The one that had taken over died before it was ready: who was there before it goes on. */
static void give_back(int status)
{
    log_error("the new gateway %s before it was ready: the old one goes on", WIFSIGNALED(status) ? "died" : "ended");
    g.main = !g.main;
    g.other = NOBODY;
    forget(&g.heirs);
    tell_heir_gone(counts(), status);
}

static enum gateway_end end_of_other(int status)
{
    bool was_heir = g.other == HEIR;
    g.other = NOBODY;
    if (was_heir)
        forget(&g.heirs);
    if (was_heir && counts()->pid)
        tell_heir_gone(counts(), status);
    return GATEWAY_END_NONE;
}

static enum gateway_end end_of_main(const struct gateway *dead, int status)
{
    if (g.other == HEIR)
        kill(-other()->pid, SIGKILL); /* whose place it was to take is gone, and with it what it was to be given */
    if (g.other == ELDER && !dead->ready && g.heirs.argv && other()->line.sock >= 0) { /* the elder may count again */
        give_back(status);
        return GATEWAY_END_NONE;
    }
    forget(&g.heirs); /* of an upgrade that was not through: what comes back is the program before it */
    g.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !dead->cut;
    /* One that comes after a crash and cannot even begin (no memory, no descriptor, a lock that is not free yet) has no will of its own: what it was
     * started for is served, and its models are loaded. */
    bool lame = g.served && !dead->ready && WIFEXITED(status) && WEXITSTATUS(status) != 0;
    return WIFSIGNALED(status) || lame ? GATEWAY_END_CRASH : GATEWAY_END_EXIT;
}

enum gateway_end gateway_reaped(pid_t pid, int status, int64_t now_ms)
{
    struct gateway *w = pid == g.slot[ONE].pid ? &g.slot[ONE] : &g.slot[ANOTHER];
    for (int i = 0; i < 64 && w->line.sock >= 0; i++) { /* its last words: it may have become ready just before */
        enum line_state state = line_read(&w->line);
        if (!hear(w, now_ms) || state != LINE_OPEN)
            break;
    }
    line_close(&w->line);
    w->pid = 0;
    w->kill_at_ms = 0;
    g.speaker = NULL;
    return w == counts() ? end_of_main(w, status) : end_of_other(status);
}
