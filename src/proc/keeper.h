/* The gateway's end of the keeper: ask it to listen, spawn, kill and list; hear of deaths. See keeper/wire.h for the words.
 * Every request completes once, through its callback, never from inside the call. When the keeper is gone, on_lost runs and the gateway must end:
 * its children die with the keeper. */
#ifndef HOB_PROC_KEEPER_H
#define HOB_PROC_KEEPER_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

struct fence_rules;
struct keeper;

#define KEEPER_KEPT_NAME "HOB_ACCEPTED"
#define KEEPER_HEIR_NAME "HOB_HEIR"
#define KEEPER_KILLED_NAME "HOB_KILLED"
/* Where a gateway that hob-keeper started finds its end of the wire (WIRE_FD …, for who may not include the wire). */
enum { KEEPER_FD = 3, KEEPER_KEPT_FD = 4, KEEPER_HEIR_FD = 5 };

struct keeper_exit {
    struct str label;
    int pid;
    int exit_code;       /* when signal is 0 */
    int signal;
    struct str last;     /* the obituary: newest bytes of its stderr; dies on return */
};

struct keeper_ops {
    void (*on_exited)(void *ctx, const struct keeper_exit *x);
    void (*on_stop)(void *ctx, bool hard);
    void (*on_reload)(void *ctx);
    void (*on_lost)(void *ctx);
    /* NULL is fine for these. The heir is gone before it was ready: this one counts (still, or again). The one that had taken over has died: fd, the receiver's,
     * leads to the one after it. */
    void (*on_heir_gone)(void *ctx, int exit_code, int signal);
    void (*on_heir)(void *ctx, int fd);
};

/* Takes fd over (WIRE_FD in a gateway) and greets the keeper; SIGPIPE is ignored from now on. */
struct keeper *keeper_attach(struct loop *l, int fd, const struct keeper_ops *ops, void *ctx);
void keeper_free(struct keeper *k); /* callbacks that have not run never will; fine from inside one */

struct keeper_spawn {
    struct str label;               /* unique among living children, e.g. the model's name */
    const struct str *argv;         /* argv[0] is the path of the executable */
    size_t nargv;
    const struct str *env;          /* all of the child's environment */
    size_t nenv;
    struct str stderr_file;         /* appended to, capped */
    uint64_t stderr_max_bytes;
    const struct fence_rules *fence; /* NULL: none */
};

/* e NULL: fd is the receiver's; close() it when done: the keeper has its own. Non-blocking, listening, port 0 resolved in `bound`. */
typedef void keeper_listen_fn(void *ctx, int fd, struct str bound, const struct err *e);
/* e NULL: it runs. ERR_ENGINE_MISSING: the executable cannot be run; ERR_LOAD_FAILED: anything else. */
typedef void keeper_spawn_fn(void *ctx, int pid, const struct err *e);
struct keeper_child {
    struct str label;
    int pid;
    int64_t started_wall_ms;
    const struct str *argv; /* as it was started: where its socket and key file are */
    size_t nargv;
    bool as_it_is;          /* who hands it on: it is to be kept, whatever it would be started with now */
};
/* doors: the addresses where it listens for us, as they were bound. All dies on return. */
typedef void keeper_list_fn(void *ctx, const struct keeper_child *children, size_t n, const struct str *doors, size_t ndoors);

void keeper_listen(struct keeper *k, struct str addr, keeper_listen_fn *done, void *ctx);
void keeper_start_child(struct keeper *k, const struct keeper_spawn *s, keeper_spawn_fn *done, void *ctx);
/* TERM now, TERM again after term_ms, KILL again_ms later; 0, 0 = KILL now. on_exited tells when it is gone; no such child: nothing. */
void keeper_kill(struct keeper *k, struct str label, uint32_t term_ms, uint32_t again_ms);
void keeper_list(struct keeper *k, keeper_list_fn *done, void *ctx);
void keeper_ready(struct keeper *k); /* /livez answers: a crash from now on does not count against us */
/* A second gateway beside this one (keeper/gateway.c says what becomes of the two). e NULL: fd, the receiver's, leads to it. ERR_SYSTEM, with EBUSY: there
 * are two already. */
typedef void keeper_upgrade_fn(void *ctx, int pid, int fd, const struct err *e);
void keeper_upgrade(struct keeper *k, const struct str *argv, size_t nargv, keeper_upgrade_fn *done, void *ctx);
void keeper_drop_heir(struct keeper *k); /* or the elder: whoever there is beside this one */
/* For the heir: it is the one that counts from now on. e NULL: so it is. */
typedef void keeper_take_fn(void *ctx, const struct err *e);
void keeper_take(struct keeper *k, keeper_take_fn *done, void *ctx);
/* Once WELCOME has come, or the keeper has refused us: its words, "" when it has not. */
typedef void keeper_greeted_fn(void *ctx, struct str refusal);
void keeper_when_greeted(struct keeper *k, keeper_greeted_fn *done, void *ctx); /* at once after keeper_attach() */

int keeper_starts(const struct keeper *k); /* 1: this is the first gateway of this keeper; known after WELCOME, 0 before */

#endif
