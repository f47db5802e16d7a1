/* What a machine has for models, whatever the system: GPUs with memory of their own go before all else; without them the memory that a GPU shares with
 * the processor; without that RAM. NVIDIA's tool is asked for its GPUs: its driver tells nothing in files. */
#include "proc/machine_int.h"

#include "proc/run.h"

#include <stdio.h>

enum { ASK_LIMIT_MS = 2000, SAID_MAX_BYTES = 64 * 1024 };

/* ---- NVIDIA ---- */

static int64_t mib(struct str s)
{
    int64_t n;
    return str_to_int(str_trim(s), 0, INT64_MAX >> 20, &n) ? n * (int64_t)MIB : -1;
}

/* A GPU that has no memory to tell ("[N/A]") uses the processor's. */
static void add_nvidia(struct machine *m, struct str name, struct str total, struct str free_now)
{
    struct machine_gpu *g = &m->gpu[m->ngpus++];
    *g = (struct machine_gpu){ .total_bytes = mib(total), .free_bytes = mib(free_now) };
    snprintf(g->name, sizeof g->name, "%.*s", STR_ARG(str_trim(name)));
    if (g->total_bytes >= 0 && g->free_bytes >= 0)
        return;
    g->unified = true;
    g->total_bytes = m->ram_total;
    g->free_bytes = m->ram_available;
}

void machine_read_gpus(struct str said, struct machine *m)
{
    while (said.p && m->ngpus < MACHINE_MAX_GPUS) {
        struct str rest, line = str_cut(said, '\n', &said);
        struct str name = str_cut(line, ',', &rest), total = str_cut(rest, ',', &rest);
        bool told = rest.p && (mib(total) >= 0 || str_starts(str_trim(total), STR("[")));
        if (told) /* "No devices were found" is no line of three */
            add_nvidia(m, name, total, rest);
    }
}

int64_t machine_read_apps(struct str said, int pid)
{
    int64_t sum = 0, one;
    while (said.p) {
        struct str rest, line = str_cut(said, '\n', &said);
        bool it = str_to_int(str_trim(str_cut(line, ',', &rest)), 0, INT32_MAX, &one) && one == pid;
        int64_t used = it ? mib(rest) : 0;
        if (used < 0) /* on some systems it does not tell */
            return -1;
        sum += used;
    }
    return sum;
}

enum tool {
    TOOL_NONE,          /* it is not there, or has no GPU to tell of */
    TOOL_SILENT,        /* it did not answer in time */
    TOOL_TOLD,
};

static enum tool ask_nvidia(const char *query, struct buf *said)
{
    char tool[1024];
    struct run_end end;
    struct err e;
    if (!run_find_program(STR("nvidia-smi"), tool, sizeof tool))
        return TOOL_NONE;
    const char *const argv[] = { tool, query, "--format=csv,noheader,nounits", NULL };
    buf_init(said, SAID_MAX_BYTES);
    if (run_program(argv, NULL, NULL, ASK_LIMIT_MS, said, &end, &e) || end.too_long || end.signal)
        return TOOL_SILENT;
    return end.code ? TOOL_NONE : TOOL_TOLD;
}

static void look_for_nvidia(struct machine *m)
{
    struct buf said = { 0 };
    if (ask_nvidia("--query-gpu=name,memory.total,memory.free", &said) == TOOL_TOLD)
        machine_read_gpus(buf_str(&said), m);
    buf_free(&said);
}

/* ---- the sum ---- */

static double gib(int64_t bytes)
{
    return (double)bytes / (double)GIB;
}

static size_t own_memory(const struct machine *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->ngpus; i++)
        n += !m->gpu[i].unified;
    return n;
}

static void sum_vram(struct machine *m, size_t n)
{
    const char *name = "";
    m->kind = MEMORY_VRAM;
    m->models_total = m->models_free = 0;
    for (size_t i = 0; i < m->ngpus; i++) {
        if (m->gpu[i].unified)
            continue;
        m->models_total += m->gpu[i].total_bytes;
        m->models_free += m->gpu[i].free_bytes;
        name = name[0] ? name : m->gpu[i].name;
    }
    snprintf(m->what, sizeof m->what, "%zu x %s, %.1f GiB", n, name, gib(m->models_total));
}

void machine_sum_up(struct machine *m)
{
    size_t n = own_memory(m);
    if (n) {
        sum_vram(m, n);
    } else if (m->ngpus) { /* several would share the same */
        m->kind = MEMORY_UNIFIED;
        m->models_total = m->gpu[0].total_bytes;
        m->models_free = m->gpu[0].free_bytes;
        snprintf(m->what, sizeof m->what, "%.1f GiB unified (%s)", gib(m->models_total), m->gpu[0].name);
    } else {
        m->kind = MEMORY_RAM;
        m->models_total = m->ram_total;
        m->models_free = m->ram_available;
        snprintf(m->what, sizeof m->what, "%.1f GiB RAM", gib(m->ram_total));
    }
}

void machine_look(const char *root, struct machine *out)
{
    *out = (struct machine){ .kind = MEMORY_RAM };
    machine_look_system(root, out);
    if (!root[0])
        look_for_nvidia(out);
    machine_sum_up(out);
}

static int64_t vram_of(int pid, bool told, struct str said)
{
    int64_t bytes = machine_process_drm("", pid).vram, nvidia = told ? machine_read_apps(said, pid) : 0;
    if (nvidia < 0)
        return MACHINE_UNTOLD;
    return bytes >= 0 ? bytes + nvidia : told ? nvidia : -1;
}

int64_t machine_processes_vram(const int *pid, size_t n)
{
    struct buf said = { 0 };
    enum tool tool = ask_nvidia("--query-compute-apps=pid,used_memory", &said);
    int64_t sum = tool == TOOL_SILENT ? MACHINE_UNTOLD : -1;
    for (size_t i = 0; i < n && sum != MACHINE_UNTOLD; i++) {
        int64_t bytes = vram_of(pid[i], tool == TOOL_TOLD, buf_str(&said));
        if (bytes == MACHINE_UNTOLD)
            sum = MACHINE_UNTOLD;
        else if (bytes >= 0)
            sum = (sum < 0 ? 0 : sum) + bytes;
    }
    buf_free(&said);
    return sum;
}

int64_t machine_process_vram(int pid)
{
    return machine_processes_vram(&pid, 1);
}
