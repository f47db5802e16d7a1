/* The question whether an engine knows an architecture, byte for byte, and how its answers are read: llama-server's own lines. */
#include "model/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_the_question_is_a_gguf_of_one_key(void **state)
{
    static const char want[] = "GGUF\3\0\0\0" "\0\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0\0" "\24\0\0\0\0\0\0\0" "general.architecture" "\10\0\0\0"
                               "\6\0\0\0\0\0\0\0" "gemma3";
    char got[PROBE_MAX_BYTES];
    assert_int_equal(probe_write(got, STR("gemma3")), sizeof want - 1);
    assert_memory_equal(got, want, sizeof want - 1);
    assert_int_equal(sizeof want - 1, 70);
}

static void test_a_name_of_any_length_stays_inside(void **state)
{
    char name[200], got[PROBE_MAX_BYTES];
    memset(name, 'x', sizeof name);
    assert_int_equal(probe_write(got, str_make(name, sizeof name)), 64 + 63);
    assert_int_equal(got[56], 63);
    assert_int_equal(probe_write(got, (struct str){ NULL, 0 }), 64);
}

static void test_answers(void **state)
{
    static const struct {
        const char *said;
        enum probe_answer answer;
    } rows[] = {
        { "llama_model_load: error loading model: unknown model architecture: 'gemma9'\n", PROBE_UNKNOWN },
        { "load: unsupported model architecture: 'gptj'\n", PROBE_UNKNOWN },
        { "a line\nllama_model_load: error loading model: error loading model hyperparameters: key not found in model: llama.context_length\n", PROBE_KNOWN },
        { "", PROBE_UNCLEAR },
        { "error: invalid argument: -dev\n", PROBE_UNCLEAR },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(probe_read(str_of(rows[i].said)), rows[i].answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_question_is_a_gguf_of_one_key),
        cmocka_unit_test(test_a_name_of_any_length_stays_inside),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
