/* The books of a request: closed before its last bytes leave. */
#include "api/exchange_int.h"
#include "base/clock.h"

void exchange_settle(struct exchange *x, const struct err *e)
{
    int64_t now = clock_mono_ns();
    const struct attempt *t = x->lead;
    const struct answer_facts *f = attempt_facts(t);
    struct request_figures figures = {
        .endpoint = str_of(exchange_errands[x->ask.task].name),
        .model = t->b ? t->b->name : STR(""),
        .host = t->b ? t->b->host : STR(""),
        .code = str_of(err_row(e ? e->code : ERR_OK)->code),
        .seconds = (double)(now - x->started_ns) / 1e9,
        .ttft_seconds = t->first_ns ? (double)(t->first_ns - x->started_ns) / 1e9 : -1,
        .input_tokens = f->tokens.input,
        .output_tokens = f->tokens.output,
    };
    metrics_request(x->api->metrics, &figures);
    if (!e && x->ntried)
        metrics_fallback(x->api->metrics, x->tried[0].model, t->b->name);
    log_debug("%s %.*s -> %.*s on %.*s: %s, %.1f ms%s%s", x->id, STR_ARG(x->ask.name), STR_ARG(figures.model), STR_ARG(figures.host),
        e ? err_row(e->code)->code : "ok", (double)(now - x->started_ns) / 1e6, e ? ": " : "", e ? e->text : "");
}

/* The lead's answer is ready: the books are closed, then the caller gets it. */
void exchange_deliver(struct exchange *x)
{
    struct attempt *t = x->lead;
    exchange_enter(x, X_SETTLED);
    exchange_settle(x, NULL);
    lease_outcome(&t->lease, NULL, attempt_facts(t)->tokens.input);
    if (t->way == WAY_RELAY) {
        exchange_send_out(x);
        http_reply_end(x->req);
        x->req = NULL;
    } else {
        exchange_answer_whole(x);
    }
    exchange_finish(x);
}
