/* The configuration, parsed and checked: plain values, units already resolved. Made by conf_load() (conf/conf.h) out of `hob.yaml` and the
 * one table of settings (conf/settings.c); read-only afterwards. All texts live in the config's arena. Times are milliseconds, sizes bytes. */
#ifndef HOB_CONF_CONFIG_H
#define HOB_CONF_CONFIG_H

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

enum host_kind { HOST_OPENAI };                       /* later: HOST_OLLAMA … */
enum keep { KEEP_DEMAND, KEEP_HOT };
enum serves { SERVES_CHAT = 1, SERVES_EMBED = 2, SERVES_RERANK = 4, SERVES_TRANSCRIBE = 8, SERVES_SPEECH = 16, SERVES_IMAGE = 32 };
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

struct conf_engine {                                  /* a build of llama-server; "llama" is always there and the default */
    struct str name;
    struct str path;                                  /* absolute, or a name to look up on PATH */
    struct conf_place place;
};

struct conf_lora {                                    /* an adapter that is given to the engine at its start */
    struct str name;                                  /* by which a request asks for it */
    struct str file;                                  /* absolute */
    double scale;
    struct conf_place place;
};

struct conf_queue {                                   /* never 0 */
    int64_t limit;                                    /* waiting requests */
    int64_t deadline_ms;                              /* how long one waits at most */
    int64_t age_ms;                                   /* from when on a waiter goes before minimum residency, and counts as the next better class */
};

/* A model is on this machine with weights (`file`) or as any program that speaks HTTP (`command`), or it is on a host. Exactly one of the three. */
struct conf_model {
    struct str name;
    struct conf_strs aliases;
    /* on this machine */
    struct str file;                                  /* absolute path; empty when not of this kind */
    struct str engine;                                /* name of a conf_engine; only with file */
    struct str mmproj, draft;                         /* absolute paths, or empty; only with file */
    const struct conf_lora *loras;                    /* only with file */
    size_t nloras;
    struct str command;                               /* conf_words() takes it apart; holds ${port} or ${socket} where it shall listen */
    struct str health;                                /* path that answers 200 when it is ready; only with command */
    struct conf_strs env;                             /* "NAME=VALUE"; only with command */
    struct str version_command;                       /* says its version; only with command */
    struct conf_strs min_version;                     /* "VERSION", or "ARCHITECTURE=VERSION"; only with command */
    int64_t memory_bytes;                             /* what it will need, as the operator says; 0 = estimated, or learned */
    int64_t warm_ms;                                  /* a heartbeat so often while it is hot and idle; 0 = none */
    int64_t silence_ms;                               /* at work and silent for so long it is asked whether it lives; 0 = 20 s, or 5 min for a command */
    int64_t weight;                                   /* how dear it is to lose: 100 is ordinary */
    bool kv_shared;                                   /* slots share one window of `context` */
    bool keep_prompts;                                /* prompts' keys and values survive an unload */
    int64_t cache_bytes;                              /* prompts the engine keeps in memory */
    struct conf_queue queue;
    struct str hub;                                   /* where `hob pull NAME` gets it: a URL, or ORG/REPO[:QUANT] */
    struct str sha256;                                /* of the file, 64 hex digits in lower case, or empty */
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

struct config {                                       /* read-only but for the count */
    struct arena arena;
    size_t holders;                                   /* conf_hold(), conf_free() */
    struct str path;                                  /* the file, absolute; empty = built-in defaults */
    struct str listen;                                /* "127.0.0.1:8080", checked: loopback */
    struct str state;                                 /* absolute, ~ resolved */
    struct str models_dir;
    const struct conf_engine *engines;                /* at least one: the first is "llama" */
    size_t nengines;
    int64_t budget_bytes;                             /* for models on this machine; 0 = found out */
    int64_t reserve_bytes;                            /* of the machine's memory, not for models; with budget_bytes 0 */
    int64_t residency_ms;                             /* after a load not evicted for so long */
    bool background_loads;                            /* requests of the class background may cause a load */
    struct str hub;                                   /* base address of the hub: https://…, or http:// on this machine */
    struct secret hub_token;                          /* sent to the hub alone; empty = $HF_TOKEN */
    struct conf_strs mirrors;                         /* base addresses that `hob pull` tries before the hub */
    struct str quant;                                 /* which quantisation `hob pull` takes when none is named */
    double auto_primary, auto_heavy;                  /* complexity from which on `auto` takes the tier primary, or heavy */
    bool routing_metadata;
    enum log_level log;
    struct conf_timeouts timeouts;
    struct conf_queue queue;
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
