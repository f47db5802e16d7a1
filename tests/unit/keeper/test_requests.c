/* What each word of a gateway promises, and what becomes of one that does not hold it. What a request would do is noted by stand-ins here. */
#include "keeper/requests.h"

#include "keeper/children.h"
#include "keeper/gateway.h"
#include "keeper/listeners.h"
#include "keeper/minder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- stand-ins ---- */

static char did[64];                    /* the last thing that was done */
static bool counts = true, found, heir; /* the speaker counts; what is named is there; it is the heir */

static void note(const char *what)
{
    snprintf(did, sizeof did, "%s", what);
}

void children_spawn(uint32_t id, const struct spawn *s)
{
    snprintf(did, sizeof did, "spawn %u+%u+%u", s->argc, s->envc, s->fence.nrules);
}

void minder_look(struct str env)
{
}

bool children_kill(struct str label, uint32_t term_ms, uint32_t again_ms, int64_t now_ms)
{
    return found;
}

void listeners_open(uint32_t id, struct str addr, uint32_t backlog)
{
    note("listen");
}

bool listeners_close(struct str addr)
{
    return found;
}

void gateway_upgrade(uint32_t id, struct str argv, int64_t now_ms)
{
    note("upgrade");
}

bool gateway_speaker_counts(void)
{
    return counts;
}

void gateway_is_ready(void)
{
    note("ready");
}

void gateway_drop_other(void)
{
}

bool gateway_take(void)
{
    return heir;
}

void gateway_tell_welcome(uint32_t id)
{
    note("welcome");
}

void gateway_tell_done(uint32_t id)
{
    note("done");
}

void gateway_tell_failed(uint32_t id, int sys, const char *sentence)
{
    static const struct {
        int sys;
        const char *name;
    } names[] = { { EPROTO, "other version" }, { ECANCELED, "not now" }, { ENOENT, "no listener" }, { ESRCH, "no child" }, { EPERM, "no heir" } };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (names[i].sys == sys)
            note(names[i].name);
}

void gateway_tell_listed(uint32_t id)
{
    note("listed");
}

bool gateway_tell_tail(uint32_t id, struct str label)
{
    if (found)
        note("tail");
    return found;
}

/* ---- requests ---- */

/* The fields of one, a letter each: t a text, n a text with a NUL, L a list of two texts, N one whose second has a NUL, 1 and 0 and 9 a number (9 is more
 * than anything may be), 8 a number of eight bytes, v the version. */
static void put(struct buf *b, const char *fields)
{
    for (; *fields; fields++) {
        switch (*fields) {
        case 't': wire_put_text(b, STR("text")); break;
        case 'n': wire_put_text(b, STR("te\0xt")); break;
        case 'L':
        case 'N':
            wire_put_u32(b, 2);
            wire_put_text(b, STR("a"));
            wire_put_text(b, *fields == 'N' ? STR("b\0c") : STR(""));
            break;
        case '8': wire_put_u64(b, 8); break;
        case 'v': wire_put_u32(b, WIRE_VERSION); break;
        case '9': wire_put_u32(b, 99999); break;
        default: wire_put_u32(b, (uint32_t)(*fields - '0'));
        }
    }
}

static bool ask(unsigned type, struct str body)
{
    struct wire_head head = { .body_bytes = (uint32_t)body.n, .type = (uint16_t)type, .id = 7 };
    note("nothing");
    return request_handle(&head, body, 1);
}

static const struct {
    unsigned type;
    const char *fields, *does;  /* does: with all as it should be, and nothing found */
} whole[] = {
    { WIRE_HELLO, "v", "welcome" },
    { WIRE_LISTEN, "t1", "listen" },
    { WIRE_UNLISTEN, "t", "no listener" },
    { WIRE_SPAWN, "tt8LLt00L", "spawn 2+2+2" },
    { WIRE_SPAWN, "tt8LLt71L", "spawn 2+2+2" },
    { WIRE_KILL, "t10", "no child" },
    { WIRE_LIST, "", "listed" },
    { WIRE_OBITUARY, "t", "no child" },
    { WIRE_READY, "", "ready" },
    { WIRE_UPGRADE, "L", "upgrade" },
    { WIRE_DROP_HEIR, "", "done" },
    { WIRE_TAKE, "", "no heir" },
};

