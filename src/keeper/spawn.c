/* Fork and exec. The keeper has one thread, so the child may allocate and take its time: exec forgets all of it. */
#include "keeper/spawn.h"

#include "keeper/os.h"
#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STEP_MEMORY, STEP_NULL, STEP_CWD, STEP_FENCE, STEP_EXEC, STEP_COUNT };

const char *spawn_step_name(int step)
{
    static const char *const names[STEP_COUNT] = {
        [STEP_MEMORY] = "cannot copy the arguments of",
        [STEP_NULL] = "cannot open /dev/null for",
        [STEP_CWD] = "cannot enter the folder of",
        [STEP_FENCE] = "cannot put up the sandbox (`sandbox: off` does without) of",
        [STEP_EXEC] = "cannot run",
    };
    return step >= 0 && step < STEP_COUNT ? names[step] : "cannot start";
}

static bool set_flags(int fd, bool nonblocking)
{
    int flags = fcntl(fd, F_GETFL);
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && (!nonblocking || (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0));
}

bool spawn_pipe(int fds[2])
{
    if (pipe(fds)) {
        fds[0] = fds[1] = -1;
        return false;
    }
    if (set_flags(fds[0], true) && set_flags(fds[1], false))
        return true;
    close(fds[0]);
    close(fds[1]);
    fds[0] = fds[1] = -1;
    return false;
}

pid_t spawn_fork_quietly(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int sys = errno;
    if (pid > 0)
        setpgid(pid, pid); /* both sides do it, so that it is done whoever runs first */
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    errno = sys;
    return pid;
}

void spawn_fresh(pid_t keeper)
{
    setpgid(0, 0);
    os_die_with(keeper);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void report(int fd, int step)
{
    struct spawn_report r = { step, errno };
    ssize_t n = write(fd, &r, sizeof r);
    (void)n;
    _exit(127);
}

static char **vector(struct str list, int report_fd)
{
    struct wire_reader r = wire_reader(list);
    uint32_t n = wire_u32(&r);
    char **v = calloc((size_t)n + 1, sizeof *v);
    if (!v)
        report(report_fd, STEP_MEMORY);
    for (uint32_t i = 0; i < n; i++) {
        struct str s = wire_text(&r);
        v[i] = strndup(s.n ? s.p : "", s.n);
        if (!v[i])
            report(report_fd, STEP_MEMORY);
    }
    return v;
}

static _Noreturn void become(const struct spawn *s, int words, int report_fd)
{
    /* The report goes out of the way of 0, 1 and 2, then everything that is not ours to give is closed. */
    if (report_fd != WIRE_FD && dup2(report_fd, WIRE_FD) < 0)
        _exit(127);
    report_fd = WIRE_FD;
    fcntl(report_fd, F_SETFD, FD_CLOEXEC);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(words, STDOUT_FILENO) < 0 || dup2(words, STDERR_FILENO) < 0)
        report(report_fd, STEP_NULL);
    os_close_from(WIRE_FD + 1);

    char **argv = vector(s->argv, report_fd), **env = vector(s->env, report_fd);
    char *cwd = s->cwd.n ? strndup(s->cwd.p, s->cwd.n) : NULL;
    if (s->cwd.n && !cwd)
        report(report_fd, STEP_MEMORY);
    if (cwd && chdir(cwd))
        report(report_fd, STEP_CWD);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }); /* callers' prompts and our keys would be in it */
    if (!fence_no_privileges() || !fence_enter(&s->fence))
        report(report_fd, STEP_FENCE);
    if (argv[0])
        execve(argv[0], argv, env);
    report(report_fd, STEP_EXEC);
}

/* Above WIRE_FD, so that become() can put the report there without running over it. */
static bool lift(int *fd)
{
    if (*fd > WIRE_FD)
        return true;
    int up = fcntl(*fd, F_DUPFD_CLOEXEC, WIRE_FD + 1);
    if (up < 0)
        return false;
    close(*fd);
    *fd = up;
    return true;
}

pid_t spawn_fork(const struct spawn *s, int *words_fd, int *report_fd)
{
    int words[2] = { -1, -1 }, rep[2] = { -1, -1 };
    pid_t keeper = getpid(), pid = -1;
    if (spawn_pipe(words) && spawn_pipe(rep) && lift(&words[1]) && lift(&rep[1]))
        pid = spawn_fork_quietly();
    if (pid == 0) {
        spawn_fresh(keeper);
        become(s, words[1], rep[1]);
    }
    int sys = errno;
    for (int end = pid < 0 ? 0 : 1; end < 2; end++) { /* the writing ends are the child's; without one, all go */
        if (words[end] >= 0)
            close(words[end]);
        if (rep[end] >= 0)
            close(rep[end]);
    }
    *words_fd = pid < 0 ? -1 : words[0];
    *report_fd = pid < 0 ? -1 : rep[0];
    errno = sys;
    return pid;
}
