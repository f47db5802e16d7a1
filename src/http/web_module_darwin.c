/* Where the program itself lies: the dynamic linker knows. */
#include "http/web_module_int.h"

#include <mach-o/dyld.h>
#include <stdlib.h>
#include <string.h>

bool web_program_path(char *out, size_t room)
{
    char named[4096];
    uint32_t n = sizeof named;
    if (_NSGetExecutablePath(named, &n))
        return false;
    char *real = realpath(named, NULL);
    bool fits = real && strlen(real) < room;
    if (fits)
        memcpy(out, real, strlen(real) + 1);
    free(real);
    return fits;
}
