/* hob-keeper GATEWAY ARGS…: the parent of all. It holds what must outlive a crashing gateway - listening sockets and loaded engines - and
 * makes sure that nothing outlives itself. One thread, one poll(), nothing from outside is read here: only the gateway's requests
 * (requests.c), the children's words (tail.c), signals and deaths. Small enough to be right.
 *
 *   serving -> stopping (TERM or INT: the gateway was asked to drain) -> ending (no gateway any more: children are killed and reaped) -> exit
 *
 * A gateway that exits ends us with its code; one that dies of a signal is started again (gateway.c). Of two, during an upgrade, one counts. What a killed keeper
 * leaves behind the minder ends (minder.c). */
#include "base/clock.h"
#include "base/log.h"
#include "keeper/bounds.h"
#include "keeper/children.h"
#include "keeper/gateway.h"
#include "keeper/listeners.h"
#include "keeper/minder.h"
#include "keeper/os.h"
#include "keeper/requests.h"
#include "keeper/spawn.h"
#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static enum { SERVING, STOPPING, ENDING } phase;
static int exit_code;
static int64_t end_by_ms;

/* ---- signals: counted in the handler, looked at in the loop; the pipe only ends a poll() ---- */

static int wake[2];
static volatile sig_atomic_t stops_seen, hups_seen;
static int stops_done, hups_done;
static bool had_terminal;

