/* What can be told of a suite before it costs anything: is it the harness that would fail? */
#include "evidence/grade_int.h"
#include "evidence/suite_int.h"

#include "json/schema.h"

#include <string.h>

/* A token of English or JSON is about four bytes, seldom more than six: so a budget that is refused here is refused for certain. */
enum { BYTES_PER_TOKEN = 6, SCHEMA_DEPTH = 12 };

struct checking {
    const struct suite *s;
    struct arena *a;
    struct suite_finding *at;
    size_t n, room;
};

static void say(struct checking *k, const struct suite_case *c, enum fault fault, struct str text)
{
    if (k->n == k->room) {
        size_t room = k->room ? 2 * k->room : 16;
        struct suite_finding *at = arena_array(k->a, struct suite_finding, room);
        for (size_t i = 0; i < k->n; i++)
            at[i] = k->at[i];
        k->at = at;
        k->room = room;
    }
    k->at[k->n++] = (struct suite_finding){ c, fault, text };
}

/* ---- the smallest right answer ---- */

static size_t least_value(yyjson_val *schema, int depth);

static size_t written(yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_value(&o, v);
    size_t n = text.n;
    buf_free(&text);
    return n;
}

static size_t least_object(yyjson_val *schema, int depth)
{
    size_t i, most, n = 2;
    yyjson_val *name;
    yyjson_arr_foreach(yyjson_obj_get(schema, "required"), i, most, name) {
        yyjson_val *of = yyjson_is_str(name) ? yyjson_obj_getn(yyjson_obj_get(schema, "properties"), yyjson_get_str(name), yyjson_get_len(name)) : NULL;
        n += yyjson_get_len(name) + 3 + (of ? least_value(of, depth - 1) : 1) + (i > 0);
    }
    return n;
}

/* Bytes that any value under this schema has at least; what it does not know it counts as one. */
static size_t least_value(yyjson_val *schema, int depth)
{
    yyjson_val *type = yyjson_obj_get(schema, "type"), *choices = yyjson_obj_get(schema, "enum"), *one, *same = yyjson_obj_get(schema, "const");
    size_t i, most, least = 0;
    if (depth <= 0 || !yyjson_is_obj(schema))
        return 1;
    if (same)
        return written(same);
    yyjson_arr_foreach(choices, i, most, one) {
        size_t n = written(one);
        least = !least || n < least ? n : least;
    }
    if (choices)
        return least;
    if (yyjson_equals_str(type, "object"))
        return least_object(schema, depth);
    if (yyjson_equals_str(type, "array")) {
        yyjson_val *items = yyjson_obj_get(schema, "items");
        uint64_t n = yyjson_get_uint(yyjson_obj_get(schema, "minItems"));
        return 2 + (size_t)(n < 100000 ? n : 100000) * ((items ? least_value(items, depth - 1) : 1) + 1);
    }
    if (yyjson_equals_str(type, "string"))
        return 2 + (size_t)yyjson_get_uint(yyjson_obj_get(schema, "minLength")) % (1024 * 1024);
    return yyjson_equals_str(type, "boolean") || yyjson_equals_str(type, "null") ? 4 : 1;
}

static size_t least_of_schema(struct str json)
{
    struct json_doc d = { 0 };
    size_t n = json_parse(&d, json, NULL) ? 0 : least_value(d.root, SCHEMA_DEPTH);
    json_free(&d);
    return n;
}

static size_t least_of_texts(const struct suite_expect *x)
{
    size_t all = 0, least = 0;
    for (size_t i = 0; i < x->texts.n; i++) {
        size_t n = x->texts.at[i].n;
        all = n > all ? n : all; /* they may lie in each other */
        least = !i || n < least ? n : least;
    }
    return x->any ? least : all;
}

static size_t least_bytes(const struct suite_expect *x)
{
    size_t n = 0;
    if (x->negated)
        return 0;
    if (x->kind == EXPECT_EQUALS || x->kind == EXPECT_CONTAINS)
        n = least_of_texts(x);
    else if (x->kind == EXPECT_SCHEMA)
        n = least_of_schema(x->json);
    else if (x->kind == EXPECT_JSON && x->how == JSON_EQUALS)
        n = x->json.n;
    else if (x->kind == EXPECT_CHARS && x->min > 0)
        n = (size_t)x->min;
    else if (x->kind == EXPECT_WORDS && x->min > 0)
        n = (size_t)x->min * BYTES_PER_TOKEN; /* a word is a token at least */
    return n;
}

