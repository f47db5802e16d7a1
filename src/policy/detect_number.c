/* Numbers that belong to somebody. A number is read once, as groups of digits and what is between them; then it is asked whether it is a card
 * (prefix, length, check digit) or a telephone number. Of telephone numbers the form is all there is, so the forms are narrow: most numbers in
 * texts are dates, amounts, versions and ids. Where a word before the number says what it is, any form will do. IBANs carry letters and a
 * checksum, and are read by themselves. */
#include "policy/detect_int.h"

enum { MAX_GROUPS = 8, MAX_DIGITS = 19, PHONE_MIN_DIGITS = 7 };

struct number {
    size_t begin;                   /* of the whole, a '+' or '(' included */
    size_t end[MAX_GROUPS];         /* behind each group */
    int digits[MAX_GROUPS];         /* in each group */
    char between[MAX_GROUPS];       /* what stands before each group: '-' '.' '/' ')' ' ', 0 before the first */
    char all[MAX_DIGITS + 1];       /* the digits of all groups */
    int groups;
    bool plus;
    bool more;                      /* digits follow, or went before: it may be a part of something longer */
};

/* ---- reading ---- */

static const bool separates[256] = { [' '] = true, ['-'] = true, ['.'] = true, ['/'] = true, ['('] = true, [')'] = true };

/* What may stand between two groups: up to three of these, at most one of them a sign. Returns how many bytes, 0 = the number ends. */
static size_t between_groups(struct str t, size_t at, char *sign)
{
    size_t n = 0;
    *sign = ' ';
    while (n < 3 && at + n < t.n && separates[(unsigned char)t.p[at + n]]) {
        char c = t.p[at + n++];
        if (c == ' ' || c == '(')
            continue;
        if (*sign != ' ')
            return 0;
        *sign = c;
    }
    return n && is_digit(byte_at(t, at + n)) ? n : 0;
}

static bool read_number(struct str t, size_t at, struct number *m)
{
    *m = (struct number){ .begin = at, .more = byte_before(t, at) == ' ' && at > 1 && is_digit(t.p[at - 2]) };
    int total = 0;
    char sign = 0;
    at += byte_at(t, at) == '(';
    m->plus = byte_at(t, at) == '+';
    at += m->plus;
    for (size_t gap = 1; gap; at += gap) {
        size_t from = at;
        while (is_digit(byte_at(t, at)))
            at++;
        size_t n = at - from;
        if (n == 0 || total + (int)n > MAX_DIGITS || m->groups == MAX_GROUPS || is_word(byte_at(t, at))) {
            m->more |= n > 0;
            break;
        }
        memcpy(m->all + total, t.p + from, n);
        total += (int)n;
        m->digits[m->groups] = (int)n;
        m->between[m->groups] = sign;
        m->end[m->groups++] = at;
        gap = between_groups(t, at, &sign);
    }
    return m->groups > 0;
}

static int total_of(const struct number *m, int groups)
{
    int n = 0;
    for (int i = 0; i < groups; i++)
        n += m->digits[i];
    return n;
}

/* Are the first groups just so long? `lengths` ends with 0. */
static bool grouped(const struct number *m, int groups, const int *lengths)
{
    int i = 0;
    while (i < groups && lengths[i] && lengths[i] == m->digits[i])
        i++;
    return i == groups && !lengths[i];
}

static bool only_between(const struct number *m, int groups, char sign)
{
    for (int i = 1; i < groups; i++)
        if (m->between[i] != sign)
            return false;
    return true;
}

static bool has_between(const struct number *m, int groups, char sign)
{
    for (int i = 1; i < groups; i++)
        if (m->between[i] == sign)
            return true;
    return false;
}

/* ---- cards ---- */

static bool luhn(const char *digits, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        int d = digits[n - 1 - i] - '0';
        if (i % 2)
            d = d > 4 ? 2 * d - 9 : 2 * d;
        sum += d;
    }
    return sum % 10 == 0;
}

static int value_of(const char *digits, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++)
        v = v * 10 + digits[i] - '0';
    return v;
}

