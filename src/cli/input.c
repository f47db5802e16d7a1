#include "cli/input.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { INPUT_MAX_BYTES = 64 * 1024 * 1024 };

int input_read(const char *path, struct buf *to)
{
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && to->n <= INPUT_MAX_BYTES) {
        char *at = buf_reserve(to, 64 * 1024);
        n = read(fd, at, 64 * 1024);
        to->n += n > 0 ? (size_t)n : 0;
    }
    int why = errno;
    if (fd > STDIN_FILENO)
        close(fd);
    if (!n)
        return EXIT_OK;
    fprintf(stderr, "hob: %s: %s\n", path, n < 0 ? strerror(why) : "this is too long for a request");
    return EXIT_FAILED;
}

int output_write(struct str path, struct str text)
{
    bool out = !path.n || str_eq(path, STR("-"));
    FILE *f = out ? stdout : fopen(path.p, "w");
    bool whole = f && fwrite(text.p, 1, text.n, f) == text.n;
    int why = errno;
    whole = (!f || (out ? fflush(f) : fclose(f)) == 0) && whole;
    if (!whole)
        fprintf(stderr, "hob: %s: %s\n", out ? "stdout" : path.p, f ? "it cannot be written" : strerror(why));
    return whole ? EXIT_OK : EXIT_FAILED;
}
