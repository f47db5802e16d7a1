#include "cli/child.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: never returns. */
static void become(const char *const *argv, int out)
{
    int in = open("/dev/null", O_RDONLY);
    setpgid(0, 0); /* so that what it starts ends with it */
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* Until the end of what it says; false at the limit. */
static bool listen_to(int fd, int64_t until_ms, struct buf *said)
{
    char part[4096];
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = until_ms - clock_mono_ms();
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        size_t room = said->max && said->n < said->max ? said->max - said->n : 0;
        buf_add(said, str_make(part, !said->max || (size_t)n < room ? (size_t)n : room));
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

enum err_code child_run(const char *const *argv, int64_t limit_ms, struct buf *said, struct child_end *end, struct err *e)
{
    int ends[2], status = 0;
    int64_t until_ms = clock_mono_ms() + limit_ms;
    if (pipe(ends))
        return err_sys(e, ERR_SYSTEM, errno, "cannot make a pipe");
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    int pid = fork();
    if (pid == 0)
        become(argv, ends[1]);
    int sys = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return err_sys(e, ERR_SYSTEM, sys, "cannot start %s", argv[0]);
    }
    setpgid(pid, pid); /* whichever of the two comes first */
    bool ended = listen_to(ends[0], until_ms, said) && wait_for(pid, until_ms, &status);
    close(ends[0]);
    kill(-pid, SIGKILL); /* it, or what it left behind */
    if (!ended) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    *end = (struct child_end){ .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0, .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .too_long = !ended };
    return ERR_OK;
}
