/* A node against a value, and the assertions that look at the value alone.
 *
 * A fault is noted, not put into words: most are forgotten again, under anyOf. Values of a document stand in its text's order, so of two faults the
 * one with the lower address comes first in the text; and when one is known, nothing behind it needs to be looked at. */
#include "json/schema_int.h"

#include "json/schema_equal.h"
#include "json/schema_format.h"
#include "json/schema_pattern.h"
#include "json/schema_say.h"

#include <stdlib.h>

enum { MAX_CALLS = 2048 }; /* of check_node() inside each other: a circle that only $dynamicRef closes ends here */

/* ---- what has been spoken about ---- */

void seen_init(struct seen *s, yyjson_val *of)
{
    s->n = unsafe_yyjson_get_len(of);
    s->word = 0;
    s->bits = &s->word;
    if (s->n > 64) {
        s->bits = calloc((s->n + 63) / 64, sizeof *s->bits);
        if (!s->bits)
            die("out of memory: %zu bits", s->n);
    }
}

void seen_free(struct seen *s)
{
    if (s->bits != &s->word)
        free(s->bits);
}

void seen_add(struct seen *s, size_t i)
{
    if (s)
        s->bits[i / 64] |= (uint64_t)1 << (i % 64);
}

bool seen_has(const struct seen *s, size_t i)
{
    return s->bits[i / 64] >> (i % 64) & 1;
}

void seen_merge(struct seen *to, const struct seen *from)
{
    for (size_t i = 0; i < (to->n + 63) / 64; i++)
        to->bits[i] |= from->bits[i];
}

/* ---- faults ---- */

bool check_fault_name(struct run *r, struct found *out, const struct node *n, enum word word, yyjson_val *at, yyjson_val *name, yyjson_val *because)
{
    if (out && !r->given_up && (!out->at || at < out->at))
        *out = (struct found){ .at = at, .node = n, .word = word, .level = r->level, .name = name, .because = because };
    return false;
}

bool check_fault_count(struct run *r, struct found *out, const struct node *n, enum word word, yyjson_val *at, uint64_t count)
{
    if (out && !r->given_up && (!out->at || at < out->at))
        *out = (struct found){ .at = at, .node = n, .word = word, .level = r->level, .count = count };
    return false;
}

bool check_fault(struct run *r, struct found *out, const struct node *n, enum word word, yyjson_val *at)
{
    return check_fault_count(r, out, n, word, at, 0);
}

bool check_spend(struct run *r, size_t steps)
{
    r->steps -= steps > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)steps;
    if (r->steps < 0)
        r->given_up = true;
    return !r->given_up;
}

uint8_t check_type(yyjson_val *v)
{
    switch (unsafe_yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL:
        return TYPE_NULL;
    case YYJSON_TYPE_BOOL:
        return TYPE_BOOL;
    case YYJSON_TYPE_NUM:
        return number_is_whole(v) ? TYPE_INTEGER : TYPE_FRACTION;
    case YYJSON_TYPE_ARR:
        return TYPE_ARRAY;
    case YYJSON_TYPE_OBJ:
        return TYPE_OBJECT;
    default:
        return TYPE_STRING;
    }
}

/* ---- a node ---- */

/* What no one has spoken about is only known when all else fits. */
static bool needs_all(enum word w)
{
    return w == WORD_UNEVALUATED_ITEMS || w == WORD_UNEVALUATED_PROPERTIES;
}

static bool check_rules(struct run *r, const struct node *n, uint8_t type, yyjson_val *v, struct seen *seen, struct found *out)
{
    bool ok = true;
    for (size_t i = 0; i < n->n; i++) {
        const struct rule *rule = &n->rules[i];
        if (!(rule->kind->types & type))
            continue;
        if (!ok && (!out || r->given_up || out->at <= v || needs_all(rule->kind->word)))
            return false;
        ok &= rule->kind->check(r, n, rule, v, seen, out);
    }
    return ok;
}

static bool check_within(struct run *r, const struct node *n, yyjson_val *v, struct seen *seen, struct found *out)
{
    uint8_t type = check_type(v);
    if (n->never)
        return check_fault(r, out, n, WORD_NONE, v);
    if (!(n->types & type))
        return check_fault(r, out, n, WORD_TYPE, v);
    if (!n->unevaluated || !(type & (TYPE_ARRAY | TYPE_OBJECT)))
        return check_rules(r, n, type, v, seen, out);
    struct seen own; /* what stands beside this node's own unevaluated…: not what those around it have spoken about */
    seen_init(&own, v);
    bool ok = check_spend(r, own.n / 64) && check_rules(r, n, type, v, &own, out);
    if (ok && seen)
        seen_merge(seen, &own);
    seen_free(&own);
    return ok;
}

