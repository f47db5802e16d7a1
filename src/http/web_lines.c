/* The module's connections: libcurl looks names up, connects, goes through proxies and does TLS, all on the program's loop; then it only carries bytes
 * (CONNECT_ONLY). The answers are read by the client, as strictly as everywhere, for libcurl is lenient in what it takes for HTTP.
 *
 * All lines of a lane share one multi handle: it keeps the trusted certificates parsed (a dozen milliseconds otherwise, for each connection), names that
 * were looked up, and the share has TLS sessions to resume. libcurl may close what lies in a multi handle and is nobody's; a line is somebody's
 * from its first receive on, which is why that comes before anything else (claim()). */
#include "http/web_curl_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 16 * 1024, TRUST_S = 60 }; /* TRUST_S: how long a changed file of certificates may go unseen */

struct web_lane {
    CURLM *multi;
    CURLSH *share;
    struct web_loop loop;
    char *ca;
};

struct web_line {
    struct web_lane *lane;
    CURL *easy;
    char *name;
    bool proxied;
    int64_t connect_ms;
    void (*on_open)(void *ctx, const struct err *e);
    void *ctx;
    char error[CURL_ERROR_SIZE];
};

/* ---- a lane ---- */

static int on_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watch)
{
    static const int events[] = {
        [CURL_POLL_NONE] = 0, [CURL_POLL_IN] = WEB_READ, [CURL_POLL_OUT] = WEB_WRITE, [CURL_POLL_INOUT] = WEB_READ | WEB_WRITE, [CURL_POLL_REMOVE] = 0,
    };
    struct web_lane *a = ctx;
    void *named = a->loop.watch(a->loop.ctx, watch, fd, events[what]);
    curl_multi_assign(a->multi, fd, named);
    return 0;
}

static int on_timer(CURLM *multi, long in_ms, void *ctx)
{
    struct web_lane *a = ctx;
    a->loop.timer(a->loop.ctx, in_ms);
    return 0;
}