static void on_signal(int sig)
{
    int sys = errno;
    if (sig == SIGTERM || sig == SIGINT)
        stops_seen++;
    else if (sig == SIGHUP)
        hups_seen++;
    ssize_t n = write(wake[1], "", 1);
    (void)n;
    errno = sys;
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void signals_init(void)
{
    if (!spawn_pipe(wake) || fcntl(wake[1], F_SETFL, O_NONBLOCK))
        die("no pipe for signals");
    struct sigaction before, sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigfillset(&sa.sa_mask);
    sigaction(SIGHUP, &sa, &before);
    had_terminal = before.sa_handler != SIG_IGN && has_terminal(); /* under nohup a lost terminal is no reason to stop */
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGCHLD, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- the way to the end ---- */

static void begin_ending(int code, int64_t now_ms)
{
    phase = ENDING;
    exit_code = code;
    end_by_ms = now_ms + REAP_PATIENCE_MS;
    requests_refuse_new();
    gateway_never_again();
    gateway_kill_all(); /* who ends by itself has, but for one beside it */
    children_kill_all();
}

static void stop(int64_t now_ms)
{
    if (phase == ENDING)
        return;
    if (!gateway_any()) {
        begin_ending(0, now_ms);
    } else if (phase == SERVING) {
        phase = STOPPING;
        gateway_drop_heir();
        gateway_never_again();
        gateway_tell_stop(false);
        gateway_kill_by(now_ms + STOP_PATIENCE_MS);
    } else {
        requests_refuse_new();
        children_kill_all();
        gateway_tell_stop(true);
        gateway_kill_by(now_ms + HARD_PATIENCE_MS);
    }
}

static void hang_up(int64_t now_ms)
{
    if (had_terminal && !has_terminal())
        stop(now_ms); /* not a reload: the terminal we were started from is gone */
    else
        gateway_tell_reload();
}

static void take_signals(int64_t now_ms)
{
    char bytes[64];
    while (read(wake[0], bytes, sizeof bytes) > 0)
        continue;
    for (; stops_done != stops_seen; stops_done++)
        stop(now_ms);
    for (; hups_done != hups_seen; hups_done++)
        hang_up(now_ms);
}

/* ---- deaths ---- */

static void gateway_died(pid_t pid, int status, int64_t now_ms)
{
    enum gateway_end end = gateway_reaped(pid, status, now_ms);
    if (phase == ENDING)
        return;
    if (phase == STOPPING) {
        if (end != GATEWAY_END_NONE)
            exit_code = end == GATEWAY_END_EXIT ? WEXITSTATUS(status) : 1;
        if (!gateway_any()) /* else its elder is still at it */
            begin_ending(exit_code, now_ms);
        return;
    }
    if (end == GATEWAY_END_EXIT) {
        begin_ending(WEXITSTATUS(status), now_ms);
    } else if (end == GATEWAY_END_CRASH) {
        if (WIFSIGNALED(status))
            log_error("the gateway died of signal %d (%s): starting it again", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            log_error("the gateway ended with %d before it served: starting it again", WEXITSTATUS(status));
        gateway_start_again(now_ms);
    }
}

static bool is_known(pid_t pid)
{
    return gateway_is_one(pid) || children_is_one(pid);
}

static void reap(int64_t now_ms)
{
    bool any = false;
    for (;;) {
        siginfo_t seen = { .si_pid = 0 };
        if (waitid(P_ALL, 0, &seen, WEXITED | WNOHANG | WNOWAIT) || seen.si_pid == 0)
            break;
        pid_t pid = seen.si_pid;
        int status = 0;
        bool known = is_known(pid);
        if (known)
            kill(-pid, SIGKILL); /* the rest of its group, while the zombie still holds the number */
        if (waitpid(pid, &status, WNOHANG) != pid)
            break;
        if (gateway_is_one(pid))
            gateway_died(pid, status, now_ms);
        else if (known)
            children_reaped(pid, status);
        any = true;
    }
    if (any)
        os_kill_strays(is_known); /* what called setsid came to us when its parent died */
}

/* ---- no memory ---- */

/* Our death is that of all models and of the gateway, which answers without us: rather wait, it may be over in a moment. The minder and who is about to become
 * a child do as we do. */
static bool wait_for_memory(size_t bytes)
{
    static int64_t since_ms, last_ms;
    int64_t now_ms = clock_mono_ms();
    if (!last_ms || now_ms - last_ms > NO_MEMORY_PAUSE_MS) { /* there was some in between */
        since_ms = now_ms;
        log_warn("no memory for %zu bytes: waiting for some", bytes);
    }
    last_ms = now_ms;
    if (now_ms - since_ms > NO_MEMORY_MS)
        return false;
    poll(NULL, 0, NO_MEMORY_LOOK_MS);
    return true;
}

/* ---- the loop ---- */

static int timeout_ms(int64_t now_ms)
{
    int64_t dues[] = { children_due_ms(), gateway_due_ms(), phase == ENDING ? end_by_ms : 0 };
    int64_t next = INT_MAX;
    for (size_t i = 0; i < COUNTOF(dues); i++)
        if (dues[i] && dues[i] - now_ms < next)
            next = dues[i] > now_ms ? dues[i] - now_ms : 0;
    return next == INT_MAX ? -1 : (int)next;
}

static bool has_ended(int64_t now_ms)
{
    if (phase != ENDING)
        return false;
    if (!gateway_any() && children_alive() == 0)
        return true;
    if (now_ms < end_by_ms)
        return false;
    log_error("%zu children do not die: leaving them", children_alive());
    return true;
}

static void turn(void)
{
    enum { FIRST_CHILD = 1 + GATEWAY_POLLS };
    static struct pollfd fds[FIRST_CHILD + 2 * CHILD_MAX];
    fds[0] = (struct pollfd){ .fd = wake[0], .events = POLLIN };
    gateway_poll(fds + 1);
    size_t n = FIRST_CHILD + children_poll(fds + FIRST_CHILD);
    int got = poll(fds, (nfds_t)n, timeout_ms(clock_mono_ms()));
    int64_t now_ms = clock_mono_ms();
    if (got > 0) {
        children_polled(fds + FIRST_CHILD, n - FIRST_CHILD); /* first: these look at numbers that the rest may close */
        gateway_polled(fds + 1, now_ms);
    }
    take_signals(now_ms);
    reap(now_ms);
    children_step(now_ms);
    gateway_step(now_ms);
    gateway_flush();
}

static void tidy_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO); /* 0, 1 and 2 are always something */
    close(WIRE_FD);
    os_close_from(getenv(WIRE_KEPT_NAME) ? WIRE_KEPT_FD + 1 : WIRE_KEPT_FD);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        log_error("usage: hob-keeper GATEWAY [ARGUMENT…] (hob serve does this)");
        return 2;
    }
    tidy_descriptors();
    buf_on_no_memory(wait_for_memory);
    minder_start();
    signals_init();
    os_adopt_orphans();
    gateway_init(argv + 1);
    gateway_step(clock_mono_ms());
    while (!has_ended(clock_mono_ms()))
        turn();
    os_kill_strays(is_known);
    listeners_close_all();
    return exit_code;
}
