/* Linux: /proc/PID/environ, readable for processes of one's own. */
#include "base/buf.h"
#include "base/log.h"
#include "proc/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
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

size_t sweep_strays(struct str run_dir)
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
        log_warn("process %lld is left over from an earlier run: killed", (long long)pid);
        killed += kill((pid_t)pid, SIGKILL) == 0;
    }
    if (proc)
        closedir(proc);
    buf_free(&mark);
    buf_free(&text);
    return killed;
}
