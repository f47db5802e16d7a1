/* Randomness, through one seam: the system's, or a test's. */
#ifndef HOB_BASE_RANDOM_H
#define HOB_BASE_RANDOM_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

void random_use(void (*fill)(void *p, size_t n)); /* NULL: the system's again */
void random_bytes(void *p, size_t n);             /* from the kernel, drawn 256 bytes at a time */


/* SipHash-1-3, for tables of what strangers choose: who does not know the key cannot find texts that share a slot. */
void random_key(uint64_t key[2]);                 /* from the kernel itself, so on any thread */
uint64_t random_hash(struct str s, const uint64_t key[2]);

/* n lower-case hex digits and a NUL into out (n + 1 bytes). 4 random bits a digit. */
void random_hex(char *out, size_t n);

#endif
