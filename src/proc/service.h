/* One child's life, from wanted to gone. Knows processes, not models: readiness is told by its owner, who probes.
 *
 *   stopped -> starting (spawn asked) -> running (it has a pid) -> ready (owner said so) -> stopping -> stopped
 *   any death that nobody asked for -> stopped with `last_error`; five in 60 s -> failed, until service_start() is called again by a person.
 *
 * The owner hears of each change once. A child that does not die by KILL stays in stopping: `wedged` is the owner's word for that. */
#ifndef HOB_PROC_SERVICE_H
#define HOB_PROC_SERVICE_H

#include "proc/keeper.h"

enum service_state { SERVICE_STOPPED, SERVICE_STARTING, SERVICE_RUNNING, SERVICE_READY, SERVICE_STOPPING, SERVICE_FAILED };
extern const char *const service_state_name[];

struct service;

struct service_ops {
    /* The state has changed. An exit nobody asked for: death says how, e what it means (obituary_read). A failed spawn: e alone. Else both NULL.
     * Their texts die on return. May come from inside service_start (starting), service_stop (stopping) and service_is_ready (ready); anything may
     * be called from here but service_free() of this one. */
    void (*on_state)(void *ctx, enum service_state now, const struct keeper_exit *death, const struct err *e);
};

/* All services of a gateway share a keeper; the registry hands deaths to the right one by label. */
struct services;
struct services *services_new(struct loop *l, struct keeper *k);
void services_free(struct services *all); /* after every service_free(); keeper_free() first when some still live */
void services_exited(struct services *all, const struct keeper_exit *x); /* from keeper_ops.on_exited */
size_t services_alive(const struct services *all);                        /* that have a process, or will have one */

struct service *service_new(struct services *all, struct str label, const struct service_ops *ops, void *ctx);
void service_free(struct service *s); /* must be stopped or failed */
/* spec->label is ignored (the service's own is used). Legal when stopped or failed. */
void service_start(struct service *s, const struct keeper_spawn *spec);
void service_adopt(struct service *s, int pid); /* a child that keeper_list() told of under this label: stopped or failed -> running */
void service_is_ready(struct service *s);       /* running -> ready; nothing in any other state */
/* TERM, wait, TERM, wait, KILL (doc/internals/engine.md: llama-server may hang on the first TERM). Fine in any state. */
void service_stop(struct service *s, uint32_t term_ms, uint32_t again_ms);
enum service_state service_now(const struct service *s);
int service_pid(const struct service *s); /* 0 when it has none */

#endif
