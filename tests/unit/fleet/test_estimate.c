/* What a configured model will need: arithmetic with the child's own settings, what was measured, what an engine says. The engines are shell scripts. */
#include "fleet/estimate.h"
#include "fleet/measure.h"

#include "../model/gguf_bytes.h"
#include "conf/conf.h"
#include "loop/loop.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static struct store *store;

static void write_bytes(const char *name, struct str bytes, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

enum { LAYERS = 2, HEADS = 4, KV_HEADS = 2, EMBED = 64, VOCAB = 100 };

static void write_model(const char *name, const char *architecture)
{
    struct buf b = { 0 };
    static const struct { const char *key; uint32_t v; } figures[] = {
        { "context_length", 2048 }, { "block_count", LAYERS }, { "embedding_length", EMBED }, { "feed_forward_length", 128 },
        { "attention.head_count", HEADS }, { "attention.head_count_kv", KV_HEADS },
    };
    add_begin(&b, 3, 1, 1 + COUNTOF(figures));
    add_text(&b, STR("general.architecture"), str_of(architecture));
    for (size_t i = 0; i < COUNTOF(figures); i++) {
        char key[128];
        snprintf(key, sizeof key, "%s.%s", architecture, figures[i].key);
        add_u32(&b, str_of(key), figures[i].v);
    }
    add_tensor(&b, STR("token_embd.weight"), 0 /* f32 */, EMBED, VOCAB, 0);
    add_padding(&b, 32);
    for (size_t i = 0; i < EMBED * VOCAB; i++)
        add_le(&b, 0, 4);
    write_bytes(name, buf_str(&b), 0600);
    buf_free(&b);
}

/* Knows llama alone; counts how often it is asked; projects 700 MiB. */
static const char script[] = "#!/bin/sh\n"
                             "cd \"$(dirname \"$0\")\"\n"
                             "echo \"$@\" >>asked\n"
                             "case \"$*\" in *-lv*) echo 'x: projected to use 700 MiB of host memory'; exec sleep 100;; esac\n"
                             "if grep -q llama \"$2\"; then echo 'key not found in model: llama.x'; else echo 'unknown model architecture'; fi\n"
                             "exit 1\n";
static const char knows_all[] = "#!/bin/sh\necho 'key not found in model: x'\nexit 1\n";

static int times_asked(void)
{
    char path[128];
    int n = 0, c;
    snprintf(path, sizeof path, "%s/asked", folder);
    FILE *f = fopen(path, "r");
    while (f && (c = fgetc(f)) != EOF)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static int set_up(void **state)
{
    struct err e;
    store = NULL;
    snprintf(folder, sizeof folder, "/tmp/hob-test-XXXXXX");
    if (!mkdtemp(folder) || store_open(str_of(folder), &store, &e))
        return -1;
    write_bytes("engine", str_of(script), 0700);
    write_bytes("other", str_of(knows_all), 0700);
    write_model("m.gguf", "llama");
    return 0;
}

static int tear_down(void **state)
{
    char pattern[128];
    glob_t found;
    store_close(store);
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (!glob(pattern, 0, NULL, &found))
        for (size_t k = 0; k < found.gl_pathc; k++)
            remove(found.gl_pathv[k]);
    globfree(&found);
    return rmdir(folder);
}

/* One model, m; @ is the folder. */
static struct config *parse(const char *model)
{
    struct config *c = NULL;
    struct err e = { 0 };
    char text[1024], yaml[2048] = "";
    snprintf(text, sizeof text, "budget: {memory: 64GiB}\nengines: {llama: {path: '@/engine'}, second: {path: '@/other'}}\nmodels: {m: {%s}}\n", model);
    for (const char *p = text; *p; p++) {
        size_t n = strlen(yaml);
        snprintf(yaml + n, sizeof yaml - n, *p == '@' ? "%s" : "%.1s", *p == '@' ? folder : p);
    }
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(yaml), &c, &e))
        fail_msg("%s\n%s", e.text, yaml);
    return c;
}

static enum err_code estimate(const char *model, enum estimate_effort effort, struct estimate *out, struct err *e)
{
    struct config *c = parse(model);
    enum err_code rc = estimate_model(c, &c->models[0], effort, store, out, e);
    conf_free(c);
    return rc;
}

static void estimate_well(const char *model, enum estimate_effort effort, struct estimate *out)
{
    struct err e;
    if (estimate(model, effort, out, &e))
        fail_msg("%s: %s", model, e.text);
}

