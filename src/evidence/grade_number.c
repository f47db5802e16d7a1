/* Numbers as people write them: 1,234.50  1.234,50  1 234  1'234  -5  12 %  3k  2.5 million  6e23. Which of a point and a comma is meant cannot always be told ("1,234"), so a
 * figure has all the readings that it can have, and is right when one of them is. */
#include "evidence/grade_int.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static bool digit(struct str s, size_t at)
{
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

/* Bytes of what may stand between groups of three digits; 0: it does not. */
static size_t separator(struct str s, size_t at)
{
    static const struct str some[] = { STR(","), STR("."), STR("'"), STR("_"), STR(" "), STR("\xC2\xA0"), STR("\xE2\x80\xAF"), STR("\xE2\x80\x99"), STR("\xE2\x80\x89") };
    for (size_t i = 0; i < COUNTOF(some); i++)
        if (str_starts(str_from(s, at), some[i]) && digit(s, at + some[i].n))
            return some[i].n;
    return 0;
}

static size_t run_of_digits(struct str s, size_t at)
{
    size_t n = 0;
    while (digit(s, at + n))
        n++;
    return n;
}

struct pieces {
    char digits[64];       /* without separators */
    size_t n;
    char last;             /* the last separator: '.', ',' or another's first byte; 0: there is none */
    size_t behind;         /* digits behind it */
    size_t points, commas, others;
    size_t first;          /* digits before the first */
};

/* Groups of digits from at on; returns where they end. A blank between figures only joins groups of three. */
static size_t gather(struct str s, size_t at, struct pieces *p)
{
    for (;;) {
        size_t n = run_of_digits(s, at);
        for (size_t i = 0; i < n && p->n < sizeof p->digits - 1; i++)
            p->digits[p->n++] = s.p[at + i];
        if (!p->last)
            p->first = n;
        p->behind = n;
        at += n;
        size_t gap = separator(s, at);
        bool mark = gap && (s.p[at] == '.' || s.p[at] == ',');
        if (!gap || (p->last && n != 3) || (!mark && (run_of_digits(s, at + gap) != 3 || n > 3))) /* 1,2,3 are three */
            return at;
        p->last = s.p[at];
        p->points += s.p[at] == '.';
        p->commas += s.p[at] == ',';
        p->others += !mark;
        at += gap;
    }
}

static void add_reading(struct figure *f, double v)
{
    if (f->n < COUNTOF(f->reads) && isfinite(v))
        f->reads[f->n++] = v;
}

static double shifted(const struct pieces *p, size_t decimals)
{
    return strtod(p->digits, NULL) / pow(10, (double)decimals);
}

static void read_pieces(const struct pieces *p, struct figure *f)
{
    bool mark = p->last == '.' || p->last == ',', both = p->points && p->commas;
    bool once = (p->last == '.' && p->points == 1) || (p->last == ',' && p->commas == 1);
    bool thousands = p->behind == 3 && p->first <= 3;
    if (mark && once) /* 1,234.5 and 12.5 */
        add_reading(f, shifted(p, p->behind));
    if (!mark || !once || (thousands && !both && p->digits[0] != '0'))
        add_reading(f, shifted(p, 0));
}

static const struct {
    const char *word;
    double times;
    bool close;            /* only right behind the digits */
} units[] = {
    { "%", 0.01, false }, { "percent", 0.01, false }, { "k", 1e3, true }, { "K", 1e3, true }, { "M", 1e6, true }, { "bn", 1e9, false }, { "thousand", 1e3, false },
    { "million", 1e6, false }, { "billion", 1e9, false }, { "trillion", 1e12, false },
};

static void read_unit(struct str behind, struct figure *f)
{
    struct str word = str_starts(behind, STR(" ")) ? str_from(behind, 1) : behind;
    for (size_t i = 0; i < COUNTOF(units); i++) {
        struct str u = str_of(units[i].word), from = units[i].close ? behind : word;
        if (!str_starts(from, u) || (from.n > u.n && isalnum((unsigned char)from.p[u.n])))
            continue;
        size_t n = f->n;
        for (size_t k = 0; k < n; k++)
            add_reading(f, f->reads[k] * units[i].times);
        return;
    }
}

static bool minus_before(struct str s, size_t at)
{
    bool sign = at >= 1 && s.p[at - 1] == '-', wide = at >= 3 && memcmp(s.p + at - 3, "\xE2\x88\x92", 3) == 0;
    size_t before = at - (wide ? 3 : 1);
    return wide || (sign && (!before || !isalnum((unsigned char)s.p[before - 1])));
}

/* The figure that begins at `at`; returns where it ends. */
static size_t figure_at(struct str s, size_t at, struct figure *f)
{
    struct pieces p = { .last = 0 };
    size_t start = at;
    bool minus = minus_before(s, at);
    *f = (struct figure){ .n = 0 };
    at = gather(s, at, &p);
    read_pieces(&p, f);
    size_t sign = at + 1 < s.n && (s.p[at] == 'e' || s.p[at] == 'E') && (s.p[at + 1] == '-' || s.p[at + 1] == '+');
    if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E') && digit(s, at + 1 + sign) && run_of_digits(s, at + 1 + sign) <= 3) {
        double power = strtod(s.p + at + 1, NULL);
        for (size_t i = 0; i < f->n; i++)
            f->reads[i] *= pow(10, power);
        at += 1 + sign + run_of_digits(s, at + 1 + sign);
    }
    for (size_t i = 0; i < f->n && minus; i++)
        f->reads[i] = -f->reads[i];
    read_unit(str_from(s, at), f);
    f->text = str_make(s.p + start, at - start);
    return at;
}

/* Digits within a word (`H2O`, `sha256`) are no number. */
size_t figures_find(struct str text, struct figure out[FIGURES_MOST])
{
    size_t n = 0;
    for (size_t at = 0; at < text.n && n < FIGURES_MOST;) {
        bool word = at && (isalpha((unsigned char)text.p[at - 1]) || text.p[at - 1] == '_');
        bool point = !word && text.p[at] == '.' && digit(text, at + 1) && (!at || !digit(text, at - 1));
        if (point) { /* .5 */
            size_t digits = run_of_digits(text, at + 1);
            char copy[32] = "0.";
            memcpy(copy + 2, text.p + at + 1, digits < 28 ? digits : 28);
            out[n] = (struct figure){ .n = 1, .text = str_make(text.p + at, digits + 1) };
            out[n].reads[0] = strtod(copy, NULL) * (minus_before(text, at) ? -1 : 1);
            read_unit(str_from(text, at + 1 + digits), &out[n]);
            n++;
            at += digits + 1;
        } else if (digit(text, at)) {
            struct figure f;
            size_t end = figure_at(text, at, &f);
            if (!word)
                out[n++] = f;
            at = end;
        } else {
            at++;
        }
    }
    return n;
}

bool figure_is(const struct figure *f, double wanted, double tolerance, bool percent)
{
    double room = percent ? fabs(wanted) * tolerance : tolerance;
    room += fabs(wanted) * 1e-12; /* what is lost between decimal and binary */
    for (size_t i = 0; i < f->n; i++)
        if (fabs(f->reads[i] - wanted) <= room)
            return true;
    return false;
}
