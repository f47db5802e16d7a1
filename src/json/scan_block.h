/* Checks a long string where it stands, 64 bytes at a time, without decoding it.
 *
 * Each byte of a block becomes a bit in a few masks (what is a quote, a backslash …), and the questions are then answered for all 64 at
 * once: which characters are escaped, whether those may be, where the string ends, whether bytes that are not ASCII follow each other as
 * they should. Only \u is looked at one by one. An escape or a character that does not end in its block begins the next one.
 *
 * Included twice, by scan.c and scan_wide.c: a block is four vectors of SSE2, which each x86-64 has, or, where WIDE is defined, two of AVX2. */
#include "json/json_int.h"

#include <immintrin.h>

#define EVEN 0x5555555555555555u
/* A block has to stay in registers: called, these take three times as long. */
#define INLINE static inline __attribute__((always_inline))

enum { BLOCK = 64, AHEAD = 1 }; /* AHEAD: of a block's last byte the next one is read as well */

/* 64 bytes, and what is asked of all of them: a macro that asks it of the vector with a number, spelled out for each. */
#ifdef WIDE
typedef __m256i vec;
struct block {
    vec v[2];
};
#define EACH(f) bits(f(0), f(1))

INLINE struct block block_at(const unsigned char *p)
{
    return (struct block){ { _mm256_loadu_si256((const vec *)(const void *)p), _mm256_loadu_si256((const vec *)(const void *)(p + 32)) } };
}

INLINE uint64_t bits(vec a, vec b)
{
    return (uint64_t)(unsigned)_mm256_movemask_epi8(a) | (uint64_t)(unsigned)_mm256_movemask_epi8(b) << 32;
}

INLINE vec is(vec v, int c)
{
    return _mm256_cmpeq_epi8(v, _mm256_set1_epi8((char)c));
}

/* Signed, as it is compared: bytes past ASCII are below all of ASCII, and in order among themselves. */
INLINE vec is_below(vec v, int c)
{
    return _mm256_cmpgt_epi8(_mm256_set1_epi8((char)c), v);
}

INLINE vec either(vec a, vec b)
{
    return _mm256_or_si256(a, b);
}

INLINE vec both(vec a, vec b)
{
    return _mm256_and_si256(a, b);
}

INLINE vec but_not(vec a, vec b)
{
    return _mm256_andnot_si256(b, a);
}

INLINE vec without(vec v, int mask)
{
    return _mm256_and_si256(v, _mm256_set1_epi8((char)mask));
}
#else
typedef __m128i vec;
struct block {
    vec v[4];
};
#define EACH(f) bits(f(0), f(1), f(2), f(3))

INLINE vec load(const unsigned char *p)
{
    return _mm_loadu_si128((const vec *)(const void *)p);
}

INLINE struct block block_at(const unsigned char *p)
{
    return (struct block){ { load(p), load(p + 16), load(p + 32), load(p + 48) } };
}

INLINE uint64_t bits(vec a, vec b, vec c, vec d)
{
    uint64_t low = (uint64_t)(unsigned)_mm_movemask_epi8(a) | (uint64_t)(unsigned)_mm_movemask_epi8(b) << 16;
    return low | (uint64_t)(unsigned)_mm_movemask_epi8(c) << 32 | (uint64_t)(unsigned)_mm_movemask_epi8(d) << 48;
}

INLINE vec is(vec v, int c)
{
    return _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c));
}

/* Signed, as SSE2 compares: bytes past ASCII are below all of ASCII, and in order among themselves. */
INLINE vec is_below(vec v, int c)
{
    return _mm_cmplt_epi8(v, _mm_set1_epi8((char)c));
}

INLINE vec either(vec a, vec b)
{
    return _mm_or_si128(a, b);
}

INLINE vec both(vec a, vec b)
{
    return _mm_and_si128(a, b);
}

INLINE vec but_not(vec a, vec b)
{
    return _mm_andnot_si128(b, a);
}

INLINE vec without(vec v, int mask)
{
    return _mm_and_si128(v, _mm_set1_epi8((char)mask));
}
#endif

#define IS(i) is(b->v[i], c)
INLINE uint64_t all_that_are(const struct block *b, int c)
{
    return EACH(IS);
}

#define BELOW(i) is_below(b->v[i], c)
INLINE uint64_t all_below(const struct block *b, int c)
{
    return EACH(BELOW);
}

INLINE vec is_letter(vec v) /* one of "\/bfnrtu; t and u differ in one bit, b and f too */
{
    vec t_u = is(without(v, 0xfe), 't'), b_f = is(without(v, 0xfb), 'b');
    vec marks = either(either(is(v, '"'), is(v, '\\')), is(v, '/'));
    return either(either(t_u, b_f), either(either(is(v, 'n'), is(v, 'r')), marks));
}

/* First bytes that begin nothing, alone or with the second one: overlong forms, surrogates, what is past U+10FFFF. */
INLINE vec is_bad_lead(vec v, vec next)
{
    vec never = either(either(is(v, 0xc0), is(v, 0xc1)), but_not(is_below(v, 0), is_below(v, 0xf5)));
    vec low = is_below(next, 0xa0), lower = is_below(next, 0x90);
    vec three = either(both(is(v, 0xe0), low), but_not(is(v, 0xed), low));
    vec four = either(both(is(v, 0xf0), lower), but_not(is(v, 0xf4), lower));
    return either(never, either(three, four));
}

/* The characters that have an escaping backslash before them. In a run of backslashes every second one is escaped by its neighbour: in a
 * run that starts at an even place those at odd places, the character behind the run included, and the other way round. Adding a run's
 * first bit to it carries through to its end: so the runs with an even start are told from the others. */
