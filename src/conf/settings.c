/* The one table of settings. Parser, checker, `config show`, `config schema` and the docs walk it: a new setting is a field in config.h and
 * a row here. Rows under one group stand together. Only what has an effect is in it: a setting that does nothing would be a lie. */
#include "conf/conf_int.h"

#define AT(field) offsetof(struct config, field)
#define HOST(field) offsetof(struct conf_host, field)
#define ENGINE(field) offsetof(struct conf_engine, field)
#define MODEL(field) offsetof(struct conf_model, field)
#define LORA(field) offsetof(struct conf_lora, field)
#define ROLE(field) offsetof(struct conf_role, field)
#define TIER(field) offsetof(struct conf_tier, field)

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MAX_TOKENS (INT64_C(1) << 24)

static const struct word log_words[] = {
    { "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "trace", LOG_TRACE }, { NULL, 0 },
};
static const struct word host_words[] = { { "openai", HOST_OPENAI }, { NULL, 0 } };
static const struct word keep_words[] = { { "demand", KEEP_DEMAND }, { "hot", KEEP_HOT }, { NULL, 0 } };
static const struct word serves_words[] = { { "chat", SERVES_CHAT }, { "embed", SERVES_EMBED }, { "rerank", SERVES_RERANK },
    { "transcribe", SERVES_TRANSCRIBE }, { "speech", SERVES_SPEECH }, { "image", SERVES_IMAGE }, { NULL, 0 } };
static const struct word input_words[] = {
    { "text", INPUT_TEXT }, { "image", INPUT_IMAGE }, { "audio", INPUT_AUDIO }, { "video", INPUT_VIDEO }, { NULL, 0 },
};
static const struct word kv_words[] = { /* what the engine takes for keys and values; only the names count */
    { "f32", 0 },  { "f16", 0 },  { "bf16", 0 }, { "q8_0", 0 },   { "q5_1", 0 },
    { "q5_0", 0 }, { "q4_1", 0 }, { "q4_0", 0 }, { "iq4_nl", 0 }, { NULL, 0 },
};

const struct setting settings[] = {
    /* the gateway */
    { "listen", SET_LISTEN, AT(listen), TAKES_RESTART, .def = "127.0.0.1:8080",
      .doc = "Address and port of the HTTP API. Loopback only: there are no keys yet. Port 0 takes a free one." },
    { "state", SET_FOLDER, AT(state), TAKES_RESTART, .def = "~/.local/state/hob", .doc = "Folder for what hob keeps between runs." },
    { "models_dir", SET_FOLDER, AT(models_dir), TAKES_NOW, .def = "~/.local/share/hob/models",
      .doc = "Where model files named without a path are looked for, after the folder of this file." },
    { "routing_metadata", SET_BOOL, AT(routing_metadata), TAKES_NOW, .def = "on",
      .doc = "Whether answers carry `_routing`: who answered, and why. The headers are sent either way." },
    { "log", SET_WORD, AT(log), TAKES_NOW, .def = "info", .words = log_words, .doc = "How much is said on stderr." },
    { "drain", SET_MS, AT(drain_ms), TAKES_NOW, .def = "30s", .min = 0, .max = 50 * 1000, /* the keeper's patience ends at 60 s */
      .doc = "How long running answers may take to finish when hob is told to stop." },
    { "keepalive", SET_MS, AT(keepalive_ms), TAKES_NOW, .def = "10s", .min = 1, .max = HOUR,
      .doc = "How often a waiting stream is sent a comment; also how long its status is held back." },

    { "timeouts.connect", SET_MS, AT(timeouts.connect_ms), TAKES_NOW, .def = "5s", .min = 1, .max = DAY,
      .doc = "How long a connection to a place that answers may take." },
    { "timeouts.first_byte", SET_MS, AT(timeouts.first_byte_ms), TAKES_NOW, .def = "300s", .min = 1, .max = DAY,
      .doc = "How long it may take from the request to the first byte of the answer." },
    { "timeouts.idle", SET_MS, AT(timeouts.idle_ms), TAKES_NOW, .def = "120s", .min = 1, .max = DAY,
      .doc = "How long an answer may pause between two bytes." },
    { "timeouts.total", SET_MS, AT(timeouts.total_ms), TAKES_NOW, .def = "1h", .min = 1, .max = 7 * DAY,
      .doc = "How long one try may take in all." },

    { "queue.limit", SET_COUNT, AT(queue.limit), TAKES_NOW, .def = "256", .min = 1, .max = 65536,
      .doc = "How many requests may wait for one model; the next one is refused." },
    { "queue.deadline", SET_MS, AT(queue.deadline_ms), TAKES_NOW, .def = "120s", .min = 1, .max = DAY,
      .doc = "How long a request may wait for its model." },
    { "queue.age", SET_MS, AT(queue.age_ms), TAKES_NOW, .def = "30s", .min = 1, .max = DAY,
      .doc = "For who has waited so long models that are in use are evicted, too (what runs there ends first); and it counts as the next better class." },
    { "queue.background_loads", SET_BOOL, AT(background_loads), TAKES_NOW, .def = "off",
      .doc = "Whether a background request may cause a load; else it uses only what is in memory." },
    { "residency", SET_MS, AT(residency_ms), TAKES_NOW, .def = "10s", .min = 0, .max = DAY,
      .doc = "For so long after its load a model is not evicted for another, and no oftener does one go that was in use lately. For who has waited queue.age, where that is shorter, it is queue.age." },
    { "budget.memory", SET_BYTES, AT(budget_bytes), TAKES_NOW, .def = "auto", .min = 1024 * 1024, .max = INT64_C(1) << 50, .zero = "auto",
      .doc = "Memory for models on this machine. `auto`: the machine's (its GPUs' where they have their own) without the reserve and what others use." },
    { "budget.reserve", SET_BYTES, AT(reserve_bytes), TAKES_NOW, .def = "2GiB", .min = 0, .max = INT64_C(1) << 50,
      .doc = "Of the machine's memory so much is not for models, where the budget is `auto`." },

    { "auto.primary", SET_NUMBER, AT(auto_primary), TAKES_NOW, .def = "0.33", .min = 0, .max = 1,
      .doc = "Complexity, 0 to 1, from which on a request for `auto` goes to the tier `primary` instead of `fast`." },
    { "auto.heavy", SET_NUMBER, AT(auto_heavy), TAKES_NOW, .def = "0.66", .min = 0, .max = 1, .doc = "And from which on to the tier `heavy`." },

    { "limits.body", SET_BYTES, AT(body_bytes), TAKES_NOW, .def = "8MiB", .min = 1024, .max = 1 << 30, .doc = "Largest request body." },
    { "limits.answer", SET_BYTES, AT(answer_bytes), TAKES_NOW, .def = "16MiB", .min = 1024, .max = INT64_C(4) << 30,
      .doc = "Largest answer that is collected for a caller who does not stream." },

    { "pull.hub", SET_WEB, AT(hub), TAKES_NOW, .def = "https://huggingface.co", .env = "HF_ENDPOINT",
      .doc = "Base address of the hub that `hob pull` gets models from. The environment's HF_ENDPOINT moves it too." },
    { "pull.token", SET_SECRET, AT(hub_token), TAKES_NOW, .doc = "Key for the hub, and sent to it alone. Without it the environment's HF_TOKEN is used." },
    { "pull.mirrors", SET_WEBS, AT(mirrors), TAKES_NOW, .max = 16, .doc = "Base addresses that `hob pull` tries before the hub, in this order." },
    { "pull.quant", SET_TEXT, AT(quant), TAKES_NOW, .def = "Q4_K_M", .doc = "Which quantisation `hob pull` takes when none is named." },

    /* engines: builds of llama-server; "llama" is always there */
    { "engines.*.path", SET_PROGRAM, ENGINE(path), TAKES_MODEL, .def = "llama-server",
      .doc = "A llama-server program: a path, or a name that is looked up on PATH. Only the engine `llama` may leave it out." },

    /* hosts: places that answer over the network */
    { "hosts.*.kind", SET_WORD, HOST(kind), TAKES_MODEL, .def = "openai", .words = host_words, .doc = "What the host speaks." },
    { "hosts.*.url", SET_URL, HOST(url), TAKES_MODEL, .required = true,
      .doc = "Address of the host's API, `http://HOST[:PORT][/PATH]`, with or without `/v1` at its end." },
    { "hosts.*.key", SET_SECRET, HOST(key), TAKES_MODEL,
      .doc = "Key sent to the host as a bearer token. Better `${file:NAME}` or `${env:NAME}` than written here." },
    { "hosts.*.timeouts.connect", SET_MS, HOST(timeouts.connect_ms), TAKES_MODEL, .from = "timeouts.connect", .min = 1, .max = DAY,
      .doc = "As timeouts.connect, for this host." },
    { "hosts.*.timeouts.first_byte", SET_MS, HOST(timeouts.first_byte_ms), TAKES_NOW, .from = "timeouts.first_byte", .min = 1, .max = DAY,
      .doc = "As timeouts.first_byte, for this host." },
    { "hosts.*.timeouts.idle", SET_MS, HOST(timeouts.idle_ms), TAKES_NOW, .from = "timeouts.idle", .min = 1, .max = DAY,
      .doc = "As timeouts.idle, for this host." },
    { "hosts.*.timeouts.total", SET_MS, HOST(timeouts.total_ms), TAKES_NOW, .from = "timeouts.total", .min = 1, .max = 7 * DAY,
      .doc = "As timeouts.total, for this host." },

    /* models: on this machine (`file`) or on a host (`host`) */
    { "models.*.file", SET_WEIGHTS, MODEL(file), TAKES_MODEL, .scope = SCOPE_FILE,
      .doc = "The weights, a GGUF file: looked for in the folder of this file, then in models_dir." },
    { "models.*.engine", SET_NAME, MODEL(engine), TAKES_MODEL, .def = "llama", .scope = SCOPE_FILE, .doc = "Which of `engines:` runs it." },
    { "models.*.mmproj", SET_WEIGHTS, MODEL(mmproj), TAKES_MODEL, .scope = SCOPE_FILE, .doc = "The projector, a GGUF file, with which the model sees or hears." },
    { "models.*.draft", SET_WEIGHTS, MODEL(draft), TAKES_MODEL, .scope = SCOPE_FILE,
      .doc = "A small model of the same family, a GGUF file, that guesses ahead: the large one only checks." },
    { "models.*.lora.[].file", SET_WEIGHTS, LORA(file), TAKES_MODEL, .required = true, .doc = "An adapter, a GGUF file, that is given to the engine at its start." },
    { "models.*.lora.[].scale", SET_NUMBER, LORA(scale), TAKES_MODEL, .def = "1", .min = -100, .max = 100, .doc = "How strongly it works." },
    { "models.*.lora.[].name", SET_TEXT, LORA(name), TAKES_MODEL, .doc = "By which a request asks for it. Default: the file's name without its ending." },
    { "models.*.kv_shared", SET_BOOL, MODEL(kv_shared), TAKES_MODEL, .def = "off", .scope = SCOPE_FILE,
      .doc = "The slots share one window of `context` instead of having one each." },
    { "models.*.cache", SET_BYTES, MODEL(cache_bytes), TAKES_MODEL, .def = "256MiB", .min = 0, .max = INT64_C(1) << 40, .scope = SCOPE_FILE,
      .doc = "Memory for prompts the engine keeps, to answer the next one that begins the same sooner." },
    { "models.*.keep_prompts", SET_BOOL, MODEL(keep_prompts), TAKES_MODEL, .def = "off", .scope = SCOPE_FILE,
      .doc = "Saves the slots' prompts before an unload and restores them after the next load, where the engine is seen to heed it." },
    { "models.*.command", SET_COMMAND, MODEL(command), TAKES_MODEL, .scope = SCOPE_COMMAND,
      .doc = "A program that serves the model over HTTP, with its arguments; `${port}` or `${socket}` stands for where it shall listen." },
    { "models.*.health", SET_TEXT, MODEL(health), TAKES_MODEL, .def = "/health", .scope = SCOPE_COMMAND, .doc = "The path that answers 200 when it is ready." },
    { "models.*.env", SET_ARGS, MODEL(env), TAKES_MODEL, .max = 64, .scope = SCOPE_COMMAND, .doc = "Environment for the program, a list of `NAME=VALUE`." },
    { "models.*.version", SET_COMMAND, MODEL(version_command), TAKES_NOW, .scope = SCOPE_COMMAND, .doc = "A command that says the program's version." },
    { "models.*.min_version", SET_NAMES, MODEL(min_version), TAKES_NOW, .max = 64, .scope = SCOPE_COMMAND,
      .doc = "The lowest version that will do, `VERSION`, or for an architecture `ARCHITECTURE=VERSION`; preflight checks it." },
    { "models.*.memory", SET_BYTES, MODEL(memory_bytes), TAKES_NOW, .def = "auto", .min = 1024 * 1024, .max = INT64_C(1) << 50, .zero = "auto", .scope = SCOPE_HERE,
      .doc = "Memory it needs when it is loaded. `auto`: by arithmetic from its file, then as it was measured." },
    { "models.*.warm", SET_MS, MODEL(warm_ms), TAKES_NOW, .def = "never", .min = 1000, .max = 7 * DAY, .zero = "never", .scope = SCOPE_HERE,
      .doc = "How often a loaded model that nobody asks is asked for one token, so that it stays warm and is known to answer." },
    { "models.*.silence", SET_MS, MODEL(silence_ms), TAKES_NOW, .def = "auto", .min = 200, .max = DAY, .zero = "auto", .scope = SCOPE_HERE,
      .doc = "A child that works and has sent nothing for so long is asked whether it lives; if it says nothing twice for half of it, it is stopped. `auto`: 20s, "
             "for a `command` 5m." },
    { "models.*.weight", SET_COUNT, MODEL(weight), TAKES_NOW, .def = "100", .min = 1, .max = 10000, .scope = SCOPE_HERE,
      .doc = "How dear it is to lose when memory is needed: of two models alike the one with less goes first." },
    { "models.*.queue.limit", SET_COUNT, MODEL(queue.limit), TAKES_NOW, .from = "queue.limit", .min = 1, .max = 65536, .doc = "As queue.limit, for this model." },
    { "models.*.queue.deadline", SET_MS, MODEL(queue.deadline_ms), TAKES_NOW, .from = "queue.deadline", .min = 1, .max = DAY,
      .doc = "As queue.deadline, for this model." },
    { "models.*.queue.age", SET_MS, MODEL(queue.age_ms), TAKES_NOW, .from = "queue.age", .min = 1, .max = DAY, .doc = "As queue.age, for this model." },
    { "models.*.hub", SET_TEXT, MODEL(hub), TAKES_NOW, .scope = SCOPE_FILE, .doc = "Where `hob pull` gets the file: `ORG/REPOSITORY[:QUANTISATION]`, or an address." },
    { "models.*.sha256", SET_SHA256, MODEL(sha256), TAKES_NOW, .scope = SCOPE_FILE, .doc = "SHA-256 of the file: checked by `hob pull` and `hob preflight`." },
    { "models.*.host", SET_NAME, MODEL(host), TAKES_MODEL, .scope = SCOPE_HOST, .doc = "The host that answers for this model." },
    { "models.*.name", SET_TEXT, MODEL(upstream), TAKES_MODEL, .scope = SCOPE_HOST, .doc = "What the host calls the model. Default: the same name." },
    { "models.*.context", SET_TOKENS, MODEL(context), TAKES_MODEL, .def = "auto", .min = 256, .max = MAX_TOKENS, .zero = "auto",
      .doc = "Tokens that one request may use, question and answer. `auto`: 8192, or what the model was trained for if that is less." },
    { "models.*.slots", SET_COUNT, MODEL(slots), TAKES_MODEL, .def = "1", .min = 1, .max = 256, .scope = SCOPE_HERE,
      .doc = "How many requests run at a time; memory is taken for each." },
    { "models.*.kv", SET_CHOICE, MODEL(kv), TAKES_MODEL, .def = "f16", .words = kv_words, .scope = SCOPE_FILE,
      .doc = "Type of the cached keys and values: smaller types take less memory." },
    { "models.*.keep", SET_WORD, MODEL(keep), TAKES_NOW, .def = "demand", .words = keep_words, .scope = SCOPE_HERE,
      .doc = "`hot`: loaded at start and kept. `demand`: loaded by the first request." },
    { "models.*.idle", SET_MS, MODEL(idle_ms), TAKES_NOW, .def = "15m", .min = 1, .max = 365 * DAY, .scope = SCOPE_HERE,
      .doc = "After how long without a request a `demand` model is unloaded." },
    { "models.*.threads", SET_COUNT, MODEL(threads), TAKES_MODEL, .def = "auto", .min = 1, .max = 1024, .zero = "auto", .scope = SCOPE_FILE,
      .doc = "Threads that compute. `auto`: the machine's cores minus one, at least one." },
    { "models.*.args", SET_ARGS, MODEL(args), TAKES_MODEL, .max = 64, .scope = SCOPE_FILE, .doc = "More flags for the engine, as they are, a list." },
    { "models.*.serves", SET_FLAGS, MODEL(serves), TAKES_ENGINE, .def = "chat", .words = serves_words, .doc = "What the model is good for." },
    { "models.*.input", SET_FLAGS, MODEL(input), TAKES_NOW, .def = "text", .words = input_words, .doc = "What the model takes in." },
    { "models.*.aliases", SET_NAMES, MODEL(aliases), TAKES_NOW, .doc = "Other names that callers may use for it." },
    { "models.*.max_tokens", SET_TOKENS, MODEL(max_tokens), TAKES_NOW, .def = "auto", .min = 1, .max = MAX_TOKENS, .zero = "auto", .scope = SCOPE_FILE,
      .doc = "Longest answer when the caller names none. `auto`: what is left of the context." },
    { "models.*.limits.answer", SET_BYTES, MODEL(answer_bytes), TAKES_NOW, .from = "limits.answer", .min = 1024, .max = INT64_C(4) << 30,
      .doc = "As limits.answer, for this model." },

    /* tiers and roles: what callers name instead of a model */
    { "tiers.*", SET_NAME, TIER(model), TAKES_NOW, .required = true, .doc = "The model, or alias, that stands for this tier." },
    { "roles.*", SET_NAME, ROLE(model), TAKES_NOW, .doc = "The model alone, as a short form." },
    { "roles.*.model", SET_NAME, ROLE(model), TAKES_NOW, .required = true, .doc = "The model, alias or tier that answers." },
    { "roles.*.fallback", SET_NAMES, ROLE(fallback), TAKES_NOW, .max = 7, .doc = "Models, aliases or tiers that are tried next, in this order." },
    { "roles.*.background", SET_BOOL, ROLE(background), TAKES_NOW, .def = "off",
      .doc = "Uses only models that are loaded already." },
};
const size_t nsettings = COUNTOF(settings);

const struct group groups[] = {
    { "timeouts", "How long places that answer may take." },
    { "queue", "Requests that wait for a model." },
    { "auto", "How a caller's `auto` becomes a tier." },
    { "limits", "How large things may be." },
    { "budget", "Memory for models on this machine." },
    { "pull", "Where `hob pull` gets models." },
    { "engines", "Builds of llama.cpp's server that run models on this machine, by name. `llama` is always there." },
    { "engines.*", "A build of llama.cpp's server.", sizeof(struct conf_engine), AT(engines), AT(nengines), ENGINE(name), ENGINE(place), "engine",
      .always = "llama" },
    { "hosts", "Machines and services that answer, by name." },
    { "hosts.*", "A place that answers over the network.", sizeof(struct conf_host), AT(hosts), AT(nhosts), HOST(name), HOST(place), "host" },
    { "hosts.*.timeouts", "Where this host differs from the global timeouts." },
    { "models", "Models, by the name that callers use." },
    { "models.*", "A model on this machine (file, or command) or on a host (host).", sizeof(struct conf_model), AT(models), AT(nmodels), MODEL(name),
      MODEL(place), "model", { "file", "command", "host" } },
    { "models.*.lora", "Adapters, which requests may choose by name.", .scope = SCOPE_FILE },
    { "models.*.lora.[]", "An adapter.", sizeof(struct conf_lora), MODEL(loras), MODEL(nloras), LORA(name), LORA(place), "adapter" },
    { "models.*.queue", "Where this model differs from the global queue." },
    { "models.*.limits", "Where this model differs from the global limits." },
    { "tiers", "Names for models by strength, such as fast, primary, heavy." },
    { "tiers.*", "A tier.", sizeof(struct conf_tier), AT(tiers), AT(ntiers), TIER(name), TIER(place), "tier" },
    { "roles", "Names for what a caller wants done, such as chat, code, vision." },
    { "roles.*", "Who answers for a role.", sizeof(struct conf_role), AT(roles), AT(nroles), ROLE(name), ROLE(place), "role" },
};
const size_t ngroups = COUNTOF(groups);

const struct setting *setting_find(struct str path)
{
    for (size_t i = 0; i < nsettings; i++)
        if (str_eq(str_of(settings[i].path), path))
            return &settings[i];
    return NULL;
}

const struct group *group_find(struct str path)
{
    for (size_t i = 0; i < ngroups; i++)
        if (str_eq(str_of(groups[i].path), path))
            return &groups[i];
    return NULL;
}

/* The first part of `full` below `path` ("" = root); false when it is not below it. */
static bool part_below(struct str full, struct str path, struct str *part)
{
    size_t skip = path.n ? path.n + 1 : 0;
    if (full.n <= skip || !str_starts(full, path) || (path.n && full.p[path.n] != '.'))
        return false;
    struct str rest;
    *part = str_cut(str_from(full, skip), '.', &rest);
    return true;
}

/* Rows of one group stand together, so a child that was seen is the one of the row before. */
bool child_next(struct str path, size_t *cursor, struct child *out)
{
    struct str part, before;
    for (; *cursor < nsettings; ++*cursor) {
        struct str full = str_of(settings[*cursor].path);
        if (!part_below(full, path, &part))
            continue;
        if (*cursor && part_below(str_of(settings[*cursor - 1].path), path, &before) && str_eq(before, part))
            continue;
        *out = (struct child){ .name = part, .path = { full.p, (size_t)(part.p - full.p) + part.n } };
        out->setting = setting_find(out->path);
        out->group = group_find(out->path);
        ++*cursor;
        return true;
    }
    return false;
}

char *group_entries(const struct group *g, const void *base, size_t *n)
{
    char *entries; /* the list's pointer type differs from entry to entry */
    memcpy(&entries, (const char *)base + g->list_at, sizeof entries);
    *n = *(const size_t *)(const void *)((const char *)base + g->count_at);
    return entries;
}

/* Where in a path, from `from` on, its next "*" or "[]" ends; 0 = there is none. */
static size_t next_entry(struct str path, size_t from)
{
    while (from < path.n) {
        struct str part = str_from(path, from), rest;
        part = str_cut(part, '.', &rest);
        if (str_eq(part, STR("*")) || str_eq(part, STR("[]")))
            return from + part.n;
        from += part.n + 1;
    }
    return 0;
}

static enum err_code fields_below(const struct setting *s, size_t from, void *base, field_fn *fn, void *ctx)
{
    struct str path = str_of(s->path);
    size_t end = next_entry(path, from), n;
    if (!end)
        return fn(ctx, s, base);
    const struct group *g = group_find((struct str){ path.p, end });
    char *entry = group_entries(g, base, &n);
    enum err_code rc = ERR_OK;
    for (; !rc && n; n--, entry += g->size)
        rc = fields_below(s, end + 1, entry, fn, ctx);
    return rc;
}

enum err_code fields_each(struct config *c, const struct setting *s, field_fn *fn, void *ctx)
{
    return fields_below(s, 0, c, fn, ctx);
}
