/* A schema compiled. Its values are copied first, so that it stands alone; then every place where a schema may stand becomes a node (once: what
 * a $ref leads to is the same node), and references are tied when all addresses and anchors are known. */
#include "json/schema_refs.h"

#include "json/json_int.h"
#include "json/schema_pattern.h"
#include "json/schema_say.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_VALUES = 1000000, MAX_STEPS = 500000, PATH_MAX_SAID = 64 }; /* a step of compiling: a few members looked at */

/* How much room a value and all inside it take: values, and bytes of strings. Values of one document stand in its text's order, one behind
 * the other, and an array or object knows where it ends. */
static size_t measure(yyjson_val *root, size_t *text)
{
    yyjson_val *end = unsafe_yyjson_get_next(root);
    *text = 0;
    for (yyjson_val *v = root; v < end; v++)
        if (unsafe_yyjson_is_str(v) || unsafe_yyjson_is_raw(v))
            *text += unsafe_yyjson_get_len(v) + 1;
    return (size_t)(end - root);
}

/* Distances inside are relative, so a copy of the bytes is a copy of the tree, but for its strings. */
static void copy_values(struct schema *s, yyjson_val *root, char *text)
{
    memcpy(s->values, root, s->nvalues * sizeof *root);
    for (yyjson_val *v = s->values; v < s->values + s->nvalues; v++) {
        if (!unsafe_yyjson_is_str(v) && !unsafe_yyjson_is_raw(v))
            continue;
        size_t n = unsafe_yyjson_get_len(v);
        memcpy(text, v->uni.str, n);
        text[n] = 0;
        v->uni.str = text;
        text += n + 1;
    }
}

static enum err_code copy_schema(struct schema *s, yyjson_val *root, struct err *e)
{
    size_t text;
    s->nvalues = measure(root, &text);
    if (s->nvalues > MAX_VALUES)
        return err_set(e, ERR_INVALID_REQUEST, "the schema is too large: more than %d values", MAX_VALUES);
    s->values = malloc(s->nvalues * sizeof *s->values + text);
    if (!s->values)
        return err_set(e, ERR_SYSTEM, "not enough memory for a schema of %zu values", s->nvalues);
    copy_values(s, root, (char *)(s->values + s->nvalues));
    return ERR_OK;
}

enum err_code compile_refuse(struct compiler *c, yyjson_val *at, const char *fmt, ...)
{
    char why[200];
    struct buf path = { 0 };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    say_path(c->s->values, at, PATH_MAX_SAID, &path); /* short enough that err.text never cuts a character in two */
    if (path.n)
        err_set(c->e, ERR_INVALID_REQUEST, "the schema is wrong at %.*s: %s", STR_ARG(buf_str(&path)), why);
    else
        err_set(c->e, ERR_INVALID_REQUEST, "the schema is wrong: %s", why);
    buf_free(&path);
    return ERR_INVALID_REQUEST;
}

struct node *compile_node(struct compiler *c, yyjson_val *at, const struct resource *in)
{
    struct node **known = &c->node_of[at - c->s->values];
    if (*known)
        return *known;
    if (!yyjson_is_obj(at) && !yyjson_is_bool(at)) {
        compile_refuse(c, at, "a schema is an object, true or false, not %s", say_kind(at));
        return NULL;
    }
    struct node *n = *known = arena_new(c->memory, struct node);
    n->at = at;
    n->in = in;
    n->types = TYPE_ANY;
    n->never = unsafe_yyjson_is_bool(at) && !unsafe_yyjson_get_bool(at);
    if (!unsafe_yyjson_is_obj(at))
        return n;
    return compile_resource(c, n) || compile_words(c, n) ? NULL : n;
}

static enum err_code compile_all(struct compiler *c)
{
    enum err_code rc = json_check(c->s->values, false, c->e);
    if (rc)
        return err_set(c->e, ERR_INVALID_REQUEST, "the schema is nested more than %d levels deep", JSON_MAX_DEPTH);
    struct resource *root = arena_new(c->memory, struct resource);
    root->root = c->s->values;
    c->s->resources = root;
    c->s->root = compile_node(c, c->s->values, root);
    if (!c->s->root)
        return ERR_INVALID_REQUEST;
    rc = compile_refs(c);
    return rc ? rc : compile_circles(c);
}

enum err_code schema_compile(yyjson_val *root, const struct schema_options *o, struct schema **out, struct err *e)
{
    struct err own;
    struct schema *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory: a schema");
    struct compiler c = { .s = s, .memory = &s->memory, .steps = MAX_STEPS, .e = e ? e : &own };
    enum err_code rc = ERR_OK;
    arena_init(&s->memory);
    s->formats = o && o->formats;
    s->steps = o && o->steps > 0 ? o->steps : SCHEMA_STEPS;
    if (!root)
        rc = err_set(c.e, ERR_INVALID_REQUEST, "there is no schema");
    if (!rc)
        rc = copy_schema(s, root, c.e);
    if (!rc) {
        c.node_of = calloc(s->nvalues, sizeof(struct node *));
        rc = c.node_of ? compile_all(&c) : err_set(c.e, ERR_SYSTEM, "not enough memory for a schema of %zu values", s->nvalues);
    }
    /* compile_node() answers NULL for any error: which one it was is in c.e. */
    if (rc)
        rc = c.e->code;
    free(c.node_of);
    if (rc)
        schema_free(s);
    else
        *out = s;
    return rc;
}

void schema_free(struct schema *s)
{
    if (!s)
        return;
    for (struct pattern *p = s->patterns; p;) {
        struct pattern *next = pattern_next(p);
        pattern_free(p);
        p = next;
    }
    free(s->values);
    arena_fini(&s->memory);
    free(s);
}
