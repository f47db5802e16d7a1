/* A file that is not whole yet: NAME.part, held by a lock, beside NAME.part.json, which says of what it is a part. */
#ifndef HOB_MODEL_PART_H
#define HOB_MODEL_PART_H

#include "base/err.h"
#include "base/str.h"
#include "http/web_url.h"
#include "model/sha256.h"

enum { PART_MAX_NAME = 240 };   /* of NAME: the longer ones must still be file names */

struct part_note {              /* all of it may be unknown */
    char url[WEB_MAX_URL + 1];
    char etag[256];
    int64_t bytes;              /* of the whole file; -1 = unknown */
    char sha256[SHA256_HEX];
};

struct part {
    int folder, fd;
    char name[PART_MAX_NAME + 1];
    char path[4096];            /* of NAME.part */
    int64_t have;               /* bytes in it */
    struct part_note note;
};

/* target: an absolute path; its folder is there. ERR_SYSTEM: not writable, a name that is too long, or held by another. */
enum err_code part_open(struct part *p, struct str target, struct err *e) __attribute__((warn_unused_result));
/* What is there stays for the next time, unless it is nothing. Fine on a zeroed one. */
void part_close(struct part *p);
/* ERR_SYSTEM: the disk is full, say. */
enum err_code part_add(struct part *p, struct str bytes, struct err *e) __attribute__((warn_unused_result));
enum err_code part_cut(struct part *p, int64_t bytes, struct err *e) __attribute__((warn_unused_result));
enum err_code part_write_note(struct part *p, const struct part_note *note, struct err *e) __attribute__((warn_unused_result));
/* It is NAME now, safe on the disk. Only part_close() is legal afterwards. */
enum err_code part_finish(struct part *p, struct err *e) __attribute__((warn_unused_result));
void part_remove(struct part *p); /* likewise */

/* Reads what was written, or anything else: fields that are not as they should be are unknown. */
void part_note_read(struct str json, struct part_note *out);

#endif
