/* What a place says, and what the caller gets of it: events relayed, events collected, whole objects. */
#include "api/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MAX_EVENTS = 12 };

#define HEAD "\"created\":1795263136,\"id\":\"chatcmpl-U1C\",\"model\":\"smollm2\",\"system_fingerprint\":\"b1-7e4c0a9\",\"object\":\"chat.completion.chunk\""
#define CHUNK(finish, delta) "{\"choices\":[{\"finish_reason\":" finish ",\"index\":0,\"delta\":" delta "}]," HEAD "}"
#define ROLE CHUNK("null", "{\"role\":\"assistant\",\"content\":null}")
#define SAY(text) CHUNK("null", "{\"content\":\"" text "\"}")
#define STOP CHUNK("\"stop\"", "{}")
#define USAGE "\"usage\":{\"completion_tokens\":5,\"prompt_tokens\":32,\"total_tokens\":37,\"prompt_tokens_details\":{\"cached_tokens\":3}}"
#define LAST "{\"choices\":[]," HEAD "," USAGE ",\"timings\":{\"prompt_n\":32}}"
/* Just enough for a chunk; what stands in for the head of all. */
#define H "\"id\":\"a\",\"model\":\"smollm2\",\"created\":5"
#define D(delta) "{\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":null}]," H "}"
#define END "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]," H "}"
#define END_ROUTED "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]," H ",\"_routing\":{\"r\":1}}"
#define EVENT(json) "data: " json "\n\n"
#define DONE EVENT("[DONE]")

static const struct answer_frame frame = {
    .model = { "smollm2", 7 }, .id = { "req_1", 5 }, .created_s = 99, .max_bytes = 1000,
};

static const struct str routing = { "{\"r\":1}", 7 };

static void assert_text(struct str got, const char *want, size_t i)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("case %zu\n got: %.*s\nwant: %s", i, STR_ARG(got), want);
}

/* ---- relay ---- */

struct relay_case {
    const char *events[MAX_EVENTS];
    const char *out;        /* NULL: fails with code */
    enum err_code code;
    const char *text;       /* of the error, a part */
};

/* Each event in memory of its own, as short as it is: reading past it is seen, and so is a slice kept too long. */
static enum err_code feed_relay(struct relay *r, const char *data, struct buf *out, struct err *e)
{
    size_t n = strlen(data);
    char *own = malloc(n ? n : 1);
    assert_non_null(own);
    memcpy(own, data, n);
    enum err_code rc = relay_event(r, str_make(own, n), out, e);
    free(own);
    return rc;
}

static enum err_code relay_all(const struct answer_frame *f, const char *const *events, struct buf *out, struct answer_facts *facts, struct err *e)
{
    struct json_scratch scratch = { 0 };
    struct relay r;
    enum err_code rc = ERR_OK;
    relay_init(&r, f, &scratch);
    for (size_t i = 0; !rc && i < MAX_EVENTS && events[i]; i++)
        rc = feed_relay(&r, events[i], out, e);
    if (!rc)
        rc = relay_end(&r, routing, out, e);
    if (facts)
        *facts = r.facts;
    relay_free(&r);
    json_scratch_free(&scratch);
    return rc;
}

static void try_relay(const struct answer_frame *f, const struct relay_case *c, size_t i)
{
    struct buf out = { 0 };
    struct err e = { 0 };
    enum err_code rc = relay_all(f, c->events, &out, NULL, &e);
    assert_int_equal(rc, c->code);
    if (c->out)
        assert_text(buf_str(&out), c->out, i);
    if (c->text && !strstr(e.text, c->text))
        fail_msg("case %zu: %s", i, e.text);
    buf_free(&out);
}

static void try_relays(const struct answer_frame *f, const struct relay_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        try_relay(f, &cases[i], i);
}

static void test_relay_passes_what_is_in_order_byte_for_byte(void **state)
{
    const char *const events[MAX_EVENTS] = { ROLE, SAY("one"), SAY(" \\u00e9\xc3\xa9 \\\"two\\\" \xf0\x9f\x98\x80"), STOP, LAST, "[DONE]" };
    struct buf out = { 0 };
    struct err e;
    struct answer_facts facts;
    assert_int_equal(relay_all(&frame, events, &out, &facts, &e), ERR_OK);
    assert_text(buf_str(&out),
        EVENT(ROLE) EVENT(SAY("one")) EVENT(SAY(" \\u00e9\xc3\xa9 \\\"two\\\" \xf0\x9f\x98\x80"))
            EVENT("{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"delta\":{}}]," HEAD ",\"_routing\":{\"r\":1}}") DONE,
        0);
    assert_int_equal(facts.tokens.input, 32);
    assert_int_equal(facts.tokens.output, 5);
    assert_int_equal(facts.tokens.cached, 3);
    assert_int_equal(facts.tokens.reasoning, -1);
    assert_string_equal(facts.finish, "stop");
    assert_true(facts.began && facts.done);
    buf_free(&out);
}

/* The same events, each by itself: what leaves of one must not hang on the one before it. */
static void relay_one_by_one(const struct answer_frame *f, const char *const *events, struct buf *out, struct answer_facts *facts)
{
    struct json_scratch scratch = { 0 };
    struct relay r;
    struct err e;
    relay_init(&r, f, &scratch);
    for (size_t i = 0; events[i]; i++) {
        assert_int_equal(feed_relay(&r, events[i], out, &e), ERR_OK);
        mould_free(&r.mould);
    }
    assert_int_equal(relay_end(&r, routing, out, &e), ERR_OK);
    *facts = r.facts;
    relay_free(&r);
    json_scratch_free(&scratch);
}

#define THINK(text) CHUNK("null", "{\"reasoning_content\":\"" text "\"}")
#define TIMED(n, text) "{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\"" text "\"}}]," HEAD ",\"timings\":{\"draft_n\":" n "}}"
#define TWO(a, b) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" a "\"}},{\"index\":1,\"delta\":{\"content\":\"" b "\"}}]," HEAD "}"
#define OF(index, text) "{\"choices\":[{\"index\":" index ",\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]," HEAD "}"

