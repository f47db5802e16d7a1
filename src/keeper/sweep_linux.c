/* Linux: /proc/PID/environ, readable for processes of one's own; field 22 of /proc/PID/stat, when it was started, in ticks since the machine was.
 * No memory is taken: the minder sweeps when all else has failed, perhaps of having none. */
#include "base/log.h"
#include "keeper/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STEP_BYTES = 16 * 1024 };

/* Whether an environment holds the mark as one of its texts, which end in NULs, however it is cut into pieces. */
struct look {
    struct str mark;
    size_t same;  /* bytes of the mark that this text begins with; more than it has: another text */
    bool found;
};

static void look_at(struct look *l, struct str bytes)
{
    for (size_t i = 0; i < bytes.n && !l->found; i++) {
        if (!bytes.p[i]) {
            l->found = l->same == l->mark.n;
            l->same = 0;
        } else {
            l->same = l->same < l->mark.n && l->mark.p[l->same] == bytes.p[i] ? l->same + 1 : l->mark.n + 1;
        }
    }
}

/* Of a process of this user. */
static bool has_mark(int64_t pid, struct str mark)
{
    char path[64], text[STEP_BYTES];
    struct stat st;
    struct look l = { .mark = mark };
    snprintf(path, sizeof path, "/proc/%lld/environ", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = fstat(fd, &st) || st.st_uid != geteuid() ? 0 : 1;
    while (n > 0 && !l.found) {
        n = read(fd, text, sizeof text);
        look_at(&l, str_make(text, n > 0 ? (size_t)n : 0));
    }
    close(fd);
    look_at(&l, str_make("", 1)); /* one that has no NUL behind its last text */
    return l.found;
}

struct known {
    bool is_keeper;
    char state;
    int64_t parent, born;
};

/* The line is `PID (NAME) STATE PARENT …`, and the name may hold anything. */
static bool know(int64_t pid, struct known *out)
{
    enum { STATE = 0, PARENT = 1, BORN = 19 };
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    ssize_t name = n;
    while (name > 0 && text[name - 1] != ')')
        name--;
    if (name <= 0)
        return false;
    struct str rest = str_from(str_make(text, (size_t)n), (size_t)name + 1), head;
    str_cut(str_make(text, (size_t)name), '(', &head);
    *out = (struct known){ .is_keeper = str_eq(head, STR("hob-keeper)")), .parent = -1, .born = -1 };
    for (int field = STATE; field <= BORN && rest.n; field++) {
        struct str word = str_cut(rest, ' ', &rest);
        if (field == STATE)
            out->state = word.n ? word.p[0] : 'X';
        else if ((field == PARENT && !str_to_int(word, 0, INT32_MAX, &out->parent)) || (field == BORN && !str_to_int(word, 0, INT64_MAX, &out->born)))
            return false;
    }
    return out->born >= 0;
}

int64_t sweep_born(pid_t pid)
{
    struct known k;
    return know(pid, &k) && k.state != 'Z' && k.state != 'X' ? k.born : -1;
}

/* Whether a keeper that lives looks after it: what a dead one leaves has been given to somebody else. */
static bool is_kept(int64_t pid)
{
    struct known k;
    for (int up = 0; up < 64 && pid > 1 && know(pid, &k); up++) {
        if (k.is_keeper && k.state != 'Z' && k.state != 'X')
            return true;
        pid = k.parent;
    }
    return false;
}

int64_t sweep_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    int64_t ticks = sysconf(_SC_CLK_TCK);
    return t.tv_sec * ticks + t.tv_nsec * ticks / 1000000000;
}

/* One process of /proc. Whether it was killed. */
static bool sweep_one(const char *name, struct str mark, int64_t until)
{
    int64_t pid;
    if (!str_to_int(str_of(name), 2, INT32_MAX, &pid) || pid == getpid() || !has_mark(pid, mark))
        return false;
    int64_t born = sweep_born((pid_t)pid);
    if (born < 0 || born > until || is_kept(pid))
        return false;
    log_warn("process %lld is left over from an earlier run: killed", (long long)pid);
    return kill((pid_t)pid, SIGKILL) == 0;
}

size_t sweep_strays(struct str run_dir, int64_t until)
{
    _Alignas(struct dirent64) char entries[STEP_BYTES];
    char mark[sizeof SWEEP_VARIABLE + PATH_MAX];
    size_t killed = 0;
    int n = snprintf(mark, sizeof mark, SWEEP_VARIABLE "=%.*s", STR_ARG(run_dir));
    int proc = n < (int)sizeof mark ? open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (proc < 0)
        return 0;
    ssize_t got;
    while ((got = getdents64(proc, entries, sizeof entries)) > 0) /* opendir() would take memory */
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
            killed += sweep_one(entry->d_name, str_make(mark, (size_t)n), until);
            at += entry->d_reclen;
        }
    close(proc);
    return killed;
}
