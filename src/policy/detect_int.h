/* Between the pass over a text and the forms it looks for. */
#ifndef HOB_POLICY_DETECT_INT_H
#define HOB_POLICY_DETECT_INT_H

#include "policy/detect.h"

/* Up to where nothing is to be found, as a look from farther ahead has shown: without it a prefix that is said again and again would be looked behind again
 * and again. */
struct barren {
    size_t keys, tokens;            /* behind prefixes of keys; behind "eyJ" */
    size_t values[2];               /* of names, by what they are the names of */
};

/* What every form is asked: is there one of you at this byte, or around it? Nothing before `low` may be part of it: it is part of something else. */
struct look {
    struct str text;
    size_t low;
    struct barren *barren;
};
typedef bool detect_fn(const struct look *l, size_t at, struct found *out);

detect_fn detect_number;        /* at the first of some digits, at '+' or '(': phone, card, IBAN (detect_number.c) */
detect_fn detect_key;           /* at a byte that keys have behind their prefix: '-' '_' 'I' 'J' (detect_secret.c) */
detect_fn detect_bearer;        /* at 'B' or 'b' */
detect_fn detect_assignment;    /* at '=' or ':' */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool is_word(char c)
{
    return is_digit(c) || is_letter(c) || c == '_';
}

/* Is there a word's end right before `at`, so that what begins here is part of it? The letter of an escape is none: in `\n030 …` of some JSON a
 * line begins. */
static inline bool joins_word(struct str text, size_t low, size_t at)
{
    if (at <= low || !is_word(text.p[at - 1]))
        return false;
    bool escape = at >= 2 && text.p[at - 2] == '\\' && (text.p[at - 1] == 'n' || text.p[at - 1] == 'r' || text.p[at - 1] == 't');
    return !escape;
}

/* The byte at a place, 0 where there is none. */
static inline char byte_at(struct str text, size_t at)
{
    return at < text.n ? text.p[at] : 0;
}

static inline char byte_before(struct str text, size_t at)
{
    return at ? text.p[at - 1] : 0;
}

#endif
