/* fault_proxy.c - carries connections from doors to places, and breaks them where it is told to.
 *
 * One thread, one poll() loop, libc alone, nothing of hob's code. A pair is a connection somebody made to a door and the one made for it to the place
 * behind; each of its two ways carries bytes from one to the other, past rules that wait at a byte's offset. It is told what to do by lines on its
 * standard input, each of which has one line of answer, and ends with its input. What the lines and rules are is in README.md. */
#include "fault_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HELD_MAX = 64 * 1024, MARK_MAX = 1024, RULES_MAX = 16, JAMMERS = 4, END_MS = 2000 };

static int64_t now; /* as of this turn */

/* ---- doors ---- */

struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } at;
    socklen_t n;
};

struct door_rule {
    struct door_rule *next;
    long pair; /* 0: all */
    char text[256];
};

struct door {
    struct door *next;
    char name[32];
    struct place here, there;
    int fd; /* -1: shut */
    long pairs;
    size_t keep; /* bytes of each way that stand in the log */
    bool marks;  /* requests may carry rules: each is held until its own are known */
    struct door_rule *rules;
    int jammers[JAMMERS];
};

static struct door *doors;

static bool place_parse(const char *text, struct place *p)
{
    *p = (struct place){ 0 };
    if (strchr(text, '/')) {
        p->at.un.sun_family = AF_UNIX;
        p->n = sizeof p->at.un;
        return snprintf(p->at.un.sun_path, sizeof p->at.un.sun_path, "%s", text) < (int)sizeof p->at.un.sun_path;
    }
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || colon - text >= (long)sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    p->at.in.sin_family = AF_INET;
    p->at.in.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    p->n = sizeof p->at.in;
    return inet_pton(AF_INET, host, &p->at.in.sin_addr) == 1;
}

