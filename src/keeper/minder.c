/* The minder's whole life. What the keeper writes into the pipe is the mark, ended by a NUL; the last one holds. */
#include "keeper/minder.h"

#include "base/log.h"
#include "keeper/os.h"
#include "keeper/spawn.h"
#include "keeper/sweep.h"
#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARK_MAX = 4096, PASSES = 40, PASS_MS = 50 };

static int minder = -1; /* the writing end */
static char told[MARK_MAX];
static size_t told_n;

/* ---- the minder ---- */

static void nap(void)
{
    poll(NULL, 0, PASS_MS);
}

/* Reads to the end. The mark, without its NUL; nothing when none came whole. */
static struct str hear(int fd, char mark[MARK_MAX])
{
    size_t n = 0, whole = 0;
    for (;;) {
        char c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return str_make(mark, whole);
        if (!c) {
            whole = n;
            n = 0;
        } else if (n < MARK_MAX) {
            mark[n++] = c;
        }
    }
}

/* Its descriptors are closed before a process is dead. One that lives on has only become another program: that is no death. */
static bool is_dead(pid_t keeper, int64_t born)
{
    for (int i = 0; i < PASSES; i++) {
        if (sweep_born(keeper) != born)
            return true;
        nap();
    }
    return false;
}

static _Noreturn void mind(int fd, pid_t keeper, int64_t born)
{
    static char mark[MARK_MAX];
    struct str run_dir = hear(fd, mark);
    int64_t end = sweep_now(); /* who is born later is another hob's */
    if (run_dir.n && is_dead(keeper, born))
        for (int i = 0; i < PASSES && sweep_strays(run_dir, end); i++) /* until nobody is left, for who is killed may have been just about to fork */
            nap();
    _exit(0);
}

/* ---- the keeper ---- */

static _Noreturn void leave(int fd, pid_t keeper, int64_t born)
{
    setsid();
    pid_t pid = fork();
    if (pid)
        _exit(pid < 0);
    const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
    for (size_t i = 0; i < COUNTOF(ignored); i++)
        signal(ignored[i], SIG_IGN);
    if (dup2(fd, WIRE_FD) < 0 || chdir("/"))
        _exit(1);
    os_close_from(WIRE_FD + 1);
    os_be_called("hob-minder");
    mind(WIRE_FD, keeper, born);
}

void minder_start(void)
{
    int ends[2];
    pid_t keeper = getpid();
    int64_t born = sweep_born(keeper);
    if (born < 0 || keeper == 1 || pipe(ends))
        return;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFL, O_NONBLOCK); /* nobody may make the keeper wait */
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        leave(ends[0], keeper, born);
    }
    close(ends[0]);
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid > 0 && status == 0) {
        minder = ends[1];
        return;
    }
    close(ends[1]);
    log_warn("no minder could be started: what a killed keeper's children have started goes at the next start");
}

void minder_look(struct str env)
{
    struct wire_reader r = wire_reader(env);
    for (uint32_t n = wire_u32(&r); minder >= 0 && n > 0; n--) {
        struct str rest, one = wire_text(&r), name = str_cut(one, '=', &rest);
        if (!str_eq(name, STR(SWEEP_VARIABLE)) || rest.n >= MARK_MAX || str_eq(rest, str_make(told, told_n)))
            continue;
        memcpy(told, rest.p, rest.n);
        told_n = rest.n;
        told[rest.n] = 0;
        ssize_t wrote = write(minder, told, told_n + 1); /* less than a pipe takes at once */
        (void)wrote;
    }
}
