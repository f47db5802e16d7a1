/* From a folder to a list of models. Three steps: gather the paths of files that may be models, look into each, name what is left. Names
 * are given in the order of the paths, so that the same files always get the same ones. */
#include "model/catalog.h"

#include "model/files.h"
#include "model/weights.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { NAME_MAX_BYTES = 120 }; /* a number may follow */

/* ---- names ---- */

/* How files say what their weights were packed to, behind a '-', '.' or '_'. */
static const char *const quantisations[] = {
    "f64", "f32", "fp32", "f16", "fp16", "bf16", "f8", "fp8", "mxfp4", "mxfp4_moe", "nvfp4",
    "q1_0", "q2_0", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q8_1",
    "q4_0_4_4", "q4_0_4_8", "q4_0_8_8",
    "q2", "q3", "q4", "q5", "q6", "q8",
    "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q8_k",
    "q2_k_s", "q3_k_s", "q4_k_s", "q5_k_s", "q6_k_s",
    "q2_k_m", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k_m",
    "q2_k_l", "q3_k_l", "q4_k_l", "q5_k_l", "q6_k_l",
    "q2_k_xl", "q3_k_xl", "q4_k_xl", "q5_k_xl", "q6_k_xl", "q8_k_xl",
    "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq3_xxs", "iq3_xs", "iq3_s", "iq3_m", "iq4_xs", "iq4_nl",
    "tq1_0", "tq2_0",
};
/* Beside a quantisation: which importances it was made with. */
static const char *const before_it[] = { "ud", "i1", "gguf" };
static const char *const behind_it[] = { "imat", "imatrix", "gguf" };

static bool is_separator(char c)
{
    return c == '-' || c == '.' || c == '_';
}

/* How long s is without a word of the list and the separator before it; s.n when it ends in none, or is nothing else. */
static size_t without_one(struct str s, const char *const *words, size_t n)
{
    size_t shortest = s.n;
    for (size_t i = 0; i < n; i++) {
        struct str word = str_of(words[i]);
        if (s.n <= word.n || s.n - word.n < 2 || !str_eq_nocase(str_from(s, s.n - word.n), word) || !is_separator(s.p[s.n - word.n - 1]))
            continue;
        size_t left = s.n - word.n - 1;
        shortest = left < shortest ? left : shortest;
    }
    return shortest;
}

static struct str without_quantisation(struct str stem)
{
    struct str s = str_make(stem.p, without_one(stem, behind_it, COUNTOF(behind_it)));
    struct str bare = str_make(s.p, without_one(s, quantisations, COUNTOF(quantisations)));
    if (bare.n == s.n)
        return stem;
    return str_make(bare.p, without_one(bare, before_it, COUNTOF(before_it)));
}

struct str catalog_quantisation(struct str stem)
{
    struct str end = str_from(stem, without_quantisation(stem).n);
    struct str behind = str_make(end.p, end.n ? without_one(end, behind_it, COUNTOF(behind_it)) : 0);
    return str_from(behind, 1);
}

static struct str without_extension(struct str file_name)
{
    struct str end = STR(".gguf");
    bool has = file_name.n > end.n && str_eq_nocase(str_from(file_name, file_name.n - end.n), end);
    return has ? str_make(file_name.p, file_name.n - end.n) : file_name;
}

static char name_char(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || is_separator(c) ? c : '-';
}

/* Letters, digits and separators; several '-' become one, and none stand at the ends. */
static struct str clean_name(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n && n < NAME_MAX_BYTES; i++) {
        char c = name_char(s.p[i]);
        if (is_separator(c) && (n == 0 || (c == '-' && out[n - 1] == '-')))
            continue;
        out[n++] = c;
    }
    while (n && is_separator(out[n - 1]))
        n--;
    return n ? str_make(out, n) : STR("model");
}

struct str catalog_name(struct arena *a, struct str file_name, bool with_quantisation)
{
    struct model_part part;
    struct str stem = model_part_read(file_name, &part) ? part.stem : without_extension(file_name);
    return clean_name(a, with_quantisation ? stem : without_quantisation(stem));
}

/* ---- gathering ---- */

struct gathering {
    struct catalog *c;
    struct str *paths;  /* each with a NUL behind its end */
    size_t n, room;
    bool more;          /* than are looked at */
};

static struct str base_name(struct str path)
{
    size_t at = path.n;
    while (at && path.p[at - 1] != '/')
        at--;
    return str_make(path.p + at, path.n - at);
}

static bool contains_nocase(struct str s, struct str word)
{
    for (size_t i = 0; i + word.n <= s.n; i++)
        if (str_eq_nocase(str_make(s.p + i, word.n), word))
            return true;
    return false;
}

static void leave_out(struct catalog *c, const char *path, const char *why, const char *hint)
{
    c->left_out++;
    log_warn("left out: %s%s%s%s%s", path, path[0] ? " " : "", why, hint[0] ? "; " : "", hint);
}

static bool is_candidate(struct str name)
{
    return without_extension(name).n < name.n && !contains_nocase(name, STR("mmproj"));
}

static void take_path(struct gathering *g, struct str path)
{
    if (!conf_is_text(path)) { /* no configuration could name it */
        leave_out(g->c, path.p, "has a name that is no UTF-8 text", "rename it");
        return;
    }
    if (g->n == CATALOG_MAX_MODELS) {
        g->more = true;
        return;
    }
    if (g->n == g->room) {
        g->room = g->room ? 2 * g->room : 64;
        g->paths = realloc(g->paths, g->room * sizeof *g->paths);
        if (!g->paths)
            die("out of memory while looking for models");
    }
    g->paths[g->n++] = path;
}

