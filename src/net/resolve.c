/* Lookups in flight, by name. One that nobody waits for any more is left to end by itself: it cannot be called back, and who asks for the same name again
 * joins it instead of starting another thread. So there are never more threads than names. */
#include "net/resolve.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct lookup {
    struct list node;
    struct loop *loop;
    struct list waiting; /* struct resolving */
    struct later failed; /* no thread could be had */
    char host[256];
};

/* What its thread has. */
struct question {
    char host[256];
    struct addrinfo *found;
    int rc, sys;
};

static struct list lookups;

void addresses_release(struct addresses *a)
{
    if (!a || --a->users)
        return;
    freeaddrinfo((struct addrinfo *)(uintptr_t)a->first);
    free(a);
}

static void ask(void *data)
{
    struct question *q = data;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    die_if_aborted("a name cannot be looked up without memory"); /* glibc asserts that it has read nsswitch.conf */
    q->rc = getaddrinfo(q->host, NULL, &hints, &q->found);
    q->sys = errno;
    die_if_aborted(NULL);
}

static void question_free(void *data)
{
    struct question *q = data;
    if (q->found)
        freeaddrinfo(q->found);
    free(q);
}

static void tell_all(struct lookup *k, struct addresses *found, const char *why)
{
    list_remove(&k->node); /* who asks from now on asks anew */
    while (!list_empty(&k->waiting)) {
        struct resolving *r = list_entry(k->waiting.next, struct resolving, node);
        list_remove(&r->node);
        if (found)
            found->users++;
        r->done(r->ctx, found, why);
    }
    free(k);
}

static void on_answered(void *ctx, void *data)
{
    struct lookup *k = ctx;
    struct question *q = data;
    struct addresses *found = NULL;
    const char *why = "given up";
    if (q && q->rc == 0) {
        found = calloc(1, sizeof *found);
        if (!found)
            die("out of memory for addresses");
        *found = (struct addresses){ .first = q->found, .users = 1 };
        q->found = NULL;
    } else if (q) {
        why = q->rc == EAI_SYSTEM ? strerror(q->sys) : gai_strerror(q->rc);
    }
    tell_all(k, found, why);
    addresses_release(found);
    if (q)
        question_free(q);
}

static void on_no_thread(void *ctx)
{
    tell_all(ctx, NULL, "no thread to ask in");
}

static struct lookup *lookup_of(struct loop *l, const char *host)
{
    if (!lookups.next)
        list_init(&lookups);
    for (struct list *at = lookups.next; at != &lookups; at = at->next) {
        struct lookup *k = list_entry(at, struct lookup, node);
        if (k->loop == l && !strcmp(k->host, host))
            return k;
    }
    return NULL;
}

static struct lookup *lookup_start(struct loop *l, const char *host)
{
    struct lookup *k = calloc(1, sizeof *k);
    struct question *q = calloc(1, sizeof *q);
    if (!k || !q)
        die("out of memory for a lookup");
    k->loop = l;
    snprintf(k->host, sizeof k->host, "%s", host);
    snprintf(q->host, sizeof q->host, "%s", host);
    list_init(&k->waiting);
    later_init(&k->failed, on_no_thread, k);
    list_push(&lookups, &k->node);
    if (loop_aside(l, ask, on_answered, question_free, q, k)) {
        question_free(q);
        loop_later(l, &k->failed);
    }
    return k;
}

void resolve_start(struct loop *l, struct resolving *r, const char *host, void (*done)(void *ctx, struct addresses *found, const char *why), void *ctx)
{
    struct lookup *k = lookup_of(l, host);
    if (!k)
        k = lookup_start(l, host);
    *r = (struct resolving){ .done = done, .ctx = ctx };
    list_init(&r->node);
    list_push(&k->waiting, &r->node);
}

void resolve_cancel(struct resolving *r)
{
    if (r->node.next)
        list_remove(&r->node);
}