static void test_relay_passes_events_that_are_alike_as_it_does_others(void **state)
{
    static const char *const streams[][MAX_EVENTS] = {
        { ROLE, SAY("one"), SAY(" two"), SAY("\\n\\n"), SAY(" \xf0\x9f\x98\x80"), SAY(""), SAY("x"), STOP, LAST, "[DONE]" },
        { ROLE, THINK("hm"), THINK(" well"), THINK("\\\""), THINK("so"), SAY("it"), SAY(" is"), STOP, LAST, "[DONE]" },
        { ROLE, SAY("<thi"), SAY("nk>a"), SAY("b</think>"), SAY("c"), SAY("d"), SAY(" e"), STOP, LAST, "[DONE]" },
        { SAY("no role"), SAY(" a"), SAY(" b"), SAY("\\u00e9"), STOP, SAY("late"), SAY(" later"), "[DONE]" },
        { ROLE, SAY("a"), SAY("b"), CHUNK("null", "{\"content\":\"c\",\"refusal\":\"no\"}"), SAY("d"), CHUNK("\"length\"", "{\"content\":\"e\"}"), "[DONE]" },
        { ROLE, TIMED("1", "a"), TIMED("2", "b"), TIMED("2", "c"), TIMED("3", "d"), STOP, "[DONE]" },
        { ROLE, TWO("a", "b"), TWO("c", "d"), OF("0", "e"), OF("0", "f"), OF("1", "g"), OF("1", "h"), OF("0", "i"), STOP, "[DONE]" },
        { ROLE, SAY(" "), SAY("a\\\\"), SAY("b"), SAY("c"), STOP, "[DONE]" },
    };
    struct answer_frame frames[4] = { frame, frame, frame, frame };
    frames[1].think_show = THINK_DROP;
    frames[2].model = STR("another one");
    frames[2].keep = true;
    frames[3].include_usage = true;
    for (size_t i = 0; i < COUNTOF(streams) * COUNTOF(frames); i++) {
        const char *const *events = streams[i / COUNTOF(frames)];
        struct buf one = { 0 }, all = { 0 };
        struct answer_facts apart, together;
        struct err e;
        relay_one_by_one(&frames[i % COUNTOF(frames)], events, &one, &apart);
        assert_int_equal(relay_all(&frames[i % COUNTOF(frames)], events, &all, &together, &e), ERR_OK);
        buf_add_char(&one, 0);
        assert_text(buf_str(&all), one.p, i);
        assert_memory_equal(&apart, &together, sizeof apart);
        buf_free(&one);
        buf_free(&all);
    }
}

static void test_what_is_like_an_event_and_one_too_many_does_not_leave(void **state)
{
    static const char *const events[MAX_EVENTS] = { ROLE, SAY("0123456789"), SAY("0123456789"), SAY("0123456789"), SAY("0123456789") };
    struct answer_frame f = frame;
    struct buf out = { 0 };
    struct err e;
    f.keep = true;
    f.max_bytes = 35;
    assert_int_equal(relay_all(&f, events, &out, NULL, &e), ERR_UP_GARBLED);
    assert_text(buf_str(&out), EVENT(ROLE) EVENT(SAY("0123456789")) EVENT(SAY("0123456789")) EVENT(SAY("0123456789")), 0);
    buf_free(&out);
}

static void test_what_is_like_an_event_but_no_json_is_refused(void **state)
{
    static const char *const spoilt[] = { SAY("a\x01z"), SAY("a\xff"), SAY("a\"b"), SAY("a\\q"), SAY("\xed\xa0\x80"), SAY("cut\\"), SAY("\",\"content\":\"twice"),
        "{\"choices\":[],\"choices\":[]}" };
    for (size_t i = 0; i < COUNTOF(spoilt); i++) {
        const char *const events[MAX_EVENTS] = { ROLE, SAY("one"), SAY("two"), spoilt[i] };
        struct buf out = { 0 };
        struct err e;
        assert_int_equal(relay_all(&frame, events, &out, NULL, &e), ERR_UP_GARBLED);
        buf_free(&out);
    }
}

