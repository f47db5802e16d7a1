#include "proc/log_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { NAME_MOST = 200, TAIL_HEX = 16 }; /* a file name ends at 255 bytes, and .log.1 comes behind it */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* A leading dot would hide the file, or be `..`. Two long names that begin alike stay two files by their hashes. */
static void encode(struct str name, char out[NAME_MOST + TAIL_HEX + 4])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        bool as_it_is = plain(name.p[i]) && !(i == 0 && name.p[i] == '.');
        if (n + (as_it_is ? 1 : 3) > NAME_MOST) {
            snprintf(out + n, TAIL_HEX + 4, "%%~%016llx", (unsigned long long)str_hash(name)); /* "%~" comes of no name */
            return;
        }
        if (as_it_is)
            out[n++] = name.p[i];
        else
            n += (size_t)snprintf(out + n, 4, "%%%02X", (unsigned char)name.p[i]);
    }
    out[n] = 0;
}

bool log_file_path(struct str state, struct str name, char out[LOG_FILE_PATH_BYTES])
{
    char file[NAME_MOST + TAIL_HEX + 4];
    encode(name, file);
    int n = snprintf(out, LOG_FILE_PATH_BYTES, "%.*s/logs/%s.log", STR_ARG(state), file);
    return n > 0 && n < LOG_FILE_PATH_BYTES - 2; /* ".1" must still fit */
}

bool log_file_folder(struct str state)
{
    char path[LOG_FILE_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%.*s/logs", STR_ARG(state));
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}
