/* Joins two rooms that know nothing of each other: what lies in the folder (model/catalog) and what a configuration looks like
 * (conf/assume). */
#include "cli/assume.h"

#include "cli/accepted.h"
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

static void use_options(const struct cli_args *a, struct config *c)
{
    struct str listen = cli_option_value(a, "--listen");
    if (listen.p)
        c->listen = arena_copy(&c->arena, listen);
    log_level_parse(cli_option_value(a, "--log"), &c->log); /* what is no level was refused at the start */
}

enum err_code cli_read_models(const struct cli_args *a, struct config **out, struct err *e)
{
    struct config *c = NULL;
    enum err_code rc = cli_read_config(a, &c, e);
    if (!rc)
        rc = assume_models(&c, true, NULL, e);
    if (rc) {
        conf_free(c);
        return rc;
    }
    use_options(a, c);
    *out = c;
    return ERR_OK;
}

int cli_load_models(const struct cli_args *a, struct config **out)
{
    struct err e = { 0 };
    enum log_level level;
    if (log_level_parse(cli_option_value(a, "--log"), &level))
        log_set_level(level);
    if (cli_read_models(a, out, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    say_what(*out);
    return EXIT_OK;
}

enum err_code cli_read_accepted(const struct cli_args *a, struct config **out, struct err *e)
{
    enum err_code rc = accepted_load(out, e);
    if (rc)
        return rc;
    cli_use_state(a, *out);
    use_options(a, *out);
    return ERR_OK;
}

int cli_load_accepted(const struct cli_args *a, struct config **out)
{
    struct err e = { 0 };
    if (cli_read_accepted(a, out, &e))
        return EXIT_USAGE;
    log_warn("going on with the configuration that was accepted before; mend %.*s, then `hob config reload`", STR_ARG((*out)->path));
    return EXIT_OK;
}
