/* A machine's memory, read from folders that look like /proc and /sys, and from what nvidia-smi says. */
#include "proc/machine_int.h"

#include "base/buf.h"

#include <setjmp.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const int64_t mib = 1 << 20, gib = 1 << 30;

/* ---- what nvidia-smi says ---- */

static struct machine with_ram(int64_t total, int64_t available)
{
    return (struct machine){ .ram_total = total, .ram_available = available };
}

static void test_gpus_of_nvidia(void **state)
{
    struct machine m = with_ram(64 * gib, 50 * gib);
    machine_read_gpus(STR("NVIDIA H100 80GB HBM3, 81559, 81008\nNVIDIA GeForce RTX 3090, 24576, 1024\n"), &m);
    assert_int_equal(m.ngpus, 2);
    assert_string_equal(m.gpu[0].name, "NVIDIA H100 80GB HBM3");
    assert_int_equal(m.gpu[0].total_bytes, 81559 * mib);
    assert_int_equal(m.gpu[0].free_bytes, 81008 * mib);
    assert_int_equal(m.gpu[1].free_bytes, 1024 * mib);
    machine_sum_up(&m);
    assert_int_equal(m.kind, MEMORY_VRAM);
    assert_int_equal(m.models_total, (81559 + 24576) * mib);
    assert_int_equal(m.models_free, (81008 + 1024) * mib);
    assert_string_equal(m.what, "2 x NVIDIA H100 80GB HBM3, 103.6 GiB");
}

/* A GB10 or a Jetson has no memory of its own to tell of. */
static void test_a_gpu_of_nvidia_that_shares_ram(void **state)
{
    struct machine m = with_ram(120 * gib, 100 * gib);
    machine_read_gpus(STR("NVIDIA GB10, [N/A], [N/A]\n"), &m);
    assert_int_equal(m.ngpus, 1);
    machine_sum_up(&m);
    assert_int_equal(m.kind, MEMORY_UNIFIED);
    assert_int_equal(m.models_total, 120 * gib);
    assert_int_equal(m.models_free, 100 * gib);
    assert_string_equal(m.what, "120.0 GiB unified (NVIDIA GB10)");
}

static void test_words_that_are_no_gpus(void **state)
{
    static const char *const rows[] = {
        "", "\n", "No devices were found\n", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
        "a, b, c\n", "name\n", ",,\n", "x, 99999999999999999999, 5\n", "Unable to determine the device handle for GPU, Unknown Error, x\n",
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct machine m = with_ram(gib, gib);
        machine_read_gpus(str_of(rows[i]), &m);
        assert_int_equal(m.ngpus, 0);
    }
}

static void test_more_gpus_than_there_is_room_for(void **state)
{
    struct machine m = with_ram(gib, gib);
    struct buf said = { 0 };
    for (int i = 0; i < 40; i++)
        buf_lit(&said, "NVIDIA X, 10, 5\n");
    machine_read_gpus(buf_str(&said), &m);
    assert_int_equal(m.ngpus, MACHINE_MAX_GPUS);
    buf_free(&said);
}

