/* A crowd of callers: asks hob for chats over many keep-alive connections, in all the ways that callers have, and says what became of each. One
 * thread, epoll, libc only; it runs until its stdin ends, then waits for what is still under way.
 *
 *   crowd --port P --conns N --models a,b --mix plain=6,stream=3,gone=1 --think-ms T --deadline-ms D --ids FILE --seed S --report-ms R
 *
 * Every request ends in exactly one of the ways of `enum end`. The id of every answer that was got whole (x-request-id, whatever its status) is a
 * line `ID STATUS KIND` of FILE, written only once the whole answer is there: so each of them must have its row. On stdout a line of JSON every R
 * ms, and a last one with "final":true. bench/load.c measures; this one counts, and believes nobody. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, EVENT_MAX = 65536, MODELS_MAX = 64, STATUS_MAX = 600 };

/* What is asked. The texts are directives for the fake that answers (README.md). */
static const struct kind {
    const char *name, *body; /* %s: the model */
    bool stream;
    int leaves_after; /* events, at most: 0 stays to the end */
} kinds[] = {
#define CHAT(text, more) "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]" more "}"
#define STREAM ",\"stream\":true"
    { "plain",  CHAT("hello [[words 6]]", ""),                            false, 0 },
    { "stream", CHAT("hello [[words 6]]", STREAM),                        true,  0 },
    { "slow",   CHAT("hello [[words 20]] [[gap_ms 10]]", STREAM),         true,  0 },
    { "gone",   CHAT("hello [[words 1000]] [[gap_ms 5]]", STREAM),        true,  5 },
    { "left",   CHAT("hello [[first_ms 300]]", ""),                       false, 1 },
    { "fails",  CHAT("hello [[error 500]]", ""),                          false, 0 },
    { "cut",    CHAT("hello [[words 9]] [[close_after 3]]", STREAM),      true,  0 },
    { "broken", "{\"model\":\"%s\",\"messages\":[{\"role\":",             false, 0 },
    { "nobody", "{\"model\":\"nobody-%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", false, 0 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

enum end {
    END_OK,       /* whole, 2xx */
    END_REFUSED,  /* whole, another status */
    END_TOLD,     /* a stream that ended with an error event, whole */
    END_LEFT,     /* we went away, as we had meant to */
    END_CUT,      /* the connection ended before the answer did */
    END_NO_DOOR,  /* nobody listened */
    END_LATE,     /* not ended within the deadline */
    END_ODD,      /* it ended, but not as an answer may: no end of the stream and no error, broken framing */
    ENDS
};
static const char *const end_names[ENDS] = { "ok", "refused", "told", "left", "cut", "no_door", "late", "odd" };

enum part { HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, LAST_LINE, TO_CLOSE };

struct conn {
    int fd; /* -1: none */
    bool busy, fresh; /* fresh: nothing was ever answered on it */
    const struct kind *kind;
    int64_t ask_at_ms, asked_ms;
    char request[1024];
    size_t request_n, sent;
    enum part part;
    int status, events, leave_at;
    bool close_after, done, error, got_any;
    size_t todo;
    char head[HEAD_MAX], event[EVENT_MAX];
    size_t head_n, event_n;
    char id[80];
};

static struct {
    int port, nconns, think_ms, deadline_ms, report_ms;
    const char *ids_path, *mix;
    char *models[MODELS_MAX];
    int nmodels, weights[KINDS], weight;
    uint64_t random;
    FILE *ids;
    struct conn *conns;
    int epoll, busy;
    bool ending;
    long asked, ends[ENDS], by_status[STATUS_MAX];
    int64_t slowest_ms;
    char odd[300];
} crowd = { .nconns = 8, .think_ms = 10, .deadline_ms = 60000, .report_ms = 1000, .mix = "plain=1", .random = 1 };

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "crowd: ");
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint32_t draw(uint32_t below) /* xorshift64* */
{
    crowd.random ^= crowd.random >> 12;
    crowd.random ^= crowd.random << 25;
    crowd.random ^= crowd.random >> 27;
    return below ? (uint32_t)((crowd.random * 2685821657736338717u) >> 33) % below : 0;
}

/* ---- what became of it ---- */

static void remember_odd(const struct conn *c, const char *why)
{
    if (!crowd.odd[0])
        snprintf(crowd.odd, sizeof crowd.odd, "%s %s: %s", c->kind->name, c->id, why);
}

static void conn_close(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void request_ends(struct conn *c, enum end how)
{
    int64_t now = now_ms(), took = now - c->asked_ms;
    bool whole = how == END_OK || how == END_REFUSED || how == END_TOLD;
    crowd.ends[how]++;
    crowd.busy--;
    if (c->status > 0 && c->status < STATUS_MAX)
        crowd.by_status[c->status]++;
    if (whole && took > crowd.slowest_ms)
        crowd.slowest_ms = took;
    if (whole && c->id[0])
        fprintf(crowd.ids, "%s %d %s\n", c->id, c->status, c->kind->name);
    if (whole && !c->id[0])
        remember_odd(c, "an answer without an id");
    if (!whole || c->close_after)
        conn_close(c);
    c->busy = c->fresh = false;
    c->ask_at_ms = now + (crowd.think_ms ? draw(2 * (uint32_t)crowd.think_ms + 1) : 0) + (how == END_NO_DOOR ? 10 : 0);
}

static void odd(struct conn *c, const char *why)
{
    remember_odd(c, why);
    request_ends(c, END_ODD);
}

/* ---- asking ---- */

static void watch(struct conn *c, int op, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = c };
    if (epoll_ctl(crowd.epoll, op, c->fd, &ev))
        die("epoll_ctl: %s", strerror(errno));
}

static bool conn_open(struct conn *c)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)crowd.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fresh = true;
    if (connect(c->fd, (struct sockaddr *)(void *)&at, sizeof at) && errno != EINPROGRESS) {
        conn_close(c);
        return false;
    }
    watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return true;
}

