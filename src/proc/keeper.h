/* The gateway's end of the keeper: ask it to listen, spawn, kill and list; hear of deaths. See keeper/wire.h for the words.
 * Every request completes once, through its callback, never from inside the call. When the keeper is gone, on_lost runs and the gateway must end:
 * its children die with the keeper. */
#ifndef HOB_PROC_KEEPER_H
#define HOB_PROC_KEEPER_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

struct keeper;

#define KEEPER_KEPT_NAME "HOB_ACCEPTED"
enum { KEEPER_FD = 3, KEEPER_KEPT_FD = 4 }; /* where a gateway that hob-keeper started finds its end of the wire (WIRE_FD, for who may not include the wire) */

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
};
typedef void keeper_list_fn(void *ctx, const struct keeper_child *children, size_t n); /* all dies on return */

void keeper_listen(struct keeper *k, struct str addr, keeper_listen_fn *done, void *ctx);
void keeper_start_child(struct keeper *k, const struct keeper_spawn *s, keeper_spawn_fn *done, void *ctx);
/* TERM now, TERM again after term_ms, KILL again_ms later; 0, 0 = KILL now. on_exited tells when it is gone; no such child: nothing. */
void keeper_kill(struct keeper *k, struct str label, uint32_t term_ms, uint32_t again_ms);
void keeper_list(struct keeper *k, keeper_list_fn *done, void *ctx);
void keeper_ready(struct keeper *k); /* /livez answers: a crash from now on does not count against us */
int keeper_starts(const struct keeper *k); /* 1: this is the first gateway of this keeper; known after WELCOME, 0 before */

#endif