static void test_processes_of_nvidia(void **state)
{
    static const struct { const char *said; int pid; int64_t bytes; } rows[] = {
        { "1234, 512\n99, 7\n1234, 100\n", 1234, 612 << 20 }, { "1234, 512\n", 5, 0 }, { "", 5, 0 }, { "1234, [N/A]\n", 1234, -1 },
        { "1234, [N/A]\n", 5, 0 }, { "No running processes found\n", 5, 0 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(machine_read_apps(str_of(rows[i].said), rows[i].pid), rows[i].bytes);
}

/* ---- folders that look like a machine ---- */

#ifdef __linux__

static char root[256];

static int make_root(void **state)
{
    snprintf(root, sizeof root, "/tmp/hob-machine-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static int remove_root(void **state)
{
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text)
{
    char full[1024];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void put_ram(int64_t total_kib, int64_t available_kib)
{
    char text[256];
    snprintf(text, sizeof text, "MemTotal:       %lld kB\nMemFree:         1000 kB\nMemAvailable:   %lld kB\nBuffers: 3 kB\n", (long long)total_kib,
        (long long)available_kib);
    put("/proc/meminfo", text);
}

static struct machine look(void)
{
    struct machine m;
    machine_look(root, &m);
    return m;
}

static void test_ram_alone(void **state)
{
    put_ram(32 << 20, 20 << 20);
    struct machine m = look();
    assert_int_equal(m.kind, MEMORY_RAM);
    assert_int_equal(m.ram_total, 32 * gib);
    assert_int_equal(m.models_total, 32 * gib);
    assert_int_equal(m.models_free, 20 * gib);
    assert_string_equal(m.what, "32.0 GiB RAM");
}

static void test_a_machine_that_tells_nothing(void **state)
{
    struct machine m = look();
    assert_int_equal(m.models_total, 0);
    assert_int_equal(m.models_free, 0);
}

/* A container of 8 GiB of which 5 are in use, 1 of these pages of files. */
static void test_a_control_group(void **state)
{
    put_ram(32 << 20, 20 << 20);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "8589934592\n");
    put("/sys/fs/cgroup/memory.current", "5368709120\n");
    put("/sys/fs/cgroup/memory.stat", "anon 5\nfile 1073741824\ninactive_file 1000000000\nactive_file 73741824\n");
    struct machine m = look();
    assert_int_equal(m.models_total, 8 * gib);
    assert_int_equal(m.models_free, 4 * gib);
}

/* The limit of a slice far above counts too, and a group without one does not. */
static void test_a_control_group_above(void **state)
{
    put_ram(32 << 20, 20 << 20);
    put("/proc/self/cgroup", "0::/user.slice/user-1000.slice/session\n");
    put("/sys/fs/cgroup/user.slice/user-1000.slice/session/memory.max", "max\n");
    put("/sys/fs/cgroup/user.slice/memory.max", "4294967296\n");
    put("/sys/fs/cgroup/user.slice/memory.current", "1073741824\n");
    struct machine m = look();
    assert_int_equal(m.models_total, 4 * gib);
    assert_int_equal(m.models_free, 3 * gib);
}

static void test_a_control_group_of_the_first_version(void **state)
{
    put_ram(32 << 20, 20 << 20);
    put("/proc/self/cgroup", "12:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n");
    put("/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "2147483648\n");
    put("/sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes", "1073741824\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    struct machine m = look();
    assert_int_equal(m.models_total, 2 * gib);
    assert_int_equal(m.models_free, gib);
}

static void put_amd(int64_t vram, int64_t vram_used, int64_t gtt, int64_t gtt_used)
{
    static const char *const files[] = { "vram_total", "vram_used", "gtt_total", "gtt_used" };
    int64_t values[] = { vram, vram_used, gtt, gtt_used };
    for (size_t i = 0; i < COUNTOF(files); i++) {
        char path[128], text[32];
        snprintf(path, sizeof path, "/sys/class/drm/card1/device/mem_info_%s", files[i]);
        snprintf(text, sizeof text, "%lld\n", (long long)values[i]);
        put(path, text);
    }
    put("/sys/class/drm/card1-DP-1/status", "connected\n");
    put("/sys/class/drm/card0/device/vendor", "0x1a03\n"); /* a server's screen */
}

/* Strix Halo with 512 MiB carved out: the rest is RAM that the GPU may use, as far as it is free. */
static void test_an_apu(void **state)
{
    put_ram(124 << 20, 60 << 20);
    put_amd(512 * mib, 112 * mib, 110 * gib, 10 * gib);
    struct machine m = look();
    assert_int_equal(m.kind, MEMORY_UNIFIED);
    assert_int_equal(m.models_total, 110 * gib + 512 * mib);
    assert_int_equal(m.models_free, 60 * gib + 400 * mib);
    assert_true(m.gpu[0].unified && m.ngpus == 1);
    assert_string_equal(m.what, "110.5 GiB unified (AMD APU)");
}

/* GTT says more than RAM is behind it. */
static void test_an_apu_is_not_more_than_its_ram(void **state)
{
    put_ram(16 << 20, 9 << 20);
    put_amd(2 * gib, 0, 64 * gib, 0);
    struct machine m = look();
    assert_int_equal(m.models_total, 18 * gib);
    assert_int_equal(m.models_free, 11 * gib);
}

static void test_a_card(void **state)
{
    put_ram(128 << 20, 100 << 20);
    put_amd(16 * gib, gib, 64 * gib, 0);
    put("/sys/class/drm/card1/device/pcie_bw", "0 0 256\n");
    put("/sys/class/drm/card1/device/product_name", "AMD Radeon RX 7800 XT\n");
    struct machine m = look();
    assert_int_equal(m.kind, MEMORY_VRAM);
    assert_int_equal(m.models_total, 16 * gib);
    assert_int_equal(m.models_free, 15 * gib);
    assert_string_equal(m.what, "1 x AMD Radeon RX 7800 XT, 16.0 GiB");
}

/* Two descriptors of one client count once. */
static void test_what_a_process_has_of_a_gpu(void **state)
{
    put("/proc/77/fdinfo/3", "pos:\t0\nflags:\t02\n");
    put("/proc/77/fdinfo/5", "pos:\t0\ndrm-driver:\tamdgpu\ndrm-client-id:\t9\ndrm-memory-vram:\t2048 KiB\ndrm-memory-gtt: \t100 KiB\n");
    put("/proc/77/fdinfo/6", "drm-client-id:\t9\ndrm-memory-vram:\t2048 KiB\ndrm-memory-gtt: \t100 KiB\n");
    put("/proc/77/fdinfo/7", "drm-client-id:\t10\ndrm-memory-vram:\t1024 KiB\n");
    struct machine_drm drm = machine_process_drm(root, 77);
    assert_int_equal(drm.vram, 3 * mib);
    assert_int_equal(drm.ram, 100 * 1024);
    drm = machine_process_drm(root, 78);
    assert_true(drm.vram == -1 && drm.ram == -1);
}

/* A program of that name on PATH is asked, for GPUs and for a process; one that fails is as none. */
static void test_the_tool_on_path(void **state)
{
    char path[1024], *before = strdup(getenv("PATH") ? getenv("PATH") : "");
    assert_non_null(before);
    struct machine m;
    put("/bin/nvidia-smi", "#!/bin/sh\ncase $1 in\n--query-gpu=*) echo 'NVIDIA Test, 1000, 400' ;;\n*) echo '77, 30' ;;\nesac\n");
    snprintf(path, sizeof path, "%s/bin/nvidia-smi", root);
    assert_int_equal(chmod(path, 0700), 0);
    snprintf(path, sizeof path, "/nowhere:%s/bin:/usr/bin:/bin", root);
    setenv("PATH", path, 1);
    machine_look("", &m);
    assert_int_equal(m.kind, MEMORY_VRAM);
    assert_int_equal(m.models_total, 1000 * mib);
    assert_int_equal(m.models_free, 400 * mib);
    assert_int_equal(machine_process_vram(77), 30 * mib);
    assert_int_equal(machine_process_vram(78), 0);
    put("/bin/nvidia-smi", "#!/bin/sh\n[ -e \"$0.asked\" ] && exit 9\ntouch \"$0.asked\"\nprintf '77, 30\\n79, 5\\n'\n"); /* it answers once */
    assert_int_equal(machine_processes_vram((int[]){ 77, 78, 79 }, 3), 35 * mib);
    put("/bin/nvidia-smi", "#!/bin/sh\necho '77, [N/A]'\n");
    assert_int_equal(machine_process_vram(77), MACHINE_UNTOLD);
    put("/bin/nvidia-smi", "#!/bin/sh\nkill -9 $$\n");
    assert_int_equal(machine_process_vram(77), MACHINE_UNTOLD); /* no answer is not nothing */
    put("/bin/nvidia-smi", "#!/bin/sh\necho 'NVIDIA Test, 1000, 400'\nexit 9\n");
    machine_look("", &m);
    assert_int_equal(m.ngpus, 0);
    assert_int_equal(machine_process_vram(77), -1);
    setenv("PATH", before, 1);
    free(before);
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

#endif

static void test_this_machine_and_this_process(void **state)
{
    struct machine m;
    machine_look("", &m);
    assert_true(m.models_total > 0 && m.models_free >= 0 && m.models_free <= m.models_total);
    assert_true(m.ram_total > 0 && m.what[0]);
    int64_t ours = machine_process_ram((int)getpid());
    assert_true(ours > 100 * 1024 && ours < INT64_C(1) << 40);
    assert_int_equal(machine_process_ram(0x7ffffff0), -1);
    assert_true(machine_process_alone((int)getpid()) >= ours / 4 * 3); /* it grew a little in between, or gave something back */
    assert_int_equal(machine_process_alone(0x7ffffff0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpus_of_nvidia),
        cmocka_unit_test(test_a_gpu_of_nvidia_that_shares_ram),
        cmocka_unit_test(test_words_that_are_no_gpus),
        cmocka_unit_test(test_more_gpus_than_there_is_room_for),
        cmocka_unit_test(test_processes_of_nvidia),
#ifdef __linux__
        IN_ROOT(test_ram_alone),
        IN_ROOT(test_a_machine_that_tells_nothing),
        IN_ROOT(test_a_control_group),
        IN_ROOT(test_a_control_group_above),
        IN_ROOT(test_a_control_group_of_the_first_version),
        IN_ROOT(test_an_apu),
        IN_ROOT(test_an_apu_is_not_more_than_its_ram),
        IN_ROOT(test_a_card),
        IN_ROOT(test_what_a_process_has_of_a_gpu),
        IN_ROOT(test_the_tool_on_path),
#endif
        cmocka_unit_test(test_this_machine_and_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
