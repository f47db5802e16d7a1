/* An expectation is made as JSON and read by the reader of suites, so that a line can say nothing that a file could not. The file is changed line by line, then
 * read again and held against what was meant: whatever the eye of this file has missed of YAML ends in the file written anew, never in a wrong one. */
#include "evidence/label.h"

#include "evidence/suite_int.h"

#include <stdlib.h>

const char label_help[] =
    "  y             the answer was right as it is          s [JSON]       JSON that meets the schema (the case's own, or this)\n"
    "  e TEXT        the whole answer must be TEXT          o [NAME {…}]   a call of that tool (or the one that was made); o none: no call\n"
    "  c [TEXT]      TEXT is in it (or all that was said)   !c TEXT        the opposite, of any of these\n"
    "  a X | Y       one of these is in it                  +c TEXT        this, and another line for the same case\n"
    "  r PATTERN     a pattern matches                      w              show all of the case\n"
    "  j PATH VALUE  $.a.b of its JSON is VALUE             k, b, q        skip, back to the one before, quit\n"
    "  n NUMBER [T]  that number, give or take T or 1%\n"
    "  t X, Y        exactly these tags\n";

/* ---- a line ---- */

struct saying {
    const struct suite_case *c;
    struct str rest;
    struct json_out o;
    struct arena *a;
    struct err *e;
};

static enum err_code wrong(struct saying *s, const char *what)
{
    return err_set(s->e, ERR_INVALID_REQUEST, "%s", what);
}

static void put(struct saying *s, const char *key, struct str text)
{
    json_key(&s->o, str_of(key));
    json_string(&s->o, text);
}

/* One text, or a list of those between separators. */
static enum err_code put_list(struct saying *s, const char *key, char separator)
{
    size_t n = 0;
    json_key(&s->o, str_of(key));
    json_begin_array(&s->o);
    for (struct str rest = s->rest, one; rest.n; ) {
        one = str_trim(str_cut(rest, separator, &rest));
        if (!one.n)
            continue;
        json_string(&s->o, one);
        n++;
    }
    json_end_array(&s->o);
    return n ? ERR_OK : wrong(s, "Which? Write them behind it.");
}

/* A value as JSON, where it is some; else a text. */
static void put_value(struct saying *s, struct str text)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, text, &e))
        json_string(&s->o, text);
    else
        json_value(&s->o, d.root);
    json_free(&d);
}

static void put_call(struct saying *s, struct str tool, struct str arguments)
{
    put(s, "tool", tool);
    if (!arguments.n)
        return;
    json_key(&s->o, STR("arguments"));
    json_raw(&s->o, arguments);
}

static enum err_code say_yes(struct saying *s)
{
    const struct suite_answer *was = &s->c->answered;
    if (!s->c->has_answered || (!was->text.n && !was->tool.n))
        return wrong(s, "It has no answer that could be right.");
    if (was->tool.n)
        put_call(s, was->tool, was->arguments);
    else
        put(s, "equals", was->text);
    return ERR_OK;
}

static enum err_code say_equals(struct saying *s)
{
    put(s, "equals", s->rest);
    return s->rest.n ? ERR_OK : wrong(s, "Equals what? Write it behind the e.");
}

static enum err_code say_contains(struct saying *s)
{
    struct str text = s->rest.n ? s->rest : str_trim(s->c->answered.text);
    put(s, "contains", text);
    return text.n ? ERR_OK : wrong(s, "Contains what? Write it behind the c.");
}

static enum err_code say_any(struct saying *s)
{
    return put_list(s, "contains_any", '|');
}

static enum err_code say_regex(struct saying *s)
{
    put(s, "regex", s->rest);
    return s->rest.n ? ERR_OK : wrong(s, "Which pattern? Write it behind the r.");
}

static enum err_code say_json(struct saying *s)
{
    struct str value, path = str_cut(s->rest, ' ', &value);
    value = str_trim(value);
    put(s, "json", path);
    if (value.n) {
        json_key(&s->o, STR("equals"));
        put_value(s, value);
    }
    return path.n ? ERR_OK : wrong(s, "Which path? `j $.total 12` expects 12 there.");
}

