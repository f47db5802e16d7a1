/* A fault as a sentence. Who reads it is a caller, or a model that is to do better: so it says what is expected and what is there, and nothing of
 * how schemas work. */
#include "json/schema_say.h"

#include "json/schema_quote.h"

#include <stdio.h>

static void add_found(struct buf *out, const struct found *f)
{
    buf_lit(out, ", is ");
    quote_value(out, f->at);
}

static void say_types(struct buf *out, const struct found *f)
{
    struct row w = { 0 };
    buf_lit(out, "must be ");
    row_add_types(&w, f->node->types);
    row_end(&w, out);
    add_found(out, f);
}

static void say_one_of(struct buf *out, const struct found *f, yyjson_val *list)
{
    struct row w = { 0 };
    if (!quote_is_flat(list)) {
        buf_printf(out, "must equal one of the %zu values that are allowed", yyjson_arr_size(list));
    } else if (yyjson_arr_size(list) == 0) {
        buf_lit(out, "cannot be met: the schema allows no value at all");
    } else {
        buf_add(out, yyjson_arr_size(list) == 1 ? STR("must be ") : STR("must be one of "));
        row_add_values(&w, list);
        row_end(&w, out);
    }
    add_found(out, f);
}

static void say_const(struct buf *out, const struct found *f)
{
    buf_lit(out, "must be ");
    quote_value(out, word_arg(f->node, WORD_CONST));
    if (unsafe_yyjson_is_ctn(f->at) && unsafe_yyjson_get_type(f->at) == yyjson_get_type(word_arg(f->node, WORD_CONST)))
        buf_lit(out, " that equals the schema's, is another");
    else
        add_found(out, f);
}

static void say_limit(struct buf *out, const struct found *f)
{
    static const struct {
        enum word word, old; /* old: whose value it is where the word's is just true */
        const char *said;
    } limits[] = {
        { WORD_MINIMUM, WORD_MINIMUM, "at least " },
        { WORD_EXCLUSIVE_MINIMUM, WORD_MINIMUM, "more than " },
        { WORD_MAXIMUM, WORD_MAXIMUM, "at most " },
        { WORD_EXCLUSIVE_MAXIMUM, WORD_MAXIMUM, "less than " },
        { WORD_MULTIPLE_OF, WORD_MULTIPLE_OF, "a multiple of " },
    };
    for (size_t i = 0; i < COUNTOF(limits); i++) {
        if (limits[i].word != f->word)
            continue;
        yyjson_val *arg = word_arg(f->node, f->word);
        buf_printf(out, "must be %s", limits[i].said);
        quote_value(out, yyjson_is_num(arg) ? arg : word_arg(f->node, limits[i].old));
        add_found(out, f);
    }
}

static void say_size(struct buf *out, const struct found *f)
{
    static const struct {
        enum word word;
        const char *said, *one, *many;
    } sizes[] = {
        { WORD_MIN_LENGTH, "at least", "character", "characters" },
        { WORD_MAX_LENGTH, "at most", "character", "characters" },
        { WORD_MIN_ITEMS, "at least", "item", "items" },
        { WORD_MAX_ITEMS, "at most", "item", "items" },
        { WORD_MIN_PROPERTIES, "at least", "property", "properties" },
        { WORD_MAX_PROPERTIES, "at most", "property", "properties" },
        { WORD_MIN_CONTAINS, "at least", "item that 'contains' asks for", "items that 'contains' asks for" },
        { WORD_MAX_CONTAINS, "at most", "item that 'contains' asks for", "items that 'contains' asks for" },
    };
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        if (sizes[i].word != f->word)
            continue;
        double limit = yyjson_get_num(word_arg(f->node, f->word));
        buf_printf(out, "must have %s %.0f %s, has %llu", sizes[i].said, limit, limit == 1 ? sizes[i].one : sizes[i].many, (unsigned long long)f->count);
    }
}

static void say_missing(struct buf *out, const struct found *f)
{
    buf_lit(out, "must have the property ");
    quote_text(out, json_str(f->name));
    if (f->because) {
        buf_lit(out, ", since it has ");
        quote_text(out, json_str(f->because));
    }
}

