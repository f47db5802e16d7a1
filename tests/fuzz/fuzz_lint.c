/* Hints about a request. Oracles: at most LINT_MOST, in the order of their codes; each says where and what, and is ended. */
#include "policy/lint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_text(const char *text, size_t room)
{
    must(text[0] && memchr(text, 0, room));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct lint_given given = { .tokens = 900, .context = 1024 };
    struct lint_finding found[LINT_MOST];
    struct json_doc d;
    if (size == 0 || json_parse(&d, str_make((const char *)data, size), NULL))
        return 0;
    size_t n = lint_request(&d, &given, found);
    must(n <= LINT_MOST);
    for (size_t i = 0; i < n; i++) {
        must(found[i].code < LINT_CODES && (i == 0 || found[i - 1].code <= found[i].code));
        check_text(found[i].where, sizeof found[i].where);
        check_text(found[i].text, sizeof found[i].text);
    }
    json_free(&d);
    return 0;
}
