/* Linux: Landlock, by its system calls, since the C library has none and the headers of Debian 12 know two of its versions. What each version of the
 * kernel's interface (ABI) added is a row below: only what the kernel can refuse is asked of it.
 *
 * A rule belongs to a file, not to a name: what is replaced by another later is not what the rule spoke of. Looking at names (stat, readlink) is free. */
#include "keeper/fence.h"

#include "keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN 0x40000000u /* x32: other numbers for the same calls */
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN 0xffffffffu
#endif

enum { NR_IO_URING_SETUP = 425 };
enum { NR_CREATE = 444, NR_ADD = 445, NR_RESTRICT = 446 }; /* the same on every architecture */
enum { CREATE_VERSION = 1, RULE_PATH = 1, RULE_PORT = 2 };

enum access {
    EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIR = 1 << 3, REMOVE_DIR = 1 << 4, REMOVE_FILE = 1 << 5, MAKE_CHAR = 1 << 6,
    MAKE_DIR = 1 << 7, MAKE_REG = 1 << 8, MAKE_SOCK = 1 << 9, MAKE_FIFO = 1 << 10, MAKE_BLOCK = 1 << 11, MAKE_SYM = 1 << 12, REFER = 1 << 13,
    TRUNCATE = 1 << 14, IOCTL_DEV = 1 << 15,
    OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV, /* a rule for what is no folder may speak of these alone */
};
enum net { BIND = 1 << 0, CONNECT = 1 << 1 };
enum scope { ABSTRACT_SOCKETS = 1 << 0, SIGNALS = 1 << 1 };

static const struct abi_row {
    int abi;
    unsigned fs, net, scope;
} abi_rows[] = {
    { 1, REFER - 1, 0, 0 },
    { 2, REFER, 0, 0 },
    { 3, TRUNCATE, 0, 0 },
    { 4, 0, BIND | CONNECT, 0 },
    { 5, IOCTL_DEV, 0, 0 },
    { 6, 0, 0, ABSTRACT_SOCKETS | SIGNALS },
};

static const struct rule_row {
    char letter;
    unsigned fs;
} rule_rows[] = {
    { WIRE_RULE_READ,   READ_FILE | READ_DIR },
    { WIRE_RULE_RUN,    READ_FILE | READ_DIR | EXECUTE },
    { WIRE_RULE_DEVICE, READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV },
    { WIRE_RULE_SHARED, READ_FILE | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE },
    { WIRE_RULE_WRITE,  READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER },
    { WIRE_RULE_ALL,    READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER |
                        EXECUTE | IOCTL_DEV },
};

struct ruleset_attr { /* an older kernel takes a longer one whose end is zero */
    uint64_t fs, net, scope;
};
struct path_attr {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));
struct port_attr {
    uint64_t access, port;
};

