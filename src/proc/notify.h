/* Words to the service manager that started us: systemd's notification protocol, lines in a datagram to $NOTIFY_SOCKET. Few lines of our own, so that
 * no libsystemd is needed; where nobody listens (a terminal, launchd) all of it is silent.
 * The gateway speaks, though the manager's main process is the keeper: the unit says NotifyAccess=all. The watchdog is fed by a timer of the
 * loop, so that a loop that hangs is noticed. A gateway that takes a crashed one's place goes on with both. */
#ifndef HOB_PROC_NOTIFY_H
#define HOB_PROC_NOTIFY_H

#include "loop/loop.h"

struct notify;

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the environment. The watchdog's timer runs from now on. */
struct notify *notify_new(struct loop *l);
void notify_free(struct notify *n); /* NULL is fine, here and below */

void notify_ready(struct notify *n);     /* requests are answered; also: a reload is over */
void notify_reloading(struct notify *n); /* a new configuration is being taken: notify_ready() when it is in force, or has been refused */
void notify_stopping(struct notify *n);
/* A line for `systemctl status`; the same one again is not sent. */
void notify_status(struct notify *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
