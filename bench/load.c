/* The load client: asks for chat completions over keep-alive connections and measures from the caller's side. One
 * thread, epoll, libc only; the result is one line of JSON on stdout.
 *
 *   load plain --port P [--conns C] [--requests R] [--body-bytes B]
 *       closed loop: each connection asks again as soon as it has its answer, until R requests are done
 *   load plain --rate N …
 *       open loop: N requests per s, each on a connection that is free; one that comes too late counts from when it was due
 *   load stream --port P [--conns C] [--waves W] [--events N] [--gap-ms MS] [--body-bytes B] [--usage]
 *       each connection reads W streams of N paced events, one after the other; the starts are spread over one stream's
 *       length, so that the load is level. "delay" is from the mock's stamp in an event to our reading it.
 *   --refusals: 429 and 503 are counted, not faults, and timed apart, from the moment they were sent. "late" is how much later than due they were sent: what
 *       the client itself waits for a core, and about what it adds to each answer that it reads.
 *   --streamed: plain, but what is asked for is a stream (of which only the end is seen): a mock takes its time for those
 *   common: --model NAME, --path PATH, --seconds S (the longest a run may take), --text plain|escapes (of the question)
 *
 * An answer counts when it has status 200 and a body; a stream when it has all its content events and [DONE] too. The
 * response parser believes its peer (it measures gateways, it does not test them), but bounds everything it reads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "common.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, LINE_MAX_BYTES = 8192, BATCH = 256, MAX_ERRORS = 100 };

enum part { HEAD, LENGTH_BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, WHOLE };

struct conn {
    int fd;
    bool open;
    int left; /* streams still to ask for; plain mode draws from load.asked instead */
    struct conn *next_free; /* open loop */
    size_t written;
    int64_t asked_ns, sent_ns;
    /* the response */
    enum part part;
    int status;
    bool close_after;
    size_t todo; /* bytes left of the body or the chunk */
    size_t body_bytes;
    char line[HEAD_MAX]; /* the head, a chunk's size line, a trailer line */
    size_t line_len;
    /* the stream inside it */
    char event[LINE_MAX_BYTES];
    size_t event_len;
    long contents;
    bool done;
};

static struct {
    bool stream, usage, refusals, streamed;
    int port, conns, waves, events, gap_ms, seconds;
    long requests, body_bytes, rate;
    const char *model, *path, *text;
    char *request;
    size_t request_len;

    int epoll, timer;
    struct conn *conn, *free;
    int open_conns, started;
    long asked, done, events_seen, errors, reconnects;
    struct samples {
        uint32_t *ns;
        size_t n, max;
    } answers, refused, late;
    long refused_status;
    int64_t start_ns, end_ns;
    char first_error[160];
} load = {.conns = 1,
          .waves = 1,
          .events = 50,
          .gap_ms = 20,
          .seconds = 60,
          .requests = 1000,
          .body_bytes = 1024,
          .model = "bench",
          .path = "/v1/chat/completions",
          .text = "plain"};

/* ---- Results ---- */

static void sample(struct samples *s, int64_t ns)
{
    if (s->n < s->max)
        s->ns[s->n++] = ns < 0 ? 0 : ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    if (load.errors++)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(load.first_error, sizeof load.first_error, format, ap);
    va_end(ap);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(const struct samples *s, double q)
{
    return s->n ? s->ns[(size_t)(q * (double)(s->n - 1))] / 1e3 : 0;
}

static void print_samples(struct samples *s, const char *prefix)
{
    qsort(s->ns, s->n, sizeof *s->ns, by_value);
    printf("\"%sp50_us\":%.2f,\"%sp90_us\":%.2f,\"%sp99_us\":%.2f,\"%smax_us\":%.2f,", prefix, quantile_us(s, 0.5), prefix, quantile_us(s, 0.9), prefix,
           quantile_us(s, 0.99), prefix, quantile_us(s, 1));
}

static void print_text(const char *text)
{
    putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            putchar('\\');
        putchar(*p < 32 || *p > 126 ? ' ' : *p);
    }
    putchar('"');
}

