/* A folder nobody else may enter: whoever can put a socket in it could answer as a model. */
#include "cli/rundir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err_code make_private(const char *path, struct err *e)
{
    struct stat st;
    if (mkdir(path, 0700) && errno != EEXIST)
        return err_sys(e, ERR_SYSTEM, errno, "cannot make the folder %s", path);
    if (lstat(path, &st))
        return err_sys(e, ERR_SYSTEM, errno, "cannot look at the folder %s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
        err_set(e, ERR_SYSTEM, "%s is not a private folder of ours.", path);
        return err_hint(e, "Remove it, or set XDG_RUNTIME_DIR to a folder of your own.");
    }
    return ERR_OK;
}

/* FNV-1a: names the folder, guards nothing. */
static uint32_t hash(struct str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h;
}

enum err_code rundir_parent(char out[RUNDIR_MAX_BYTES], struct err *e)
{
    enum { ROOM = RUNDIR_MAX_BYTES - 10 };
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    int n = xdg && xdg[0] == '/' ? snprintf(out, ROOM, "%s/hob", xdg) : ROOM;
    if (n >= ROOM || access(xdg, W_OK)) /* none, too long for a socket, or not there */
        snprintf(out, ROOM, "/tmp/hob-%u", (unsigned)geteuid());
    return make_private(out, e);
}

enum err_code rundir_make(struct str state, char out[RUNDIR_MAX_BYTES], struct err *e)
{
    char parent[RUNDIR_MAX_BYTES];
    enum err_code rc = rundir_parent(parent, e);
    if (rc)
        return rc;
    snprintf(out, RUNDIR_MAX_BYTES, "%.*s/%08x", RUNDIR_MAX_BYTES - 11, parent, hash(state));
    return make_private(out, e);
}