/* Names it might have been meant by. */
static void say_extra(struct buf *out, const struct found *f)
{
    struct row w = { 0 };
    yyjson_val *known = f->word == WORD_ADDITIONAL_PROPERTIES ? word_arg(f->node, WORD_PROPERTIES) : NULL, *key;
    yyjson_obj_iter it;
    buf_lit(out, "must not be there: the schema knows no property of this name");
    if (!known || !yyjson_obj_size(known) || word_arg(f->node, WORD_PATTERN_PROPERTIES))
        return;
    buf_lit(out, ", just ");
    yyjson_obj_iter_init(known, &it);
    while ((key = yyjson_obj_iter_next(&it)) && !w.full)
        row_add_value(&w, key);
    row_end(&w, out);
}

static void say_item(struct buf *out, const struct found *f)
{
    buf_lit(out, "must not be there: the schema allows no further item");
}

static void say_never(struct buf *out, const struct found *f)
{
    buf_lit(out, "must not be there: the schema allows no value here");
}

static void say_pattern(struct buf *out, const struct found *f)
{
    buf_lit(out, "must match the pattern ");
    quote_text(out, json_str(word_arg(f->node, WORD_PATTERN)));
    add_found(out, f);
}

static void say_format(struct buf *out, const struct found *f)
{
    struct str name = json_str(word_arg(f->node, WORD_FORMAT));
    buf_printf(out, "must be a string of the format %.*s", STR_ARG(name));
    add_found(out, f);
}

static void say_unique(struct buf *out, const struct found *f)
{
    buf_printf(out, "must differ from all items before it, equals item %llu: ", (unsigned long long)f->count);
    quote_value(out, f->at);
}

static void say_contains(struct buf *out, const struct found *f)
{
    buf_lit(out, "must have an item that 'contains' asks for, has none");
}

/* The usual ones by what they forbid. */
static void say_not(struct buf *out, const struct found *f)
{
    yyjson_val *arg = word_arg(f->node, WORD_NOT), *only = yyjson_obj_size(arg) == 1 ? unsafe_yyjson_get_first(arg) : NULL;
    enum word w = only ? word_find(json_name(only)) : WORD_COUNT;
    struct row row = { 0 };
    if (w == WORD_TYPE && yyjson_is_str(only + 1))
        row_add_types(&row, say_type_named(json_str(only + 1)));
    else if (w == WORD_CONST)
        row_add_value(&row, only + 1);
    else if (w == WORD_ENUM && quote_is_flat(only + 1))
        row_add_values(&row, only + 1);
    buf_add(out, row.n ? STR("must not be ") : STR("must not fit the schema under 'not', and does"));
    row_end(&row, out);
}

static void say_name(struct buf *out, const struct found *f)
{
    buf_lit(out, "must not be there: the schema allows no properties");
}

/* What alternatives ask for that all want another value or type than there is, there being one place they look at. */
struct wants {
    struct row values;
    uint8_t types;
};

static const struct nodes *alternatives(const struct found *f)
{
    for (size_t i = 0; i < f->node->n; i++)
        if (f->node->rules[i].kind->word == f->word)
            return &f->node->rules[i].nodes;
    die("a fault of alternatives where there are none");
}

static void gather(struct run *r, const struct found *f, yyjson_val *at, struct wants *w)
{
    if (f->at != at)
        return;
    if (f->word == WORD_TYPE)
        w->types |= f->node->types;
    else if (f->word == WORD_CONST)
        row_add_value(&w->values, word_arg(f->node, WORD_CONST));
    else if (f->word == WORD_ENUM)
        row_add_values(&w->values, word_arg(f->node, WORD_ENUM));
    if (!f->choice_of)
        return;
    const struct nodes *all = alternatives(f);
    for (size_t i = 0; i < all->n; i++) { /* which place each fails at was forgotten: once more, for this one fault */
        struct found one = { 0 };
        if (!apply_alternative(r, all->p[i], f->choice_of, NULL, &one) && one.at)
            gather(r, &one, at, w);
    }
}

static void say_alternatives(struct run *r, struct buf *out, const struct found *f)
{
    struct wants w = { 0 };
    gather(r, f, f->at, &w);
    row_add_types(&w.values, w.types);
    if (w.values.n) {
        buf_lit(out, "must be ");
        row_end(&w.values, out);
        add_found(out, f);
    } else {
        row_end(&w.values, out);
        buf_printf(out, "must fit one of the schemas under '%.*s', fits none", STR_ARG(word_name(f->word)));
    }
}

static void say_both(struct buf *out, const struct found *f)
{
    buf_printf(out, "must fit exactly one of the schemas under 'oneOf', fits those at %u and %u", (unsigned)(f->count >> 32) - 1, (unsigned)f->count - 1);
}

static void say_enum(struct buf *out, const struct found *f)
{
    say_one_of(out, f, word_arg(f->node, WORD_ENUM));
}