/* clang-format off */
static const struct {
    int from, to;               /* first four digits */
    unsigned lengths;           /* 1 << n, or-ed */
} issuers[] = {
    { 4000, 4999, 1U << 16 | 1U << 19 },            /* Visa; its old 13 digits are those of every other bar code */
    { 5100, 5599, 1U << 16 },                       /* Mastercard */
    { 2221, 2720, 1U << 16 },
    { 3400, 3499, 1U << 15 },                       /* American Express */
    { 3700, 3799, 1U << 15 },
    { 6011, 6011, 1U << 16 | 1U << 19 },            /* Discover */
    { 6440, 6599, 1U << 16 | 1U << 19 },
    { 3000, 3059, 1U << 14 },                       /* Diners Club */
    { 3600, 3699, 1U << 14 },
    { 3800, 3999, 1U << 14 },
    { 3528, 3589, 1U << 16 },                       /* JCB */
    { 6200, 6299, 1U << 16 | 1U << 17 | 1U << 18 | 1U << 19 }, /* UnionPay */
    { 5018, 5018, 1U << 16 }, { 5020, 5020, 1U << 16 }, { 5038, 5038, 1U << 16 }, { 6304, 6304, 1U << 16 }, { 6759, 6763, 1U << 16 }, /* Maestro */
};
static const int card_groups[][6] = { { 4, 4, 4, 4 }, { 4, 4, 4, 4, 3 }, { 4, 6, 5 }, { 4, 6, 4 }, { 6, 13 } };
/* clang-format on */

static bool is_card(const struct number *m, int groups)
{
    int n = total_of(m, groups);
    bool written_so = groups == 1;
    for (size_t i = 0; i < COUNTOF(card_groups) && !written_so; i++)
        written_so = grouped(m, groups, card_groups[i]) && (only_between(m, groups, ' ') || only_between(m, groups, '-'));
    if (!written_so || m->plus || n < 14)
        return false;
    int first = value_of(m->all, 4);
    for (size_t i = 0; i < COUNTOF(issuers); i++)
        if (first >= issuers[i].from && first <= issuers[i].to && issuers[i].lengths >> n & 1)
            return luhn(m->all, n);
    return false;
}

/* ---- telephone numbers ---- */

static bool is_date(const struct number *m)
{
    static const int dates[][4] = { { 2, 2, 4 }, { 1, 2, 4 }, { 2, 1, 4 }, { 1, 1, 4 }, { 4, 2, 2 }, { 2, 2, 2 } };
    char sign = m->groups >= 3 && !m->plus ? m->between[1] : 0;
    for (size_t i = 0; i < COUNTOF(dates); i++)
        if (sign && sign != ' ' && sign != ')' && m->between[2] == sign && grouped(m, 3, dates[i]))
            return i != COUNTOF(dates) - 1 || m->groups == 3 || m->between[3] != sign; /* three pairs, where no more follow */
    return false;
}

/* North America: area code, exchange, line; neither of the first two begins with 0 or 1, but everybody's example does: 555-123-4567. */
static bool is_north_american(const struct number *m, int groups)
{
    static const int plain[] = { 3, 3, 4, 0 }, long_distance[] = { 1, 3, 3, 4, 0 }, one_piece[] = { 1, 10, 0 }, at_all[] = { 11, 0 };
    bool national = grouped(m, groups, plain), prefixed = m->all[0] == '1' && grouped(m, groups, long_distance);
    bool in_one = grouped(m, groups, at_all) || (grouped(m, groups, one_piece) && m->between[1] != '.');
    if (m->plus)
        return m->all[0] == '1' && m->all[1] >= '2' && (prefixed || in_one);
    bool only_blanks = only_between(m, groups, ' '); /* then it might be any three numbers */
    return (national || prefixed) && m->all[prefixed] >= '2' && !only_blanks && !has_between(m, groups, '/');
}

