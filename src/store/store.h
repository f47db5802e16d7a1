/* What hob remembers between runs: one SQLite file, STATE/hob.db (WAL). In the daemon one writer thread owns the connection that writes; everybody
 * else hands it jobs. Commands open it for reading beside a running daemon. A file for each kind of record has its rows' functions (calibrations.c,
 * probes.c …); the schema is a list of migrations, each run once in a transaction. */
#ifndef HOB_STORE_STORE_H
#define HOB_STORE_STORE_H

#include "base/err.h"
#include "loop/loop.h"

struct store;

/* Opens, creates and migrates. ERR_SYSTEM (a path and what to do), also when the file is a newer hob's. loop NULL: for a command, jobs run at once
 * in the caller's thread. */
enum err_code store_open(struct loop *l, struct str state_folder, struct store **out, struct err *e) __attribute__((warn_unused_result));
/* For reading only; *out NULL and ERR_OK when there is no file yet. */
enum err_code store_open_to_read(struct str state_folder, struct store **out, struct err *e) __attribute__((warn_unused_result));
void store_close(struct store *s); /* waits for the jobs that were handed in. NULL is fine */

#endif
