/* Tables first: what every engine needs of a system, and what GPU drivers call their devices. Rows that name what is not there cost nothing.
 *
 * Found with strace under llama-server, in the profiles that distributions have for the same drivers, and by what failed. Not in them, on purpose:
 * homes, /tmp, /run, /var, /mnt, /srv, and of /etc what holds secrets. */
#include "proc/fence.h"

#include "keeper/fence.h"
#include "keeper/wire.h"
#include "model/files.h"
#include "proc/run.h"
#include "proc/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert((int)FENCE_PORT_ANY == (int)WIRE_PORT_ANY, "one number, two names");
_Static_assert((int)FENCE_READ == (int)WIRE_RULE_READ && (int)FENCE_RUN == (int)WIRE_RULE_RUN && (int)FENCE_DEVICE == (int)WIRE_RULE_DEVICE &&
    (int)FENCE_SHARED == (int)WIRE_RULE_SHARED && (int)FENCE_WRITE == (int)WIRE_RULE_WRITE && (int)FENCE_ALL == (int)WIRE_RULE_ALL, "one letter, two names");

static const struct {
    enum fence_access access;
    const char *path;
} of_every_system[] = {
    /* programs and libraries */
    { FENCE_RUN, "/usr" },
    { FENCE_RUN, "/bin" },
    { FENCE_RUN, "/sbin" },
    { FENCE_RUN, "/lib" },
    { FENCE_RUN, "/lib32" },
    { FENCE_RUN, "/lib64" },
    { FENCE_RUN, "/nix/store" },
    { FENCE_RUN, "/gnu/store" },
    { FENCE_RUN, "/run/current-system" },
    { FENCE_RUN, "/run/opengl-driver" },
    { FENCE_RUN, "/home/linuxbrew/.linuxbrew" },
    { FENCE_RUN, "/opt/rocm" },
    { FENCE_RUN, "/opt/amdgpu" },
    { FENCE_RUN, "/opt/intel" },
    { FENCE_RUN, "/opt/nvidia" },
    { FENCE_RUN, "/opt/cuda" },
    /* what the C library and drivers look up */
    { FENCE_READ, "/etc/ld.so.cache" },
    { FENCE_READ, "/etc/ld.so.preload" },
    { FENCE_READ, "/etc/ld.so.conf" },
    { FENCE_READ, "/etc/ld.so.conf.d" },
    { FENCE_READ, "/etc/alternatives" },
    { FENCE_READ, "/etc/localtime" },
    { FENCE_READ, "/etc/timezone" },
    { FENCE_READ, "/etc/os-release" },
    { FENCE_READ, "/etc/debian_version" },
    { FENCE_READ, "/etc/passwd" },
    { FENCE_READ, "/etc/group" },
    { FENCE_READ, "/etc/nsswitch.conf" },
    { FENCE_READ, "/etc/hosts" },
    { FENCE_READ, "/etc/host.conf" },
    { FENCE_READ, "/etc/resolv.conf" },
    { FENCE_READ, "/etc/gai.conf" },
    { FENCE_READ, "/etc/services" },
    { FENCE_READ, "/etc/protocols" },
    { FENCE_READ, "/etc/mime.types" },
    { FENCE_READ, "/etc/ca-certificates" },
    { FENCE_READ, "/etc/ssl/certs" },
    { FENCE_READ, "/etc/ssl/openssl.cnf" },
    { FENCE_READ, "/etc/pki/tls" },
    { FENCE_READ, "/etc/pki/ca-trust" },
    { FENCE_READ, "/etc/crypto-policies" },
    { FENCE_READ, "/etc/vulkan" },
    { FENCE_READ, "/etc/glvnd" },
    { FENCE_READ, "/etc/egl" },
    { FENCE_READ, "/etc/drirc" },
    { FENCE_READ, "/etc/OpenCL" },
    { FENCE_READ, "/etc/nvidia" },
    { FENCE_READ, "/etc/nvidia-container-runtime" },
    { FENCE_READ, "/etc/nv_tegra_release" },
    /* the kernel's own; of other processes it shows no more than `ps` does: a fenced process may not look into one that is not */
    { FENCE_READ, "/proc" },
    { FENCE_DEVICE, "/proc/self" }, /* CUDA gives its threads names there, and does not start when it may not */
    { FENCE_READ, "/sys" },
    { FENCE_DEVICE, "/dev/null" },
    { FENCE_DEVICE, "/dev/zero" },
    { FENCE_DEVICE, "/dev/full" },
    { FENCE_READ, "/dev/random" },
    { FENCE_READ, "/dev/urandom" },
};

/* How the names of GPUs and their like begin, in /dev. */
static const char *const of_drivers[] = {
    "nvidia", "nvhost-", "nvmap", "nvsciipc", /* NVIDIA; Jetson */
    "dri", "kfd",                             /* Mesa, AMD, Intel */
    "accel", "dxg", "mali", "dma_heap", "udmabuf", "davinci", "devmm_svm", "hisi_hdc", "mtgpu",
};

