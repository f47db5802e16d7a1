/* Reading names and the hub's answers. A repository's files are gathered into choices: the parts of a split model are one. */
#include "model/hub.h"

#include "http/web_url.h"
#include "json/json.h"
#include "model/catalog.h"
#include "model/files.h"

#include <stdlib.h>

enum { MAX_REPO_BYTES = 96, MAX_REVISION_BYTES = 128, MAX_QUANT_BYTES = 64 };

/* ---- words ---- */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(struct str s, const char *also, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && !(s.p[i] && strchr(also, s.p[i])))
            return false;
    return s.n > 0 && s.n <= max;
}

/* Of an organisation or a repository. */
static bool is_repo_part(struct str s)
{
    return is_word(s, "._-", MAX_REPO_BYTES) && s.p[0] != '.' && s.p[0] != '-' && str_find(s, STR("..")) < 0;
}

static bool ends_gguf(struct str s)
{
    return s.n > 5 && str_eq_nocase(str_from(s, s.n - 5), STR(".gguf"));
}

static struct str last_part(struct str path)
{
    size_t at = path.n;
    while (at && path.p[at - 1] != '/')
        at--;
    return str_from(path, at);
}

struct str hub_file_name(struct str path)
{
    struct str name = last_part(path), none = { NULL, 0 };
    return is_word(name, "._-+", HUB_MAX_NAME) && name.p[0] != '.' && name.p[0] != '-' ? name : none;
}

/* A path inside a repository: parts with something in them, none of them a way up. It goes into addresses only. */
static bool is_inner_path(struct str path)
{
    struct str rest = path;
    if (!path.n || path.n > HUB_MAX_PATH || path.p[path.n - 1] == '/')
        return false;
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < ' ' || path.p[i] == 0x7F || path.p[i] == '\\')
            return false;
    while (rest.p) {
        struct str part = str_cut(rest, '/', &rest);
        if (!part.n || str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return false;
    }
    return true;
}

/* ---- what somebody wrote ---- */

static enum err_code refuse(struct str text, const char *why, struct err *e)
{
    char shown[128];
    err_set(e, ERR_INVALID_REQUEST, "%s %s", web_url_show(text, shown, sizeof shown), why);
    return err_hint(e, "name it ORG/REPOSITORY, ORG/REPOSITORY:QUANTISATION, or by an https:// address that ends in .gguf");
}

static bool drop_prefix(struct str *s, struct str prefix)
{
    bool has = s->n > prefix.n && str_eq_nocase(str_make(s->p, prefix.n), prefix) && s->p[prefix.n] == '/';
    if (has)
        *s = str_from(*s, prefix.n + 1);
    return has;
}

/* The hub's host, wherever it was moved to, and its public names, which stand for it. True: what is left is a path on the hub. */
static bool drop_hub(struct str *text, struct str hub)
{
    static const char *const known[] = { "huggingface.co", "www.huggingface.co", "hf.co" };
    if (hub.n && hub.p[hub.n - 1] == '/')
        hub.n--;
    if (drop_prefix(text, hub))
        return true;
    struct str s = *text;
    if (s.n > 8 && str_eq_nocase(str_make(s.p, 8), STR("https://")))
        s = str_from(s, 8);
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (drop_prefix(&s, str_of(known[i]))) {
            *text = s;
            return true;
        }
    return false;
}

/* %41 as the browser's address bar has it; false when it is cut, or hides a NUL. */
static bool unescape(struct str s, struct arena *a, struct str *out)
{
    char *to = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++, n++) {
        char hex[3] = { 0 }, *end;
        to[n] = s.p[i];
        if (s.p[i] != '%')
            continue;
        if (i + 2 >= s.n)
            return false;
        memcpy(hex, s.p + i + 1, 2);
        to[n] = (char)strtoul(hex, &end, 16);
        if (end != hex + 2 || hex[0] == '+' || hex[0] == '-' || hex[0] == ' ' || !to[n])
            return false;
        i += 2;
    }
    *out = str_make(to, n);
    return true;
}