static void report(void)
{
    double seconds = (double)(load.end_ns - load.start_ns) / 1e9;
    printf("{\"mode\":\"%s\",\"done\":%ld,\"events\":%ld,\"errors\":%ld,\"reconnects\":%ld,\"seconds\":%.3f,\"rate\":%.1f,",
           load.stream ? "stream" : "plain",
           load.done,
           load.events_seen,
           load.errors,
           load.reconnects,
           seconds,
           (double)load.done / seconds);
    print_samples(&load.answers, "");
    if (load.refusals) {
        printf("\"refused\":%zu,\"refused_status\":%ld,", load.refused.n, load.refused_status);
        print_samples(&load.refused, "refused_");
        print_samples(&load.late, "late_");
    }
    printf("\"first_error\":");
    print_text(load.first_error);
    puts("}");
}

/* ---- The request ---- */

/* What the question is made of, as it stands inside a JSON string: prose has nothing to decode, a program has an escape
 * in every few bytes. Whole units only, so that no escape is cut; the rest is filled up. */
static const struct text {
    const char *name, *unit;
} texts[] = {
    {"plain", "the pot on the back burner stays warm while the cook tastes the soup and asks for more "},
    {"escapes", "\\tif (*s == \\\"\\\\\\\") {\\n\\t\\tputs(\\\"caf\\u00e9 \\u2615 C:\\\\soup\\\\pot\\\");\\r\\n\\t}\\n"},
};

static const char *text_unit(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(texts[i].name, load.text))
            return texts[i].unit;
    die("--text wants plain or escapes, not \"%s\"", load.text);
}

/* A chat of body_bytes in all (or a little more, when they are very few): a short system message and one long question. */
static void build_request(void)
{
    const char *unit = text_unit();
    size_t cap = (size_t)load.body_bytes + 1024, n = 0, unit_len = strlen(unit);
    char *body = must(malloc(cap)), tail[256];
    n = (size_t)snprintf(body, cap,
                         "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":\"You are brief.\"},"
                         "{\"role\":\"user\",\"content\":\"",
                         load.model);
    int tail_len = snprintf(tail, sizeof tail,
                            "\"}],\"temperature\":0.7,\"top_p\":0.95,\"max_tokens\":256,\"user\":\"bench\",\"stream\":%s%s}",
                            load.stream || load.streamed ? "true" : "false",
                            load.usage ? ",\"stream_options\":{\"include_usage\":true}" : "");
    size_t end = (size_t)load.body_bytes > (size_t)tail_len ? (size_t)load.body_bytes - (size_t)tail_len : 0;
    for (; n + unit_len <= end; n += unit_len)
        memcpy(body + n, unit, unit_len);
    for (; n < end; n++)
        body[n] = '.';
    memcpy(body + n, tail, (size_t)tail_len + 1);
    int all = asprintf(&load.request,
                       "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                       "Accept: */*\r\nContent-Length: %zu\r\n\r\n%s",
                       load.path,
                       load.port,
                       n + (size_t)tail_len,
                       body);
    if (all < 0)
        die("out of memory");
    load.request_len = (size_t)all;
    free(body);
}

/* ---- Connections ---- */

static void watch(struct conn *c, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};
    if (epoll_ctl(load.epoll, op, c->fd, &ev))
        die("epoll_ctl: %s", strerror(errno));
}

/* The connection is made in blocking fashion: on loopback that takes as long as the kernel needs. */
static bool conn_open(struct conn *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)load.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a)) {
        fail("connect to port %d: %s", load.port, strerror(errno));
        if (c->fd >= 0)
            close(c->fd);
        return false;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
    c->open = true;
    load.open_conns++;
    return true;
}

static void conn_close(struct conn *c)
{
    if (!c->open)
        return;
    close(c->fd);
    c->open = false;
    load.open_conns--;
}

