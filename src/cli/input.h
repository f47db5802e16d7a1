/* What a command is given to read: a file, or stdin; and where it writes what it has made. */
#ifndef HOB_CLI_INPUT_H
#define HOB_CLI_INPUT_H

#include "base/buf.h"

/* Appends all of it; "-" is stdin. EXIT_OK, or EXIT_FAILED with a word on stderr: it cannot be read, or is longer than any request (64 MiB). */
int input_read(const char *path, struct buf *to);

/* To a file, written anew; to stdout when path is empty or "-". path ends in a NUL, as arguments do. EXIT_OK, or EXIT_FAILED with a word on stderr. */
int output_write(struct str path, struct str text);

#endif
