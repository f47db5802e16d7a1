/* A swap's life: which steps it takes in which state, what the gate asks for, and that it comes back from its text as it was. */
#include "evidence/swap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { DAY_MS = 86400000 };
static const int64_t noon = 1800000000000;

static void plan(struct swap *s)
{
    swap_init(s);
    s->id = 7;
    s->made_ms = noon;
    s->window_ms = 7 * DAY_MS;
    s->nroles = 2;
    s->roles[0] = (struct swap_role){ .name = STR("chat"), .said = STR("old"), .from = STR("old"), .to = STR("new") };
    s->roles[1] = (struct swap_role){ .name = STR("vision"), .said = STR("eyes"), .from = STR("eyes"), .to = STR("new") };
}

static const struct swap_proof good = { .suite = STR("json-bench"), .run = STR("1"), .pairs = 100, .both = 98, .neither = 2, .lo = -0.03, .hi = 0.03, .needed = -1,
    .verdict = SWAP_NOT_WORSE };
static const struct swap_proof bad = { .suite = STR("json-bench"), .run = STR("2"), .pairs = 100, .both = 88, .only_old = 11, .only_new = 1, .difference = -0.1, .lo = -0.17,
    .hi = -0.04, .needed = -1, .verdict = SWAP_WORSE };
static const struct swap_proof open = { .suite = STR("own"), .run = STR("3"), .pairs = 20, .both = 20, .lo = -0.16, .hi = 0.16, .needed = 73, .verdict = SWAP_CANNOT_TELL };

static enum err_code take(struct swap *s, enum swap_step step, const char *role, struct swap_wish w)
{
    static struct err e;
    w.step = step;
    w.role = str_of(role);
    w.now_ms = w.now_ms ? w.now_ms : noon;
    return swap_take(s, &w, &e);
}

static void prove(struct swap *s, const char *role, const struct swap_proof *p)
{
    assert_int_equal(take(s, STEP_EVIDENCE, role, (struct swap_wish){ .proof = p }), ERR_OK);
    assert_int_equal(take(s, STEP_SMOKE, role, (struct swap_wish){ 0 }), ERR_OK);
}

static void test_a_swap_goes_its_way(void **state)
{
    struct swap s;
    struct conf_shift shifts[SWAP_MAX_ROLES];
    plan(&s);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 0);
    prove(&s, "chat", &good);
    assert_int_equal(s.state, SWAP_EVIDENCED);
    prove(&s, "vision", &good);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(s.state, SWAP_TRIAL);
    assert_int_equal(s.until_ms, noon + 7 * DAY_MS);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 2);
    assert_true(str_eq(shifts[1].from, STR("eyes")) && str_eq(shifts[1].to, STR("new")) && shifts[1].until.n == 10);
    /* one goes back, the other stays */
    assert_int_equal(take(&s, STEP_BREACH, "vision", (struct swap_wish){ .why = STR("its errors rose") }), ERR_OK);
    assert_int_equal(s.state, SWAP_TRIAL);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 1);
    assert_int_equal(take(&s, STEP_PROMOTE, "", (struct swap_wish){ 0 }), ERR_GATE); /* its window is not over */
    assert_int_equal(take(&s, STEP_PROMOTE, "", (struct swap_wish){ .now_ms = noon + 7 * DAY_MS }), ERR_OK);
    assert_int_equal(s.state, SWAP_PROMOTED);
    assert_int_equal(s.roles[1].state, SWAP_ROLLED_BACK);
    assert_true(str_eq(s.roles[1].why, STR("its errors rose")));
    assert_int_equal(take(&s, STEP_PROMOTE, "", (struct swap_wish){ 0 }), ERR_WRONG_STATE);
    assert_int_equal(take(&s, STEP_ROLLBACK, "vision", (struct swap_wish){ 0 }), ERR_WRONG_STATE);
    assert_int_equal(take(&s, STEP_ROLLBACK, "nobody", (struct swap_wish){ 0 }), ERR_NOT_FOUND);
    assert_int_equal(take(&s, STEP_ROLLBACK, "", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(s.state, SWAP_ROLLED_BACK);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 0);
    swap_fini(&s);
}