static void conn_write(struct conn *c)
{
    ssize_t n = send(c->fd, c->request + c->sent, c->request_n - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return;
    if (n < 0) {
        request_ends(c, errno == ECONNREFUSED ? END_NO_DOOR : END_CUT);
        return;
    }
    c->sent += (size_t)n;
    watch(c, EPOLL_CTL_MOD, EPOLLIN | (c->sent < c->request_n ? (uint32_t)EPOLLOUT : 0));
}

static const struct kind *choose(void)
{
    int at = (int)draw((uint32_t)crowd.weight);
    for (int i = 0; i < KINDS; i++)
        if ((at -= crowd.weights[i]) < 0)
            return &kinds[i];
    return kinds;
}

static void conn_ask(struct conn *c)
{
    char body[800];
    const char *model = crowd.models[draw((uint32_t)crowd.nmodels)];
    c->kind = choose();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
    int n = snprintf(body, sizeof body, c->kind->body, model);
#pragma GCC diagnostic pop
    c->request_n = (size_t)snprintf(c->request, sizeof c->request,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", crowd.port, n, body);
    c->sent = c->head_n = c->event_n = c->todo = 0;
    c->part = HEAD;
    c->status = c->events = 0;
    c->done = c->error = c->got_any = c->close_after = false;
    c->leave_at = c->kind->leaves_after ? 1 + (int)draw((uint32_t)c->kind->leaves_after) : 0;
    c->id[0] = 0;
    c->asked_ms = now_ms();
    c->busy = true;
    crowd.asked++;
    crowd.busy++;
    if (c->fd < 0 && !conn_open(c)) {
        request_ends(c, END_NO_DOOR);
        return;
    }
    conn_write(c);
}

/* ---- reading ---- */

static void on_line(struct conn *c)
{
    c->event[c->event_n] = 0;
    if (strncmp(c->event, "data:", 5))
        return;
    const char *p = c->event + 5 + strspn(c->event + 5, " ");
    c->events++;
    c->done |= !strncmp(p, "[DONE]", 6);
    c->error |= !strncmp(p, "{\"error\"", 8);
}

static void on_body(struct conn *c, const char *p, size_t n)
{
    for (size_t i = 0; c->kind->stream && i < n; i++) {
        if (p[i] == '\n') {
            on_line(c);
            c->event_n = 0;
        } else if (c->event_n < EVENT_MAX - 1) {
            c->event[c->event_n++] = p[i];
        }
    }
}

static void answer_whole(struct conn *c)
{
    if (c->status / 100 != 2)
        request_ends(c, END_REFUSED);
    else if (!c->kind->stream || c->done)
        request_ends(c, END_OK);
    else if (c->error)
        request_ends(c, END_TOLD);
    else
        odd(c, "a stream that ends without [DONE] and without an error");
}

static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = strchr(head, '\n'); p; p = strchr(p, '\n'))
        if (!strncasecmp(++p, name, n) && p[n] == ':')
            return p + n + 1 + strspn(p + n + 1, " ");
    return NULL;
}

static bool on_head(struct conn *c)
{
    c->head[c->head_n] = 0;
    if (strncmp(c->head, "HTTP/1.1 ", 9))
        return false;
    c->status = (int)strtol(c->head + 9, NULL, 10);
    const char *length = header(c->head, "content-length"), *coding = header(c->head, "transfer-encoding");
    const char *connection = header(c->head, "connection"), *id = header(c->head, "x-request-id");
    c->close_after = connection && !strncasecmp(connection, "close", 5);
    if (id)
        snprintf(c->id, sizeof c->id, "%.*s", (int)strcspn(id, "\r\n"), id);
    c->head_n = 0;
    c->todo = length ? strtoul(length, NULL, 10) : 0;
    c->part = c->status / 100 == 1 ? HEAD : coding ? CHUNK_SIZE : length ? LENGTH : TO_CLOSE;
    return !(length && coding);
}

