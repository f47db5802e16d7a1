/* A suite as YAML, and two suites compared: both by the tables in suite_keys.c, so that a new key is written and compared with its row. What is as it would be without
 * being said is left out. Texts of several lines are blocks, since people will read and mend them. */
#include "evidence/suite_int.h"

#include <math.h>
#include <stdio.h>

enum { FLOW_MAX = 110 }; /* bytes of a map or list on one line */

/* ---- texts ---- */

static size_t char_at(struct str s, size_t at, uint32_t *c)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    *c = n == 1 ? p[0] : p[0] & (0xFFU >> (n + 1));
    for (size_t i = 1; i < n && at + i < s.n; i++)
        *c = *c << 6 | (p[i] & 0x3F);
    return at + n <= s.n ? n : s.n - at;
}

/* YAML has no such characters bare, or editors do not show them. */
static bool must_escape(uint32_t c)
{
    return (c < ' ' && c != '\t' && c != '\n') || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

static bool is_plain(struct str s)
{
    static const char *const taken[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
    for (size_t i = 0; i < COUNTOF(taken); i++)
        if (str_eq_nocase(s, str_of(taken[i])))
            return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool later = (c >= '0' && c <= '9') || c == ' ' || c == '_' || c == '-' || c == '.' || c == '/' || c == '+';
        if (!letter && !(i && later))
            return false;
    }
    return s.n && s.n < 200 && s.p[s.n - 1] != ' ';
}

static bool is_block(struct str s)
{
    uint32_t c;
    if (!memchr(s.n ? s.p : "", '\n', s.n) || strchr(" \t\n", s.p[0]) || str_ends(s, STR("\n\n")) || str_ends(s, STR(" ")) || str_ends(s, STR("\t")))
        return false;
    for (size_t i = 0; i < s.n; i += char_at(s, i, &c))
        if (char_at(s, i, &c) && must_escape(c))
            return false;
    /* a last line of blanks alone would be taken for the block's end */
    struct str line = str_ends(s, STR("\n")) ? str_make(s.p, s.n - 1) : s;
    return str_trim(line).n == line.n || !strchr(" \t\n", line.p[line.n - 1]);
}

static void quote(struct str s, struct buf *to)
{
    uint32_t c;
    buf_add_char(to, '"');
    for (size_t i = 0, n; i < s.n; i += n) {
        n = char_at(s, i, &c);
        if (c == '"' || c == '\\')
            buf_printf(to, "\\%c", (char)c);
        else if (c == '\n' || c == '\t')
            buf_add(to, c == '\n' ? STR("\\n") : STR("\\t"));
        else if (must_escape(c))
            buf_printf(to, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        else
            buf_add(to, str_make(s.p + i, n));
    }
    buf_add_char(to, '"');
}

void suite_margin(int indent, struct buf *to)
{
    for (int i = 0; i < indent; i++)
        buf_add_char(to, ' ');
}

static void put_scalar(struct str s, struct buf *to)
{
    if (is_plain(s))
        buf_add(to, s);
    else
        quote(s, to);
}

void yaml_text(struct str s, int indent, struct buf *to)
{
    buf_add_char(to, ' ');
    if (!is_block(s)) {
        put_scalar(s, to);
        buf_add_char(to, '\n');
        return;
    }
    bool ends = str_ends(s, STR("\n"));
    struct str rest = ends ? str_make(s.p, s.n - 1) : s;
    buf_add(to, ends ? STR("|\n") : STR("|-\n"));
    while (rest.p) {
        struct str line = str_cut(rest, '\n', &rest);
        if (line.n)
            suite_margin(indent, to);
        buf_add(to, line);
        buf_add_char(to, '\n');
    }
}

/* ---- JSON ---- */

/* On one line, as YAML's flow; numbers by their own digits. */
static void put_flow(const struct node *n, struct buf *to)
{
    bool map = n->kind == NODE_MAP;
    if (n->kind == NODE_SCALAR && n->plain) {
        buf_add(to, n->text);
        return;
    }
    if (n->kind == NODE_SCALAR) {
        put_scalar(n->text, to);
        return;
    }
    buf_add_char(to, map ? '{' : '[');
    for (const struct node *kid = n->first; kid; kid = kid->next) {
        if (kid != n->first)
            buf_lit(to, ", ");
        if (map) {
            put_scalar(kid->key, to);
            buf_lit(to, ": ");
        }
        put_flow(kid, to);
    }
    buf_add_char(to, map ? '}' : ']');
}

static void put_block(const struct node *n, int indent, struct buf *to)
{
    size_t start = to->n;
    if (n->kind == NODE_SCALAR && !n->plain) {
        yaml_text(n->text, indent, to);
        return;
    }
    buf_add_char(to, ' ');
    put_flow(n, to);
    buf_add_char(to, '\n');
    if (n->kind == NODE_SCALAR || to->n - start <= FLOW_MAX || !n->n)
        return;
    to->n = start;
    buf_add_char(to, '\n');
    for (const struct node *kid = n->first; kid; kid = kid->next) {
        suite_margin(indent, to);
        if (n->kind == NODE_MAP)
            put_scalar(kid->key, to);
        buf_add_char(to, n->kind == NODE_MAP ? ':' : '-');
        put_block(kid, indent + 2, to);
    }
}

void yaml_json(struct str json, int indent, struct buf *to)
{
    struct arena a;
    struct node *root = NULL;
    arena_init(&a);
    if (suite_tree_read(STR("json"), json, SUITE_JSON, &a, &root, NULL))
        die("a suite's JSON is none");
    put_block(root, indent, to);
    arena_fini(&a);
}

/* ---- values ---- */

static void put_texts(struct suite_texts t, int indent, struct buf *to)
{
    buf_add_char(to, '\n');
    for (size_t i = 0; i < t.n; i++) {
        suite_margin(indent, to);
        buf_add_char(to, '-');
        yaml_text(t.at[i], indent + 2, to);
    }
}

static void put_texts_or_one(struct suite_texts t, int indent, struct buf *to)
{
    if (t.n == 1)
        yaml_text(t.at[0], indent, to);
    else if (!t.n)
        buf_lit(to, " []\n");
    else
        put_texts(t, indent, to);
}

static void put_number(double v, struct buf *to)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) { /* the fewest that are read back as the same */
        snprintf(text, sizeof text, "%.*g", digits, v);
        double again = 0;
        if (sscanf(text, "%lf", &again) == 1 && again >= v && again <= v)
            break;
    }
    buf_printf(to, " %s\n", text);
}

