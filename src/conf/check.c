/* What one setting cannot know alone: settings that do not go together, hosts and engines that are not there. Names that callers use: check_names.c. */
#include "base/hostname.h"
#include "conf/conf.h"
#include "conf/conf_int.h"

#include <ctype.h>

/* ---- one model ---- */

/* Flags that a setting stands for, or that would open a door of the engine: hob starts it with its own. */
static const struct engine_flag {
    const char *flag, *instead; /* NULL: never */
} engine_flags[] = {
    { "-m", "file" },                  { "--model", "file" },            { "-c", "context" },          { "--ctx-size", "context" },
    { "-np", "slots" },                { "--parallel", "slots" },        { "-ctk", "kv" },             { "--cache-type-k", "kv" },
    { "-ctv", "kv" },                  { "--cache-type-v", "kv" },       { "-t", "threads" },          { "--threads", "threads" },
    { "--host", NULL },                { "--port", NULL },               { "--api-key", NULL },        { "--api-key-file", NULL },
    { "-a", NULL },                    { "--alias", NULL },              { "--tools", NULL },          { "--agent", NULL },
    { "--media-path", NULL },          { "--props", NULL },              { "--path", NULL },           { "--api-prefix", NULL },
    { "--ssl-key-file", NULL },        { "--ssl-cert-file", NULL },      { "--cors-origins", NULL },       { "-mm", "mmproj" },
    { "--mmproj", "mmproj" },          { "-md", "draft" },               { "--model-draft", "draft" },     { "--lora", "lora" },
    { "--lora-scaled", "lora" },       { "-cram", "cache" },             { "--cache-ram", "cache" },       { "-kvu", "kv_shared" },
    { "--kv-unified", "kv_shared" },   { "--slot-save-path", "keep_prompts" },
};

static enum err_code check_args(struct reading *r, const struct conf_model *m)
{
    for (size_t i = 0; i < m->args.n; i++)
        for (size_t k = 0; k < COUNTOF(engine_flags); k++) {
            const struct engine_flag *f = &engine_flags[k];
            if (!str_eq(m->args.at[i], str_of(f->flag)))
                continue;
            struct conf_place at = said_where(r->c, &m->args.at[i]);
            if (f->instead)
                return fail_at(r->name, at, r->e, "args: write '%s' for %s: hob must know it", f->instead, f->flag);
            return fail_at(r->name, at, r->e, "args: %s is not for args: hob alone decides how the engine is reached", f->flag);
        }
    return ERR_OK;
}

static const struct {
    const char *only, *is;
} scope_words[] = {
    [SCOPE_ANY] = { "", "" },
    [SCOPE_FILE] = { "with weights of their own ('file')", "on this machine" },
    [SCOPE_COMMAND] = { "with a program of their own ('command')", "a program on this machine" },
    [SCOPE_HERE] = { "on this machine ('file', 'command')", "on this machine" },
    [SCOPE_HOST] = { "on a host ('host')", "on a host" },
};

/* A key that stands directly in a model: a setting, or a group with a list. */
static enum err_code check_scope(struct reading *r, const struct conf_model *m, const struct child *child)
{
    enum scope scope = child->setting ? child->setting->scope : child->group->scope;
    if (scope_applies(scope, m))
        return ERR_OK;
    size_t cursor = 0;
    struct child item;
    const void *field = (const char *)m + (child->setting ? child->setting->at : child_next(child->path, &cursor, &item) ? item.group->list_at : 0);
    struct conf_place at = said_where(r->c, field);
    if (!at.line)
        return ERR_OK;
    return fail_at(r->name, at, r->e, "'%.*s' is only for models %s; %s is %s", STR_ARG(child->name), scope_words[scope].only,
                   show_text(m->name).text, scope_words[model_scope(m)].is);
}

static enum err_code check_scopes(struct reading *r, const struct conf_model *m)
{
    size_t cursor = 0;
    struct child child;
    enum err_code rc = ERR_OK;
    while (!rc && child_next(STR("models.*"), &cursor, &child))
        rc = check_scope(r, m, &child);
    return rc;
}

