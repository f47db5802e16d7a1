/* The one table of settings. Parser, checker, `config show`, `config schema` and the docs walk it: a new setting is a field in config.h and
 * a row here. Rows under one group stand together. Only what has an effect is in it: a setting that does nothing would be a lie. */
#include "conf/conf.h"
#include "conf/conf_int.h"

#define AT(field) offsetof(struct config, field)
#define HOST(field) offsetof(struct conf_host, field)
#define ENGINE(field) offsetof(struct conf_engine, field)
#define MODEL(field) offsetof(struct conf_model, field)
#define LORA(field) offsetof(struct conf_lora, field)
#define ROLE(field) offsetof(struct conf_role, field)
#define TIER(field) offsetof(struct conf_tier, field)
#define ALIAS(field) offsetof(struct conf_alias, field)
#define WEIGHT(field) offsetof(struct conf_weight, field)
#define ROUTE(field) offsetof(struct conf_route, field)
#define KEY(field) offsetof(struct conf_key, field)

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MAX_TOKENS (INT64_C(1) << 24)

static const struct word log_words[] = {
    { "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "trace", LOG_TRACE }, { NULL, 0 },
};
static const struct word host_words[] = {
    { "openai", HOST_OPENAI }, { "anthropic", HOST_ANTHROPIC }, { "ollama", HOST_OLLAMA }, { "hob", HOST_HOB }, { NULL, 0 },
};
static const struct word tri_words[] = { /* the first of a value is how it is written */
    { "on", TRI_YES }, { "true", TRI_YES }, { "yes", TRI_YES }, { "off", TRI_NO }, { "false", TRI_NO }, { "no", TRI_NO }, { NULL, 0 },
};
static const struct word can_words[] = { { "tools", CAN_TOOLS }, { "schema", CAN_SCHEMA }, { "none", CAN_NONE }, { NULL, 0 } };
static const struct word sandbox_words[] = {
    { "on", SANDBOX_ON }, { "true", SANDBOX_ON }, { "yes", SANDBOX_ON }, { "network", SANDBOX_NETWORK }, { "off", SANDBOX_OFF }, { "false", SANDBOX_OFF },
    { "no", SANDBOX_OFF }, { "auto", SANDBOX_UNSAID }, { NULL, 0 },
};
static const struct word on_error_words[] = { { "serve", false }, { "refuse", true }, { NULL, 0 } };
static const struct word durability_words[] = { { "process", DURABLE_PROCESS }, { "power", DURABLE_POWER }, { "lazy", DURABLE_LAZY }, { NULL, 0 } };
static const struct word detect_words[] = { { "local", DETECT_LOCAL }, { "mark", DETECT_MARK }, { "off", DETECT_OFF }, { NULL, 0 } };
static const struct word class_words[] = {
    { "chat", CONF_CLASS_CHAT }, { "program", CONF_CLASS_PROGRAM }, { "background", CONF_CLASS_BACKGROUND }, { NULL, 0 },
};
const struct str conf_class_name[CONF_CLASSES] = {
    [CONF_CLASS_UNSAID] = STR(""), [CONF_CLASS_CHAT] = STR("chat"), [CONF_CLASS_PROGRAM] = STR("program"), [CONF_CLASS_BACKGROUND] = STR("background"),
};

enum conf_class conf_class_named(struct str name)
{
    for (size_t i = CONF_CLASS_UNSAID + 1; i < CONF_CLASSES; i++)
        if (str_eq_nocase(name, conf_class_name[i]))
            return (enum conf_class)i;
    return CONF_CLASS_UNSAID;
}
static const struct word after_words[] = { { "serve", AFTER_SERVE }, { "refuse", AFTER_REFUSE }, { NULL, 0 } };
static const struct word keep_words[] = { { "demand", KEEP_DEMAND }, { "hot", KEEP_HOT }, { NULL, 0 } };
static const struct word serves_words[] = { { "chat", SERVES_CHAT }, { "embed", SERVES_EMBED }, { "rerank", SERVES_RERANK },
    { "transcribe", SERVES_TRANSCRIBE }, { "speech", SERVES_SPEECH }, { "image", SERVES_IMAGE }, { NULL, 0 } };
static const struct word input_words[] = {
    { "text", INPUT_TEXT }, { "image", INPUT_IMAGE }, { "audio", INPUT_AUDIO }, { "video", INPUT_VIDEO },
    { "file", INPUT_FILE }, { NULL, 0 },
};
static const struct word kv_words[] = { /* what the engine takes for keys and values; only the names count */
    { "f32", 0 },  { "f16", 0 },  { "bf16", 0 }, { "q8_0", 0 },   { "q5_1", 0 },
    { "q5_0", 0 }, { "q4_1", 0 }, { "q4_0", 0 }, { "iq4_nl", 0 }, { NULL, 0 },
};

static const struct word thinking_words[] = {
    { "caller", THINKING_CALLER }, { "off", THINKING_OFF }, { "on", THINKING_ON }, { "off!", THINKING_LOCKED }, { NULL, 0 },
};
static const struct word think_by_words[] = {
    { "auto", THINK_BY_AUTO }, { "template", THINK_BY_TEMPLATE }, { "effort", THINK_BY_EFFORT }, { "reasoning", THINK_BY_REASONING },
    { "thinking", THINK_BY_THINKING }, { "switch", THINK_BY_SWITCH }, { "none", THINK_BY_NONE }, { NULL, 0 },
};
static const struct word context_words[] = { { "refuse", CONTEXT_REFUSE }, { "larger", CONTEXT_LARGER }, { "trim", CONTEXT_TRIM }, { NULL, 0 } };
static const struct word schema_mode_words[] = {
    { "direct", SCHEMA_DIRECT }, { "reason_first", SCHEMA_REASON_FIRST }, { "two_pass", SCHEMA_TWO_PASS }, { NULL, 0 },
};
static const struct word schema_stream_words[] = { { "whole", SCHEMA_STREAM_WHOLE }, { "live", SCHEMA_STREAM_LIVE }, { NULL, 0 } };
static const struct word tools_words[] = { { "check", TOOLS_CHECK }, { "pass", TOOLS_PASS }, { NULL, 0 } };
static const struct word describe_words[] = { { "auto", DESCRIBE_AUTO }, { "on", DESCRIBE_ON }, { "off", DESCRIBE_OFF }, { NULL, 0 } };

static const struct word lint_words[] = { { "off", CONF_LINT_OFF }, { "header", CONF_LINT_HEADER }, { NULL, 0 } };
static const struct word instructions_words[] = {
    { "add", INSTRUCTIONS_ADD }, { "replace", INSTRUCTIONS_REPLACE }, { "default", INSTRUCTIONS_DEFAULT }, { NULL, 0 },
};

const struct setting settings[] = {
    /* the gateway */
    { "listen", SET_LISTEN, AT(listen), TAKES_RESTART, .def = "127.0.0.1:8080",
      .doc = "Address and port of the HTTP API; `0.0.0.0` is all of IPv4, `[::]` all of IPv6. Other than loopback wants `keys`. Port 0 takes a free one." },
    { "allowed_hosts", SET_HOSTNAMES, AT(allowed_hosts), TAKES_NOW, .max = 64,
      .doc = "Names this gateway goes by besides localhost and its address; `*.example.org` is all below it. By any other it answers 421. With `keys`: nothing here is any name." },
    { "allowed_origins", SET_ORIGINS, AT(allowed_origins), TAKES_NOW, .max = 64,
      .doc = "Origins whose pages may use this gateway from a browser: `https://chat.example.org`, `https://*.example.org`, `app://*`. Their answers carry CORS headers, others' do not." },
    { "state", SET_FOLDER, AT(state), TAKES_RESTART, .def = "~/.local/state/hob", .doc = "Folder for what hob keeps between runs." },
    { "models_dir", SET_FOLDER, AT(models_dir), TAKES_NOW, .def = "~/.local/share/hob/models",
      .doc = "Where model files named without a path are looked for, after the folder of this file." },
    { "routing_metadata", SET_BOOL, AT(routing_metadata), TAKES_NOW, .def = "on",
      .doc = "Whether answers carry `_routing`: who answered, and why. The headers are sent either way." },
    { "log", SET_WORD, AT(log), TAKES_NOW, .def = "info", .words = log_words, .doc = "How much is said on stderr." },
    { "sandbox", SET_BOOL, AT(sandbox), TAKES_RESTART, .def = "on",
      .doc = "Whether hob keeps itself, and the programs it starts, from what they do not need: files, programs, the network, calls of the kernel (Linux)." },
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
      .doc = "How long one request may take in all: waiting, every try, and the answer." },

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

    { "known_callers", SET_BOOL, AT(known_callers), TAKES_NOW, .def = "on",
      .doc = "What chat pages ask by themselves (titles, tags, follow-ups, heartbeats) goes to the role `task`, where there is one, and never causes a load." },

    { "breaker.failures", SET_COUNT, AT(breaker.failures), TAKES_NOW, .def = "3", .min = 1, .max = 100,
      .doc = "After so many failures within `window` a place is asked no more for a while." },
    { "breaker.window", SET_MS, AT(breaker.window_ms), TAKES_NOW, .def = "30s", .min = 10, .max = DAY, .doc = "See failures." },
    { "breaker.open", SET_MS, AT(breaker.open_ms), TAKES_NOW, .def = "30s", .min = 10, .max = DAY,
      .doc = "For so long; then one request tries whether it is back." },

    { "retry.attempts", SET_COUNT, AT(retry_attempts), TAKES_NOW, .def = "2", .min = 1, .max = 10,
      .doc = "How often one place is tried for one request, before its first word; then comes the next candidate." },
    { "retry.budget", SET_SHARE, AT(retry_budget), TAKES_NOW, .def = "0.2",
      .doc = "Second tries of a place, and hedges, as a share of the requests it gets: more are not made, so that trouble is not made worse." },
    { "retry.backoff", SET_MS, AT(retry_backoff_ms), TAKES_NOW, .def = "100ms", .min = 0, .max = 60 * SECOND,
      .doc = "How long is waited before a second try of a place, give or take half; twice as long before a third." },
    { "hedge.tokens", SET_TOKENS, AT(hedge_tokens), TAKES_NOW, .def = "never", .min = 1, .max = MAX_TOKENS, .zero = "never",
      .doc = "A prompt no longer than this is sent to the next candidate too when the first is slower than it almost ever is; who answers first, answers." },

    { "privacy.detect", SET_WORD, AT(detect), TAKES_NOW, .def = "local", .words = detect_words,
      .doc = "What personal data found in a prompt means: `local`, it stays on local hosts where one can answer; `mark`, it is noted; `off`, nothing is looked for." },
    { "privacy.redact", SET_BOOL, AT(redact), TAKES_NOW, .def = "off",
      .doc = "Instead of staying local it goes out with a placeholder for each finding; the answer gets the values back." },

    { "policy.thinking", SET_THINKING, AT(policy), TAKES_NOW, .def = "caller", .min = 1, .max = MAX_TOKENS, .words = thinking_words,
      .doc = "Whether models that can think do: `caller`, when the request asks for it; `off`, and only a chat page may ask; `on`, unless the request says no; `budget 512`, likewise, and thoughts are cut after so many tokens; `off!`, never." },
    { "policy.thinking_tokens", SET_TOKENS, AT(policy.thinking_tokens), TAKES_NOW, .def = "unlimited", .min = 1, .max = MAX_TOKENS, .zero = "unlimited",
      .doc = "Thoughts are cut after so many tokens; a request may ask for fewer." },
    { "policy.context", SET_WORD, AT(policy.context), TAKES_NOW, .def = "refuse", .words = context_words,
      .doc = "A prompt that is too long for its place: `refuse`, with numbers; `larger`, it goes to the next place whose window fits; `trim`, its oldest messages are left out, and that is said." },
    { "policy.lint", SET_WORD, AT(lint), TAKES_NOW, .def = "off", .words = lint_words,
      .doc = "Whether answers to chats say in `x-hob-lint` what in the prompt small models stumble over, as `hob lint` has it: `off`, or `header`." },
    { "policy.tools", SET_WORD, AT(policy.tools), TAKES_NOW, .def = "check", .words = tools_words,
      .doc = "Calls of tools that were not offered, or with arguments that do not fit: `check`, mended once, then an error; `pass`, handed on, for programs that mend them themselves." },
    { "policy.schema.mode", SET_WORD, AT(policy.schema_mode), TAKES_NOW, .def = "direct", .words = schema_mode_words,
      .doc = "How an answer under a JSON schema is asked for: `direct`; `reason_first`, with a field of reasons before it, which is taken out again; `two_pass`, freely, and then written into the schema." },
    { "policy.schema.describe", SET_WORD, AT(policy.schema_describe), TAKES_NOW, .def = "auto", .words = describe_words,
      .doc = "Whether the schema is described in the prompt as well; `auto`: for places that do not enforce it." },
    { "policy.schema.stream", SET_WORD, AT(policy.schema_stream), TAKES_NOW, .def = "whole", .words = schema_stream_words,
      .doc = "A stream under a schema: `whole`, held back until it is checked; `live`, passed on, with an error at its end when it does not fit." },
    { "policy.schema.escalate", SET_WORD, AT(policy.schema_escalate), TAKES_NOW, .def = "off", .words = tri_words,
      .doc = "When an answer does not fit its schema and could not be repaired, the next candidate is asked." },
    { "policy.schema.formats", SET_WORD, AT(policy.schema_formats), TAKES_NOW, .def = "off", .words = tri_words,
      .doc = "Whether `format` in a schema (date, email, uuid …) is checked, not only taken note of." },
    { "triage.model", SET_NAME, AT(triage_model), TAKES_NOW, .doc = "Who is asked how hard and of what kind a request for `auto` is; only while it is in memory." },
    { "triage.intents", SET_NAMES, AT(triage_intents), TAKES_NOW, .max = 32, .doc = "The intents it may choose from." },
    { "triage.deadline", SET_MS, AT(triage_deadline_ms), TAKES_NOW, .def = "2s", .min = 10, .max = 60 * SECOND,
      .doc = "How long it may take; after that what the words alone say stands." },

    { "notify.url", SET_SECRET, AT(notify_url), TAKES_NOW, .doc = "Where each step of a swap is posted to as JSON (`https://…`, or `http://…`); it may hold a token and is never printed." },

    { "durability", SET_WORD, AT(durability), TAKES_NOW, .def = "process", .words = durability_words,
      .doc = "When a request counts as written down, before its last bytes leave: `process` survives the end of any process, `power` a power cut, `lazy` nothing." },
    { "rows.keep", SET_MS, AT(rows_keep_ms), TAKES_NOW, .def = "90d", .min = HOUR, .max = 3650 * DAY, .doc = "How long a row about each request is kept; hourly sums stay." },
    { "rows.size", SET_BYTES, AT(rows_bytes), TAKES_NOW, .def = "256MiB", .min = 1024 * 1024, .max = INT64_C(1) << 40,
      .doc = "How large the rows may grow; then the oldest go." },
    { "rows.spool", SET_BYTES, AT(rows_spool_bytes), TAKES_NOW, .def = "8MiB", .min = 0, .max = INT64_C(1) << 30,
      .doc = "How much memory rows may take that cannot be written, until the disk takes them again; what comes when it is full is lost." },
    { "rows.on_error", SET_WORD, AT(rows_refuse), TAKES_NOW, .def = "serve", .words = on_error_words,
      .doc = "When rows cannot be written: `serve` answers all the same, and the rows wait in memory; `refuse` takes no new requests (503) until they can." },
    { "reference.input", SET_NUMBER, AT(reference.input), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown",
      .doc = "What a million tokens of input would have cost elsewhere: `hob gain` compares with it." },
    { "reference.output", SET_NUMBER, AT(reference.output), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown",
      .doc = "And a million tokens of output." },
    { "energy.watts", SET_NUMBER, AT(energy_watts), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown",
      .doc = "What this machine takes while a model is at work, as a plug's meter says: `hob bench` counts with it instead of with what the machine tells of itself." },

    { "auto.primary", SET_NUMBER, AT(auto_primary), TAKES_NOW, .def = "0.33", .min = 0, .max = 1,
      .doc = "Complexity, 0 to 1, from which on a request for `auto` goes to the tier `primary` instead of `fast`." },
    { "auto.heavy", SET_NUMBER, AT(auto_heavy), TAKES_NOW, .def = "0.66", .min = 0, .max = 1, .doc = "And from which on to the tier `heavy`." },
    { "auto.weights.*", SET_NUMBER, WEIGHT(factor), TAKES_NOW, .required = true, .min = 0, .max = 10,
      .doc = "How much a sign counts, 1 being as built in: greeting, code, analysis … (doc/guide/routing.md lists them; `hob route explain` names those it found)." },

    { "limits.body", SET_BYTES, AT(body_bytes), TAKES_NOW, .def = "8MiB", .min = 1024, .max = 1 << 30, .doc = "Largest request body." },
    { "limits.answer", SET_BYTES, AT(answer_bytes), TAKES_NOW, .def = "16MiB", .min = 1024, .max = INT64_C(4) << 30,
      .doc = "Largest answer that is collected for a caller who does not stream." },
    { "limits.memory", SET_BYTES, AT(memory_bytes), TAKES_NOW, .def = "auto", .min = 32 * 1024 * 1024, .max = INT64_C(1) << 40, .zero = "auto",
      .doc = "The gateway's own memory, its models' aside. At 90 % of it new requests are refused (`overloaded`), at 95 % idle connections are closed. `auto`: 512MiB, or eight times limits.body where that is more." },
    { "limits.connections", SET_COUNT, AT(connections), TAKES_NOW, .def = "auto", .min = 4, .max = 1024 * 1024, .zero = "auto",
      .doc = "How many connections callers may have open. For one more the one goes that has been idle longest, and while none is idle new requests are refused (`overloaded`). `auto`: three quarters of the open files that the system allows, less what hob itself needs." },
    { "limits.requests", SET_COUNT, AT(requests), TAKES_NOW, .def = "auto", .min = 1, .max = 1024 * 1024, .zero = "auto",
      .doc = "How many requests may be in progress, waiting ones included; one more is refused (`overloaded`). `auto`: the other quarter." },

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
      .doc = "Address of the host's API, `http://HOST[:PORT][/PATH]` or `https://…`, with or without `/v1` at its end." },
    { "hosts.*.key", SET_SECRET, HOST(key), TAKES_MODEL,
      .doc = "Key sent to the host: as a bearer token, to the kind anthropic as x-api-key. Better `${file:NAME}` or `${env:NAME}` than written here." },
    { "hosts.*.ca", SET_FOLDER, HOST(ca), TAKES_MODEL, .doc = "A file of certificates to trust instead of the machine's (https)." },
    { "hosts.*.proxy", SET_PROXY, HOST(proxy), TAKES_MODEL, .doc = "A proxy on the way there: `socks5h://HOST:PORT`, `socks5://…` or `http://…`, a login in it if it wants one." },
    { "hosts.*.local", SET_WORD, HOST(local_said), TAKES_NOW, .words = tri_words,
      .doc = "Whether what is sent there stays with you. Default: on for an address of this machine without a proxy, else off." },
    { "hosts.*.labels", SET_NAMES, HOST(labels), TAKES_NOW, .max = 16, .doc = "Words that `routes:` can ask for, such as metered or gpu." },
    { "hosts.*.price.input", SET_NUMBER, HOST(price.input), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown", .doc = "What a million tokens of input cost there." },
    { "hosts.*.price.output", SET_NUMBER, HOST(price.output), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown", .doc = "What a million tokens of output cost there." },
    { "hosts.*.cold_start", SET_MS, HOST(cold_start_ms), TAKES_NOW, .def = "never", .min = SECOND, .max = DAY, .zero = "never",
      .doc = "It sleeps when nobody asks, and takes so long to wake: meanwhile the next candidate answers, unless the caller insists." },
    { "hosts.*.scale_down", SET_MS, HOST(scale_down_ms), TAKES_NOW, .def = "10m", .min = SECOND, .max = 365 * DAY, .doc = "With cold_start: after how long without a request it sleeps again." },
    { "hosts.*.cap.tokens_day", SET_COUNT, HOST(cap.tokens_day), TAKES_NOW, .def = "none", .min = 1, .max = INT64_C(1) << 50, .zero = "none",
      .doc = "Tokens that may go there a day, in and out; then it is closed until midnight." },
    { "hosts.*.cap.money_day", SET_NUMBER, HOST(cap.money_day), TAKES_NOW, .def = "0", .min = 0, .max = 1000000, .doc = "Money that may be spent there a day, by `price`; 0: no cap." },
    { "hosts.*.breaker.failures", SET_COUNT, HOST(breaker.failures), TAKES_NOW, .from = "breaker.failures", .min = 1, .max = 100, .doc = "As breaker.failures, for this host." },
    { "hosts.*.breaker.window", SET_MS, HOST(breaker.window_ms), TAKES_NOW, .from = "breaker.window", .min = 10, .max = DAY, .doc = "As breaker.window, for this host." },
    { "hosts.*.breaker.open", SET_MS, HOST(breaker.open_ms), TAKES_NOW, .from = "breaker.open", .min = 10, .max = DAY, .doc = "As breaker.open, for this host." },
    { "hosts.*.probe", SET_MS, HOST(probe_ms), TAKES_NOW, .def = "15s", .min = 100, .max = DAY, .zero = "never",
      .doc = "How often it is asked for its list of models while nobody asks it anything else. A host with cold_start is never woken for it." },
    { "hosts.*.slots", SET_COUNT, HOST(slots), TAKES_NOW, .def = "unlimited", .min = 1, .max = 65536, .zero = "unlimited",
      .doc = "How many requests each of its models is sent at a time; the others wait in the model's line (`queue:`), and no more than it can do is asked of it." },
    { "hosts.*.keep_alive", SET_TEXT, HOST(keep_alive), TAKES_NOW, .doc = "Kind ollama: how long it keeps a model in memory (`10m`, `-1` for ever)." },
    { "hosts.*.timeouts.connect", SET_MS, HOST(timeouts.connect_ms), TAKES_MODEL, .from = "timeouts.connect", .min = 1, .max = DAY,
      .doc = "As timeouts.connect, for this host." },
    { "hosts.*.timeouts.first_byte", SET_MS, HOST(timeouts.first_byte_ms), TAKES_NOW, .from = "timeouts.first_byte", .min = 1, .max = DAY,
      .doc = "As timeouts.first_byte, for this host." },
    { "hosts.*.timeouts.idle", SET_MS, HOST(timeouts.idle_ms), TAKES_NOW, .from = "timeouts.idle", .min = 1, .max = DAY,
      .doc = "As timeouts.idle, for this host." },
    { "hosts.*.timeouts.total", SET_MS, HOST(timeouts.total_ms), TAKES_NOW, .from = "timeouts.total", .min = 1, .max = 7 * DAY,
      .doc = "How long one try there may take." },

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
    { "models.*.sandbox", SET_WORD, MODEL(sandbox), TAKES_MODEL, .def = "auto", .words = sandbox_words, .scope = SCOPE_HERE,
      .doc = "As sandbox, for this model's program; `network`: TCP is open to it, files are not. `auto`: as it says there." },
    { "models.*.paths", SET_PATHS, MODEL(paths), TAKES_MODEL, .max = 64, .scope = SCOPE_HERE,
      .doc = "Files and folders that its program may read, and run programs from, besides what its command names; with `:rw` at the end write, too." },
    { "models.*.serves", SET_FLAGS, MODEL(serves), TAKES_ENGINE, .def = "chat", .words = serves_words, .doc = "What the model is good for." },
    { "models.*.input", SET_FLAGS, MODEL(input), TAKES_NOW, .def = "text", .words = input_words, .doc = "What the model takes in." },
    { "models.*.capabilities", SET_FLAGS, MODEL(can), TAKES_NOW, .def = "tools schema", .words = can_words,
      .doc = "What it can do besides: a request that needs what is missing goes to another candidate. `none`: neither. Where it is left out, a model of this machine takes tools only when its chat template does." },
    { "models.*.replicas", SET_NAMES, MODEL(replicas), TAKES_NOW, .max = 7,
      .doc = "Models that are the same elsewhere: who asks for this one gets whichever of them will answer first." },
    { "models.*.price.input", SET_NUMBER, MODEL(price.input), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown", .scope = SCOPE_HOST,
      .doc = "What a million tokens of input cost; default: as its host says." },
    { "models.*.price.output", SET_NUMBER, MODEL(price.output), TAKES_NOW, .def = "unknown", .min = 0, .max = 1000000, .zero = "unknown", .scope = SCOPE_HOST,
      .doc = "What a million tokens of output cost; default: as its host says." },
    { "models.*.deprecated", SET_DATE, MODEL(deprecated), TAKES_NOW, .doc = "The day by which callers should have left it, `2027-01-31`: answers say so." },
    { "models.*.successor", SET_NAME, MODEL(successor), TAKES_NOW, .doc = "What they should ask for instead." },
    { "models.*.aliases", SET_NAMES, MODEL(aliases), TAKES_NOW, .doc = "Other names that callers may use for it." },
    { "models.*.thinking_by", SET_WORD, MODEL(think_by), TAKES_NOW, .def = "auto", .words = think_by_words,
      .doc = "How its place is told whether to think: `template`, by chat_template_kwargs; `effort`, by reasoning_effort; `reasoning` or `thinking`, by an object of that name; `switch`, by "
             "enable_thinking; `none`, not at all. `auto`: a model of this machine is asked once it is loaded, any other goes by its name and its host." },
    { "models.*.thinking_open", SET_BOOL, MODEL(think_open), TAKES_NOW, .def = "off",
      .doc = "Its answers begin in the midst of a thought, because its template opens it and its server leaves it in the text: what comes before `</think>` is one." },
    { "models.*.max_tokens", SET_TOKENS, MODEL(max_tokens), TAKES_NOW, .def = "auto", .min = 1, .max = MAX_TOKENS, .zero = "auto",
      .doc = "Longest answer when the caller names none. `auto`: what is left of the context." },
    { "models.*.limits.answer", SET_BYTES, MODEL(answer_bytes), TAKES_NOW, .from = "limits.answer", .min = 1024, .max = INT64_C(4) << 30,
      .doc = "As limits.answer, for this model." },

    /* tiers and roles: what callers name instead of a model */
    { "tiers.*", SET_NAME, TIER(model), TAKES_NOW, .required = true, .doc = "The model, or alias, that stands for this tier. Who asks for `heavy` or `primary` gets the weaker ones when it fails." },
    { "roles.*", SET_NAME, ROLE(model), TAKES_NOW, .doc = "The model alone, as a short form." },
    { "roles.*.model", SET_NAME, ROLE(model), TAKES_NOW, .required = true, .doc = "The model, alias or tier that answers." },
    { "roles.*.fallback", SET_NAMES, ROLE(fallback), TAKES_NOW, .max = 15, .doc = "Models, aliases or tiers that are tried next, in this order." },
    { "roles.*.background", SET_BOOL, ROLE(background), TAKES_NOW, .def = "off",
      .doc = "Uses only models that are loaded already." },
    { "roles.*.local_only", SET_BOOL, ROLE(local_only), TAKES_NOW, .def = "off", .doc = "Candidates on hosts that are not local are left out." },
    { "roles.*.system", SET_PROSE, ROLE(system), TAKES_NOW, .doc = "Its instructions: a system text that every chat of this role gets." },
    { "roles.*.system_file", SET_PROSE_FILE, ROLE(system_file), TAKES_NOW, .doc = "A file with that text, at most 64 KiB; it is read when this file is, and by `hob config reload` again." },
    { "roles.*.instructions", SET_WORD, ROLE(instructions), TAKES_NOW, .def = "add", .words = instructions_words,
      .doc = "How they meet a system message of the caller's own: `add`, they stand before it; `replace`, instead of it; `default`, only where the caller has none." },
    { "roles.*.sampling.temperature", SET_MAYBE, ROLE(sampling.temperature), TAKES_NOW, .min = 0, .max = 2, .doc = "The `temperature` of requests that name none." },
    { "roles.*.sampling.top_p", SET_MAYBE, ROLE(sampling.top_p), TAKES_NOW, .min = 0, .max = 1, .doc = "The `top_p` of requests that name none." },
    { "roles.*.sampling.top_k", SET_MAYBE_INT, ROLE(sampling.top_k), TAKES_NOW, .min = -1, .max = INT32_MAX, .doc = "The `top_k` of requests that name none. Not every host knows it." },
    { "roles.*.sampling.min_p", SET_MAYBE, ROLE(sampling.min_p), TAKES_NOW, .min = 0, .max = 1, .doc = "The `min_p` of requests that name none. Not every host knows it." },
    { "roles.*.sampling.presence_penalty", SET_MAYBE, ROLE(sampling.presence_penalty), TAKES_NOW, .min = -2, .max = 2, .doc = "The `presence_penalty` of requests that name none." },
    { "roles.*.sampling.frequency_penalty", SET_MAYBE, ROLE(sampling.frequency_penalty), TAKES_NOW, .min = -2, .max = 2, .doc = "The `frequency_penalty` of requests that name none." },
    { "roles.*.sampling.repeat_penalty", SET_MAYBE, ROLE(sampling.repeat_penalty), TAKES_NOW, .min = 0, .max = 10, .doc = "The `repeat_penalty` of requests that name none. Not every host knows it." },
    { "roles.*.sampling.seed", SET_MAYBE_INT, ROLE(sampling.seed), TAKES_NOW, .min = -1, .max = UINT32_MAX, .doc = "The `seed` of requests that name none." },
    { "roles.*.stop", SET_PROSES, ROLE(stop), TAKES_NOW, .max = 16, .doc = "Texts at which an answer ends, beside those of the request; some hosts take four in all." },
    { "roles.*.suites", SET_PROSES, ROLE(suites), TAKES_NOW, .max = 8, .doc = "Suites whose verdict a swap of this role's model waits for: names of those that hob brings, or paths of your own." },
    { "roles.*.capture.share", SET_SHARE, ROLE(capture.share), TAKES_NOW, .def = "0",
      .doc = "Of the asks of this role so many are kept, with their answers, for suites: `100%`. 0: none, ever. Personal data is replaced before it is written; what is private is not kept." },
    { "roles.*.capture.keep", SET_MS, ROLE(capture.keep_ms), TAKES_NOW, .def = "7d", .min = SECOND, .max = 365 * DAY, .doc = "How long one is kept; then it is gone." },
    { "roles.*.capture.most", SET_COUNT, ROLE(capture.most), TAKES_NOW, .def = "500", .min = 1, .max = 10000, .doc = "How many are kept; for one more the oldest goes." },
    { "roles.*.max_tokens", SET_TOKENS, ROLE(max_tokens), TAKES_NOW, .def = "auto", .min = 1, .max = MAX_TOKENS, .zero = "auto", .doc = "Longest answer where the request names none. `auto`: as its model has it." },
    { "roles.*.max_tokens_cap", SET_TOKENS, ROLE(max_tokens_cap), TAKES_NOW, .def = "none", .min = 1, .max = MAX_TOKENS, .zero = "none", .doc = "And never a longer one, whatever the request names." },
    { "roles.*.policy.thinking", SET_THINKING, ROLE(policy), TAKES_NOW, .min = 1, .max = MAX_TOKENS, .words = thinking_words,
      .doc = "As policy.thinking, for this role." },
    { "roles.*.policy.thinking_tokens", SET_TOKENS, ROLE(policy.thinking_tokens), TAKES_NOW, .min = 1, .max = MAX_TOKENS, .zero = "unlimited",
      .doc = "As policy.thinking_tokens, for this role." },
    { "roles.*.policy.context", SET_WORD, ROLE(policy.context), TAKES_NOW, .words = context_words,
      .doc = "As policy.context, for this role." },
    { "roles.*.policy.tools", SET_WORD, ROLE(policy.tools), TAKES_NOW, .words = tools_words,
      .doc = "As policy.tools, for this role." },
    { "roles.*.policy.schema.mode", SET_WORD, ROLE(policy.schema_mode), TAKES_NOW, .words = schema_mode_words,
      .doc = "As policy.schema.mode, for this role." },
    { "roles.*.policy.schema.describe", SET_WORD, ROLE(policy.schema_describe), TAKES_NOW, .words = describe_words,
      .doc = "As policy.schema.describe, for this role." },
    { "roles.*.policy.schema.stream", SET_WORD, ROLE(policy.schema_stream), TAKES_NOW, .words = schema_stream_words,
      .doc = "As policy.schema.stream, for this role." },
    { "roles.*.policy.schema.escalate", SET_WORD, ROLE(policy.schema_escalate), TAKES_NOW, .words = tri_words,
      .doc = "As policy.schema.escalate, for this role." },
    { "roles.*.policy.schema.formats", SET_WORD, ROLE(policy.schema_formats), TAKES_NOW, .words = tri_words,
      .doc = "As policy.schema.formats, for this role." },
    { "roles.*.timeouts.total", SET_MS, ROLE(total_ms), TAKES_NOW, .from = "timeouts.total", .min = 1, .max = 7 * DAY, .doc = "As timeouts.total, for this role." },

    { "aliases.*", SET_NAME, ALIAS(to), TAKES_NOW, .doc = "What it stands for alone, as a short form." },
    { "aliases.*.to", SET_NAME, ALIAS(to), TAKES_NOW, .required = true, .doc = "The model, tier, role or `auto` it stands for." },
    { "aliases.*.deprecated", SET_DATE, ALIAS(deprecated), TAKES_NOW, .doc = "The day by which callers should have left it, `2027-01-31`: answers say so." },
    { "aliases.*.after", SET_WORD, ALIAS(after), TAKES_NOW, .def = "serve", .words = after_words, .doc = "What becomes of it on that day." },

    /* rules: the first whose conditions all hold */
    { "routes.[].name", SET_TEXT, ROUTE(name), TAKES_NOW, .doc = "What it is called in explanations. Default: `rule` and its place in the list." },
    { "routes.[].when.role", SET_NAMES, ROUTE(role), TAKES_NOW, .max = 32, .doc = "The role, or the name, that was asked for." },
    { "routes.[].when.tier", SET_NAMES, ROUTE(tier), TAKES_NOW, .max = 32, .doc = "The tier of the first candidate." },
    { "routes.[].when.complexity", SET_RANGE, ROUTE(complexity), TAKES_NOW, .doc = "How hard it is, 0 to 1: `>0.6`, `0.2..0.5`." },
    { "routes.[].when.intent", SET_NAMES, ROUTE(intent), TAKES_NOW, .max = 32, .doc = "The intent that triage found." },
    { "routes.[].when.urgent", SET_WORD, ROUTE(urgent), TAKES_NOW, .words = tri_words, .doc = "Whether it is urgent." },
    { "routes.[].when.private", SET_WORD, ROUTE(private), TAKES_NOW, .words = tri_words, .doc = "Whether it was said to be private, or personal data was found in it." },
    { "routes.[].when.language", SET_NAMES, ROUTE(language), TAKES_NOW, .max = 32, .doc = "The language it is written in: en, de, fr, es, zh, ja, ko." },
    { "routes.[].when.tokens", SET_RANGE, ROUTE(tokens), TAKES_NOW, .doc = "How long it is, estimated in tokens: `>8000`." },
    { "routes.[].when.tools", SET_WORD, ROUTE(tools), TAKES_NOW, .words = tri_words, .doc = "Whether tools are offered." },
    { "routes.[].when.tool_turns", SET_RANGE, ROUTE(tool_turns), TAKES_NOW, .doc = "How many answers of tools are in it: `>=3`." },
    { "routes.[].when.fresh", SET_WORD, ROUTE(fresh), TAKES_NOW, .words = tri_words, .doc = "Whether it asks about what is going on now." },
    { "routes.[].when.parts", SET_FLAGS, ROUTE(parts), TAKES_NOW, .words = input_words, .doc = "What it holds: one of image, audio, video, file." },
    { "routes.[].when.header", SET_NAMES, ROUTE(header), TAKES_NOW, .max = 32, .doc = "A header it carries, `x-team`, or with a value, `x-team: search*`." },
    { "routes.[].when.caller", SET_NAMES, ROUTE(caller), TAKES_NOW, .max = 32, .doc = "The name of the caller's key." },
    { "routes.[].when.class", SET_NAMES, ROUTE(class), TAKES_NOW, .max = 3, .doc = "The class of the caller: chat, program, background." },
    { "routes.[].when.label", SET_NAMES, ROUTE(label), TAKES_NOW, .max = 32, .doc = "A label, or the name, of the host of the first candidate." },
    { "routes.[].when.time", SET_NAMES, ROUTE(time), TAKES_NOW, .max = 16, .doc = "When it is, by the local clock: `22:00-06:00`, `mon-fri`, `sat,sun 08:00-12:00`." },
    { "routes.[].to", SET_NAME, ROUTE(to), TAKES_NOW, .doc = "Who answers: a model, tier, role or `auto`. Default: as was asked." },
    { "routes.[].fallback", SET_NAMES, ROUTE(fallback), TAKES_NOW, .max = 7, .doc = "Who is tried next, in this order." },
    { "routes.[].local_only", SET_WORD, ROUTE(local_only), TAKES_NOW, .words = tri_words, .doc = "Candidates on hosts that are not local are left out." },
    { "routes.[].private", SET_WORD, ROUTE(make_private), TAKES_NOW, .words = tri_words, .doc = "It is private: only local places may answer, or nobody." },
    { "routes.[].redact", SET_WORD, ROUTE(redact), TAKES_NOW, .words = tri_words, .doc = "As privacy.redact, for these." },
    { "routes.[].background", SET_WORD, ROUTE(background), TAKES_NOW, .words = tri_words, .doc = "Served as a background request: it uses only what is in memory." },
    { "routes.[].remote", SET_WORD, ROUTE(remote), TAKES_NOW, .words = tri_words, .doc = "A background request may go to a host that is not local." },
    { "routes.[].verify", SET_NAME, ROUTE(verify), TAKES_NOW, .doc = "The answer is a draft: this model, tier or role checks it, and the better one is returned." },
    { "routes.[].thinking", SET_THINKING, ROUTE(policy), TAKES_NOW, .min = 1, .max = MAX_TOKENS, .words = thinking_words, .doc = "As policy.thinking, for these." },
    { "routes.[].context", SET_WORD, ROUTE(policy.context), TAKES_NOW, .words = context_words, .doc = "As policy.context, for these." },
    { "routes.[].tools", SET_WORD, ROUTE(policy.tools), TAKES_NOW, .words = tools_words, .doc = "As policy.tools, for these." },

    /* keys: with one of them nobody is served without */
    { "keys.[].name", SET_TEXT, KEY(name), TAKES_NOW, .required = true, .doc = "Who it is for: in rows, rules and metrics." },
    { "keys.[].file", SET_FOLDER, KEY(file), TAKES_NOW, .doc = "The file that `hob keys new` made for it. Default: `STATE/keys/NAME`." },
    { "keys.[].class", SET_WORD, KEY(class), TAKES_NOW, .words = class_words, .doc = "The class its requests have unless they say x-hob-class." },
    { "keys.[].roles", SET_NAMES, KEY(roles), TAKES_NOW, .max = 256, .doc = "What it may ask for: roles, tiers, models, `auto`. Default: anything." },
    { "keys.[].admin", SET_BOOL, KEY(admin), TAKES_NOW, .def = "off", .doc = "It opens `/hob/v1` too." },
    { "keys.[].policy.thinking", SET_THINKING, KEY(policy), TAKES_NOW, .min = 1, .max = MAX_TOKENS, .words = thinking_words,
      .doc = "As policy.thinking, for this key." },
    { "keys.[].policy.thinking_tokens", SET_TOKENS, KEY(policy.thinking_tokens), TAKES_NOW, .min = 1, .max = MAX_TOKENS, .zero = "unlimited",
      .doc = "As policy.thinking_tokens, for this key." },
    { "keys.[].policy.context", SET_WORD, KEY(policy.context), TAKES_NOW, .words = context_words,
      .doc = "As policy.context, for this key." },
    { "keys.[].policy.tools", SET_WORD, KEY(policy.tools), TAKES_NOW, .words = tools_words,
      .doc = "As policy.tools, for this key." },
    { "keys.[].policy.schema.mode", SET_WORD, KEY(policy.schema_mode), TAKES_NOW, .words = schema_mode_words,
      .doc = "As policy.schema.mode, for this key." },
    { "keys.[].policy.schema.describe", SET_WORD, KEY(policy.schema_describe), TAKES_NOW, .words = describe_words,
      .doc = "As policy.schema.describe, for this key." },
    { "keys.[].policy.schema.stream", SET_WORD, KEY(policy.schema_stream), TAKES_NOW, .words = schema_stream_words,
      .doc = "As policy.schema.stream, for this key." },
    { "keys.[].policy.schema.escalate", SET_WORD, KEY(policy.schema_escalate), TAKES_NOW, .words = tri_words,
      .doc = "As policy.schema.escalate, for this key." },
    { "keys.[].policy.schema.formats", SET_WORD, KEY(policy.schema_formats), TAKES_NOW, .words = tri_words,
      .doc = "As policy.schema.formats, for this key." },
};
const size_t nsettings = COUNTOF(settings);

const struct group groups[] = {
    { "timeouts", "How long places that answer may take." },
    { "queue", "Requests that wait for a model." },
    { "breaker", "When a place that fails is left alone." },
    { "retry", "Second tries of a place." },
    { "hedge", "A second place for who waits unusually long." },
    { "privacy", "Personal data in prompts." },
    { "policy", "What is promised of answers. Roles, keys and rules may differ." },
    { "policy.schema", "Answers under a JSON schema." },
    { "triage", "A small model's opinion about requests for `auto`." },
    { "notify", "Who is told of what happens to swaps." },
    { "rows", "One row about each request, without its text." },
    { "reference", "A price to compare with, per million tokens." },
    { "energy", "What the machine takes." },
    { "auto", "How a caller's `auto` becomes a tier." },
    { "auto.weights", "What signs count for." },
    { "auto.weights.*", "A sign.", sizeof(struct conf_weight), AT(auto_weights), AT(nauto_weights), WEIGHT(name), WEIGHT(place), "sign" },
    { "limits", "How large things may be." },
    { "budget", "Memory for models on this machine." },
    { "pull", "Where `hob pull` gets models." },
    { "engines", "Builds of llama.cpp's server that run models on this machine, by name. `llama` is always there." },
    { "engines.*", "A build of llama.cpp's server.", sizeof(struct conf_engine), AT(engines), AT(nengines), ENGINE(name), ENGINE(place), "engine",
      .always = "llama" },
    { "hosts", "Machines and services that answer, by name." },
    { "hosts.*", "A place that answers over the network.", sizeof(struct conf_host), AT(hosts), AT(nhosts), HOST(name), HOST(place), "host" },
    { "hosts.*.price", "Per million tokens, for its models that say none." },
    { "hosts.*.cap", "What may be used up there a day." },
    { "hosts.*.breaker", "Where this host differs from the global breaker." },
    { "hosts.*.timeouts", "Where this host differs from the global timeouts." },
    { "models", "Models, by the name that callers use." },
    { "models.*", "A model on this machine (file, or command) or on a host (host).", sizeof(struct conf_model), AT(models), AT(nmodels), MODEL(name),
      MODEL(place), "model", { "file", "command", "host" } },
    { "models.*.lora", "Adapters, which requests may choose by name.", .scope = SCOPE_FILE },
    { "models.*.lora.[]", "An adapter.", sizeof(struct conf_lora), MODEL(loras), MODEL(nloras), LORA(name), LORA(place), "adapter" },
    { "models.*.price", "Per million tokens." },
    { "models.*.queue", "Where this model differs from the global queue." },
    { "models.*.limits", "Where this model differs from the global limits." },
    { "tiers", "Names for models by strength, such as fast, primary, heavy." },
    { "tiers.*", "A tier.", sizeof(struct conf_tier), AT(tiers), AT(ntiers), TIER(name), TIER(place), "tier" },
    { "roles", "Names for what a caller wants done, such as chat, code, vision." },
    { "roles.*", "Who answers for a role.", sizeof(struct conf_role), AT(roles), AT(nroles), ROLE(name), ROLE(place), "role" },
    { "roles.*.sampling", "How words are picked, where the request does not say." },
    { "roles.*.policy", "Where this role differs from the global policy." },
    { "roles.*.policy.schema", "Likewise, for answers under a schema." },
    { "roles.*.capture", "Asks of this role that are kept for a suite of your own (`hob eval capture`)." },
    { "roles.*.timeouts", "Where this role differs from the global timeouts." },
    { "aliases", "Older names for models, tiers and roles." },
    { "aliases.*", "An older name.", sizeof(struct conf_alias), AT(aliases), AT(naliases), ALIAS(name), ALIAS(place), "alias" },
    { "routes", "Rules that change who answers: the first whose conditions all hold." },
    { "routes.[]", "A rule.", sizeof(struct conf_route), AT(routes), AT(nroutes), ROUTE(name), ROUTE(place), "rule" },
    { "routes.[].when", "What must hold: all that is said here." },
    { "keys", "Who may ask. With a key here nobody is served without one." },
    { "keys.[]", "A key.", sizeof(struct conf_key), AT(keys), AT(nkeys), KEY(name), KEY(place), "key" },
    { "keys.[].policy", "Where this key differs from the global policy, and from the role's." },
    { "keys.[].policy.schema", "Likewise, for answers under a schema." },
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
    if (!g)
        die("settings: no group has the entries of %s", s->path);
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
