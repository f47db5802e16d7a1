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

int64_t sweep_born(pid_t pid)
{
    enum { STATE = 0, STARTED = 19 }; /* counted from behind the name, which may hold anything */
    char path[64], text[1024];
    int64_t born = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    while (n > 0 && text[n - 1] != ')')
        n--;
    if (n <= 0)
        return -1;
    struct str rest = str_from(str_make(text, sizeof text), (size_t)n + 1);
    for (int field = STATE; field <= STARTED; field++) {
        struct str word = str_cut(rest, ' ', &rest);
        if (field == STATE && word.n && (word.p[0] == 'Z' || word.p[0] == 'X'))
            return -1;
        if (field == STARTED && !str_to_int(word, 0, INT64_MAX, &born))
            return -1;
    }
    return born;
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
        if (born < 0 || born > until)
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
