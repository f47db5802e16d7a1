/* A shim that fails system calls and allocations, loaded into any program with LD_PRELOAD: what libuv, SQLite, libcurl and the C library's own callers ask for passes
 * here too, which a seam of our own would not see. HOB_FAULTS names the control file (faults.h); without it nothing is done.
 *
 * It takes no memory and opens nothing after its start, so it works inside a program that has closed everything to itself. Names of files are kept by descriptor as they
 * were opened; a descriptor that came from elsewhere has none. The clock's jumps are what programs read: the kernel's own waits do not jump. */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 4096, NAME_BYTES = 160, STACKS = 1 << 16, FRAMES = 32 };

static struct faults *faults; /* NULL: nothing to do */
static const char *program = "";
static char names[NAMES][NAME_BYTES];
static uint64_t stacks[STACKS]; /* seen, by their hash; 0 = free */
static __thread bool looking;   /* at the stack: what that takes itself does not count */

struct hit {
    int error;
    size_t most;
};

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("HOB_FAULTS");
    if (!path || faults)
        return;
    program = program_invocation_short_name;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    long at = syscall(SYS_mmap, NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    struct faults *f = (struct faults *)at; /* the kernel's errors are numbers from -4095 on */
    void *here[1];
    backtrace(here, 1); /* the first time it takes memory */
    if ((unsigned long)at < -4095UL && f->magic == FAULTS_MAGIC && f->size == sizeof *f)
        faults = f;
}

static bool ours(const char *wanted)
{
    return !wanted[0] || !strncmp(wanted, program, sizeof faults->rules[0].program);
}

static bool is_there(const char *wanted, const char *name)
{
    return !wanted[0] || (wanted[0] == '*' ? strstr(name, wanted + 1) != NULL : !strncmp(name, wanted, strlen(wanted)));
}

static void pause_for(uint64_t us)
{
    struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
    syscall(SYS_nanosleep, &t, NULL);
}

