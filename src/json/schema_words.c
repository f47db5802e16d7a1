/* The keywords: what each takes, and which rules are made of those that are there. Two tables; the second is in the order of checking: cheap
 * assertions about the value itself, then its parts, then other schemas for the same value, and last what no one has spoken about. */
#include "json/schema_make.h"

#include "json/schema_equal.h"
#include "json/schema_refs.h"
#include "json/schema_say.h"

enum takes { ANYTHING, SCHEMA, SCHEMAS, SCHEMA_OR_LIST, MAP, COUNT, NUMBER, NUMBER_OR_BOOL, POSITIVE, BOOL, STRING, NAMES, LIST, TYPES, OBJECT };

static const struct {
    struct str name;
    enum takes takes;
} words[WORD_COUNT] = {
    [WORD_ANCHOR] = { STR("$anchor"), STRING },
    [WORD_DEFS] = { STR("$defs"), MAP },
    [WORD_DYNAMIC_ANCHOR] = { STR("$dynamicAnchor"), STRING },
    [WORD_DYNAMIC_REF] = { STR("$dynamicRef"), STRING },
    [WORD_ID] = { STR("$id"), STRING },
    [WORD_RECURSIVE_ANCHOR] = { STR("$recursiveAnchor"), BOOL },
    [WORD_RECURSIVE_REF] = { STR("$recursiveRef"), STRING },
    [WORD_REF] = { STR("$ref"), STRING },
    [WORD_ADDITIONAL_ITEMS] = { STR("additionalItems"), SCHEMA },
    [WORD_ADDITIONAL_PROPERTIES] = { STR("additionalProperties"), SCHEMA },
    [WORD_ALL_OF] = { STR("allOf"), SCHEMAS },
    [WORD_ANY_OF] = { STR("anyOf"), SCHEMAS },
    [WORD_CONST] = { STR("const"), ANYTHING },
    [WORD_CONTAINS] = { STR("contains"), SCHEMA },
    [WORD_DEFINITIONS] = { STR("definitions"), MAP },
    [WORD_DEPENDENCIES] = { STR("dependencies"), OBJECT },
    [WORD_DEPENDENT_REQUIRED] = { STR("dependentRequired"), OBJECT },
    [WORD_DEPENDENT_SCHEMAS] = { STR("dependentSchemas"), MAP },
    [WORD_ELSE] = { STR("else"), SCHEMA },
    [WORD_ENUM] = { STR("enum"), LIST },
    [WORD_EXCLUSIVE_MAXIMUM] = { STR("exclusiveMaximum"), NUMBER_OR_BOOL },
    [WORD_EXCLUSIVE_MINIMUM] = { STR("exclusiveMinimum"), NUMBER_OR_BOOL },
    [WORD_FORMAT] = { STR("format"), STRING },
    [WORD_IF] = { STR("if"), SCHEMA },
    [WORD_ITEMS] = { STR("items"), SCHEMA_OR_LIST },
    [WORD_MAX_CONTAINS] = { STR("maxContains"), COUNT },
    [WORD_MAX_ITEMS] = { STR("maxItems"), COUNT },
    [WORD_MAX_LENGTH] = { STR("maxLength"), COUNT },
    [WORD_MAX_PROPERTIES] = { STR("maxProperties"), COUNT },
    [WORD_MAXIMUM] = { STR("maximum"), NUMBER },
    [WORD_MIN_CONTAINS] = { STR("minContains"), COUNT },
    [WORD_MIN_ITEMS] = { STR("minItems"), COUNT },
    [WORD_MIN_LENGTH] = { STR("minLength"), COUNT },
    [WORD_MIN_PROPERTIES] = { STR("minProperties"), COUNT },
    [WORD_MINIMUM] = { STR("minimum"), NUMBER },
    [WORD_MULTIPLE_OF] = { STR("multipleOf"), POSITIVE },
    [WORD_NOT] = { STR("not"), SCHEMA },
    [WORD_ONE_OF] = { STR("oneOf"), SCHEMAS },
    [WORD_PATTERN] = { STR("pattern"), STRING },
    [WORD_PATTERN_PROPERTIES] = { STR("patternProperties"), MAP },
    [WORD_PREFIX_ITEMS] = { STR("prefixItems"), SCHEMAS },
    [WORD_PROPERTIES] = { STR("properties"), MAP },
    [WORD_PROPERTY_NAMES] = { STR("propertyNames"), SCHEMA },
    [WORD_REQUIRED] = { STR("required"), NAMES },
    [WORD_THEN] = { STR("then"), SCHEMA },
    [WORD_TYPE] = { STR("type"), TYPES },
    [WORD_UNEVALUATED_ITEMS] = { STR("unevaluatedItems"), SCHEMA },
    [WORD_UNEVALUATED_PROPERTIES] = { STR("unevaluatedProperties"), SCHEMA },
    [WORD_UNIQUE_ITEMS] = { STR("uniqueItems"), BOOL },
};

