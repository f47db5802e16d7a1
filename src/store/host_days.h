/* What was used at hosts, a row for each host and day: so that a cap holds over a restart. */
#ifndef HOB_STORE_HOST_DAYS_H
#define HOB_STORE_HOST_DAYS_H

#include "store/store.h"

enum { HOST_DAY_NAME = 128 };

struct host_day {
    char host[HOST_DAY_NAME];
    int day;                        /* 20261121 */
    int64_t tokens, unpriced;
    double money;
};

/* Neither waits. Both make a job of their own, which outlives who asked. A failure is the store's to say. */
void host_day_put(struct store *s, const struct host_day *row);

struct host_day_ask;
/* got runs once, on the loop thread, with zeros when there is no such row; never after host_day_forget(). *ask is set while it is open, else NULL. */
void host_day_get(struct store *s, struct str host, int day, void (*got)(void *ctx, const struct host_day *row), void *ctx, struct host_day_ask **ask);
void host_day_forget(struct host_day_ask *ask); /* NULL is fine */

#endif