static void test_relay_edits_only_what_callers_would_stumble_over(void **state)
{
#define A(delta) EVENT(D(delta))
#define TAIL EVENT(END_ROUTED) DONE
    static const struct relay_case cases[] = {
        /* the model's name, wherever it stands; a model further down is not it */
        { { "{\"model\":\"x\",\"id\":\"a\",\"created\":5,\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"model\"}}]}", END },
          EVENT("{\"model\":\"smollm2\",\"id\":\"a\",\"created\":5,\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"model\"}}]}") TAIL },
        { { "{\"choices\":[{\"model\":\"x\",\"delta\":{\"role\":\"assistant\",\"model\":\"y\"}}],\"created\":5,\"id\":\"a\",\"mod\\u0065l\" : \"o\\\"r\\\\g/\xc3\xa9\" }", END },
          EVENT("{\"choices\":[{\"model\":\"x\",\"delta\":{\"role\":\"assistant\",\"model\":\"y\"}}],\"created\":5,\"id\":\"a\",\"mod\\u0065l\" : \"smollm2\" }") TAIL },
        { { "{\"id\":\"a\",\"created\":5,\"model\":null,\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}", END },
          EVENT("{\"id\":\"a\",\"created\":5,\"model\":\"smollm2\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}") TAIL },
        /* one id for all: the first one's; ours when there is none */
        { { D("{\"role\":\"assistant\"}"), "{\"id\":\"b\",\"model\":\"smollm2\",\"created\":5,\"choices\":[{\"delta\":{}}]}", END },
          A("{\"role\":\"assistant\"}") EVENT("{\"id\":\"a\",\"model\":\"smollm2\",\"created\":5,\"choices\":[{\"delta\":{}}]}") TAIL },
        { { D("{\"role\":\"assistant\"}"), "{ \"model\":\"x\",\"created\":5,\"choices\":[{\"delta\":{}}]}", END },
          A("{\"role\":\"assistant\"}") EVENT("{\"id\":\"a\", \"model\":\"smollm2\",\"created\":5,\"choices\":[{\"delta\":{}}]}") TAIL },
        { { D("{\"role\":\"assistant\"}"), "{\"id\":null,\"created\":5,\"model\":\"smollm2\",\"choices\":[{\"delta\":{}}]}", END },
          A("{\"role\":\"assistant\"}") EVENT("{\"id\":\"a\",\"created\":5,\"model\":\"smollm2\",\"choices\":[{\"delta\":{}}]}") TAIL },
        { { "{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}" },
          EVENT("{\"model\":\"smollm2\",\"id\":\"req_1\",\"created\":99,\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}")
          EVENT("{\"model\":\"smollm2\",\"id\":\"req_1\",\"created\":99,\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"_routing\":{\"r\":1}}") DONE },
        { { "{\"id\":\"\",\"created\":0,\"model\":\"smollm2\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}",
            "{\"id\":\"\\u0000\",\"created\":1.5,\"model\":\"smollm2\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}" },
          EVENT("{\"id\":\"req_1\",\"created\":99,\"model\":\"smollm2\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}")
          EVENT("{\"id\":\"req_1\",\"created\":99,\"model\":\"smollm2\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"_routing\":{\"r\":1}}") DONE },
        /* a role in the first delta, once */
        { { D("{}"), D("{}"), END }, A("{\"role\":\"assistant\"}") A("{}") TAIL },
        { { D("{ \"content\":\"x\"}"), END }, A("{\"role\":\"assistant\", \"content\":\"x\"}") TAIL },
        { { "{" H ",\"choices\":[{\"a\":[{},{\"b\":{}}],\"delta\":{ }}]}", END },
          EVENT("{" H ",\"choices\":[{\"a\":[{},{\"b\":{}}],\"delta\":{\"role\":\"assistant\" }}]}") TAIL },
        { { "{" H ",\"choices\":[{\"text\":\"x\"}]}", "{" H ",\"choices\":[{\"delta\":null}]}", D("{}"), END },
          EVENT("{" H ",\"choices\":[{\"text\":\"x\"}]}") EVENT("{" H ",\"choices\":[{\"delta\":null}]}") A("{\"role\":\"assistant\"}") TAIL },
        { { END }, EVENT("{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"stop\"}]," H ",\"_routing\":{\"r\":1}}") DONE },
        /* data of several lines leaves as one line: without a `data:` of its own a second one would be lost */
        { { "{\"choices\":\n[{\"delta\":\n{\"role\":\"assistant\"}}]," H "\n}", END },
          EVENT("{\"choices\": [{\"delta\": {\"role\":\"assistant\"}}]," H " }") TAIL },
        /* a place that is a hob itself has put its own routing in: there must be one */
        { { D("{\"role\":\"assistant\"}"), "{\"_routing\":{\"model\":\"x\"},\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]," H "} " },
          A("{\"role\":\"assistant\"}") EVENT("{\"_routing\":{\"r\":1},\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]," H "} ") DONE },
        /* before the end there is none, whatever a place says of the way: also where events are cast */
        { { "{" H ",\"_routing\":{\"host\":\"here\"},\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"x\"}}]}",
            "{" H ",\"_routing\":{\"host\":\"here\"},\"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
            "{" H ",\"_routing\":{\"host\":\"here\"},\"choices\":[{\"delta\":{\"content\":\"yz\"}}]}", END },
          EVENT("{" H ",\"_routing\":null,\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"x\"}}]}")
          EVENT("{" H ",\"_routing\":null,\"choices\":[{\"delta\":{\"content\":\"x\"}}]}")
          EVENT("{" H ",\"_routing\":null,\"choices\":[{\"delta\":{\"content\":\"yz\"}}]}") TAIL },
    };
    try_relays(&frame, cases, COUNTOF(cases));
}