INLINE uint64_t escaped_of(uint64_t backslash)
{
    uint64_t first = backslash & ~(backslash << 1);
    uint64_t from_even = backslash & ~(backslash + (first & EVEN)), from_odd = backslash & ~from_even;
    return (from_even << 1 & ~EVEN) | (from_odd << 1 & EVEN);
}

INLINE uint64_t before(unsigned at) /* the bits before that place, 0..64 */
{
    return at < BLOCK ? ((uint64_t)1 << at) - 1 : ~(uint64_t)0;
}

INLINE unsigned first_of(uint64_t mask) /* 64 when there is none */
{
    return mask ? (unsigned)__builtin_ctzll(mask) : BLOCK;
}

static int hex4(struct str text, size_t at)
{
    static const unsigned char digits[256] = { /* one more than each is worth */
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11,
        ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    };
    if (text.n - at < 4)
        return -1;
    const unsigned char *p = (const unsigned char *)text.p + at;
    int a = digits[p[0]], b = digits[p[1]], c = digits[p[2]], d = digits[p[3]];
    return a && b && c && d ? (a - 1) << 12 | (b - 1) << 8 | (c - 1) << 4 | (d - 1) : -1;
}

/* The u of an escape is at `at`. A high surrogate wants a low one behind it, and says where; a low one elsewhere stands alone. */
static bool unicode_fits(struct str text, size_t at, size_t *low_at)
{
    int unit = hex4(text, at + 1);
    if (unit < 0)
        return false;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit >= 0xdc00)
        return *low_at == at;
    if (text.n - at < 7 || text.p[at + 5] != '\\' || text.p[at + 6] != 'u')
        return false;
    *low_at = at + 6;
    int low = hex4(text, at + 7);
    return low >= 0xdc00 && low <= 0xdfff;
}

struct scan {
    struct str text;
    size_t low_at; /* where the u of a low surrogate has to be */
};

#define LETTER(i) is_letter(b->v[i])
INLINE bool escapes_fit(struct scan *s, size_t at, const struct block *b, uint64_t escaped)
{
    if (escaped & ~EACH(LETTER))
        return false;
    for (uint64_t left = escaped & all_that_are(b, 'u'); left; left &= left - 1)
        if (!unicode_fits(s->text, at + first_of(left), &s->low_at))
            return false;
    return true;
}

#define BAD_LEAD(i) is_bad_lead(b->v[i], next->v[i])
/* Continuations have to be just where the first bytes want them, up to the string's end, where none is. *step: where a character begins
 * that ends in the next block. next: the block one place further on. */
INLINE bool utf8_fits(const struct block *b, const struct block *next, uint64_t high, unsigned end, unsigned *step)
{
    uint64_t continues = all_below(b, 0xc0), below_three = all_below(b, 0xe0), below_four = all_below(b, 0xf0);
    uint64_t two = below_three & ~continues, three = below_four & ~below_three, four = high & ~below_four;
    unsigned open = first_of((two & ~before(63)) | (three & ~before(62)) | (four & ~before(61)));
    uint64_t wanted = (two | three | four) << 1 | (three | four) << 2 | four << 3;
    uint64_t bad = EACH(BAD_LEAD);
    if (open < *step)
        *step = open;
    /* Up to and with that place, or the quote, neither of which may be in a continuation's; not to *step, where a backslash may be. */
    uint64_t ours = before((end < open ? end : open) + 1);
    return ((bad | (wanted ^ continues)) & ours) == 0;
}

INLINE vec is_other(vec v)
{
    return either(is_below(v, 0x20), either(is(v, '"'), is(v, '\\')));
}

#define OTHER(i) is_other(b->v[i])
INLINE bool is_plain(const struct block *b) /* nothing but ASCII that means itself */
{
    return EACH(OTHER) == 0;
}

#define SELF(i) b.v[i]
/* True when the block is fine. *end is where the string ends in it, 64 when it goes on; then *step is where the next block begins. */
INLINE bool block_fits(struct scan *s, size_t at, const unsigned char *p, unsigned *end, unsigned *step)
{
    struct block b = block_at(p);
    *end = *step = BLOCK;
    if (is_plain(&b))
        return true;
    uint64_t backslash = all_that_are(&b, '\\'), escaped = escaped_of(backslash);
    uint64_t low = all_below(&b, 0x20), high = EACH(SELF);
    if ((backslash & ~escaped) >> 63)
        *step = BLOCK - 1;
    *end = first_of(all_that_are(&b, '"') & ~escaped);
    if (high) {
        if (escaped & high & before(*end)) /* now: the next block may begin with it, and not know that it is escaped */
            return false;
        const struct block next = block_at(p + 1);
        if (!utf8_fits(&b, &next, high, *end, step))
            return false;
    }
    if (*end >= *step)
        *end = BLOCK;
    uint64_t ours = before(*end < *step ? *end : *step);
    if (low & ~high & ours)
        return false;
    return !(escaped & ours) || escapes_fit(s, at, &b, escaped & ours);
}

static size_t scan_string(struct str text, size_t at)
{
    struct scan s = { .text = text };
    unsigned end, step;
    for (; text.n - at >= BLOCK + AHEAD; at += step) {
        if (!block_fits(&s, at, (const unsigned char *)text.p + at, &end, &step))
            return text.n;
        if (end < BLOCK)
            return at + end;
    }
    /* What is left, 64 bytes at the most. Behind it a control character stands, so a string that does not end here is refused; and one
     * that fills the block would have to end in it. */
    unsigned char last[BLOCK + AHEAD] = { 0 };
    if (at < text.n)
        memcpy(last, text.p + at, text.n - at);
    return block_fits(&s, at, last, &end, &step) && end < BLOCK ? at + end : text.n;
}
