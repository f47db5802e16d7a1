/* The request as a candidate may see it. First in other words, where a policy or its role asks for that (policy/reword.h): made for the try, anew each time
 * it is sent, since a plan may have changed meanwhile. Then with placeholders for personal data, without the line that is Anthropic's alone, or both: of the
 * caller's own words that is made when the first such candidate is asked and kept for those behind it, of a try's words it is the try's. The caller's own
 * words stay what they are. */
#include "api/exchange_int.h"
#include "policy/billing.h"

void guise_clear(struct guise *g)
{
    json_free(&g->doc);
    buf_free(&g->text);
    redaction_free(g->values);
    *g = (struct guise){ .values = NULL };
}

/* False: as it came. */
static bool wants_guise(const struct attempt *t, const struct json_doc *d, struct json_edit *cut, bool *redact, bool *strip)
{
    const struct conf_host *host = t->b->place;
    *redact = t->x->decision.chain[t->at].redact;
    *strip = t->x->ask.task == TASK_CHAT && !(host && host->kind == HOST_ANTHROPIC) && billing_header(d, cut);
    return *redact || *strip;
}

/* Of long texts only the beginning is decoded, as of the caller's own (api/ask.c). */
static enum err_code read_again(enum task task, struct guise *g, struct err *e)
{
    return task == TASK_CHAT ? json_parse_cut(&g->doc, buf_str(&g->text), STR("messages"), e) : json_parse(&g->doc, buf_str(&g->text), e);
}

static enum err_code redact(enum task task, struct guise *g, struct err *e)
{
    struct buf text = { 0 };
    g->values = redaction_new();
    redact_request(g->values, &g->doc, &text);
    json_free(&g->doc);
    buf_free(&g->text);
    g->text = text;
    return read_again(task, g, e);
}

enum err_code guise_make(enum task task, const struct json_doc *from, struct guise *g, const struct json_edit *cut, bool with_values, struct err *e)
{
    json_splice(&g->text, from->text, cut, cut->cut ? 1 : 0);
    enum err_code rc = read_again(task, g, e);
    return rc || !with_values ? rc : redact(task, g, e);
}

static enum err_code reword(struct attempt *t, struct err *e)
{
    struct exchange *x = t->x;
    attempt_undress(t);
    if (!reword_changes(&x->doc, &t->plan))
        return ERR_OK;
    reword_request(&x->doc, &t->plan, &t->reworded.text);
    return read_again(x->ask.task, &t->reworded, e);
}

enum err_code attempt_dress(struct attempt *t, struct err *e)
{
    struct json_edit cut = { 0 };
    bool with_values, strip;
    enum err_code rc = reword(t, e);
    if (rc)
        return rc;
    const struct json_doc *from = attempt_words(t);
    bool own = from != &t->x->doc;
    t->guise = own ? &t->reworded : NULL;
    if (!wants_guise(t, from, &cut, &with_values, &strip))
        return ERR_OK;
    struct guise *g = own ? &t->own : &t->x->guises[with_values + 2 * strip];
    rc = g->doc.root ? ERR_OK : guise_make(t->x->ask.task, from, g, &cut, with_values, e);
    if (!rc)
        t->guise = g;
    return rc;
}

void attempt_undress(struct attempt *t)
{
    t->guise = NULL;
    guise_clear(&t->reworded);
    guise_clear(&t->own);
}

const struct json_doc *attempt_words(const struct attempt *t)
{
    return t->reworded.doc.root ? &t->reworded.doc : &t->x->doc;
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
    attempt_undress(&x->first);
    if (x->second)
        attempt_undress(x->second);
    for (size_t i = 0; i < COUNTOF(x->guises); i++)
        guise_clear(&x->guises[i]);
}
