/* The engines of this machine: builds of llama-server that the configuration names, which architectures each knows. A build is told by a hash of its
 * files' identities, never by its version string (builds do not carry the upstream number). Answers are kept in the store. All of it blocks. */
#ifndef HOB_BACKEND_ENGINE_H
#define HOB_BACKEND_ENGINE_H

#include "base/buf.h"
#include "conf/config.h"
#include "model/probe.h"
#include "store/store.h"

struct engine {
    struct str name;            /* of the configuration */
    char path[1024];            /* of the program */
    char hash[65];              /* of the program's and its libraries' identities (path, size, mtime), hex: the build, for caches */
    char version[128];          /* what --version says, on a line; "" when it says nothing. Only after engine_ask_version() */
};

/* ERR_ENGINE_MISSING: no such program. ERR_INVALID_REQUEST: no engine of that name is configured. */
enum err_code engine_find(const struct config *c, struct str name, struct engine *out, struct err *e) __attribute__((warn_unused_result));
void engine_ask_version(struct engine *g);
/* Whether it knows an architecture: from the store, else by asking it (some 20 ms; asked again once when it said nothing) and then kept. s may be
 * NULL: nothing is kept. */
enum probe_answer engine_knows(const struct engine *g, struct str architecture, struct store *s);
/* The names of other configured engines that know it, "" when none does: for the hint of unknown_architecture. */
void engine_who_knows(const struct config *c, struct str architecture, struct str but, struct store *s, struct buf *names);

#endif
