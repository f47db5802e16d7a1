/* What a build is: the program's file and the libraries that lie with it, by path, size and time. Those are: all lib* in its own folder, and what is
 * called libllama*, libggml* or libmtmd* in ../lib and ../lib64 (a package's place; there the rest is the system's and says nothing of what a build
 * knows). The program's path is followed to where it really is, so that a link that is turned to another build is another build. */
#include "backend/engine.h"

#include "backend/launch.h"
#include "conf/conf.h"
#include "model/identity.h"
#include "proc/run.h"
#include "store/probes.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAID_MAX_BYTES = 256 * 1024, MAX_LIBRARIES = 256, MAX_NAME = 128 };

/* ---- finding ---- */

enum err_code engine_path(const struct config *c, struct str name, char *out, size_t room, struct err *e)
{
    const struct conf_engine *g = conf_engine(c, name);
    if (!g) {
        err_set(e, ERR_INVALID_REQUEST, "No engine is called '%.*s'.", STR_ARG(name));
        return err_hint(e, "`hob engine list` has them; more go under `engines:` in hob.yaml.");
    }
    if (run_find_program(g->path, out, room))
        return ERR_OK;
    if (memchr(g->path.p, '/', g->path.n)) {
        err_set(e, ERR_ENGINE_MISSING, "The engine '%.*s' is not there, or is no program that may be run.", STR_ARG(g->path));
        return err_hint(e, "Check `engines: {%.*s: {path: …}}` in hob.yaml.", STR_ARG(g->name));
    }
    err_set(e, ERR_ENGINE_MISSING, "No engine: there is no '%.*s' on PATH.", STR_ARG(g->path));
    return err_hint(e, "Install llama.cpp, or name its llama-server in `engines: {%.*s: {path: …}}` in hob.yaml.", STR_ARG(g->name));
}

static bool is_library(const char *name, bool own_folder)
{
    static const char *const ours[] = { "libllama", "libggml", "libmtmd" };
    struct str s = str_of(name);
    if (s.n >= MAX_NAME || !str_starts(s, STR("lib")) || (str_find(s, STR(".so")) < 0 && str_find(s, STR(".dylib")) < 0))
        return false;
    bool is = own_folder;
    for (size_t i = 0; i < COUNTOF(ours); i++)
        is = is || str_starts(s, str_of(ours[i]));
    return is;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* In the order of their names: that of a folder is chance. */
static void add_libraries(struct identity *id, const char *folder, bool own_folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    char(*names)[MAX_NAME] = calloc(MAX_LIBRARIES, MAX_NAME), path[PATH_MAX + MAX_NAME];
    if (!names)
        die("out of memory");
    size_t n = 0;
    for (struct dirent *f; n < MAX_LIBRARIES && (f = readdir(d));)
        if (is_library(f->d_name, own_folder))
            snprintf(names[n++], MAX_NAME, "%s", f->d_name);
    closedir(d);
    qsort(names, n, MAX_NAME, by_name);
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        identity_add_file(id, path);
    }
    free(names);
}

static void hash_build(struct engine *g)
{
    char real[PATH_MAX], folder[PATH_MAX + 16];
    struct identity id;
    identity_init(&id);
    if (!realpath(g->path, real))
        snprintf(real, sizeof real, "%s", g->path);
    identity_add_file(&id, real);
    char *slash = strrchr(real, '/');
    int n = slash ? (int)(slash - real) : 0;
    snprintf(folder, sizeof folder, "%.*s", n, real);
    add_libraries(&id, folder, true);
    static const char *const beside[] = { "lib", "lib64" };
    for (size_t i = 0; i < COUNTOF(beside); i++) {
        snprintf(folder, sizeof folder, "%.*s/../%s", n, real, beside[i]);
        add_libraries(&id, folder, false);
    }
    identity_hex(&id, g->hash);
}

