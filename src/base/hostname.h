/* Host names and addresses as they may be written: in configuration, in URLs, after a redirect. Whoever reads one asks here, so that no two readers take the same text for
 * different hosts: resolvers and libcurl know more spellings than are good (127.1, 0x7f.1, percent signs, names beyond ASCII), each its own. Pure; nothing is looked up. */
#ifndef HOB_BASE_HOSTNAME_H
#define HOB_BASE_HOSTNAME_H

#include "base/str.h"

#include <stdbool.h>

enum { HOSTNAME_MAX_BYTES = 253, HOSTNAME_LABEL_BYTES = 63, HOSTNAME_ZONE_BYTES = 15 };

/* HOST, HOST:PORT, [IPV6] or [IPV6]:PORT. host: without brackets; port.p NULL: none was said. Neither is looked at further. false: brackets or colons that do not add up. */
bool hostname_split(struct str authority, struct str *host, bool *brackets, struct str *port);

/* NULL: it can be asked for, and all readers take it for the same. Else what is the matter, for a sentence that begins with it ("is not in ASCII"), and *hint what to write
 * instead, "" where there is nothing to say. Names have labels of letters, digits, - and _, a dot behind the last one or none; what ends in a number is an IPv4 address and
 * written as four decimal numbers; in brackets stands an IPv6 address, a zone behind it (`%eth0`, or `%25eth0` as URLs have it) or none. */
const char *hostname_fault(struct str host, bool brackets, const char **hint);

/* 127.0.0.0/8, ::1, `localhost` in any case and with a dot behind it. Without brackets; other names may mean this machine, too, and say so to nobody. */
bool hostname_is_loopback(struct str host);

#endif