static void conn_write(struct conn *c)
{
    ssize_t n = send(c->fd, load.request + c->written, load.request_len - c->written, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        fail("send: %s", strerror(errno));
        conn_close(c);
        return;
    }
    bool was_blocked = c->written > 0;
    c->written += n > 0 ? (size_t)n : 0;
    bool blocked = c->written < load.request_len;
    if (blocked || was_blocked)
        watch(c, EPOLL_CTL_MOD, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void conn_ask(struct conn *c, int64_t due_ns)
{
    c->written = 0;
    c->part = HEAD;
    c->status = 0;
    c->close_after = c->done = false;
    c->todo = c->body_bytes = c->line_len = c->event_len = 0;
    c->contents = 0;
    c->asked_ns = due_ns;
    c->sent_ns = now_ns();
    if (load.refusals)
        sample(&load.late, c->sent_ns - due_ns);
    conn_write(c);
}

/* Asks again, or closes when this connection has done its share. */
static void conn_next(struct conn *c)
{
    bool more = load.errors < MAX_ERRORS && (load.stream ? c->left > 0 : load.asked < load.requests);
    if (more && c->open && c->close_after) {
        load.reconnects++;
        conn_close(c);
    }
    if (!more || (!c->open && !conn_open(c))) {
        conn_close(c);
        return;
    }
    if (load.rate) {
        c->next_free = load.free;
        load.free = c;
        return;
    }
    c->left--;
    load.asked++;
    conn_ask(c, now_ns());
}

/* ---- Open loop ---- */

static int64_t due_ns(long request)
{
    return load.start_ns + (int64_t)((double)request * 1e9 / (double)load.rate);
}

static void ask_due(void)
{
    while (load.free && load.asked < load.requests && due_ns(load.asked) <= now_ns()) {
        struct conn *c = load.free;
        load.free = c->next_free;
        conn_ask(c, due_ns(load.asked++));
    }
    while (load.free && load.asked >= load.requests) { /* nothing is left for it */
        conn_close(load.free);
        load.free = load.free->next_free;
    }
}

/* Wakes us at the next due time: a wait of whole milliseconds would make bursts of it. */
static void wake_when_due(void)
{
    int64_t at = due_ns(load.asked);
    struct itimerspec t = {.it_value = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000}};
    if (load.free && load.asked < load.requests)
        timerfd_settime(load.timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void open_timer(void)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    load.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (load.timer < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, load.timer, &ev))
        die("timerfd: %s", strerror(errno));
}

/* ---- Reading a stream's events ---- */

static void on_line(struct conn *c, int64_t now)
{
    c->event[c->event_len] = 0;
    if (strncmp(c->event, "data:", 5))
        return;
    const char *p = c->event + 5 + (c->event[5] == ' ');
    if (!strncmp(p, "[DONE]", 6)) {
        c->done = true;
        return;
    }
    const char *stamp = strchr(p, STAMP);
    if (!stamp)
        return;
    sample(&load.answers, now - strtoll(stamp + 1, NULL, 10));
    c->contents++;
}

static void on_stream_bytes(struct conn *c, const char *p, size_t n, int64_t now)
{
    while (n) {
        const char *nl = memchr(p, '\n', n);
        size_t take = nl ? (size_t)(nl - p) : n;
        size_t room = sizeof c->event - 1 - c->event_len;
        memcpy(c->event + c->event_len, p, take < room ? take : room);
        c->event_len += take < room ? take : room;
        if (!nl)
            return;
        if (c->event_len)
            on_line(c, now);
        c->event_len = 0;
        p += take + 1;
        n -= take + 1;
    }
}

/* ---- Reading a response ---- */

static const char *header(const char *head, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = strchr(head, '\n'); p; p = strchr(p, '\n')) {
        p++;
        if (!strncasecmp(p, name, len) && p[len] == ':')
            return p + len + 1 + strspn(p + len + 1, " ");
    }
    return NULL;
}

static bool on_head(struct conn *c)
{
    c->line[c->line_len] = 0;
    if (c->line_len < 13 || strncmp(c->line, "HTTP/1.", 7)) {
        fail("not an HTTP response");
        return false;
    }
    c->status = (int)strtol(c->line + 9, NULL, 10);
    const char *length = header(c->line, "content-length"), *coding = header(c->line, "transfer-encoding");
    const char *connection = header(c->line, "connection");
    c->close_after = connection && !strncasecmp(connection, "close", 5);
    c->todo = length ? strtoul(length, NULL, 10) : 0;
    c->part = coding ? CHUNK_SIZE : c->todo ? LENGTH_BODY : WHOLE;
    if (c->status / 100 == 1)
        c->part = HEAD;
    c->line_len = 0;
    return true;
}