static void test_relay_quotes_a_model_name_with_anything_in_it(void **state)
{
    struct answer_frame odd = frame;
    odd.model = STR("a\"b\\c/\xc3\xa9\n\x01" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    struct buf out = { 0 };
    struct err e;
    const char *const events[MAX_EVENTS] = { ROLE, STOP };
    assert_int_equal(relay_all(&odd, events, &out, NULL, &e), ERR_OK);
    size_t seen = 0;
    struct str rest = buf_str(&out), line;
    while ((line = str_cut(rest, '\n', &rest)).n || rest.n) {
        struct json_doc d;
        if (!str_starts(line, STR("data: {")))
            continue;
        assert_int_equal(json_parse(&d, str_from(line, 6), &e), ERR_OK);
        assert_true(str_eq(json_str(yyjson_obj_get(d.root, "model")), odd.model));
        json_free(&d);
        seen++;
    }
    assert_int_equal(seen, 2);
    buf_free(&out);
}

static void test_relay_sends_usage_only_when_asked_and_in_a_chunk_of_its_own(void **state)
{
#define U "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}"
#define U2 "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3}"
#define FIRST "{\"role\":\"assistant\",\"content\":\"x\"}"
    static const struct { struct relay_case c; const char *asked; } cases[] = {
        { { { D(FIRST), END, "{\"choices\":[]," H "," U "}", "[DONE]" }, A(FIRST) TAIL },
          A(FIRST) EVENT(END_ROUTED) EVENT("{\"choices\":[]," H "," U "}") DONE },
        { { { D(FIRST), END, "{\"choices\":null," H "," U "}", "[DONE]" }, A(FIRST) TAIL },
          A(FIRST) EVENT(END_ROUTED) EVENT("{\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"smollm2\",\"choices\":[]," U "}") DONE },
        { { { D(FIRST), END, "{" H "," U "}" }, A(FIRST) TAIL },
          A(FIRST) EVENT(END_ROUTED) EVENT("{\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"smollm2\",\"choices\":[]," U "}") DONE },
        /* inside the chunk with finish_reason: last, first, in the middle */
        { { { D(FIRST), "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]," H "," U "}", "[DONE]" }, A(FIRST) TAIL },
          A(FIRST) EVENT(END_ROUTED) EVENT("{\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"smollm2\",\"choices\":[]," U "}") DONE },
        { { { D(FIRST), "{" U ",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]," H "}", "[DONE]" }, A(FIRST) TAIL },
          A(FIRST) EVENT(END_ROUTED) EVENT("{\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"smollm2\",\"choices\":[]," U "}") DONE },
        { { { D(FIRST), "{" U ",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", "[DONE]" },
            A(FIRST) EVENT("{\"model\":\"smollm2\",\"id\":\"a\",\"created\":5,\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"_routing\":{\"r\":1}}") DONE },
          NULL },
        /* counted along: the last one holds; null is none */
        { { { "{\"choices\":[{\"delta\":" FIRST "}]," H "," U "}", END, "{\"choices\":[]," H "," U2 "}", "{\"choices\":[]," H ",\"usage\":null}" },
            EVENT("{\"choices\":[{\"delta\":" FIRST "}]," H "}") TAIL },
          EVENT("{\"choices\":[{\"delta\":" FIRST "}]," H "}") EVENT(END_ROUTED) EVENT("{\"choices\":[]," H "," U2 "}") DONE },
        { { { "{\"choices\":[{\"delta\":" FIRST "}]," H ",\"usage\":null}", END }, EVENT("{\"choices\":[{\"delta\":" FIRST "}]," H ",\"usage\":null}") TAIL },
          EVENT("{\"choices\":[{\"delta\":" FIRST "}]," H ",\"usage\":null}") TAIL },
        /* a chunk with neither is not for callers, who look at choices[0] */
        { { { "{\"choices\":[]," H ",\"prompt_filter_results\":[]}", D(FIRST), END, "[DONE]" }, A(FIRST) TAIL }, A(FIRST) TAIL },
    };
    struct answer_frame asking = frame;
    asking.include_usage = true;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct relay_case asked = cases[i].c;
        try_relay(&frame, &asked, i);
        asked.out = cases[i].asked;
        if (asked.out)
            try_relay(&asking, &asked, i);
    }
}

static void test_relay_ends_once_and_says_nothing_after_it(void **state)
{
    static const struct relay_case cases[] = {
        { { D(FIRST), END, "[DONE]", D(FIRST), "no JSON", "{\"error\":\"late\"}", "[DONE]" }, A(FIRST) TAIL },
        { { D(FIRST), END }, A(FIRST) TAIL }, /* the end without [DONE] is an end */
        { { D(FIRST), END, END }, A(FIRST) EVENT(END) TAIL },
        { { D(FIRST) }, A(FIRST), ERR_UP_GARBLED, "without a finish_reason" },
        { { D(FIRST), "[DONE]" }, A(FIRST), ERR_UP_GARBLED, "without a finish_reason" },
        { { "[DONE]" }, "", ERR_UP_GARBLED, "without a finish_reason" },
        { { NULL }, "", ERR_UP_GARBLED, "without a finish_reason" },
        { { D(FIRST), "{" H ",\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}" }, NULL, ERR_UP_GARBLED, "without a finish_reason" },
        { { D(FIRST), "{" H ",\"choices\":[{\"delta\":{},\"finish_reason\":\"\\u0000\"}]}" }, NULL, ERR_UP_GARBLED, "without a finish_reason" },
    };
    try_relays(&frame, cases, COUNTOF(cases));
}

static void test_relay_names_what_is_wrong_with_an_event(void **state)
{
    static const struct relay_case cases[] = {
        { { D(FIRST), "{\"error\":{\"code\":500,\"message\":\"out of slots\",\"type\":\"server_error\"}}" }, A(FIRST), ERR_UP_STATUS, "out of slots" },
        { { "{\"error\":\"flat\",\"choices\":[]}" }, "", ERR_UP_STATUS, "flat" },
        { { "{\"error\":{}}" }, "", ERR_UP_STATUS, "(empty)" },
        { { "{\"error\":[]}" }, "", ERR_UP_STATUS, "(empty)" },
        { { "{\"error\":null," H ",\"choices\":[{\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"stop\"}]}" },
          EVENT("{\"error\":null," H ",\"choices\":[{\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"stop\"}],\"_routing\":{\"r\":1}}") DONE },
        { { "" }, "", ERR_UP_GARBLED, "no JSON" },
        { { "[DONE" }, "", ERR_UP_GARBLED, "no JSON" },
        { { "{\"choices\":[" }, "", ERR_UP_GARBLED, "no JSON" },
        { { "{\"a\":\"\xff\"}" }, "", ERR_UP_GARBLED, "no JSON" },
        { { "[]" }, "", ERR_UP_GARBLED, "no object" },
        { { "\"choices\"" }, "", ERR_UP_GARBLED, "no object" },
        { { "{\"choices\":[null]}" }, "", ERR_UP_GARBLED, "a choice that is none" },
        { { "{\"choices\":[[]]}" }, "", ERR_UP_GARBLED, "a choice that is none" },
        { { "{\"choices\":[{\"delta\":1}]}" }, "", ERR_UP_GARBLED, "a choice that is none" },
    };
    try_relays(&frame, cases, COUNTOF(cases));
}

