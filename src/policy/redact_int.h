/* Between the two directions of a redaction. */
#ifndef HOB_POLICY_REDACT_INT_H
#define HOB_POLICY_REDACT_INT_H

#include "policy/detect.h"
#include "policy/redact.h"

enum {
    KINDS = 5,
    MAX_NUMBER_DIGITS = 9,
    MAX_FIRST = 100000000,      /* so that no number of ours is longer */
    MAX_PLACEHOLDER = 20,       /* bytes, and more */
};

struct value {
    char *p;                    /* its own memory, wiped */
    size_t n;
};

/* All values of one kind, in the order in which they were met. */
struct shelf {
    struct value *at;
    size_t n, room;
    size_t first;               /* number of the first one's placeholder; 1, or behind those that were in the prompt */
    uint32_t *slots;            /* where a value is, by its hash: place on the shelf + 1, 0 = empty */
    size_t nslots;
};

struct redaction {
    struct shelf shelves[KINDS]; /* in the order of redact_names */
    uint64_t key[2];            /* values are a stranger's: which of them share a slot is not his to choose */
    size_t bytes;               /* of all values */
    bool heads[1 << 16];        /* a known value may begin so: by the hash of four bytes */
};

extern const struct str redact_names[KINDS];

/* Is text "[NAME_number" with a ']' behind it, or the beginning of that? */
enum reading { READS_NOTHING, READS_ON, READS_WHOLE };
enum reading redact_read(struct str text, size_t *kind, size_t *number);

#endif
