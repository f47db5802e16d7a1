/* From YAML text to a tree of nodes with their places. libyaml's events are taken, never its typing: tags, anchors, aliases, second
 * documents and doubled keys are refused, each with a sentence, so that what a reader sees in the file is all there is. */
#include "conf/tree.h"

#include "conf/conf_int.h"

#include <stdio.h>
#include <yaml.h>

struct builder {
    yaml_parser_t yaml;
    struct str name, text;
    const struct tree_limits *limits;
    struct arena *a;
    size_t nodes;
    struct err *e;
};

static enum err_code fail(struct builder *b, struct conf_place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static enum err_code fail(struct builder *b, struct conf_place at, const char *fmt, ...)
{
    char text[sizeof b->e->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    enum err_code rc = fail_at(b->name, at, b->e, "%s", text);
    return b->limits->hint ? err_hint(b->e, "%s", b->limits->hint) : rc;
}

static struct conf_place place_of(yaml_mark_t m)
{
    return (struct conf_place){ (int)m.line + 1, (int)m.column + 1 };
}

/* Line and column of a byte of the text. */
static struct conf_place place_of_byte(struct str text, size_t at)
{
    struct conf_place p = { 1, 1 };
    for (size_t i = 0; i < at && i < text.n; i++) {
        if (text.p[i] == '\n')
            p = (struct conf_place){ p.line + 1, 1 };
        else if (((unsigned char)text.p[i] & 0xC0) != 0x80)
            p.column++;
    }
    return p;
}

static struct str line_of(struct str text, int line)
{
    struct str rest = text, now = { NULL, 0 };
    for (int i = 0; i < line; i++)
        now = str_cut(rest, '\n', &rest);
    return now;
}

static bool indented_by_tab(struct str line)
{
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '\t')
            return true;
        if (line.p[i] != ' ' && line.p[i] != '-')
            return false;
    }
    return false;
}

/* libyaml's own words are about its insides ("did not find expected key"): true, but a tab deserves its name, and the start of the
 * structure that was being read often is the better place to look. */
static enum err_code refuse_yaml(struct builder *b)
{
    const yaml_parser_t *y = &b->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        die("out of memory while reading YAML");
    if (y->error == YAML_READER_ERROR)
        return fail(b, place_of_byte(b->text, y->problem_offset), "this character may not stand in a YAML file");
    struct conf_place at = place_of(y->problem_mark);
    if (indented_by_tab(line_of(b->text, at.line)))
        return fail(b, at, "a tab may not indent a line: use spaces");
    const char *problem = y->problem ? y->problem : "cannot be read";
    if (!y->context || (int)y->context_mark.line + 1 == at.line)
        return fail(b, at, "not valid YAML: %s", problem);
    return fail(b, at, "not valid YAML: %s (%s that starts in line %d)", problem, y->context, (int)y->context_mark.line + 1);
}

static enum err_code next_event(struct builder *b, yaml_event_t *event)
{
    if (!yaml_parser_parse(&b->yaml, event))
        return refuse_yaml(b);
    return ERR_OK;
}

static enum err_code refuse_anchor(struct builder *b, yaml_mark_t at)
{
    fail(b, place_of(at), "anchors and aliases (&name, *name) are not supported");
    return err_hint(b->e, "write the value out at each place; a text that starts with & or * needs quotes");
}

static enum err_code refuse_tag(struct builder *b, yaml_mark_t at)
{
    fail(b, place_of(at), "tags (!name) are not supported");
    return err_hint(b->e, "a text that starts with ! needs quotes");
}

static enum err_code check_marks(struct builder *b, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    }
    if (anchor || event->type == YAML_ALIAS_EVENT)
        return refuse_anchor(b, event->start_mark);
    return tag ? refuse_tag(b, event->start_mark) : ERR_OK;
}

static struct str copy_text(struct builder *b, const yaml_event_t *event)
{
    return arena_copy(b->a, (struct str){ (const char *)event->data.scalar.value, event->data.scalar.length });
}

static enum err_code build(struct builder *b, yaml_event_t *event, int depth, struct node **out);

static enum err_code check_key(struct builder *b, const struct node *map, const yaml_event_t *event)
{
    struct conf_place at = place_of(event->start_mark);
    enum err_code rc = check_marks(b, event);
    if (rc)
        return rc;
    if (event->type != YAML_SCALAR_EVENT)
        return fail(b, at, "a key must be a plain word");
    struct str key = { (const char *)event->data.scalar.value, event->data.scalar.length };
    for (const struct node *n = map->first; n; n = n->next)
        if (str_eq(n->key, key)) {
            fail(b, at, "%s is here a second time: it was set in line %d already", show_text(key).text, n->key_place.line);
            return err_hint(b->e, "remove one of the two");
        }
    return ERR_OK;
}

static enum err_code append(struct builder *b, struct node *parent, struct node ***tail, struct node *kid)
{
    **tail = kid;
    *tail = &kid->next;
    size_t most = parent->kind == NODE_MAP ? CONF_MAX_ENTRIES : b->limits->entries; /* a map's keys are compared each with each */
    if (++parent->n > most)
        return fail(b, kid->place, "more than %zu entries in one place", most);
    return ERR_OK;
}