#define BIT(w) ((uint64_t)1 << (w))

static const struct rule_kind kinds[] = {
    { BIT(WORD_ENUM), WORD_ENUM, TYPE_ANY, assert_enum, make_value },
    { BIT(WORD_CONST), WORD_CONST, TYPE_ANY, assert_const, make_value },
    { BIT(WORD_MULTIPLE_OF), WORD_MULTIPLE_OF, TYPE_NUMBER, assert_multiple_of, make_value },
    { BIT(WORD_MINIMUM), WORD_MINIMUM, TYPE_NUMBER, assert_minimum, make_value },
    { BIT(WORD_EXCLUSIVE_MINIMUM), WORD_EXCLUSIVE_MINIMUM, TYPE_NUMBER, assert_exclusive_minimum, make_exclusive },
    { BIT(WORD_MAXIMUM), WORD_MAXIMUM, TYPE_NUMBER, assert_maximum, make_value },
    { BIT(WORD_EXCLUSIVE_MAXIMUM), WORD_EXCLUSIVE_MAXIMUM, TYPE_NUMBER, assert_exclusive_maximum, make_exclusive },
    { BIT(WORD_MIN_LENGTH), WORD_MIN_LENGTH, TYPE_STRING, assert_min_length, make_count },
    { BIT(WORD_MAX_LENGTH), WORD_MAX_LENGTH, TYPE_STRING, assert_max_length, make_count },
    { BIT(WORD_FORMAT), WORD_FORMAT, TYPE_STRING, assert_format, make_format },
    { BIT(WORD_PATTERN), WORD_PATTERN, TYPE_STRING, assert_pattern, make_pattern },
    { BIT(WORD_MIN_ITEMS), WORD_MIN_ITEMS, TYPE_ARRAY, assert_min_items, make_count },
    { BIT(WORD_MAX_ITEMS), WORD_MAX_ITEMS, TYPE_ARRAY, assert_max_items, make_count },
    { BIT(WORD_MIN_PROPERTIES), WORD_MIN_PROPERTIES, TYPE_OBJECT, assert_min_properties, make_count },
    { BIT(WORD_MAX_PROPERTIES), WORD_MAX_PROPERTIES, TYPE_OBJECT, assert_max_properties, make_count },
    { BIT(WORD_REQUIRED) | BIT(WORD_PROPERTIES) | BIT(WORD_PATTERN_PROPERTIES) | BIT(WORD_ADDITIONAL_PROPERTIES), WORD_PROPERTIES, TYPE_OBJECT,
      apply_members, make_members },
    { BIT(WORD_PROPERTY_NAMES), WORD_PROPERTY_NAMES, TYPE_OBJECT, apply_property_names, make_node },
    { BIT(WORD_DEPENDENCIES) | BIT(WORD_DEPENDENT_REQUIRED) | BIT(WORD_DEPENDENT_SCHEMAS), WORD_DEPENDENT_SCHEMAS, TYPE_OBJECT,
      apply_dependencies, make_dependencies },
    { BIT(WORD_PREFIX_ITEMS) | BIT(WORD_ITEMS) | BIT(WORD_ADDITIONAL_ITEMS), WORD_ITEMS, TYPE_ARRAY, apply_items, make_items },
    { BIT(WORD_CONTAINS), WORD_CONTAINS, TYPE_ARRAY, apply_contains, make_contains },
    { BIT(WORD_UNIQUE_ITEMS), WORD_UNIQUE_ITEMS, TYPE_ARRAY, assert_unique_items, make_unique },
    { BIT(WORD_REF), WORD_REF, TYPE_ANY, apply_ref, make_ref },
    { BIT(WORD_RECURSIVE_REF), WORD_RECURSIVE_REF, TYPE_ANY, apply_dynamic_ref, make_dynamic_ref },
    { BIT(WORD_DYNAMIC_REF), WORD_DYNAMIC_REF, TYPE_ANY, apply_dynamic_ref, make_dynamic_ref },
    { BIT(WORD_ALL_OF), WORD_ALL_OF, TYPE_ANY, apply_all_of, make_nodes },
    { BIT(WORD_ANY_OF), WORD_ANY_OF, TYPE_ANY, apply_any_of, make_nodes },
    { BIT(WORD_ONE_OF), WORD_ONE_OF, TYPE_ANY, apply_one_of, make_nodes },
    { BIT(WORD_NOT), WORD_NOT, TYPE_ANY, apply_not, make_node },
    { BIT(WORD_IF), WORD_IF, TYPE_ANY, apply_choice, make_choice },
    { BIT(WORD_UNEVALUATED_ITEMS), WORD_UNEVALUATED_ITEMS, TYPE_ARRAY, apply_unevaluated_items, make_unevaluated },
    { BIT(WORD_UNEVALUATED_PROPERTIES), WORD_UNEVALUATED_PROPERTIES, TYPE_OBJECT, apply_unevaluated_properties, make_unevaluated },
};

