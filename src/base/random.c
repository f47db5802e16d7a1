/* Random bytes from the kernel, in blocks: a request id costs no system call of its own. */
#include "base/random.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void system_fill(void *p, size_t n)
{
    static unsigned char block[256]; /* getentropy gives at most 256 at once */
    static size_t left;
    unsigned char *out = p;
    while (n) {
        if (left == 0) {
            if (getentropy(block, sizeof block))
                die("no random bytes: %s", strerror(errno));
            left = sizeof block;
        }
        size_t take = n < left ? n : left;
        unsigned char *from = block + sizeof block - left;
        memcpy(out, from, take);
        wipe(from, take); /* what was handed out is not kept */
        out += take;
        n -= take;
        left -= take;
    }
}

static void (*fill)(void *p, size_t n) = system_fill;

void random_use(void (*source)(void *p, size_t n))
{
    fill = source ? source : system_fill;
}

void random_bytes(void *p, size_t n)
{
    fill(p, n);
}

void random_hex(char *out, size_t n)
{
    unsigned char raw[64];
    for (size_t done = 0; done < n;) {
        size_t part = n - done < 2 * sizeof raw ? n - done : 2 * sizeof raw;
        fill(raw, (part + 1) / 2);
        for (size_t i = 0; i < part; i++)
            out[done + i] = "0123456789abcdef"[i % 2 ? raw[i / 2] & 15 : raw[i / 2] >> 4];
        done += part;
    }
    out[n] = 0;
}
