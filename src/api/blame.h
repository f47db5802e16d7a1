/* Whose fault is it? One table: where a request failed, and what was seen there, to a fault, a code and a line of evidence; and whether asking the same
 * place again makes sense. Pure. */
#ifndef HOB_API_BLAME_H
#define HOB_API_BLAME_H

#include "base/err.h"
#include "base/str.h"

enum blame_where {
    BLAME_ASKING     = 1,    /* the request itself, before any place was thought of */
    BLAME_WAITING    = 2,    /* for a place: passed over, in its line, while it loads or wakes */
    BLAME_CONNECTING = 4,    /* sent, or about to be: no byte of an answer yet */
    BLAME_ANSWERING  = 8,    /* its answer has begun, and none of it has gone to the caller */
    BLAME_TELLING    = 16,   /* a part of it has */
    BLAME_ANYWHERE   = 31,
};

enum blame_cause {           /* what else must be so */
    CAUSE_ANY,
    CAUSE_NO_HANDLES,        /* the system had none left for us: files, ports, memory for sockets */
    CAUSE_DIED,              /* the process that should have answered has died meanwhile */
    CAUSE_DIED_OF_MEMORY,
    CAUSE_RUSH,              /* one caller, many requests, and a place that is only just loading (api/rush.h) */
};

struct blame_row {
    unsigned where;          /* enum blame_where, or-ed */
    enum err_code seen;
    enum blame_cause cause;
    enum fault fault;
    enum err_code code;      /* what the caller and the row are told */
    bool again;              /* the same place may be asked once more, unless something has gone to the caller */
    bool ours;               /* the error's text is our own and holds nothing of a prompt: it is the evidence */
    const char *saw;
};

/* The first row that fits; there is one for every code. */
const struct blame_row *blame_find(enum blame_where where, enum err_code seen, enum blame_cause cause);
const struct blame_row *blame_at(size_t i); /* NULL past the end */
/* CAUSE_NO_HANDLES, or CAUSE_ANY, by errno. */
enum blame_cause blame_cause_of(int sys);

/* What a row keeps of it, in a line: who, what was seen, the status of who refused (0: nobody did). Nothing of what a place has said: prompts are cited there. */
void blame_write(const struct blame_row *r, const struct err *e, struct str model, struct str host, int status, char *out, size_t room);

#endif
