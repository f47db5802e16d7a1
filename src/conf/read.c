/* Walks the tree beside the table and fills struct config. Each group's entries get their defaults first, then what the file says; where
 * something was said is kept for `config show` and for errors that are found later. First error wins. */
#include "conf/conf_int.h"

#include <stdlib.h>

static enum err_code read_group(struct reading *r, const struct node *map, struct str path, void *base);
static enum err_code read_items(struct reading *r, const struct node *list, const struct group *g, void *base);

static void remember(struct reading *r, const void *field, struct conf_place at)
{
    if (r->nsaid == r->said_room) {
        r->said_room = r->said_room ? 2 * r->said_room : 64;
        r->said = realloc(r->said, r->said_room * sizeof *r->said);
        if (!r->said)
            die("out of memory while reading the config");
    }
    r->said[r->nsaid++] = (struct conf_said){ field, at };
}

/* ---- defaults ---- */

static void set_default_to(struct reading *r, const struct setting *s, struct str text, void *field)
{
    if (value_read(s, text, text, &r->c->arena, field, r->e))
        die("the default of %s does not parse: %s", s->path, r->e->text);
}

static void set_default(struct reading *r, const struct setting *s, void *field)
{
    struct str rest = str_of(s->def);
    if (!setting_is_list(s)) {
        set_default_to(r, s, rest, field);
        return;
    }
    while (rest.n) {
        struct str word = str_cut(rest, ' ', &rest);
        set_default_to(r, s, word, field);
    }
}

/* Everything below path that does not belong to an entry further down. */
static void set_defaults(struct reading *r, struct str path, void *base)
{
    for (size_t i = 0; i < nsettings; i++) {
        struct str full = str_of(settings[i].path);
        struct str below = str_from(full, path.n);
        if (!settings[i].def || !str_starts(full, path) || str_find(below, STR("*")) >= 0 || str_find(below, STR("[]")) >= 0)
            continue;
        if (path.n && full.p[path.n] != '.') /* full ends in a NUL */
            continue;
        set_default(r, &settings[i], (char *)base + settings[i].at);
    }
}

/* ---- one setting ---- */

static void warn_open_file(struct reading *r, const struct setting *s, const struct node *n)
{
    if (s->type != SET_SECRET)
        return;
    if (r->x.open_file[0])
        log_warn("the key file %s can be read by others: chmod 600 %s", r->x.open_file, r->x.open_file);
    if (!r->x.any && n->text.n)
        r->literal_secret = true;
}

static enum err_code read_scalar(struct reading *r, const struct setting *s, const struct node *n, struct str key, void *field)
{
    r->x.keep = s->type == SET_COMMAND ? command_names : NULL;
    enum err_code rc = expand(&r->x, n->text, r->e);
    if (!rc)
        rc = value_read(s, buf_str(&r->x.out), n->text, &r->c->arena, field, r->e);
    if (rc)
        return fail_here(r->name, n->place, key, r->e);
    warn_open_file(r, s, n);
    return ERR_OK;
}

static enum err_code refuse_shape(struct reading *r, const struct node *n, struct str key, const char *want)
{
    static const char *const is[] = { [NODE_SCALAR] = "a single value", [NODE_LIST] = "a list", [NODE_MAP] = "a map of keys" };
    return fail_at(r->name, n->place, r->e, "%s needs %s, here is %s", show_text(key).text, want, is[n->kind]);
}

static enum err_code read_element(struct reading *r, const struct setting *s, const struct node *n, struct str key, void *field, size_t i)
{
    if (n->kind != NODE_SCALAR)
        return refuse_shape(r, n, key, "single values in its list");
    if (s->type == SET_FLAGS)
        return read_scalar(r, s, n, key, field);
    struct str *at = (struct str *)((struct conf_strs *)field)->at + i;
    remember(r, at, n->place);
    return read_scalar(r, s, n, key, at);
}

/* Words and names may stand alone; arguments not, since "--a b" would silently be one argument. */
static enum err_code read_list(struct reading *r, const struct setting *s, const struct node *n, struct str key, void *field)
{
    if (n->kind == NODE_MAP || (n->kind == NODE_SCALAR && s->type == SET_ARGS))
        return refuse_shape(r, n, key, s->type == SET_ARGS ? "a list, [--flag, value]" : "a list");
    const struct node *first = n->kind == NODE_LIST ? n->first : n;
    size_t count = n->kind == NODE_LIST ? n->n : 1;
    if (s->type == SET_FLAGS && count == 0)
        return fail_at(r->name, n->place, r->e, "%s needs at least one word", show_text(key).text);
    if (s->max && count > (size_t)s->max)
        return fail_at(r->name, n->place, r->e, "%s may have at most %lld items", show_text(key).text, (long long)s->max);
    if (s->type == SET_FLAGS)
        *(unsigned *)field = 0;
    else
        *(struct conf_strs *)field = (struct conf_strs){ arena_array(&r->c->arena, struct str, count), count };
    enum err_code rc = ERR_OK;
    size_t i = 0;
    for (const struct node *kid = first; !rc && i < count; kid = kid->next)
        rc = read_element(r, s, kid, key, field, i++);
    return rc;
}

