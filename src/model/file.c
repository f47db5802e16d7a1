/* Is this file a model that an engine could be started on? */
#include "model/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BEGIN_BYTES = 64, SHOWN_BYTES = 20 };

void model_shown(char *to, size_t room, struct str text)
{
    size_t n = text.n < room - 1 ? text.n : room - 1;
    memcpy(to, n ? text.p : "", n);
    str_mask_controls(to, n);
    to[n] = 0;
}

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

static bool begins_so(const struct beginning *b, struct str begin, struct str text)
{
    struct str s = b->at ? begin : text;
    return s.n >= b->at + b->bytes.n && memcmp(s.p + b->at, b->bytes.p, b->bytes.n) == 0;
}

static enum err_code not_gguf(const char *path, struct str begin, struct err *e)
{
    char shown[SHOWN_BYTES + 1];
    size_t n = begin.n < SHOWN_BYTES ? begin.n : SHOWN_BYTES;
    struct str text = str_trim(begin);
    for (size_t i = 0; i < n; i++)
        shown[i] = begin.p[i] >= ' ' && begin.p[i] < 0x7f ? begin.p[i] : '?'; /* ASCII alone: it may be anything */
    shown[n] = 0;
    for (size_t i = 0; i < COUNTOF(beginnings); i++) {
        const struct beginning *b = &beginnings[i];
        if (!begins_so(b, begin, text))
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
        ssize_t got = pread(((const struct model_file *)ctx)->fd, out, n, (off_t)at);
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
enum err_code model_file_open(struct model_file *f, const char *path, struct err *e)
{
    struct stat st;
    *f = (struct model_file){ .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
    if (f->fd < 0 || fstat(f->fd, &st)) {
        enum err_code rc = missing(path, errno, e);
        model_file_close(f);
        return rc;
    }
    if (!S_ISREG(st.st_mode)) {
        model_file_close(f);
        err_set(e, ERR_WEIGHTS_MISSING, "%.200s is %s, not a model file", path, S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
        err_hint(e, "the model's `file:` setting must name the .gguf file itself");
        return ERR_WEIGHTS_MISSING;
    }
    f->source = (struct gguf_source){ .read = read_file, .ctx = f, .size = (uint64_t)st.st_size };
    return ERR_OK;
}

void model_file_close(struct model_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
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

static enum err_code check_gguf(const struct model_file *f, struct arena *a, struct gguf *out, struct err *e)
{
    struct err why = { 0 };
    enum err_code rc = check_begin(f->path, &f->source, e);
    if (rc)
        return rc;
    rc = gguf_read(&f->source, a, out, &why);
    if (rc) {
        err_set(e, rc, "the model file %.120s: %s", f->path, why.text);
        err_hint(e, "download it again");
        return rc;
    }
    if (out->end > f->source.size) {
        err_set(e, ERR_WEIGHTS_BROKEN, "the model file %.120s is cut short: it is %llu bytes, its header promises %llu", f->path,
            (unsigned long long)f->source.size, (unsigned long long)out->end);
        err_hint(e, "download it again");
        return ERR_WEIGHTS_BROKEN;
    }
    return ERR_OK;
}

enum err_code model_file_gguf(const char *path, struct arena *a, struct gguf *out, uint64_t *file_bytes, struct err *e)
{
    struct model_file f;
    struct gguf g;
    enum err_code rc = model_file_open(&f, path, e);
    if (!rc)
        rc = check_gguf(&f, a, &g, e);
    if (!rc) {
        *out = g;
        *file_bytes = f.source.size;
    }
    model_file_close(&f);
    return rc;
}

enum err_code model_file_text(const char *path, size_t max, struct arena *a, struct str *out, struct err *e)
{
    struct model_file f;
    enum err_code rc = model_file_open(&f, path, e);
    if (rc)
        return rc;
    if (f.source.size > max) {
        rc = err_set(e, ERR_WEIGHTS_BROKEN, "%.150s is larger than such a file ever is: %llu bytes", path, (unsigned long long)f.source.size);
    } else {
        char *text = arena_alloc(a, (size_t)f.source.size + 1);
        if (f.source.read(f.source.ctx, 0, text, (size_t)f.source.size))
            *out = str_make(text, (size_t)f.source.size);
        else
            rc = err_sys(e, ERR_SYSTEM, errno, "cannot read %.150s", path);
    }
    model_file_close(&f);
    return rc;
}
