/* From the tree to a suite, by the tables in suite_keys.c. Each case begins as a copy of the defaults. */
#include "conf/conf.h"
#include "evidence/suite_int.h"

#include <math.h>
#include <stdlib.h>

struct reading {
    struct str name;
    struct suite *s;
    struct arena *a;
    struct err *e;
};

#define FAIL(r, where, ...) suite_fail((r)->name, (where), (r)->e, __VA_ARGS__)

/* A key that is none, with the nearest that is. */
static enum err_code refuse_key(struct reading *r, const struct node *n, const char *in, const struct str *names, size_t count)
{
    struct str near = str_nearest(n->key, names, count);
    if (near.n)
        return FAIL(r, n->key_place, "%s is no key of %s; did you mean '%.*s'?", show_text(n->key).text, in, STR_ARG(near));
    return FAIL(r, n->key_place, "%s is no key of %s", show_text(n->key).text, in);
}

/* ---- values ---- */

static enum err_code read_text(struct reading *r, const struct node *n, struct str *out)
{
    if (n->kind != NODE_SCALAR)
        return FAIL(r, n->place, "%s must be a text", show_text(n->key).text);
    *out = n->text;
    return ERR_OK;
}

static enum err_code read_texts(struct reading *r, const struct node *n, struct suite_texts *out)
{
    size_t most = n->kind == NODE_LIST ? n->n : 1, i = 0;
    struct str *at = arena_array(r->a, struct str, most + 1);
    if (n->kind == NODE_MAP)
        return FAIL(r, n->place, "%s must be a text or a list of texts", show_text(n->key).text);
    for (const struct node *kid = n->kind == NODE_LIST ? n->first : n; kid && i < most; kid = kid->next) {
        if (kid->kind != NODE_SCALAR)
            return FAIL(r, kid->place, "must be a text");
        at[i++] = kid->text;
    }
    *out = (struct suite_texts){ at, most };
    return ERR_OK;
}

/* A text is JSON that was written as such. */
static enum err_code read_json(struct reading *r, const struct node *n, struct str *out)
{
    struct buf json = { 0 };
    struct json_doc d = { 0 };
    struct err why = { 0 };
    bool text = n->kind == NODE_SCALAR && !node_is_null(n);
    if (text && json_parse(&d, n->text, &why))
        return FAIL(r, n->place, "%s: %.120s", show_text(n->key).text, why.text);
    if (text) {
        struct json_out o = json_out(&json);
        json_value(&o, d.root);
        json_free(&d);
    } else {
        node_json(n, &json);
    }
    *out = arena_copy(r->a, buf_str(&json));
    buf_free(&json);
    return ERR_OK;
}

static enum err_code read_list(struct reading *r, const struct node *n, struct str *out)
{
    enum err_code rc = read_json(r, n, out);
    return rc || out->p[0] == '[' ? rc : FAIL(r, n->place, "%s must be a list", show_text(n->key).text);
}

static enum err_code read_number(struct reading *r, const struct node *n, double min, double max, double *out)
{
    double v;
    if (!node_number(n, &v) || v < min || v > max)
        return FAIL(r, n->place, "%s must be a number from %g to %g", show_text(n->key).text, min, max);
    *out = v;
    return ERR_OK;
}

static enum err_code read_count(struct reading *r, const struct node *n, double min, double max, int64_t *out)
{
    double v;
    if (!node_number(n, &v) || v < min || v > max || floor(v) < v)
        return FAIL(r, n->place, "%s must be a whole number from %.0f to %.0f", show_text(n->key).text, min, max);
    *out = (int64_t)v;
    return ERR_OK;
}

static enum err_code read_bool(struct reading *r, const struct node *n, bool *out)
{
    return node_bool(n, out) ? ERR_OK : FAIL(r, n->place, "%s must be true or false", show_text(n->key).text);
}

/* A function may stand there without {"type": "function", "function": …} around it. */
static enum err_code read_tools(struct reading *r, const struct node *n, struct str *out)
{
    struct buf json = { 0 };
    bool all = n->kind == NODE_LIST;
    buf_lit(&json, "[");
    for (const struct node *t = all ? n->first : NULL; t; t = t->next) {
        bool bare = node_get(t, "name") && !node_get(t, "function");
        all &= bare || node_get(t, "function");
        if (t != n->first)
            buf_lit(&json, ",");
        if (bare)
            buf_lit(&json, "{\"type\":\"function\",\"function\":");
        node_json(t, &json);
        if (bare)
            buf_lit(&json, "}");
    }
    buf_lit(&json, "]");
    *out = arena_copy(r->a, buf_str(&json));
    buf_free(&json);
    return all ? ERR_OK : FAIL(r, n->place, "`tools` must be a list of functions: {name, description, parameters}");
}

