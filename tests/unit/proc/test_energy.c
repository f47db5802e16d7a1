/* Energy, from folders that look like /sys, from a library that looks like NVIDIA's, and from a program that writes as powermetrics does. */
#include "proc/energy_int.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const int64_t second = 1000000000;

static void assert_near(double got, double wanted, double within)
{
    if (!(fabs(got - wanted) <= within))
        fail_msg("%.12g, not %.12g", got, wanted);
}

struct tree {
    char root[64];
};

static int setup(void **state)
{
    static struct tree t;
    snprintf(t.root, sizeof t.root, "/tmp/hob-energy-XXXXXX");
    *state = &t;
    return mkdtemp(t.root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct tree *t = *state;
    return nftw(t->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const struct tree *t, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", t->root, name);
    for (char *p = path + strlen(t->root) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(path, 0700);
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void zone(const struct tree *t, const char *zone, const char *name, const char *uj, const char *range)
{
    const char *const files[][2] = { { "name", name }, { "energy_uj", uj }, { "max_energy_range_uj", range } };
    for (size_t i = 0; i < COUNTOF(files); i++) {
        char path[200];
        snprintf(path, sizeof path, "sys/class/powercap/%s/%s", zone, files[i][0]);
        if (files[i][1])
            put(t, path, files[i][1]);
    }
}

static struct energy *open_rapl(const struct tree *t)
{
    struct energy_opts o = { .root = t->root, .nvml = "", .powermetrics = "" };
    return energy_open(&o, second);
}

static void test_packages_and_memory_count_and_nothing_twice(void **state)
{
    const struct tree *t = *state;
    zone(t, "intel-rapl:0", "package-0\n", "1000000\n", "262143328850\n");
    zone(t, "intel-rapl:1", "package-1\n", "500000\n", "262143328850\n");
    zone(t, "intel-rapl:0:0", "core\n", "900000\n", "262143328850\n");
    zone(t, "intel-rapl:0:1", "dram\n", "200000\n", "65712999613\n");
    zone(t, "intel-rapl:2", "psys\n", "9000000\n", "262143328850\n");
    zone(t, "intel-rapl-mmio:0", "package-0\n", "1000000\n", "262143328850\n");
    struct energy *e = open_rapl(t);
    assert_string_equal(energy_source(e).p, "rapl");
    assert_int_equal(energy_why(e).n, 0);
    assert_near(energy_read(e, second), 0, 0);
    zone(t, "intel-rapl:0", "package-0\n", "4000000\n", NULL);  /* 3 J */
    zone(t, "intel-rapl:1", "package-1\n", "2500000\n", NULL);  /* 2 J */
    zone(t, "intel-rapl:0:0", "core\n", "3900000\n", NULL);
    zone(t, "intel-rapl:0:1", "dram\n", "700000\n", NULL);      /* 0.5 J */
    zone(t, "intel-rapl:2", "psys\n", "99000000\n", NULL);
    zone(t, "intel-rapl-mmio:0", "package-0\n", "4000000\n", NULL);
    assert_near(energy_read(e, 2 * second), 5.5, 1e-9);
    energy_close(e);
}

static void test_a_counter_begins_anew(void **state)
{
    const struct tree *t = *state;
    zone(t, "intel-rapl:0", "package-0\n", "9000000\n", "10000000\n");
    struct energy *e = open_rapl(t);
    static const struct { const char *uj; double joules; } rows[] = { { "9900000", 0.9 }, { "400000", 1.4 }, { "400000", 1.4 }, { "9999999", 10.999999 }, { "0", 11 } };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        zone(t, "intel-rapl:0", "package-0\n", rows[i].uj, NULL);
        assert_near(energy_read(e, (int64_t)(i + 2) * second), rows[i].joules, 1e-9);
    }
    energy_close(e);
}

static void test_nothing_tells(void **state)
{
    struct energy *e = open_rapl(*state);
    assert_int_equal(energy_source(e).n, 0);
    assert_true(energy_why(e).n > 0);
    assert_true(isnan(energy_read(e, second)));
    energy_close(e);
}

/* A part of a processor's energy would pass for all of it. */
static void test_a_counter_that_cannot_be_read_is_told(void **state)
{
    const struct tree *t = *state;
    zone(t, "intel-rapl:0", "package-0\n", "9000000\n", "10000000\n");
    zone(t, "intel-rapl:1", "package-1\n", NULL, "10000000\n");
    struct energy *e = open_rapl(t);
    assert_int_equal(energy_source(e).n, 0);
    assert_true(str_find(energy_why(e), STR("cannot be read")) >= 0);
    energy_close(e);
}

static void test_what_somebody_says(void **state)
{
    const struct tree *t = *state;
    zone(t, "intel-rapl:0", "package-0\n", "9000000\n", "10000000\n");
    struct energy_opts o = { .root = t->root, .watts = 120 };
    struct energy *e = energy_open(&o, 5 * second);
    assert_string_equal(energy_source(e).p, "configured");
    assert_near(energy_read(e, 5 * second), 0, 0);
    assert_near(energy_read(e, 5 * second + second / 2), 60, 1e-9);
    energy_close(e);
}

static void test_gpus_with_a_counter_and_without(void **state)
{
    const struct tree *t = *state;
    zone(t, "intel-rapl:0", "package-0\n", "1000000\n", "10000000\n");
    struct energy_opts o = { .root = t->root, .nvml = HOB_FAKE_NVML, .powermetrics = "" };
    struct energy *e = energy_open(&o, second);
    assert_string_equal(energy_source(e).p, "rapl+nvml");
    /* the counter moves 7 J a question; the other took 100 W when it was opened, 200 W a second later: 150 J; and then 300 W: 250 J */
    assert_near(energy_read(e, 2 * second), 7 + 150, 1e-9);
    zone(t, "intel-rapl:0", "package-0\n", "1500000\n", NULL);
    assert_near(energy_read(e, 3 * second), 14 + 400 + 0.5, 1e-9);
    energy_close(e);
}

static void test_a_library_that_is_not_there_or_none(void **state)
{
    static const struct { const char *library; bool why; } rows[] = { { "/nonexistent/libnvidia-ml.so.1", false }, { "libc.so.6", true } };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct energy_opts o = { .root = "/nonexistent", .nvml = rows[i].library, .powermetrics = "" };
        struct energy *e = energy_open(&o, second);
        assert_int_equal(energy_source(e).n, 0);
        assert_int_equal(str_find(energy_why(e), STR("NVIDIA")) >= 0, rows[i].why);
        energy_close(e);
    }
    (void)state;
}

static void test_lines_of_powermetrics(void **state)
{
    static const struct { const char *line; double watts, elapsed; } rows[] = {
        { "*** Sampled system activity (Sun Nov 22 07:00:00 2026 +0000) (503.21ms elapsed) ***", -1, 503.21 },
        { "Combined Power (CPU + GPU + ANE): 1234 mW", 1.234, 7 },
        { "Intel energy model derived package power (CPUs+GT+SA): 3.26W", 3.26, 7 },
        { "CPU Power: 900 mW", -1, 7 }, { "", -1, 7 }, { "ms elapsed)", -1, 7 }, { "Combined Power", -1, 7 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        double elapsed = 7;
        assert_near(powermetrics_line(str_of(rows[i].line), &elapsed), rows[i].watts, 1e-9);
        assert_near(elapsed, rows[i].elapsed, 1e-9);
    }
    (void)state;
}

/* Two samples of half a second, 2 W and 4 W: 3 J. */
static void test_a_program_that_tells(void **state)
{
    const struct tree *t = *state;
    char path[200];
    put(t, "pm", "#!/bin/sh\nfor mw in 2000 4000; do echo '*** Sampled system activity (x) (500.00ms elapsed) ***'; echo \"Combined Power (CPU + GPU + ANE): $mw mW\"; done\nexec sleep 60\n");
    snprintf(path, sizeof path, "%s/pm", t->root);
    assert_int_equal(chmod(path, 0700), 0);
    struct energy_opts o = { .root = t->root, .nvml = "", .powermetrics = path };
    struct energy *e = energy_open(&o, second);
    assert_string_equal(energy_source(e).p, "powermetrics");
    double joules = 0;
    for (int64_t i = 1; joules < 3 && i < 3000; i++) {
        joules = energy_read(e, i * second);
        usleep(10000);
    }
    assert_near(joules, 3, 1e-9);
    energy_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_packages_and_memory_count_and_nothing_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_counter_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_counter_that_cannot_be_read_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_somebody_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gpus_with_a_counter_and_without, setup, teardown),
        cmocka_unit_test(test_a_library_that_is_not_there_or_none),
        cmocka_unit_test(test_lines_of_powermetrics),
        cmocka_unit_test_setup_teardown(test_a_program_that_tells, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
