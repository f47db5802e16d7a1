/* Keys and passwords. Keys have prefixes that their makers gave them so that they are found; a password is known by the name it is assigned to. */
#include "policy/detect_int.h"

enum { MAX_SECRET = 4096, MAX_VALUE = 256 };

/* ---- keys by their prefix ---- */

enum body { LETTERS_DIGITS, URL_SAFE, CAPITALS };

/* clang-format off */
static const struct key_form {
    struct str prefix;
    size_t sign;                /* at which of its bytes the pass stops: the last '-', '_', 'I' or 'J' of it */
    enum body body;
    size_t least, most;         /* bytes behind the prefix; most 0 = any */
} forms[] = {
    { STR("sk-"),          2,  URL_SAFE,       20, 0 },     /* OpenAI and who followed: sk-proj-, sk-ant-, sk-or- */
    { STR("ghp_"),         3,  LETTERS_DIGITS, 30, 0 },     /* GitHub */
    { STR("gho_"),         3,  LETTERS_DIGITS, 30, 0 },
    { STR("ghu_"),         3,  LETTERS_DIGITS, 30, 0 },
    { STR("ghs_"),         3,  LETTERS_DIGITS, 30, 0 },
    { STR("ghr_"),         3,  LETTERS_DIGITS, 30, 0 },
    { STR("github_pat_"), 10,  URL_SAFE,       40, 0 },
    { STR("glpat-"),       5,  URL_SAFE,       20, 0 },     /* GitLab */
    { STR("xoxb-"),        4,  URL_SAFE,       20, 0 },     /* Slack */
    { STR("xoxp-"),        4,  URL_SAFE,       20, 0 },
    { STR("xoxa-"),        4,  URL_SAFE,       20, 0 },
    { STR("xoxr-"),        4,  URL_SAFE,       20, 0 },
    { STR("xoxs-"),        4,  URL_SAFE,       20, 0 },
    { STR("xapp-"),        4,  URL_SAFE,       20, 0 },
    { STR("AKIA"),         2,  CAPITALS,       16, 16 },    /* AWS */
    { STR("ASIA"),         2,  CAPITALS,       16, 16 },
    { STR("AIza"),         1,  URL_SAFE,       35, 35 },    /* Google */
    { STR("sk_live_"),     7,  LETTERS_DIGITS, 16, 0 },     /* Stripe */
    { STR("sk_test_"),     7,  LETTERS_DIGITS, 16, 0 },
    { STR("rk_live_"),     7,  LETTERS_DIGITS, 16, 0 },
    { STR("whsec_"),       5,  LETTERS_DIGITS, 24, 0 },
    { STR("hf_"),          2,  LETTERS_DIGITS, 30, 0 },     /* Hugging Face */
    { STR("npm_"),         3,  LETTERS_DIGITS, 36, 0 },
    { STR("pypi-"),        4,  URL_SAFE,       50, 0 },
    { STR("dop_v1_"),      6,  LETTERS_DIGITS, 64, 0 },     /* DigitalOcean */
    { STR("gsk_"),         3,  LETTERS_DIGITS, 40, 0 },     /* Groq */
    { STR("hob_"),         3,  URL_SAFE,       43, 43 },    /* our own */
};
/* clang-format on */

static bool in_body(char c, enum body body)
{
    switch (body) {
    case LETTERS_DIGITS:
        return is_digit(c) || is_letter(c);
    case URL_SAFE:
        return is_word(c) || c == '-';
    case CAPITALS:
        return is_digit(c) || (c >= 'A' && c <= 'Z');
    }
    return false;
}

static size_t body_end(struct str t, size_t at, enum body body, size_t most)
{
    size_t end = at;
    while (end < t.n && end - at < most && in_body(t.p[end], body))
        end++;
    return end;
}

