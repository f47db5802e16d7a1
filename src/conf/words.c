/* Sentences about a place in the file, and small things with text and paths that several steps need. */
#include "conf/conf.h"
#include "conf/conf_int.h"

#include <stdio.h>

/* Bytes of the UTF-8 sequence that s starts with (s is not empty); 0 when it is none. */
static size_t utf8_length(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : 0;
    if (n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0; /* overlong, surrogate, beyond U+10FFFF */
    return n;
}

size_t text_valid(struct str s)
{
    size_t at = 0;
    while (at < s.n) {
        unsigned char c = (unsigned char)s.p[at];
        size_t n = utf8_length(str_from(s, at));
        if (n == 0 || (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
            break;
        at += n;
    }
    return at;
}

bool conf_is_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ')
            return false;
    return text_valid(s) == s.n;
}

struct shown show_text(struct str s)
{
    struct shown out;
    enum { MOST = sizeof out.text - 6 }; /* two quotes, three dots, NUL */
    size_t n = 0;
    out.text[n++] = '\'';
    size_t at = 0;
    while (at < s.n) {
        size_t len = utf8_length(str_from(s, at));
        if (n + (len ? len : 1) > MOST + 1)
            break;
        if (len == 0 || (unsigned char)s.p[at] < ' ' || s.p[at] == 0x7F) {
            out.text[n++] = '?';
            at++;
            continue;
        }
        memcpy(out.text + n, s.p + at, len);
        n += len;
        at += len;
    }
    snprintf(out.text + n, sizeof out.text - n, at < s.n ? "...'" : "'");
    return out;
}

enum { MAX_NAME_SHOWN = 96 };

static void put_place(char *out, size_t room, struct str name, struct conf_place at)
{
    if (name.n == 0)
        name = STR("config");
    bool cut = name.n > MAX_NAME_SHOWN;
    if (cut)
        name = str_from(name, name.n - MAX_NAME_SHOWN);
    if (at.line)
        snprintf(out, room, "%s%.*s:%d:%d:", cut ? "..." : "", STR_ARG(name), at.line, at.column);
    else
        snprintf(out, room, "%s%.*s:", cut ? "..." : "", STR_ARG(name));
}

enum err_code fail_here(struct str name, struct conf_place at, struct str key, struct err *e)
{
    if (!e)
        return ERR_CONFIG;
    struct err was = *e;
    char place[MAX_NAME_SHOWN + 40];
    put_place(place, sizeof place, name, at);
    err_set(e, ERR_CONFIG, "%s %.*s%s%s", place, STR_ARG(key), key.n ? ": " : "", was.text);
    return err_hint(e, "%s", was.hint[0] ? was.hint : "`hob config schema` describes every setting");
}

enum err_code (fail_at)(struct str name, struct conf_place at, struct err *e, const char *fmt, ...)
{
    struct err sentence = { 0 };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence.text, sizeof sentence.text, fmt, ap);
    va_end(ap);
    if (e)
        *e = sentence;
    return fail_here(name, at, (struct str){ NULL, 0 }, e);
}

struct str last_part(struct str path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '.')
            return str_from(path, i);
    return path;
}

struct str path_folder(struct str path)
{
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/')
            return (struct str){ path.p, i == 1 ? 1 : i - 1 };
    return (struct str){ NULL, 0 };
}

struct str path_join(struct arena *a, struct str folder, struct str path)
{
    if (folder.n == 0 || str_starts(path, STR("/")))
        return arena_copy(a, path);
    while (str_starts(path, STR("./")))
        path = str_from(path, 2);
    const char *slash = str_ends(folder, STR("/")) ? "" : "/";
    return arena_printf(a, "%.*s%s%.*s", STR_ARG(folder), slash, STR_ARG(path));
}

const char *const conf_signs[] = {
    "greeting", "acknowledgement", "small-talk", "simple-fact", "code", "writing", "rewriting", "translation", "summary", "extraction", "explanation",
    "how-to", "analysis", "comparison", "proof", "several-steps", "planning", "long-form", "several-constraints", "brief", "follow-up", NULL,
};

const char *const command_names[] = { "port", "socket", NULL };

/* One word from *at on, which is no space: copied to out without its quotes. False when a quote or a backslash has no end. */
static bool cut_word(struct str s, size_t *at, char *out, size_t *n)
{
    char quote = 0;
    for (; *at < s.n; ++*at) {
        char c = s.p[*at];
        if (!quote && (c == ' ' || c == '\t'))
            return true;
        if (c == quote || (!quote && (c == '\'' || c == '"'))) {
            quote = quote ? 0 : c;
            continue;
        }
        if (c == '\\' && quote != '\'') {
            if (++*at == s.n)
                return false;
            c = s.p[*at];
        }
        out[(*n)++] = c;
    }
    return !quote;
}

enum err_code conf_words(struct str command, struct arena *a, struct conf_strs *out, struct err *e)
{
    struct str *words = arena_array(a, struct str, command.n / 2 + 1);
    char *text = arena_alloc(a, command.n + 1);
    size_t n = 0, at = 0;
    for (;;) {
        while (at < command.n && (command.p[at] == ' ' || command.p[at] == '\t'))
            at++;
        if (at == command.n)
            break;
        struct str *word = &words[n++];
        *word = (struct str){ text, 0 };
        if (!cut_word(command, &at, text, &word->n))
            return err_set(e, ERR_CONFIG, "a quote or a backslash in it has no end");
        text += word->n + 1; /* behind each word stands a NUL: the arena's bytes are zero */
    }
    if (!n || !words[0].n)
        return err_set(e, ERR_CONFIG, "names no program");
    *out = (struct conf_strs){ words, n };
    return ERR_OK;
}