static void test_each_word_is_done_when_it_is_whole_and_not_a_byte_less_or_more(void **state)
{
    for (size_t i = 0; i < COUNTOF(whole); i++) {
        struct buf b = { 0 };
        put(&b, whole[i].fields);
        for (size_t n = 0; n < b.n; n++) {
            assert_false(ask(whole[i].type, str_make(b.p, n)));
            assert_string_equal(did, "nothing");
        }
        assert_true(ask(whole[i].type, buf_str(&b)));
        assert_string_equal(did, whole[i].does);
        buf_lit(&b, "x");
        assert_false(ask(whole[i].type, buf_str(&b)));
        assert_string_equal(did, "nothing");
        buf_free(&b);
    }
}

static void test_what_no_word_may_hold(void **state)
{
    static const struct {
        unsigned type;
        const char *fields;
    } rows[] = {
        { WIRE_LISTEN, "n1" },
        { WIRE_SPAWN, "nt8LLt00L" }, { WIRE_SPAWN, "tn8LLt00L" }, { WIRE_SPAWN, "tt8NLt00L" }, { WIRE_SPAWN, "tt8LNt00L" }, { WIRE_SPAWN, "tt8LLn00L" },
        { WIRE_SPAWN, "tt8LLt00N" }, { WIRE_SPAWN, "tt8LLt90L" }, { WIRE_SPAWN, "tt8LLt79L" },
        { WIRE_UPGRADE, "N" },
        { 0, "" }, { WIRE_TAKE + 1, "" }, { WIRE_WELCOME, "vvv" }, { UINT16_MAX, "" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct buf b = { 0 };
        put(&b, rows[i].fields);
        assert_false(ask(rows[i].type, buf_str(&b)));
        assert_string_equal(did, "nothing");
        buf_free(&b);
    }
}

/* What `does` is when that is there, when another gateway counts, and when nothing new is begun any more. */
static const struct {
    unsigned type;
    const char *fields, *there, *other, *refused;
} answers[] = {
    { WIRE_HELLO, "1", "other version", "other version", "other version" },
    { WIRE_LISTEN, "t1", "listen", "not now", "not now" },
    { WIRE_UNLISTEN, "t", "done", "not now", "done" },
    { WIRE_SPAWN, "tt8LLt00L", "spawn 2+2+2", "not now", "not now" },
    { WIRE_KILL, "t10", "done", "not now", "done" },
    { WIRE_OBITUARY, "t", "tail", "tail", "tail" },
    { WIRE_UPGRADE, "L", "upgrade", "not now", "not now" },
    { WIRE_TAKE, "", "done", "done", "no heir" },
};

static void expect(size_t i, const char *what)
{
    struct buf b = { 0 };
    put(&b, answers[i].fields);
    assert_true(ask(answers[i].type, buf_str(&b)));
    assert_string_equal(did, what);
    buf_free(&b);
}

/* The last of them: what is refused once is refused for good. */
static void test_who_may_have_what_done(void **state)
{
    found = heir = true;
    for (size_t i = 0; i < COUNTOF(answers); i++) {
        counts = true;
        expect(i, answers[i].there);
        counts = false;
        expect(i, answers[i].other);
    }
    counts = true;
    requests_refuse_new();
    for (size_t i = 0; i < COUNTOF(answers); i++)
        expect(i, answers[i].refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_word_is_done_when_it_is_whole_and_not_a_byte_less_or_more),
        cmocka_unit_test(test_what_no_word_may_hold),
        cmocka_unit_test(test_who_may_have_what_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