static enum err_code read_choice(struct reading *r, const struct node *n, struct str *out)
{
    if (n->kind != NODE_SCALAR)
        return read_json(r, n, out);
    static const char *const words[] = { "auto", "none", "required" };
    for (size_t i = 0; i < COUNTOF(words); i++)
        if (str_eq(n->text, str_of(words[i]))) {
            *out = arena_printf(r->a, "\"%s\"", words[i]);
            return ERR_OK;
        }
    return FAIL(r, n->place, "`tool_choice` must be auto, none, required, or {type: function, function: {name: …}}");
}

static enum err_code read_thinking(struct reading *r, const struct node *n, struct str *out)
{
    static const char *const words[] = { "off", "on", "low", "medium", "high" };
    int64_t budget;
    *out = n->text;
    if (n->kind == NODE_SCALAR && str_to_int(n->text, 1, 1000000, &budget))
        return ERR_OK;
    for (size_t i = 0; n->kind == NODE_SCALAR && i < COUNTOF(words); i++)
        if (str_eq(n->text, str_of(words[i])))
            return ERR_OK;
    return FAIL(r, n->place, "`thinking` must be off, on, low, medium, high, or a number of tokens");
}

static enum err_code read_id(struct reading *r, const struct node *n, struct str *out)
{
    enum err_code rc = read_text(r, n, out);
    if (!rc && (!out->n || out->n > SUITE_MAX_ID || !conf_is_text(*out)))
        rc = FAIL(r, n->place, "an id must be a line of 1 to %d bytes", SUITE_MAX_ID);
    return rc;
}

/* ---- expectations ---- */

struct gathering { /* of one case */
    struct suite_expect at[SUITE_MAX_EXPECTS];
    size_t n;
};

static struct suite_expect fresh(enum expect_kind kind, struct conf_place place)
{
    return (struct suite_expect){ .kind = kind, .weight = 1, .min = -1, .max = -1, .min_precision = 1, .min_recall = 1, .place = place };
}

static enum err_code read_tolerance(struct reading *r, const struct node *n, struct suite_expect *x)
{
    struct node bare = *n;
    x->percent = n->kind == NODE_SCALAR && str_ends(n->text, STR("%"));
    if (x->percent)
        bare.text = arena_copy(r->a, str_trim(str_make(n->text.p, n->text.n - 1)));
    enum err_code rc = read_number(r, &bare, 0, 1e300, &x->tolerance);
    if (x->percent)
        x->tolerance /= 100;
    return rc;
}

static enum err_code read_true(struct reading *r, const struct node *n, const struct expect_part *p, struct suite_expect *x)
{
    bool yes = false;
    enum err_code rc = read_bool(r, n, &yes);
    if (!rc && !yes)
        return FAIL(r, n->place, "`%s` can only be true: write it under `not:` for the opposite", p->name);
    if (!rc && p->kind == EXPECT_TOOL)
        x->texts = (struct suite_texts){ arena_new(r->a, struct str), 1 };
    return rc;
}

static enum err_code read_one_text(struct reading *r, const struct node *n, struct suite_texts *out)
{
    struct str *at = arena_new(r->a, struct str);
    *out = (struct suite_texts){ at, 1 };
    return read_text(r, n, at);
}

/* The value of a part, into x. */
static enum err_code read_part(struct reading *r, const struct expect_part *p, const struct node *n, struct suite_expect *x)
{
    char *field = (char *)x + p->at;
    bool own;
    switch (p->type) {
    case PART_TEXT: return read_one_text(r, n, (struct suite_texts *)field);
    case PART_ANY: x->any = true; return read_texts(r, n, (struct suite_texts *)field);
    case PART_TEXTS: return read_texts(r, n, (struct suite_texts *)field);
    case PART_JSON:
        if (p->kind == EXPECT_SCHEMA && node_bool(n, &own) && own) /* the case's own, put in later */
            return ERR_OK;
        return read_json(r, n, (struct str *)field);
    case PART_NUMBER: return read_number(r, n, p->kind == NO_KIND ? 0 : -1e300, 1e300, (double *)field);
    case PART_TOLERANCE: return read_tolerance(r, n, x);
    case PART_SHARE: return read_number(r, n, 0, 1, (double *)field);
    case PART_BOOL: return read_bool(r, n, (bool *)field);
    case PART_MIN:
    case PART_MAX: return read_count(r, n, 0, 1e12, (int64_t *)field);
    case PART_TRUE: return read_true(r, n, p, x);
    }
    return ERR_OK;
}

