/* Events of a stream that differ in their text alone. A place sends them by the hundreds; of one that was read the long way its bytes are kept, those that left for it,
 * and where in both the text stands. An event that is the same byte for byte but for another text, one that means itself (no escape, no quote), would be read in the
 * same way and leave in the same way: it is cast. Pure; what an event counts for is the caller's. */
#ifndef HOB_API_MOULD_H
#define HOB_API_MOULD_H

#include "base/buf.h"

enum { MOULD_TRIES = 8 };   /* so many events in a row that were not like it, and no more are made: this place's events are never alike */

/* Zeroed is empty. */
struct mould {
    struct buf in, out;         /* an event's data; what left for it */
    size_t in_at, out_at;       /* where the text stands in them, behind its quote */
    size_t bytes;               /* of the text */
    size_t choice;              /* whose it is: for the caller */
    bool thought;               /* a thought's: likewise */
    unsigned char tries;
};
void mould_free(struct mould *m);

static inline bool mould_wanted(const struct mould *m)
{
    return m->tries < MOULD_TRIES;
}
/* Of an event that was just read; both are copied. in_at + bytes <= in.n, likewise out. */
void mould_make(struct mould *m, struct str in, size_t in_at, struct str out, size_t out_at, size_t bytes);

/* *text: that of the event, decoded. */
bool mould_fits(struct mould *m, struct str in, struct str *text);
void mould_cast(const struct mould *m, struct str text, struct buf *out);

#endif
