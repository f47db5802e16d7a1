/* From text to struct config: good files give these values, bad ones these sentences at these places. */
#include "conf/conf.h"
#include "conf/conf_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define MODEL "models: {m: {file: m.gguf}}\n"
#define HOST "hosts: {h: {url: \"http://127.0.0.1:9001\"}}\n"

static struct config *parse(const char *text)
{
    struct config *c = NULL;
    struct err e = { 0 };
    if (conf_parse(STR("/kitchen/hob.yaml"), str_of(text), &c, &e))
        fail_msg("%s\n%s", e.text, text);
    return c;
}

static void assert_str(struct str s, const char *want)
{
    char text[4096];
    snprintf(text, sizeof text, "%.*s", STR_ARG(s));
    assert_string_equal(text, want);
}

static void test_an_empty_file_is_the_defaults(void **state)
{
    static const char *const same[] = { "", "\n", "# nothing yet\n", "---\n", "\xEF\xBB\xBF", "{}", "models:\nhosts:\n", "null" };
    for (size_t i = 0; i < COUNTOF(same); i++) {
        struct config *c = parse(same[i]);
        assert_str(c->listen, "127.0.0.1:8080");
        assert_str(c->state, "/home/cook/.local/state/hob");
        assert_str(c->models_dir, "/home/cook/.local/share/hob/models");
        assert_int_equal(c->nengines, 1);
        assert_str(c->engines[0].name, "llama");
        assert_str(c->engines[0].path, "llama-server");
        assert_str(c->hub, "https://huggingface.co");
        assert_str(c->quant, "Q4_K_M");
        assert_true(c->routing_metadata);
        assert_int_equal(c->log, LOG_INFO);
        assert_int_equal(c->timeouts.connect_ms, 5000);
        assert_int_equal(c->timeouts.first_byte_ms, 300000);
        assert_int_equal(c->timeouts.idle_ms, 120000);
        assert_int_equal(c->timeouts.total_ms, 3600000);
        assert_int_equal(c->queue.limit, 256);
        assert_int_equal(c->queue.deadline_ms, 120000);
        assert_int_equal(c->drain_ms, 30000);
        assert_int_equal(c->body_bytes, 8 << 20);
        assert_int_equal(c->answer_bytes, 16 << 20);
        assert_int_equal(c->keepalive_ms, 10000);
        assert_int_equal(c->nmodels + c->nhosts + c->nroles + c->ntiers, 0);
        conf_free(c);
    }
}

static void test_a_whole_file(void **state)
{
    struct config *c = parse("listen: '[::1]:0'\n"
                             "state: var/state\n"
                             "models_dir: ~/weights\n"
                             "engines: {llama: {path: ./bin/llama-server}}\n"
                             "routing_metadata: off\n"
                             "log: debug\n"
                             "timeouts: {connect: 250ms, total: 2d}\n"
                             "queue: {limit: 3, deadline: 15m}\n"
                             "drain: 0s\n"
                             "limits: {body: 4096, answer: 10MB}\n"
                             "hosts:\n"
                             "  anvil: {kind: openai, url: \"http://127.0.0.1:9001/v1\", key: sk-1, timeouts: {idle: 1h}}\n"
                             "models:\n"
                             "  small: {file: small.gguf, context: 32k, slots: 2, kv: q8_0, keep: hot, idle: 2h, threads: 4,\n"
                             "          args: [--flash-attn, 'on', \"\"], aliases: [tiny, 0x1], max_tokens: 1k, limits: {answer: 1MiB}}\n"
                             "  off: {host: anvil, name: org/Big-1.5:latest, serves: [chat, embed], input: [text, image], context: 8192}\n"
                             "tiers: {fast: small, heavy: off}\n"
                             "roles:\n"
                             "  chat: {model: heavy, fallback: [tiny, fast]}\n"
                             "  task: {model: small, background: true}\n"
                             "  code: \"small\"\n");
    assert_str(c->listen, "[::1]:0");
    assert_str(c->state, "/kitchen/var/state");
    assert_str(c->models_dir, "/home/cook/weights");
    assert_str(c->engines[0].path, "/kitchen/bin/llama-server");
    assert_false(c->routing_metadata);
    assert_int_equal(c->log, LOG_DEBUG);
    assert_int_equal(c->timeouts.connect_ms, 250);
    assert_int_equal(c->timeouts.total_ms, 2 * 24 * 3600 * 1000);
    assert_int_equal(c->queue.limit, 3);
    assert_int_equal(c->drain_ms, 0);
    assert_int_equal(c->body_bytes, 4096);
    assert_int_equal(c->answer_bytes, 10000000);
    const struct conf_host *h = conf_host(c, STR("anvil"));
    assert_non_null(h);
    assert_str(h->url, "http://127.0.0.1:9001/v1");
    assert_str(h->key.hidden, "sk-1");
    assert_int_equal(h->timeouts.idle_ms, 3600000);
    assert_int_equal(h->timeouts.connect_ms, 250); /* the global one holds */
    assert_int_equal(h->place.line, 12);
    const struct conf_model *m = conf_model(c, STR("tiny"));
    assert_ptr_equal(m, conf_model(c, STR("small")));
    assert_str(m->file, "/kitchen/small.gguf");
    assert_int_equal(m->context, 32768);
    assert_int_equal(m->slots, 2);
    assert_str(m->kv, "q8_0");
    assert_int_equal(m->keep, KEEP_HOT);
    assert_int_equal(m->threads, 4);
    assert_int_equal(m->args.n, 3);
    assert_str(m->args.at[1], "on");
    assert_str(m->args.at[2], "");
    assert_int_equal(m->serves, SERVES_CHAT);
    assert_int_equal(m->input, INPUT_TEXT);
    assert_int_equal(m->max_tokens, 1024);
    assert_int_equal(m->answer_bytes, 1 << 20);
    m = conf_model(c, STR("off"));
    assert_str(m->host, "anvil");
    assert_str(m->upstream, "org/Big-1.5:latest");
    assert_int_equal(m->serves, SERVES_CHAT | SERVES_EMBED);
    assert_int_equal(m->input, INPUT_TEXT | INPUT_IMAGE);
    assert_int_equal(m->answer_bytes, 10000000);
    assert_str(c->tiers[1].model, "off");
    assert_int_equal(c->nroles, 3);
    assert_int_equal(c->roles[0].fallback.n, 2);
    assert_true(c->roles[1].background);
    assert_str(c->roles[2].model, "small");
    conf_free(c);
}

static void test_yaml_never_decides_what_a_value_is(void **state)
{
    struct config *c = parse(HOST "models: {1e3: {host: h, name: off}, 0x1: {host: h, name: 'no'}, \"null\": {host: h, name: 012}}\n"
                                  "tiers: {yes: 1e3}\nqueue: {limit: \"7\"}\nrouting_metadata: \"No\"\n");
    assert_str(c->models[0].name, "1e3");
    assert_str(c->models[0].upstream, "off");
    assert_str(c->models[1].name, "0x1");
    assert_str(c->models[2].upstream, "012");
    assert_str(c->tiers[0].name, "yes");
    assert_int_equal(c->queue.limit, 7);
    assert_false(c->routing_metadata);
    conf_free(c);
}

