/* What a new configuration changes: every row of the table makes the difference that it says. */
#include "conf/conf.h"
#include "conf/conf_int.h"
#include "conf/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

static bool holds(const struct conf_strs *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->at[i], str_of(name)))
            return true;
    return false;
}

/* ---- row by row ---- */

static const char whole[] = "engines: {next: {path: x}}\n"
                            "pull: {mirrors: ['https://a']}\n"
                            "hosts: {h: {url: 'http://a', key: k, proxy: 'http://p:1'}}\n"
                            "models:\n"
                            "  f: {file: f, lora: [{file: x}], aliases: [a], args: [-x]}\n"
                            "  c: {command: 'c ${port}', env: [A=1], version: v, min_version: [1], serves: [transcribe]}\n"
                            "  h: {host: h}\n"
                            "tiers: {fast: f}\n"
                            "roles: {chat: {model: f, fallback: [c]}}\n"
                            "aliases: {old: f}\n"
                            "auto: {weights: {code: 2}}\n"
                            "routes: [{to: f}]\n"
                            "keys: [{name: k}]\n";
enum { MODEL_FILE, MODEL_COMMAND, MODEL_HOST };

/* Another value than it has: what it is does not matter, the parser is not asked. */
static enum err_code alter(void *ctx, const struct setting *s, void *base)
{
    void *field = (char *)base + s->at;
    static const struct str other[] = { { "other", 5 } };
    (void)ctx;
    switch (s->type) {
    case SET_BOOL:
        *(bool *)field = !*(bool *)field;
        break;
    case SET_COUNT:
    case SET_TOKENS:
    case SET_BYTES:
    case SET_MS:
        *(int64_t *)field += 1;
        break;
    case SET_NUMBER:
    case SET_SHARE:
        *(double *)field += 0.5;
        break;
    case SET_WORD:
    case SET_THINKING:
    case SET_FLAGS:
        *(unsigned *)field += 1;
        break;
    case SET_MAYBE:
    case SET_MAYBE_INT:
        ((struct conf_maybe *)field)->said = true;
        break;
    case SET_RANGE:
        ((struct conf_range *)field)->least += 1;
        break;
    case SET_SECRET:
    case SET_PROXY:
        ((struct secret *)field)->hidden = (struct str){ NULL, 0 };
        break;
    case SET_NAMES:
    case SET_PROSES:
    case SET_ARGS:
    case SET_PATHS:
    case SET_WEBS:
    case SET_HOSTNAMES:
    case SET_ORIGINS:
        *(struct conf_strs *)field = (struct conf_strs){ other, 1 };
        break;
    case SET_CHOICE:
    case SET_DATE:
    case SET_TEXT:
    case SET_PROSE:
    case SET_PROSE_FILE:
    case SET_NAME:
    case SET_FOLDER:
    case SET_WEIGHTS:
    case SET_PROGRAM:
    case SET_LISTEN:
    case SET_URL:
    case SET_WEB:
    case SET_SHA256:
    case SET_COMMAND:
        *(struct str *)field = other[0];
        break;
    case SET_TYPES:
        break;
    }
    return ERR_OK;
}

static bool touches(const struct setting *s, int model)
{
    if (str_starts(str_of(s->path), STR("hosts.")))
        return model == MODEL_HOST;
    if (str_starts(str_of(s->path), STR("engines.")) || str_starts(str_of(s->path), STR("models.*.lora")))
        return model == MODEL_FILE;
    return s->takes == TAKES_MODEL || model == MODEL_FILE;
}

