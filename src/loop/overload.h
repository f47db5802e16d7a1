/* How much memory this process has, against what it may have: one ledger for all who take in what others send.
 *
 *   CALM -> REFUSING (90 %: no new work) -> SHEDDING (95 %: who only keeps a connection open loses it, too)      and back at 80 % and 90 %
 *
 * What is used is what the system says this process has (its own pages, not those of mapped files), looked at ten times a second at most and only while
 * something comes in, plus what the system cannot know of yet: what is *promised* (a body that was announced, and what will be made of it) and what has
 * *landed* since the last look. So the room for a body is taken before its first byte is read, and no request costs a system call.
 * Nothing is ever taken away from who has it: a promise is kept, a running stream goes on. */
#ifndef HOB_LOOP_OVERLOAD_H
#define HOB_LOOP_OVERLOAD_H

#include "loop/loop.h"

#include <stdint.h>

enum overload_level { OVERLOAD_CALM, OVERLOAD_REFUSING, OVERLOAD_SHEDDING };
extern const char *const overload_level_name[];

struct overload;

/* Bytes this process has; -1 = the system does not say it this time. NULL: the system's own word. */
typedef int64_t overload_measure_fn(void *ctx);

struct overload *overload_new(struct loop *l, overload_measure_fn *measure, void *ctx);
void overload_free(struct overload *o); /* NULL is fine */
void overload_limit(struct overload *o, int64_t bytes); /* from now on */
/* Told at each change of level, and at each look while it is not CALM. */
void overload_watch(struct overload *o, void (*on_level)(void *ctx, enum overload_level now), void *ctx);

/* ---- the ledger; all of it is a few additions ---- */

/* May new work begin that will need so much? */
bool overload_admits(const struct overload *o, int64_t bytes);
/* May work that runs grow by so much? To 97 % of the limit. */
bool overload_bears(const struct overload *o, int64_t bytes);
bool overload_is_promised(const struct overload *o); /* anything is */
void overload_promise(struct overload *o, int64_t bytes);
void overload_keep(struct overload *o, int64_t bytes);    /* of a promise: it is there now */
void overload_forget(struct overload *o, int64_t bytes);  /* of a promise: it will never be */
void overload_landed(struct overload *o, int64_t bytes);  /* came unannounced */

struct overload_figures {
    enum overload_level level;
    int64_t limit_bytes;
    int64_t measured_bytes;         /* at the last look */
    int64_t promised_bytes;
    int64_t used_bytes;             /* with what has landed since */
    uint64_t times;                 /* it has become REFUSING */
};
/* Looks anew where the last look is a while ago. */
void overload_figures(struct overload *o, struct overload_figures *out);

/* ---- the system's word: own_memory_linux.c, own_memory_darwin.c ---- */
struct own_memory;
struct own_memory *own_memory_open(void);              /* once: it holds what it needs to ask again when nothing can be opened any more */
int64_t own_memory_bytes(const struct own_memory *m);
void own_memory_give_back(void);                       /* what is free goes back to the system; takes a while */
void own_memory_close(struct own_memory *m);

#endif
