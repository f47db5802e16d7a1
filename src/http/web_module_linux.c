/* Where the program itself lies: Linux says it in /proc. */
#include "http/web_module_int.h"

#include <unistd.h>

bool web_program_path(char *out, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", out, room - 1);
    if (n <= 0)
        return false;
    out[n] = 0;
    return true;
}
