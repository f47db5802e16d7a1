/* From what the pass over the texts has found (classify_scan.c) to a score, and from one message to a conversation. */
#include "route/classify_int.h"

enum {
    READ_MAX = 4096,          /* bytes of the last message */
    GLANCE_MAX = 512,         /* of each message before it, and of the system's */
    EARLIER_MAX = 3,          /* messages of the user before the last that are looked at */
};

/* ---- from signs to a score ---- */

/* What the score is made of. Hundredths would hide nothing here: these are few, and tried against the tuning half of bench/prompts. */
static const struct {
    double base, task, hard, follow, again, list, long_ask, brief;
} scale = {
    .base = 0.18,     /* nothing is known */
    .task = 0.28,     /* there is something to be done */
    .hard = 0.50,     /* a unit of what makes it hard */
    .follow = 0.30,   /* of the finds beyond the best of a kind */
    .again = 0.95,    /* "go on": of what was asked before */
    .list = 0.10,     /* each part of a long enumeration */
    .long_ask = 0.12, /* 20 words said, not pasted */
    .brief = 0.45,    /* a short answer is wanted */
};

static double at_most(double x, double most)
{
    return x < most ? x : most;
}

static double at_least(double x, double least)
{
    return x > least ? x : least;
}

static double worth(const struct scan *s, enum sign sign)
{
    return s->best[sign] + at_most(sign == CONSTRAINTS ? s->more[sign] : s->more[sign] * scale.follow, 0.9);
}

/* How much in it is hard; 1 is enough for the strongest model, on top of a task. */
static double hardness(const struct scan *s, double task)
{
    double hard = 0;
    for (enum sign i = PRIMARY_END; i < HEAVY_END; i++)
        hard += worth(s, i);
    double lists = s->commas > 2 && s->words >= 14 ? at_most((double)(s->commas - 2), 4) * scale.list : 0;
    double size = s->words > 16 && s->words < 200 ? at_most((double)(s->words - 16) / 20, 2) * scale.long_ask : 0;
    if (hard > 0.2 || task > 0.5)
        hard += lists + size;
    return at_least(hard - (hard < 1.4 ? scale.brief * at_most(s->best[BRIEF], 1) : 0), 0);
}

/* Nothing is asked for, or it is and yet little ("how do you spell": rows of more than 100). */
static bool is_light(const struct scan *s, double hard)
{
    double light = scan_strongest(s, GREETING, FAST_END);
    return (light >= 0.6 && s->wish < 0.35) || (light >= 1.3 && hard < 0.5);
}

/* Two characters of a script without spaces are about a word. */
static size_t said_words(const struct scan *s)
{
    return s->words + (s->dense_by[ZH] + s->dense_by[JA] + s->dense_by[KO]) / 2;
}

static double said_score(const struct scan *s)
{
    double task = at_least(scan_strongest(s, FAST_END, PRIMARY_END), s->code ? 0.6 : 0);
    double hard = hardness(s, task);
    if (is_light(s, hard)) /* it is spoken of, not asked for */
        return at_most(0.08 + 0.05 * task + 0.08 * hard, 0.30);
    double score = scale.base + scale.task * at_most(task, 1) + scale.hard * hard;
    if (task < 0.3 && hard < 0.2 && said_words(s) >= 5) /* nothing tells: the middle is the smallest mistake */
        score = at_least(score, said_words(s) >= 20 ? 0.45 : 0.36);
    return at_most(score, 1);
}

/* ---- a conversation ---- */

static const char *language_of(const struct scan *s)
{
    const size_t *d = s->dense_by;
    size_t latin = s->words;
    if (d[JA] + d[KO] + d[ZH] > latin / 2)
        return tongue_code[d[KO] > d[JA] + d[ZH] ? KO : d[JA] * 8 >= d[ZH] && d[JA] ? JA : ZH];
    enum tongue best = ANY;
    for (enum tongue t = EN; t <= ES; t++)
        if (s->votes[t] > s->votes[best] || (best == ANY && s->votes[t]))
            best = t;
    return tongue_code[best];
}

static void add_reason(struct complexity *out, const char *reason)
{
    for (size_t i = 0; i < out->nreasons; i++)
        if (out->reasons[i] == reason || strcmp(out->reasons[i], reason) == 0)
            return;
    if (out->nreasons < COMPLEXITY_REASONS)
        out->reasons[out->nreasons++] = reason;
}

