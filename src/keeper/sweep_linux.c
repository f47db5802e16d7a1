/* Linux: /proc/PID/environ, readable for processes of one's own; field 22 of /proc/PID/stat, when it was started, in ticks since the machine was. */
#include "base/buf.h"
#include "base/log.h"
#include "keeper/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ENVIRON_MAX_BYTES = 256 * 1024 };

static bool read_environ(int64_t pid, struct buf *out)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%lld/environ", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ours = !fstat(fd, &st) && st.st_uid == geteuid();
    out->n = 0;
    ssize_t n = 1;
    while (ours && n > 0 && out->n < ENVIRON_MAX_BYTES) {
        n = read(fd, buf_reserve(out, 4096), 4096);
        out->n += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return ours && out->n;
}

static bool has_mark(struct str environ_text, struct str mark)
{
    while (environ_text.n) {
        if (str_eq(str_cut(environ_text, 0, &environ_text), mark))
            return true;
    }
    return false;
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

size_t sweep_strays(struct str run_dir, int64_t until)
{
    struct buf mark = { 0 }, text = { 0 };
    size_t killed = 0;
    DIR *proc = opendir("/proc");
    buf_printf(&mark, SWEEP_VARIABLE "=%.*s", STR_ARG(run_dir));
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        int64_t pid;
        if (!str_to_int(str_of(entry->d_name), 2, INT32_MAX, &pid) || pid == getpid())
            continue;
        if (!read_environ(pid, &text) || !has_mark(buf_str(&text), buf_str(&mark)))
            continue;
        int64_t born = sweep_born((pid_t)pid);
        if (born < 0 || born > until || is_kept(pid))
            continue;
        log_warn("process %lld is left over from an earlier run: killed", (long long)pid);
        killed += kill((pid_t)pid, SIGKILL) == 0;
    }
    if (proc)
        closedir(proc);
    buf_free(&mark);
    buf_free(&text);
    return killed;
}