static enum err_code read_setting(struct reading *r, const struct setting *s, const struct node *n, struct str key, void *base)
{
    void *field = (char *)base + s->at;
    remember(r, field, n->place);
    if (setting_is_list(s))
        return read_list(r, s, n, key, field);
    if (n->kind != NODE_SCALAR)
        return refuse_shape(r, n, key, "a single value");
    if (n->plain && n->text.n == 0)
        return fail_at(r->name, n->key_place, r->e, "%s has no value: leave the line out, or give it one", show_text(key).text);
    return read_scalar(r, s, n, key, field);
}

/* ---- keys ---- */

static bool is_nothing(const struct node *n) /* `models:` with nothing behind it */
{
    return n->kind == NODE_SCALAR && n->plain && (n->text.n == 0 || str_eq(n->text, STR("null")));
}

enum { MAX_KEYS_AT_ONE_PLACE = 64 };

static bool find_child(struct str path, struct str key, struct child *out)
{
    size_t cursor = 0;
    while (child_next(path, &cursor, out))
        if (str_eq(out->name, key))
            return true;
    return false;
}

static enum err_code refuse_key(struct reading *r, const struct node *n, struct str path)
{
    struct str names[MAX_KEYS_AT_ONE_PLACE];
    struct child child;
    size_t count = 0, cursor = 0;
    while (count < COUNTOF(names) && child_next(path, &cursor, &child))
        names[count++] = child.name;
    struct str near = str_nearest(n->key, names, count);
    struct shown key = show_text(n->key);
    if (near.n)
        fail_at(r->name, n->key_place, r->e, "unknown key %s, did you mean '%.*s'?", key.text, STR_ARG(near));
    else
        fail_at(r->name, n->key_place, r->e, "unknown key %s", key.text);
    return err_hint(r->e, "`hob config schema` lists every key");
}

static enum err_code read_key(struct reading *r, const struct node *n, struct str path, void *base)
{
    struct child child;
    if (!find_child(path, n->key, &child))
        return refuse_key(r, n, path);
    if (child.setting)
        return read_setting(r, child.setting, n, n->key, base);
    if (is_nothing(n))
        return ERR_OK;
    struct child item;
    if (find_child(child.path, STR("[]"), &item))
        return read_items(r, n, item.group, base);
    if (n->kind != NODE_MAP)
        return refuse_shape(r, n, n->key, "a map of keys");
    return read_group(r, n, child.path, base);
}

/* ---- entries: by name, as hosts and models, or in a list, as adapters ---- */

bool name_is_valid(struct str name)
{
    if (name.n == 0 || name.n > CONF_MAX_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !memchr("._:/-", c, 5))
            return false;
    }
    return true;
}

static enum err_code check_name(struct reading *r, struct str name, struct conf_place at, const char *what)
{
    if (name_is_valid(name))
        return ERR_OK;
    fail_at(r->name, at, r->e, "%s is no name for a %s", show_text(name).text, what);
    return err_hint(r->e, "1 to %d of: letters, digits and . _ : / -", CONF_MAX_NAME_BYTES);
}

/* name: as the entry is called, "" for an item of a list. */
static enum err_code check_required(struct reading *r, struct str path, const void *entry, struct str name, struct conf_place at, const char *what)
{
    size_t cursor = 0;
    struct child child;
    struct shown shown = show_text(name);
    while (child_next(path, &cursor, &child))
        if (child.setting && child.setting->required && value_is_empty(child.setting, (const char *)entry + child.setting->at))
            return fail_at(r->name, at, r->e, "the %s%s%s has no '%.*s'", what, name.n ? " " : "", name.n ? shown.text : "", STR_ARG(child.name));
    return ERR_OK;
}

static enum err_code read_entry(struct reading *r, const struct node *n, const struct child *child, void *entry)
{
    const struct group *g = child->group;
    struct str *name = (struct str *)((char *)entry + g->name_at);
    *name = arena_copy(&r->c->arena, n->key);
    *(struct conf_place *)((char *)entry + g->place_at) = n->key_place;
    enum err_code rc = check_name(r, *name, n->key_place, g->what);
    if (!rc)
        set_defaults(r, child->path, entry);
    size_t cursor = 0;
    struct child inside;
    bool has_keys = child_next(child->path, &cursor, &inside);
    if (!rc && n->kind == NODE_MAP && has_keys)
        rc = read_group(r, n, child->path, entry);
    else if (!rc && child->setting && !(is_nothing(n) && has_keys))
        rc = read_setting(r, child->setting, n, n->key, entry);
    else if (!rc && !is_nothing(n))
        rc = refuse_shape(r, n, n->key, "a map of keys");
    return rc ? rc : check_required(r, child->path, entry, *name, n->key_place, g->what);
}

static char *make_entries(struct reading *r, const struct group *g, size_t n, void *base)
{
    char *entries = arena_alloc(&r->c->arena, n * g->size);
    memcpy((char *)base + g->list_at, &entries, sizeof entries); /* the list's pointer type differs from entry to entry */
    *(size_t *)(void *)((char *)base + g->count_at) = n;
    return entries;
}

