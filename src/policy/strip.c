/* One table of tags, and a machine that moves by the byte. A tag that may be coming is not kept as bytes: it is a row and how much of it has come. */
#include "policy/strip.h"

enum kind { OPENS, CLOSES, SKIPPED };

enum spelling {
    THINK, THINKING, THOUGHT, THOUGHT_CAPITAL, REASONING, SEED, MINIMAX, LONGCAT, MISTRAL, KIMI, COMMAND, SOLAR, SOLAR_2, APERTUS, OPEN_THINKER, PANGU,
    GEMMA, HARMONY,
    ANY, /* the template has opened it, we do not know how */
};

/* None is the beginning of another, none stands inside another, and each begins with '<', '[' or the first byte of "◁" (tests/unit/policy/test_strip.c). */
static const struct tag {
    unsigned char kind, spelling;
    struct str text;
} tags[] = {
    { OPENS,   THINK,           STR("<think>") },        /* Qwen, DeepSeek, GLM, MiniMax M2, Kimi K2, Nemotron, Granite, Hunyuan, Phi, EXAONE 4 … */
    { CLOSES,  THINK,           STR("</think>") },
    { OPENS,   THINKING,        STR("<thinking>") },     /* prompts of our own time, Reflection */
    { CLOSES,  THINKING,        STR("</thinking>") },
    { OPENS,   THOUGHT,         STR("<thought>") },      /* EXAONE Deep, Gemini's OpenAI door */
    { CLOSES,  THOUGHT,         STR("</thought>") },
    { OPENS,   THOUGHT_CAPITAL, STR("<Thought>") },      /* Marco */
    { CLOSES,  THOUGHT_CAPITAL, STR("</Thought>") },
    { OPENS,   REASONING,       STR("<reasoning>") },    /* Reka */
    { CLOSES,  REASONING,       STR("</reasoning>") },
    { OPENS,   SEED,            STR("<seed:think>") },
    { CLOSES,  SEED,            STR("</seed:think>") },
    { OPENS,   MINIMAX,         STR("<mm:think>") },     /* M3 */
    { CLOSES,  MINIMAX,         STR("</mm:think>") },
    { OPENS,   LONGCAT,         STR("<longcat_think>") },
    { CLOSES,  LONGCAT,         STR("</longcat_think>") },
    { OPENS,   MISTRAL,         STR("[THINK]") },        /* Magistral */
    { CLOSES,  MISTRAL,         STR("[/THINK]") },
    { OPENS,   KIMI,            STR("◁think▷") },        /* Kimi VL, 1.5 */
    { CLOSES,  KIMI,            STR("◁/think▷") },
    { OPENS,   COMMAND,         STR("<|START_THINKING|>") },
    { CLOSES,  COMMAND,         STR("<|END_THINKING|>") },
    { SKIPPED, COMMAND,         STR("<|START_RESPONSE|>") },
    { OPENS,   SOLAR,           STR("<|think|>") },
    { CLOSES,  SOLAR,           STR("<|end|>") },
    { SKIPPED, SOLAR,           STR("<|begin|>assistant") },
    { SKIPPED, SOLAR,           STR("<|content|>") },
    { OPENS,   SOLAR_2,         STR("<|think:start|>") },
    { CLOSES,  SOLAR_2,         STR("<|think:end|>") },
    { OPENS,   APERTUS,         STR("<|inner_prefix|>") },
    { CLOSES,  APERTUS,         STR("<|inner_suffix|>") },
    { OPENS,   OPEN_THINKER,    STR("<|begin_of_thought|>") },
    { CLOSES,  OPEN_THINKER,    STR("<|end_of_thought|>") },
    { SKIPPED, OPEN_THINKER,    STR("<|begin_of_solution|>") },
    { OPENS,   PANGU,           STR("[unused16]") },
    { CLOSES,  PANGU,           STR("[unused17]") },
    { OPENS,   GEMMA,           STR("<|channel>thought") },
    { CLOSES,  GEMMA,           STR("<channel|>") },
    { OPENS,   HARMONY,         STR("<|channel|>analysis<|message|>") }, /* gpt-oss */
    { CLOSES,  HARMONY,         STR("<|end|>") },
    { CLOSES,  HARMONY,         STR("<|start|>assistant") },
    { CLOSES,  HARMONY,         STR("<|channel|>final<|message|>") },
    { CLOSES,  HARMONY,         STR("<|channel|>commentary<|message|>") }, /* words for the caller before a call */
};

enum {
    SURE_BYTES = 4, /* of a tag that is cut at the end: fewer may be an answer ("<", "<td") */
    MAX_TAG = 40,
};

/* What a close ends: at the beginning, and in a gap, one that stands alone is what is left of a block and goes too. */
static bool may_come(const struct strip *s, const struct tag *t)
{
    bool mine = t->spelling == s->spelling || s->spelling == ANY;
    switch ((enum strip_state)s->state) {
    case STRIP_BEGIN:
    case STRIP_GAP:
        return true;
    case STRIP_OPENED:
        return (t->kind == CLOSES && mine) || (t->kind == OPENS && s->spelling == ANY);
    case STRIP_THOUGHT:
        return t->kind == CLOSES && mine;
    case STRIP_TEXT:
        break;
    }
    return false;
}

