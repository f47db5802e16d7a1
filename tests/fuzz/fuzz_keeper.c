/* What a gateway gone mad may send its keeper: hostile bytes on a socket, through the line and the handlers of requests; what these would do is done by
 * stand-ins here. Oracles: a spawn that is begun holds what its word promises (texts without NULs inside the message, lists as long as they say);
 * nothing is both refused and done; the same bytes, whole or byte by byte, do the same. */
#include "keeper/children.h"
#include "keeper/gateway.h"
#include "keeper/line.h"
#include "keeper/listeners.h"
#include "keeper/minder.h"
#include "keeper/requests.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- stand-ins: what was done, as one number that depends on the order ---- */

static uint64_t done;

static void note(unsigned what, struct str text)
{
    must(text.n == 0 || !memchr(text.p, 0, text.n));
    for (size_t i = 0; i < text.n; i++)
        done = done * 31 + (unsigned char)text.p[i];
    done = done * 31 + what;
}

static void note_list(unsigned what, struct str list, uint32_t n)
{
    struct wire_reader r = wire_reader(list);
    must(wire_u32(&r) == n);
    for (uint32_t i = 0; i < n; i++)
        note(what, wire_text(&r));
    must(wire_reader_ok(&r));
}

void children_spawn(uint32_t id, const struct spawn *s)
{
    note(1, s->label);
    note(2, s->stderr_file);
    note(3, s->cwd);
    note_list(4, s->argv, s->argc);
    note_list(5, s->env, s->envc);
}

void minder_look(struct str env)
{
}

bool children_kill(struct str label, uint32_t term_ms, uint32_t again_ms, int64_t now_ms)
{
    done = done * 31 + label.n + term_ms + again_ms; /* compared with labels only: any bytes will do */
    return false;
}

void listeners_open(uint32_t id, struct str addr, uint32_t backlog)
{
    note(6, addr);
}

bool listeners_close(struct str addr)
{
    done = done * 31 + addr.n;
    return false;
}

void gateway_upgrade(uint32_t id, struct str argv, int64_t now_ms)
{
    struct wire_reader r = wire_reader(argv);
    note_list(7, argv, wire_u32(&r));
}

bool gateway_speaker_counts(void)
{
    return true;
}

void gateway_is_ready(void)
{
    note(8, STR(""));
}

void gateway_drop_other(void)
{
    note(9, STR(""));
}

bool gateway_take(void)
{
    note(10, STR(""));
    return false;
}

void gateway_tell_welcome(uint32_t id)
{
    note(11, STR(""));
}

void gateway_tell_done(uint32_t id)
{
    note(12, STR(""));
}

void gateway_tell_failed(uint32_t id, int sys, const char *sentence)
{
    note(13, str_of(sentence));
}

void gateway_tell_listed(uint32_t id)
{
    note(14, STR(""));
}

bool gateway_tell_tail(uint32_t id, struct str label)
{
    done = done * 31 + label.n;
    return false;
}

/* ---- */

/* False: nonsense, and whoever spoke it is killed. */
static bool hear(struct line *l)
{
    struct wire_head head;
    struct str body;
    int fd;
    while (line_next(l, &head, &body, &fd)) {
        must(body.n == head.body_bytes && body.n <= WIRE_MAX_BYTES && fd < 0);
        if (!request_handle(&head, body, 1))
            return false;
    }
    return !l->broken;
}

static bool speak(struct str bytes, size_t step)
{
    int pair[2];
    struct line l;
    bool sane = true;
    done = 0;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    line_open(&l, pair[0], 4096);
    for (size_t at = 0; at < bytes.n && sane; at += step) {
        size_t n = bytes.n - at < step ? bytes.n - at : step;
        must(send(pair[1], bytes.p + at, n, 0) == (ssize_t)n);
        enum line_state state = line_read(&l);
        sane = hear(&l) && state == LINE_OPEN;
    }
    line_close(&l);
    close(pair[1]);
    return sane;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = { (const char *)data, size < 4096 ? size : 4096 };
    bool sane = speak(bytes, bytes.n ? bytes.n : 1);
    uint64_t whole = done;
    must(speak(bytes, 7) == sane && done == whole);
    return 0;
}