struct web_lane *web_lane_new(const char *ca, const struct web_loop *loop)
{
    web_curl_start();
    struct web_lane *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->loop = *loop;
    a->multi = curl_multi_init();
    a->share = curl_share_init();
    a->ca = ca ? strdup(ca) : NULL;
    if (!a->multi || !a->share || (ca && !a->ca)) {
        web_lane_free(a);
        return NULL;
    }
    curl_share_setopt(a->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(a->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
    curl_multi_setopt(a->multi, CURLMOPT_SOCKETDATA, a);
    curl_multi_setopt(a->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(a->multi, CURLMOPT_TIMERDATA, a);
    return a;
}

void web_lane_free(struct web_lane *a)
{
    if (a->multi)
        curl_multi_cleanup(a->multi);
    if (a->share)
        curl_share_cleanup(a->share);
    free(a->ca);
    free(a);
}

/* ---- how a line opens ---- */

/* From now on it is in use. Nobody speaks before he is asked; but one who hangs up at once is seen here. */
static enum err_code claim(struct web_line *n, struct err *e)
{
    char byte;
    size_t got;
    enum web_io io = web_line_receive(n, &byte, 1, &got);
    if (io == WEB_LATER)
        return ERR_OK;
    if (io == WEB_MOVED)
        return err_set(e, ERR_UP_GARBLED, "%s sent something before it was asked", n->name);
    return err_set(e, ERR_UP_RESET, "the connection ended before the answer began");
}

static void opened(struct web_line *n, CURLcode rc)
{
    const struct web_why why = { n->easy, rc, n->error, n->name, n->proxied, n->connect_ms };
    struct err e;
    enum err_code bad = rc ? web_curl_blame(&why, &e) : claim(n, &e);
    n->on_open(n->ctx, bad ? &e : NULL);
}

static void tell_opened(struct web_lane *a)
{
    int left;
    for (CURLMsg *said; (said = curl_multi_info_read(a->multi, &left));) {
        char *line = NULL;
        if (said->msg == CURLMSG_DONE && !curl_easy_getinfo(said->easy_handle, CURLINFO_PRIVATE, &line) && line)
            opened((struct web_line *)(void *)line, said->data.result);
    }
}

static void act(struct web_lane *a, curl_socket_t fd, int bits)
{
    int running;
    curl_multi_socket_action(a->multi, fd, bits, &running);
    tell_opened(a);
}

void web_lane_socket(struct web_lane *a, int fd, int events)
{
    act(a, fd, (events & WEB_READ ? CURL_CSELECT_IN : 0) | (events & WEB_WRITE ? CURL_CSELECT_OUT : 0) | (events & WEB_BROKEN ? CURL_CSELECT_ERR : 0));
}

void web_lane_timer(struct web_lane *a)
{
    act(a, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- dialling ---- */

/* Only what comes from a file alone is kept parsed: where the usual file can be read, the usual folder, which has the same in it, is left out. */
static struct web_trust lane_trust(const struct web_lane *a)
{
    struct web_trust t = web_curl_trust(a->ca);
    const char *usual = curl_version_info(CURLVERSION_NOW)->cainfo;
    if (!t.file && !t.folder && usual && access(usual, R_OK) == 0)
        t = (struct web_trust){ .file = usual, .alone = true };
    return t;
}

static bool set_options(struct web_line *n, const struct web_dial *d)
{
    struct web_trust trust = lane_trust(n->lane);
    CURL *c = n->easy;
    CURLcode bad = CURLE_OK;
#define SET(option, value) bad = bad ? bad : curl_easy_setopt(c, (option), (value))
    SET(CURLOPT_URL, d->to);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* ALPN offers nothing else */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (trust.file)
        SET(CURLOPT_CAINFO, trust.file);
    if (trust.alone)
        SET(CURLOPT_CAPATH, trust.folder);
    SET(CURLOPT_CA_CACHE_TIMEOUT, (long)TRUST_S);
    SET(CURLOPT_SHARE, n->lane->share);
    SET(CURLOPT_PROXY, d->proxy ? d->proxy : ""); /* not said, the environment would be asked */
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
    SET(CURLOPT_PROXYAUTH, CURLAUTH_BASIC);
    SET(CURLOPT_SOCKS5_AUTH, CURLAUTH_BASIC);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_USERAGENT, "hob/" HOB_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);                            /* giving up does not wait for a name server: its thread is left behind */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)d->connect_ms);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);                         /* an answer may be silent for minutes, and a router forgets */
    SET(CURLOPT_BUFFERSIZE, (long)PIECE_BYTES);
    SET(CURLOPT_ERRORBUFFER, n->error);
    SET(CURLOPT_PRIVATE, n);
#undef SET
    return !bad;
}

static struct web_line *line_new(struct web_lane *a, const struct web_dial *d)
{
    struct web_line *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct web_line){ .lane = a, .proxied = d->proxy, .connect_ms = d->connect_ms, .on_open = d->on_open, .ctx = d->ctx };
    n->name = strdup(d->name);
    n->easy = curl_easy_init();
    if (n->name && n->easy && set_options(n, d) && !curl_multi_add_handle(a->multi, n->easy))
        return n;
    if (n->easy)
        curl_easy_cleanup(n->easy);
    free(n->name);
    free(n);
    return NULL;
}

struct web_line *web_dial(struct web_lane *a, const struct web_dial *d, struct err *e)
{
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS)) {
        err_set(e, ERR_UP_REFUSED, "cannot connect to %s: this system's libcurl was built without AsynchDNS, all would wait for each name", d->name);
        return NULL;
    }
    struct web_line *n = line_new(a, d);
    if (!n)
        err_set(e, ERR_UP_REFUSED, "cannot connect to %s: libcurl does not take its settings, or memory is short", d->name);
    return n;
}

/* ---- an open line ---- */

int web_line_socket(struct web_line *n)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(n->easy, CURLINFO_ACTIVESOCKET, &fd);
    return fd;
}

enum web_io web_line_receive(struct web_line *n, char *to, size_t room, size_t *got)
{
    CURLcode rc = curl_easy_recv(n->easy, to, room, got);
    if (rc == CURLE_AGAIN)
        return WEB_LATER;
    if (rc)
        return WEB_LOST;
    return *got ? WEB_MOVED : WEB_ENDED;
}

enum web_io web_line_send(struct web_line *n, struct str bytes, size_t *taken)
{
    CURLcode rc = curl_easy_send(n->easy, bytes.p, bytes.n < PIECE_BYTES ? bytes.n : PIECE_BYTES, taken);
    return rc == CURLE_OK ? WEB_MOVED : rc == CURLE_AGAIN ? WEB_LATER : WEB_LOST;
}

void web_line_hang_up(struct web_line *n)
{
    curl_multi_remove_handle(n->lane->multi, n->easy);
    curl_easy_cleanup(n->easy);
    free(n->name);
    free(n);
}