/* The weightiest signs of the level that came out, at most so many as there is room for. */
static void add_reasons(struct complexity *out, const struct scan *s, enum sign from, enum sign end)
{
    bool taken[SIGNS] = { false };
    for (size_t k = 0; k < COMPLEXITY_REASONS; k++) {
        enum sign best = SIGNS;
        for (enum sign i = from; i < end; i++)
            if (!taken[i] && worth(s, i) >= 0.25 && (best == SIGNS || worth(s, i) > worth(s, best)))
                best = i;
        if (best == SIGNS)
            return;
        taken[best] = true;
        add_reason(out, sign_name[best]);
    }
}

static void read_message(struct scan *s, const struct classifier *c, const struct talk *t, size_t from, size_t end, size_t most)
{
    *s = (struct scan){ .c = c };
    for (size_t i = end; i-- > from && most > 0;) { /* the latest part has the most to say */
        scan_text(s, t->at[i].text, most);
        most -= at_most((double)t->at[i].text.n, (double)most) >= (double)most ? most : t->at[i].text.n;
    }
}

/* The message before `end` that `by` has said: [*from, *to). */
static bool message_before(const struct talk *t, enum said_by by, size_t end, size_t *from, size_t *to)
{
    for (size_t i = end; i-- > 0;) {
        if (t->at[i].by != by)
            continue;
        *to = i + 1;
        while (i > 0 && !t->at[i].begins && t->at[i - 1].by == by)
            i--;
        *from = i;
        return true;
    }
    return false;
}

/* What was asked before, the latest that was more than a word of thanks. */
static double score_before(const struct classifier *c, const struct talk *t, size_t end)
{
    double most = 0;
    size_t from, to = end;
    for (size_t i = 0; i < EARLIER_MAX && message_before(t, SAID_USER, end, &from, &to); i++, end = from) {
        struct scan s;
        read_message(&s, c, t, from, to, GLANCE_MAX);
        most = at_least(most, said_score(&s) * (1 - 0.1 * (double)i));
        if (scan_strongest(&s, GREETING, FAST_END) < 0.6)
            break;
    }
    return most;
}

static bool is_follow_up(const struct scan *s)
{
    bool only_thanks = scan_strongest(s, GREETING, FAST_END) >= 0.6 && s->best[MORE] < 0.6;
    double own = at_least(scan_strongest(s, FAST_END, HEAVY_END), s->wish);
    return !only_thanks && said_words(s) <= 12 && (s->best[MORE] >= 0.6 || (own < 0.5 && s->words <= 6));
}

static double system_share(const struct classifier *c, const struct talk *t)
{
    struct scan s;
    size_t from, to;
    if (!message_before(t, SAID_SYSTEM, t->n, &from, &to))
        return 0;
    read_message(&s, c, t, from, to, GLANCE_MAX);
    return 0.04 * at_most(hardness(&s, 0), 1);
}

void classify(const struct classifier *c, const struct talk *t, struct complexity *out)
{
    struct complexity got = { .language = "" };
    struct scan s = { .c = c };
    size_t from = 0, to = 0;
    if (message_before(t, SAID_USER, t->n, &from, &to) || message_before(t, SAID_SYSTEM, t->n, &from, &to))
        read_message(&s, c, t, from, to, READ_MAX);
    got.score = said_score(&s);
    got.urgent = s.best[URGENT] >= 0.6;
    got.fresh = s.best[FRESH] >= 0.6;
    got.language = language_of(&s);
    bool light = is_light(&s, hardness(&s, 0));
    if (from > 0 && is_follow_up(&s)) {
        double before = score_before(c, t, from) * scale.again;
        if (before > got.score) {
            got.score = before;
            add_reason(&got, sign_name[MORE]);
        }
    } else if (!light) {
        got.score += system_share(c, t);
    }
    if (!light && t->bytes > 16 * 1024) {
        got.score += t->bytes > 64 * 1024 ? 0.15 : 0.08;
        add_reason(&got, "long context");
    }
    got.score = at_most(got.score, 1);
    bool heavy = got.score >= 0.6 || hardness(&s, 0) >= 0.5;
    if (heavy)
        add_reasons(&got, &s, PRIMARY_END, HEAVY_END);
    if (got.score >= 0.3)
        add_reasons(&got, &s, FAST_END, PRIMARY_END);
    else
        add_reasons(&got, &s, GREETING, FAST_END);
    if (!got.nreasons)
        add_reason(&got, got.score < 0.3 ? "short" : "no known words");
    *out = got;
}
