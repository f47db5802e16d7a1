/* Linux: a list of what the gateway and its libraries do, as a program of BPF made from the tables below. Libraries are loaded late (TLS, patterns), so
 * mappings with code in them stay allowed.
 *
 *   allowed     does it, for all arguments
 *   by_argument does it for some arguments
 *   deadly      what a gateway never does, and whoever has got hold of one always wants: the process dies at once (SIGSYS), the keeper says so and starts
 *               another. An error would let it try again
 *   all else    ENOSYS, which the C library takes for an older kernel and does otherwise (clone3, close_range, …). libuv does so only when it finds out while it
 *               makes its loop: so io_uring is refused to it from before that on
 *
 * Raw BPF and not libseccomp: that would be another library in every process for what is a page of tables. A kernel since 5.11 answers the allowed ones from
 * a bitmap, without running the program. */
#include "proc/filter.h"

#include "base/str.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN 0x40000000u /* x32: the same architecture by name, other numbers */
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#ifdef ARCHITECTURE

static const int allowed[] = {
    /* what each request does: first, for kernels that run the program */
    __NR_read, __NR_write, __NR_readv, __NR_writev, __NR_epoll_pwait, __NR_recvmsg, __NR_sendmsg, __NR_recvfrom, __NR_sendto, __NR_accept4, __NR_close,
    __NR_epoll_ctl, __NR_futex, __NR_connect, __NR_shutdown, __NR_setsockopt, __NR_getsockopt, __NR_fcntl,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
    /* sockets */
    __NR_accept, __NR_bind, __NR_listen, __NR_getsockname, __NR_getpeername, __NR_socketpair, __NR_recvmmsg, __NR_sendmmsg,
    /* files */
    __NR_openat, __NR_pread64, __NR_pwrite64, __NR_preadv, __NR_pwritev, __NR_lseek, __NR_fstat, __NR_newfstatat, __NR_statfs, __NR_fstatfs, __NR_statx,
    __NR_faccessat, __NR_readlinkat, __NR_getdents64, __NR_getcwd, __NR_mkdirat, __NR_unlinkat, __NR_renameat, __NR_linkat, __NR_symlinkat,
    __NR_fchmod, __NR_fchmodat, __NR_fchown, __NR_fsync, __NR_fdatasync, __NR_ftruncate, __NR_truncate, __NR_fallocate, __NR_flock, __NR_fadvise64, __NR_readahead,
    __NR_sync_file_range, __NR_utimensat, __NR_umask, __NR_dup, __NR_dup3, __NR_pipe2, __NR_sendfile, __NR_splice, __NR_copy_file_range, __NR_chdir, __NR_fchdir,
    __NR_inotify_init1, __NR_inotify_add_watch, __NR_inotify_rm_watch, __NR_memfd_create,
#ifdef __NR_renameat2
    __NR_renameat2,
#endif
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
#ifdef __NR_open /* those that newer architectures never had */
    __NR_open, __NR_stat, __NR_lstat, __NR_access, __NR_readlink, __NR_mkdir, __NR_rmdir, __NR_unlink, __NR_rename, __NR_link, __NR_symlink, __NR_chmod,
    __NR_chown, __NR_pipe, __NR_dup2, __NR_poll, __NR_select, __NR_epoll_create, __NR_eventfd, __NR_getdents, __NR_inotify_init, __NR_time, __NR_creat, __NR_utime, __NR_utimes,
    __NR_arch_prctl, __NR_alarm, __NR_pause, __NR_getpgrp,
#endif
    /* waiting */
    __NR_epoll_create1, __NR_epoll_pwait2, __NR_eventfd2, __NR_ppoll, __NR_pselect6, __NR_timerfd_create, __NR_timerfd_settime, __NR_timerfd_gettime,
    __NR_nanosleep, __NR_clock_nanosleep, __NR_signalfd4,
    /* time and chance */
    __NR_clock_gettime, __NR_clock_getres, __NR_gettimeofday, __NR_times, __NR_getrandom,
    /* memory */
    __NR_mmap, __NR_munmap, __NR_mprotect, __NR_mremap, __NR_madvise, __NR_brk, __NR_mlock, __NR_munlock, __NR_msync, __NR_mincore, __NR_membarrier, __NR_get_mempolicy,
    /* threads and signals */
    __NR_exit, __NR_exit_group, __NR_set_robust_list, __NR_get_robust_list, __NR_set_tid_address, __NR_gettid, __NR_getpid, __NR_getppid, __NR_sched_yield,
    __NR_sched_getaffinity, __NR_sched_setaffinity, __NR_sched_getparam, __NR_sched_getscheduler, __NR_sched_setscheduler, __NR_sched_get_priority_max,
    __NR_sched_get_priority_min, __NR_getpriority, __NR_setpriority, __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigsuspend,
    __NR_rt_sigtimedwait, __NR_rt_sigpending, __NR_sigaltstack, __NR_restart_syscall, __NR_setitimer, __NR_getitimer, __NR_getcpu,
#ifdef __NR_rseq
    __NR_rseq,
#endif
#ifdef __NR_futex_waitv
    __NR_futex_waitv,
#endif
    /* who and where am I */
    __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid, __NR_getgroups, __NR_getresuid, __NR_getresgid, __NR_getpgid, __NR_getsid, __NR_capget, __NR_uname, __NR_sysinfo,
    __NR_getrusage, __NR_getrlimit, __NR_prlimit64,
    /* does it end? only looked at: see kill below */
    __NR_wait4, __NR_waitid,
#ifdef __NR_pidfd_open
    __NR_pidfd_open,
#endif
};

