/* $id gives a part of the schema an address, anchors name places within one, and a $ref asks for either, or for a JSON pointer. All of it is looked
 * up in the schema itself; nothing is fetched. */
#include "json/schema_refs.h"

#include "json/schema_say.h"
#include "json/schema_uri.h"

enum {
    MAX_NAMES = 1000,  /* $id and anchors: they are searched one by one */
    MAX_ADDRESS = 2048,
    MAX_CHAIN = 256,   /* references behind one another without a step into the value */
};

/* Draft 2019-09: an anchor without a name, and references to it. No anchor of one's own can be called so. */
#define RECURSIVE STR("$recursiveAnchor")

struct ref {
    struct ref *next;
    struct node *from;
    yyjson_val *arg;
    struct node **slot;
    struct dynamic *dynamic;
};

static struct str split_fragment(struct str uri, struct str *fragment)
{
    return str_cut(uri, '#', fragment);
}

static enum err_code count_name(struct compiler *c, yyjson_val *at)
{
    return c->names++ < MAX_NAMES ? ERR_OK : compile_refuse(c, at, "more than %d places have a name ($id, $anchor)", MAX_NAMES);
}

static enum err_code add_anchor(struct compiler *c, struct node *n, yyjson_val *at, struct str name, bool dynamic)
{
    struct resource *in = (struct resource *)n->in;
    enum err_code rc = count_name(c, at);
    for (const struct anchor *a = in->anchors; a && !rc; a = a->next)
        if (str_eq(a->name, name) && a->node != n)
            rc = compile_refuse(c, at, "two places have this anchor");
    if (rc)
        return rc;
    struct anchor *a = arena_new(c->memory, struct anchor);
    *a = (struct anchor){ in->anchors, name, n, dynamic };
    in->anchors = a;
    return ERR_OK;
}

static struct resource *find_resource(const struct compiler *c, struct str uri)
{
    struct resource *r = c->s->resources;
    while (r && !str_eq(r->uri, uri))
        r = r->next;
    return r;
}

static enum err_code add_resource(struct compiler *c, struct node *n, yyjson_val *id)
{
    struct str fragment, uri = split_fragment(json_str(id), &fragment);
    if (fragment.n) /* drafts 6 and 7 wrote anchors so */
        return uri.n ? compile_refuse(c, id, "an $id has no fragment") : add_anchor(c, n, id, fragment, false);
    if (uri.n == 0)
        return ERR_OK;
    if (uri.n + n->in->uri.n > MAX_ADDRESS)
        return compile_refuse(c, id, "an address has at most %d bytes", MAX_ADDRESS);
    uri = uri_resolve(c->memory, n->in->uri, uri);
    if (n->at == c->s->values) { /* the root has its place already */
        ((struct resource *)n->in)->uri = uri;
        return ERR_OK;
    }
    if (find_resource(c, uri))
        return compile_refuse(c, id, "two places have this $id");
    struct resource *r = arena_new(c->memory, struct resource);
    *r = (struct resource){ c->s->resources, uri, n->at, NULL };
    c->s->resources = r;
    n->in = r;
    return count_name(c, id);
}

enum err_code compile_resource(struct compiler *c, struct node *n)
{
    yyjson_val *id = NULL, *anchor = NULL, *dynamic = NULL, *recursive = NULL, *key;
    yyjson_obj_iter it;
    enum err_code rc = ERR_OK;
    yyjson_obj_iter_init(n->at, &it);
    while ((key = yyjson_obj_iter_next(&it))) {
        if (unsafe_yyjson_get_len(key) == 0 || unsafe_yyjson_get_str(key)[0] != '$')
            continue;
        enum word w = word_find(json_name(key));
        yyjson_val **to = w == WORD_ID ? &id : w == WORD_ANCHOR ? &anchor : w == WORD_DYNAMIC_ANCHOR ? &dynamic : NULL;
        if (w == WORD_RECURSIVE_ANCHOR && yyjson_get_bool(key + 1))
            recursive = key + 1;
        if (!to)
            continue;
        if (!yyjson_is_str(key + 1))
            return compile_refuse(c, key + 1, "must be a string");
        *to = key + 1;
    }
    if (id)
        rc = add_resource(c, n, id);
    if (!rc && anchor)
        rc = add_anchor(c, n, anchor, json_str(anchor), false);
    if (!rc && dynamic)
        rc = add_anchor(c, n, dynamic, json_str(dynamic), true);
    if (!rc && recursive)
        rc = add_anchor(c, n, recursive, RECURSIVE, true);
    return rc;
}

void compile_note_ref(struct compiler *c, struct node *from, yyjson_val *arg, struct node **slot, struct dynamic *dynamic)
{
    struct ref *r = arena_new(c->memory, struct ref);
    *r = (struct ref){ c->refs, from, arg, slot, dynamic };
    c->refs = r;
}

static const struct anchor *find_anchor(const struct resource *in, struct str name)
{
    const struct anchor *a = in->anchors;
    while (a && !str_eq(a->name, name))
        a = a->next;
    return a;
}

