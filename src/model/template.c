/* Text until "{{", "{%" or "{#"; then tokens until the same brackets close. Blocks are held on a stack with the line they were opened in. */
#include "model/template.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_DEPTH = 128, NAME_MAX = 32 };

/* The words that may stand first in {% … %}. */
enum tag_kind { TAG_OPENS, TAG_MIDDLE, TAG_ALONE };
static const struct tag {
    struct str name;
    enum tag_kind kind;
} tags[] = {
    { STR("if"), TAG_OPENS },       { STR("for"), TAG_OPENS },        { STR("macro"), TAG_OPENS },   { STR("set"), TAG_OPENS }, /* unless it assigns */
    { STR("call"), TAG_OPENS },     { STR("filter"), TAG_OPENS },     { STR("block"), TAG_OPENS },   { STR("with"), TAG_OPENS },
    { STR("raw"), TAG_OPENS },      { STR("generation"), TAG_OPENS }, { STR("autoescape"), TAG_OPENS },
    { STR("elif"), TAG_MIDDLE },    { STR("else"), TAG_MIDDLE },
    { STR("include"), TAG_ALONE },  { STR("import"), TAG_ALONE },     { STR("from"), TAG_ALONE },    { STR("extends"), TAG_ALONE },
    { STR("do"), TAG_ALONE },       { STR("break"), TAG_ALONE },      { STR("continue"), TAG_ALONE },
};

/* ---- what it speaks of ---- */

/* Names of variables. */
static const struct { struct str name; size_t field; } names[] = {
    { STR("tools"), offsetof(struct template_look, tools) },
    { STR("enable_thinking"), offsetof(struct template_look, enable_thinking) },
    { STR("thinking"), offsetof(struct template_look, thinking_named) },
    { STR("thinking_budget"), offsetof(struct template_look, thinking_switch) },
    { STR("reasoning_effort"), offsetof(struct template_look, reasoning_effort) },
    { STR("reasoning_content"), offsetof(struct template_look, thinking) },
    { STR("system_message"), offsetof(struct template_look, system) },
    { STR("system_prompt"), offsetof(struct template_look, system) },
};
/* Whole strings in expressions. */
static const struct { struct str text; size_t field; } strings[] = {
    { STR("system"), offsetof(struct template_look, system) },
    { STR("image"), offsetof(struct template_look, images) },
    { STR("image_url"), offsetof(struct template_look, images) },
};
/* Anywhere in what it writes: text and strings. */
static const struct { struct str text; size_t field; } writings[] = {
    { STR("<think"), offsetof(struct template_look, thinking) },
    { STR("</think"), offsetof(struct template_look, thinking) },
    { STR("<|think"), offsetof(struct template_look, thinking) },
    { STR("<|channel|>analysis"), offsetof(struct template_look, thinking) },
    { STR("<seed:think>"), offsetof(struct template_look, thinking) },
    { STR("[THINK]"), offsetof(struct template_look, thinking) },
    { STR("<|vision_start|>"), offsetof(struct template_look, images) },
    { STR("<start_of_image>"), offsetof(struct template_look, images) },
    { STR("<|image"), offsetof(struct template_look, images) },
    { STR("<image"), offsetof(struct template_look, images) },
    { STR("[IMG]"), offsetof(struct template_look, images) },
    { STR("ystem role not supported"), offsetof(struct template_look, system_refused) },
    { STR("ystem role is not supported"), offsetof(struct template_look, system_refused) },
    { STR("ystem message is not supported"), offsetof(struct template_look, system_refused) },
};

static const struct str openings[] = {
    STR("<think>"), STR("<thinking>"), STR("<thought>"), STR("<reasoning>"), STR("<seed:think>"), STR("<mm:think>"), STR("<longcat_think>"), STR("[THINK]"),
    STR("\xe2\x97\x81think\xe2\x96\xb7"), STR("<|START_THINKING|>"), STR("<|think|>"), STR("<|think:start|>"), STR("<|inner_prefix|>"),
    STR("<|begin_of_thought|>"), STR("<|channel>thought"), STR("<|channel|>analysis<|message|>"),
};

bool template_ends_in_thought(struct str prompt)
{
    struct str end = str_trim(prompt);
    for (size_t i = 0; i < COUNTOF(openings); i++)
        if (str_ends(end, openings[i]))
            return true;
    return false;
}

struct scan {
    struct str text;
    size_t at;
    bool generates;     /* behind the last question whether the model is to go on */
    struct template_look *look;
    struct opened {
        struct str name;
        size_t at;
        bool had_else;
    } stack[MAX_DEPTH];
    size_t depth;
};

static void mark(struct scan *s, size_t field)
{
    *(bool *)((char *)s->look + field) = true;
}

