/* One answer against one case. A grader is a function and a row; each says in a sentence what was expected and what was found. */
#include "evidence/grade_int.h"

#include "json/schema.h"
#include "json/schema_equal.h"
#include "policy/strip.h"

#include <math.h>
#include <stdlib.h>

const char *const grade_mark_name[GRADE_MARKS] = {
    [GRADE_PASS] = "pass", [GRADE_FAIL] = "fail", [GRADE_CUT] = "cut", [GRADE_JUDGE] = "judge", [GRADE_UNDECIDED] = "undecided",
};

struct grading {
    struct arena *a;
    const struct suite_case *c;
    const struct suite_expect *x;
    const struct grade_answer *answer;
    struct grade_line *line;
};

#define SAY(g, ...) ((g)->line->why = arena_printf((g)->a, __VA_ARGS__))

static void settle(struct grading *g, double score, bool pass)
{
    g->line->score = score;
    g->line->mark = pass ? GRADE_PASS : GRADE_FAIL;
}

static void undecided(struct grading *g, struct str why)
{
    g->line->mark = GRADE_UNDECIDED;
    g->line->why = why;
}

static struct str compact(struct grading *g, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    if (!v)
        return STR("nothing");
    json_value(&o, v);
    struct str copy = arena_copy(g->a, buf_str(&text)), cut = copy.n > 80 ? arena_printf(g->a, "%.*s...", 80, copy.p) : copy;
    buf_free(&text);
    return cut;
}

/* ---- texts ---- */

/* What people put around a short answer. */
static struct str unwrapped(struct str s)
{
    static const char *const around = "\"'`*_ \t\r\n";
    for (bool again = true; again && s.n;) {
        size_t was = s.n;
        while (s.n && strchr(around, s.p[0]))
            s = str_from(s, 1);
        while (s.n && (strchr(around, s.p[s.n - 1]) || s.p[s.n - 1] == '.'))
            s.n--;
        again = s.n != was;
    }
    return s;
}

static void grade_equals(struct grading *g)
{
    struct str want = str_trim(g->x->texts.at[0]), got = str_trim(g->answer->text);
    if (g->x->lenient) {
        want = unwrapped(want);
        got = unwrapped(got);
    }
    bool same = g->x->nocase ? str_eq_nocase(want, got) : str_eq(want, got);
    settle(g, same, same);
    SAY(g, "expected %.*s, got %.*s", STR_ARG(said(g->a, want)), STR_ARG(said(g->a, got)));
}

static void judge_parts(struct grading *g, size_t found, size_t all, struct str missing)
{
    if (g->x->any)
        settle(g, found > 0, found > 0);
    else
        settle(g, all ? (double)found / (double)all : 1, found == all);
    if (g->x->any && !found)
        SAY(g, "none of the %zu texts that would do is in it, such as %.*s", all, STR_ARG(said(g->a, missing)));
    else if (found < all && !g->x->any)
        SAY(g, "%.*s is missing", STR_ARG(said(g->a, missing)));
    else
        SAY(g, "%zu of %zu texts are in it", found, all);
}

static void grade_contains(struct grading *g)
{
    size_t found = 0;
    struct str missing = { "", 0 };
    for (size_t i = g->x->texts.n; i > 0; i--) {
        struct str part = g->x->texts.at[i - 1];
        bool has = has_text(g->answer->text, part, g->x->nocase);
        found += has;
        if (!has)
            missing = part;
    }
    judge_parts(g, found, g->x->texts.n, missing);
}

static void grade_regex(struct grading *g)
{
    struct str why = { "", 0 };
    int found = regex_matches(g->a, g->x->texts.at[0], g->x->nocase, g->answer->text, &why);
    if (found < 0) {
        undecided(g, why);
        return;
    }
    settle(g, found, found);
    SAY(g, found ? "%.*s matches" : "nothing matches %.*s", STR_ARG(said(g->a, g->x->texts.at[0])));
}

