/* What the admin door shows: the fields scripts rely on, there and of the right kind for models here and elsewhere, and null where nobody knows. */
#include "admin/admin_int.h"

#include "conf/conf.h"
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <cmocka.h>

static const char kitchen[] =
    "hosts: {anvil: {url: \"http://127.0.0.1:9001\"}}\n"
    "models:\n"
    "  near: {file: /w/m.gguf, slots: 3, context: 2048, keep: hot, aliases: [n, nn]}\n"
    "  far:  {host: anvil, input: [text, image]}\n"
    "roles: {chat: {model: near, fallback: [far]}}\n"
    "tiers: {fast: far}\n";
enum { NEAR, FAR };
static const struct fleet_budget unknown_budget = { -1, -1, -1 };

static struct {
    struct config *config;
    struct loop *loop;
    struct services *services;
    struct fleet *fleet;
    struct buf text;
    struct json_doc doc;
} k;

static int open_kitchen(void **state)
{
    struct err e = { 0 };
    memset(&k, 0, sizeof k);
    if (conf_parse(STR("/kitchen/hob.yaml"), STR(kitchen), &k.config, &e))
        fail_msg("%s", e.text);
    k.loop = loop_new();
    k.services = services_new(k.loop, NULL);
    k.fleet = fleet_new(k.loop, conf_hold(k.config), k.services, STR("/tmp/hob-test-none"), NULL);
    return 0;
}

static int close_kitchen(void **state)
{
    json_free(&k.doc);
    buf_free(&k.text);
    fleet_free(k.fleet);
    services_free(k.services);
    loop_free(k.loop);
    conf_free(k.config);
    return 0;
}

static yyjson_val *read_view(void)
{
    struct err e;
    if (json_parse(&k.doc, buf_str(&k.text), &e))
        fail_msg("%s: %.*s", e.text, STR_ARG(buf_str(&k.text)));
    assert_int_equal(yyjson_get_int(yyjson_obj_get(k.doc.root, "schema")), 1);
    return k.doc.root;
}

/* "memory.measured_bytes" in v; fails when it is not there. */
static yyjson_val *at(yyjson_val *v, const char *path)
{
    struct str rest = str_of(path);
    while (rest.p) {
        struct str key = str_cut(rest, '.', &rest);
        v = yyjson_obj_getn(v, key.p, key.n);
        if (!v)
            fail_msg("no field %s", path);
    }
    return v;
}

static void test_ps_has_every_field_scripts_rely_on(void **state)
{
    static const char *const fields[] = { "model", "host", "state", "keep", "pid", "engine", "memory.estimated_bytes", "memory.measured_bytes", "context",
        "slots.total", "slots.used", "queue.depth", "queue.oldest_ms", "queue.eta_ms", "pinned", "memory.booked_bytes", "leases", "idle_ms", "breaker", "deprecated_until", "flags", "draft", "last_error" };
    view_ps(fleet_world(k.fleet), &unknown_budget, &(struct view_gateway){ NULL, NULL }, (int64_t[]){ 123456, -1 }, &k.text);
    yyjson_val *root = read_view(), *all = at(root, "backends");
    assert_int_equal(yyjson_arr_size(all), 2);
    for (size_t b = 0; b < 2; b++)
        for (size_t i = 0; i < COUNTOF(fields); i++)
            at(yyjson_arr_get(all, b), fields[i]);
    assert_true(yyjson_is_null(at(root, "budget.total_bytes")) && yyjson_is_null(at(root, "budget.used_bytes")));
}

static void test_ps_says_what_is_and_null_for_what_nobody_knows(void **state)
{
    view_ps(fleet_world(k.fleet), &unknown_budget, &(struct view_gateway){ NULL, NULL }, (int64_t[]){ 123456, -1 }, &k.text);
    yyjson_val *all = at(read_view(), "backends"), *near = yyjson_arr_get(all, NEAR), *far = yyjson_arr_get(all, FAR);
    assert_string_equal(yyjson_get_str(at(near, "state")), "cold");
    assert_string_equal(yyjson_get_str(at(near, "keep")), "hot");
    assert_string_equal(yyjson_get_str(at(near, "engine")), "llama");
    assert_string_equal(yyjson_get_str(at(near, "breaker")), "closed");
    assert_int_equal(yyjson_get_int(at(near, "memory.measured_bytes")), 123456);
    assert_int_equal(yyjson_get_int(at(near, "slots.total")), 3);
    assert_int_equal(yyjson_get_int(at(near, "context")), 2048);
    assert_true(yyjson_is_null(at(near, "pid")) && yyjson_is_null(at(near, "idle_ms")) && yyjson_is_null(at(near, "last_error")));
    assert_true(yyjson_is_null(at(near, "memory.estimated_bytes")) && yyjson_is_null(at(near, "queue.oldest_ms")));
    assert_string_equal(yyjson_get_str(at(far, "state")), "hot");
    assert_string_equal(yyjson_get_str(at(far, "host")), "anvil");
    static const char *const unknown[] = { "keep", "pid", "engine", "memory.measured_bytes", "context", "slots.total" };
    for (size_t i = 0; i < COUNTOF(unknown); i++)
        assert_true(yyjson_is_null(at(far, unknown[i])));
}

