/* Names of models on a hub, and the choice among a repository's files. */
#include "model/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct arena arena;

static bool is(struct str s, const char *want)
{
    return str_eq(s, str_of(want));
}

static void test_names_are_read(void **state)
{
    static const struct {
        const char *text, *org, *repo, *revision, *quant, *file;
    } rows[] = {
        { "org/repo", "org", "repo", "", "", "" },
        { "org/repo/", "org", "repo", "", "", "" },
        { "org/Repo-1.5_GGUF:q4_K_m", "org", "Repo-1.5_GGUF", "", "q4_K_m", "" },
        { "org/repo:UD-Q4_K_XL", "org", "repo", "", "UD-Q4_K_XL", "" },
        { "org/repo:Model-Q8_0.gguf", "org", "repo", "", "", "Model-Q8_0.gguf" },
        { "org/repo/sub/Model-Q8_0.GGUF", "org", "repo", "", "", "sub/Model-Q8_0.GGUF" },
        { "hf.co/org/repo:Q8_0", "org", "repo", "", "Q8_0", "" },
        { "https://hf.co/org/repo", "org", "repo", "", "", "" },
        { "huggingface.co/org/repo", "org", "repo", "", "", "" },
        { "https://huggingface.co/org/repo/tree/main", "org", "repo", "main", "", "" },
        { "https://huggingface.co/org/repo/blob/main/a.gguf", "org", "repo", "main", "", "a.gguf" },
        { "https://huggingface.co/org/repo/resolve/abc123/d%20e/a.gguf?download=true", "org", "repo", "abc123", "", "d e/a.gguf" },
        { "https://huggingface.co/org/repo#files", "org", "repo", "", "", "" },
        { "https://hub.test:8443/x/org/repo", "org", "repo", "", "", "" }, /* where it was moved to */
        { "https://hub.test:8443/x/org/repo/resolve/v1.0/a.gguf", "org", "repo", "v1.0", "", "a.gguf" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct hub_name h = { 0 };
        struct err e = { 0 };
        assert_int_equal(hub_name_parse(str_of(rows[i].text), STR("https://hub.test:8443/x/"), &arena, &h, &e), ERR_OK);
        assert_true(is(h.org, rows[i].org) && is(h.repo, rows[i].repo) && is(h.revision, rows[i].revision));
        assert_true(is(h.quant, rows[i].quant) && is(h.file, rows[i].file) && !h.url.n);
    }
}

static void test_other_addresses_are_taken_as_they_are(void **state)
{
    static const char *const rows[] = { "https://bucket.test/models/a.gguf", "https://bucket.test/a.GGUF?sig=1", "http://127.0.0.1:1/a-b_c+d.gguf",
        "https://hub.test/models/a.gguf" };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct hub_name h = { 0 };
        struct err e = { 0 };
        assert_int_equal(hub_name_parse(str_of(rows[i]), STR("https://hub.test"), &arena, &h, &e), ERR_OK);
        assert_true(is(h.url, rows[i]) && !h.org.n);
    }
}

