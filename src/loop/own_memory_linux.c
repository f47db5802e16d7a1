/* Linux: /proc/self/statm, held open, since it is wanted most when nothing can be opened. Its resident pages less those of files: what was mapped of
 * programs and databases can be had again, and is not ours to save. */
#include "base/err.h"
#include "base/str.h"
#include "loop/overload.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { LARGE_BYTES = 1024 * 1024, MOST_LARGE = 16 * 1024 /* mappings: the system's own limit is 65530 */ };

struct own_memory {
    int fd; /* -1: there is no /proc */
    int64_t page;
};

struct own_memory *own_memory_open(void)
{
    struct own_memory *m = calloc(1, sizeof *m);
    if (!m)
        die("out of memory");
    m->fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    m->page = sysconf(_SC_PAGESIZE);
#ifdef __GLIBC__
    /* Large blocks are mappings of their own, always (by itself glibc stops that once one was freed): they grow without being copied, and are the system's
     * again as soon as they are free. Else what has just been freed counts as used, and a dozen buffers that double at once need twice what they hold. */
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_MMAP_MAX, MOST_LARGE);
#endif
    return m;
}

int64_t own_memory_bytes(const struct own_memory *m)
{
    char text[160];
    struct str rest, of;
    int64_t resident, shared;
    ssize_t n = m->fd < 0 ? -1 : pread(m->fd, text, sizeof text, 0);
    if (n <= 0)
        return -1;
    (void)str_cut(str_make(text, (size_t)n), ' ', &rest); /* size */
    struct str first = str_cut(rest, ' ', &of);
    if (!str_to_int(first, 0, INT64_MAX / m->page, &resident) || !str_to_int(str_cut(of, ' ', &rest), 0, INT64_MAX / m->page, &shared))
        return -1;
    return resident > shared ? (resident - shared) * m->page : 0;
}

void own_memory_give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void own_memory_close(struct own_memory *m)
{
    if (!m)
        return;
    if (m->fd >= 0)
        close(m->fd);
    free(m);
}
