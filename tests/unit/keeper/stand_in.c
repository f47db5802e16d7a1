/* stand_in SOCKET: what the keeper under test takes for its gateway. Hands its end of the wire (descriptor 3) to the test that listens on SOCKET,
 * which from then on speaks for it, and does what the test says: a byte a deed. When the test goes away, so does this. */
#include "keeper/wire.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct rlimit no_core = { 0, 0 };
    setrlimit(RLIMIT_CORE, &no_core);
    if (argc != 2 || strlen(argv[1]) >= sizeof to.sun_path)
        return 90;
    memcpy(to.sun_path, argv[1], strlen(argv[1]));
    int test = socket(AF_UNIX, SOCK_STREAM, 0);
    if (test < 0 || connect(test, (struct sockaddr *)&to, sizeof to) || wire_send(test, STR("G"), WIRE_FD) != 1)
        return 91;
    for (int fd = 4; fd < 256; fd++) /* nothing of the keeper's came along */
        if (fd != test && close(fd) == 0)
            return 92;
    char deed[2];
    while (read(test, deed, 1) == 1)
        switch (deed[0]) {
        case 'x': /* exit with the code in the next byte */
            return read(test, deed, 1) == 1 ? deed[0] : 93;
        case 's':
            signal(SIGSEGV, SIG_DFL);
            raise(SIGSEGV);
            break;
        case 'c':
            close(WIRE_FD);
            break;
        }
    return 94;
}
