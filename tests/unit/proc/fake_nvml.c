/* A driver's library with two GPUs: the first has a counter, the second says what it takes at the moment. Each question moves them on. */
int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *n);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **out);
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *mj);
int nvmlDeviceGetPowerUsage(void *d, unsigned *mw);

#define SEEN __attribute__((visibility("default")))

static char gpus[2];
static unsigned long long counter = 5000;
static unsigned power = 100000;

SEEN int nvmlInit_v2(void)
{
    counter = 5000;
    power = 100000;
    return 0;
}

SEEN int nvmlShutdown(void)
{
    return 0;
}

SEEN int nvmlDeviceGetCount_v2(unsigned *n)
{
    *n = 2;
    return 0;
}

SEEN int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **out)
{
    *out = &gpus[i];
    return 0;
}

SEEN int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *mj)
{
    if (d == &gpus[1])
        return 3; /* not supported */
    *mj = counter;
    counter += 7000;
    return 0;
}

SEEN int nvmlDeviceGetPowerUsage(void *d, unsigned *mw)
{
    (void)d;
    *mw = power;
    power += 100000;
    return 0;
}