static void test_references_are_put_in(void **state)
{
    setenv("HOB_T_PORT", "9", 1);
    setenv("HOB_T_EMPTY", "", 1);
    unsetenv("HOB_T_NONE");
    static const struct {
        const char *written, *means;
    } rows[] = {
        { "${env:HOB_T_PORT}", "9" },
        { "a${env:HOB_T_PORT}b${env:HOB_T_PORT}", "a9b9" },
        { "${env:HOB_T_NONE:-x y}", "x y" },
        { "${env:HOB_T_EMPTY:-d}", "d" },
        { "${env:HOB_T_NONE:-http://a:1}", "http://a:1" },
        { "$${env:X}", "${env:X}" },
        { "$$${", "$${" },
        { "$ {a} $$ $", "$ {a} $$ $" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        char text[256];
        snprintf(text, sizeof text, HOST "models: {m: {host: h, name: \"%s\"}}\n", rows[i].written);
        struct config *c = parse(text);
        assert_str(c->models[0].upstream, rows[i].means);
        conf_free(c);
    }
}

/* Each line is one mistake: what is said, where. */
static const struct {
    const char *text, *says;
} bad[] = {
    /* keys */
    { "lisen: x\n", "hob.yaml:1:1: unknown key 'lisen', did you mean 'listen'?" },
    { "models:\n  m:\n    file: m.gguf\n    contxt: 4096\n", "hob.yaml:4:5: unknown key 'contxt', did you mean 'context'?" },
    { "models: {m: {file: m.gguf, context: 4096, zzzzzz: 1}}\n", "hob.yaml:1:43: unknown key 'zzzzzz'" },
    { "'li\\nsten': x\n", "hob.yaml:1:1: unknown key 'li\\nsten', did you mean 'listen'?" },
    { "\"a\\eb\": x\n", "hob.yaml:1:1: unknown key 'a?b'" },
    { "hosts: {h: {url: 'http://a', timeouts: {conect: 1s}}}\n", "hob.yaml:1:41: unknown key 'conect', did you mean 'connect'?" },
    { "*: x\n", "hob.yaml:1:2: not valid YAML: did not find expected alphabetic or numeric character" },
    { "listen: 127.0.0.1:1\nlog: info\nlisten: 127.0.0.1:2\n", "hob.yaml:3:1: 'listen' is here a second time: it was set in line 1 already" },
    { MODEL "tiers: {a: m,\n  a: m}\n", "hob.yaml:3:3: 'a' is here a second time: it was set in line 2 already" },
    /* shapes */
    { "- a\n", "hob.yaml:1:1: a config is a map of settings, like `listen: 127.0.0.1:8080`" },
    { "listen\n", "hob.yaml:1:1: a config is a map of settings, like `listen: 127.0.0.1:8080`" },
    { "listen: [a]\n", "hob.yaml:1:9: 'listen' needs a single value, here is a list" },
    { "listen: {a: b}\n", "hob.yaml:1:9: 'listen' needs a single value, here is a map of keys" },
    { "listen:\nlog: info\n", "hob.yaml:1:1: 'listen' has no value: leave the line out, or give it one" },
    { "listen: ''\n", "hob.yaml:1:9: listen: has no value" },
    { "models: [a]\n", "hob.yaml:1:9: 'models' needs a map of keys, here is a list" },
    { "models: {m: m.gguf}\n", "hob.yaml:1:13: 'm' needs a map of keys, here is a single value" },
    { "tiers: {fast: {model: m}}\n", "hob.yaml:1:15: 'fast' needs a single value, here is a map of keys" },
    { "tiers: {fast: }\n", "hob.yaml:1:9: 'fast' has no value: leave the line out, or give it one" },
    { "models: {m: {file: m, args: --a b}}\n", "hob.yaml:1:29: 'args' needs a list, [--flag, value], here is a single value" },
    { "models: {m: {file: m, args: [[a]]}}\n", "hob.yaml:1:30: 'args' needs single values in its list, here is a list" },
    { "models: {m: {file: m, serves: []}}\n", "hob.yaml:1:31: 'serves' needs at least one word" },
    { "{[a]: b}\n", "hob.yaml:1:2: a key must be a plain word" },
    /* YAML */
    { "queue:\n\tlimit: 3\n", "hob.yaml:2:1: a tab may not indent a line: use spaces" },
    { "a: &x b\n", "hob.yaml:1:4: anchors and aliases (&name, *name) are not supported" },
    { "listen: *x\n", "hob.yaml:1:9: anchors and aliases (&name, *name) are not supported" },
    { "listen: !!str x\n", "hob.yaml:1:9: tags (!name) are not supported" },
    { "log: info\n---\nlog: warn\n", "hob.yaml:2:1: a second document starts here: a config is one document" },
    { "log: info\n\xFFx\n", "hob.yaml:2:1: not UTF-8 text (byte 0xff)" },
    { "log: \xC3\xA4\xC0\x80\n", "hob.yaml:1:7: not UTF-8 text (byte 0xc0)" },
    { "log: a\x01\n", "hob.yaml:1:7: a control character (byte 0x01)" },
    { "models: {m: {file: m\n", "hob.yaml:2:1: not valid YAML: did not find expected ',' or '}' (while parsing a flow mapping that starts in line 1)" },
    { "log: \"info\n", "hob.yaml:2:1: not valid YAML: found unexpected end of stream (while scanning a quoted scalar that starts in line 1)" },
    { "a: [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\n", "hob.yaml:1:20: nested more than 16 deep" },
    /* values */
    { "drain: 10\n", "hob.yaml:1:8: drain: '10' has no unit: write 10s" },
    { "drain: 10 parsecs\n", "hob.yaml:1:8: drain: '10 parsecs' is not a duration, like 250ms, 10s, 15m, 1h or 2d" },
    { "drain: 1.5s\n", "hob.yaml:1:8: drain: '1.5s' is not a duration, like 250ms, 10s, 15m, 1h or 2d" },
    { "drain: -1s\n", "hob.yaml:1:8: drain: '-1s' is not a duration, like 250ms, 10s, 15m, 1h or 2d" },
    { "drain: 99d\n", "hob.yaml:1:8: drain: '99d' is out of range, 0s to 50s" },
    { "drain: 99999999999999999999s\n", "hob.yaml:1:8: drain: '99999999999999999999s' is out of range, 0s to 50s" },
    { "drain: 9223372036854775807d\n", "hob.yaml:1:8: drain: '9223372036854775807d' is out of range, 0s to 50s" },
    { "limits: {body: 8M}\n", "hob.yaml:1:16: body: '8M' has half a unit: write 8MiB" },
    { "limits: {body: 8 bananas}\n", "hob.yaml:1:16: body: '8 bananas' is not a size, like 4096, 8MiB, 2GiB or 10MB" },
    { "limits: {body: 1}\n", "hob.yaml:1:16: body: '1' is out of range, 1KiB to 1GiB" },
    { "queue: {limit: 1e3}\n", "hob.yaml:1:16: limit: '1e3' is not a whole number" },
    { "queue: {limit: 0}\n", "hob.yaml:1:16: limit: '0' is out of range, 1 to 65536" },
    { "models: {m: {file: m, context: 100}}\n", "hob.yaml:1:32: context: '100' is out of range, 256 to 16777216 or auto" },
    { "models: {m: {file: m, context: big}}\n", "hob.yaml:1:32: context: 'big' is not a number of tokens, like 4096 or 32k (32768), or auto" },
    { "models: {m: {file: m, threads: none}}\n", "hob.yaml:1:32: threads: 'none' is not a whole number or auto" },
    { "models: {m: {file: m, kv: q8}}\n", "hob.yaml:1:27: kv: 'q8' is none of: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl" },
    { "models: {m: {file: m, keep: hott}}\n", "hob.yaml:1:29: keep: 'hott' is none of: demand, hot; did you mean 'hot'?" },
    { "models: {m: {file: m, input: [text, smell]}}\n", "hob.yaml:1:37: input: 'smell' is none of: text, image, audio, video, file" },
    { "policy: {thinking_tokens: many}\n", "hob.yaml:1:27: thinking_tokens: 'many' is not a number of tokens, like 4096 or 32k (32768), or unlimited" },
    { "policy: {thinking: no}\n", "hob.yaml:1:20: thinking: 'no' is none of: caller, off, on, off!; did you mean 'off'?" },
    { "policy: {schema: {describe: no}}\n", "hob.yaml:1:29: describe: 'no' is none of: auto, on, off; did you mean 'off'?" },
    { "policy: {schema: {describe: True}}\n", "hob.yaml:1:29: describe: 'True' is none of: auto, on, off; did you mean 'on'?" },
    { "routing_metadata: maybe\n", "hob.yaml:1:19: routing_metadata: 'maybe' is neither on nor off" },
    { "log: verbose\n", "hob.yaml:1:6: log: 'verbose' is none of: error, warn, info, debug, trace" },
    { "state: \"a\\nb\"\n", "hob.yaml:1:8: state: holds a line break or another control character" },
    { "state: \"a\\0b\"\n", "hob.yaml:1:8: state: holds a line break or another control character" },
    /* addresses */
    { "listen: 8080\n", "hob.yaml:1:9: listen: '8080' is not ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080" },
    { "listen: ::1:8080\n", "hob.yaml:1:9: listen: '::1:8080' is not ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080" },
    { "listen: 127.0.0.1:65536\n", "hob.yaml:1:9: listen: '127.0.0.1:65536' is not ADDRESS:PORT, like 127.0.0.1:8080 or [::1]:8080" },
    { "listen: :8080\n", "hob.yaml:1:9: listen: ':8080' names no address: write 127.0.0.1:8080, or 0.0.0.0:8080 for all" },
    { "hosts: {h: {url: \"ftp://a\"}}\n", "hob.yaml:1:18: url: 'ftp://a' is no address like http://127.0.0.1:9001 or https://api.example.com/v1" },
    { "hosts: {h: {url: anvil:9001}}\n", "hob.yaml:1:18: url: 'anvil:9001' is no address like http://127.0.0.1:9001 or https://api.example.com/v1" },
    { "hosts: {h: {url: \"http://u:p@a\"}}\n", "hob.yaml:1:18: url: no user or password may stand in an address: put the key in 'key'" },
    { "hosts: {h: {url: \"http://:80\"}}\n", "hob.yaml:1:18: url: 'http://:80' has no valid host and port" },
    { "hosts: {h: {url: 'http://a', cap: {money_day: 5}, price: {input: 1}}}\nmodels: {m: {host: h}}\n",
      "hob.yaml:1:9: the host 'h' has a cap on money, and nobody knows what output of the model 'm' costs there" },
    { "hosts: {h: {url: \"http://a:0\"}}\n", "hob.yaml:1:18: url: 'http://a:0' has no valid host and port" },
    { "hosts: {h: {url: \"http://a/?b\"}}\n", "hob.yaml:1:18: url: 'http://a/?b' holds a character that may not stand in a host's address" },
    { "hosts: {h: {kind: openai}}\n", "hob.yaml:1:9: the host 'h' has no 'url'" },
    { "hosts: {h: {url: 'http://a', key: 'a b'}}\n", "hob.yaml:1:35: key: holds a space or another character that may not stand in a key" },
    { "hosts: {h: {url: 'http://a', key: (hidden)}}\n", "hob.yaml:1:35: key: '(hidden)' is what `hob config show` prints for a key, not a key" },
    /* references */
    { "log: ${env:HOB_T_NONE}\n", "hob.yaml:1:6: log: the environment variable 'HOB_T_NONE' is not set" },
    { "log: ${file:nothing.here}\n", "hob.yaml:1:6: log: the file 'nothing.here' cannot be read: No such file or directory" },
    { "log: ${file:/}\n", "hob.yaml:1:6: log: '/' is not a regular file" },
    { "log: ${file:}\n", "hob.yaml:1:6: log: ${file:NAME} needs a name" },
    { "log: ${port}\n", "hob.yaml:1:6: log: ${port} is not known: there are ${env:NAME}, ${env:NAME:-default} and ${file:NAME}" },
    { "log: '${env:X'\n", "hob.yaml:1:6: log: a ${ without its }" },
    { "drain: ${env:HOB_T_HIDE}\n", "hob.yaml:1:8: drain: '${env:HOB_T_HIDE}' is not a duration, like 250ms, 10s, 15m, 1h or 2d" },
    /* names */
    { "models: {'a b': {file: m}}\n", "hob.yaml:1:10: 'a b' is no name for a model" },
    { "models: {'a!b': {file: m}}\n", "hob.yaml:1:10: 'a!b' is no name for a model" },
    { "models: {'a~b': {file: m}}\n", "hob.yaml:1:10: 'a~b' is no name for a model" },
    { "models: {'a^b': {file: m}}\n", "hob.yaml:1:10: 'a^b' is no name for a model" },
    { "models: {'a;b': {file: m}}\n", "hob.yaml:1:10: 'a;b' is no name for a model" },
    { "models: {m: {file: m, aliases: {a: b}}}\n", "hob.yaml:1:32: 'aliases' needs a list, here is a map of keys" },
    { "models: {m: {file: m, args: {a: b}}}\n", "hob.yaml:1:29: 'args' needs a list, [--flag, value], here is a map of keys" },
    { "auto: {weights: {analysis: }}\n", "hob.yaml:1:18: 'analysis' has no value: leave the line out, or give it one" },
    { "models: {'': {file: m}}\n", "hob.yaml:1:10: '' is no name for a model" },
    { "models: {m: {file: m, aliases: [ok, 'n o']}}\n", "hob.yaml:1:37: 'n o' is no name for a model" },
    { "models: {auto: {file: m}}\n", "hob.yaml:1:10: 'auto' is taken: a caller who names it leaves the choice to hob" },
    { "models:\n  a: {file: a, aliases: [b]}\n  b: {file: b}\n", "hob.yaml:3:3: the model 'b' has the name of an alias (line 2)" },
    { MODEL "roles: {m: m}\n", "hob.yaml:2:9: the role 'm' has the name of a model (line 1)" },
    { MODEL "tiers: {t: m}\nroles: {t: m}\n", "hob.yaml:3:9: the role 't' has the name of a tier (line 2)" },
    { MODEL "roles: {chat: n}\n", "hob.yaml:2:15: unknown model 'n', did you mean 'm'?" },
    { "models: {smollm2: {file: m}}\nroles:\n  chat: {model: smollm2, fallback: [smollm2, smolm2]}\n",
      "hob.yaml:3:46: unknown model 'smolm2', did you mean 'smollm2'?" },
    { MODEL "tiers: {fast: zzzz}\n", "hob.yaml:2:15: unknown model 'zzzz': here must be a model" },
    { MODEL "tiers: {fast: m, slow: fast}\n", "hob.yaml:2:24: 'fast' is a tier, here must be a model" },
    { MODEL "roles: {a: m, b: a}\n", "hob.yaml:2:18: 'a' is a role, here must be a model or a tier" },
    { MODEL "aliases: {m: m}\n", "hob.yaml:2:11: the old name 'm' has the name of a model (line 1)" },
    { MODEL "aliases: {auto: m}\n", "hob.yaml:2:11: 'auto' is taken: a caller who names it leaves the choice to hob" },
    { MODEL "aliases: {gpt: {to: smol}}\n", "hob.yaml:2:21: unknown name 'smol': here must be a model, a tier, a role or 'auto'" },
    { MODEL "aliases: {a: m, b: a}\n", "hob.yaml:2:20: 'a' is an old name, here must be a model, a tier, a role or 'auto'" },
    { MODEL "aliases: {old: m}\nroles: {r: old}\n", "hob.yaml:3:12: 'old' is an old name, here must be a model or a tier" },
    { MODEL "aliases: {gpt: {to: m, deprecated: tomorrow}}\n", "hob.yaml:2:36: deprecated: 'tomorrow' is no date, like 2027-01-31" },
    /* rules */
    { MODEL "routes: [{to: n}]\n", "hob.yaml:2:15: unknown name 'n', did you mean 'm'?" },
    { MODEL "routes: [{to: m, fallback: [auto]}]\n", "hob.yaml:2:29: unknown name 'auto': here must be a model, a tier or a role" },
    { MODEL "routes: [{verify: strong}]\n", "hob.yaml:2:19: unknown name 'strong': here must be a model, a tier or a role" },
    { MODEL "roles: {chat: m}\nroutes: [{when: {role: [chat, '!chta']}}]\n", "hob.yaml:3:31: unknown name 'chta', did you mean 'chat'?" },
    { MODEL "tiers: {fast: m}\nroutes: [{when: {tier: fats}}]\n", "hob.yaml:3:24: unknown tier 'fats', did you mean 'fast'?" },
    { MODEL "routes: [{when: {tier: m}}]\n", "hob.yaml:2:24: 'm' is a model, here must be a tier" },
    { "routes: [{when: {header: 'two words: x'}}]\n", "hob.yaml:1:26: 'two words: x' names no header" },
    { "routes: [{when: {language: [en, it]}}]\n", "hob.yaml:1:33: unknown language 'it'" },
    { "triage: {intents: [search]}\nroutes: [{when: {intent: serach}}]\n", "hob.yaml:2:26: unknown intent 'serach', did you mean 'search'?" },
    { "routes: [{when: {caller: bob}}]\n", "hob.yaml:1:26: unknown caller 'bob'" },
    { HOST "routes: [{when: {label: '!g'}}]\n", "hob.yaml:2:25: unknown host or label 'g', did you mean 'h'?" },
    { MODEL "triage: {model: n}\n", "hob.yaml:2:17: unknown name 'n', did you mean 'm'?" },
    { "keys: [{name: k, roles: [caht]}]\nmodels: {m: {file: a}}\nroles: {chat: m}\n", "hob.yaml:1:26: unknown name 'caht', did you mean 'chat'?" },
    { "auto: {weights: {analisis: 2}}\n", "hob.yaml:1:18: auto.weights: there is no sign 'analisis', did you mean 'analysis'?" },
    /* replicas */
    { "models: {m: {file: a, replicas: [m]}}\n", "hob.yaml:1:34: replicas: 'm' is the model itself" },
    { "models: {m: {file: a, replicas: [q]}}\n", "hob.yaml:1:34: unknown model 'q', did you mean 'm'?" },
    { "models: {m: {file: a, replicas: [e]}, e: {file: b, serves: embed}}\n", "hob.yaml:1:34: replicas: 'e' does not serve the same as 'm'" },
    { MODEL "tiers: {t: m}\nroles: {r: t}\naliases: {o: r}\nroutes: [{to: o}]\n",
      "hob.yaml:5:15: 'o' is an old name, here must be a model, a tier, a role or 'auto'" },
    { "models: {m: {file: a, successor: m}}\n", "hob.yaml:1:34: successor: 'm' is the model itself" },
    { MODEL "roles: {chat: {fallback: [m]}}\n", "hob.yaml:2:9: the role 'chat' has no 'model'" },
    /* models */
    { "models: {m: {context: 4096}}\n", "hob.yaml:1:10: the model 'm' has none of 'file', 'command' and 'host'" },
    { "models: {m: }\n", "hob.yaml:1:10: the model 'm' has none of 'file', 'command' and 'host'" },
    { HOST "models: {m: {file: a, host: h}}\n", "hob.yaml:2:10: the model 'm' has more than one of 'file', 'command' and 'host'" },
    { HOST "models: {m: {host: g}}\n", "hob.yaml:2:20: unknown host 'g', did you mean 'h'?" },
    { "models: {m: {host: anvil}}\n", "hob.yaml:1:20: unknown host 'anvil'" },
    { HOST "models: {m: {host: h, kv: f16}}\n", "hob.yaml:2:27: 'kv' is only for models with weights of their own ('file'); 'm' is on a host" },
    { HOST "models: {m: {host: h, max_tokens: 8k}}\n",
      "hob.yaml:2:35: 'max_tokens' is only for models with weights of their own ('file'), or on hosts of the kinds anthropic and ollama" },
    { "models: {m: {file: a, name: b}}\n", "hob.yaml:1:29: 'name' is only for models on a host ('host'); 'm' is on this machine" },
    { "models: {m: {file: a, serves: [transcribe]}}\n",
      "hob.yaml:1:31: the model 'm' runs in llama-server, which serves chat, embed or rerank only" },
    { "models: {m: {file: a, input: [text, image]}}\n", "hob.yaml:1:30: the model 'm' has no 'mmproj', so it takes in text only" },
    { "models: {m: {file: a, sha256: abc}}\n", "hob.yaml:1:31: sha256: 'abc' is no SHA-256: 64 hex digits" },
    { "models: {m: {file: a, args: [--mmproj, x]}}\n", "hob.yaml:1:30: args: write 'mmproj' for --mmproj: hob must know it" },
    /* engines */
    { "engines: {next: {}}\n", "hob.yaml:1:11: the engine 'next' has no 'path'" },
    { "engines: {next: {path: x}}\nmodels: {m: {file: a, engine: nxt}}\n", "hob.yaml:2:31: unknown engine 'nxt', did you mean 'next'?" },
    { "models: {m: {file: a, engine: zzzz}}\n", "hob.yaml:1:31: unknown engine 'zzzz'" },
    { HOST "models: {m: {host: h, engine: llama}}\n",
      "hob.yaml:2:31: 'engine' is only for models with weights of their own ('file'); 'm' is on a host" },
    /* adapters */
    { "models: {m: {file: a, lora: b.gguf}}\n", "hob.yaml:1:29: 'lora' needs a list of maps, here is a single value" },
    { "models: {m: {file: a, lora: {file: b}}}\n", "hob.yaml:1:29: 'lora' needs a list of maps, here is a map of keys" },
    { "models: {m: {file: a, lora: [b]}}\n", "hob.yaml:1:30: 'lora' needs maps of keys in its list, here is a single value" },
    { "models: {m: {file: a, lora: [{scale: 1}]}}\n", "hob.yaml:1:30: the adapter has no 'file'" },
    { "models: {m: {file: a, lora: [{file: b, scal: 1}]}}\n", "hob.yaml:1:40: unknown key 'scal', did you mean 'scale'?" },
    { "models: {m: {file: a, lora: [{file: b, scale: much}]}}\n", "hob.yaml:1:47: scale: 'much' is not a number, like 1 or 0.5" },
    { "models: {m: {file: a, lora: [{file: b, scale: 1e3}]}}\n", "hob.yaml:1:47: scale: '1e3' is not a number, like 1 or 0.5" },
    { "models: {m: {file: a, lora: [{file: b, scale: 1.}]}}\n", "hob.yaml:1:47: scale: '1.' is not a number, like 1 or 0.5" },
    { "models: {m: {file: a, lora: [{file: b, scale: 100.1}]}}\n", "hob.yaml:1:47: scale: '100.1' is out of range, -100 to 100" },
    { "models: {m: {file: a, lora: [{file: b c.gguf}]}}\n", "hob.yaml:1:30: 'b c' is no name for an adapter" },
    { "models: {m: {file: a, lora: [{file: x/b.gguf}, {file: y/b.gguf}]}}\n", "hob.yaml:1:48: the model 'm' has two adapters 'b'" },
    { HOST "models: {m: {host: h, lora: [{file: b}]}}\n",
      "hob.yaml:2:29: 'lora' is only for models with weights of their own ('file'); 'm' is on a host" },
    /* programs */
    { "models: {m: {command: 'serve -p 1'}}\n",
      "hob.yaml:1:23: command: it holds neither ${port} nor ${socket}, so nobody knows where it listens" },
    { "models: {m: {command: 'serve ${port} ${socket}'}}\n", "hob.yaml:1:23: command: it holds both ${port} and ${socket}" },
    { "models: {m: {command: 'serve ${host}'}}\n",
      "hob.yaml:1:23: command: ${host} is not known: there are ${env:NAME}, ${env:NAME:-default} and ${file:NAME}" },
    { "models: {m: {command: \"serve '${port}\"}}\n", "hob.yaml:1:23: command: a quote or a backslash in it has no end" },
    { "models: {m: {command: \"'' ${port}\"}}\n", "hob.yaml:1:23: command: names no program" },
    { "models: {m: {command: 's ${port}', file: a}}\n", "hob.yaml:1:10: the model 'm' has more than one of 'file', 'command' and 'host'" },
    { "models: {m: {command: 's ${port}', kv: f16}}\n",
      "hob.yaml:1:40: 'kv' is only for models with weights of their own ('file'); 'm' is a program on this machine" },
    { "models: {m: {file: a, health: /up}}\n",
      "hob.yaml:1:31: 'health' is only for models with a program of their own ('command'); 'm' is on this machine" },
    { "models: {m: {command: 's ${port}', health: up}}\n", "hob.yaml:1:44: health: 'up' is no path, like /health" },
    { "models: {m: {command: 's ${port}', env: [A=1, B]}}\n", "hob.yaml:1:47: env: item 2 is not NAME=VALUE" },
    { "models: {m: {command: 's ${port}', env: [1A=1]}}\n", "hob.yaml:1:42: env: item 1 is not NAME=VALUE" },
    { "models: {m: {command: 's ${port}', min_version: 1.0}}\n", "hob.yaml:1:49: min_version: the model 'm' has no 'version'" },
    { "models: {m: {command: 's ${port}', version: s -v, min_version: [new]}}\n", "hob.yaml:1:65: min_version: 'new' is no version" },
    /* instructions */
    { MODEL "roles: {r: {model: m, system: a, system_file: /no/such.txt}}\n", "hob.yaml:2:47: system_file: '/no/such.txt' cannot be read: No such file or directory" },
    { MODEL "roles: {r: {model: m, system: ''}}\n", "hob.yaml:2:31: system: has no value" },
    { MODEL "roles: {r: {model: m, system: a, instructions: ad}}\n", "hob.yaml:2:48: instructions: 'ad' is none of: add, replace, default; did you mean 'add'?" },
    { MODEL "roles: {r: {model: m, sampling: {temperature: 2.5}}}\n", "hob.yaml:2:47: temperature: '2.5' is out of range, 0 to 2" },
    { MODEL "roles: {r: {model: m, sampling: {top_k: 1.5}}}\n", "hob.yaml:2:41: top_k: '1.5' is not a whole number" },
    { MODEL "roles: {r: {model: m, sampling: {temprature: 1}}}\n", "hob.yaml:2:34: unknown key 'temprature', did you mean 'temperature'?" },
    { MODEL "roles: {r: {model: m, stop: [a, '']}}\n", "hob.yaml:2:33: stop: has no value" },
    { MODEL "roles: {r: {model: m, max_tokens: 9, max_tokens_cap: 8}}\n", "hob.yaml:2:35: max_tokens: is more than the role's max_tokens_cap" },
    /* pull */
    { "pull: {hub: huggingface.co}\n", "hob.yaml:1:13: hub: 'huggingface.co' is no address like https://example.com" },
    { "pull: {hub: 'http://example.com'}\n",
      "hob.yaml:1:13: hub: 'http://example.com' is not encrypted: write https://; http:// is for this machine alone" },
    { "pull: {mirrors: ['https://a', 'https://u:p@b']}\n",
      "hob.yaml:1:31: mirrors: no user or password may stand in an address: put the key in 'key'" },
    { "routes: [{when: {time: '8-12'}, local_only: true}]\n", "hob.yaml:1:24: '8-12' is no time" },
    { "routes: [{when: {time: [mon-fri, '!sat 25:00-26:00']}, local_only: true}]\n", "hob.yaml:1:34: '!sat 25:00-26:00' is no time" },
    { "routes: [{when: {class: [chat, robot]}, local_only: true}]\n", "hob.yaml:1:32: 'robot' is no class of callers" },
    { "pull: {quant: 'Q4 K'}\n", "hob.yaml:1:15: quant: 'Q4 K' is no quantisation" },
    { "models: {m: {file: a, args: [-c, 4096]}}\n", "hob.yaml:1:30: args: write 'context' for -c: hob must know it" },
    { "models: {m: {file: a, args: [--host, 0.0.0.0]}}\n", "hob.yaml:1:30: args: --host is not for args: hob alone decides how the engine "
                                                           "is reached" },
};

static void test_each_mistake_has_its_place_and_sentence(void **state)
{
    setenv("HOB_T_HIDE", "sk-do-not-print", 1);
    unsetenv("HOB_T_NONE");
    int wrong = 0;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct config *c = NULL;
        struct err e = { 0 };
        enum err_code rc = conf_parse(STR("hob.yaml"), str_of(bad[i].text), &c, &e);
        if (rc == ERR_OK)
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(rc, ERR_CONFIG);
        assert_null(c);
        if (strcmp(e.text, bad[i].says) != 0) { /* all of them at once: one change of words touches many rows */
            print_error("says  %s\nnot   %s\n", e.text, bad[i].says);
            wrong++;
        }
        assert_true(e.hint[0] != 0);
        assert_null(strstr(e.hint, "sk-do-not"));
    }
    assert_int_equal(wrong, 0);
}

