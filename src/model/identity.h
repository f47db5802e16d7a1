/* Short names for things that may change: a file (its path, size and time), a build of a program, a set of settings. Keys of what is remembered, no
 * defence: two 64-bit FNV-1a sums from different beginnings, mixed at the end. Contents are never read. */
#ifndef HOB_MODEL_IDENTITY_H
#define HOB_MODEL_IDENTITY_H

#include "base/str.h"

enum { IDENTITY_HEX = 33 };             /* 32 digits and a NUL */

struct identity {
    uint64_t a, b;
};

void identity_init(struct identity *id);
void identity_add(struct identity *id, struct str part);               /* parts are kept apart: "ab" "c" is not "a" "bc" */
bool identity_add_file(struct identity *id, const char *path);         /* false: there is none to be looked at; nothing is added */
void identity_hex(const struct identity *id, char out[IDENTITY_HEX]);

#endif
