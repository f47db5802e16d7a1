/* A hob of its own to measure in: this same program as a child, with a configuration made for the purpose, in a folder of its own and on a port that the
 * kernel chooses. What is in force in the user's own daemon stays as it is, and so does its book.
 *
 *   lab_open() ─ fork ─> hob __lab FOLDER (lab_keep.c) ─> hob serve
 *
 * Who keeps it (`hob __lab`) reads a pipe that we hold: when we close it, or are gone however that came (^C, an error, a kill), it stops the hob, waits
 * for it and removes the folder. So nothing is left whichever way a command ends, and lab_close() is only its orderly form, which waits for that.
 * Blocks; for commands. One thread. */
#ifndef HOB_CLI_LAB_H
#define HOB_CLI_LAB_H

#include "cli/cli.h"
#include "cli/daemon.h"

struct lab;

/* A setting of a model that differs from the user's: "threads", "2"; "kv", "\"q8_0\""; "args", "[\"--no-repack\"]". value: JSON; empty: left out, so that hob's
 * default holds. */
struct lab_set {
    struct str key, value;
};

struct lab_model {
    const struct conf_model *model;     /* of the configuration below; one with a `file` */
    struct str name;                    /* in the lab; empty: as it is called */
    struct str engine;                  /* another llama-server: a path, or a name on PATH; empty: as configured */
    const struct lab_set *set;
    size_t nset;
    bool hot;                           /* loaded when lab_open() returns; else by the first request, or by `load` at the admin door */
};

struct lab_wish {
    const struct cli_args *args;        /* of the command that asks */
    const struct config *config;        /* the user's */
    const struct lab_model *models;
    size_t nmodels;                     /* at least one */
    int64_t ready_ms;                   /* how long it may take until the hot ones are loaded; 0 = 15 min */
    bool quiet;                         /* no word on stderr */
};

/* Everything is copied but args and config, which must outlive it. Looks at memory first: what is loaded in the user's daemon stays there, so a model may be
 * there twice. ERR_DOES_NOT_FIT: no room, with what to unload. ERR_LOAD_FAILED: a hot one did not load, with its reason. ERR_CONFIG: not a model of this
 * machine's with a file, or HOB_URL is set. ERR_SYSTEM. On error there is nothing to close. */
enum err_code lab_open(struct lab **out, const struct lab_wish *w, struct err *e) __attribute__((warn_unused_result));
/* Would it open, as far as can be told without starting anything? lab_open()'s errors of configuration and memory. */
enum err_code lab_check(const struct lab_wish *w, struct err *e) __attribute__((warn_unused_result));
/* Stops it and removes its folder; returns when both are done. NULL is fine. */
void lab_close(struct lab *l);

/* All of these live as long as the lab. */
const struct door *lab_door(const struct lab *l);       /* the public one */
const struct door *lab_admin(const struct lab *l);      /* the socket, for door_ask() */
const struct config *lab_config(const struct lab *l);   /* as it was made: to find a model's settings in */
/* The command's own arguments with --config and --state leading to the lab: whatever takes a cli_args (ask_daemon(), eval_pair() …) works in it then. */
const struct cli_args *lab_args(const struct lab *l);
struct str lab_folder(const struct lab *l);             /* hob.yaml, log, state/ */

/* lab_config.c: its hob.yaml (JSON is YAML). Pure. What is not about models (timeouts, policy, limits, sandbox …) is as the user's is, hosts and roles are left out. */
enum err_code lab_write_config(const struct config *c, const struct lab_model *models, size_t n, struct str state, struct buf *out, struct err *e)
    __attribute__((warn_unused_result));
/* A text as a value of hob.yaml: `${` becomes `$${`. For a lab_set's value. */
struct json_out;
void lab_put_text(struct json_out *o, struct str s);
/* ERR_DOES_NOT_FIT when what shall be loaded in it at a time (all hot ones, else the largest) has no room beside what is loaded now. lab_room.c. */
enum err_code lab_check_room(const struct cli_args *a, const struct config *user, const struct config *lab, struct err *e) __attribute__((warn_unused_result));

/* lab_keep.c: what `hob __lab` does with its descriptors. */
enum { LAB_HOLD_FD = 0, LAB_TELL_FD = 1, LAB_LOCK_FD = 3 };

#endif
