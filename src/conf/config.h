/* The configuration, parsed and checked: plain values, units already resolved. Made by conf_load() (conf/conf.h) out of `hob.yaml` and the
 * one table of settings (conf/settings.c); read-only afterwards. All texts live in the config's arena. Times are milliseconds, sizes bytes. */
#ifndef HOB_CONF_CONFIG_H
#define HOB_CONF_CONFIG_H

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

enum host_kind { HOST_OPENAI };                       /* later: HOST_OLLAMA … */
enum keep { KEEP_DEMAND, KEEP_HOT };
enum serves { SERVES_CHAT = 1, SERVES_EMBED = 2, SERVES_RERANK = 4 };
enum input { INPUT_TEXT = 1, INPUT_IMAGE = 2, INPUT_AUDIO = 4, INPUT_VIDEO = 8 };

struct conf_place {                                   /* where in the file something was said, for errors found later */
    int line, column;                                 /* 0 = not in the file */
};

struct conf_timeouts {                                /* never 0: what a host leaves out is the global value */
    int64_t connect_ms, first_byte_ms, idle_ms, total_ms;
};

struct conf_said {                                    /* a field (or an element of a list) that the file names, and where */
    const void *field;
    struct conf_place place;
};

struct conf_strs {
    const struct str *at;
    size_t n;
};

struct conf_host {
    struct str name;
    enum host_kind kind;
    struct str url;                                   /* with or without a trailing /v1 */
    struct secret key;                                /* empty = none */
    struct conf_timeouts timeouts;
    struct conf_place place;
};

struct conf_model {
    struct str name;
    struct conf_strs aliases;
    /* on this machine */
    struct str file;                                  /* absolute path; empty when on a host */
    int64_t context;                                  /* tokens one request may use; 0 = what the model was trained for */
    int64_t slots;                                    /* requests at a time */
    struct str kv;                                    /* "f16" "q8_0" … for keys and values */
    enum keep keep;
    int64_t idle_ms;
    int64_t threads;                                  /* 0 = cores minus one, at least one */
    struct conf_strs args;                            /* further engine flags, as they are */
    /* on a host */
    struct str host;                                  /* name of a conf_host; empty when here */
    struct str upstream;                              /* what the host calls it; default: the same name */
    unsigned serves;                                  /* enum serves, or-ed */
    unsigned input;                                   /* enum input, or-ed */
    int64_t max_tokens;                               /* default answer budget for a managed child; 0 = what is left of the context */
    int64_t answer_bytes;                             /* cap of a collected answer */
    struct conf_place place;
};

struct conf_role {
    struct str name;
    struct str model;                                 /* a model, alias or tier */
    struct conf_strs fallback;
    bool background;
    struct conf_place place;
};

struct conf_tier {
    struct str name, model;
    struct conf_place place;
};

struct config {
    struct arena arena;
    struct str path;                                  /* the file, absolute; empty = built-in defaults */
    struct str listen;                                /* "127.0.0.1:8080", checked: loopback */
    struct str state;                                 /* absolute, ~ resolved */
    struct str models_dir;
    struct str engine_llama;                          /* path or name to look up on PATH */
    bool routing_metadata;
    enum log_level log;
    struct conf_timeouts timeouts;
    int64_t queue_limit;                              /* waiting requests per model */
    int64_t queue_deadline_ms;
    int64_t drain_ms;                                 /* how long answers may take to finish at shutdown: 30 s */
    int64_t body_bytes;                               /* largest request body without media: 8 MiB */
    int64_t answer_bytes;                             /* cap of a collected answer: 16 MiB */
    int64_t keepalive_ms;                             /* a waiting stream's comments; also how long its status is held: 10 s */
    const struct conf_host *hosts;
    size_t nhosts;
    const struct conf_model *models;
    size_t nmodels;
    const struct conf_role *roles;
    size_t nroles;
    const struct conf_tier *tiers;
    size_t ntiers;
    const struct conf_said *said;                     /* for `config show` and late errors: sorted by address */
    size_t nsaid;
};

#endif