static void test_the_gate(void **state)
{
    static const struct { const struct swap_proof *proofs[2]; bool smoked, force; const char *why; enum err_code is; enum swap_verdict verdict; } cases[] = {
        { { NULL }, true, false, "", ERR_GATE, SWAP_UNJUDGED },
        { { NULL }, true, true, "", ERR_GATE, SWAP_UNJUDGED },           /* force says why */
        { { NULL }, true, true, "it is Friday", ERR_OK, SWAP_UNJUDGED },
        { { &good }, true, false, "", ERR_OK, SWAP_NOT_WORSE },
        { { &good }, false, false, "", ERR_GATE, SWAP_NOT_WORSE },       /* nobody has seen it answer */
        { { &bad }, true, false, "", ERR_GATE, SWAP_WORSE },
        { { &bad }, false, true, "I know", ERR_OK, SWAP_WORSE },
        { { &open }, true, false, "", ERR_OK, SWAP_CANNOT_TELL },        /* and says so */
        { { &bad, &open }, true, false, "", ERR_GATE, SWAP_WORSE },
        { { &good, &open }, true, false, "", ERR_OK, SWAP_CANNOT_TELL },
        { { &bad, &good }, true, false, "", ERR_OK, SWAP_NOT_WORSE },    /* the same suite again: the last run counts */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct swap s;
        plan(&s);
        s.nroles = 1;
        for (size_t k = 0; k < 2 && cases[i].proofs[k]; k++)
            assert_int_equal(take(&s, STEP_EVIDENCE, "chat", (struct swap_wish){ .proof = cases[i].proofs[k] }), ERR_OK);
        if (cases[i].smoked)
            assert_int_equal(take(&s, STEP_SMOKE, "chat", (struct swap_wish){ 0 }), ERR_OK);
        assert_int_equal(s.roles[0].verdict, cases[i].verdict);
        enum swap_state before = s.state;
        assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ .force = cases[i].force, .why = str_of(cases[i].why) }), cases[i].is);
        assert_int_equal(s.state, cases[i].is ? before : SWAP_TRIAL);
        assert_int_equal(s.forced, !cases[i].is && cases[i].force);
        swap_fini(&s);
    }
}

static void test_a_share_is_no_deprecation(void **state)
{
    struct swap s;
    struct conf_shift shifts[SWAP_MAX_ROLES];
    plan(&s);
    assert_int_equal(take(&s, STEP_START, "chat", (struct swap_wish){ .force = true, .why = STR("try"), .share = 0.1, .window_ms = DAY_MS }), ERR_OK);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 1);
    assert_true(shifts[0].share < 0.11 && !shifts[0].until.n);
    assert_int_equal(take(&s, STEP_PROMOTE, "chat", (struct swap_wish){ .early = true }), ERR_OK);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 1);
    assert_true(shifts[0].share >= 1 && shifts[0].until.n);
    swap_fini(&s);
}

static void text_of(const struct swap *s, struct buf *out)
{
    struct json_out o = json_out(out);
    swap_put(s, noon, true, &o);
}

/* In each state: what a restart finds is what was left. */
static void test_its_text_is_all_of_it(void **state)
{
    struct swap s, again;
    struct buf text = { 0 }, twice = { 0 };
    struct err e;
    plan(&s);
    s.preflight = STR("{\"ok\":true}");
    prove(&s, "chat", &good);
    prove(&s, "vision", &open);
    s.roles[0].guards = STR("{\"errors\":[1,2.5]}");
    for (int step = 0; step < 4; step++) {
        if (step == 3)
            assert_int_equal(take(&s, STEP_SHADOW, "chat", (struct swap_wish){ .share = 0.25 }), ERR_OK);
        if (step == 1)
            assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ .force = true, .why = STR("\"quoted\" \xc3\xa4") }), ERR_OK);
        if (step == 2)
            assert_int_equal(take(&s, STEP_ROLLBACK, "chat", (struct swap_wish){ .why = STR("no") }), ERR_OK);
        buf_reset(&text, 4096);
        buf_reset(&twice, 4096);
        text_of(&s, &text);
        swap_init(&again);
        assert_int_equal(swap_read(&again, buf_str(&text), &e), ERR_OK);
        text_of(&again, &twice);
        buf_add_char(&text, 0);
        buf_add_char(&twice, 0);
        assert_string_equal(text.p, twice.p);
        swap_fini(&again);
    }
    static const char *const none[] = { "", "{}", "[]", "{\"state\":\"trial\"}", "{\"state\":\"odd\",\"roles\":[{\"role\":\"a\",\"to\":\"b\",\"state\":\"trial\"}]}",
        "{\"state\":\"trial\",\"roles\":[{\"role\":\"a\",\"to\":\"b\",\"state\":\"odd\"}]}" };
    for (size_t i = 0; i < COUNTOF(none); i++) {
        swap_init(&again);
        assert_int_not_equal(swap_read(&again, str_of(none[i]), &e), ERR_OK);
        swap_fini(&again);
    }
    buf_free(&text);
    buf_free(&twice);
    swap_fini(&s);
}

