/* hob doctor, the sandbox: what this kernel can shut, and what is shut to the gateway and the engines that run. */
#include "cli/doctor.h"
#include "json/json.h"
#include "proc/fence.h"
#include "proc/filter.h"

/* From this version of Landlock's interface on. */
static const struct {
    int from;
    const char *what;
} shuts[] = { { 1, "files" }, { 4, "TCP" }, { 6, "signals" } };

static void what_it_shuts(struct doctor *d)
{
    struct buf list = { 0 };
    int version = fence_version();
    for (size_t i = 0; i < COUNTOF(shuts) && version >= shuts[i].from; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", shuts[i].what);
    if (!version) {
        doctor_say(d, NULL, HEALTH_WARN, "this system cannot fence programs (no Landlock): engines reach what you can");
        doctor_fix(d, "on Linux: a kernel since 5.13 with landlock in its `lsm=`; or run hob as a user of its own");
    } else {
        doctor_say(d, NULL, HEALTH_OK, "Landlock %d: shuts %.*s to the programs that hob starts", version, STR_ARG(buf_str(&list)));
    }
    buf_free(&list);
}

static void say_open(struct doctor *d)
{
    for (size_t i = 0; i < d->config->nmodels; i++) {
        const struct conf_model *m = &d->config->models[i];
        if (!m->host.n && m->sandbox != SANDBOX_ON && d->config->sandbox)
            doctor_say(d, arena_copy(&d->arena, m->name).p, HEALTH_OK, m->sandbox == SANDBOX_OFF ? "off, as configured" : "TCP is open to it, as configured");
    }
}

static void sandbox(struct doctor *d)
{
    if (!d->config->sandbox) {
        doctor_say(d, NULL, HEALTH_WARN, "`sandbox: off`: gateway and engines reach what you can");
        doctor_fix(d, "name what an engine misses under its model's `paths:`, and turn it on again");
        return;
    }
    what_it_shuts(d);
    say_open(d);
}

/* ---- what runs ---- */

static void gateway(struct doctor *d, int64_t pid)
{
    struct filter_state s = filter_of((int)pid);
    if (!d->config->sandbox || s.filtered < 0)
        return;
    if (s.filtered) {
        doctor_say(d, "gateway", HEALTH_OK, "process %lld is behind its filter of system calls", (long long)pid);
        return;
    }
    doctor_say(d, "gateway", HEALTH_WARN, "process %lld runs without a filter of system calls", (long long)pid);
    doctor_fix(d, "its log says why; doc/guide/sandbox.md says what that means");
}

static void engines(struct doctor *d, yyjson_val *backends)
{
    size_t i, n, fenced = 0, all = 0;
    yyjson_val *b;
    yyjson_arr_foreach(backends, i, n, b) {
        int64_t pid = yyjson_get_sint(yyjson_obj_get(b, "pid"));
        all += pid > 0;
        fenced += pid > 0 && filter_of((int)pid).no_new_privileges == 1;
    }
    if (all)
        doctor_say(d, "engines", fenced == all ? HEALTH_OK : HEALTH_WARN, "%zu of %zu engines that run can gain no privileges", fenced, all);
}

static bool ask(const struct door *door, const char *path, struct json_doc *doc, struct answer *got)
{
    struct question q = { .method = "GET", .path = path, .connect_ms = 1000, .answer_ms = 10000 };
    struct err e;
    if (door_ask(door, &q, got, &e))
        return false;
    if (!json_parse(doc, buf_str(&got->body), &e))
        return true;
    buf_free(&got->body);
    return false;
}

static void running(struct doctor *d)
{
    struct door door;
    struct answer got;
    struct json_doc doc = { 0 };
    struct err e;
    if (!d->daemon || door_find(d->args, d->config, &door, &e))
        return;
    if (ask(&door, "/hob/v1/version", &doc, &got)) {
        int64_t pid = yyjson_get_sint(yyjson_obj_get(doc.root, "pid"));
        if (pid > 0)
            gateway(d, pid);
        json_free(&doc);
        buf_free(&got.body);
    }
    if (ask(&door, "/hob/v1/ps", &doc, &got)) {
        engines(d, yyjson_obj_get(doc.root, "backends"));
        json_free(&doc);
        buf_free(&got.body);
    }
}

const struct check doctor_sandbox_checks[] = {
    { "sandbox",  sandbox, true },
    { "confined", running, true },
    { NULL, NULL, false },
};