/* Values that are the child's own affair, or would open too much. */
static const char *const no_files_of[] = { "HOME", "PATH", "PWD", "USER", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", SWEEP_VARIABLE };

void fence_init(struct fence_rules *f, struct arena *a, struct str closed)
{
    f->arena = a;
    f->closed = closed;
    f->files = f->tcp = f->calls = false;
    f->port = 0;
    f->n = 0;
}

void fence_add(struct fence_rules *f, enum fence_access access, struct str path)
{
    struct str rule = arena_printf(f->arena, "%c%.*s", (char)access, STR_ARG(path));
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->at[i], rule))
            return;
    if (str_starts(path, STR("/")) && f->n < FENCE_MAX_RULES)
        f->at[f->n++] = rule;
}

void fence_add_system(struct fence_rules *f)
{
    for (size_t i = 0; i < COUNTOF(of_every_system); i++)
        fence_add(f, of_every_system[i].access, str_of(of_every_system[i].path));
}

bool fence_add_gpus(struct fence_rules *f)
{
    DIR *d = opendir("/dev");
    bool any = false, second = false;
    for (struct dirent *e; d && (e = readdir(d));)
        for (size_t i = 0; i < COUNTOF(of_drivers); i++)
            if (str_starts(str_of(e->d_name), str_of(of_drivers[i]))) {
                fence_add(f, FENCE_DEVICE, arena_printf(f->arena, "/dev/%s", e->d_name));
                any = true;
                second = second || !strcmp(e->d_name, "nvidia1");
                break;
            }
    if (d)
        closedir(d);
    if (any)
        fence_add(f, FENCE_SHARED, STR("/dev/shm")); /* drivers share memory between processes by it */
    return second;
}

/* ---- what may be opened because somebody has named it ---- */

static bool holds(struct str folder, struct str inner)
{
    return str_starts(inner, folder) && (inner.n == folder.n || inner.p[folder.n] == '/');
}

/* path: absolute, links followed. */
static bool may_open_whole(const struct fence_rules *f, struct str path)
{
    char home[PATH_MAX];
    size_t depth = 0;
    for (size_t i = 0; i < path.n; i++)
        depth += path.p[i] == '/';
    const char *said = getenv("HOME");
    if (depth < 2 || (said && realpath(said, home) && holds(path, str_of(home))))
        return false;
    return !f->closed.n || !holds(path, f->closed);
}

static bool resolve(struct str path, char out[PATH_MAX], struct stat *st)
{
    char plain[PATH_MAX];
    int n = snprintf(plain, sizeof plain, "%.*s", STR_ARG(path));
    return path.n && !memchr(path.p, 0, path.n) && n < (int)sizeof plain && realpath(plain, out) && stat(out, st) == 0;
}

static bool is_written(const struct fence_rules *f, struct str folder)
{
    for (size_t i = 0; i < f->n; i++)
        if (strchr("was", f->at[i].p[0]) && holds(str_from(f->at[i], 1), folder))
            return true;
    return false;
}

static bool join(char out[PATH_MAX], struct str one, struct str two)
{
    int n = snprintf(out, PATH_MAX, "%.*s/%.*s", STR_ARG(one), STR_ARG(two));
    return n >= 0 && n < PATH_MAX;
}

/* Does a name lead through a folder that the child may write in, link for link? One that ends at such a folder does not. */
static bool leads_through_written(const struct fence_rules *f, struct str name)
{
    enum { LINKS_MAX = 40 };
    char at[PATH_MAX] = "", todo[PATH_MAX], next[PATH_MAX], link[PATH_MAX]; /* what is settled, without a link in it; what is left to do */
    bool whole = str_starts(name, STR("/"));
    if ((!whole && !getcwd(link, sizeof link)) || !join(todo, whole ? STR("") : str_of(link), name))
        return true;
    for (int links = 0; todo[0] && links <= LINKS_MAX;) {
        struct str rest, step = str_cut(str_of(todo), '/', &rest);
        size_t n = strlen(at);
        if (step.n && is_written(f, str_of(at)))
            return true;
        if (str_eq(step, STR(".."))) {
            at[n ? (size_t)(strrchr(at, '/') - at) : 0] = 0;
        } else if (step.n && !str_eq(step, STR("."))) {
            if (!join(next, str_of(at), step))
                return true;
            ssize_t bytes = readlink(next, link, sizeof link - 1);
            if (bytes < 0) {
                memcpy(at, next, sizeof at);
            } else {
                links++;
                link[bytes] = 0;
                at[link[0] == '/' ? 0 : n] = 0;
                if (!join(next, str_of(link), rest))
                    return true;
                rest = str_of(next);
            }
        }
        memmove(todo, rest.n ? rest.p : "", rest.n);
        todo[rest.n] = 0;
    }
    return todo[0];
}

void fence_add_path(struct fence_rules *f, enum fence_access access, struct str path)
{
    if (!leads_through_written(f, path))
        fence_add(f, access, path);
}

/* ---- the program ---- */

