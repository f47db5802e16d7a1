/* Keywords that hold other schemas against the value, or against its parts. */
#include "json/schema_int.h"

#include "json/schema_equal.h"
#include "json/schema_pattern.h"
#include "json/schema_refs.h"

static bool given_up(const struct run *r)
{
    return r->given_up;
}

static bool check_part(struct run *r, const struct node *n, yyjson_val *part, struct found *out)
{
    r->level++;
    bool ok = check_node(r, n, part, NULL, out);
    r->level--;
    return ok;
}

/* ---- objects ---- */

static const struct member *find_member(const struct members *m, struct str name)
{
    size_t low = 0, high = m->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct member *one = &m->p[middle];
        int c = name.n != one->name.n ? (name.n < one->name.n ? -1 : 1) : memcmp(name.p, one->name.p, name.n);
        if (c == 0)
            return one;
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* A fault of `additionalProperties: false` is named by that, not by the `false`. */
static bool check_other(struct run *r, const struct node *n, const struct node *rest, enum word word, yyjson_val *part, struct found *out)
{
    if (!rest->never)
        return check_part(r, rest, part, out);
    r->level++;
    bool ok = check_fault(r, out, n, word, part);
    r->level--;
    return ok;
}

static bool check_member(struct run *r, const struct node *n, const struct members *m, const struct member *known, yyjson_val *key, bool *spoken, struct found *out)
{
    bool ok = true;
    *spoken = false;
    if (known && known->node) {
        *spoken = true;
        ok = check_part(r, known->node, key + 1, out);
    }
    for (size_t i = 0; i < m->npatterns && (ok || out) && !given_up(r); i++) {
        if (!pattern_matches(r, m->patterns[i].pattern, json_str(key)))
            continue;
        *spoken = true;
        ok &= check_part(r, m->patterns[i].node, key + 1, out);
    }
    if (!*spoken && m->additional && ok) {
        *spoken = true;
        ok = check_other(r, n, m->additional, WORD_ADDITIONAL_PROPERTIES, key + 1, out);
    }
    return ok && !given_up(r);
}

static bool check_required(struct run *r, const struct node *n, yyjson_val *names, yyjson_val *because, enum word word, yyjson_val *v, struct found *out)
{
    size_t i, count;
    yyjson_val *name;
    yyjson_arr_foreach(names, i, count, name) {
        if (!check_spend(r, 1 + unsafe_yyjson_get_len(v) / 8))
            return false;
        if (!yyjson_obj_getn(v, unsafe_yyjson_get_str(name), unsafe_yyjson_get_len(name)))
            return check_fault_name(r, out, n, word, v, name, because);
    }
    return true;
}

bool apply_members(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    const struct members *m = rule->members;
    size_t count = unsafe_yyjson_get_len(v), required = 0;
    yyjson_val *key = count ? unsafe_yyjson_get_first(v) : NULL;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++, key = unsafe_yyjson_get_next(key + 1)) {
        bool spoken;
        const struct member *known = find_member(m, json_name(key));
        required += known && known->required;
        ok = check_spend(r, 1) && check_member(r, n, m, known, key, &spoken, out);
        if (ok && spoken)
            seen_add(seen, i);
    }
    /* A name that is missing is the object's fault, and that comes before any of its members. A name twice in the value counts twice; then the
     * slow way decides. */
    if ((ok && required == m->required) || !m->required_names || (!ok && !out) || given_up(r))
        return ok;
    return check_required(r, n, m->required_names, NULL, WORD_REQUIRED, v, out) && ok;
}

bool apply_property_names(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    yyjson_obj_iter it;
    yyjson_val *key;
    yyjson_obj_iter_init(v, &it);
    while ((key = yyjson_obj_iter_next(&it)))
        if (!check_other(r, n, rule->node, WORD_PROPERTY_NAMES, key, out))
            return false;
    return true;
}

bool apply_dependencies(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    bool ok = true;
    for (size_t i = 0; i < rule->dependencies->n && (ok || out); i++) {
        const struct dependency *d = &rule->dependencies->p[i];
        if (!check_spend(r, 1 + unsafe_yyjson_get_len(v) / 8))
            return false;
        if (!yyjson_obj_getn(v, unsafe_yyjson_get_str(d->key), unsafe_yyjson_get_len(d->key)))
            continue;
        if (d->required)
            ok &= check_required(r, n, d->required, d->key, WORD_DEPENDENT_REQUIRED, v, out);
        else
            ok &= check_node(r, d->node, v, seen, out);
    }
    return ok && !given_up(r);
}

