/* What somebody says of a case, and the suite's file with that in it: the first line of the input is said, the rest is the file (YAML). Oracles: what is made of a line is JSON
 * and an expectation; the file is read again to what was meant, other cases stay as they were; what is refused has a sentence. */
#include "evidence/label.h"
#include "evidence/suite_int.h"
#include "json/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void must_be_json(struct str text)
{
    struct json_doc d = { 0 };
    struct err e = { 0 };
    must(json_parse(&d, text, &e) == ERR_OK);
    json_free(&d);
}

static void check_file(const struct suite *s, struct str text, size_t at, const struct suite_case *with)
{
    struct buf out = { 0 };
    struct suite *again = NULL;
    struct err e = { 0 };
    bool kept = false;
    if (label_write(s, text, at, with, &out, &kept, &e)) {
        must(e.text[0]);
    } else {
        must(suite_read(STR("fuzz.yaml"), buf_str(&out), SUITE_YAML, &again, &e) == ERR_OK);
        must(again->ncases == s->ncases && again->cases[at].nexpects == with->nexpects && again->cases[at].has_ideal == with->has_ideal);
        for (size_t i = 0; i < s->ncases; i++)
            must(str_eq(again->cases[i].input, s->cases[i].input) && (i == at || again->cases[i].nexpects == s->cases[i].nexpects));
    }
    suite_free(again);
    buf_free(&out);
}

static void say(const struct suite *s, struct str text, size_t at, struct str line)
{
    struct arena a;
    struct label_said said;
    struct suite_case with;
    struct suite *own = NULL;
    struct err e = { 0 };
    arena_init(&a);
    enum err_code rc = label_read(&s->cases[at], line, &a, &said, &e);
    if (rc) {
        must(rc == ERR_INVALID_REQUEST && e.text[0]);
    } else if (said.act == LABEL_EXPECT) {
        must_be_json(said.json);
        must(label_case(&s->cases[at], arena_printf(&a, "[%.*s]", STR_ARG(said.json)), said.ideal, &own, &with, &e) == ERR_OK);
        check_file(s, text, at, &with);
    }
    suite_free(own);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct suite *s = NULL;
    struct err e = { 0 };
    struct str text, line;
    if (!size || size > 64 * 1024)
        return 0;
    line = str_cut(str_make((const char *)data, size), '\n', &text);
    if (suite_read(STR("fuzz.yaml"), text, SUITE_YAML, &s, &e))
        return 0;
    for (size_t i = 0; i < s->ncases && i < 3; i++)
        say(s, text, i, line);
    suite_free(s);
    return 0;
}