enum err_code engine_find(const struct config *c, struct str name, struct engine *out, struct err *e)
{
    struct engine g = { .name = STR("") };
    enum err_code rc = engine_path(c, name, g.path, sizeof g.path, e);
    if (rc)
        return rc;
    g.name = conf_engine(c, name)->name;
    hash_build(&g);
    *out = g;
    return ERR_OK;
}

enum err_code engine_at(struct str path, struct str name, struct engine *out, struct err *e)
{
    struct engine g = { .name = name };
    if (!run_find_program(path, g.path, sizeof g.path))
        return err_set(e, ERR_ENGINE_MISSING, "'%.*s' is not there, or is no program that may be run.", STR_ARG(path));
    hash_build(&g);
    *out = g;
    return ERR_OK;
}

/* ---- running it ---- */

/* With the environment its children get: no secret of ours is in it. */
static enum err_code run(const struct engine *g, const struct str *args, size_t n, const char *until, struct buf *said, struct run_end *end,
    struct err *e)
{
    struct launch l;
    const char *argv[LAUNCH_MAX_WORDS + 2] = { g->path }, *env[LAUNCH_MAX_ENV + 1] = { NULL };
    launch_init(&l);
    launch_pass_env(&l, STR("a question")); /* the mark of no daemon: nobody sweeps it */
    for (size_t i = 0; i < l.nenv; i++)
        env[i] = arena_copy(&l.arena, l.env[i]).p;
    for (size_t i = 0; i < n && i < LAUNCH_MAX_WORDS; i++)
        argv[i + 1] = arena_copy(&l.arena, args[i]).p;
    buf_init(said, SAID_MAX_BYTES);
    enum err_code rc = run_program(argv, env, until, ENGINE_LIMIT_MS, said, end, e);
    launch_free(&l);
    return rc;
}

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

enum err_code engine_ask_version(struct engine *g, struct err *e)
{
    const struct str args[] = { STR("--version") };
    struct buf said;
    struct run_end end;
    enum err_code rc = run(g, args, 1, NULL, &said, &end, e);
    struct str line = version_line(buf_str(&said));
    if (rc)
        ;
    else if (end.too_long)
        rc = err_set(e, ERR_ENGINE_MISSING, "%s says no version within %d s", g->path, ENGINE_LIMIT_MS / 1000);
    else if (end.signal)
        rc = err_set(e, ERR_ENGINE_MISSING, "%s dies by signal %d (%s)", g->path, end.signal, strsignal(end.signal));
    else if (end.code)
        rc = err_set(e, ERR_ENGINE_MISSING, "%s --version fails with %d: %.*s", g->path, end.code, STR_ARG(line));
    else
        snprintf(g->version, sizeof g->version, "%.*s", STR_ARG(line));
    buf_free(&said);
    return rc;
}

/* ---- what it knows ---- */

