/* Keys: what is made, what a file must be, and what opens. SHA-256 is a stand-in here; the real one is seen end to end (test_keys.py). */
#include "guard/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"
#include "conf/conf.h"
#include "http/web_module.h"

/* ---- a stand-in that spreads every byte over all 32, and counts ---- */

static unsigned char sum[32];
static size_t fed, hashes;

static struct web_sha256 *stand_in_new(void)
{
    memset(sum, 7, sizeof sum);
    fed = 0;
    hashes++;
    return (struct web_sha256 *)sum;
}

static void stand_in_feed(struct web_sha256 *h, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++, fed++)
        for (size_t k = 0; k < sizeof sum; k++)
            sum[k] = (unsigned char)(sum[k] * 31u + (unsigned char)bytes.p[i] + k + fed);
}

static void stand_in_end(struct web_sha256 *h, unsigned char out[32])
{
    if (out)
        memcpy(out, sum, sizeof sum);
}

static const struct web_module module = { .abi = WEB_MODULE_ABI, .release = HOB_VERSION, .sha256_new = stand_in_new, .sha256_feed = stand_in_feed,
    .sha256_end = stand_in_end };

/* ---- a place with two keys ---- */

static char place[] = "/tmp/hob-keys-XXXXXX";
static char ann[KEY_TEXT_BYTES], bob[KEY_TEXT_BYTES];
static struct config *config;

static const char *in_place(const char *name)
{
    static char path[4][128];
    static size_t at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", place, name);
    return path[at];
}