/* "resolve/REV/…", "blob/REV/…", "tree/REV". */
static bool drop_view(struct str *path, struct hub_name *h)
{
    static const char *const views[] = { "resolve", "blob", "raw", "tree" };
    for (size_t i = 0; i < COUNTOF(views); i++) {
        struct str rest, word = str_cut(*path, '/', &rest);
        if (!str_eq(word, str_of(views[i])) || !rest.p)
            continue;
        h->revision = str_cut(rest, '/', path);
        return is_word(h->revision, "._-", MAX_REVISION_BYTES) && h->revision.p[0] != '.';
    }
    return true;
}

/* Behind the hub's address: ORG/REPO, and perhaps more. */
static enum err_code parse_path(struct str text, struct str path, bool address, struct arena *a, struct hub_name *out, struct err *e)
{
    struct hub_name h = { 0 };
    struct str rest, colon = { NULL, 0 };
    if (address) { /* what follows the path is the browser's */
        path = str_cut(str_cut(path, '?', &rest), '#', &rest);
        if (!unescape(path, a, &path))
            return refuse(text, "is no address of a file", e);
    }
    if (path.n && path.p[path.n - 1] == '/')
        path.n--;
    h.org = str_cut(path, '/', &rest);
    h.repo = str_cut(rest, '/', &path);
    if (!path.p)
        h.repo = str_cut(h.repo, ':', &colon);
    if (!is_repo_part(h.org) || !is_repo_part(h.repo))
        return refuse(text, "names no repository", e);
    if (path.p && !drop_view(&path, &h))
        return refuse(text, "names no revision", e);
    if (colon.p && ends_gguf(colon))
        path = colon;
    else if (colon.p && is_word(colon, "._-", MAX_QUANT_BYTES))
        h.quant = colon;
    else if (colon.p)
        return refuse(text, "names no quantisation", e);
    if (path.p && (!is_inner_path(path) || !ends_gguf(path)))
        return refuse(text, "names no GGUF file", e);
    h.file = path;
    *out = h;
    return ERR_OK;
}

static bool is_address(struct str text)
{
    return str_find(text, STR("://")) >= 0;
}

/* A file beside the hub's repositories, as one who serves both may have it. */
static bool is_plain_file(struct str path)
{
    struct str rest, file = str_cut(str_cut(path, '?', &rest), '#', &rest);
    return ends_gguf(file) && str_find(path, STR("/resolve/")) < 0 && str_find(path, STR("/blob/")) < 0 && str_find(path, STR("/raw/")) < 0;
}

enum err_code hub_name_parse(struct str text, struct str hub, struct arena *a, struct hub_name *out, struct err *e)
{
    struct str path = text;
    struct web_url url;
    if (!text.n || text.n > WEB_MAX_URL)
        return refuse(str_make(text.p, 0), "(a name that is empty, or too long)", e);
    if (drop_hub(&path, hub) && !(is_address(text) && is_plain_file(path)))
        return parse_path(text, path, is_address(text), a, out, e);
    if (!is_address(text))
        return parse_path(text, text, false, a, out, e);
    enum err_code rc = web_url_parse(text, &url, e);
    if (rc)
        return rc;
    struct str rest, plain, file = str_cut(url.path, '?', &rest);
    if (!unescape(file, a, &plain) || !ends_gguf(hub_file_name(plain)))
        return refuse(text, "does not end in a file name that could be used here", e);
    *out = (struct hub_name){ .url = text };
    return ERR_OK;
}

bool hub_is_name(struct str text)
{
    return text.n && memchr(text.p, '/', text.n);
}

/* ---- what the hub says ---- */

static int64_t read_bytes(yyjson_val *v)
{
    return yyjson_is_uint(v) && yyjson_get_uint(v) <= (uint64_t)1 << 50 ? (int64_t)yyjson_get_uint(v) : -1;
}