static bool write_probe(struct str architecture, char *path, size_t room)
{
    char bytes[PROBE_MAX_BYTES];
    size_t n = probe_write(bytes, architecture);
    const char *folder = getenv("TMPDIR");
    snprintf(path, room, "%s/hob-probe-XXXXXX", folder && *folder == '/' && strlen(folder) < room / 2 ? folder : "/tmp");
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

static enum probe_answer ask(const struct engine *g, struct str architecture)
{
    char path[512];
    if (!write_probe(architecture, path, sizeof path))
        return PROBE_UNCLEAR;
    struct str args[16] = { STR("-m"), str_of(path) };
    size_t n = 2;
    for (size_t i = 0; probe_flags[i] && n < COUNTOF(args); i++)
        args[n++] = str_of(probe_flags[i]);
    enum probe_answer answer = PROBE_UNCLEAR;
    bool again = true;
    for (int tries = 0; tries < 2 && again && answer == PROBE_UNCLEAR; tries++) { /* its last words are sometimes lost */
        struct buf said;
        struct run_end end;
        struct err e;
        again = !run(g, args, n, NULL, &said, &end, &e) && !end.too_long;
        answer = probe_read(buf_str(&said));
        buf_free(&said);
    }
    unlink(path);
    return answer;
}

enum probe_answer engine_remembers(const struct engine *g, struct str architecture, struct store *s)
{
    struct err e;
    int known = -1;
    if (!s || probes_find(s, str_of(g->hash), architecture, &known, &e) || known < 0)
        return PROBE_UNCLEAR;
    return known ? PROBE_KNOWN : PROBE_UNKNOWN;
}

enum probe_answer engine_knows(const struct engine *g, struct str architecture, struct store *s)
{
    enum probe_answer answer = engine_remembers(g, architecture, s);
    struct err e;
    if (answer == PROBE_UNCLEAR) {
        answer = ask(g, architecture);
        if (s && answer != PROBE_UNCLEAR)
            (void)!probes_put(s, str_of(g->hash), architecture, answer == PROBE_KNOWN, &e); /* else it is asked again: no harm */
    }
    return answer;
}

/* The names of other configured engines that know it, ", " between, nothing when none does. */
static void who_knows(const struct config *c, struct str architecture, struct str but, struct store *s, struct buf *names)
{
    struct engine g;
    struct err e;
    for (size_t i = 0; i < c->nengines; i++) {
        if (str_eq(c->engines[i].name, but) || engine_find(c, c->engines[i].name, &g, &e) || engine_knows(&g, architecture, s) != PROBE_KNOWN)
            continue;
        if (names->n)
            buf_lit(names, ", ");
        buf_add(names, g.name);
    }
}

enum err_code engine_refuse(const struct config *c, const struct engine *g, struct str architecture, struct store *s, struct err *e)
{
    struct buf names = { 0 };
    err_set(e, ERR_UNKNOWN_ARCHITECTURE, "The engine '%.*s' (build %.8s) does not know the architecture '%.*s'.", STR_ARG(g->name), g->hash,
        STR_ARG(architecture));
    who_knows(c, architecture, g->name, s, &names);
    if (names.n)
        err_hint(e, "It is known to: %.*s. Give the model `engine: …` with one of these.", STR_ARG(buf_str(&names)));
    else
        err_hint(e, "Install a newer llama.cpp, or name one that knows it under `engines:` (`hob engine probe` tells).");
    buf_free(&names);
    return e->code;
}

/* ---- what it takes ---- */

/* It reads all of its arguments before it looks at a model: what it does not like of them is the first that it says, and a file of no tensors is as good as any. */
bool engine_dislikes(const struct engine *g, const struct str *args, size_t n, char *out, size_t room)
{
    struct str words[LAUNCH_MAX_WORDS];
    char path[512];
    struct buf said = { 0 };
    struct run_end end;
    struct err e;
    *out = 0;
    if (!write_probe(STR("llama"), path, sizeof path))
        return false;
    for (size_t i = 0; i < n && i + 2 < COUNTOF(words); i++)
        words[i] = i && str_eq(args[i - 1], STR("--model")) ? str_of(path) : args[i];
    n = n + 2 < COUNTOF(words) ? n : COUNTOF(words) - 2;
    words[n++] = STR("--port");
    words[n++] = STR("0");
    bool ran = !run(g, words, n, NULL, &said, &end, &e);
    for (struct str rest = buf_str(&said), line; ran && rest.p && !*out;) {
        line = str_trim(str_cut(rest, '\n', &rest));
        if (str_find(line, STR("error: invalid argument")) >= 0 || str_find(line, STR("error while handling argument")) >= 0)
            snprintf(out, room, "%.*s", STR_ARG(line));
    }
    buf_free(&said);
    unlink(path);
    return *out != 0;
}

/* ---- what it would need ---- */

bool engine_projects(const struct engine *g, const struct str *args, size_t n, int64_t *bytes)
{
    struct buf said;
    struct run_end end;
    struct err e;
    bool ran = !run(g, args, n, "projected to use", &said, &end, &e);
    bool found = ran && probe_read_projection(buf_str(&said), bytes);
    buf_free(&said);
    return found;
}
