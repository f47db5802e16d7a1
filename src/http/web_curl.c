/* The module hob-web.so: one request by libcurl, and SHA-256 by libcrypto; its connections for the loop are in web_lines.c. What may be asked, redirects and
 * tokens are the program's business (web.c); here is how bytes come. A transfer is driven by a multi handle of its own thread, so that silence is noticed
 * to the millisecond and a stop at once; the handle of the last transfer is kept for the next, with its connections. */
#include "http/web_curl_int.h"

#include "base/clock.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

enum { TICK_MS = 200, HEAD_MAX_BYTES = 256 * 1024, BODY_BUFFER = 256 * 1024, KEPT_CONNECTIONS = 4, CONNECT_MAX_MS = 30 * 1000 };

extern const struct web_module hob_web_module;

struct transfer {
    const struct web_hop *hop;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    int status;                 /* of the head that is being read */
    size_t head_bytes;
    bool headed;                /* the head is over: what else comes as lines are trailers, which say nothing */
    bool stopped;               /* by a callback */
    bool garbled;
    int64_t mark_ms;            /* when enough bytes had last come */
    int64_t since_mark;         /* bytes since then */
};

/* ---- what all of it needs ---- */

static void init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void web_curl_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

struct web_trust web_curl_trust(const char *ca)
{
    if (ca)
        return (struct web_trust){ .file = ca, .alone = true };
    struct web_trust t = { .file = env("SSL_CERT_FILE"), .folder = env("SSL_CERT_DIR") };
    t.alone = t.folder;
    return t;
}

/* ---- what comes ---- */

static void moved(struct transfer *t, size_t n)
{
    t->since_mark += (int64_t)n;
    if (t->since_mark < t->hop->idle_bytes)
        return;
    t->since_mark = 0;
    t->mark_ms = clock_mono_ms();
}

static bool head_line(struct transfer *t, struct str line)
{
    struct str rest, value, name;
    int64_t status;
    if (t->headed)
        return true;
    if (str_starts(line, STR("HTTP/"))) {
        str_cut(line, ' ', &rest);
        if (!str_to_int(str_cut(rest, ' ', &value), 100, 999, &status))
            return !(t->garbled = true);
        t->status = (int)status;
        return t->status < 200 || t->hop->on_status(t->hop->ctx, t->status);
    }
    if (t->status < 200)
        return true;
    if (!line.n) {
        t->headed = true;
        return t->hop->on_fields_end(t->hop->ctx);
    }
    name = str_cut(line, ':', &value);
    return t->hop->on_field(t->hop->ctx, name, str_trim(value));
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    n *= size;
    moved(t, n);
    t->head_bytes += n;
    if (t->head_bytes > HEAD_MAX_BYTES) {
        t->garbled = true;
        return 0;
    }
    if (head_line(t, str_trim(str_make(p, n))))
        return n;
    t->stopped = !t->garbled;
    return 0;
}

static size_t on_write(char *p, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    n *= size;
    moved(t, n);
    if (t->hop->on_body(t->hop->ctx, str_make(p, n)))
        return n;
    t->stopped = true;
    return CURL_WRITEFUNC_ERROR;
}

/* ---- how it ends ---- */