int64_t suite_least_tokens(const struct suite_case *c)
{
    size_t most = c->ideal.text.n + c->ideal.tool.n + c->ideal.arguments.n;
    for (size_t i = 0; i < c->nexpects; i++) {
        size_t n = least_bytes(&c->expects[i]);
        most = n > most ? n : most;
    }
    return (int64_t)((most + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

/* ---- findings ---- */

static void check_budget(struct checking *k, const struct suite_case *c, int64_t usual)
{
    int64_t budget = c->max_tokens ? c->max_tokens : usual, least = suite_least_tokens(c), thoughts = 0;
    if (budget <= 0)
        return;
    (void)str_to_int(c->thinking, 1, INT64_MAX, &thoughts);
    if (least > budget)
        say(k, c, FAULT_HARNESS, arena_printf(k->a, "its budget of %lld tokens cuts every right answer: the smallest has %lld", (long long)budget, (long long)least));
    else if (thoughts && thoughts + least > budget)
        say(k, c, FAULT_HARNESS,
            arena_printf(k->a, "thoughts of %lld tokens and an answer do not fit in its budget of %lld", (long long)thoughts, (long long)budget));
}

static void check_ideal(struct checking *k, const struct suite_case *c)
{
    struct grade g;
    struct grade_call call = { c->ideal.tool, c->ideal.arguments };
    struct grade_answer answer = { .text = c->ideal.text, .calls = &call, .ncalls = c->ideal.tool.n > 0, .finish = STR("stop") };
    if (!c->has_ideal)
        return;
    grade(k->a, c, &answer, &g);
    if (g.mark != GRADE_PASS && g.mark != GRADE_JUDGE)
        say(k, c, FAULT_HARNESS, arena_printf(k->a, "its own ideal answer does not pass: %.*s", STR_ARG(g.why)));
}

static void check_wrong(struct checking *k, const struct suite_case *c)
{
    for (size_t i = 0; i < c->wrong.n; i++) {
        struct grade g;
        struct grade_answer answer = { .text = c->wrong.at[i], .finish = STR("stop") };
        grade(k->a, c, &answer, &g);
        if (g.mark == GRADE_PASS)
            say(k, c, FAULT_HARNESS, arena_printf(k->a, "it takes an answer that it calls wrong: %.*s", STR_ARG(said(k->a, c->wrong.at[i]))));
    }
}

/* An empty answer that passes tells nothing apart. */
static void check_empty(struct checking *k, const struct suite_case *c)
{
    struct grade g;
    grade(k->a, c, &(struct grade_answer){ .text = STR(""), .finish = STR("stop") }, &g);
    if (g.mark == GRADE_UNDECIDED)
        say(k, c, FAULT_HARNESS, g.why);
    else if (g.mark == GRADE_PASS)
        say(k, c, FAULT_NONE, STR("an empty answer passes"));
}

static void check_expects(struct checking *k, const struct suite_case *c)
{
    for (size_t i = 0; i < c->nexpects; i++) {
        const struct suite_expect *x = &c->expects[i];
        if (x->min >= 0 && x->max >= 0 && x->min > x->max)
            say(k, c, FAULT_HARNESS, arena_printf(k->a, "at least %lld and at most %lld: no answer can be both", (long long)x->min, (long long)x->max));
        if (x->kind == EXPECT_TOOL && x->texts.at[0].n && !x->negated && !c->tools.n)
            say(k, c, FAULT_HARNESS, arena_printf(k->a, "a call of %.*s is expected, and it offers no tools", STR_ARG(x->texts.at[0])));
        if (x->kind == EXPECT_TREE && !c->tree.n)
            say(k, c, FAULT_HARNESS, STR("it expects a file tree and gives none to begin with (`tree`)"));
    }
}

static void check_schema(struct checking *k, const struct suite_case *c, struct str json, const char *which)
{
    struct json_doc d = { 0 };
    struct schema *s = NULL;
    struct err e = { 0 };
    if (json.n && (json_parse(&d, json, &e) || schema_compile(d.root, NULL, &s, &e)))
        say(k, c, FAULT_HARNESS, arena_printf(k->a, "the schema that it %s is none: %s", which, e.text));
    schema_free(s);
    json_free(&d);
}

static void check_schemas(struct checking *k, const struct suite_case *c)
{
    check_schema(k, c, c->schema, "sends");
    for (size_t i = 0; i < c->nexpects; i++) {
        const struct suite_expect *x = &c->expects[i];
        if ((x->kind == EXPECT_SCHEMA || (x->kind == EXPECT_JSON && x->how == JSON_SCHEMA)) && !str_eq(x->json, c->schema))
            check_schema(k, c, x->json, "expects");
    }
}

/* Times and tokens are not known yet: an expectation of them is no fault. */
static bool needs_figures(const struct suite_case *c)
{
    for (size_t i = 0; i < c->nexpects; i++)
        if (c->expects[i].kind == EXPECT_MS || c->expects[i].kind == EXPECT_TTFT_MS || c->expects[i].kind == EXPECT_TOKENS)
            return true;
    return false;
}

static struct suite_case without_figures(const struct suite_case *c, struct arena *a)
{
    struct suite_case copy = *c;
    struct suite_expect *all = arena_array(a, struct suite_expect, c->nexpects + 1);
    copy.nexpects = 0;
    for (size_t i = 0; i < c->nexpects; i++)
        if (c->expects[i].kind != EXPECT_MS && c->expects[i].kind != EXPECT_TTFT_MS && c->expects[i].kind != EXPECT_TOKENS)
            all[copy.nexpects++] = c->expects[i];
    copy.expects = all;
    return copy;
}

size_t suite_check(const struct suite *s, int64_t usual_max_tokens, struct arena *a, const struct suite_finding **out)
{
    struct checking k = { .s = s, .a = a };
    for (size_t i = 0; i < s->ncases; i++) {
        const struct suite_case *c = &s->cases[i];
        struct suite_case bare = needs_figures(c) ? without_figures(c, a) : *c;
        size_t from = k.n;
        if (!c->nexpects)
            say(&k, c, FAULT_HARNESS, STR("nobody has said yet what it expects: `hob eval label` asks for it"));
        check_schemas(&k, c);
        check_budget(&k, c, usual_max_tokens);
        check_expects(&k, c);
        if (c->nexpects)
            check_ideal(&k, &bare);
        if (c->nexpects)
            check_wrong(&k, &bare);
        if (bare.nexpects)
            check_empty(&k, &bare);
        for (size_t f = from; f < k.n; f++)
            k.at[f].c = c;
    }
    *out = k.at;
    return k.n;
}
