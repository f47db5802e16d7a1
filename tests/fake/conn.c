/* conn.c - the listener, the connections, and a strict reader of HTTP/1.1 requests.
 *
 * A connection reads one request, answers it, reads the next. While it answers it keeps listening for the caller's FIN:
 * a half-close counts as gone, as in llama-server. What comes after a request (pipelining) waits in the input buffer. */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MAX (64 * 1024)
#define BODY_MAX (256L * 1024 * 1024)

struct conn {
    struct conn *next;
    int fd;
    long id, nth;
    struct buf in, out;
    size_t head_n;    /* of the request being read; 0 = its head is not complete */
    long body_length; /* -1 = chunked */
    bool keep_alive, authorized, continued;
    struct answer *answer;
    struct record *record;
    bool finishing, stale, dead;
    enum conn_end end;
    enum outcome outcome;
    int64_t idle_since;
};

static struct conn *conns;
static int listener = -1;
static long next_id = 1;

/* -- the listener */

static bool is_unix(const char *host)
{
    size_t n = strlen(host);
    return n > 5 && !strcmp(host + n - 5, ".sock");
}

static _Noreturn void bind_failed(void)
{
    llama_log('E', "srv        ", "start: couldn't bind HTTP server socket, hostname: %s, port: %d", fake.host, fake.port);
    exit(1);
}

static int listen_unix(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    if (strlen(fake.host) >= sizeof at.sun_path)
        bind_failed();
    memcpy(at.sun_path, fake.host, strlen(fake.host));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&at, sizeof at) || listen(fd, 512))
        bind_failed();
    return fd;
}

static int listen_tcp(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)fake.port) };
    socklen_t n = sizeof at;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (inet_pton(AF_INET, fake.host, &at.sin_addr) != 1)
        bind_failed();
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&at, sizeof at) || listen(fd, 512))
        bind_failed();
    getsockname(fd, (struct sockaddr *)(void *)&at, &n);
    fake.port = ntohs(at.sin_port);
    return fd;
}

void conn_listen(void)
{
    listener = is_unix(fake.host) ? listen_unix() : listen_tcp();
    fcntl(listener, F_SETFL, O_NONBLOCK);
    fcntl(listener, F_SETFD, FD_CLOEXEC);
}

void conn_stop_listening(void)
{
    if (listener >= 0)
        close(listener);
    listener = -1;
}

static void conn_accept(void)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        int on = 1;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *c = must_alloc(sizeof *c);
        c->fd = fd;
        c->id = next_id++;
        c->idle_since = now_ms();
        c->next = conns;
        conns = c;
    }
}

/* -- the end of a request, and of a connection */

struct record *conn_record(struct conn *c)
{
    return c->record;
}

int conn_open_count(void)
{
    int n = 0;
    for (const struct conn *c = conns; c; c = c->next)
        n += !c->dead;
    return n;
}

static void request_over(struct conn *c, enum outcome how)
{
    if (c->record)
        record_end(c->record, how);
    c->record = NULL;
    answer_free(c->answer);
    c->answer = NULL;
    c->head_n = 0;
    c->finishing = c->continued = false;
    c->idle_since = now_ms();
}

static void conn_close(struct conn *c, enum outcome how, bool reset)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    request_over(c, how);
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fd);
    c->dead = true;
}

static void sweep_dead(void)
{
    for (struct conn **at = &conns; *at;) {
        struct conn *c = *at;
        if (!c->dead) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        buf_free(&c->in);
        buf_free(&c->out);
        free(c);
    }
}

/* -- writing */

void conn_send(struct conn *c, const void *p, size_t n)
{
    buf_add(&c->out, p, n);
}

void conn_answering(struct conn *c, struct answer *a)
{
    c->answer = a;
}

void conn_finish(struct conn *c, enum conn_end how, enum outcome outcome)
{
    c->finishing = true;
    c->end = how;
    c->outcome = outcome;
}

static void output_gone(struct conn *c)
{
    if (!c->finishing)
        return;
    bool keep = c->end == END_KEEP || c->end == END_STALE_NEXT;
    if (c->end == END_STALE_NEXT)
        c->stale = true;
    if (keep && c->keep_alive)
        request_over(c, c->outcome);
    else
        conn_close(c, c->outcome, c->end == END_RESET);
}

/* One write a turn when the answer is to be split, so that the bytes really leave one by one. */
static void conn_flush(struct conn *c)
{
    int split = c->answer ? answer_split(c->answer) : 0;
    while (c->out.n) {
        size_t n = split && (size_t)split < c->out.n ? (size_t)split : c->out.n;
        ssize_t sent = send(c->fd, c->out.p, n, 0);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            if (c->record)
                c->record->blocked = true;
            return;
        }
        if (sent < 0) {
            conn_close(c, OUT_CANCELLED, false);
            return;
        }
        if (c->record) {
            record_first_byte(c->record);
            c->record->bytes_out += (size_t)sent;
        }
        buf_drop(&c->out, (size_t)sent);
        if (split)
            break;
    }
    if (!c->out.n)
        output_gone(c);
}