static void grade_number(struct grading *g)
{
    struct figure f[FIGURES_MOST];
    size_t n = figures_find(g->answer->text, f), distinct = n ? 1 : 0;
    const struct figure *last = n ? &f[n - 1] : NULL;
    for (size_t i = 1; i < n; i++)
        distinct += !figure_is(&f[i], f[0].reads[0], 0, false);
    if (!n || (distinct > 1 && !g->x->lenient)) {
        settle(g, 0, false);
        SAY(g, n ? "expected the number %g alone, got %zu numbers" : "expected %g, got no number", g->x->number, n);
        return;
    }
    bool right = figure_is(last, g->x->number, g->x->tolerance, g->x->percent);
    settle(g, right, right);
    SAY(g, "expected %.10g, got %.*s", g->x->number, STR_ARG(last->text));
}

/* ---- sets ---- */

static bool among(struct arena *a, struct suite_texts t, struct str tag)
{
    for (size_t i = 0; i < t.n; i++)
        if (str_eq(tag_plain(a, t.at[i]), tag))
            return true;
    return false;
}

/* Tags that stand there twice count once. */
static size_t distinct(struct arena *a, struct suite_texts t, struct suite_texts in, struct str *other)
{
    size_t n = 0;
    for (size_t i = 0; i < t.n; i++) {
        struct str tag = tag_plain(a, t.at[i]);
        if (among(a, (struct suite_texts){ t.at, i }, tag))
            continue;
        bool there = among(a, in, tag);
        n += there;
        if (!there && !other->n)
            *other = tag;
    }
    return n;
}

static void grade_set(struct grading *g, struct suite_texts want, struct suite_texts got)
{
    struct str missing = { "", 0 }, surplus = { "", 0 }, none = { "", 0 };
    size_t nwant = distinct(g->a, want, want, &none), ngot = distinct(g->a, got, got, &none), hit = distinct(g->a, want, got, &missing);
    (void)distinct(g->a, got, want, &surplus);
    double precision = ngot ? (double)hit / (double)ngot : nwant ? 0 : 1, recall = nwant ? (double)hit / (double)nwant : 1;
    bool pass = precision >= g->x->min_precision - 1e-9 && recall >= g->x->min_recall - 1e-9;
    settle(g, precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0, pass);
    SAY(g, "precision %.2f, recall %.2f%s%.*s%s%.*s", precision, recall, missing.n ? "; missing " : "", STR_ARG(missing), surplus.n ? "; not asked for " : "", STR_ARG(surplus));
}

static void grade_tags(struct grading *g)
{
    grade_set(g, g->x->texts, tags_of(g->a, g->answer->text, g->x->lenient));
}

/* ---- JSON ---- */

static void hold_schema(struct grading *g, struct str schema, yyjson_val *v)
{
    struct json_doc d = { 0 };
    struct schema *s = NULL;
    struct schema_fault fault;
    struct err e = { 0 };
    if (json_parse(&d, schema, &e) || schema_compile(d.root, NULL, &s, &e)) {
        undecided(g, arena_printf(g->a, "the schema is none: %s", e.text));
    } else if (schema_check(s, v, &fault)) {
        settle(g, 1, true);
        SAY(g, "meets the schema");
    } else if (fault.undecided) {
        undecided(g, STR("the check of the schema takes too long"));
    } else {
        struct buf text = { 0 };
        schema_fault_write(&fault, &text);
        settle(g, 0, false);
        SAY(g, "%.*s", STR_ARG(buf_str(&text)));
        buf_free(&text);
    }
    schema_free(s);
    json_free(&d);
}

static void grade_schema(struct grading *g)
{
    struct json_doc d = { 0 };
    if (answer_json(g->a, g->answer->text, g->x->lenient, &d, &g->line->why))
        hold_schema(g, g->x->json, d.root);
    json_free(&d);
}

static bool same_value(yyjson_val *a, yyjson_val *b)
{
    int64_t steps = SCHEMA_STEPS;
    return value_equal(a, b, &steps);
}

/* Numbers with a tolerance, texts without letter case where that is said; else exactly. */
static bool value_is(const struct suite_expect *x, yyjson_val *want, yyjson_val *got)
{
    if (yyjson_is_num(want) && yyjson_is_num(got) && x->tolerance > 0) {
        double w = yyjson_get_num(want), room = x->percent ? fabs(w) * x->tolerance : x->tolerance;
        return fabs(yyjson_get_num(got) - w) <= room + fabs(w) * 1e-12;
    }
    if (yyjson_is_str(want) && yyjson_is_str(got) && x->nocase)
        return str_eq_nocase(str_trim(json_str(want)), str_trim(json_str(got)));
    return same_value(want, got);
}

