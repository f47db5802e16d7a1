/* The way out: values to placeholders. A request is walked like any JSON; a table names the members that are no text of anybody's (ids, names of
 * models and functions, schemas, images), so that a field which nobody here knows is looked at. Only strings with something in them are written
 * anew. */
#include "policy/redact_int.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- values ---- */

struct redaction *redaction_new(void)
{
    struct redaction *r = calloc(1, sizeof *r);
    if (!r)
        die("out of memory for a redaction");
    for (size_t k = 0; k < KINDS; k++)
        r->shelves[k].first = 1;
    random_key(r->key);
    return r;
}

void redaction_free(struct redaction *r)
{
    if (!r)
        return;
    for (size_t k = 0; k < KINDS; k++) {
        struct shelf *s = &r->shelves[k];
        for (size_t i = 0; i < s->n; i++) {
            wipe(s->at[i].p, s->at[i].n);
            free(s->at[i].p);
        }
        free(s->at);
        free(s->slots);
    }
    free(r);
}

size_t redaction_count(const struct redaction *r)
{
    size_t n = 0;
    for (size_t k = 0; k < KINDS; k++)
        n += r->shelves[k].n;
    return n;
}

size_t redaction_room(const struct redaction *r)
{
    enum { ALWAYS = 1 << 20, TIMES = 8 };
    return ALWAYS + TIMES * r->bytes;
}

static uint32_t *slot_of(const struct redaction *r, const struct shelf *s, struct str value)
{
    size_t i = random_hash(value, r->key) & (s->nslots - 1);
    while (s->slots[i] && !str_eq(str_make(s->at[s->slots[i] - 1].p, s->at[s->slots[i] - 1].n), value))
        i = (i + 1) & (s->nslots - 1);
    return &s->slots[i];
}

/* Twice as large as it must be, so that there is always an empty slot. */
static void grow_slots(const struct redaction *r, struct shelf *s)
{
    s->nslots = s->nslots ? 2 * s->nslots : 16;
    free(s->slots);
    s->slots = calloc(s->nslots, sizeof *s->slots);
    if (!s->slots)
        die("out of memory for a redaction");
    for (size_t i = 0; i < s->n; i++)
        *slot_of(r, s, str_make(s->at[i].p, s->at[i].n)) = (uint32_t)i + 1;
}

static void add_value(struct shelf *s, struct str value)
{
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 8;
        struct value *more = realloc(s->at, s->room * sizeof *more);
        if (!more)
            die("out of memory for a redaction");
        s->at = more;
    }
    char *copy = malloc(value.n);
    if (!copy)
        die("out of memory for a redaction");
    memcpy(copy, value.p, value.n);
    s->at[s->n++] = (struct value){ copy, value.n };
}

/* The number of a value's placeholder: the one it has, or the next. */
static size_t number_of(struct redaction *r, size_t kind, struct str value)
{
    struct shelf *s = &r->shelves[kind];
    if (2 * (s->n + 1) > s->nslots)
        grow_slots(r, s);
    uint32_t *slot = slot_of(r, s, value);
    if (!*slot) {
        add_value(s, value);
        r->bytes += value.n;
        *slot = (uint32_t)s->n;
    }
    return s->first + *slot - 1;
}

static size_t kind_of(enum finding f)
{
    size_t k = 0;
    while (!((unsigned)f >> k & 1))
        k++;
    return k;
}

/* ---- what of a request is somebody's text ---- */

enum zone { OUTSIDE, MESSAGES, FREE }; /* the root's members; messages and their parts; anything else */

