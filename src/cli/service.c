/* hob service install|uninstall|status: hob under the system's service manager. Writes one file, the unit or the agent, and asks the manager to take it
 * up, through its own program. Nothing else of the machine is changed. */
#include "cli/service.h"

#include "cli/ask.h"
#include "cli/commands.h"
#include "json/json.h"
#include "proc/run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOOL_LIMIT_MS = 120 * 1000, SAID_MAX_BYTES = 64 * 1024, MAX_HINTS = 8 }; /* the limit: a start waits for READY=1 */

/* What the manager says of the service. */
struct service_state {
    char active[32];         /* "active", "inactive", "failed"…; "": it does not say */
    char enabled[32];
    char status[256];        /* our own words to it (proc/notify.h) */
    int64_t pid;             /* -1: none */
};

struct job;

struct manager {
    const char *name;
    bool (*file)(struct job *j);                   /* false: no home */
    bool (*is_running)(struct job *j);
    int (*start)(struct job *j, bool changed);     /* taken up, enabled and running when it returns EXIT_OK; else it has said why */
    int (*stop)(struct job *j);                    /* not running, not enabled */
    void (*forget)(struct job *j);                 /* the file is gone */
    void (*ask)(struct job *j, struct service_state *s);
};

struct job {
    const struct cli_args *args;
    struct arena arena;
    struct config *config;
    struct service_facts facts;
    const struct manager *manager;
    char file[4096], program[4096];
    struct str hints[MAX_HINTS];
    size_t nhints;
};

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

static const char *scope_flag(const struct job *j)
{
    return j->facts.system ? "" : "--user";
}

static bool systemd_file(struct job *j)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;
    if (j->facts.system)
        n = snprintf(j->file, sizeof j->file, "/etc/systemd/system/" SERVICE_UNIT);
    else if (xdg && xdg[0] == '/')
        n = snprintf(j->file, sizeof j->file, "%s/systemd/user/" SERVICE_UNIT, xdg);
    else if (home && home[0] == '/')
        n = snprintf(j->file, sizeof j->file, "%s/.config/systemd/user/" SERVICE_UNIT, home);
    return n > 0 && (size_t)n < sizeof j->file;
}

