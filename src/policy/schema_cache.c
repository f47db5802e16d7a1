#include "policy/schema_cache.h"

#include "base/list.h"

#include <stdlib.h>

enum {
    MAX_SCHEMAS = 64,
    MAX_TEXT_BYTES = 1024 * 1024, /* of all of them; a compiled one takes some ten times its text */
};

struct schema_made {
    struct list node;
    struct schema_cache *in;      /* NULL: it has gone from there */
    size_t holders;
    uint64_t hash;
    struct buf text;
    bool formats;
    struct json_doc doc;          /* of text */
    struct schema *compiled;
    struct json_doc with_reason;  /* the schema with a field for thoughts; root NULL: not made, or there is none */
    struct buf reason_text;
    struct schema_reason reason;
    bool reason_tried;
    struct schema_sent *sent[SCHEMA_PLACES][2];
    struct buf words[2];
};

struct schema_cache {
    struct list made;             /* who was asked for last comes first */
    size_t n, bytes;
};

struct schema_cache *schema_cache_new(void)
{
    struct schema_cache *c = calloc(1, sizeof *c);
    if (!c)
        die("out of memory for schemas");
    list_init(&c->made);
    return c;
}

static void free_made(struct schema_made *m)
{
    for (size_t i = 0; i < SCHEMA_PLACES; i++)
        for (size_t k = 0; k < 2; k++) {
            if (!m->sent[i][k])
                continue;
            buf_free(&m->sent[i][k]->schema);
            buf_free(&m->sent[i][k]->unenforced);
            free(m->sent[i][k]);
        }
    buf_free(&m->words[0]);
    buf_free(&m->words[1]);
    schema_free(m->compiled);
    json_free(&m->with_reason);
    buf_free(&m->reason_text);
    json_free(&m->doc);
    buf_free(&m->text);
    free(m);
}

static void forget(struct schema_made *m)
{
    list_remove(&m->node);
    m->in->n--;
    m->in->bytes -= m->text.n;
    m->in = NULL;
    if (!m->holders)
        free_made(m);
}

void schema_cache_free(struct schema_cache *c)
{
    if (!c)
        return;
    for (struct list *n; (n = list_take(&c->made));)
        forget(list_entry(n, struct schema_made, node));
    free(c);
}

void schema_release(struct schema_made *m)
{
    if (m && !--m->holders && !m->in)
        free_made(m);
}

static struct schema_made *find(struct schema_cache *c, struct str text, uint64_t hash, bool formats)
{
    for (struct list *at = c->made.next; at != &c->made; at = at->next) {
        struct schema_made *m = list_entry(at, struct schema_made, node);
        if (m->hash == hash && m->formats == formats && str_eq(buf_str(&m->text), text))
            return m;
    }
    return NULL;
}

static void keep(struct schema_cache *c, struct schema_made *m)
{
    list_push_front(&c->made, &m->node);
    m->in = c;
    c->n++;
    c->bytes += m->text.n;
    while (c->n > 1 && (c->n > MAX_SCHEMAS || c->bytes > MAX_TEXT_BYTES))
        forget(list_entry(c->made.prev, struct schema_made, node));
}

static enum err_code make(struct schema_made *m, struct err *e)
{
    const struct schema_options o = { .formats = m->formats };
    enum err_code rc = json_parse(&m->doc, buf_str(&m->text), e);
    if (!rc)
        rc = schema_compile(m->doc.root, &o, &m->compiled, e);
    if (rc && e)
        e->code = ERR_SCHEMA_UNSUPPORTED;
    return rc ? ERR_SCHEMA_UNSUPPORTED : ERR_OK;
}

enum err_code schema_cache_get(struct schema_cache *c, struct str text, bool formats, struct schema_made **out, struct err *e)
{
    uint64_t hash = str_hash(text);
    struct schema_made *m = find(c, text, hash, formats);
    if (m) {
        list_remove(&m->node);
        list_push_front(&c->made, &m->node);
    } else {
        m = calloc(1, sizeof *m);
        if (!m)
            die("out of memory for a schema");
        list_init(&m->node);
        m->hash = hash;
        m->formats = formats;
        buf_add(&m->text, text);
        if (make(m, e)) {
            free_made(m);
            return ERR_SCHEMA_UNSUPPORTED;
        }
        keep(c, m);
    }
    m->holders++;
    *out = m;
    return ERR_OK;
}

const struct schema *schema_compiled(const struct schema_made *m)
{
    return m->compiled;
}

/* The schema itself, or the one with a field for thoughts where there is such. */
static yyjson_val *root_of(struct schema_made *m, bool with_reason)
{
    if (with_reason && !m->reason_tried) {
        m->reason_tried = true;
        if (!schema_reason_wrap(&m->doc, &m->reason, &m->reason_text) || json_parse(&m->with_reason, buf_str(&m->reason_text), NULL))
            m->reason.name[0] = 0;
    }
    return with_reason && m->with_reason.root ? m->with_reason.root : m->doc.root;
}

const struct schema_sent *schema_sent_to(struct schema_made *m, enum schema_place place, bool with_reason)
{
    struct schema_sent **s = &m->sent[place][with_reason];
    if (*s)
        return *s;
    *s = calloc(1, sizeof **s);
    if (!*s)
        die("out of memory for a schema");
    yyjson_val *root = root_of(m, with_reason);
    schema_fit(root, place, &(*s)->schema, &(*s)->unenforced);
    if (root == m->with_reason.root)
        (*s)->reason = m->reason;
    return *s;
}

struct str schema_in_words(struct schema_made *m, bool with_reason)
{
    struct buf *words = &m->words[with_reason];
    if (!words->n)
        schema_describe(root_of(m, with_reason), words);
    return buf_str(words);
}
