/* What is known of those who are asked, kept with the run: who compares it with another one later is warned when it was not the models alone that differed. */
#include "cli/eval_int.h"

#include "backend/engine.h"
#include "backend/version.h"
#include "model/catalog.h"
#include "model/summary.h"

#include <stdio.h>
#include <unistd.h>

enum { BUILD_DIGITS = 12 };

static const struct conf_model *model_of(const struct config *c, struct str name)
{
    for (size_t i = 0; i < c->nmodels; i++)
        if (str_eq(c->models[i].name, name))
            return &c->models[i];
    return NULL;
}

static const char *kind_of(const struct config *c, const struct conf_model *m)
{
    static const char *const names[] = { [HOST_OPENAI] = "openai", [HOST_ANTHROPIC] = "anthropic", [HOST_OLLAMA] = "ollama", [HOST_HOB] = "hob" };
    for (size_t i = 0; i < c->nhosts && m->host.n; i++)
        if (str_eq(c->hosts[i].name, m->host))
            return names[c->hosts[i].kind];
    return m->command.n ? "command" : "llama";
}

static struct str build_of(struct eval_job *j, const struct conf_model *m)
{
    char version[VERSION_BYTES];
    struct engine g;
    struct err e;
    if (m->command.n)
        return m->version_command.n && !version_ask(m, version, &e) ? arena_copy(&j->memory, str_of(version)) : STR("");
    if (m->host.n || engine_find(j->config, m->engine.n ? m->engine : STR("llama"), &g, &e))
        return STR("");
    bool says = !engine_ask_version(&g, &e) && g.version[0];
    return arena_printf(&j->memory, "%.*s%s%s, build %.*s", STR_ARG(g.name), says ? " " : "", says ? g.version : "", BUILD_DIGITS, g.hash);
}

/* As the file says; else as its name does. */
static struct str quantisation_of(struct eval_job *j, struct str file)
{
    struct model_files files;
    struct summary *s = arena_new(&j->memory, struct summary);
    struct str name = file, rest, said = STR("");
    struct err e;
    if (!file.n)
        return said;
    if (!access(file.p, R_OK) && !model_files_open(file.p, &files, &e)) {
        summary_make(&files, s);
        said = arena_copy(&j->memory, str_of(s->quantisation));
        model_files_close(&files);
    }
    while (memchr(name.p, '/', name.n)) {
        str_cut(name, '/', &rest);
        name = rest;
    }
    return said.n ? said : catalog_quantisation(str_ends(name, STR(".gguf")) ? str_make(name.p, name.n - 5) : name);
}

void eval_place_look(struct eval_job *j, size_t place, struct str host, struct str file)
{
    const struct conf_model *m = j->door.remote ? NULL : model_of(j->config, j->places[place].model);
    struct kept_place *k = &j->known[place];
    *k = (struct kept_place){ .name = j->places[place].name, .host = arena_copy(&j->memory, host), .file = arena_copy(&j->memory, file) };
    k->quantisation = quantisation_of(j, k->file);
    if (m) {
        k->runtime = str_of(kind_of(j->config, m));
        k->engine = build_of(j, m);
    } else if (file.n) {
        k->runtime = STR("llama");
    }
}
