/* The children. A slot is taken from spawn to reaping; it is starting until its report pipe ends, and being stopped by steps:
 * TERM, TERM again (llama-server may hang on the first), KILL, always to the whole group. The dead are reaped only after their group was
 * killed, while the zombie still holds its number: it cannot be somebody else's by then. */
#include "keeper/children.h"

#include "base/clock.h"
#include "base/log.h"
#include "keeper/bounds.h"
#include "keeper/gateway.h"
#include "keeper/os.h"
#include "keeper/spawn.h"
#include "keeper/tail.h"
#include "keeper/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum stopping { STOP_NOT, STOP_ASKED, STOP_ASKED_TWICE, STOP_KILLED };

struct child {
    pid_t pid;                  /* 0: the slot is free */
    char label[LABEL_MAX + 1];
    int64_t started_wall_ms;
    char *argv;                 /* list as on the wire, for LIST */
    size_t argv_bytes;
    uint32_t spawn_id, asker;   /* what SPAWNED or FAILED answers, and whom (gateway_speaker()) */
    int report_fd;              /* -1: exec is through, or has failed */
    struct spawn_report failed; /* sys 0: it has not */
    struct tail words;
    enum stopping stopping;
    int64_t step_at_ms;
    uint32_t again_ms;
};

static struct child table[CHILD_MAX];

static struct child *by_label(struct str label)
{
    for (size_t i = 0; i < CHILD_MAX; i++)
        if (table[i].pid && str_eq(str_of(table[i].label), label))
            return &table[i];
    return NULL;
}

static struct child *by_pid(pid_t pid)
{
    for (size_t i = 0; i < CHILD_MAX; i++)
        if (table[i].pid == pid)
            return &table[i];
    return NULL;
}

bool children_is_one(pid_t pid)
{
    return pid > 0 && by_pid(pid);
}

size_t children_alive(void)
{
    size_t n = 0;
    for (size_t i = 0; i < CHILD_MAX; i++)
        n += table[i].pid != 0;
    return n;
}

static void clear(struct child *c)
{
    if (c->report_fd >= 0)
        close(c->report_fd);
    tail_close(&c->words);
    free(c->argv);
    *c = (struct child){ .report_fd = -1 };
}

static const char *first_arg(const struct child *c)
{
    /* argv was checked when it came: at least one text, no NUL inside; a copy of the list ends with a NUL of ours. */
    static char shown[96];
    struct wire_reader r = wire_reader(str_make(c->argv, c->argv_bytes));
    wire_u32(&r);
    struct str s = wire_text(&r);
    size_t n = s.n < sizeof shown - 1 ? s.n : sizeof shown - 1;
    memcpy(shown, s.p, n);
    shown[n] = 0;
    return shown;
}

static const char *refusal(const struct spawn *s, int *sys)
{
    *sys = 0;
    if (s->label.n == 0 || s->label.n > LABEL_MAX)
        return "a child needs a label of 1 to 200 bytes";
    if (s->argc == 0)
        return "a child needs a program";
    *sys = E2BIG;
    if (s->argv.n > ARGV_MAX_BYTES || s->env.n > ENV_MAX_BYTES || s->fence.rules.n > FENCE_MAX_BYTES)
        return "the child's arguments, environment or rules are too long";
    *sys = EEXIST;
    if (by_label(s->label))
        return "a child with this label lives";
    *sys = EAGAIN;
    if (children_alive() == CHILD_MAX)
        return "the keeper has no room for another child";
    return NULL;
}

void children_spawn(uint32_t id, const struct spawn *s)
{
    int sys;
    const char *why = refusal(s, &sys);
    if (why) {
        gateway_tell_failed(id, sys, why);
        return;
    }
    struct child *c = by_pid(0);
    *c = (struct child){ .report_fd = -1, .words = { .fd = -1, .file = -1 }, .spawn_id = id, .asker = gateway_speaker() };
    memcpy(c->label, s->label.p, s->label.n);
    char *argv = malloc(s->argv.n);
    int words = -1;
    pid_t pid = argv ? spawn_fork(s, &words, &c->report_fd) : -1;
    sys = errno;
    c->argv = argv;
    if (pid > 0 && !tail_open(&c->words, words, s->stderr_file, s->stderr_max_bytes)) {
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
        pid = -1;
        sys = ENOMEM;
    }
    if (pid < 0) {
        clear(c);
        gateway_tell_failed(id, sys, "cannot start a process");
        return;
    }
    memcpy(c->argv, s->argv.p, s->argv.n);
    c->argv_bytes = s->argv.n;
    c->pid = pid;
    c->started_wall_ms = clock_wall_ms();
}

/* Exec closes the report; a failed one is told when the child is reaped, so that its label is free by then. */
static void read_report(struct child *c)
{
    struct spawn_report r;
    ssize_t n = read(c->report_fd, &r, sizeof r);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    close(c->report_fd);
    c->report_fd = -1;
    gateway_answer(c->asker);
    if (n == (ssize_t)sizeof r)
        c->failed = r;
    else
        gateway_tell_spawned(c->spawn_id, c->pid);
}