static void test_engines_have_llama_first(void **state)
{
    struct config *c = parse("engines:\n  next: {path: /opt/next/llama-server}\n  llama: {path: bin/ls}\nmodels: {m: {file: m, engine: next}, n: {file: n}}\n");
    assert_int_equal(c->nengines, 2);
    assert_str(c->engines[0].name, "llama");
    assert_str(c->engines[0].path, "/kitchen/bin/ls");
    assert_int_equal(c->engines[0].place.line, 3);
    assert_ptr_equal(conf_engine(c, c->models[0].engine), &c->engines[1]);
    assert_ptr_equal(conf_engine(c, c->models[1].engine), &c->engines[0]);
    assert_null(conf_engine(c, STR("none")));
    conf_free(c);
    c = parse("engines: {next: {path: next-server}}\n");
    assert_str(c->engines[0].path, "llama-server");
    assert_str(c->engines[1].path, "next-server");
    conf_free(c);
}

static void test_adapters_projectors_and_drafts(void **state)
{
    struct config *c = parse("models:\n"
                             "  m:\n"
                             "    file: m.gguf\n"
                             "    mmproj: eyes.gguf\n"
                             "    draft: ~/small.gguf\n"
                             "    input: [text, image]\n"
                             "    lora:\n"
                             "      - {file: a/pirate.v2.gguf}\n"
                             "      - file: /b.gguf\n"
                             "        scale: -0.25\n"
                             "        name: formal\n"
                             "  n: {file: n, lora: []}\n"
                             "  o: {file: o, lora: }\n");
    const struct conf_model *m = &c->models[0];
    assert_str(m->mmproj, "/kitchen/eyes.gguf");
    assert_str(m->draft, "/home/cook/small.gguf");
    assert_int_equal(m->nloras, 2);
    assert_str(m->loras[0].file, "/kitchen/a/pirate.v2.gguf");
    assert_str(m->loras[0].name, "pirate.v2");
    assert_true(m->loras[0].scale == 1.0);
    assert_int_equal(m->loras[0].place.line, 8);
    assert_str(m->loras[1].file, "/b.gguf");
    assert_str(m->loras[1].name, "formal");
    assert_true(m->loras[1].scale == -0.25);
    assert_int_equal(c->models[1].nloras + c->models[2].nloras, 0);
    conf_free(c);
}

