/* A state folder that somebody else has, or had: looked at and left as it is (hob doctor), and taken up from one that was killed. */
#ifndef HOB_STORE_LOOK_H
#define HOB_STORE_LOOK_H

#include "base/err.h"
#include "base/str.h"

struct loop;
struct store;

/* store_start() where whoever had the file open was killed just now: the death of a process breaks no file, so it is not looked through, and there at once. */
struct store *store_start_again(struct loop *l, struct str state_folder);

struct store_look {
    bool there;
    bool broken;            /* the error is that it is no database, or not a sound one: it would be set aside */
    int version;            /* of its tables; store_schema() is ours */
    bool whole;             /* it was looked through, and found sound; false without an error: it is too large for that */
    char path[4096];
};
/* ERR_SYSTEM: it cannot be read, or what is there is no sound database: *e says what is wrong and what to do. A newer hob's is no error here. */
enum err_code store_look(struct str state_folder, struct store_look *out, struct err *e) __attribute__((warn_unused_result));

#endif