static void test_relay_leaves_the_end_as_it_is_without_routing(void **state)
{
    struct json_scratch scratch = { 0 };
    struct relay r;
    struct buf out = { 0 };
    struct err e;
    relay_init(&r, &frame, &scratch);
    assert_int_equal(relay_event(&r, STR(D(FIRST)), &out, &e), ERR_OK);
    assert_int_equal(relay_event(&r, STR(END), &out, &e), ERR_OK);
    assert_int_equal(relay_end(&r, STR(""), &out, &e), ERR_OK);
    assert_text(buf_str(&out), A(FIRST) EVENT(END) DONE, 0);
    relay_free(&r);
    json_scratch_free(&scratch);
    buf_free(&out);
}

static void test_an_answer_begins_with_its_first_content(void **state)
{
    static const struct { const char *delta, *finish; bool began; int thoughts; } cases[] = {
        { "{}", "null", false, 0 },
        { "{\"role\":\"assistant\",\"content\":null}", "null", false, 0 },
        { "{\"role\":\"assistant\",\"content\":\"\"}", "null", false, 0 },
        { "{\"content\":\"x\"}", "null", true, 0 },
        { "{\"content\":7}", "null", false, 0 },
        { "{\"reasoning_content\":\"x\"}", "null", true, 1 },
        { "{\"reasoning\":\"x\",\"reasoning_content\":null}", "null", true, 1 },
        { "{\"reasoning_content\":\"\"}", "null", false, 0 },
        { "{\"refusal\":\"no\"}", "null", true, 0 },
        { "{\"tool_calls\":[]}", "null", false, 0 },
        { "{\"tool_calls\":[{\"index\":0}]}", "null", true, 0 },
        { "{}", "\"stop\"", true, 0 },
        { "{}", "\"\"", false, 0 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        char text[256];
        struct json_scratch scratch = { 0 };
        struct relay r;
        struct buf out = { 0 };
        struct err e;
        snprintf(text, sizeof text, "{\"choices\":[{\"delta\":%s,\"finish_reason\":%s}]}", cases[i].delta, cases[i].finish);
        relay_init(&r, &frame, &scratch);
        assert_int_equal(relay_event(&r, str_of(text), &out, &e), ERR_OK);
        struct collect *c = collect_new(&frame, &scratch);
        assert_int_equal(collect_event(c, str_of(text), &e), ERR_OK);
        if (r.facts.began != cases[i].began || collect_facts(c)->began != cases[i].began)
            fail_msg("case %zu: %s", i, text);
        assert_int_equal(r.facts.thoughts, cases[i].thoughts);
        assert_int_equal(collect_facts(c)->thoughts, cases[i].thoughts);
        collect_free(c);
        relay_free(&r);
        buf_free(&out);
        json_scratch_free(&scratch);
    }
}

/* ---- relay, any chunk ---- */

static uint64_t dice;

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice >> 11) % sides;
}

static const char *pick(const char *const *of, unsigned n)
{
    return of[roll(n)];
}

static void add_blank(struct buf *b)
{
    static const char *const blanks[] = { "", "", "", " ", "\n", "\t ", "\r\n" };
    buf_add(b, str_of(pick(blanks, COUNTOF(blanks))));
}

/* A chunk as some place may write it: any order of members, blanks, escapes, members nobody knows. */
static void random_chunk(struct buf *b, bool finish)
{
    static const char *const members[] = {
        "\"model\":\"smollm2\"", "\"model\":\"other\"", "\"model\":\"q\\\"\\\\\\u00e9\"", "\"mod\\u0065l\":\"x\"", "\"model\":null",
    };
    static const char *const ids[] = { "\"id\":\"a\"", "\"id\":\"b\\\"\"", "\"id\":\"\"", "\"id\":null", "\"id\":7" };
    static const char *const created[] = { "\"created\":5", "\"created\":6", "\"created\":null", "\"created\":-1" };
    static const char *const usages[] = { "\"usage\":null", "\"usage\":{}", "\"usage\":{\"prompt_tokens\":3,\"model\":\"m\"}" };
    static const char *const others[] = { "\"object\":\"chat.completion.chunk\"", "\"x\":{\"model\":[{}]}", "\"\":{}", "\"y\":[{},[],\"}\"]" };
    static const char *const deltas[] = {
        "{}", "{ }", "{\"role\":\"assistant\"}", "{\"content\":\"a\\\\\\\"}{\"}", "{ \"content\" : \"\xc3\xa9\",\"x\":{}}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}", "null",
    };
    const char *const parts[] = {
        roll(4) ? pick(members, COUNTOF(members)) : "", roll(4) ? pick(ids, COUNTOF(ids)) : "", roll(3) ? pick(created, COUNTOF(created)) : "",
        roll(3) ? "" : pick(usages, COUNTOF(usages)), roll(2) ? pick(others, COUNTOF(others)) : "", "choices",
    };
    size_t begun = b->n, order = roll(COUNTOF(parts)), step = 1 + 4 * roll(2); /* both are coprime to the number of parts */
    add_blank(b);
    buf_add_char(b, '{');
    for (size_t i = 0, put = 0; i < COUNTOF(parts); i++, order += step) {
        const char *part = parts[order % COUNTOF(parts)];
        if (!part[0])
            continue;
        add_blank(b);
        if (put++)
            buf_add_char(b, ',');
        add_blank(b);
        if (strcmp(part, "choices") == 0)
            buf_printf(b, "\"choices\":[{\"z\":{},\"delta\":%s,\"finish_reason\":%s}]", pick(deltas, COUNTOF(deltas)), finish ? "\"stop\"" : "null");
        else
            buf_add(b, str_of(part));
    }
    add_blank(b);
    buf_add_char(b, '}');
    add_blank(b);
    assert_true(b->n > begun);
}

struct want {
    struct json_doc d;      /* of the chunk as the place sent it */
    bool held;
};

static bool is_edited(struct str key)
{
    return str_eq(key, STR("model")) || str_eq(key, STR("id")) || str_eq(key, STR("created")) || str_eq(key, STR("usage")) || str_eq(key, STR("_routing"));
}

