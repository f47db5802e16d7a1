/* Inside shadows: shadow.c has the queue and sends, shadow_ask.c has an ask's copy and what the two answers were like. */
#ifndef HOB_API_SHADOW_INT_H
#define HOB_API_SHADOW_INT_H

#include "api/exchange_int.h"
#include "api/shadow.h"
#include "store/shadows.h"

/* What an answer says, as numbers: whether two say the same can be seen, what they say cannot. */
struct digest {
    bool known;
    uint64_t text, json;                /* json 0: it is none */
};

/* One ask, from the moment a copy of it is wanted. */
struct shadow_ask {
    struct list node;
    uint64_t course;                    /* which it is for; that may be gone meanwhile */
    char id[REQUEST_ID_BYTES];          /* of the real one */
    struct buf body;                    /* as it came */
    struct buf caller, rule;            /* names: whose key, and which rule held */
    enum caller_class class;
    enum ask_privacy privacy;
    bool local_only, by_itself;
    bool disguised;             /* its rule has personal data disguised: a copy with such data goes nowhere else */
    struct shadow_side old, new;        /* their codes are static texts */
    bool heard_old, heard_new;
    struct digest said_old, said_new;
    int64_t since_ms;                   /* loop time: since when it waits */
    int64_t sent_wall_ms, waited_ms;
    int tries;
};

struct shadow_ask *shadow_ask_new(uint64_t course);
void shadow_ask_free(struct shadow_ask *k); /* NULL is fine */
/* What t has said, t being either of the two. */
void shadow_ask_hear(struct shadow_ask *k, struct attempt *t);
/* The real one is over: its side is complete, and its body copied. False: it says nothing of `from`, or (*large) is too long to be copied. */
bool shadow_ask_take(struct shadow_ask *k, struct exchange *x, struct str from, bool *large);
/* A side whose place failed so; false: that says nothing of it. */
bool shadow_side_fail(struct shadow_side *s, const struct err *e);
struct digest shadow_digest(const struct said_all *said);
enum shadow_alike shadow_ask_alike(const struct shadow_ask *k);
/* x, new, becomes the copy: `to` is its only candidate. Else *e: it cannot take it, or must not. */
enum err_code shadow_ask_dress(struct shadow_ask *k, struct exchange *x, struct str role, struct str to, struct err *e) __attribute__((warn_unused_result));

#endif