static void test_an_error_is_told_with_its_hint(void **state)
{
    struct backend *b = world_backend(fleet_world(k.fleet), NEAR);
    err_set(&b->last_error, ERR_WEIGHTS_MISSING, "there is no file \"x\"");
    err_hint(&b->last_error, "Get it");
    view_ps(fleet_world(k.fleet), &unknown_budget, &(struct view_gateway){ NULL, NULL }, (int64_t[]){ -1, -1 }, &k.text);
    assert_string_equal(yyjson_get_str(at(yyjson_arr_get(at(read_view(), "backends"), NEAR), "last_error")), "there is no file \"x\". Get it");
}

static void test_a_draft_and_what_is_special_are_told(void **state)
{
    struct backend *b = world_backend(fleet_world(k.fleet), NEAR);
    struct conf_model with_draft = *b->model;
    const struct conf_model *before = b->model;
    with_draft.draft = STR("/w/d.gguf");
    b->flags = BACKEND_PROMPTS_NOT_KEPT;
    b->drafted = 8;
    b->accepted = 6;
    b->model = &with_draft;
    view_ps(fleet_world(k.fleet), &unknown_budget, &(struct view_gateway){ NULL, NULL }, (int64_t[]){ -1, -1 }, &k.text);
    b->model = before;
    yyjson_val *all = at(read_view(), "backends"), *near = yyjson_arr_get(all, NEAR);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(at(near, "flags"), 0)), "prompts_not_kept");
    assert_int_equal(yyjson_get_int(at(near, "draft.proposed")), 8);
    assert_true(yyjson_get_num(at(near, "draft.acceptance")) == 0.75);
    assert_true(yyjson_is_null(at(yyjson_arr_get(all, FAR), "draft")));
}

static void test_models_shows_what_may_be_asked_for(void **state)
{
    static const char *const fields[] = { "name", "aliases", "host", "file", "state", "context", "input", "capabilities", "deprecated_until" };
    view_models(fleet_world(k.fleet), &k.text);
    yyjson_val *root = read_view(), *near = yyjson_arr_get(at(root, "models"), NEAR), *far = yyjson_arr_get(at(root, "models"), FAR);
    for (size_t i = 0; i < COUNTOF(fields); i++) {
        at(near, fields[i]);
        at(far, fields[i]);
    }
    assert_string_equal(yyjson_get_str(at(near, "file")), "/w/m.gguf");
    assert_true(yyjson_is_null(at(far, "file")));
    assert_string_equal(yyjson_get_str(yyjson_arr_get(at(near, "aliases"), 1)), "nn");
    assert_string_equal(yyjson_get_str(yyjson_arr_get(at(far, "input"), 1)), "image");
    assert_string_equal(yyjson_get_str(yyjson_arr_get(at(near, "capabilities"), 0)), "chat");
    assert_string_equal(yyjson_get_str(at(root, "roles.chat.model")), "near");
    assert_string_equal(yyjson_get_str(yyjson_arr_get(at(root, "roles.chat.fallback"), 0)), "far");
    assert_string_equal(yyjson_get_str(at(root, "tiers.fast")), "far");
}

static void test_an_action_says_what_is_now(void **state)
{
    view_done(fleet_world(k.fleet), NEAR, 1234, &k.text);
    yyjson_val *root = read_view();
    assert_string_equal(yyjson_get_str(at(root, "model")), "near");
    assert_string_equal(yyjson_get_str(at(root, "state")), "cold");
    assert_int_equal(yyjson_get_int(at(root, "took_ms")), 1234);
}

static void test_the_version_names_the_libraries(void **state)
{
    static const char *const fields[] = { "version", "libuv", "llhttp", "yyjson", "libyaml" };
    admin_put_version(&k.text, 0);
    yyjson_val *root = read_view();
    for (size_t i = 0; i < COUNTOF(fields); i++)
        assert_true(yyjson_is_str(at(root, fields[i])));
}

static void test_each_row_is_whole(void **state)
{
    size_t n = 0;
    for (const struct admin_row *r; (r = admin_row_at(n)); n++) {
        assert_true(str_starts(str_of(r->path), STR("/hob/v1/")));
        assert_true(!strcmp(r->method, "POST") || (!strcmp(r->method, "GET") && !r->body));
        assert_true(r->handle && r->what[0]);
    }
    assert_true(n > 8);
}

static void test_a_socket_has_a_path_that_fits_or_none(void **state)
{
    static const size_t most = sizeof ((struct sockaddr_un *)0)->sun_path - 1;
    char path[ADMIN_PATH_BYTES], state_dir[200];
    memset(state_dir, 'x', sizeof state_dir);
    state_dir[0] = '/';
    assert_true(admin_socket_path(STR("/s"), path));
    assert_string_equal(path, "/s/hob.sock");
    assert_true(admin_socket_path(str_make(state_dir, most - 9), path));
    assert_int_equal(strlen(path), most);
    assert_false(admin_socket_path(str_make(state_dir, most - 8), path));
    assert_false(admin_socket_path(str_make(state_dir, sizeof state_dir), path));
}

#define IN_KITCHEN(test) cmocka_unit_test_setup_teardown(test, open_kitchen, close_kitchen)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_KITCHEN(test_ps_has_every_field_scripts_rely_on),
        IN_KITCHEN(test_ps_says_what_is_and_null_for_what_nobody_knows),
        IN_KITCHEN(test_an_error_is_told_with_its_hint),
        IN_KITCHEN(test_a_draft_and_what_is_special_are_told),
        IN_KITCHEN(test_models_shows_what_may_be_asked_for),
        IN_KITCHEN(test_an_action_says_what_is_now),
        IN_KITCHEN(test_the_version_names_the_libraries),
        cmocka_unit_test(test_each_row_is_whole),
        cmocka_unit_test(test_a_socket_has_a_path_that_fits_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
