/* The configuration, parsed and checked: plain values, units already resolved. Made by conf_load() (conf/conf.h) out of `hob.yaml` and the
 * one table of settings (conf/settings.c); read-only afterwards. All texts live in the config's arena. Times are milliseconds, sizes bytes. */
#ifndef HOB_CONF_CONFIG_H
#define HOB_CONF_CONFIG_H

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

enum host_kind { HOST_OPENAI, HOST_ANTHROPIC, HOST_OLLAMA, HOST_HOB };
enum keep { KEEP_DEMAND, KEEP_HOT };
enum serves { SERVES_CHAT = 1, SERVES_EMBED = 2, SERVES_RERANK = 4, SERVES_TRANSCRIBE = 8, SERVES_SPEECH = 16, SERVES_IMAGE = 32 };
enum input { INPUT_TEXT = 1, INPUT_IMAGE = 2, INPUT_AUDIO = 4, INPUT_VIDEO = 8, INPUT_FILE = 16 };
enum can { CAN_TOOLS = 1, CAN_SCHEMA = 2, CAN_NONE = 4 }; /* none: a list must have a word */
enum tri { TRI_UNSAID, TRI_YES, TRI_NO };
enum conf_sandbox { SANDBOX_UNSAID, SANDBOX_OFF, SANDBOX_NETWORK, SANDBOX_ON };
enum durability { DURABLE_PROCESS, DURABLE_POWER, DURABLE_LAZY };
enum detect { DETECT_LOCAL, DETECT_MARK, DETECT_OFF };
enum conf_class { CONF_CLASS_UNSAID, CONF_CLASS_CHAT, CONF_CLASS_PROGRAM, CONF_CLASS_BACKGROUND, CONF_CLASSES };
enum after { AFTER_SERVE, AFTER_REFUSE };
enum conf_thinking { THINKING_UNSAID, THINKING_CALLER, THINKING_OFF, THINKING_ON, THINKING_LOCKED /* off, and nobody may say otherwise */ };
enum conf_think_by { /* how a place is told whether to think */
    THINK_BY_AUTO,
    THINK_BY_TEMPLATE,                                /* chat_template_kwargs: {enable_thinking} */
    THINK_BY_EFFORT,                                  /* reasoning_effort */
    THINK_BY_REASONING,                               /* reasoning: {effort, max_tokens, enabled} */
    THINK_BY_THINKING,                                /* thinking: {type} */
    THINK_BY_SWITCH,                                  /* enable_thinking */
    THINK_BY_NONE,                                    /* it is not: it gets what the request says */
    THINK_BY_HOB,                                     /* never in a file: another hob */
};
enum conf_context { CONTEXT_UNSAID, CONTEXT_REFUSE, CONTEXT_LARGER, CONTEXT_TRIM };
enum conf_schema_mode { SCHEMA_UNSAID, SCHEMA_DIRECT, SCHEMA_REASON_FIRST, SCHEMA_TWO_PASS };
enum conf_schema_stream { SCHEMA_STREAM_UNSAID, SCHEMA_STREAM_WHOLE, SCHEMA_STREAM_LIVE };
enum conf_tools { TOOLS_UNSAID, TOOLS_CHECK, TOOLS_PASS };
enum conf_describe { DESCRIBE_UNSAID, DESCRIBE_AUTO, DESCRIBE_ON, DESCRIBE_OFF };
enum conf_lint { CONF_LINT_OFF, CONF_LINT_HEADER };
enum conf_instructions { INSTRUCTIONS_ADD, INSTRUCTIONS_REPLACE, INSTRUCTIONS_DEFAULT };

struct conf_place {                                   /* where in the file something was said, for errors found later */
    int line, column;                                 /* 0 = not in the file */
};

struct conf_timeouts {                                /* never 0: what a host leaves out is the global value */
    int64_t connect_ms, first_byte_ms, idle_ms, total_ms;
};

struct conf_price {                                   /* per million tokens, in whatever money the operator thinks in; negative = unknown, which is not 0 */
    double input, output;
};

struct conf_breaker {                                 /* never 0 */
    int64_t failures;                                 /* so many within window_ms open it */
    int64_t window_ms, open_ms;
};

struct conf_cap {                                     /* 0 = none */
    int64_t tokens_day;                               /* input and output together, a local day */
    double money_day;
};

struct conf_range {                                   /* ">0.6" ">=3" "<5" "<=9" "3..8" "7" */
    bool said;
    double least, most;                               /* -INFINITY, INFINITY where there is no end */
    bool over, under;                                 /* the end itself is outside */
};

struct conf_prose {                                   /* a text from a file of its own */
    struct str path, text;                            /* absolute; without blanks at its end. Empty = none */
};

struct conf_maybe {                                   /* a number, or none is said */
    bool said;
    double value;
};

struct conf_sampling {                                /* where a request says nothing itself */
    struct conf_maybe temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, repeat_penalty, seed;
};

