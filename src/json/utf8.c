/* UTF-8, one sequence at a time: no overlong forms, no surrogates, nothing past U+10FFFF. */
#include "json/json_int.h"

/* Which second bytes may follow a first one is all that makes the forms differ; every later byte is 80..BF. */
static const struct lead {
    unsigned char from, to; /* first byte */
    unsigned char low, high; /* second byte */
    unsigned char length;
} leads[] = {
    { 0xc2, 0xdf, 0x80, 0xbf, 2 },
    { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 },
    { 0xed, 0xed, 0x80, 0x9f, 3 },
    { 0xee, 0xef, 0x80, 0xbf, 3 },
    { 0xf0, 0xf0, 0x90, 0xbf, 4 },
    { 0xf1, 0xf3, 0x80, 0xbf, 4 },
    { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t json_utf8(const unsigned char *p, size_t n, size_t *bad)
{
    *bad = 1;
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < COUNTOF(leads); i++) {
        const struct lead *l = &leads[i];
        if (p[0] < l->from || p[0] > l->to)
            continue;
        for (size_t at = 1; at < l->length; at++) {
            unsigned char low = at == 1 ? l->low : 0x80, high = at == 1 ? l->high : 0xbf;
            if (at >= n || p[at] < low || p[at] > high) {
                *bad = at;
                return 0;
            }
        }
        return l->length;
    }
    return 0;
}

#define EACH_BYTE(c) (0x0101010101010101u * (c))

/* Which of eight bytes, none of them above 0x7f, are c: the highest bit of each says so, though not of those behind the first. */
static uint64_t are(uint64_t eight, unsigned char c)
{
    uint64_t zero = eight ^ EACH_BYTE(c);
    return (zero - EACH_BYTE(1u)) & EACH_BYTE(0x80u);
}

/* Eight bytes of ASCII that mean themselves. */
static bool are_plain(const unsigned char p[8])
{
    uint64_t eight;
    memcpy(&eight, p, sizeof eight);
    return !((eight | (eight - EACH_BYTE(0x20u)) | are(eight, '"') | are(eight, '\\')) & EACH_BYTE(0x80u));
}

bool json_means_itself(struct str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    size_t at = 0, step, bad;
    for (; at < text.n; at += step) {
        step = 8;
        if (text.n - at >= step && are_plain(p + at))
            continue;
        if (p[at] < 0x20 || p[at] == '"' || p[at] == '\\')
            return false;
        step = p[at] < 0x80 ? 1 : json_utf8(p + at, text.n - at, &bad);
        if (!step)
            return false;
    }
    return true;
}