/* -- reading */

static void refuse(struct conn *c, const char *why)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    llama_log('W', "fake", "bad request: %s", why);
    record_bad(why);
    conn_send(c, answer, sizeof answer - 1);
    conn_finish(c, END_CLOSE, OUT_CUT);
}

/* The value of a header, trimmed, or NULL; *count says how often it is there. */
static char *header_get(const char *head, size_t head_n, const char *name, int *count)
{
    char *value = NULL;
    size_t name_n = strlen(name);
    *count = 0;
    for (const char *line = strstr(head, "\r\n"); line && line + 4 < head + head_n; line = strstr(line + 2, "\r\n")) {
        const char *s = line + 2;
        if (strncasecmp(s, name, name_n) || s[name_n] != ':')
            continue;
        s += name_n + 1;
        s += strspn(s, " \t");
        size_t n = strcspn(s, "\r");
        free(value);
        value = must_dup(s, n);
        ++*count;
    }
    return value;
}

static const char *framing_read(struct conn *c)
{
    int lengths, encodings, hosts;
    char *length = header_get(c->in.p, c->head_n, "Content-Length", &lengths);
    char *encoding = header_get(c->in.p, c->head_n, "Transfer-Encoding", &encodings);
    char *host = header_get(c->in.p, c->head_n, "Host", &hosts);
    const char *fault = NULL;
    c->body_length = 0;
    if (hosts != 1)
        fault = "not exactly one Host";
    else if (lengths > 1 || encodings > 1 || (lengths && encodings))
        fault = "ambiguous length";
    else if (length && (!*length || strspn(length, "0123456789") != strlen(length)))
        fault = "Content-Length is not a number";
    else if (encoding && strcmp(encoding, "chunked"))
        fault = "Transfer-Encoding is not chunked";
    else
        c->body_length = encoding ? -1 : length ? strtol(length, NULL, 10) : 0;
    if (c->body_length > BODY_MAX)
        fault = "body too long";
    free(length);
    free(encoding);
    free(host);
    return fault;
}

static bool key_matches(const char *head, size_t head_n)
{
    int n;
    bool yes = !fake.key;
    char *bearer = header_get(head, head_n, "Authorization", &n);
    char *plain = header_get(head, head_n, "X-Api-Key", &n);
    if (!yes && bearer && !strncmp(bearer, "Bearer ", 7))
        yes = !strcmp(bearer + 7, fake.key);
    if (!yes && plain)
        yes = !strcmp(plain, fake.key);
    free(bearer);
    free(plain);
    return yes;
}

static void head_complete(struct conn *c, size_t head_n)
{
    int n;
    c->head_n = head_n;
    if (memchr(c->in.p, '\0', head_n)) {
        refuse(c, "NUL in the head");
        return;
    }
    char *head = must_dup(c->in.p, head_n);
    c->record = record_new(head, head_n);
    c->record->conn_id = c->id;
    c->record->nth = ++c->nth;
    size_t line_n = strcspn(head, "\r");
    bool version_ok = line_n > 9 && !strncmp(head + line_n - 9, " HTTP/1.1", 9);
    const char *fault = version_ok ? framing_read(c) : "not HTTP/1.1";
    char *connection = header_get(head, head_n, "Connection", &n);
    char *expect = header_get(head, head_n, "Expect", &n);
    c->keep_alive = !connection || strcasecmp(connection, "close") != 0;
    c->authorized = key_matches(head, head_n);
    if (fault)
        refuse(c, fault);
    else if (expect && !strcasecmp(expect, "100-continue"))
        conn_send(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    free(connection);
    free(expect);
    free(head);
}

/* Takes a chunked body apart. 1 = complete (*used bytes of p), 0 = more is needed, -1 = broken. */
static int chunks_read(const char *p, size_t n, struct buf *body, size_t *used)
{
    size_t at = 0;
    for (;;) {
        const char *eol = memchr(p + at, '\n', n - at);
        if (!eol)
            return n - at > 32 ? -1 : 0;
        char *end;
        unsigned long size = strtoul(p + at, &end, 16);
        if (end == p + at || *end != '\r' || end + 1 != eol || size > BODY_MAX)
            return -1;
        at = (size_t)(eol - p) + 1;
        if (n - at < size + 2)
            return 0;
        if (memcmp(p + at + size, "\r\n", 2))
            return -1; /* trailers too: hob never sends any */
        buf_add(body, p + at, size);
        at += size + 2;
        if (!size) {
            *used = at;
            return 1;
        }
    }
}

static int body_read(struct conn *c, struct buf *body, size_t *used)
{
    const char *p = c->in.p + c->head_n;
    size_t n = c->in.n - c->head_n;
    if (c->body_length < 0)
        return chunks_read(p, n, body, used);
    if (n < (size_t)c->body_length)
        return 0;
    *used = (size_t)c->body_length;
    buf_add(body, p, *used);
    return 1;
}

static void request_complete(struct conn *c, struct buf *body)
{
    struct record *r = c->record;
    buf_add(body, "", 0);
    r->body = must_dup(body->p, body->n);
    r->body_n = body->n;
    struct request q = {
        .method = r->method,
        .target = r->target,
        .path = must_dup(r->target, strcspn(r->target, "?")),
        .body = r->body,
        .body_n = r->body_n,
        .keep_alive = c->keep_alive,
        .authorized = c->authorized,
    };
    serve_request(c, &q);
    free(q.path);
}

static void conn_read_request(struct conn *c)
{
    if (!c->head_n) {
        const char *end = c->in.n ? strstr(c->in.p, "\r\n\r\n") : NULL;
        if (end)
            head_complete(c, (size_t)(end - c->in.p) + 4);
        else if (c->in.n > HEAD_MAX)
            refuse(c, "head too long");
    }
    if (!c->head_n || c->finishing)
        return;
    struct buf body = {0};
    size_t used = 0;
    int got = body_read(c, &body, &used);
    if (got > 0) {
        request_complete(c, &body);
        buf_drop(&c->in, c->head_n + used);
    } else if (got < 0) {
        refuse(c, "broken chunk");
    }
    buf_free(&body);
}

static void conn_readable(struct conn *c)
{
    char chunk[65536];
    ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c, OUT_CANCELLED, false);
        return;
    }
    if (c->stale) { /* it had been closed "meanwhile": the request meets a dead connection */
        conn_close(c, OUT_CUT, true);
        return;
    }
    buf_add(&c->in, chunk, (size_t)n);
}

