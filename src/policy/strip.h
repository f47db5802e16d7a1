/* Takes the thoughts at the beginning of a model's text out of it: one block or several after each other, in the spelling of any family that is known
 * (see the table in strip.c). Pure, one pass; any split of the same bytes gives the same text and the same thoughts.
 * Only at the beginning, white space before it aside: what stands later, in code or in prose, is text. A tag is its exact letters: one with attributes
 * (`<think x="1">`) is text, since models write theirs by heart, and an answer in XML is an answer.
 * Bytes are held back no longer than they may still be a tag. White space behind a tag is dropped, before the first block too; where no block comes
 * it is text. A block that is not closed is thoughts to the end; so is a tag that is cut at the end (`<think`; up to 3 bytes of one are text). */
#ifndef HOB_POLICY_STRIP_H
#define HOB_POLICY_STRIP_H

#include "base/buf.h"

enum { STRIP_MAX_BLANK = 32 }; /* white space before the first block; behind more of it whatever comes is text */

enum strip_state {
    STRIP_BEGIN,   /* nothing but white space yet */
    STRIP_OPENED,  /* just behind an opening tag */
    STRIP_THOUGHT,
    STRIP_GAP,     /* behind a block */
    STRIP_TEXT,
};

/* Small, by value, nothing to free. */
struct strip {
    unsigned char state;            /* enum strip_state */
    unsigned char spelling;         /* whose closing tag ends the block; that of any does when the template has opened it */
    unsigned char tag, held;        /* so many bytes of that tag have come, and may become it */
    unsigned char nblank;
    char blank[STRIP_MAX_BLANK];
};

/* open: the template has opened a thought already, so the text begins within one; that it opens another first is fine. */
void strip_init(struct strip *s, bool open);
/* What is certain of it by now is appended to text and thought. */
void strip_feed(struct strip *s, struct str piece, struct buf *text, struct buf *thought);
/* No more will come: what is held goes to one of the two. */
void strip_end(struct strip *s, struct buf *text, struct buf *thought);
/* All that follows is text: strip_feed() need not be called any more. */
static inline bool strip_settled(const struct strip *s)
{
    return s->state == STRIP_TEXT;
}

/* The first tag of thoughts that stands anywhere in the text, as it stands there; empty = none. For who holds an answer to have none: what it means there is not asked. */
struct str strip_tag_in(struct str text);

#endif
