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

void random_key(uint64_t key[2])
{
    if (getentropy(key, 2 * sizeof *key))
        die("no random bytes: %s", strerror(errno));
}

static uint64_t rotl(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t random_hash(struct str s, const uint64_t key[2])
{
    uint64_t v[4] = { key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573) };
    uint64_t word = 0, last = (uint64_t)s.n << 56;
    size_t at = 0;
    for (; s.n - at >= sizeof word; at += sizeof word) {
        memcpy(&word, s.p + at, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; at + i < s.n; i++)
        last |= (uint64_t)(unsigned char)s.p[at + i] << 8 * i;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
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
