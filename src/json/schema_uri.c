#include "json/schema_uri.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t scheme_end(struct str uri) /* behind its colon; 0: it has none */
{
    for (size_t i = 0; i < uri.n; i++) {
        char c = uri.p[i];
        if (c == ':')
            return i ? i + 1 : 0;
        if (!is_letter(c) && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return 0;
    }
    return 0;
}

bool uri_has_scheme(struct str uri)
{
    return scheme_end(uri) > 0;
}

static size_t path_start(struct str uri) /* behind "scheme://host" */
{
    size_t at = scheme_end(uri);
    if (uri.n < at + 2 || uri.p[at] != '/' || uri.p[at + 1] != '/')
        return at;
    for (at += 2; at < uri.n && uri.p[at] != '/' && uri.p[at] != '?';)
        at++;
    return at;
}

/* Writes path to p without "." and ".." segments; returns its length. */
static size_t without_dots(char *p, struct str path)
{
    size_t n = 0, root = str_starts(path, STR("/")) ? 1 : 0; /* its slash stays */
    for (size_t at = 0; at < path.n;) {
        size_t end = at;
        while (end < path.n && path.p[end] != '/')
            end++;
        struct str part = str_make(path.p + at, end - at);
        bool last = end == path.n;
        if (str_eq(part, STR(".."))) {
            n -= n > root; /* the slash behind what goes */
            while (n > root && p[n - 1] != '/')
                n--;
        } else if (!str_eq(part, STR("."))) {
            memcpy(p + n, part.p, part.n);
            n += part.n;
            if (!last)
                p[n++] = '/';
        }
        at = end + 1;
    }
    return n;
}

struct str uri_resolve(struct arena *a, struct str base, struct str ref)
{
    size_t from = path_start(base), keep = from;
    if (ref.n == 0)
        return base;
    bool host = from > scheme_end(base), flat = uri_has_scheme(base) && !host && from < base.n && base.p[from] != '/';
    if (uri_has_scheme(ref) || base.n == 0 || flat)
        return ref;
    if (str_starts(ref, STR("//")))
        return arena_printf(a, "%.*s%.*s", (int)scheme_end(base), base.p, STR_ARG(ref));
    if (ref.p[0] != '/') /* beside the base's last segment */
        for (size_t i = from; i < base.n && base.p[i] != '?'; i++)
            if (base.p[i] == '/')
                keep = i + 1;
    struct str path = arena_printf(a, "%s%.*s%.*s", host && keep == from && ref.p[0] != '/' ? "/" : "", (int)(keep - from), base.p + from, STR_ARG(ref));
    char *out = arena_alloc(a, from + path.n + 1);
    memcpy(out, base.p, from);
    return str_make(out, from + without_dots(out + from, path));
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool uri_decode(struct arena *a, struct str text, struct str *out)
{
    char *p = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '%') {
            p[n++] = text.p[i];
            continue;
        }
        if (i + 2 >= text.n || hex(text.p[i + 1]) < 0 || hex(text.p[i + 2]) < 0)
            return false;
        p[n++] = (char)(hex(text.p[i + 1]) * 16 + hex(text.p[i + 2]));
        i += 2;
    }
    *out = str_make(p, n);
    return true;
}