static const struct ending {
    CURLcode curl;
    enum err_code code;
    const char *hint;
    const char *text;   /* ours, where its own differs from release to release; NULL: its own */
} endings[] = {
    { CURLE_COULDNT_RESOLVE_HOST,     ERR_UP_REFUSED, "is the name right, and is there a network?" },
    { CURLE_COULDNT_RESOLVE_PROXY,    ERR_UP_REFUSED, "check https_proxy and all_proxy in the environment" },
    { CURLE_COULDNT_CONNECT,          ERR_UP_REFUSED, "" },
    { CURLE_PROXY,                    ERR_UP_REFUSED, "check https_proxy and all_proxy in the environment" },
    { CURLE_OPERATION_TIMEDOUT,       ERR_UP_TIMEOUT, "" },
    { CURLE_PARTIAL_FILE,             ERR_UP_RESET,   "", "the server sent less than it promised" },
    { CURLE_RECV_ERROR,               ERR_UP_RESET,   "" },
    { CURLE_SEND_ERROR,               ERR_UP_RESET,   "" },
    { CURLE_GOT_NOTHING,              ERR_UP_RESET,   "" },
    { CURLE_SSL_CONNECT_ERROR,        ERR_UP_RESET,   "" },
    { CURLE_PEER_FAILED_VERIFICATION, ERR_UP_GARBLED, "its certificate is not trusted here; SSL_CERT_FILE may name a file of certificates that are" },
    { CURLE_SSL_CACERT_BADFILE,       ERR_SYSTEM,     "check SSL_CERT_FILE and SSL_CERT_DIR" },
    { CURLE_OUT_OF_MEMORY,            ERR_SYSTEM,     "" },
    { CURLE_FAILED_INIT,              ERR_SYSTEM,     "" },
};

static enum err_code end_with(const struct transfer *t, CURLcode rc, struct err *e)
{
    if (rc == CURLE_OK)
        return ERR_OK;
    if (t->stopped)
        return err_set(e, ERR_CALLER_GONE, "stopped");
    if (t->garbled)
        return err_set(e, ERR_UP_GARBLED, "the head of the answer is no HTTP, or longer than %d KiB", HEAD_MAX_BYTES / 1024);
    const char *why = t->error[0] ? t->error : curl_easy_strerror(rc);
    for (size_t i = 0; i < COUNTOF(endings); i++)
        if (endings[i].curl == rc) {
            err_set(e, endings[i].code, "%.250s", endings[i].text ? endings[i].text : why);
            return err_hint(e, "%s", endings[i].hint);
        }
    return err_set(e, ERR_UP_GARBLED, "%.250s", why);
}

/* ---- how it begins ---- */

static bool add_header(struct transfer *t, const char *name, const char *value)
{
    char line[2048];
    if (!value)
        return true;
    int n = snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = n > 0 && (size_t)n < sizeof line ? curl_slist_append(t->headers, line) : NULL;
    if (!more)
        return false;
    t->headers = more;
    return true;
}

static bool set_options(struct transfer *t)
{
    const struct web_hop *h = t->hop;
    struct web_trust trust = web_curl_trust(h->ca);
    long connect_ms = (long)(h->idle_ms < CONNECT_MAX_MS ? h->idle_ms : CONNECT_MAX_MS);
    CURL *c = t->easy;
    CURLcode bad = CURLE_OK;
#define SET(option, value) bad = bad ? bad : curl_easy_setopt(c, (option), (value))
    SET(CURLOPT_URL, h->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    SET(CURLOPT_USERAGENT, "hob/" HOB_VERSION);
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_BUFFERSIZE, (long)BODY_BUFFER);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_write);
    SET(CURLOPT_WRITEDATA, t);
    if (h->range)
        SET(CURLOPT_RANGE, h->range);
    if (h->direct)
        SET(CURLOPT_PROXY, "");
    if (trust.file)
        SET(CURLOPT_CAINFO, trust.file);
    if (trust.alone)
        SET(CURLOPT_CAPATH, trust.folder);
#undef SET
    return !bad;
}

/* ---- the turns ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static CURLM *spare; /* the last transfer's, with its open connections */


static CURLM *take_multi(void)
{
    web_curl_start();
    pthread_mutex_lock(&lock);
    CURLM *m = spare;
    spare = NULL;
    pthread_mutex_unlock(&lock);
    if (!m && (m = curl_multi_init()))
        curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    return m;
}

static void keep_multi(CURLM *m)
{
    pthread_mutex_lock(&lock);
    CURLM *other = spare;
    spare = m;
    pthread_mutex_unlock(&lock);
    if (other)
        curl_multi_cleanup(other);
}

static bool is_done(CURLM *m, CURLcode *rc)
{
    int left;
    for (CURLMsg *said; (said = curl_multi_info_read(m, &left));)
        if (said->msg == CURLMSG_DONE) {
            *rc = said->data.result;
            return true;
        }
    return false;
}