static struct str gathered(struct grading *g, const struct path_found *f)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_begin_array(&o);
    for (size_t i = 0; i < f->n; i++)
        json_value(&o, f->at[i]);
    json_end_array(&o);
    struct str copy = arena_copy(g->a, buf_str(&text));
    buf_free(&text);
    return copy;
}

static void path_equals(struct grading *g, const struct path_found *f)
{
    struct json_doc want = { 0 }, list = { 0 };
    yyjson_val *got = f->n ? f->at[0] : NULL;
    if (json_parse(&want, g->x->json, NULL) || (f->many && json_parse(&list, gathered(g, f), NULL)))
        die("a suite's JSON is none");
    if (f->many)
        got = list.root;
    bool same = got && value_is(g->x, want.root, got);
    settle(g, same, same);
    SAY(g, "expected %.*s = %.*s, got %.*s", STR_ARG(g->x->texts.at[0]), STR_ARG(compact(g, want.root)), STR_ARG(compact(g, got)));
    json_free(&want);
    json_free(&list);
}

/* A value as a text: a string's own, all else as JSON. */
static struct str value_text(struct grading *g, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    if (yyjson_is_str(v))
        return json_str(v);
    json_value(&o, v);
    struct str copy = arena_copy(g->a, buf_str(&text));
    buf_free(&text);
    return copy;
}

static bool number_there(struct grading *g, yyjson_val *v)
{
    struct figure f[FIGURES_MOST];
    if (yyjson_is_num(v)) {
        double n = yyjson_get_num(v), room = g->x->percent ? fabs(g->x->number) * g->x->tolerance : g->x->tolerance;
        return fabs(n - g->x->number) <= room + fabs(g->x->number) * 1e-12;
    }
    return yyjson_is_str(v) && figures_find(json_str(v), f) == 1 && figure_is(&f[0], g->x->number, g->x->tolerance, g->x->percent);
}

static void path_number(struct grading *g, const struct path_found *f)
{
    bool all = f->n > 0;
    for (size_t i = 0; i < f->n && all; i++)
        all = number_there(g, f->at[i]);
    settle(g, all, all);
    SAY(g, "expected %.*s = %.10g, got %.*s", STR_ARG(g->x->texts.at[0]), g->x->number, STR_ARG(compact(g, f->n ? f->at[0] : NULL)));
}

static void path_regex(struct grading *g, const struct path_found *f)
{
    int all = f->n > 0;
    struct str why = { "", 0 };
    for (size_t i = 0; i < f->n && all > 0; i++)
        all = regex_matches(g->a, g->x->values.at[0], g->x->nocase, value_text(g, f->at[i]), &why);
    if (all < 0) {
        undecided(g, why);
        return;
    }
    settle(g, all, all);
    SAY(g, "expected %.*s to match %.*s, got %.*s", STR_ARG(g->x->texts.at[0]), STR_ARG(said(g->a, g->x->values.at[0])), STR_ARG(compact(g, f->n ? f->at[0] : NULL)));
}

/* In a list it is an item, in a text a part. */
static bool found_in(struct grading *g, const struct path_found *f, struct str part)
{
    for (size_t k = 0; k < f->n; k++) {
        yyjson_val *item;
        size_t i, most;
        if (!yyjson_is_arr(f->at[k]) && has_text(value_text(g, f->at[k]), part, g->x->nocase))
            return true;
        if (yyjson_is_arr(f->at[k]))
            yyjson_arr_foreach(f->at[k], i, most, item) {
                struct str text = value_text(g, item);
                if (g->x->nocase ? str_eq_nocase(text, part) : str_eq(text, part))
                    return true;
            }
    }
    return false;
}

