/* One managed child's life, whatever its kind: looked at, started by the keeper, asked until it is ready, taken over from an earlier gateway, stopped,
 * its death read. A kind gives a table of what differs (its command line, what to ask it, what it says of itself) and lies around the child.
 *
 * child.c is its life, child_probe.c the questions until it is ready. Private to the kinds and these files. */
#ifndef HOB_BACKEND_CHILD_H
#define HOB_BACKEND_CHILD_H

#include "backend/backend_int.h"
#include "backend/launch.h"

struct child;

enum child_heard { CHILD_GO_ON, CHILD_ASK_AGAIN }; /* ASK_AGAIN: a little later, from /health on */

struct child_question {
    struct str path;                /* GET */
};

struct child_kind {
    /* Before a start, on the pool: it may block. It reads c->file, not the configuration. May be NULL. */
    enum err_code (*look)(struct child *c, struct err *e);
    /* Its words and environment as it would be started now (out is fresh). */
    enum err_code (*launch)(struct child *c, struct launch *out, struct err *e);
    const char *health;             /* path that answers 200 when it is up */
    /* Once it is up: what to ask it, nth from 0. false: nothing more. */
    bool (*question)(struct child *c, int nth, struct child_question *out);
    enum child_heard (*heard)(struct child *c, int nth, int status, struct str body);
    void (*free)(struct child *c);  /* the kind's struct that the child lies in */
};

enum child_asking { ASKING_NOTHING, ASKING_HEALTH, ASKING_QUESTION };

struct child {
    struct backend *b;
    const struct child_kind *kind;
    struct service *service;
    char sock[108], key_file[128], log_file[4096];
    char file[4096];                /* the model's, copied for the pool */
    char key[33];

    struct http_call *call;         /* of ours, one at a time */
    enum child_asking asking;
    int nth;                        /* question */
    int status;                     /* of the answer */
    struct buf answer;
    struct timer poll, limit;
    int64_t poll_ms;

    int found_pid;                  /* of a child to be taken over; 0 = none */
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

/* ---- child_probe.c ---- */
void child_probe_init(struct child *c);
void child_probe_start(struct child *c);   /* it runs: asks until it is hot, or for too long */
void child_probe_stop(struct child *c);

/* ---- child.c, for child_probe.c ---- */
enum { CHILD_TERM_MS = 5000, CHILD_TERM_AGAIN_MS = 3000 }; /* it may hang on the first TERM with work in flight (doc/internals/engine.md) */
void child_is_hot(struct child *c);

#endif
