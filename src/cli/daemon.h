/* How commands find the daemon: it leaves its address in STATE/listen. */
#ifndef HOB_CLI_DAEMON_H
#define HOB_CLI_DAEMON_H

#include "cli/cli.h"
#include "http/client.h"

void daemon_write_address(const struct config *c, struct str address);
void daemon_forget_address(const struct config *c);

/* One of its doors. */
struct door {
    struct http_target target;
    struct str prefix;          /* of paths: "" or, by $HOB_URL, what stands behind the host there, a /v1 left out */
    char name[320];             /* for people: HOST:PORT, or the socket's path */
    bool remote;                /* as $HOB_URL says */
};
/* $HOB_URL, else what the daemon left, else the configuration's `listen`. ERR_CONFIG for a URL that is none. */
enum err_code daemon_find(const struct config *c, struct door *out, struct err *e) __attribute__((warn_unused_result));
/* What the daemon left, alone; ERR_UP_REFUSED: it has left nothing (yet). */
enum err_code daemon_find_left(const struct config *c, struct door *out) __attribute__((warn_unused_result));
/* $HOB_URL alone; false when it is not set. */
bool daemon_is_remote(void);
enum err_code daemon_find_remote(struct door *out, struct err *e) __attribute__((warn_unused_result));
/* The line with $HOB_KEY, if there is one; says so, once, when it will cross a network in plain text. */
void daemon_put_key(const struct door *d, struct buf *headers);

#endif