static void path_contains(struct grading *g, const struct path_found *f)
{
    size_t found = 0;
    struct str missing = { "", 0 };
    for (size_t i = g->x->values.n; i > 0; i--) {
        bool has = found_in(g, f, g->x->values.at[i - 1]);
        found += has;
        if (!has)
            missing = g->x->values.at[i - 1];
    }
    judge_parts(g, found, g->x->values.n, missing);
    SAY(g, "%.*s: %.*s", STR_ARG(g->x->texts.at[0]), STR_ARG(g->line->why));
}

static void limits(struct grading *g, int64_t n, const char *what)
{
    bool low = g->x->min >= 0 && n < g->x->min, high = g->x->max >= 0 && n > g->x->max;
    settle(g, !low && !high, !low && !high);
    if (low)
        SAY(g, "expected at least %lld %s, got %lld", (long long)g->x->min, what, (long long)n);
    else if (high)
        SAY(g, "expected at most %lld %s, got %lld", (long long)g->x->max, what, (long long)n);
    else
        SAY(g, "%lld %s", (long long)n, what);
}

static void path_length(struct grading *g, const struct path_found *f)
{
    yyjson_val *v = f->n ? f->at[0] : NULL;
    if (!f->many && !yyjson_is_ctn(v) && !yyjson_is_str(v)) {
        settle(g, 0, false);
        SAY(g, "expected a list or a text at %.*s, got %.*s", STR_ARG(g->x->texts.at[0]), STR_ARG(compact(g, v)));
        return;
    }
    limits(g, (int64_t)(f->many ? f->n : yyjson_is_str(v) ? count_chars(json_str(v)) : yyjson_get_len(v)), f->many || !yyjson_is_str(v) ? "items" : "characters");
}

static void path_tags(struct grading *g, const struct path_found *f)
{
    struct str text = f->many ? gathered(g, f) : f->n ? value_text(g, f->at[0]) : (struct str){ "", 0 };
    grade_set(g, g->x->values, tags_of(g->a, text, false));
}

static void grade_path(struct grading *g)
{
    struct json_doc d = { 0 };
    struct path_found f;
    struct str why;
    if (!path_find(g->a, g->x->texts.at[0], NULL, &f, &why)) {
        undecided(g, why);
        return;
    }
    if (answer_json(g->a, g->answer->text, g->x->lenient, &d, &g->line->why) && path_find(g->a, g->x->texts.at[0], d.root, &f, &why)) {
        switch (g->x->how) {
        case JSON_THERE:
            settle(g, f.n > 0, f.n > 0);
            SAY(g, f.n ? "%.*s is there" : "there is no %.*s", STR_ARG(g->x->texts.at[0]));
            break;
        case JSON_EQUALS: path_equals(g, &f); break;
        case JSON_NUMBER: path_number(g, &f); break;
        case JSON_CONTAINS: path_contains(g, &f); break;
        case JSON_REGEX: path_regex(g, &f); break;
        case JSON_LENGTH: path_length(g, &f); break;
        case JSON_TAGS: path_tags(g, &f); break;
        case JSON_SCHEMA:
            if (f.n)
                hold_schema(g, g->x->json, f.at[0]);
            else
                SAY(g, "there is no %.*s", STR_ARG(g->x->texts.at[0]));
            break;
        }
    }
    json_free(&d);
}

/* ---- tools ---- */

/* Each member of want is in got, deep; lists are compared whole. */
static bool is_subset(const struct suite_expect *x, yyjson_val *want, yyjson_val *got, yyjson_val **missing)
{
    size_t i, most;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(want) || !yyjson_is_obj(got)) {
        bool same = got && value_is(x, want, got);
        if (!same)
            *missing = want;
        return same;
    }
    yyjson_obj_foreach(want, i, most, key, value) {
        if (!is_subset(x, value, yyjson_obj_getn(got, yyjson_get_str(key), yyjson_get_len(key)), missing)) {
            *missing = key;
            return false;
        }
    }
    return true;
}

