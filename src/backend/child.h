/* One managed child's life, whatever its kind: looked at, started by the keeper, asked until it is ready, kept warm, watched, taken over from an earlier
 * gateway, stopped, its death read. A kind gives a table of what differs (its command line, what to ask it, what it says of itself) and lies around the
 * child.
 *
 *   child.c        its life, its key, its end
 *   child_ask.c    one question of ours at a time
 *   child_fence.c  what it may reach
 *   child_probe.c  the questions until it is ready
 *   child_learn.c  those that can wait until it is
 *   child_prompts.c  its prompts, over an unload
 *   child_watch.c  is it hung? the heartbeat; does it die?
 *
 * Private to the kinds and these files. */
#ifndef HOB_BACKEND_CHILD_H
#define HOB_BACKEND_CHILD_H

#include "backend/backend_int.h"
#include "backend/launch.h"
#include "model/identity.h"

struct child;

/* What we ask a child ourselves. It goes over connections of its own: what comes back says nothing about how callers fare. */
struct child_question {
    const char *method;             /* NULL: GET */
    struct str path;
    struct str body;                /* borrowed until it is answered */
    int64_t limit_ms;               /* for the first byte, and between two; 0: 30 s */
    bool works;                     /* it takes a slot: child_learn.c waits for a free moment */
};
/* rc ERR_OK: a whole answer. Dies on return: body. */
typedef void child_answer_fn(struct child *c, enum err_code rc, int status, struct str body);

enum child_heard {
    CHILD_GO_ON,
    CHILD_ASK_AGAIN,                /* a little later, from the health path on */
    CHILD_UNFIT,                    /* the load has failed: e says why */
};

struct child_kind {
    /* Before a start, on the pool: it may block. It reads c->file, not the configuration. May be NULL. */
    enum err_code (*look)(struct child *c, struct err *e);
    /* Its words and environment as it would be started now (out is fresh). */
    enum err_code (*launch)(struct child *c, struct launch *out, struct err *e);
    bool keyless;                   /* it knows of no key: none is written or sent */
    const char *health;             /* path; NULL: the model's `health:` */
    int (*port)(const struct child *c); /* of loopback, that it shall listen on: looked at before it is believed. NULL, or 0: it has a socket of its own */
    /* Once it is up: what to ask it, nth from 0. false: nothing more. May be NULL. */
    bool (*question)(struct child *c, int nth, struct child_question *out);
    enum child_heard (*heard)(struct child *c, int nth, int status, struct str body, struct err *e);
    int64_t silence_ms;             /* `silence: auto` */
    /* What else is worth knowing of it, asked once it is hot, while nobody waits for it; as question(), heard(). false: no more. May be NULL. */
    bool (*wonder)(struct child *c, int nth, struct child_question *out);
    bool (*learned)(struct child *c, int nth, int status, struct str body);
    void (*free)(struct child *c);  /* the kind's struct that the child lies in */
};

struct child {
    struct backend *b;
    const struct child_kind *kind;
    struct service *service;
    char sock[108], key_file[128], log_file[4096]; /* log_file: as proc/log_file.h has it */
    char file[4096];                /* the model's, copied for the pool */
    char key[33];

    struct http_pool *asks;         /* for questions of ours */
    struct http_call *call;         /* one at a time */
    child_answer_fn *answered;
    int status;
    struct buf answer, question;

    struct timer poll, limit;       /* until it is ready */
    int64_t running_ms;             /* since when it runs */
    struct owner_check *checking;   /* is it the one that listens? NULL: that is not being looked at */
    bool owner;                     /* it is */
    int nth;                        /* question */

    struct timer wonder;            /* once it is hot: child_learn.c */
    int wondered, wonders;          /* questions answered; times it was begun anew */
    int pauses, paused;             /* how often the next of them has waited for a free moment; as of the last look */
    struct timer watch, warm, end;  /* while it is hot, and while it is stopped */
    int64_t asked_ms;               /* when the last look at a silent child began, or the heartbeat */
    int64_t alive_ms;               /* when it last answered such a look */
    int misses;                     /* looks in a row that nothing came of */

    uint64_t number;                /* of its name, for files */
    char identity[IDENTITY_HEX];    /* of its words, engine and weights */
    bool saving;                    /* its prompts, before it is stopped */
    int step;
    int64_t saved_bytes;
    void (*restored)(struct child *c);

    int found_pid;                  /* of a child to be taken over; 0 = none */
    bool found_as_it_is;            /* a gateway hands it over: kept, whatever it would be started with now */
    struct buf found_argv;          /* its words, each with a NUL behind it */
    struct work look;
    enum err_code look_rc;
    struct err look_error;
};

/* c lies zeroed in the kind's own memory; b->child becomes c. */
void child_init(struct child *c, struct backend *b, const struct child_kind *k, struct str run_dir);

/* For the rows of backend kinds. */
void child_load(struct backend *b);
void child_unload(struct backend *b);
void child_adopt(struct backend *b, const struct keeper_child *found);
int child_pid(const struct backend *b);
void child_free(struct backend *b);

/* ---- child.c ---- */
void child_is_hot(struct child *c);

/* ---- child_ask.c ---- */
void child_ask(struct child *c, const struct child_question *q, child_answer_fn *answered); /* not while another is open */
void child_ask_cancel(struct child *c);
struct str child_health_path(const struct child *c);
/* One token, vector or score out of the real path. false: this kind of model has no such short question. q->body is c->question. */
bool child_smallest_question(struct child *c, struct child_question *q);

/* ---- child_fence.c ---- */
void child_fence_prepare(struct child *c);                    /* on the pool */
void child_fence(struct child *c, struct launch *l);          /* l: its words and environment, as the kind has them */

/* ---- child_probe.c ---- */
void child_probe_init(struct child *c);
void child_probe_start(struct child *c);   /* it runs: asks until it is hot, or for too long */
void child_probe_stop(struct child *c);

/* ---- child_learn.c ---- */
void child_learn_init(struct child *c);
void child_learn_start(struct child *c);   /* it is hot */
void child_learn_stop(struct child *c);

/* ---- child_prompts.c ---- */
void child_prompts_identify(struct child *c, const struct launch *words);
bool child_prompts_folder(const struct child *c, char *out, size_t room); /* makes it */
/* It is idle and shall go. true: child_stop() comes when its prompts are saved; else there is nothing to save. */
bool child_prompts_save(struct child *c);
/* It has just been loaded (step is 0): then() runs when what was saved is back, or at once. */
void child_prompts_restore(struct child *c, void (*then)(struct child *c));

/* ---- child_watch.c ---- */
void child_watch_init(struct child *c);
void child_watch_start(struct child *c);   /* it is hot */
void child_watch_stop(struct child *c);
void child_stop(struct child *c);          /* TERM, TERM, KILL; if it is still there after that, it is wedged */

#endif
