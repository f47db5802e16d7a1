/* Between two gateways, of which one takes the other's place: messages both ways, descriptors with them. The keeper has made the socket (keeper/wire.h,
 * WIRE_UPGRADE). Who says what, and when, is doc/adr/0013-upgrade.md; here is how. */
#ifndef HOB_PROC_HEIR_H
#define HOB_PROC_HEIR_H

#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

/* Both are of one version, or the upgrade is refused. A word that is new, or means something else, makes another. */
enum { HEIR_VERSION = 1, HEIR_TEXT_MAX = 512 * 1024 };

enum heir_word {
    /* new -> old */
    HEIR_READY = 1, /* it could take over: id = HEIR_VERSION, number = version of the store's schema, text = the program's version */
    HEIR_FAILED,    /* it could not, and ends: text */
    HEIR_SERVING,   /* it has listened since (number, monotonic ns) */
    HEIR_ROW_DONE,  /* id: that row is committed; with a text: it could not be, because */
    /* old -> new */
    HEIR_GO,        /* it has let go of everything: take over. fd: the lock on the state folder */
    HEIR_HELD,      /* of the model `text` it has `number` requests under way; at the beginning of each that is in memory, if only 0 */
    HEIR_CONN,      /* a connection, as id; number: 0 = of the public door, 1 = of the admin's; fd; text: what has come on it and was not answered, or the
                     * beginning of that: number + HEIR_MORE says that more follows */
    HEIR_BYTES,     /* more of that (id); number as above */
    HEIR_ROW,       /* write it: id, text (store/requests.h, JSON); number 1: it may be there already */
    HEIR_RELOAD,    /* take over the configuration: somebody has asked for it and was not served */
    HEIR_WORDS
};
enum { HEIR_ADMIN = 1, HEIR_MORE = 2 };

struct heir_msg {
    enum heir_word word;
    uint32_t id;
    uint64_t number;
    struct str text;     /* at most HEIR_TEXT_MAX */
    int fd;              /* of what is sent: taken over; of what comes: the receiver's, -1 when there is none */
};

struct heir;
struct heir_ops {
    void (*on_msg)(void *ctx, const struct heir_msg *m);    /* texts die on return */
    void (*on_end)(void *ctx);                              /* the other is gone, or speaks nonsense; nothing follows */
};
struct heir *heir_new(struct loop *l, int fd, const struct heir_ops *ops, void *ctx); /* takes fd over */
void heir_free(struct heir *h);                             /* fine from inside its callbacks; NULL is fine */
/* Never waits: what the other does not take yet is kept. */
void heir_send(struct heir *h, const struct heir_msg *m);
bool heir_waits(const struct heir *h);                      /* something was not taken yet */
/* Out of a program that ends now: waits until it is gone. */
void heir_say_and_end(int fd, const struct heir_msg *m);

#endif
