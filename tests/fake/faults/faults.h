/* The control file of the fault shim (faults.c): mapped by every program that runs under it and by whoever scripts it (tests/e2e/faults.py), so that faults
 * come and go while the programs run, and what was hit is counted over all of them. All zero: nothing fails. */
#ifndef HOB_TEST_FAULTS_H
#define HOB_TEST_FAULTS_H

#include <stdint.h>

enum { FAULTS_MAGIC = 0x31544c46 /* "FLT1" */, FAULTS_RULES = 32 };

/* Their numbers are the order of `CALLS` in tests/e2e/faults.py. */
enum fault_call {
    CALL_MALLOC,    /* malloc, calloc, realloc, aligned ones */
    CALL_READ,      /* read, readv, pread, preadv */
    CALL_WRITE,     /* write, writev */
    CALL_PWRITE,    /* pwrite, pwritev */
    CALL_SEND,      /* send, sendto, sendmsg */
    CALL_RECV,      /* recv, recvfrom, recvmsg */
    CALL_ACCEPT,
    CALL_SOCKET,
    CALL_CONNECT,
    CALL_OPEN,      /* open, openat, creat */
    CALL_SYNC,      /* fsync, fdatasync */
    CALL_TRUNCATE,  /* ftruncate, posix_fallocate, fallocate */
    CALL_MMAP,
    CALL_EPOLL,     /* epoll_ctl, epoll_create1 */
    CALL_FORK,
    CALL_PAIR,      /* socketpair, pipe2, eventfd */
    CALL_THREAD,    /* pthread_create */
    CALL_UNLINK,
    CALL_RENAME,
    CALL_RESOLVE,   /* getaddrinfo: `error` is an EAI_ code */
    CALL_WALL,      /* reading the wall clock: only counted */
    CALL_COUNT
};

/* Of the calls that it is about, in the programs and on the files that it names: numbers from..to (the first is 1; to 0 = for good), each `every`-th of them,
 * waits, then fails with `error`, or does at most `most` bytes of what was wanted. One with neither counts. */
struct fault_rule {
    uint32_t on;            /* is written last */
    uint32_t call;
    int32_t error;          /* errno; 0 = it does not fail */
    uint32_t most;          /* 0 = as many as wanted */
    uint64_t from, to, every;
    uint64_t delay_us;
    uint64_t stacks;        /* != 0: only the first call from each place is counted, which is so many frames of the stack */
    char program[32];       /* its file's name; empty: any */
    char path[160];         /* how the file's name begins, or with a '*' in front what is in it; "socket:", "accept:", "pair:". Empty: any */
    uint64_t seen, fired;   /* counted by the shim */
};

struct faults {
    uint32_t magic;
    uint32_t size;          /* of this */
    uint32_t active;        /* 0: nobody looks at the rules */
    uint32_t words;         /* lines of die() that were written, by any of the programs: one may have its stderr caught by a test */
    int64_t wall_ns;        /* added to the wall clock … */
    char wall_program[32];  /* … of these programs */
    struct fault_rule rules[FAULTS_RULES];
};

#endif
