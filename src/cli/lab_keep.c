/* hob __lab FOLDER: who keeps a lab (lab.h). Starts `hob serve` there, and when the pipe at descriptor 0 ends, because whoever measures is through or is gone, stops it, waits
 * for it and removes the folder. In a session of its own: ^C on the terminal is for who measures, and our end follows from his. */
#include "cli/commands.h"
#include "cli/lab.h"
#include "cli/lab_int.h"
#include "cli/rundir.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first TERM drains (a second, as the lab's configuration has it), the second stops at once; what then still runs is killed. */
enum { DRAIN_MS = 20 * 1000, HARD_MS = 10 * 1000 };

/* ---- folders ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

/* One of those that lab_open() makes, and nothing else: this removes a tree. */
static bool is_folder_of_ours(const char *folder)
{
    char parent[RUNDIR_MAX_BYTES];
    struct err e;
    if (rundir_parent(parent, &e))
        return false;
    size_t n = strlen(parent);
    return strncmp(folder, parent, n) == 0 && strncmp(folder + n, "/lab-", 5) == 0 && !strchr(folder + n + 1, '/');
}

void lab_remove(const char *folder)
{
    char state[4096], run[RUNDIR_MAX_BYTES];
    struct err e;
    if (!is_folder_of_ours(folder))
        return;
    snprintf(state, sizeof state, "%s/state", folder);
    if (!rundir_make(str_of(state), run, &e)) /* where its hob had its sockets */
        nftw(run, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Nobody measures in it, and no hob serves with it. */
static bool is_left_over(const char *folder)
{
    static const char *const locks[] = { "lock", "state/lock" };
    bool held = false;
    for (size_t i = 0; i < COUNTOF(locks); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, locks[i]);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0 && i == 0)
            return false; /* it is being made just now */
        held = held || (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB));
        if (fd >= 0)
            close(fd);
    }
    return !held;
}

void lab_sweep(void)
{
    char parent[RUNDIR_MAX_BYTES], path[RUNDIR_MAX_BYTES + 256];
    struct err e;
    struct dirent *d;
    DIR *dir = rundir_parent(parent, &e) ? NULL : opendir(parent);
    while (dir && (d = readdir(dir))) {
        if (strncmp(d->d_name, "lab-", 4) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", parent, d->d_name);
        if (is_left_over(path))
            lab_remove(path);
    }
    if (dir)
        closedir(dir);
}

/* ---- its hob ---- */

static int wake[2];

static void on_signal(int signum)
{
    int sys = errno;
    char c = signum == SIGCHLD ? 'c' : 't';
    ssize_t n = write(wake[1], &c, 1);
    (void)n;
    errno = sys;
}

static void set_signals(void)
{
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    if (pipe(wake))
        die("no pipe for signals");
    for (size_t i = 0; i < 2; i++) {
        fcntl(wake[i], F_SETFD, FD_CLOEXEC);
        fcntl(wake[i], F_SETFL, O_NONBLOCK);
    }
    sigaction(SIGCHLD, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static pid_t start(const char *own, const char *folder)
{
    static const char *const not_its[] = { "HOB_URL", "HOB_KEY", "HOB_CONFIG", "HOB_STATE", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS" };
    char file[4096 + 16];
    char serve[] = "serve", c[] = "-c";
    char *argv[] = { (char *)(uintptr_t)own, serve, c, file, NULL };
    snprintf(file, sizeof file, "%s/hob.yaml", folder);
    for (size_t i = 0; i < COUNTOF(not_its); i++)
        unsetenv(not_its[i]);
    pid_t pid = fork();
    if (pid)
        return pid;
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    execv(own, argv);
    _exit(127);
}

/* Until it has ended, or so long. with_hold: or who measures has let go. */
static bool wait_end(pid_t *pid, int64_t limit_ms, bool with_hold)
{
    struct pollfd fds[2] = { { .fd = wake[0], .events = POLLIN }, { .fd = with_hold ? LAB_HOLD_FD : -1, .events = POLLIN } };
    int64_t until = clock_mono_ms() + limit_ms;
    for (;;) {
        char c = 0, told = 0;
        while (read(wake[0], &c, 1) == 1)
            told = c == 't' ? c : told;
        if (*pid > 0 && waitpid(*pid, NULL, WNOHANG) == *pid)
            *pid = 0;
        if (!*pid && !with_hold)
            return true;
        if (with_hold && (!*pid || told))
            return !*pid;
        int64_t left = with_hold ? -1 : until - clock_mono_ms();
        if (!with_hold && left <= 0)
            return false;
        if (poll(fds, 2, (int)left) > 0 && fds[1].revents)
            return false;
    }
}

static void stop(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    if (wait_end(&pid, DRAIN_MS, false))
        return;
    kill(pid, SIGTERM);
    if (wait_end(&pid, HARD_MS, false))
        return;
    kill(pid, SIGKILL); /* the keeper's minder ends the rest */
    waitpid(pid, NULL, 0);
}

static int run(const struct cli_args *a)
{
    char own[4096], folder[4096];
    if (a->nwords != 1 || a->words[0].n >= sizeof folder || fcntl(LAB_LOCK_FD, F_GETFD) < 0)
        return EXIT_USAGE;
    snprintf(folder, sizeof folder, "%.*s", STR_ARG(a->words[0]));
    if (!is_folder_of_ours(folder) || !cli_own_path(a, own, sizeof own))
        return EXIT_USAGE;
    setsid();
    set_signals();
    fcntl(LAB_HOLD_FD, F_SETFD, FD_CLOEXEC);
    fcntl(LAB_TELL_FD, F_SETFD, FD_CLOEXEC);
    fcntl(LAB_LOCK_FD, F_SETFD, FD_CLOEXEC);
    pid_t pid = start(own, folder);
    if (wait_end(&pid, 0, true) || pid < 0) {
        close(LAB_TELL_FD); /* who measures reads the log, and lets go */
        struct pollfd hold = { .fd = LAB_HOLD_FD, .events = POLLIN };
        while (poll(&hold, 1, -1) < 0 && errno == EINTR)
            continue;
    }
    stop(pid);
    lab_remove(folder);
    return EXIT_OK;
}

const struct command cli_lab = { .name = "__lab", .usage = "FOLDER", .what = "keeps a hob to measure in; not for people", .run = run, .hidden = true, .max_words = 1 };
