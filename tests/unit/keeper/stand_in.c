/* stand_in SOCKET: what the keeper under test takes for its gateway. Hands its end of the wire (descriptor 3) to the test that listens on SOCKET,
 * which from then on speaks for it, and does what the test says: a byte a deed. When the test goes away, so does this.
 * One that is started beside another says what it is to be ('h' heir, 'a' again) and hands over the socket between the two, too. */
#include "keeper/wire.h"

#include <signal.h>
#include <stdlib.h>
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
    const char *beside = getenv(WIRE_HEIR_NAME);
    if (beside && wire_send(test, str_make(beside, 1), WIRE_HEIR_FD) != 1)
        return 91;
    for (int fd = 4; fd < 256; fd++) /* nothing else of the keeper's came along */
        if (fd != test && (fd != WIRE_HEIR_FD || !beside) && close(fd) == 0)
            return 92;
    if (beside)
        close(WIRE_HEIR_FD); /* the test has it */
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