static bool is_always(const struct group *g, struct str name)
{
    return g->always && str_eq(name, str_of(g->always));
}

static enum err_code read_entries(struct reading *r, const struct node *map, const struct child *child, void *base)
{
    const struct group *g = child->group;
    bool first_is_named = false;
    for (const struct node *n = map->first; n; n = n->next)
        first_is_named |= is_always(g, n->key);
    char *entries = make_entries(r, g, map->n + (g->always && !first_is_named), base), *next = entries + (g->always ? g->size : 0);
    enum err_code rc = ERR_OK;
    if (g->always) {
        set_defaults(r, child->path, entries);
        *(struct str *)(void *)(entries + g->name_at) = str_of(g->always);
    }
    for (const struct node *n = map->first; !rc && n; n = n->next) {
        bool first = is_always(g, n->key);
        rc = read_entry(r, n, child, first ? entries : next);
        next += first ? 0 : g->size;
    }
    return rc;
}

/* A list of maps. */
static enum err_code read_items(struct reading *r, const struct node *list, const struct group *g, void *base)
{
    if (list->kind != NODE_LIST)
        return refuse_shape(r, list, list->key, "a list of maps");
    char *entry = make_entries(r, g, list->n, base);
    remember(r, (char *)base + g->list_at, list->place);
    enum err_code rc = ERR_OK;
    for (const struct node *n = list->first; !rc && n; n = n->next, entry += g->size) {
        struct str path = str_of(g->path);
        *(struct conf_place *)(void *)(entry + g->place_at) = n->place;
        if (n->kind != NODE_MAP)
            return refuse_shape(r, n, list->key, "maps of keys in its list");
        set_defaults(r, path, entry);
        rc = read_group(r, n, path, entry);
        if (!rc)
            rc = check_required(r, path, entry, (struct str){ NULL, 0 }, n->place, g->what);
    }
    return rc;
}

/* Entries that are always there, of groups that the file does not name. */
static enum err_code add_always(struct reading *r)
{
    static const struct node nothing = { .kind = NODE_MAP };
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < ngroups; i++) {
        struct child child = { .name = STR("*"), .path = str_of(groups[i].path), .group = &groups[i] };
        size_t n;
        if (groups[i].always && (group_entries(&groups[i], r->c, &n), n == 0))
            rc = read_entries(r, &nothing, &child, r->c);
    }
    return rc;
}

static enum err_code read_group(struct reading *r, const struct node *map, struct str path, void *base)
{
    struct child any;
    if (find_child(path, STR("*"), &any))
        return read_entries(r, map, &any, base);
    enum err_code rc = ERR_OK;
    for (const struct node *n = map->first; !rc && n; n = n->next)
        rc = read_key(r, n, path, base);
    return rc;
}

static int by_field(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct conf_said *)a)->field, y = (uintptr_t)((const struct conf_said *)b)->field;
    return (x > y) - (x < y);
}

static void keep_said(struct reading *r)
{
    if (!r->nsaid)
        return;
    struct conf_said *kept = arena_array(&r->c->arena, struct conf_said, r->nsaid);
    memcpy(kept, r->said, r->nsaid * sizeof *kept);
    qsort(kept, r->nsaid, sizeof *kept, by_field);
    r->c->said = kept;
    r->c->nsaid = r->nsaid;
}

/* What was copied (conf/overlay.c) stands where its original does. */
static const void *as_read(const struct config *c, const void *field)
{
    const struct { const void *at, *was; size_t bytes; } parts[] = {
        { c, c->base, sizeof *c },
        { c->roles, c->base->roles, c->nroles * sizeof *c->roles },
        { c->tiers, c->base->tiers, c->ntiers * sizeof *c->tiers },
        { c->models, c->base->models, c->nmodels * sizeof *c->models },
    };
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        uintptr_t at = (uintptr_t)parts[i].at, f = (uintptr_t)field;
        if (f >= at && f < at + parts[i].bytes)
            return (const char *)parts[i].was + (f - at);
    }
    return field;
}

struct conf_place said_where(const struct config *c, const void *field)
{
    struct conf_said key = { .field = c->base ? as_read(c, field) : field };
    const struct conf_said *found = c->nsaid ? bsearch(&key, c->said, c->nsaid, sizeof key, by_field) : NULL;
    return found ? found->place : (struct conf_place){ 0 };
}

enum err_code read_tree(struct reading *r, const struct node *root)
{
    enum err_code rc = ERR_OK;
    set_defaults(r, (struct str){ "", 0 }, r->c);
    if (root && !is_nothing(root) && root->kind != NODE_MAP)
        return fail_at(r->name, root->place, r->e, "a config is a map of settings, like `listen: 127.0.0.1:8080`");
    if (root && root->kind == NODE_MAP)
        rc = read_group(r, root, (struct str){ "", 0 }, r->c);
    if (!rc)
        rc = add_always(r);
    keep_said(r);
    return rc;
}
