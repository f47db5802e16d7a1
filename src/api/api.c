/* The api as a whole: what its exchanges share, and how it ends. */
#include "api/api_int.h"
#include "api/exchange_int.h"
#include "api/shadow.h"

#include <stdlib.h>

static void drained(void *ctx)
{
    struct api *a = ctx;
    if (a->on_drained && !a->running)
        a->on_drained(a->drained_ctx);
}

struct api *api_new(struct loop *l, struct fleet *f, struct meter *m)
{
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for the api");
    a->loop = l;
    a->fleet = f;
    a->meter = m;
    list_init(&a->exchanges);
    list_init(&a->spare);
    later_init(&a->drained, drained, a);
    a->metrics = metrics_new(a);
    a->attempts = attempts_new();
    turned_init(&a->turned, l);
    door_set(&a->door, api_config(a), true);
    return a;
}

void api_end(struct api *a)
{
    api_shadow(a, NULL, 0);
    turned_end(&a->turned);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    while (!list_empty(&a->spare)) {
        struct exchange *x = list_entry(a->spare.next, struct exchange, node);
        list_remove(&x->node);
        exchange_free_spare(x);
    }
    later_cancel(&a->drained);
    json_scratch_free(&a->scratch);
    buf_free(&a->passing);
    metrics_free(a->metrics);
    schema_cache_free(a->schemas);
    classifier_free(a->classifier);
    places_free(&a->places);
    keys_free(a->keys);
    attempts_free(a->attempts);
    free(a);
}

void api_on_row(struct api *a, void (*fn)(void *ctx, const struct request_row *r, int64_t at), void *ctx)
{
    a->on_row = fn;
    a->on_row_ctx = ctx;
}

void api_use_store(struct api *a, struct store *s)
{
    a->store = s;
}

void api_use_server(struct api *a, const struct http_server *s)
{
    a->server = s;
}

void api_use_keys(struct api *a, struct keys *k)
{
    keys_free(a->keys);
    a->keys = k;
    door_set(&a->door, api_config(a), !k || keys_open(k));
}

void api_use_admin(struct api *a, const struct http_handler *h, void *ctx)
{
    a->admin = h;
    a->admin_ctx = ctx;
}

void api_load(const struct api *a, struct api_load *out)
{
    *out = (struct api_load){ .running = a->running - a->nshadows, .most_running = a->most_running };
    if (a->overload)
        overload_figures(a->overload, &out->memory);
    if (a->server)
        http_server_figures(a->server, &out->connections);
}

size_t api_running(const struct api *a)
{
    return a->running;
}

bool api_is_reading(const struct api *a)
{
    for (const struct list *n = a->exchanges.next; n != &a->exchanges; n = n->next)
        if (list_entry(n, struct exchange, node)->reading.work.running)
            return true;
    return false;
}

bool api_has_stuck(const struct api *a, struct str *model)
{
    for (const struct list *n = a->exchanges.next; n != &a->exchanges; n = n->next) {
        const struct exchange *x = list_entry(n, struct exchange, node);
        const struct attempt *t = x->lead;
        if (x->state != X_TRYING || !x->committed || t->state != TRY_WAITING || t->b->state == BACKEND_HOT || t->b->state == BACKEND_LOADING)
            continue;
        *model = t->b->name;
        return true;
    }
    return false;
}

void api_drain(struct api *a, void (*done)(void *ctx), void *ctx)
{
    a->draining = true;
    api_shadow(a, NULL, 0);
    a->on_drained = done;
    a->drained_ctx = ctx;
    if (!a->running)
        loop_later(a->loop, &a->drained);
}
