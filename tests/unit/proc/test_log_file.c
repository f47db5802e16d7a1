/* A child's log file: any name becomes one file name, in that folder, and no two names the same. */
#include "proc/log_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void test_names_become_files(void **state)
{
    static const struct {
        struct str name;
        const char *path;
    } rows[] = {
        { STR("smollm2"), "/s/logs/smollm2.log" },
        { STR("Qwen3-8B_q4.K"), "/s/logs/Qwen3-8B_q4.K.log" },
        { STR("org/model:q4"), "/s/logs/org%2Fmodel%3Aq4.log" },
        { STR("100%"), "/s/logs/100%25.log" },
        { STR(".."), "/s/logs/%2E..log" },
        { STR("../../etc/passwd"), "/s/logs/%2E.%2F..%2Fetc%2Fpasswd.log" },
        { STR("\xc3\xa4 b\n\0c"), "/s/logs/%C3%A4%20b%0A%00c.log" },
        { STR(""), "/s/logs/.log" },
    };
    char path[LOG_FILE_PATH_BYTES];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_true(log_file_path(STR("/s"), rows[i].name, path));
        assert_string_equal(path, rows[i].path);
    }
}

static void test_long_names_fit_and_stay_apart(void **state)
{
    char a[3000], b[3000], pa[LOG_FILE_PATH_BYTES], pb[LOG_FILE_PATH_BYTES];
    for (char c = 'x'; c; c = c == 'x' ? '/' : 0) {
        memset(a, c, sizeof a);
        memcpy(b, a, sizeof b);
        b[sizeof b - 1] = 'y';
        assert_true(log_file_path(STR("/s"), str_make(a, sizeof a), pa));
        assert_true(log_file_path(STR("/s"), str_make(b, sizeof b), pb));
        assert_string_not_equal(pa, pb);
        assert_true(strlen(strrchr(pa, '/') + 1) + 2 <= 255 && str_starts(str_of(strrchr(pa, '/')), STR("/")));
        assert_true(str_starts(str_of(pa), STR("/s/logs/")));
    }
}

static void test_a_state_folder_may_be_too_deep(void **state)
{
    char deep[LOG_FILE_PATH_BYTES], path[LOG_FILE_PATH_BYTES];
    memset(deep, 'd', sizeof deep);
    assert_false(log_file_path(str_make(deep, sizeof deep), STR("m"), path));
    assert_false(log_file_folder(str_make(deep, sizeof deep)));
}

static void test_the_folder_is_made_once_and_private(void **state)
{
    char folder[] = "/tmp/hob-test-XXXXXX", logs[64];
    struct stat st;
    assert_non_null(mkdtemp(folder));
    assert_true(log_file_folder(str_of(folder)));
    assert_true(log_file_folder(str_of(folder)));
    snprintf(logs, sizeof logs, "%s/logs", folder);
    assert_int_equal(stat(logs, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(logs), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_become_files),
        cmocka_unit_test(test_long_names_fit_and_stay_apart),
        cmocka_unit_test(test_a_state_folder_may_be_too_deep),
        cmocka_unit_test(test_the_folder_is_made_once_and_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
