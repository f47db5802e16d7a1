/* hob logs --model NAME: what a model's engine says, from the files that the keeper writes (proc/log_file.h): read as files, so that it works with and
 * without a daemon. A file that is full becomes FILE.1 and a new one begins: -f notices that the name stands for another file, and goes on there. */
#include "cli/logs.h"

#include "cli/assume.h"
#include "json/json.h"
#include "proc/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 200, LINE_MAX_BYTES = 1024 * 1024 };
enum { READ_MAX_BYTES = 64 * 1024 * 1024 }; /* of each file, from its end; the keeper's cap is well below */

struct printer {
    struct str model;
    struct buf line;    /* one whose end has not come */
    bool json, terminal;
    bool closed;        /* nobody reads what we print */
};

static void put_json(struct buf *out, struct str model, struct str line)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("model"));
    json_string(&o, model);
    json_key(&o, STR("line"));
    json_string(&o, line);
    json_end_object(&o);
}

static void print_line(struct printer *p, struct str line)
{
    struct buf out = { 0 };
    if (p->json)
        put_json(&out, p->model, line);
    else
        buf_add(&out, line);
    for (size_t i = 0; p->terminal && i < out.n; i++) /* what a terminal would obey is not shown to it: prompts may be in here */
        if (((unsigned char)out.p[i] < ' ' && out.p[i] != '\t') || out.p[i] == 0x7f)
            out.p[i] = '?';
    buf_add_char(&out, '\n');
    p->closed = p->closed || fwrite(out.p, 1, out.n, stdout) != out.n;
    buf_free(&out);
}

static void feed(struct printer *p, struct str bytes)
{
    while (bytes.n && !p->closed) {
        struct str rest;
        struct str line = str_cut(bytes, '\n', &rest);
        buf_add(&p->line, line);
        bool ended = line.n < bytes.n;
        if (ended || p->line.n >= LINE_MAX_BYTES) {
            print_line(p, str_ends(buf_str(&p->line), STR("\r")) ? str_make(p->line.p, p->line.n - 1) : buf_str(&p->line));
            p->line.n = 0;
        }
        bytes = str_from(bytes, line.n + ended);
    }
}

static void print_rest(struct printer *p)
{
    if (p->line.n)
        print_line(p, buf_str(&p->line));
    p->line.n = 0;
    p->closed = fflush(stdout) != 0 || p->closed;
}

/* ---- files ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static void read_all(int fd, struct buf *out)
{
    struct stat st;
    if (!fstat(fd, &st) && st.st_size > READ_MAX_BYTES)
        lseek(fd, st.st_size - READ_MAX_BYTES, SEEK_SET);
    for (;;) {
        ssize_t n = read(fd, buf_reserve(out, 64 * KIB), 64 * KIB);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        out->n += (size_t)n;
    }
}

/* Where the last n lines of it begin; *found: how many it has, at most n. */
static size_t last_lines(struct str s, int64_t n, int64_t *found)
{
    size_t at = s.n;
    *found = 0;
    while (at && *found < n) {
        at--; /* over the end of this line */
        while (at && s.p[at - 1] != '\n')
            at--;
        ++*found;
    }
    return at;
}