/* A line into c->head, with its end; true when it is whole. */
static bool take_line(struct conn *c, const char **p, const char *end, const char *mark)
{
    size_t n = strlen(mark);
    while (*p < end && c->head_n < HEAD_MAX - 1) {
        c->head[c->head_n++] = *(*p)++;
        if (c->head_n >= n && !memcmp(c->head + c->head_n - n, mark, n))
            return true;
    }
    return false;
}

static const char *take_data(struct conn *c, const char *p, const char *end)
{
    size_t n = (size_t)(end - p) < c->todo ? (size_t)(end - p) : c->todo;
    on_body(c, p, n);
    c->todo -= n;
    return p + n;
}

static bool chunk_begins(struct conn *c)
{
    char *end;
    c->head[c->head_n] = 0;
    c->todo = strtoul(c->head, &end, 16);
    c->head_n = 0;
    if (end == c->head || *end != '\r')
        return false;
    c->part = c->todo ? CHUNK_DATA : LAST_LINE;
    return true;
}

/* One step; false: no more of these bytes are wanted (the request has ended, or more must come). */
static bool take(struct conn *c, const char **p, const char *end)
{
    switch (c->part) {
    case HEAD:
        if (!take_line(c, p, end, "\r\n\r\n"))
            return false;
        if (!on_head(c))
            odd(c, "a head that is none");
        else if (c->part == LENGTH && !c->todo)
            answer_whole(c);
        return c->busy;
    case LENGTH:
        *p = take_data(c, *p, end);
        if (!c->todo)
            answer_whole(c);
        return c->busy && *p < end;
    case CHUNK_SIZE:
        if (!take_line(c, p, end, "\r\n"))
            return false;
        if (!chunk_begins(c))
            odd(c, "a chunk without a size");
        return c->busy;
    case CHUNK_DATA:
        *p = take_data(c, *p, end);
        c->part = c->todo ? CHUNK_DATA : CHUNK_END;
        return *p < end;
    case CHUNK_END:
    case LAST_LINE:
        if (!take_line(c, p, end, "\r\n"))
            return false;
        if (c->head_n != 2)
            odd(c, "a chunk without an end");
        else if (c->part == LAST_LINE)
            answer_whole(c);
        c->head_n = 0;
        c->part = CHUNK_SIZE;
        return c->busy;
    case TO_CLOSE:
        on_body(c, *p, (size_t)(end - *p));
        *p = end;
        return false;
    }
    return false;
}

static void conn_ended(struct conn *c)
{
    if (!c->busy)
        conn_close(c); /* it was idle: its right */
    else if (c->part == TO_CLOSE)
        answer_whole(c);
    else
        request_ends(c, END_CUT);
}

static void conn_read(struct conn *c)
{
    char bytes[65536];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 && errno == ECONNREFUSED && c->busy) {
        request_ends(c, END_NO_DOOR);
        return;
    }
    if (n <= 0) {
        conn_ended(c);
        return;
    }
    const char *p = bytes, *end = bytes + n;
    if (!c->busy) {
        remember_odd(c, "bytes that nobody asked for");
        crowd.ends[END_ODD]++;
        conn_close(c);
        return;
    }
    while (c->busy && p < end && take(c, &p, end))
        continue;
    if (c->busy && c->leave_at && c->events >= c->leave_at)
        request_ends(c, END_LEFT);
    else if (!c->busy && p < end && c->fd >= 0)
        odd(c, "bytes behind an answer");
}

/* ---- the loop ---- */

static void report(bool final)
{
    fflush(crowd.ids); /* before we say so many */
    printf("{\"final\":%s,\"asked\":%ld,\"busy\":%d,\"slowest_ms\":%lld", final ? "true" : "false", crowd.asked, crowd.busy, (long long)crowd.slowest_ms);
    for (int i = 0; i < ENDS; i++)
        printf(",\"%s\":%ld", end_names[i], crowd.ends[i]);
    fputs(",\"status\":{", stdout);
    const char *comma = "";
    for (int s = 0; s < STATUS_MAX; s++) {
        if (crowd.by_status[s]) {
            printf("%s\"%d\":%ld", comma, s, crowd.by_status[s]);
            comma = ",";
        }
    }
    fputs("},\"first_odd\":\"", stdout);
    for (const char *s = crowd.odd; *s; s++)
        putchar(*s == '"' || *s == '\\' || (unsigned char)*s < 32 ? ' ' : *s);
    puts("\"}");
    fflush(stdout);
}

