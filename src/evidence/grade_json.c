/* JSON in answers, and paths into it. */
#include "evidence/grade_int.h"

enum { FOUND_MOST = 4096 };

/* From the first bracket to the last that can close it. */
static struct str among_words(struct str text)
{
    size_t from = 0, to = text.n;
    while (from < text.n && text.p[from] != '{' && text.p[from] != '[')
        from++;
    char shut = from < text.n && text.p[from] == '{' ? '}' : ']';
    while (to > from && text.p[to - 1] != shut)
        to--;
    return str_make(text.p + from, to - from);
}

bool answer_json(struct arena *a, struct str text, bool lenient, struct json_doc *d, struct str *why)
{
    struct err e = { 0 };
    struct str whole = str_trim(text), inside = unfenced(whole);
    bool fenced = inside.p != whole.p || inside.n != whole.n;
    *why = STR("the answer is empty");
    if (!whole.n)
        return false;
    if (!json_parse(d, whole, &e))
        return true;
    if (lenient && fenced && !json_parse(d, inside, NULL))
        return true;
    if (lenient && !json_parse(d, among_words(whole), NULL))
        return true;
    if (fenced && !json_parse(d, inside, NULL)) {
        json_free(d);
        *why = STR("the JSON stands in a code fence, where JSON alone was asked for");
    } else {
        *why = arena_printf(a, "the answer is no JSON (%s): %.*s", e.text, STR_ARG(said(a, whole)));
    }
    return false;
}

/* ---- paths ---- */

enum step_kind { STEP_NAME, STEP_INDEX, STEP_ALL, STEP_END, STEP_WRONG };

struct step {
    enum step_kind kind;
    struct str name;
    int64_t index;
};

static bool name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || (unsigned char)c >= 0x80;
}

static struct step dotted(struct str path, size_t *at)
{
    size_t from = ++*at;
    if (from < path.n && path.p[from] == '*') {
        ++*at;
        return (struct step){ .kind = STEP_ALL };
    }
    while (*at < path.n && name_byte(path.p[*at]))
        ++*at;
    return (struct step){ *at > from ? STEP_NAME : STEP_WRONG, str_make(path.p + from, *at - from), 0 };
}

static struct step bracketed(struct str path, size_t *at)
{
    struct step s = { .kind = STEP_WRONG };
    struct str rest = str_from(path, *at + 1);
    char quote = rest.n ? rest.p[0] : 0;
    if (quote == '"' || quote == '\'') {
        struct str after = str_from(rest, 1), name = str_cut(after, quote, &after);
        if (!str_starts(after, STR("]")))
            return s;
        *at += name.n + 4;
        return (struct step){ STEP_NAME, name, 0 };
    }
    struct str after, inside = str_cut(rest, ']', &after);
    if (!after.p)
        return s;
    *at += inside.n + 2;
    if (str_eq(inside, STR("*")))
        s.kind = STEP_ALL;
    else if (str_to_int(inside, -1000000, 1000000, &s.index))
        s.kind = STEP_INDEX;
    return s;
}

static struct step next_step(struct str path, size_t *at)
{
    if (*at >= path.n)
        return (struct step){ .kind = STEP_END };
    if (path.p[*at] == '.')
        return dotted(path, at);
    return path.p[*at] == '[' ? bracketed(path, at) : (struct step){ .kind = STEP_WRONG };
}

static void add(struct path_found *to, yyjson_val *v)
{
    if (v && to->n < FOUND_MOST)
        to->at[to->n++] = v;
}

static void take_step(const struct step *s, yyjson_val *v, struct path_found *to)
{
    size_t i, most;
    yyjson_val *key, *item;
    if (s->kind == STEP_NAME)
        add(to, yyjson_obj_getn(v, s->name.p, s->name.n));
    if (s->kind == STEP_INDEX && yyjson_is_arr(v)) {
        int64_t n = (int64_t)yyjson_arr_size(v), index = s->index < 0 ? n + s->index : s->index;
        add(to, index >= 0 && index < n ? yyjson_arr_get(v, (size_t)index) : NULL);
    }
    if (s->kind == STEP_ALL && yyjson_is_arr(v))
        yyjson_arr_foreach(v, i, most, item) add(to, item);
    if (s->kind == STEP_ALL && yyjson_is_obj(v))
        yyjson_obj_foreach(v, i, most, key, item) add(to, item);
}

bool path_find(struct arena *a, struct str path, yyjson_val *root, struct path_found *out, struct str *why)
{
    size_t at = 1;
    struct path_found now = { .n = 0 };
    if (!str_starts(path, STR("$"))) {
        *why = arena_printf(a, "a path begins with $, and '%.*s' does not", STR_ARG(path));
        return false;
    }
    now.at = arena_array(a, yyjson_val *, 1);
    if (root)
        now.at[now.n++] = root;
    for (;;) {
        struct step s = next_step(path, &at);
        if (s.kind == STEP_END)
            break;
        if (s.kind == STEP_WRONG) {
            *why = arena_printf(a, "'%.*s' is no path: $ .name [\"name\"] [0] [-1] [*] are known", STR_ARG(path));
            return false;
        }
        size_t room = 0;
        for (size_t i = 0; i < now.n; i++)
            room += s.kind == STEP_ALL ? yyjson_get_len(now.at[i]) : 1;
        struct path_found next = { arena_array(a, yyjson_val *, (room < FOUND_MOST ? room : FOUND_MOST) + 1), 0, now.many || s.kind == STEP_ALL };
        for (size_t i = 0; i < now.n; i++)
            take_step(&s, now.at[i], &next);
        now = next;
    }
    *out = now;
    return true;
}