/* A reference to an entry of another group: `what` it is, `where` those are. */
static enum err_code fail_unknown(struct reading *r, const struct str *field, const char *what, const char *where, const struct str *candidates, size_t n)
{
    struct str near = str_nearest(*field, candidates, n);
    struct conf_place at = said_where(r->c, field);
    if (near.n)
        fail_at(r->name, at, r->e, "unknown %s %s, did you mean '%.*s'?", what, show_text(*field).text, STR_ARG(near));
    else
        fail_at(r->name, at, r->e, "unknown %s %s", what, show_text(*field).text);
    return err_hint(r->e, "%ss are named under '%s:'", what, where);
}

static enum err_code check_host(struct reading *r, const struct conf_model *m)
{
    const struct config *c = r->c;
    if (!m->host.n || conf_host(c, m->host))
        return ERR_OK;
    struct str *names = arena_array(r->tree, struct str, c->nhosts);
    for (size_t i = 0; i < c->nhosts; i++)
        names[i] = c->hosts[i].name;
    return fail_unknown(r, &m->host, "host", "hosts", names, c->nhosts);
}

/* A cap on money that nobody can count is none. */
static enum err_code check_cap(struct reading *r, const struct conf_model *m)
{
    const struct conf_host *h = m->host.n ? conf_host(r->c, m->host) : NULL;
    if (!h || h->cap.money_day <= 0)
        return ERR_OK;
    bool input = m->price.input >= 0 || h->price.input >= 0, output = m->price.output >= 0 || h->price.output >= 0;
    if (input && output)
        return ERR_OK;
    struct shown host = show_text(h->name), model = show_text(m->name);
    fail_at(r->name, h->place, r->e, "the host %s has a cap on money, and nobody knows what %s of the model %s costs there", host.text, input ? "output" : "input",
        model.text);
    return err_hint(r->e, "give the host, or the model, `price: {input: …, output: …}` per million tokens (0 is a price), or cap tokens_day");
}

static enum err_code check_engine(struct reading *r, const struct conf_model *m)
{
    const struct config *c = r->c;
    if (!m->file.n || conf_engine(c, m->engine))
        return ERR_OK;
    struct str *names = arena_array(r->tree, struct str, c->nengines);
    for (size_t i = 0; i < c->nengines; i++)
        names[i] = c->engines[i].name;
    return fail_unknown(r, &m->engine, "engine", "engines", names, c->nengines);
}

/* An engine of ours is started for one thing: embedding and reranking switch generation off in it. */
static enum err_code check_serves(struct reading *r, const struct conf_model *m)
{
    struct conf_place at = said_where(r->c, &m->serves);
    if (!m->file.n)
        return ERR_OK;
    if (m->serves & ~(unsigned)(SERVES_CHAT | SERVES_EMBED | SERVES_RERANK)) {
        fail_at(r->name, at, r->e, "the model %s runs in llama-server, which serves chat, embed or rerank only", show_text(m->name).text);
        return err_hint(r->e, "a program that does more is named with 'command' instead of 'file'");
    }
    if ((m->serves & (m->serves - 1)) == 0)
        return ERR_OK;
    fail_at(r->name, at, r->e, "the model %s runs here, so it can serve one thing only", show_text(m->name).text);
    return err_hint(r->e, "name the file under a second model that serves the other");
}

static enum err_code check_input(struct reading *r, const struct conf_model *m)
{
    if (!m->file.n || m->mmproj.n || (m->input & ~(unsigned)INPUT_TEXT) == 0)
        return ERR_OK;
    fail_at(r->name, said_where(r->c, &m->input), r->e, "the model %s has no 'mmproj', so it takes in text only", show_text(m->name).text);
    return err_hint(r->e, "name its projector, a GGUF file that comes with the model, with 'mmproj'");
}

