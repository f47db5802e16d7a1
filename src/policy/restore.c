/* The way back: placeholders to values. Between '[' and ']' a placeholder has neither, so a text that turns out to be none can be let go up to its
 * last '['. */
#include "policy/redact_int.h"

const struct str redact_names[KINDS] = { STR("EMAIL"), STR("PHONE"), STR("IBAN"), STR("CARD"), STR("SECRET") };

/* The name that stands behind '[', in *kind; READS_ON where the text ends within it. */
static enum reading read_name(struct str text, size_t *kind)
{
    for (size_t k = 0; k < KINDS; k++) {
        struct str name = redact_names[k];
        size_t n = text.n < name.n ? text.n : name.n;
        if (memcmp(text.p, name.p, n) != 0 || (text.n > name.n && text.p[name.n] != '_'))
            continue;
        *kind = k;
        return text.n > name.n ? READS_WHOLE : READS_ON;
    }
    return READS_NOTHING;
}

enum reading redact_read(struct str text, size_t *kind, size_t *number)
{
    if (text.n < 2)
        return text.n && text.p[0] == '[' ? READS_ON : READS_NOTHING;
    enum reading name = text.p[0] == '[' ? read_name(str_from(text, 1), kind) : READS_NOTHING;
    if (name != READS_WHOLE)
        return name;
    size_t digits = redact_names[*kind].n + 2, at = digits;
    *number = 0;
    for (; at < text.n && text.p[at] >= '0' && text.p[at] <= '9'; at++) {
        *number = *number * 10 + (size_t)(text.p[at] - '0');
        if (*number == 0 || at - digits == MAX_NUMBER_DIGITS) /* none begins with 0 */
            return READS_NOTHING;
    }
    if (at == text.n)
        return READS_ON;
    return text.p[at] == ']' && at > digits ? READS_WHOLE : READS_NOTHING;
}

/* Is there such a value, or one whose number goes on so? */
static bool is_ours(const struct redaction *r, size_t kind, size_t number, bool whole)
{
    const struct shelf *s = &r->shelves[kind];
    return number < s->first + s->n && (!whole || number >= s->first);
}

static enum reading read_held(const struct restorer *s, size_t *kind, size_t *number)
{
    *number = 0;
    enum reading is = redact_read(str_make(s->held, s->n), kind, number);
    bool named = is == READS_WHOLE || (is == READS_ON && s->n > 2 && *number);
    return named && !is_ours(s->r, *kind, *number, is == READS_WHOLE) ? READS_NOTHING : is;
}

/* False: there is no room for it. */
static bool put_value(const struct restorer *s, size_t kind, size_t number, struct buf *out)
{
    const struct value *v = &s->r->shelves[kind].at[number - s->r->shelves[kind].first];
    if (v->n > *s->room)
        return false;
    *s->room -= v->n;
    if (s->json)
        json_escape(out, str_make(v->p, v->n));
    else
        buf_add(out, str_make(v->p, v->n));
    return true;
}

void restorer_init(struct restorer *s, const struct redaction *r, bool json, size_t *room)
{
    *s = (struct restorer){ .r = r, .json = json, .room = room };
}

void restorer_end(struct restorer *s, struct buf *out)
{
    buf_add(out, str_make(s->held, s->n));
    s->n = 0;
}

static void feed_byte(struct restorer *s, char c, struct buf *out)
{
    size_t kind, number;
    if (c == '[')
        restorer_end(s, out); /* whatever was held: it is none with this in it */
    s->held[s->n++] = c;
    switch (read_held(s, &kind, &number)) {
    case READS_ON:
        break;
    case READS_WHOLE:
        if (put_value(s, kind, number, out))
            s->n = 0;
        else
            restorer_end(s, out);
        break;
    case READS_NOTHING:
        restorer_end(s, out);
        break;
    }
}

void restorer_feed(struct restorer *s, struct str piece, struct buf *out)
{
    for (size_t at = 0; at < piece.n;) {
        if (s->n) {
            feed_byte(s, piece.p[at++], out);
            continue;
        }
        const char *open = memchr(piece.p + at, '[', piece.n - at);
        size_t plain = open ? (size_t)(open - piece.p) : piece.n;
        buf_add(out, str_make(piece.p + at, plain - at));
        at = plain;
        if (open)
            feed_byte(s, piece.p[at++], out);
    }
}
