/* Linux: /proc and /sys. RAM is what the machine has or what a control group allows, whichever is less; what a group has in use but could drop (its
 * file pages) counts as free, as it does in MemAvailable. */
#include "proc/machine_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_ROOM = 1024, TEXT_ROOM = 16 * 1024 };

/* ---- files of the kernel ---- */

static struct str read_text(const char *path, char text[TEXT_ROOM])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    for (ssize_t got = 1; fd >= 0 && got > 0 && n < TEXT_ROOM;) {
        got = read(fd, text + n, TEXT_ROOM - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    return str_make(text, n);
}

/* A file with one number in it; -1: there is none ("max" is none). */
static int64_t read_number(const char *path)
{
    char text[TEXT_ROOM];
    int64_t n;
    return str_to_int(str_trim(read_text(path, text)), 0, INT64_MAX, &n) ? n : -1;
}

/* The first word behind `name` in the line that begins with it. */
static struct str find_word(struct str text, struct str name)
{
    while (text.p) {
        struct str rest, line = str_cut(text, '\n', &text);
        if (str_starts(line, name))
            return str_cut(str_trim(str_from(line, name.n)), ' ', &rest);
    }
    return (struct str){ NULL, 0 };
}

static int64_t find_number(struct str text, struct str name, int64_t unit)
{
    int64_t n;
    return str_to_int(find_word(text, name), 0, INT64_MAX / unit, &n) ? n * unit : -1;
}

/* ---- control groups ---- */

struct group_files {
    const char *folder, *limit, *used, *files_a, *files_b; /* files: in memory.stat, what of it are pages of files */
};
static const struct group_files group_2 = { "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ", "active_file " };
static const struct group_files group_1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ",
    "total_active_file " };

static int64_t number_in(const char *root, const struct group_files *g, struct str path, const char *file)
{
    char full[PATH_ROOM];
    snprintf(full, sizeof full, "%s%s%.*s/%s", root, g->folder, STR_ARG(path), file);
    return read_number(full);
}

static int64_t droppable(const char *root, const struct group_files *g, struct str path)
{
    char full[PATH_ROOM], text[TEXT_ROOM];
    snprintf(full, sizeof full, "%s%s%.*s/memory.stat", root, g->folder, STR_ARG(path));
    struct str stat = read_text(full, text);
    int64_t a = find_number(stat, str_of(g->files_a), 1), b = find_number(stat, str_of(g->files_b), 1);
    return (a > 0 ? a : 0) + (b > 0 ? b : 0);
}

static void heed_group(const char *root, const struct group_files *g, struct str path, struct machine *m)
{
    int64_t limit = number_in(root, g, path, g->limit), used = number_in(root, g, path, g->used);
    if (limit < 0 || limit > m->ram_total) /* without one the first version says a number near the largest */
        return;
    m->ram_total = limit;
    int64_t left = used < 0 ? limit : limit - used + droppable(root, g, path);
    left = left < 0 ? 0 : left < limit ? left : limit;
    m->ram_available = left < m->ram_available ? left : m->ram_available;
}

/* "0::/user.slice/x" or "4:cpu,memory:/docker/x": ours in a line of /proc/self/cgroup; p NULL: the line is of another. */
static struct str group_path(struct str line, const struct group_files **g)
{
    struct str kinds, path;
    struct str number = str_cut(line, ':', &kinds);
    kinds = str_cut(kinds, ':', &path);
    *g = kinds.n ? &group_1 : &group_2;
    bool memory = str_eq(kinds, STR("memory")) || str_ends(kinds, STR(",memory")) || str_find(kinds, STR("memory,")) >= 0;
    return number.n && path.n && (memory || !kinds.n) ? path : (struct str){ NULL, 0 };
}

/* It and all above it: each may have a limit. In a container of its own the paths are those outside, and the limits lie at the top. */
static void heed_groups(const char *root, struct machine *m)
{
    char full[PATH_ROOM], text[TEXT_ROOM];
    snprintf(full, sizeof full, "%s/proc/self/cgroup", root);
    for (struct str rest = read_text(full, text); rest.p;) {
        const struct group_files *g;
        struct str path = group_path(str_cut(rest, '\n', &rest), &g);
        if (!path.p)
            continue;
        while (path.n > 1) {
            heed_group(root, g, path, m);
            while (path.n && path.p[--path.n] != '/')
                continue;
        }
        heed_group(root, g, STR(""), m);
    }
}

/* ---- AMD ---- */

static int64_t number_of(const char *card, const char *file)
{
    char full[PATH_ROOM];
    snprintf(full, sizeof full, "%.900s/device/%.64s", card, file);
    return read_number(full);
}

/* The driver has the counters of the bus for cards alone. Where there are none, more memory of its own than of RAM tells a card. */
static bool is_card(const char *card, int64_t vram, int64_t gtt)
{
    static const char *const of_cards[] = { "pcie_bw", "mem_busy_percent" };
    char full[PATH_ROOM];
    for (size_t i = 0; i < COUNTOF(of_cards); i++) {
        snprintf(full, sizeof full, "%.900s/device/%.64s", card, of_cards[i]);
        if (access(full, F_OK) == 0)
            return true;
    }
    return gtt <= 0 || vram >= gtt;
}