static struct str read_hex(yyjson_val *v, size_t digits, struct arena *a)
{
    struct str s = json_str(v), none = { NULL, 0 };
    if (s.n != digits)
        return none;
    char *to = arena_alloc(a, digits + 1);
    for (size_t i = 0; i < digits; i++) {
        char c = s.p[i];
        to[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
        if (!((to[i] >= '0' && to[i] <= '9') || (to[i] >= 'a' && to[i] <= 'f')))
            return none;
    }
    return str_make(to, digits);
}

/* One of "siblings"; false when it is no GGUF, or its name could be none here (then it is counted). */
static bool read_file(yyjson_val *v, struct hub_repo *r, struct arena *a, struct hub_file *out)
{
    struct str path = json_str(yyjson_obj_get(v, "rfilename"));
    yyjson_val *lfs = yyjson_obj_get(v, "lfs");
    if (!ends_gguf(path))
        return false;
    if (!is_inner_path(path) || !hub_file_name(path).n) {
        r->left_out++;
        return false;
    }
    int64_t bytes = read_bytes(yyjson_obj_get(lfs, "size"));
    *out = (struct hub_file){ .path = arena_copy(a, path), .bytes = bytes >= 0 ? bytes : read_bytes(yyjson_obj_get(v, "size")),
        .sha256 = read_hex(yyjson_obj_get(lfs, "sha256"), 64, a) };
    out->name = hub_file_name(out->path);
    return true;
}

static int by_path(const void *a, const void *b)
{
    struct str x = ((const struct hub_file *)a)->path, y = ((const struct hub_file *)b)->path;
    int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return order ? order : (x.n > y.n) - (x.n < y.n);
}

static enum err_code read_files(yyjson_val *siblings, struct arena *a, struct hub_repo *r, struct err *e)
{
    struct hub_file *files = arena_array(a, struct hub_file, yyjson_arr_size(siblings) + 1);
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(siblings, i, n, v) {
        if (r->n == HUB_MAX_FILES)
            return err_set(e, ERR_UP_GARBLED, "the repository has more than %d GGUF files", HUB_MAX_FILES);
        r->n += read_file(v, r, a, &files[r->n]);
    }
    qsort(files, r->n, sizeof *files, by_path);
    r->files = files;
    return ERR_OK;
}

enum err_code hub_repo_read(struct str json, struct arena *a, struct hub_repo *out, struct err *e)
{
    struct json_doc d = { 0 };
    struct err why;
    struct hub_repo r = { 0 };
    if (json_parse(&d, json, &why))
        return err_set(e, ERR_UP_GARBLED, "the hub's answer is no JSON: %.200s", why.text);
    yyjson_val *siblings = yyjson_obj_get(d.root, "siblings"), *gated = yyjson_obj_get(d.root, "gated");
    enum err_code rc = ERR_OK;
    if (!yyjson_is_arr(siblings))
        rc = err_set(e, ERR_UP_GARBLED, "the hub's answer names no files");
    r.commit = read_hex(yyjson_obj_get(d.root, "sha"), 40, a);
    r.gated = yyjson_is_true(gated) || yyjson_is_str(gated); /* false, "auto" or "manual" */
    if (!rc)
        rc = read_files(siblings, a, &r, e);
    json_free(&d);
    if (!rc)
        *out = r;
    return rc;
}

/* ---- choices ---- */

/* Of a file that is no part: the first of one. */
static struct model_part read_part(struct str path)
{
    struct model_part p;
    if (!model_part_read(path, &p))
        p = (struct model_part){ .stem = str_make(path.p, path.n - 5), .number = 1, .of = 1 };
    return p;
}

static bool contains_nocase(struct str s, struct str word)
{
    for (size_t i = 0; i + word.n <= s.n; i++)
        if (str_eq_nocase(str_make(s.p + i, word.n), word))
            return true;
    return false;
}

/* Beside models lie projectors, and tables of what matters that only quantisers read. */
static bool is_projector(struct str name)
{
    return contains_nocase(name, STR("mmproj"));
}

static bool is_no_model(struct str name)
{
    return str_starts(name, STR("imatrix")) || contains_nocase(name, STR("-imatrix.gguf")) || contains_nocase(name, STR("_imatrix.gguf"));
}

/* The files from r->files[i] on that belong together; returns how many were taken. Parts stand beside each other, being sorted. */
static size_t take_choice(const struct hub_repo *r, size_t i, struct arena *a, struct hub_choice *c)
{
    struct model_part first = read_part(r->files[i].path);
    size_t n = 1;
    while (first.of > 1 && i + n < r->n) {
        struct model_part next = read_part(r->files[i + n].path);
        if (next.of != first.of || !str_eq(next.stem, first.stem))
            break;
        n++;
    }
    const struct hub_file **files = arena_array(a, const struct hub_file *, n);
    *c = (struct hub_choice){ .files = files, .n = n, .whole = (int64_t)n == first.of, .projector = is_projector(r->files[i].name) };
    for (size_t k = 0; k < n; k++) {
        const struct hub_file *f = files[k] = &r->files[i + k];
        c->whole = c->whole && read_part(f->path).number == (int64_t)k + 1;
        if (f->bytes < 0 || c->bytes < 0 || __builtin_add_overflow(c->bytes, f->bytes, &c->bytes))
            c->bytes = -1;
    }
    c->label = catalog_quantisation(last_part(first.stem));
    if (!c->label.n)
        c->label = last_part(first.stem);
    return n;
}

size_t hub_choices(const struct hub_repo *r, struct arena *a, const struct hub_choice **out)
{
    struct hub_choice *list = arena_array(a, struct hub_choice, r->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < r->n;)
        if (is_no_model(r->files[i].name))
            i++;
        else
            i += take_choice(r, i, a, &list[n++]);
    *out = list;
    return n;
}

/* ---- the one that is meant ---- */

enum { NO_MATCH, FOLDER_MATCH, LOOSE_MATCH, FULL_MATCH };

static bool is_separator(char c)
{
    return c == '-' || c == '.' || c == '_';
}

/* How well a choice answers to a quantisation: its label; the same behind "UD-" and the like, or at the end of the name; its folder's name. */
static int match(const struct hub_choice *c, struct str quant)
{
    struct str stem = read_part(c->files[0]->path).stem, name = last_part(stem);
    if (str_eq_nocase(c->label, quant))
        return FULL_MATCH;
    if (name.n > quant.n && str_eq_nocase(str_from(name, name.n - quant.n), quant) && is_separator(name.p[name.n - quant.n - 1]))
        return LOOSE_MATCH;
    if (c->label.n > quant.n + 1 && str_eq_nocase(str_from(c->label, c->label.n - quant.n), quant) && c->label.p[c->label.n - quant.n - 1] == '-')
        return LOOSE_MATCH;
    struct str folder = str_make(stem.p, stem.n - name.n);
    folder.n -= folder.n > 0;
    return folder.n && str_eq_nocase(last_part(folder), quant) ? FOLDER_MATCH : NO_MATCH;
}

/* The only best match; *several when there is more than one as good. */
static const struct hub_choice *best(const struct hub_choice *list, size_t n, struct str quant, bool *several)
{
    const struct hub_choice *found = NULL;
    int level = NO_MATCH;
    *several = false;
    for (size_t i = 0; i < n; i++) {
        int m = list[i].projector ? NO_MATCH : match(&list[i], quant);
        if (m > level) {
            found = &list[i];
            level = m;
            *several = false;
        } else if (m == level && m != NO_MATCH) {
            *several = true;
        }
    }
    return found;
}

static const struct hub_choice *by_file(const struct hub_choice *list, size_t n, struct str file, bool *several)
{
    const struct hub_choice *found = NULL;
    *several = false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < list[i].n; k++) {
            const struct hub_file *f = list[i].files[k];
            if (str_eq(f->path, file))
                return &list[i];
            if (!str_eq(f->name, file))
                continue;
            *several = found && found != &list[i];
            found = &list[i];
        }
    return found;
}

