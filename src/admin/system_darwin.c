/* macOS: getpeereid for who is at the other end. */
#include "admin/admin_int.h"

#include <sys/types.h>
#include <unistd.h>

bool system_peer_uid(int fd, unsigned *uid)
{
    uid_t who;
    gid_t group;
    if (getpeereid(fd, &who, &group))
        return false;
    *uid = who;
    return true;
}
