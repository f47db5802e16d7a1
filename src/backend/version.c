#include "backend/version.h"

#include "conf/conf.h"
#include "proc/run.h"

#include <ctype.h>

enum { LIMIT_MS = 10 * 1000, SAID_MAX_BYTES = 64 * 1024, MAX_WORDS = 64 };

/* ---- reading ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_part(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '+' || c == '-' || c == '_';
}

/* The word of a version that begins at `at`, without dots and dashes at its end. */
static struct str word_at(struct str s, size_t at)
{
    size_t n = 0;
    while (at + n < s.n && is_part(s.p[at + n]))
        n++;
    while (n && !isalnum((unsigned char)s.p[at + n - 1]))
        n--;
    return str_make(s.p + at, n);
}

static bool begins(struct str s, size_t at)
{
    if (!is_digit(s.p[at]))
        return false;
    if (at && (s.p[at - 1] == 'v' || s.p[at - 1] == 'V'))
        at--;
    return !at || !(isalnum((unsigned char)s.p[at - 1]) || s.p[at - 1] == '.' || s.p[at - 1] == '-');
}

static bool is_dotted(struct str word)
{
    size_t i = 0;
    while (i < word.n && is_digit(word.p[i]))
        i++;
    return i + 1 < word.n && word.p[i] == '.' && is_digit(word.p[i + 1]);
}

bool version_find(struct str said, char out[VERSION_BYTES])
{
    struct str found = { NULL, 0 };
    for (size_t i = 0; i < said.n && !is_dotted(found); i++) {
        if (!begins(said, i))
            continue;
        struct str word = word_at(said, i);
        if (is_dotted(word) || !found.n)
            found = word;
        i += word.n;
    }
    if (!found.n || found.n >= VERSION_BYTES)
        return false;
    memcpy(out, found.p, found.n);
    out[found.n] = 0;
    return true;
}

/* ---- comparing ---- */

/* The next number; what is behind it and its dot stays. Past the last one: 0. */
static uint64_t next_number(struct str *s)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < s->n && is_digit(s->p[i]); i++)
        v = v < UINT64_MAX / 10 - 1 ? v * 10 + (uint64_t)(s->p[i] - '0') : UINT64_MAX;
    if (i && i + 1 < s->n && s->p[i] == '.' && is_digit(s->p[i + 1]))
        i++;
    *s = str_from(*s, i);
    return v;
}

/* What stands behind the numbers and tells an unfinished version; else empty. */
static struct str unfinished(struct str rest)
{
    while (rest.n && (rest.p[0] == '.' || rest.p[0] == '-' || rest.p[0] == '_'))
        rest = str_from(rest, 1);
    return rest.n && isalpha((unsigned char)rest.p[0]) && !str_starts(rest, STR("post")) ? rest : STR("");
}

int version_compare(struct str a, struct str b)
{
    bool more = true;
    a = str_cut(a, '+', &(struct str){ 0 });
    b = str_cut(b, '+', &(struct str){ 0 });
    while (more) {
        uint64_t x = next_number(&a), y = next_number(&b);
        if (x != y)
            return x < y ? -1 : 1;
        more = (a.n && is_digit(a.p[0])) || (b.n && is_digit(b.p[0]));
    }
    a = unfinished(a);
    b = unfinished(b);
    if (!a.n || !b.n)
        return (a.n == 0) - (b.n == 0);
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* ---- what is wanted ---- */

/* Is `name` in the text, by letters and digits alone: "gemma4" is in "--model mlx-community/Gemma-4-e4b". */
static bool names(struct str text, struct str name)
{
    for (size_t i = 0; i < text.n; i++) {
        size_t t = i, n = 0;
        while (n < name.n) {
            if (!isalnum((unsigned char)name.p[n])) {
                n++;
                continue;
            }
            while (t < text.n && t > i && !isalnum((unsigned char)text.p[t]))
                t++;
            if (t == text.n || tolower((unsigned char)text.p[t]) != tolower((unsigned char)name.p[n]))
                break;
            t++;
            n++;
        }
        if (n == name.n)
            return true;
    }
    return false;
}

static bool holds_for(const struct conf_model *m, struct str of, struct str architecture)
{
    if (architecture.n)
        return names(architecture, of) && names(of, architecture);
    return m->min_version.n == 1 || names(m->name, of) || names(m->command, of);
}

struct str version_wanted(const struct conf_model *m, struct str architecture)
{
    struct str wanted = { NULL, 0 };
    for (size_t i = 0; i < m->min_version.n; i++) {
        struct str version, of = str_cut(m->min_version.at[i], '=', &version);
        if (!version.p) /* for all */
            version = of;
        else if (!holds_for(m, of, architecture))
            continue;
        if (!wanted.n || version_compare(version, wanted) > 0)
            wanted = version;
    }
    return wanted;
}

/* ---- asking ---- */

enum err_code version_ask(const struct conf_model *m, char out[VERSION_BYTES], struct err *e)
{
    struct arena arena;
    struct conf_strs words = { 0 };
    const char *argv[MAX_WORDS] = { NULL };
    char program[1024];
    struct buf said;
    struct run_end end = { 0 };
    arena_init(&arena);
    buf_init(&said, SAID_MAX_BYTES);
    enum err_code rc = conf_words(m->version_command, &arena, &words, e);
    if (!rc && (!words.n || words.n >= MAX_WORDS || !run_find_program(words.at[0], program, sizeof program)))
        rc = err_set(e, ERR_ENGINE_MISSING, "There is no program '%.*s', which `version:` names.", STR_ARG(words.n ? words.at[0] : STR("")));
    for (size_t i = 0; !rc && i < words.n; i++)
        argv[i] = i ? arena_copy(&arena, words.at[i]).p : program;
    if (!rc)
        rc = run_program(argv, NULL, NULL, LIMIT_MS, &said, &end, e);
    if (!rc && (end.too_long || end.signal || end.code || !version_find(buf_str(&said), out)))
        rc = err_set(e, ERR_ENGINE_MISSING, "`%.*s` says no version.", STR_ARG(m->version_command));
    buf_free(&said);
    arena_fini(&arena);
    return rc;
}
