/* Borrowed text: a pointer and a length, no NUL, nothing owned. A slice of an input buffer dies at the next read. */
#ifndef HOB_BASE_STR_H
#define HOB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)
#define GIB ((size_t)1024 * 1024 * 1024)

struct str {
    const char *p;
    size_t n;
};

/* STR("x"): of a literal, usable in static tables. */
#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

static inline struct str str_of(const char *nul_terminated)
{
    return (struct str){ nul_terminated, nul_terminated ? strlen(nul_terminated) : 0 };
}

static inline struct str str_make(const char *p, size_t n)
{
    return (struct str){ p, n };
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static inline struct str str_from(struct str s, size_t at)
{
    return at >= s.n ? (struct str){ NULL, 0 } : (struct str){ s.p + at, s.n - at };
}

bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
bool str_glob(struct str pattern, struct str text); /* '*' any bytes, '?' one; case does not count (ASCII) */
struct str str_trim(struct str s);              /* spaces, tabs, CR, LF at both ends */

/* In place: control characters become '?', those of ASCII and (two bytes, two '?') U+0080 to U+009F. What a terminal would obey is not shown to it. */
void str_mask_controls(char *at, size_t n);

/* Cuts s at the first `sep`: returns what is before it, leaves what is after it in *rest (empty, p NULL, when there is none). */
struct str str_cut(struct str s, char sep, struct str *rest);

/* First place of needle in s, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);

/* Whole of s as a decimal number in [min, max]; false (and *out untouched) otherwise. */
bool str_to_int(struct str s, int64_t min, int64_t max, int64_t *out);

/* FNV-1a, 64 bits: a short name for a long one. No defence against who chooses the text. */
uint64_t str_hash(struct str s);

/* The candidate nearest to `word` by edit distance (insert, delete, replace, swap of neighbours), or an empty str when none is near
 * enough to be what was meant (more than a third of the word's length away, at most 3). For "did you mean". */
struct str str_nearest(struct str word, const struct str *candidates, size_t n);

/* Zeros over a secret. */
void wipe(void *p, size_t n);

#endif