void suite_answer_write(const struct suite_answer *i, int indent, struct buf *to)
{
    if (!i->tool.n && !i->arguments.n) {
        yaml_text(i->text, indent, to);
        return;
    }
    const struct {
        const char *name;
        struct str value;
        bool json;
    } parts[] = { { "text", i->text, false }, { "tool", i->tool, false }, { "arguments", i->arguments, true } };
    buf_add_char(to, '\n');
    for (size_t p = 0; p < COUNTOF(parts); p++) {
        if (!parts[p].value.n)
            continue;
        suite_margin(indent, to);
        buf_printf(to, "%s:", parts[p].name);
        if (parts[p].json)
            yaml_json(parts[p].value, indent + 2, to);
        else
            yaml_text(parts[p].value, indent + 2, to);
    }
}

/* ---- expectations ---- */

static bool same_number(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a >= b && a <= b);
}

/* Is it said by this part of the table? */
static bool has_part(const struct suite_expect *x, const struct expect_part *p)
{
    if (p->kind == EXPECT_JSON)
        return x->kind == EXPECT_JSON;
    bool at_path = x->kind == EXPECT_JSON && p->beside_json && p->how == x->how && p->how != JSON_THERE;
    if (x->kind == EXPECT_JSON ? p->beside_json && !at_path : p->kind != NO_KIND && p->kind != x->kind)
        return false;
    if (x->kind == EXPECT_JSON && !p->beside_json && p->kind != NO_KIND)
        return false;
    if (p->kind == NO_KIND && !p->beside_json && !(p->with & OF(x->kind)))
        return false;
    if (p->beside_json && p->kind == NO_KIND && !at_path)
        return false;
    switch (p->type) {
    case PART_ANY: return x->any;
    case PART_TEXTS: return !(p->how == JSON_CONTAINS && x->any);
    case PART_TEXT: return p->kind != EXPECT_TOOL || x->texts.at[0].n;
    case PART_TRUE: return p->kind != EXPECT_TOOL || !x->texts.at[0].n;
    case PART_MIN: return x->min >= 0;
    case PART_MAX: return x->max >= 0;
    case PART_TOLERANCE: return x->tolerance > 0;
    case PART_JSON: return x->json.n;
    case PART_SHARE: return *(const double *)((const char *)x + p->at) < 1;
    case PART_BOOL: return *(const bool *)((const char *)x + p->at);
    case PART_NUMBER: return p->kind != NO_KIND || !same_number(x->weight, 1);
    }
    return false;
}

