/* A thin coat over the module's SHA-256: digits, files. */
#include "model/sha256.h"

#include "http/web_module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20 };

struct sha256 {
    const struct web_module *module;
    struct web_sha256 *state;
};

enum err_code sha256_new(struct sha256 **out, struct err *e)
{
    const struct web_module *m;
    enum err_code rc = web_module_get(&m, e);
    if (rc)
        return rc;
    struct sha256 *h = calloc(1, sizeof *h);
    if (!h)
        die("out of memory for a hash");
    *h = (struct sha256){ m, m->sha256_new() };
    if (!h->state) {
        free(h);
        return err_set(e, ERR_SYSTEM, "libcrypto gives no SHA-256");
    }
    *out = h;
    return ERR_OK;
}

void sha256_feed(struct sha256 *h, struct str bytes)
{
    h->module->sha256_feed(h->state, bytes);
}

void sha256_end(struct sha256 *h, char hex[SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[32];
    h->module->sha256_end(h->state, raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[64] = 0;
    free(h);
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    h->module->sha256_end(h->state, NULL);
    free(h);
}

enum err_code sha256_feed_fd(struct sha256 *h, int fd, int64_t bytes, sha256_part_fn *on_part, void *ctx, struct err *e)
{
    char *room = malloc(READ_BYTES);
    enum err_code rc = ERR_OK;
    if (!room)
        die("out of memory for reading a file");
    for (int64_t at = 0; !rc && (bytes < 0 || at < bytes);) {
        size_t want = bytes >= 0 && bytes - at < READ_BYTES ? (size_t)(bytes - at) : READ_BYTES;
        ssize_t got = pread(fd, room, want, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = err_sys(e, ERR_SYSTEM, errno, "cannot read the file that is hashed");
        else if (got == 0 && bytes >= 0)
            rc = err_set(e, ERR_SYSTEM, "the file got shorter while it was hashed");
        if (got <= 0)
            break;
        sha256_feed(h, str_make(room, (size_t)got));
        at += got;
        if (on_part && !on_part(ctx, at))
            rc = err_set(e, ERR_CALLER_GONE, "stopped");
    }
    free(room);
    return rc;
}

enum err_code sha256_file(const char *path, char hex[SHA256_HEX], sha256_part_fn *on_part, void *ctx, struct err *e)
{
    struct sha256 *h = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, ERR_SYSTEM, errno, "cannot open %.200s", path);
    enum err_code rc = sha256_new(&h, e);
    if (!rc)
        rc = sha256_feed_fd(h, fd, -1, on_part, ctx, e);
    if (rc)
        sha256_free(h);
    else
        sha256_end(h, hex);
    close(fd);
    return rc;
}

bool sha256_is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f') || (s.p[i] >= 'A' && s.p[i] <= 'F')))
            return false;
    return s.n == 64;
}