/* What holds of a run that was read from `at` to `end`, and perhaps not to its own end, holds of what begins later in it, too. */
static size_t barren_until(size_t at, size_t end, size_t most)
{
    return end - at < most ? end : at + most / 2;
}

/* Words joined by dashes are as long as keys, but have hardly a digit. */
static bool has_digits(struct str s, size_t least)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < least; i++)
        n += is_digit(s.p[i]);
    return n >= least;
}

static bool is_key(const struct look *l, size_t at, const struct key_form *f, struct found *out)
{
    struct str t = l->text;
    if (at < l->low + f->sign)
        return false;
    size_t begin = at - f->sign, body = begin + f->prefix.n;
    if ((f->body == URL_SAFE && body < l->barren->keys) || !str_starts(str_from(t, begin), f->prefix) || joins_word(t, l->low, begin))
        return false;
    size_t most = f->most ? f->most + 1 : MAX_SECRET, end = body_end(t, body, f->body, most), n = end - body;
    if (n < f->least || (f->most && n > f->most))
        return false;
    if (!has_digits(str_make(t.p + body, n), f->body == CAPITALS ? 1 : 2)) {
        if (f->body == URL_SAFE && !f->most)
            l->barren->keys = barren_until(body, end, most);
        return false;
    }
    *out = (struct found){ FOUND_SECRET, begin, end - begin };
    return true;
}

/* ---- private keys, tokens with a signature ---- */

/* From "-----BEGIN … PRIVATE KEY" to the end of its "-----END" line; cut off: to the end of the text. */
static bool find_pem(const struct look *l, size_t at, struct found *out)
{
    struct str rest = str_from(l->text, at);
    if (!str_starts(rest, STR("-----BEGIN ")))
        return false;
    size_t label = 11;
    while (label < rest.n && label < 64 && (rest.p[label] == ' ' || in_body(rest.p[label], CAPITALS)))
        label++;
    if (str_find(str_make(rest.p, label), STR("PRIVATE KEY")) < 0)
        return false;
    ptrdiff_t end = str_find(rest, STR("-----END "));
    size_t n = rest.n;
    if (end >= 0) {
        ptrdiff_t dashes = str_find(str_from(rest, (size_t)end + 9), STR("-----"));
        n = dashes >= 0 && dashes < 64 ? (size_t)(end + dashes) + 14 : (size_t)end + 9;
    }
    *out = (struct found){ FOUND_SECRET, at, n };
    return true;
}

/* Three parts of base64url with dots, the first two of them JSON objects: "eyJ" is `{"`. */
static bool find_jwt(const struct look *l, size_t at, struct found *out)
{
    struct str t = l->text;
    if (at < l->low + 2 || at < l->barren->tokens || memcmp(t.p + at - 2, "ey", 2) != 0 || joins_word(t, l->low, at - 2))
        return false;
    size_t begin = at - 2, head = body_end(t, begin, URL_SAFE, MAX_SECRET);
    if (byte_at(t, head) != '.')
        l->barren->tokens = barren_until(begin, head, MAX_SECRET);
    if (head - begin < 10 || byte_at(t, head) != '.' || !str_starts(str_from(t, head + 1), STR("ey")))
        return false;
    size_t claims = body_end(t, head + 1, URL_SAFE, MAX_SECRET);
    if (claims - head < 10 || byte_at(t, claims) != '.')
        return false;
    *out = (struct found){ FOUND_SECRET, begin, body_end(t, claims + 1, URL_SAFE, MAX_SECRET) - begin };
    return true;
}

bool detect_key(const struct look *l, size_t at, struct found *out)
{
    char c = l->text.p[at];
    if (c == 'J')
        return find_jwt(l, at, out);
    char before = byte_before(l->text, at);
    for (size_t i = 0; i < COUNTOF(forms); i++) {
        const char *sign = forms[i].prefix.p + forms[i].sign;
        if (sign[-1] == before && sign[0] == c && is_key(l, at, &forms[i], out))
            return true;
    }
    return c == '-' && before != '-' && byte_at(l->text, at + 1) == '-' && find_pem(l, at, out);
}