static enum err_code drive(struct transfer *t, CURLM *m, struct err *e)
{
    const struct web_hop *h = t->hop;
    int running;
    t->mark_ms = clock_mono_ms();
    for (CURLcode rc;;) {
        CURLMcode bad = curl_multi_perform(m, &running);
        if (bad)
            return err_set(e, ERR_SYSTEM, "libcurl: %s", curl_multi_strerror(bad));
        if (is_done(m, &rc))
            return end_with(t, rc, e);
        int64_t left_ms = t->mark_ms + h->idle_ms - clock_mono_ms();
        if (left_ms <= 0)
            return err_set(e, ERR_UP_TIMEOUT, "fewer than %lld bytes came within %.1f s", (long long)h->idle_bytes, (double)h->idle_ms / 1000);
        if (h->on_wait && !h->on_wait(h->ctx))
            return err_set(e, ERR_CALLER_GONE, "stopped");
        curl_multi_poll(m, NULL, 0, (int)(left_ms < TICK_MS ? left_ms : TICK_MS), NULL);
    }
}

static enum err_code get(const struct web_hop *hop, struct err *e)
{
    struct transfer t = { .hop = hop };
    CURLM *m = take_multi();
    enum err_code rc = ERR_SYSTEM;
    t.easy = m ? curl_easy_init() : NULL;
    bool ready = t.easy && add_header(&t, "Authorization", hop->authorization) && add_header(&t, "If-Range", hop->if_range) &&
                 add_header(&t, "Accept-Encoding", "identity") && set_options(&t) && !curl_multi_add_handle(m, t.easy);
    if (ready) {
        rc = drive(&t, m, e);
        curl_multi_remove_handle(m, t.easy); /* one that is not done loses its connection with this */
    } else {
        err_set(e, ERR_SYSTEM, "libcurl cannot be set up for this: out of memory, or a token of more than 2000 bytes");
    }
    if (t.easy)
        curl_easy_cleanup(t.easy);
    curl_slist_free_all(t.headers);
    if (m)
        keep_multi(m);
    return rc;
}

/* ---- SHA-256 ---- */

static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;

/* Looked up once: by EVP_sha256() each digest looks it up anew, which costs three times what the hash of a key does. */
static void sha256_find(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static struct web_sha256 *sha256_new(void)
{
    pthread_once(&sha256_once, sha256_find);
    EVP_MD_CTX *md = sha256 ? EVP_MD_CTX_new() : NULL;
    if (md && EVP_DigestInit_ex(md, sha256, NULL) != 1) {
        EVP_MD_CTX_free(md);
        md = NULL;
    }
    return (struct web_sha256 *)md;
}

static void sha256_feed(struct web_sha256 *h, struct str bytes)
{
    if (EVP_DigestUpdate((EVP_MD_CTX *)h, bytes.p, bytes.n) != 1)
        die("libcrypto cannot go on with a SHA-256");
}

static void sha256_end(struct web_sha256 *h, unsigned char out[32])
{
    if (out && EVP_DigestFinal_ex((EVP_MD_CTX *)h, out, NULL) != 1)
        die("libcrypto cannot end a SHA-256");
    EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

static const char *libraries(void)
{
    web_curl_start();
    return curl_version();
}

__attribute__((visibility("default"))) const struct web_module hob_web_module = {
    .abi = WEB_MODULE_ABI,
    .release = HOB_VERSION,
    .libraries = libraries,
    .get = get,
    .lane_new = web_lane_new,
    .lane_free = web_lane_free,
    .lane_socket = web_lane_socket,
    .lane_timer = web_lane_timer,
    .dial = web_dial,
    .socket = web_line_socket,
    .receive = web_line_receive,
    .send = web_line_send,
    .hang_up = web_line_hang_up,
    .sha256_new = sha256_new,
    .sha256_feed = sha256_feed,
    .sha256_end = sha256_end,
};
