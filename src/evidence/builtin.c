/* The suites that hob brings: one table. */
#include "evidence/builtin_int.h"

struct source {
    const char *file;       /* of suites/; NULL: drawn up alone */
    builtin_fn *fn;         /* its cases, behind the file's; NULL: none */
};

/* clang-format off */
const struct suite_builtin suite_builtins[] = {
    { "t-suite", "instructions followed to the letter, files moved on a virtual tree, a tool call, recall, tags, branching: 16 counted cases, 2 beside", true, false },
    { "chat-bench", "everyday work: extraction, formats, short answers, summaries, code, classification", false, false },
    { "json-bench", "JSON of many shapes out of texts, half of it under a schema that is sent, half by words alone: 108 cases", true, false },
    { "long-context", "one fact found again at 0, 25, 50, 75 and 100 % of long texts", true, false },
    { "pipeline", "a memory pipeline's prompts: recall, tag routing, distil, decay, lint and briefing, in forms that programs read", false, false },
    { "vlm-bench", "three pictures read: a bar chart, a screenshot of code, a network", true, true },
    { 0 },
};
static const struct source sources[] = {
    { "t-suite", builtin_recall }, { "chat-bench", NULL }, { NULL, builtin_json_bench }, { NULL, builtin_long_context }, { "pipeline", NULL }, { NULL, builtin_vlm_bench },
};
/* clang-format on */

/* ---- dice ---- */

uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

size_t dice_below(struct dice *d, size_t n)
{
    return (size_t)(dice_next(d) % n);
}

int dice_from(struct dice *d, int min, int max)
{
    return min + (int)dice_below(d, (size_t)(max - min) + 1);
}

const char *dice_word(struct dice *d, const char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return words[dice_below(d, n)];
}

void dice_pick(struct dice *d, size_t n, size_t k, size_t *out)
{
    for (size_t i = 0; i < k; i++) {
        bool again = true;
        while (again) {
            again = false;
            out[i] = dice_below(d, n);
            for (size_t j = 0; j < i; j++)
                again |= out[j] == out[i];
        }
    }
}

/* ---- writing ---- */

void up_text(struct drawing_up *u, const char *key, struct str text)
{
    json_key(&u->o, str_of(key));
    json_string(&u->o, text);
}

void up_json(struct drawing_up *u, const char *key, struct str json)
{
    json_key(&u->o, str_of(key));
    json_raw(&u->o, json);
}

void up_int(struct drawing_up *u, const char *key, int64_t v)
{
    json_key(&u->o, str_of(key));
    json_int(&u->o, v);
}

/* clang-format off */
const char *const words_names[] = { "Ada Brandt", "Bruno Keller", "Carla Nowak", "David Osei", "Elena Rossi", "Farid Haddad", "Greta Lund", "Hugo Marin", "Ines Costa", "Jonas Weber",
    "Kira Tanaka", "Leo Duarte", "Mina Park", "Nils Berg", "Olga Petrova", "Pablo Vega", NULL };
const char *const words_companies[] = { "Nordlicht Optics", "Kestrel Logistics", "Blue Anvil Tools", "Harbour Foods", "Quartz Analytics", "Willow Press", "Sable Motors", "Tern Robotics", NULL };
const char *const words_cities[] = { "Lisbon", "Gdansk", "Turin", "Leipzig", "Bergen", "Porto", "Ghent", "Zagreb", "Malmo", "Graz", NULL };
const char *const words_things[] = { "desk lamp", "keyboard", "water filter", "bicycle pump", "notebook", "drill bit", "thermos", "rain jacket", "USB cable", "label printer", NULL };
const char *const words_colours[] = { "amber", "violet", "crimson", "turquoise", "ivory", "olive", "scarlet", "indigo", NULL };
const char *const words_animals[] = { "heron", "badger", "otter", "lynx", "falcon", "beaver", "marten", "stork", NULL };
/* clang-format on */

/* ---- by name ---- */

static const struct suite_builtin *find(struct str name, size_t *at, struct err *e)
{
    struct str names[16];
    for (*at = 0; suite_builtins[*at].name; ++*at) {
        names[*at] = str_of(suite_builtins[*at].name);
        if (str_eq(name, names[*at]))
            return &suite_builtins[*at];
    }
    struct str near = str_nearest(name, names, *at);
    err_set(e, ERR_NOT_FOUND, "there is no built-in suite '%.*s'", (int)(name.n < 64 ? name.n : 64), name.p);
    if (near.n)
        err_hint(e, "did you mean '%.*s'?", STR_ARG(near));
    else
        err_hint(e, "`hob eval suites` lists them");
    return NULL;
}

static void draw_up(const struct suite_builtin *b, const struct source *from, const struct suite_choice *o, struct buf *json)
{
    struct arena a;
    struct suite_choice usual = { .seed = 0 };
    arena_init(&a);
    o = o ? o : &usual;
    struct drawing_up u = { &a, { o->seed + 20240229 }, json_out(json) };
    json_begin_object(&u.o);
    up_text(&u, "suite", str_of(b->name));
    up_text(&u, "description", str_of(b->measures));
    json_key(&u.o, STR("cases"));
    json_begin_array(&u.o);
    from->fn(&u, o);
    json_end_array(&u.o);
    json_end_object(&u.o);
    arena_fini(&a);
}

/* Drawn cases as YAML; behind a file's they are more items of the same list. */
static enum err_code add_drawn(const struct suite_builtin *b, const struct source *from, const struct suite_choice *o, struct buf *out, struct err *e)
{
    struct buf json = { 0 }, yaml = { 0 };
    struct suite *s = NULL;
    draw_up(b, from, o, &json);
    enum err_code rc = suite_read(str_of(b->name), buf_str(&json), SUITE_JSON, &s, e);
    if (!rc) {
        suite_write(s, &yaml);
        struct str text = buf_str(&yaml), head = STR("\ncases:\n");
        buf_add(out, from->file ? str_from(text, (size_t)str_find(text, head) + head.n) : text);
    }
    suite_free(s);
    buf_free(&yaml);
    buf_free(&json);
    return rc;
}

enum err_code suite_builtin_text(struct str name, const struct suite_choice *o, struct buf *out, struct err *e)
{
    size_t at;
    const struct suite_builtin *b = find(name, &at, e);
    if (!b)
        return ERR_NOT_FOUND;
    for (const struct builtin_file *f = builtin_files; f->name && sources[at].file; f++)
        if (strcmp(f->name, sources[at].file) == 0)
            buf_add(out, str_of(f->text));
    return sources[at].fn ? add_drawn(b, &sources[at], o, out, e) : ERR_OK;
}

enum err_code suite_builtin_read(struct str name, const struct suite_choice *o, struct suite **out, struct err *e)
{
    struct buf text = { 0 };
    enum err_code rc = suite_builtin_text(name, o, &text, e);
    if (!rc)
        rc = suite_read(name, buf_str(&text), SUITE_YAML, out, e);
    if (!rc)
        (*out)->from = STR("built-in");
    buf_free(&text);
    return rc;
}