/* -- the loop */

static bool conn_busy(const struct conn *c)
{
    return c->answer || c->finishing || c->out.n;
}

static void conn_advance(struct conn *c)
{
    if (!c->dead && !conn_busy(c) && c->in.n)
        conn_read_request(c);
    /* A bound on the steps of a turn, so that one endless stream does not starve the others. */
    for (int i = 0; i < 64 && !c->dead; i++) {
        if (c->out.n || c->finishing) {
            conn_flush(c);
            if (c->dead || c->out.n)
                return;
            if (!c->answer && c->in.n)
                return; /* the next request is read in the next turn */
        }
        if (!c->answer || answer_due(c->answer) > now_ms())
            return;
        answer_step(c, c->answer);
    }
}

static int64_t conn_wakes_at(const struct conn *c)
{
    if (c->out.n)
        return c->answer && answer_split(c->answer) ? 0 : INT64_MAX;
    if (c->finishing)
        return 0;
    if (c->answer)
        return answer_due(c->answer);
    if (c->in.n && !c->head_n)
        return strstr(c->in.p, "\r\n\r\n") ? 0 : INT64_MAX;
    return c->head_n ? INT64_MAX : c->idle_since + fake.keepalive_ms;
}

static void conn_expire(struct conn *c, int64_t now)
{
    if (!c->dead && !conn_busy(c) && !c->in.n && now >= c->idle_since + fake.keepalive_ms)
        conn_close(c, OUT_CUT, false);
}

void conn_turn(int64_t wake_at, int signal_fd)
{
    static struct pollfd *fds;
    static struct conn **of;
    static size_t cap;
    size_t n = 2;
    for (struct conn *c = conns; c; c = c->next) {
        if (n >= cap || !fds) {
            cap = cap ? cap * 2 : 64;
            fds = realloc(fds, cap * sizeof *fds);
            of = realloc(of, cap * sizeof *of);
            if (!fds || !of)
                abort();
        }
        int64_t at = conn_wakes_at(c);
        if (at < wake_at)
            wake_at = at;
        fds[n] = (struct pollfd){ .fd = c->fd, .events = (short)(POLLIN | (c->out.n ? POLLOUT : 0)) };
        of[n++] = c;
    }
    struct pollfd none[2];
    struct pollfd *set = fds && n > 2 ? fds : none;
    set[0] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
    set[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
    int64_t wait = wake_at == INT64_MAX ? 60000 : wake_at - now_ms();
    poll(set, (nfds_t)n, wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait);
    int64_t now = now_ms();
    for (size_t i = 2; i < n; i++) /* all of them first: who left before another came is not counted beside him */
        if (set[i].revents & (POLLIN | POLLHUP | POLLERR))
            conn_readable(of[i]);
    for (size_t i = 2; i < n; i++) {
        conn_advance(of[i]);
        conn_expire(of[i], now);
    }
    sweep_dead();
    if (set[1].revents & POLLIN)
        conn_accept();
}
