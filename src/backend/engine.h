/* The engines of this machine: builds of llama-server that the configuration names, which architectures each knows, what each says it would need. A
 * build is told by the identities of its files, never by its version string (builds do not carry the upstream number). Answers are kept in the store.
 * All but engine_path() block on the disk and run the engine: for the pool and for commands. */
#ifndef HOB_BACKEND_ENGINE_H
#define HOB_BACKEND_ENGINE_H

#include "base/buf.h"
#include "conf/config.h"
#include "model/probe.h"
#include "store/store.h"

enum { ENGINE_MAX_PATH = 1024, ENGINE_LIMIT_MS = 10000 };

struct engine {
    struct str name;                /* of the configuration */
    char path[ENGINE_MAX_PATH];     /* of the program */
    char hash[65];                  /* of the identities (path, size, time) of the program and of the libraries beside it, hex: the build */
    char version[128];              /* what --version says, a line; "" when it says nothing. Only after engine_ask_version() */
};

/* ERR_ENGINE_MISSING: no such program. ERR_INVALID_REQUEST: no engine of that name is configured. */
enum err_code engine_path(const struct config *c, struct str name, char *out, size_t room, struct err *e) __attribute__((warn_unused_result));
enum err_code engine_find(const struct config *c, struct str name, struct engine *out, struct err *e) __attribute__((warn_unused_result));
/* A program that is configured nowhere (yet): name is what messages call it, and is borrowed. ERR_ENGINE_MISSING: there is none. */
enum err_code engine_at(struct str path, struct str name, struct engine *out, struct err *e) __attribute__((warn_unused_result));
/* ERR_ENGINE_MISSING: it does not run; says how it ends. */
enum err_code engine_ask_version(struct engine *g, struct err *e) __attribute__((warn_unused_result));

/* Whether it knows an architecture: from the store, else by asking it (some 20 ms; asked again once when it said nothing) and then kept. s may be
 * NULL: nothing is kept. */
enum probe_answer engine_knows(const struct engine *g, struct str architecture, struct store *s);
/* From the store alone. */
enum probe_answer engine_remembers(const struct engine *g, struct str architecture, struct store *s);
/* ERR_UNKNOWN_ARCHITECTURE: the engine's build, the name it misses, and who knows it. */
enum err_code engine_refuse(const struct config *c, const struct engine *g, struct str architecture, struct store *s, struct err *e);

/* What it says against these arguments (without the program's name), a line in `out`; false: nothing. It is given no model to load. */
bool engine_dislikes(const struct engine *g, const struct str *args, size_t n, char *out, size_t room);

/* What it says that it will need with these arguments (without the program's name), before it loads anything: a fraction of a second and more.
 * false: it does not say. */
bool engine_projects(const struct engine *g, const struct str *args, size_t n, int64_t *bytes);

#endif
