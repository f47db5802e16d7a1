#include "proc/obituary.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* The engine's real lines, in the form they have on stderr. */
static const struct {
    const char *words;
    enum err_code code;
    const char *says; /* in err.text */
} cases[] = {
    { "0.00.021.101 E llama_model_load: error loading model: unknown model architecture: 'gemma9'\n"
      "0.00.021.130 E srv    load_model: failed to load model, 'x.gguf'\n"
      "0.00.021.140 E srv  llama_server: exiting due to model loading error\n",
      ERR_UNKNOWN_ARCHITECTURE, "gemma9" },
    { "0.00.021.101 E llama_model_load: error loading model: unsupported model architecture: 'gptj'\n", ERR_UNKNOWN_ARCHITECTURE, "gptj" },
    { "0.00.021.101 E llama_model_load: error loading model: CLIP cannot be used as main model, use it with --mmproj instead\n",
      ERR_LOAD_FAILED, "projector" },
    { "0.00.02 E llama_model_load: error loading model: error loading model hyperparameters: key not found in model: "
      "llama.attention.layer_norm_rms_epsilon\n0.00.03 E srv    load_model: failed to load model, 'x'\n",
      ERR_WEIGHTS_BROKEN, "layer_norm_rms_epsilon" },
    { "0.00.02 E llama_model_load: error loading model: tensor 'output_norm.weight' data is not within the file bounds, model is corrupted or "
      "incomplete\n0.00.03 E srv    load_model: failed to load model, 'x'\n",
      ERR_WEIGHTS_BROKEN, "output_norm.weight" },
    { "0.00.02 E read: string length 20 exceeds remaining file size 18 bytes\n"
      "0.00.02 E gguf_init_from_reader: failed to read key-value pairs\n0.00.03 E srv    load_model: failed to load model, 'x'\n",
      ERR_WEIGHTS_BROKEN, "string length 20" },
    { "0.00.02 E gguf_init_from_reader: failed to read key-value pairs\n", ERR_WEIGHTS_BROKEN, "header" },
    { "0.00.02 E gguf_init_from_reader: failed to read magic\n", ERR_WEIGHTS_BROKEN, "empty" },
    { "0.00.02 E gguf_init_from_reader: invalid magic characters: '<!DO', expected 'GGUF'\n", ERR_WEIGHTS_BROKEN, "<!DO" },
    { "0.00.02 E gguf_init_from_reader: this GGUF file is version 99 but this software only supports up to version 3\n",
      ERR_WEIGHTS_BROKEN, "version 99" },
    { "0.00.02 E gguf_init_from_reader: GGUFv1 is no longer supported. please use a more up-to-date version\n", ERR_WEIGHTS_BROKEN, "GGUFv1" },
    { "0.00.02 E load: found tensors with invalid data\n", ERR_WEIGHTS_BROKEN, "damaged" },
    { "0.00.02 E gguf_init_from_file: failed to open GGUF file '/x.gguf' (No such file or directory)\n"
      "0.00.03 E srv    load_model: failed to load model, '/x.gguf'\n",
      ERR_WEIGHTS_MISSING, "/x.gguf" },
    { "0.00.02 E llama_model_load: error loading model: mmap failed: Cannot allocate memory\n", ERR_OUT_OF_MEMORY, "mmap failed" },
    { "0.00.02 E ggml_aligned_malloc: insufficient memory (attempted to allocate 43948.12 MB)\n"
      "0.00.02 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache\n",
      ERR_OUT_OF_MEMORY, "43948.12 MB" },
    { "failed to allocate buffer for kv cache\n", ERR_OUT_OF_MEMORY, "KV" },
    { "0.00.02 E srv    load_model: failed to create_context with model 'x'\n0.00.03 E srv    load_model: failed to load model, 'x'\n",
      ERR_OUT_OF_MEMORY, "context" },
    { "0.00.02 E ggml_backend_cuda_buffer_type_alloc_buffer: allocating 12.00 MiB on device 0: cudaMalloc failed: out of memory\n",
      ERR_OUT_OF_MEMORY, "cudaMalloc" },
    { "0.00.02 E srv         start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 9901\n", ERR_LOAD_FAILED, "port: 9901" },
    { "error: invalid argument: --no-such-flag\n", ERR_LOAD_FAILED, "--no-such-flag" },
    { "error while handling argument \"-ctk\": Unsupported cache type: q9_9\n", ERR_LOAD_FAILED, "q9_9" },
    { "error while handling argument \"-c\": stoi\n", ERR_LOAD_FAILED, "value of an option" },
    { "0.00.02 E llama_init_from_model: quantized V cache requires flash_attn to be enabled\n", ERR_LOAD_FAILED, "flash" },
    { "0.00.02 E llama_adapter_lora_init: failed to apply lora adapter: failed to load lora adapter file from l.gguf\n", ERR_LOAD_FAILED, "LoRA" },
    { "0.00.02 E llama_adapter_lora_init: expect general.type to be 'adapter', but got: model\n", ERR_LOAD_FAILED, "not an adapter" },
    { "0.00.02 E clip_init: failed to load model 'm.gguf': no file\n"
      "0.00.02 E mtmd_init_from_file: error: Failed to load CLIP model from m.gguf\n",
      ERR_LOAD_FAILED, "projector" },
    { "0.00.02 E mtmd_init_from_file: error: Failed to load CLIP model from m.gguf\n", ERR_LOAD_FAILED, "projector" },
    { "0.00.02 E common_chat_templates_init: error: parser: Parser Error: Expected }}\n", ERR_LOAD_FAILED, "Expected }}" },
    { "error: the supplied chat template is not supported: x\n", ERR_LOAD_FAILED, "not supported" },
    { "0.00.03 E srv    load_model: failed to load model, 'x'\n", ERR_LOAD_FAILED, "could not load" },
    /* No row knows the cause: the first error line is cited, not the last. */
    { "0.00.01 I srv: fine\n0.00.02 E new: a thing nobody has seen\n0.00.03 E srv    load_model: failed to load model, 'x'\n",
      ERR_LOAD_FAILED, "nobody has seen" },
    { "", ERR_LOAD_FAILED, "said nothing" },
    /* I, W and D lines are talk, whatever they say. */
    { "0.00.01 W common: unknown model architecture: 'a'\n0.00.01 I log: insufficient memory\n", ERR_LOAD_FAILED, "said nothing" },
};

