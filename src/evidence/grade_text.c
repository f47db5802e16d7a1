/* What graders need of texts. */
#include "evidence/grade_int.h"

#include "json/schema.h"

#include <ctype.h>

struct str unfenced(struct str text)
{
    ptrdiff_t open = str_find(text, STR("```"));
    if (open < 0)
        return text;
    struct str inside, first = str_cut(str_from(text, (size_t)open + 3), '\n', &inside);
    ptrdiff_t shut = str_find(inside, STR("```"));
    if (!inside.p) /* ```{"a":1}``` */
        return str_find(first, STR("```")) >= 0 ? str_trim(str_make(first.p, (size_t)str_find(first, STR("```")))) : text;
    return str_trim(shut < 0 ? inside : str_make(inside.p, (size_t)shut));
}

bool has_text(struct str text, struct str part, bool nocase)
{
    if (!nocase)
        return str_find(text, part) >= 0;
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (str_eq_nocase(str_make(text.p + i, part.n), part))
            return true;
    return false;
}

/* As a schema's pattern: that has bounds for what a match may cost. */
int regex_matches(struct arena *a, struct str pattern, bool nocase, struct str text, struct str *why)
{
    struct buf json = { 0 };
    struct json_out o = json_out(&json);
    struct json_doc d = { 0 };
    struct schema *s = NULL;
    struct schema_fault fault = { .undecided = false };
    struct err e = { 0 };
    int found = -1;
    struct str full = nocase ? arena_printf(a, "(?i)%.*s", STR_ARG(pattern)) : pattern;
    buf_lit(&json, "[{\"pattern\":");
    json_string(&o, full);
    buf_lit(&json, "},");
    o.comma = false;
    json_string(&o, text);
    buf_lit(&json, "]");
    if (json_parse(&d, buf_str(&json), &e) || schema_compile(yyjson_arr_get(d.root, 0), NULL, &s, &e)) {
        *why = arena_printf(a, "the pattern is none: %s", e.text);
    } else {
        found = schema_check(s, yyjson_arr_get(d.root, 1), &fault);
        if (!found && fault.undecided) {
            *why = STR("the pattern takes too long for this answer");
            found = -1;
        }
    }
    schema_free(s);
    json_free(&d);
    buf_free(&json);
    return found;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

size_t count_words(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += !blank(s.p[i]) && (!i || blank(s.p[i - 1]));
    return n;
}

size_t count_chars(struct str s)
{
    size_t n = 0;
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

size_t count_lines(struct str s)
{
    size_t n = 0;
    struct str rest = s;
    while (rest.n)
        n += str_trim(str_cut(rest, '\n', &rest)).n > 0;
    return n;
}

struct str said(struct arena *a, struct str s)
{
    enum { MOST = 80 };
    s = str_trim(s);
    bool cut = s.n > MOST;
    size_t n = cut ? MOST : s.n;
    while (cut && n && ((unsigned char)s.p[n] & 0xC0) == 0x80)
        n--;
    struct str copy = arena_copy(a, str_make(s.p, n));
    char *p = (char *)(uintptr_t)copy.p; /* ours */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 0x7F)
            p[i] = ' ';
    return arena_printf(a, "'%.*s%s'", STR_ARG(copy), cut ? "..." : "");
}

struct str tag_plain(struct arena *a, struct str s)
{
    static const char *const around = "#\"'`*.[]() \t";
    while (s.n && strchr(around, s.p[0]))
        s = str_from(s, 1);
    while (s.n && strchr(around, s.p[s.n - 1]))
        s.n--;
    struct str copy = arena_copy(a, s);
    char *p = (char *)(uintptr_t)copy.p;
    for (size_t i = 0; i < s.n; i++)
        p[i] = p[i] == '_' || p[i] == '-' ? ' ' : (char)tolower((unsigned char)p[i]);
    return copy;
}

static struct str without_bullet(struct str s)
{
    size_t i = 0;
    s = str_trim(s);
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    if (i && i + 1 < s.n && (s.p[i] == '.' || s.p[i] == ')') && s.p[i + 1] == ' ')
        return str_from(s, i + 2);
    return str_starts(s, STR("- ")) || str_starts(s, STR("* ")) ? str_from(s, 2) : str_starts(s, STR("\xE2\x80\xA2")) ? str_from(s, 3) : s;
}

static struct suite_texts tags_of_json(struct arena *a, yyjson_val *list)
{
    struct str *at = arena_array(a, struct str, yyjson_arr_size(list) + 1);
    size_t i, most, n = 0;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, most, v) {
        if (yyjson_is_str(v))
            at[n++] = arena_copy(a, json_str(v));
    }
    return (struct suite_texts){ at, n };
}

struct suite_texts tags_of(struct arena *a, struct str text, bool lenient)
{
    struct json_doc d = { 0 };
    struct str why, inside = lenient ? unfenced(text) : str_trim(text);
    if (answer_json(a, text, lenient, &d, &why) && yyjson_is_arr(d.root)) {
        struct suite_texts out = tags_of_json(a, d.root);
        json_free(&d);
        return out;
    }
    json_free(&d);
    if (!inside.n)
        return (struct suite_texts){ NULL, 0 };
    size_t most = 1, n = 0;
    for (size_t i = 0; i < inside.n; i++)
        most += inside.p[i] == ',' || inside.p[i] == '\n' || inside.p[i] == ';';
    struct str *at = arena_array(a, struct str, most);
    for (size_t i = 0, from = 0; i <= inside.n; i++) {
        if (i < inside.n && inside.p[i] != ',' && inside.p[i] != '\n' && inside.p[i] != ';')
            continue;
        struct str one = without_bullet(str_make(inside.p + from, i - from));
        if (tag_plain(a, one).n)
            at[n++] = one;
        from = i + 1;
    }
    return (struct suite_texts){ at, n };
}