static void test_a_program_with_all_its_settings(void **state)
{
    setenv("HOB_T_PORT", "9", 1);
    struct config *c = parse("models:\n"
                             "  w:\n"
                             "    command: \"whisper --port ${port} -m 'big one.bin' --n ${env:HOB_T_PORT} $${port} $${x}\"\n"
                             "    health: /up?x=1\n"
                             "    env: [A=b=c, _N2=]\n"
                             "    version: whisper --version\n"
                             "    min_version: [1.2.3, gemma4=0.31.2]\n"
                             "    serves: [transcribe, chat, image]\n"
                             "    input: [audio]\n"
                             "    memory: 2GiB\n"
                             "    slots: 3\n");
    const struct conf_model *m = &c->models[0];
    assert_str(m->command, "whisper --port ${port} -m 'big one.bin' --n 9 ${port} ${x}"); /* $${port} is what ${port} is */
    assert_str(m->health, "/up?x=1");
    assert_str(m->env.at[1], "_N2=");
    assert_str(m->min_version.at[1], "gemma4=0.31.2");
    assert_int_equal(m->serves, SERVES_TRANSCRIBE | SERVES_CHAT | SERVES_IMAGE);
    assert_int_equal(m->memory_bytes, INT64_C(2) << 30);
    assert_int_equal(m->slots, 3);
    assert_int_equal(m->queue.limit, 256);
    conf_free(c);
}