static void put(const struct estimate *like, int64_t idle, int64_t busy)
{
    struct calibration r = { .estimated_bytes = like->terms.total - like->terms.cache, .idle_bytes = idle, .busy_bytes = busy };
    struct err e;
    memcpy(r.model, like->model, sizeof r.model);
    memcpy(r.engine, like->engine, sizeof r.engine);
    memcpy(r.settings, like->settings, sizeof r.settings);
    assert_int_equal(calibrations_put(store, &r, &e), ERR_OK);
}

static void test_it_counts_what_the_child_will_be_given(void **state)
{
    static const struct {
        const char *more;
        int64_t cells, cache;
    } rows[] = {
        { "context: 512", 512, 256 },
        { "context: 512, slots: 3", 3 * 512, 256 },
        { "context: 512, slots: 3, kv_shared: true", 512, 256 },
        { "context: 8192", 2048, 256 }, /* no more than it was trained for */
        { "context: 512, cache: 0", 512, 0 },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct estimate est;
        char model[256];
        snprintf(model, sizeof model, "file: '@/m.gguf', %s", rows[i].more);
        estimate_well(model, ESTIMATE_PROBE, &est);
        int64_t kv = rows[i].cells * LAYERS * KV_HEADS * (EMBED / HEADS) * 2 * 2; /* keys and values, f16 */
        if (est.terms.kv != kv || est.terms.cache != rows[i].cache * (int64_t)MIB || est.terms.weights != EMBED * VOCAB * 4)
            fail_msg("%s: kv %lld, cache %lld, weights %lld", rows[i].more, (long long)est.terms.kv, (long long)est.terms.cache,
                (long long)est.terms.weights);
        assert_true(est.bytes == est.terms.total && est.source == FIT_ESTIMATE);
        assert_string_equal(est.architecture, "llama");
    }
    assert_int_equal(times_asked(), 1); /* whether it knows llama */
}

static void test_what_lies_beside_the_model_counts(void **state)
{
    struct estimate plain, more, other;
    write_model("draft.gguf", "llama");
    write_model("lora.gguf", "llama");
    estimate_well("file: '@/m.gguf', context: 512", ESTIMATE_PROBE, &plain);
    estimate_well("file: '@/m.gguf', context: 512, mmproj: '@/lora.gguf'", ESTIMATE_PROBE, &more);
    assert_true(more.terms.extras - plain.terms.extras >= EMBED * VOCAB * 4);
    assert_string_not_equal(more.settings, plain.settings);
    assert_string_equal(more.model, plain.model);
    estimate_well("file: '@/m.gguf', context: 512, draft: '@/lora.gguf'", ESTIMATE_PROBE, &other); /* the same file as something else */
    assert_string_not_equal(more.settings, other.settings);
    estimate_well("file: '@/m.gguf', context: 512, draft: '@/draft.gguf'", ESTIMATE_PROBE, &more);
    assert_true(more.terms.extras - plain.terms.extras > EMBED * VOCAB * 4); /* its keys and values too */
    assert_string_not_equal(more.settings, plain.settings);
    struct err e;
    assert_int_equal(estimate("file: '@/m.gguf', draft: '@/none.gguf'", ESTIMATE_PROBE, &more, &e), ERR_WEIGHTS_MISSING);
    assert_int_equal(estimate("file: '@/none.gguf'", ESTIMATE_PROBE, &more, &e), ERR_WEIGHTS_MISSING);
}

static void test_what_was_measured_is_used(void **state)
{
    static const char settings[] = "file: '@/m.gguf', context: 512, cache: 0";
    struct estimate est, again;
    estimate_well(settings, ESTIMATE_PROBE, &est);
    put(&est, est.bytes + 100 * (int64_t)MIB, est.bytes + 120 * (int64_t)MIB);
    estimate_well(settings, ESTIMATE_PROBE, &again);
    assert_true(again.source == FIT_MEASURED && again.bytes == est.bytes + 120 * (int64_t)MIB);
    estimate_well("file: '@/m.gguf', context: 1024, cache: 0", ESTIMATE_PROBE, &again);
    assert_true(again.source == FIT_CALIBRATED && again.bytes == again.terms.total + 120 * (int64_t)MIB);
    estimate_well("file: '@/m.gguf', context: 512, cache: 0, args: [--no-repack]", ESTIMATE_PROBE, &again);
    assert_int_equal(again.source, FIT_CALIBRATED);
    estimate_well("file: '@/m.gguf', context: 512, cache: 0, engine: second", ESTIMATE_PROBE, &again);
    assert_int_equal(again.source, FIT_ESTIMATE); /* another build */
    estimate_well("file: '@/m.gguf', context: 512, memory: 3GiB", ESTIMATE_PROBE, &again);
    assert_true(again.source == FIT_GIVEN && again.bytes == 3 * (int64_t)GIB && again.terms.kv > 0);
    write_model("n.gguf", "llama");
    estimate_well("file: '@/n.gguf', context: 512, cache: 0", ESTIMATE_PROBE, &again);
    assert_int_equal(again.source, FIT_ESTIMATE); /* another file */
}