/* What is promised of answers. Global, where nothing is unsaid, and where a role, a key or a rule differs. Which holds: policy/policy.h. */
struct conf_policy {
    enum conf_thinking thinking;
    int64_t thinking_budget;                          /* with THINKING_ON: `budget N`; 0 = none. Together they are one setting, the first here */
    int64_t thinking_tokens;                          /* thoughts are cut after so many; 0 = unsaid, or no limit */
    enum conf_context context;                        /* what becomes of a prompt that is too long for its place */
    enum conf_schema_mode schema_mode;                /* how an answer under a schema is asked for */
    enum conf_schema_stream schema_stream;            /* streamed: held back until it is checked, or passed on */
    enum conf_describe schema_describe;               /* the schema stands in the prompt, too; auto: where the place does not enforce it */
    enum tri schema_escalate;                         /* an answer that does not fit, even repaired, leads to the next candidate */
    enum conf_tools tools;                            /* calls that are none of what was offered: an error, or handed on */
    enum tri schema_formats;                          /* `format` is checked, not only taken note of */
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
    struct str url;                                   /* http:// or https://, with or without a trailing /v1 */
    struct secret key;                                /* empty = none */
    struct str ca;                                    /* a file of certificates to trust instead of the usual ones; absolute, or empty */
    struct secret proxy;                              /* socks5://, socks5h:// or http://, a login may be in it; empty = none */
    enum tri local_said;
    bool local;                                       /* what is sent there stays with the operator: as said, else loopback without a proxy */
    struct conf_strs labels;
    struct conf_price price;                          /* of its models that say none */
    int64_t cold_start_ms;                            /* it sleeps when nobody asks, and takes so long to wake; 0 = it is always up */
    int64_t scale_down_ms;                            /* and goes to sleep after so long */
    struct conf_cap cap;
    struct conf_breaker breaker;
    int64_t probe_ms;                                 /* how often its health is asked when nobody else asks it anything; 0 = never */
    int64_t slots;                                    /* requests that each of its models gets at a time; 0 = any number */
    struct str keep_alive;                            /* ollama: how long it keeps a model; "" = its own default */
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
    enum conf_sandbox sandbox;                        /* never unsaid where it runs here */
    struct conf_strs paths;                           /* absolute, ":rw" behind what may be written: what it may reach besides */
    /* on a host */
    struct str host;                                  /* name of a conf_host; empty when here */
    struct str upstream;                              /* what the host calls it; default: the same name */
    unsigned serves;                                  /* enum serves, or-ed */
    unsigned input;                                   /* enum input, or-ed */
    unsigned can;                                     /* enum can, or-ed */
    struct conf_strs replicas;                        /* names of models that are the same elsewhere */
    struct conf_price price;                          /* negative: its host's */
    struct str deprecated;                            /* YYYY-MM-DD: callers are told to leave it by then; empty = not */
    struct str successor;                             /* what they should ask for instead; may be empty */
    enum conf_think_by think_by;
    bool think_open;                                  /* its answers begin within a thought, whose opening tag stood in the prompt */
    int64_t max_tokens;                               /* default answer budget for a managed child; 0 = what is left of the context */
    int64_t answer_bytes;                             /* cap of a collected answer */
    struct conf_place place;
};

struct conf_capture {
    double share;                                     /* of its asks; 0 = nothing is kept */
    int64_t keep_ms, most;                            /* each so long, and never more of them */
};

struct conf_role {
    struct str name;
    struct str model;                                 /* a model, alias or tier */
    struct conf_strs fallback;
    bool background;
    bool local_only;                                  /* candidates on hosts that are not local are left out */
    int64_t total_ms;                                 /* of one request, all its tries together; never 0 */
    struct str system;                                /* as said: one of these two at most */
    struct conf_prose system_file;
    struct str words;                                 /* its instructions, whichever of the two they come from; empty = none */
    enum conf_instructions instructions;              /* how they meet a system message of the caller's own */
    struct conf_sampling sampling;
    struct conf_strs stop;                            /* beside the request's own */
    struct conf_strs suites;                          /* that a swap of its model is judged by; empty = the usual ones */
    struct conf_capture capture;                      /* asks that are kept for suites */
    int64_t max_tokens;                               /* of an answer, where the request says nothing; 0 = none */
    int64_t max_tokens_cap;                           /* and never more, whatever it says; 0 = no cap */
    bool rewords;                                     /* any of these is said: a request of this role may be changed */
    struct conf_policy policy;
    struct str trial;                                 /* never in a file (conf/overlay.h): a model that a share of the conversations go to; empty = none */
    double trial_share;
    struct conf_place place;
};

struct conf_alias {                                   /* an older name for a model, a tier or a role */
    struct str name, to;
    struct str deprecated;                            /* YYYY-MM-DD, or empty: it is a name like any other */
    enum after after;                                 /* what becomes of it on that day */
    struct conf_place place;
};

struct conf_weight {                                  /* of `auto`: what a sign counts for, against the built-in table */
    struct str name;
    double factor;
    struct conf_place place;
};

