/* A file tree of names alone, and the commands that change it: mkdir, touch, rm, cp, mv, one a line, as a shell has them without options. What a right answer looks like is
 * told by its outcome, so any order of commands that leads there is right. A path that ends in a slash is a folder. */
#include "evidence/grade_int.h"

#include <stdlib.h>

enum { PATHS_MOST = 512, WORDS_MOST = 16 };

struct tree {
    struct arena *a;
    struct str at[PATHS_MOST]; /* without slashes at both ends */
    bool folder[PATHS_MOST];
    size_t n;
    struct str why;
};

static struct str bare(struct str path)
{
    while (str_starts(path, STR("./")))
        path = str_from(path, 2);
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

static ptrdiff_t find(const struct tree *t, struct str path)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->at[i], path))
            return (ptrdiff_t)i;
    return -1;
}

static bool is_folder(const struct tree *t, struct str path)
{
    ptrdiff_t i = find(t, path);
    return !path.n || str_eq(path, STR(".")) || (i >= 0 && t->folder[i]);
}

static struct str parent(struct str path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return str_make(path.p, i - 1);
    return (struct str){ "", 0 };
}

static struct str base_name(struct str path)
{
    struct str up = parent(path);
    return up.n ? str_from(path, up.n + 1) : path;
}

static bool inside(struct str path, struct str folder)
{
    return str_eq(path, folder) || (path.n > folder.n && str_starts(path, folder) && path.p[folder.n] == '/');
}

static bool no(struct tree *t, const char *what, struct str path)
{
    t->why = arena_printf(t->a, "%s: %.*s", what, STR_ARG(path));
    return false;
}

/* With the folders above it. */
static bool put(struct tree *t, struct str path, bool folder)
{
    struct str up = parent(path);
    if (!path.n || find(t, path) >= 0)
        return true;
    if (up.n && !is_folder(t, up) && !put(t, up, true))
        return false;
    if (t->n == PATHS_MOST)
        return no(t, "too many files", path);
    t->at[t->n] = path;
    t->folder[t->n++] = folder;
    return true;
}

static void drop(struct tree *t, struct str path)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (inside(t->at[i], path))
            continue;
        t->at[n] = t->at[i];
        t->folder[n++] = t->folder[i];
    }
    t->n = n;
}

static bool copy(struct tree *t, struct str from, struct str to)
{
    size_t n = t->n;
    if (find(t, from) < 0)
        return no(t, "there is no such file", from);
    if (is_folder(t, to))
        to = to.n && !str_eq(to, STR(".")) ? arena_printf(t->a, "%.*s/%.*s", STR_ARG(to), STR_ARG(base_name(from))) : base_name(from);
    if (inside(to, from))
        return str_eq(to, from) || no(t, "a folder into itself", to);
    if (!is_folder(t, parent(to)))
        return no(t, "there is no such folder", parent(to));
    for (size_t i = 0; i < n; i++)
        if (inside(t->at[i], from) && !put(t, arena_printf(t->a, "%.*s%.*s", STR_ARG(to), STR_ARG(str_from(t->at[i], from.n))), t->folder[i]))
            return false;
    return true;
}

static bool move(struct tree *t, struct str from, struct str to)
{
    if (is_folder(t, to) && !str_eq(to, from))
        to = to.n && !str_eq(to, STR(".")) ? arena_printf(t->a, "%.*s/%.*s", STR_ARG(to), STR_ARG(base_name(from))) : base_name(from);
    if (str_eq(to, from))
        return true;
    if (!copy(t, from, to))
        return false;
    drop(t, from);
    return true;
}

static bool make_folder(struct tree *t, struct str path, bool parents)
{
    if (find(t, path) >= 0)
        return parents || no(t, "is there already", path);
    if (!parents && !is_folder(t, parent(path)))
        return no(t, "there is no such folder", parent(path));
    return put(t, path, true);
}

static bool run_command(struct tree *t, const struct str *w, size_t n, bool parents)
{
    bool two = str_eq(w[0], STR("mv")) || str_eq(w[0], STR("cp"));
    if (two && n < 3)
        return no(t, "needs a from and a to", w[0]);
    for (size_t i = 1; i < n - two; i++) {
        struct str path = bare(w[i]);
        bool done = str_eq(w[0], STR("mkdir"))    ? make_folder(t, path, parents)
                    : str_eq(w[0], STR("mv"))     ? move(t, path, bare(w[n - 1]))
                    : str_eq(w[0], STR("cp"))     ? copy(t, path, bare(w[n - 1]))
                    : str_eq(w[0], STR("touch"))  ? (is_folder(t, parent(path)) ? put(t, path, false) : no(t, "there is no such folder", parent(path)))
                    : str_eq(w[0], STR("rm")) || str_eq(w[0], STR("rmdir")) ? (find(t, path) >= 0 || no(t, "there is no such file", path))
                                                  : no(t, "is no command", w[0]);
        if (!done)
            return false;
        if (str_starts(w[0], STR("rm")))
            drop(t, path);
    }
    return n > 1 || no(t, "needs a path", w[0]);
}

static bool run_line(struct tree *t, struct str line)
{
    struct str words[WORDS_MOST], rest = line;
    size_t n = 0;
    bool parents = false;
    while (rest.n) {
        struct str w = str_cut(rest, ' ', &rest);
        if (str_starts(w, STR("-")) && n) { /* mkdir -p, rm -r */
            parents |= memchr(w.p, 'p', w.n) != NULL;
            continue;
        }
        if (w.n && n == WORDS_MOST)
            return no(t, "is too long", line);
        if (w.n)
            words[n++] = w;
    }
    return !n || run_command(t, words, n, parents);
}

static int by_name(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static struct suite_texts listed(struct tree *t)
{
    struct str *out = arena_array(t->a, struct str, t->n + 1);
    for (size_t i = 0; i < t->n; i++)
        out[i] = t->folder[i] ? arena_printf(t->a, "%.*s/", STR_ARG(t->at[i])) : t->at[i];
    qsort(out, t->n, sizeof *out, by_name);
    return (struct suite_texts){ out, t->n };
}

static void fill(struct tree *t, struct suite_texts paths)
{
    for (size_t i = 0; i < paths.n; i++)
        put(t, bare(paths.at[i]), str_ends(paths.at[i], STR("/")));
}

struct suite_texts tree_sorted(struct arena *a, struct suite_texts paths)
{
    struct tree t = { .a = a };
    fill(&t, paths);
    return listed(&t);
}

bool tree_apply(struct arena *a, struct suite_texts paths, struct str commands, struct suite_texts *out, struct str *why)
{
    struct tree t = { .a = a };
    struct str rest = commands;
    fill(&t, paths);
    while (rest.n) {
        struct str line = str_trim(str_cut(rest, '\n', &rest));
        if (str_starts(line, STR("$ ")))
            line = str_from(line, 2);
        if (line.n && line.p[0] != '#' && !run_line(&t, line)) {
            *why = t.why;
            return false;
        }
    }
    *out = listed(&t);
    return true;
}