/* clang-format off */
static const struct {
    enum zone zone;
    const char *name;
} no_texts[] = {
    { OUTSIDE, "model" }, { OUTSIDE, "tools" }, { OUTSIDE, "functions" }, { OUTSIDE, "tool_choice" }, { OUTSIDE, "function_call" },
    { OUTSIDE, "response_format" }, { OUTSIDE, "stream_options" }, { OUTSIDE, "grammar" }, { OUTSIDE, "samplers" }, { OUTSIDE, "lora" },
    { OUTSIDE, "encoding_format" }, { OUTSIDE, "service_tier" }, { OUTSIDE, "modalities" }, { OUTSIDE, "audio" }, { OUTSIDE, "thinking" },
    { OUTSIDE, "reasoning_effort" }, { OUTSIDE, "chat_template_kwargs" },
    { MESSAGES, "role" }, { MESSAGES, "id" }, { MESSAGES, "type" }, { MESSAGES, "name" }, { MESSAGES, "tool_call_id" },
    { MESSAGES, "call_id" }, { MESSAGES, "tool_use_id" }, { MESSAGES, "url" }, { MESSAGES, "image_url" }, { MESSAGES, "data" },
    { MESSAGES, "format" }, { MESSAGES, "detail" }, { MESSAGES, "media_type" }, { MESSAGES, "cache_control" }, { MESSAGES, "signature" },
    { MESSAGES, "file_id" }, { MESSAGES, "file_data" }, { MESSAGES, "encrypted_content" },
};
static const struct {
    enum zone zone;
    const char *name;
    enum zone into;
} doors[] = { /* what is below such a member; else OUTSIDE leads to FREE, and the others to themselves */
    { OUTSIDE,  "messages",  MESSAGES }, { OUTSIDE,  "system", MESSAGES }, { OUTSIDE,  "input", MESSAGES },
    { MESSAGES, "arguments", FREE },     { MESSAGES, "input",  FREE },
};
/* clang-format on */

static bool is_text(enum zone zone, struct str name)
{
    for (size_t i = 0; i < COUNTOF(no_texts); i++)
        if (no_texts[i].zone == zone && str_eq(name, str_of(no_texts[i].name)))
            return false;
    return true;
}

static enum zone behind(enum zone zone, struct str name)
{
    for (size_t i = 0; i < COUNTOF(doors); i++)
        if (doors[i].zone == zone && str_eq(name, str_of(doors[i].name)))
            return doors[i].into;
    return zone == OUTSIDE ? FREE : zone;
}

/* ---- the walk ---- */

struct walk {
    const struct json_doc *d;
    void (*on_text)(struct walk *w, yyjson_val *v, struct str text);
    struct redaction *r;
    struct json_changes changes;
    unsigned seen;              /* enum finding, or-ed */
    struct str name;            /* of the member that the text is the value of, where it may tell what that is */
    struct json_span number;    /* it is a number, and stands there; empty: a string */
};

static void walk_value(struct walk *w, yyjson_val *v, enum zone zone);

/* Of a long text the document may hold only the beginning: it is read again, alone. */
static void walk_cut(struct walk *w, yyjson_val *v)
{
    struct json_span at = json_string_span(w->d, v);
    struct json_doc whole;
    struct err e;
    if (!json_parse(&whole, str_make(w->d->text.p + at.at, at.end - at.at), &e))
        w->on_text(w, v, json_str(whole.root));
    json_free(&whole);
}

static void walk_string(struct walk *w, yyjson_val *v)
{
    if (json_is_cut(w->d, v))
        walk_cut(w, v);
    else
        w->on_text(w, v, json_str(v));
}

/* A tool's arguments are JSON in a string: values in them are found as what they are, not as they are escaped, and what takes their place is
 * escaped twice. */
static void walk_arguments(struct walk *w, yyjson_val *v)
{
    struct json_doc inner;
    struct err e;
    struct walk in = { .d = &inner, .on_text = w->on_text, .r = w->r }; /* names and numbers anew */
    if (json_is_cut(w->d, v) || json_parse(&inner, json_str(v), &e)) {
        walk_string(w, v);
        return;
    }
    walk_value(&in, inner.root, FREE);
    w->seen |= in.seen;
    if (in.changes.n) {
        struct buf text = { 0 };
        json_changes_write(&in.changes, inner.text, &text);
        struct json_out o = json_out(json_changes_begin(&w->changes, json_string_span(w->d, v)));
        json_string(&o, buf_str(&text));
        buf_free(&text);
    }
    json_changes_free(&in.changes);
    json_free(&inner);
}

