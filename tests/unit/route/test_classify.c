/* From words to a tier. Single cases that must hold whatever the weights; how often it is right at large is bench/complexity's. */
#include "route/classify_int.h"

#include "base/buf.h"
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct classifier *words;

static const char *tier_of(double score)
{
    return score < 0.33 ? "fast" : score < 0.66 ? "primary" : "heavy";
}

static struct complexity ask(struct str text)
{
    struct talk t = { .n = 1, .bytes = text.n, .at = { { SAID_USER, text, true } } };
    struct complexity out;
    classify(words, &t, &out);
    return out;
}

static void test_a_text_finds_its_tier_and_language(void **state)
{
    static const struct { const char *tier, *language, *text; } cases[] = {
        { "fast", "en", "Hello, how are you today?" },
        { "fast", "en", "Thank you, that is what I was looking for." },
        { "fast", "en", "How many moons does Mars have?" },
        { "primary", "en", "Explain how a sewing machine works." },
        { "primary", "en", "Write a Python function that counts the vowels of a word." },
        { "primary", "en", "Translate to French: \"Compare the designs, prove the theorem and write a long essay.\"" },
        { "heavy", "en", "Prove that the sum of two even numbers is even, and analyse where the proof would fail for reals." },
        { "heavy", "en", "Compare three queueing strategies in depth, weigh the trade-offs and recommend one, step by step." },
        { "fast", "de", "Guten Abend, wie geht es dir?" },
        { "primary", "de", "Erkläre mir bitte, wie ein Kühlschrank funktioniert." },
        { "heavy", "de", "Vergleiche die drei Verfahren hinsichtlich Kosten und Risiken und begründe deine Empfehlung." },
        { "fast", "fr", "Bonsoir, comment vas-tu ?" },
        { "primary", "fr", "Explique-moi comment fonctionne un frigo." },
        { "heavy", "fr", "Compare les deux méthodes, évalue les risques et justifie ton choix étape par étape." },
        { "fast", "es", "Buenas tardes, ¿cómo estás?" },
        { "primary", "es", "Explícame cómo funciona una nevera." },
        { "heavy", "es", "Analiza las ventajas y desventajas de los tres métodos y diseña un plan por etapas." },
        { "fast", "zh", "晚上好" },
        { "primary", "zh", "请解释冰箱的工作原理。" },
        { "heavy", "zh", "分析三种方法的优缺点，逐步论证并设计实施方案。" },
        { "fast", "ja", "こんばんは" },
        { "primary", "ja", "冷蔵庫の仕組みを説明してください。" },
        { "heavy", "ja", "三つの方法を費用とリスクの観点から比較し、根拠を示して論じてください。" },
        { "fast", "ko", "안녕하세요, 반가워요" },
        { "primary", "ko", "냉장고의 원리를 설명해 주세요." },
        { "heavy", "ko", "세 가지 방법의 장단점을 분석하고 단계별 계획을 설계해 주세요." },
        /* accents and case are no matter */
        { "heavy", "fr", "DEMONTRE LE THEOREME DE THALES." },
        { "primary", "de", "UBERSETZE INS ENGLISCHE: Guten Morgen" },
        /* what is quoted, or behind the colon of such a wish, is not asked for */
        { "fast", "en", "How do you spell \"prove\"?" },
        { "primary", "en", "Rewrite this: we analyse, compare, prove, design and evaluate everything in depth." },
        /* what is said of work is no work */
        { "fast", "en", "Thanks, the long analysis you wrote and the comparison were very good." },
        { "fast", "en", "no need to explain, thanks" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct complexity c = ask(str_of(cases[i].text));
        if (strcmp(tier_of(c.score), cases[i].tier) != 0 || strcmp(c.language, cases[i].language) != 0)
            fail_msg("%s: %.2f (%s) %s, want %s %s", cases[i].text, c.score, c.nreasons ? c.reasons[0] : "", c.language, cases[i].tier, cases[i].language);
        assert_in_range(c.nreasons, 1, COMPLEXITY_REASONS);
    }
}

static void test_reasons_name_what_was_weighed(void **state)
{
    static const struct { const char *text, *first; } cases[] = {
        { "Hello!", "greeting" },
        { "Thanks a lot!", "acknowledgement" },
        { "Who wrote Emma?", "simple fact" },
        { "Translate into German: good luck", "translation" },
        { "Summarise our talk.", "summary" },
        { "Prove Wilson's theorem.", "proof" },
        { "Compare these two poems in terms of rhythm, imagery and tone, and discuss their limitations.", "comparison" },
        { "Write an essay of 3000 words on rivers.", "long-form" },
        { "zzz", "short" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct complexity c = ask(str_of(cases[i].text));
        bool found = false;
        for (size_t k = 0; k < c.nreasons; k++)
            found |= strcmp(c.reasons[k], cases[i].first) == 0;
        if (!found)
            fail_msg("%s: %s %s", cases[i].text, c.reasons[0], c.nreasons > 1 ? c.reasons[1] : "");
    }
}

/* "x*" in the table. */
static void test_a_stem_is_found_in_all_its_forms(void **state)
{
    static const char *const forms[] = { "Give me your hypothesis.", "Give me your hypotheses.", "Give me some HYPOTHESIZING.", "Gib mir etwas Ausführliches." };
    static const char *const without[] = { "Give me your telephone.", "Give me your telephones.", "Give me some TELEPHONING.", "Gib mir etwas Angenehmes." };
    for (size_t i = 0; i < COUNTOF(forms); i++)
        assert_true(ask(str_of(forms[i])).score > ask(str_of(without[i])).score);
}

static void test_a_number_of_words_makes_it_long(void **state)
{
    assert_true(ask(STR("Write a story of 2000 words.")).score > ask(STR("Write a story of 20 words.")).score);
    assert_true(ask(STR("写一个2000字的故事")).score > ask(STR("写一个20字的故事")).score);
}

static struct complexity converse(const char *system, const char *const *turns, size_t bytes)
{
    struct talk t = { .n = 0 };
    struct complexity out;
    if (system)
        t.at[t.n++] = (struct said){ SAID_SYSTEM, str_of(system), true };
    for (size_t i = 0; turns[i]; i++)
        t.at[t.n++] = (struct said){ SAID_USER, str_of(turns[i]), true };
    t.bytes = bytes;
    classify(words, &t, &out);
    return out;
}

static void test_what_was_asked_before_counts(void **state)
{
    static const struct { const char *turns[5]; const char *tier; } cases[] = {
        { { "Prove that there are infinitely many primes.", "go on" }, "heavy" },
        { { "Prove that there are infinitely many primes.", "ok", "go on" }, "heavy" },
        { { "Prove that there are infinitely many primes.", "thanks!" }, "fast" },
        { { "Prove that there are infinitely many primes.", "Translate that into Spanish." }, "primary" },
        { { "hi", "go on" }, "fast" },
        { { "Write a poem about a river.", "another one" }, "primary" },
        { { "hi", "Prove that there are infinitely many primes." }, "heavy" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct complexity c = converse(NULL, cases[i].turns, 200);
        if (strcmp(tier_of(c.score), cases[i].tier) != 0)
            fail_msg("%zu: %.2f, want %s", i, c.score, cases[i].tier);
    }
}

static void test_the_system_weighs_little_and_the_context_some(void **state)
{
    static const char *const hello[] = { "hello", NULL }, *const work[] = { "Explain how tides work.", NULL };
    static const char careful[] = "You analyse in depth, compare alternatives, prove every claim, and write comprehensive reports.";
    assert_string_equal(tier_of(converse(careful, hello, 100).score), "fast");
    assert_string_equal(tier_of(converse(careful, work, 100).score), "primary");
    assert_true(converse(NULL, work, 100000).score > converse(NULL, work, 100).score);
    assert_string_equal(tier_of(converse(NULL, hello, 100000).score), "fast");
}

static void test_parts_of_one_message_are_one_ask(void **state)
{
    struct talk t = { .n = 2, .bytes = 60, .at = { { SAID_USER, STR("Prove by induction that the sum is right."), true }, { SAID_USER, STR("1 + 2 + 3"), false } } };
    struct complexity out;
    classify(words, &t, &out);
    assert_string_equal(tier_of(out.score), "heavy");
}

static void test_nothing_to_go_by_is_still_an_answer(void **state)
{
    struct talk none = { .n = 0 };
    struct complexity c;
    classify(words, &none, &c);
    assert_true(c.score >= 0 && c.score < 0.33);
    assert_string_equal(c.language, "");
    assert_int_equal(c.nreasons, 1);
    c = ask(STR(""));
    assert_true(c.score >= 0 && c.score < 0.33);
    c = ask(STR("\xff\xfe\xe4\xbd"));
    assert_true(c.score >= 0 && c.score < 0.33);
}

/* What is pasted is not what is asked, and of a mebibyte the ends are read alone. */
static void test_of_a_long_text_the_ends_are_read(void **state)
{
    struct buf b = { 0 };
    buf_lit(&b, "Summarise the following.\n\n");
    while (b.n < 12 * KIB)
        buf_lit(&b, "The committee will compare, analyse, evaluate, design and prove all of it in depth. ");
    assert_string_equal(tier_of(ask(buf_str(&b)).score), "primary");
    buf_lit(&b, "\n\nProve the second claim and analyse its limits.");
    assert_string_equal(tier_of(ask(buf_str(&b)).score), "heavy");
    while (b.n < MIB)
        buf_lit(&b, "\n\nSo it went on, day after day, and nothing of it is to be told here, for it is in the books.");
    buf_lit(&b, "\n\nSummarise the above.");
    assert_string_equal(ask(buf_str(&b)).reasons[1], "summary"); /* behind "long context" */
    buf_free(&b);
}

static int set_up(void **state)
{
    words = classifier_new();
    return 0;
}

static int tear_down(void **state)
{
    classifier_free(words);
    classifier_free(NULL);
    return 0;
}

static void test_what_is_urgent_or_of_today_is_told(void **state)
{
    static const struct { bool urgent, fresh; const char *text; } cases[] = {
        { true, false, "Please fix this asap, the customer is waiting." },
        { true, false, "This is an emergency: how do I stop the pump?" },
        { true, false, "Bitte dringend um Antwort: wie setze ich das Passwort zurück?" },
        { true, false, "C'est urgent, peux-tu corriger cette phrase ?" },
        { true, false, "Necesito una respuesta lo antes posible." },
        { true, false, "紧急：请帮我改一下这封邮件。" },
        { true, false, "至急、この文を直してください。" },
        { true, false, "긴급합니다. 이 문장을 고쳐 주세요." },
        { false, true, "What are today's news about the elections?" },
        { false, true, "Who won the game last night? Give me the latest on it." },
        { false, true, "Was sind die neuesten Nachrichten aus Berlin?" },
        { false, true, "Quelles sont les dernières nouvelles de Lyon ?" },
        { false, true, "¿Qué tiempo hace en Madrid?" },
        { false, true, "今天的新闻有哪些？" },
        { false, true, "今日の天気を教えて" },
        { false, true, "오늘 뉴스 알려 줘" },
        { true, true, "Urgent: what is the current price of copper?" },
        { false, false, "Explain how newspapers were printed in 1890." },
        { false, false, "What is the capital of France?" },
        { false, false, "Erkläre mir den Kühlschrank." },
        { false, false, "There is no need to answer immediately, take your time." },
        { false, false, "Translate to German: \"This is urgent, what is the latest news?\"" },
        { false, false, "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct complexity x = ask(str_of(cases[i].text));
        if (x.urgent != cases[i].urgent || x.fresh != cases[i].fresh)
            fail_msg("%s: urgent %d, fresh %d", cases[i].text, x.urgent, x.fresh);
    }
}

/* The configuration's list of signs, which cannot see the table, is the table's. */
static void test_each_sign_can_be_weighed_by_its_name(void **state)
{
    for (enum sign sign = 0; sign < SIGNS; sign++) {
        char name[32];
        size_t n = 0, k = 0;
        for (const char *p = sign_name[sign]; *p; p++)
            name[n++] = *p == ' ' ? '-' : *p;
        name[n] = 0;
        while (conf_signs[k] && strcmp(conf_signs[k], name))
            k++;
        bool told_beside = sign == URGENT || sign == FRESH;
        if ((conf_signs[k] != NULL) != (n && !told_beside))
            fail_msg("'%s'", name);
    }
}

static void test_weights_move_the_score(void **state)
{
    static const struct { const char *sign; double factor; const char *text, *before, *after; } cases[] = {
        { "proof", 0, "Prove that the sum of two even numbers is even.", "heavy", "primary" },
        { "several-steps", 4, "Explain step by step how a fridge works.", "heavy", "heavy" },
        { "explanation", 0.1, "Explain the moon.", "primary", "fast" },
        { "comparison", 0, "Compare tea and coffee.", "heavy", "fast" },
        { "greeting", 0, "Hello", "fast", "fast" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct conf_weight w = { .name = str_of(cases[i].sign), .factor = cases[i].factor };
        double before = ask(str_of(cases[i].text)).score;
        classifier_tune(words, &w, 1);
        double after = ask(str_of(cases[i].text)).score;
        classifier_tune(words, NULL, 0);
        if (strcmp(tier_of(before), cases[i].before) || strcmp(tier_of(after), cases[i].after))
            fail_msg("%s %g: %.2f -> %.2f", cases[i].sign, cases[i].factor, before, after);
        assert_true(cases[i].factor > 1 ? after >= before : after <= before || cases[i].sign[0] == 'g');
        assert_true(before - ask(str_of(cases[i].text)).score == 0); /* as before */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_urgent_or_of_today_is_told),
        cmocka_unit_test(test_each_sign_can_be_weighed_by_its_name),
        cmocka_unit_test(test_weights_move_the_score),
        cmocka_unit_test(test_a_text_finds_its_tier_and_language),
        cmocka_unit_test(test_reasons_name_what_was_weighed),
        cmocka_unit_test(test_a_stem_is_found_in_all_its_forms),
        cmocka_unit_test(test_a_number_of_words_makes_it_long),
        cmocka_unit_test(test_what_was_asked_before_counts),
        cmocka_unit_test(test_the_system_weighs_little_and_the_context_some),
        cmocka_unit_test(test_parts_of_one_message_are_one_ask),
        cmocka_unit_test(test_nothing_to_go_by_is_still_an_answer),
        cmocka_unit_test(test_of_a_long_text_the_ends_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
