/* What this machine has used of energy, where it tells. Several sources may tell at once (processor and GPUs); what two of them would both count is read from one. Each tells of a part
 * of the machine: what the rest of it takes (fans, disks, a power supply's loss) nobody knows.
 *
 * One thread. Files and libraries are read where they are named: for commands, not for the gateway. */
#ifndef HOB_PROC_ENERGY_H
#define HOB_PROC_ENERGY_H

#include "base/str.h"

struct energy;

struct energy_opts {
    double watts;               /* > 0: somebody says so, and nothing is looked for */
    const char *root;           /* NULL: the real machine; tests have a folder that looks like /sys there */
    const char *nvml;           /* NULL: the usual library; "" = none */
    const char *powermetrics;   /* NULL: the system's, where this is root; "" = none */
};

/* Never NULL. */
struct energy *energy_open(const struct energy_opts *o, int64_t now_ns);
void energy_close(struct energy *e); /* NULL is fine */

/* "rapl", "nvml", "rapl+nvml", "powermetrics", "configured"; empty = nothing tells. Lives as long as e. */
struct str energy_source(const struct energy *e);
/* Why nothing tells, or a source that is there does not; empty when there is nothing to be said. */
struct str energy_why(const struct energy *e);

/* Joules since it was opened; NaN when nothing tells. To be called ten times a second: some sources tell how much they take at the moment, which is added up, and the
 * processor's counter begins anew after a few minutes at full power. now_ns: monotonic, never less than before. */
double energy_read(struct energy *e, int64_t now_ns);

#endif