/* Collects bytes to the end of a line; true when it is whole (without its line end). */
static bool take_line(struct conn *c, const char **p, const char *end)
{
    while (*p < end && c->line_len < sizeof c->line - 1) {
        char ch = *(*p)++;
        if (ch == '\n') {
            c->line[c->line_len] = 0;
            return true;
        }
        if (ch != '\r')
            c->line[c->line_len++] = ch;
    }
    return false;
}

/* The head is kept whole: up to the blank line, ends of lines included. */
static bool take_head(struct conn *c, const char **p, const char *end)
{
    while (*p < end && c->line_len < sizeof c->line - 1) {
        char ch = *(*p)++;
        c->line[c->line_len++] = ch;
        if (ch == '\n' && c->line_len >= 4 && !memcmp(c->line + c->line_len - 4, "\r\n\r\n", 4))
            return true;
    }
    return false;
}

static const char *take_body(struct conn *c, const char *p, const char *end, int64_t now)
{
    size_t n = (size_t)(end - p) < c->todo ? (size_t)(end - p) : c->todo;
    if (load.stream)
        on_stream_bytes(c, p, n, now);
    c->body_bytes += n;
    c->todo -= n;
    return p + n;
}

static void on_chunk_size(struct conn *c)
{
    c->todo = strtoul(c->line, NULL, 16);
    c->part = c->todo ? CHUNK_DATA : TRAILER;
    c->line_len = 0;
}

/* Reads on through p..end; false when the response makes no sense. */
static bool parse(struct conn *c, const char *p, const char *end, int64_t now)
{
    while (p < end) {
        switch (c->part) {
        case HEAD:
            if (take_head(c, &p, end) && !on_head(c))
                return false;
            break;
        case LENGTH_BODY:
            p = take_body(c, p, end, now);
            if (!c->todo)
                c->part = WHOLE;
            break;
        case CHUNK_SIZE:
            if (take_line(c, &p, end))
                on_chunk_size(c);
            break;
        case CHUNK_DATA:
            p = take_body(c, p, end, now);
            if (!c->todo)
                c->part = CHUNK_END;
            break;
        case CHUNK_END:
            if (take_line(c, &p, end)) {
                c->part = CHUNK_SIZE;
                c->line_len = 0;
            }
            break;
        case TRAILER:
            if (take_line(c, &p, end)) {
                c->part = c->line_len ? TRAILER : WHOLE;
                c->line_len = 0;
            }
            break;
        case WHOLE:
            fail("bytes after the end of the response");
            return false;
        }
        if (p < end && c->line_len >= sizeof c->line - 1) {
            fail("a response head or line above %d bytes", HEAD_MAX);
            return false;
        }
    }
    return true;
}

/* ---- The loop ---- */

static void on_response(struct conn *c, int64_t now)
{
    if (load.refusals && (c->status == 429 || c->status == 503)) {
        sample(&load.refused, now - c->sent_ns);
        load.refused_status = c->status;
        conn_next(c);
        return;
    }
    if (c->status != 200 || !c->body_bytes)
        fail("status %d with %zu body bytes", c->status, c->body_bytes);
    else if (load.stream && (!c->done || c->contents != load.events - 2))
        fail("a stream with %ld of %d content events%s", c->contents, load.events - 2, c->done ? "" : ", no [DONE]");
    else
        load.done++;
    if (load.stream)
        load.events_seen += c->contents + 2; /* the role before them, the finish behind them */
    else
        sample(&load.answers, now - c->asked_ns);
    conn_next(c);
}

static void on_event(struct conn *c, uint32_t events)
{
    static char buf[65536];
    if (c->open && (events & EPOLLOUT) && c->written < load.request_len)
        conn_write(c);
    if (!c->open || !(events & ~(uint32_t)EPOLLOUT))
        return;
    ssize_t n = read(c->fd, buf, sizeof buf);
    if (n < 0 && errno == EAGAIN)
        return;
    int64_t now = now_ns();
    if (n <= 0) {
        fail("connection closed %s", c->part == HEAD && !c->line_len ? "before an answer" : "within an answer");
        conn_close(c);
        conn_next(c);
    } else if (!parse(c, buf, buf + n, now)) {
        conn_close(c);
        conn_next(c);
    } else if (c->part == WHOLE) {
        on_response(c, now);
    }
}

