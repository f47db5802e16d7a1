/* This machine's memory, and what of it a process has. Reads files of the kernel, and asks nvidia-smi where there is one: blocks (up to 2 s), so it
 * is for commands and for the pool. */
#ifndef HOB_PROC_MACHINE_H
#define HOB_PROC_MACHINE_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { MACHINE_MAX_GPUS = 16 };

enum memory_kind {
    MEMORY_RAM,         /* no GPU that models could live on */
    MEMORY_VRAM,        /* GPUs with memory of their own */
    MEMORY_UNIFIED,     /* one memory for both: Apple; an AMD APU's carve-out plus GTT, as far as RAM is behind it */
};

struct machine_gpu {
    char name[96];
    int64_t total_bytes, free_bytes;
    bool unified;
};

struct machine {
    enum memory_kind kind;
    int64_t ram_total, ram_available;
    int64_t models_total;       /* where models live: what they could have at most, without any reserve */
    int64_t models_free;        /* of it, not in use by anybody now */
    struct machine_gpu gpu[MACHINE_MAX_GPUS];
    size_t ngpus;
    char what[128];             /* for people: "23.4 GiB RAM", "1 x NVIDIA H100 80GB", "64 GiB unified" */
};

/* root: "" for the real machine; tests have folders that look like /proc and /sys there (then nothing is run). */
void machine_look(const char *root, struct machine *out);

/* Memory in use because of this process: its share of what it shares (PSS) where that can be had, else what is resident, and what a GPU has of RAM
 * for it; and on GPUs. -1 = unknown. They block as well: a process that has mapped tens of GiB takes the kernel its time. */
int64_t machine_process_ram(int pid);
enum { MACHINE_UNTOLD = -2 }; /* of VRAM: a driver's tool is there, and did not say it this time, or never does */
int64_t machine_process_vram(int pid);
int64_t machine_processes_vram(const int *pid, size_t n); /* all together: a driver's tool takes its time, and is asked once */
/* The same as machine_process_ram(), as if nobody shared anything with it: what it will need another time, when a process that has mapped the same
 * weights may not be there. */
int64_t machine_process_alone(int pid);
/* Of its RAM what is no file's: what the system counts as in use because of it (a mapped file counts as free). -1 = unknown. */
int64_t machine_process_anon(int pid);

#endif