static struct config *load(const char *keys)
{
    char text[1024];
    struct config *c = NULL;
    struct err e;
    snprintf(text, sizeof text, "state: %s\n%s", place, keys);
    if (conf_parse(STR("hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static int set_up(void **state)
{
    struct err e;
    web_module_use(&module);
    if (!mkdtemp(place) || mkdir(in_place("keys"), 0700))
        return -1;
    if (key_make(in_place("keys/ann"), ann, &e) || key_make(in_place("bob.key"), bob, &e))
        return -1;
    char keys[400];
    snprintf(keys, sizeof keys, "keys:\n- {name: ann}\n- {name: bob, file: %s, class: background, admin: on}\n- {name: gone}\n",
        in_place("bob.key"));
    config = load(keys);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = { "keys/ann", "bob.key", "f" };
    conf_free(config);
    for (size_t i = 0; i < COUNTOF(files); i++)
        (void)unlink(in_place(files[i]));
    return rmdir(in_place("keys")) | rmdir(place);
}

/* ---- making ---- */

static void test_a_key_is_256_bits_in_url_safe_letters(void **state)
{
    assert_int_equal(strlen(ann), 47);
    assert_memory_equal(ann, "hob_", 4);
    assert_int_equal(strspn(ann + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_string_not_equal(ann, bob);
}

static void fill_counting(void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)i;
}

static void test_its_letters_are_its_bits(void **state)
{
    char text[KEY_TEXT_BYTES];
    struct err e;
    random_use(fill_counting);
    assert_int_equal(key_make(in_place("f"), text, &e), ERR_OK);
    random_use(NULL);
    unlink(in_place("f"));
    assert_string_equal(text, "hob_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
}

static void test_the_file_holds_the_hash_alone_and_is_ours_alone(void **state)
{
    char text[256] = "";
    struct stat st;
    FILE *f = fopen(in_place("keys/ann"), "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    assert_int_equal(n, 7 + 64 + 1);
    assert_memory_equal(text, "sha256:", 7);
    assert_null(strstr(text, ann + 4));
    assert_int_equal(stat(in_place("keys/ann"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_key_that_is_there_is_not_overwritten(void **state)
{
    char text[KEY_TEXT_BYTES];
    struct err e;
    assert_int_equal(key_make(in_place("keys/ann"), text, &e), ERR_SYSTEM);
    assert_non_null(strstr(e.text, "there already"));
    assert_int_equal(text[0], 0); /* wiped */
    assert_int_equal(key_make(in_place("none/x"), text, &e), ERR_SYSTEM);
}

/* ---- files ---- */

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static const struct {
    const char *text;
    mode_t mode;
    const char *says; /* NULL: it opens */
} files[] = {
    { "sha256:" HEX64 "\n", 0600, NULL },
    { "sha256:" HEX64, 0400, NULL },
    { "  sha256:" HEX64 "\r\n\n", 0600, NULL },
    { "sha256:" HEX64 "\n", 0640, "by others" },
    { "sha256:" HEX64 "\n", 0604, "by others" },
    { "sha256:" HEX64 "\n", 0602, "by others" },
    { "", 0600, "sha256:HEX" },
    { HEX64 "\n", 0600, "sha256:HEX" },
    { "sha256:" HEX64 "0\n", 0600, "sha256:HEX" },
    { "sha256:0011\n", 0600, "sha256:HEX" },
    { "sha256:g0112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", 0600, "sha256:HEX" },
    { "sha256:" HEX64 "\nsha256:" HEX64 "\n", 0600, "sha256:HEX" },
    { "hob_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", 0600, "holds a key itself" },
};

static void test_a_file_must_be_a_hash_that_nobody_else_reads(void **state)
{
    for (size_t i = 0; i < COUNTOF(files); i++) {
        unsigned char hash[KEY_HASH_BYTES];
        struct err e = { 0 };
        FILE *f = fopen(in_place("f"), "w");
        assert_non_null(f);
        fputs(files[i].text, f);
        fclose(f);
        assert_int_equal(chmod(in_place("f"), files[i].mode), 0);
        enum err_code rc = key_read(in_place("f"), hash, &e);
        unlink(in_place("f"));
        if (rc != (files[i].says ? ERR_SYSTEM : ERR_OK))
            fail_msg("file %zu: %s", i, e.text);
        assert_true(!files[i].says || strstr(e.text, files[i].says));
        assert_null(strstr(e.text, "AAECAwQ"));
        assert_true(files[i].says || (hash[1] == 0x11 && hash[31] == 0xFF));
    }
}

static void test_what_is_no_file_opens_nothing(void **state)
{
    unsigned char hash[KEY_HASH_BYTES];
    struct err e;
    assert_int_equal(key_read(in_place("f"), hash, &e), ERR_SYSTEM);
    assert_non_null(strstr(e.text, "is not there"));
    assert_int_equal(key_read(place, hash, &e), ERR_SYSTEM);
}

/* ---- opening ---- */

enum { MAX_HEADERS = 4 };
#define A "\1" /* stands for ann's key, B for bob's */
#define B "\2"

static const struct {
    const char *name[MAX_HEADERS], *value[MAX_HEADERS];
    const char *who; /* NULL: nobody */
} requests[] = {
    { { "Authorization" }, { "Bearer " A }, "ann" },
    { { "authorization" }, { "bearer  " A }, "ann" },
    { { "X-Api-Key" }, { A }, "ann" },
    { { "x-api-key" }, { B }, "bob" },
    { { "x-api-key", "authorization" }, { B, "Bearer " B }, "bob" },
    { { "authorization", "authorization" }, { "Bearer " B, "Bearer " B }, "bob" },
    { { "accept", "authorization" }, { "*/*", "Bearer " B }, "bob" },
    { { NULL }, { NULL }, NULL },
    { { "authorization" }, { "" }, NULL },
    { { "authorization" }, { "Bearer" }, NULL },
    { { "authorization" }, { "Bearer " }, NULL },
    { { "authorization" }, { A }, NULL },
    { { "authorization" }, { "Basic " A }, NULL },
    { { "authorization" }, { "Bearer " A " " }, "ann" },
    { { "authorization" }, { "Bearer " A "x" }, NULL },
    { { "authorization" }, { "Bearer x" }, NULL },
    { { "x-api-key" }, { "" }, NULL },
    { { "x-api-key" }, { "Bearer " A }, NULL },
    { { "authorization", "x-api-key" }, { "Bearer " A, B }, NULL },
    { { "authorization", "x-api-key" }, { "Bearer " A, "" }, NULL },
    { { "authorization", "x-api-key" }, { "Basic eHg=", A }, NULL },
    { { "authorization", "authorization" }, { "Bearer " A, "Bearer " B }, NULL },
    { { "api-key" }, { A }, NULL },
    { { "cookie" }, { "key=" A }, NULL },
};

static void expand_value(const char *value, char *out, size_t room)
{
    size_t n = 0;
    for (; *value && n < room; value++)
        n += (size_t)snprintf(out + n, room - n, "%s", *value == 1 ? ann : *value == 2 ? bob : (char[]){ *value, 0 });
}

static void test_who_has_a_key_comes_in_and_nobody_else(void **state)
{
    struct keys *k = NULL;
    struct err e;
    assert_int_equal(keys_new(config, &k, &e), ERR_OK);
    assert_false(keys_open(k));
    for (size_t i = 0; i < COUNTOF(requests); i++) {
        char values[MAX_HEADERS][128];
        struct http_header at[MAX_HEADERS];
        struct http_headers h = { at, 0 };
        const struct conf_key *who = NULL;
        for (; h.n < MAX_HEADERS && requests[i].name[h.n]; h.n++) {
            expand_value(requests[i].value[h.n], values[h.n], sizeof values[h.n]);
            at[h.n] = (struct http_header){ str_of(requests[i].name[h.n]), str_of(values[h.n]) };
        }
        hashes = 0;
        struct err why = { 0 };
        enum err_code rc = keys_check(k, &h, &who, &why);
        if (rc != (requests[i].who ? ERR_OK : ERR_NO_KEY))
            fail_msg("request %zu", i);
        assert_int_equal(hashes, 1);
        if (requests[i].who) {
            assert_true(str_eq(who->name, str_of(requests[i].who)));
        } else {
            assert_null(who);
            assert_string_equal(why.text, "A valid key is needed here.");
        }
    }
    keys_free(k);
}

static void test_without_keys_everybody_comes_in(void **state)
{
    struct config *c = load("");
    struct keys *k = NULL;
    struct http_header wrong = { STR("authorization"), STR("Bearer none") };
    const struct conf_key *who;
    struct err e;
    hashes = 0;
    assert_int_equal(keys_new(c, &k, &e), ERR_OK);
    assert_true(keys_open(k));
    assert_int_equal(keys_check(k, &(struct http_headers){ &wrong, 1 }, &who, &e), ERR_OK);
    assert_null(who);
    assert_int_equal(hashes, 0);
    keys_free(k);
    conf_free(c);
}

static void test_with_keys_of_which_none_opens_nobody_comes_in(void **state)
{
    struct config *c = load("keys: [{name: gone}]\n");
    struct keys *k = NULL;
    const struct conf_key *who;
    struct err e;
    assert_int_equal(keys_new(c, &k, &e), ERR_OK);
    assert_false(keys_open(k));
    assert_int_equal(keys_check(k, &(struct http_headers){ NULL, 0 }, &who, &e), ERR_NO_KEY);
    keys_free(k);
    conf_free(c);
}

static const struct {
    const char *query;
    bool key;
} queries[] = {
    { "", false },           { "a=1", false },           { "monkey=1", false },     { "keys=1", false },          { "q=key", false },
    { "key=x", true },       { "a=1&api_key=x", true },  { "API-KEY=x", true },     { "access_token=x&a", true }, { "a=hob_x", true },
    { "token", true },       { "a&&apikey=", true },     { "=hob_", true },
};

static void test_a_key_in_the_query_is_seen(void **state)
{
    for (size_t i = 0; i < COUNTOF(queries); i++)
        if (key_in_query(str_of(queries[i].query)) != queries[i].key)
            fail_msg("%s", queries[i].query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_256_bits_in_url_safe_letters),
        cmocka_unit_test(test_its_letters_are_its_bits),
        cmocka_unit_test(test_the_file_holds_the_hash_alone_and_is_ours_alone),
        cmocka_unit_test(test_a_key_that_is_there_is_not_overwritten),
        cmocka_unit_test(test_a_file_must_be_a_hash_that_nobody_else_reads),
        cmocka_unit_test(test_what_is_no_file_opens_nothing),
        cmocka_unit_test(test_who_has_a_key_comes_in_and_nobody_else),
        cmocka_unit_test(test_without_keys_everybody_comes_in),
        cmocka_unit_test(test_with_keys_of_which_none_opens_nobody_comes_in),
        cmocka_unit_test(test_a_key_in_the_query_is_seen),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