/* The low half of an argument, masked, is one of these; else the errno. */
static const struct argument_row {
    int call, argument, otherwise;
    unsigned mask, values[12]; /* ended by 0 */
} by_argument[] = {
    { __NR_socket, 0, EAFNOSUPPORT, ~0u, { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK } },
    { __NR_clone, 0, EPERM, CLONE_THREAD, { CLONE_THREAD } }, /* threads, no processes */
    { __NR_ioctl, 1, ENOTTY, ~0u, { FIONBIO, FIOCLEX, FIONCLEX, FIONREAD, TCGETS, TIOCGWINSZ, TIOCGPGRP, 0x8910 /* SIOCGIFNAME */, 0x8933 /* SIOCGIFINDEX */ } },
    { __NR_prctl, 0, EPERM, ~0u, { PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, 0x53564d41 /* PR_SET_VMA */ } },
};
static const int to_ourselves[] = { __NR_kill, __NR_tgkill }; /* the first argument is our pid */

static const int deadly[] = {
    __NR_execve, __NR_execveat, __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_setns,
    __NR_unshare, __NR_init_module, __NR_finit_module, __NR_delete_module, __NR_kexec_load, __NR_reboot, __NR_swapon, __NR_swapoff, __NR_bpf, __NR_userfaultfd,
    __NR_perf_event_open, __NR_add_key, __NR_request_key, __NR_keyctl, __NR_personality, __NR_acct, __NR_quotactl, __NR_settimeofday, __NR_clock_settime,
    __NR_open_by_handle_at, __NR_setuid, __NR_setgid, __NR_setreuid, __NR_setregid, __NR_setresuid, __NR_setresgid, __NR_setgroups, __NR_setfsuid, __NR_setfsgid, __NR_capset,
#ifdef __NR_fork
    __NR_fork, __NR_vfork,
#endif
#ifdef __NR_iopl
    __NR_iopl, __NR_ioperm, __NR_modify_ldt,
#endif
#ifdef __NR_open_tree
    __NR_open_tree, __NR_move_mount, __NR_fsopen, __NR_fsconfig, __NR_fsmount,
#endif
#ifdef __NR_pidfd_getfd
    __NR_pidfd_getfd,
#endif
};

enum { ROOM = 640, NR_IO_URING_SETUP = 425 };

struct program {
    struct sock_filter at[ROOM];
    unsigned short n;
};

static void put(struct program *p, unsigned code, unsigned k, unsigned yes, unsigned no)
{
    if (p->n < ROOM)
        p->at[p->n++] = (struct sock_filter){ .code = (unsigned short)code, .jt = (unsigned char)yes, .jf = (unsigned char)no, .k = k };
}

static void load(struct program *p, size_t offset)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void verdict(struct program *p, unsigned what)
{
    put(p, BPF_RET | BPF_K, what, 0, 0);
}

/* Each row jumps over its own verdict: no jump is long, whatever the tables grow to. */
static void put_calls(struct program *p, const int *calls, size_t n, unsigned what)
{
    for (size_t i = 0; i < n; i++) {
        put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
        verdict(p, what);
    }
}

