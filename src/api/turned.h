/* Who was turned away without a row: counted by reason, and said in the log, a line a reason and minute at most. What is in the line of his is escaped and short; nothing of his
 * headers but the Host or Origin that was not let in, nothing of a body, no path and no key. */
#ifndef HOB_API_TURNED_H
#define HOB_API_TURNED_H

#include "base/err.h"
#include "http/server.h"
#include "loop/loop.h"

enum turned {
    TURNED_TLS, TURNED_HTTP2, TURNED_HTTP09, TURNED_PROXY, TURNED_SSH, TURNED_NOT_HTTP, /* what he spoke */
    TURNED_FRAMING, TURNED_HEADERS, TURNED_SLOW, TURNED_HOST, TURNED_ORIGIN, TURNED_ATTEMPTS, TURNED_MEMORY, TURNED_REQUESTS, TURNED_CONNECTIONS,
    TURNED_REASONS
};
extern const char *const turned_name[TURNED_REASONS]; /* "tls" "http2" … */

struct turned_log {
    struct loop *loop;
    struct timer later;                     /* those that were not said are, as a number */
    int64_t said_ms[TURNED_REASONS];        /* loop time; 0 = never */
    uint64_t unsaid[TURNED_REASONS];
    bool ended;
};
void turned_init(struct turned_log *t, struct loop *l);
void turned_end(struct turned_log *t); /* before the loop is freed: what is still to be said is said */

/* TURNED_REASONS: it is none of these (a path that is not there, a missing key …), and the log says nothing. overloaded: the reason where that is the code. */
enum turned turned_why(const struct err *e, enum http_tongue tongue, enum turned overloaded);
/* peer: as http_req_peer() has it. */
void turned_say(struct turned_log *t, enum turned why, const unsigned char peer[16], const struct err *e);

#endif
