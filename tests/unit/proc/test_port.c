/* Whose is the socket that listens? Asked of the real system: our own, a child's, and nobody's. */
#include "proc/port.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int listen_at(int family, int port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    memset(&at, 0, sizeof at);
    if (family == AF_INET)
        at.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    else
        at.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any };
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, &at.any, family == AF_INET ? sizeof at.v4 : sizeof at.v6) || listen(fd, 1)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static void test_a_free_port_is_nobodys_until_somebody_listens(void **state)
{
    int port = port_free();
    assert_true(port > 0);
    assert_int_equal(port_owner(port, getpid()), PORT_NOBODY);
    int fd = listen_at(AF_INET, port);
    assert_true(fd >= 0);
    assert_int_equal(port_owner(port, getpid()), PORT_OURS);
    assert_int_equal(port_owner(port, getppid()), PORT_OURS); /* we descend from it */
    close(fd);
    assert_int_equal(port_owner(port, getpid()), PORT_NOBODY);
}

static void test_any_address_of_both_families_counts(void **state)
{
    int port = port_free(), fd = listen_at(AF_INET6, port);
    if (fd < 0)
        skip(); /* no IPv6 here */
    assert_int_equal(port_owner(port, getpid()), PORT_OURS);
    close(fd);
}

static void test_another_process_is_a_stranger(void **state)
{
    int port = port_free(), fd = listen_at(AF_INET, port);
    assert_true(fd >= 0);
    pid_t child = fork();
    if (child == 0) {
        close(fd); /* it listens to nothing */
        pause();
        _exit(0);
    }
    enum port_owner owner = PORT_UNKNOWN;
    for (int i = 0; i < 1000 && owner != PORT_STRANGER; i++) /* until it has closed its copy */
        owner = port_owner(port, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(owner, PORT_STRANGER);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_port_is_nobodys_until_somebody_listens),
        cmocka_unit_test(test_any_address_of_both_families_counts),
        cmocka_unit_test(test_another_process_is_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
