/* macOS: what the system books for this task (its footprint, as Activity Monitor has it). */
#include "loop/overload.h"

#include <mach/mach.h>
#include <malloc/malloc.h>
#include <stddef.h>

struct own_memory *own_memory_open(void)
{
    return NULL; /* it needs nothing */
}

int64_t own_memory_bytes(const struct own_memory *m)
{
    task_vm_info_data_t info;
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    (void)m;
    if (task_info(mach_task_self(), TASK_VM_INFO, (task_info_t)&info, &count) != KERN_SUCCESS)
        return -1;
    return (int64_t)info.phys_footprint;
}

void own_memory_give_back(void)
{
    malloc_zone_pressure_relief(NULL, 0);
}

void own_memory_close(struct own_memory *m)
{
    (void)m;
}