static bool call_fits(struct grading *g, const struct grade_call *call, yyjson_val *want)
{
    struct json_doc got = { 0 };
    yyjson_val *missing = NULL;
    struct err e = { 0 };
    bool fits = str_eq(call->name, g->x->texts.at[0]), broken = json_parse(&got, call->arguments.n ? call->arguments : STR("{}"), &e);
    if (!fits)
        SAY(g, "expected a call of %.*s, got one of %.*s", STR_ARG(g->x->texts.at[0]), STR_ARG(said(g->a, call->name)));
    else if (broken)
        SAY(g, "the call's arguments are no JSON: %s", e.text);
    else if (want && !is_subset(g->x, want, got.root, &missing))
        SAY(g, "expected the arguments %.*s, got %.*s", STR_ARG(compact(g, want)), STR_ARG(compact(g, got.root)));
    fits = fits && !broken && !missing;
    json_free(&got);
    return fits;
}

static void grade_tool(struct grading *g)
{
    struct json_doc want = { 0 };
    struct str name = g->x->texts.at[0];
    bool found = !name.n && !g->answer->ncalls;
    if (g->x->json.n && json_parse(&want, g->x->json, NULL))
        die("a suite's JSON is none");
    if (!name.n)
        SAY(g, found ? "no tool was called" : "no tool was to be called, and %zu were", g->answer->ncalls);
    else if (!g->answer->ncalls)
        SAY(g, "expected a call of %.*s, got none: %.*s", STR_ARG(name), STR_ARG(said(g->a, g->answer->text)));
    for (size_t i = 0; i < g->answer->ncalls && name.n && !found; i++)
        found = call_fits(g, &g->answer->calls[i], want.root);
    if (found && name.n)
        SAY(g, "%.*s was called", STR_ARG(name));
    settle(g, found, found);
    json_free(&want);
}

static void grade_tree(struct grading *g)
{
    struct suite_texts got, want = tree_sorted(g->a, g->x->texts);
    struct str why, missing = { "", 0 }, surplus = { "", 0 };
    if (!tree_apply(g->a, g->c->tree, g->x->lenient ? unfenced(g->answer->text) : g->answer->text, &got, &why)) {
        settle(g, 0, false);
        SAY(g, "a command fails: %.*s", STR_ARG(why));
        return;
    }
    size_t i = 0, k = 0;
    while (i < want.n || k < got.n) {
        int order = i == want.n ? 1 : k == got.n ? -1 : strcmp(arena_copy(g->a, want.at[i]).p, arena_copy(g->a, got.at[k]).p);
        if (order < 0 && !missing.n)
            missing = want.at[i];
        if (order > 0 && !surplus.n)
            surplus = got.at[k];
        i += order <= 0;
        k += order >= 0;
    }
    bool same = !missing.n && !surplus.n;
    settle(g, same, same);
    SAY(g, "%s%.*s%s%.*s", missing.n ? "afterwards there is no " : same ? "the tree is as it should be" : "", STR_ARG(missing), surplus.n ? missing.n ? ", but " : "afterwards there still is " : "",
        STR_ARG(surplus));
}

/* ---- the rest ---- */

static void grade_no_think(struct grading *g)
{
    struct str tag = strip_tag_in(g->answer->text);
    bool clean = !str_trim(g->answer->reasoning).n && !tag.n;
    settle(g, clean, clean);
    if (tag.n)
        SAY(g, "thoughts leak into the text: %.*s", STR_ARG(tag));
    else
        SAY(g, clean ? "no thoughts" : "it thought: %.*s", STR_ARG(said(g->a, g->answer->reasoning)));
}

static void grade_chars(struct grading *g)
{
    limits(g, (int64_t)count_chars(g->answer->text), "characters");
}

static void grade_words(struct grading *g)
{
    limits(g, (int64_t)count_words(g->answer->text), "words");
}

static void grade_lines(struct grading *g)
{
    limits(g, (int64_t)count_lines(g->answer->text), "lines");
}

static void measured(struct grading *g, int64_t v, const char *what)
{
    if (v < 0)
        undecided(g, arena_printf(g->a, "nobody has measured it: %s", what));
    else
        limits(g, v, what);
}

static void grade_ms(struct grading *g)
{
    measured(g, g->answer->total_ms, "ms");
}

static void grade_ttft(struct grading *g)
{
    measured(g, g->answer->ttft_ms, "ms to the first text");
}

static void grade_tokens(struct grading *g)
{
    measured(g, g->answer->output_tokens, "tokens");
}

