/* The config reader. Oracles: what it takes is shown as YAML that it takes again and that then is shown the same, between the two is no difference but
 * to an empty one there is for each model, the JSON view is JSON, and what it refuses says where. */
#include "conf/conf.h"
#include "conf/diff.h"
#include "json/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool has_keys(const struct config *c) /* shown as "(hidden)", which is refused when it comes in again */
{
    for (size_t i = 0; i < c->nhosts; i++)
        if (c->hosts[i].key.hidden.n)
            return true;
    return c->hub_token.hidden.n > 0;
}

static void check_no_difference(const struct config *was, const struct config *now)
{
    struct conf_diff d;
    struct arena a;
    arena_init(&a);
    conf_diff(was, now, &a, &d);
    must(d.nmodels == now->nmodels && d.changed.n == 0 && d.removed.n == 0 && d.restart.n == 0);
    for (size_t i = 0; i < d.nmodels; i++)
        must(d.models[i].change == CONF_SAME && d.models[i].was == i);
    arena_fini(&a);
}

static void check_all_is_new(const struct config *c)
{
    struct config *empty = NULL;
    struct conf_diff d;
    struct arena a;
    struct err e = { 0 };
    must(conf_parse(STR("/nowhere/fuzz.yaml"), STR(""), &empty, &e) == ERR_OK);
    arena_init(&a);
    conf_diff(empty, c, &a, &d);
    for (size_t i = 0; i < d.nmodels; i++)
        must(d.models[i].change == CONF_ADDED);
    conf_diff(c, empty, &a, &d);
    must(d.nmodels == 0 && d.removed.n == c->nmodels);
    arena_fini(&a);
    conf_free(empty);
}

static void check_round_trip(const struct config *c)
{
    struct buf once = { 0 }, twice = { 0 };
    struct config *again = NULL;
    struct err e = { 0 };
    conf_show_yaml(c, false, &once);
    must(conf_parse(STR("/nowhere/fuzz.yaml"), buf_str(&once), &again, &e) == ERR_OK);
    conf_show_yaml(again, false, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
    check_no_difference(c, again);
    conf_free(again);
    buf_free(&once);
    buf_free(&twice);
}

static void check_json(const struct config *c)
{
    struct buf out = { 0 };
    struct json_doc d;
    conf_show_json(c, &out);
    must(json_parse(&d, buf_str(&out), NULL) == ERR_OK);
    json_free(&d);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = NULL;
    struct err e = { 0 };
    log_set_level(LOG_ERROR);
    setenv("HOME", "/nowhere", 1);
    unsetenv("HF_ENDPOINT");
    if (conf_parse(STR("/nowhere/fuzz.yaml"), str_make((const char *)data, size), &c, &e)) {
        must(e.code == ERR_CONFIG && str_starts(str_of(e.text), STR("/nowhere/fuzz.yaml:")) && e.hint[0]);
        return 0;
    }
    struct buf with_origin = { 0 };
    conf_show_yaml(c, true, &with_origin);
    if (!has_keys(c))
        check_round_trip(c);
    check_json(c);
    check_all_is_new(c);
    buf_free(&with_origin);
    conf_free(c);
    return 0;
}