static void test_a_command_is_cut_into_words(void **state)
{
    static const struct {
        const char *command, *words; /* with | between; NULL: refused */
    } rows[] = {
        { "a", "a" },
        { "  a \t b  ", "a|b" },
        { "a 'b c' \"d e\"", "a|b c|d e" },
        { "a '' \"\"", "a||" },
        { "a x'y z'w", "a|xy zw" },
        { "a b\\ c \\' \"\\\"\" '\\'", "a|b c|'|\"|\\" },
        { "a \"'\" '\"'", "a|'|\"" },
        { "a $HOME * ~ ; |", "a|$HOME|*|~|;||" },
        { "", NULL },
        { "   ", NULL },
        { "'' a", NULL },
        { "a 'b", NULL },
        { "a \"b", NULL },
        { "a \\", NULL },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct arena a;
        struct conf_strs words = { 0 };
        struct err e = { 0 };
        struct buf joined;
        arena_init(&a);
        buf_init(&joined, 0);
        enum err_code rc = conf_words(str_of(rows[i].command), &a, &words, &e);
        assert_int_equal(rc, rows[i].words ? ERR_OK : ERR_CONFIG);
        for (size_t k = 0; k < words.n; k++) {
            assert_int_equal(words.at[k].p[words.at[k].n], 0);
            buf_printf(&joined, "%s%.*s", k ? "|" : "", STR_ARG(words.at[k]));
        }
        if (rows[i].words)
            assert_str(buf_str(&joined), rows[i].words);
        buf_free(&joined);
        arena_fini(&a);
    }
}

