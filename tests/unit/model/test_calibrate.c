/* What was measured, and what that says: as a table. And the identities it is kept under. */
#include "model/calibrate.h"
#include "model/identity.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
    const char *settings;
    int64_t estimated, projected, idle, busy, too_short;
};

static void test_what_was_seen_says_what_comes(void **state)
{
    static const struct {
        const char *what;
        int64_t total, cache, weights, machine;
        struct seen rows[4];
        int64_t want;
        enum fit_source source;
    } cases[] = {
        { "nothing was seen", 150, 0, 92, 1000, { { 0 } }, 150, FIT_ESTIMATE },
        { "kept prompts go on top", 150, 256, 92, 1000, { { 0 } }, 406, FIT_ESTIMATE },
        { "the same settings: what was measured", 150, 0, 92, 1000, { { "s", 150, 0, 270, 295, 0 } }, 295, FIT_MEASURED },
        { "and kept prompts on top", 150, 256, 92, 1000, { { "s", 150, 0, 270, 295, 0 } }, 551, FIT_MEASURED },
        { "not yet seen at work", 150, 0, 92, 1000, { { "s", 150, 0, 270, 0, 0 } }, 270, FIT_MEASURED },
        { "less than the arithmetic has it is believed", 150, 0, 92, 1000, { { "s", 150, 0, 120, 125, 0 } }, 125, FIT_MEASURED },
        { "other settings: what the arithmetic missed", 294, 0, 92, 1000, { { "x", 150, 0, 270, 295, 0 } }, 439, FIT_CALIBRATED },
        { "of two the nearer", 294, 0, 92, 1000, { { "x", 100, 0, 300, 0, 0 }, { "y", 280, 0, 300, 0, 0 } }, 314, FIT_CALIBRATED },
        { "what needed much less is believed by a tenth", 300, 0, 92, 1000, { { "x", 300, 0, 100, 0, 0 } }, 270, FIT_CALIBRATED },
        { "never below the weights", 100, 0, 92, 1000, { { "x", 900, 0, 800, 0, 0 } }, 92, FIT_CALIBRATED },
        { "its own goes before others'", 150, 0, 92, 1000, { { "x", 150, 0, 900, 0, 0 }, { "s", 150, 0, 280, 0, 0 } }, 280, FIT_MEASURED },
        { "half the weights are not all of it", 150, 0, 92, 1000, { { "s", 150, 0, 45, 0, 0 } }, 150, FIT_ESTIMATE },
        { "just half of them may be", 150, 0, 92, 1000, { { "s", 150, 0, 46, 0, 0 } }, 46, FIT_MEASURED },
        { "nor is more than there is", 150, 0, 92, 1000, { { "s", 150, 0, 1001, 0, 0 } }, 150, FIT_ESTIMATE },
        { "a machine that is not known bounds nothing", 150, 0, 92, 0, { { "s", 150, 0, 1001, 0, 0 } }, 1001, FIT_MEASURED },
        { "the engine's projection where it is more", 150, 0, 92, 1000, { { "s", 150, 184, 0, 0, 0 } }, 184, FIT_ENGINE },
        { "and not where it is less", 150, 0, 92, 1000, { { "s", 150, 140, 0, 0, 0 } }, 150, FIT_ENGINE },
        { "other settings' projection says nothing", 150, 0, 92, 1000, { { "x", 150, 184, 0, 0, 0 } }, 150, FIT_ESTIMATE },
        { "a death for want of memory", 150, 0, 92, 1000, { { "s", 150, 0, 0, 0, 160 } }, 200, FIT_CALIBRATED },
        { "in less room than is wanted anyway", 150, 0, 92, 1000, { { "s", 150, 0, 0, 0, 100 } }, 150, FIT_ESTIMATE },
        { "it is never made to need more than there is", 150, 0, 92, 1000, { { "s", 150, 0, 0, 0, 900 } }, 1000, FIT_CALIBRATED },
        { "unless it does", 1500, 0, 92, 1000, { { "s", 1500, 0, 0, 0, 900 } }, 1500, FIT_ESTIMATE },
        { "a death after it was measured", 150, 0, 92, 1000, { { "s", 150, 0, 270, 0, 280 } }, 350, FIT_CALIBRATED },
        { "huge figures do not run over", INT64_MAX - 1, 256, 0, 0, { { 0 } }, INT64_MAX, FIT_ESTIMATE },
        { "a command that was never seen", 0, 0, 0, 1000, { { 0 } }, 0, FIT_UNKNOWN },
        { "a command that was", 0, 0, 0, 1000, { { "s", 0, 0, 70, 80, 0 } }, 80, FIT_MEASURED },
        { "another command line says nothing of this one", 0, 0, 0, 1000, { { "x", 0, 0, 70, 80, 0 } }, 0, FIT_UNKNOWN },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct calibration rows[4] = { { .estimated_bytes = 0 } };
        size_t n = 0;
        for (; n < COUNTOF(rows) && cases[i].rows[n].settings; n++) {
            const struct seen *s = &cases[i].rows[n];
            snprintf(rows[n].settings, sizeof rows[n].settings, "%s", s->settings);
            rows[n].estimated_bytes = s->estimated;
            rows[n].projected_bytes = s->projected;
            rows[n].idle_bytes = s->idle;
            rows[n].busy_bytes = s->busy;
            rows[n].short_bytes = s->too_short;
        }
        const struct calibrate_ask ask = { cases[i].total, cases[i].cache, cases[i].weights, cases[i].machine, STR("s") };
        enum fit_source source = FIT_GIVEN;
        int64_t got = calibrate(&ask, rows, n, &source);
        if (got != cases[i].want || source != cases[i].source)
            fail_msg("%s: %lld (%s), want %lld (%s)", cases[i].what, (long long)got, fit_source_basis[source], (long long)cases[i].want,
                fit_source_basis[cases[i].source]);
    }
}

