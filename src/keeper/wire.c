/* The words on the wire, put together and taken apart. Knows no process and no socket beyond one sendmsg and one recvmsg: both ends
 * use this file, and the tests feed it garbage. */
#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { AT_BODY_BYTES = 0, AT_TYPE = 4, AT_FDS = 6, AT_ID = 8 };

static void store(char *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (char)(v >> (8 * i) & 0xff);
}

static uint64_t load(const char *at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return v;
}

static void put(struct buf *b, uint64_t v, size_t bytes)
{
    store(buf_reserve(b, bytes), v, bytes);
    b->n += bytes;
}

size_t wire_begin(struct buf *b, enum wire_type type, uint32_t id)
{
    size_t begun_at = b->n;
    put(b, 0, 4);
    put(b, type, 2);
    put(b, 0, 2);
    put(b, id, 4);
    return begun_at;
}

void wire_put_u32(struct buf *b, uint32_t v)
{
    put(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
    put(b, v, 8);
}

void wire_put_text(struct buf *b, struct str s)
{
    if (s.n > WIRE_MAX_BYTES)
        die("a text of %zu bytes for the wire", s.n);
    wire_put_u32(b, (uint32_t)s.n);
    buf_add(b, s);
}

void wire_end(struct buf *b, size_t begun_at)
{
    size_t body_bytes = b->n - begun_at - WIRE_HEAD_BYTES;
    if (body_bytes > WIRE_MAX_BYTES)
        die("a message of %zu bytes for the wire", body_bytes);
    store(b->p + begun_at + AT_BODY_BYTES, body_bytes, 4);
}

void wire_mark_fd(struct buf *b, size_t begun_at)
{
    store(b->p + begun_at + AT_FDS, 1, 2);
}

bool wire_peek(struct str bytes, struct wire_head *head, struct str *body, bool *bad)
{
    if (bytes.n < WIRE_HEAD_BYTES)
        return false;
    struct wire_head h = {
        .body_bytes = (uint32_t)load(bytes.p + AT_BODY_BYTES, 4),
        .type = (uint16_t)load(bytes.p + AT_TYPE, 2),
        .fds = (uint16_t)load(bytes.p + AT_FDS, 2),
        .id = (uint32_t)load(bytes.p + AT_ID, 4),
    };
    if (h.body_bytes > WIRE_MAX_BYTES || h.fds > 1) { /* told from the head alone: nobody waits for 4 GiB to come */
        *bad = true;
        return false;
    }
    if (bytes.n - WIRE_HEAD_BYTES < h.body_bytes)
        return false;
    *head = h;
    *body = str_make(bytes.p + WIRE_HEAD_BYTES, h.body_bytes);
    return true;
}

struct wire_reader wire_reader(struct str body)
{
    return (struct wire_reader){ .left = body };
}

/* The next n bytes, or NULL from the first missing byte on. */
static const char *take(struct wire_reader *r, size_t n)
{
    if (r->bad || r->left.n < n) {
        r->bad = true;
        return NULL;
    }
    const char *at = r->left.p;
    r->left = str_make(at + n, r->left.n - n);
    return at;
}

uint32_t wire_u32(struct wire_reader *r)
{
    const char *at = take(r, 4);
    return at ? (uint32_t)load(at, 4) : 0;
}

uint64_t wire_u64(struct wire_reader *r)
{
    const char *at = take(r, 8);
    return at ? load(at, 8) : 0;
}

struct str wire_text(struct wire_reader *r)
{
    uint32_t n = wire_u32(r);
    const char *at = take(r, n);
    return at ? str_make(at, n) : (struct str){ NULL, 0 };
}

struct str wire_list(struct wire_reader *r, uint32_t *count)
{
    const char *from = r->left.p;
    uint32_t n = wire_u32(r);
    for (uint32_t i = 0; i < n && !r->bad; i++)
        wire_text(r);
    *count = r->bad ? 0 : n;
    return r->bad ? (struct str){ NULL, 0 } : str_make(from, (size_t)(r->left.p - from));
}

bool wire_reader_ok(const struct wire_reader *r)
{
    return !r->bad && r->left.n == 0;
}

/* Room for one descriptor, aligned as the kernel wants it. (On 64 bit two would fit: wire_recv keeps the first and closes the other.) */
union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

ptrdiff_t wire_send(int sock, struct str bytes, int fd)
{
    union control control = { .room = { 0 } };
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (fd >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(sock, &m, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Every descriptor that came, close-on-exec; all but the first are shut again. */
static void collect_fds(struct msghdr *m, int *fd)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof got, sizeof got);
            if (*fd < 0) {
                *fd = got;
                fcntl(got, F_SETFD, FD_CLOEXEC);
            } else {
                close(got);
            }
        }
    }
}

ptrdiff_t wire_recv(int sock, void *p, size_t room, int *fd)
{
    union control control = { .room = { 0 } };
    struct iovec iov = { .iov_base = p, .iov_len = room };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room };
    *fd = -1;
    ssize_t n;
    do
        n = recvmsg(sock, &m, 0);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        collect_fds(&m, fd);
    return n;
}
