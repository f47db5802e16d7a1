/* Opens a lab and closes it. What it is for, and who ends it: lab.h. */
#include "cli/lab.h"

#include "admin/admin.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/lab_int.h"
#include "cli/rundir.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 15 * 60 * 1000, LOOK_MS = 25, ANSWER_MS = 10 * 1000, LOG_TAIL_BYTES = 4096 };

struct lab {
    char folder[RUNDIR_MAX_BYTES + 16];
    struct config *config;
    struct cli_args args;
    struct door door, admin;
    char state[RUNDIR_MAX_BYTES + 32], file[RUNDIR_MAX_BYTES + 32];
    pid_t keeper;               /* of `hob __lab`; 0 = none */
    int hold, tell;             /* it ends when the first is closed; the second ends when its hob has */
    int lock;                   /* of the folder: while it is held, nobody takes it for left over */
};

/* ---- what it is made of ---- */

/* Under another name until it is locked: else it would look like one that was left over. */
static enum err_code make_folder(struct lab *l, struct err *e)
{
    char parent[RUNDIR_MAX_BYTES], fresh[RUNDIR_MAX_BYTES + 16], path[RUNDIR_MAX_BYTES + 32];
    enum err_code rc = rundir_parent(parent, e);
    if (rc)
        return rc;
    snprintf(fresh, sizeof fresh, "%s/new-XXXXXX", parent);
    if (!mkdtemp(fresh))
        return err_sys(e, ERR_SYSTEM, errno, "cannot make a folder in %s", parent);
    snprintf(path, sizeof path, "%s/lock", fresh);
    snprintf(l->folder, sizeof l->folder, "%s/lab-%s", parent, fresh + strlen(fresh) - 6);
    l->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock < 0 || flock(l->lock, LOCK_EX | LOCK_NB) || rename(fresh, l->folder)) {
        int sys = errno;
        unlink(path);
        rmdir(fresh);
        l->folder[0] = 0;
        return err_sys(e, ERR_SYSTEM, sys, "cannot prepare %s", fresh);
    }
    snprintf(l->state, sizeof l->state, "%s/state", l->folder);
    snprintf(l->file, sizeof l->file, "%s/hob.yaml", l->folder);
    return mkdir(l->state, 0700) ? err_sys(e, ERR_SYSTEM, errno, "cannot make %s", l->state) : ERR_OK;
}

static enum err_code write_file(const char *path, struct str text, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool whole = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n;
    int sys = errno;
    if (fd >= 0)
        close(fd);
    return whole ? ERR_OK : err_sys(e, ERR_SYSTEM, sys, "cannot write %s", path);
}

/* "FILE:1:1303: kv: …": nobody but us has written that file. */
static void forget_place(const struct lab *l, struct err *e)
{
    struct str rest = str_of(e->text);
    if (!str_starts(rest, str_of(l->file)))
        return;
    for (int i = 0; i < 3 && rest.n; i++)
        str_cut(str_from(rest, i ? 0 : strlen(l->file)), ':', &rest);
    rest = str_trim(rest);
    if (rest.n)
        memmove(e->text, rest.p, rest.n + 1);
}

static enum err_code make_config(struct lab *l, const struct lab_wish *w, struct buf *text, struct err *e)
{
    enum err_code rc = lab_write_config(w->config, w->models, w->nmodels, str_of(l->state), text, e);
    if (!rc)
        rc = conf_parse(str_of(l->file), buf_str(text), &l->config, e);
    if (rc)
        forget_place(l, e);
    return rc ? rc : lab_check_room(w->args, w->config, l->config, e);
}

static enum err_code put_config(struct lab *l, const struct lab_wish *w, struct err *e)
{
    struct buf text = { 0 };
    enum err_code rc = make_config(l, w, &text, e);
    if (!rc)
        rc = write_file(l->file, buf_str(&text), e);
    buf_free(&text);
    return rc;
}

enum err_code lab_check(const struct lab_wish *w, struct err *e)
{
    struct lab l = { .state = "/tmp/lab/state", .file = "/tmp/lab/hob.yaml" };
    struct buf text = { 0 };
    enum err_code rc = make_config(&l, w, &text, e);
    buf_free(&text);
    conf_free(l.config);
    return rc;
}