/* "Authorization: Bearer …" */
bool detect_bearer(const struct look *l, size_t at, struct found *out)
{
    struct str t = l->text, rest = str_from(t, at);
    if (rest.n < 7 + 20 || (rest.p[1] | 0x20) != 'e' || (rest.p[2] | 0x20) != 'a') /* mostly */
        return false;
    if (!str_eq_nocase(str_make(rest.p, 7), STR("bearer ")) || is_word(byte_before(t, at)))
        return false;
    size_t begin = at + 7, end = begin;
    while (end < t.n && end - begin < MAX_SECRET && (is_word(t.p[end]) || strchr("-.~+/=", t.p[end])) && t.p[end])
        end++;
    struct str token = str_make(t.p + begin, end - begin);
    if (token.n < 20 || !has_digits(token, 2))
        return false;
    *out = (struct found){ FOUND_SECRET, begin, token.n };
    return true;
}

/* ---- what a name says of its value ---- */

enum named { PASSWORD, TOKEN };

static const struct {
    struct str ending;          /* of the name, in lower case */
    enum named named;
} names[] = {
    { STR("password"), PASSWORD }, { STR("passwd"), PASSWORD }, { STR("passphrase"), PASSWORD }, { STR("passwort"), PASSWORD },
    { STR("kennwort"), PASSWORD }, { STR("pwd"), PASSWORD }, { STR("contraseña"), PASSWORD }, { STR("密码"), PASSWORD },
    { STR("secret"), TOKEN }, { STR("secret_key"), TOKEN }, { STR("secretkey"), TOKEN }, { STR("api_key"), TOKEN },
    { STR("api-key"), TOKEN }, { STR("apikey"), TOKEN }, { STR("access_key"), TOKEN }, { STR("accesskey"), TOKEN },
    { STR("private_key"), TOKEN }, { STR("token"), TOKEN }, { STR("credential"), TOKEN },
};

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

/* The name before '=' or ':', in quotes or not. */
static bool find_name(const struct look *l, size_t at, enum named *named)
{
    struct str t = l->text;
    size_t end = at;
    while (end > l->low && end + 3 > at && (t.p[end - 1] == ' ' || t.p[end - 1] == '\\' || is_quote(t.p[end - 1])))
        end--;
    for (size_t i = 0; i < COUNTOF(names) && end > l->low; i++) {
        struct str ending = names[i].ending;
        bool may_be = ((t.p[end - 1] ^ ending.p[ending.n - 1]) & ~0x20) == 0;
        if (may_be && end >= l->low + ending.n && str_eq_nocase(str_make(t.p + end - ending.n, ending.n), ending)) {
            *named = names[i].named;
            return true;
        }
    }
    return false;
}

static bool ends_value(char c, char quote)
{
    return (unsigned char)c <= ' ' || c == (quote ? quote : '"') || (!quote && strchr(",;'`<>(){}[]", c));
}

/* Its value: what is between quotes, or up to something that ends a word. */
static struct str find_value(struct str t, size_t at, bool *quoted)
{
    size_t blanks = 0;
    while (blanks < 4 && (byte_at(t, at) == ' ' || byte_at(t, at) == '\t' || byte_at(t, at) == '\\')) {
        at++;
        blanks++;
    }
    char quote = byte_at(t, at);
    *quoted = is_quote(quote);
    at += *quoted;
    size_t end = at;
    while (end < t.n && end - at < MAX_VALUE && !ends_value(t.p[end], *quoted ? quote : 0))
        end++;
    if (*quoted ? byte_at(t, end) != quote : byte_at(t, end) == '(' || byte_at(t, end) == '[') /* a sentence; a call */
        return str_make(t.p, 0);
    while (end > at && (t.p[end - 1] == '\\' || (!*quoted && strchr(".!?", t.p[end - 1]))))
        end--;
    return str_make(t.p + at, end - at);
}

