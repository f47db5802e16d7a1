/* A bucket is one number: when it will be full again. One that is full needs no place, so forgetting it loses nothing; when all places that an address may have
 * are taken by others, the fullest bucket gives way. */
#include "guard/attempts.h"

#include "base/random.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 1024, TRIED = 8 };

struct bucket {
    unsigned char peer[PEER_BYTES];
    int64_t full_ms;
};

struct attempts {
    uint64_t seed;              /* which addresses share places is nobody's to know */
    struct bucket at[PLACES];
};

struct attempts *attempts_new(void)
{
    struct attempts *a = calloc(1, sizeof *a);
    if (!a)
        die("out of memory for failed attempts");
    random_bytes(&a->seed, sizeof a->seed);
    return a;
}

void attempts_free(struct attempts *a)
{
    free(a);
}

static bool is_ip4(const unsigned char *peer)
{
    static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    return memcmp(peer, mapped, sizeof mapped) == 0;
}

static size_t first_place(const struct attempts *a, const unsigned char *peer)
{
    uint64_t h = a->seed;
    for (size_t i = 0; i < PEER_BYTES; i++) {
        h = (h ^ peer[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return (size_t)(h % PLACES);
}

static struct bucket *find(struct attempts *a, const unsigned char *peer, int64_t now_ms)
{
    size_t first = first_place(a, peer);
    struct bucket *least = &a->at[first];
    for (size_t i = 0; i < TRIED; i++) {
        struct bucket *b = &a->at[(first + i) % PLACES];
        if (memcmp(b->peer, peer, PEER_BYTES) == 0)
            return b;
        if (b->full_ms < least->full_ms)
            least = b;
    }
    memcpy(least->peer, peer, PEER_BYTES);
    least->full_ms = now_ms;
    return least;
}

enum err_code attempts_failed(struct attempts *a, const unsigned char peer[PEER_BYTES], int64_t now_ms, struct err *e)
{
    unsigned char net[PEER_BYTES];
    memcpy(net, peer, PEER_BYTES);
    if (!is_ip4(net))
        memset(net + PEER_BYTES / 2, 0, PEER_BYTES / 2);
    struct bucket *b = find(a, net, now_ms);
    int64_t full_ms = (b->full_ms > now_ms ? b->full_ms : now_ms) + ATTEMPTS_REFILL_MS;
    int64_t over_ms = full_ms - now_ms - (int64_t)ATTEMPTS_BURST * ATTEMPTS_REFILL_MS;
    if (over_ms <= 0) {
        b->full_ms = full_ms;
        return e->code;
    }
    err_set(e, ERR_TOO_MANY_ATTEMPTS, "Too many requests without a valid key come from there.");
    err_hint(e, "Send it as `Authorization: Bearer KEY` or `x-api-key: KEY`.");
    e->retry_after_s = 1 + (int)(over_ms / 1000);
    return e->code;
}
