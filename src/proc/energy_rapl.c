/* RAPL by the kernel's powercap folder: a counter of microjoules for each package of a processor (AMD's have the same names), and for memory where it has one. A counter runs up to
 * max_energy_range_uj and begins anew. `psys` and `core` are left out: they hold, or are, a part of a package. Since 2020 only root may read them (they tell too much of what others
 * compute), unless somebody has opened them. */
#include "proc/energy_int.h"

#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_ZONES = 32 };

struct zone {
    char path[560];             /* of its counter */
    int64_t last_uj, range_uj;
};

struct rapl {
    struct zone zones[MAX_ZONES];
    size_t n;
    double joules;
};

static bool read_text(const char *path, char *out, size_t room, int *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, room - 1);
    *why = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    out[n] = 0;
    return true;
}

static bool read_number(const char *path, int64_t *out, int *why)
{
    char text[64];
    return read_text(path, text, sizeof text, why) && str_to_int(str_trim(str_of(text)), 0, INT64_MAX, out);
}

static bool is_wanted(const char *folder, const char *zone)
{
    char path[560], name[64];
    int why;
    snprintf(path, sizeof path, "%s/%s/name", folder, zone);
    if (strncmp(zone, "intel-rapl:", 11) != 0 || !read_text(path, name, sizeof name, &why))
        return false;
    struct str s = str_trim(str_of(name));
    return str_starts(s, STR("package")) || str_eq(s, STR("dram"));
}

/* False: it is there, and may not be read. */
static bool add_zone(struct rapl *r, const char *folder, const char *name, int *why)
{
    struct zone *z = &r->zones[r->n];
    char range[560];
    snprintf(range, sizeof range, "%s/%s/max_energy_range_uj", folder, name);
    int written = snprintf(z->path, sizeof z->path, "%s/%s/energy_uj", folder, name);
    if (written < 0 || (size_t)written >= sizeof z->path || !read_number(z->path, &z->last_uj, why))
        return false;
    int ignored;
    if (!read_number(range, &z->range_uj, &ignored))
        z->range_uj = 0;
    r->n++;
    return true;
}

static void *rapl_open(const struct energy_opts *o, int64_t now_ns, char why[ENERGY_WHY])
{
    struct rapl *r = calloc(1, sizeof *r);
    char folder[200];
    int number = 0, refused = 0;
    (void)now_ns;
    if (!r)
        die("out of memory for energy");
    snprintf(folder, sizeof folder, "%s/sys/class/powercap", o->root ? o->root : "");
    DIR *d = opendir(folder);
    for (struct dirent *f; d && r->n < MAX_ZONES && (f = readdir(d));)
        if (is_wanted(folder, f->d_name) && !add_zone(r, folder, f->d_name, &number))
            refused = number ? number : EIO;
    if (d)
        closedir(d);
    if (r->n && !refused)
        return r;
    if (refused) /* a part of a processor's energy would look like all of it */
        snprintf(why, ENERGY_WHY, "the processor's counters (%.100s/intel-rapl:*/energy_uj) cannot be read: %.60s", folder, strerror(refused));
    free(r);
    return NULL;
}

static double rapl_read(void *self, int64_t now_ns)
{
    struct rapl *r = self;
    (void)now_ns;
    for (size_t i = 0; i < r->n; i++) {
        struct zone *z = &r->zones[i];
        int64_t now;
        int why;
        if (!read_number(z->path, &now, &why))
            continue;
        int64_t used = now - z->last_uj;
        r->joules += (double)(used < 0 ? used + z->range_uj : used) / 1e6;
        z->last_uj = now;
    }
    return r->joules;
}

const struct energy_kind energy_rapl = { "rapl", rapl_open, rapl_read, free };