bool check_node(struct run *r, const struct node *n, yyjson_val *v, struct seen *seen, struct found *out)
{
    struct scope here = { r->scope, n->in };
    const struct scope *before = r->scope;
    if (!check_spend(r, 1))
        return false;
    if (out && out->at && out->at <= v) /* it has failed before here already; what is wrong here does not matter any more */
        return true;
    if (r->depth >= MAX_CALLS) {
        r->given_up = true;
        return false;
    }
    if (!before || before->in != n->in)
        r->scope = &here;
    r->depth++;
    bool ok = check_within(r, n, v, seen, out);
    r->depth--;
    r->scope = before;
    return ok && !r->given_up;
}

/* ---- assertions ---- */

static bool same(struct run *r, yyjson_val *a, yyjson_val *b)
{
    bool equal = value_equal(a, b, &r->steps);
    return check_spend(r, 0) && equal;
}

bool assert_enum(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    size_t i, count;
    yyjson_val *one;
    yyjson_arr_foreach(rule->value, i, count, one)
        if (same(r, one, v))
            return true;
    return check_fault(r, out, n, WORD_ENUM, v);
}

bool assert_const(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return same(r, rule->value, v) ? true : check_fault(r, out, n, WORD_CONST, v);
}

bool assert_multiple_of(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    bool plain = !unsafe_yyjson_is_real(v) && !unsafe_yyjson_is_real(rule->value);
    if (!plain && !check_spend(r, 100)) /* their digits are printed */
        return false;
    return number_is_multiple(v, rule->value) ? true : check_fault(r, out, n, WORD_MULTIPLE_OF, v);
}

bool assert_minimum(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return number_compare(v, rule->value) >= 0 ? true : check_fault(r, out, n, WORD_MINIMUM, v);
}

bool assert_exclusive_minimum(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return number_compare(v, rule->value) > 0 ? true : check_fault(r, out, n, WORD_EXCLUSIVE_MINIMUM, v);
}

bool assert_maximum(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return number_compare(v, rule->value) <= 0 ? true : check_fault(r, out, n, WORD_MAXIMUM, v);
}

bool assert_exclusive_maximum(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return number_compare(v, rule->value) < 0 ? true : check_fault(r, out, n, WORD_EXCLUSIVE_MAXIMUM, v);
}

/* A code point has one to four bytes: often that is all one needs to know. */
bool assert_min_length(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    size_t bytes = unsafe_yyjson_get_len(v);
    if (bytes / 4 >= rule->count)
        return true;
    if (!check_spend(r, bytes / 64))
        return false;
    size_t length = say_length(json_str(v));
    return length >= rule->count ? true : check_fault_count(r, out, n, WORD_MIN_LENGTH, v, length);
}

bool assert_max_length(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    size_t bytes = unsafe_yyjson_get_len(v);
    if (bytes <= rule->count)
        return true;
    if (!check_spend(r, bytes / 64))
        return false;
    size_t length = say_length(json_str(v));
    return length <= rule->count ? true : check_fault_count(r, out, n, WORD_MAX_LENGTH, v, length);
}

bool assert_pattern(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return pattern_matches(r, rule->pattern, json_str(v)) ? true : check_fault(r, out, n, WORD_PATTERN, v);
}

bool assert_format(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    if (!check_spend(r, unsafe_yyjson_get_len(v) / 16))
        return false;
    return format_fits(rule->format, json_str(v)) ? true : check_fault(r, out, n, WORD_FORMAT, v);
}

/* minItems, maxItems, minProperties, maxProperties */
static bool at_least(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct found *out)
{
    size_t count = unsafe_yyjson_get_len(v);
    return count >= rule->count ? true : check_fault_count(r, out, n, rule->kind->word, v, count);
}

static bool at_most(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct found *out)
{
    size_t count = unsafe_yyjson_get_len(v);
    return count <= rule->count ? true : check_fault_count(r, out, n, rule->kind->word, v, count);
}

bool assert_min_items(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return at_least(r, n, rule, v, out);
}

bool assert_max_items(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return at_most(r, n, rule, v, out);
}

bool assert_min_properties(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return at_least(r, n, rule, v, out);
}

bool assert_max_properties(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return at_most(r, n, rule, v, out);
}

bool assert_unique_items(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    size_t first = 0, second = 0;
    bool twins = value_find_twins(v, &r->steps, &first, &second);
    if (!check_spend(r, 0))
        return false;
    return !twins ? true : check_fault_count(r, out, n, WORD_UNIQUE_ITEMS, yyjson_arr_get(v, second), first);
}

/* ---- the whole ---- */

bool schema_check(const struct schema *s, yyjson_val *value, struct schema_fault *first)
{
    struct run r = { .s = s, .steps = s->steps };
    struct found found = { 0 };
    bool ok = value && check_node(&r, s->root, value, NULL, first ? &found : NULL);
    if (!ok && first)
        say_fault(&r, value, &found, first);
    pattern_run_free(r.patterns);
    return ok;
}
