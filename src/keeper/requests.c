/* One handler a word. A handler reads all of its fields first and does nothing unless they are whole. */
#include "keeper/requests.h"

#include "keeper/children.h"
#include "keeper/gateway.h"
#include "keeper/listeners.h"
#include "keeper/minder.h"

#include <errno.h>

typedef bool request_fn(uint32_t id, struct wire_reader *r, int64_t now_ms);

static bool refusing;

void requests_refuse_new(void)
{
    refusing = true;
}

/* Texts become C strings here and there: one with a NUL inside would be another text. */
static bool plain(struct str s)
{
    return s.n == 0 || !memchr(s.p, 0, s.n);
}

static bool plain_list(struct str list)
{
    struct wire_reader r = wire_reader(list);
    bool ok = true;
    for (uint32_t n = wire_u32(&r); n > 0 && ok; n--)
        ok = plain(wire_text(&r));
    return ok;
}

static bool hello(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    uint32_t version = wire_u32(r);
    if (!wire_reader_ok(r))
        return false;
    if (version == WIRE_VERSION)
        gateway_tell_welcome(id);
    else
        gateway_tell_failed(id, EPROTO, "keeper and gateway are of different versions: restart hob");
    return true;
}

/* Nothing new is begun any more, or it is not for this one to begin. */
static bool refused(uint32_t id)
{
    if (!refusing && gateway_speaker_counts())
        return false;
    gateway_tell_failed(id, ECANCELED, refusing ? "the keeper is being stopped" : "another gateway has its place");
    return true;
}

static bool listen_at(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    struct str addr = wire_text(r);
    uint32_t backlog = wire_u32(r);
    if (!wire_reader_ok(r) || !plain(addr))
        return false;
    if (!refused(id))
        listeners_open(id, addr, backlog);
    return true;
}

static bool unlisten(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    struct str addr = wire_text(r);
    if (!wire_reader_ok(r))
        return false;
    if (!gateway_speaker_counts())
        gateway_tell_failed(id, ECANCELED, "another gateway has its place");
    else if (listeners_close(addr))
        gateway_tell_done(id);
    else
        gateway_tell_failed(id, ENOENT, "no such listener");
    return true;
}

static bool spawn(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    struct spawn s = { .label = wire_text(r), .stderr_file = wire_text(r) };
    s.stderr_max_bytes = wire_u64(r);
    s.argv = wire_list(r, &s.argc);
    s.env = wire_list(r, &s.envc);
    s.cwd = wire_text(r);
    s.fence.bits = wire_u32(r);
    s.fence.port = wire_u32(r);
    s.fence.rules = wire_list(r, &s.fence.nrules);
    if (!wire_reader_ok(r) || !plain(s.label) || !plain(s.stderr_file) || !plain(s.cwd) || !plain_list(s.argv) || !plain_list(s.env) ||
        !plain_list(s.fence.rules) || s.fence.bits & ~(uint32_t)WIRE_FENCE_ALL || s.fence.port > WIRE_PORT_ANY)
        return false;
    if (refused(id))
        return true;
    minder_look(s.env);
    children_spawn(id, &s);
    return true;
}

static bool kill_child(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    struct str label = wire_text(r);
    uint32_t term_ms = wire_u32(r), again_ms = wire_u32(r);
    if (!wire_reader_ok(r))
        return false;
    if (!gateway_speaker_counts())
        gateway_tell_failed(id, ECANCELED, "another gateway has its place");
    else if (children_kill(label, term_ms, again_ms, now_ms))
        gateway_tell_done(id);
    else
        gateway_tell_failed(id, ESRCH, "no such child");
    return true;
}

static bool list(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    if (!wire_reader_ok(r))
        return false;
    gateway_tell_listed(id);
    return true;
}

static bool obituary(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    struct str label = wire_text(r);
    if (!wire_reader_ok(r))
        return false;
    if (!gateway_tell_tail(id, label))
        gateway_tell_failed(id, ESRCH, "no such child");
    return true;
}

static bool ready(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    if (!wire_reader_ok(r))
        return false;
    gateway_is_ready();
    return true;
}

static bool upgrade(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    uint32_t n;
    struct str argv = wire_list(r, &n);
    if (!wire_reader_ok(r) || !plain_list(argv))
        return false;
    if (!refused(id))
        gateway_upgrade(id, argv, now_ms);
    return true;
}

static bool drop_heir(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    if (!wire_reader_ok(r))
        return false;
    gateway_drop_other();
    gateway_tell_done(id);
    return true;
}

static bool take(uint32_t id, struct wire_reader *r, int64_t now_ms)
{
    if (!wire_reader_ok(r))
        return false;
    if (!refusing && gateway_take())
        gateway_tell_done(id);
    else
        gateway_tell_failed(id, EPERM, "it is not the heir of another gateway");
    return true;
}

static request_fn *const rows[] = {
    [WIRE_HELLO]    = hello,
    [WIRE_LISTEN]   = listen_at,
    [WIRE_UNLISTEN] = unlisten,
    [WIRE_SPAWN]    = spawn,
    [WIRE_KILL]     = kill_child,
    [WIRE_LIST]     = list,
    [WIRE_OBITUARY] = obituary,
    [WIRE_READY]    = ready,
    [WIRE_UPGRADE]  = upgrade,
    [WIRE_DROP_HEIR] = drop_heir,
    [WIRE_TAKE]     = take,
};

bool request_handle(const struct wire_head *head, struct str body, int64_t now_ms)
{
    if (head->type >= COUNTOF(rows) || !rows[head->type])
        return false;
    struct wire_reader r = wire_reader(body);
    return rows[head->type](head->id, &r, now_ms);
}
