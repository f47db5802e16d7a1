/* The header of a model that is not here, without the model: of a file behind an address, of the parts of one, of what the hub has under a name. */
#include "cli/fit.h"

#include "model/files.h"
#include "model/hub_ask.h"
#include "model/remote.h"

#include <signal.h>

struct where {
    struct hub_access hub;
    const struct str *urls;     /* of the parts, in order */
    size_t n;
};

static enum err_code read_one(struct where *w, struct str url, struct arena *a, struct gguf *out, struct err *e)
{
    struct remote *r;
    struct err why;
    struct gguf g;
    enum err_code rc = remote_open(url, hub_token_for(&w->hub, url), w->hub.idle_ms, &r, e);
    if (rc)
        return rc;
    struct gguf_source source = remote_source(r);
    rc = gguf_read(&source, a, &g, &why);
    if (rc && remote_error(r)) {
        *e = *remote_error(r);
        rc = e->code;
    } else if (rc)
        err_set(e, rc, "%.*s: %.160s", url.n < 120 ? (int)url.n : 120, url.p, why.text);
    else if (g.end > source.size)
        rc = err_set(e, ERR_WEIGHTS_BROKEN, "%.*s is cut short: it has %llu bytes of %llu", url.n < 120 ? (int)url.n : 120, url.p,
            (unsigned long long)source.size, (unsigned long long)g.end);
    else
        *out = g;
    remote_close(r);
    return rc;
}

/* The others' tensors on top of the first's. */
static enum err_code add_part(struct where *w, struct str url, struct shape *s, struct err *e)
{
    struct arena a;
    struct gguf g = { 0 };
    arena_init(&a);
    enum err_code rc = read_one(w, url, &a, &g, e);
    for (size_t i = 0; !rc && i < g.ntensors; i++) {
        int64_t n = (int64_t)(g.tensors[i].size[0] * g.tensors[i].size[1] * g.tensors[i].size[2] * g.tensors[i].size[3]);
        s->params += n;
        s->params_active += str_find(g.tensors[i].name, STR("_exps")) >= 0 && s->experts ? n / s->experts * s->experts_used : n;
    }
    if (!rc)
        s->weights_bytes += (int64_t)g.tensor_bytes;
    arena_fini(&a);
    return rc;
}

/* ---- where it is ---- */

static enum err_code find_on_hub(struct where *w, const struct config *c, const struct hub_name *name, struct arena *a, struct err *e)
{
    struct hub_repo repo;
    struct hub_choice choice;
    enum err_code rc = hub_ask(&w->hub, name, a, &repo, e);
    if (!rc)
        rc = hub_choose(&repo, name, c->quant, a, &choice, e);
    if (rc)
        return rc;
    struct str *urls = arena_array(a, struct str, choice.n);
    for (size_t i = 0; i < choice.n; i++)
        urls[i] = hub_file_url(w->hub.base, name, repo.commit, choice.files[i]->path, a);
    w->urls = urls;
    w->n = choice.n;
    return ERR_OK;
}

static enum err_code find(struct where *w, const struct config *c, struct str what, struct arena *a, struct err *e)
{
    struct hub_name name;
    struct model_part part;
    enum err_code rc = hub_name_parse(what, w->hub.base, a, &name, e);
    if (rc || name.org.n)
        return rc ? rc : find_on_hub(w, c, &name, a, e);
    bool split = model_part_read(what, &part) && part.of <= MODEL_MAX_PARTS;
    w->n = split ? (size_t)part.of : 1;
    struct str *urls = arena_array(a, struct str, w->n);
    for (size_t i = 0; i < w->n; i++)
        urls[i] = split ? model_part_path(a, &part, (int64_t)i + 1) : what;
    w->urls = urls;
    return ERR_OK;
}

enum err_code fit_web_shape(const struct config *c, struct str what, struct arena *a, struct shape *out, struct err *e)
{
    struct where w;
    struct gguf g;
    struct shape s;
    struct err why;
    signal(SIGPIPE, SIG_IGN); /* the web's connections end when they like */
    enum err_code rc = hub_access_of(c, a, &w.hub, e);
    if (!rc)
        rc = find(&w, c, what, a, e);
    if (!rc)
        rc = read_one(&w, w.urls[0], a, &g, e);
    if (rc)
        return rc;
    rc = shape_of_gguf(&g, a, &s, &why);
    if (rc)
        return err_set(e, rc, "%.*s: %.160s", what.n < 120 ? (int)what.n : 120, what.p, why.text);
    for (size_t i = 1; i < w.n && !rc; i++)
        rc = add_part(&w, w.urls[i], &s, e);
    if (!rc)
        *out = s;
    return rc;
}

bool fit_is_elsewhere(struct str word)
{
    return str_starts(word, STR("https://")) || str_starts(word, STR("http://")) || str_starts(word, STR("hf.co/")) ||
           (hub_is_name(word) && memchr(word.p, ':', word.n));
}
