/* Answers of the web, by a module that plays them: each hop is a line with the status, lines with fields, an empty line. The first byte says who is asked:
 * a host outside, or this machine. Oracles: nobody is asked but by https, or http here; from outside nobody here; the token goes to the first origin
 * only; it ends. */
#include "http/web.h"
#include "http/web_module.h"
#include "http/web_url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str input;        /* what is left of it */
static struct web_url first;
static bool left_first;         /* another origin was asked */
static bool was_outside;        /* the last one asked was not this machine */
static int hops;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void must_be_allowed(const struct web_hop *h)
{
    struct web_url u;
    struct err e;
    must(web_url_parse(str_of(h->url), &u, &e) == ERR_OK);
    must(u.tls || u.loopback);
    must(!(was_outside && u.loopback));
    must(h->direct == u.loopback);
    left_first = left_first || !web_url_same_origin(&u, &first);
    must(!h->authorization == left_first);
    was_outside = !u.loopback;
    must(++hops <= WEB_MAX_REDIRECTS + 1);
}

static enum err_code play(const struct web_hop *h, struct err *e)
{
    int64_t status;
    must_be_allowed(h);
    if (!str_to_int(str_cut(input, '\n', &input), 200, 599, &status))
        return err_set(e, ERR_UP_RESET, "played");
    bool on = h->on_status(h->ctx, (int)status);
    while (on && input.n) {
        struct str value, line = str_cut(input, '\n', &input);
        if (!line.n)
            break;
        struct str name = str_cut(line, ':', &value);
        on = h->on_field(h->ctx, name, str_trim(value));
    }
    on = on && h->on_fields_end(h->ctx) && h->on_body(h->ctx, STR("body"));
    return on ? ERR_OK : err_set(e, ERR_CALLER_GONE, "stopped");
}

static bool on_head(void *ctx, const struct web_head *head)
{
    must(head->status == 200 || head->status == 206);
    must(head->from == (head->ranged ? 5 : 0) && head->whole_bytes >= -1);
    for (size_t i = 0; i < head->etag.n; i++)
        must(head->etag.p[i] >= ' ' && head->etag.p[i] < 0x7F);
    return true;
}

static bool on_bytes(void *ctx, struct str bytes)
{
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct web_module module = { .abi = WEB_MODULE_ABI, .release = HOB_VERSION, .get = play };
    struct web_answer answer;
    struct err e = { 0 };
    if (!size)
        return 0;
    struct web_get g = { .url = data[0] & 1 ? STR("https://hub.test/a/b") : STR("http://127.0.0.1:1/a/b"), .bearer = { STR("token") },
        .from = data[0] & 2 ? 5 : 0, .on_head = on_head, .on_bytes = on_bytes };
    input = str_make((const char *)data + 1, size - 1);
    left_first = was_outside = false;
    hops = 0;
    must(web_url_parse(g.url, &first, &e) == ERR_OK);
    web_module_use(&module);
    enum err_code rc = web_fetch(&g, &answer, &e);
    must(!rc || e.text[0]);
    buf_free(&answer.body);
    return 0;
}