static void put_part(const struct suite_expect *x, const struct expect_part *p, int indent, struct buf *to)
{
    const char *field = (const char *)x + p->at;
    struct suite_texts texts = x->kind == EXPECT_JSON && p->beside_json ? x->values : x->texts;
    switch (p->type) {
    case PART_TEXT:
        if (p->how == JSON_EQUALS && x->kind == EXPECT_JSON)
            yaml_json(x->json, indent, to);
        else
            yaml_text(texts.n ? texts.at[0] : (struct str){ "", 0 }, indent, to);
        break;
    case PART_ANY: put_texts_or_one(texts, indent, to); break;
    case PART_TEXTS: put_texts_or_one(texts, indent, to); break;
    case PART_JSON: yaml_json(x->json, indent, to); break;
    case PART_NUMBER:
    case PART_SHARE: put_number(*(const double *)field, to); break;
    case PART_TOLERANCE:
        if (x->percent) {
            put_number(x->tolerance * 100, to);
            to->n--;
            buf_lit(to, "%\n");
        } else {
            put_number(x->tolerance, to);
        }
        break;
    case PART_BOOL:
    case PART_TRUE: buf_lit(to, " true\n"); break;
    case PART_MIN:
    case PART_MAX: buf_printf(to, " %lld\n", (long long)*(const int64_t *)field); break;
    }
}

void suite_expect_write(const struct suite_expect *x, int indent, struct buf *to)
{
    suite_margin(indent, to);
    buf_lit(to, "- ");
    if (x->negated) {
        buf_lit(to, "not:\n");
        indent += 2;
        suite_margin(indent + 2, to);
    }
    bool first = true;
    for (const struct expect_part *p = expect_parts; p->name; p++) {
        if (!has_part(x, p))
            continue;
        if (!first)
            suite_margin(indent + 2, to);
        first = false;
        buf_printf(to, "%s:", p->name);
        put_part(x, p, indent + 4, to);
    }
}

/* ---- cases ---- */

static bool has_key(const struct suite_case *c, const struct case_key *k, bool with_id)
{
    const char *field = (const char *)c + k->at;
    if (k->note && !with_id)
        return false;
    switch (k->type) {
    case KEY_ID: return with_id && c->id.p[0] != '#';
    case KEY_EXPECTED: return false;
    case KEY_EXPECT: return c->nexpects;
    case KEY_IDEAL: return c->has_ideal;
    case KEY_ANSWERED: return c->has_answered;
    case KEY_TEXTS: return ((const struct suite_texts *)field)->n;
    case KEY_COUNT: return *(const int64_t *)field > (k->at == offsetof(struct suite_case, repeat));
    case KEY_NUMBER: return !isnan(*(const double *)field);
    case KEY_BOOL: return *(const bool *)field != (k->at == offsetof(struct suite_case, strict));
    case KEY_TEXT:
    case KEY_THINKING:
    case KEY_JSON:
    case KEY_LIST:
    case KEY_TOOLS:
    case KEY_CHOICE: break;
    }
    return ((const struct str *)field)->n;
}

static void put_key(const struct suite_case *c, const struct case_key *k, int indent, struct buf *to)
{
    const char *field = (const char *)c + k->at;
    switch (k->type) {
    case KEY_ID:
    case KEY_TEXT:
    case KEY_THINKING: yaml_text(*(const struct str *)field, indent, to); break;
    case KEY_TEXTS: put_texts_or_one(*(const struct suite_texts *)field, indent, to); break;
    case KEY_JSON:
    case KEY_LIST:
    case KEY_TOOLS:
    case KEY_CHOICE: yaml_json(*(const struct str *)field, indent, to); break;
    case KEY_COUNT: buf_printf(to, " %lld\n", (long long)*(const int64_t *)field); break;
    case KEY_NUMBER: put_number(*(const double *)field, to); break;
    case KEY_BOOL: buf_add(to, *(const bool *)field ? STR(" true\n") : STR(" false\n")); break;
    case KEY_IDEAL:
    case KEY_ANSWERED: suite_answer_write((const struct suite_answer *)field, indent, to); break;
    case KEY_EXPECT:
        buf_add_char(to, '\n');
        for (size_t i = 0; i < c->nexpects; i++)
            suite_expect_write(&c->expects[i], indent, to);
        break;
    case KEY_EXPECTED: break;
    }
}