static bool systemd_is_running(struct job *j)
{
    static const char *const up[] = { "running", "degraded", "starting", "initializing", "maintenance", "stopping" };
    struct buf said = { 0 };
    int code = run_tool((const char *const[]){ "systemctl", scope_flag(j), "is-system-running", NULL }, &said); /* its code tells "degraded" too */
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

static void systemd_ask(struct job *j, struct service_state *s)
{
    struct buf said = { 0 };
    *s = (struct service_state){ .pid = -1 };
    int code = run_tool((const char *const[]){ "systemctl", scope_flag(j), "show", SERVICE_UNIT, "--property",
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

static int systemd_start(struct job *j, bool changed)
{
    struct service_state now;
    const char *user = scope_flag(j);
    int rc = changed ? must((const char *const[]){ "systemctl", user, "daemon-reload", NULL }) : EXIT_OK;
    systemd_ask(j, &now);
    if (!rc)
        rc = must((const char *const[]){ "systemctl", user, "enable", SERVICE_UNIT, NULL });
    if (!rc && must((const char *const[]){ "systemctl", user, changed && !strcmp(now.active, "active") ? "restart" : "start", SERVICE_UNIT, NULL })) {
        fprintf(stderr, "hob: what it said: journalctl %s%s-u hob -n 20\n", user, user[0] ? " " : "");
        rc = EXIT_FAILED;
    }
    return rc;
}

static int systemd_stop(struct job *j)
{
    return must((const char *const[]){ "systemctl", scope_flag(j), "disable", "--now", SERVICE_UNIT, NULL });
}

/* With no systemd running nobody else removes the link that enables it. */
static void systemd_forget(struct job *j)
{
    char link[4096 + 64], to[4096];
    const char *slash = strrchr(j->file, '/');
    snprintf(link, sizeof link, "%.*s/%s.wants/" SERVICE_UNIT, (int)(slash - j->file), j->file, j->facts.system ? "multi-user.target" : "default.target");
    ssize_t n = readlink(link, to, sizeof to);
    if (n > 0 && str_ends(str_make(to, (size_t)n), STR("/" SERVICE_UNIT)))
        unlink(link);
    if (systemd_is_running(j))
        (void)must((const char *const[]){ "systemctl", scope_flag(j), "daemon-reload", NULL });
}

/* ---- launchd ---- */

static bool launchd_file(struct job *j)
{
    const char *home = getenv("HOME");
    int n = home && home[0] == '/' ? snprintf(j->file, sizeof j->file, "%s/Library/LaunchAgents/" SERVICE_LABEL ".plist", home) : -1;
    return n > 0 && (size_t)n < sizeof j->file;
}

static bool launchd_is_running(struct job *j)
{
    (void)j;
    return true;
}

static const char *launchd_domain(struct job *j, const char *label)
{
    return arena_printf(&j->arena, "gui/%u%s%s", (unsigned)getuid(), label ? "/" : "", label ? label : "").p;
}

static void launchd_ask(struct job *j, struct service_state *s)
{
    struct buf said = { 0 };
    *s = (struct service_state){ .pid = -1 };
    int code = run_tool((const char *const[]){ "launchctl", "print", launchd_domain(j, SERVICE_LABEL), NULL }, &said);
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

static int launchd_stop(struct job *j)
{
    struct service_state now;
    launchd_ask(j, &now);
    return strcmp(now.enabled, "enabled") ? EXIT_OK : must((const char *const[]){ "launchctl", "bootout", launchd_domain(j, SERVICE_LABEL), NULL });
}

static int launchd_start(struct job *j, bool changed)
{
    struct service_state now;
    int rc = changed ? launchd_stop(j) : EXIT_OK;
    launchd_ask(j, &now);
    if (!rc && strcmp(now.enabled, "enabled"))
        rc = must((const char *const[]){ "launchctl", "bootstrap", launchd_domain(j, NULL), j->file, NULL });
    else if (!rc && strcmp(now.active, "active"))
        rc = must((const char *const[]){ "launchctl", "kickstart", launchd_domain(j, SERVICE_LABEL), NULL });
    return rc;
}

static void launchd_forget(struct job *j)
{
    (void)j;
}

static const struct manager managers[] = {
    [MANAGER_SYSTEMD] = { "systemd", systemd_file, systemd_is_running, systemd_start, systemd_stop, systemd_forget, systemd_ask },
    [MANAGER_LAUNCHD] = { "launchd", launchd_file, launchd_is_running, launchd_start, launchd_stop, launchd_forget, launchd_ask },
};

#ifdef __APPLE__
static const enum service_manager managers_here = MANAGER_LAUNCHD;
#else
static const enum service_manager managers_here = MANAGER_SYSTEMD;
#endif

/* ---- hints ---- */

static void hint(struct job *j, struct str text)
{
    if (j->nhints < MAX_HINTS)
        j->hints[j->nhints++] = text;
}

/* Without it a user's services run only while the user is logged in. */
static bool lingers(struct job *j)
{
    struct passwd *who = getpwuid(geteuid());
    return who && !access(arena_printf(&j->arena, "/var/lib/systemd/linger/%s", who->pw_name).p, F_OK);
}

static const char *user_name(void)
{
    struct passwd *who = getpwuid(geteuid());
    return who ? who->pw_name : "USER";
}

static bool open_to_all(struct job *j, struct str path)
{
    struct stat st;
    for (size_t i = 1; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/')
            continue;
        if (stat(arena_copy(&j->arena, str_make(path.p, i)).p, &st))
            return true; /* not there yet: said by others */
        if (!(st.st_mode & (S_ISDIR(st.st_mode) ? S_IXOTH : S_IROTH)))
            return false;
    }
    return true;
}

/* A system's service runs as a user of its own. */
static void hint_unreadable(struct job *j, struct str path)
{
    if (path.n && !open_to_all(j, path))
        hint(j, arena_printf(&j->arena, "the service runs as a user of its own and may not be able to read %.*s", STR_ARG(path)));
}

static void collect_hints(struct job *j)
{
    const struct config *c = j->config;
    if (j->facts.manager != MANAGER_SYSTEMD)
        return;
    if (!j->facts.system) {
        if (!lingers(j))
            hint(j, arena_printf(&j->arena, "it runs while you are logged in; from boot on: loginctl enable-linger %s", user_name()));
        return;
    }
    hint(j, STR("its state folder is /var/lib/hob: sudo hob ps --state /var/lib/hob"));
    hint_unreadable(j, j->facts.program);
    hint_unreadable(j, c->path);
    for (size_t i = 0; i < c->nmodels; i++)
        hint_unreadable(j, c->models[i].file);
}

/* ---- what is printed ---- */

static void put_str(struct json_out *o, const char *key, struct str value) /* empty = null */
{
    json_key(o, str_of(key));
    if (value.n)
        json_string(o, value);
    else
        json_null(o);
}

static void begin_json(struct json_out *o, const struct job *j, const char *change)
{
    json_begin_object(o);
    json_key(o, STR("schema"));
    json_int(o, 1);
    put_str(o, "manager", str_of(j->manager->name));
    put_str(o, "scope", j->facts.system ? STR("system") : STR("user"));
    put_str(o, "file", str_of(j->file));
    put_str(o, "change", str_of(change));
}

static int end_json(struct json_out *o, const struct job *j)
{
    json_key(o, STR("hints"));
    json_begin_array(o);
    for (size_t i = 0; i < j->nhints; i++)
        json_string(o, j->hints[i]);
    json_end_array(o);
    json_end_object(o);
    int rc = print_answer(buf_str(o->to));
    buf_free(o->to);
    return rc;
}

static void put_state(struct json_out *o, const struct service_state *s)
{
    put_str(o, "active", str_of(s->active));
    put_str(o, "enabled", str_of(s->enabled));
    json_key(o, STR("pid"));
    if (s->pid > 0)
        json_int(o, s->pid);
    else
        json_null(o);
    put_str(o, "status", str_of(s->status));
}

static void say_hints(const struct job *j)
{
    for (size_t i = 0; i < j->nhints; i++)
        fprintf(stderr, "hob: %.*s\n", STR_ARG(j->hints[i]));
}

static int print_done(struct job *j, const char *change)
{
    struct service_state s;
    struct buf out = { 0 };
    j->manager->ask(j, &s);
    if (cli_flag(j->args, "--json")) {
        struct json_out o = json_out(&out);
        begin_json(&o, j, change);
        put_state(&o, &s);
        return end_json(&o, j);
    }
    printf("%s: %s%s%s\n", j->file, change, s.active[0] ? ", the service is " : "", s.active);
    say_hints(j);
    return EXIT_OK;
}

static int print_dry(struct job *j, struct str text, const char *change)
{
    struct buf out = { 0 };
    if (!cli_flag(j->args, "--json")) {
        bool whole = fwrite(text.p, 1, text.n, stdout) == text.n && !fflush(stdout);
        say_hints(j);
        return whole ? EXIT_OK : EXIT_FAILED;
    }
    struct json_out o = json_out(&out);
    begin_json(&o, j, change);
    put_str(&o, "text", text);
    return end_json(&o, j);
}

/* ---- the facts ---- */

static bool has_group(const char *name)
{
    return getgrnam(name) != NULL;
}

/* A path with a line break in it would end its line in the unit. */
static int refuse_odd(struct str path)
{
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < ' ' || path.p[i] == 0x7f) {
            fprintf(stderr, "hob: a path with a control character in it cannot be named to a service manager\n");
            return EXIT_FAILED;
        }
    return EXIT_OK;
}

/* systemd's own rule for what it starts; of what is said to it, it takes all. */
static int refuse_quotes(const struct service_facts *f)
{
    if (f->manager != MANAGER_SYSTEMD || !strpbrk(f->program.p, "\"'\\"))
        return EXIT_OK;
    fprintf(stderr, "hob: systemd starts no program whose path has a quote or a backslash in it: %.*s\n", STR_ARG(f->program));
    return EXIT_FAILED;
}

static int find_facts(struct job *j)
{
    struct service_facts *f = &j->facts;
    const char *path = getenv("PATH"), *state = getenv("HOB_STATE");
    int rc = cli_load_config(j->args, &j->config);
    if (rc)
        return rc;
    if (!cli_own_path(j->args, j->program, sizeof j->program)) {
        fprintf(stderr, "hob: cannot find where this program lies\n");
        return EXIT_FAILED;
    }
    f->program = str_of(j->program);
    f->config = j->config->path;
    f->state = j->config->state;
    f->state_given = !f->system && (cli_option_value(j->args, "--state").p || (state && state[0]));
    f->path = f->system ? STR("") : str_of(path);
    f->groups = arena_printf(&j->arena, "%s%s%s", has_group("render") ? "render" : "", has_group("render") && has_group("video") ? " " : "",
        has_group("video") ? "video" : "");
    if (f->system && !f->config.n) {
        fprintf(stderr, "hob: a service of the system wants a configuration file: -c FILE\n");
        return EXIT_USAGE;
    }
    rc = refuse_odd(f->program);
    rc = rc ? rc : refuse_quotes(f);
    rc = rc ? rc : refuse_odd(f->config);
    rc = rc ? rc : refuse_odd(f->state);
    return rc ? rc : refuse_odd(f->path);
}

/* For whom, and by which manager. */
static int choose_manager(struct job *j)
{
    struct str wanted = cli_option_value(j->args, "--for");
    j->facts.manager = managers_here;
    j->facts.system = cli_flag(j->args, "--system");
    for (size_t i = 0; wanted.p && i < COUNTOF(managers); i++)
        if (str_eq(wanted, str_of(managers[i].name)))
            j->facts.manager = (enum service_manager)i;
    j->manager = &managers[j->facts.manager];
    if (wanted.p && !str_eq(wanted, str_of(j->manager->name))) {
        fprintf(stderr, "hob: --for wants systemd or launchd, not '%.*s'\n", STR_ARG(wanted));
        return EXIT_USAGE;
    }
    if (j->facts.manager != managers_here && !cli_flag(j->args, "--dry-run")) {
        fprintf(stderr, "hob: %s is not this system's; with --dry-run its text is printed\n", j->manager->name);
        return EXIT_USAGE;
    }
    if (j->facts.system && j->facts.manager == MANAGER_LAUNCHD) {
        fprintf(stderr, "hob: with launchd hob is an agent of yours: what runs outside of your session gets no GPU. Leave --system out\n");
        return EXIT_USAGE;
    }
    if (j->facts.system && cli_option_value(j->args, "--state").p) {
        fprintf(stderr, "hob: a service of the system has its state in /var/lib/hob: leave --state out\n");
        return EXIT_USAGE;
    }
    if (j->manager->file(j))
        return EXIT_OK;
    fprintf(stderr, "hob: there is no home folder ($HOME) for its file\n");
    return EXIT_FAILED;
}

static int must_be_root(const struct job *j)
{
    if (!j->facts.system || geteuid() == 0)
        return EXIT_OK;
    fprintf(stderr, "hob: --system needs root: sudo hob service %.*s --system …\n", STR_ARG(j->args->words[0]));
    return EXIT_USAGE;
}

static int not_running(const struct job *j)
{
    fprintf(stderr, "hob: %s does not run %s: nothing was changed\n", j->manager->name, j->facts.system ? "here" : "for this user here");
    fprintf(stderr, "hob: start `hob serve` by what does run here, or print the text for a machine that has it: hob service install --dry-run\n");
    if (!j->facts.system)
        fprintf(stderr, "hob: in a shell that came by su or sudo there is no session: log in as the user, or install for the system with --system\n");
    return EXIT_FAILED;
}

/* ---- install, uninstall, status ---- */

static int refuse_foreign(const struct job *j)
{
    fprintf(stderr, "hob: %s is not of hob's making: move it away first\n", j->file);
    return EXIT_FAILED;
}

/* One that was started by hand has the state folder: the service could not start beside it. */
static int refuse_beside(struct job *j)
{
    struct question q = { .method = "GET", .path = "/hob/v1/version", .connect_ms = 300, .answer_ms = 1000 };
    struct service_state now;
    struct door door;
    struct answer got;
    struct err e;
    j->manager->ask(j, &now);
    if (j->facts.system || !strcmp(now.active, "active") || door_find(j->args, j->config, &door, &e) || door.remote || door_ask(&door, &q, &got, &e))
        return EXIT_OK;
    buf_free(&got.body);
    fprintf(stderr, "hob: a hob that was started otherwise serves with the state folder %.*s: stop it first\n", STR_ARG(j->config->state));
    return EXIT_FAILED;
}

static int make_state_folder(const struct job *j) /* launchd opens the log before we run */
{
    if (j->facts.manager != MANAGER_LAUNCHD || cli_make_dirs(j->facts.state.p))
        return EXIT_OK;
    fprintf(stderr, "hob: cannot make the state folder %.*s: %s\n", STR_ARG(j->facts.state), strerror(errno));
    return EXIT_FAILED;
}

static int install_text(struct job *j, struct str text, enum service_file what, const char *change)
{
    struct err e;
    bool changed = strcmp(change, "unchanged") != 0;
    int rc = must_be_root(j);
    if (!rc && what == FILE_FOREIGN)
        rc = refuse_foreign(j);
    if (!rc && !j->manager->is_running(j))
        rc = not_running(j);
    if (!rc)
        rc = refuse_beside(j);
    if (!rc)
        rc = make_state_folder(j);
    if (!rc && changed && service_file_write(j->file, text, &e)) {
        cli_error(&e);
        rc = EXIT_FAILED;
    }
    if (!rc)
        rc = j->manager->start(j, changed);
    return rc ? rc : print_done(j, change);
}

static int install(struct job *j)
{
    struct buf text = { 0 }, there = { 0 };
    enum service_file what;
    struct err e;
    int rc = find_facts(j);
    if (rc)
        return rc;
    service_text(&j->facts, &text);
    collect_hints(j);
    if (service_file_look(j->file, &what, &there, &e)) {
        cli_error(&e);
        rc = EXIT_FAILED;
    }
    const char *change = what == FILE_NONE ? "created" : what == FILE_FOREIGN ? "refused" : str_eq(buf_str(&there), buf_str(&text)) ? "unchanged" : "changed";
    if (!rc)
        rc = cli_flag(j->args, "--dry-run") ? print_dry(j, buf_str(&text), change) : install_text(j, buf_str(&text), what, change);
    buf_free(&text);
    buf_free(&there);
    return rc;
}

static int uninstall(struct job *j)
{
    enum service_file what;
    struct err e;
    int rc = must_be_root(j);
    if (rc)
        return rc;
    if (service_file_look(j->file, &what, NULL, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    if (what == FILE_FOREIGN)
        return refuse_foreign(j);
    if (cli_flag(j->args, "--dry-run"))
        return print_done(j, what == FILE_NONE ? "not there" : "to be removed");
    if (what == FILE_NONE)
        return print_done(j, "not there");
    if (j->manager->is_running(j))
        rc = j->manager->stop(j);
    if (!rc && unlink(j->file)) {
        fprintf(stderr, "hob: cannot remove %s: %s\n", j->file, strerror(errno));
        rc = EXIT_FAILED;
    }
    if (!rc)
        j->manager->forget(j);
    return rc ? rc : print_done(j, "removed");
}

static const char *const there_words[] = { [FILE_NONE] = "not installed", [FILE_OURS] = "installed", [FILE_FOREIGN] = "not of hob's making" };

static int status(struct job *j)
{
    struct buf out = { 0 };
    struct service_state s;
    enum service_file what;
    struct err e;
    if (service_file_look(j->file, &what, NULL, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    bool running = j->manager->is_running(j);
    j->manager->ask(j, &s);
    if (cli_flag(j->args, "--json")) {
        struct json_out o = json_out(&out);
        begin_json(&o, j, NULL);
        json_key(&o, STR("installed"));
        json_bool(&o, what == FILE_OURS);
        json_key(&o, STR("manager_running"));
        json_bool(&o, running);
        put_state(&o, &s);
        if (end_json(&o, j))
            return EXIT_FAILED;
    } else {
        printf("%s: %s\n", j->file, there_words[what]);
        if (!running)
            printf("%s does not run here\n", j->manager->name);
        else if (what == FILE_OURS)
            printf("%s, %s%s%s\n", s.active[0] ? s.active : "unknown", s.enabled[0] ? s.enabled : "unknown", s.status[0] ? ": " : "", s.status);
    }
    return strcmp(s.active, "active") ? EXIT_NO_DAEMON : EXIT_OK;
}

static const struct {
    const char *name;
    int (*fn)(struct job *j);
} actions[] = { { "install", install }, { "uninstall", uninstall }, { "status", status } };

static int run(const struct cli_args *a)
{
    struct job j = { .args = a };
    size_t i = 0;
    while (a->nwords && i < COUNTOF(actions) && !str_eq(a->words[0], str_of(actions[i].name)))
        i++;
    if (!a->nwords || i == COUNTOF(actions)) {
        fprintf(stderr, "hob: hob service install, uninstall or status\n");
        return EXIT_USAGE;
    }
    arena_init(&j.arena);
    int rc = choose_manager(&j);
    if (!rc)
        rc = actions[i].fn(&j);
    conf_free(j.config);
    arena_fini(&j.arena);
    return rc;
}

static const struct cli_sub subs[] = {
    { .name = "install", .what = "write the unit, enable and start it; again after a change of these options" },
    { .name = "uninstall", .what = "stop it, and remove what install has written" },
    { .name = "status", .what = "is it installed, and does it run (exit 3 when not)" },
    { .name = NULL },
};
static const struct cli_option options[] = {
    CLI_COMMON,
    { "--system", NULL, NULL, "a service of the system, from boot on, not of this user (needs root)" },
    { "--dry-run", NULL, NULL, "print the unit, change nothing" },
    { "--for", NULL, "MANAGER", "with --dry-run: systemd or launchd (default: this system's)" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_service = { .name = "service", .usage = "install|uninstall|status", .what = "run hob as a service, from log-in or boot on",
    .example = "hob service install -c hob.yaml", .run = run, .options = options, .max_words = 1, .subs = subs };
