/* The wire between gateway and keeper: a stream socketpair, length-prefixed messages, descriptors by SCM_RIGHTS. Both ends run on one
 * machine from one build, still every length is checked: the keeper must survive a gateway gone mad.
 *
 * A message is a header and a body of fields in the order its row names; text is u32 length + bytes, lists are u32 count + items,
 * all integers little endian. Requests carry an id that their one answer repeats; 0 marks what nobody asked for.
 * The gateway finds its end at descriptor WIRE_FD. */
#ifndef HOB_KEEPER_WIRE_H
#define HOB_KEEPER_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define WIRE_KEPT_NAME "HOB_ACCEPTED" /* in the environment: `hob serve` keeps something for its gateways in WIRE_KEPT_FD */
/* In the environment of a gateway that is started beside another: WIRE_HEIR_FD is its end of a socket between the two. "heir": it is to take the other's
 * place (WIRE_TAKE, once the other has let go); "again": it is the one that counts, and the other only ends what it had begun. */
#define WIRE_HEIR_NAME "HOB_HEIR"
/* In the environment of one that comes after one that was killed (SIGKILL) from outside: nothing was wrong with that one. */
#define WIRE_KILLED_NAME "HOB_KILLED"
/* WIRE_VERSION: both ends say the same or do not work together. Any word that is new, or means something else, makes another version. */
enum { WIRE_FD = 3, WIRE_KEPT_FD = 4, WIRE_HEIR_FD = 5, WIRE_VERSION = 3, WIRE_MAX_BYTES = 1024 * 1024, WIRE_OBITUARY_BYTES = 64 * 1024 };

enum wire_type {
    /* gateway -> keeper                                                    answer */
    WIRE_HELLO = 1,  /* u32 version                                         WIRE_WELCOME */
    WIRE_LISTEN,     /* text addr (net/addr form), u32 backlog              WIRE_LISTENING with a descriptor | WIRE_FAILED.
                      * The same addr again gives the same socket: how a new gateway gets its listeners back. */
    WIRE_UNLISTEN,   /* text addr                                           WIRE_DONE */
    WIRE_SPAWN,      /* text label, text stderr_file, u64 stderr_max_bytes, list argv, list env ("K=V"), text cwd,
                      * u32 fence (enum wire_fence), u32 port, list rules (enum wire_rule and a path each)
                      *                                                     WIRE_SPAWNED | WIRE_FAILED (label in use, exec failed: sys = errno) */
    WIRE_KILL,       /* text label, u32 term_ms, u32 again_ms               WIRE_DONE when asked for, WIRE_EXITED when it is gone:
                      * TERM now, TERM again after term_ms, KILL again_ms after that (0, 0: KILL at once); to the child's process group */
    WIRE_LIST,       /* -                                                   WIRE_LISTED */
    WIRE_OBITUARY,   /* text label                                          WIRE_TAIL: what a living child has said last */
    WIRE_READY,      /* - : /livez answers; deaths before it count against the gateway   (no answer) */
    WIRE_UPGRADE,    /* list argv: start a gateway beside this one          WIRE_HEIR with a descriptor | WIRE_FAILED (EBUSY: there are two already) */
    WIRE_DROP_HEIR,  /* - : it is killed, unless it is ready                WIRE_DONE, and WIRE_HEIR_GONE when it is gone. Of who was the heir: its elder is */
    WIRE_TAKE,       /* - : the heir is the gateway that counts from now    WIRE_DONE | WIRE_FAILED (it is no heir). Until its WIRE_READY its death
                      *                                                     gives the other its place back */
    /* keeper -> gateway */
    WIRE_WELCOME = 64, /* u32 version, u32 keeper pid, u32 gateway starts so far (1 = first) */
    WIRE_LISTENING,  /* text addr as bound (port 0 resolved) + descriptor */
    WIRE_SPAWNED,    /* u32 pid */
    WIRE_DONE,       /* - */
    WIRE_FAILED,     /* u32 sys (errno), text sentence */
    WIRE_LISTED,     /* list of children: text label, u32 pid, u64 started_wall_ms, list argv ; list of listeners: text addr */
    WIRE_TAIL,       /* text bytes (at most WIRE_OBITUARY_BYTES, the newest) */
    WIRE_EXITED,     /* id 0: text label, u32 pid, u32 exit_code, u32 signal (0 = exited by itself), text last stderr bytes */
    WIRE_STOP,       /* id 0: u32 hard : somebody wants us gone (TERM/INT at the keeper): 0 = drain, 1 = second signal, now */
    WIRE_RELOAD,     /* id 0: HUP at the keeper */
    WIRE_HEIR,       /* u32 pid + descriptor: the socket to it. id 0: not asked for; the one that counts has died, this one comes after it */
    WIRE_HEIR_GONE,  /* id 0: u32 exit_code, u32 signal: the heir is gone before it was ready; who hears this is the one that counts */
};