static enum err_code build_list(struct builder *b, struct node *list, int depth)
{
    struct node **tail = &list->first;
    for (;;) {
        yaml_event_t event;
        enum err_code rc = next_event(b, &event);
        if (rc)
            return rc;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct node *kid = NULL;
        if (!end)
            rc = build(b, &event, depth + 1, &kid);
        yaml_event_delete(&event);
        if (rc || end)
            return rc;
        rc = append(b, list, &tail, kid);
        if (rc)
            return rc;
    }
}

static enum err_code build_pair(struct builder *b, const struct node *map, const yaml_event_t *key, int depth, struct node **out)
{
    enum err_code rc = check_key(b, map, key);
    if (rc)
        return rc;
    struct str name = copy_text(b, key);
    yaml_event_t event;
    rc = next_event(b, &event);
    if (rc)
        return rc;
    rc = build(b, &event, depth + 1, out);
    yaml_event_delete(&event);
    if (rc)
        return rc;
    (*out)->key = name;
    (*out)->key_place = place_of(key->start_mark);
    return ERR_OK;
}

static enum err_code build_map(struct builder *b, struct node *map, int depth)
{
    struct node **tail = &map->first;
    for (;;) {
        yaml_event_t key;
        enum err_code rc = next_event(b, &key);
        if (rc)
            return rc;
        bool end = key.type == YAML_MAPPING_END_EVENT;
        struct node *kid = NULL;
        if (!end)
            rc = build_pair(b, map, &key, depth, &kid);
        yaml_event_delete(&key);
        if (rc || end)
            return rc;
        rc = append(b, map, &tail, kid);
        if (rc)
            return rc;
    }
}

/* The node that starts with this event; the caller deletes the event. */
static enum err_code build(struct builder *b, yaml_event_t *event, int depth, struct node **out)
{
    enum err_code rc = check_marks(b, event);
    if (rc)
        return rc;
    struct conf_place at = place_of(event->start_mark);
    if (depth > b->limits->depth)
        return fail(b, at, "nested more than %d deep", b->limits->depth);
    if (++b->nodes > b->limits->nodes)
        return fail(b, at, "more than %zu values in one file", b->limits->nodes);
    struct node *n = arena_new(b->a, struct node);
    n->place = at;
    if (event->type == YAML_MAPPING_START_EVENT) {
        n->kind = NODE_MAP;
        rc = build_map(b, n, depth);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        n->kind = NODE_LIST;
        rc = build_list(b, n, depth);
    } else {
        n->kind = NODE_SCALAR;
        n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        n->text = copy_text(b, event);
    }
    if (!rc)
        *out = n;
    return rc;
}

/* Stream start, one document or none, stream end. */
static enum err_code build_stream(struct builder *b, struct node **root)
{
    bool had_document = false;
    for (;;) {
        yaml_event_t event;
        enum err_code rc = next_event(b, &event);
        if (rc)
            return rc;
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && had_document)
            rc = fail(b, place_of(event.start_mark), "a second document starts here: a %s is one document", b->limits->what);
        else if (type == YAML_DOCUMENT_START_EVENT)
            had_document = true;
        else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT)
            rc = build(b, &event, 0, root);
        yaml_event_delete(&event);
        if (rc || type == YAML_STREAM_END_EVENT)
            return rc;
    }
}

enum err_code tree_read(struct str name, struct str text, const struct tree_limits *limits, struct arena *a, struct node **root, struct err *e)
{
    struct str rest = str_starts(text, STR("\xEF\xBB\xBF")) ? str_from(text, 3) : text; /* editors on Windows put a mark there */
    struct builder b = { .name = name, .text = rest, .limits = limits, .a = a, .e = e };
    *root = NULL;
    if (text.n > limits->bytes)
        return fail(&b, (struct conf_place){ 0 }, "larger than %zu KiB: this is no %s", limits->bytes / 1024, limits->what);
    size_t valid = text_valid(rest);
    if (valid < rest.n) {
        bool control = (unsigned char)rest.p[valid] < 0x80;
        return fail(&b, place_of_byte(rest, valid), control ? "a control character (byte 0x%02x)" : "not UTF-8 text (byte 0x%02x)",
                    (unsigned)(unsigned char)rest.p[valid]);
    }
    if (!yaml_parser_initialize(&b.yaml))
        die("out of memory while reading YAML");
    yaml_parser_set_encoding(&b.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.yaml, (const unsigned char *)(rest.n ? rest.p : ""), rest.n);
    enum err_code rc = build_stream(&b, root);
    yaml_parser_delete(&b.yaml);
    return rc;
}

enum err_code tree_parse(struct str name, struct str text, struct arena *a, struct node **root, struct err *e)
{
    static const struct tree_limits limits = { "config", NULL, CONF_MAX_BYTES, CONF_MAX_NODES, CONF_MAX_ENTRIES, CONF_MAX_DEPTH };
    return tree_read(name, text, &limits, a, root, e);
}