/* A card, or what a name says is a telephone number, may be written without quotes; its placeholder has them. */
static void walk_number(struct walk *w, yyjson_val *key, yyjson_val *v)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)yyjson_get_uint(v));
    struct str text = w->d->text;
    size_t at = json_string_span(w->d, key).end;
    while (at < text.n && text.p[at] != '-' && (text.p[at] < '0' || text.p[at] > '9')) /* blanks, the colon */
        at++;
    w->number = (struct json_span){ at, json_skip_value(text, at) };
    w->on_text(w, v, str_make(digits, (size_t)n));
    w->number = (struct json_span){ 0, 0 };
}

enum { LEAST_DIGITS = 1000000 }; /* a number of seven, and more, may be somebody's */

/* A member of what is anybody's own: its name may be personal data itself, or say what its value is. */
static void walk_member(struct walk *w, yyjson_val *key, yyjson_val *v)
{
    w->name = (struct str){ NULL, 0 };
    walk_string(w, key);
    w->name = json_str(key);
    if (yyjson_is_uint(v) && yyjson_get_uint(v) >= LEAST_DIGITS)
        walk_number(w, key, v);
    else
        walk_value(w, v, FREE);
    w->name = (struct str){ NULL, 0 };
}

static void walk_value(struct walk *w, yyjson_val *v, enum zone zone)
{
    size_t i, n;
    yyjson_val *key, *item;
    if (yyjson_is_str(v))
        walk_string(w, v);
    yyjson_arr_foreach(v, i, n, item) walk_value(w, item, zone);
    yyjson_obj_foreach(v, i, n, key, item) {
        struct str name = json_str(key);
        if (!is_text(zone, name))
            continue;
        if (zone == MESSAGES && yyjson_is_str(item) && str_eq(name, STR("arguments")))
            walk_arguments(w, item);
        else if (zone == FREE)
            walk_member(w, key, item);
        else
            walk_value(w, item, behind(zone, name));
    }
}

/* ---- what is done with each text ---- */

static bool next_of(const struct walk *w, struct str text, size_t *at, struct found *f)
{
    if (!*at && detect_named(w->name, text, f)) {
        *at = text.n;
        return true;
    }
    return detect_next(text, at, f);
}

static void look_for_any(struct walk *w, yyjson_val *v, struct str text)
{
    enum { ALL = (1 << KINDS) - 1 };
    struct found f;
    for (size_t at = 0; w->seen != ALL && next_of(w, text, &at, &f);)
        w->seen |= (unsigned)f.what;
}

/* What looks like a placeholder is the prompt's own: ours begin behind it. */
static void note_lookalikes(struct walk *w, yyjson_val *v, struct str text)
{
    size_t kind, number;
    for (size_t at = 0; at < text.n; at++) {
        const char *open = memchr(text.p + at, '[', text.n - at);
        if (!open)
            break;
        at = (size_t)(open - text.p);
        const char *close = memchr(open, ']', text.n - at < MAX_PLACEHOLDER ? text.n - at : MAX_PLACEHOLDER);
        bool like = close && redact_read(str_make(open, (size_t)(close - open) + 1), &kind, &number) == READS_WHOLE;
        if (like && number >= w->r->shelves[kind].first && number < MAX_FIRST)
            w->r->shelves[kind].first = number + 1;
    }
}

static void collect(struct walk *w, yyjson_val *v, struct str text)
{
    struct found f;
    for (size_t at = 0; next_of(w, text, &at, &f);)
        number_of(w->r, kind_of(f.what), str_make(text.p + f.at, f.n));
}

/* ---- values that are known from elsewhere ---- */

/* A password is found by its name, a plain number by the word before it: where they stand alone nothing gives them away but that they are known.
 * So these two kinds are looked for as they are; of very many, the first. */
