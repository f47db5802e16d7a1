/* A promptfoo configuration taken over: each prompt times each test becomes a case, with {{variables}} put in and its assertions as expectations. What has no place here
 * (scripts, other judges, providers) is named with its line, so that nobody believes it is still tested. */
#include "evidence/suite_int.h"

#include <stdio.h>

struct importing {
    struct str name;
    struct arena *a;
    struct buf *out;
    struct suite_note *notes;
    size_t n, room;
    const struct node *defaults; /* defaultTest */
    size_t cases;
};

static void note(struct importing *m, const struct node *at, struct str text)
{
    if (m->n == m->room) {
        size_t room = m->room ? 2 * m->room : 16;
        struct suite_note *all = arena_array(m->a, struct suite_note, room);
        for (size_t i = 0; i < m->n; i++)
            all[i] = m->notes[i];
        m->notes = all;
        m->room = room;
    }
    int line = at->key.n ? at->key_place.line : at->place.line;
    for (size_t i = 0; i < m->n; i++) /* with each prompt it comes by again */
        if (m->notes[i].line == line && str_eq(m->notes[i].text, text))
            return;
    m->notes[m->n++] = (struct suite_note){ line, text };
}

#define NOTE(m, at, ...) note(m, at, arena_printf((m)->a, __VA_ARGS__))

static struct str scalar(const struct node *n)
{
    return n && n->kind == NODE_SCALAR ? n->text : (struct str){ NULL, 0 };
}

/* ---- {{variables}} ---- */

static const struct node *variable(struct importing *m, const struct node *test, struct str name)
{
    const struct node *places[] = { node_get(test, "vars"), node_get(m->defaults, "vars") };
    for (size_t i = 0; i < COUNTOF(places); i++)
        for (const struct node *v = places[i] && places[i]->kind == NODE_MAP ? places[i]->first : NULL; v; v = v->next)
            if (str_eq(v->key, name))
                return v;
    return NULL;
}

static struct str put_in(struct importing *m, const struct node *test, const struct node *at, struct str text)
{
    struct buf out = { 0 };
    while (text.n) {
        ptrdiff_t open = str_find(text, STR("{{")), shut = open < 0 ? -1 : str_find(str_from(text, (size_t)open), STR("}}"));
        if (open < 0 || shut < 0)
            break;
        struct str name = str_trim(str_make(text.p + open + 2, (size_t)shut - 2));
        const struct node *v = variable(m, test, name);
        buf_add(&out, str_make(text.p, (size_t)open));
        if (v && v->kind == NODE_SCALAR) {
            buf_add(&out, v->text);
        } else {
            buf_add(&out, str_make(text.p + open, (size_t)shut + 2));
            NOTE(m, at, "{{%.*s}} stays as it is: %s", STR_ARG(name), v ? "a list of values is not spread out" : "no variable of that name, or an expression");
        }
        text = str_from(text, (size_t)(open + shut) + 2);
    }
    buf_add(&out, text);
    struct str copy = arena_copy(m->a, buf_str(&out));
    buf_free(&out);
    return copy;
}

/* ---- assertions ---- */

enum value { ONE_TEXT, SOME_TEXTS, A_NUMBER, A_SCHEMA, NOTHING };

static const struct {
    const char *type, *key, *more;
    enum value value;
} known[] = {
    { "equals", "equals", NULL, ONE_TEXT },
    { "contains", "contains", NULL, ONE_TEXT },
    { "icontains", "contains", "ignore_case", ONE_TEXT },
    { "contains-any", "contains_any", NULL, SOME_TEXTS },
    { "icontains-any", "contains_any", "ignore_case", SOME_TEXTS },
    { "contains-all", "contains", NULL, SOME_TEXTS },
    { "icontains-all", "contains", "ignore_case", SOME_TEXTS },
    { "regex", "regex", NULL, ONE_TEXT },
    { "is-json", "schema", NULL, A_SCHEMA },
    { "contains-json", "schema", "lenient", A_SCHEMA },
    { "latency", "max_ms", NULL, A_NUMBER },
    { "llm-rubric", "judge", NULL, ONE_TEXT },
    { "model-graded-closedqa", "judge", NULL, ONE_TEXT },
};