bool apply_unevaluated_properties(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    size_t count = unsafe_yyjson_get_len(v);
    yyjson_val *key = count ? unsafe_yyjson_get_first(v) : NULL;
    for (size_t i = 0; i < count; i++, key = unsafe_yyjson_get_next(key + 1)) {
        if (seen_has(seen, i))
            continue;
        if (!check_other(r, n, rule->node, WORD_UNEVALUATED_PROPERTIES, key + 1, out))
            return false;
        seen_add(seen, i);
    }
    return true;
}

/* ---- arrays ---- */

bool apply_items(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    const struct items *all = rule->items;
    size_t count = unsafe_yyjson_get_len(v);
    yyjson_val *item = count ? unsafe_yyjson_get_first(v) : NULL;
    if (!all->rest && count > all->prefix.n)
        count = all->prefix.n;
    for (size_t i = 0; i < count; i++, item = unsafe_yyjson_get_next(item)) {
        bool ok = i < all->prefix.n ? check_part(r, all->prefix.p[i], item, out) : check_other(r, n, all->rest, all->rest_word, item, out);
        if (!ok)
            return false;
        seen_add(seen, i);
    }
    return true;
}

bool apply_contains(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    const struct contains *k = rule->contains;
    size_t count = unsafe_yyjson_get_len(v), hits = 0;
    yyjson_val *item = count ? unsafe_yyjson_get_first(v) : NULL;
    for (size_t i = 0; i < count && !given_up(r); i++, item = unsafe_yyjson_get_next(item)) {
        if (!check_part(r, k->node, item, NULL))
            continue;
        hits++;
        seen_add(seen, i);
    }
    if (given_up(r))
        return false;
    if (hits < k->min)
        return check_fault_count(r, out, n, word_arg(n, WORD_MIN_CONTAINS) ? WORD_MIN_CONTAINS : WORD_CONTAINS, v, hits);
    return hits <= k->max ? true : check_fault_count(r, out, n, WORD_MAX_CONTAINS, v, hits);
}

bool apply_unevaluated_items(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    size_t count = unsafe_yyjson_get_len(v);
    yyjson_val *item = count ? unsafe_yyjson_get_first(v) : NULL;
    for (size_t i = 0; i < count; i++, item = unsafe_yyjson_get_next(item)) {
        if (seen_has(seen, i))
            continue;
        if (!check_other(r, n, rule->node, WORD_UNEVALUATED_ITEMS, item, out))
            return false;
        seen_add(seen, i);
    }
    return true;
}

/* ---- the same value ---- */

bool apply_ref(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    return check_node(r, rule->node, v, seen, out);
}

/* The outermost resource that the check came through and that has the anchor, too, has the say. */
bool apply_dynamic_ref(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    const struct node *to = rule->dynamic->node;
    for (const struct scope *s = r->scope; s && rule->dynamic->name.n; s = s->up) {
        const struct node *node = refs_find_dynamic(s->in, rule->dynamic->name, &r->steps);
        if (!check_spend(r, 1))
            return false;
        to = node ? node : to;
    }
    return check_node(r, to, v, seen, out);
}

bool apply_all_of(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    bool ok = true;
    for (size_t i = 0; i < rule->nodes.n && (ok || out); i++)
        ok &= check_node(r, rule->nodes.p[i], v, seen, out);
    return ok && !given_up(r);
}

/* How near an alternative came: one that is for another type of value is out, so is one that another kind of object is meant by (a member that has to
 * be one certain value); of the rest the fault that lies deepest tells most. */
static int nearness(const struct found *f, yyjson_val *v, int level)
{
    bool by_value = f->choice_of || f->word == WORD_CONST || f->word == WORD_ENUM;
    if (f->at == v && (by_value || f->word == WORD_TYPE || f->word == WORD_NONE))
        return 0;
    return f->level == level + 1 && by_value ? 1 : 2 + f->level - level;
}

/* A member that tells kinds of objects apart: it has to be one of certain values. */
static bool tells_kind(struct run *r, const struct node *member, yyjson_val *value, struct found *out)
{
    bool ok = true;
    r->level++;
    for (size_t i = 0; i < member->n && ok; i++) {
        const struct rule *rule = &member->rules[i];
        if (rule->kind->check == assert_const || rule->kind->check == assert_enum)
            ok = rule->kind->check(r, member, rule, value, NULL, out);
    }
    r->level--;
    return !ok;
}

