/* hob __names [models|all]: what completions offer, a name a line. Quick and quiet: asked at each TAB. The running daemon knows; when none runs, the
 * configuration does. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "json/json.h"
#include "route/decide.h"

#include <stdio.h>
#include <unistd.h>
#include <fcntl.h>

enum { CONNECT_MS = 300, ANSWER_MS = 1000 };

static void print(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f) /* no shell would take it as one word */
            return;
    printf("%.*s\n", STR_ARG(name));
}

static void print_keys(yyjson_val *object)
{
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, n, key, value)
        print(json_str(key));
}

static bool print_from_daemon(const struct cli_args *a, const struct config *c, bool all)
{
    struct question q = { .method = "GET", .path = "/hob/v1/models", .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS };
    struct door door;
    struct answer got;
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n, k, m;
    yyjson_val *model, *alias;
    if (door_find(a, c, &door, &e) || door_ask(&door, &q, &got, &e))
        return false;
    bool ok = got.status == 200 && !json_parse(&d, buf_str(&got.body), &e);
    yyjson_arr_foreach(yyjson_obj_get(d.root, "models"), i, n, model) {
        print(json_str(yyjson_obj_get(model, "name")));
        yyjson_arr_foreach(yyjson_obj_get(model, "aliases"), k, m, alias)
            print(json_str(alias));
    }
    if (all) {
        print_keys(yyjson_obj_get(d.root, "roles"));
        print_keys(yyjson_obj_get(d.root, "tiers"));
        print_keys(yyjson_obj_get(d.root, "aliases"));
        if (yyjson_get_bool(yyjson_obj_get(d.root, "auto")))
            print(STR("auto"));
    }
    json_free(&d);
    buf_free(&got.body);
    return ok;
}

static void print_from_config(const struct config *c, bool all)
{
    for (size_t i = 0; i < c->nmodels; i++) {
        print(c->models[i].name);
        for (size_t k = 0; k < c->models[i].aliases.n; k++)
            print(c->models[i].aliases.at[k]);
    }
    for (size_t i = 0; all && i < c->nroles; i++)
        print(c->roles[i].name);
    for (size_t i = 0; all && i < c->ntiers; i++)
        print(c->tiers[i].name);
    for (size_t i = 0; all && i < c->naliases; i++)
        print(c->aliases[i].name);
    if (all && route_has_auto(c))
        print(STR("auto"));
}

static int run(const struct cli_args *a)
{
    struct config *c = NULL;
    bool all = !a->nwords || !str_eq(a->words[0], STR("models"));
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO); /* in the middle of somebody's command line */
    if (!cli_load_config(a, &c) && !print_from_daemon(a, c, all))
        print_from_config(c, all);
    conf_free(c);
    return EXIT_OK;
}

static const struct cli_option options[] = { CLI_COMMON, CLI_END };
const struct command cli_names = { .name = "__names", .usage = "[models|all]", .what = "names for completions; not for people", .run = run, .options = options,
    .hidden = true, .max_words = 1 };