static enum err_code say_number(struct saying *s)
{
    struct str tolerance, number = str_cut(s->rest, ' ', &tolerance);
    double v;
    char *end = NULL;
    v = number.n ? strtod(arena_copy(s->a, number).p, &end) : 0;
    if (!number.n || !end || *end)
        return wrong(s, "Which number? `n 12.5` or, give or take a hundredth, `n 12.5 1%`.");
    json_key(&s->o, STR("number"));
    json_double(&s->o, v, 12);
    tolerance = str_trim(tolerance);
    if (tolerance.n) {
        json_key(&s->o, STR("tolerance"));
        put_value(s, tolerance);
    }
    return ERR_OK;
}

static enum err_code say_tags(struct saying *s)
{
    return put_list(s, "tags", ',');
}

static enum err_code say_schema(struct saying *s)
{
    struct json_doc d = { 0 };
    struct err why;
    json_key(&s->o, STR("schema"));
    if (!s->rest.n && !s->c->schema.n)
        return wrong(s, "The case has no schema: write one behind the s.");
    if (!s->rest.n) {
        json_bool(&s->o, true);
        return ERR_OK;
    }
    enum err_code rc = json_parse(&d, s->rest, &why);
    if (rc)
        err_set(s->e, ERR_INVALID_REQUEST, "That is no JSON: %.150s", why.text);
    else
        json_value(&s->o, d.root);
    json_free(&d);
    return rc;
}

static enum err_code say_tool(struct saying *s)
{
    struct str arguments, name = str_cut(s->rest, ' ', &arguments);
    struct json_doc d = { 0 };
    struct err why;
    arguments = str_trim(arguments);
    if (str_eq(name, STR("none"))) {
        json_key(&s->o, STR("no_tool"));
        json_bool(&s->o, true);
        return ERR_OK;
    }
    if (!name.n && !s->c->answered.tool.n)
        return wrong(s, "No tool was called then: name one, `o find {\"q\":\"x\"}`, or `o none`.");
    if (!name.n) {
        put_call(s, s->c->answered.tool, s->c->answered.arguments);
        return ERR_OK;
    }
    enum err_code rc = arguments.n ? json_parse(&d, arguments, &why) : ERR_OK;
    if (rc)
        err_set(s->e, ERR_INVALID_REQUEST, "Its arguments are no JSON: %.150s", why.text);
    else
        put_call(s, name, arguments);
    json_free(&d);
    return rc;
}

static const struct {
    const char *letter, *word;
    enum label_act act;
    enum err_code (*say)(struct saying *s);
} words[] = {
    { "y", "yes",      LABEL_EXPECT, say_yes },
    { "e", "equals",   LABEL_EXPECT, say_equals },
    { "c", "contains", LABEL_EXPECT, say_contains },
    { "a", "any",      LABEL_EXPECT, say_any },
    { "r", "regex",    LABEL_EXPECT, say_regex },
    { "j", "json",     LABEL_EXPECT, say_json },
    { "n", "number",   LABEL_EXPECT, say_number },
    { "t", "tags",     LABEL_EXPECT, say_tags },
    { "s", "schema",   LABEL_EXPECT, say_schema },
    { "o", "tool",     LABEL_EXPECT, say_tool },
    { "w", "whole",    LABEL_WHOLE,  NULL },
    { "k", "skip",     LABEL_SKIP,   NULL },
    { "b", "back",     LABEL_BACK,   NULL },
    { "q", "quit",     LABEL_QUIT,   NULL },
    { "?", "help",     LABEL_HELP,   NULL },
};

static size_t word_named(struct str name)
{
    size_t i = 0;
    while (i < COUNTOF(words) && !str_eq(name, str_of(words[i].letter)) && !str_eq_nocase(name, str_of(words[i].word)))
        i++;
    return i;
}

/* What is wrong with it, without the place in a file that is none. */
static void say_bare(struct err *e, const struct err *why)
{
    struct str text = str_of(why->text), rest;
    for (int i = 0; i < 3; i++) {
        str_cut(text, ':', &rest);
        text = rest.n ? rest : text;
    }
    text = str_trim(text);
    err_set(e, ERR_INVALID_REQUEST, "It cannot be expected: %.*s", (int)(text.n < 150 ? text.n : 150), text.p);
}

