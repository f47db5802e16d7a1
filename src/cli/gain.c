/* hob gain: what was answered here and what elsewhere, and what that saved. Out of hourly sums, which outlive the rows. */
#include "admin/requests.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "json/json.h"

#include <stdio.h>

enum { ANSWER_MS = 60 * 1000, HOUR_MS = 3600 * 1000 };

static int64_t count(yyjson_val *o, const char *key)
{
    return yyjson_get_sint(yyjson_obj_get(o, key));
}

static void put_share(struct buf *out, yyjson_val *root)
{
    yyjson_val *share = yyjson_obj_get(root, "local_share"), *requests = yyjson_obj_get(share, "requests"), *tokens = yyjson_obj_get(share, "tokens");
    yyjson_val *here = yyjson_obj_get(root, "local"), *there = yyjson_obj_get(root, "remote");
    show_fact(out, "requests", "%lld, %lld of them failed", (long long)count(root, "requests"), (long long)count(root, "faults"));
    if (yyjson_is_num(requests))
        show_fact(out, "answered here", "%.1f %% of requests", 100 * yyjson_get_num(requests));
    if (yyjson_is_num(tokens))
        show_fact(out, "", "%.1f %% of tokens", 100 * yyjson_get_num(tokens));
    show_fact(out, "tokens here", "%lld in, %lld out: kept from the cloud", (long long)count(here, "input_tokens"), (long long)count(here, "output_tokens"));
    show_fact(out, "tokens elsewhere", "%lld in, %lld out", (long long)count(there, "input_tokens"), (long long)count(there, "output_tokens"));
}

static void put_money(struct buf *out, yyjson_val *root)
{
    yyjson_val *saved = yyjson_obj_get(root, "saved"), *reference = yyjson_obj_get(saved, "at_reference"), *as_paid = yyjson_obj_get(saved, "at_paid_price");
    yyjson_val *paid = yyjson_obj_get(root, "paid"), *cost = yyjson_obj_get(paid, "cost");
    long long unpriced = count(paid, "unpriced_requests");
    char text[32];
    if (!yyjson_is_num(cost))
        show_fact(out, "paid", "unknown: no place elsewhere that answered has a `price:`");
    else if (unpriced)
        show_fact(out, "paid", "%s, and what %lld requests cost whose price is unknown", show_money(yyjson_get_num(cost), text).p, unpriced);
    else
        show_fact(out, "paid", "%s", show_money(yyjson_get_num(cost), text).p);
    if (yyjson_is_num(reference))
        show_fact(out, "saved", "%s at the reference price", show_money(yyjson_get_num(reference), text).p);
    else
        show_fact(out, "saved", "unknown: set `reference: {input: …, output: …}`, per million tokens");
    if (yyjson_is_num(as_paid) && yyjson_get_num(as_paid) > 0)
        show_fact(out, "", "%s at what a token cost elsewhere meanwhile", show_money(yyjson_get_num(as_paid), text).p);
}

static void put_rest(struct buf *out, yyjson_val *root)
{
    yyjson_val *verify = yyjson_obj_get(root, "verify"), *share = yyjson_obj_get(verify, "share");
    if (yyjson_is_num(share))
        show_fact(out, "drafts checked", "%lld, %.1f %% of them were fine", (long long)count(verify, "checked"), 100 * yyjson_get_num(share));
    if (count(root, "fallbacks"))
        show_fact(out, "fallbacks", "%lld requests were answered by another place than the first", (long long)count(root, "fallbacks"));
}

static int print_words(struct str json)
{
    struct json_doc d = { 0 };
    struct buf out = { 0 };
    if (read_answer(json, &d))
        return EXIT_FAILED;
    struct str since = json_str(yyjson_obj_get(d.root, "since"));
    show_fact(&out, "since", "%.16s UTC", since.n >= 16 ? since.p : "                ");
    put_share(&out, d.root);
    put_money(&out, d.root);
    put_rest(&out, d.root);
    bool whole = fwrite(out.p, 1, out.n, stdout) == out.n && !fflush(stdout);
    buf_free(&out);
    json_free(&d);
    return whole ? EXIT_OK : EXIT_FAILED;
}

static enum err_code from_store(const struct config *c, int64_t since_ms, int64_t now_ms, struct buf *body, struct err *e)
{
    struct store *s = NULL;
    struct gain g = { .cost = 0 };
    enum err_code rc = store_open_to_read(c->state, &s, e);
    since_ms -= since_ms % HOUR_MS; /* sums are of hours */
    if (!rc && s)
        rc = requests_sums(s, since_ms / 1000, gain_add, &g, e);
    store_close(s);
    if (!rc)
        view_gain(&g, &c->reference, since_ms, now_ms, body);
    return rc;
}

static int from_daemon(const struct cli_args *a, int64_t since_ms, int64_t now_ms, struct buf *body)
{
    char path[64];
    snprintf(path, sizeof path, "/hob/v1/gain?since=%llds", (long long)((now_ms - since_ms) / 1000));
    struct question q = { .method = "GET", .path = path, .answer_ms = ANSWER_MS };
    return ask_daemon(a, &q, body);
}

static int run(const struct cli_args *a)
{
    struct str since = cli_option_value(a, "--since");
    struct config *c = NULL;
    struct buf body = { 0 };
    struct door door;
    struct err e;
    int64_t now_ms = clock_wall_ms(), since_ms;
    if (!when_parse(since.p ? since : STR("7d"), now_ms, &since_ms)) {
        fprintf(stderr, "hob: --since wants a time, like 12h, 30d or 2026-11-21, not '%.*s'\n", STR_ARG(since));
        return EXIT_USAGE;
    }
    int rc = cli_load_config(a, &c);
    if (rc)
        return rc;
    if (!door_find(a, c, &door, &e) && door.remote) {
        rc = from_daemon(a, since_ms, now_ms, &body);
    } else if (from_store(c, since_ms, now_ms, &body, &e)) {
        cli_error(&e);
        rc = EXIT_FAILED;
    }
    if (!rc)
        rc = cli_flag(a, "--json") ? print_answer(buf_str(&body)) : print_words(buf_str(&body));
    buf_free(&body);
    conf_free(c);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--since", NULL, "WHEN", "from then on: 12h, 30d, 2026-11-21 (default: 7d)" },
    { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_gain = { .name = "gain", .usage = "[--since WHEN] [--json]", .what = "show what was answered here, and what that saved",
    .example = "hob gain --since 30d", .run = run, .options = options };