static int64_t at_least_0(int64_t n)
{
    return n > 0 ? n : 0;
}

static int64_t less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* An APU has a part of RAM carved out, which the kernel does not count as RAM, and may use more of what is RAM (GTT). */
static void add_amd(const char *card, struct machine *m)
{
    char full[PATH_ROOM], text[TEXT_ROOM];
    int64_t vram = number_of(card, "mem_info_vram_total"), gtt = number_of(card, "mem_info_gtt_total");
    if (vram < 0 || m->ngpus == MACHINE_MAX_GPUS)
        return;
    struct machine_gpu *g = &m->gpu[m->ngpus++];
    int64_t free_vram = at_least_0(vram - at_least_0(number_of(card, "mem_info_vram_used")));
    int64_t free_gtt = at_least_0(gtt - at_least_0(number_of(card, "mem_info_gtt_used")));
    *g = (struct machine_gpu){ .total_bytes = vram, .free_bytes = free_vram, .unified = !is_card(card, vram, gtt) };
    if (g->unified) {
        g->total_bytes += less(at_least_0(gtt), m->ram_total);
        g->free_bytes += less(free_gtt, m->ram_available);
    }
    snprintf(full, sizeof full, "%.900s/device/product_name", card);
    struct str name = str_trim(read_text(full, text));
    snprintf(g->name, sizeof g->name, "%.*s", STR_ARG(name.n ? name : g->unified ? STR("AMD APU") : STR("AMD GPU")));
}

static void look_for_amd(const char *root, struct machine *m)
{
    char folder[PATH_ROOM], card[PATH_ROOM];
    snprintf(folder, sizeof folder, "%s/sys/class/drm", root);
    for (int i = 0; i < 64; i++) { /* "card0-DP-1" are its plugs */
        snprintf(card, sizeof card, "%.900s/card%d", folder, i);
        if (access(card, F_OK) == 0)
            add_amd(card, m);
    }
}

void machine_look_system(const char *root, struct machine *m)
{
    char full[PATH_ROOM], text[TEXT_ROOM];
    snprintf(full, sizeof full, "%s/proc/meminfo", root);
    struct str info = read_text(full, text);
    m->ram_total = at_least_0(find_number(info, STR("MemTotal:"), 1024));
    m->ram_available = at_least_0(find_number(info, STR("MemAvailable:"), 1024));
    heed_groups(root, m);
    look_for_amd(root, m);
}

/* ---- a process ---- */

struct drm_clients { /* descriptors that are copies of each other name the same one */
    int64_t seen[64];
    size_t n;
};

static bool is_new(struct drm_clients *c, int64_t id)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->seen[i] == id)
            return false;
    if (c->n < COUNTOF(c->seen))
        c->seen[c->n++] = id;
    return true;
}

static void add_drm(const char *path, struct drm_clients *clients, struct machine_drm *sum)
{
    char text[TEXT_ROOM];
    struct str info = read_text(path, text);
    int64_t id = find_number(info, STR("drm-client-id:"), 1);
    int64_t vram = find_number(info, STR("drm-memory-vram:"), 1024), ram = find_number(info, STR("drm-memory-gtt:"), 1024);
    if (id < 0 || vram < 0 || !is_new(clients, id))
        return;
    sum->vram = at_least_0(sum->vram) + vram;
    sum->ram = at_least_0(sum->ram) + at_least_0(ram);
}

struct machine_drm machine_process_drm(const char *root, int pid)
{
    struct machine_drm sum = { -1, -1 };
    struct drm_clients clients = { .n = 0 };
    char folder[PATH_ROOM], path[PATH_ROOM];
    snprintf(folder, sizeof folder, "%s/proc/%d/fdinfo", root, pid);
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%.700s/%s", folder, d->d_name);
        add_drm(path, &clients, &sum);
    }
    if (dir)
        closedir(dir);
    return sum;
}

int64_t machine_process_alone(int pid)
{
    char path[64], text[TEXT_ROOM];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int64_t bytes = find_number(read_text(path, text), STR("VmRSS:"), 1024);
    return bytes < 0 ? -1 : bytes + at_least_0(machine_process_drm("", pid).ram);
}

int64_t machine_process_anon(int pid)
{
    char path[64], text[TEXT_ROOM];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    struct str status = read_text(path, text);
    int64_t own = find_number(status, STR("RssAnon:"), 1024), shared = find_number(status, STR("RssShmem:"), 1024); /* since 4.5 */
    return own < 0 ? machine_process_ram(pid) : own + at_least_0(shared) + at_least_0(machine_process_drm("", pid).ram);
}

int64_t machine_process_ram(int pid)
{
    char path[64], text[TEXT_ROOM];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid); /* since 4.14; not there: a kernel without it, or not ours to see */
    int64_t bytes = find_number(read_text(path, text), STR("Pss:"), 1024);
    if (bytes < 0) {
        snprintf(path, sizeof path, "/proc/%d/status", pid);
        bytes = find_number(read_text(path, text), STR("VmRSS:"), 1024);
    }
    return bytes < 0 ? -1 : bytes + at_least_0(machine_process_drm("", pid).ram);
}