static void test_an_architecture_that_nobody_knows_is_named(void **state)
{
    struct estimate est;
    struct err e;
    write_model("new.gguf", "gemma9");
    assert_int_equal(estimate("file: '@/new.gguf'", ESTIMATE_CACHED, &est, &e), ERR_OK);
    assert_true(est.architecture_unclear);
    assert_int_equal(times_asked(), 0);
    assert_int_equal(estimate("file: '@/new.gguf'", ESTIMATE_PROBE, &est, &e), ERR_UNKNOWN_ARCHITECTURE);
    assert_true(strstr(e.text, "gemma9") && strstr(e.hint, "second"));
    assert_int_equal(estimate("file: '@/new.gguf'", ESTIMATE_CACHED, &est, &e), ERR_UNKNOWN_ARCHITECTURE); /* remembered */
    assert_int_equal(times_asked(), 1);
    assert_int_equal(estimate("file: '@/new.gguf', engine: second", ESTIMATE_PROBE, &est, &e), ERR_OK);
    assert_false(est.architecture_unclear);
}

static void test_an_engine_is_asked_what_it_would_need_until_that_was_measured(void **state)
{
    static const char settings[] = "file: '@/m.gguf', context: 512, cache: 0";
    struct estimate est;
    estimate_well(settings, ESTIMATE_PROJECT, &est);
    assert_int_equal(est.source, FIT_ENGINE);
    assert_true(est.bytes == 700 * (int64_t)MIB + est.terms.process);
    assert_int_equal(times_asked(), 2); /* what it knows, and this */
    for (int i = ESTIMATE_CACHED; i <= ESTIMATE_PROJECT; i++) {
        estimate_well(settings, (enum estimate_effort)i, &est);
        assert_int_equal(est.source, FIT_ENGINE);
    }
    assert_int_equal(times_asked(), 2);
    put(&est, 800 * (int64_t)MIB, 0);
    estimate_well(settings, ESTIMATE_PROJECT, &est);
    assert_true(est.source == FIT_MEASURED && est.bytes == 800 * (int64_t)MIB);
    assert_int_equal(times_asked(), 2);
}

static void test_commands_are_learned_by_their_words(void **state)
{
    static const char settings[] = "command: 'server --port ${port}', health: /health";
    struct estimate est, again;
    estimate_well(settings, ESTIMATE_PROBE, &est);
    assert_true(est.source == FIT_UNKNOWN && est.bytes == 0);
    put(&est, 70 * (int64_t)MIB, 90 * (int64_t)MIB);
    estimate_well(settings, ESTIMATE_PROBE, &again);
    assert_true(again.source == FIT_MEASURED && again.bytes == 90 * (int64_t)MIB);
    estimate_well("command: 'server --big --port ${port}', health: /health", ESTIMATE_PROBE, &again);
    assert_int_equal(again.source, FIT_UNKNOWN);
    estimate_well("command: 'server --port ${port}', health: /health, env: ['A=1']", ESTIMATE_PROBE, &again);
    assert_int_equal(again.source, FIT_UNKNOWN);
    estimate_well("command: 'server --port ${port}', health: /health, memory: 2GiB", ESTIMATE_PROBE, &again);
    assert_true(again.source == FIT_GIVEN && again.bytes == 2 * (int64_t)GIB);
}

static void test_it_works_without_a_store(void **state)
{
    struct estimate est;
    struct store *kept = store;
    store = NULL;
    estimate_well("file: '@/m.gguf', context: 512", ESTIMATE_PROBE, &est);
    assert_true(est.source == FIT_ESTIMATE && est.bytes > 0);
    estimate_well("file: '@/m.gguf', context: 512, cache: 0", ESTIMATE_PROJECT, &est);
    assert_int_equal(est.source, FIT_ENGINE);
    store = kept;
}