/* It is no trial: the old one answers, evidence is taken meanwhile, and what was said of it stays until something else is. */
static void test_a_shadow_goes_before_the_trial(void **state)
{
    struct swap s;
    struct conf_shift shifts[SWAP_MAX_ROLES];
    plan(&s);
    assert_int_equal(take(&s, STEP_SHADOW, "chat", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(s.state, SWAP_SHADOW);
    assert_true(s.shadow_share == SWAP_SHADOW_SHARE && s.shadow_idle_ms == SWAP_SHADOW_IDLE_MS && s.shadow_ms == noon);
    assert_int_equal(s.roles[1].state, SWAP_PLANNED);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 0);
    assert_false(swap_is_on(&s));
    assert_int_equal(take(&s, STEP_SHADOW, "chat", (struct swap_wish){ .share = 0.5, .idle_ms = 7 }), ERR_OK);
    assert_int_equal(take(&s, STEP_SHADOW, "vision", (struct swap_wish){ 0 }), ERR_OK);
    assert_true(s.shadow_share == 0.5 && s.shadow_idle_ms == 7);
    assert_int_equal(take(&s, STEP_PROMOTE, "", (struct swap_wish){ .early = true }), ERR_WRONG_STATE);
    assert_int_equal(take(&s, STEP_BREACH, "", (struct swap_wish){ 0 }), ERR_WRONG_STATE);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_GATE);
    prove(&s, "chat", &good);
    assert_int_equal(s.roles[0].state, SWAP_SHADOW);
    assert_int_equal(s.roles[0].verdict, SWAP_NOT_WORSE);
    assert_int_equal(take(&s, STEP_START, "chat", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(take(&s, STEP_ROLLBACK, "vision", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 1);
    assert_int_equal(take(&s, STEP_SHADOW, "chat", (struct swap_wish){ 0 }), ERR_WRONG_STATE);
    assert_int_equal(take(&s, STEP_SHADOW, "vision", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(s.state, SWAP_TRIAL);
    swap_fini(&s);
}

/* ---- builds of engines ---- */

static void plan_build(struct swap *s, size_t models)
{
    swap_init(s);
    s->id = 8;
    s->made_ms = noon;
    s->window_ms = 7 * DAY_MS;
    s->engine = (struct swap_engine){ .name = STR("llama"), .from = STR("/a/llama-server"), .to = STR("/b/llama-server"), .version_to = STR("b2"),
        .build_from = STR("aa"), .architectures = STR("{\"lost\":[\"gptj\"],\"gained\":[]}") };
    for (size_t i = 0; i < models; i++) {
        struct swap_role *r = swap_add(s);
        r->name = arena_printf(&s->arena, "m%zu", i);
        r->said = r->from = s->engine.from;
        r->to = s->engine.to;
        r->resident = i < 2;
    }
}

static void test_a_build_moves_under_its_models(void **state)
{
    struct swap s;
    struct conf_shift shifts[4];
    plan_build(&s, 3);
    assert_int_equal(take(&s, STEP_SMOKE, "m0", (struct swap_wish){ 0 }), ERR_WRONG_STATE); /* it is nowhere yet */
    assert_int_equal(take(&s, STEP_EVIDENCE, "m0", (struct swap_wish){ .proof = &good }), ERR_OK);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_GATE); /* m1 is in memory, too */
    assert_int_equal(take(&s, STEP_EVIDENCE, "m1", (struct swap_wish){ .proof = &open }), ERR_OK);
    assert_int_equal(take(&s, STEP_EVIDENCE, "m2", (struct swap_wish){ .proof = &bad }), ERR_OK);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_GATE); /* nobody asked for that one, but what is known is known */
    assert_int_equal(take(&s, STEP_EVIDENCE, "m2", (struct swap_wish){ .proof = &good }), ERR_OK);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 3);
    assert_true(str_eq(shifts[2].engine, STR("llama")) && str_eq(shifts[2].to, STR("/b/llama-server")) && str_eq(shifts[2].name, STR("m2")));
    assert_true(str_eq(swap_unsmoked(&s)->name, STR("m0")));
    assert_int_equal(take(&s, STEP_SMOKE, "m0", (struct swap_wish){ 0 }), ERR_WRONG_STATE); /* its child is not up there */
    s.roles[0].up_ms = s.roles[1].up_ms = noon;
    assert_int_equal(take(&s, STEP_SMOKE, "m0", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(take(&s, STEP_PROMOTE, "", (struct swap_wish){ .early = true }), ERR_GATE); /* m1 has not answered */
    assert_int_equal(take(&s, STEP_BREACH, "m1", (struct swap_wish){ .why = STR("its errors rose") }), ERR_OK);
    assert_int_equal(swap_shifts(&s, &s.arena, shifts), 2);
    assert_null(swap_unsmoked(&s));
    assert_int_equal(take(&s, STEP_PROMOTE, "", (struct swap_wish){ .early = true }), ERR_OK);
    assert_int_equal(s.roles[1].state, SWAP_ROLLED_BACK);
    assert_int_equal(take(&s, STEP_ROLLBACK, "", (struct swap_wish){ 0 }), ERR_OK);
    assert_int_equal(take(&s, STEP_START, "m0", (struct swap_wish){ 0 }), ERR_OK); /* again: what was seen then counts no more */
    assert_true(!s.roles[0].up_ms && !s.roles[0].smoked_ms && s.roles[1].state == SWAP_ROLLED_BACK);
    swap_fini(&s);
}

static void test_nothing_in_memory_is_no_proof(void **state)
{
    struct swap s;
    plan_build(&s, 3);
    s.roles[0].resident = s.roles[1].resident = false;
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_GATE);
    assert_int_equal(take(&s, STEP_EVIDENCE, "m2", (struct swap_wish){ .proof = &good }), ERR_OK);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ 0 }), ERR_OK); /* one model is better than none */
    swap_fini(&s);
}

