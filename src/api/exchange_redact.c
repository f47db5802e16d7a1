/* The request as a candidate may see it: with placeholders for personal data, without the line that is Anthropic's alone, or both. Made when the
 * first such candidate is asked, kept for those behind it; the caller's own words stay what they are. */
#include "api/exchange_int.h"
#include "policy/billing.h"

/* False: as it came. */
static bool wants_guise(const struct attempt *t, struct json_edit *cut, bool *redact, bool *strip)
{
    const struct conf_host *host = t->b->place;
    *redact = t->x->decision.chain[t->at].redact;
    *strip = t->x->ask.task == TASK_CHAT && !(host && host->kind == HOST_ANTHROPIC) && billing_header(&t->x->doc, cut);
    return *redact || *strip;
}

/* Of long texts only the beginning is decoded, as of the caller's own (api/ask.c). */
static enum err_code read_again(const struct exchange *x, struct str text, struct json_doc *d, struct err *e)
{
    return x->ask.task == TASK_CHAT ? json_parse_cut(d, text, STR("messages"), e) : json_parse(d, text, e);
}

static enum err_code redact(struct exchange *x, struct guise *g, struct err *e)
{
    struct buf text = { 0 };
    g->values = redaction_new();
    redact_request(g->values, &g->doc, &text);
    json_free(&g->doc);
    buf_free(&g->text);
    g->text = text;
    return read_again(x, buf_str(&g->text), &g->doc, e);
}

static enum err_code make(struct exchange *x, struct guise *g, const struct json_edit *cut, bool with_values, struct err *e)
{
    json_splice(&g->text, x->doc.text, cut, cut->cut ? 1 : 0);
    enum err_code rc = read_again(x, buf_str(&g->text), &g->doc, e);
    return rc || !with_values ? rc : redact(x, g, e);
}

enum err_code attempt_dress(struct attempt *t, struct err *e)
{
    struct json_edit cut = { 0 };
    bool with_values, strip;
    t->guise = NULL;
    if (!wants_guise(t, &cut, &with_values, &strip))
        return ERR_OK;
    struct guise *g = &t->x->guises[with_values + 2 * strip];
    enum err_code rc = g->doc.root ? ERR_OK : make(t->x, g, &cut, with_values, e);
    if (!rc)
        t->guise = g;
    return rc;
}

const struct json_doc *attempt_doc(const struct attempt *t)
{
    return t->guise ? &t->guise->doc : &t->x->doc;
}

const struct redaction *attempt_values(const struct attempt *t)
{
    const struct redaction *r = t->guise ? t->guise->values : NULL;
    return r && redaction_count(r) ? r : NULL;
}

void exchange_mend_whole(struct attempt *t)
{
    struct buf mended = { 0 };
    const struct redaction *r = attempt_values(t);
    if (!r)
        return;
    mend_whole(r, buf_str(&t->in), &mended);
    buf_free(&t->in);
    t->in = mended;
}

void exchange_undress(struct exchange *x)
{
    for (size_t i = 0; i < COUNTOF(x->guises); i++) {
        struct guise *g = &x->guises[i];
        json_free(&g->doc);
        buf_free(&g->text);
        redaction_free(g->values);
        *g = (struct guise){ .values = NULL };
    }
}