static bool is_international(const struct number *m, int groups)
{
    int n = total_of(m, groups);
    if (m->plus && m->all[0] == '1')
        return is_north_american(m, groups);
    if (has_between(m, groups, '.') && groups < 3) /* a decimal number */
        return false;
    if (m->plus)
        return m->all[0] != '0' && n >= 9 && n <= 16;
    bool dialled = m->all[0] == '0' && m->all[1] == '0' && m->all[2] != '0' && n >= 11 && n <= 17;
    bool european = n >= 13 && (m->all[2] == '3' || m->all[2] == '4');
    return dialled && (groups > 1 || european) && !has_between(m, groups, '.');
}

static bool in_pairs(const struct number *m, int groups)
{
    for (int i = 0; i < groups; i++)
        if (m->digits[i] != 2)
            return false;
    return groups == 5 && groups == m->groups && !m->more; /* more pairs are a dump of bytes */
}

/* Where 0 is dialled first: 0171 2345678, (030) 123456, 06 12 34 56 78, 020 7946 0958, 03-1234-5678. */
static bool is_trunk(const struct number *m, int groups)
{
    static const int dotted[][4] = { { 3, 3, 4 }, { 4, 3, 3 }, { 4, 3, 4 } };
    int n = total_of(m, groups);
    if (m->plus || m->all[0] != '0' || m->all[1] == '0' || n < 9 || n > 12 || groups < 2 || groups > 5 || m->digits[0] < 2 || m->digits[0] > 5)
        return false;
    bool pairs = in_pairs(m, groups);
    if (m->digits[0] == 2 && m->digits[1] == 2 && !pairs)
        return false;
    if (!has_between(m, groups, '.'))
        return pairs || m->digits[groups - 1] > 1;
    bool known = pairs;
    for (size_t i = 0; i < COUNTOF(dotted); i++)
        known |= grouped(m, groups, dotted[i]);
    return known && only_between(m, groups, '.');
}

/* Mobile numbers in one piece, by their first digits: few other numbers begin with 0. */
static bool is_mobile(const struct number *m, int groups)
{
    static const int chinese[] = { 3, 4, 4, 0 };
    int n = total_of(m, groups), first = value_of(m->all, 3);
    if (m->plus)
        return false;
    bool german = first >= 15 && first <= 17, french = first >= 60 && first <= 79, british = first >= 70 && first <= 79;
    if (groups == 1)
        return (german && (n == 11 || n == 12)) || (french && n == 10) || (british && n == 11);
    return first >= 130 && first < 200 && grouped(m, groups, chinese) && (only_between(m, groups, '-') || only_between(m, groups, ' '));
}

/* Words that say that a telephone number comes. */
static const struct {
    struct str word;
    bool whole;                 /* begins as a word: "tel", not "hotel" */
} announcements[] = {
    { STR("tel"), true }, { STR("phone"), false }, { STR("mobil"), true }, { STR("cell:"), true }, { STR("fax"), true },
    { STR("handy"), true }, { STR("whatsapp"), true }, { STR("call me"), true }, { STR("text me"), true }, { STR("reach me"), true },
    { STR("rufnummer"), false }, { STR("durchwahl"), true }, { STR("móvil"), true }, { STR("sms"), true }, { STR("电话"), false },
    { STR("手机"), false }, { STR("電話"), false }, { STR("携帯"), false }, { STR("전화"), false }, { STR("휴대폰"), false },
};

static bool announces(struct str t, size_t at, size_t end)
{
    for (size_t i = 0; i < COUNTOF(announcements); i++) {
        struct str word = announcements[i].word;
        if (((t.p[at] ^ word.p[0]) & ~0x20) == 0 && at + word.n <= end && str_eq_nocase(str_make(t.p + at, word.n), word) &&
            !(announcements[i].whole && is_word(byte_before(t, at))))
            return true;
    }
    return false;
}

static bool is_announced(struct str t, size_t at)
{
    enum { NEAR_BYTES = 28 };
    size_t from = at > NEAR_BYTES ? at - NEAR_BYTES : 0;
    for (size_t i = at; i-- > from && !is_digit(t.p[i]) && t.p[i] != '\n';)
        if ((is_letter(t.p[i]) || (unsigned char)t.p[i] >= 0x80) && announces(t, i, at))
            return true;
    return false;
}