/* Nobody has come this way before. */
static bool is_new_stack(size_t depth)
{
    void *frames[FRAMES];
    enum { OWN = 4 }; /* from here to the wrapped function, at most: the same each time */
    depth = depth + OWN < FRAMES ? depth + OWN : FRAMES;
    looking = true;
    int n = backtrace(frames, (int)depth);
    looking = false;
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < n; i++)
        hash = (hash ^ (uint64_t)frames[i]) * 1099511628211u;
    hash = hash ? hash : 1;
    for (size_t i = 0; i < STACKS; i++) {
        uint64_t *at = &stacks[(hash + i) % STACKS], was = 0;
        if (__atomic_compare_exchange_n(at, &was, hash, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
        if (was == hash)
            return false;
    }
    return false;
}

static void look_at(struct fault_rule *r, struct hit *h)
{
    if (r->stacks && !is_new_stack(r->stacks))
        return;
    uint64_t n = __atomic_add_fetch(&r->seen, 1, __ATOMIC_RELAXED), every = r->every ? r->every : 1;
    if (n < r->from || (r->to && n > r->to) || (n - r->from) % every || (!r->error && !r->most && !r->delay_us))
        return;
    __atomic_add_fetch(&r->fired, 1, __ATOMIC_RELAXED);
    if (r->delay_us)
        pause_for(r->delay_us);
    h->error = r->error;
    if (r->most)
        h->most = r->most;
}

/* What happens to this call. A rule that is being written is off. */
static struct hit hits(enum fault_call call, const char *name)
{
    struct hit h = { .error = 0, .most = SIZE_MAX };
    if (!faults || looking || !__atomic_load_n(&faults->active, __ATOMIC_ACQUIRE))
        return h;
    for (int i = 0; i < FAULTS_RULES && !h.error; i++) {
        struct fault_rule *r = &faults->rules[i];
        if (__atomic_load_n(&r->on, __ATOMIC_ACQUIRE) && r->call == (uint32_t)call && ours(r->program) && is_there(r->path, name))
            look_at(r, &h);
    }
    return h;
}

static bool fails(enum fault_call call, const char *name)
{
    struct hit h = hits(call, name);
    if (h.error)
        errno = h.error;
    return h.error != 0;
}

/* ---- names of descriptors ---- */

static const char *name_of(int fd)
{
    return fd >= 0 && fd < NAMES ? names[fd] : "";
}

static int named(int fd, const char *name)
{
    if (!faults || fd < 0 || fd >= NAMES)
        return fd;
    size_t n = strnlen(name, NAME_BYTES - 1);
    memcpy(names[fd], name, n);
    names[fd][n] = 0;
    return fd;
}

/* The next function of that name: the real one. */
static void *next(void *slot, const char *name)
{
    void **at = slot;
    if (!*at)
        *at = dlsym(RTLD_NEXT, name);
    return *at;
}

static size_t shorter(size_t n, const struct hit *h)
{
    return n < h->most ? n : h->most;
}

/* The first pieces, as far as they may go: at least one byte. */
static int fewer(const struct iovec *v, int n, const struct hit *h, struct iovec *first)
{
    *first = v[0];
    if (h->most == SIZE_MAX || n < 1)
        return n;
    first->iov_len = shorter(v[0].iov_len, h);
    return 1;
}

#pragma GCC visibility push(default)

/* ---- memory ---- */

#ifdef FAULTS_BEFORE_LSAN
/* The leak sanitizer's own, which is loaded behind us: the C library's would be strange to its free(). dlsym() takes memory itself only where it fails. */
static void *real_malloc(size_t n)
{
    static void *(*real)(size_t);
    next(&real, "malloc");
    return real(n);
}

static void *real_calloc(size_t n, size_t size)
{
    static void *(*real)(size_t, size_t);
    next(&real, "calloc");
    return real(n, size);
}

static void *real_realloc(void *p, size_t n)
{
    static void *(*real)(void *, size_t);
    next(&real, "realloc");
    return real(p, n);
}

static void *real_memalign(size_t align, size_t n)
{
    static void *(*real)(size_t, size_t);
    next(&real, "memalign");
    return real(align, n);
}
#else
/* By the C library's own names, as dlsym() may take memory itself. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
#define real_malloc __libc_malloc
#define real_calloc __libc_calloc
#define real_realloc __libc_realloc
#define real_memalign __libc_memalign
#endif

void *malloc(size_t n)
{
    return fails(CALL_MALLOC, "") ? NULL : real_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(CALL_MALLOC, "") ? NULL : real_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails(CALL_MALLOC, "") ? NULL : real_realloc(p, n);
}

void *memalign(size_t align, size_t n)
{
    return fails(CALL_MALLOC, "") ? NULL : real_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return fails(CALL_MALLOC, "") ? NULL : real_memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    struct hit h = hits(CALL_MALLOC, "");
    void *p = h.error ? NULL : real_memalign(align, n);
    if (!p)
        return h.error ? h.error : ENOMEM;
    *out = p;
    return 0;
}

/* ---- reading ---- */

ssize_t read(int fd, void *to, size_t n)
{
    static ssize_t (*real)(int, void *, size_t);
    next(&real, "read");
    struct hit h = hits(CALL_READ, name_of(fd));
    errno = h.error ? h.error : errno;
    return h.error ? -1 : real(fd, to, shorter(n, &h));
}

ssize_t __read_chk(int fd, void *to, size_t n, size_t room)
{
    return n > room ? (abort(), -1) : read(fd, to, n);
}

ssize_t readv(int fd, const struct iovec *v, int n)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    next(&real, "readv");
    struct hit h = hits(CALL_READ, name_of(fd));
    struct iovec first;
    if (h.error || n < 1 || h.most == SIZE_MAX) {
        errno = h.error ? h.error : errno;
        return h.error ? -1 : real(fd, v, n);
    }
    return real(fd, &first, fewer(v, n, &h, &first));
}

ssize_t pread64(int fd, void *to, size_t n, off64_t at)
{
    static ssize_t (*real)(int, void *, size_t, off64_t);
    next(&real, "pread64");
    struct hit h = hits(CALL_READ, name_of(fd));
    errno = h.error ? h.error : errno;
    return h.error ? -1 : real(fd, to, shorter(n, &h), at);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    return pread64(fd, to, n, at);
}

ssize_t __pread64_chk(int fd, void *to, size_t n, off64_t at, size_t room)
{
    return n > room ? (abort(), -1) : pread64(fd, to, n, at);
}

ssize_t __pread_chk(int fd, void *to, size_t n, off_t at, size_t room)
{
    return n > room ? (abort(), -1) : pread64(fd, to, n, at);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    static ssize_t (*real)(int, struct msghdr *, int);
    next(&real, "recvmsg");
    return fails(CALL_RECV, name_of(fd)) ? -1 : real(fd, m, flags);
}

ssize_t recvfrom(int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *len)
{
    static ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
    next(&real, "recvfrom");
    struct hit h = hits(CALL_RECV, name_of(fd));
    errno = h.error ? h.error : errno;
    return h.error ? -1 : real(fd, to, shorter(n, &h), flags, from, len);
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
    return recvfrom(fd, to, n, flags, NULL, NULL);
}

ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags)
{
    return n > room ? (abort(), -1) : recv(fd, to, n, flags);
}