static void test_every_row_makes_the_difference_it_says(void **state)
{
    for (size_t i = 0; i < nsettings; i++) {
        const struct setting *s = &settings[i];
        struct config *was = parse(whole), *now = parse(whole);
        struct conf_diff d;
        struct arena a;
        struct secret kept = now->hub_token;
        arena_init(&a);
        if (s->type == SET_SECRET && str_eq(str_of(s->path), STR("pull.token")))
            was->hub_token.hidden = STR("other");
        if (str_eq(str_of(s->path), STR("notify.url")))
            was->notify_url.hidden = STR("other");
        fields_each(now, s, alter, NULL);
        conf_diff(was, now, &a, &d);
        assert_true(d.changed.n > 0);
        assert_int_equal(d.restart.n, s->takes == TAKES_RESTART);
        for (int m = 0; m < 3; m++) {
            bool anew = (s->takes == TAKES_MODEL || s->takes == TAKES_ENGINE) && touches(s, m);
            if ((d.models[m].change == CONF_RESTART) != anew)
                fail_msg("%s: model %d: %d", s->path, m, (int)d.models[m].change);
            assert_int_equal(d.models[m].cause.n > 0, anew);
            assert_int_equal(d.models[m].was, m);
        }
        was->notify_url = now->notify_url = (struct secret){ .hidden = { NULL, 0 } };
        was->hub_token = now->hub_token = kept; /* what is put in here is not the arena's to wipe */
        arena_fini(&a);
        conf_free(was);
        conf_free(now);
    }
}

/* ---- cases ---- */

#define BASE "hosts: {h: {url: 'http://a'}}\nmodels:\n  a: {file: a, idle: 1m}\n  b: {file: b, lora: [{file: x}]}\n  c: {host: h}\nroles: {chat: a}\n"

static const struct {
    const char *was, *now;
    const char *models;   /* of now: . same, R restart, + added */
    const char *causes, *removed, *changed, *restart; /* with | behind each */
} rows[] = {
    { "", "", "", "", "", "", "" },
    { BASE, BASE, "...", "", "", "", "" },
    { BASE, "# moved\n\n" BASE, "...", "", "", "", "" },
    { BASE, "hosts: {h: {url: 'http://a'}}\nroles: {chat: a}\nmodels: {c: {host: h}, b: {file: b, lora: [{file: x}]}, a: {file: a, idle: 1m}}\n", "...", "", "",
      "", "" },
    { BASE, "listen: 127.0.0.1:1\nqueue: {limit: 3}\n" BASE, "...", "", "",
      "listen|queue.limit|models.a.queue.limit|models.b.queue.limit|models.c.queue.limit|", "listen|" },
    { "models: {a: {file: a}}\n", "models: {a: {file: a, context: 1k, idle: 2m, keep: hot}}\n", "R", "models.a.context|", "",
      "models.a.context|models.a.keep|models.a.idle|", "" },
    { "models: {a: {file: a}}\n", "models: {a: {file: a, idle: 2m, aliases: [x], weight: 3, warm: 1m}}\n", ".", "", "",
      "models.a.warm|models.a.weight|models.a.idle|models.a.aliases|", "" },
    { "models: {a: {file: a}}\n", "models: {b: {file: a}}\n", "+", "", "a|", "", "" },
    { "models: {a: {file: a}, b: {file: b}}\n", "models: {b: {file: b}, c: {file: c}}\n", ".+", "", "a|", "", "" },
    { "models: {a: {file: a}}\n", "models: {a: {command: 'a ${port}'}}\n", "R", "models.a.file|", "", "models.a.file|models.a.command|", "" },
    { "models: {a: {file: a, lora: [{file: x}]}}\n", "models: {a: {file: a, lora: [{file: x}, {file: y}]}}\n", "R", "models.a.lora|", "", "models.a.lora|", "" },
    { "models: {a: {file: a, lora: [{file: x}]}}\n", "models: {a: {file: a, lora: [{file: x, scale: 2}]}}\n", "R", "models.a.lora[0].scale|", "",
      "models.a.lora[0].scale|", "" },
    { "hosts: {h: {url: 'http://a'}, g: {url: 'http://g'}}\nmodels: {a: {host: h}, b: {host: g}}\n",
      "hosts: {h: {url: 'http://b'}, g: {url: 'http://g'}}\nmodels: {a: {host: h}, b: {host: g}}\n", "R.", "hosts.h.url|", "", "hosts.h.url|", "" },
    { "hosts: {h: {url: 'http://a', key: k}}\nmodels: {a: {host: h}}\n", "hosts: {h: {url: 'http://a', key: l}}\nmodels: {a: {host: h}}\n", "R", "hosts.h.key|",
      "", "hosts.h.key|", "" },
    { "hosts: {h: {url: 'http://a'}}\n", "hosts: {g: {url: 'http://a'}}\n", "", "", "", "hosts.g|hosts.h|", "" },
    { "models: {a: {file: a}}\n", "engines: {next: {path: x}}\nmodels: {a: {file: a, engine: next}}\n", "R", "models.a.engine|", "",
      "models.a.engine|engines.next|", "" },
    { "engines: {next: {path: x}}\nmodels: {a: {file: a, engine: next}, b: {file: b}}\n",
      "engines: {next: {path: y}}\nmodels: {a: {file: a, engine: next}, b: {file: b}}\n", "R.", "engines.next.path|", "", "engines.next.path|", "" },
    { "models: {a: {file: a}}\n", "engines: {llama: {path: x}}\nmodels: {a: {file: a}}\n", "R", "engines.llama.path|", "", "engines.llama.path|", "" },
    { "models: {a: {file: a}}\nroles: {chat: a}\n", "models: {a: {file: a}}\nroles: {chat: {model: a, background: on}, code: a}\ntiers: {fast: a}\n", ".", "", "",
      "tiers.fast|roles.chat.background|roles.code|", "" },
    { "models: {a: {file: a}, b: {file: b}}\ntiers: {fast: a}\n", "models: {a: {file: a}, b: {file: b}}\ntiers: {fast: b}\n", "..", "", "", "tiers.fast|", "" },
    { "models: {a: {file: a}}\n", "models: {a: {file: a, serves: embed}}\n", "R", "models.a.serves|", "", "models.a.serves|", "" },
    { "hosts: {h: {url: 'http://a'}}\nmodels: {a: {host: h}}\n", "hosts: {h: {url: 'http://a'}}\nmodels: {a: {host: h, serves: embed}}\n", ".", "", "",
      "models.a.serves|", "" },
};