static size_t low_half(int argument)
{
    size_t at = offsetof(struct seccomp_data, args) + (size_t)argument * sizeof(uint64_t);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? at : at + 4;
}

static void put_argument(struct program *p, const struct argument_row *r)
{
    unsigned n = 0;
    while (n < COUNTOF(r->values) && r->values[n])
        n++;
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)r->call, 0, 3 + 2 * n); /* past the loads, the values and the two verdicts */
    load(p, low_half(r->argument));
    put(p, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
    for (unsigned i = 0; i < n; i++) {
        put(p, BPF_JMP | BPF_JEQ | BPF_K, r->values[i], 0, 1);
        verdict(p, SECCOMP_RET_ALLOW);
    }
    verdict(p, SECCOMP_RET_ERRNO | (unsigned)r->otherwise);
}

static void put_ourselves(struct program *p, int call)
{
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 4);
    load(p, low_half(0));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)getpid(), 0, 1);
    verdict(p, SECCOMP_RET_ALLOW);
    verdict(p, SECCOMP_RET_ERRNO | EPERM);
}

static void make(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    verdict(p, SECCOMP_RET_KILL_PROCESS);
    load(p, offsetof(struct seccomp_data, nr));
#ifdef FOREIGN
    put(p, BPF_JMP | BPF_JGE | BPF_K, FOREIGN, 0, 1);
    verdict(p, SECCOMP_RET_KILL_PROCESS);
#endif
    put_calls(p, allowed, COUNTOF(allowed), SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < COUNTOF(by_argument); i++)
        put_argument(p, &by_argument[i]);
    for (size_t i = 0; i < COUNTOF(to_ourselves); i++)
        put_ourselves(p, to_ourselves[i]);
    put_calls(p, deadly, COUNTOF(deadly), SECCOMP_RET_KILL_PROCESS);
    verdict(p, SECCOMP_RET_ERRNO | ENOSYS);
}

static const char *put_up(const struct program *p)
{
    struct sock_fprog prog = { .len = p->n, .filter = (struct sock_filter *)(uintptr_t)p->at };
    if (p->n == ROOM)
        return "its table does not fit";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return "the kernel refuses no_new_privs";
    /* SPEC_ALLOW: kernels before 5.16 would else slow every memory access down, against attacks by code that is run in the same process: there is none */
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog))
        return errno == ENOSYS || errno == EINVAL ? "the kernel has no seccomp filters" : strerror(errno);
    return NULL;
}

static struct program program; /* too large for a stack that may be small */

static const char *refuse_rings(void)
{
    struct program *p = &program;
    p->n = 0;
    load(p, offsetof(struct seccomp_data, nr));
    put(p, BPF_JMP | BPF_JEQ | BPF_K, NR_IO_URING_SETUP, 0, 1);
    verdict(p, SECCOMP_RET_ERRNO | ENOSYS);
    verdict(p, SECCOMP_RET_ALLOW);
    return put_up(p);
}

static const char *enter(void)
{
    program.n = 0;
    make(&program);
    return put_up(&program);
}

#endif

/* The sanitizers look into their own process from outside at its end (ptrace), and start helpers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

void filter_refuse_rings(void)
{
#ifdef ARCHITECTURE
    if (!SANITIZED)
        (void)!refuse_rings(); /* where this fails, so does what comes after it, which is said */
#endif
}

const char *filter_enter(void)
{
    if (SANITIZED)
        return "this build is for looking at itself";
#ifdef ARCHITECTURE
    return enter();
#else
    return "hob has no table for this processor";
#endif
}

void filter_hide(void)
{
    if (!SANITIZED)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

static int number_after(struct str text, struct str name)
{
    ptrdiff_t at = str_find(text, name);
    int64_t n;
    struct str rest, value = at < 0 ? STR("") : str_cut(str_from(text, (size_t)at + name.n), '\n', &rest);
    return str_to_int(str_trim(value), 0, 9, &n) ? (int)n : -1;
}

struct filter_state filter_of(int pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    struct str all = str_make(text, n > 0 ? (size_t)n : 0);
    int mode = number_after(all, STR("\nSeccomp:"));
    return (struct filter_state){ .filtered = mode < 0 ? -1 : mode == 2, .no_new_privileges = number_after(all, STR("\nNoNewPrivs:")) };
}