static void test_names_that_would_lead_elsewhere_are_refused(void **state)
{
    static const char *const rows[] = {
        "", "word", "/repo", "org/", "../repo", "org/..", "org/../etc", ".org/repo", "org/.repo", "-org/repo", "org/a..b", "org/re po", "org/repo:",
        "org/repo:../../x", "org/repo:a b", "org/repo:/etc/x.gguf", "org/repo:../x.gguf", "org/repo/../../x.gguf", "org/repo/./x.gguf",
        "org/repo//x.gguf", "org/repo/x.bin", "org/repo/x\\y.gguf", "/etc/passwd", "org/repo\n:x", "hf.co/org", "https://huggingface.co/org",
        "https://huggingface.co/org/repo/resolve/..%2f..%2fx/a.gguf", "https://huggingface.co/org/repo/blob/main/..%2f..%2fetc%2fx.gguf",
        "https://huggingface.co/org/repo/blob/main/a%00.gguf", "https://huggingface.co/org/repo/blob/main/a%zz.gguf",
        "https://huggingface.co/org/repo/blob/main/a.gguf%2", "https://bucket.test/", "https://bucket.test/a.bin", "https://bucket.test/.gguf",
        "https://bucket.test/.a.gguf", "https://bucket.test/-a.gguf", "https://bucket.test/a%2Fb%2F..gguf/", "https://bucket.test/a%20b.gguf",
        "http://bucket.test/a.gguf", "ftp://bucket.test/a.gguf", "file:///a.gguf", "https://u:p@bucket.test/a.gguf", "https://bucket.test/x?a.gguf",
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct hub_name h = { .org = STR("as it was") };
        struct err e = { 0 };
        if (hub_name_parse(str_of(rows[i]), STR(HUB_DEFAULT), &arena, &h, &e) != ERR_INVALID_REQUEST)
            fail_msg("accepted: %s", rows[i]);
        assert_true(is(h.org, "as it was") && e.text[0]);
    }
    struct hub_name h;
    struct err e;
    assert_int_equal(hub_name_parse(str_make("org/repo\0:x", 11), STR(HUB_DEFAULT), &arena, &h, &e), ERR_INVALID_REQUEST);
    static char many[5000];
    memset(many, 'a', sizeof many);
    many[5] = '/';
    assert_int_equal(hub_name_parse(str_make(many, sizeof many), STR(HUB_DEFAULT), &arena, &h, &e), ERR_INVALID_REQUEST);
    assert_int_equal(hub_name_parse(str_make(many, 300), STR(HUB_DEFAULT), &arena, &h, &e), ERR_INVALID_REQUEST);
}

