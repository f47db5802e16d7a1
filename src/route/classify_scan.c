/* The pass over a text, and what is made of what it finds.
 *
 * Words are hashed while they are read, case and accents folded away; a phrase's hash is made of its words', so that one look-up a length
 * finds it. Stems ("hypothes*") are found by the hash so far, behind a small filter. Chinese, Japanese and Korean have no spaces to go by:
 * there every character is looked up as a beginning, and the rest compared. What is quoted, or is code, is what the words are about and is not
 * read as a wish. */
#include "route/classify_int.h"

#include "base/err.h"

#include <stdlib.h>

enum {
    PHRASE_MAX = 5,
    STEM_MIN = 4,
    QUOTE_MAX = 4096,         /* bytes of a piece of code */
    LONG_TEXT = 600,          /* from here on a text may be mostly pasted */
    FILTER_BITS = 32768,
};

#define NONE UINT32_MAX
#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* ---- the table, made ready ---- */

enum kind { KIND_WORD, KIND_STEM, KIND_CHARACTER };

struct entry {
    uint64_t key;
    const struct sign_row *row;
    struct str rest;          /* KIND_CHARACTER: what must follow the first one */
    uint32_t next;            /* entry with the same slot's key */
    unsigned char kind;
    unsigned char words;
};

struct slot {
    uint64_t key;
    uint32_t first;           /* NONE: no entry of its own, but longer phrases end with this word */
    uint32_t lengths;         /* bit k: a phrase of k words ends with it */
};

struct classifier {
    struct slot *slots;
    struct entry *entries;
    size_t nslots, nentries;
    double weight[SIGNS];     /* 1 = as the table has it */
    uint64_t keys[FILTER_BITS / 64], stems[FILTER_BITS / 64]; /* what is certainly not in the table is seen here, in the nearest cache */
};

/* Letters of Latin-1's second half without case and accents; 0: no letter. */
static const char latin1[64] = {
    'a', 'a', 'a', 'a', 'a', 'a', 'a', 'c', 'e', 'e', 'e', 'e', 'i', 'i', 'i', 'i', 'd', 'n', 'o', 'o', 'o', 'o', 'o', 0, 'o', 'u', 'u', 'u', 'u', 'y', 'p', 's',
    'a', 'a', 'a', 'a', 'a', 'a', 'a', 'c', 'e', 'e', 'e', 'e', 'i', 'i', 'i', 'i', 'd', 'n', 'o', 'o', 'o', 'o', 'o', 0, 'o', 'u', 'u', 'u', 'u', 'y', 'p', 'y',
};

/* Whether `what` stands at text[at]. Its last byte is looked at first: of characters whose bytes are much alike it tells the most. */
static inline bool stands_at(struct str text, size_t at, struct str what)
{
    if (!what.n)
        return true;
    return text.n - at >= what.n && text.p[at + what.n - 1] == what.p[what.n - 1] && memcmp(text.p + at, what.p, what.n) == 0;
}

static uint64_t hash_byte(uint64_t h, unsigned char b)
{
    return (h ^ b) * FNV_PRIME;
}

/* FNV's low bits alone are poor for places in a table. */
static uint64_t spread(uint64_t h)
{
    return h ^ h >> 29;
}

static uint64_t hash_phrase(uint64_t before, uint64_t word)
{
    return (before * 31 + 17) ^ word;
}

