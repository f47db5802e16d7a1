/* Personal data in any bytes. What must hold: findings are in order and within the text; a request leaves as JSON again; and what comes back
 * through the restorer, in pieces of any size, is the text as it was. The first byte is the size of a piece. */
#include "policy/detect.h"
#include "policy/redact.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of its own, so that a look over the edge is seen. */
static void find_all(const uint8_t *data, size_t n)
{
    char *p = malloc(n ? n : 1);
    struct found f;
    size_t before = 0;
    if (!p)
        abort();
    memcpy(p, data, n);
    for (size_t at = 0; detect_next(str_make(p, n), &at, &f); before = at)
        if (f.at < before || f.n == 0 || f.at + f.n != at || at > n || !finding_name(f.what)[0])
            abort();
    free(p);
}

static void come_back(const struct redaction *r, struct str sent, size_t piece, struct buf *out)
{
    struct restorer s;
    size_t room = SIZE_MAX;
    restorer_init(&s, r, false, &room);
    for (size_t at = 0; at < sent.n; at += piece)
        restorer_feed(&s, str_make(sent.p + at, sent.n - at < piece ? sent.n - at : piece), out);
    restorer_end(&s, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf request = { 0 }, sent = { 0 }, back = { 0 };
    struct json_doc before, after;
    struct err e;
    if (size < 1)
        return 0;
    find_all(data + 1, size - 1);
    struct json_out o = json_out(&request);
    json_begin_object(&o);
    json_key(&o, STR("prompt"));
    json_string(&o, str_make((const char *)data + 1, size - 1));
    json_end_object(&o);
    struct redaction *r = redaction_new();
    if (json_parse(&before, buf_str(&request), &e))
        abort();
    redact_request(r, &before, &sent);
    if (json_parse(&after, buf_str(&sent), &e) || (redact_findings(&before) != 0) != (redaction_count(r) != 0))
        abort();
    come_back(r, json_str(yyjson_obj_get(after.root, "prompt")), (size_t)data[0] % 16 + 1, &back);
    if (!str_eq(buf_str(&back), json_str(yyjson_obj_get(before.root, "prompt"))))
        abort();
    json_free(&before);
    json_free(&after);
    redaction_free(r);
    buf_free(&request);
    buf_free(&sent);
    buf_free(&back);
    return 0;
}