static void test_a_build_comes_back_from_its_text(void **state)
{
    struct swap s, again;
    struct buf text = { 0 }, twice = { 0 };
    struct err e;
    plan_build(&s, 40); /* more than roles can be */
    assert_int_equal(s.nroles, 40);
    assert_int_equal(take(&s, STEP_EVIDENCE, "m0", (struct swap_wish){ .proof = &good }), ERR_OK);
    assert_int_equal(take(&s, STEP_START, "", (struct swap_wish){ .force = true, .why = STR("x") }), ERR_OK);
    s.roles[0].up_ms = noon;
    text_of(&s, &text);
    swap_init(&again);
    assert_int_equal(swap_read(&again, buf_str(&text), &e), ERR_OK);
    text_of(&again, &twice);
    assert_true(str_eq(buf_str(&text), buf_str(&twice)));
    assert_true(again.nroles == 40 && again.roles[0].up_ms == noon && again.roles[1].resident && !again.roles[2].resident && str_eq(again.engine.build_from, STR("aa")));
    assert_true(str_find(buf_str(&text), STR("\"roles\":[],\"engine\":{\"name\":\"llama\"")) > 0);
    swap_fini(&again);
    swap_fini(&s);
    swap_init(&s);
    for (size_t i = 0; i < SWAP_MAX_ROLES; i++)
        assert_non_null(swap_add(&s));
    assert_null(swap_add(&s));
    swap_fini(&s);
    buf_free(&text);
    buf_free(&twice);
}

static void test_a_refused_plan_takes_no_step(void **state)
{
    struct swap s;
    plan(&s);
    s.state = SWAP_REFUSED;
    for (int step = STEP_EVIDENCE; step < SWAP_STEPS; step++)
        if (step != STEP_SMOKE)
            assert_int_equal(take(&s, (enum swap_step)step, "", (struct swap_wish){ .force = true, .why = STR("x"), .early = true }), ERR_WRONG_STATE);
    swap_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_swap_goes_its_way),
        cmocka_unit_test(test_the_gate),
        cmocka_unit_test(test_a_share_is_no_deprecation),
        cmocka_unit_test(test_a_shadow_goes_before_the_trial),
        cmocka_unit_test(test_its_text_is_all_of_it),
        cmocka_unit_test(test_a_build_moves_under_its_models),
        cmocka_unit_test(test_nothing_in_memory_is_no_proof),
        cmocka_unit_test(test_a_build_comes_back_from_its_text),
        cmocka_unit_test(test_a_refused_plan_takes_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