static void tell_failed(struct child *c)
{
    char text[256];
    size_t room = sizeof text, n = 0;
    struct str parts[] = { str_of(spawn_step_name(c->failed.step)), STR(" "), str_of(first_arg(c)) };
    for (size_t i = 0; i < COUNTOF(parts) && n + parts[i].n < room; i++) {
        memcpy(text + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    text[n] = 0;
    gateway_answer(c->asker);
    gateway_tell_failed(c->spawn_id, c->failed.sys, text);
}

bool children_reaped(pid_t pid, int status)
{
    struct child *c = pid > 0 ? by_pid(pid) : NULL;
    if (!c)
        return false;
    if (c->report_fd >= 0)
        read_report(c);
    if (c->failed.sys) {
        tell_failed(c);
    } else {
        tail_drain(&c->words);
        gateway_tell_exited(str_of(c->label), pid, WIFSIGNALED(status) ? 0 : WEXITSTATUS(status),
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, &c->words);
    }
    clear(c);
    return true;
}

/* ---- stopping ---- */

static void term(struct child *c)
{
    kill(-c->pid, SIGTERM);
    kill(-c->pid, SIGCONT); /* a stopped one hears nothing else */
}

static void enter(struct child *c, enum stopping to, int64_t next_at_ms)
{
    c->stopping = to;
    c->step_at_ms = next_at_ms;
    switch (to) {
    case STOP_NOT:
        break;
    case STOP_ASKED:
    case STOP_ASKED_TWICE:
        term(c);
        break;
    case STOP_KILLED:
        kill(-c->pid, SIGKILL);
        break;
    }
}

bool children_kill(struct str label, uint32_t term_ms, uint32_t again_ms, int64_t now_ms)
{
    struct child *c = by_label(label);
    if (!c)
        return false;
    if (term_ms == 0 && again_ms == 0) {
        enter(c, STOP_KILLED, 0);
    } else if (c->stopping == STOP_NOT) {
        c->again_ms = again_ms;
        enter(c, STOP_ASKED, now_ms + term_ms);
    } else {
        if (again_ms < c->again_ms)
            c->again_ms = again_ms;
        if (c->step_at_ms > now_ms + term_ms)
            c->step_at_ms = now_ms + term_ms;
    }
    return true;
}

void children_kill_all(void)
{
    for (size_t i = 0; i < CHILD_MAX; i++)
        if (table[i].pid)
            enter(&table[i], STOP_KILLED, 0);
}

int64_t children_due_ms(void)
{
    int64_t due = 0;
    for (size_t i = 0; i < CHILD_MAX; i++)
        if (table[i].pid && table[i].step_at_ms && (!due || table[i].step_at_ms < due))
            due = table[i].step_at_ms;
    return due;
}

static void step(struct child *c, int64_t now_ms)
{
    switch (c->stopping) {
    case STOP_NOT:
    case STOP_KILLED:
        c->step_at_ms = 0;
        break;
    case STOP_ASKED:
        enter(c, STOP_ASKED_TWICE, now_ms + c->again_ms);
        break;
    case STOP_ASKED_TWICE:
        enter(c, STOP_KILLED, 0);
        break;
    }
}

void children_step(int64_t now_ms)
{
    for (size_t i = 0; i < CHILD_MAX; i++)
        if (table[i].pid && table[i].step_at_ms && table[i].step_at_ms <= now_ms)
            step(&table[i], now_ms);
}

/* ---- asking ---- */

bool children_tail(struct str label, struct buf *out)
{
    const struct child *c = by_label(label);
    if (c)
        tail_put(&c->words, out, WIRE_OBITUARY_BYTES);
    return c != NULL;
}

void children_put(struct buf *out)
{
    wire_put_u32(out, (uint32_t)children_alive());
    for (size_t i = 0; i < CHILD_MAX; i++) {
        const struct child *c = &table[i];
        if (!c->pid)
            continue;
        wire_put_text(out, str_of(c->label));
        wire_put_u32(out, (uint32_t)c->pid);
        wire_put_u64(out, (uint64_t)c->started_wall_ms);
        buf_add(out, str_make(c->argv, c->argv_bytes));
    }
}

/* ---- the loop ---- */

size_t children_poll(struct pollfd *out)
{
    size_t n = 0;
    for (size_t i = 0; i < CHILD_MAX; i++) {
        const struct child *c = &table[i];
        if (c->pid && c->report_fd >= 0)
            out[n++] = (struct pollfd){ .fd = c->report_fd, .events = POLLIN };
        if (c->pid && c->words.fd >= 0)
            out[n++] = (struct pollfd){ .fd = c->words.fd, .events = POLLIN };
    }
    return n;
}

static void polled(int fd)
{
    for (size_t i = 0; i < CHILD_MAX; i++) {
        struct child *c = &table[i];
        if (c->pid && c->report_fd == fd)
            read_report(c);
        else if (c->pid && c->words.fd == fd)
            tail_drain(&c->words);
    }
}

void children_polled(const struct pollfd *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in[i].revents)
            polled(in[i].fd);
}
