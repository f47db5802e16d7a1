/* A folder nobody else may enter: whoever can put a socket in it could answer as a model. */
#include "cli/rundir.h"

#include <errno.h>
#include <ftw.h>
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

static void name_parent(char out[RUNDIR_MAX_BYTES])
{
    enum { ROOM = RUNDIR_MAX_BYTES - 10 };
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    int n = xdg && xdg[0] == '/' ? snprintf(out, ROOM, "%s/hob", xdg) : ROOM;
    if (n >= ROOM || access(xdg, W_OK)) /* none, too long for a socket, or not there */
        snprintf(out, ROOM, "/tmp/hob-%u", (unsigned)geteuid());
}

static void name(struct str state, const char *parent, char out[RUNDIR_MAX_BYTES])
{
    snprintf(out, RUNDIR_MAX_BYTES, "%.*s/%08x", RUNDIR_MAX_BYTES - 11, parent, hash(state));
}

enum err_code rundir_parent(char out[RUNDIR_MAX_BYTES], struct err *e)
{
    name_parent(out);
    return make_private(out, e);
}

enum err_code rundir_make(struct str state, char out[RUNDIR_MAX_BYTES], struct err *e)
{
    char parent[RUNDIR_MAX_BYTES];
    enum err_code rc = rundir_parent(parent, e);
    if (rc)
        return rc;
    name(state, parent, out);
    return make_private(out, e);
}

bool rundir_is_there(struct str state)
{
    char parent[RUNDIR_MAX_BYTES], path[RUNDIR_MAX_BYTES];
    name_parent(parent);
    name(state, parent, path);
    return access(path, F_OK) == 0;
}

static int remove_empty(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)at;
    if (kind == FTW_DP)
        rmdir(path); /* one that holds something stays */
    return 0;
}

void rundir_tidy(struct str state, const char *run_dir)
{
    char children[4096];
    snprintf(children, sizeof children, "%.*s/children", STR_ARG(state));
    nftw(run_dir, remove_empty, 16, FTW_DEPTH | FTW_PHYS);
    nftw(children, remove_empty, 16, FTW_DEPTH | FTW_PHYS);
}
