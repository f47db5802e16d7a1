/* The look at a chat template. Oracles: never a read past the end; it parses or says why and in which line; a template that parses does so twice in a row,
 * and not with an open block behind it. */
#include "model/template.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct template_look look_at(struct str a, struct str between, struct str b)
{
    char *text = malloc(a.n + between.n + b.n + 1);
    must(text != NULL);
    struct str parts[] = { a, between, b };
    size_t n = 0;
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        if (parts[i].n)
            memcpy(text + n, parts[i].p, parts[i].n);
        n += parts[i].n;
    }
    struct template_look look = template_look(str_make(text, n));
    free(text);
    return look;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    struct template_look look = template_look(text);
    int lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    must(look.parses == (look.why[0] == 0) && look.parses == (look.line == 0));
    must(look.line >= 0 && look.line <= lines && memchr(look.why, 0, sizeof look.why));
    must(!(look.system && look.system_refused));
    if (look.parses) {
        must(look_at(text, STR("\n"), text).parses);
        must(!look_at(text, STR("\n"), STR("{% if x %}")).parses);
        must(!look_at(text, STR("\n"), STR("{{ 'x }}")).parses);
    }
    return 0;
}