static void test_where_models_are_pulled_from(void **state)
{
    struct config *c = parse("pull: {hub: 'http://[::1]:8081/x/', token: hf-1, mirrors: ['https://a.example/b//', 'http://127.0.0.1'], quant: Q8_0}\n"
                             "models: {m: {file: m, hub: 'org/repo:Q8_0', sha256: ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789}}\n");
    assert_str(c->hub, "http://[::1]:8081/x");
    assert_str(c->hub_token.hidden, "hf-1");
    assert_int_equal(c->mirrors.n, 2);
    assert_str(c->mirrors.at[0], "https://a.example/b");
    assert_str(c->quant, "Q8_0");
    assert_str(c->models[0].sha256, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
    conf_free(c);
    static const struct {
        const char *env, *file, *hub;
    } rows[] = {
        { "https://hub.example/", "", "https://hub.example" },
        { "https://hub.example", "pull: {hub: 'https://other'}", "https://other" },
        { "", "", "https://huggingface.co" },
        { "hub.example", "", "https://huggingface.co" }, /* with a word of warning */
        { "https://a\xff", "", "https://huggingface.co" },
    };
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        setenv("HF_ENDPOINT", rows[i].env, 1);
        c = parse(rows[i].file);
        assert_str(c->hub, rows[i].hub);
        conf_free(c);
    }
    unsetenv("HF_ENDPOINT");
    log_set_level(LOG_INFO);
}

static void test_a_configuration_goes_with_its_last_holder(void **state)
{
    struct config *c = parse("log: debug\n");
    assert_ptr_equal(conf_hold(c), c);
    conf_free(c);
    assert_int_equal(c->log, LOG_DEBUG);
    conf_free(c); /* the sanitizers see that it is gone */
}

