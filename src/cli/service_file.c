/* The unit's file: read to see whose it is, written whole or not at all. */
#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 256 * 1024, MARK_WITHIN = 512 };

enum err_code service_file_look(const char *path, enum service_file *what, struct buf *text, struct err *e)
{
    struct stat st;
    struct buf got = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *what = FILE_NONE;
    if (fd < 0 && errno == ENOENT && lstat(path, &st)) /* a link to nothing is something: systemd masks with those */
        return ERR_OK;
    if (fd < 0 && errno != ENOENT)
        return err_sys(e, ERR_SYSTEM, errno, "cannot read %s", path);
    *what = FILE_FOREIGN;
    ssize_t n = fd < 0 ? -1 : read(fd, buf_reserve(&got, FILE_MAX_BYTES), FILE_MAX_BYTES);
    if (fd >= 0)
        close(fd);
    got.n = n > 0 ? (size_t)n : 0;
    struct str head = str_make(got.p, got.n < MARK_WITHIN ? got.n : MARK_WITHIN);
    if (str_find(head, STR(SERVICE_MARK)) >= 0)
        *what = FILE_OURS;
    if (*what == FILE_OURS && text)
        buf_add(text, buf_str(&got));
    buf_free(&got);
    return ERR_OK;
}

static bool make_folders(const char *path)
{
    char part[4096];
    for (size_t i = 1; path[i]; i++) {
        if (path[i] != '/')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0755) && errno != EEXIST)
            return false;
    }
    return true;
}

static bool write_whole(int fd, struct str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return false;
        text = str_from(text, n > 0 ? (size_t)n : 0);
    }
    return fchmod(fd, 0644) == 0 && fsync(fd) == 0;
}

enum err_code service_file_write(const char *path, struct str text, struct err *e)
{
    char beside[4096 + 8];
    if (!make_folders(path))
        return err_sys(e, ERR_SYSTEM, errno, "cannot make the folder of %s", path);
    snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    int fd = mkstemp(beside);
    bool ok = fd >= 0 && write_whole(fd, text);
    int sys = errno;
    if (fd >= 0 && close(fd) && ok) {
        ok = false;
        sys = errno;
    }
    if (ok && rename(beside, path)) {
        ok = false;
        sys = errno;
    }
    if (!ok && fd >= 0)
        unlink(beside);
    return ok ? ERR_OK : err_sys(e, ERR_SYSTEM, sys, "cannot write %s", path);
}
