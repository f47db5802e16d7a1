/* A chat that a request has of its own: the judge of `auto` is asked, a draft is checked. It is an exchange like any other, with the place's health, its line
 * and its words in any dialect, but for one candidate, without a caller and without a row: what it used is added to the request's own. It ends with its
 * request. */
#ifndef HOB_API_INNER_H
#define HOB_API_INNER_H

#include "api/answer.h"
#include "base/buf.h"
#include "loop/loop.h"

struct exchange;

/* Who has the answer of an exchange without a caller, or hears why there is none: x->asker. Once, unless it is abandoned; x->lead has the answer, and is let go of after it. */
struct asker {
    void (*answered)(struct asker *k, struct exchange *x, const struct err *e);
};

/* Lies inside an exchange; one at a time. */
struct inner {
    struct asker asker;
    struct exchange *owner;
    struct exchange *x;         /* under way; NULL = none is */
    struct timer deadline;
    struct later told;
    struct buf body;            /* what is asked: to be filled before it begins */
    struct buf content;         /* the words of the answer */
    struct err why;             /* why there is none; code ERR_OK = there is one */
    struct tokens tokens;       /* -1 = unknown */
    void (*on_done)(struct exchange *owner);    /* once, from the loop, unless it is dropped */
};

void inner_init(struct inner *i, struct exchange *owner);
/* model: index in the world's configuration. It causes no load when resident is wished for. */
void inner_start(struct inner *i, size_t model, bool resident, int64_t deadline_ms, void (*on_done)(struct exchange *owner));
void inner_drop(struct inner *i);                               /* on_done will not run; buffers are given back */

#endif