static void grade_judge(struct grading *g)
{
    g->line->mark = GRADE_JUDGE;
    SAY(g, "a judge was not asked");
}

static const struct grader {
    void (*fn)(struct grading *g);
    bool cut;               /* more text could have met it */
} graders[EXPECT_KINDS] = {
    [EXPECT_EQUALS] = { grade_equals, true },
    [EXPECT_CONTAINS] = { grade_contains, true },
    [EXPECT_REGEX] = { grade_regex, true },
    [EXPECT_SCHEMA] = { grade_schema, true },
    [EXPECT_JSON] = { grade_path, true },
    [EXPECT_NUMBER] = { grade_number, true },
    [EXPECT_TAGS] = { grade_tags, true },
    [EXPECT_TOOL] = { grade_tool, true },
    [EXPECT_TREE] = { grade_tree, true },
    [EXPECT_NO_THINK] = { grade_no_think, false },
    [EXPECT_CHARS] = { grade_chars, true },
    [EXPECT_WORDS] = { grade_words, true },
    [EXPECT_LINES] = { grade_lines, true },
    [EXPECT_MS] = { grade_ms, false },
    [EXPECT_TTFT_MS] = { grade_ttft, false },
    [EXPECT_TOKENS] = { grade_tokens, false },
    [EXPECT_JUDGE] = { grade_judge, false },
};

/* An answer that is over its limit already would not have come under it with more room. */
static bool may_be_cut(const struct grading *g)
{
    bool counts = g->x->kind == EXPECT_CHARS || g->x->kind == EXPECT_WORDS || g->x->kind == EXPECT_LINES;
    return graders[g->x->kind].cut && !g->x->negated && !(counts && str_starts(g->line->why, STR("expected at most"))) && str_eq(g->answer->finish, STR("length"));
}

static void grade_line(struct grading *g)
{
    *g->line = (struct grade_line){ .mark = GRADE_FAIL, .why = { "", 0 } };
    graders[g->x->kind].fn(g);
    if (g->x->negated && g->line->mark <= GRADE_FAIL) {
        settle(g, 1 - (double)(g->line->mark == GRADE_PASS), g->line->mark == GRADE_FAIL);
        SAY(g, "%s: %.*s", g->line->mark == GRADE_PASS ? "not, as it should be" : "this was not to be", STR_ARG(g->line->why));
    }
    if (g->line->mark == GRADE_FAIL && may_be_cut(g)) {
        g->line->mark = GRADE_CUT;
        SAY(g, "cut at the end of its budget: %.*s", STR_ARG(g->line->why));
    }
}

void grade_settle(const struct suite_case *c, struct grade *g)
{
    static const enum grade_mark worst[] = { GRADE_UNDECIDED, GRADE_CUT, GRADE_FAIL, GRADE_JUDGE };
    double sum = 0, weights = 0;
    g->mark = GRADE_PASS;
    g->why = (struct str){ "", 0 };
    for (size_t i = 0; i < g->nlines; i++) {
        bool counts = g->lines[i].mark != GRADE_JUDGE;
        sum += counts ? g->lines[i].score * c->expects[i].weight : 0;
        weights += counts ? c->expects[i].weight : 0;
    }
    g->score = weights > 0 ? sum / weights : 0;
    for (size_t w = 0; w < COUNTOF(worst) && g->mark == GRADE_PASS; w++)
        for (size_t i = 0; i < g->nlines && g->mark == GRADE_PASS; i++)
            if (g->lines[i].mark == worst[w]) {
                g->mark = worst[w];
                g->why = g->lines[i].why;
            }
}

void grade(struct arena *a, const struct suite_case *c, const struct grade_answer *answer, struct grade *out)
{
    struct grade_answer full = *answer;
    if (!full.text.p) /* an offset into nothing is no place, even where it is 0 */
        full.text = STR("");
    *out = (struct grade){ .lines = arena_array(a, struct grade_line, c->nexpects), .nlines = c->nexpects };
    for (size_t i = 0; i < c->nexpects; i++) {
        struct grading g = { a, c, &c->expects[i], &full, &out->lines[i] };
        grade_line(&g);
    }
    grade_settle(c, out);
}
