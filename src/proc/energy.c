/* The table of sources, and what they come to together. */
#include "proc/energy_int.h"

#include "base/err.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What one of them counts no other does: RAPL is the processor, NVML the cards; powermetrics is all of a Mac's chip, where neither of the others is. */
static const struct energy_kind *const kinds[] = { &energy_rapl, &energy_nvml, &energy_powermetrics };

struct energy {
    struct {
        const struct energy_kind *kind;
        void *self;
    } at[COUNTOF(kinds)];
    size_t n;
    char source[64], why[2 * ENERGY_WHY];
};

static void take(struct energy *e, const struct energy_kind *k, const struct energy_opts *o, int64_t now_ns)
{
    char why[ENERGY_WHY] = "";
    void *self = k->open(o, now_ns, why);
    size_t n = strlen(e->source), w = strlen(e->why);
    if (why[0])
        snprintf(e->why + w, sizeof e->why - w, "%s%s", w ? "; " : "", why);
    if (!self)
        return;
    e->at[e->n].kind = k;
    e->at[e->n++].self = self;
    snprintf(e->source + n, sizeof e->source - n, "%s%s", n ? "+" : "", k->name);
}

struct energy *energy_open(const struct energy_opts *o, int64_t now_ns)
{
    struct energy *e = calloc(1, sizeof *e);
    if (!e)
        die("out of memory for energy");
    if (o->watts > 0)
        take(e, &energy_configured, o, now_ns);
    for (size_t i = 0; i < COUNTOF(kinds) && !(o->watts > 0); i++)
        take(e, kinds[i], o, now_ns);
    return e;
}

void energy_close(struct energy *e)
{
    for (size_t i = 0; e && i < e->n; i++)
        e->at[i].kind->close(e->at[i].self);
    free(e);
}

struct str energy_source(const struct energy *e)
{
    return str_of(e->source);
}

struct str energy_why(const struct energy *e)
{
    if (!e->n && !e->why[0])
        return STR("no counter of this machine tells it");
    return str_of(e->why);
}

double energy_read(struct energy *e, int64_t now_ns)
{
    double joules = e->n ? 0 : NAN;
    for (size_t i = 0; i < e->n; i++)
        joules += e->at[i].kind->read(e->at[i].self, now_ns);
    return joules;
}

/* ---- as somebody says ---- */

struct configured {
    double watts;
    int64_t since_ns;
};

static void *configured_open(const struct energy_opts *o, int64_t now_ns, char why[ENERGY_WHY])
{
    struct configured *c = calloc(1, sizeof *c);
    (void)why;
    if (!c)
        die("out of memory for energy");
    *c = (struct configured){ o->watts, now_ns };
    return c;
}

static double configured_read(void *self, int64_t now_ns)
{
    const struct configured *c = self;
    return c->watts * (double)(now_ns - c->since_ns) / 1e9;
}

const struct energy_kind energy_configured = { "configured", configured_open, configured_read, free };
