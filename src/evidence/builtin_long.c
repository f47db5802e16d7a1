/* long-context: a fact among plain sentences, and others like it that are not asked for, so that a guess is found out. Also T12 of the t-suite. */
#include "evidence/builtin_int.h"

enum { DECOYS = 3, TOKENS_PER_10_WORDS = 14 };

static const int64_t usual_lengths[] = { 1000, 2000, 4000, 8000 };

static const char *const subjects[] = { "The ferry", "A gardener", "The night train", "The archive", "A carpenter", "The lighthouse", "The old mill", "A clerk", "The market", "The bridge", NULL };
static const char *const verbs[] = { "waits for", "is older than", "was painted after", "closes before", "stands beside", "is quieter than", "depends on", "was moved to", NULL };
static const char *const objects[] = { "the harbour", "the last storm", "the town hall", "the orchard", "the second platform", "the stone wall", "the morning bell", "the river bend", NULL };
static const char *const ends[] = { "in most years.", "when the wind turns.", "as everybody knows.", "for no clear reason.", "since the spring.", "and nobody minds.", NULL };

struct needle {
    const char *colour, *animal;
    int code;
};

static void put_needle(const struct needle *n, struct buf *to)
{
    buf_printf(to, "The code of the %s %s locker is %d. ", n->colour, n->animal, n->code);
}

static size_t put_filler(struct drawing_up *u, struct buf *to)
{
    const char *const *parts[] = { subjects, verbs, objects, ends };
    size_t start = to->n, words = 1;
    for (size_t i = 0; i < COUNTOF(parts); i++)
        buf_printf(to, "%s ", dice_word(&u->dice, parts[i]));
    for (size_t i = start; i < to->n; i++)
        words += to->p[i] == ' ';
    return words - 1;
}

/* Different lockers, all of them. */
static void draw_needles(struct drawing_up *u, struct needle *n)
{
    size_t colours[DECOYS + 1], animals[DECOYS + 1];
    dice_pick(&u->dice, 8, DECOYS + 1, colours);
    dice_pick(&u->dice, 8, DECOYS + 1, animals);
    for (size_t i = 0; i <= DECOYS; i++)
        n[i] = (struct needle){ words_colours[colours[i]], words_animals[animals[i]], dice_from(&u->dice, 10000 + (int)i * 20000, 29999 + (int)i * 20000) };
}

/* About nine tenths of `tokens`, so that the answer still fits in a context of that size. */
static void put_text(struct drawing_up *u, int64_t tokens, int depth, const struct needle *n, struct buf *to)
{
    size_t words = (size_t)tokens * 9 / TOKENS_PER_10_WORDS, had = 0, decoy = 0;
    bool put = false;
    words = words > 60 ? words - 50 : 10;
    while (had < words) {
        if (!put && had * 100 >= words * (size_t)depth && depth < 100) {
            put_needle(&n[0], to);
            put = true;
        }
        if (decoy < DECOYS && had * (DECOYS + 1) >= words * (decoy + 1) - words / 2)
            put_needle(&n[++decoy], to);
        had += put_filler(u, to);
    }
    if (!put)
        put_needle(&n[0], to);
}

static void put_case(struct drawing_up *u, struct str id, int64_t tokens, int depth, bool aside)
{
    struct buf text = { 0 };
    struct needle n[DECOYS + 1];
    draw_needles(u, n);
    buf_lit(&text, "Read the notes, then answer the question below them.\n\n");
    put_text(u, tokens, depth, n, &text);
    buf_printf(&text, "\n\nQuestion: what is the code of the %s %s locker? Answer with the number alone.", n[0].colour, n[0].animal);
    json_begin_object(&u->o);
    up_text(u, "id", id);
    up_text(u, "input", buf_str(&text));
    up_int(u, "max_tokens", 40);
    up_int(u, "temperature", 0);
    up_text(u, "thinking", STR("off"));
    if (aside)
        up_json(u, "aside", STR("true"));
    up_json(u, "tags", arena_printf(u->a, "[\"depth-%d\",\"tokens-%lld\"]", depth, (long long)tokens));
    up_json(u, "expect", arena_printf(u->a, "[{\"number\":%d}]", n[0].code));
    up_text(u, "ideal", arena_printf(u->a, "%d", n[0].code));
    up_json(u, "wrong", arena_printf(u->a, "[\"%d\",\"I do not know.\"]", n[1].code));
    json_end_object(&u->o);
    buf_free(&text);
}

void builtin_long_context(struct drawing_up *u, const struct suite_choice *o)
{
    const int64_t *lengths = o->lengths ? o->lengths : usual_lengths;
    size_t n = o->lengths ? o->nlengths : COUNTOF(usual_lengths);
    for (size_t i = 0; i < n; i++)
        for (int depth = 0; depth <= 100; depth += 25)
            put_case(u, arena_printf(u->a, "%lld-at-%d", (long long)lengths[i], depth), lengths[i], depth, false);
}

void builtin_recall(struct drawing_up *u, const struct suite_choice *o)
{
    (void)o;
    put_case(u, STR("T12"), 1500, 50, true);
}
