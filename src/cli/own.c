/* Where this very program lies, and folders on the way to a path. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_own_path(const struct cli_args *a, char *out, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", out, room - 1);
    if (n > 0) {
        out[n] = 0;
        return true;
    }
    char *real = realpath(a->program, NULL); /* no /proc: macOS */
    if (real)
        snprintf(out, room, "%s", real);
    free(real);
    return real != NULL;
}

bool cli_make_dirs(const char *path)
{
    char part[4096];
    for (size_t i = 1; path[i - 1]; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0700) && errno != EEXIST)
            return false;
    }
    return access(path, W_OK) == 0;
}