/* The tag that begins so, or -1. */
static int find_tag(const struct strip *s, struct str begun)
{
    for (size_t i = 0; i < COUNTOF(tags); i++)
        if (tags[i].text.p[0] == begun.p[0] && str_starts(tags[i].text, begun) && may_come(s, &tags[i]))
            return (int)i;
    return -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool may_begin_tag(char c)
{
    return c == '<' || c == '[' || c == '\xe2';
}

static struct str held(const struct strip *s)
{
    return str_make(tags[s->tag].text.p, s->held);
}

void strip_init(struct strip *s, bool open)
{
    *s = (struct strip){ .state = open ? STRIP_OPENED : STRIP_BEGIN, .spelling = ANY };
}

static void take_tag(struct strip *s)
{
    const struct tag *t = &tags[s->tag];
    s->held = 0;
    s->nblank = 0;
    s->state = t->kind == OPENS ? STRIP_OPENED : STRIP_GAP;
    s->spelling = t->spelling;
}

/* No tag comes: it is text, and so is all that follows. */
static void begin_text(struct strip *s, struct buf *text)
{
    buf_add(text, str_make(s->blank, s->nblank));
    buf_add(text, held(s));
    s->held = s->nblank = 0;
    s->state = STRIP_TEXT;
}

/* What was held and this byte are no tag, but their end may be the beginning of one ("<<", "◁/think◁"). */
static void think_on(struct strip *s, char c, struct buf *thought)
{
    char bytes[MAX_TAG + 1];
    size_t n = s->held, from = 0;
    int tag = -1;
    memcpy(bytes, held(s).p, n);
    bytes[n++] = c;
    s->state = STRIP_THOUGHT;
    while (from < n && (tag = find_tag(s, str_make(bytes + from, n - from))) < 0)
        from++;
    buf_add(thought, str_make(bytes, from));
    s->held = (unsigned char)(n - from);
    s->tag = tag < 0 ? 0 : (unsigned char)tag;
}

/* A byte that goes on with no tag. */
static void other_byte(struct strip *s, char c, struct buf *text, struct buf *thought)
{
    bool blank = !s->held && is_blank(c);
    switch ((enum strip_state)s->state) {
    case STRIP_BEGIN:
        if (blank && s->nblank < STRIP_MAX_BLANK) {
            s->blank[s->nblank++] = c;
            break;
        }
        begin_text(s, text);
        buf_add_char(text, c);
        break;
    case STRIP_GAP:
        if (blank)
            break;
        begin_text(s, text);
        buf_add_char(text, c);
        break;
    case STRIP_OPENED:
        if (!blank)
            think_on(s, c, thought);
        break;
    case STRIP_THOUGHT:
        think_on(s, c, thought);
        break;
    case STRIP_TEXT:
        break;
    }
}

static void feed_byte(struct strip *s, char c, struct buf *text, struct buf *thought)
{
    char bytes[MAX_TAG + 1];
    int tag = -1;
    if (s->held || may_begin_tag(c)) {
        memcpy(bytes, held(s).p, s->held);
        bytes[s->held] = c;
        tag = find_tag(s, str_make(bytes, (size_t)s->held + 1));
    }
    if (tag < 0) {
        other_byte(s, c, text, thought);
        return;
    }
    s->tag = (unsigned char)tag;
    if (++s->held == tags[tag].text.n)
        take_tag(s);
}

/* So much of a piece is thoughts for certain. */
static size_t plain_thought(struct str piece)
{
    size_t n = 0;
    while (n < piece.n && !may_begin_tag(piece.p[n]))
        n++;
    return n;
}

void strip_feed(struct strip *s, struct str piece, struct buf *text, struct buf *thought)
{
    size_t at = 0;
    while (at < piece.n && s->state != STRIP_TEXT) {
        size_t plain = s->state == STRIP_THOUGHT && !s->held ? plain_thought(str_from(piece, at)) : 0;
        if (plain)
            buf_add(thought, str_make(piece.p + at, plain));
        at += plain;
        if (!plain)
            feed_byte(s, piece.p[at++], text, thought);
    }
    buf_add(text, str_from(piece, at));
}

void strip_end(struct strip *s, struct buf *text, struct buf *thought)
{
    bool thinks = s->state == STRIP_OPENED || s->state == STRIP_THOUGHT;
    if (thinks || s->held >= SURE_BYTES)
        buf_add(thought, held(s));
    else if (s->state != STRIP_TEXT)
        begin_text(s, text);
    s->held = s->nblank = 0;
    s->state = STRIP_TEXT;
}

struct str strip_tag_in(struct str text)
{
    for (size_t at = 0; at < text.n; at++) {
        if (!may_begin_tag(text.p[at]))
            continue;
        for (size_t i = 0; i < COUNTOF(tags); i++)
            if (tags[i].kind != SKIPPED && str_starts(str_from(text, at), tags[i].text))
                return str_make(text.p + at, tags[i].text.n);
    }
    return (struct str){ NULL, 0 };
}