/* Names of things in programs and documents: config.password, os.environ, $SECRET, <your key>, ********, /run/secrets/db. */
static bool stands_for_another(struct str v)
{
    bool repeats = true, name = true;
    for (size_t i = 1; i < v.n && repeats; i++)
        repeats = v.p[i] == v.p[0];
    size_t dots = 0;
    for (size_t i = 0; i < v.n && name; i++) {
        dots += v.p[i] == '.';
        name = is_word(v.p[i]) || v.p[i] == '.' || v.p[i] == '-';
    }
    char c = v.p[0];
    bool member = name && dots && !is_digit(c) && v.n < 40, variable = strchr("$<{%/*@&", c) != NULL;
    return repeats || member || variable || str_find(v, STR("://")) >= 0 || str_find(v, STR("${")) >= 0;
}

static bool looks_secret(struct str v, enum named named, bool quoted)
{
    size_t letters = 0, digits = 0, signs = 0;
    for (size_t i = 0; i < v.n; i++) {
        letters += is_letter(v.p[i]);
        digits += is_digit(v.p[i]);
        signs += !is_word(v.p[i]) && v.p[i] != '-' && v.p[i] != '.' && v.p[i] != ':' && v.p[i] != '/';
    }
    if (v.n < 6 || stands_for_another(v))
        return false;
    if (named == TOKEN)
        return v.n >= 16 && digits >= (v.n >= 32 ? 1 : 2) && letters >= 2;
    return (letters && (digits || signs)) || (digits && digits == v.n) || (quoted && v.n >= 8);
}

/* Nor does the rest of it look secret, from wherever it is looked at. */
static bool is_plain(struct str v, enum named named)
{
    for (size_t i = 0; i < v.n; i++)
        if (is_digit(v.p[i]) || (named == PASSWORD && !is_word(v.p[i]) && !strchr("-.:/", v.p[i])))
            return false;
    return v.n > 0;
}

/* "https://user:secret@host" */
static bool find_login(const struct look *l, size_t at, struct found *out)
{
    struct str t = l->text;
    size_t user = at + 3, colon = user;
    if (!str_starts(str_from(t, at), STR("://")))
        return false;
    while (colon < t.n && colon - user < 64 && (is_word(t.p[colon]) || t.p[colon] == '-' || t.p[colon] == '.'))
        colon++;
    size_t end = colon + 1;
    while (end < t.n && end - colon < 128 && (unsigned char)t.p[end] > ' ' && !strchr("/@\"'<>?#", t.p[end]))
        end++;
    struct str secret = str_make(t.p + colon + 1, end - colon - 1);
    if (byte_at(t, colon) != ':' || byte_at(t, end) != '@' || secret.n < 3 || strchr("$<{%*", secret.p[0]))
        return false;
    *out = (struct found){ FOUND_SECRET, colon + 1, secret.n };
    return true;
}

bool detect_assignment(const struct look *l, size_t at, struct found *out)
{
    struct str t = l->text;
    enum named named;
    bool quoted;
    char next = byte_at(t, at + 1);
    if (t.p[at] == ':' && next == '/')
        return find_login(l, at, out);
    if ((t.p[at] == '=' && next == '=') || (next == ':' && t.p[at] == ':') || !find_name(l, at, &named))
        return false;
    at += next == '=' || next == '>' ? 2 : 1;
    if (at < l->barren->values[named])
        return false;
    struct str value = find_value(t, at, &quoted);
    if (!looks_secret(value, named, quoted)) {
        if (!quoted && is_plain(value, named))
            l->barren->values[named] = barren_until(at, (size_t)(value.p - t.p) + value.n, MAX_VALUE);
        return false;
    }
    *out = (struct found){ FOUND_SECRET, (size_t)(value.p - t.p), value.n };
    return true;
}
