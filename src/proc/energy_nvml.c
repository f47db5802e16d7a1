/* NVIDIA's GPUs, by the library that comes with their driver: a counter of millijoules where the GPU has one (Volta and later), else what it takes at the moment. All GPUs of the machine
 * count: which of them a model lies on is not looked at. Declared here as far as it is used; no header of theirs is needed. */
#include "proc/energy_int.h"

#include "base/err.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_GPUS = 32, NVML_OK = 0 };

typedef void *nvml_device;
struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*handle)(unsigned i, nvml_device *out);
    int (*energy)(nvml_device d, unsigned long long *mj);
    int (*power)(nvml_device d, unsigned *mw);
    struct gpu {
        nvml_device device;
        bool counts;
        unsigned long long first_mj;
        double joules;
        struct energy_sum sum;
    } gpu[MAX_GPUS];
    size_t n;
};

static bool find(struct nvml *v, const char *name, void *to)
{
    void *fn = dlsym(v->library, name);
    memcpy(to, &fn, sizeof fn);
    return fn != NULL;
}

static bool find_all(struct nvml *v)
{
    find(v, "nvmlDeviceGetTotalEnergyConsumption", &v->energy); /* old drivers lack it */
    return find(v, "nvmlInit_v2", &v->init) && find(v, "nvmlShutdown", &v->shutdown) && find(v, "nvmlDeviceGetCount_v2", &v->count) &&
        find(v, "nvmlDeviceGetHandleByIndex_v2", &v->handle) && find(v, "nvmlDeviceGetPowerUsage", &v->power);
}

static void add_gpu(struct nvml *v, unsigned i, int64_t now_ns)
{
    struct gpu *g = &v->gpu[v->n];
    unsigned mw;
    *g = (struct gpu){ .device = NULL };
    if (v->handle(i, &g->device) != NVML_OK)
        return;
    g->counts = v->energy && v->energy(g->device, &g->first_mj) == NVML_OK;
    if (!g->counts && v->power(g->device, &mw) != NVML_OK)
        return;
    if (!g->counts)
        energy_add(&g->sum, mw / 1e3, now_ns);
    v->n++;
}

static void nvml_close(void *self)
{
    struct nvml *v = self;
    if (v->shutdown)
        v->shutdown();
    dlclose(v->library);
    free(v);
}

static void *nvml_open(const struct energy_opts *o, int64_t now_ns, char why[ENERGY_WHY])
{
    const char *name = o->nvml ? o->nvml : "libnvidia-ml.so.1";
    void *library = name[0] ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : NULL;
    unsigned n = 0;
    if (!library)
        return NULL;
    struct nvml *v = calloc(1, sizeof *v);
    if (!v)
        die("out of memory for energy");
    v->library = library;
    if (!find_all(v) || v->init() != NVML_OK) {
        snprintf(why, ENERGY_WHY, "NVIDIA's library is there, and its driver does not answer");
        dlclose(library);
        free(v);
        return NULL;
    }
    if (v->count(&n) != NVML_OK)
        n = 0;
    for (unsigned i = 0; i < n && v->n < MAX_GPUS; i++)
        add_gpu(v, i, now_ns);
    if (v->n == n && n)
        return v;
    snprintf(why, ENERGY_WHY, n ? "%zu of %u NVIDIA GPUs tell what they take" : "NVIDIA's driver has no GPU", v->n, n);
    nvml_close(v);
    return NULL;
}

static double nvml_read(void *self, int64_t now_ns)
{
    struct nvml *v = self;
    double joules = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct gpu *g = &v->gpu[i];
        unsigned long long mj;
        unsigned mw;
        if (g->counts && v->energy(g->device, &mj) == NVML_OK && mj >= g->first_mj)
            g->joules = (double)(mj - g->first_mj) / 1e3;
        if (!g->counts && v->power(g->device, &mw) == NVML_OK)
            energy_add(&g->sum, mw / 1e3, now_ns);
        joules += g->counts ? g->joules : g->sum.joules;
    }
    return joules;
}

const struct energy_kind energy_nvml = { "nvml", nvml_open, nvml_read, nvml_close };