/* "\n" stands in a string as two characters. */
static bool opens_thought(struct str written)
{
    written = str_trim(written);
    while (str_ends(written, STR("\\n")))
        written = str_trim(str_make(written.p, written.n - 2));
    return template_ends_in_thought(written);
}

static void note_writing(struct scan *s, struct str written)
{
    if (s->generates && opens_thought(written))
        s->look->opens_thought = true;
    for (size_t i = 0; i < COUNTOF(writings); i++)
        if (str_find(written, writings[i].text) >= 0)
            mark(s, writings[i].field);
}

static void note_string(struct scan *s, struct str content)
{
    for (size_t i = 0; i < COUNTOF(strings); i++)
        if (str_eq(content, strings[i].text))
            mark(s, strings[i].field);
    note_writing(s, content);
}

static void note_name(struct scan *s, struct str name)
{
    if (name.p[-1] == '.' && /* there is something before it: the delimiter at least */
        !str_eq(name, STR("reasoning_content"))) /* a message's own */
        return;
    if (str_eq(name, STR("add_generation_prompt")))
        s->generates = true;
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(name, names[i].name))
            mark(s, names[i].field);
}

/* ---- scanning ---- */

static int line_of(const struct scan *s, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at; i++)
        line += s->text.p[i] == '\n';
    return line;
}

static __attribute__((format(printf, 3, 4))) bool fail(struct scan *s, size_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->look->why, sizeof s->look->why, fmt, ap);
    va_end(ap);
    s->look->line = line_of(s, at);
    return false;
}