enum err_code label_read(const struct suite_case *c, struct str line, struct arena *a, struct label_said *out, struct err *e)
{
    struct buf json = { 0 };
    struct saying s = { .c = c, .o = json_out(&json), .a = a, .e = e };
    struct suite_case tried;
    struct suite *own = NULL;
    struct err why;
    bool more = false, not = false;
    for (line = str_trim(line); line.n && (line.p[0] == '+' || line.p[0] == '!'); line = str_trim(str_from(line, 1))) {
        more |= line.p[0] == '+';
        not |= line.p[0] == '!';
    }
    struct str name = str_cut(line, ' ', &s.rest);
    s.rest = str_trim(s.rest);
    size_t i = word_named(name);
    if (i == COUNTOF(words))
        return err_set(e, ERR_INVALID_REQUEST, name.n ? "There is no such word here. `e` and a space before it expects it as the whole answer; ? lists what there is." : "? lists what can be said.");
    *out = (struct label_said){ .act = words[i].act, .more = more };
    if (!words[i].say)
        return ERR_OK;
    if (not)
        buf_lit(&json, "{\"not\":");
    json_begin_object(&s.o);
    enum err_code rc = words[i].say(&s);
    json_end_object(&s.o);
    if (not)
        buf_lit(&json, "}");
    struct str list = arena_printf(a, "[%.*s]", STR_ARG(buf_str(&json)));
    if (!rc && (rc = label_case(c, list, false, &own, &tried, &why)))
        say_bare(e, &why);
    suite_free(own);
    out->json = arena_copy(a, buf_str(&json));
    out->ideal = words[i].say == say_yes && !not;
    buf_free(&json);
    return rc ? ERR_INVALID_REQUEST : ERR_OK; /* whatever it was within what was said */
}

/* ---- the case ---- */

enum err_code label_case(const struct suite_case *c, struct str expects, bool ideal, struct suite **own, struct suite_case *out, struct err *e)
{
    struct buf json = { 0 };
    buf_printf(&json, "[{\"input\":\"x\",\"expect\":%.*s%s%.*s}]", STR_ARG(expects), c->schema.n ? ",\"schema\":" : "", STR_ARG(c->schema));
    enum err_code rc = suite_read(STR("line"), buf_str(&json), SUITE_JSON, own, e);
    buf_free(&json);
    if (rc)
        return rc;
    *out = *c;
    out->expects = (*own)->cases[0].expects;
    out->nexpects = (*own)->cases[0].nexpects;
    out->has_ideal = ideal;
    out->ideal = ideal ? c->answered : (struct suite_answer){ .text = STR("") };
    return ERR_OK;
}

/* ---- the file ---- */

struct lines {
    struct str text;
    size_t margin;          /* of the case's keys, in bytes */
    size_t from, end;       /* of its lines, in bytes: without what is blank, or said of the next one, behind it */
};

static size_t line_end(struct str text, size_t at)
{
    const char *nl = memchr(text.p + at, '\n', text.n - at);
    return nl ? (size_t)(nl - text.p) + 1 : text.n;
}

static size_t line_at(struct str text, int line)
{
    size_t at = 0;
    while (--line > 0 && at < text.n)
        at = line_end(text, at);
    return at;
}

/* Bytes before the first that is no blank; SIZE_MAX: there is none. */
static size_t margin_of(struct str text, size_t at)
{
    size_t n = 0, end = line_end(text, at);
    while (at + n < end && text.p[at + n] == ' ')
        n++;
    return at + n == end || text.p[at + n] == '\n' || text.p[at + n] == '\r' ? SIZE_MAX : n;
}

static bool is_comment(struct str text, size_t at, size_t margin)
{
    return text.p[at + margin] == '#';
}

/* False: it stands in braces. */
static bool find_lines(struct str text, struct conf_place place, struct lines *out)
{
    size_t at = line_at(text, place.line), margin = (size_t)place.column - 1;
    if (place.line < 1 || place.column < 1 || at + margin >= text.n || text.p[at + margin] == '{')
        return false;
    *out = (struct lines){ .text = text, .margin = margin, .from = at, .end = line_end(text, at) };
    for (at = out->end; at < text.n; at = line_end(text, at)) {
        size_t m = margin_of(text, at);
        if (m == SIZE_MAX || (m <= margin && is_comment(text, at, m)))
            continue;
        if (m < margin)
            break;
        out->end = line_end(text, at);
    }
    return true;
}

