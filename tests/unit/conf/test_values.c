/* One text, one field: what each type of a setting takes, what it says of what it does not take, and how it is written back. */
#include "conf/conf.h"
#include "conf/conf_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const struct word words[] = { { "auto", 0 }, { "on", 1 }, { "off", 2 }, { NULL, 0 } };
static const struct word sizes[] = { { "small", 0 }, { "large", 1 }, { NULL, 0 } };
static const struct word efforts[] = { { "caller", THINKING_CALLER }, { "on", THINKING_ON }, { "off", THINKING_OFF }, { NULL, 0 } };

/* Large and aligned enough for any type's field. */
union field {
    struct str text;
    struct secret secret;
    struct conf_policy policy;
    struct conf_range range;
    struct conf_maybe maybe;
    struct conf_prose prose;
    struct conf_strs strs;
    int64_t number;
    double real;
    unsigned bits;
    bool on;
};

static const struct setting count = { .path = "count", .type = SET_COUNT, .min = 1, .max = 100 },
    count_or = { .path = "count", .type = SET_COUNT, .min = 1, .max = 100, .zero = "auto" },
    tokens = { .path = "tokens", .type = SET_TOKENS, .min = 1, .max = 1 << 20 },
    tokens_or = { .path = "tokens", .type = SET_TOKENS, .min = 1, .max = 1 << 20, .zero = "auto" },
    bytes = { .path = "bytes", .type = SET_BYTES, .min = 0, .max = INT64_MAX },
    ms = { .path = "ms", .type = SET_MS, .min = 0, .max = 50000 },
    ms_or = { .path = "ms", .type = SET_MS, .min = 1, .max = 50000, .zero = "never" },
    number = { .path = "number", .type = SET_NUMBER, .min = -2, .max = 100 },
    number_or = { .path = "number", .type = SET_NUMBER, .min = 0, .max = 2, .zero = "none" },
    share = { .path = "share", .type = SET_SHARE },
    maybe = { .path = "maybe", .type = SET_MAYBE, .min = 0, .max = 2 },
    maybe_int = { .path = "maybe_int", .type = SET_MAYBE_INT, .min = 0, .max = 200 },
    thinking = { .path = "thinking", .type = SET_THINKING, .words = efforts, .min = 1, .max = 1 << 20 },
    word = { .path = "word", .type = SET_WORD, .words = words },
    choice = { .path = "choice", .type = SET_CHOICE, .words = words },
    size = { .path = "size", .type = SET_WORD, .words = sizes },
    date = { .path = "date", .type = SET_DATE },
    range = { .path = "range", .type = SET_RANGE },
    listen = { .path = "listen", .type = SET_LISTEN },
    url = { .path = "url", .type = SET_URL },
    web = { .path = "web", .type = SET_WEB },
    proxy = { .path = "proxy", .type = SET_PROXY },
    sha = { .path = "sha", .type = SET_SHA256 },
    command = { .path = "command", .type = SET_COMMAND },
    secret = { .path = "secret", .type = SET_SECRET },
    on_off = { .path = "bool", .type = SET_BOOL },
    any_text = { .path = "text", .type = SET_TEXT },
    prose = { .path = "prose", .type = SET_PROSE };

#define A64 "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCD"

