#include "model/identity.h"

#include <stdio.h>
#include <sys/stat.h>

static const uint64_t prime = 0x100000001b3;

void identity_init(struct identity *id)
{
    id->a = 0xcbf29ce484222325; /* FNV's own */
    id->b = 0x9e3779b97f4a7c15;
}

static void add_byte(struct identity *id, unsigned char byte)
{
    id->a = (id->a ^ byte) * prime;
    id->b = (id->b ^ byte) * prime;
}

static void add_number(struct identity *id, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        add_byte(id, (unsigned char)(v >> (8 * i)));
}

void identity_add(struct identity *id, struct str part)
{
    add_number(id, part.n);
    for (size_t i = 0; i < part.n; i++)
        add_byte(id, (unsigned char)part.p[i]);
}

bool identity_add_file(struct identity *id, const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return false;
    identity_add(id, str_of(path));
    add_number(id, (uint64_t)st.st_size);
#ifdef __APPLE__
    add_number(id, (uint64_t)st.st_mtimespec.tv_sec);
    add_number(id, (uint64_t)st.st_mtimespec.tv_nsec);
#else
    add_number(id, (uint64_t)st.st_mtim.tv_sec);
    add_number(id, (uint64_t)st.st_mtim.tv_nsec);
#endif
    return true;
}

/* Each bit of the sum reaches each of the result: FNV's last bytes alone would hardly touch its upper half. */
static uint64_t mix(uint64_t v)
{
    v ^= v >> 33;
    v *= 0xff51afd7ed558ccd;
    v ^= v >> 33;
    v *= 0xc4ceb9fe1a85ec53;
    return v ^ v >> 33;
}

void identity_hex(const struct identity *id, char out[IDENTITY_HEX])
{
    snprintf(out, IDENTITY_HEX, "%016llx%016llx", (unsigned long long)mix(id->a), (unsigned long long)mix(id->b));
}