/* What is due: a question, the end of patience, a leave before anything came. When the next is. */
static int64_t step(int64_t now)
{
    int64_t next = now + 1000;
    for (int i = 0; i < crowd.nconns; i++) {
        struct conn *c = &crowd.conns[i];
        if (!c->busy && !crowd.ending && now >= c->ask_at_ms)
            conn_ask(c);
        int64_t leave = !c->kind || c->kind->stream || !c->leave_at ? INT64_MAX : c->asked_ms + 50;
        if (c->busy && now >= leave)
            request_ends(c, END_LEFT);
        if (c->busy && now >= c->asked_ms + crowd.deadline_ms) {
            remember_odd(c, "no end within the deadline");
            request_ends(c, END_LATE);
        }
        int64_t due = c->busy ? (leave < c->asked_ms + crowd.deadline_ms ? leave : c->asked_ms + crowd.deadline_ms) : crowd.ending ? INT64_MAX : c->ask_at_ms;
        if (due < next)
            next = due;
    }
    return next;
}

static void on_event(const struct epoll_event *ev)
{
    struct conn *c = ev->data.ptr;
    char bytes[256];
    if (!c) {
        if (read(STDIN_FILENO, bytes, sizeof bytes) <= 0)
            crowd.ending = true;
        return;
    }
    if (c->fd >= 0 && c->busy && (ev->events & EPOLLOUT) && c->sent < c->request_n)
        conn_write(c);
    if (c->fd >= 0 && (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        conn_read(c);
}

static void run(void)
{
    int64_t next_report = now_ms() + crowd.report_ms;
    while (!crowd.ending || crowd.busy) {
        struct epoll_event events[128];
        int64_t now = now_ms(), due = step(now);
        if (now >= next_report) {
            report(false);
            next_report = now + crowd.report_ms;
        }
        due = due < next_report ? due : next_report;
        int n = epoll_wait(crowd.epoll, events, 128, due > now ? (int)(due - now) : 0);
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        if (crowd.ending) /* its end is told once */
            epoll_ctl(crowd.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    }
}

/* ---- how it is started ---- */

static void read_models(char *list)
{
    for (char *one; (one = strsep(&list, ",")) && crowd.nmodels < MODELS_MAX;)
        crowd.models[crowd.nmodels++] = one;
}

static void read_mix(char *list)
{
    for (char *one; (one = strsep(&list, ","));) {
        char *weight = one, *name = strsep(&weight, "=");
        int i = 0;
        while (i < KINDS && strcmp(kinds[i].name, name))
            i++;
        if (i == KINDS || !weight)
            die("--mix: what is \"%s\"?", name);
        crowd.weights[i] = (int)strtol(weight, NULL, 10);
        crowd.weight += crowd.weights[i];
    }
    if (crowd.weight <= 0)
        die("--mix asks for nothing");
}

static void read_args(int argc, char **argv)
{
    const struct { const char *name; int *at; } numbers[] = {
        { "--port", &crowd.port },           { "--conns", &crowd.nconns },           { "--think-ms", &crowd.think_ms },
        { "--deadline-ms", &crowd.deadline_ms }, { "--report-ms", &crowd.report_ms },
    };
    for (int i = 1; i + 1 < argc; i += 2) {
        bool known = false;
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            if (!strcmp(argv[i], numbers[k].name)) {
                *numbers[k].at = (int)strtol(argv[i + 1], NULL, 10);
                known = true;
            }
        }
        if (!strcmp(argv[i], "--models"))
            read_models(argv[i + 1]);
        else if (!strcmp(argv[i], "--mix"))
            read_mix(argv[i + 1]);
        else if (!strcmp(argv[i], "--ids"))
            crowd.ids_path = argv[i + 1];
        else if (!strcmp(argv[i], "--seed"))
            crowd.random = strtoull(argv[i + 1], NULL, 10) * 2 + 1;
        else if (!known)
            die("what is %s?", argv[i]);
    }
    if (!crowd.port || !crowd.nmodels || !crowd.weight || !crowd.ids_path || crowd.nconns < 1)
        die("--port, --models, --mix, --ids are wanted");
}

int main(int argc, char **argv)
{
    read_args(argc, argv);
    crowd.ids = fopen(crowd.ids_path, "a");
    crowd.conns = calloc((size_t)crowd.nconns, sizeof *crowd.conns);
    crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = { .events = EPOLLIN };
    if (!crowd.ids || !crowd.conns || crowd.epoll < 0 || epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev))
        die("cannot start: %s", strerror(errno));
    for (int i = 0; i < crowd.nconns; i++)
        crowd.conns[i].fd = -1;
    run();
    report(true);
    return 0;
}