static const struct { const struct setting *s; const char *in, *out, *says; } cases[] = { /* out NULL: refused, and says is in the sentence */
    { &count, "1", "1", NULL },                { &count, "100", "100", NULL },            { &count, "101", NULL, "out of range, 1 to 100" },
    { &count, "0", NULL, "out of range" },     { &count, "-1", NULL, "not a whole" },     { &count, "1x", NULL, "not a whole number" },
    { &count, ":", NULL, "not a whole" },      { &count, "/", NULL, "not a whole" },      { &count, "", NULL, "has no value" },      { &count, "99999999999999999999", NULL, "out of range" },
    { &count_or, "auto", "auto", NULL },       { &count_or, "7", "7", NULL },             { &count_or, "x", NULL, "not a whole number or auto" },
    { &count_or, "101", NULL, "1 to 100 or auto" },
    { &tokens, "4096", "4096", NULL },         { &tokens, "32k", "32768", NULL },         { &tokens, "1 M", "1048576", NULL },
    { &tokens, "k", NULL, "number of tokens" }, { &tokens, "/", NULL, "number of tokens" }, { &tokens, ":", NULL, "number of tokens" },
    { &tokens, "2M", NULL, "out of range" },   { &tokens, "9223372036854775807k", NULL, "out of range" }, { &tokens, "auto", NULL, "like 4096 or 32k (32768)" },
    { &tokens_or, "auto", "auto", NULL },      { &tokens_or, "x", NULL, "or auto" },
    { &bytes, "0", "0", NULL },                { &bytes, "2GiB", "2GiB", NULL },          { &bytes, "10MB", "10000000", NULL },
    { &bytes, "1 TiB", "1TiB", NULL },         { &bytes, "8k", NULL, "write 8KiB" },      { &bytes, "8K", NULL, "write 8KiB" },
    { &bytes, "8m", NULL, "write 8MiB" },      { &bytes, "8x", NULL, "is not a size" },   { &bytes, "8 MB x", NULL, "is not a size" },
    { &bytes, "GiB", NULL, "is not a size" },
    { &ms, "0s", "0s", NULL },                 { &ms, "0ms", "0s", NULL },                { &ms, "1500ms", "1500ms", NULL },
    { &ms, "10", NULL, "write 10s" },          { &ms, "s", NULL, "duration" },            { &ms, "10 y", NULL, "duration" },
    { &ms_or, "never", "never", NULL },        { &ms_or, "0s", NULL, "1ms to 50s or never" },
    { &number, "0.5", "0.5", NULL },           { &number, "-2", "-2", NULL },             { &number, "-0", "0", NULL },
    { &number, "-2.5", NULL, "out of range, -2 to 100" }, { &number, "100.5", NULL, "out of range" },
    { &number, "", NULL, "has no value" },     { &number, ".5", NULL, "not a number" },   { &number, "1.", NULL, "not a number" },
    { &number, "-", NULL, "not a number" },    { &number, "1e3", NULL, "not a number" },  { &number, "1.2e", NULL, "not a number" },
    { &number, "nan", NULL, "not a number" },  { &number, "000000000000000000000000000000001", NULL, "not a number" },
    { &number_or, "none", "none", NULL },      { &number_or, "2", "2", NULL },            { &number_or, "x", NULL, "or none" },
    { &share, "20%", "0.2", NULL },            { &share, "0.25", "0.25", NULL },          { &share, "100%", "1", NULL },
    { &share, "101%", NULL, "0% to 100%" },    { &share, "-0.1", NULL, "out of range" },  { &share, "%", NULL, "is no share" },
    { &maybe, "1.5", "1.5", NULL },            { &maybe, "2.5", NULL, "out of range" },
    { &maybe_int, "40", "40", NULL },          { &maybe_int, "1.5", NULL, "not a whole number" }, { &maybe_int, "x", NULL, "not a number" },
    { &thinking, "off", "off", NULL },         { &thinking, "budget 512", "budget 512", NULL }, { &thinking, "on", "on", NULL },
    { &thinking, "budget", NULL, "number of tokens" }, { &thinking, "budget x", NULL, "number of tokens" }, { &thinking, "offf", NULL, "did you mean 'off'" },
    { &word, "off", "off", NULL },             { &word, "no", NULL, "did you mean 'off'" }, { &word, "zzz", NULL, "none of: auto, on, off" },
    { &size, "no", NULL, "none of: small, large" }, { &size, "larg", NULL, "did you mean 'large'" },
    { &choice, "on", "on", NULL },             { &choice, "always", NULL, "did you mean 'on'" },
    { &date, "2027-01-31", "2027-01-31", NULL }, { &date, "2024-02-29", "2024-02-29", NULL }, { &date, "2000-02-29", "2000-02-29", NULL },
    { &date, "2023-02-29", NULL, "is no date" }, { &date, "2100-02-29", NULL, "is no date" }, { &date, "2027-02-28", "2027-02-28", NULL },
    { &date, "2027-04-31", NULL, "is no date" }, { &date, "2027-13-01", NULL, "is no date" }, { &date, "2027-00-01", NULL, "is no date" },
    { &date, "1969-01-01", NULL, "is no date" }, { &date, "2027/01-01", NULL, "is no date" }, { &date, "2027-01/01", NULL, "is no date" },
    { &date, "2027-1-01", NULL, "is no date" },
    { &range, ">0.6", ">0.6", NULL },          { &range, ">= 0.6", ">=0.6", NULL },       { &range, "<3", "<3", NULL },
    { &range, "<=3", "<=3", NULL },            { &range, "2..5", "2..5", NULL },          { &range, "-1.5..2", "-1.5..2", NULL },
    { &range, "7", "7", NULL },                { &range, "5..2", NULL, "is no range" },   { &range, "x..2", NULL, "is no range" },
    { &range, "2..x", NULL, "is no range" },   { &range, ">", NULL, "is no range" },      { &range, ">=", NULL, "is no range" },
    { &range, "=5", NULL, "is no range" },     { &range, "x", NULL, "is no range" },      { &range, "3=", NULL, "is no range" },
    { &listen, "127.0.0.1:8080", "127.0.0.1:8080", NULL }, { &listen, "[::1]:0", "[::1]:0", NULL }, { &listen, "localhost:80", "localhost:80", NULL },
    { &listen, "127.0.0.1:-0", NULL, "is not ADDRESS:PORT" }, { &listen, "anvil:80", NULL, "no address of this machine" },
    { &listen, "[localhost]:80", NULL, "no address of this machine" }, { &listen, "[]:80", NULL, "no address of this machine" },
    { &listen, "[0000000000000000000000000000000000000000000000000000000000000001]:80", NULL, "no address of this machine" },
    { &listen, "[::1:80", NULL, "is not ADDRESS:PORT" },       { &listen, "[a:80", NULL, "no address of this machine" },
    { &listen, "000000000000000000000000000000000000000000000000000000000000.1:80", NULL, "no address of this machine" },
    { &url, "http://127.0.0.1:9001/v1", "http://127.0.0.1:9001/v1", NULL }, { &url, "https://[::1]/v1", "https://[::1]/v1", NULL },
    { &url, "http://[::1]:9", "http://[::1]:9", NULL }, { &url, "http://", NULL, "no valid host" }, { &url, "http://a]", NULL, "may not stand in a name" },
    { &url, "http://a:", NULL, "no valid host" },      { &url, "http://a:b:80", NULL, "no valid host" }, { &url, "http://[]", NULL, "no valid host" },
    { &web, "https://a/", "https://a", NULL },         { &web, "http://localhost:1//", "http://localhost:1", NULL }, { &web, "http://127.1.2.3", "http://127.1.2.3", NULL },
    { &web, "http://[::1]:5", "http://[::1]:5", NULL }, { &web, "http://[1::1]", NULL, "not encrypted" }, { &web, "http://[0:1::1]", NULL, "not encrypted" },
    { &web, "http://[::1:0:0:0:1]", NULL, "not encrypted" }, { &web, "http://[::1:0:1]", NULL, "not encrypted" }, { &web, "http://[::2]", NULL, "not encrypted" },
    { &web, "http://10.0.0.1", NULL, "not encrypted" }, { &web, "ftp://a", NULL, "no address like https" }, { &web, "https://", NULL, "no valid host" },
    { &web, "https://u:p@a", NULL, "no user or password" }, { &web, "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, "is no name" },
    { &proxy, "socks5h://127.0.0.1:1055", "(hidden)", NULL }, { &proxy, "http://u:p@h:1/", "(hidden)", NULL }, { &proxy, "socks5://a@b@h:1", "(hidden)", NULL },
    { &proxy, "https://h:1", NULL, "is no proxy" },    { &proxy, "socks5://h", NULL, "is no proxy" }, { &proxy, "socks5://:1", NULL, "is no proxy" },
    { &proxy, "http://h:0", NULL, "is no proxy" }, { &secret, "a\x7f", NULL, "control character" }, { &url, "http://a b", NULL, "may not stand" }, { &url, "http://a\x80", NULL, "not in ASCII" }, { &url, "http://a/\x80", NULL, "what is not ASCII" }, { &secret, "a\x80", NULL, "holds a space" },
        { &proxy, "http://u:p w@h:1", NULL, "holds a space" },
    { &sha, A64, NULL, NULL },                 { &sha, "abc", NULL, "no SHA-256" },
    { &sha, "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL, "no SHA-256" },
    { &command, "a 'b c'", "a 'b c'", NULL },  { &command, "a 'b", NULL, "has no end" },  { &command, "a \\", NULL, "has no end" },
    { &secret, "s3cret", "(hidden)", NULL },   { &secret, "", "", NULL },                 { &secret, "a b", NULL, "holds a space" },
    { &secret, "\xc3\xa9", NULL, "holds a space or another" }, { &secret, "(hidden)", NULL, "not a key" },
    { &on_off, "Yes", "on", NULL },            { &on_off, "FALSE", "off", NULL },         { &on_off, "maybe", NULL, "neither on nor off" },
    { &any_text, "a\tb", NULL, "control character" }, { &any_text, "a\x7f", NULL, "control character" }, { &prose, "a\tb", "a\tb", NULL },
};

static void test_each_type_takes_what_it_says(void **state)
{
    struct arena a;
    struct buf out = { 0 };
    int wrong = 0;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        union field got = { 0 }, again = { 0 };
        struct err e = { 0 };
        struct str in = str_of(cases[i].in);
        enum err_code rc = value_read(cases[i].s, in, in, &a, &got, &e);
        if (!cases[i].out && cases[i].says) {
            if (rc != ERR_CONFIG || !strstr(e.text, cases[i].says)) {
                print_error("%s '%s': %d, %s\n", cases[i].s->path, cases[i].in, rc, e.text);
                wrong++;
            }
            continue;
        }
        buf_reset(&out, SIZE_MAX);
        if (!rc)
            value_write(cases[i].s, &got, &out);
        if (rc || (cases[i].out && !str_eq(buf_str(&out), str_of(cases[i].out)))) {
            print_error("%s '%s': %d, %s%.*s\n", cases[i].s->path, cases[i].in, rc, e.text, STR_ARG(buf_str(&out)));
            wrong++;
            continue;
        }
        assert_int_equal(value_read(cases[i].s, in, in, &a, &again, &e), ERR_OK);
        assert_true(value_same(cases[i].s, &got, &again));
    }
    assert_int_equal(wrong, 0);
    buf_free(&out);
    arena_fini(&a);
}

static void test_a_hash_is_kept_in_small_letters(void **state)
{
    struct arena a;
    struct str got;
    arena_init(&a);
    assert_int_equal(value_read(&sha, STR(A64), STR(A64), &a, &got, NULL), ERR_OK);
    assert_true(got.n == 64 && str_eq_nocase(got, STR(A64)));
    for (size_t i = 0; i < got.n; i++)
        assert_false(got.p[i] >= 'A' && got.p[i] <= 'Z');
    arena_fini(&a);
}

static void test_an_address_has_480_bytes_at_most(void **state)
{
    struct arena a;
    struct str got;
    char at[600];
    arena_init(&a);
    for (int n = 479; n <= 481; n++) {
        struct err e = { 0 };
        snprintf(at, sizeof at, "http://a/%0*d", n - 9, 0);
        assert_int_equal(value_read(&url, str_of(at), str_of(at), &a, &got, &e), n > 480 ? ERR_CONFIG : ERR_OK);
    }
    arena_fini(&a);
}

/* Pairs that differ in one thing only. */
static void test_what_differs_is_not_the_same(void **state)
{
    static const struct { const struct setting *s; const char *a, *b; } rows[] = {
        { &count, "1", "2" },           { &number, "1", "2" },          { &word, "on", "off" },         { &any_text, "a", "b" },       { &on_off, "on", "off" },
        { &range, ">1", ">=1" },        { &range, "<1", "<=1" },        { &range, "1..2", "1..3" },     { &range, "1..3", "2..3" },
        { &thinking, "on", "off" },     { &thinking, "on", "budget 5" }, { &secret, "a", "b" },         { &maybe, "1", "2" },
    };
    static const struct setting file = { .type = SET_PROSE_FILE }, names = { .type = SET_NAMES };
    struct arena a;
    union field x, y;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        x = y = (union field){ 0 };
        assert_int_equal(value_read(rows[i].s, str_of(rows[i].a), STR(""), &a, &x, NULL), ERR_OK);
        assert_int_equal(value_read(rows[i].s, str_of(rows[i].b), STR(""), &a, &y, NULL), ERR_OK);
        assert_false(value_same(rows[i].s, &x, &y));
        assert_true(value_same(rows[i].s, &x, &x));
    }
    const struct conf_maybe said = { .said = true, .value = 1 }, other = { .said = true, .value = 2 }, unsaid = { .value = 1 }, unsaid_other = { .value = 2 };
    assert_false(value_same(&maybe, &said, &unsaid) || value_same(&maybe, &said, &other));
    assert_true(value_same(&maybe, &unsaid, &unsaid_other) && value_same(&maybe, &said, &said));
    struct conf_range none = { 0 }, one = { .said = true };
    assert_false(value_same(&range, &none, &one));
    const struct conf_prose p = { .path = STR("p"), .text = STR("t") }, p2 = { .path = STR("p"), .text = STR("u") }, q = { .path = STR("q"), .text = STR("t") };
    assert_true(value_same(&file, &p, &p) && !value_same(&file, &p, &p2) && !value_same(&file, &p, &q));
    struct str ab[] = { STR("a"), STR("b") }, ac[] = { STR("a"), STR("c") };
    const struct conf_strs l = { ab, 2 }, m = { ac, 2 }, shorter = { ab, 1 };
    assert_true(value_same(&names, &l, &l) && !value_same(&names, &l, &m) && !value_same(&names, &l, &shorter));
    arena_fini(&a);
}