static void put_texts(struct importing *m, const struct node *test, const struct node *v, bool many)
{
    struct str one = scalar(v), rest;
    size_t n = 0;
    buf_lit(m->out, "\n");
    for (const struct node *kid = v->kind == NODE_LIST ? v->first : NULL; kid; kid = kid->next) {
        buf_lit(m->out, "            -");
        yaml_text(put_in(m, test, kid, scalar(kid)), 14, m->out);
    }
    while (many && one.n) { /* "a, b" is a list of theirs */
        struct str part = str_trim(str_cut(one, ',', &rest));
        one = rest;
        buf_lit(m->out, "            -");
        yaml_text(put_in(m, test, v, part), 14, m->out);
        n++;
    }
}

static const char *cannot(enum value kind, const struct node *v)
{
    double number;
    bool text = v && v->kind == NODE_SCALAR;
    if (text && str_starts(v->text, STR("file://")))
        return "its value is in another file";
    if (kind == ONE_TEXT && !text)
        return "its value is no text";
    if (kind == SOME_TEXTS && (!v || v->kind == NODE_MAP))
        return "its value is no list";
    if (kind == A_NUMBER && (!v || !node_number(v, &number)))
        return "its threshold is no number";
    return kind == A_SCHEMA && v && v->kind != NODE_MAP ? "its schema is no map" : NULL;
}

static void put_value(struct importing *m, const struct node *test, const struct node *v, enum value kind)
{
    struct buf json = { 0 };
    double number;
    switch (kind) {
    case ONE_TEXT: yaml_text(put_in(m, test, v, v->text), 12, m->out); break;
    case SOME_TEXTS: put_texts(m, test, v, v->kind == NODE_SCALAR); break;
    case A_NUMBER:
        if (node_number(v, &number))
            buf_printf(m->out, " %.0f\n", number);
        break;
    case A_SCHEMA:
        if (v)
            node_json(v, &json);
        yaml_json(v ? buf_str(&json) : STR("{}"), 12, m->out);
        break;
    case NOTHING: break;
    }
    buf_free(&json);
}

/* One assertion; false: it was noted instead. */
static bool put_assert(struct importing *m, const struct node *test, const struct node *a)
{
    struct str type = scalar(node_get(a, "type"));
    bool negated = str_starts(type, STR("not-"));
    struct str bare = negated ? str_from(type, 4) : type;
    size_t i = 0;
    while (i < COUNTOF(known) && !str_eq(bare, str_of(known[i].type)))
        i++;
    if (i == COUNTOF(known)) {
        NOTE(m, a, "the assertion '%.*s' has no likeness here and is left out", STR_ARG(type));
        return false;
    }
    const struct node *v = node_get(a, known[i].value == A_NUMBER ? "threshold" : "value");
    const char *why = cannot(known[i].value, v);
    if (why) {
        NOTE(m, a, "the assertion '%.*s' is left out: %s", STR_ARG(type), why);
        return false;
    }
    for (const struct node *k = a->first; k; k = k->next)
        if (!str_eq(k->key, STR("type")) && !str_eq(k->key, STR("value")) && !str_eq(k->key, STR("weight")) && !(str_eq(k->key, STR("threshold")) && known[i].value == A_NUMBER))
            NOTE(m, k, "'%.*s' of an assertion is left out", STR_ARG(k->key));
    buf_printf(m->out, negated ? "      - not:\n          %s:" : "      - %s:", known[i].key);
    put_value(m, test, v, known[i].value);
    if (known[i].more)
        buf_printf(m->out, "%s%s: true\n", negated ? "          " : "        ", known[i].more);
    double weight;
    const struct node *w = node_get(a, "weight");
    if (w && node_number(w, &weight) && weight >= 0)
        buf_printf(m->out, "%sweight: %g\n", negated ? "          " : "        ", weight);
    return true;
}

static size_t put_asserts(struct importing *m, const struct node *test, const struct node *list)
{
    size_t n = 0;
    for (const struct node *a = list && list->kind == NODE_LIST ? list->first : NULL; a; a = a->next) {
        if (a->kind == NODE_MAP)
            n += put_assert(m, test, a);
        else
            NOTE(m, a, "an assertion that is no map is left out");
    }
    return n;
}

/* ---- cases ---- */