static void test_every_line_of_the_engine_is_understood(void **state)
{
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct keeper_exit x = { .label = STR("m"), .exit_code = 1, .last = str_of(cases[i].words) };
        struct err e;
        enum err_code code = obituary_read(&x, &e);
        if (code != cases[i].code || e.code != code || !strstr(e.text, cases[i].says))
            fail_msg("case %zu: %s: \"%s\"", i, err_row(code)->code, e.text);
    }
}

static void test_the_cause_is_the_first_line_also_when_it_is_printed_twice(void **state)
{
    struct keeper_exit x = { .exit_code = 1, .last = STR(
        "0.1 E a: tensor 'one' data is not within the file bounds\n0.2 E srv    load_model: failed to load model, 'x'\n"
        "0.3 E a: tensor 'two' data is not within the file bounds\n") };
    struct err e;
    assert_int_equal(obituary_read(&x, &e), ERR_WEIGHTS_BROKEN);
    assert_non_null(strstr(e.text, "'one'"));
    assert_true(e.hint[0] != 0);
}

static void test_signals_are_worded(void **state)
{
    static const struct {
        int signal;
        enum err_code code;
        const char *says;
    } signals[] = {
        { SIGSEGV, ERR_LOAD_FAILED, "segmentation" }, { SIGILL, ERR_LOAD_FAILED, "instructions" },
        { SIGKILL, ERR_OUT_OF_MEMORY, "memory" },     { SIGBUS, ERR_WEIGHTS_BROKEN, "bus error" },
        { SIGABRT, ERR_LOAD_FAILED, "abort" },        { SIGFPE, ERR_LOAD_FAILED, "arithmetic" },
        { SIGTERM, ERR_LOAD_FAILED, "signal 15" },    { SIGUSR1, ERR_LOAD_FAILED, "died of signal" },
        { SIGXCPU, ERR_LOAD_FAILED, "processor time" },
    };
    for (size_t i = 0; i < COUNTOF(signals); i++) {
        struct keeper_exit x = { .signal = signals[i].signal, .last = STR("0.1 I srv: all is well\n") };
        struct err e;
        assert_int_equal(obituary_read(&x, &e), signals[i].code);
        if (!strstr(e.text, signals[i].says))
            fail_msg("signal %d: %s", signals[i].signal, e.text);
    }
}

static void test_an_abort_right_after_a_known_word_is_that(void **state)
{
    struct keeper_exit x = { .signal = SIGABRT, .last = STR("0.1 E ggml_aligned_malloc: insufficient memory (attempted to allocate 9 MB)\n") };
    struct err e;
    assert_int_equal(obituary_read(&x, &e), ERR_OUT_OF_MEMORY);
    x.signal = SIGSEGV;
    assert_int_equal(obituary_read(&x, &e), ERR_LOAD_FAILED);
    assert_non_null(strstr(e.text, "9 MB")); /* cited all the same */
}

static void test_evidence_is_one_printable_line_that_fits(void **state)
{
    for (int shift = 0; shift < 4; shift++) {
        char words[600];
        int n = snprintf(words, sizeof words, "0.1 E x: %.*s\033[31mfailed\rforged ", shift, "...");
        while (n < 500) /* two-byte characters up to and over every cut */
            n += snprintf(words + n, sizeof words - (size_t)n, "ä");
        struct keeper_exit x = { .exit_code = 1, .last = str_make(words, (size_t)n) };
        struct err e;
        obituary_read(&x, &e);
        assert_null(strpbrk(e.text, "\r\n\033"));
        assert_non_null(strstr(e.text, "ä…]"));
    }
}

static void test_any_bytes_are_read(void **state)
{
    static const char letters[] = "0.1 EIWDerror:\n\0failed\xc3\xff ";
    char words[256];
    uint32_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof words; i++) {
            seed = seed * 1664525 + 1013904223;
            words[i] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        struct keeper_exit x = { .exit_code = round % 3, .last = str_make(words, (size_t)round % sizeof words) };
        struct err e;
        assert_int_not_equal(obituary_read(&x, &e), ERR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line_of_the_engine_is_understood),
        cmocka_unit_test(test_the_cause_is_the_first_line_also_when_it_is_printed_twice),
        cmocka_unit_test(test_signals_are_worded),
        cmocka_unit_test(test_an_abort_right_after_a_known_word_is_that),
        cmocka_unit_test(test_evidence_is_one_printable_line_that_fits),
        cmocka_unit_test(test_any_bytes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
