/* Sources of energy: a row each (energy.c), a file each. */
#ifndef HOB_PROC_ENERGY_INT_H
#define HOB_PROC_ENERGY_INT_H

#include "proc/energy.h"

#include <stdbool.h>
#include <stddef.h>

enum { ENERGY_WHY = 240 };

struct energy_kind {
    const char *name;
    /* NULL: it does not tell here; why says why, where that is worth a word. */
    void *(*open)(const struct energy_opts *o, int64_t now_ns, char why[ENERGY_WHY]);
    double (*read)(void *self, int64_t now_ns); /* joules since open */
    void (*close)(void *self);
};
extern const struct energy_kind energy_rapl, energy_nvml, energy_powermetrics, energy_configured;

/* Power at moments, added up: between two of them it is taken to lie on the line that joins them. */
struct energy_sum {
    double joules, watts;
    int64_t at_ns;              /* 0 = nothing yet */
};
static inline void energy_add(struct energy_sum *s, double watts, int64_t now_ns)
{
    if (s->at_ns)
        s->joules += (s->watts + watts) / 2 * (double)(now_ns - s->at_ns) / 1e9;
    s->watts = watts;
    s->at_ns = now_ns;
}

/* A line of powermetrics: the milliseconds that what follows is about into *elapsed_ms, or what was taken in that time. -1: another line. */
double powermetrics_line(struct str line, double *elapsed_ms);

#endif