struct str word_name(enum word w)
{
    return w < WORD_COUNT ? words[w].name : STR("false");
}

static int compare_names(struct str a, struct str b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

enum word word_find(struct str name)
{
    size_t low = 0, high = WORD_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = compare_names(name, words[middle].name);
        if (c == 0)
            return (enum word)middle;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return WORD_COUNT;
}

yyjson_val *word_arg(const struct node *n, enum word w)
{
    return yyjson_obj_getn(n->at, words[w].name.p, words[w].name.n);
}

struct node *word_in_place(const struct rule *rule, size_t i)
{
    rule_check *check = rule->kind->check;
    if (check == apply_ref || check == apply_not)
        return i == 0 ? rule->node : NULL;
    if (check == apply_dynamic_ref)
        return i == 0 ? rule->dynamic->node : NULL;
    if (check == apply_all_of || check == apply_any_of || check == apply_one_of)
        return i < rule->nodes.n ? rule->nodes.p[i] : NULL;
    if (check == apply_choice) {
        struct node *of[] = { rule->choice->condition, rule->choice->yes, rule->choice->no };
        for (size_t k = 0; k < COUNTOF(of); k++)
            if (of[k] && i-- == 0)
                return of[k];
    }
    if (check == apply_dependencies)
        for (size_t k = 0; k < rule->dependencies->n; k++)
            if (rule->dependencies->p[k].node && i-- == 0)
                return rule->dependencies->p[k].node;
    return NULL;
}

/* ---- what a keyword takes ---- */

static bool all_strings(yyjson_val *list)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v)
        if (!yyjson_is_str(v))
            return false;
    return true;
}

static bool is_count(yyjson_val *v)
{
    return yyjson_is_num(v) && number_is_whole(v) && yyjson_get_num(v) >= 0;
}