static bool is_at(const struct scan *s, const char *two)
{
    return s->at + 1 < s->text.n && s->text.p[s->at] == two[0] && s->text.p[s->at + 1] == two[1];
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str take_name(struct scan *s)
{
    size_t begin = s->at;
    while (s->at < s->text.n && is_name_char(s->text.p[s->at]))
        s->at++;
    return str_make(s->text.p + begin, s->at - begin);
}

static bool take_string(struct scan *s)
{
    size_t begin = s->at;
    char quote = s->text.p[s->at++];
    while (s->at < s->text.n && s->text.p[s->at] != quote)
        s->at += s->text.p[s->at] == '\\' ? 2 : 1;
    if (s->at >= s->text.n)
        return fail(s, begin, "a string is never closed");
    note_string(s, str_make(s->text.p + begin + 1, s->at - begin - 1));
    s->at++;
    return true;
}

static char closer_of(char c)
{
    return c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : 0;
}

struct inside { /* of one pair of delimiters */
    char brackets[MAX_DEPTH];
    size_t depth;
    bool assigns;       /* has a '=' that compares nothing, outside of brackets */
};

/* '=', but none of "==", "!=", "<=", ">=". */
static bool is_assignment(const struct scan *s)
{
    const char *p = s->text.p + s->at;
    bool before = s->at && strchr("=!<>", p[-1]) && p[-1];
    bool behind = s->at + 1 < s->text.n && p[1] == '=';
    return p[0] == '=' && !before && !behind;
}

static bool take_bracket(struct scan *s, struct inside *in)
{
    char c = s->text.p[s->at];
    if (closer_of(c)) {
        if (in->depth == MAX_DEPTH)
            return fail(s, s->at, "brackets are nested deeper than %d", MAX_DEPTH);
        in->brackets[in->depth++] = closer_of(c);
    } else if (!in->depth || in->brackets[--in->depth] != c) {
        return fail(s, s->at, "a '%c' closes nothing", c);
    }
    s->at++;
    return true;
}

/* Up to the closing delimiter and past it; a '-' or '+' before it is swallowed like any operator. */
static bool take_inside(struct scan *s, const char *close, size_t begun, struct inside *in)
{
    while (s->at < s->text.n) {
        char c = s->text.p[s->at];
        bool ok = true;
        if (!in->depth && is_at(s, close)) {
            s->at += 2;
            return true;
        }
        if (c == '"' || c == '\'')
            ok = take_string(s);
        else if (closer_of(c) || c == ')' || c == ']' || c == '}')
            ok = take_bracket(s, in);
        else if (is_name_char(c))
            note_name(s, take_name(s));
        else
            in->assigns = (is_assignment(s) && !in->depth) || in->assigns, s->at++;
        if (!ok)
            return false;
    }
    return fail(s, begun, in->depth ? "a bracket is never closed" : "there is no '%s' to what begins here", close);
}

/* ---- blocks ---- */

static const struct tag *find_tag(struct str name)
{
    for (size_t i = 0; i < COUNTOF(tags); i++)
        if (str_eq(tags[i].name, name))
            return &tags[i];
    return NULL;
}

static bool open_block(struct scan *s, struct str name, size_t at)
{
    if (s->depth == MAX_DEPTH)
        return fail(s, at, "blocks are nested deeper than %d", MAX_DEPTH);
    s->stack[s->depth++] = (struct opened){ name, at, false };
    return true;
}

static bool close_block(struct scan *s, struct str name, size_t at)
{
    if (!s->depth)
        return fail(s, at, "an 'end%.*s' without its '%.*s'", STR_ARG(name), STR_ARG(name));
    const struct opened *top = &s->stack[s->depth - 1];
    if (!str_eq(top->name, name))
        return fail(s, at, "an 'end%.*s' where the '%.*s' of line %d is open", STR_ARG(name), STR_ARG(top->name), line_of(s, top->at));
    s->depth--;
    return true;
}

static bool divide_block(struct scan *s, struct str name, size_t at)
{
    struct opened *top = s->depth ? &s->stack[s->depth - 1] : NULL;
    bool in_if = top && str_eq(top->name, STR("if")), in_for = top && str_eq(top->name, STR("for"));
    bool is_else = str_eq(name, STR("else"));
    if (!(in_if || (is_else && in_for)) || top->had_else)
        return fail(s, at, "an '%.*s' without its 'if'", STR_ARG(name));
    top->had_else = is_else;
    return true;
}

/* Everything up to {% endraw %} is text. */
static bool take_raw(struct scan *s, size_t begun)
{
    for (; s->at < s->text.n; s->at++) {
        size_t kept = s->at;
        if (!is_at(s, "{%"))
            continue;
        s->at += 2;
        if (s->at < s->text.n && (s->text.p[s->at] == '-' || s->text.p[s->at] == '+'))
            s->at++;
        while (s->at < s->text.n && is_space(s->text.p[s->at]))
            s->at++;
        if (str_eq(take_name(s), STR("endraw"))) {
            struct inside in = { .depth = 0 };
            return take_inside(s, "%}", kept, &in);
        }
        s->at = kept;
    }
    return fail(s, begun, "the block 'raw' is never closed");
}

static bool take_block(struct scan *s)
{
    struct inside in = { .depth = 0 };
    size_t begun = s->at;
    s->at += 2;
    if (s->at < s->text.n && (s->text.p[s->at] == '-' || s->text.p[s->at] == '+'))
        s->at++;
    while (s->at < s->text.n && is_space(s->text.p[s->at]))
        s->at++;
    struct str name = take_name(s);
    bool ends = str_starts(name, STR("end")) && name.n > 3;
    const struct tag *tag = find_tag(ends ? str_from(name, 3) : name);
    if (!take_inside(s, "%}", begun, &in))
        return false;
    if (!name.n)
        return fail(s, begun, "a block without a name");
    if (!tag || (ends && tag->kind != TAG_OPENS))
        return fail(s, begun, "a block '%.*s' is not known", (int)(name.n < NAME_MAX ? name.n : NAME_MAX), name.p);
    if (ends)
        return close_block(s, tag->name, begun);
    if (tag->kind == TAG_MIDDLE)
        return divide_block(s, tag->name, begun);
    if (str_eq(name, STR("raw")))
        return take_raw(s, begun);
    if (tag->kind == TAG_ALONE || (str_eq(name, STR("set")) && in.assigns))
        return true;
    return open_block(s, tag->name, begun);
}

static bool take_comment(struct scan *s)
{
    ptrdiff_t end = str_find(str_from(s->text, s->at + 2), STR("#}"));
    if (end < 0)
        return fail(s, s->at, "a comment is never closed");
    s->at += 2 + (size_t)end + 2;
    return true;
}

static bool take_expression(struct scan *s)
{
    struct inside in = { .depth = 0 };
    size_t begun = s->at;
    s->at += 2;
    return take_inside(s, "}}", begun, &in);
}

static void take_text(struct scan *s)
{
    size_t begin = s->at;
    while (s->at < s->text.n && !is_at(s, "{{") && !is_at(s, "{%") && !is_at(s, "{#"))
        s->at++;
    note_writing(s, str_make(s->text.p + begin, s->at - begin));
}

static bool scan_all(struct scan *s)
{
    bool ok = true;
    while (ok && s->at < s->text.n) {
        if (is_at(s, "{#"))
            ok = take_comment(s);
        else if (is_at(s, "{%"))
            ok = take_block(s);
        else if (is_at(s, "{{"))
            ok = take_expression(s);
        else
            take_text(s);
    }
    if (!ok || !s->depth)
        return ok;
    const struct opened *top = &s->stack[s->depth - 1];
    return fail(s, top->at, "the block '%.*s' is never closed", STR_ARG(top->name));
}

struct template_look template_look(struct str text)
{
    struct template_look look = { 0 };
    struct scan s = { .text = text, .look = &look };
    look.parses = scan_all(&s);
    look.system = look.system && !look.system_refused;
    look.thinking_switch = look.thinking_switch || look.enable_thinking || look.thinking_named || look.reasoning_effort;
    look.thinking = look.thinking || look.thinking_switch || look.opens_thought;
    return look;
}
