/* A free port, found by taking one and letting it go. Somebody may take it before it is used: port_owner() tells. */
#include "proc/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int port_free(void)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
    } at;
    socklen_t n = sizeof at.v4;
    memset(&at, 0, sizeof at);
    at.v4.sin_family = AF_INET;
    at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = 0;
    if (fd >= 0 && bind(fd, &at.any, sizeof at.v4) == 0 && getsockname(fd, &at.any, &n) == 0)
        port = ntohs(at.v4.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}