static const struct {
    enum word word;
    void (*say)(struct buf *out, const struct found *f);
} sayings[] = {
    { WORD_NONE, say_never },
    { WORD_TYPE, say_types },
    { WORD_ENUM, say_enum },
    { WORD_CONST, say_const },
    { WORD_MULTIPLE_OF, say_limit },
    { WORD_MINIMUM, say_limit },
    { WORD_EXCLUSIVE_MINIMUM, say_limit },
    { WORD_MAXIMUM, say_limit },
    { WORD_EXCLUSIVE_MAXIMUM, say_limit },
    { WORD_MIN_LENGTH, say_size },
    { WORD_MAX_LENGTH, say_size },
    { WORD_MIN_ITEMS, say_size },
    { WORD_MAX_ITEMS, say_size },
    { WORD_MIN_PROPERTIES, say_size },
    { WORD_MAX_PROPERTIES, say_size },
    { WORD_MIN_CONTAINS, say_size },
    { WORD_MAX_CONTAINS, say_size },
    { WORD_CONTAINS, say_contains },
    { WORD_FORMAT, say_format },
    { WORD_PATTERN, say_pattern },
    { WORD_REQUIRED, say_missing },
    { WORD_DEPENDENT_REQUIRED, say_missing },
    { WORD_ADDITIONAL_PROPERTIES, say_extra },
    { WORD_UNEVALUATED_PROPERTIES, say_extra },
    { WORD_PROPERTY_NAMES, say_name },
    { WORD_ITEMS, say_item },
    { WORD_ADDITIONAL_ITEMS, say_item },
    { WORD_UNEVALUATED_ITEMS, say_item },
    { WORD_UNIQUE_ITEMS, say_unique },
    { WORD_NOT, say_not },
    { WORD_ONE_OF, say_both },
};

static void say(struct run *r, struct buf *out, const struct found *f)
{
    if (f->choice_of) {
        say_alternatives(r, out, f);
        return;
    }
    for (size_t i = 0; i < COUNTOF(sayings); i++)
        if (sayings[i].word == f->word) {
            sayings[i].say(out, f);
            return;
        }
    die("no words for a fault of '%.*s'", STR_ARG(word_name(f->word)));
}

/* Whether `at` is a member's name: then the sentence must say so. */
static bool is_key(yyjson_val *root, yyjson_val *at)
{
    yyjson_val *v = root;
    struct buf forget = { 0 };
    while (v && v != at && v < at)
        v = quote_part_with(v, at, &forget);
    buf_free(&forget);
    return v && v > at;
}

static void copy_text(char *to, size_t room, struct str from)
{
    bool whole = from.n < room;
    from = say_cut(from, whole ? room - 1 : room - 4);
    if (from.n)
        memcpy(to, from.p, from.n);
    memcpy(to + from.n, whole ? "" : "...", whole ? 1 : 4);
}

static void say_given_up(const struct run *r, struct schema_fault *to)
{
    to->undecided = true;
    snprintf(to->text, sizeof to->text, r->pattern_gave_up ? "cannot be checked: a pattern of the schema takes too long"
        : r->steps < 0 ? "cannot be checked: it takes more than %lld steps" : "cannot be checked: the schema leads on without end", (long long)r->s->steps);
}

void say_fault(struct run *r, yyjson_val *root, const struct found *f, struct schema_fault *to)
{
    struct buf path = { 0 }, text = { 0 };
    *to = (struct schema_fault){ 0 };
    if (r->given_up || !f->at) {
        say_given_up(r, to);
        return;
    }
    struct run again = { .s = r->s, .steps = r->s->steps, .patterns = r->patterns };
    say_path(root, f->at, sizeof to->at - 1, &path);
    copy_text(to->at, sizeof to->at, buf_str(&path));
    copy_text(to->keyword, sizeof to->keyword, word_name(f->word));
    if (is_key(root, f->at) && f->word != WORD_PROPERTY_NAMES) {
        buf_lit(&text, "has a name that ");
    }
    say(&again, &text, f);
    copy_text(to->text, sizeof to->text, buf_str(&text));
    r->patterns = again.patterns;
    buf_free(&path);
    buf_free(&text);
}

void schema_fault_write(const struct schema_fault *f, struct buf *to)
{
    buf_add(to, f->at[0] ? str_of(f->at) : STR("the value"));
    buf_printf(to, "%s%s", f->at[0] ? ": " : " ", f->text);
}