/* A rule: when all that is said under `when` holds, what it says is done. A list holds when one of its words does, and none of
 * those that begin with "!": "!chat" is any but chat. Words may be globs. */
struct conf_route {
    struct str name;
    struct conf_strs role, tier, intent, language, caller, class; /* words */
    struct conf_strs label;                           /* of the host of the first candidate, or its name */
    struct conf_strs header;                          /* "name", or "name: glob" */
    struct conf_strs time;                            /* "22:00-06:00", "mon-fri", "sat,sun 08:00-12:00": local time */
    struct conf_range complexity, tokens, tool_turns;
    enum tri urgent, private, tools, fresh;
    unsigned parts;                                   /* enum input, or-ed: one of them is there; 0 = not said */
    struct str to;                                    /* a model, alias, tier, role or `auto`; empty = as asked */
    struct conf_strs fallback;                        /* likewise, `auto` aside */
    enum tri local_only, make_private, redact, background, remote;
    struct str verify;                                /* a model, alias, tier or role that checks the draft; empty = none */
    struct conf_policy policy;
    struct conf_place place;
};

enum { CONF_MAX_KEY_NAME_BYTES = 64 };

struct conf_key {
    struct str name;
    struct str file;                                  /* absolute; empty = STATE/keys/NAME; what is in it: guard/key.h */
    enum conf_class class;
    struct conf_strs roles;                           /* what it may ask for: models, aliases, roles, tiers, `auto`; empty = anything */
    bool admin;
    struct conf_policy policy;
    struct conf_place place;
};

struct conf_tier {
    struct str name, model;
    struct conf_place place;
};

struct config {                                       /* read-only but for the count */
    struct arena arena;
    size_t holders;                                   /* conf_hold(), conf_free() */
    const struct config *base;                        /* that it was derived from (conf/overlay.h), held; NULL: it was read */
    struct str path;                                  /* the file, absolute; empty = built-in defaults */
    struct secret text;                               /* what was in it, as it was */
    struct str listen;                                /* "127.0.0.1:8080", checked: loopback unless there are keys */
    struct conf_strs allowed_hosts, allowed_origins;  /* guard/door.h; as conf/patterns.c takes them */
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
    const struct conf_weight *auto_weights;
    size_t nauto_weights;
    struct secret notify_url;                         /* who is told of steps of swaps: http:// or https://; empty = nobody */
    struct str triage_model;                          /* a model, alias, tier or role that is asked about an `auto`; empty = none */
    struct conf_strs triage_intents;
    int64_t triage_deadline_ms;
    enum detect detect;                               /* what personal data in a prompt means for places that are not local */
    bool redact;
    struct conf_policy policy;                        /* nothing in it is unsaid */
    enum conf_lint lint;                              /* whether answers say what in the prompt small models stumble over */
    struct conf_breaker breaker;
    int64_t retry_attempts;                           /* tries of one place for one request, the first included */
    double retry_budget;                              /* second tries and hedges, as a share of requests: 0..1 */
    int64_t retry_backoff_ms;                         /* before the second try of a place; doubled with each, and jittered */
    int64_t hedge_tokens;                             /* prompts up to this long may be sent to a second place; 0 = never */
    enum durability durability;
    int64_t rows_keep_ms, rows_bytes;                 /* of request rows: age and size, whichever is met first */
    int64_t rows_spool_bytes;                         /* of rows that wait in memory for a disk that fails */
    int rows_refuse;                                  /* no request without a row */
    struct conf_price reference;                      /* what the tokens would have cost elsewhere */
    double energy_watts;                              /* this machine takes so much at work, as somebody has measured; 0 = not said */
    bool sandbox;                                     /* gateway and children are kept from what they do not need */
    bool known_callers;                               /* what chat pages ask by themselves goes to the role `task` */
    double auto_primary, auto_heavy;                  /* complexity from which on `auto` takes the tier primary, or heavy */
    bool routing_metadata;
    enum log_level log;
    struct conf_timeouts timeouts;
    struct conf_queue queue;
    int64_t drain_ms;                                 /* how long answers may take to finish at shutdown: 30 s */
    int64_t body_bytes;                               /* largest request body without media: 8 MiB */
    int64_t answer_bytes;                             /* cap of a collected answer: 16 MiB */
    int64_t memory_bytes, connections, requests;      /* of the gateway as a whole; 0 = found out */
    int64_t keepalive_ms;                             /* a waiting stream's comments; also how long its status is held: 10 s */
    const struct conf_host *hosts;
    size_t nhosts;
    const struct conf_model *models;
    size_t nmodels;
    const struct conf_role *roles;
    size_t nroles;
    const struct conf_tier *tiers;
    size_t ntiers;
    const struct conf_alias *aliases;
    size_t naliases;
    const struct conf_route *routes;                  /* in order: the first that holds */
    size_t nroutes;
    const struct conf_key *keys;                      /* none: anybody who reaches the port */
    size_t nkeys;
    const struct conf_said *said;                     /* for `config show` and late errors: sorted by address */
    size_t nsaid;
};

#endif
