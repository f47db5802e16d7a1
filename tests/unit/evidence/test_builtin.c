/* The suites that hob brings: each case takes its ideal answer, refuses its wrong ones, an empty one and nonsense, and none has anything to be told before a run. */
#include "evidence/draw.h"
#include "evidence/grade.h"
#include "evidence/images.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct suite *builtin(const char *name, const struct suite_choice *o)
{
    struct suite *s = NULL;
    struct err e = { 0 };
    if (suite_builtin_read(str_of(name), o, &s, &e))
        fail_msg("%s: %s", name, e.text);
    return s;
}

static enum grade_mark mark_of(const struct suite_case *c, struct grade_answer answer)
{
    struct arena a;
    struct grade g;
    arena_init(&a);
    answer.finish = STR("stop");
    grade(&a, c, &answer, &g);
    arena_fini(&a);
    return g.mark;
}

static void check(const char *name, const struct suite_choice *o)
{
    struct suite *s = builtin(name, o);
    const struct suite_finding *f;
    struct arena a;
    arena_init(&a);
    if (suite_check(s, 0, &a, &f))
        fail_msg("%s, %.*s: %.*s", name, STR_ARG(f[0].c->id), STR_ARG(f[0].text));
    for (size_t i = 0; i < s->ncases; i++) {
        const struct suite_case *c = &s->cases[i];
        struct grade_call call = { c->ideal.tool, c->ideal.arguments };
        if (!c->has_ideal || !c->wrong.n || c->id.p[0] == '#' || !c->max_tokens)
            fail_msg("%s, %.*s: has no id, ideal, wrong or max_tokens", name, STR_ARG(c->id));
        if (mark_of(c, (struct grade_answer){ .text = c->ideal.text, .calls = &call, .ncalls = c->ideal.tool.n > 0 }) != GRADE_PASS)
            fail_msg("%s, %.*s: the ideal does not pass", name, STR_ARG(c->id));
        if (mark_of(c, (struct grade_answer){ .text = STR("") }) != GRADE_FAIL || mark_of(c, (struct grade_answer){ .text = STR("As an assistant I would say: it depends.") }) != GRADE_FAIL)
            fail_msg("%s, %.*s: anything passes", name, STR_ARG(c->id));
        for (size_t w = 0; w < c->wrong.n; w++)
            if (mark_of(c, (struct grade_answer){ .text = c->wrong.at[w] }) != GRADE_FAIL)
                fail_msg("%s, %.*s: '%.*s' is not refused", name, STR_ARG(c->id), STR_ARG(c->wrong.at[w]));
    }
    arena_fini(&a);
    suite_free(s);
}

static void test_every_case_knows_right_from_wrong(void **state)
{
    for (const struct suite_builtin *b = suite_builtins; b->name; b++)
        for (uint64_t seed = 0; seed < (b->seeded ? 6 : 1); seed++)
            check(b->name, &(struct suite_choice){ .seed = seed });
}

static void test_how_many_and_what_counts(void **state)
{
    static const struct {
        const char *name;
        size_t least;
    } sizes[] = { { "t-suite", 18 }, { "chat-bench", 30 }, { "json-bench", 100 }, { "long-context", 20 }, { "pipeline", 18 }, { "vlm-bench", 8 } };
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        struct suite *s = builtin(sizes[i].name, NULL);
        if (s->ncases < sizes[i].least)
            fail_msg("%s: %zu cases", sizes[i].name, s->ncases);
        size_t counted = 0;
        for (size_t c = 0; c < s->ncases; c++)
            counted += !s->cases[c].aside;
        if (i == 0)
            assert_int_equal(counted, 16);
        suite_free(s);
    }
}

