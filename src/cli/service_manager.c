/* How each manager takes a service up, lets it go, and says how it is: through its own program, as a person would. */
#include "cli/service.h"

#include "cli/cli.h"
#include "proc/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOOL_LIMIT_MS = 120 * 1000, SAID_MAX_BYTES = 64 * 1024 }; /* the limit: a start waits for READY=1 */

/* ---- running the manager's program ---- */

/* Found on PATH by env(1). -1: it could not be run. said may be NULL. */
static int run_tool(const char *const *words, struct buf *said)
{
    const char *argv[16] = { "/usr/bin/env" };
    struct buf own;
    struct run_end end;
    struct err e;
    size_t n = 1;
    buf_init(&own, SAID_MAX_BYTES);
    for (size_t i = 0; words[i] && n + 1 < COUNTOF(argv); i++)
        if (words[i][0])
            argv[n++] = words[i];
    bool failed = run_program(argv, NULL, NULL, TOOL_LIMIT_MS, &own, &end, &e) || end.too_long || end.signal || end.code == 127;
    if (said)
        buf_add(said, buf_str(&own));
    buf_free(&own);
    return failed ? -1 : end.code;
}

static int must(const char *const *words)
{
    struct buf said = { 0 };
    int code = run_tool(words, &said);
    struct str what = str_trim(buf_str(&said));
    if (code) {
        fprintf(stderr, "hob: ");
        for (size_t i = 0; words[i]; i++)
            if (words[i][0])
                fprintf(stderr, "%s%s", i ? " " : "", words[i]);
        fprintf(stderr, ": %.*s\n", STR_ARG(what.n ? what : STR("failed")));
    }
    buf_free(&said);
    return code ? EXIT_FAILED : EXIT_OK;
}

/* ---- systemd ---- */

static const char *scope_flag(const struct service_unit *u)
{
    return u->system ? "" : "--user";
}

static bool systemd_file(struct service_unit *u)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;
    if (u->system)
        n = snprintf(u->file, sizeof u->file, "/etc/systemd/system/" SERVICE_UNIT);
    else if (xdg && xdg[0] == '/')
        n = snprintf(u->file, sizeof u->file, "%s/systemd/user/" SERVICE_UNIT, xdg);
    else if (home && home[0] == '/')
        n = snprintf(u->file, sizeof u->file, "%s/.config/systemd/user/" SERVICE_UNIT, home);
    return n > 0 && (size_t)n < sizeof u->file;
}

static bool systemd_is_running(struct service_unit *u)
{
    static const char *const up[] = { "running", "degraded", "starting", "initializing", "maintenance", "stopping" };
    struct buf said = { 0 };
    int code = run_tool((const char *const[]){ "systemctl", scope_flag(u), "is-system-running", NULL }, &said); /* its code tells "degraded" too */
    struct str word = str_trim(buf_str(&said));
    bool found = false;
    for (size_t i = 0; code >= 0 && i < COUNTOF(up); i++)
        found = found || str_eq(word, str_of(up[i]));
    buf_free(&said);
    return found;
}

static void take(char *out, size_t room, struct str value)
{
    snprintf(out, room, "%.*s", STR_ARG(value));
}

static void systemd_ask(struct service_unit *u, struct service_state *s)
{
    struct buf said = { 0 };
    *s = (struct service_state){ .pid = -1 };
    int code = run_tool((const char *const[]){ "systemctl", scope_flag(u), "show", SERVICE_UNIT, "--property",
                            "ActiveState,UnitFileState,StatusText,MainPID", NULL }, &said);
    for (struct str rest = code == 0 ? buf_str(&said) : STR(""); rest.n;) {
        struct str value, key = str_cut(str_cut(rest, '\n', &rest), '=', &value);
        if (str_eq(key, STR("ActiveState")))
            take(s->active, sizeof s->active, value);
        else if (str_eq(key, STR("UnitFileState")))
            take(s->enabled, sizeof s->enabled, value);
        else if (str_eq(key, STR("StatusText")))
            take(s->status, sizeof s->status, value);
        else if (str_eq(key, STR("MainPID")) && !str_to_int(value, 1, INT32_MAX, &s->pid))
            s->pid = -1;
    }
    buf_free(&said);
}