static void test_what_was_not_said_is_empty_and_writes_nothing(void **state)
{
    static const struct setting names = { .type = SET_NAMES }, flags = { .type = SET_FLAGS, .words = words },
        flags_def = { .type = SET_FLAGS, .words = words, .def = "on" }, tokens_def = { .type = SET_TOKENS, .def = "1" },
        tokens_from = { .type = SET_TOKENS, .from = "other" }, word_def = { .type = SET_WORD, .words = words, .def = "auto" };
    static const struct { const struct setting *s; bool empty; } rows[] = {
        { &names, true }, { &flags, true }, { &flags_def, false }, { &tokens, true }, { &tokens_def, false }, { &tokens_from, false }, { &word, true },
        { &word_def, false }, { &thinking, true }, { &range, true }, { &maybe, true }, { &maybe_int, true }, { &secret, true }, { &proxy, true }, { &any_text, true },
        { &url, true }, { &count, false }, { &on_off, false }, { &number, false },
    };
    const union field nothing = { 0 };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (value_is_empty(rows[i].s, &nothing) != rows[i].empty)
            fail_msg("row %zu", i);
    struct buf out = { 0 };
    value_write(&range, &nothing, &out);
    value_write(&maybe, &nothing, &out);
    value_write(&secret, &nothing, &out);
    value_write(&any_text, &nothing, &out);
    unsigned no_such = 77;
    value_write(&word, &no_such, &out);
    assert_int_equal(out.n, 0);
    buf_free(&out);
}