/* A key of the case's with its value: [at, end). False: it has none that stands on lines of its own. */
static bool find_key(const struct lines *l, const char *key, size_t *at, size_t *end)
{
    struct str name = str_of(key);
    for (size_t i = line_end(l->text, l->from); i < l->end; i = line_end(l->text, i)) {
        struct str rest = str_from(l->text, i + l->margin);
        if (margin_of(l->text, i) != l->margin || !str_starts(rest, name) || rest.n <= name.n || rest.p[name.n] != ':')
            continue;
        *at = i;
        for (i = line_end(l->text, i); i < l->end; i = line_end(l->text, i)) {
            size_t m = margin_of(l->text, i);
            bool item = m == l->margin && str_starts(str_from(l->text, i + m), STR("- "));
            if (m != SIZE_MAX && m <= l->margin && !item)
                break;
        }
        *end = i;
        return true;
    }
    return false;
}

static void put_expects(const struct suite_case *c, int margin, struct buf *to)
{
    suite_margin(margin, to);
    buf_lit(to, "expect:\n");
    for (size_t i = 0; i < c->nexpects; i++) {
        const struct suite_expect *x = &c->expects[i];
        if (x->kind == EXPECT_SCHEMA && !x->negated && str_eq(x->json, c->schema)) {
            suite_margin(margin + 2, to);
            buf_lit(to, "- schema: true\n");
        } else {
            suite_expect_write(x, margin + 2, to);
        }
    }
    if (!c->has_ideal)
        return;
    suite_margin(margin, to);
    buf_lit(to, "ideal:");
    suite_answer_write(&c->ideal, margin + 2, to);
}

/* The case's lines without what is said anew, and that behind them. */
static void change_lines(const struct lines *l, const struct suite_case *with, struct buf *out)
{
    static const char *const keys[] = { "expect", "expected", "ideal" };
    struct buf rest = { 0 };
    buf_add(&rest, str_make(l->text.p + l->from, l->end - l->from));
    for (size_t i = 0; i < COUNTOF(keys); i++) {
        struct lines now = { .text = buf_str(&rest), .margin = l->margin, .end = rest.n };
        size_t at, end;
        if (!find_key(&now, keys[i], &at, &end))
            continue;
        memmove(rest.p + at, rest.p + end, rest.n - end);
        rest.n -= end - at;
    }
    buf_add(out, str_make(l->text.p, l->from));
    buf_add(out, buf_str(&rest));
    if (rest.n && rest.p[rest.n - 1] != '\n')
        buf_add_char(out, '\n');
    put_expects(with, (int)l->margin, out);
    buf_add(out, str_from(l->text, l->end));
    buf_free(&rest);
}

enum err_code label_write(const struct suite *s, struct str text, size_t at, const struct suite_case *with, struct buf *out, bool *kept, struct err *e)
{
    struct suite meant = { .name = s->name, .description = s->description, .margin = s->margin, .ncases = s->ncases }, *again = NULL;
    struct suite_case *cases = calloc(s->ncases, sizeof *cases);
    struct lines l;
    struct err why;
    if (!cases)
        die("out of memory: a suite");
    memcpy(cases, s->cases, s->ncases * sizeof *cases);
    cases[at] = *with;
    meant.cases = cases;
    out->n = 0;
    bool lines = find_lines(text, s->cases[at].place, &l);
    if (lines)
        change_lines(&l, with, out);
    *kept = lines && !suite_read(s->from, buf_str(out), SUITE_YAML, &again, &why) && suite_equal(&meant, again);
    suite_free(again);
    again = NULL;
    enum err_code rc = ERR_OK;
    if (!*kept) {
        out->n = 0;
        suite_write(&meant, out);
        rc = suite_read(s->from, buf_str(out), SUITE_YAML, &again, e);
        if (!rc && !suite_equal(&meant, again))
            rc = err_set(e, ERR_INTERNAL, "%.200s would not be what was meant", arena_copy(&again->memory, s->from).p);
        suite_free(again);
    }
    free(cases);
    return rc;
}
