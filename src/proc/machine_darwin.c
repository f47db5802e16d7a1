/* macOS: one memory for processor and GPU. What Metal lets a GPU keep wired is less than all of it: iogpu.wired_limit_mb when somebody has set it, else
 * two thirds, or three quarters above 36 GiB (what recommendedMaxWorkingSetSize is seen to be; asking Metal itself would take its framework). */
#include "proc/machine_int.h"

#include <libproc.h>
#include <mach/mach.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#include <unistd.h>

static int64_t ask(const char *name)
{
    int64_t v = 0; /* numbers of 32 bits fill its lower half: both kinds of Mac are little-endian */
    size_t n = sizeof v;
    return sysctlbyname(name, &v, &n, NULL, 0) ? -1 : v;
}

static int64_t available(void)
{
    vm_statistics64_data_t stat;
    mach_msg_type_number_t n = HOST_VM_INFO64_COUNT;
    if (host_statistics64(mach_host_self(), HOST_VM_INFO64, (host_info64_t)&stat, &n) != KERN_SUCCESS)
        return 0;
    return ((int64_t)stat.free_count + stat.inactive_count + stat.purgeable_count) * (int64_t)getpagesize();
}

static int64_t wired_limit(int64_t ram)
{
    int64_t set = ask("iogpu.wired_limit_mb");
    if (set > 0 && set < ram / (int64_t)MIB)
        return set * (int64_t)MIB;
    return ram <= 36 * (int64_t)GIB ? ram / 3 * 2 : ram / 4 * 3;
}

void machine_look_system(const char *root, struct machine *m)
{
    (void)root;
    m->ram_total = ask("hw.memsize");
    m->ram_available = available();
    if (!ask("hw.optional.arm64")) /* an Intel Mac's models run on its processor */
        return;
    int64_t limit = wired_limit(m->ram_total);
    m->gpu[m->ngpus++] = (struct machine_gpu){ .name = "Apple GPU", .total_bytes = limit,
        .free_bytes = m->ram_available < limit ? m->ram_available : limit, .unified = true };
}

struct machine_drm machine_process_drm(const char *root, int pid)
{
    (void)root, (void)pid;
    return (struct machine_drm){ -1, -1 };
}

/* What Activity Monitor calls memory: the GPU's share is in it. */
int64_t machine_process_ram(int pid)
{
    struct rusage_info_v2 usage;
    return proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&usage) ? -1 : (int64_t)usage.ri_phys_footprint;
}

int64_t machine_process_alone(int pid)
{
    struct rusage_info_v2 usage;
    if (proc_pid_rusage(pid, RUSAGE_INFO_V2, (rusage_info_t *)&usage))
        return -1;
    /* The footprint leaves mapped files out; what is resident leaves out what was compressed. */
    return (int64_t)(usage.ri_phys_footprint > usage.ri_resident_size ? usage.ri_phys_footprint : usage.ri_resident_size);
}

int64_t machine_process_anon(int pid)
{
    return machine_process_ram(pid); /* the footprint counts no mapped files */
}
