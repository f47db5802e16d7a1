/* hob service install|uninstall|status: hob under the system's service manager. Writes one file, the unit or the agent, and asks the manager to take it
 * up, through its own program. Nothing else of the machine is changed. */
#include "cli/service.h"

#include "cli/ask.h"
#include "cli/commands.h"
#include "json/json.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_HINTS = 8 };

struct job {
    const struct cli_args *args;
    struct arena arena;
    struct config *config;
    struct service_facts facts;
    const struct service_row *manager;
    struct service_unit unit;
    char program[4096];
    struct str hints[MAX_HINTS];
    size_t nhints;
};

#ifdef __APPLE__
static const enum service_manager manager_here = MANAGER_LAUNCHD;
#else
static const enum service_manager manager_here = MANAGER_SYSTEMD;
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
    json_string_or_null(o, value);
}

static void begin_json(struct json_out *o, const struct job *j, const char *change)
{
    json_begin_object(o);
    json_key(o, STR("schema"));
    json_int(o, 1);
    put_str(o, "manager", str_of(j->manager->name));
    put_str(o, "scope", j->facts.system ? STR("system") : STR("user"));
    put_str(o, "file", str_of(j->unit.file));
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
    j->manager->ask(&j->unit, &s);
    if (cli_flag(j->args, "--json")) {
        struct json_out o = json_out(&out);
        begin_json(&o, j, change);
        put_state(&o, &s);
        return end_json(&o, j);
    }
    printf("%s: %s%s%s\n", j->unit.file, change, s.active[0] ? ", the service is " : "", s.active);
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
    j->facts.manager = manager_here;
    j->facts.system = j->unit.system = cli_flag(j->args, "--system");
    for (size_t i = 0; wanted.p && i < SERVICE_MANAGERS; i++)
        if (str_eq(wanted, str_of(service_rows[i].name)))
            j->facts.manager = (enum service_manager)i;
    j->manager = &service_rows[j->facts.manager];
    if (wanted.p && !str_eq(wanted, str_of(j->manager->name))) {
        fprintf(stderr, "hob: --for wants systemd or launchd, not '%.*s'\n", STR_ARG(wanted));
        return EXIT_USAGE;
    }
    if (j->facts.manager != manager_here && !cli_flag(j->args, "--dry-run")) {
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
    if (j->manager->file(&j->unit))
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
    fprintf(stderr, "hob: %s is not of hob's making: move it away first\n", j->unit.file);
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
    j->manager->ask(&j->unit, &now);
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
    if (!rc && !j->manager->is_running(&j->unit))
        rc = not_running(j);
    if (!rc)
        rc = refuse_beside(j);
    if (!rc)
        rc = make_state_folder(j);
    if (!rc && changed && service_file_write(j->unit.file, text, &e)) {
        cli_error(&e);
        rc = EXIT_FAILED;
    }
    if (!rc)
        rc = j->manager->start(&j->unit, changed);
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
    if (service_file_look(j->unit.file, &what, &there, &e)) {
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
    if (service_file_look(j->unit.file, &what, NULL, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    if (what == FILE_FOREIGN)
        return refuse_foreign(j);
    if (cli_flag(j->args, "--dry-run"))
        return print_done(j, what == FILE_NONE ? "not there" : "to be removed");
    if (what == FILE_NONE)
        return print_done(j, "not there");
    if (j->manager->is_running(&j->unit))
        rc = j->manager->stop(&j->unit);
    if (!rc && unlink(j->unit.file)) {
        fprintf(stderr, "hob: cannot remove %s: %s\n", j->unit.file, strerror(errno));
        rc = EXIT_FAILED;
    }
    if (!rc)
        j->manager->forget(&j->unit);
    return rc ? rc : print_done(j, "removed");
}

static const char *const there_words[] = { [FILE_NONE] = "not installed", [FILE_OURS] = "installed", [FILE_FOREIGN] = "not of hob's making" };

static int status(struct job *j)
{
    struct buf out = { 0 };
    struct service_state s;
    enum service_file what;
    struct err e;
    if (service_file_look(j->unit.file, &what, NULL, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    bool running = j->manager->is_running(&j->unit);
    j->manager->ask(&j->unit, &s);
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
        printf("%s: %s\n", j->unit.file, there_words[what]);
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