/* Beside a path: texts go where values are, and `equals` is any value. */
static enum err_code read_beside(struct reading *r, const struct expect_part *p, const struct node *n, struct suite_expect *x)
{
    if (x->how != JSON_THERE && !(x->how == JSON_LENGTH && p->how == JSON_LENGTH))
        return FAIL(r, n->key_place, "one thing a path: write another `json` for `%s`", p->name);
    x->how = p->how;
    if (p->how == JSON_EQUALS) {
        struct buf json = { 0 };
        node_json(n, &json);
        x->json = arena_copy(r->a, buf_str(&json));
        buf_free(&json);
        return ERR_OK;
    }
    struct suite_texts path = x->texts;
    enum err_code rc = read_part(r, p, n, x);
    if (p->at == offsetof(struct suite_expect, texts)) {
        x->values = x->texts;
        x->texts = path;
    }
    return rc;
}

static const struct expect_part *part_named(struct str name)
{
    for (const struct expect_part *p = expect_parts; p->name; p++)
        if (str_eq(name, str_of(p->name)))
            return p;
    return NULL;
}

static enum err_code refuse_part(struct reading *r, const struct node *n)
{
    struct str names[64];
    size_t count = 0;
    for (const struct expect_part *p = expect_parts; p->name; p++)
        names[count++] = str_of(p->name);
    names[count++] = STR("not");
    return refuse_key(r, n, "an expectation", names, count);
}

static struct suite_expect *add_expect(struct reading *r, struct gathering *g, enum expect_kind kind, struct conf_place place)
{
    if (g->n == SUITE_MAX_EXPECTS) {
        FAIL(r, place, "more than %d expectations in one case", SUITE_MAX_EXPECTS);
        return NULL;
    }
    g->at[g->n] = fresh(kind, place);
    return &g->at[g->n++];
}

static bool has_limits(enum part_type t)
{
    return t == PART_MIN || t == PART_MAX;
}

/* The keys that begin an expectation. With a path there is just one, the others speak of what is found there. */
static enum err_code read_kinds(struct reading *r, const struct node *map, bool negated, struct gathering *g, size_t from)
{
    bool path = node_get(map, "json");
    enum err_code rc = ERR_OK;
    for (const struct node *n = map->first; n && !rc; n = n->next) {
        const struct expect_part *p = part_named(n->key);
        struct suite_expect *x = NULL;
        if (!p || p->kind == NO_KIND || (path && p->kind != EXPECT_JSON))
            continue;
        for (size_t i = from; i < g->n && has_limits(p->type); i++)
            if (g->at[i].kind == p->kind)
                x = &g->at[i];
        if (!x && !(x = add_expect(r, g, p->kind, n->key_place)))
            return ERR_CONFIG;
        x->negated = negated;
        rc = read_part(r, p, n, x);
    }
    return rc;
}

static enum err_code read_more(struct reading *r, const struct node *map, struct gathering *g, size_t from)
{
    enum err_code rc = ERR_OK;
    for (const struct node *n = map->first; n && !rc; n = n->next) {
        const struct expect_part *p = part_named(n->key);
        bool used = false;
        if (!p || (p->kind == EXPECT_JSON && p->how == JSON_THERE))
            continue;
        for (size_t i = from; i < g->n && !rc; i++) {
            struct suite_expect *x = &g->at[i];
            bool beside = x->kind == EXPECT_JSON && p->beside_json;
            if (p->kind != NO_KIND && !beside) {
                used |= x->kind == p->kind;
                continue;
            }
            if (!beside && !(p->with & OF(x->kind)))
                continue;
            used = true;
            rc = beside ? read_beside(r, p, n, x) : read_part(r, p, n, x);
        }
        if (!rc && !used)
            rc = FAIL(r, n->key_place, "`%s` says nothing here: nothing that stands beside it takes it", p->name);
    }
    return rc;
}

