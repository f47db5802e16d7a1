/* The part on the disk. All names are looked up in one open folder, and no link is followed: where it was opened is where it is written. */
#include "model/part.h"

#include "base/log.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_NOTE_BYTES = 32 * 1024 };

/* ---- the note ---- */

static void take_text(char *out, size_t room, struct str s)
{
    bool fits = s.n < room;
    for (size_t i = 0; fits && i < s.n; i++)
        fits = s.p[i] >= ' ' && s.p[i] < 0x7F;
    snprintf(out, room, "%.*s", fits ? (int)s.n : 0, s.n ? s.p : "");
}

void part_note_read(struct str json, struct part_note *out)
{
    struct json_doc d = { 0 };
    struct err e;
    *out = (struct part_note){ .bytes = -1 };
    if (json_parse(&d, json, &e))
        return;
    yyjson_val *bytes = yyjson_obj_get(d.root, "bytes");
    struct str sha256 = json_str(yyjson_obj_get(d.root, "sha256"));
    take_text(out->url, sizeof out->url, json_str(yyjson_obj_get(d.root, "url")));
    take_text(out->etag, sizeof out->etag, json_str(yyjson_obj_get(d.root, "etag")));
    if (yyjson_is_uint(bytes) && yyjson_get_uint(bytes) <= INT64_MAX)
        out->bytes = (int64_t)yyjson_get_uint(bytes);
    if (sha256_is_hex(sha256))
        take_text(out->sha256, sizeof out->sha256, sha256);
    json_free(&d);
}

static void note_name(const struct part *p, char out[PART_MAX_NAME + 16])
{
    snprintf(out, PART_MAX_NAME + 16, "%s.part.json", p->name);
}