/* To other places the request goes as it came. */
static enum err_code check_max_tokens(struct reading *r, const struct conf_model *m)
{
    const struct conf_host *h = m->host.n ? conf_host(r->c, m->host) : NULL;
    if (!m->max_tokens || m->file.n || (h && (h->kind == HOST_ANTHROPIC || h->kind == HOST_OLLAMA)))
        return ERR_OK;
    return fail_at(r->name, said_where(r->c, &m->max_tokens), r->e,
                   "'max_tokens' is only for models with weights of their own ('file'), or on hosts of the kinds anthropic and ollama");
}

/* Names by which requests ask for an adapter. */
static enum err_code check_adapters(struct reading *r, const struct conf_model *m)
{
    for (size_t i = 0; i < m->nloras; i++) {
        const struct conf_lora *lora = &m->loras[i];
        if (!name_is_valid(lora->name)) {
            fail_at(r->name, lora->place, r->e, "%s is no name for an adapter", show_text(lora->name).text);
            return err_hint(r->e, "give it one with 'name': 1 to %d of: letters, digits and . _ : / -", CONF_MAX_NAME_BYTES);
        }
        for (size_t k = 0; k < i; k++)
            if (str_eq(m->loras[k].name, lora->name)) {
                fail_at(r->name, lora->place, r->e, "the model %s has two adapters %s", show_text(m->name).text, show_text(lora->name).text);
                return err_hint(r->e, "give one of them another 'name'");
            }
    }
    return ERR_OK;
}

/* ---- one model that is a program ---- */

static enum err_code check_command(struct reading *r, const struct conf_model *m)
{
    if (!m->command.n)
        return ERR_OK;
    bool port = str_find(m->command, STR("${port}")) >= 0, socket = str_find(m->command, STR("${socket}")) >= 0;
    if (port != socket)
        return ERR_OK;
    fail_at(r->name, said_where(r->c, &m->command), r->e,
            port ? "command: it holds both ${port} and ${socket}" : "command: it holds neither ${port} nor ${socket}, so nobody knows where it listens");
    return err_hint(r->e, "write ${port} where it takes a TCP port of 127.0.0.1, or ${socket} where it takes a unix socket's path");
}

static enum err_code check_health(struct reading *r, const struct conf_model *m)
{
    bool fits = m->health.n && m->health.p[0] == '/';
    for (size_t i = 0; i < m->health.n; i++)
        fits = fits && m->health.p[i] > ' ' && m->health.p[i] < 0x7F && m->health.p[i] != '#';
    if (!m->command.n || fits)
        return ERR_OK;
    return fail_at(r->name, said_where(r->c, &m->health), r->e, "health: %s is no path, like /health", show_text(m->health).text);
}

static bool is_variable(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '_')
            return false;
    return name.n && !isdigit((unsigned char)name.p[0]);
}

static enum err_code check_env(struct reading *r, const struct conf_model *m)
{
    for (size_t i = 0; i < m->env.n; i++) {
        struct str value, name = str_cut(m->env.at[i], '=', &value);
        if (name.n < m->env.at[i].n && is_variable(name))
            continue;
        return fail_at(r->name, said_where(r->c, &m->env.at[i]), r->e, "env: item %zu is not NAME=VALUE", i + 1); /* not quoted: it may hold a key */
    }
    return ERR_OK;
}

/* 0.31.2, or gemma4=0.31.2 */
static bool is_version_wish(struct str s)
{
    struct str version, architecture = str_cut(s, '=', &version);
    if (architecture.n == s.n)
        version = s;
    else if (!name_is_valid(architecture))
        return false;
    for (size_t i = 0; i < version.n; i++)
        if (!isalnum((unsigned char)version.p[i]) && !memchr(".-+_", version.p[i], 4))
            return false;
    return version.n && isdigit((unsigned char)version.p[0]);
}