static enum err_code check_keys(struct reading *r, const struct node *map, bool negated)
{
    for (const struct node *n = map->first; n; n = n->next)
        if (!part_named(n->key) && (negated || !str_eq(n->key, STR("not"))))
            return refuse_part(r, n);
    return ERR_OK;
}

static enum err_code read_expect_map(struct reading *r, const struct node *map, bool negated, struct gathering *g)
{
    const struct node *not = node_get(map, "not");
    size_t from = g->n;
    enum err_code rc = check_keys(r, map, negated);
    if (!rc)
        rc = read_kinds(r, map, negated, g, from);
    if (!rc)
        rc = read_more(r, map, g, from);
    if (!rc && negated && g->n != from + 1)
        rc = FAIL(r, map->place, "under `not` stands one expectation, no more and no less");
    if (!rc && !negated && not)
        rc = not->kind == NODE_MAP ? read_expect_map(r, not, true, g) : FAIL(r, not->place, "under `not` stands an expectation, such as {contains: sorry}");
    return rc || g->n > from ? rc : FAIL(r, map->place, "expects nothing");
}

static enum err_code read_expect(struct reading *r, const struct node *n, struct gathering *g)
{
    if (n->kind == NODE_MAP)
        return read_expect_map(r, n, false, g);
    if (n->kind != NODE_SCALAR)
        return FAIL(r, n->place, "an expectation is a map such as {contains: Paris}");
    struct suite_expect *x = add_expect(r, g, EXPECT_EQUALS, n->place);
    return x ? read_one_text(r, n, &x->texts) : ERR_CONFIG;
}

/* Behind those that are there (the defaults'). */
static enum err_code read_expects(struct reading *r, const struct node *n, struct suite_case *c)
{
    struct gathering g = { .n = c->nexpects };
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < c->nexpects; i++)
        g.at[i] = c->expects[i];
    for (const struct node *kid = n->kind == NODE_LIST ? n->first : n; kid && !rc; kid = n->kind == NODE_LIST ? kid->next : NULL)
        rc = read_expect(r, kid, &g);
    struct suite_expect *all = arena_array(r->a, struct suite_expect, g.n);
    for (size_t i = 0; i < g.n; i++)
        all[i] = g.at[i];
    c->expects = all;
    c->nexpects = g.n;
    return rc;
}

/* Of {"input","expected"}: a text is the answer, anything else the JSON that is to come. */
static enum err_code read_expected(struct reading *r, const struct node *n, struct suite_case *c)
{
    struct node map = { .kind = NODE_MAP, .place = n->place, .n = 2 }, path = { .text = STR("$"), .key = STR("json"), .place = n->place, .key_place = n->key_place };
    struct node value = *n;
    value.key = STR("equals");
    value.next = NULL;
    path.next = &value;
    map.first = n->kind == NODE_SCALAR ? &value : &path;
    return read_expects(r, &map, c);
}

static enum err_code read_answer(struct reading *r, const struct node *n, struct suite_answer *out)
{
    const struct node *tool = node_get(n, "tool"), *arguments = node_get(n, "arguments"), *text = node_get(n, "text");
    if (n->kind == NODE_SCALAR)
        return read_text(r, n, &out->text);
    if (n->kind != NODE_MAP || (!tool && !text) || n->n != (size_t)(tool != NULL) + (arguments != NULL) + (text != NULL))
        return FAIL(r, n->place, "`%.*s` is a text, or {tool: NAME, arguments: {…}, text: …}", STR_ARG(n->key));
    enum err_code rc = text ? read_text(r, text, &out->text) : ERR_OK;
    if (!rc && tool)
        rc = read_text(r, tool, &out->tool);
    return !rc && arguments ? read_json(r, arguments, &out->arguments) : rc;
}

/* ---- cases ---- */

