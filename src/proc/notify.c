#include "proc/notify.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct notify {
    struct loop *loop;
    int fd;                     /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_bytes;
    struct timer beat;
    int64_t beat_ms;            /* half of what the watchdog waits; 0 = there is none */
    bool warned;
    char status[200];
};

/* "/run/…" or, in Linux' namespace of names without files, "@…". */
static bool read_address(struct notify *n, const char *name)
{
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length < 2 || length >= sizeof n->to.sun_path)
        return false;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, length);
    bool abstract = name[0] == '@';
    if (abstract)
        n->to.sun_path[0] = 0; /* then the length says where it ends */
    n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    return true;
}

/* Never waits: a manager that does not read must not hold up the loop. */
static void send_words(struct notify *n, const char *words)
{
    if (!n || n->fd < 0 || sendto(n->fd, words, strlen(words), MSG_DONTWAIT, (const struct sockaddr *)&n->to, n->to_bytes) >= 0 || n->warned)
        return;
    n->warned = true;
    log_warn("the service manager cannot be told: %s", strerror(errno));
}

static void beat(void *ctx)
{
    struct notify *n = ctx;
    send_words(n, "WATCHDOG=1");
    timer_set(&n->beat, n->beat_ms);
}

/* The manager names whom it watches: its main process, the keeper, that is our parent. Somebody else's watchdog is not fed. */
static bool meant_for_us(const char *pid)
{
    int64_t who;
    if (!pid || !pid[0])
        return true;
    return str_to_int(str_of(pid), 1, INT32_MAX, &who) && (who == getpid() || who == getppid());
}

static void start_beating(struct notify *n)
{
    const char *every = getenv("WATCHDOG_USEC");
    int64_t us;
    if (n->fd < 0 || !every || !str_to_int(str_of(every), 1, INT64_MAX, &us) || !meant_for_us(getenv("WATCHDOG_PID")))
        return;
    n->beat_ms = us / 2000 ? us / 2000 : 1;
    beat(n);
}

struct notify *notify_new(struct loop *l)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct notify *n = calloc(1, sizeof *n);
    if (!n)
        die("out of memory for the service manager's words");
    n->loop = l;
    n->fd = -1;
    timer_init(&n->beat, l, beat, n);
    if (name && name[0]) {
        if (!read_address(n, name))
            log_warn("NOTIFY_SOCKET is no address that can be sent to: the service manager is told nothing");
        else if ((n->fd = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0)
            fcntl(n->fd, F_SETFD, FD_CLOEXEC);
        else
            log_warn("no socket for the service manager: %s", strerror(errno));
    }
    start_beating(n);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return n;
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    timer_cancel(&n->beat);
    if (n->fd >= 0)
        close(n->fd);
    free(n);
}

void notify_ready(struct notify *n)
{
    send_words(n, "READY=1");
}

/* The time is CLOCK_MONOTONIC's: from it systemd (253 and later, Type=notify-reload) knows which reload is meant. */
void notify_reloading(struct notify *n)
{
    char words[64];
    snprintf(words, sizeof words, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_mono_ns() / 1000));
    send_words(n, words);
}

void notify_stopping(struct notify *n)
{
    send_words(n, "STOPPING=1");
}

void notify_status(struct notify *n, const char *fmt, ...)
{
    char words[sizeof n->status + 8], *status = words + 7;
    va_list args;
    if (!n || n->fd < 0)
        return;
    memcpy(words, "STATUS=", 7);
    va_start(args, fmt);
    vsnprintf(status, sizeof n->status, fmt, args);
    va_end(args);
    for (char *p = status; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?'; /* a line break would begin another word */
    if (str_eq(str_of(status), str_of(n->status)))
        return;
    memcpy(n->status, status, sizeof n->status);
    send_words(n, words);
}