static void test_file_names_are_harmless_or_empty(void **state)
{
    static const struct {
        const char *path, *name;
    } rows[] = {
        { "a/b/c.gguf", "c.gguf" }, { "c-1.5_Q4+x.gguf", "c-1.5_Q4+x.gguf" }, { "a/..", "" }, { "a/.c.gguf", "" }, { "a/c d.gguf", "" },
        { "a/", "" }, { "", "" }, { "a/-rf", "" }, { "c\x01.gguf", "" }, { "c%2f.gguf", "" }, { "c\\d.gguf", "" }, { "\xc3\xa9.gguf", "" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_true(is(hub_file_name(str_of(rows[i].path)), rows[i].name));
}

static struct hub_repo repo_of(const char *json)
{
    struct hub_repo r = { 0 };
    struct err e = { 0 };
    if (hub_repo_read(str_of(json), &arena, &r, &e))
        fail_msg("%s", e.text);
    return r;
}

static void test_answers_of_the_hub_are_read_without_trust(void **state)
{
    struct hub_repo r = repo_of("{\"id\":\"org/repo\",\"sha\":\"0123456789ABCDEF0123456789abcdef01234567\",\"gated\":\"manual\",\"siblings\":["
                                "{\"rfilename\":\"README.md\",\"size\":10},"
                                "{\"rfilename\":\"b.gguf\",\"size\":11,\"lfs\":{\"sha256\":\"" SHA "\",\"size\":12}},"
                                "{\"rfilename\":\"a.gguf\",\"size\":13,\"lfs\":{\"sha256\":\"../../etc\"}},"
                                "{\"rfilename\":\"c.gguf\",\"size\":-1},{\"rfilename\":\"d.gguf\",\"size\":1e30},{\"rfilename\":\"e.gguf\",\"size\":\"9\"},"
                                "{\"rfilename\":\"../x.gguf\"},{\"rfilename\":\"/x.gguf\"},{\"rfilename\":\"a/../x.gguf\"},{\"rfilename\":\"a//x.gguf\"},"
                                "{\"rfilename\":\".x.gguf\"},{\"rfilename\":\"x y.gguf\"},{\"rfilename\":\"x\\u0000.gguf\"},{\"rfilename\":\"x\\n.gguf\"},"
                                "{\"rfilename\":7},{\"other\":1},7,null]}");
    static const struct {
        const char *path;
        int64_t bytes;
        const char *sha;
    } want[] = { { "a.gguf", 13, "" }, { "b.gguf", 12, SHA }, { "c.gguf", -1, "" }, { "d.gguf", -1, "" }, { "e.gguf", -1, "" } };
    assert_true(is(r.commit, "0123456789abcdef0123456789abcdef01234567") && r.gated);
    assert_int_equal(r.n, COUNTOF(want));
    assert_int_equal(r.left_out, 8);
    for (size_t i = 0; i < r.n; i++)
        assert_true(is(r.files[i].path, want[i].path) && r.files[i].bytes == want[i].bytes && is(r.files[i].sha256, want[i].sha));
}

static void test_answers_that_are_none(void **state)
{
    static const char *const rows[] = { "", "<html>", "[]", "7", "{}", "{\"siblings\":{}}", "{\"siblings\":[{\"rfilename\":\"a.gguf\"}" };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct hub_repo r = { .n = 7 };
        struct err e = { 0 };
        assert_int_equal(hub_repo_read(str_of(rows[i]), &arena, &r, &e), ERR_UP_GARBLED);
        assert_int_equal(r.n, 7);
    }
    struct hub_repo r = repo_of("{\"siblings\":[],\"gated\":false,\"sha\":\"nothex\"}");
    assert_true(!r.n && !r.gated && !r.commit.n);
}

#define F(name) "{\"rfilename\":\"" name "\",\"size\":100},"
#define REPO(files) "{\"siblings\":[" files "{\"rfilename\":\"README.md\"}]}"

static void test_the_file_that_is_meant_is_chosen(void **state)
{
    static const char usual[] = REPO(F("M-Q4_K_M.gguf") F("M-Q4_K_S.gguf") F("M-Q8_0.gguf") F("M-UD-Q4_K_XL.gguf") F("M-IQ4_XS.gguf") F("mmproj-F16.gguf")
                                       F("mmproj-BF16.gguf") F("imatrix.gguf"));
    static const char split[] = REPO(F("Q4_K_M/M-Q4_K_M-00001-of-00003.gguf") F("Q4_K_M/M-Q4_K_M-00002-of-00003.gguf") F("Q4_K_M/M-Q4_K_M-00003-of-00003.gguf")
                                       F("Q8_0/weights-00001-of-00002.gguf") F("Q8_0/weights-00002-of-00002.gguf")
                                       F("F16/M-F16-00001-of-00002.gguf"));
    static const char twice[] = REPO(F("A-1B-Q4_K_M.gguf") F("A-3B-Q4_K_M.gguf") F("A-3B-Q8_0.gguf") F("x/same.gguf") F("y/same.gguf"));
    static const char alone[] = REPO(F("only.gguf") F("mmproj.gguf"));
    static const struct {
        const char *json, *name, *path; /* NULL: none */
        size_t n;
        enum err_code rc;
    } rows[] = {
        { usual, "o/r:q4_k_m", "M-Q4_K_M.gguf", 1, ERR_OK },
        { usual, "o/r", "M-Q4_K_M.gguf", 1, ERR_OK },
        { usual, "o/r:Q4_K_S", "M-Q4_K_S.gguf", 1, ERR_OK },
        { usual, "o/r:Q4_K_XL", "M-UD-Q4_K_XL.gguf", 1, ERR_OK },
        { usual, "o/r:UD-Q4_K_XL", "M-UD-Q4_K_XL.gguf", 1, ERR_OK },
        { usual, "o/r:IQ4_XS", "M-IQ4_XS.gguf", 1, ERR_OK },
        { usual, "o/r:Q4_K", NULL, 0, ERR_NOT_FOUND },
        { usual, "o/r:Q4_XS", NULL, 0, ERR_NOT_FOUND },
        { usual, "o/r:F16", NULL, 0, ERR_NOT_FOUND }, /* a projector is no model */
        { usual, "o/r:M-Q8_0.gguf", "M-Q8_0.gguf", 1, ERR_OK },
        { usual, "o/r:mmproj-F16.gguf", "mmproj-F16.gguf", 1, ERR_OK },
        { usual, "o/r:nothing.gguf", NULL, 0, ERR_NOT_FOUND },
        { split, "o/r:Q4_K_M", "Q4_K_M/M-Q4_K_M-00001-of-00003.gguf", 3, ERR_OK },
        { split, "o/r:Q8_0", "Q8_0/weights-00001-of-00002.gguf", 2, ERR_OK },
        { split, "o/r/Q4_K_M/M-Q4_K_M-00002-of-00003.gguf", "Q4_K_M/M-Q4_K_M-00001-of-00003.gguf", 3, ERR_OK },
        { split, "o/r:F16", NULL, 0, ERR_UP_GARBLED },
        { twice, "o/r:Q4_K_M", NULL, 0, ERR_NOT_FOUND },
        { twice, "o/r:Q8_0", "A-3B-Q8_0.gguf", 1, ERR_OK },
        { twice, "o/r:A-1B-Q4_K_M.gguf", "A-1B-Q4_K_M.gguf", 1, ERR_OK },
        { twice, "o/r:same.gguf", NULL, 0, ERR_NOT_FOUND },
        { twice, "o/r/y/same.gguf", "y/same.gguf", 1, ERR_OK },
        { alone, "o/r", "only.gguf", 1, ERR_OK },
        { alone, "o/r:Q4_K_M", NULL, 0, ERR_NOT_FOUND },
        { REPO(""), "o/r", NULL, 0, ERR_NOT_FOUND },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct hub_repo r = repo_of(rows[i].json);
        struct hub_name name;
        struct hub_choice c = { 0 };
        struct err e = { 0 };
        assert_int_equal(hub_name_parse(str_of(rows[i].name), STR(HUB_DEFAULT), &arena, &name, &e), ERR_OK);
        enum err_code rc = hub_choose(&r, &name, STR(HUB_DEFAULT_QUANT), &arena, &c, &e);
        if (rc != rows[i].rc)
            fail_msg("%s: %d %s", rows[i].name, rc, e.text);
        if (rc)
            continue;
        assert_true(is(c.files[0]->path, rows[i].path));
        assert_int_equal(c.n, rows[i].n);
        assert_int_equal(c.bytes, 100 * (int64_t)c.n);
    }
}

static void test_projectors(void **state)
{
    struct hub_choice c;
    struct hub_repo r = repo_of(REPO(F("M-Q4_K_M.gguf") F("mmproj-BF16.gguf") F("mmproj-F16.gguf") F("mmproj-F32.gguf")));
    assert_true(hub_choose_projector(&r, &arena, &c) && is(c.files[0]->path, "mmproj-F16.gguf") && c.projector);
    r = repo_of(REPO(F("M-Q4_K_M.gguf") F("x-mmproj-model.gguf")));
    assert_true(hub_choose_projector(&r, &arena, &c) && is(c.files[0]->path, "x-mmproj-model.gguf"));
    r = repo_of(REPO(F("M-Q4_K_M.gguf")));
    assert_false(hub_choose_projector(&r, &arena, &c));
}

static void test_addresses(void **state)
{
    struct hub_name h = { .org = STR("o"), .repo = STR("r") };
    assert_true(is(hub_info_url(STR("https://hub.test/"), &h, &arena), "https://hub.test/api/models/o/r?blobs=true"));
    assert_true(is(hub_file_url(STR("https://hub.test"), &h, STR(""), STR("a b/c.gguf"), &arena), "https://hub.test/o/r/resolve/main/a%20b/c.gguf"));
    assert_true(is(hub_file_url(STR("https://hub.test"), &h, STR("0123"), STR("c.gguf"), &arena), "https://hub.test/o/r/resolve/0123/c.gguf"));
    assert_true(is(hub_mirror_url(STR("https://m.test/x/"), &h, STR("a#b/c.gguf"), &arena), "https://m.test/x/o/r/a%23b/c.gguf"));
    h.revision = STR("v1");
    assert_true(is(hub_info_url(STR("https://hub.test"), &h, &arena), "https://hub.test/api/models/o/r/revision/v1?blobs=true"));
    assert_true(is(hub_folder(&h, &arena), "o__r"));
}

static int begin(void **state)
{
    arena_init(&arena);
    return 0;
}

static int end(void **state)
{
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_read),
        cmocka_unit_test(test_other_addresses_are_taken_as_they_are),
        cmocka_unit_test(test_names_that_would_lead_elsewhere_are_refused),
        cmocka_unit_test(test_file_names_are_harmless_or_empty),
        cmocka_unit_test(test_answers_of_the_hub_are_read_without_trust),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_the_file_that_is_meant_is_chosen),
        cmocka_unit_test(test_projectors),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