/* ---- on the loop ---- */

struct seen {
    struct loop *loop;
    int64_t bytes;
    int times;
};

static void on_measured(void *ctx, int64_t bytes)
{
    struct seen *s = ctx;
    s->bytes = bytes;
    s->times++;
    loop_stop(s->loop);
}

static void test_measurements_reach_the_next_estimate(void **state)
{
    static const char settings[] = "file: '@/m.gguf', context: 512, cache: 16MiB";
    struct estimate est, again;
    struct seen seen = { .loop = loop_new() };
    estimate_well(settings, ESTIMATE_PROBE, &est);
    measure_start(seen.loop, store, &est, getpid(), MEASURE_IDLE, on_measured, &seen);
    loop_run(seen.loop);
    assert_true(seen.times == 1 && seen.bytes > (int64_t)MIB / 4);
    estimate_well(settings, ESTIMATE_PROBE, &again);
    assert_true(again.source == FIT_MEASURED && again.bytes == seen.bytes + 16 * (int64_t)MIB);
    int pid = fork(), status;
    if (!pid)
        _exit(0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    measure_start(seen.loop, store, &est, pid, MEASURE_BUSY, on_measured, &seen); /* it is gone */
    loop_run(seen.loop);
    assert_true(seen.times == 2 && seen.bytes == -1);
    estimate_well(settings, ESTIMATE_PROBE, &est);
    assert_int_equal(est.bytes, again.bytes);
    measure_cancel(measure_start(seen.loop, store, &est, getpid(), MEASURE_BUSY, on_measured, &seen));
    loop_free(seen.loop); /* waits for the pool */
    assert_int_equal(seen.times, 2);
}

static void test_a_death_for_want_of_memory_asks_for_more(void **state)
{
    static const char settings[] = "file: '@/m.gguf', context: 512, cache: 16MiB";
    struct estimate est, again;
    struct loop *l = loop_new();
    estimate_well(settings, ESTIMATE_PROBE, &est);
    measure_out_of_memory(l, store, &est, est.bytes);
    loop_free(l);
    estimate_well(settings, ESTIMATE_PROBE, &again);
    assert_int_equal(again.source, FIT_CALIBRATED);
    assert_int_equal(again.bytes, (est.bytes - 16 * (int64_t)MIB) * 125 / 100 + 16 * (int64_t)MIB);
}

static void test_warming_asks_each_architecture_once(void **state)
{
    struct config *c = parse("file: '@/m.gguf'}, again: {file: '@/m.gguf'}, host: {command: 'x ${port}', health: /h");
    struct loop *l = loop_new();
    struct estimate est;
    estimate_warm(l, c, store);
    loop_free(l);
    assert_int_equal(times_asked(), 1);
    estimate_well("file: '@/m.gguf'", ESTIMATE_PROBE, &est);
    assert_int_equal(times_asked(), 1);
    conf_free(c);
}

static void test_when_to_measure(void **state)
{
    static const struct {
        int64_t tokens[5];
        bool due[5];
    } rows[] = {
        { { 10, 10, 600, 600, 10 }, { true, false, true, false, false } },
        { { 512, 10, 600, 10, 10 }, { true, false, false, false, false } },
        { { 0, 511, 512, 513, 0 }, { true, false, true, false, false } },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct measure_plan p = { 0 };
        for (size_t k = 0; k < 5; k++)
            if (measure_due(&p, rows[i].tokens[k]) != rows[i].due[k])
                fail_msg("row %zu, request %zu", i, k);
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_it_counts_what_the_child_will_be_given),
        CASE(test_what_lies_beside_the_model_counts),
        CASE(test_what_was_measured_is_used),
        CASE(test_an_architecture_that_nobody_knows_is_named),
        CASE(test_an_engine_is_asked_what_it_would_need_until_that_was_measured),
        CASE(test_commands_are_learned_by_their_words),
        CASE(test_it_works_without_a_store),
        CASE(test_measurements_reach_the_next_estimate),
        CASE(test_a_death_for_want_of_memory_asks_for_more),
        CASE(test_warming_asks_each_architecture_once),
        cmocka_unit_test(test_when_to_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