static const struct hub_choice *only_one(const struct hub_choice *list, size_t n)
{
    const struct hub_choice *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (list[i].projector)
            continue;
        if (found)
            return NULL;
        found = &list[i];
    }
    return found;
}

enum err_code hub_choose(const struct hub_repo *r, const struct hub_name *name, struct str otherwise, struct arena *a, struct hub_choice *out,
    struct err *e)
{
    const struct hub_choice *list, *found;
    bool several = false;
    size_t n = hub_choices(r, a, &list);
    struct str asked = name->file.n ? name->file : name->quant.n ? name->quant : otherwise;
    if (name->file.n)
        found = by_file(list, n, name->file, &several);
    else
        found = best(list, n, asked, &several);
    if (!found && !name->file.n && !name->quant.n)
        found = only_one(list, n);
    if (!n)
        return err_set(e, ERR_NOT_FOUND, "%.*s/%.*s has no GGUF file%s", STR_ARG(name->org), STR_ARG(name->repo),
            r->left_out ? " with a name that could be used here" : "");
    if (several || !found) {
        err_set(e, ERR_NOT_FOUND, "%.*s/%.*s has %s for %.*s", STR_ARG(name->org), STR_ARG(name->repo), several ? "more than one file" : "nothing",
            STR_ARG(asked));
        return err_hint(e, "name one of these: ORG/REPOSITORY:QUANTISATION, or ORG/REPOSITORY:FILE.gguf");
    }
    if (!found->whole)
        return err_set(e, ERR_UP_GARBLED, "%.*s/%.*s has not all parts of %.*s", STR_ARG(name->org), STR_ARG(name->repo), STR_ARG(found->label));
    *out = *found;
    return ERR_OK;
}