/* If the branch is for another kind of object, that is what is wrong, whatever else it would want. */
static void find_kind(struct run *r, const struct node *branch, yyjson_val *v, struct found *out)
{
    for (size_t i = 0; i < branch->n; i++) {
        const struct rule *rule = &branch->rules[i];
        if (rule->kind->check == apply_ref && check_spend(r, 1))
            find_kind(r, rule->node, v, out); /* no circle: the compiler has seen to it */
        if (rule->kind->check != apply_members)
            continue;
        yyjson_obj_iter it;
        yyjson_val *key;
        yyjson_obj_iter_init(v, &it);
        while ((key = yyjson_obj_iter_next(&it)) && check_spend(r, 1)) {
            const struct member *known = find_member(rule->members, json_name(key));
            struct found kind = { 0 };
            if (known && known->node && tells_kind(r, known->node, key + 1, &kind) && kind.at) {
                *out = kind;
                return;
            }
        }
    }
}

bool apply_alternative(struct run *r, const struct node *branch, yyjson_val *v, struct seen *seen, struct found *out)
{
    struct seen own = { 0 };
    if (seen) /* what it speaks about counts only if it fits */
        seen_init(&own, v);
    bool ok = check_spend(r, own.n / 64) && check_node(r, branch, v, seen ? &own : NULL, out);
    if (ok && seen)
        seen_merge(seen, &own);
    if (seen)
        seen_free(&own);
    if (!ok && out && yyjson_is_obj(v))
        find_kind(r, branch, v, out);
    return ok;
}

static void keep_nearest(struct found *best, const struct found *one, yyjson_val *v, int level)
{
    if (!best->at || nearness(one, v, level) > nearness(best, v, level))
        *best = *one;
}

/* None of the alternatives fits. When all of them ask for something else altogether, it is said what they ask for. */
static bool fault_none(struct run *r, const struct node *n, enum word word, const struct found *best, yyjson_val *v, struct found *out)
{
    if (!out || given_up(r) || (out->at && out->at <= best->at))
        return false;
    *out = *best;
    if (nearness(best, v, r->level) < 2) {
        out->node = n;
        out->word = word;
        out->choice_of = v;
    }
    return false;
}

bool apply_any_of(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    struct found best = { 0 };
    bool any = false;
    for (size_t i = 0; i < rule->nodes.n && !given_up(r) && (!any || seen); i++) {
        struct found one = { 0 };
        bool ok = apply_alternative(r, rule->nodes.p[i], v, seen, out && !any ? &one : NULL);
        any |= ok;
        if (!ok && one.at)
            keep_nearest(&best, &one, v, r->level);
    }
    return any && !given_up(r) ? true : fault_none(r, n, WORD_ANY_OF, &best, v, out);
}

bool apply_one_of(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    struct found best = { 0 };
    size_t fitting[2] = { 0 }, fits = 0;
    for (size_t i = 0; i < rule->nodes.n && !given_up(r) && fits < 2; i++) {
        struct found one = { 0 };
        if (apply_alternative(r, rule->nodes.p[i], v, seen, out && !fits ? &one : NULL))
            fitting[fits++] = i;
        else if (one.at)
            keep_nearest(&best, &one, v, r->level);
    }
    if (fits == 1 && !given_up(r))
        return true;
    if (fits == 2) /* both places in one number */
        return check_fault_count(r, out, n, WORD_ONE_OF, v, (uint64_t)(fitting[0] + 1) << 32 | (fitting[1] + 1));
    return fault_none(r, n, WORD_ONE_OF, &best, v, out);
}

bool apply_not(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    bool fits = check_node(r, rule->node, v, NULL, NULL);
    if (given_up(r))
        return false;
    return fits ? check_fault(r, out, n, WORD_NOT, v) : true;
}

bool apply_choice(struct run *r, const struct node *n, const struct rule *rule, yyjson_val *v, struct seen *seen, struct found *out)
{
    const struct choice *k = rule->choice;
    bool met = apply_alternative(r, k->condition, v, seen, NULL);
    const struct node *then = met ? k->yes : k->no;
    return !given_up(r) && (!then || check_node(r, then, v, seen, out));
}