static void test_a_seed_is_a_suite(void **state)
{
    for (const struct suite_builtin *b = suite_builtins; b->name; b++) {
        struct suite *one = builtin(b->name, &(struct suite_choice){ .seed = 1 }), *again = builtin(b->name, &(struct suite_choice){ .seed = 1 });
        struct suite *other = builtin(b->name, &(struct suite_choice){ .seed = 2 });
        if (one->print != again->print || (one->print != other->print) != b->seeded)
            fail_msg("%s", b->name);
        suite_free(one);
        suite_free(again);
        suite_free(other);
    }
}

static void test_lengths_are_those_asked_for(void **state)
{
    const int64_t lengths[] = { 500, 3000 };
    struct suite *s = builtin("long-context", &(struct suite_choice){ .lengths = lengths, .nlengths = 2 });
    assert_int_equal(s->ncases, 10);
    for (size_t i = 0; i < s->ncases; i++) {
        size_t bytes = s->cases[i].input.n, most = (size_t)lengths[i / 5] * 5;
        if (bytes > most || bytes < most / 2)
            fail_msg("%.*s: %zu bytes", STR_ARG(s->cases[i].id), bytes);
    }
    suite_free(s);
}

static void test_a_wrong_name_is_told_with_the_nearest(void **state)
{
    struct suite *s = NULL;
    struct err e;
    assert_int_equal(suite_builtin_read(STR("jsonbench"), NULL, &s, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.hint, "json-bench"));
}

static void test_pictures_are_drawn_by_their_seed(void **state)
{
    static const char *const kinds[] = { "bars", "code", "net" };
    struct err e;
    for (size_t i = 0; i < COUNTOF(kinds); i++) {
        struct buf a = { 0 }, b = { 0 }, c = { 0 };
        if (draw_png(str_of(kinds[i]), 1, &a, &e) == ERR_SYSTEM)
            skip(); /* cairo is not installed */
        assert_int_equal(draw_png(str_of(kinds[i]), 1, &b, &e), ERR_OK);
        assert_int_equal(draw_png(str_of(kinds[i]), 4, &c, &e), ERR_OK);
        assert_true(str_eq(buf_str(&a), buf_str(&b)) && !str_eq(buf_str(&a), buf_str(&c)) && str_starts(buf_str(&a), STR("\x89PNG")));
        buf_free(&a);
        buf_free(&b);
        buf_free(&c);
    }
    struct buf none = { 0 };
    assert_int_equal(draw_png(STR("cat"), 1, &none, &e), ERR_NOT_FOUND);
}

static void test_images_become_data_urls(void **state)
{
    char path[] = "/tmp/hob-image-XXXXXX";
    static const char gif[] = "GIF89a-x";
    struct images m = { .folder = STR("/tmp") };
    struct arena a;
    struct str url;
    struct err e;
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    assert_true(f && fwrite(gif, 1, 8, f) == 8 && fclose(f) == 0);
    arena_init(&a);
    assert_int_equal(images_get(&m, str_of(path + 5), &a, &url, &e), ERR_OK);
    assert_true(str_eq(url, STR("data:image/gif;base64,R0lGODlhLXg=")));
    assert_int_equal(images_get(&m, STR("data:x"), &a, &url, &e), ERR_OK);
    assert_int_equal(images_get(&m, STR("not-there.png"), &a, &url, &e), ERR_NOT_FOUND);
    assert_int_equal(images_get(&m, STR("/tmp"), &a, &url, &e), ERR_INVALID_REQUEST);
    assert_int_equal(images_get(&m, STR("/etc/passwd"), &a, &url, &e), ERR_INVALID_REQUEST);
    assert_int_equal(images_get(&m, STR("draw:bars?sed=1"), &a, &url, &e), ERR_INVALID_REQUEST);
    arena_fini(&a);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_knows_right_from_wrong), cmocka_unit_test(test_how_many_and_what_counts),     cmocka_unit_test(test_a_seed_is_a_suite),
        cmocka_unit_test(test_lengths_are_those_asked_for),       cmocka_unit_test(test_a_wrong_name_is_told_with_the_nearest),
        cmocka_unit_test(test_pictures_are_drawn_by_their_seed),  cmocka_unit_test(test_images_become_data_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
