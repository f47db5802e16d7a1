/* The ring and the capped file. The file turns over once: FILE becomes FILE.1 and a new one begins, so that a chatty child costs at most
 * twice its cap on disk. */
#include "keeper/tail.h"

#include "base/log.h"
#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 8 * 1024, CHUNKS = 32 };

static void close_file(struct tail *t)
{
    if (t->file >= 0)
        close(t->file);
    t->file = -1;
}

static void open_file(struct tail *t)
{
    struct stat st;
    /* Non-blocking only so that a FIFO in its place cannot hold us up; a regular file does not care. */
    t->file = open(t->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (t->file < 0 || fstat(t->file, &st) || !S_ISREG(st.st_mode)) {
        log_warn("cannot write %s: %s", t->path, t->file < 0 ? strerror(errno) : "not a regular file");
        close_file(t);
        return;
    }
    t->file_bytes = (uint64_t)st.st_size;
}

bool tail_open(struct tail *t, int fd, struct str path, uint64_t max_bytes)
{
    *t = (struct tail){ .fd = fd, .file = -1, .file_max_bytes = max_bytes, .ring = malloc(WIRE_OBITUARY_BYTES) };
    bool wants_file = path.n && max_bytes;
    if (wants_file)
        t->path = strndup(path.p, path.n);
    if (!t->ring || (wants_file && !t->path)) {
        tail_close(t);
        return false;
    }
    if (wants_file)
        open_file(t);
    return true;
}

void tail_close(struct tail *t)
{
    if (t->fd >= 0)
        close(t->fd);
    close_file(t);
    free(t->ring);
    free(t->path);
    *t = (struct tail){ .fd = -1, .file = -1 };
}

static void turn_over(struct tail *t)
{
    char old[PATH_MAX];
    int n = snprintf(old, sizeof old, "%s.1", t->path);
    close_file(t);
    if (n > 0 && (size_t)n < sizeof old && rename(t->path, old) == 0)
        open_file(t);
    else
        log_warn("cannot turn over %s: no more of this child's words are kept in a file", t->path);
}

static void to_file(struct tail *t, struct str s)
{
    if (s.n > t->file_max_bytes)
        s = str_from(s, s.n - (size_t)t->file_max_bytes);
    if (t->file_bytes + s.n > t->file_max_bytes)
        turn_over(t);
    ssize_t n = t->file >= 0 ? write(t->file, s.p, s.n) : 0; /* a full disk costs words, nothing else */
    if (n > 0)
        t->file_bytes += (uint64_t)n;
}

static void to_ring(struct tail *t, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t at = (size_t)(t->seen_bytes % WIRE_OBITUARY_BYTES);
        size_t n = s.n - i < WIRE_OBITUARY_BYTES - at ? s.n - i : WIRE_OBITUARY_BYTES - at;
        memcpy(t->ring + at, s.p + i, n);
        t->seen_bytes += n;
        i += n;
    }
}

void tail_drain(struct tail *t)
{
    char chunk[CHUNK];
    for (int i = 0; i < CHUNKS && t->fd >= 0; i++) {
        ssize_t n = read(t->fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            close(t->fd);
            t->fd = -1;
            return;
        }
        to_ring(t, str_make(chunk, (size_t)n));
        if (t->file >= 0)
            to_file(t, str_make(chunk, (size_t)n));
    }
}

void tail_put(const struct tail *t, struct buf *out, size_t max_bytes)
{
    size_t have = t->seen_bytes < WIRE_OBITUARY_BYTES ? (size_t)t->seen_bytes : WIRE_OBITUARY_BYTES;
    size_t n = have < max_bytes ? have : max_bytes;
    size_t at = (size_t)((t->seen_bytes - n) % WIRE_OBITUARY_BYTES);
    size_t first = n < WIRE_OBITUARY_BYTES - at ? n : WIRE_OBITUARY_BYTES - at;
    wire_put_u32(out, (uint32_t)n);
    buf_add(out, str_make(t->ring + at, first));
    buf_add(out, str_make(t->ring, n - first));
}
