/* Linux: SO_PEERCRED for who is at the other end. */
#include "admin/admin_int.h"

#include <sys/socket.h>

bool system_peer_uid(int fd, unsigned *uid)
{
    struct ucred who;
    socklen_t n = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n))
        return false;
    *uid = who.uid;
    return true;
}
