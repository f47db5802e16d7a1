/* macOS: getpeereid for who is at the other end. Memory of another process needs a task port or libproc: not yet. */
#include "admin/admin_int.h"

#include <sys/types.h>
#include <unistd.h>

int64_t system_memory_of(int pid)
{
    (void)pid;
    return -1;
}

bool system_peer_uid(int fd, unsigned *uid)
{
    uid_t who;
    gid_t group;
    if (getpeereid(fd, &who, &group))
        return false;
    *uid = who;
    return true;
}