static bool is_phone(const struct number *m, int groups)
{
    return is_international(m, groups) || is_north_american(m, groups) || is_trunk(m, groups) || is_mobile(m, groups);
}

/* Of any form, where it is announced; decimal numbers aside. */
static bool may_be_phone(const struct number *m, int groups)
{
    int n = total_of(m, groups);
    return n >= PHONE_MIN_DIGITS && n <= 15 && !(groups == 2 && m->between[1] == '.');
}

/* ---- where a number may begin and end ---- */

static bool may_begin(const struct look *l, size_t at)
{
    char before = byte_before(l->text, at), earlier = at > 1 ? l->text.p[at - 2] : 0;
    if (at == l->low)
        return true;
    if (joins_word(l->text, l->low, at) || before == '#' || before == '$' || before == '\\' || before == '+' || before == '%')
        return false;
    if (before == '-' || before == '/' || before == ')')
        return !is_word(earlier);
    if (before == '.' || before == ':')
        return !is_digit(earlier);
    struct str until = str_make(l->text.p, at);
    return !str_ends(until, STR("£")) && !str_ends(until, STR("€"));
}

static bool may_end(struct str t, size_t at)
{
    char c = byte_at(t, at), next = byte_at(t, at + 1);
    if (is_word(c) || c == '@' || c == '%')
        return false;
    return !((c == '.' || c == ':') && is_digit(next)) && !(c == '-' && is_word(next));
}

/* The longest beginning of the number that is one of those: another number may stand behind it. 0 groups: none is. */
static int longest(struct str t, const struct number *m, bool (*is)(const struct number *m, int groups))
{
    int groups = m->groups;
    while (groups > 0 && !(may_end(t, m->end[groups - 1]) && is(m, groups)))
        groups--;
    return groups;
}

static bool find_in_number(const struct look *l, const struct number *m, bool announced, struct found *out)
{
    struct str t = l->text;
    bool dated = is_date(m);
    int card = longest(t, m, is_card), groups = card;
    if (!groups && !dated)
        groups = longest(t, m, is_phone);
    if (!groups && !dated && announced)
        groups = longest(t, m, may_be_phone);
    if (!groups)
        return false;
    *out = (struct found){ card ? FOUND_CARD : FOUND_PHONE, m->begin, m->end[groups - 1] - m->begin };
    return true;
}

/* By its first digits alone: most numbers need not be read. */
static bool begins_like_one(struct str t, size_t at)
{
    size_t n = 0;
    if (!is_digit(t.p[at]) || t.p[at] == '0')
        return true;
    while (is_digit(byte_at(t, at + n)))
        n++;
    return n == 3 || n == 4 || n == 6 || (n >= 14 && n <= MAX_DIGITS) || (n == 1 && t.p[at] == '1');
}

/* Most numbers are too short to be anybody's, and those with many single digits are tables. */
static bool is_long_enough(struct str t, size_t at)
{
    int digits = 0, others = 0, group = 0, singles = byte_at(t, at) == '+' ? -1 : 0;
    for (; at < t.n && digits < PHONE_MIN_DIGITS && others < 4 && singles < 2; at++) {
        bool digit = is_digit(t.p[at]);
        if (!digit && !separates[(unsigned char)t.p[at]] && t.p[at] != '+')
            return false;
        singles += !digit && group == 1;
        group = digit ? group + 1 : 0;
        others = digit ? 0 : others + 1;
        digits += digit;
    }
    return digits == PHONE_MIN_DIGITS;
}

/* ---- IBAN ---- */