static enum err_code check_versions(struct reading *r, const struct conf_model *m)
{
    for (size_t i = 0; i < m->min_version.n; i++)
        if (!is_version_wish(m->min_version.at[i])) {
            fail_at(r->name, said_where(r->c, &m->min_version.at[i]), r->e, "min_version: %s is no version", show_text(m->min_version.at[i]).text);
            return err_hint(r->e, "write VERSION, like 0.31.2, or ARCHITECTURE=VERSION, like gemma4=0.31.2");
        }
    if (!m->min_version.n || m->version_command.n)
        return ERR_OK;
    fail_at(r->name, said_where(r->c, &m->min_version), r->e, "min_version: the model %s has no 'version'", show_text(m->name).text);
    return err_hint(r->e, "name the command that says the program's version with 'version'");
}

static enum err_code check_model(struct reading *r, const struct conf_model *m)
{
    struct shown name = show_text(m->name);
    int ways = !!m->file.n + !!m->command.n + !!m->host.n;
    if (ways != 1) {
        fail_at(r->name, m->place, r->e, ways ? "the model %s has more than one of 'file', 'command' and 'host'" : "the model %s has none of 'file', 'command' and 'host'",
                name.text);
        return err_hint(r->e, "'file' and 'command' run it on this machine, 'host' asks another place: choose one");
    }
    static enum err_code (*const checks[])(struct reading *r, const struct conf_model *m) = {
        check_scopes, check_host, check_cap, check_engine, check_serves, check_input, check_max_tokens, check_adapters, check_args, check_command, check_health, check_env,
        check_versions,
    };
    enum err_code rc = ERR_OK;
    for (size_t i = 0; !rc && i < COUNTOF(checks); i++)
        rc = checks[i](r, m);
    return rc;
}

static enum err_code check_aliases(struct reading *r, const struct conf_model *m)
{
    for (size_t i = 0; i < m->aliases.n; i++)
        if (!name_is_valid(m->aliases.at[i]))
            return fail_at(r->name, said_where(r->c, &m->aliases.at[i]), r->e, "%s is no name for a model", show_text(m->aliases.at[i]).text);
    return ERR_OK;
}

/* "llama" is a default, any other build must say where it is. */
static enum err_code check_engines(struct reading *r)
{
    for (size_t i = 1; i < r->c->nengines; i++) {
        const struct conf_engine *g = &r->c->engines[i];
        if (!said_where(r->c, &g->path).line)
            return fail_at(r->name, g->place, r->e, "the engine %s has no 'path'", show_text(g->name).text);
    }
    return ERR_OK;
}

static enum err_code check_quant(struct reading *r)
{
    struct str quant = r->c->quant;
    for (size_t i = 0; i < quant.n; i++)
        if (!isalnum((unsigned char)quant.p[i]) && quant.p[i] != '_' && quant.p[i] != '-') {
            fail_at(r->name, said_where(r->c, &r->c->quant), r->e, "quant: %s is no quantisation", show_text(quant).text);
            return err_hint(r->e, "write one like Q4_K_M, Q8_0 or F16");
        }
    return ERR_OK;
}

static enum err_code check_auto(struct reading *r)
{
    const struct config *c = r->c;
    if (c->auto_primary <= c->auto_heavy)
        return ERR_OK;
    struct conf_place heavy = said_where(c, &c->auto_heavy), at = heavy.line ? heavy : said_where(c, &c->auto_primary);
    fail_at(r->name, at, r->e, "auto: 'heavy' (%.3g) is below 'primary' (%.3g)", c->auto_heavy, c->auto_primary);
    return err_hint(r->e, "what is hard enough for 'heavy' must be too hard for 'primary': give 'heavy' the greater number");
}

/* A loopback address as read_listen() has checked it, or not one. */
static bool listens_here_only(struct str listen)
{
    return str_starts(listen, STR("127.")) || str_starts(listen, STR("[::1]:")) || str_starts(listen, STR("localhost:"));
}