void suite_case_write(const struct suite_case *c, bool with_id, struct buf *to)
{
    const char *begin = "  - ";
    for (const struct case_key *k = case_keys; k->name; k++) {
        if (!has_key(c, k, with_id))
            continue;
        buf_printf(to, "%s%s:", begin, k->name);
        begin = "    ";
        put_key(c, k, 6, to);
    }
}

void suite_write(const struct suite *s, struct buf *yaml)
{
    buf_lit(yaml, "suite:");
    yaml_text(s->name, 2, yaml);
    if (s->description.n) {
        buf_lit(yaml, "description:");
        yaml_text(s->description, 2, yaml);
    }
    if (!same_number(s->margin, 0.05)) {
        buf_lit(yaml, "margin:");
        put_number(s->margin, yaml);
    }
    buf_lit(yaml, "cases:\n");
    for (size_t i = 0; i < s->ncases; i++)
        suite_case_write(&s->cases[i], true, yaml);
}

/* ---- compared ---- */

static bool same_texts(struct suite_texts a, struct suite_texts b)
{
    bool same = a.n == b.n;
    for (size_t i = 0; same && i < a.n; i++)
        same = str_eq(a.at[i], b.at[i]);
    return same;
}

static bool same_expect(const struct suite_expect *a, const struct suite_expect *b)
{
    return a->kind == b->kind && a->how == b->how && a->negated == b->negated && a->any == b->any && a->nocase == b->nocase && a->lenient == b->lenient
        && same_number(a->weight, b->weight) && same_texts(a->texts, b->texts) && same_texts(a->values, b->values) && str_eq(a->json, b->json)
        && same_number(a->number, b->number) && fabs(a->tolerance - b->tolerance) <= 1e-12 * fabs(a->tolerance) && a->percent == b->percent
        && same_number(a->min_precision, b->min_precision) && same_number(a->min_recall, b->min_recall) && a->min == b->min && a->max == b->max;
}

static bool same_answer(const struct suite_answer *a, const struct suite_answer *b)
{
    return str_eq(a->text, b->text) && str_eq(a->tool, b->tool) && str_eq(a->arguments, b->arguments);
}

static bool same_key(const struct case_key *k, const struct suite_case *a, const struct suite_case *b)
{
    const char *x = (const char *)a + k->at, *y = (const char *)b + k->at;
    bool same = a->nexpects == b->nexpects;
    switch (k->type) {
    case KEY_TEXTS: return same_texts(*(const struct suite_texts *)x, *(const struct suite_texts *)y);
    case KEY_COUNT: return *(const int64_t *)x == *(const int64_t *)y;
    case KEY_NUMBER: return same_number(*(const double *)x, *(const double *)y);
    case KEY_BOOL: return *(const bool *)x == *(const bool *)y;
    case KEY_IDEAL: return a->has_ideal == b->has_ideal && same_answer(&a->ideal, &b->ideal);
    case KEY_ANSWERED: return a->has_answered == b->has_answered && same_answer(&a->answered, &b->answered);
    case KEY_EXPECTED:
    case KEY_EXPECT:
        for (size_t i = 0; same && i < a->nexpects; i++)
            same = same_expect(&a->expects[i], &b->expects[i]);
        return same;
    case KEY_ID:
    case KEY_TEXT:
    case KEY_THINKING:
    case KEY_JSON:
    case KEY_LIST:
    case KEY_TOOLS:
    case KEY_CHOICE: break;
    }
    return str_eq(*(const struct str *)x, *(const struct str *)y);
}

bool suite_equal(const struct suite *a, const struct suite *b)
{
    bool same = a->ncases == b->ncases && str_eq(a->name, b->name) && str_eq(a->description, b->description) && same_number(a->margin, b->margin);
    for (size_t i = 0; same && i < a->ncases; i++)
        for (const struct case_key *k = case_keys; k->name && same; k++)
            same = same_key(k, &a->cases[i], &b->cases[i]);
    return same;
}