static int socket_to(const struct place *p)
{
    int on = 1, fd = socket(p->at.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (p->at.any.sa_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static bool door_open(struct door *d, int backlog)
{
    int on = 1;
    d->fd = socket_to(&d->here);
    if (d->fd < 0)
        return false;
    if (d->here.at.any.sa_family == AF_INET)
        setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    else
        unlink(d->here.at.un.sun_path);
    if (bind(d->fd, &d->here.at.any, d->here.n) || listen(d->fd, backlog)) {
        close(d->fd);
        d->fd = -1;
        return false;
    }
    socklen_t n = d->here.n;
    if (d->here.at.any.sa_family == AF_INET)
        getsockname(d->fd, &d->here.at.any, &n);
    return true;
}

static void door_shut(struct door *d)
{
    for (int i = 0; i < JAMMERS; i++) {
        if (d->jammers[i] > 0)
            close(d->jammers[i]);
        d->jammers[i] = 0;
    }
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

/* A queue of connections that is full and of which nobody takes any: who connects gets no answer to their SYN. */
static bool door_jam(struct door *d)
{
    door_shut(d);
    if (!door_open(d, 0))
        return false;
    for (int i = 0; i < JAMMERS; i++) {
        d->jammers[i] = socket_to(&d->here);
        if (d->jammers[i] >= 0)
            (void)connect(d->jammers[i], &d->here.at.any, d->here.n);
    }
    return true;
}

static struct door *door_find(const char *name)
{
    for (struct door *d = doors; d; d = d->next) {
        if (name && !strcmp(d->name, name))
            return d;
    }
    return NULL;
}

/* ---- pairs ---- */

struct way {
    struct bytes held;     /* has come, and waits */
    uint64_t passed, base; /* base: passed when the present request began */
    uint64_t skip;         /* to be lost on its way */
    struct rule rules[RULES_MAX];
    size_t nrules;
    long piece, gap_ms, delay_ms;
    int64_t not_before; /* INT64_MAX: never */
    bool ended;         /* who sends has sent their last byte */
    bool shut;          /* who receives was told so */
    bool lost;          /* half-closed by a rule: what comes is dropped */
};

struct pair {
    struct pair *next;
    struct door *door;
    struct entry *entry;
    int fd[2]; /* who connected, the place */
    struct way way[2];
    long nth; /* at its door, from 1 */
    bool connecting, fresh, hole, dead;
    int64_t ends_at; /* both sides were told of the end; then it is closed. 0: not yet */
};

static struct pair *pairs;

static void rules_clear(struct way *w)
{
    for (size_t i = 0; i < w->nrules; i++)
        free(w->rules[i].text);
    w->nrules = 0;
}

static void pair_close(struct pair *p, bool reset, const char *how)
{
    const struct linger at_once = { .l_onoff = 1 };
    if (p->dead)
        return;
    for (int i = 0; i < 2; i++) {
        if (p->fd[i] < 0)
            continue;
        if (reset)
            setsockopt(p->fd[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(p->fd[i]);
    }
    p->dead = true;
    entry_over(p->entry, how);
    p->entry = NULL;
}

static void pair_finish(struct pair *p)
{
    if (p->ends_at)
        return;
    p->ends_at = now + END_MS;
    for (int i = 0; i < 2; i++) {
        if (p->fd[i] >= 0)
            shutdown(p->fd[i], SHUT_WR);
        p->way[i].lost = p->way[i].shut = true;
        p->way[i].held.n = 0;
    }
}

static void fired(struct pair *p, enum action a)
{
    size_t n = strlen(p->entry->fired);
    snprintf(p->entry->fired + n, sizeof p->entry->fired - n, "%s%s", n ? " " : "", action_name(a));
}

static void add_rule(struct pair *p, const char *text)
{
    char line[256];
    struct rule r;
    snprintf(line, sizeof line, "%s", text);
    if (!rule_parse(line, &r)) {
        fprintf(stderr, "fault-proxy: no rule: %s\n", text);
        exit(1);
    }
    if (r.way == CONNECT) {
        fired(p, r.action);
        if (r.action == REFUSE)
            pair_close(p, true, "refused");
        else
            p->hole = true;
        return;
    }
    struct way *w = &p->way[r.way];
    r.at += w->base;
    if (w->nrules < RULES_MAX)
        w->rules[w->nrules++] = r;
}

/* What a rule does. True: the way goes on. */
static bool fire(struct pair *p, enum way_name name)
{
    struct way *w = &p->way[name];
    struct rule r = w->rules[0];
    memmove(w->rules, w->rules + 1, --w->nrules * sizeof *w->rules);
    fired(p, r.action);
    switch (r.action) {
    case RST:
        pair_close(p, true, "rst");
        break;
    case FIN:
        pair_finish(p);
        break;
    case HALF:
        shutdown(p->fd[name == UP], SHUT_WR);
        w->lost = w->shut = true;
        w->held.n = 0;
        break;
    case STALL:
        w->not_before = r.a ? now + r.a : INT64_MAX;
        break;
    case DRIP:
        w->piece = r.a;
        w->gap_ms = r.b;
        break;
    case PIECES:
        w->piece = r.a;
        w->gap_ms = 0;
        break;
    case DELAY:
        w->delay_ms = r.a;
        w->not_before = now + r.a;
        break;
    case INSERT:
    case REPLACE:
        if (send(p->fd[name == UP], r.text, r.text_n, MSG_NOSIGNAL) < 0)
            pair_close(p, true, "lost");
        w->skip += r.action == REPLACE ? r.text_n : 0;
        break;
    case DROP:
        w->skip += (uint64_t)r.a;
        break;
    case REFUSE:
    case HOLE:
        break;
    }
    free(r.text);
    return !p->dead && !w->lost && w->not_before <= now;
}

/* A rule waits before its byte: it fires when all before it have passed; at 0 only when there is a byte. */
static bool rule_is_due(const struct way *w)
{
    return w->nrules && w->passed >= w->rules[0].at && (w->passed > w->base || w->held.n || w->ended);
}

static void count_passed(struct pair *p, enum way_name name, const char *from, size_t n)
{
    struct way *w = &p->way[name];
    struct bytes *kept = &p->entry->kept[name];
    size_t room = p->door->keep > kept->n ? p->door->keep - kept->n : 0;
    bytes_add(kept, from, n < room ? n : room);
    w->passed += n;
    p->entry->passed[name] += n;
    bytes_drop(&w->held, n);
    if (name == DOWN)
        p->fresh = p->door->marks; /* what comes next begins another request */
}

/* One step of a way. True: there may be another. */
static bool way_step(struct pair *p, enum way_name name)
{
    struct way *w = &p->way[name];
    if (p->dead || w->lost || w->not_before > now)
        return false;
    if (rule_is_due(w))
        return fire(p, name);
    size_t n = w->held.n;
    if (w->nrules && w->rules[0].at - w->passed < n)
        n = (size_t)(w->rules[0].at - w->passed);
    if (n && w->skip) {
        n = w->skip < n ? (size_t)w->skip : n;
        w->skip -= n;
        count_passed(p, name, w->held.p, n);
        return true;
    }
    if (w->piece && (size_t)w->piece < n)
        n = (size_t)w->piece;
    if (!n) {
        if (w->ended && !w->shut && !w->held.n) {
            shutdown(p->fd[name == UP], SHUT_WR);
            w->shut = true;
        }
        return false;
    }
    ssize_t sent = send(p->fd[name == UP], w->held.p, n, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            pair_close(p, true, "lost");
        w->not_before = w->piece ? now + 1 : w->not_before;
        return false;
    }
    count_passed(p, name, w->held.p, (size_t)sent);
    if (w->piece)
        w->not_before = now + w->gap_ms;
    return !w->piece;
}

/* ---- marks: rules that a request carries in its own bytes ---- */

static void take_mark(struct pair *p, const char *at, size_t n)
{
    char text[MARK_MAX], *save = NULL;
    snprintf(text, sizeof text, "%.*s", (int)n, at);
    for (int i = 0; i < 2; i++) {
        rules_clear(&p->way[i]);
        p->way[i].base = p->way[i].passed;
        p->way[i].piece = p->way[i].delay_ms = 0;
    }
    entry_over(p->entry, "next");
    p->entry = entry_new(p->door->name, p->nth);
    for (char *one = strtok_r(text, ";", &save); one && !p->dead; one = strtok_r(NULL, ";", &save)) {
        one += strspn(one, " ");
        if (!strncmp(one, "case ", 5))
            snprintf(p->entry->name, sizeof p->entry->name, "%s", one + 5);
        else if (*one)
            add_rule(p, one);
    }
}

/* Looks for "((DOOR: rules))" in what begins a request. False: it may still come. */
static bool mark_settled(struct pair *p)
{
    struct way *up = &p->way[UP];
    char open[40];
    int open_n = snprintf(open, sizeof open, "((%s:", p->door->name);
    if (!up->held.n)
        return up->ended;
    const char *from = memmem(up->held.p, up->held.n, open, (size_t)open_n);
    if (from) {
        from += open_n;
        const char *to = memmem(from, (size_t)(up->held.p + up->held.n - from), "))", 2);
        if (!to)
            return up->ended;
        take_mark(p, from, (size_t)(to - from));
        return true;
    }
    return up->ended || up->held.n >= HELD_MAX || !strncmp(up->held.p, "GET ", 4);
}

static void pair_step(struct pair *p)
{
    if (p->dead || p->connecting || p->hole)
        return;
    if (p->fresh && p->way[UP].held.n && mark_settled(p))
        p->fresh = false;
    while (!(p->fresh && p->way[UP].held.n) && way_step(p, UP))
        ;
    while (way_step(p, DOWN))
        ;
    const struct way *up = &p->way[UP], *down = &p->way[DOWN];
    if (p->dead)
        return;
    if (up->shut && down->shut && up->ended && down->ended)
        pair_close(p, false, p->ends_at ? "fin" : "ended");
    else if (p->ends_at && now >= p->ends_at)
        pair_close(p, false, "fin");
    else if ((up->not_before == INT64_MAX && down->ended) || (down->not_before == INT64_MAX && up->ended))
        pair_close(p, false, "left"); /* nobody waits any more for what stands still */
}

static void pair_accept(struct door *d)
{
    int fd, on = 1;
    while ((fd = accept(d->fd, NULL, NULL)) >= 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (d->here.at.any.sa_family == AF_INET)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct pair *p = must(calloc(1, sizeof *p));
        p->door = d;
        p->nth = ++d->pairs;
        p->entry = entry_new(d->name, p->nth);
        p->fd[0] = fd;
        p->fd[1] = -1;
        p->fresh = d->marks;
        p->next = pairs;
        pairs = p;
        for (const struct door_rule *r = d->rules; r && !p->dead; r = r->next) {
            if (!r->pair || r->pair == d->pairs)
                add_rule(p, r->text);
        }
        if (p->dead || p->hole)
            continue;
        p->fd[1] = socket_to(&d->there);
        if (p->fd[1] < 0 || (connect(p->fd[1], &d->there.at.any, d->there.n) && errno != EINPROGRESS))
            pair_close(p, true, "nobody");
        p->connecting = !p->dead;
    }
}

static void pair_connected(struct pair *p)
{
    int error = 0;
    socklen_t n = sizeof error;
    getsockopt(p->fd[1], SOL_SOCKET, SO_ERROR, &error, &n);
    p->connecting = false;
    if (error)
        pair_close(p, true, "nobody");
}

static void pair_read(struct pair *p, int side)
{
    static char chunk[HELD_MAX];
    struct way *w = &p->way[side];
    if (p->dead)
        return;
    ssize_t n = recv(p->fd[side], chunk, sizeof chunk, 0);
    if (n > 0 && !w->lost && !p->hole) {
        if (w->delay_ms && !w->held.n)
            w->not_before = now + w->delay_ms;
        bytes_add(&w->held, chunk, (size_t)n);
    } else if (n == 0) {
        w->ended = true;
        if (p->hole)
            pair_close(p, false, "left");
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        pair_close(p, true, side ? "place reset" : "reset");
    }
}

static void pairs_sweep(void)
{
    for (struct pair **at = &pairs; *at;) {
        struct pair *p = *at;
        if (!p->dead) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        for (int i = 0; i < 2; i++) {
            rules_clear(&p->way[i]);
            bytes_free(&p->way[i].held);
        }
        free(p);
    }
}

/* ---- what it is told ---- */

static void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static void tell_door(char *save)
{
    const char *name = strtok_r(NULL, " ", &save), *here = strtok_r(NULL, " ", &save), *there = strtok_r(NULL, " ", &save);
    const char *keep = strtok_r(NULL, " ", &save), *marks = strtok_r(NULL, " ", &save);
    struct door *d = must(calloc(1, sizeof *d));
    if (!there || !place_parse(here, &d->here) || !place_parse(there, &d->there) || !door_open(d, 4096)) {
        free(d);
        say("no door");
        return;
    }
    snprintf(d->name, sizeof d->name, "%s", name);
    d->keep = keep ? strtoul(keep, NULL, 10) : 0;
    d->marks = marks && !strcmp(marks, "marks");
    d->next = doors;
    doors = d;
    say("ok %d", d->here.at.any.sa_family == AF_INET ? ntohs(d->here.at.in.sin_port) : 0);
}

static bool tell_rule(struct door *d, char *save)
{
    const char *who = strtok_r(NULL, " ", &save);
    char copy[256];
    struct rule r;
    if (!who || !*save)
        return false;
    struct door_rule *one = must(calloc(1, sizeof *one));
    one->pair = !strcmp(who, "all") ? 0 : !strcmp(who, "next") ? d->pairs + 1 : strtol(who, NULL, 10);
    snprintf(one->text, sizeof one->text, "%s", save);
    snprintf(copy, sizeof copy, "%s", save);
    if (!rule_parse(copy, &r)) {
        free(one);
        return false;
    }
    free(r.text);
    struct door_rule **at = &d->rules;
    while (*at)
        at = &(*at)->next;
    *at = one;
    return true;
}

static bool tell_clear(struct door *d)
{
    for (struct door_rule *r = d->rules, *next; r; r = next) {
        next = r->next;
        free(r);
    }
    d->rules = NULL;
    return true;
}

static bool tell_cut(const struct door *d, char *save)
{
    const char *how = strtok_r(NULL, " ", &save);
    for (struct pair *p = pairs; p; p = p->next) {
        if (p->door != d || p->dead)
            continue;
        if (how && !strcmp(how, "fin"))
            pair_finish(p);
        else
            pair_close(p, true, "cut");
    }
    return true;
}

static void add_hex(struct bytes *to, const struct bytes *from)
{
    for (size_t i = 0; i < from->n; i++)
        bytes_printf(to, "%02x", (unsigned char)from->p[i]);
}

static void tell_log(void)
{
    struct bytes out = { 0 };
    int open = 0;
    for (const struct pair *p = pairs; p; p = p->next)
        open += !p->dead;
    bytes_printf(&out, "{\"open\":%d,\"entries\":[", open);
    for (const struct entry *e = entries; e; e = e->next) {
        bytes_printf(&out, "%s{\"door\":\"%s\",\"pair\":%ld,\"case\":\"%s\",\"up\":%llu,\"down\":%llu,\"fired\":\"%s\",\"end\":\"%s\",\"up_hex\":\"",
            e == entries ? "" : ",", e->door, e->pair, e->name, (unsigned long long)e->passed[UP], (unsigned long long)e->passed[DOWN], e->fired,
            e->end ? e->end : "");
        add_hex(&out, &e->kept[UP]);
        bytes_printf(&out, "\",\"down_hex\":\"");
        add_hex(&out, &e->kept[DOWN]);
        bytes_printf(&out, "\"}");
    }
    bytes_printf(&out, "]}");
    fwrite(out.p, 1, out.n, stdout);
    say("%s", "");
    bytes_free(&out);
}

static bool tell_of_door(const char *word, struct door *d, char *save)
{
    if (!strcmp(word, "rule"))
        return tell_rule(d, save);
    if (!strcmp(word, "clear"))
        return tell_clear(d);
    if (!strcmp(word, "cut"))
        return tell_cut(d, save);
    if (!strcmp(word, "jam"))
        return door_jam(d);
    if (!strcmp(word, "shut") || !strcmp(word, "open")) {
        door_shut(d);
        return *word == 's' || door_open(d, 4096);
    }
    return false;
}

static void tell(char *line)
{
    char *save = NULL;
    const char *word = strtok_r(line, " ", &save);
    if (!word) {
        say("no line");
    } else if (!strcmp(word, "door")) {
        tell_door(save);
    } else if (!strcmp(word, "log")) {
        tell_log();
    } else if (!strcmp(word, "reset")) {
        entries_reset();
        say("ok");
    } else {
        struct door *d = door_find(strtok_r(NULL, " ", &save));
        say(d && tell_of_door(word, d, save) ? "ok" : "no");
    }
}

static void hear(void)
{
    static struct bytes in;
    char chunk[4096], *end;
    ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
    if (n <= 0)
        exit(0);
    bytes_add(&in, chunk, (size_t)n);
    while ((end = memchr(in.p, '\n', in.n))) {
        *end = '\0';
        size_t line_n = (size_t)(end - in.p) + 1;
        tell(in.p);
        bytes_drop(&in, line_n);
    }
}

/* ---- the loop ---- */

struct watch {
    struct pollfd *fds;
    struct pair **of; /* whose it is: 2i who connected, 2i + 1 the place */
    size_t n, cap;
    int64_t wake_at;
};

static void watch_add(struct watch *w, int fd, int events, struct pair *p)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 64;
        w->fds = must(realloc(w->fds, w->cap * sizeof *w->fds));
        w->of = must(realloc(w->of, w->cap * sizeof *w->of));
    }
    w->of[w->n] = p;
    w->fds[w->n++] = (struct pollfd){ .fd = fd, .events = (short)events };
}

static void wake_by(struct watch *w, int64_t at)
{
    if (at < w->wake_at)
        w->wake_at = at;
}

static bool wants_to_send(const struct pair *p, enum way_name name)
{
    const struct way *w = &p->way[name];
    return w->held.n && !w->lost && w->not_before <= now && !(name == UP && p->fresh) && !w->piece;
}

static void watch_pair(struct watch *w, struct pair *p)
{
    for (int side = 0; side < 2; side++) {
        const struct way *in = &p->way[side];
        bool read = !in->ended && (in->held.n < HELD_MAX || p->fresh) && !(p->connecting && side);
        bool write = (p->connecting && side) || (!p->connecting && wants_to_send(p, side ? UP : DOWN));
        bool over = in->ended && p->way[!side].shut; /* poll() would report nothing but that, for ever */
        watch_add(w, over ? -1 : p->fd[side], (read ? POLLIN : 0) | (write ? POLLOUT : 0), p);
        if (in->not_before > now && in->not_before != INT64_MAX)
            wake_by(w, in->not_before);
        else if (in->piece && in->held.n && in->not_before <= now)
            wake_by(w, now);
    }
    if (p->ends_at)
        wake_by(w, p->ends_at);
}

/* What is not read shows its end only so. */
static bool is_lost(const struct pollfd *f)
{
    return (f->revents & (POLLHUP | POLLERR | POLLNVAL)) && !(f->revents & POLLIN);
}

static void turn(void)
{
    static struct watch w;
    size_t ndoors = 0;
    w.n = 0;
    w.wake_at = INT64_MAX;
    watch_add(&w, STDIN_FILENO, POLLIN, NULL);
    for (struct door *d = doors; d; d = d->next, ndoors++)
        watch_add(&w, d->jammers[0] ? -1 : d->fd, POLLIN, NULL);
    for (struct pair *p = pairs; p; p = p->next)
        watch_pair(&w, p);
    int64_t wait = w.wake_at == INT64_MAX ? -1 : w.wake_at > now ? w.wake_at - now : 0;
    poll(w.fds, (nfds_t)w.n, (int)wait);
    now = now_ms();
    for (size_t i = 1 + ndoors; i < w.n; i += 2) {
        struct pair *p = w.of[i];
        if (p->connecting && w.fds[i + 1].revents)
            pair_connected(p);
        for (int side = 0; side < 2 && !p->dead; side++) {
            const struct pollfd *f = side ? &w.fds[i + 1] : &w.fds[i];
            if (f->revents & POLLIN)
                pair_read(p, side);
            else if (is_lost(f))
                pair_close(p, true, "lost");
        }
        pair_step(p);
    }
    pairs_sweep();
    size_t at = 1;
    for (struct door *d = doors; d; d = d->next, at++) {
        if (w.fds[at].revents & POLLIN)
            pair_accept(d);
    }
    if (w.fds[0].revents) /* last: what it says may take doors away */
        hear();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    now = now_ms();
    for (;;)
        turn();
}
