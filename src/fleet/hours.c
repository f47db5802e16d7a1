/* How long each model that we load is in memory, and with how much: added to the store by model and hour when it goes, and every FLUSH_MS while it stays, so that a crash
 * loses no more than that. It counts from where it answers to where its process has ended; what loads or stands by does not. */
#include "fleet/fleet_int.h"

#include "base/clock.h"
#include "store/model_hours.h"

enum { FLUSH_MS = 5 * 60 * 1000, HOUR_MS = 60 * 60 * 1000, MOST_AT_ONCE = 64 };

static int64_t bytes_of(const struct fleet_place *p)
{
    return p->measured_bytes >= 0 ? p->measured_bytes : p->m.booked_bytes;
}

/* What was not counted yet, until now. */
static size_t take(struct fleet_place *p, struct model_hour *out, size_t room)
{
    int64_t now = fleet_now(p->fleet);
    if (p->hot_since_ms < 0)
        return 0;
    size_t n = model_hours_split(p->b->name, clock_wall_ms(), now - p->hot_since_ms, bytes_of(p), out, room);
    p->hot_since_ms = now;
    return n;
}

void hours_hot(struct fleet_place *p, int64_t load_ms)
{
    struct fleet *f = p->fleet;
    p->hot_since_ms = fleet_now(f);
    if (!f->store)
        return;
    if (!timer_is_set(&f->hours))
        timer_set(&f->hours, FLUSH_MS);
    if (load_ms >= 0) {
        const struct model_hour row = { .model = p->b->name, .hour_s = clock_wall_ms() / HOUR_MS * (HOUR_MS / 1000), .loads = 1, .load_ms = load_ms };
        model_hours_add(f->store, &row, 1);
    }
}

void hours_ended(struct fleet_place *p)
{
    struct model_hour rows[MOST_AT_ONCE];
    size_t n = take(p, rows, MOST_AT_ONCE);
    p->hot_since_ms = -1;
    if (n && p->fleet->store)
        model_hours_add(p->fleet->store, rows, n);
}

void hours_flush(struct fleet *f)
{
    struct model_hour rows[MOST_AT_ONCE];
    size_t n = 0;
    bool any = false;
    for (struct list *i = f->places.next; f->store && i != &f->places; i = i->next) {
        struct fleet_place *p = list_entry(i, struct fleet_place, node);
        if (n > MOST_AT_ONCE / 2) {
            model_hours_add(f->store, rows, n);
            n = 0;
        }
        any |= p->hot_since_ms >= 0;
        n += take(p, rows + n, MOST_AT_ONCE - n);
    }
    if (n)
        model_hours_add(f->store, rows, n);
    if (any && !f->stopping)
        timer_set(&f->hours, FLUSH_MS);
}

static void due(void *ctx)
{
    struct fleet *f = ctx;
    if (!f->frozen) /* else they are another's to count */
        hours_flush(f);
    else
        timer_set(&f->hours, FLUSH_MS);
}

void hours_begin(struct fleet *f)
{
    timer_init(&f->hours, f->loop, due, f);
}

void hours_end(struct fleet *f)
{
    timer_cancel(&f->hours);
}
