/* Linux: PR_SET_PDEATHSIG, close_range, subreaper. */
#include "keeper/os.h"

#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void os_die_with(pid_t parent)
{
    /* The signal comes when the parent's *thread* that forked us ends: the keeper has only one. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
}

void os_close_from(int from)
{
    if (close_range((unsigned)from, ~0U, 0) == 0)
        return;
    long max = sysconf(_SC_OPEN_MAX); /* a kernel before 5.9, or a seccomp filter that does not know the call */
    for (int fd = from; fd < (max < 0 || max > 65536 ? 65536 : max); fd++)
        close(fd);
}

int os_hold(const char *path)
{
    return open(path, O_PATH | O_CLOEXEC);
}

void os_exec(int held, char *const *argv)
{
    struct stat was, is;
    bool moved = held >= 0 && !fstat(held, &was) && (stat(argv[0], &is) || is.st_dev != was.st_dev || is.st_ino != was.st_ino);
    if (moved)
        syscall(SYS_execveat, held, "", argv, environ, AT_EMPTY_PATH);
    execv(argv[0], argv); /* by its path where it can be: that is the name it goes by, and what a script needs */
}

void os_be_called(const char *name)
{
    prctl(PR_SET_NAME, name);
}

static bool adopting;

/* The pids of our children as the kernel lists them; at most `max`. -1 when it cannot say (CONFIG_PROC_CHILDREN off, no /proc). */
static int list_children(pid_t *pids, int max)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    if (got < 0)
        return -1;
    int n = 0;
    struct str rest = str_make(text, (size_t)got);
    while (rest.n && n < max) {
        int64_t pid;
        struct str word = str_cut(rest, ' ', &rest);
        if (str_to_int(word, 2, INT32_MAX, &pid) && rest.p) /* a number without a space behind it may be cut off */
            pids[n++] = (pid_t)pid;
    }
    return n;
}

void os_adopt_orphans(void)
{
    pid_t any[1];
    if (list_children(any, 1) == 0)
        adopting = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

void os_kill_strays(bool (*is_known)(pid_t pid))
{
    pid_t pids[512];
    int n = adopting ? list_children(pids, (int)COUNTOF(pids)) : 0;
    for (int i = 0; i < n; i++)
        if (!is_known(pids[i]))
            kill(pids[i], SIGKILL);
}