/* The file from before the last turn-over, for what the present one has too little of. fd is the present one. */
static void read_older(const char *path, int fd, struct buf *out)
{
    char old[LOG_FILE_PATH_BYTES + 2];
    struct stat now, then;
    snprintf(old, sizeof old, "%s.1", path);
    int older = open(old, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (older < 0)
        return;
    bool other = fd < 0 || (!fstat(fd, &now) && !fstat(older, &then) && !same_file(&now, &then)); /* else it has just been turned over */
    if (other)
        read_all(older, out);
    close(older);
}

static void print_last(struct printer *p, const char *path, int fd, int64_t lines)
{
    struct buf now = { 0 }, then = { 0 };
    int64_t found = 0, more = 0;
    if (fd >= 0)
        read_all(fd, &now);
    size_t at = last_lines(buf_str(&now), lines, &found);
    if (found < lines)
        read_older(path, fd, &then);
    size_t older_at = last_lines(buf_str(&then), lines - found, &more);
    feed(p, str_from(buf_str(&then), older_at));
    feed(p, str_from(buf_str(&now), at));
    buf_free(&now);
    buf_free(&then);
}

/* ---- following ---- */

static void print_new(struct printer *p, int fd)
{
    char part[16 * 1024];
    ssize_t n = 0;
    while (fd >= 0 && !p->closed && ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            feed(p, str_make(part, (size_t)n));
    p->closed = fflush(stdout) != 0 || p->closed;
}

static void warn_of_missed(const char *path, const struct stat *had)
{
    char old[LOG_FILE_PATH_BYTES + 2];
    struct stat then;
    snprintf(old, sizeof old, "%s.1", path);
    if (!stat(old, &then) && !same_file(&then, had))
        fprintf(stderr, "hob: it said more than could be followed: some lines are missing here\n");
}

/* The file that has the name now, when that is another one than fd; else fd. */
static int turn(struct printer *p, const char *path, int fd)
{
    struct stat named, had;
    if (stat(path, &named) || (fd >= 0 && (fstat(fd, &had) || same_file(&named, &had))))
        return fd;
    int next = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (next < 0 || fd < 0)
        return next < 0 ? fd : next;
    print_new(p, fd); /* its last words came before it was turned over */
    warn_of_missed(path, &had);
    close(fd);
    return next;
}

static void follow(struct printer *p, const char *path, int fd)
{
    while (!p->closed) {
        int now = turn(p, path, fd);
        fd = now;
        print_new(p, fd);
        struct pollfd out = { .fd = STDOUT_FILENO };
        if (!p->closed && poll(&out, 1, LOOK_MS) > 0 && (out.revents & (POLLERR | POLLNVAL)))
            break; /* whoever read it has gone: no need to find out by the next line */
    }
    if (fd >= 0)
        close(fd);
}

/* ---- the command ---- */

static int nothing_there(struct config **c, struct str name, const char *path)
{
    struct str names[256];
    size_t n = 0;
    struct err e;
    if (assume_models(c, false, NULL, &e)) /* without a configuration: what lies in the models folder */
        log_debug("%s", e.text);
    const struct conf_model *m = conf_model(*c, name);
    for (size_t i = 0; i < (*c)->nmodels && n < COUNTOF(names); i++)
        names[n++] = (*c)->models[i].name;
    struct str near = str_nearest(name, names, n);
    if (m && m->host.n)
        fprintf(stderr, "hob: %.*s runs on '%.*s': its log is there\n", STR_ARG(name), STR_ARG(m->host));
    else if (m)
        fprintf(stderr, "hob: %.*s has not been loaded yet with this state folder: there is no %s\n", STR_ARG(name), path);
    else if (near.n)
        fprintf(stderr, "hob: there is no model '%.*s', did you mean '%.*s'?\n", STR_ARG(name), STR_ARG(near));
    else
        fprintf(stderr, "hob: there is no model '%.*s', and no %s\n", STR_ARG(name), path);
    return EXIT_FAILED;
}

static int show(const struct cli_args *a, struct config **c, int64_t lines)
{
    char path[LOG_FILE_PATH_BYTES];
    struct str name = cli_option_value(a, "--model");
    const struct conf_model *m = conf_model(*c, name);
    struct printer p = { .model = m ? m->name : name, .json = cli_flag(a, "--json") };
    p.terminal = !p.json && isatty(STDOUT_FILENO);
    bool follows = cli_flag(a, "--follow");
    if (!log_file_path((*c)->state, p.model, path)) {
        fprintf(stderr, "hob: the path of the state folder is too long: %.*s\n", STR_ARG((*c)->state));
        return EXIT_FAILED;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) {
        fprintf(stderr, "hob: cannot read %s: %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    if (fd < 0 && !(follows && m && !m->host.n)) /* one that may yet be loaded is waited for */
        return nothing_there(c, name, path);
    print_last(&p, path, fd, lines);
    if (follows) {
        follow(&p, path, fd);
    } else {
        print_rest(&p);
        close(fd);
    }
    buf_free(&p.line);
    if (p.closed && !follows)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return p.closed && !follows ? EXIT_FAILED : EXIT_OK;
}

int logs_engine(const struct cli_args *a, int64_t lines)
{
    struct config *c = NULL;
    int rc = cli_load_config(a, &c);
    if (rc)
        return rc;
    rc = show(a, &c, lines);
    conf_free(c);
    return rc;
}