/* ---- writing ---- */

/* die() writes its line at once: src/base/err.c. */
static void count_word(int fd, const char *from, size_t n)
{
    static const char word[] = "hob: bug or exhausted machine: ";
    if (faults && fd == STDERR_FILENO && n >= sizeof word && !memcmp(from, word, sizeof word - 1))
        __atomic_add_fetch(&faults->words, 1, __ATOMIC_RELAXED);
}

ssize_t write(int fd, const void *from, size_t n)
{
    static ssize_t (*real)(int, const void *, size_t);
    next(&real, "write");
    count_word(fd, from, n);
    struct hit h = hits(CALL_WRITE, name_of(fd));
    errno = h.error ? h.error : errno;
    return h.error ? -1 : real(fd, from, shorter(n, &h));
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    next(&real, "writev");
    struct hit h = hits(CALL_WRITE, name_of(fd));
    struct iovec first;
    if (h.error || n < 1 || h.most == SIZE_MAX) {
        errno = h.error ? h.error : errno;
        return h.error ? -1 : real(fd, v, n);
    }
    return real(fd, &first, fewer(v, n, &h, &first));
}

ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    next(&real, "pwrite64");
    struct hit h = hits(CALL_PWRITE, name_of(fd));
    errno = h.error ? h.error : errno;
    return h.error ? -1 : real(fd, from, shorter(n, &h), at);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    return pwrite64(fd, from, n, at);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    next(&real, "sendmsg");
    struct hit h = hits(CALL_SEND, name_of(fd));
    if (h.error || h.most == SIZE_MAX || m->msg_iovlen < 1) {
        errno = h.error ? h.error : errno;
        return h.error ? -1 : real(fd, m, flags);
    }
    struct msghdr less = *m;
    struct iovec first;
    less.msg_iovlen = (size_t)fewer(m->msg_iov, (int)m->msg_iovlen, &h, &first);
    less.msg_iov = &first;
    return real(fd, &less, flags);
}

ssize_t sendto(int fd, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
    static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    next(&real, "sendto");
    struct hit h = hits(CALL_SEND, name_of(fd));
    errno = h.error ? h.error : errno;
    return h.error ? -1 : real(fd, from, shorter(n, &h), flags, to, len);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
    return sendto(fd, from, n, flags, NULL, 0);
}

int fsync(int fd)
{
    static int (*real)(int);
    next(&real, "fsync");
    return fails(CALL_SYNC, name_of(fd)) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    next(&real, "fdatasync");
    return fails(CALL_SYNC, name_of(fd)) ? -1 : real(fd);
}

int ftruncate64(int fd, off64_t n)
{
    static int (*real)(int, off64_t);
    next(&real, "ftruncate64");
    return fails(CALL_TRUNCATE, name_of(fd)) ? -1 : real(fd, n);
}