static void gather(struct gathering *g, struct str folder, int levels)
{
    DIR *dir = opendir(folder.p);
    if (!dir) {
        if (errno != ENOENT && errno != ENOTDIR)
            log_warn("the folder %s cannot be looked at: %s", folder.p, strerror(errno));
        return;
    }
    for (struct dirent *d; (d = readdir(dir)) && !g->more;) {
        struct str name = str_of(d->d_name);
        struct stat st;
        if (name.p[0] == '.') /* itself, its parent, and what nobody is to see */
            continue;
        struct str path = arena_printf(&g->c->arena, "%.*s/%s", STR_ARG(folder), d->d_name);
        bool known = stat(path.p, &st) == 0;
        if (known && S_ISDIR(st.st_mode) && levels > 0)
            gather(g, path, levels - 1);
        else if (is_candidate(name) && !(known && S_ISDIR(st.st_mode)))
            take_path(g, path);
    }
    closedir(dir);
}

static int by_text(struct str a, struct str b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* By the file's name whatever its folder, so that neighbours are called alike; then by the path. */
static int by_path(const void *a, const void *b)
{
    struct str x = *(const struct str *)a, y = *(const struct str *)b;
    int order = by_text(base_name(x), base_name(y));
    return order ? order : by_text(x, y);
}

static int by_name(const void *a, const void *b)
{
    return by_text(((const struct conf_found *)a)->name, ((const struct conf_found *)b)->name);
}

/* ---- looking into one ---- */

/* Architectures that only turn text into vectors; other such models tell by their pooling. Any with "bert" in its name is one too. */
static const char *const embedders[] = { "gemma-embedding", "llama-embed", "t5encoder" };
/* What has an architecture and weights, and still answers nobody by itself. */
static const char *const helpers[] = { "clip", "wavtokenizer-dec" };

static bool is_one_of(const char *architecture, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(architecture, names[i]) == 0)
            return true;
    return false;
}

unsigned catalog_serves(const char *architecture, const char *type, uint32_t pooling)
{
    enum { POOLING_RANK = 4 };
    bool other_type = type[0] && strcmp(type, "model") != 0; /* adapter, mmproj, imatrix … */
    if (other_type || is_one_of(architecture, helpers, COUNTOF(helpers)))
        return 0;
    if (pooling == POOLING_RANK)
        return SERVES_RERANK;
    bool embeds = pooling || strstr(architecture, "bert") || is_one_of(architecture, embedders, COUNTOF(embedders));
    return embeds ? SERVES_EMBED : SERVES_CHAT; /* a chat embedder's template, if any, is left from what it was made of */
}

/* The first part speaks for all, and where it is missing the second tells so. */
static bool speaks(struct catalog *c, struct str path)
{
    struct model_part part;
    struct stat st;
    if (!model_part_read(path, &part) || part.number == 1)
        return true;
    return part.number == 2 && stat(model_part_path(&c->arena, &part, 1).p, &st) != 0;
}

static void look(struct catalog *c, struct str path)
{
    struct weights w;
    struct err e = { 0 };
    if (!speaks(c, path))
        return;
    if (weights_check(path.p, &w, &e)) {
        leave_out(c, "", e.text, e.hint);
        return;
    }
    unsigned serves = catalog_serves(w.architecture, w.type, w.pooling);
    if (!serves)
        return;
    c->models[c->n++] = (struct conf_found){
        .file = path, .serves = serves, .has_template = w.has_chat_template,
        .note = arena_printf(&c->arena, "%s, %llu MiB", w.architecture, (unsigned long long)((w.file_bytes + MIB / 2) / MIB)),
    };
}

/* ---- naming ---- */

static bool is_taken(const struct catalog *c, size_t before, struct str name)
{
    for (size_t i = 0; i < before; i++)
        if (str_eq(c->models[i].name, name))
            return true;
    return str_eq(name, STR("auto")); /* a word of callers' for: any */
}

/* The bare name, else with the quantisation, else that with a number. */
static struct str free_name(struct catalog *c, size_t i)
{
    struct str file_name = base_name(c->models[i].file);
    struct str name = catalog_name(&c->arena, file_name, false);
    if (!is_taken(c, i, name))
        return name;
    struct str whole = catalog_name(&c->arena, file_name, true);
    name = whole;
    for (int k = 2; is_taken(c, i, name); k++)
        name = arena_printf(&c->arena, "%.*s-%d", STR_ARG(whole), k);
    return name;
}

struct catalog *catalog_scan(struct str folder)
{
    struct catalog *c = calloc(1, sizeof *c);
    struct gathering g = { .c = c };
    if (!c)
        die("out of memory while looking for models");
    arena_init(&c->arena);
    gather(&g, arena_copy(&c->arena, folder), 1);
    if (g.more)
        log_warn("%.*s has more than %d model files; the others are not looked at", STR_ARG(folder), CATALOG_MAX_MODELS);
    if (g.n)
        qsort(g.paths, g.n, sizeof *g.paths, by_path);
    c->models = arena_array(&c->arena, struct conf_found, g.n);
    for (size_t i = 0; i < g.n; i++)
        look(c, g.paths[i]);
    for (size_t i = 0; i < c->n; i++)
        c->models[i].name = free_name(c, i);
    if (c->n)
        qsort(c->models, c->n, sizeof *c->models, by_name);
    free(g.paths);
    return c;
}

void catalog_free(struct catalog *c)
{
    if (!c)
        return;
    arena_fini(&c->arena);
    free(c);
}