/* Letters, digits and '_' (names of code are one word) of ASCII without case; 0: none. */
static const unsigned char ascii[128] = {
    ['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['_'] = '_',
    ['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
};

/* Of the letter at p: its bytes, and *folded; 0 when none begins there. Scripts without tables here pass as they are. */
static inline size_t letter(const unsigned char *p, size_t n, unsigned char *folded)
{
    unsigned char b = p[0];
    if (b < 0x80) {
        *folded = ascii[b];
        return *folded > 0;
    }
    if (b < 0xc3 || b > 0xdf || n < 2 || (p[1] & 0xc0) != 0x80)
        return 0;
    *folded = b == 0xc3 ? (unsigned char)latin1[p[1] & 63] : (unsigned char)(b ^ p[1]);
    return *folded ? 2 : 0;
}

/* A character of a script without spaces: E3 81 .. ED, Hangul too. */
static bool is_dense(const unsigned char *p, size_t n)
{
    return n >= 3 && ((p[0] == 0xe3 && p[1] >= 0x81) || (p[0] >= 0xe4 && p[0] <= 0xed)) && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80;
}

static uint64_t hash_dense(const unsigned char *p)
{
    return ((uint64_t)p[0] << 16 | (uint64_t)p[1] << 8 | p[2]) * UINT64_C(0x9e3779b97f4a7c15);
}

static void filter_set(uint64_t *bits, uint64_t h)
{
    size_t bit = (size_t)spread(h) % FILTER_BITS;
    bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool filter_has(const uint64_t *bits, uint64_t h)
{
    size_t bit = (size_t)spread(h) % FILTER_BITS;
    return bits[bit / 64] >> bit % 64 & 1;
}

static struct slot *slot_of(const struct classifier *c, uint64_t key)
{
    size_t at = (size_t)spread(key) & (c->nslots - 1);
    while (c->slots[at].key && c->slots[at].key != key)
        at = (at + 1) & (c->nslots - 1);
    return &c->slots[at];
}

static struct slot *slot_make(struct classifier *c, uint64_t key)
{
    struct slot *s = slot_of(c, key);
    if (!s->key)
        *s = (struct slot){ .key = key, .first = NONE };
    filter_set(c->keys, key);
    return s;
}

static void add_entry(struct classifier *c, struct entry e)
{
    struct slot *s = slot_make(c, e.key);
    e.next = s->first;
    s->first = (uint32_t)c->nentries;
    c->entries[c->nentries++] = e;
}


static void add_phrase(struct classifier *c, const struct sign_row *row, struct str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    uint64_t h = FNV_START, all = 0, last = 0;
    unsigned words = 0;
    size_t in_word = 0;
    bool stem = str_ends(text, STR("*"));
    if (is_dense(p, text.n)) {
        add_entry(c, (struct entry){ .key = hash_dense(p), .row = row, .rest = str_from(text, 3), .kind = KIND_CHARACTER });
        return;
    }
    for (size_t i = 0; i <= text.n;) {
        unsigned char folded = 0;
        size_t n = i < text.n ? letter(p + i, text.n - i, &folded) : 0;
        if (n) {
            h = hash_byte(h, folded);
            in_word++;
        } else if (in_word) {
            all = words ? hash_phrase(all, h) : h;
            last = h;
            words++;
            h = FNV_START;
            in_word = 0;
        }
        i += n ? n : 1;
    }
    if (stem && words == 1) {
        filter_set(c->stems, all);
        add_entry(c, (struct entry){ .key = all, .row = row, .kind = KIND_STEM, .words = 1 });
        return;
    }
    if (!words || words > PHRASE_MAX || stem)
        die("classify: '%.*s' has %u words", STR_ARG(text), words);
    add_entry(c, (struct entry){ .key = all, .row = row, .kind = KIND_WORD, .words = (unsigned char)words });
    slot_make(c, last)->lengths |= 1u << words;
}

static size_t count_phrases(void)
{
    size_t n = 0;
    for (size_t i = 0; i < nsign_rows; i++) {
        n++;
        for (const char *p = sign_rows[i].words; *p; p++)
            n += *p == '|';
    }
    return n;
}

struct classifier *classifier_new(void)
{
    struct classifier *c = calloc(1, sizeof *c);
    size_t most = count_phrases();
    if (!c)
        die("out of memory for the table of words");
    c->nslots = 64;
    while (c->nslots <= 2 * most) /* a phrase takes one, and what it ends with is mostly there already */
        c->nslots *= 2;
    c->slots = calloc(c->nslots, sizeof *c->slots);
    c->entries = calloc(most, sizeof *c->entries);
    if (!c->slots || !c->entries)
        die("out of memory for the table of words");
    for (size_t i = 0; i < nsign_rows; i++)
        for (struct str rest = str_of(sign_rows[i].words); rest.n;)
            add_phrase(c, &sign_rows[i], str_cut(rest, '|', &rest));
    classifier_tune(c, NULL, 0);
    return c;
}

/* "several-steps" is the sign "several steps". */
static bool is_named(enum sign sign, struct str name)
{
    struct str own = str_of(sign_name[sign]);
    bool same = own.n && own.n == name.n;
    for (size_t i = 0; same && i < own.n; i++)
        same = own.p[i] == name.p[i] || (own.p[i] == ' ' && name.p[i] == '-');
    return same;
}

void classifier_tune(struct classifier *c, const struct conf_weight *weights, size_t n)
{
    for (enum sign sign = 0; sign < SIGNS; sign++) {
        c->weight[sign] = 1;
        for (size_t i = 0; i < n; i++)
            if (is_named(sign, weights[i].name))
                c->weight[sign] = weights[i].factor;
    }
}

void classifier_free(struct classifier *c)
{
    if (!c)
        return;
    free(c->slots);
    free(c->entries);
    free(c);
}

/* ---- one message ---- */

static bool is_between(enum sign s, enum sign from, enum sign end)
{
    return s >= from && s < end;
}

static void found(struct scan *s, const struct sign_row *row, bool leads)
{
    enum sign sign = row->sign;
    double w = row->weight / 100.0;
    s->votes[row->tongue]++;
    if (sign == LEAD || sign == STOP_WORD)
        return;
    if (sign == NOT) {
        s->refused = 3;
        return;
    }
    if (sign == COUNTED) {
        if (s->number < 400)
            return;
        sign = LONG_FORM;
    }
    w *= s->c->weight[sign];
    if (s->pasted)
        w *= 0.15;
    if (s->refused)
        w *= is_between(sign, GREETING, FAST_END) ? 1 : 0.15;
    if (row->where == LEADS && !leads)
        w *= is_between(sign, FAST_END, HEAVY_END) ? 0.35 : 0.2;
    bool asks = is_between(sign, FAST_END, HEAVY_END) && !s->pasted && !s->refused;
    if (asks && row->where == LEADS && leads && w > s->wish)
        s->wish = w;
    if (asks && (leads || row->where == ANYWHERE) && is_between(sign, REWRITING, EXPLANATION))
        s->given = true;
    double less = w < s->best[sign] ? w : s->best[sign];
    s->best[sign] = w > s->best[sign] ? w : s->best[sign];
    s->more[sign] += s->pasted ? 0 : less;
}

static bool sets_lead(const struct sign_row *row)
{
    return row->sign == LEAD || row->sign == GREETING || row->sign == THANKS;
}

/* All entries under a key; true when what follows them may be what is asked for. */
static bool found_all(struct scan *s, const struct slot *slot, unsigned char kind, unsigned words, bool leads)
{
    bool lead = false;
    for (uint32_t at = slot->first; at != NONE; at = s->c->entries[at].next) {
        const struct entry *e = &s->c->entries[at];
        if (e->kind != kind || e->words != words)
            continue;
        found(s, e->row, leads);
        lead |= sets_lead(e->row);
    }
    return lead;
}

/* Of the phrase of the last k words. */
static uint64_t phrase_hash(const struct scan *s, unsigned k)
{
    uint64_t all = s->ring[(s->nring - k) % SCAN_RING];
    for (unsigned i = k - 1; i > 0; i--)
        all = hash_phrase(all, s->ring[(s->nring - i) % SCAN_RING]);
    return all;
}

/* The phrases that end with the word just read. */
static bool end_phrases(struct scan *s, uint64_t h)
{
    const struct slot *last = filter_has(s->c->keys, h) ? slot_of(s->c, h) : NULL;
    bool lead = false;
    if (!last || !last->key)
        return false;
    for (unsigned k = 1; last->lengths >> k && k <= s->nring; k++) {
        const struct slot *slot = !(last->lengths >> k & 1) ? NULL : k == 1 ? last : slot_of(s->c, phrase_hash(s, k));
        if (slot && slot->key)
            lead |= found_all(s, slot, KIND_WORD, k, s->ring_leads[(s->nring - k) % SCAN_RING]);
    }
    return lead;
}

static void end_word(struct scan *s, uint64_t h, uint64_t stem)
{
    s->ring[s->nring % SCAN_RING] = h;
    s->ring_leads[s->nring % SCAN_RING] = s->leads;
    s->nring++;
    s->words++;
    if (stem)
        found_all(s, slot_of(s->c, stem), KIND_STEM, 1, s->leads);
    s->leads = end_phrases(s, h);
    if (s->refused)
        s->refused--;
}

/* A clause ends: phrases do not reach over it, and what comes next may be a wish. */
static void end_clause(struct scan *s)
{
    s->leads = true;
    s->nring = 0;
    s->number = 0;
}

static void end_sentence(struct scan *s)
{
    end_clause(s);
    s->given = false;
    s->refused = 0;
}

/* Reads one word from text[at]; returns where it ends. */
static size_t read_word(struct scan *s, struct str text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.p;
    uint64_t h = FNV_START, stem = 0;
    size_t length = 0, n;
    int64_t number = 0;
    bool digits = true;
    unsigned char folded;
    for (; at < text.n && (n = letter(p + at, text.n - at, &folded)); at += n) {
        h = hash_byte(h, folded);
        length++;
        digits = digits && folded >= '0' && folded <= '9';
        number = digits && number < 100000000 ? number * 10 + (folded - '0') : number;
        if (length >= STEM_MIN && filter_has(s->c->stems, h) && slot_of(s->c, h)->key)
            stem = h;
    }
    end_word(s, h, stem);
    s->number = digits ? number : 0;
    return at;
}

static void vote_dense(struct scan *s, const unsigned char *p)
{
    bool kana = p[0] == 0xe3 && p[1] <= 0x83;
    bool hangul = p[0] >= 0xea && p[0] <= 0xed;
    s->dense_by[kana ? JA : hangul ? KO : ZH]++;
}

static size_t read_dense(struct scan *s, struct str text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.p + at;
    bool leads = s->leads, lead_next = false;
    uint64_t h = hash_dense(p);
    const struct slot *slot = filter_has(s->c->keys, h) ? slot_of(s->c, h) : NULL;
    vote_dense(s, p);
    if (slot && slot->key)
        for (uint32_t i = slot->first; i != NONE; i = s->c->entries[i].next) {
            const struct entry *e = &s->c->entries[i];
            if (e->kind != KIND_CHARACTER || !stands_at(text, at + 3, e->rest))
                continue;
            found(s, e->row, leads);
            lead_next |= e->row->sign == LEAD;
        }
    s->leads = lead_next;
    s->nring = 0;
    s->number = 0;
    return at + 3;
}

/* Behind a quotation or a piece of code that begins at text[at] with `open`; at when nothing closes it. */
static size_t skip_to(struct str text, size_t at, size_t open, struct str close, size_t within)
{
    struct str rest = str_from(text, at + open);
    if (rest.n > within)
        rest.n = within;
    ptrdiff_t end = str_find(rest, close);
    return end < 0 ? at : at + open + (size_t)end + close.n;
}

static const struct {
    struct str open, close;
    size_t within;
} quotes[] = {
    { STR("```"), STR("```"), QUOTE_MAX },   { STR("`"), STR("`"), 400 },       { STR("\""), STR("\""), 1000 },
    { STR("\u201c"), STR("\u201d"), 1000 },  { STR("\u201e"), STR("\u201c"), 1000 }, { STR("\u00ab"), STR("\u00bb"), 1000 },
    { STR("\u300c"), STR("\u300d"), 1000 },  { STR("\u300e"), STR("\u300f"), 1000 }, { STR("\u300a"), STR("\u300b"), 1000 },
};

static bool is_letter_at(struct str text, size_t at)
{
    unsigned char folded;
    return at < text.n && letter((const unsigned char *)text.p + at, text.n - at, &folded) > 0;
}

/* An apostrophe in a word opens nothing. */
static size_t skip_single_quoted(struct str text, size_t at)
{
    if (text.p[at] != '\'' || (at && is_letter_at(text, at - 1)) || !is_letter_at(text, at + 1))
        return at;
    size_t end = skip_to(text, at, 1, STR("'"), 120);
    return is_letter_at(text, end) ? at : end;
}

static size_t skip_quoted(struct scan *s, struct str text, size_t at)
{
    unsigned char b = (unsigned char)text.p[at];
    if (b != '`' && b != '"' && b != 0xe2 && b != 0xc2 && b != 0xe3)
        return skip_single_quoted(text, at);
    for (size_t i = 0; i < COUNTOF(quotes); i++) {
        if (!stands_at(text, at, quotes[i].open))
            continue;
        size_t end = skip_to(text, at, quotes[i].open.n, quotes[i].close, quotes[i].within);
        s->code |= end != at && b == '`';
        return end;
    }
    return at;
}

enum mark { MARK_NONE, MARK_COMMA, MARK_COLON, MARK_STOP };

static const struct {
    struct str text;
    enum mark mark;
} wide_marks[] = {
    { STR("\u3002"), MARK_STOP }, { STR("\uff01"), MARK_STOP }, { STR("\uff1f"), MARK_STOP }, { STR("\uff1b"), MARK_STOP }, { STR("\uff0c"), MARK_COMMA },
    { STR("\u3001"), MARK_COMMA }, { STR("\uff1a"), MARK_COLON }, { STR("\u00bf"), MARK_STOP }, { STR("\u00a1"), MARK_STOP }, { STR("\u2014"), MARK_COMMA },
    { STR("\u2013"), MARK_COMMA }, { STR("\u2026"), MARK_STOP },
};

static enum mark mark_at(struct str text, size_t at, size_t *n)
{
    *n = 1;
    switch (text.p[at]) {
    case '.': case '!': case '?': case ';': case '\n':
        return MARK_STOP;
    case ',': case '(': case ')':
        return MARK_COMMA;
    case ':':
        return MARK_COLON;
    default:
        break;
    }
    if ((unsigned char)text.p[at] < 0x80)
        return MARK_NONE;
    for (size_t i = 0; i < COUNTOF(wide_marks); i++)
        if (stands_at(text, at, wide_marks[i].text)) {
            *n = wide_marks[i].text.n;
            return wide_marks[i].mark;
        }
    return MARK_NONE;
}

/* What stands between words; returns where the next may begin. */
static size_t read_mark(struct scan *s, struct str text, size_t at)
{
    size_t n, behind = skip_quoted(s, text, at);
    if (behind != at) {
        s->nring = 0;
        s->leads = false;
        return behind;
    }
    switch (mark_at(text, at, &n)) {
    case MARK_NONE:
        break;
    case MARK_COMMA:
        s->commas += text.p[at] != '(' && text.p[at] != ')' && !s->pasted;
        end_clause(s);
        break;
    case MARK_COLON:
        if (s->given)
            return text.n; /* the rest is what it is to be done with */
        end_clause(s);
        break;
    case MARK_STOP:
        end_sentence(s);
        break;
    }
    return at + n;
}

static void read_part(struct scan *s, struct str text, bool pasted)
{
    const unsigned char *p = (const unsigned char *)text.p;
    s->pasted = pasted;
    end_sentence(s);
    for (size_t at = 0; at < text.n;) {
        unsigned char folded;
        if (p[at] == ' ')
            at++;
        else if (letter(p + at, text.n - at, &folded))
            at = read_word(s, text, at);
        else if (is_dense(p + at, text.n - at))
            at = read_dense(s, text, at);
        else
            at = read_mark(s, text, at);
    }
}

/* The part behind the last empty line; of a long one, enough to see that it is long. */
static struct str last_paragraph(struct str text)
{
    size_t stop = text.n > LONG_TEXT ? text.n - LONG_TEXT : 0;
    for (size_t at = text.n; at >= stop + 2; at--)
        if (text.p[at - 1] == '\n' && text.p[at - 2] == '\n')
            return str_from(text, at);
    return text;
}

double scan_strongest(const struct scan *s, enum sign from, enum sign end)
{
    double most = 0;
    for (enum sign i = from; i < end; i++)
        most = s->best[i] > most ? s->best[i] : most;
    return most;
}

/* A text of any length, of which at most `most` bytes are read. In a long one the first and the last paragraph are where people say what they
 * want of the rest, if these are short; without any such, all of it is taken for said. */
void scan_text(struct scan *s, struct str text, size_t most)
{
    text = str_trim(text);
    s->bytes += text.n;
    if (text.n > LONG_TEXT) {
        ptrdiff_t gap = str_find(str_make(text.p, LONG_TEXT), STR("\n\n"));
        struct str first = str_make(text.p, gap < 0 ? text.n : (size_t)gap), last = last_paragraph(text);
        bool short_first = first.n <= LONG_TEXT / 2, short_last = last.n <= LONG_TEXT / 2;
        if ((gap >= 0 || last.n < text.n) && (short_first || short_last)) {
            size_t from = short_first ? first.n : 0, to = text.n - (short_last ? last.n : 0), room = most > LONG_TEXT ? most - LONG_TEXT : 0;
            if (short_first)
                read_part(s, first, false);
            if (short_last && to >= from)
                read_part(s, last, false);
            if (to > from && scan_strongest(s, REWRITING, EXPLANATION) < 0.6) /* else it is known what the rest is for */
                read_part(s, str_make(text.p + from, to - from < room ? to - from : room), true);
            return;
        }
    }
    if (text.n <= most) {
        read_part(s, text, false);
        return;
    }
    read_part(s, str_make(text.p, most / 2), false);
    read_part(s, str_from(text, text.n - most / 2), false);
}

