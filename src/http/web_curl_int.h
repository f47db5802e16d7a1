/* Inside the module hob-web.so. */
#ifndef HOB_HTTP_WEB_CURL_INT_H
#define HOB_HTTP_WEB_CURL_INT_H

#include "http/web_module.h"

#include <curl/curl.h>

void web_curl_start(void);     /* libcurl, once */

struct web_trust {             /* which certificates are trusted; file NULL = the usual ones */
    const char *file, *folder;
    bool alone;                /* file and folder, and not the usual folder too */
};
struct web_trust web_curl_trust(const char *ca);

/* Why no connection came about; n's login is not in it. */
struct web_why {
    CURL *easy;
    CURLcode rc;
    const char *own;           /* libcurl's words, or "" */
    const char *name;
    bool proxied;
    int64_t connect_ms;
};
enum err_code web_curl_blame(const struct web_why *w, struct err *e);

struct web_lane *web_lane_new(const char *ca, const struct web_loop *loop);
void web_lane_free(struct web_lane *a);
void web_lane_socket(struct web_lane *a, int fd, int events);
void web_lane_timer(struct web_lane *a);
struct web_line *web_dial(struct web_lane *a, const struct web_dial *d, struct err *e);
int web_line_socket(struct web_line *n);
enum web_io web_line_receive(struct web_line *n, char *to, size_t room, size_t *got);
enum web_io web_line_send(struct web_line *n, struct str bytes, size_t *taken);
void web_line_hang_up(struct web_line *n);

#endif
