/* Is this file a model that an engine could be started on? What a person most often has instead is a missing file, half a download, or a
 * web page saved under the model's name; each is told apart and named. */
#include "model/weights.h"

#include "model/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BEGIN_BYTES = 64, SHOWN_BYTES = 20 };

/* What a file that is no GGUF may be. */
static const struct beginning {
    struct str bytes;
    size_t at;
    const char *what, *hint;
} beginnings[] = {
    { STR("<"), 0, "a web page", "the download gave a login or error page instead of the file; download the file itself" },
    { STR("version https://git-lfs"), 0, "a Git LFS pointer", "only the pointer was cloned; run `git lfs pull` there, or download the file itself" },
    { STR("{\""), 0, "a JSON answer", "the download gave an error message instead of the file" },
    { STR("{\""), 8, "a safetensors file", "an engine for GGUF cannot read it; get the GGUF of the model, or convert it" },
    { STR("PK\003\004"), 0, "a ZIP archive (or a PyTorch file)", "get the GGUF of the model, or convert it" },
    { STR("\037\213"), 0, "a gzip archive", "unpack it" },
    { STR("lmgg"), 0, "a GGML file from before GGUF", "get the GGUF of the model" },
    { STR("tjgg"), 0, "a GGML file from before GGUF", "get the GGUF of the model" },
    { STR("\0\0\0\0"), 0, "zeros", "the download reserved the space and did not finish; download it again" },
};

static enum err_code not_gguf(const char *path, struct str begin, struct err *e)
{
    char shown[SHOWN_BYTES + 1];
    size_t n = begin.n < SHOWN_BYTES ? begin.n : SHOWN_BYTES;
    struct str text = str_trim(begin);
    for (size_t i = 0; i < n; i++)
        shown[i] = begin.p[i] >= ' ' && begin.p[i] < 0x7f ? begin.p[i] : '?';
    shown[n] = 0;
    for (size_t i = 0; i < COUNTOF(beginnings); i++) {
        const struct beginning *b = &beginnings[i];
        if (!str_starts(str_from(b->at ? begin : text, b->at), b->bytes))
            continue;
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s is %s, not a GGUF: it begins with '%s'", path, b->what, shown);
        err_hint(e, "%s", b->hint);
        return ERR_WEIGHTS_BROKEN;
    }
    err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s is not a GGUF: it begins with '%s'", path, shown);
    err_hint(e, "check the model's `file:` setting");
    return ERR_WEIGHTS_BROKEN;
}

static bool read_file(void *ctx, uint64_t at, void *to, size_t n)
{
    char *out = to;
    while (n) {
        ssize_t got = pread(*(const int *)ctx, out, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got ? errno : EIO; /* it has become shorter under our eyes */
            return false;
        }
        out += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

static enum err_code missing(const char *path, int sys, struct err *e)
{
    if (sys == ENOENT || sys == ENOTDIR)
        err_set(e, ERR_WEIGHTS_MISSING, "there is no model file %.200s", path);
    else
        err_sys(e, ERR_WEIGHTS_MISSING, sys, "the model file %.200s cannot be read", path);
    err_hint(e, "check the model's `file:` setting, or download the file to that place");
    return ERR_WEIGHTS_MISSING;
}

/* Not blocking, so that a pipe of that name does not hold us. */
static enum err_code open_regular(const char *path, int *fd, uint64_t *size, struct err *e)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return missing(path, errno, e);
    if (fstat(*fd, &st))
        return missing(path, errno, e);
    if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_WEIGHTS_MISSING, "%.200s is %s, not a model file", path, S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
        err_hint(e, "the model's `file:` setting must name the .gguf file itself");
        return ERR_WEIGHTS_MISSING;
    }
    *size = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err_code check_begin(const char *path, const struct gguf_source *source, struct err *e)
{
    char begin[BEGIN_BYTES];
    size_t n = source->size < sizeof begin ? (size_t)source->size : sizeof begin;
    if (n == 0) {
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s is empty", path);
        err_hint(e, "download it again");
        return ERR_WEIGHTS_BROKEN;
    }
    if (!source->read(source->ctx, 0, begin, n))
        return err_sys(e, ERR_SYSTEM, errno, "cannot read the model file %.150s", path);
    return str_starts(str_make(begin, n), STR("GGUF")) ? ERR_OK : not_gguf(path, str_make(begin, n), e);
}

static int64_t own_count(const struct gguf *g, const char *key)
{
    int64_t v = gguf_int(g, key, 0);
    return v > 0 && v <= INT32_MAX ? v : 0;
}

static uint32_t split_count(const struct gguf *g)
{
    const struct gguf_value *v = gguf_find(g, STR("split.count"));
    return v && v->integer > 0 && v->integer < 10000 ? (uint32_t)v->integer : 0;
}

static enum err_code check_head(const char *path, const struct gguf_source *source, struct arena *arena, struct gguf *g, struct err *e)
{
    struct err why = { 0 };
    enum err_code rc = gguf_read(source, arena, g, &why);
    if (rc) {
        rc = err_set(e, rc, "the model file %.120s: %s", path, why.text);
        err_hint(e, "download it again");
        return rc;
    }
    if (!g->ntensors && split_count(g) < 2) /* the first part of several may be keys alone */
        return err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s holds no weights", path);
    if (g->end > source->size) {
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.120s is cut short: it is %llu bytes, its header promises %llu", path,
            (unsigned long long)source->size, (unsigned long long)g->end);
        err_hint(e, "download it again");
        return ERR_WEIGHTS_BROKEN;
    }
    if (!g->architecture.n)
        return err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.150s does not name its architecture", path);
    return ERR_OK;
}

/* As much as there is room for, so that it may be shown: control characters become '?'. */
static void copy_shown(char *to, size_t room, struct str text)
{
    size_t n = text.n < room - 1 ? text.n : room - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? '?' : text.p[i];
    to[n] = 0;
}

static void tell(const struct gguf *g, uint64_t file_bytes, struct weights *out)
{
    const struct gguf_value *template = gguf_find(g, STR("tokenizer.chat_template"));
    *out = (struct weights){
        .context_train = own_count(g, "context_length"), .pooling = (uint32_t)own_count(g, "pooling_type"), .tensor_bytes = g->tensor_bytes,
        .file_bytes = file_bytes, .version = g->version, .split_count = split_count(g), .unknown_types = g->unknown_types,
        .has_chat_template = template && template->type == GGUF_STRING && template->n > 0,
    };
    copy_shown(out->architecture, sizeof out->architecture, g->architecture);
    copy_shown(out->name, sizeof out->name, gguf_text(g, STR("general.name")));
    copy_shown(out->type, sizeof out->type, gguf_text(g, STR("general.type")));
}

enum err_code weights_check(const char *path, struct weights *out, struct err *e)
{
    int fd = -1;
    struct arena arena;
    struct gguf g;
    struct gguf_source source = { .read = read_file, .ctx = &fd };
    arena_init(&arena);
    enum err_code rc = open_regular(path, &fd, &source.size, e);
    if (!rc)
        rc = check_begin(path, &source, e);
    if (!rc)
        rc = check_head(path, &source, &arena, &g, e);
    if (!rc)
        tell(&g, source.size, out);
    arena_fini(&arena);
    if (fd >= 0)
        close(fd);
    return rc;
}
