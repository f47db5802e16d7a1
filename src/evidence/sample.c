#include "evidence/sample.h"

#include "evidence/dice.h"

#include <stdlib.h>

/* One kind of asks, while it is drawn from. */
struct kind {
    struct str name;
    size_t *at;             /* of its asks */
    size_t n, want;
};

struct drawing {
    const struct sample_ask *asks;
    struct arena *a;
    struct kind *kinds;
    size_t nkinds, total;   /* total: of asks, those alike counted once */
};

const char *sample_length(int64_t tokens)
{
    return tokens <= SAMPLE_SHORT_TOKENS ? "short" : tokens <= SAMPLE_LONG_TOKENS ? "medium" : "long";
}

static struct str name_of(const struct sample_ask *k, struct arena *a)
{
    return arena_printf(a, "%s%.*s%smodel %.*s%s%s%s, %s", k->caller.n ? "caller " : "", STR_ARG(k->caller), k->caller.n ? ", " : "", STR_ARG(k->model), k->stream ? ", stream" : "",
        k->tools ? ", tools" : "", k->schema ? ", schema" : "", sample_length(k->tokens));
}

/* ---- kinds ---- */

static struct kind *kind_of(struct drawing *d, struct str name, size_t most)
{
    for (size_t i = 0; i < d->nkinds; i++)
        if (str_eq(d->kinds[i].name, name))
            return &d->kinds[i];
    d->kinds[d->nkinds] = (struct kind){ .name = name, .at = arena_array(d->a, size_t, most) };
    return &d->kinds[d->nkinds++];
}

struct printed {
    int64_t print;
    size_t at;
};

static int by_print(const void *a, const void *b)
{
    const struct printed *x = a, *y = b;
    return x->print != y->print ? (x->print > y->print) - (x->print < y->print) : (x->at > y->at) - (x->at < y->at);
}

/* True at those for which a later one stands. */
static bool *find_alike(const struct sample_ask *asks, size_t n, struct arena *a)
{
    bool *alike = arena_array(a, bool, n + 1);
    struct printed *all = arena_array(a, struct printed, n + 1);
    for (size_t i = 0; i < n; i++)
        all[i] = (struct printed){ asks[i].print, i };
    qsort(all, n, sizeof *all, by_print);
    for (size_t i = 0; i < n; i++)
        alike[all[i].at] = i + 1 < n && all[i + 1].print == all[i].print;
    return alike;
}

/* The largest first, then by name: the same whatever order asks came in. */
static int by_size(const void *a, const void *b)
{
    const struct kind *x = a, *y = b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
    int order = memcmp(x->name.p, y->name.p, n);
    return order ? order : (x->name.n > y->name.n) - (x->name.n < y->name.n);
}

static void sort_out(struct drawing *d, size_t n, const bool *alike)
{
    d->kinds = arena_array(d->a, struct kind, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (alike[i])
            continue;
        struct kind *k = kind_of(d, name_of(&d->asks[i], d->a), n);
        k->at[k->n++] = i;
        d->total++;
    }
    qsort(d->kinds, d->nkinds, sizeof *d->kinds, by_size);
}

/* ---- how many of each ---- */

/* What it lacks of its fair part; negative: what it has too much. */
static double lacks(const struct drawing *d, const struct kind *k, size_t want)
{
    return (double)want * (double)k->n / (double)d->total - (double)k->want;
}

/* With fewer places than kinds, one for each of the largest. */
static void share_out(struct drawing *d, size_t want)
{
    size_t given = 0;
    for (size_t i = 0; i < d->nkinds; i++) {
        struct kind *k = &d->kinds[i];
        size_t fair = want * k->n / d->total;
        k->want = d->nkinds > want ? i < want : fair ? fair : 1;
        given += k->want;
    }
    for (; given > want; given--) { /* those that got one for being there at all are paid for by those that have most too much */
        struct kind *most = NULL;
        for (size_t i = 0; i < d->nkinds; i++)
            if (d->kinds[i].want > 1 && (!most || lacks(d, &d->kinds[i], want) < lacks(d, most, want)))
                most = &d->kinds[i];
        most->want--;
    }
    for (; given < want; given++) {
        struct kind *least = NULL;
        for (size_t i = 0; i < d->nkinds; i++)
            if (d->kinds[i].want < d->kinds[i].n && (!least || lacks(d, &d->kinds[i], want) > lacks(d, least, want)))
                least = &d->kinds[i];
        least->want++;
    }
}

/* ---- which ---- */

/* Each kind has dice of its own: what is drawn of one does not change with the others. */
static void draw(const struct kind *k, uint64_t seed)
{
    struct dice dice = dice_of(seed ^ str_hash(k->name));
    for (size_t i = 0; i < k->want; i++) {
        size_t other = i + dice_below(&dice, (uint32_t)(k->n - i)), was = k->at[i];
        k->at[i] = k->at[other];
        k->at[other] = was;
    }
}

static int by_place(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void sample_draw(const struct sample_ask *asks, size_t n, size_t want, uint64_t seed, struct arena *a, struct sample *out)
{
    struct drawing d = { .asks = asks, .a = a };
    sort_out(&d, n, find_alike(asks, n, a));
    want = want < d.total ? want : d.total;
    if (want)
        share_out(&d, want);
    size_t *drawn = arena_array(a, size_t, want + 1), got = 0;
    struct sample_stratum *strata = arena_array(a, struct sample_stratum, d.nkinds + 1);
    for (size_t i = 0; i < d.nkinds; i++) {
        struct kind *k = &d.kinds[i];
        draw(k, seed);
        for (size_t j = 0; j < k->want; j++)
            drawn[got++] = k->at[j];
        strata[i] = (struct sample_stratum){ .name = k->name, .there = k->n, .drawn = k->want };
    }
    qsort(drawn, got, sizeof *drawn, by_place);
    *out = (struct sample){ .drawn = drawn, .n = got, .alike = n - d.total, .strata = strata, .nstrata = d.nkinds };
}
