#include "proc/run.h"

#include "base/clock.h"
#include "proc/run_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

/* In the child: never returns. Other threads may have been at work when it was made, so only what is safe in a signal handler is called here. */
static void become(const char *const *argv, const char *const *env, int out)
{
    sigset_t none;
    int in = open("/dev/null", O_RDONLY);
    setpgid(0, 0); /* so that what it starts ends with it */
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* and it with us */
#endif
    signal(SIGPIPE, SIG_DFL); /* the loop has it ignored, and that would be inherited */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execve(argv[0], (char *const *)(uintptr_t)argv, env ? (char *const *)(uintptr_t)env : environ);
    _exit(127);
}

/* The words and the end of their line are there; *seen bytes of it have been looked at. */
static bool has_said(struct str said, struct str words, size_t *seen)
{
    size_t from = *seen > words.n ? *seen - words.n : 0; /* they may have come in two parts */
    ptrdiff_t at = str_find(str_from(said, from), words);
    if (at < 0) {
        *seen = said.n;
        return false;
    }
    *seen = from + (size_t)at + words.n; /* from here the line's end is looked for, again and again: a line is short */
    return memchr(said.p + *seen, '\n', said.n - *seen) != NULL;
}

enum heard { HEARD_END, HEARD_ENOUGH, HEARD_TOO_LONG };

/* Until the end of what it says, or as far as anybody wants to hear. */
static enum heard listen_to(int fd, int64_t until_ms, struct str words, struct buf *said)
{
    char part[4096];
    size_t seen = 0;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = until_ms - clock_mono_ms();
        int ready = left > 0 ? poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return HEARD_TOO_LONG;
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return HEARD_END;
        size_t room = said->max && said->n < said->max ? said->max - said->n : 0;
        buf_add(said, str_make(part, !said->max || (size_t)n < room ? (size_t)n : room));
        if (words.n && has_said(buf_str(said), words, &seen))
            return HEARD_ENOUGH;
    }
}

/* It may close its ends and live on: then it too has until the limit. */
static bool wait_for(int pid, int64_t until_ms, int *status)
{
    for (;;) {
        int got = waitpid(pid, status, WNOHANG);
        if (got == pid)
            return true;
        if ((got < 0 && errno != EINTR) || clock_mono_ms() >= until_ms)
            return false;
        poll(NULL, 0, 1);
    }
}

/* Closed on exec from the start where that can be had: another thread may be starting a program meanwhile. */
static int make_pipe(int ends[2])
{
#ifdef __linux__
    return pipe2(ends, O_CLOEXEC);
#else
    if (pipe(ends))
        return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
#endif
}

enum err_code run_program(const char *const *argv, const char *const *env, const char *until, int64_t limit_ms, struct buf *said, struct run_end *end,
    struct err *e)
{
    int ends[2], status = 0;
    enum err_code rc;
    if (run_elsewhere(argv, env, until, limit_ms, said, end, e, &rc))
        return rc;
    int64_t until_ms = clock_mono_ms() + limit_ms;
    if (make_pipe(ends))
        return err_sys(e, ERR_SYSTEM, errno, "cannot make a pipe");
    int pid = fork();
    if (pid == 0)
        become(argv, env, ends[1]);
    int sys = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_sys(e, ERR_SYSTEM, sys, "cannot start %s", argv[0]);
    }
    setpgid(pid, pid); /* whichever of the two comes first */
    enum heard heard = listen_to(ends[0], until_ms, str_of(until), said);
    bool ended = heard == HEARD_END && wait_for(pid, until_ms, &status);
    close(ends[0]);
    kill(-pid, SIGKILL); /* it, or what it left behind */
    if (!ended) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    *end = (struct run_end){ .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0, .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .too_long = !ended && heard != HEARD_ENOUGH, .enough = heard == HEARD_ENOUGH };
    return ERR_OK;
}

/* ---- where it is ---- */

/* A program, whole in `out` (n is what snprintf said). A folder may be entered, which access() calls the same. */
static bool runnable(const char *out, int n, size_t room)
{
    struct stat st;
    return n > 0 && (size_t)n < room && stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, X_OK) == 0;
}

bool run_find_program(struct str named, char *out, size_t room)
{
    if (named.n && memchr(named.p, '/', named.n))
        return runnable(out, snprintf(out, room, "%.*s", STR_ARG(named)), room);
    struct str rest = str_of(getenv("PATH"));
    while (rest.p && named.n) {
        struct str dir = str_cut(rest, ':', &rest);
        if (dir.n && runnable(out, snprintf(out, room, "%.*s/%.*s", STR_ARG(dir), STR_ARG(named)), room))
            return true;
    }
    return false;
}