static void test_which_are_numbers_in_json(void **state)
{
    static const struct { const struct setting *s; union field f; bool number; } rows[] = {
        { &count, { .number = 5 }, true },      { &count, { .number = 0 }, true },     { &count_or, { .number = 0 }, false }, { &count_or, { .number = 3 }, true },
        { &tokens, { .number = 5 }, true },     { &tokens_or, { .number = 0 }, false }, { &number, { .real = -1 }, true },     { &number_or, { .real = -1 }, false },
        { &number_or, { .real = 1 }, true },    { &share, { .real = 1 }, true },       { &maybe, { .number = 0 }, true },     { &maybe_int, { .number = 0 }, true },
        { &ms, { .number = 1 }, false },        { &bytes, { .number = 1 }, false },    { &word, { .bits = 1 }, false },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (setting_is_number(rows[i].s, &rows[i].f) != rows[i].number)
            fail_msg("row %zu", i);
}

/* ---- who may come in ---- */

static void test_names_that_may_be_asked_for(void **state)
{
    static const struct { const char *text, *fault; } rows[] = { /* NULL: taken */
        { "hob.example.org", NULL }, { "*.example.org", NULL }, { "a", NULL }, { "a_b-c.d", NULL }, { "192.168.1.4", NULL }, { "[::1]", NULL }, { "[fe80::1.2.3.4]", NULL },
        { "*", "stands for any name" },          { "https://a.b", "is an address" },           { "a.b:80", "has a port" },     { "*.a:80", "has a port" },
        { "", "is no name" },                    { "a.", "is no name" },                       { "a b", "is no name" },        { "*.", "is no name" },
        { "a*b", "is no name" },                 { "::1", "is no name" },                      { "a:b:c", "is no name" },      { "-:80", "is no name" },
        { "[]", "is no name" },                  { "[::1", "is no name" },                     { "[::g1]", "is no name" },     { "[::1]x", "is no name" },
    };
    char at[300];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const char *fault = host_pattern_fault(str_of(rows[i].text));
        if (!fault != !rows[i].fault || (fault && !strstr(fault, rows[i].fault)))
            fail_msg("'%s': %s", rows[i].text, fault ? fault : "taken");
    }
    for (int n = 252; n <= 254; n++) {
        snprintf(at, sizeof at, "%063d.%063d.%063d.%0*da", 0, 0, 0, n - 193, 0);
        assert_int_equal(host_pattern_fault(str_of(at)) != NULL, n > 253);
    }
}

