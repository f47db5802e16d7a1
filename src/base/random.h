/* Randomness, through one seam: the system's, or a test's. */
#ifndef HOB_BASE_RANDOM_H
#define HOB_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_use(void (*fill)(void *p, size_t n)); /* NULL: the system's again */
void random_bytes(void *p, size_t n);             /* from the kernel, drawn 256 bytes at a time */

/* n lower-case hex digits and a NUL into out (n + 1 bytes). 4 random bits a digit. */
void random_hex(char *out, size_t n);

#endif
