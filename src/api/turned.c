#include "api/turned.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { AGAIN_MS = 60 * 1000 };

const char *const turned_name[TURNED_REASONS] = {
    [TURNED_TLS] = "tls", [TURNED_HTTP2] = "http2", [TURNED_HTTP09] = "http09", [TURNED_PROXY] = "proxy", [TURNED_SSH] = "ssh", [TURNED_NOT_HTTP] = "not_http",
    [TURNED_FRAMING] = "framing", [TURNED_HEADERS] = "headers", [TURNED_SLOW] = "slow", [TURNED_HOST] = "host", [TURNED_ORIGIN] = "origin", [TURNED_ATTEMPTS] = "attempts",
    [TURNED_MEMORY] = "memory", [TURNED_REQUESTS] = "requests", [TURNED_CONNECTIONS] = "connections",
};

static const enum turned by_tongue[HTTP_TONGUES] = {
    [TONGUE_HTTP] = TURNED_FRAMING, [TONGUE_TLS] = TURNED_TLS, [TONGUE_HTTP2] = TURNED_HTTP2, [TONGUE_HTTP09] = TURNED_HTTP09, [TONGUE_PROXY] = TURNED_PROXY, [TONGUE_SSH] = TURNED_SSH,
    [TONGUE_OTHER] = TURNED_NOT_HTTP,
};

static const struct {
    enum err_code code;
    enum turned why;
} by_code[] = {
    { ERR_BAD_REQUEST, TURNED_FRAMING }, { ERR_HEADERS_TOO_LARGE, TURNED_HEADERS }, { ERR_REQUEST_TIMEOUT, TURNED_SLOW }, { ERR_HOST, TURNED_HOST }, { ERR_ORIGIN, TURNED_ORIGIN },
    { ERR_TOO_MANY_ATTEMPTS, TURNED_ATTEMPTS },
};

enum turned turned_why(const struct err *e, enum http_tongue tongue, enum turned overloaded)
{
    if (e->code == ERR_OVERLOADED)
        return overloaded;
    if (tongue != TONGUE_HTTP)
        return by_tongue[tongue];
    for (size_t i = 0; i < COUNTOF(by_code); i++)
        if (by_code[i].code == e->code)
            return by_code[i].why;
    return TURNED_REASONS;
}

static void say_rest(struct turned_log *t, size_t why)
{
    log_warn("turned away (%s): %llu more within a minute", turned_name[why], (unsigned long long)t->unsaid[why]);
    t->unsaid[why] = 0;
}

/* The minute is over: what came in it is said as a number, once. */
static void on_later(void *ctx)
{
    struct turned_log *t = ctx;
    int64_t now = loop_now_ms(t->loop), wait = 0;
    for (size_t i = 0; i < TURNED_REASONS; i++) {
        int64_t left = t->said_ms[i] + AGAIN_MS - now;
        if (!t->unsaid[i])
            continue;
        if (left <= 0) {
            say_rest(t, i);
            t->said_ms[i] = now;
        } else if (!wait || left < wait) {
            wait = left;
        }
    }
    if (wait)
        timer_set(&t->later, wait);
}

void turned_init(struct turned_log *t, struct loop *l)
{
    *t = (struct turned_log){ .loop = l };
    timer_init(&t->later, l, on_later, t);
}

void turned_end(struct turned_log *t)
{
    timer_cancel(&t->later);
    t->ended = true;
    for (size_t i = 0; i < TURNED_REASONS; i++)
        if (t->unsaid[i])
            say_rest(t, i);
}

static const char *show_peer(const unsigned char peer[16], char out[INET6_ADDRSTRLEN])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff }, none[16];
    if (!memcmp(peer, none, sizeof none))
        return "a socket file";
    bool four = !memcmp(peer, mapped, sizeof mapped);
    return inet_ntop(four ? AF_INET : AF_INET6, four ? peer + 12 : peer, out, INET6_ADDRSTRLEN) ? out : "?";
}

/* A stranger's bytes, which need not even be UTF-8. */
static void to_ascii(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s >= 0x7f || (unsigned char)*s < ' ')
            *s = '?';
}

void turned_say(struct turned_log *t, enum turned why, const unsigned char peer[16], const struct err *e)
{
    char from[INET6_ADDRSTRLEN], text[sizeof e->text];
    int64_t now = loop_now_ms(t->loop);
    if (why >= TURNED_REASONS)
        return;
    if (t->said_ms[why] && now - t->said_ms[why] < AGAIN_MS) {
        t->unsaid[why]++;
        if (!t->ended && !timer_is_set(&t->later))
            timer_set(&t->later, t->said_ms[why] + AGAIN_MS - now);
        return;
    }
    t->said_ms[why] = now ? now : 1;
    snprintf(text, sizeof text, "%s", e->text);
    to_ascii(text);
    log_warn("turned away (%s), from %s: %s%s%s%s", turned_name[why], show_peer(peer, from), text, err_stop(e), e->hint[0] ? " " : "", e->hint);
}
