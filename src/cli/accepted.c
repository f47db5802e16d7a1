/* What is in the file: the path of the configuration, a line feed, its text. Both may hold secrets: the file has no name, and engines do not get it. */
#include "cli/accepted.h"

#include "proc/keeper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 2 * 1024 * 1024 };

void accepted_open(void)
{
    FILE *f = tmpfile();
    int fd = f ? dup(fileno(f)) : -1;
    if (f)
        fclose(f);
    unsetenv(KEEPER_KEPT_NAME);
    if (fd >= 0 && (fd == KEEPER_KEPT_FD || dup2(fd, KEEPER_KEPT_FD) == KEEPER_KEPT_FD))
        setenv(KEEPER_KEPT_NAME, "yes", 1);
    if (fd >= 0 && fd != KEEPER_KEPT_FD)
        close(fd);
}

/* Ours alone has no name; what a shell may have left open there has one. */
static bool is_there(void)
{
    struct stat st;
    return getenv(KEEPER_KEPT_NAME) && !fstat(KEEPER_KEPT_FD, &st) && S_ISREG(st.st_mode) && st.st_nlink == 0;
}

void accepted_keep(const struct config *c)
{
    struct buf text = { 0 };
    if (!is_there())
        return;
    fcntl(KEEPER_KEPT_FD, F_SETFD, FD_CLOEXEC); /* for the gateway's own; the keeper's stays as it is */
    buf_printf(&text, "%.*s\n%.*s", STR_ARG(c->path), STR_ARG(c->text.hidden));
    bool whole = pwrite(KEEPER_KEPT_FD, text.p, text.n, 0) == (ssize_t)text.n;
    if (ftruncate(KEEPER_KEPT_FD, whole ? (off_t)text.n : 0))
        log_warn("the configuration could not be kept for a restart");
    wipe(text.p, text.n);
    buf_free(&text);
}

enum err_code accepted_load(struct config **out, struct err *e)
{
    struct buf text = { 0 };
    struct str rest;
    buf_reserve(&text, MOST_BYTES);
    ssize_t n = is_there() ? pread(KEEPER_KEPT_FD, text.p, MOST_BYTES, 0) : 0;
    text.n = n > 0 ? (size_t)n : 0;
    struct str path = str_cut(buf_str(&text), '\n', &rest);
    enum err_code rc = path.n ? conf_parse(path, rest, out, e) : err_set(e, ERR_CONFIG, "no configuration was accepted before");
    if (!rc)
        (*out)->path = arena_copy(&(*out)->arena, path);
    wipe(text.p, text.n);
    buf_free(&text);
    return rc;
}
