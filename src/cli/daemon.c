/* The address file: one line, written by the daemon once it listens, removed when it ends. */
#include "cli/daemon.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void file_name(const struct config *c, char *out, size_t room)
{
    snprintf(out, room, "%.*s/listen", STR_ARG(c->state));
}

void daemon_write_address(const struct config *c, struct str address)
{
    char path[4096];
    file_name(c, path, sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, address.p, address.n) != (ssize_t)address.n)
        log_warn("cannot write %s: commands will look for the daemon where `listen:` says", path);
    if (fd >= 0)
        close(fd);
}

void daemon_forget_address(const struct config *c)
{
    char path[4096];
    file_name(c, path, sizeof path);
    unlink(path);
}

static size_t read_address(const struct config *c, char *out, size_t room)
{
    char path[4096];
    file_name(c, path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, room);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

enum err_code daemon_find(const struct config *c, struct addr *to, struct str *path, struct err *e)
{
    const char *url = getenv("HOB_URL");
    char left[300];
    *path = STR("");
    if (url && url[0])
        return addr_parse_url(str_of(url), to, path, e);
    size_t n = read_address(c, left, sizeof left);
    return addr_parse(n ? str_make(left, n) : c->listen, to, e);
}