static void test_pages_that_may_ask(void **state)
{
    static const struct { const char *text, *fault; } rows[] = {
        { "https://chat.example.org", NULL },  { "http://a:1", NULL },           { "https://*.example.org:8443", NULL },  { "HTTP://[::1]:65535", NULL }, { "http://[::1]", NULL },
        { "app://obsidian.md", NULL },         { "app://*", NULL },              { "chrome-extension://abc", NULL },      { "a+b.c://x", NULL },
        { "*", "let any page in" },            { "NULL", "let any page in" },    { "chat.example.org", "is no origin" },  { "https://a/b", "has a path" },
        { "https://a/", "has a path" },        { "https://*", "is no origin" },  { "://a", "is no origin" },              { "1a://a", "is no origin" },
        { "a_b://a", "is no origin" },         { "https://", "is no origin" },   { "https://a:", "is no origin" },        { "https://a:x", "is no origin" },
        { "https://a:0", "is no origin" },     { "https://a:65536", "is no origin" }, { "https://a:-1", "is no origin" }, { "https://[::1", "is no origin" },
        { "https://[::1]x", "is no origin" },  { "https://[::1]:", "is no origin" },  { "https://a b", "is no origin" },  { "https://a:1:2", "is no origin" },
    };
    char at[300];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const char *fault = origin_pattern_fault(str_of(rows[i].text));
        if (!fault != !rows[i].fault || (fault && !strstr(fault, rows[i].fault)))
            fail_msg("'%s': %s", rows[i].text, fault ? fault : "taken");
    }
    snprintf(at, sizeof at, "https://%0250d", 0);
    assert_non_null(origin_pattern_fault(str_of(at)));
}

static void test_settings_of_names_and_pages(void **state)
{
    static const struct setting name = { .type = SET_HOSTNAMES }, page = { .type = SET_ORIGINS };
    struct arena a;
    struct str got;
    struct err e = { 0 };
    arena_init(&a);
    assert_int_equal(value_read(&name, STR("a.b"), STR("a.b"), &a, &got, &e), ERR_OK);
    assert_int_equal(value_read(&name, STR("*"), STR("*"), &a, &got, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "'*' stands for any name"));
    assert_int_equal(value_read(&page, STR("app://x"), STR("app://x"), &a, &got, &e), ERR_OK);
    assert_int_equal(value_read(&page, STR("x"), STR("x"), &a, &got, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "'x' is no origin"));
    arena_fini(&a);
}

/* ---- text that is shown ---- */