static bool is_there(struct str folder, const char *name)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%.*s/%s", STR_ARG(folder), name);
    return access(path, F_OK) == 0;
}

static struct str parent(struct str path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    path.n -= path.n > 1;
    return path;
}

/* PREFIX/bin/program: its libraries; all of PREFIX where that is an environment of Python's or conda's. */
static void add_prefix(struct fence_rules *f, struct str folder)
{
    static const char *const beside[] = { "lib", "lib64", "libexec" };
    struct str prefix = parent(folder);
    if (!str_ends(folder, STR("/bin")) || prefix.n < 2)
        return;
    if ((is_there(prefix, "pyvenv.cfg") || is_there(prefix, "conda-meta")) && may_open_whole(f, prefix)) {
        fence_add(f, FENCE_RUN, prefix);
        return;
    }
    for (size_t i = 0; i < COUNTOF(beside); i++)
        fence_add(f, FENCE_RUN, arena_printf(f->arena, "%.*s/%s", STR_ARG(prefix), beside[i]));
}

static void add_place(struct fence_rules *f, struct str program)
{
    struct str folder = parent(program);
    fence_add(f, FENCE_RUN, program);
    if (may_open_whole(f, folder))
        fence_add(f, FENCE_RUN, folder);
    add_prefix(f, folder);
}

static size_t read_first(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, out, room);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* The mark that a file may be run says little: on some file systems all files have it. */
static bool is_program(const char *path)
{
    char first[4] = "";
    size_t n = access(path, X_OK) == 0 ? read_first(path, first, sizeof first) : 0;
    struct str s = str_make(first, n);
    return str_starts(s, STR("#!")) || str_starts(s, STR("\177ELF"));
}

/* "#!/usr/bin/env python3": what runs it, on PATH or where it says; p NULL: it is no script. */
static struct str interpreter(struct arena *a, const char *path)
{
    char line[512], found[PATH_MAX];
    struct str none = { NULL, 0 }, rest, text = str_make(line, read_first(path, line, sizeof line));
    if (!str_starts(text, STR("#!")))
        return none;
    text = str_trim(str_cut(str_from(text, 2), '\n', &rest));
    struct str runs = str_cut(text, ' ', &rest);
    if (!str_ends(runs, STR("/env")))
        return arena_copy(a, runs);
    do
        runs = str_cut(str_trim(rest), ' ', &rest);
    while (str_starts(runs, STR("-")) && rest.p);
    return run_find_program(runs, found, sizeof found) ? arena_copy(a, str_of(found)) : none;
}

void fence_add_program(struct fence_rules *f, struct str path)
{
    char real[PATH_MAX], cwd[PATH_MAX];
    struct stat st;
    for (int links = 0; links < 3 && path.n && !leads_through_written(f, path) && resolve(path, real, &st); links++) { /* a script's program may be a script */
        if (path.p[0] != '/' && getcwd(cwd, sizeof cwd))
            path = arena_printf(f->arena, "%s/%.*s", cwd, STR_ARG(path));
        add_place(f, path);
        add_place(f, arena_copy(f->arena, str_of(real)));
        path = interpreter(f->arena, real);
    }
}

/* ---- words ---- */

/* All parts of a model whose weights are in several files. */
static void add_parts(struct fence_rules *f, struct str path)
{
    struct model_part p;
    if (!model_part_read(path, &p) || p.of > FENCE_MAX_RULES / 2)
        return;
    for (int64_t i = 1; i <= p.of; i++)
        fence_add(f, FENCE_READ, model_part_path(f->arena, &p, i));
}

static void open_named(struct fence_rules *f, enum fence_access of_folders, struct str path)
{
    char real[PATH_MAX];
    struct stat st;
    if (leads_through_written(f, path) || !resolve(path, real, &st))
        return;
    struct str at = arena_copy(f->arena, str_of(real));
    if (S_ISDIR(st.st_mode)) {
        if (may_open_whole(f, at))
            fence_add(f, of_folders, at);
        return;
    }
    if (!S_ISREG(st.st_mode))
        return;
    if (is_program(real)) {
        fence_add_program(f, path);
        return;
    }
    fence_add(f, FENCE_READ, at);
    add_parts(f, path); /* by the names given: these may be links to files whose names say nothing */
}

void fence_add_word(struct fence_rules *f, struct str word)
{
    struct str value;
    struct str name = str_cut(word, '=', &value);
    if (str_starts(word, STR("-")))
        word = value.p && name.n ? value : STR("");
    open_named(f, FENCE_READ, word);
}

void fence_add_env(struct fence_rules *f, struct str name_value)
{
    struct str rest, name = str_cut(name_value, '=', &rest);
    for (size_t i = 0; i < COUNTOF(no_files_of); i++)
        if (str_eq(name, str_of(no_files_of[i])))
            return;
    while (rest.p) {
        struct str one = str_cut(rest, ':', &rest);
        if (str_starts(one, STR("/")))
            open_named(f, FENCE_RUN, one);
    }
}

int fence_version(void)
{
    return fence_abi();
}