static void test_each_source_has_its_words(void **state)
{
    for (int i = 0; i <= FIT_UNKNOWN; i++)
        assert_true(fit_source_name[i] && fit_source_basis[i]);
}

static void test_settings_that_differ_have_names_that_differ(void **state)
{
    const struct str args[] = { STR("--flash-attn"), STR("on") }, joined[] = { STR("--flash-attnon") };
    const struct fit_ask base = { .context = 4096, .slots = 1, .kv_k = STR("f16"), .kv_v = STR("f16"), .ubatch = 512 };
    struct { struct fit_ask ask; const struct str *args; size_t n; } all[9] = { { base, NULL, 0 } };
    char ids[COUNTOF(all)][65], again[65];
    for (size_t i = 1; i < COUNTOF(all); i++)
        all[i].ask = base;
    all[1].ask.context = 40960;
    all[2].ask.slots = 2;
    all[3].ask.kv_k = STR("q8_0");
    all[4].ask.kv_v = STR("q8_0");
    all[5].ask.ubatch = 256;
    all[6].ask.kv_shared = true;
    all[7].args = args, all[7].n = 2;
    all[8].args = joined, all[8].n = 1;
    for (size_t i = 0; i < COUNTOF(all); i++) {
        calibrate_settings_id(&all[i].ask, all[i].args, all[i].n, ids[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
    }
    struct fit_ask other = base;
    other.cache_bytes = 1 << 20; /* kept prompts are on top of what is measured */
    calibrate_settings_id(&other, NULL, 0, again);
    assert_string_equal(again, ids[0]);
}

static void file_id(const char *path, char out[IDENTITY_HEX])
{
    struct identity id;
    identity_init(&id);
    assert_true(identity_add_file(&id, path));
    identity_hex(&id, out);
}

static void test_a_file_that_changes_gets_another_name(void **state)
{
    char path[] = "/tmp/hob-identity-XXXXXX", first[IDENTITY_HEX], second[IDENTITY_HEX];
    int fd = mkstemp(path);
    struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
    struct identity id;
    assert_true(fd >= 0);
    assert_int_equal(futimens(fd, times), 0);
    file_id(path, first);
    file_id(path, second);
    assert_string_equal(first, second);
    times[1].tv_nsec = 1;
    assert_int_equal(futimens(fd, times), 0);
    file_id(path, second);
    assert_string_not_equal(first, second);
    assert_int_equal(write(fd, "x", 1), 1);
    times[1].tv_nsec = 0;
    assert_int_equal(futimens(fd, times), 0);
    file_id(path, second);
    assert_string_not_equal(first, second);
    close(fd);
    unlink(path);
    identity_init(&id);
    assert_false(identity_add_file(&id, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_seen_says_what_comes),
        cmocka_unit_test(test_each_source_has_its_words),
        cmocka_unit_test(test_settings_that_differ_have_names_that_differ),
        cmocka_unit_test(test_a_file_that_changes_gets_another_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