static void test_what_is_utf8(void **state)
{
    static const struct { struct str text; size_t valid; } rows[] = {
        { STR(""), 0 }, { STR("a\tb\r\n"), 5 }, { STR("\xc2\x80\xdf\xbf"), 4 }, { STR("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"), 9 },
        { STR("\xf0\x90\x80\x80\xf1\x80\x80\x80\xf4\x8f\xbf\xbf"), 12 },
        { STR("a\x01"), 1 }, { STR("a\x7f"), 1 }, { STR("a\0"), 1 }, { STR("a\x80"), 1 }, { STR("a\xc1\x80"), 1 }, { STR("a\xe0\x9f\x80"), 1 }, { STR("a\xed\xa0\x80"), 1 },
        { STR("a\xf0\x8f\x80\x80"), 1 }, { STR("a\xf4\x90\x80\x80"), 1 }, { STR("a\xf5\x80\x80\x80"), 1 }, { STR("a\xc3"), 1 }, { STR("a\xc3("), 1 }, { STR("a\xe2\x82("), 1 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (text_valid(rows[i].text) != rows[i].valid)
            fail_msg("row %zu: %zu", i, text_valid(rows[i].text));
        assert_int_equal(conf_is_text(rows[i].text), rows[i].valid == rows[i].text.n && !memchr(rows[i].text.p, '\t', rows[i].text.n));
    }
}

static void test_what_is_shown_is_short_and_whole(void **state)
{
    char in[400];
    assert_string_equal(show_text(STR("a\x01" "b\xff\x7f")).text, "'a?b?" "?'");
    for (int n = 1; n < 200; n++) {
        memset(in, 'x', sizeof in);
        memcpy(in + n, "\xe2\x82\xac\xe2\x82\xac", 6);
        struct shown s = show_text(str_make(in, sizeof in));
        size_t len = strlen(s.text);
        assert_true(len < sizeof s.text && text_valid(str_make(s.text, len)) == len && str_ends(str_make(s.text, len), STR("...'")));
    }
}

static void test_a_command_may_have_tabs(void **state)
{
    struct arena a;
    struct conf_strs words_of;
    arena_init(&a);
    assert_int_equal(conf_words(STR("\ta\tb\\\tc \"d\te\""), &a, &words_of, NULL), ERR_OK);
    assert_true(words_of.n == 3 && str_eq(words_of.at[0], STR("a")) && str_eq(words_of.at[1], STR("b\tc")) && str_eq(words_of.at[2], STR("d\te")));
    arena_fini(&a);
}

/* ---- what stands for something else ---- */

enum { MOST = CONF_MAX_VALUE_BYTES };

static struct str filled(char *room, size_t n, const char *behind)
{
    memset(room, 'x', n);
    memcpy(room + n, behind, strlen(behind));
    return str_make(room, n + strlen(behind));
}

static void write_file(const char *path, struct str text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text.n ? text.p : "", 1, text.n, f), text.n);
    assert_int_equal(fclose(f), 0);
}