static int64_t start_due_ns(int i)
{
    int64_t spread = load.stream ? (int64_t)load.events * load.gap_ms * 1000000 : 0;
    return load.start_ns + spread * i / load.conns;
}

static void start_due(void)
{
    for (; load.started < load.conns && now_ns() >= start_due_ns(load.started); load.started++) {
        struct conn *c = &load.conn[load.started];
        c->left = load.waves;
        conn_next(c);
    }
}

static void run(void)
{
    struct epoll_event evs[BATCH];
    load.start_ns = now_ns();
    int64_t deadline = load.start_ns + (int64_t)load.seconds * 1000000000;
    if (load.rate)
        open_timer();
    start_due();
    if (load.rate)
        load.start_ns = now_ns(); /* all are connected */
    while (load.open_conns || load.started < load.conns) {
        if (load.rate) {
            ask_due();
            wake_when_due();
        }
        int n = epoll_wait(load.epoll, evs, BATCH, load.started < load.conns ? 1 : 200);
        for (int i = 0; i < n; i++)
            if (evs[i].data.ptr)
                on_event(evs[i].data.ptr, evs[i].events);
        start_due();
        if (now_ns() > deadline)
            break;
    }
    load.end_ns = now_ns();
    if (load.open_conns)
        fail("%d connections without an answer after %d s", load.open_conns, load.seconds);
}

struct option {
    const char *name;
    long min, max;
    int *i;
    long *l;
    const char **text;
    bool *flag;
};

static const struct option options[] = {
    {"--port", 1, 65535, .i = &load.port},
    {"--conns", 1, 10000, .i = &load.conns},
    {"--requests", 1, 10000000, .l = &load.requests},
    {"--rate", 1, 1000000, .l = &load.rate},
    {"--waves", 1, 1000, .i = &load.waves},
    {"--events", 2, 1000, .i = &load.events},
    {"--gap-ms", 0, 60000, .i = &load.gap_ms},
    {"--seconds", 1, 3600, .i = &load.seconds},
    {"--body-bytes", 1, 64 << 20, .l = &load.body_bytes},
    {"--model", .text = &load.model},
    {"--path", .text = &load.path},
    {"--text", .text = &load.text},
    {"--usage", .flag = &load.usage},
    {"--refusals", .flag = &load.refusals},
    {"--streamed", .flag = &load.streamed},
};

static void read_options(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        const struct option *o = options, *end = options + sizeof options / sizeof *options;
        while (o < end && strcmp(o->name, argv[i]))
            o++;
        if (o == end)
            die("unknown option %s", argv[i]);
        if (o->flag) {
            *o->flag = true;
            continue;
        }
        const char *value = ++i < argc ? argv[i] : NULL;
        if (!value)
            die("%s wants a value", o->name);
        if (o->text)
            *o->text = value;
        else if (o->l)
            *o->l = number(o->name, value, o->min, o->max);
        else
            *o->i = (int)number(o->name, value, o->min, o->max);
    }
}

int main(int argc, char **argv)
{
    bool plain = argc > 1 && !strcmp(argv[1], "plain");
    load.stream = argc > 1 && !strcmp(argv[1], "stream");
    if (!plain && !load.stream)
        die("usage: load plain|stream --port P [...]");
    read_options(argc, argv);
    if (!load.port)
        die("load: --port is missing");
    signal(SIGPIPE, SIG_IGN);
    build_request();
    load.answers.max = load.stream ? (size_t)load.conns * (size_t)load.waves * (size_t)load.events : (size_t)load.requests;
    load.refused.max = load.late.max = load.refusals ? (size_t)load.requests : 0;
    load.answers.ns = must(calloc(load.answers.max, sizeof *load.answers.ns));
    load.refused.ns = must(calloc(load.refused.max + 1, sizeof *load.refused.ns));
    load.late.ns = must(calloc(load.late.max + 1, sizeof *load.late.ns));
    load.conn = must(calloc((size_t)load.conns, sizeof *load.conn));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    run();
    report();
    return 0;
}
