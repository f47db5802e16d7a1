/* hob doctor, the models: the engine, what it knows, and the files. */
#include "backend/llama_args.h"
#include "cli/doctor.h"
#include "cli/table.h"
#include "model/probe.h"
#include "model/weights.h"
#include "proc/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ENGINE_LIMIT_MS = 10000, SAID_MAX_BYTES = 64 * 1024 };

static size_t local_models(const struct config *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->nmodels; i++)
        n += c->models[i].file.n > 0;
    return n;
}

/* ---- the engine ---- */

/* The line that names its version, else its first. */
static struct str version_line(struct str said)
{
    struct str first = { NULL, 0 };
    while (said.p) {
        struct str line = str_trim(str_cut(said, '\n', &said));
        if (str_starts(line, STR("version:")))
            return line;
        if (!first.n)
            first = line;
    }
    return first;
}

static void try_version(struct doctor *d, const char *path)
{
    const char *const argv[] = { path, "--version", NULL };
    struct buf said;
    struct run_end end;
    struct err e;
    buf_init(&said, SAID_MAX_BYTES);
    enum err_code rc = run_program(argv, NULL, NULL, ENGINE_LIMIT_MS, &said, &end, &e);
    struct str line = version_line(buf_str(&said));
    if (rc)
        doctor_say(d, NULL, HEALTH_FAIL, "%s", e.text);
    else if (end.too_long)
        doctor_say(d, NULL, HEALTH_FAIL, "%s says no version within %d s", path, ENGINE_LIMIT_MS / 1000);
    else if (end.signal)
        doctor_say(d, NULL, HEALTH_FAIL, "%s dies by signal %d (%s)", path, end.signal, strsignal(end.signal));
    else if (end.code)
        doctor_say(d, NULL, HEALTH_FAIL, "%s --version fails with %d: %.*s", path, end.code, STR_ARG(line));
    else
        doctor_say(d, NULL, HEALTH_OK, "%s (%.*s)", path, STR_ARG(line));
    if (rc || end.too_long || end.signal || end.code)
        doctor_fix(d, "install llama.cpp's llama-server for this machine, and name it in `engines: {llama: {path: …}}`");
    else
        snprintf(d->engine, sizeof d->engine, "%s", path);
    buf_free(&said);
}

static void engine(struct doctor *d)
{
    char path[sizeof d->engine];
    struct err e;
    enum err_code rc = llama_find_engine(conf_engine(d->config, STR("llama"))->path, path, sizeof path, &e);
    if (!rc) {
        try_version(d, path);
    } else if (!local_models(d->config)) {
        doctor_say(d, NULL, HEALTH_OK, "none, and no model needs one");
    } else {
        doctor_say(d, NULL, HEALTH_FAIL, "%s", e.text);
        doctor_fix(d, "%s", e.hint);
    }
}

/* ---- what it knows ---- */

static bool write_probe(struct doctor *d, struct str architecture, char *path, size_t room)
{
    char bytes[PROBE_MAX_BYTES];
    size_t n = probe_write(bytes, architecture);
    snprintf(path, room, "%s/probe-XXXXXX", d->run_dir);
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    bool whole = write(fd, bytes, n) == (ssize_t)n;
    if (close(fd) || !whole) {
        unlink(path);
        return false;
    }
    return true;
}

static enum probe_answer ask_engine(struct doctor *d, struct str architecture)
{
    char path[RUNDIR_MAX_BYTES + 16];
    const char *argv[16] = { d->engine, "-m", path };
    size_t n = 3;
    struct buf said;
    struct run_end end;
    struct err e;
    for (size_t i = 0; probe_flags[i] && n + 1 < COUNTOF(argv); i++)
        argv[n++] = probe_flags[i];
    if (!write_probe(d, architecture, path, sizeof path))
        return PROBE_UNCLEAR;
    enum probe_answer answer = PROBE_UNCLEAR;
    for (int tries = 0; tries < 2 && answer == PROBE_UNCLEAR; tries++) { /* its last words are sometimes lost: an empty log is asked again */
        buf_init(&said, SAID_MAX_BYTES);
        bool again = !run_program(argv, NULL, NULL, ENGINE_LIMIT_MS, &said, &end, &e) && !end.too_long;
        answer = probe_read(buf_str(&said));
        buf_free(&said);
        if (!again)
            break;
    }
    unlink(path);
    return answer;
}

static void say_architecture(struct doctor *d, struct str name)
{
    char of[64];
    snprintf(of, sizeof of, "%.*s", STR_ARG(name));
    switch (ask_engine(d, name)) {
    case PROBE_KNOWN:
        doctor_say(d, of, HEALTH_OK, "the engine knows it");
        break;
    case PROBE_UNKNOWN:
        doctor_say(d, of, HEALTH_FAIL, "the engine does not know this architecture");
        doctor_fix(d, "install a newer llama.cpp, or take another model");
        break;
    case PROBE_UNCLEAR:
        doctor_say(d, of, HEALTH_WARN, "the engine did not say whether it knows this architecture");
        doctor_fix(d, "try it: hob load MODEL");
        break;
    }
}

/* Each architecture once. */
static void architectures(struct doctor *d)
{
    const struct config *c = d->config;
    struct str *asked = arena_array(&d->arena, struct str, c->nmodels + 1);
    size_t n = 0;
    struct weights w;
    struct err e;
    if (!d->engine[0] || !d->run_dir[0])
        return;
    for (size_t i = 0; i < c->nmodels; i++) {
        if (!c->models[i].file.n || weights_check(c->models[i].file.p, &w, &e))
            continue;
        struct str name = str_of(w.architecture);
        size_t k = 0;
        while (k < n && !str_eq(asked[k], name))
            k++;
        if (k < n)
            continue;
        asked[n++] = arena_copy(&d->arena, name);
        say_architecture(d, name);
    }
}

/* ---- the files ---- */

static void weights(struct doctor *d)
{
    char name[256], size[32];
    for (size_t i = 0; i < d->config->nmodels; i++) {
        const struct conf_model *m = &d->config->models[i];
        struct weights w;
        struct err e;
        if (!m->file.n)
            continue;
        snprintf(name, sizeof name, "%.*s", STR_ARG(m->name));
        if (weights_check(m->file.p, &w, &e)) {
            doctor_say(d, name, HEALTH_FAIL, "%s", e.text);
            doctor_fix(d, "%s", e.hint[0] ? e.hint : "download it again");
            continue;
        }
        show_bytes((int64_t)w.file_bytes, size);
        if (w.context_train && m->context > w.context_train) {
            doctor_say(d, name, HEALTH_WARN, "%s, %s; `context: %lld` is more than the %lld it was trained for", w.architecture, size,
                (long long)m->context, (long long)w.context_train);
            doctor_fix(d, "set `context:` to %lld or less", (long long)w.context_train);
        } else {
            doctor_say(d, name, HEALTH_OK, "%s, %s, whole", w.architecture, size);
        }
    }
}

const struct check doctor_model_checks[] = {
    { "engine",       engine,        true },
    { "architecture", architectures, true },
    { "weights",      weights,       true },
    { NULL, NULL, false },
};
