/* macOS: there is no PDEATHSIG. The gateway notices that its socket to the keeper ends and exits; children will get a lifeline (a pipe whose
 * write end only the keeper holds, watched by a tiny parent of each) with the issue that brings macOS whole. Until then a killed keeper
 * leaves its engines behind on this system. */
#include "keeper/os.h"

#include <unistd.h>

void os_die_with(pid_t parent)
{
    if (getppid() != parent)
        _exit(127);
}

void os_close_from(int from)
{
    int max = getdtablesize();
    for (int fd = from; fd < (max > 65536 ? 65536 : max); fd++)
        close(fd);
}

/* There is no exec of a descriptor. */
int os_hold(const char *path)
{
    (void)path;
    return -1;
}

void os_exec(int held, char *const *argv)
{
    (void)held;
    execv(argv[0], argv);
}

void os_adopt_orphans(void)
{
}

void os_kill_strays(bool (*is_known)(pid_t pid))
{
    (void)is_known;
}

void os_be_called(const char *name)
{
    (void)name;
}
