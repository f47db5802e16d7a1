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

bool daemon_is_remote(void)
{
    const char *url = getenv("HOB_URL");
    return url && url[0];
}

enum err_code daemon_find_remote(struct door *out, struct err *e)
{
    *out = (struct door){ .remote = true };
    enum err_code rc = addr_parse_web(str_of(getenv("HOB_URL")), &out->target.to, &out->target.tls, &out->prefix, e);
    if (rc)
        return rc;
    out->target.ca = str_of(getenv("SSL_CERT_FILE"));
    if (str_ends(out->prefix, STR("/v1")))
        out->prefix.n -= 3;
    addr_format(&out->target.to, out->name, sizeof out->name);
    return ERR_OK;
}

/* Who listens on all addresses is here, too. */
static void reach_from_here(struct addr *to)
{
    if (strcmp(to->host, "0.0.0.0") == 0)
        snprintf(to->host, sizeof to->host, "127.0.0.1");
    if (strcmp(to->host, "::") == 0)
        snprintf(to->host, sizeof to->host, "::1");
}

static enum err_code find_at(struct str address, struct door *out, struct err *e)
{
    *out = (struct door){ .prefix = STR("") };
    enum err_code rc = addr_parse(address, &out->target.to, e);
    if (rc)
        return rc;
    reach_from_here(&out->target.to);
    addr_format(&out->target.to, out->name, sizeof out->name);
    return ERR_OK;
}

enum err_code daemon_find_left(const struct config *c, struct door *out)
{
    char left[300];
    struct err e;
    size_t n = read_address(c, left, sizeof left);
    return n && !find_at(str_make(left, n), out, &e) ? ERR_OK : ERR_UP_REFUSED;
}

enum err_code daemon_find(const struct config *c, struct door *out, struct err *e)
{
    char left[300];
    if (daemon_is_remote())
        return daemon_find_remote(out, e);
    size_t n = read_address(c, left, sizeof left);
    return find_at(n ? str_make(left, n) : c->listen, out, e);
}

void daemon_put_key(const struct door *d, struct buf *headers)
{
    static bool warned;
    const char *key = getenv("HOB_KEY");
    if (!key || !key[0] || strpbrk(key, "\r\n"))
        return;
    buf_printf(headers, "Authorization: Bearer %s\r\n", key);
    if (!d->target.tls && !addr_is_loopback(&d->target.to) && !warned)
        fprintf(stderr, "hob: the key goes to %s unencrypted; https, or a tunnel, would hide it\n", d->name);
    warned = true;
}
