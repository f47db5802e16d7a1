/* The gateway process in parts: gateway.c its life, upgrade.c how it lets another take its place, succeed.c how it takes another's. */
#ifndef HOB_CLI_GATEWAY_INT_H
#define HOB_CLI_GATEWAY_INT_H

#include "admin/admin.h"
#include "api/api.h"
#include "api/shadow.h"
#include "cli/cli.h"
#include "cli/reload.h"
#include "cli/rundir.h"
#include "evidence/swaps.h"
#include "proc/heir.h"
#include "proc/notify.h"
#include "net/conn.h"
#include "store/requests.h"

struct limits;
struct upgrade;
struct succession;

struct gateway {
    const struct cli_args *args;
    const struct config *config;    /* in force; held */
    struct loop *loop;
    struct keeper *keeper;
    struct services *services;      /* NULL, as all below, until it is built */
    struct notify *notify;
    struct meter *meter;
    struct store *store;
    struct swaps *swaps;
    struct told *told;
    struct fleet *fleet;
    struct api *api;
    struct keys *keys;              /* read; the api's once there is one */
    struct admin *admin;
    struct reload *reload;
    struct http_server *server;
    struct limits *limits;
    struct listener *listener;
    struct reload_wish signalled;   /* by HUP */
    struct upgrade *upgrade;        /* to who comes after it */
    struct succession *after;       /* from who was there before it; NULL: nobody, or it is gone */
    struct timer drain_limit, flush;
    char run_dir[RUNDIR_MAX_BYTES];
    struct addr wanted;             /* where to listen */
    int lock_fd;                    /* of the state folder */
    int port_tries;
    bool next_free_port, strict;
    bool after_kill;                /* the gateway before this one was killed, from outside */
    bool flipping;                  /* a swap changes what holds: who tells of it knows why */
    bool listed, swaps_known;       /* what runs; what is swapped: then it listens */
    bool listened;                  /* so far */
    int64_t began_ns, read_ns, built_ns; /* it was started, had the configuration, had the rooms */
    bool draining, stopping, stopped;
    bool retired;                   /* another has its place */
    bool on_trial;                  /* an heir that does not serve yet: its store may have to be given back as it was */
    struct store_job opened;        /* … that it could be had */
    int exit_code;
};

/* ---- gateway.c ---- */
void gateway_end(struct gateway *g, int code);
void gateway_drain(struct gateway *g);
void gateway_build(struct gateway *g);
void gateway_list(struct gateway *g);       /* what runs already, and then it listens */
void gateway_listen(struct gateway *g);
void gateway_ask_reload(struct gateway *g);
void gateway_elder_gone(struct gateway *g);

/* ---- upgrade.c ---- */
struct upgrade *upgrade_new(struct gateway *g);
void upgrade_free(struct upgrade *u); /* NULL is fine */
void upgrade_heir_gone(struct upgrade *u, int exit_code, int signal);
void upgrade_heir_again(struct upgrade *u, int fd);
/* It is to stop. True: not now, it has given away what it would need for that, and ends by itself or comes back to it. */
bool upgrade_stops(struct upgrade *u);

/* ---- succeed.c ---- */
/* KEEPER_HEIR_NAME is set: it is an heir (true), or comes after one that has died (*again). */
bool succeed_is_heir(bool *again);
void succeed_fail(struct str why);                          /* an heir that cannot: tells the other, and is to exit then */
/* An heir says that it is ready, and goes on with gateway_build() when the other has let go. */
void succeed_begin(struct gateway *g);
void succeed_again(struct gateway *g);                      /* built already */
void succeed_adopted(struct succession *s);                 /* the children are taken over: what the other holds of them is held */
void succeed_serving(struct succession *s);
void succeed_free(struct succession *s);                    /* NULL is fine */

#endif
