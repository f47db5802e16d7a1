/* The folder for sockets and keys: made when it is not there, refused when it is not private. */
#include "cli/rundir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64], hob[80];

static int make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/hob-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(hob, sizeof hob, "%s/hob", folder);
    setenv("XDG_RUNTIME_DIR", folder, 1);
    return 0;
}

static int clear_folder(void **state)
{
    remove(hob);
    return rmdir(folder);
}

static void assert_private(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(st.st_uid, geteuid());
}

static void test_it_is_private_short_and_one_per_state(void **state)
{
    char a[RUNDIR_MAX_BYTES], b[RUNDIR_MAX_BYTES], again[RUNDIR_MAX_BYTES];
    struct err e;
    assert_int_equal(rundir_make(STR("/var/one"), a, &e), ERR_OK);
    assert_int_equal(rundir_make(STR("/var/two"), b, &e), ERR_OK);
    assert_int_equal(rundir_make(STR("/var/one"), again, &e), ERR_OK);
    assert_string_equal(a, again);
    assert_string_not_equal(a, b);
    assert_true(str_starts(str_of(a), str_of(hob)));
    assert_private(hob);
    assert_private(a);
    assert_int_equal(rmdir(a), 0);
    assert_int_equal(rmdir(b), 0);
}

static void refuse(const char *what)
{
    char out[RUNDIR_MAX_BYTES];
    struct err e = { 0 };
    if (rundir_make(STR("/var/one"), out, &e) != ERR_SYSTEM || !strstr(e.text, what))
        fail_msg("%s: %s", what, e.text);
}

static void test_what_others_may_enter_is_refused(void **state)
{
    static const mode_t open_to_some[] = { 0710, 0701, 0750, 0755, 0777, 0720, 01777 };
    for (size_t i = 0; i < COUNTOF(open_to_some); i++) {
        assert_int_equal(mkdir(hob, 0700), 0);
        assert_int_equal(chmod(hob, open_to_some[i]), 0);
        refuse(hob);
        assert_int_equal(rmdir(hob), 0);
    }
}

static void test_a_link_or_a_file_in_its_place_is_refused(void **state)
{
    char elsewhere[96];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, hob), 0);
    refuse(hob);
    assert_int_equal(unlink(hob), 0);
    assert_int_equal(rmdir(elsewhere), 0);
    assert_int_equal(symlink("/nowhere", hob), 0);
    refuse(hob);
    assert_int_equal(unlink(hob), 0);
    FILE *f = fopen(hob, "w");
    assert_non_null(f);
    fclose(f);
    refuse(hob);
}

static void test_the_inner_folder_is_looked_at_too(void **state)
{
    char a[RUNDIR_MAX_BYTES];
    struct err e;
    assert_int_equal(rundir_make(STR("/var/one"), a, &e), ERR_OK);
    assert_int_equal(chmod(a, 0755), 0);
    refuse(a);
    assert_int_equal(rmdir(a), 0);
    assert_int_equal(symlink("/tmp", a), 0);
    refuse(a);
    assert_int_equal(unlink(a), 0);
}

static void test_without_a_usable_runtime_folder_it_is_in_tmp(void **state)
{
    char out[RUNDIR_MAX_BYTES], want[32], deep[200] = "/";
    struct err e;
    memset(deep + 1, 'd', sizeof deep - 2);
    const char *const unusable[] = { NULL, "", "relative/path", "/nowhere/at/all", deep };
    snprintf(want, sizeof want, "/tmp/hob-%u/", (unsigned)geteuid());
    for (size_t i = 0; i < COUNTOF(unusable); i++) {
        if (unusable[i])
            setenv("XDG_RUNTIME_DIR", unusable[i], 1);
        else
            unsetenv("XDG_RUNTIME_DIR");
        assert_int_equal(rundir_make(STR("/var/hob-test"), out, &e), ERR_OK);
        assert_true(str_starts(str_of(out), str_of(want)));
        assert_int_equal(rmdir(out), 0); /* /tmp/hob-UID stays: a daemon may live in it */
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, clear_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_it_is_private_short_and_one_per_state),
        IN_FOLDER(test_what_others_may_enter_is_refused),
        IN_FOLDER(test_a_link_or_a_file_in_its_place_is_refused),
        IN_FOLDER(test_the_inner_folder_is_looked_at_too),
        IN_FOLDER(test_without_a_usable_runtime_folder_it_is_in_tmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