static enum err_code read_key(struct reading *r, const struct case_key *k, const struct node *n, struct suite_case *c)
{
    char *field = (char *)c + k->at;
    switch (k->type) {
    case KEY_ID: return read_id(r, n, (struct str *)field);
    case KEY_TEXT: return read_text(r, n, (struct str *)field);
    case KEY_TEXTS: return read_texts(r, n, (struct suite_texts *)field);
    case KEY_LIST: return read_list(r, n, (struct str *)field);
    case KEY_JSON: return read_json(r, n, (struct str *)field);
    case KEY_TOOLS: return read_tools(r, n, (struct str *)field);
    case KEY_CHOICE: return read_choice(r, n, (struct str *)field);
    case KEY_COUNT: return read_count(r, n, k->min, k->max, (int64_t *)field);
    case KEY_NUMBER: return read_number(r, n, k->min, k->max, (double *)field);
    case KEY_BOOL: return read_bool(r, n, (bool *)field);
    case KEY_THINKING: return read_thinking(r, n, (struct str *)field);
    case KEY_EXPECT: return read_expects(r, n, c);
    case KEY_EXPECTED: return read_expected(r, n, c);
    case KEY_IDEAL: c->has_ideal = true; return read_answer(r, n, &c->ideal);
    case KEY_ANSWERED: c->has_answered = true; return read_answer(r, n, &c->answered);
    }
    return ERR_OK;
}

static enum err_code refuse_case_key(struct reading *r, const struct node *n, bool defaults)
{
    struct str names[64];
    size_t count = 0;
    for (const struct case_key *k = case_keys; k->name; k++)
        if (!defaults || !k->own)
            names[count++] = str_of(k->name);
    return refuse_key(r, n, defaults ? "the defaults" : "a case", names, count);
}

static enum err_code read_keys(struct reading *r, const struct node *map, bool defaults, struct suite_case *c)
{
    enum err_code rc = ERR_OK;
    if (map->kind != NODE_MAP)
        return FAIL(r, map->place, "%s must be a map with `input` and `expect`", defaults ? "`defaults`" : "a case");
    for (const struct node *n = map->first; n && !rc; n = n->next) {
        const struct case_key *k = case_keys;
        while (k->name && !str_eq(n->key, str_of(k->name)))
            k++;
        if (!k->name || (defaults && k->own))
            return refuse_case_key(r, n, defaults);
        if (!node_is_null(n) || k->type == KEY_EXPECTED)
            rc = read_key(r, k, n, c);
    }
    return rc;
}

/* `schema: true` is the case's own. */
static enum err_code fill_schemas(struct reading *r, struct suite_case *c)
{
    struct suite_expect *all = arena_array(r->a, struct suite_expect, c->nexpects);
    for (size_t i = 0; i < c->nexpects; i++) {
        struct suite_expect *x = &all[i];
        *x = c->expects[i];
        if ((x->kind != EXPECT_SCHEMA && !(x->kind == EXPECT_JSON && x->how == JSON_SCHEMA)) || x->json.n)
            continue;
        if (!c->schema.n)
            return FAIL(r, x->place, "`schema: true` means the case's own schema, and it has none");
        x->json = c->schema;
    }
    c->expects = all;
    return ERR_OK;
}

static enum err_code read_case(struct reading *r, const struct node *n, size_t number, const struct suite_case *defaults, struct suite_case *c)
{
    *c = *defaults;
    c->place = n->place;
    enum err_code rc = read_keys(r, n, false, c);
    if (!rc)
        rc = fill_schemas(r, c);
    if (!rc && !c->input.n && !c->messages.n)
        rc = FAIL(r, n->place, "a case needs `input` or `messages`");
    if (!rc && !c->nexpects && !c->has_answered)
        rc = FAIL(r, n->place, "a case needs `expect`: what its answer must be");
    if (!c->id.n)
        c->id = arena_printf(r->a, "#%zu", number);
    return rc;
}

static int by_id(const void *a, const void *b)
{
    const struct suite_case *const *x = a, *const *y = b;
    size_t n = (*x)->id.n < (*y)->id.n ? (*x)->id.n : (*y)->id.n;
    int order = memcmp((*x)->id.p, (*y)->id.p, n);
    if (order || (*x)->id.n == (*y)->id.n)
        return order ? order : (*x > *y) - (*x < *y);
    return (*x)->id.n < (*y)->id.n ? -1 : 1;
}

static enum err_code check_ids(struct reading *r)
{
    const struct suite_case **all = arena_array(r->a, const struct suite_case *, r->s->ncases + 1);
    for (size_t i = 0; i < r->s->ncases; i++)
        all[i] = &r->s->cases[i];
    qsort(all, r->s->ncases, sizeof *all, by_id);
    for (size_t i = 1; i < r->s->ncases; i++)
        if (str_eq(all[i]->id, all[i - 1]->id))
            return FAIL(r, all[i]->place, "the id %s is taken by the case in line %d", show_text(all[i]->id).text, all[i - 1]->place.line);
    return ERR_OK;
}