static void test_references_and_what_is_wrong_with_them(void **state)
{
    static const struct { const char *in, *out, *says; } rows[] = {
        { "", "", NULL },                            { "a", "a", NULL },                          { "$a $", "$a $", NULL },                    { "$${a}", "${a}", NULL },
        { "a$${b", "a${b", NULL },                   { "<${env:HOB_T_A}>", "<va>", NULL },        { "${env:HOB_T_EMPTY}", "", NULL },          { "${env:HOB_T_EMPTY:-d}", "d", NULL },
        { "${env:HOB_T_NONE:-d}", "d", NULL },       { "${env:HOB_T_NONE:-}", "", NULL },         { "${env:HOB_T_A:-d}", "va", NULL },         { "${file:lf}", "s", NULL },
        { "${file:crlf}", "s", NULL },               { "${file:none}", "s", NULL },               { "${file:just-lf}", "", NULL },             { "${file:empty}", "", NULL },
        { "${file:~/lf}", "s", NULL },               { "${port}", "${port}", NULL },              { "${env:HOB_T_A}$${${file:lf}", "va${s", NULL },
        { "${env:}", NULL, "needs a name" },         { "${env:HOB_T_NONE}", NULL, "is not set" }, { "${env:HOB_T_BAD}", NULL, "no UTF-8 text" }, { "${file:bad}", NULL, "no UTF-8 text" },
        { "${file:~/}", NULL, "needs a name" },      { "${file:a\xff}", NULL, "is no file name" }, { "${}", NULL, "${} is not known" },          { "${x", NULL, "without its }" },
        { "${0123456789012345678901234567890123456789xyz}", NULL, "${0123456789012345678901234567890123456789} is not known" },
        { "${env:HOB_T_A:-${env:HOB_T_A}}", NULL, "a ${ within a ${" }, { "${env:HOB_T_NONE:-${file:lf}}", NULL, "a ${ within a ${" },
        { "${file:large}", NULL, "longer than 64 KiB" }, { "${file:.}", NULL, "not a regular file" },
#ifdef __linux__
        { "${file:/proc/self/mem}", NULL, "cannot be read: " }, /* what can be opened and not read */
#endif
    };
    static const char *const kept[] = { "port", NULL };
    static char room[MOST + 64];
    char folder[] = "/tmp/hob-test-XXXXXX", path[64], was[256];
    struct expansion x = { 0 };
    struct err e = { 0 };
    expansion_free(&x); /* one that was never begun is fine */
    assert_non_null(mkdtemp(folder));
    const struct { const char *name; struct str text; } files[] = {
        { "lf", STR("s\n") }, { "crlf", STR("s\r\n") }, { "none", STR("s") }, { "just-lf", STR("\n") }, { "empty", STR("") }, { "bad", STR("\xff") }, { "large", filled(room, MOST + 1, "") },
    };
    for (size_t i = 0; i < COUNTOF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        write_file(path, files[i].text);
    }
    snprintf(was, sizeof was, "%s", getenv("HOME") ? getenv("HOME") : "");
    setenv("HOME", folder, 1);
    setenv("HOB_T_A", "va", 1);
    setenv("HOB_T_EMPTY", "", 1);
    setenv("HOB_T_BAD", "\xff", 1);
    unsetenv("HOB_T_NONE");
    expansion_init(&x, str_of(folder));
    x.keep = kept;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        enum err_code rc = expand(&x, str_of(rows[i].in), &e);
        if (rows[i].out ? rc || !str_eq(buf_str(&x.out), str_of(rows[i].out)) : rc != ERR_CONFIG || !strstr(e.text, rows[i].says))
            fail_msg("'%s': %d, '%.*s' %s", rows[i].in, rc, STR_ARG(buf_str(&x.out)), e.text);
    }
    /* at, below and above the most that one value may have */
    static const struct { size_t n; const char *behind; bool fits; } lengths[] = {
        { MOST, "", true }, { MOST + 1, "", false }, { MOST - 7, "${port}", true }, { MOST - 6, "${port}", false }, { MOST - 3, "${port}", false }, { MOST - 1, "${port}", false },
        { MOST + 1, "${port}", false }, { MOST + 1, "$${", false }, { MOST - 2, "$${", true }, { MOST - 1, "$${", false }, { MOST - 2, "${env:HOB_T_A}", true }, { MOST - 1, "${env:HOB_T_A}", false },
    };
    for (size_t i = 0; i < COUNTOF(lengths); i++)
        assert_int_equal(expand(&x, filled(room, lengths[i].n, lengths[i].behind), &e), lengths[i].fits ? ERR_OK : ERR_CONFIG);
    assert_int_equal(expand(&x, str_make(room, (size_t)snprintf(room, sizeof room, "${env:%0128d}", 0)), &e), ERR_CONFIG);
    assert_int_equal(expand(&x, str_make(room, (size_t)snprintf(room, sizeof room, "${file:%05000d}", 0)), &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "is no file name"));
    unsetenv("HOME");
    assert_int_equal(expand(&x, STR("${file:~/lf}"), &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "HOME is not set"));
    if (was[0])
        setenv("HOME", was, 1);
    expansion_free(&x);
    for (size_t i = 0; i < COUNTOF(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        unlink(path);
    }
    rmdir(folder);
}

/* ---- YAML ---- */

static void test_trees_within_their_limits(void **state)
{
    static const struct tree_limits small = { "test", "a hint", 64, 8, 3, 2 };
    static const struct { const char *text, *says; } rows[] = { /* NULL: read */
        { "a: b", NULL },                   { "[1, 2, 3]", NULL },                              { "[1, 2, 3, 4]", "t:1:11: more than 3 entries in one place" },
        { "[[[1]]]", "t:1:4: nested more than 2 deep" }, { "[[1,2,3],[4,5,6]]", "t:1:15: more than 8 values in one file" },
        { "0123456789012345678901234567890123456789012345678901234567890123456789", "t: larger than 0 KiB: this is no test" },
        { "a: b\n--- \nc: d", "a second document starts here: a test is one document" },
        { "a: \xc2\x80", "t:1:4: this character may not stand" }, { "a\xc3\xa9: \xc2\x80", "t:1:5: this character may not stand" },
        { "%YAML 1.1\na: b", "not valid YAML: did not find expected <document start>" },
        { "&x a: b", "t:1:1: anchors and aliases" },    { "a: &x b", "t:1:4: anchors" },  { "a: *x", "t:1:4: anchors" },  { "*x : a", "t:1:1: anchors" },
        { "!t a: b", "t:1:1: tags" },       { "a: !t {}", "t:1:4: tags" },                      { "a: !t []", "t:1:4: tags" },  { "a: &x {}", "t:1:4: anchors" }, { "a: &x []", "anchors" },
        { "{[1]: a}", "t:1:2: a key must be a plain word" }, { "a: @b", "not valid YAML" },     { "a: 1\na: 2", "'a' is here a second time" },
        { "- a\n-\t}\n", "a tab may not indent a line" }, { "a:\n \t- }\n", "a tab may not indent a line" }, { "a:\n- }\n", "not valid YAML" }, { "a: [\n- -", "not valid YAML" },
        { "- }", "not valid YAML" },        { " - }", "not valid YAML" },                         { "[a", "not valid YAML" },
        { "a: ]", "not valid YAML" },       { "a: [b", "not valid YAML" },                      { "a: {b: @}", "not valid YAML" }, { "[a, @]", "not valid YAML" }, { "{@", "not valid YAML" },
        { "\xef\xbb\xbf" "a: b", NULL },   { "", NULL },
    };
    struct node *root;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct arena a;
        struct err e = { 0 };
        arena_init(&a);
        enum err_code rc = tree_read(STR("t"), str_of(rows[i].text), &small, &a, &root, &e);
        if (rc != (rows[i].says ? ERR_CONFIG : ERR_OK) || (rc && !strstr(e.text, rows[i].says)))
            fail_msg("%s: %d, %s", rows[i].text, rc, e.text);
        assert_true(!rc || e.hint[0]);
        arena_fini(&a);
    }
}

