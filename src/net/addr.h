/* Addresses as people write them: `127.0.0.1:8080`, `[::1]:8080`, `anvil:9001` (a name, resolved at each connect), `unix:/run/x.sock`. */
#ifndef HOB_NET_ADDR_H
#define HOB_NET_ADDR_H

#include "base/err.h"
#include "base/str.h"

enum addr_kind { ADDR_TCP, ADDR_UNIX };

struct addr {
    enum addr_kind kind;
    char host[256];  /* literal address or name, without brackets; for ADDR_UNIX the path (at most 107 bytes) */
    uint16_t port;
};

enum err_code addr_parse(struct str text, struct addr *out, struct err *e) __attribute__((warn_unused_result));
bool addr_is_loopback(const struct addr *a);       /* 127.0.0.0/8, ::1, localhost, unix */
void addr_format(const struct addr *a, char *out, size_t room); /* as addr_parse reads it */

/* `http://host[:port][/path]` or `https://…`: fills addr (port 80 or 443 where none is said) and *tls; *path is what follows the authority without a
 * trailing slash (may be empty). ERR_CONFIG for any other scheme, user info, query or fragment. */
enum err_code addr_parse_web(struct str url, struct addr *out, bool *tls, struct str *path, struct err *e) __attribute__((warn_unused_result));
/* The same where only http:// is spoken: ERR_CONFIG for https, too. */
enum err_code addr_parse_url(struct str url, struct addr *out, struct str *path, struct err *e) __attribute__((warn_unused_result));

#endif
