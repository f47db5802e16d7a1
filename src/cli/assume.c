/* Joins two rooms that know nothing of each other: what lies in the folder (model/catalog) and what a configuration looks like
 * (conf/assume). */
#include "cli/assume.h"

#include "model/catalog.h"

enum err_code assume_models(struct config **c, bool notes, struct buf *yaml, struct err *e)
{
    struct config *old = *c;
    struct buf text;
    if (old->path.n)
        return ERR_OK;
    struct catalog *found = catalog_scan(old->models_dir);
    buf_init(&text, 0);
    conf_assume(old->models_dir, found->models, found->n, notes, &text);
    enum err_code rc = conf_parse((struct str){ NULL, 0 }, buf_str(&text), c, e);
    if (!rc) {
        (*c)->state = arena_copy(&(*c)->arena, old->state); /* --state may have named it */
        conf_free(old);
    }
    if (!rc && yaml)
        buf_add(yaml, buf_str(&text));
    buf_free(&text);
    catalog_free(found);
    return rc;
}

static void say_what(const struct config *c)
{
    if (c->path.n)
        return;
    if (c->nmodels)
        log_info("no configuration file: serving %zu model%s found in %.*s (`hob config show` prints what is assumed)", c->nmodels,
            c->nmodels == 1 ? "" : "s", STR_ARG(c->models_dir));
    else
        log_warn("nothing to serve: no configuration file (./hob.yaml, ~/.config/hob/hob.yaml) and no usable model in %.*s; "
            "put a .gguf file there or write a hob.yaml, then start again", STR_ARG(c->models_dir));
}

int cli_load_models(const struct cli_args *a, struct config **out)
{
    struct err e = { 0 };
    struct config *c = NULL;
    enum log_level level;
    int rc = cli_load_config(a, &c);
    if (rc)
        return rc;
    if (log_level_parse(cli_option_value(a, "--log"), &level))
        log_set_level(level);
    if (assume_models(&c, true, NULL, &e)) {
        cli_error(&e);
        conf_free(c);
        return EXIT_USAGE;
    }
    say_what(c);
    *out = c;
    return EXIT_OK;
}