static bool in_any_order(const struct conf_strs *got, const char *want)
{
    struct str rest = str_of(want);
    size_t n = 0;
    while (rest.n) {
        char name[128];
        struct str one = str_cut(rest, '|', &rest);
        snprintf(name, sizeof name, "%.*s", STR_ARG(one));
        if (!holds(got, name))
            return false;
        n++;
    }
    return n == got->n;
}

static void say(const char *what, const struct conf_strs *list)
{
    print_error("%s:", what);
    for (size_t i = 0; i < list->n; i++)
        print_error(" %.*s", STR_ARG(list->at[i]));
    print_error("\n");
}

static void test_what_changes(void **state)
{
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct config *was = parse(rows[i].was), *now = parse(rows[i].now);
        struct conf_diff d;
        struct arena a;
        char models[16] = "", causes[256] = "";
        arena_init(&a);
        conf_diff(was, now, &a, &d);
        assert_int_equal(d.nmodels, now->nmodels);
        for (size_t m = 0; m < d.nmodels; m++) {
            models[m] = ".R+"[d.models[m].change];
            if (d.models[m].cause.n)
                snprintf(causes + strlen(causes), sizeof causes - strlen(causes), "%.*s|", STR_ARG(d.models[m].cause));
            if (d.models[m].change != CONF_ADDED)
                assert_true(str_eq(was->models[d.models[m].was].name, now->models[m].name));
        }
        if (!in_any_order(&d.changed, rows[i].changed) || !in_any_order(&d.restart, rows[i].restart) || !in_any_order(&d.removed, rows[i].removed)) {
            say("changed", &d.changed);
            say("restart", &d.restart);
            say("removed", &d.removed);
            fail_msg("%s->\n%s", rows[i].was, rows[i].now);
        }
        assert_string_equal(models, rows[i].models);
        assert_string_equal(causes, rows[i].causes);
        arena_fini(&a);
        conf_free(was);
        conf_free(now);
    }
}

int main(void)
{
    setenv("HOME", "/home/cook", 1);
    unsetenv("HF_ENDPOINT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_makes_the_difference_it_says),
        cmocka_unit_test(test_what_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
