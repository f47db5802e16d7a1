/* A list of numbers as a line of blocks, one each: "▁▁▃█▂". For a look, not for reading figures off. */
#ifndef HOB_CLI_SPARK_H
#define HOB_CLI_SPARK_H

#include "base/buf.h"

/* From 0 to the highest of them; NaN (nobody knows) is a space. plain: of ASCII. */
void spark_write(struct buf *out, const double *v, size_t n, bool plain);
/* The terminal's text is not UTF-8, as LC_ALL, LC_CTYPE or LANG say. */
bool spark_must_be_plain(void);

#endif
