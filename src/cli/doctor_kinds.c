/* hob doctor, the kinds of hosts: is each spoken to as it wants to be? Judged by what hob.yaml says; doctor_hosts.c asks whether they answer. */
#include "cli/doctor.h"

static const char *const kind_name[] = { [HOST_OPENAI] = "openai", [HOST_ANTHROPIC] = "anthropic", [HOST_OLLAMA] = "ollama", [HOST_HOB] = "hob" };

/* Addresses that give a kind away. All of these answer OpenAI's words as well, only with less. */
static const struct sign {
    const char *part;             /* of `url` */
    enum host_kind kind;
    const char *why;
} signs[] = {
    { "//api.anthropic.com", HOST_ANTHROPIC, "thoughts, documents and the cache's figures are lost on the way" },
    { ":11434", HOST_OLLAMA, "what is longer than its small default window is cut off without a word" },
};

static const struct sign *sign_of(const struct conf_host *h)
{
    for (size_t i = 0; i < COUNTOF(signs); i++)
        if (h->kind == HOST_OPENAI && str_find(h->url, str_of(signs[i].part)) >= 0)
            return &signs[i];
    return NULL;
}

static void look_at_host(struct doctor *d, const struct conf_host *h, const char *name)
{
    const struct sign *s = sign_of(h);
    if (s) {
        doctor_say(d, name, HEALTH_WARN, "%.*s is asked as OpenAI's: %s", STR_ARG(h->url), s->why);
        doctor_fix(d, "`kind: %s`", kind_name[s->kind]);
    } else if (h->kind == HOST_ANTHROPIC && !h->key.hidden.n && !h->local) {
        doctor_say(d, name, HEALTH_WARN, "%.*s is asked without a key", STR_ARG(h->url));
        doctor_fix(d, "`key: ${file:NAME}`");
    } else if (h->keep_alive.n && h->kind != HOST_OLLAMA) {
        doctor_say(d, name, HEALTH_WARN, "`keep_alive` means nothing to the kind %s", kind_name[h->kind]);
        doctor_fix(d, "take it away, or `kind: ollama`");
    }
}

void doctor_kinds(struct doctor *d)
{
    for (size_t i = 0; i < d->config->nhosts; i++)
        look_at_host(d, &d->config->hosts[i], arena_printf(&d->arena, "%.*s", STR_ARG(d->config->hosts[i].name)).p);
}
