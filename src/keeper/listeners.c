/* Listening sockets by address. Only what needs no resolver: IPv4 and IPv6 literals, localhost (its IPv4 side), and paths. A path is
 * made 0600; the socket file of somebody dead is cleared away, that of a living one is not. */
#include "keeper/listeners.h"

#include "base/log.h"
#include "keeper/bounds.h"
#include "keeper/gateway.h"
#include "keeper/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADDR_TEXT = 128 }; /* "unix:" and 107 bytes of path; everything else is shorter */

struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    };
    socklen_t bytes;
};

struct listener {
    int fd;                  /* 0: the slot is free (0 itself is always stdin) */
    char asked[ADDR_TEXT], bound[ADDR_TEXT];
    dev_t dev;               /* of the socket file that is ours to remove */
    ino_t ino;
};

static struct listener table[LISTENER_MAX];

/* ---- words to addresses and back ---- */

static bool parse_path(struct str path, struct place *p)
{
    if (path.n == 0 || path.n >= sizeof p->path.sun_path)
        return false;
    p->path.sun_family = AF_UNIX;
    memcpy(p->path.sun_path, path.p, path.n);
    p->bytes = (socklen_t)sizeof p->path;
    return true;
}

static bool parse_inet(struct str addr, struct place *p)
{
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < addr.n; i++)
        if (addr.p[i] == ':')
            colon = (ptrdiff_t)i;
    int64_t port;
    if (colon < 0 || !str_to_int(str_from(addr, (size_t)colon + 1), 0, 65535, &port))
        return false;
    struct str host = str_make(addr.p, (size_t)colon);
    if (str_eq(host, STR("localhost")))
        host = STR("127.0.0.1");
    bool v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (v6)
        host = str_make(host.p + 1, host.n - 2);
    char text[INET6_ADDRSTRLEN];
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (v6) {
        p->v6.sin6_family = AF_INET6;
        p->v6.sin6_port = htons((uint16_t)port);
        p->bytes = sizeof p->v6;
        return inet_pton(AF_INET6, text, &p->v6.sin6_addr) == 1;
    }
    p->v4.sin_family = AF_INET;
    p->v4.sin_port = htons((uint16_t)port);
    p->bytes = sizeof p->v4;
    return inet_pton(AF_INET, text, &p->v4.sin_addr) == 1;
}

static bool parse(struct str addr, struct place *p)
{
    memset(p, 0, sizeof *p);
    if (addr.n >= ADDR_TEXT)
        return false;
    return str_starts(addr, STR("unix:")) ? parse_path(str_from(addr, 5), p) : parse_inet(addr, p);
}

/* As it was really bound: port 0 has become a number. */
static void name_bound(struct listener *l)
{
    struct place p;
    memset(&p, 0, sizeof p);
    socklen_t room = sizeof p;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(l->fd, &p.any, &room) == 0 && p.any.sa_family == AF_INET &&
        inet_ntop(AF_INET, &p.v4.sin_addr, host, sizeof host))
        snprintf(l->bound, sizeof l->bound, "%s:%u", host, ntohs(p.v4.sin_port));
    else if (p.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &p.v6.sin6_addr, host, sizeof host))
        snprintf(l->bound, sizeof l->bound, "[%s]:%u", host, ntohs(p.v6.sin6_port));
    else
        memcpy(l->bound, l->asked, sizeof l->bound);
}

/* ---- sockets ---- */

static int make_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0), yes = 1;
    if (fd < 0)
        return -1;
    int flags = fcntl(fd, F_GETFL);
    bool ok = flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
    if (family != AF_UNIX)
        ok = ok && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0;
    if (family == AF_INET6) /* so that 0.0.0.0 and [::] can both be listened to, and neither means the other */
        ok = ok && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0;
    if (ok)
        return fd;
    int sys = errno;
    close(fd);
    errno = sys;
    return -1;
}

