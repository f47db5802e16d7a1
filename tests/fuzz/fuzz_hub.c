/* A name as a person wrote it, and a hub's answer: input up to the first NUL is the name, the rest the answer. Oracles: no name that comes out could be
 * a way elsewhere, every choice is made of files that are there, and its addresses are ones that may be asked. */
#include "http/web_url.h"
#include "model/hub.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void must_be_harmless(struct str name)
{
    must(name.n > 0 && name.n <= HUB_MAX_NAME && name.p[0] != '.' && name.p[0] != '-');
    must(!memchr(name.p, '/', name.n) && !memchr(name.p, 0, name.n) && !memchr(name.p, '\\', name.n) && !memchr(name.p, ' ', name.n));
}

static void must_be_askable(struct str url)
{
    struct web_url u;
    struct err e;
    must(url.n > WEB_MAX_URL || (web_url_parse(url, &u, &e) == ERR_OK && str_eq(u.host, STR("hub.test")) && u.tls));
}

static void check_choice(const struct hub_choice *c, const struct hub_name *name, struct arena *a)
{
    must(c->n > 0 && c->label.n > 0);
    for (size_t i = 0; i < c->n; i++) {
        must_be_harmless(c->files[i]->name);
        must(c->files[i]->bytes >= -1 && (c->files[i]->sha256.n == 0 || c->files[i]->sha256.n == 64));
        must_be_askable(hub_file_url(STR("https://hub.test"), name, STR(""), c->files[i]->path, a));
        must_be_askable(hub_mirror_url(STR("https://hub.test/m"), name, c->files[i]->path, a));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct err e = { 0 };
    struct hub_name name = { 0 };
    struct hub_repo repo = { 0 };
    struct hub_choice chosen;
    const struct hub_choice *list;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    struct str text = str_make((const char *)data, nul ? (size_t)(nul - data) : size);
    struct str json = nul ? str_make((const char *)nul + 1, size - text.n - 1) : STR("");
    arena_init(&a);
    if (hub_name_parse(text, STR("https://hub.test"), &a, &name, &e)) {
        must(e.code == ERR_INVALID_REQUEST && e.text[0] && !name.org.n);
        name = (struct hub_name){ .org = STR("org"), .repo = STR("repo") };
    }
    if (name.org.n) {
        must_be_harmless(hub_folder(&name, &a));
        must_be_askable(hub_info_url(STR("https://hub.test"), &name, &a));
    }
    if (!hub_repo_read(json, &a, &repo, &e) && name.org.n) {
        size_t n = hub_choices(&repo, &a, &list);
        must(n <= repo.n);
        for (size_t i = 0; i < n; i++)
            check_choice(&list[i], &name, &a);
        if (!hub_choose(&repo, &name, STR(HUB_DEFAULT_QUANT), &a, &chosen, &e))
            check_choice(&chosen, &name, &a);
        if (hub_choose_projector(&repo, &a, &chosen))
            check_choice(&chosen, &name, &a);
    }
    arena_fini(&a);
    return 0;
}
