/* Images of cases: found, drawn, and written as data: URLs. */
#include "evidence/images.h"

#include "evidence/draw.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGE_MAX_BYTES = 20 * 1024 * 1024 };

static const struct {
    struct str begins;
    size_t at;
    const char *type;
} kinds[] = {
    { STR("\x89PNG\r\n\x1a\n"), 0, "image/png" }, { STR("\xff\xd8\xff"), 0, "image/jpeg" }, { STR("GIF8"), 0, "image/gif" }, { STR("WEBP"), 8, "image/webp" },
};

static const char *type_of(struct str bytes)
{
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if (str_starts(str_from(bytes, kinds[i].at), kinds[i].begins))
            return kinds[i].type;
    return NULL;
}

static struct str url_of(struct arena *a, const char *type, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t head = strlen(type) + 13, n = head + (bytes.n + 2) / 3 * 4, at = head;
    char *p = arena_alloc(a, n + 1);
    struct str begin = arena_printf(a, "data:%s;base64,", type);
    memcpy(p, begin.p, head);
    for (size_t i = 0; i < bytes.n; i += 3) {
        uint32_t three = 0;
        for (size_t k = 0; k < 3; k++)
            three = three << 8 | (i + k < bytes.n ? (unsigned char)bytes.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            p[at++] = i + k > bytes.n ? '=' : digits[three >> (18 - 6 * k) & 63];
    }
    return str_make(p, at);
}

static enum err_code read_image(const struct images *m, struct str image, struct arena *a, struct buf *bytes, struct err *e)
{
    bool relative = m->folder.n && !str_starts(image, STR("/"));
    struct str path = relative ? arena_printf(a, "%.*s/%.*s", STR_ARG(m->folder), STR_ARG(image)) : arena_copy(a, image);
    int fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        err_sys(e, ERR_NOT_FOUND, errno, "the image %.160s", path.p);
        if (fd >= 0)
            close(fd);
        return ERR_NOT_FOUND;
    }
    enum err_code rc = !S_ISREG(st.st_mode)             ? err_set(e, ERR_INVALID_REQUEST, "the image %.160s is no file", path.p)
                       : st.st_size > IMAGE_MAX_BYTES ? err_set(e, ERR_TOO_LARGE, "the image %.160s has more than 20 MiB", path.p)
                                                        : ERR_OK;
    while (!rc && bytes->n <= IMAGE_MAX_BYTES) {
        ssize_t n = read(fd, buf_reserve(bytes, 64 * 1024), 64 * 1024);
        if (n < 0)
            rc = err_sys(e, ERR_NOT_FOUND, errno, "the image %.160s", path.p);
        if (n <= 0)
            break;
        bytes->n += (size_t)n;
    }
    close(fd);
    return rc;
}

static enum err_code draw_image(struct str what, struct arena *a, struct buf *png, struct err *e)
{
    struct str rest, kind = arena_copy(a, str_cut(what, '?', &rest));
    int64_t seed = 0;
    if (rest.n && (!str_starts(rest, STR("seed=")) || !str_to_int(str_from(rest, 5), 0, INT64_MAX, &seed)))
        return err_set(e, ERR_INVALID_REQUEST, "a drawn image is draw:KIND?seed=NUMBER");
    return draw_png(kind, (uint64_t)seed, png, e);
}

enum err_code images_get(void *ctx, struct str image, struct arena *a, struct str *data_url, struct err *e)
{
    struct buf bytes = { 0 };
    if (str_starts(image, STR("data:"))) {
        *data_url = image;
        return ERR_OK;
    }
    enum err_code rc = str_starts(image, STR("draw:")) ? draw_image(str_from(image, 5), a, &bytes, e) : read_image(ctx, image, a, &bytes, e);
    const char *type = rc ? NULL : type_of(buf_str(&bytes));
    if (!rc && !type)
        rc = err_set(e, ERR_INVALID_REQUEST, "the image %.120s is no PNG, JPEG, GIF or WebP", arena_copy(a, image).p);
    if (!rc)
        *data_url = url_of(a, type, buf_str(&bytes));
    buf_free(&bytes);
    return rc;
}
