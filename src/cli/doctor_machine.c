/* hob doctor, the machine: memory, limits, libraries, the web, the clock. */
#include "admin/admin.h"
#include "base/clock.h"
#include "cli/doctor.h"
#include "cli/limits.h"
#include "cli/table.h"
#include "http/web_module.h"

#include <llhttp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <uv.h>
#include <yaml.h>
#include <yyjson.h>

enum { FILES_WANTED = 4096, FULL_PERCENT = 80 };

/* ---- memory ---- */

static int64_t file_bytes(const struct conf_model *m)
{
    struct stat st;
    return m->file.n && stat(m->file.p, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* What a control group allows counts, where there is one. */
static int64_t memory_bytes(void)
{
    uint64_t total = uv_get_total_memory(), allowed = uv_get_constrained_memory();
    uint64_t n = allowed && allowed < total ? allowed : total;
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

static void memory(struct doctor *d)
{
    char held[32], most[32], total_text[32];
    int64_t hot = 0, all = 0, total = memory_bytes();
    for (size_t i = 0; i < d->config->nmodels; i++) {
        const struct conf_model *m = &d->config->models[i];
        all += file_bytes(m);
        hot += m->keep == KEEP_HOT ? file_bytes(m) : 0;
    }
    show_bytes(hot, held);
    show_bytes(all, most);
    show_bytes(total, total_text);
    if (hot > total) {
        doctor_say(d, NULL, HEALTH_FAIL, "the files of the `keep: hot` models are %s, the machine has %s", held, total_text);
        doctor_fix(d, "keep fewer models hot, or take smaller quantisations");
    } else if (hot > total / 100 * FULL_PERCENT) {
        doctor_say(d, NULL, HEALTH_WARN, "the files of the `keep: hot` models are %s of the machine's %s; contexts come on top", held, total_text);
        doctor_fix(d, "keep fewer models hot, or take smaller quantisations");
    } else if (all > total) {
        doctor_say(d, NULL, HEALTH_WARN, "all model files together are %s, the machine has %s: not all can be loaded at once", most, total_text);
        doctor_fix(d, "a short `idle:` lets models go that nobody asks");
    } else {
        doctor_say(d, NULL, HEALTH_OK, "model files %s of %s (rough: contexts come on top)", most, total_text);
    }
}

/* ---- limits ---- */

enum { OPEN_BY_ITSELF = 24 }; /* files of a gateway that nobody asks yet, about */

/* What comes of the limit: connections of callers, requests at a time. */
static struct str what_follows(const struct rlimit *lim, char *out, size_t room)
{
    size_t most = lim->rlim_max > LIMITS_MOST_FILES ? LIMITS_MOST_FILES : (size_t)lim->rlim_max;
    struct limits_found f = limits_find(most, OPEN_BY_ITSELF);
    snprintf(out, room, "about %zu connections, %zu requests at a time", f.connections, f.requests);
    return str_of(out);
}

static void limits(struct doctor *d)
{
    struct rlimit lim;
    char follows[96];
    if (getrlimit(RLIMIT_NOFILE, &lim)) {
        doctor_say(d, NULL, HEALTH_WARN, "the limit of open files cannot be read");
    } else if (lim.rlim_max < FILES_WANTED) { /* the daemon raises its own to the hard limit */
        doctor_say(d, NULL, HEALTH_WARN, "at most %llu files may be open: %s", (unsigned long long)lim.rlim_max,
            what_follows(&lim, follows, sizeof follows).p);
        doctor_fix(d, "raise the hard limit: `ulimit -Hn %d`, or LimitNOFILE= of the service", FILES_WANTED);
    } else {
        doctor_say(d, NULL, HEALTH_OK, "up to %llu open files: %s", (unsigned long long)(lim.rlim_max > LIMITS_MOST_FILES ? LIMITS_MOST_FILES : lim.rlim_max),
            what_follows(&lim, follows, sizeof follows).p);
    }
}

/* ---- libraries ---- */

static void libraries(struct doctor *d)
{
    int llhttp = LLHTTP_VERSION_MAJOR * 10000 + LLHTTP_VERSION_MINOR * 100 + LLHTTP_VERSION_PATCH;
    bool bad = llhttp < 90201; /* CVE-2024-27982: a Content-Length behind a space is taken for something else */
    doctor_say(d, NULL, bad ? HEALTH_WARN : HEALTH_OK, "libuv %s, llhttp %d.%d.%d, yyjson %s, libyaml %s", uv_version_string(), LLHTTP_VERSION_MAJOR,
        LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH, YYJSON_VERSION_STRING, yaml_get_version_string());
    if (bad)
        doctor_fix(d, "build with llhttp 9.2.1 or newer: older ones let requests be smuggled");
}

static void web(struct doctor *d)
{
    const struct web_module *m;
    struct err e;
    if (web_module_get(&m, &e)) {
        doctor_say(d, NULL, HEALTH_WARN, "hob pull and hashes will not work: %s", e.text);
        doctor_fix(d, "%s", e.hint);
    } else {
        const char *all = m->libraries(), *second = strchr(all, ' '), *end = second ? strchr(second + 1, ' ') : NULL;
        doctor_say(d, NULL, HEALTH_OK, "%.*s", end ? (int)(end - all) : (int)strlen(all), all); /* curl and its TLS; the rest is long */
    }
}

/* ---- the clock ---- */

static void time_of_day(struct doctor *d)
{
    static const int64_t from_s = 1735689600, to_s = 4102444800; /* 2025, 2100 */
    int64_t now = clock_wall_ms() / 1000;
    time_t t = (time_t)now;
    struct tm tm;
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    bool sane = now >= from_s && now < to_s;
    doctor_say(d, NULL, sane ? HEALTH_OK : HEALTH_WARN, "%s", text);
    if (!sane)
        doctor_fix(d, "set the clock: certificates and records go by it");
}

const struct check doctor_machine_checks[] = {
    { "memory",    memory,      true },
    { "limits",    limits,      false },
    { "libraries", libraries,   false },
    { "web",       web,         false },
    { "clock",     time_of_day, false },
    { NULL, NULL, false },
};