/* choices differ at most by the role put into the delta. */
static void assert_same_choice(yyjson_val *got, yyjson_val *sent, bool *role_put)
{
    yyjson_val *key, *v;
    size_t i, n;
    assert_int_equal(yyjson_obj_size(got), yyjson_obj_size(sent));
    yyjson_obj_foreach(sent, i, n, key, v) {
        yyjson_val *now = yyjson_obj_get(got, yyjson_get_str(key));
        if (yyjson_is_obj(v) && yyjson_obj_size(now) > yyjson_obj_size(v)) {
            assert_string_equal(yyjson_get_str(key), "delta");
            assert_false(*role_put);
            assert_string_equal(yyjson_get_str(yyjson_obj_get(now, "role")), "assistant");
            *role_put = true;
            size_t k, m;
            yyjson_val *name, *part;
            yyjson_obj_foreach(v, k, m, name, part) assert_true(yyjson_equals(part, yyjson_obj_get(now, yyjson_get_str(name))));
        } else {
            assert_true(yyjson_equals(v, now));
        }
    }
}

static void assert_same_chunk(struct str line, const struct json_doc *sent, bool held, struct str *id, bool *role_put)
{
    struct json_doc d;
    struct err e;
    yyjson_val *key, *v;
    size_t i, n;
    if (json_parse(&d, line, &e)) /* the strict one: a member put in twice is seen */
        fail_msg("%s: %.*s\nfrom %.*s", e.text, STR_ARG(line), STR_ARG(sent->text));
    yyjson_obj_foreach(sent->root, i, n, key, v) {
        yyjson_val *now = yyjson_obj_getn(d.root, yyjson_get_str(key), yyjson_get_len(key));
        if (strcmp(yyjson_get_str(key), "choices") == 0)
            assert_same_choice(yyjson_arr_get_first(now), yyjson_arr_get_first(v), role_put);
        else if (!is_edited(json_str(key)))
            assert_true(yyjson_equals(v, now));
    }
    yyjson_obj_foreach(d.root, i, n, key, v) assert_true(is_edited(json_str(key)) || yyjson_obj_getn(sent->root, yyjson_get_str(key), yyjson_get_len(key)));
    assert_string_equal(yyjson_get_str(yyjson_obj_get(d.root, "model")), "smollm2");
    assert_false(yyjson_is_obj(yyjson_obj_get(d.root, "usage")));
    assert_int_equal(yyjson_obj_get(d.root, "_routing") != NULL, held);
    struct str has = json_str(yyjson_obj_get(d.root, "id"));
    if (!id->n)
        *id = str_eq(has, STR("a")) ? STR("a") : str_eq(has, STR("b\"")) ? STR("b\"") : STR("req_1");
    assert_true(str_eq(*id, has));
    json_free(&d);
}

static void relay_random_answer(uint64_t seed)
{
    enum { CHUNKS = 6 };
    struct buf text[CHUNKS] = { { 0 } }, out = { 0 };
    const char *events[MAX_EVENTS] = { NULL };
    struct err e;
    dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (size_t i = 0; i < CHUNKS; i++) {
        random_chunk(&text[i], i == CHUNKS - 1);
        buf_add_char(&text[i], 0);
        events[i] = text[i].p;
    }
    if (relay_all(&frame, events, &out, NULL, &e))
        fail_msg("seed %llu: %s", (unsigned long long)seed, e.text);
    struct str rest = buf_str(&out), id = { NULL, 0 };
    bool role_put = false;
    for (size_t i = 0; i < CHUNKS; i++) {
        struct json_doc sent;
        struct str line = str_cut(rest, '\n', &rest);
        assert_int_equal(str_cut(rest, '\n', &rest).n, 0);
        assert_true(str_starts(line, STR("data: ")));
        assert_int_equal(json_parse(&sent, str_of(events[i]), &e), ERR_OK);
        assert_same_chunk(str_from(line, 6), &sent, i == CHUNKS - 1, &id, &role_put);
        json_free(&sent);
    }
    assert_text(rest, DONE, (size_t)seed);
    for (size_t i = 0; i < CHUNKS; i++)
        buf_free(&text[i]);
    buf_free(&out);
}

static void test_relay_of_any_chunks_is_those_chunks_but_for_the_edits(void **state)
{
    for (uint64_t seed = 1; seed <= 3000; seed++)
        relay_random_answer(seed);
}

/* ---- collect ---- */

static enum err_code collect_all(const struct answer_frame *f, const char *const *events, struct buf *out, struct err *e)
{
    struct json_scratch scratch = { 0 };
    struct collect *c = collect_new(f, &scratch);
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < MAX_EVENTS && events[i]; i++) {
        char *own = strdup(events[i]);
        assert_non_null(own);
        rc = collect_event(c, str_of(own), e);
        free(own);
    }
    if (!rc)
        rc = collect_end(c, routing, out, e);
    collect_free(c);
    json_scratch_free(&scratch);
    return rc;
}

#define TOP "\"object\":\"chat.completion\",\"created\":5,\"model\":\"smollm2\",\"choices\":[{\"index\":0,\"message\":"
#define WHOLE(message, finish) "{\"id\":\"a\"," TOP message ",\"logprobs\":null,\"finish_reason\":\"" finish "\"}],\"_routing\":{\"r\":1}}"
#define TEXT(text) WHOLE("{\"role\":\"assistant\",\"content\":" text "}", "stop")
#define CALLS(calls) WHOLE("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[" calls "]}", "tool_calls")
#define CALL(id, name, arguments) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}"
#define END_CALLS "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]," H "}"