static void test_lists_have_bounds(void **state)
{
    struct buf text = { 0 };
    struct config *c = NULL;
    struct err e = { 0 };
    buf_lit(&text, "models:\n  m: {file: m.gguf, args: [");
    for (int i = 0; i < 65; i++)
        buf_printf(&text, "%s--x%d", i ? ", " : "", i);
    buf_lit(&text, "]}\n");
    assert_int_equal(conf_parse(STR("hob.yaml"), buf_str(&text), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml:2:27: 'args' may have at most 64 items");
    buf_free(&text);
}

static void test_a_key_may_be_empty(void **state)
{
    struct config *c = parse("hosts: {h: {url: 'http://a', key: ''}}\n");
    assert_int_equal(c->hosts[0].key.hidden.n, 0);
    conf_free(c);
}

static void test_a_name_has_128_bytes_at_most(void **state)
{
    char text[200];
    for (int n = 127; n <= 129; n++) {
        struct config *c = NULL;
        struct err e = { 0 };
        snprintf(text, sizeof text, "models: {A%0*d: {file: m}}\n", n - 1, 0);
        assert_int_equal(conf_parse(STR("hob.yaml"), str_of(text), &c, &e), n > CONF_MAX_NAME_BYTES ? ERR_CONFIG : ERR_OK);
        conf_free(c);
    }
}

static void test_a_child_serves_one_thing(void **state)
{
    struct config *c = NULL;
    struct err e = { 0 };
    assert_int_equal(conf_parse(STR("hob.yaml"), STR("models:\n  m: {file: m.gguf, serves: [chat, embed]}\n"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml:2:29: the model 'm' runs here, so it can serve one thing only");
    assert_non_null(strstr(e.hint, "second model"));
}

static void test_too_much_is_refused(void **state)
{
    struct buf text;
    struct err e = { 0 };
    struct config *c = NULL;
    buf_init(&text, 0);
    buf_reserve(&text, CONF_MAX_BYTES + 1);
    memset(text.p, '#', CONF_MAX_BYTES + 1);
    assert_int_equal(conf_parse(STR("big.yaml"), (struct str){ text.p, CONF_MAX_BYTES + 1 }, &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "big.yaml: larger than 1024 KiB: this is no config");
    assert_int_equal(conf_parse(STR("big.yaml"), (struct str){ text.p, CONF_MAX_BYTES }, &c, &e), ERR_OK);
    conf_free(c);
    c = NULL;
    buf_lit(&text, "models:\n");
    for (int i = 0; i <= CONF_MAX_ENTRIES; i++)
        buf_printf(&text, " m%d: {file: x}\n", i);
    assert_int_equal(conf_parse(STR("big.yaml"), buf_str(&text), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "big.yaml:4098:9: more than 4096 entries in one place");
    buf_free(&text);
}

static void test_without_home_a_tilde_has_no_meaning(void **state)
{
    struct config *c = NULL;
    struct err e = { 0 };
    unsetenv("HOME");
    assert_int_equal(conf_parse(STR("hob.yaml"), STR("log: info\n"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml: state: HOME is not set, so '~/.local/state/hob' names no folder");
    assert_int_equal(conf_parse(STR("hob.yaml"), STR("state: /s\nmodels_dir: ~/m\n"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml:2:13: models_dir: HOME is not set, so '~/m' names no folder");
    assert_int_equal(conf_parse(STR("hob.yaml"), STR("state: /s\nmodels_dir: /m\n"), &c, &e), ERR_OK);
    conf_free(c);
    setenv("HOME", "/home/cook", 1);
}

/* ---- with files ---- */

struct kitchen {
    char was[4096], folder[64];
};

static int enter(void **state)
{
    static struct kitchen k;
    snprintf(k.folder, sizeof k.folder, "/tmp/hob-test-XXXXXX");
    if (!getcwd(k.was, sizeof k.was) || !mkdtemp(k.folder) || chdir(k.folder))
        return -1;
    *state = &k;
    return 0;
}

static int leave(void **state)
{
    static const char *const files[] = { "hob.yaml", "cloud.key", "bin.key", "other.yaml", "m.gguf", "say.txt", "sub/n.gguf", "home/.config/hob/hob.yaml" };
    static const char *const folders[] = { "sub", "home/.config/hob", "home/.config", "home" };
    struct kitchen *k = *state;
    for (size_t i = 0; i < COUNTOF(files); i++)
        unlink(files[i]);
    for (size_t i = 0; i < COUNTOF(folders); i++)
        rmdir(folders[i]);
    setenv("HOME", "/home/cook", 1);
    return chdir(k->was) || rmdir(k->folder) ? -1 : 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static void test_a_key_comes_out_of_a_file_beside_the_config(void **state)
{
    struct config *c = NULL;
    struct err e = { 0 };
    log_set_level(LOG_ERROR);
    write_file("cloud.key", "sk-secret\r\n", 0600);
    write_file("bin.key", "a\377b\n", 0600);
    write_file("hob.yaml", "hosts: {h: {url: 'http://a', key: '${file:cloud.key}'}}\n", 0644);
    assert_int_equal(conf_load(STR("./hob.yaml"), &c, &e), ERR_OK);
    assert_str(c->hosts[0].key.hidden, "sk-secret");
    assert_true(str_starts(c->path, STR("/")));
    conf_free(c);
    write_file("hob.yaml", "hosts: {h: {url: 'http://a', key: '${file:bin.key}'}}\n", 0644);
    assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml:1:35: key: the file 'bin.key' holds no UTF-8 text");
    write_file("hob.yaml", "drain: ${file:cloud.key}\n", 0644);
    assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml:1:8: drain: '${file:cloud.key}' is not a duration, like 250ms, 10s, 15m, 1h or 2d");
    log_set_level(LOG_INFO);
}

/* What the log says is caught by a pipe in place of stderr. */
static void test_instructions_come_from_the_file_or_from_a_file_beside_it(void **state)
{
    static const struct { const char *text, *says; } cases[] = {
        { "", "is empty" },
        { " \n", "is empty" },
        { "a\377", "holds no UTF-8 text" },
        { "a\001", "holds no UTF-8 text" },
    };
    struct config *c = NULL;
    struct err e = { 0 };
    char says[4300];
    const struct kitchen *k = *state;
    write_file("say.txt", "\nBe brief.\n\n\tAlways. ${no}\n\n", 0644);
    write_file("hob.yaml", MODEL "roles: {r: {model: m, system_file: say.txt, stop: x}, s: {model: m, system: \"a\\nb\"}, t: m}\n", 0644);
    assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_OK);
    assert_str(c->roles[0].words, "Be brief.\n\n\tAlways. ${no}");
    assert_str(c->roles[1].words, "a\nb");
    assert_int_equal(c->roles[2].words.n + c->roles[2].stop.n + c->roles[2].sampling.seed.said, 0);
    assert_true(c->roles[0].rewords && c->roles[1].rewords && !c->roles[2].rewords);
    assert_int_equal(c->roles[0].stop.n, 1);
    conf_free(c);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        write_file("say.txt", cases[i].text, 0644);
        write_file("hob.yaml", MODEL "roles: {role: {model: m, system_file: say.txt}}\n", 0644);
        assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_CONFIG);
        snprintf(says, sizeof says, "hob.yaml:2:39: system_file: '%s/say.txt' %s", k->folder, cases[i].says);
        assert_string_equal(e.text, says);
    }
    FILE *f = fopen("say.txt", "w");
    assert_non_null(f);
    for (int i = 0; i <= CONF_MAX_VALUE_BYTES; i++)
        fputc('a', f);
    fclose(f);
    assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "is longer than 64 KiB"));
    write_file("hob.yaml", MODEL "roles: {r: {model: m, system: a, system_file: say.txt}}\n", 0644);
    write_file("say.txt", "b", 0644);
    assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "hob.yaml:2:47: system_file: the role has a 'system' too: leave one of them out");
}

static void test_a_key_that_others_can_read_is_said(void **state)
{
    struct config *c = NULL;
    struct err e = { 0 };
    char said[2048] = "";
    int pipes[2], err = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    write_file("cloud.key", "sk-secret\n", 0644);
    write_file("hob.yaml", "hosts:\n h: {url: 'http://a', key: '${file:cloud.key}'}\n g: {url: 'http://a', key: sk-literal}\n", 0644);
    fflush(stderr);
    dup2(pipes[1], STDERR_FILENO);
    enum err_code rc = conf_load(STR("hob.yaml"), &c, &e);
    dup2(err, STDERR_FILENO);
    close(err);
    close(pipes[1]);
    ssize_t n = read(pipes[0], said, sizeof said - 1);
    close(pipes[0]);
    assert_int_equal(rc, ERR_OK);
    assert_true(n > 0);
    assert_non_null(strstr(said, "cloud.key can be read by others: chmod 600"));
    assert_non_null(strstr(said, "hob.yaml holds a key and can be read by others"));
    assert_null(strstr(said, "sk-"));
    conf_free(c);
}

static void test_weights_are_found_beside_the_config_then_in_models_dir(void **state)
{
    struct config *c = NULL;
    struct err e = { 0 };
    char want[4096], here[2048];
    assert_int_equal(mkdir("sub", 0700), 0);
    write_file("m.gguf", "", 0600);
    write_file("sub/n.gguf", "", 0600);
    write_file("hob.yaml", "models: {m: {file: m.gguf, mmproj: n.gguf, lora: [{file: n.gguf}]}, n: {file: n.gguf}, o: {file: o.gguf}, p: {file: /p.gguf}}\n"
                           "models_dir: sub\n", 0600);
    assert_int_equal(conf_load(STR("hob.yaml"), &c, &e), ERR_OK);
    assert_non_null(getcwd(here, sizeof here));
    static const char *const at[] = { "m.gguf", "sub/n.gguf", "o.gguf" };
    for (size_t i = 0; i < COUNTOF(at); i++) {
        snprintf(want, sizeof want, "%s/%s", here, at[i]);
        assert_str(c->models[i].file, want);
    }
    assert_str(c->models[3].file, "/p.gguf");
    assert_true(str_eq(c->models[0].mmproj, c->models[1].file));
    assert_true(str_eq(c->models[0].loras[0].file, c->models[1].file));
    conf_free(c);
}

static void test_the_file_is_looked_for_in_order(void **state)
{
    struct arena a;
    struct err e = { 0 };
    struct str path;
    char home[4096], want[4200];
    arena_init(&a);
    assert_non_null(getcwd(home, sizeof home - 8));
    memcpy(home + strlen(home), "/home", 6);
    setenv("HOME", home, 1);
    unsetenv("HOB_CONFIG");
    assert_int_equal(conf_find((struct str){ 0 }, &a, &path, &e), ERR_OK);
    assert_int_equal(path.n, 0);
    assert_int_equal(mkdir("home", 0700) | mkdir("home/.config", 0700) | mkdir("home/.config/hob", 0700), 0);
    write_file("home/.config/hob/hob.yaml", "", 0600);
    assert_int_equal(conf_find((struct str){ 0 }, &a, &path, &e), ERR_OK);
    snprintf(want, sizeof want, "%s/.config/hob/hob.yaml", home);
    assert_str(path, want);
    write_file("hob.yaml", "", 0600);
    assert_int_equal(conf_find((struct str){ 0 }, &a, &path, &e), ERR_OK);
    assert_str(path, "hob.yaml");
    write_file("other.yaml", "", 0600);
    setenv("HOB_CONFIG", "other.yaml", 1);
    assert_int_equal(conf_find((struct str){ 0 }, &a, &path, &e), ERR_OK);
    assert_str(path, "other.yaml");
    assert_int_equal(conf_find(STR("nowhere.yaml"), &a, &path, &e), ERR_CONFIG);
    assert_string_equal(e.text, "the configuration nowhere.yaml: No such file or directory");
    setenv("HOB_CONFIG", "gone.yaml", 1);
    assert_int_equal(conf_find((struct str){ 0 }, &a, &path, &e), ERR_CONFIG);
    assert_string_equal(e.text, "gone.yaml (named by HOB_CONFIG): No such file or directory");
    unsetenv("HOB_CONFIG");
    arena_fini(&a);
}

static void test_a_file_that_cannot_be_read_is_an_error(void **state)
{
    struct config *c = NULL;
    struct err e = { 0 };
    assert_int_equal(conf_load(STR("nowhere.yaml"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "nowhere.yaml: cannot be opened: No such file or directory");
    assert_int_equal(conf_load(STR("/"), &c, &e), ERR_CONFIG);
    assert_string_equal(e.text, "/: cannot be read: Is a directory");
    assert_int_equal(conf_load(STR("/dev/zero"), &c, NULL), ERR_CONFIG);
    assert_int_equal(conf_load((struct str){ 0 }, &c, &e), ERR_OK);
    assert_int_equal(c->path.n, 0);
    conf_free(c);
}

static void test_a_name_means_a_model(void **state)
{
    static const struct { const char *name, *model, *role; } cases[] = {
        { "a", "a", "" }, { "alpha", "a", "" }, { "fast", "a", "" }, { "chat", "a", "chat" }, { "code", "b", "code" },
        { "gpt", "b", "" }, { "old-fast", "a", "" }, { "old-chat", "a", "chat" }, { "b", "b", "" },
        { "auto", NULL, "" }, { "old-auto", NULL, "" }, { "nobody", NULL, "" }, { "", NULL, "" },
    };
    struct config *c = parse("models: {a: {file: a, aliases: [alpha]}, b: {file: b}}\ntiers: {fast: alpha}\nroles: {chat: fast, code: b}\n"
                                  "aliases: {gpt: b, old-fast: {to: fast, deprecated: 2027-01-31}, old-chat: {to: chat, after: refuse}, old-auto: auto}\n");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct str role;
        const struct conf_model *m = conf_meant(c, str_of(cases[i].name), &role);
        assert_true(m ? cases[i].model && str_eq(m->name, str_of(cases[i].model)) : !cases[i].model);
        assert_true(str_eq(role, str_of(cases[i].role)));
    }
    conf_free(c);
}

int main(void)
{
    setenv("HOME", "/home/cook", 1);
    unsetenv("HF_ENDPOINT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_file_is_the_defaults),
        cmocka_unit_test(test_a_whole_file),
        cmocka_unit_test(test_yaml_never_decides_what_a_value_is),
        cmocka_unit_test(test_references_are_put_in),
        cmocka_unit_test(test_each_mistake_has_its_place_and_sentence),
        cmocka_unit_test(test_a_name_means_a_model),
        cmocka_unit_test(test_engines_have_llama_first),
        cmocka_unit_test(test_adapters_projectors_and_drafts),
        cmocka_unit_test(test_a_program_with_all_its_settings),
        cmocka_unit_test(test_a_command_is_cut_into_words),
        cmocka_unit_test(test_where_models_are_pulled_from),
        cmocka_unit_test(test_a_configuration_goes_with_its_last_holder),
        cmocka_unit_test(test_lists_have_bounds),
        cmocka_unit_test(test_a_key_may_be_empty),
        cmocka_unit_test(test_a_name_has_128_bytes_at_most),
        cmocka_unit_test(test_a_child_serves_one_thing),
        cmocka_unit_test(test_too_much_is_refused),
        cmocka_unit_test(test_without_home_a_tilde_has_no_meaning),
        cmocka_unit_test_setup_teardown(test_a_key_comes_out_of_a_file_beside_the_config, enter, leave),
        cmocka_unit_test_setup_teardown(test_instructions_come_from_the_file_or_from_a_file_beside_it, enter, leave),
        cmocka_unit_test_setup_teardown(test_a_key_that_others_can_read_is_said, enter, leave),
        cmocka_unit_test_setup_teardown(test_weights_are_found_beside_the_config_then_in_models_dir, enter, leave),
        cmocka_unit_test_setup_teardown(test_the_file_is_looked_for_in_order, enter, leave),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_read_is_an_error, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
