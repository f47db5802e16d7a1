/* The machine's memory: what each system tells in its own way (machine_linux.c, machine_darwin.c), and what is made of it (machine_common.c). */
#ifndef HOB_PROC_MACHINE_INT_H
#define HOB_PROC_MACHINE_INT_H

#include "proc/machine.h"

/* RAM, and the GPUs that the system itself knows of; `unified` ones share RAM. */
void machine_look_system(const char *root, struct machine *m);

/* Answers of nvidia-smi (comma-separated, no heads, no units). */
void machine_read_gpus(struct str said, struct machine *m);      /* name, memory.total, memory.free */
int64_t machine_read_apps(struct str said, int pid);             /* pid, used_memory: the sum, 0 when it is not there */

/* From the gpus and RAM that are in it: kind, totals, words. */
void machine_sum_up(struct machine *m);

/* What a process has of GPUs by the system's own book-keeping; -1 = there is none. */
struct machine_drm {
    int64_t vram, ram;
};
struct machine_drm machine_process_drm(const char *root, int pid);

#endif