static void test_collect_adds_up_what_the_events_say(void **state)
{
    static const struct relay_case cases[] = {
        { { ROLE, SAY("one "), SAY("two"), STOP, LAST, "[DONE]", "garbage" },
          "{\"id\":\"chatcmpl-U1C\",\"object\":\"chat.completion\",\"created\":1795263136,\"model\":\"smollm2\",\"choices\":[{\"index\":0,\"message\":"
          "{\"role\":\"assistant\",\"content\":\"one two\"},\"logprobs\":null,\"finish_reason\":\"stop\"}]," USAGE
          ",\"system_fingerprint\":\"b1-7e4c0a9\",\"timings\":{\"prompt_n\":32},\"_routing\":{\"r\":1}}" },
        { { D("{\"role\":\"assistant\"}"), END }, TEXT("\"\"") },
        { { D("{\"content\":\"\\ud83d\"}"), END }, NULL, ERR_UP_GARBLED, "no JSON" },
        { { D("{\"content\":\"\\ud83d\\ude00 \\\"\\\\\"}"), D("{\"content\":\"\xc3\xa9\\n\"}"), END }, TEXT("\"\xf0\x9f\x98\x80 \\\"\\\\\xc3\xa9\\n\"") },
        { { D("{\"reasoning_content\":\"so \"}"), D("{\"reasoning_content\":null,\"reasoning\":\"it is\"}"), D("{\"content\":\"7\"}"), END },
          WHOLE("{\"role\":\"assistant\",\"content\":\"7\",\"reasoning_content\":\"so it is\"}", "stop") },
        { { D("{\"refusal\":\"no\"}"), END }, WHOLE("{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"}", "stop") },
        /* tool calls: in pieces, several, whole at once, without an index */
        { { D("{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}"),
            D("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}"), D("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}"), END_CALLS },
          CALLS(CALL("c1", "f", "{\\\"a\\\":1}")) },
        { { D("{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"g\"}}]}"),
            D("{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"2\"}}]}"), D("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"3\"}}]}"), END_CALLS },
          CALLS(CALL("c1", "f", "13") "," CALL("c2", "g", "2")) },
        { { D("{\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}"), D("{\"tool_calls\":[{\"function\":{\"arguments\":\"}\"}}]}"), END_CALLS },
          CALLS(CALL("c1", "f", "{}")) },
        { { D("{\"content\":\"hm\"}"), D("{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}"), END_CALLS },
          WHOLE("{\"role\":\"assistant\",\"content\":\"hm\",\"tool_calls\":[" CALL("c1", "f", "{}") "]}", "tool_calls") },
        { { D("{\"tool_calls\":[{\"index\":1}]}"), END_CALLS }, NULL, ERR_UP_GARBLED, "tool call 1" },
        { { D("{\"tool_calls\":[{\"index\":18446744073709551615}]}"), END_CALLS }, NULL, ERR_UP_GARBLED, "tool call" },
        /* logprobs */
        { { "{\"choices\":[{\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-0.5}]}}]," H "}",
            "{\"choices\":[{\"delta\":{\"content\":\"b\"},\"logprobs\":{\"content\":[{\"token\":\"b\"},{\"token\":\"\"}]}}]," H "}",
            "{\"choices\":[{\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]," H "}" },
          "{\"id\":\"a\"," TOP "{\"role\":\"assistant\",\"content\":\"ab\"},\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-0.5},{\"token\":\"b\"},{\"token\":\"\"}]}"
          ",\"finish_reason\":\"stop\"}],\"_routing\":{\"r\":1}}" },
        /* ends */
        { { "{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}" },
          "{\"id\":\"req_1\",\"object\":\"chat.completion\",\"created\":99,\"model\":\"smollm2\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"x\"},"
          "\"logprobs\":null,\"finish_reason\":\"length\"}],\"_routing\":{\"r\":1}}" },
        { { D("{\"content\":\"x\"}"), END, "{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]," H "}" }, TEXT("\"x\"") },
        { { D("{\"content\":\"x\"}"), "{\"choices\":null," H "}", END }, TEXT("\"x\"") },
        { { D("{\"content\":\"x\"}"), "[DONE]" }, NULL, ERR_UP_GARBLED, "without a finish_reason" },
        { { D("{\"content\":\"x\"}"), "{\"error\":{\"message\":\"broke\"}}", END }, NULL, ERR_UP_STATUS, "broke" },
        { { "nonsense" }, NULL, ERR_UP_GARBLED, "no JSON" },
        { { "7" }, NULL, ERR_UP_GARBLED, "no object" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buf out = { 0 };
        struct err e = { 0 };
        assert_int_equal(collect_all(&frame, cases[i].events, &out, &e), cases[i].code);
        if (cases[i].out)
            assert_text(buf_str(&out), cases[i].out, i);
        if (cases[i].text && !strstr(e.text, cases[i].text))
            fail_msg("case %zu: %s", i, e.text);
        buf_free(&out);
    }
}

/* Whatever the bytes come as, they count. */
static void test_collect_stops_at_the_cap(void **state)
{
    static const char *const deltas[] = {
        "{\"content\":\"0123456789\"}", "{\"reasoning_content\":\"0123456789\"}", "{\"refusal\":\"0123456789\"}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"0123456789\"}}]}",
        "{},\"logprobs\":{\"content\":[\"01234567\"]}",
    };
    for (size_t i = 0; i < COUNTOF(deltas); i++) {
        struct json_scratch scratch = { 0 };
        struct collect *c = collect_new(&frame, &scratch);
        struct err e = { 0 };
        char text[256];
        int events = 0;
        snprintf(text, sizeof text, "{\"choices\":[{\"delta\":%s}]}", deltas[i]);
        while (events <= 101 && !collect_event(c, str_of(text), &e))
            events++;
        assert_true(events == 100 || (i == 4 && events < 100)); /* its commas count too */
        assert_int_equal(e.code, ERR_UP_GARBLED);
        assert_non_null(strstr(e.text, "1000 bytes"));
        collect_free(c);
        json_scratch_free(&scratch);
    }
}

/* ---- whole ---- */

static void test_whole_answers_keep_their_bytes_but_for_model_and_routing(void **state)
{
#define C "\"choices\":[{\"message\":{\"content\":\"model\"},\"finish_reason\":\"stop\"}]"
#define R ",\"_routing\":{\"r\":1}}"
    static const struct { const char *in, *out; } cases[] = {
        { "{\"model\":\"x\"," C "}", "{\"model\":\"smollm2\"," C R },
        { "{" C ",\"model\":\"a\\\"b\\\\\"}", "{" C ",\"model\":\"smollm2\"" R },
        { " {\n \"mod\\u0065l\" : \"x\" ,\n " C "\n}\r\n ", " {\n \"mod\\u0065l\" : \"smollm2\" ,\n " C "\n,\"_routing\":{\"r\":1}}\r\n " },
        { "{\"a\":{\"model\":\"n\"},\"model\":null," C "}", "{\"a\":{\"model\":\"n\"},\"model\":\"smollm2\"," C R },
        { "{" C ",\"x\":\"}\"}", "{\"model\":\"smollm2\"," C ",\"x\":\"}\"" R },
        { "{" C ",\"_routing\":{\"model\":\"z\"},\"model\":\"x\"}", "{" C ",\"_routing\":{\"r\":1},\"model\":\"smollm2\"}" },
        { "{\"model\":\"smollm2\"," C "}", "{\"model\":\"smollm2\"," C R },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_scratch scratch = { 0 };
        struct json_doc d;
        struct answer_facts facts;
        struct buf out = { 0 };
        struct err e;
        assert_int_equal(whole_read(str_of(cases[i].in), "choices", &frame, &scratch, &d, &facts, NULL, &e), ERR_OK);
        assert_string_equal(facts.finish, "stop");
        whole_write(&d, &frame, NULL, routing, &out);
        assert_text(buf_str(&out), cases[i].out, i);
        json_free(&d);
        json_scratch_free(&scratch);
        buf_free(&out);
    }
}

static void test_whole_reads_usage_and_refuses_what_is_no_completion(void **state)
{
    static const struct { const char *in; enum err_code code; int64_t input, output, reasoning, cached; } cases[] = {
        { "{" C ",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":3},"
          "\"completion_tokens_details\":{\"reasoning_tokens\":4}}}", ERR_OK, 1, 2, 4, 3 },
        { "{" C ",\"usage\":{\"prompt_tokens\":\"1\",\"completion_tokens\":2.5,\"prompt_tokens_details\":null}}", ERR_OK, -1, -1, -1, -1 },
        { "{" C ",\"usage\":null}", ERR_OK, -1, -1, -1, -1 },
        { "{" C ",\"error\":null}", ERR_OK, -1, -1, -1, -1 },
        { "{\"choices\":[]}", ERR_UP_GARBLED },
        { "{\"choices\":null}", ERR_UP_GARBLED },
        { "{\"choices\":[1]}", ERR_UP_GARBLED },
        { "{\"choices\":[null]}", ERR_UP_GARBLED },
        { "{\"choices\":[{}]}", ERR_UP_GARBLED },
        { "{\"choices\":[{\"message\":\"m\"}]}", ERR_UP_GARBLED },
        { "{" C ",\"choices\":[]}", ERR_UP_GARBLED }, /* a caller may read the last of them */
        { "{" C ",\"id\":1,\"id\":2}", ERR_UP_GARBLED },
        { "{}", ERR_UP_GARBLED },
        { "[" C "]", ERR_UP_GARBLED },
        { "[]", ERR_UP_GARBLED },
        { "7", ERR_UP_GARBLED },
        { "", ERR_UP_GARBLED },
        { "<html>", ERR_UP_GARBLED },
        { "{" C, ERR_UP_GARBLED },
        { "{\"error\":{\"message\":\"m\"}," C "}", ERR_UP_STATUS },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct json_scratch scratch = { 0 };
        struct json_doc d;
        struct answer_facts f;
        struct err e;
        if (whole_read(str_of(cases[i].in), "choices", &frame, &scratch, &d, &f, NULL, &e) != cases[i].code)
            fail_msg("case %zu: %s", i, cases[i].in);
        if (!cases[i].code) {
            assert_int_equal(f.tokens.input, cases[i].input);
            assert_int_equal(f.tokens.output, cases[i].output);
            assert_int_equal(f.tokens.reasoning, cases[i].reasoning);
            assert_int_equal(f.tokens.cached, cases[i].cached);
            json_free(&d);
        }
        json_scratch_free(&scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relay_passes_what_is_in_order_byte_for_byte),
        cmocka_unit_test(test_relay_passes_events_that_are_alike_as_it_does_others),
        cmocka_unit_test(test_what_is_like_an_event_and_one_too_many_does_not_leave),
        cmocka_unit_test(test_what_is_like_an_event_but_no_json_is_refused),
        cmocka_unit_test(test_relay_edits_only_what_callers_would_stumble_over),
        cmocka_unit_test(test_relay_quotes_a_model_name_with_anything_in_it),
        cmocka_unit_test(test_relay_sends_usage_only_when_asked_and_in_a_chunk_of_its_own),
        cmocka_unit_test(test_relay_ends_once_and_says_nothing_after_it),
        cmocka_unit_test(test_relay_names_what_is_wrong_with_an_event),
        cmocka_unit_test(test_relay_leaves_the_end_as_it_is_without_routing),
        cmocka_unit_test(test_an_answer_begins_with_its_first_content),
        cmocka_unit_test(test_relay_of_any_chunks_is_those_chunks_but_for_the_edits),
        cmocka_unit_test(test_collect_adds_up_what_the_events_say),
        cmocka_unit_test(test_collect_stops_at_the_cap),
        cmocka_unit_test(test_whole_answers_keep_their_bytes_but_for_model_and_routing),
        cmocka_unit_test(test_whole_reads_usage_and_refuses_what_is_no_completion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