/* A prompt is a text, or a chat as JSON in a text. */
static void put_prompt(struct importing *m, const struct node *test, const struct node *prompt, struct str text)
{
    struct json_doc d = { 0 };
    struct str full = put_in(m, test, prompt, text);
    bool chat = str_starts(str_trim(full), STR("[")) && !json_parse(&d, full, NULL) && yyjson_is_arr(d.root);
    buf_add(m->out, chat ? STR("    messages:") : STR("    input:"));
    if (chat)
        yaml_json(str_trim(full), 6, m->out);
    else
        yaml_text(full, 6, m->out);
    json_free(&d);
}

static void put_case(struct importing *m, const struct node *prompt, size_t p, const struct node *test, size_t t)
{
    struct str text = scalar(prompt->kind == NODE_MAP ? node_get(prompt, "raw") : prompt);
    size_t before = m->out->n;
    if (!text.n || str_starts(text, STR("file://"))) {
        NOTE(m, prompt, "a prompt that is in another file, or a function, is left out");
        return;
    }
    buf_printf(m->out, "  - id: prompt-%zu-test-%zu\n", p, t);
    put_prompt(m, test, prompt, text);
    buf_lit(m->out, "    expect:\n");
    if (put_asserts(m, test, node_get(m->defaults, "assert")) + put_asserts(m, test, node_get(test, "assert")) == 0) {
        m->out->n = before;
        NOTE(m, test, "a test of which no assertion could be taken is left out");
        return;
    }
    m->cases++;
}

static void note_keys(struct importing *m, const struct node *map, const char *const *taken, const char *of)
{
    for (const struct node *n = map && map->kind == NODE_MAP ? map->first : NULL; n; n = n->next) {
        bool is = false;
        for (size_t i = 0; taken[i]; i++)
            is |= str_eq(n->key, str_of(taken[i]));
        if (!is)
            NOTE(m, n, "'%.*s' of %s is left out", STR_ARG(n->key), of);
    }
}

static int by_line(const struct suite_note *a, const struct suite_note *b)
{
    return a->line - b->line;
}

static void sort_notes(struct importing *m)
{
    for (size_t i = 1; i < m->n; i++)
        for (size_t k = i; k > 0 && by_line(&m->notes[k - 1], &m->notes[k]) > 0; k--) {
            struct suite_note other = m->notes[k];
            m->notes[k] = m->notes[k - 1];
            m->notes[k - 1] = other;
        }
}

static void put_all(struct importing *m, const struct node *root)
{
    static const char *const root_keys[] = { "prompts", "tests", "description", "defaultTest", NULL }, *const test_keys[] = { "vars", "assert", "description", NULL };
    const struct node *prompts = node_get(root, "prompts"), *tests = node_get(root, "tests");
    size_t t = 0;
    buf_lit(m->out, "description:");
    yaml_text(scalar(node_get(root, "description")).n ? scalar(node_get(root, "description")) : STR("Taken over from promptfoo"), 2, m->out);
    buf_lit(m->out, "cases:\n");
    note_keys(m, root, root_keys, "the configuration");
    note_keys(m, m->defaults, test_keys, "defaultTest");
    for (const struct node *test = tests->first; test; test = test->next) {
        size_t p = 0;
        t++;
        note_keys(m, test, test_keys, "a test");
        for (const struct node *prompt = prompts->kind == NODE_LIST ? prompts->first : prompts; prompt; prompt = prompts->kind == NODE_LIST ? prompt->next : NULL)
            put_case(m, prompt, ++p, test, t);
    }
    sort_notes(m);
}

enum err_code suite_import_promptfoo(struct str name, struct str text, struct arena *a, struct buf *yaml, const struct suite_note **notes, size_t *n, struct err *e)
{
    struct node *root = NULL;
    struct importing m = { .name = name, .a = a, .out = yaml };
    enum err_code rc = suite_tree_read(name, text, suite_form_of(name), a, &root, e);
    if (rc)
        return rc;
    const struct node *prompts = node_get(root, "prompts"), *tests = node_get(root, "tests");
    if (!prompts || !tests || tests->kind != NODE_LIST || prompts->kind == NODE_MAP)
        return suite_fail(name, root ? root->place : (struct conf_place){ 0 }, e, "no promptfoo configuration: it has no lists of `prompts` and `tests`");
    m.defaults = node_get(root, "defaultTest");
    put_all(&m, root);
    *notes = m.notes;
    *n = m.n;
    return m.cases ? ERR_OK : suite_fail(name, tests->place, e, "none of its tests could be taken over%s%.*s", m.n ? ": " : "", STR_ARG(m.n ? m.notes[0].text : STR("")));
}
