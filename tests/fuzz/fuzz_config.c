/* The config reader. Oracles: what it takes is shown as YAML that it takes again and that then is shown the same, the JSON view is JSON,
 * and what it refuses says where. */
#include "conf/conf.h"
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

static void check_round_trip(const struct config *c)
{
    struct buf once = { 0 }, twice = { 0 };
    struct config *again = NULL;
    struct err e = { 0 };
    conf_show_yaml(c, false, &once);
    must(conf_parse(STR("/nowhere/fuzz.yaml"), buf_str(&once), &again, &e) == ERR_OK);
    conf_show_yaml(again, false, &twice);
    must(str_eq(buf_str(&once), buf_str(&twice)));
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
    buf_free(&with_origin);
    conf_free(c);
    return 0;
}