static enum err_code read_cases(struct reading *r, const struct node *list, const struct suite_case *defaults)
{
    struct suite_case *cases = arena_array(r->a, struct suite_case, list->n + 1);
    size_t i = 0;
    enum err_code rc = ERR_OK;
    if (list->kind != NODE_LIST || !list->n)
        return FAIL(r, list->place, "`cases` must be a list with a case in it");
    for (const struct node *n = list->first; n && !rc; n = n->next, i++)
        rc = read_case(r, n, i + 1, defaults, &cases[i]);
    r->s->cases = cases;
    r->s->ncases = i;
    for (i = 0; i < r->s->ncases && !rc; i++) {
        struct buf text = { 0 };
        suite_case_write(&cases[i], false, &text);
        cases[i].print = str_hash(buf_str(&text));
        r->s->print = r->s->print * 1099511628211U ^ cases[i].print;
        buf_free(&text);
    }
    return rc ? rc : check_ids(r);
}

static struct str last_name(struct str path)
{
    struct str s = path;
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '/')
            s = str_from(path, i + 1);
    for (size_t i = s.n; i > 1; i--)
        if (s.p[i - 1] == '.')
            return str_make(s.p, i - 1);
    return s;
}

static enum err_code read_root(struct reading *r, const struct node *root)
{
    static const struct str names[] = { STR("suite"), STR("description"), STR("margin"), STR("defaults"), STR("cases") };
    struct suite_case defaults = { .strict = true, .repeat = 1, .temperature = NAN, .top_p = NAN };
    const struct node *cases = node_get(root, "cases"), *with = node_get(root, "defaults");
    enum err_code rc = ERR_OK;
    for (const struct node *n = root->first; n && !rc; n = n->next) {
        if (str_eq(n->key, names[0]))
            rc = read_text(r, n, &r->s->name);
        else if (str_eq(n->key, names[1]))
            rc = read_text(r, n, &r->s->description);
        else if (str_eq(n->key, names[2]))
            rc = read_number(r, n, 0, 0.5, &r->s->margin);
        else if (!str_eq(n->key, names[3]) && !str_eq(n->key, names[4]))
            rc = refuse_key(r, n, "a suite", names, COUNTOF(names));
    }
    if (!rc && with && !node_is_null(with))
        rc = read_keys(r, with, true, &defaults);
    if (rc)
        return rc;
    return cases ? read_cases(r, cases, &defaults) : FAIL(r, root->place, "a suite needs `cases`");
}

/* A list alone is its cases. */
static enum err_code read_any(struct reading *r, struct node *root)
{
    struct node map = { .kind = NODE_MAP, .place = { 1, 1 }, .n = 1, .first = root };
    if (!root || node_is_null(root))
        return FAIL(r, ((struct conf_place){ 0 }), "there is nothing in it");
    if (root->kind == NODE_SCALAR)
        return FAIL(r, root->place, "a suite is a map with `cases`");
    if (root->kind == NODE_LIST)
        root->key = STR("cases");
    return read_root(r, root->kind == NODE_LIST ? &map : root);
}

enum suite_form suite_form_of(struct str name)
{
    return str_ends(name, STR(".jsonl")) || str_ends(name, STR(".ndjson")) ? SUITE_JSONL : str_ends(name, STR(".json")) ? SUITE_JSON : SUITE_YAML;
}

enum err_code suite_read(struct str name, struct str text, enum suite_form form, struct suite **out, struct err *e)
{
    struct suite *s = calloc(1, sizeof *s);
    struct node *root = NULL;
    if (!s)
        die("out of memory: a suite");
    arena_init(&s->memory);
    s->from = arena_copy(&s->memory, name);
    s->margin = 0.05;
    struct reading r = { s->from, s, &s->memory, e };
    enum err_code rc = suite_tree_read(s->from, text, form, &s->memory, &root, e);
    if (!rc)
        rc = read_any(&r, root);
    if (!rc && !s->name.n)
        s->name = last_name(s->from);
    if (rc)
        suite_free(s);
    else
        *out = s;
    return rc;
}

void suite_free(struct suite *s)
{
    if (!s)
        return;
    arena_fini(&s->memory);
    free(s);
}

const struct suite_case *suite_case_named(const struct suite *s, struct str id)
{
    for (size_t i = 0; i < s->ncases; i++)
        if (str_eq(s->cases[i].id, id))
            return &s->cases[i];
    return NULL;
}
