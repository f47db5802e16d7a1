/* A file that is not whole yet, on a real folder: held by one, kept, cut, finished; and its note, read without trust. */
#include "model/part.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char folder[] = "/tmp/hob-part-XXXXXX";
static char target[64];

static int begin(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    snprintf(target, sizeof target, "%s/m.gguf", folder);
    return 0;
}

static int end(void **state)
{
    return rmdir(folder); /* each test leaves nothing */
}

static bool exists(const char *suffix)
{
    char path[96];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", target, suffix);
    return lstat(path, &st) == 0;
}

static void drop(const char *suffix)
{
    char path[96];
    snprintf(path, sizeof path, "%s%s", target, suffix);
    assert_int_equal(unlink(path), 0);
}

static void test_it_grows_and_becomes_the_file(void **state)
{
    struct part p;
    struct err e = { 0 };
    struct part_note note = { .url = "https://hub.test/m.gguf", .etag = "\"one\"", .bytes = 6, .sha256 = SHA };
    assert_int_equal(part_open(&p, str_of(target), &e), ERR_OK);
    assert_int_equal(part_write_note(&p, &note, &e), ERR_OK);
    assert_int_equal(part_add(&p, STR("abcxyz"), &e), ERR_OK);
    part_close(&p);
    assert_true(exists(".part") && exists(".part.json") && !exists(""));

    assert_int_equal(part_open(&p, str_of(target), &e), ERR_OK);
    assert_int_equal(p.have, 6);
    assert_true(strcmp(p.note.url, note.url) == 0 && strcmp(p.note.etag, note.etag) == 0 && strcmp(p.note.sha256, SHA) == 0 && p.note.bytes == 6);
    assert_int_equal(part_cut(&p, 3, &e), ERR_OK);
    assert_int_equal(part_add(&p, STR("def"), &e), ERR_OK);
    assert_int_equal(part_finish(&p, &e), ERR_OK);
    part_close(&p);
    assert_true(!exists(".part") && !exists(".part.json") && exists(""));
    FILE *f = fopen(target, "r");
    char text[8] = "";
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof text, f), 6);
    assert_string_equal(text, "abcdef");
    fclose(f);
    drop("");
}

static void test_one_holds_it_at_a_time(void **state)
{
    struct part a, b;
    struct err e = { 0 };
    assert_int_equal(part_open(&a, str_of(target), &e), ERR_OK);
    assert_int_equal(part_open(&b, str_of(target), &e), ERR_SYSTEM);
    assert_non_null(strstr(e.text, "another hob pull is fetching m.gguf now"));
    assert_int_equal(part_add(&a, STR("x"), &e), ERR_OK);
    part_close(&a);
    assert_int_equal(part_open(&b, str_of(target), &e), ERR_OK);
    part_remove(&b);
    part_close(&b);
    assert_false(exists(".part"));
}

static void test_nothing_leaves_nothing(void **state)
{
    struct part p;
    struct err e = { 0 };
    struct part_note note = { .bytes = -1 };
    assert_int_equal(part_open(&p, str_of(target), &e), ERR_OK);
    assert_int_equal(part_write_note(&p, &note, &e), ERR_OK);
    part_close(&p);
    part_close(&p);
    assert_false(exists(".part") || exists(".part.json"));
}

static void test_links_and_folders_are_no_parts(void **state)
{
    struct part p;
    struct err e = { 0 };
    char path[96], long_name[400];
    snprintf(path, sizeof path, "%s.part", target);
    assert_int_equal(symlink("/tmp/elsewhere", path), 0);
    assert_int_equal(part_open(&p, str_of(target), &e), ERR_SYSTEM);
    assert_int_equal(e.sys, ELOOP);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(part_open(&p, str_of(target), &e), ERR_SYSTEM);
    rmdir(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(part_open(&p, str_of(target), &e), ERR_SYSTEM);
    unlink(path);
    snprintf(long_name, sizeof long_name, "%s/%0300d", folder, 1);
    assert_int_equal(part_open(&p, str_of(long_name), &e), ERR_SYSTEM);
    assert_int_equal(part_open(&p, STR("m.gguf"), &e), ERR_SYSTEM);
    assert_int_equal(part_open(&p, STR("/nowhere/at/all/m.gguf"), &e), ERR_SYSTEM);
}

static void test_notes_are_read_without_trust(void **state)
{
    static const struct {
        const char *json, *url, *etag, *sha256;
        int64_t bytes;
    } rows[] = {
        { "", "", "", "", -1 },
        { "[]", "", "", "", -1 },
        { "{\"url\":\"https://a.test/\",\"etag\":\"\\\"e\\\"\",\"bytes\":5,\"sha256\":\"" SHA "\"}", "https://a.test/", "\"e\"", SHA, 5 },
        { "{\"url\":7,\"etag\":[],\"bytes\":-5,\"sha256\":\"short\"}", "", "", "", -1 },
        { "{\"url\":\"a\\nb\",\"etag\":\"\\u0000\",\"bytes\":1.5}", "", "", "", -1 },
        { "{\"bytes\":18446744073709551615}", "", "", "", -1 },
        { "{\"url\":null,\"etag\":null,\"bytes\":null,\"sha256\":null}", "", "", "", -1 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct part_note n;
        part_note_read(str_of(rows[i].json), &n);
        assert_true(strcmp(n.url, rows[i].url) == 0 && strcmp(n.etag, rows[i].etag) == 0 && strcmp(n.sha256, rows[i].sha256) == 0);
        assert_int_equal(n.bytes, rows[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_grows_and_becomes_the_file),
        cmocka_unit_test(test_one_holds_it_at_a_time),
        cmocka_unit_test(test_nothing_leaves_nothing),
        cmocka_unit_test(test_links_and_folders_are_no_parts),
        cmocka_unit_test(test_notes_are_read_without_trust),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