static bool fits(yyjson_val *v, enum takes takes)
{
    switch (takes) {
    case ANYTHING:
        return true;
    case STRING:
        return yyjson_is_str(v);
    case SCHEMA:
        return yyjson_is_obj(v) || yyjson_is_bool(v);
    case SCHEMA_OR_LIST:
        return yyjson_is_obj(v) || yyjson_is_bool(v) || yyjson_is_arr(v);
    case SCHEMAS:
        return yyjson_is_arr(v) && unsafe_yyjson_get_len(v) > 0;
    case MAP:
    case OBJECT:
        return yyjson_is_obj(v);
    case COUNT:
        return is_count(v);
    case NUMBER:
        return yyjson_is_num(v);
    case NUMBER_OR_BOOL:
        return yyjson_is_num(v) || yyjson_is_bool(v);
    case POSITIVE:
        return yyjson_is_num(v) && yyjson_get_num(v) > 0;
    case BOOL:
        return yyjson_is_bool(v);
    case NAMES:
        return yyjson_is_arr(v) && all_strings(v);
    case LIST:
        return yyjson_is_arr(v);
    case TYPES:
        return yyjson_is_str(v) || (yyjson_is_arr(v) && unsafe_yyjson_get_len(v) > 0 && all_strings(v));
    }
    return false;
}

static const char *const takes_said[] = {
    [ANYTHING] = "anything",
    [SCHEMA] = "a schema (an object, true or false)",
    [SCHEMAS] = "a list of schemas, not empty",
    [SCHEMA_OR_LIST] = "a schema (an object, true or false)",
    [MAP] = "an object of schemas",
    [COUNT] = "a whole number, not negative",
    [NUMBER] = "a number",
    [NUMBER_OR_BOOL] = "a number",
    [POSITIVE] = "a number above 0",
    [BOOL] = "true or false",
    [STRING] = "a string",
    [NAMES] = "a list of strings",
    [LIST] = "a list",
    [TYPES] = "the name of a type, or a list of such",
    [OBJECT] = "an object",
};

static enum err_code read_words(struct compiler *c, struct node *n, yyjson_val **arg, uint64_t *present)
{
    yyjson_obj_iter it;
    yyjson_val *key;
    yyjson_obj_iter_init(n->at, &it);
    while ((key = yyjson_obj_iter_next(&it))) {
        enum word w = word_find(json_name(key));
        if (w == WORD_COUNT)
            continue;
        if (!fits(key + 1, words[w].takes))
            return compile_refuse(c, key + 1, "must be %s, is %s", takes_said[words[w].takes], say_kind(key + 1));
        arg[w] = key + 1;
        *present |= BIT(w);
    }
    return ERR_OK;
}

/* Schemas that no rule asks for: definitions, branches without an `if`. They are compiled for the anchors in them, and for their faults. */
static enum err_code compile_rest(struct compiler *c, struct node *n, yyjson_val *const *arg)
{
    for (enum word w = 0; w < WORD_COUNT; w++) {
        if (!arg[w])
            continue;
        if (words[w].takes == SCHEMA && !compile_node(c, arg[w], n->in))
            return ERR_INVALID_REQUEST;
        if (words[w].takes != MAP)
            continue;
        size_t i, count;
        yyjson_val *key, *v;
        yyjson_obj_foreach(arg[w], i, count, key, v)
            if (!compile_node(c, v, n->in))
                return ERR_INVALID_REQUEST;
    }
    return ERR_OK;
}

enum err_code compile_words(struct compiler *c, struct node *n)
{
    yyjson_val *arg[WORD_COUNT] = { 0 };
    uint64_t present = 0;
    size_t count = 0;
    enum err_code rc = read_words(c, n, arg, &present);
    if (!rc && arg[WORD_TYPE])
        rc = make_types(c, arg[WORD_TYPE], &n->types);
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        count += (kinds[i].words & present) != 0;
    n->rules = count ? arena_array(c->memory, struct rule, count) : NULL;
    for (size_t i = 0; i < COUNTOF(kinds) && !rc; i++) {
        if (!(kinds[i].words & present))
            continue;
        struct rule *rule = &n->rules[n->n];
        rule->kind = &kinds[i];
        rc = kinds[i].make(c, n, arg, rule);
        n->n += rule->kind != NULL;
    }
    return rc ? rc : compile_rest(c, n, arg);
}