bool hub_choose_projector(const struct hub_repo *r, struct arena *a, struct hub_choice *out)
{
    static const char *const liked[] = { "f16", "bf16", "f32", "q8_0" };
    const struct hub_choice *list, *found = NULL;
    size_t n = hub_choices(r, a, &list), rank = COUNTOF(liked) + 1;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        if (!list[i].projector || !list[i].whole)
            continue;
        while (k < COUNTOF(liked) && !str_eq_nocase(list[i].label, str_of(liked[k])))
            k++;
        if (k < rank) {
            rank = k;
            found = &list[i];
        }
    }
    if (found)
        *out = *found;
    return found != NULL;
}

/* ---- addresses ---- */

struct str hub_folder(const struct hub_name *name, struct arena *a)
{
    return arena_printf(a, "%.*s__%.*s", STR_ARG(name->org), STR_ARG(name->repo));
}

static struct str without_slash(struct str base)
{
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    return base;
}

static struct str escaped(struct str path, struct arena *a)
{
    struct buf b = { 0 };
    web_url_escape(&b, path, true);
    struct str s = arena_copy(a, buf_str(&b));
    buf_free(&b);
    return s;
}

struct str hub_page_url(struct str base, const struct hub_name *name, struct arena *a)
{
    return arena_printf(a, "%.*s/%.*s/%.*s", STR_ARG(without_slash(base)), STR_ARG(name->org), STR_ARG(name->repo));
}

struct str hub_info_url(struct str base, const struct hub_name *name, struct arena *a)
{
    return arena_printf(a, "%.*s/api/models/%.*s/%.*s%s%.*s?blobs=true", STR_ARG(without_slash(base)), STR_ARG(name->org), STR_ARG(name->repo),
        name->revision.n ? "/revision/" : "", STR_ARG(name->revision));
}

struct str hub_file_url(struct str base, const struct hub_name *name, struct str commit, struct str path, struct arena *a)
{
    struct str revision = commit.n ? commit : name->revision.n ? name->revision : STR("main");
    return arena_printf(a, "%.*s/%.*s/%.*s/resolve/%.*s/%.*s", STR_ARG(without_slash(base)), STR_ARG(name->org), STR_ARG(name->repo),
        STR_ARG(revision), STR_ARG(escaped(path, a)));
}

struct str hub_mirror_url(struct str base, const struct hub_name *name, struct str path, struct arena *a)
{
    return arena_printf(a, "%.*s/%.*s/%.*s/%.*s", STR_ARG(without_slash(base)), STR_ARG(name->org), STR_ARG(name->repo), STR_ARG(escaped(path, a)));
}