static void test_a_map_has_so_many_keys(void **state)
{
    struct buf text = { 0 };
    struct arena a;
    struct node *root;
    struct err e = { 0 };
    for (int i = 0; i < CONF_MAX_ENTRIES + 1; i++) {
        if (i == CONF_MAX_ENTRIES) {
            arena_init(&a);
            assert_int_equal(tree_parse(STR("t"), buf_str(&text), &a, &root, &e), ERR_OK);
            assert_int_equal(root->n, CONF_MAX_ENTRIES);
            arena_fini(&a);
        }
        buf_printf(&text, "k%d: v\n", i);
    }
    arena_init(&a);
    assert_int_equal(tree_parse(STR("t"), buf_str(&text), &a, &root, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "more than 4096 entries in one place"));
    arena_fini(&a);
    buf_free(&text);
}

static void test_what_was_not_said_is_nowhere(void **state)
{
    struct config three[3] = { 0 };
    three[1].base = &three[0];
    assert_int_equal(said_where(&three[1], &three[0]).line, 0);
    assert_int_equal(said_where(&three[1], &three[1]).line, 0);
    assert_int_equal(said_where(&three[1], &three[2]).line, 0);
}

static void test_a_place_is_named(void **state)
{
    struct err e = { 0 };
    char name[200];
    fail_at((struct str){ NULL, 0 }, (struct conf_place){ 0 }, &e, "wrong");
    assert_string_equal(e.text, "config: wrong");
    snprintf(name, sizeof name, "%0150d/x.yaml", 0);
    fail_at(str_of(name), (struct conf_place){ 3, 4 }, &e, "wrong");
    assert_true(str_starts(str_of(e.text), STR("...0")) && strstr(e.text, "/x.yaml:3:4: wrong"));
    fail_at(str_of(name), (struct conf_place){ 0 }, &e, "wrong");
    assert_true(str_starts(str_of(e.text), STR("...0")) && strstr(e.text, "/x.yaml: wrong"));
    assert_int_equal((fail_at)(STR("x"), (struct conf_place){ 1, 1 }, NULL, "wrong"), ERR_CONFIG);
}

static void test_paths_are_joined(void **state)
{
    static const struct { const char *folder, *path, *joined; } rows[] = {
        { "", "a", "a" }, { "/f", "/a", "/a" }, { "/f", "a", "/f/a" }, { "/f/", "././a", "/f/a" }, { "/f", "", "/f/" },
    };
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_true(str_eq(path_join(&a, str_of(rows[i].folder), str_of(rows[i].path)), str_of(rows[i].joined)));
    assert_true(str_eq(path_folder(STR("/a")), STR("/")) && str_eq(path_folder(STR("/a/b")), STR("/a")) && !path_folder(STR("a")).n);
    assert_true(str_eq(last_part(STR("a.b")), STR("b")) && str_eq(last_part(STR("a")), STR("a")));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_takes_what_it_says),
        cmocka_unit_test(test_a_hash_is_kept_in_small_letters),
        cmocka_unit_test(test_an_address_has_480_bytes_at_most),
        cmocka_unit_test(test_what_differs_is_not_the_same),
        cmocka_unit_test(test_what_was_not_said_is_empty_and_writes_nothing),
        cmocka_unit_test(test_which_are_numbers_in_json),
        cmocka_unit_test(test_names_that_may_be_asked_for),
        cmocka_unit_test(test_pages_that_may_ask),
        cmocka_unit_test(test_settings_of_names_and_pages),
        cmocka_unit_test(test_what_is_utf8),
        cmocka_unit_test(test_what_is_shown_is_short_and_whole),
        cmocka_unit_test(test_a_command_may_have_tabs),
        cmocka_unit_test(test_references_and_what_is_wrong_with_them),
        cmocka_unit_test(test_trees_within_their_limits),
        cmocka_unit_test(test_a_map_has_so_many_keys),
        cmocka_unit_test(test_what_was_not_said_is_nowhere),
        cmocka_unit_test(test_a_place_is_named),
        cmocka_unit_test(test_paths_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
