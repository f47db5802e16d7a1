/* The classifier of `auto` over any bytes. What must hold: a score between 0 and 1, at least one reason, the same answer twice, nothing read outside of
 * the texts. The first byte says how the input is cut into messages, the second who says them. */
#include "base/str.h"
#include "route/classify.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of its own, so that a look over the edge is seen. */
static struct str own(const uint8_t *data, size_t n)
{
    char *p = malloc(n ? n : 1);
    if (!p)
        abort();
    memcpy(p, data, n);
    return str_make(p, n);
}

static bool same(const struct complexity *a, const struct complexity *b)
{
    bool yes = a->score >= b->score && a->score <= b->score && a->language == b->language && a->nreasons == b->nreasons;
    for (size_t i = 0; yes && i < a->nreasons; i++)
        yes = a->reasons[i] == b->reasons[i];
    return yes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct classifier *c;
    struct talk t = { .n = 0 };
    struct complexity first, second;
    if (!c)
        c = classifier_new();
    if (size < 2)
        return 0;
    size_t step = data[0] ? (size - 2) / data[0] + 1 : size, who = data[1];
    for (size_t at = 2; at < size && t.n < TALK_MAX; at += step, who = who >> 1 | who << 7) {
        size_t n = size - at < step ? size - at : step;
        t.at[t.n++] = (struct said){ (enum said_by)((who & 7) % 3), own(data + at, n), (who & 8) == 0 };
        t.bytes += n * 1000;
    }
    classify(c, &t, &first);
    classify(c, &t, &second);
    if (!(first.score >= 0 && first.score <= 1) || first.nreasons == 0 || first.nreasons > COMPLEXITY_REASONS || !first.language || !same(&first, &second))
        abort();
    for (size_t i = 0; i < t.n; i++)
        free((char *)(uintptr_t)t.at[i].text.p);
    return 0;
}
