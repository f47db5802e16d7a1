/* Linux: /proc for memory, SO_PEERCRED for who is at the other end. */
#include "admin/admin_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t read_file(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, room);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* "Pss:      1234 kB" -> bytes. */
static int64_t find_kib(struct str text, struct str name)
{
    while (text.p) {
        struct str line = str_cut(text, '\n', &text);
        int64_t kib;
        if (!str_starts(line, name))
            continue;
        struct str rest = str_trim(str_from(line, name.n));
        if (str_ends(rest, STR(" kB")) && str_to_int(str_trim(str_make(rest.p, rest.n - 3)), 0, INT64_MAX / 1024, &kib))
            return kib * 1024;
        return -1;
    }
    return -1;
}

int64_t system_memory_of(int pid)
{
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid); /* since 4.14; not there: a kernel without it, or not ours to see */
    int64_t bytes = find_kib(str_make(text, read_file(path, text, sizeof text)), STR("Pss:"));
    if (bytes >= 0)
        return bytes;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    return find_kib(str_make(text, read_file(path, text, sizeof text)), STR("VmRSS:"));
}

bool system_peer_uid(int fd, unsigned *uid)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n))
        return false;
    *uid = who.uid;
    return true;
}