/* What is shut to a child; 0 = nothing. */
enum wire_fence {
    WIRE_FENCE_FILES = 1,   /* all files but those of the rules; signals to processes that are not its own, and their abstract sockets */
    WIRE_FENCE_TCP = 2,     /* TCP, but listening on `port` when it is not 0 */
    WIRE_FENCE_CALLS = 4,   /* connecting to anything, and all sockets but those of streams among files (unix), and the kernel's own (netlink) */
    WIRE_FENCE_ALL = WIRE_FENCE_FILES | WIRE_FENCE_TCP | WIRE_FENCE_CALLS,
};
enum { WIRE_PORT_ANY = 65536 }; /* in the place of a port: whichever the kernel gives it */
/* The letter before a rule's path. A folder stands for all below it. */
enum wire_rule {
    WIRE_RULE_READ = 'r',
    WIRE_RULE_RUN = 'x',    /* read, and run programs */
    WIRE_RULE_DEVICE = 'd', /* read and write what is there, and ask devices (ioctl) */
    WIRE_RULE_SHARED = 's', /* make, read, write and remove files in it, not see which there are: shared memory */
    WIRE_RULE_WRITE = 'w',  /* all but running and asking devices */
    WIRE_RULE_ALL = 'a',
};

struct wire_head {
    uint32_t body_bytes;
    uint16_t type;   /* enum wire_type */
    uint16_t fds;    /* descriptors that travel with it, 0 or 1 */
    uint32_t id;
};
enum { WIRE_HEAD_BYTES = 12 };

/* Writing: wire_begin(), fields, wire_end() patches the length. */
size_t wire_begin(struct buf *b, enum wire_type type, uint32_t id);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_text(struct buf *b, struct str s);
void wire_end(struct buf *b, size_t begun_at);
void wire_mark_fd(struct buf *b, size_t begun_at); /* a descriptor travels with this message */

/* Reading. wire_peek: false while the head or body is not whole yet, and, with *bad set (never cleared), when the length is over
 * WIRE_MAX_BYTES or more than one descriptor is announced. A reader that runs past the end
 * becomes bad and returns zeros and empty texts: check wire_reader_ok() once, at the end. */
struct wire_reader {
    struct str left;
    bool bad;
};
bool wire_peek(struct str bytes, struct wire_head *head, struct str *body, bool *bad);
struct wire_reader wire_reader(struct str body);
uint32_t wire_u32(struct wire_reader *r);
uint64_t wire_u64(struct wire_reader *r);
struct str wire_text(struct wire_reader *r);
struct str wire_list(struct wire_reader *r, uint32_t *count); /* a whole list of texts as its bytes, to be read (again) by a reader of its own */
bool wire_reader_ok(const struct wire_reader *r); /* nothing missing, nothing left over */

/* sendmsg/recvmsg with at most one descriptor; fd -1 = none. EINTR is handled; -1 with errno else. The process must ignore SIGPIPE.
 * A received descriptor is close-on-exec and the receiver's. */
ptrdiff_t wire_send(int sock, struct str bytes, int fd);
ptrdiff_t wire_recv(int sock, void *p, size_t room, int *fd);

#endif
