/* ${env:X}, ${env:X:-default}, ${file:x} inside a value; `$${` is a plain `${`. What comes in may be a secret, so it passes through one
 * buffer that is never reallocated and is wiped afterwards, and no error quotes it. Names to keep (`${port}` in a command) stay for who knows them. */
#include "conf/conf_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH_BYTES = 4096 };

void expansion_init(struct expansion *x, struct str folder)
{
    *x = (struct expansion){ .folder = folder };
    buf_init(&x->out, CONF_MAX_VALUE_BYTES);
    buf_reserve(&x->out, CONF_MAX_VALUE_BYTES);
}

void expansion_free(struct expansion *x)
{
    if (x->out.p)
        wipe(x->out.p, x->out.cap);
    buf_free(&x->out);
}

static enum err_code put(struct expansion *x, struct str bytes, struct err *e)
{
    if (bytes.n > CONF_MAX_VALUE_BYTES - x->out.n)
        return err_set(e, ERR_CONFIG, "longer than %d KiB", CONF_MAX_VALUE_BYTES / 1024);
    buf_add(&x->out, bytes);
    return ERR_OK;
}

static enum err_code put_env(struct expansion *x, struct str inside, struct err *e)
{
    ptrdiff_t mark = str_find(inside, STR(":-"));
    struct str name = mark < 0 ? inside : (struct str){ inside.p, (size_t)mark };
    char key[CONF_MAX_NAME_BYTES];
    if (name.n == 0 || name.n >= sizeof key)
        return err_set(e, ERR_CONFIG, "${env:NAME} needs a name");
    memcpy(key, name.p, name.n);
    key[name.n] = 0;
    const char *value = getenv(key);
    if (mark >= 0 && (!value || !*value)) /* as in the shell: empty counts as missing */
        return put(x, str_from(inside, (size_t)mark + 2), e);
    if (!value) {
        err_set(e, ERR_CONFIG, "the environment variable %s is not set", show_text(name).text);
        return err_hint(e, "set it, or give a default: ${env:NAME:-default}");
    }
    if (text_valid(str_of(value)) != strlen(value))
        return err_set(e, ERR_CONFIG, "the environment variable %s holds no UTF-8 text", show_text(name).text);
    return put(x, str_of(value), e);
}

/* A whole small file, straight into x->out. */
static enum err_code put_bytes_of(struct expansion *x, int fd, struct str name, struct err *e)
{
    size_t start = x->out.n;
    for (;;) {
        size_t room = CONF_MAX_VALUE_BYTES - x->out.n;
        if (room == 0)
            return err_set(e, ERR_CONFIG, "the file %s is longer than %d KiB", show_text(name).text, CONF_MAX_VALUE_BYTES / 1024);
        ssize_t n = read(fd, x->out.p + x->out.n, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, ERR_CONFIG, errno, "the file %s cannot be read", show_text(name).text);
        if (n == 0)
            break;
        x->out.n += (size_t)n;
    }
    struct str got = { x->out.p + start, x->out.n - start };
    if (str_ends(got, STR("\n"))) /* the newline that every editor puts there */
        got.n -= got.n > 1 && got.p[got.n - 2] == '\r' ? 2 : 1;
    x->out.n = start + got.n;
    if (text_valid(got) != got.n)
        return err_set(e, ERR_CONFIG, "the file %s holds no UTF-8 text", show_text(name).text);
    return ERR_OK;
}

static enum err_code full_path(const struct expansion *x, struct str name, char out[MAX_PATH_BYTES], struct err *e)
{
    struct str folder = str_starts(name, STR("/")) ? (struct str){ NULL, 0 } : x->folder;
    struct str rest = name;
    if (str_starts(name, STR("~/"))) {
        folder = str_of(getenv("HOME"));
        rest = str_from(name, 2);
        if (folder.n == 0)
            return err_set(e, ERR_CONFIG, "HOME is not set, so ~ has no meaning in %s", show_text(name).text);
    }
    if (rest.n == 0)
        return err_set(e, ERR_CONFIG, "${file:NAME} needs a name");
    if (rest.n + folder.n + 2 > MAX_PATH_BYTES || text_valid(name) != name.n)
        return err_set(e, ERR_CONFIG, "%s is no file name", show_text(name).text);
    snprintf(out, MAX_PATH_BYTES, "%.*s%s%.*s", STR_ARG(folder), folder.n ? "/" : "", STR_ARG(rest));
    return ERR_OK;
}

static enum err_code put_file(struct expansion *x, struct str name, struct err *e)
{
    char path[MAX_PATH_BYTES];
    enum err_code rc = full_path(x, name, path, e);
    if (rc)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer must not stop us */
    if (fd < 0) {
        err_sys(e, ERR_CONFIG, errno, "the file %s cannot be read", show_text(name).text);
        return err_hint(e, "a relative name is looked up in the folder of the config file");
    }
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        rc = err_set(e, ERR_CONFIG, "%s is not a regular file", show_text(name).text);
    else
        rc = put_bytes_of(x, fd, name, e);
    if (!rc && (st.st_mode & (S_IRGRP | S_IROTH)))
        snprintf(x->open_file, sizeof x->open_file, "%.255s", path);
    close(fd);
    return rc;
}

static bool is_kept(const struct expansion *x, struct str name)
{
    for (const char *const *k = x->keep; k && *k; k++)
        if (str_eq(name, str_of(*k)))
            return true;
    return false;
}

static enum err_code put_reference(struct expansion *x, struct str inside, struct err *e)
{
    x->any = true;
    if (str_find(inside, STR("${")) >= 0) { /* it would end at the inner one's brace, and the outer brace would be a part of the value */
        err_set(e, ERR_CONFIG, "a ${ within a ${");
        return err_hint(e, "a default is plain text: ${env:NAME:-default}");
    }
    if (str_starts(inside, STR("env:")))
        return put_env(x, str_from(inside, 4), e);
    if (str_starts(inside, STR("file:")))
        return put_file(x, str_from(inside, 5), e);
    if (is_kept(x, inside)) {
        enum err_code rc = put(x, STR("${"), e);
        rc = rc ? rc : put(x, inside, e);
        return rc ? rc : put(x, STR("}"), e);
    }
    err_set(e, ERR_CONFIG, "${%.*s} is not known: there are ${env:NAME}, ${env:NAME:-default} and ${file:NAME}",
            (int)(inside.n < 40 ? inside.n : 40), inside.n ? inside.p : "");
    return err_hint(e, "a plain ${ is written $${");
}

enum err_code expand(struct expansion *x, struct str raw, struct err *e)
{
    if (x->out.n)
        wipe(x->out.p, x->out.n);
    x->out.n = 0;
    x->any = false;
    x->open_file[0] = 0;
    while (raw.n) {
        enum err_code rc;
        ptrdiff_t dollar = str_find(raw, STR("${"));
        if (dollar < 0)
            return put(x, raw, e);
        bool plain = dollar > 0 && raw.p[dollar - 1] == '$';
        rc = put(x, (struct str){ raw.p, (size_t)dollar - plain }, e);
        raw = str_from(raw, (size_t)dollar + 2);
        if (!rc && plain)
            rc = put(x, STR("${"), e);
        else if (!rc) {
            struct str inside = str_cut(raw, '}', &raw);
            if (!raw.p)
                return err_set(e, ERR_CONFIG, "a ${ without its }");
            rc = put_reference(x, inside, e);
        }
        if (rc)
            return rc;
    }
    return ERR_OK;
}
