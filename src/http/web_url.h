/* Addresses of the web, taken apart so strictly that nobody can read them differently: what is not plainly scheme, host, port and path is refused, not
 * mended. Pure. */
#ifndef HOB_HTTP_WEB_URL_H
#define HOB_HTTP_WEB_URL_H

#include "base/buf.h"

enum { WEB_MAX_URL = 4096 };

/* Slices of the text it was read from. */
struct web_url {
    bool tls;                   /* https */
    bool loopback;              /* 127.0.0.0/8, ::1 or localhost */
    struct str host;            /* without brackets */
    uint16_t port;              /* the scheme's own when none is written */
    struct str origin;          /* "https://host:port" as it was written */
    struct str path;            /* from the first '/' on, with the query, without a fragment; empty when there is none */
};

/* https anywhere, http to loopback only. ERR_INVALID_REQUEST: too long, another scheme, user info, a backslash, a space, bytes outside of ASCII. */
enum err_code web_url_parse(struct str text, struct web_url *out, struct err *e) __attribute__((warn_unused_result));

/* Same scheme, host and port: who may see what was meant for the other. */
bool web_url_same_origin(const struct web_url *a, const struct web_url *b);

/* Where `location` (absolute, "//host/…", "/path" or "name") leads from `base`; to is emptied first. ERR_UP_GARBLED when it leads nowhere. */
enum err_code web_url_join(const struct web_url *base, struct str location, struct buf *to, struct err *e) __attribute__((warn_unused_result));

/* One part of a path as it may stand in an address: all but letters, digits, '-', '.', '_' and '~' becomes %XX. '/' stays when keep_slashes. */
void web_url_escape(struct buf *to, struct str part, bool keep_slashes);

/* For messages: the address without its query, which may hold a signature; at most `room` bytes with the NUL. */
const char *web_url_show(struct str url, char *out, size_t room);

#endif