enum { KNOWN_OF_A_KIND = 64, KNOWN = 2 * KNOWN_OF_A_KIND, KNOWN_MIN_BYTES = 6 };

static const enum finding known_kinds[] = { FOUND_SECRET, FOUND_PHONE };

static struct str known_value(const struct redaction *r, size_t i)
{
    const struct shelf *s = &r->shelves[kind_of(known_kinds[i / KNOWN_OF_A_KIND])];
    size_t place = i % KNOWN_OF_A_KIND;
    return place < s->n && s->at[place].n >= KNOWN_MIN_BYTES ? str_make(s->at[place].p, s->at[place].n) : (struct str){ NULL, 0 };
}

static size_t head_of(const char *p)
{
    uint32_t head;
    memcpy(&head, p, sizeof head);
    return head * 0x9E3779B1U >> 16;
}

static void learn_heads(struct redaction *r)
{
    for (size_t i = 0; i < KNOWN; i++) {
        struct str value = known_value(r, i);
        if (value.n)
            r->heads[head_of(value.p)] = true;
    }
}

/* The first known value in the text from *at on, which becomes its place; KNOWN = there is none. */
static size_t find_known(const struct redaction *r, struct str text, size_t *at)
{
    for (; *at + KNOWN_MIN_BYTES <= text.n; ++*at) {
        if (!r->heads[head_of(text.p + *at)])
            continue;
        for (size_t i = 0; i < KNOWN; i++) {
            struct str value = known_value(r, i);
            if (value.n && str_starts(str_from(text, *at), value))
                return i;
        }
    }
    return KNOWN;
}

static bool has_known(const struct redaction *r, struct str text)
{
    size_t at = 0;
    return find_known(r, text, &at) < KNOWN;
}

static void put_placeholder(struct redaction *r, enum finding what, struct str value, struct buf *to)
{
    size_t kind = kind_of(what);
    buf_printf(to, "[%s_%zu]", redact_names[kind].p, number_of(r, kind, value));
}

/* What stands between findings, in one pass. */
static void put_between(struct redaction *r, struct str text, struct buf *to)
{
    size_t at = 0, done = 0;
    for (size_t i; (i = find_known(r, text, &at)) < KNOWN; done = at) {
        struct str value = known_value(r, i);
        json_escape(to, str_make(text.p + done, at - done));
        put_placeholder(r, known_kinds[i / KNOWN_OF_A_KIND], value, to);
        at += value.n;
    }
    json_escape(to, str_from(text, done));
}

static void replace(struct walk *w, yyjson_val *v, struct str text)
{
    struct found f;
    size_t at = 0, done = 0;
    bool found = next_of(w, text, &at, &f);
    if (!found && !has_known(w->r, text))
        return;
    struct buf *to = json_changes_begin(&w->changes, w->number.end ? w->number : json_string_span(w->d, v));
    buf_add_char(to, '"');
    for (; found; found = next_of(w, text, &at, &f)) {
        put_between(w->r, str_make(text.p + done, f.at - done), to);
        put_placeholder(w->r, f.what, str_make(text.p + f.at, f.n), to);
        done = at;
    }
    put_between(w->r, str_from(text, done), to);
    buf_add_char(to, '"');
}

unsigned redact_findings(const struct json_doc *d)
{
    struct walk w = { .d = d, .on_text = look_for_any };
    walk_value(&w, d->root, OUTSIDE);
    return w.seen;
}

void redact_request(struct redaction *r, const struct json_doc *d, struct buf *out)
{
    struct walk w = { .d = d, .on_text = note_lookalikes, .r = r };
    walk_value(&w, d->root, OUTSIDE);
    w.on_text = collect;
    walk_value(&w, d->root, OUTSIDE);
    learn_heads(r);
    w.on_text = replace;
    walk_value(&w, d->root, OUTSIDE);
    json_changes_write(&w.changes, d->text, out);
    json_changes_free(&w.changes);
}