static int systemd_start(struct service_unit *u, bool changed)
{
    struct service_state now;
    const char *user = scope_flag(u);
    int rc = changed ? must((const char *const[]){ "systemctl", user, "daemon-reload", NULL }) : EXIT_OK;
    systemd_ask(u, &now);
    if (!rc)
        rc = must((const char *const[]){ "systemctl", user, "enable", SERVICE_UNIT, NULL });
    if (!rc && must((const char *const[]){ "systemctl", user, changed && !strcmp(now.active, "active") ? "restart" : "start", SERVICE_UNIT, NULL })) {
        fprintf(stderr, "hob: what it said: journalctl %s%s-u hob -n 20\n", user, user[0] ? " " : "");
        rc = EXIT_FAILED;
    }
    return rc;
}

static int systemd_stop(struct service_unit *u)
{
    return must((const char *const[]){ "systemctl", scope_flag(u), "disable", "--now", SERVICE_UNIT, NULL });
}

/* With no systemd running nobody else removes the link that enables it. */
static void systemd_forget(struct service_unit *u)
{
    char link[4096 + 64], to[4096];
    const char *slash = strrchr(u->file, '/');
    snprintf(link, sizeof link, "%.*s/%s.wants/" SERVICE_UNIT, (int)(slash - u->file), u->file, u->system ? "multi-user.target" : "default.target");
    ssize_t n = readlink(link, to, sizeof to);
    if (n > 0 && str_ends(str_make(to, (size_t)n), STR("/" SERVICE_UNIT)))
        unlink(link);
    if (systemd_is_running(u))
        (void)must((const char *const[]){ "systemctl", scope_flag(u), "daemon-reload", NULL });
}

/* ---- launchd ---- */

static bool launchd_file(struct service_unit *u)
{
    const char *home = getenv("HOME");
    int n = home && home[0] == '/' ? snprintf(u->file, sizeof u->file, "%s/Library/LaunchAgents/" SERVICE_LABEL ".plist", home) : -1;
    return n > 0 && (size_t)n < sizeof u->file;
}

static bool launchd_is_running(struct service_unit *u)
{
    (void)u;
    return true;
}

/* Of this user's session, or our place in it. */
struct launchd_names {
    char domain[32], service[64];
};

static struct launchd_names launchd_names(void)
{
    struct launchd_names n;
    snprintf(n.domain, sizeof n.domain, "gui/%u", (unsigned)getuid());
    snprintf(n.service, sizeof n.service, "%s/" SERVICE_LABEL, n.domain);
    return n;
}

static void launchd_ask(struct service_unit *u, struct service_state *s)
{
    struct launchd_names names = launchd_names();
    struct buf said = { 0 };
    *s = (struct service_state){ .pid = -1 };
    int code = run_tool((const char *const[]){ "launchctl", "print", names.service, NULL }, &said);
    take(s->enabled, sizeof s->enabled, code ? STR("disabled") : STR("enabled"));
    take(s->active, sizeof s->active, STR("inactive"));
    for (struct str rest = code ? STR("") : buf_str(&said); rest.n;) {
        struct str value, key = str_trim(str_cut(str_cut(rest, '\n', &rest), '=', &value));
        value = str_trim(value);
        if (str_eq(key, STR("state")) && str_eq(value, STR("running")))
            take(s->active, sizeof s->active, STR("active"));
        else if (str_eq(key, STR("pid")) && !str_to_int(value, 1, INT32_MAX, &s->pid))
            s->pid = -1;
    }
    buf_free(&said);
}

static int launchd_stop(struct service_unit *u)
{
    struct launchd_names names = launchd_names();
    struct service_state now;
    launchd_ask(u, &now);
    return strcmp(now.enabled, "enabled") ? EXIT_OK : must((const char *const[]){ "launchctl", "bootout", names.service, NULL });
}

static int launchd_start(struct service_unit *u, bool changed)
{
    struct launchd_names names = launchd_names();
    struct service_state now;
    int rc = changed ? launchd_stop(u) : EXIT_OK;
    launchd_ask(u, &now);
    if (!rc && strcmp(now.enabled, "enabled"))
        rc = must((const char *const[]){ "launchctl", "bootstrap", names.domain, u->file, NULL });
    else if (!rc && strcmp(now.active, "active"))
        rc = must((const char *const[]){ "launchctl", "kickstart", names.service, NULL });
    return rc;
}

static void launchd_forget(struct service_unit *u)
{
    (void)u;
}

const struct service_row service_rows[] = {
    [MANAGER_SYSTEMD] = { "systemd", systemd_file, systemd_is_running, systemd_start, systemd_stop, systemd_forget, systemd_ask },
    [MANAGER_LAUNCHD] = { "launchd", launchd_file, launchd_is_running, launchd_start, launchd_stop, launchd_forget, launchd_ask },
};