static void load_note(struct part *p)
{
    char name[PART_MAX_NAME + 16], text[MAX_NOTE_BYTES];
    note_name(p, name);
    int fd = openat(p->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    part_note_read(n > 0 ? str_make(text, (size_t)n) : STR(""), &p->note);
}

static void put_text(struct json_out *o, const char *key, const char *text)
{
    json_key(o, str_of(key));
    if (text[0])
        json_string(o, str_of(text));
    else
        json_null(o);
}

enum err_code part_write_note(struct part *p, const struct part_note *note, struct err *e)
{
    char name[PART_MAX_NAME + 16];
    struct buf b = { 0 };
    struct json_out o = json_out(&b);
    json_begin_object(&o);
    put_text(&o, "url", note->url);
    put_text(&o, "etag", note->etag);
    json_key(&o, STR("bytes"));
    json_int_or_null(&o, note->bytes);
    put_text(&o, "sha256", note->sha256);
    json_end_object(&o);
    note_name(p, name);
    /* For its owner: an address may carry a key in its query. */
    int fd = openat(p->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool whole = fd >= 0 && write(fd, b.p, b.n) == (ssize_t)b.n;
    enum err_code rc = whole ? ERR_OK : err_sys(e, ERR_SYSTEM, errno, "cannot write %s beside the part", name);
    if (fd >= 0)
        close(fd);
    if (!rc)
        p->note = *note;
    buf_free(&b);
    return rc;
}

/* ---- opening ---- */

/* The lock is on the file, and the file may have become another's NAME while we waited for it. */
static bool is_still_there(const struct part *p, const char *name)
{
    struct stat ours, theirs;
    return !fstat(p->fd, &ours) && !fstatat(p->folder, name, &theirs, AT_SYMLINK_NOFOLLOW) && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

static enum err_code open_file(struct part *p, const char *name, struct err *e)
{
    for (int tries = 0; tries < 10; tries++) {
        p->fd = openat(p->folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
        if (p->fd < 0)
            return err_sys(e, ERR_SYSTEM, errno, "cannot write %.200s", p->path);
        if (flock(p->fd, LOCK_EX | LOCK_NB)) {
            err_set(e, ERR_SYSTEM, "another hob pull is fetching %s now", p->name);
            return err_hint(e, "wait for it, or stop it and go on here");
        }
        if (is_still_there(p, name))
            return ERR_OK;
        close(p->fd);
        p->fd = -1;
    }
    return err_set(e, ERR_SYSTEM, "%.200s comes and goes", p->path);
}

enum err_code part_open(struct part *p, struct str target, struct err *e)
{
    struct stat st;
    size_t slash = target.n;
    *p = (struct part){ .folder = -1, .fd = -1, .note = { .bytes = -1 } };
    while (slash && target.p[slash - 1] != '/')
        slash--;
    struct str name = str_from(target, slash);
    if (!slash || !name.n || name.n > PART_MAX_NAME || target.n + sizeof ".part" > sizeof p->path)
        return err_set(e, ERR_SYSTEM, "%.200s is no name for a file, or too long", target.p);
    snprintf(p->name, sizeof p->name, "%.*s", STR_ARG(name));
    snprintf(p->path, sizeof p->path, "%.*s.part", STR_ARG(target));
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", (int)slash, target.p);
    p->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->folder < 0)
        return err_sys(e, ERR_SYSTEM, errno, "cannot open the folder %.200s", folder);
    enum err_code rc = open_file(p, p->path + slash, e);
    if (!rc && (fstat(p->fd, &st) || !S_ISREG(st.st_mode)))
        rc = err_set(e, ERR_SYSTEM, "%.200s is no regular file", p->path);
    if (rc) {
        if (p->fd >= 0)
            close(p->fd);
        close(p->folder);
        p->folder = p->fd = -1;
        return rc;
    }
    p->have = st.st_size;
    load_note(p);
    return ERR_OK;
}

static void forget(struct part *p)
{
    char name[PART_MAX_NAME + 16];
    note_name(p, name);
    unlinkat(p->folder, name, 0);
}

void part_remove(struct part *p)
{
    char name[PART_MAX_NAME + 16];
    snprintf(name, sizeof name, "%s.part", p->name);
    unlinkat(p->folder, name, 0);
    forget(p);
    close(p->fd);
    p->fd = -1;
}

void part_close(struct part *p)
{
    if (!p->name[0])
        return;
    if (p->fd >= 0 && p->have == 0)
        part_remove(p);
    if (p->fd >= 0)
        close(p->fd);
    if (p->folder >= 0)
        close(p->folder);
    p->folder = p->fd = -1;
}

/* ---- growing ---- */

enum err_code part_add(struct part *p, struct str bytes, struct err *e)
{
    while (bytes.n) {
        ssize_t n = pwrite(p->fd, bytes.p, bytes.n, (off_t)p->have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_sys(e, ERR_SYSTEM, n ? errno : ENOSPC, "cannot write on after %lld bytes of %.150s", (long long)p->have, p->path);
            return err_hint(e, "make room, then the same command goes on where it stopped");
        }
        p->have += n;
        bytes = str_from(bytes, (size_t)n);
    }
    return ERR_OK;
}

enum err_code part_cut(struct part *p, int64_t bytes, struct err *e)
{
    if (ftruncate(p->fd, (off_t)bytes))
        return err_sys(e, ERR_SYSTEM, errno, "cannot cut %.200s", p->path);
    p->have = bytes;
    return ERR_OK;
}

enum err_code part_finish(struct part *p, struct err *e)
{
    char name[PART_MAX_NAME + 16];
    snprintf(name, sizeof name, "%s.part", p->name);
    if (fsync(p->fd))
        return err_sys(e, ERR_SYSTEM, errno, "cannot bring %.200s to the disk", p->path);
    if (renameat(p->folder, name, p->folder, p->name))
        return err_sys(e, ERR_SYSTEM, errno, "cannot rename %.200s", p->path);
    forget(p);
    if (fsync(p->folder)) /* some file systems have no such thing for folders */
        log_debug("the folder of %s cannot be brought to the disk", p->name);
    close(p->fd);
    p->fd = -1;
    return ERR_OK;
}
