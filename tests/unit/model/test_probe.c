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

static void test_projections(void **state)
{
#define TABLE "0.00 I common_memory_breakdown_print: | memory breakdown [MiB] | total   free    self   model   context   compute    unaccounted |\n"
#define ROW "0.00.186 I common_memory_breakdown_print: |   - "
#define SUM "0.00.198 I common_params_fit_impl: projected to use "
    static const struct {
        const char *said;
        int64_t mib; /* -1: it does not say */
    } rows[] = {
        { "", -1 },
        { "llama_model_load: error loading model: unknown model architecture: 'gemma9'\n", -1 },
        { TABLE ROW "Host               |                  117 =    92 +      11 +      14                |\n" SUM "117 MiB of host memory vs. 24105 MiB\n", 117 },
        { TABLE ROW "Host |  120 = 89 + 11 + 20 |\n" ROW "AMX |  95 = 95 + 0 + 0 |\n" SUM "120 MiB of host memory vs. 24105 MiB of total host memory\n", 215 },
        { TABLE ROW "CUDA0 (RTX 4090)   | 24080 = 23000 + (1000 =   900 +      80 +      20) +          80 |\n" ROW "Host |  300 = 250 + 0 + 50 |\n"
          SUM "1000 MiB of device memory vs. 23000 MiB of free device memory\n", 1300 },
        { SUM "152 MiB of host memory vs. 24105 MiB of total host memory\n", 152 },
        { TABLE ROW "Host |  117 = 92 + 11 + 14 |\n" SUM "117 MiB of host memory\n" ROW "Host |  117 = 92 + 11 + 14 |\n", 117 }, /* at its end again */
        { TABLE ROW "Host |\n" SUM "x\n", -1 },
        { SUM "99999999999999999999 MiB\n", -1 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t bytes = -1;
        bool says = probe_read_projection(str_of(rows[i].said), &bytes);
        if (says != (rows[i].mib >= 0) || (says && bytes != rows[i].mib * (int64_t)MIB))
            fail_msg("row %zu: %lld", i, (long long)bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_question_is_a_gguf_of_one_key),
        cmocka_unit_test(test_a_name_of_any_length_stays_inside),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_projections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