static enum err_code check_listen(struct reading *r)
{
    const struct config *c = r->c;
    if (c->nkeys || listens_here_only(c->listen))
        return ERR_OK;
    fail_at(r->name, said_where(c, &c->listen), r->e, "listen: %s is not a loopback address: others than this machine would be served without a key",
            show_text(c->listen).text);
    return err_hint(r->e, "`hob keys new NAME` makes one and says what to write under 'keys:'");
}

/* It is the name of a file too. */
static bool is_key_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && !(i && memchr("._-", s.p[i], 3)))
            return false;
    return s.n && s.n <= CONF_MAX_KEY_NAME_BYTES;
}

static enum err_code check_keys(struct reading *r)
{
    const struct config *c = r->c;
    for (size_t i = 0; i < c->nkeys; i++) {
        const struct conf_key *k = &c->keys[i];
        if (!is_key_name(k->name)) {
            fail_at(r->name, said_where(c, &k->name), r->e, "%s is no name for a key", show_text(k->name).text);
            return err_hint(r->e, "1 to %d of: letters, digits and . _ -, a letter or digit first", CONF_MAX_KEY_NAME_BYTES);
        }
        for (size_t j = 0; j < i; j++)
            if (str_eq(c->keys[j].name, k->name))
                return fail_at(r->name, said_where(c, &k->name), r->e, "there are two keys %s", show_text(k->name).text);
    }
    return ERR_OK;
}

/* Who says how long asks are to be kept means that they are. */
static enum err_code check_capture(struct reading *r, const struct conf_role *role)
{
    const struct conf_capture *c = &role->capture;
    struct conf_place at = said_where(r->c, &c->keep_ms);
    if (!at.line)
        at = said_where(r->c, &c->most);
    if (!at.line || said_where(r->c, &c->share).line)
        return ERR_OK;
    fail_at(r->name, at, r->e, "capture: without `share` nothing is kept");
    return err_hint(r->e, "say `share: 100%%`, or `share: 0` for nothing");
}

/* http(s)://HOST[:PORT][/…][?…]. A user is none: what is posted is read by who has the token in the path. */
static bool is_postable(struct str url)
{
    struct str rest = str_from(url, str_starts(url, STR("https://")) ? 8 : 7), host, port;
    const char *hint;
    bool brackets;
    int64_t number;
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    return hostname_split(str_make(rest.p, end), &host, &brackets, &port) && !hostname_fault(host, brackets, &hint) && (!port.p || str_to_int(port, 1, 65535, &number));
}

/* Never shown: a token may be in it. */
static enum err_code check_notify(struct reading *r)
{
    struct str url = r->c->notify_url.hidden;
    struct conf_place at = said_where(r->c, &r->c->notify_url);
    if (!url.n)
        return ERR_OK;
    if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://"))) {
        fail_at(r->name, at, r->e, "notify.url: what is posted to begins with https:// or http://");
        return err_hint(r->e, "write it to a file that only you can read, and '${file:notify.url}' here");
    }
    if (is_postable(url))
        return ERR_OK;
    fail_at(r->name, at, r->e, "notify.url: it has no valid host and port");
    return err_hint(r->e, "names are written in ASCII (xn--…), IPv4 addresses as four numbers, IPv6 in brackets; no user or password");
}

enum err_code check_all(struct reading *r)
{
    const struct config *c = r->c;
    enum err_code rc = check_engines(r);
    if (!rc)
        rc = check_quant(r);
    if (!rc)
        rc = check_auto(r);
    if (!rc)
        rc = check_listen(r);
    if (!rc)
        rc = check_keys(r);
    if (!rc)
        rc = check_notify(r);
    if (!rc)
        rc = check_rules(r);
    for (size_t i = 0; !rc && i < c->nmodels; i++) {
        rc = check_aliases(r, &c->models[i]);
        if (!rc)
            rc = check_model(r, &c->models[i]);
    }
    for (size_t i = 0; !rc && i < c->nroles; i++)
        rc = check_capture(r, &c->roles[i]);
    return rc ? rc : check_names(r);
}