/* A socket file that nobody answers at goes away. 0, or what stands in the way. */
static int clear_dead_path(const struct place *p)
{
    struct stat st;
    if (lstat(p->path.sun_path, &st))
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode))
        return EEXIST;
    int fd = make_socket(AF_UNIX);
    if (fd < 0)
        return errno;
    int sys = connect(fd, &p->any, p->bytes) == 0 ? 0 : errno;
    close(fd);
    if (sys != ECONNREFUSED)
        return EADDRINUSE;
    return unlink(p->path.sun_path) == 0 ? 0 : errno;
}

/* 0, or errno. */
static int bind_path(int fd, const struct place *p)
{
    int sys = clear_dead_path(p);
    if (sys)
        return sys;
    mode_t before = umask(0177);
    sys = bind(fd, &p->any, p->bytes) == 0 ? 0 : errno;
    umask(before);
    return sys;
}

static int open_at(const struct place *p, int backlog, int *out)
{
    int fd = make_socket(p->any.sa_family), sys = 0;
    if (fd < 0)
        return errno;
    if (p->any.sa_family == AF_UNIX)
        sys = bind_path(fd, p);
    else if (bind(fd, &p->any, p->bytes))
        sys = errno;
    if (!sys && listen(fd, backlog))
        sys = errno;
    if (sys)
        close(fd);
    else
        *out = fd;
    return sys;
}

/* ---- the table ---- */

static struct listener *find(struct str addr)
{
    for (size_t i = 0; i < LISTENER_MAX; i++)
        if (table[i].fd && (str_eq(str_of(table[i].asked), addr) || str_eq(str_of(table[i].bound), addr)))
            return &table[i];
    return NULL;
}

static struct listener *free_slot(void)
{
    for (size_t i = 0; i < LISTENER_MAX; i++)
        if (!table[i].fd)
            return &table[i];
    return NULL;
}

static void fail(uint32_t id, int sys, const char *what, struct str addr)
{
    char text[ADDR_TEXT + 64];
    snprintf(text, sizeof text, "%s %.*s", what, addr.n < ADDR_TEXT ? (int)addr.n : ADDR_TEXT, addr.n ? addr.p : "");
    gateway_tell_failed(id, sys, text);
}

void listeners_open(uint32_t id, struct str addr, uint32_t backlog)
{
    struct listener *l = find(addr);
    if (l) {
        gateway_tell_listening(id, str_of(l->bound), l->fd);
        return;
    }
    struct place p;
    struct stat st;
    int fd = -1, sys = EINVAL;
    if (!parse(addr, &p)) {
        fail(id, sys, "only IP literals, localhost and unix:PATH can be listened to, not", addr);
        return;
    }
    l = free_slot();
    sys = l ? open_at(&p, backlog && backlog < 65535 ? (int)backlog : SOMAXCONN, &fd) : ENOBUFS;
    if (sys) {
        fail(id, sys, "cannot listen on", addr);
        return;
    }
    *l = (struct listener){ .fd = fd };
    memcpy(l->asked, addr.p, addr.n);
    name_bound(l);
    if (p.any.sa_family == AF_UNIX && lstat(p.path.sun_path, &st) == 0) {
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    gateway_tell_listening(id, str_of(l->bound), l->fd);
}

static void close_one(struct listener *l)
{
    struct stat st;
    const char *path = l->asked + 5; /* behind "unix:" */
    close(l->fd);
    if (l->ino && lstat(path, &st) == 0 && st.st_ino == l->ino && st.st_dev == l->dev)
        unlink(path);
    *l = (struct listener){ .fd = 0 };
}

bool listeners_close(struct str addr)
{
    struct listener *l = find(addr);
    if (l)
        close_one(l);
    return l != NULL;
}

void listeners_close_all(void)
{
    for (size_t i = 0; i < LISTENER_MAX; i++)
        if (table[i].fd)
            close_one(&table[i]);
}

void listeners_put(struct buf *out)
{
    uint32_t n = 0;
    for (size_t i = 0; i < LISTENER_MAX; i++)
        n += table[i].fd != 0;
    wire_put_u32(out, n);
    for (size_t i = 0; i < LISTENER_MAX; i++)
        if (table[i].fd)
            wire_put_text(out, str_of(table[i].bound));
}