/* Behind all that the user gave: the last one counts. */
static void make_args(struct lab *l, const struct cli_args *a)
{
    static const struct cli_option ours[] = { CLI_COMMON };
    l->args = *a;
    if (l->args.ngiven > CLI_MAX_ARGS - COUNTOF(ours))
        l->args.ngiven = CLI_MAX_ARGS - COUNTOF(ours);
    struct str values[] = { str_of(l->file), str_of(l->state) };
    for (size_t i = 0; i < COUNTOF(ours); i++) {
        l->args.given[l->args.ngiven].option = &ours[i];
        l->args.given[l->args.ngiven++].value = values[i];
    }
}

/* ---- its keeper ---- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool make_pipe(int p[2])
{
    if (pipe(p))
        return false;
    fcntl(p[0], F_SETFD, FD_CLOEXEC);
    fcntl(p[1], F_SETFD, FD_CLOEXEC);
    return true;
}

/* In the child: only what a signal handler may call, as the parent may have threads. */
static void become_keeper(const char *own, const char *folder, int hold, int tell, int lock, int log)
{
    char word[] = "__lab";
    char *argv[] = { (char *)(uintptr_t)own, word, (char *)(uintptr_t)folder, NULL };
    int from[] = { hold, tell, log, lock }, to[] = { LAB_HOLD_FD, LAB_TELL_FD, STDERR_FILENO, LAB_LOCK_FD };
    for (size_t i = 0; i < COUNTOF(from); i++) /* first out of the way of one another */
        from[i] = fcntl(from[i], F_DUPFD, 10);
    for (size_t i = 0; i < COUNTOF(from); i++) {
        dup2(from[i], to[i]);
        close(from[i]);
    }
    execv(own, argv);
    _exit(127);
}

static enum err_code start_keeper(struct lab *l, struct err *e)
{
    char own[4096], log[RUNDIR_MAX_BYTES + 32];
    int hold[2] = { -1, -1 }, tell[2] = { -1, -1 };
    if (!cli_own_path(&l->args, own, sizeof own))
        return err_set(e, ERR_SYSTEM, "cannot find this very program");
    snprintf(log, sizeof log, "%s/log", l->folder);
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0 || !make_pipe(hold) || !make_pipe(tell)) {
        int sys = errno;
        close_fd(&hold[0]);
        close_fd(&hold[1]);
        close_fd(&log_fd);
        return err_sys(e, ERR_SYSTEM, sys, "cannot prepare %s", l->folder);
    }
    pid_t pid = fork();
    if (pid == 0)
        become_keeper(own, l->folder, hold[0], tell[1], l->lock, log_fd);
    int sys = errno;
    close_fd(&hold[0]);
    close_fd(&tell[1]);
    close_fd(&log_fd);
    l->hold = hold[1];
    l->tell = tell[0];
    if (pid < 0)
        return err_sys(e, ERR_SYSTEM, sys, "cannot start a process");
    l->keeper = pid;
    return ERR_OK;
}

/* ---- ready ---- */

/* The last line that its hob wrote: why it ended. */
static enum err_code tell_end(const struct lab *l, struct err *e)
{
    char path[RUNDIR_MAX_BYTES + 32], text[LOG_TAIL_BYTES];
    snprintf(path, sizeof path, "%s/log", l->folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text, size > (off_t)sizeof text ? size - (off_t)sizeof text : 0);
    if (fd >= 0)
        close(fd);
    struct str rest = str_trim(str_make(text, n > 0 ? (size_t)n : 0)), line = rest;
    while (rest.n)
        line = str_cut(rest, '\n', &rest);
    return err_set(e, ERR_LOAD_FAILED, "the hob to measure in did not stay: %.*s", (int)(line.n < 200 ? line.n : 200), line.n ? line.p : "it said nothing");
}