struct node *refs_find_dynamic(const struct resource *in, struct str name, int64_t *steps)
{
    const struct anchor *a = in->anchors;
    for (; a && !(a->dynamic && str_eq(a->name, name)); a = a->next)
        --*steps;
    return a ? a->node : NULL;
}

/* One segment of a pointer, ~0 and ~1 undone in place. */
static struct str unescape_segment(char *p, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        bool escaped = p[i] == '~' && i + 1 < n && (p[i + 1] == '0' || p[i + 1] == '1');
        p[to++] = !escaped ? p[i] : p[++i] == '0' ? '~' : '/';
    }
    return str_make(p, to);
}

static yyjson_val *step_down(struct compiler *c, yyjson_val *v, struct str segment)
{
    int64_t i;
    c->steps -= 1 + (int64_t)(unsafe_yyjson_get_len(v) / 4);
    if (yyjson_is_obj(v))
        return yyjson_obj_getn(v, segment.p, segment.n);
    if (yyjson_is_arr(v) && str_to_int(segment, 0, INT32_MAX, &i))
        return yyjson_arr_get(v, (size_t)i);
    return NULL;
}

static struct str shown(const struct ref *ref)
{
    return say_cut(json_str(ref->arg), 80);
}

/* pointer is decoded, and is written into. */
static struct node *follow_pointer(struct compiler *c, const struct ref *ref, const struct resource *in, struct str pointer)
{
    yyjson_val *v = in->root;
    char *p = (char *)pointer.p, *end = p + pointer.n;
    while (v && p < end) {
        char *from = ++p;
        while (p < end && *p != '/')
            p++;
        v = step_down(c, v, unescape_segment(from, (size_t)(p - from)));
        const struct node *known = v ? c->node_of[v - c->s->values] : NULL;
        if (known)
            in = known->in;
    }
    if (v)
        return compile_node(c, v, in);
    compile_refuse(c, ref->arg, "there is nothing at '%.*s'", STR_ARG(shown(ref)));
    return NULL;
}

static struct node *follow(struct compiler *c, const struct ref *ref)
{
    struct str whole = json_str(ref->arg), fragment, uri = split_fragment(whole, &fragment), name;
    const struct resource *in = ref->from->in;
    if (uri.n + in->uri.n > MAX_ADDRESS) {
        compile_refuse(c, ref->arg, "an address has at most %d bytes", MAX_ADDRESS);
        return NULL;
    }
    if (uri.n)
        in = find_resource(c, uri_resolve(c->memory, in->uri, uri));
    if (!in) {
        compile_refuse(c, ref->arg, "'%.*s' is outside of this schema, and nothing is fetched", STR_ARG(shown(ref)));
        return NULL;
    }
    if (!uri_decode(c->memory, fragment, &name)) {
        compile_refuse(c, ref->arg, "'%.*s' has a percent sign without two digits", STR_ARG(shown(ref)));
        return NULL;
    }
    const struct anchor *a = name.n == 0 && ref->dynamic ? find_anchor(in, RECURSIVE) : NULL;
    if (a)
        name = RECURSIVE;
    else if (name.n == 0 || name.p[0] == '/')
        return follow_pointer(c, ref, in, name);
    else
        a = find_anchor(in, name);
    if (!a) {
        compile_refuse(c, ref->arg, "there is no anchor '%.*s'", STR_ARG(shown(ref)));
        return NULL;
    }
    if (ref->dynamic && a->dynamic)
        ref->dynamic->name = name;
    return a->node;
}

enum err_code compile_refs(struct compiler *c)
{
    while (c->refs) { /* a place that only a pointer leads to is compiled now, and may have references of its own */
        const struct ref *r = c->refs;
        c->refs = r->next;
        *r->slot = follow(c, r);
        if (!*r->slot)
            return c->e->code;
        if (c->steps < 0)
            return err_set(c->e, ERR_INVALID_REQUEST, "the schema is too large to resolve its references");
    }
    return ERR_OK;
}

enum { UNSEEN, OPEN, DONE };

static enum err_code find_circle(struct compiler *c, struct node *n, int depth)
{
    if (n->mark == DONE)
        return ERR_OK;
    if (n->mark == OPEN)
        return compile_refuse(c, n->at, "it leads back to itself without a step into the value");
    if (depth > MAX_CHAIN)
        return compile_refuse(c, n->at, "more than %d schemas lead one to the next", MAX_CHAIN);
    n->mark = OPEN;
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < n->n && !rc; i++) {
        struct node *next;
        for (size_t k = 0; !rc && (next = word_in_place(&n->rules[i], k)); k++)
            rc = find_circle(c, next, depth + 1);
    }
    n->mark = DONE;
    return rc;
}

enum err_code compile_circles(struct compiler *c)
{
    enum err_code rc = ERR_OK;
    for (size_t i = 0; i < c->s->nvalues && !rc; i++)
        if (c->node_of[i])
            rc = find_circle(c, c->node_of[i], 0);
    return rc;
}
