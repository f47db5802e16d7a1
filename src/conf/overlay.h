/* What swaps change of a configuration (evidence/swap.h): roles and tiers lead to other models, for all callers or for a share of them; models run in another build
 * of their engine. The file stays as it is: a configuration is derived from the one that was read, and differs from it in nothing else. Pure. */
#ifndef HOB_CONF_OVERLAY_H
#define HOB_CONF_OVERLAY_H

#include "conf/config.h"

struct conf_shift {
    struct str name;            /* a role or a tier */
    struct str said;            /* the model that the file names, or leads to by a tier */
    struct str from, to;        /* who is replaced (said, or who has replaced that), and who takes its place: models */
    double share;               /* of the conversations, 0 < share <= 1; below 1 only of a role, and `from` stays its model */
    struct str until;           /* YYYY-MM-DD: `from` is deprecated for so long; empty = not. Only with share 1 */
    struct str engine;          /* not empty: of a model. `name` runs in this engine, said, from and to are paths of builds; the rest means nothing */
};

/* Why a shift does not hold: the file has been changed since, and what a person writes there goes before. */
enum conf_shift_state {
    SHIFT_HOLDS,
    SHIFT_DONE,                 /* the file says `to` itself by now */
    SHIFT_OVERTAKEN,            /* it says neither that, nor who is replaced */
    SHIFT_NO_NAME,              /* there is no such role, tier or model any more */
    SHIFT_NO_MODEL,             /* `to` is no model any more */
};
enum conf_shift_state conf_shift_look(const struct config *base, const struct conf_shift *s);

/* base itself (held once more) when none of them holds; else a new one that holds base: conf_free() it. `to` goes before `from`, which is its first fallback and stays
 * in memory while there is room; what is `keep: hot` changes places with it. */
const struct config *conf_overlay(const struct config *base, const struct conf_shift *shifts, size_t n);
/* The engine that a model is in by a shift has a name of its own in the derived configuration, "llama at /opt/new/llama-server". */
/* What was read: of one that was derived its base, else itself. Borrowed. */
const struct config *conf_as_read(const struct config *c);

#endif