/* ERR_OK with *ready as it is; ERR_LOAD_FAILED: one that shall be loaded will not be. */
static enum err_code look_at_models(struct lab *l, yyjson_val *backends, bool *ready, struct err *e)
{
    size_t i, n;
    yyjson_val *b;
    *ready = true;
    yyjson_arr_foreach(backends, i, n, b) {
        struct str name = json_str(yyjson_obj_get(b, "model")), state = json_str(yyjson_obj_get(b, "state"));
        const struct conf_model *m = conf_model(l->config, name);
        if (!m || m->keep != KEEP_HOT)
            continue;
        struct str why = json_str(yyjson_obj_get(b, "last_error"));
        if (str_eq(state, STR("failed")) || (str_eq(state, STR("cold")) && why.n))
            return err_set(e, ERR_LOAD_FAILED, "%.*s was not loaded: %.*s", STR_ARG(name), STR_ARG(why.n ? why : STR("its engine ended")));
        *ready = *ready && str_eq(state, STR("hot"));
    }
    return ERR_OK;
}

static enum err_code look(struct lab *l, bool *ready, struct err *e)
{
    static const struct question q = { .method = "GET", .path = "/hob/v1/ps", .connect_ms = ANSWER_MS, .answer_ms = ANSWER_MS };
    struct answer got = { 0 };
    struct json_doc d = { 0 };
    struct err nobody;
    enum err_code rc = ERR_OK;
    *ready = false;
    if (door_ask(&l->admin, &q, &got, &nobody)) /* not yet */
        return ERR_OK;
    if (got.status == 200 && !json_parse(&d, buf_str(&got.body), &nobody))
        rc = look_at_models(l, yyjson_obj_get(d.root, "backends"), ready, e);
    json_free(&d);
    buf_free(&got.body);
    if (!rc && *ready && daemon_find_left(l->config, &l->door)) /* its address comes a moment after its socket */
        *ready = false;
    return rc;
}

static enum err_code wait_ready(struct lab *l, int64_t limit_ms, struct err *e)
{
    int64_t until = clock_mono_ms() + (limit_ms ? limit_ms : READY_MS);
    struct pollfd ended = { .fd = l->tell, .events = POLLIN };
    bool ready = false;
    enum err_code rc = ERR_OK;
    while (!rc && !ready) {
        if (poll(&ended, 1, LOOK_MS) > 0)
            return tell_end(l, e);
        rc = look(l, &ready, e);
        if (!rc && !ready && clock_mono_ms() > until)
            rc = err_set(e, ERR_LOAD_FAILED, "the hob to measure in was not ready within %lld s", (long long)((limit_ms ? limit_ms : READY_MS) / 1000));
    }
    return rc;
}

/* ---- opening and closing ---- */

static enum err_code set_up(struct lab *l, const struct lab_wish *w, struct err *e)
{
    if (daemon_is_remote()) {
        err_set(e, ERR_CONFIG, "HOB_URL is set: that is another's machine, and measuring in a hob of its own is for this one");
        return err_hint(e, "unset HOB_URL");
    }
    lab_sweep();
    enum err_code rc = make_folder(l, e);
    if (!rc)
        rc = put_config(l, w, e);
    if (!rc)
        make_args(l, w->args);
    if (!rc)
        rc = door_find(&l->args, l->config, &l->admin, e);
    if (!rc && !w->quiet)
        fprintf(stderr, "hob: starting a hob of its own to measure in\n");
    if (!rc)
        rc = start_keeper(l, e);
    return rc ? rc : wait_ready(l, w->ready_ms, e);
}

enum err_code lab_open(struct lab **out, const struct lab_wish *w, struct err *e)
{
    struct lab *l = calloc(1, sizeof *l);
    if (!l)
        die("out of memory for a lab");
    l->hold = l->tell = l->lock = -1;
    enum err_code rc = set_up(l, w, e);
    if (rc) {
        lab_close(l);
        return rc;
    }
    *out = l;
    return ERR_OK;
}

void lab_close(struct lab *l)
{
    if (!l)
        return;
    close_fd(&l->hold);
    while (l->keeper > 0 && waitpid(l->keeper, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (l->folder[0]) /* who keeps it has done so, if it ever ran */
        lab_remove(l->folder);
    close_fd(&l->tell);
    close_fd(&l->lock);
    conf_free(l->config);
    free(l);
}

const struct door *lab_door(const struct lab *l)
{
    return &l->door;
}

const struct door *lab_admin(const struct lab *l)
{
    return &l->admin;
}

const struct config *lab_config(const struct lab *l)
{
    return l->config;
}

const struct cli_args *lab_args(const struct lab *l)
{
    return &l->args;
}

struct str lab_folder(const struct lab *l)
{
    return str_of(l->folder);
}