int fence_abi(void)
{
    long abi = syscall(NR_CREATE, NULL, (size_t)0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static struct abi_row known(int abi)
{
    struct abi_row sum = { 0 };
    for (size_t i = 0; i < COUNTOF(abi_rows) && abi_rows[i].abi <= abi; i++) {
        sum.fs |= abi_rows[i].fs;
        sum.net |= abi_rows[i].net;
        sum.scope |= abi_rows[i].scope;
    }
    return sum;
}

static unsigned meaning(char letter)
{
    for (size_t i = 0; i < COUNTOF(rule_rows); i++)
        if (rule_rows[i].letter == letter)
            return rule_rows[i].fs;
    return 0;
}

/* rule: its letter, then the path. */
static bool add_rule(int set, unsigned handled, struct str rule)
{
    char path[4096];
    struct stat st;
    if (rule.n < 2 || rule.n > sizeof path || rule.p[1] != '/' || !meaning(rule.p[0])) {
        errno = EINVAL;
        return false;
    }
    memcpy(path, rule.p + 1, rule.n - 1);
    path[rule.n - 1] = 0;
    struct path_attr a = { .access = meaning(rule.p[0]) & handled, .fd = open(path, O_PATH | O_CLOEXEC) };
    if (a.fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP || errno == ENAMETOOLONG; /* not there for this child: no rule */
    bool ok = fstat(a.fd, &st) == 0;
    if (ok && !S_ISDIR(st.st_mode))
        a.access &= OF_FILES;
    ok = ok && (a.access == 0 || syscall(NR_ADD, set, RULE_PATH, &a, 0) == 0 || errno == EBADFD); /* EBADFD: what lies on no file system of the kernel's kind */
    int sys = errno;
    close(a.fd);
    errno = sys;
    return ok;
}

static bool add_rules(int set, unsigned handled, const struct fence *f)
{
    struct wire_reader r = wire_reader(f->rules);
    bool ok = true;
    for (uint32_t n = wire_u32(&r); n > 0 && ok; n--)
        ok = add_rule(set, handled, wire_text(&r));
    return ok;
}

static bool add_port(int set, unsigned handled, uint32_t port)
{
    struct port_attr a = { .access = BIND, .port = port == WIRE_PORT_ANY ? 0 : port };
    return !(handled & BIND) || !port || syscall(NR_ADD, set, RULE_PORT, &a, 0) == 0;
}

bool fence_no_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Of root's powers: what is left goes by files and by itself. Without this a fenced root reads other processes' environments (CAP_PERFMON), the kernel's
 * memory (CAP_SYS_RAWIO) and more that no rule of Landlock speaks of. Takes effect at the exec; to who has no powers it is refused, and does nothing. */
static void drop_powers(void)
{
    static const int kept[] = { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_SETGID, CAP_SETUID, CAP_IPC_LOCK, CAP_SYS_NICE, CAP_SYS_RESOURCE };
    for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        bool keep = false;
        for (size_t i = 0; i < COUNTOF(kept); i++)
            keep = keep || kept[i] == cap;
        if (!keep)
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    }
}

/* Landlock knows TCP by its ports, nothing of UDP, and not the sockets that are files: whoever may connect to those reaches the operator's session, and hob
 * itself. An engine only listens and answers. Where this fails there are no filters. */
static void refuse_calls(void)
{
#ifdef ARCHITECTURE
    static const unsigned no = SECCOMP_RET_ERRNO | EACCES, not_known = SECCOMP_RET_ERRNO | ENOSYS;
    struct sock_filter at[] = {
        /*  0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        /*  1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        /*  2 */ BPF_STMT(BPF_RET | BPF_K, not_known),
        /*  3 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        /*  4 */ BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN, 0, 1),
        /*  5 */ BPF_STMT(BPF_RET | BPF_K, not_known),
        /*  6 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_connect, 0, 1),
        /*  7 */ BPF_STMT(BPF_RET | BPF_K, no),
        /*  8 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_IO_URING_SETUP, 0, 1), /* what goes through it no filter sees */
        /*  9 */ BPF_STMT(BPF_RET | BPF_K, not_known),
        /* 10 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socketpair, 4, 0),
        /* 11 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 6),
        /* 12 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        /* 13 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 4, 0),
        /* 14 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 4),
        /* 15 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + sizeof(uint64_t)),
        /* 16 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf),
        /* 17 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 1, 0), /* those can be sent to an address without connecting */
        /* 18 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        /* 19 */ BPF_STMT(BPF_RET | BPF_K, no),
    };
    struct sock_fprog prog = { .len = COUNTOF(at), .filter = at };
    (void)!syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog);
#endif
}

bool fence_enter(const struct fence *f)
{
    if (f->bits & WIRE_FENCE_CALLS)
        refuse_calls();
    if (f->bits & WIRE_FENCE_FILES)
        drop_powers();
    struct abi_row can = known(f->bits ? fence_abi() : 0);
    struct ruleset_attr attr = {
        .fs = f->bits & WIRE_FENCE_FILES ? can.fs : 0,
        .net = f->bits & WIRE_FENCE_TCP ? can.net : 0,
        .scope = f->bits & WIRE_FENCE_FILES ? can.scope : 0,
    };
    if (!attr.fs && !attr.net)
        return true;
    int set = (int)syscall(NR_CREATE, &attr, sizeof attr, 0);
    bool ok = set >= 0 && (!attr.fs || add_rules(set, (unsigned)attr.fs, f)) && add_port(set, (unsigned)attr.net, f->port) &&
        syscall(NR_RESTRICT, set, 0) == 0;
    int sys = errno;
    if (set >= 0)
        close(set);
    errno = sys;
    return ok;
}