int ftruncate(int fd, off_t n)
{
    return ftruncate64(fd, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
    static int (*real)(int, int, off64_t, off64_t);
    next(&real, "fallocate64");
    return fails(CALL_TRUNCATE, name_of(fd)) ? -1 : real(fd, mode, at, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return fallocate64(fd, mode, at, n);
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    static int (*real)(int, off64_t, off64_t);
    next(&real, "posix_fallocate64");
    struct hit h = hits(CALL_TRUNCATE, name_of(fd));
    return h.error ? h.error : real(fd, at, n);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    return posix_fallocate64(fd, at, n);
}

/* ---- files ---- */

static int open_real(int dir, const char *path, int flags, mode_t mode)
{
    static int (*real)(int, const char *, int, ...);
    next(&real, "openat64");
    return fails(CALL_OPEN, path) ? -1 : named(real(dir, path, flags, mode), path);
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = open_real(AT_FDCWD, path, flags, mode_of(flags, ap));
    va_end(ap);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = open_real(AT_FDCWD, path, flags, mode_of(flags, ap));
    va_end(ap);
    return fd;
}

int openat64(int dir, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = open_real(dir, path, flags, mode_of(flags, ap));
    va_end(ap);
    return fd;
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = open_real(dir, path, flags, mode_of(flags, ap));
    va_end(ap);
    return fd;
}

/* What is made of open() where its flags are known (_FORTIFY_SOURCE). */
int __open_2(const char *path, int flags)
{
    return open_real(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_real(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
    return open_real(dir, path, flags, 0);
}

int __openat64_2(int dir, const char *path, int flags)
{
    return open_real(dir, path, flags, 0);
}

int close(int fd)
{
    static int (*real)(int);
    next(&real, "close");
    named(fd, "");
    return real(fd);
}

int dup(int fd)
{
    static int (*real)(int);
    next(&real, "dup");
    return named(real(fd), name_of(fd));
}

int unlink(const char *path)
{
    static int (*real)(const char *);
    next(&real, "unlink");
    return fails(CALL_UNLINK, path) ? -1 : real(path);
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    next(&real, "rename");
    return fails(CALL_RENAME, from) ? -1 : real(from, to);
}

void *mmap64(void *at, size_t n, int prot, int flags, int fd, off64_t from)
{
    static void *(*real)(void *, size_t, int, int, int, off64_t);
    next(&real, "mmap64");
    return fails(CALL_MMAP, name_of(fd)) ? MAP_FAILED : real(at, n, prot, flags, fd, from);
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t from)
{
    return mmap64(at, n, prot, flags, fd, from);
}

/* ---- sockets and the like ---- */

int socket(int domain, int type, int protocol)
{
    static int (*real)(int, int, int);
    next(&real, "socket");
    return fails(CALL_SOCKET, "socket:") ? -1 : named(real(domain, type, protocol), "socket:");
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    static int (*real)(int, const struct sockaddr *, socklen_t);
    next(&real, "connect");
    return fails(CALL_CONNECT, name_of(fd)) ? -1 : real(fd, to, len);
}

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    static int (*real)(int, struct sockaddr *, socklen_t *, int);
    next(&real, "accept4");
    return fails(CALL_ACCEPT, "accept:") ? -1 : named(real(fd, from, len, flags), "accept:");
}

int accept(int fd, struct sockaddr *from, socklen_t *len)
{
    static int (*real)(int, struct sockaddr *, socklen_t *);
    next(&real, "accept");
    return fails(CALL_ACCEPT, "accept:") ? -1 : named(real(fd, from, len), "accept:");
}

static int pair_named(int rc, const int fds[2])
{
    if (!rc) {
        named(fds[0], "pair:");
        named(fds[1], "pair:");
    }
    return rc;
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    static int (*real)(int, int, int, int *);
    next(&real, "socketpair");
    return fails(CALL_PAIR, "pair:") ? -1 : pair_named(real(domain, type, protocol, fds), fds);
}

int pipe2(int fds[2], int flags)
{
    static int (*real)(int *, int);
    next(&real, "pipe2");
    return fails(CALL_PAIR, "pair:") ? -1 : pair_named(real(fds, flags), fds);
}

int pipe(int fds[2])
{
    return pipe2(fds, 0);
}

int eventfd(unsigned n, int flags)
{
    static int (*real)(unsigned, int);
    next(&real, "eventfd");
    return fails(CALL_PAIR, "pair:") ? -1 : named(real(n, flags), "pair:");
}

int epoll_create1(int flags)
{
    static int (*real)(int);
    next(&real, "epoll_create1");
    return fails(CALL_EPOLL, "") ? -1 : real(flags);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *e)
{
    static int (*real)(int, int, int, struct epoll_event *);
    next(&real, "epoll_ctl");
    return fails(CALL_EPOLL, name_of(fd)) ? -1 : real(epfd, op, fd, e);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    next(&real, "getaddrinfo");
    struct hit h = hits(CALL_RESOLVE, node ? node : "");
    return h.error ? h.error : real(node, service, hints, out);
}

/* ---- processes and threads ---- */

pid_t fork(void)
{
    static pid_t (*real)(void);
    next(&real, "fork");
    return fails(CALL_FORK, "") ? -1 : real();
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    next(&real, "pthread_create");
    struct hit h = hits(CALL_THREAD, "");
    return h.error ? h.error : real(t, attr, run, arg);
}

/* ---- the wall clock ---- */

static int64_t jump_ns(void)
{
    int64_t by = faults ? __atomic_load_n(&faults->wall_ns, __ATOMIC_RELAXED) : 0;
    hits(CALL_WALL, "");
    return by && ours(faults->wall_program) ? by : 0;
}

int clock_gettime(clockid_t which, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    next(&real, "clock_gettime");
    int rc = real(which, t);
    if (rc || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE))
        return rc;
    int64_t ns = t->tv_nsec + jump_ns(), s = ns / 1000000000, rest = ns % 1000000000;
    t->tv_sec += s - (rest < 0);
    t->tv_nsec = rest + (rest < 0) * INT64_C(1000000000);
    return 0;
}

int gettimeofday(struct timeval *t, void *zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