/* clang-format off */
static const struct {
    char country[3];
    unsigned char length;
} ibans[] = {
    { "AD", 24 }, { "AE", 23 }, { "AL", 28 }, { "AT", 20 }, { "AZ", 28 }, { "BA", 20 }, { "BE", 16 }, { "BG", 22 }, { "BH", 22 },
    { "BR", 29 }, { "BY", 28 }, { "CH", 21 }, { "CR", 22 }, { "CY", 28 }, { "CZ", 24 }, { "DE", 22 }, { "DK", 18 }, { "DO", 28 },
    { "EE", 20 }, { "EG", 29 }, { "ES", 24 }, { "FI", 18 }, { "FO", 18 }, { "FR", 27 }, { "GB", 22 }, { "GE", 22 }, { "GI", 23 },
    { "GL", 18 }, { "GR", 27 }, { "GT", 28 }, { "HR", 21 }, { "HU", 28 }, { "IE", 22 }, { "IL", 23 }, { "IQ", 23 }, { "IS", 26 },
    { "IT", 27 }, { "JO", 30 }, { "KW", 30 }, { "KZ", 20 }, { "LB", 28 }, { "LC", 32 }, { "LI", 21 }, { "LT", 20 }, { "LU", 20 },
    { "LV", 21 }, { "LY", 25 }, { "MC", 27 }, { "MD", 24 }, { "ME", 22 }, { "MK", 19 }, { "MR", 27 }, { "MT", 31 }, { "MU", 30 },
    { "NL", 18 }, { "NO", 15 }, { "PK", 24 }, { "PL", 28 }, { "PS", 29 }, { "PT", 25 }, { "QA", 29 }, { "RO", 24 }, { "RS", 22 },
    { "SA", 24 }, { "SC", 31 }, { "SE", 24 }, { "SI", 19 }, { "SK", 24 }, { "SM", 27 }, { "ST", 25 }, { "SV", 28 }, { "TL", 23 },
    { "TN", 24 }, { "TR", 26 }, { "UA", 29 }, { "VA", 22 }, { "VG", 24 }, { "XK", 20 },
};
/* clang-format on */

static size_t iban_length(const char *country)
{
    for (size_t i = 0; i < COUNTOF(ibans); i++)
        if (memcmp(ibans[i].country, country, 2) == 0)
            return ibans[i].length;
    return 0;
}

static unsigned iban_feed(unsigned rest, char c)
{
    return is_digit(c) ? (rest * 10 + (unsigned)(c - '0')) % 97 : (rest * 100 + (unsigned)(c - 'A') + 10) % 97;
}

/* The country and the check digits are counted behind all else. */
static bool iban_is_right(const char *text, size_t n)
{
    unsigned rest = 0;
    for (size_t i = 0; i < n; i++)
        rest = iban_feed(rest, text[(i + 4) % n]);
    return rest == 1;
}

static bool find_iban(const struct look *l, size_t digit, struct found *out)
{
    struct str t = l->text;
    if (digit < l->low + 2 || !is_letter(t.p[digit - 1]) || !is_digit(byte_at(t, digit + 1)))
        return false;
    size_t begin = digit - 2, have = 0, at = begin;
    char text[34];
    if (joins_word(t, l->low, begin))
        return false;
    size_t n = iban_length(t.p + begin);
    if (!n)
        return false;
    for (; have < n && at < t.n; at++) {
        char c = t.p[at];
        if (c == ' ' && have % 4 == 0 && t.p[at - 1] != ' ')
            continue;
        if (!is_digit(c) && !(c >= 'A' && c <= 'Z'))
            return false;
        text[have++] = c;
    }
    if (have < n || is_word(byte_at(t, at)) || !iban_is_right(text, n))
        return false;
    *out = (struct found){ FOUND_IBAN, begin, at - begin };
    return true;
}

bool detect_number(const struct look *l, size_t at, struct found *out)
{
    struct number m;
    char c = l->text.p[at], next = byte_at(l->text, at + 1);
    if (c == '+' || c == '(') {
        if (!is_digit(next) && !(c == '(' && next == '+'))
            return false;
    } else if (find_iban(l, at, out)) {
        return true;
    }
    if (!may_begin(l, at) || !is_long_enough(l->text, at))
        return false;
    bool announced = is_announced(l->text, at);
    return (announced || begins_like_one(l->text, at)) && read_number(l->text, at, &m) && find_in_number(l, &m, announced, out);
}
