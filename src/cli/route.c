/* hob route explain: who would answer a request, in which order, and why. The running daemon says how it is now; without one the configuration is explained, as if
 * every place were up. */
#include "api/explain.h"
#include "api/question.h"

#include "base/clock.h"
#include "cli/ask.h"
#include "cli/assume.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/table.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_MS = 300, ANSWER_MS = 10 * 1000 };

struct explaining {
    const struct cli_args *args;
    struct config *config;
    struct buf body, head;          /* of the request that is explained; head: complete lines */
    bool first, all;                /* what candidates would be sent is shown: the first's, everybody's */
    struct buf out;                 /* the explanation */
};

/* ---- the request ---- */

/* A chat of one message out of the words on the command line. */
static int make_body(struct explaining *x)
{
    struct str model = cli_option_value(x->args, "--model"), image = cli_option_value(x->args, "--image");
    struct json_out o = json_out(&x->body);
    struct buf text = { 0 };
    if (image.n && access(image.p, R_OK)) {
        fprintf(stderr, "hob: %s: %s\n", image.p, strerror(errno));
        return EXIT_FAILED;
    }
    for (size_t i = 1; i < x->args->nwords; i++) {
        if (i > 1)
            buf_add_char(&text, ' ');
        buf_add(&text, x->args->words[i]);
    }
    json_begin_object(&o);
    if (model.n) {
        json_key(&o, STR("model"));
        json_string(&o, model);
    }
    json_key(&o, STR("messages"));
    json_begin_array(&o);
    json_begin_object(&o);
    json_key(&o, STR("role"));
    json_string(&o, STR("user"));
    json_key(&o, STR("content"));
    json_begin_array(&o);
    question_put_text(&o, buf_str(&text));
    if (image.n)
        question_put_image(&o, image); /* the picture itself decides nothing and stays where it is */
    json_end_array(&o);
    json_end_object(&o);
    json_end_array(&o);
    json_end_object(&o);
    buf_free(&text);
    return EXIT_OK;
}

static void put_header(struct explaining *x, struct str name, struct str value)
{
    buf_add(&x->head, name);
    buf_lit(&x->head, ": ");
    buf_add(&x->head, value);
    buf_lit(&x->head, "\r\n");
}

static int make_head(struct explaining *x)
{
    static const struct {
        const char *option, *header;
    } rows[] = { { "--class", "x-hob-class" }, { "--as", "x-hob-as" } };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct str v = cli_option_value(x->args, rows[i].option);
        if (v.n)
            put_header(x, str_of(rows[i].header), v);
    }
    for (size_t i = 0; i < x->args->ngiven; i++) {
        if (strcmp(x->args->given[i].option->name, "--header"))
            continue;
        struct str value, name = str_trim(str_cut(x->args->given[i].value, ':', &value));
        bool ok = name.n && value.p && conf_is_text(x->args->given[i].value) && !memchr(name.p, ' ', name.n);
        if (!ok) {
            fprintf(stderr, "hob: --header wants 'name: value'\n");
            return EXIT_USAGE;
        }
        put_header(x, name, str_trim(value));
    }
    return EXIT_OK;
}

/* ---- who explains ---- */

static int take_answer(struct explaining *x, struct answer *got)
{
    struct json_doc d = { 0 };
    struct err e;
    int rc = EXIT_OK;
    if (got->status == 200) {
        buf_add(&x->out, buf_str(&got->body));
    } else {
        struct str why = json_parse(&d, buf_str(&got->body), &e) ? STR("") : json_str(yyjson_obj_get(yyjson_obj_get(d.root, "error"), "message"));
        fprintf(stderr, "hob: %.*s\n", STR_ARG(why.n ? why : STR("the daemon did not answer as hob does")));
        rc = EXIT_FAILED;
    }
    json_free(&d);
    buf_free(&got->body);
    return rc;
}

/* The head's lines, as a server would have read them; they point into x->head. */
static size_t head_lines(const struct explaining *x, struct http_header *at, size_t room)
{
    struct str rest = buf_str(&x->head);
    size_t n = 0;
    while (rest.n && n < room) {
        struct str value, line = str_cut(rest, '\n', &rest);
        struct str name = str_cut(line, ':', &value);
        at[n++] = (struct http_header){ name, str_trim(value) };
    }
    return n;
}

static int explain_here(struct explaining *x)
{
    struct http_header lines[CLI_MAX_ARGS];
    struct http_headers head = { .at = lines, .n = head_lines(x, lines, COUNTOF(lines)) };
    struct arena a;
    struct err e;
    arena_init(&a);
    struct route_place *at = arena_array(&a, struct route_place, x->config->nmodels + 1);
    time_t now_s = (time_t)(clock_wall_ms() / 1000);
    struct tm local = { 0 };
    localtime_r(&now_s, &local);
    route_assume(x->config, at);
    struct snapshot now = { .at = at, .n = x->config->nmodels, .wall_s = now_s, .utc_offset_s = (int)local.tm_gmtoff };
    struct explain_ask ask = { .config = x->config, .now = &now, .body = buf_str(&x->body), .head = &head, .assumed = true };
    enum err_code rc = explain_request(&ask, &x->out, &e);
    if (rc)
        cli_error(&e);
    arena_fini(&a);
    return rc ? EXIT_FAILED : EXIT_OK;
}

static int ask_around(struct explaining *x)
{
    const char *path = x->all ? "/hob/v1/route/explain?show_body=all" : x->first ? "/hob/v1/route/explain?show_body=first" : "/hob/v1/route/explain";
    struct question q = { .method = "POST", .path = path, .body = buf_str(&x->body), .headers = buf_str(&x->head),
        .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS };
    struct door door;
    struct answer got;
    struct err e;
    enum err_code rc = door_find(x->args, x->config, &door, &e);
    if (!rc)
        rc = door_ask(&door, &q, &got, &e);
    if (!rc)
        return take_answer(x, &got);
    if (door.remote || rc != ERR_UP_REFUSED) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    if (x->first || x->all) {
        fprintf(stderr, "hob: no daemon answers at %s: what a place would be sent only a running one knows\n", door.name);
        return EXIT_NO_DAEMON;
    }
    if (assume_models(&x->config, false, NULL, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    fprintf(stderr, "hob: no daemon answers at %s: this is from the configuration, as if every place were up\n", door.name);
    return explain_here(x);
}

/* ---- for people ---- */

static void put_wait(struct table *t, yyjson_val *c)
{
    char text[32];
    yyjson_val *wait = yyjson_obj_get(c, "wait_ms");
    struct str shut = json_str(yyjson_obj_get(c, "shut"));
    if (shut.n)
        table_cell(t, shut);
    else if (yyjson_get_bool(yyjson_obj_get(c, "asleep")))
        table_cell(t, STR("asleep"));
    else
        table_cell(t, yyjson_is_int(wait) ? yyjson_get_sint(wait) ? show_ms(yyjson_get_sint(wait), text) : STR("none") : STR(""));
}

static void put_why(struct table *t, yyjson_val *c)
{
    struct buf text = { 0 };
    buf_add(&text, json_str(yyjson_obj_get(c, "reason")));
    if (yyjson_get_bool(yyjson_obj_get(c, "redact")))
        buf_lit(&text, "; personal data is replaced on the way");
    if (yyjson_get_bool(yyjson_obj_get(c, "marked")))
        buf_lit(&text, "; personal data goes there as it is");
    table_cell(t, buf_str(&text));
    buf_free(&text);
}

static void put_candidates(yyjson_val *list, bool chain, struct buf *out)
{
    static const char *const heads[][5] = { { "NOT ASKED", "HOST", "STATE", "CODE", "WHY" }, { "MODEL", "HOST", "STATE", "WAIT", "WHY" } };
    struct table t;
    size_t i, n;
    yyjson_val *c;
    if (!yyjson_arr_size(list))
        return;
    table_init(&t, heads[chain], COUNTOF(heads[chain]));
    yyjson_arr_foreach(list, i, n, c) {
        table_cell(&t, json_str(yyjson_obj_get(c, "model")));
        table_cell(&t, json_str(yyjson_obj_get(c, "host")));
        table_cell(&t, json_str(yyjson_obj_get(c, "state")));
        if (chain)
            put_wait(&t, c);
        else
            table_cell(&t, json_str(yyjson_obj_get(c, "code")));
        put_why(&t, c);
    }
    buf_lit(out, "\n");
    table_print(&t, out);
    table_fini(&t);
}

static void put_known(yyjson_val *root, struct buf *out)
{
    static const struct {
        const char *key, *word;
    } yes[] = { { "urgent", "urgent" }, { "fresh", "about what is going on now" }, { "private", "private" } };
    struct str language = json_str(yyjson_obj_get(root, "language")), intent = json_str(yyjson_obj_get(root, "intent"));
    yyjson_val *complexity = yyjson_obj_get(root, "complexity"), *sign;
    size_t i, n;
    buf_printf(out, "about %lld tokens", (long long)yyjson_get_sint(yyjson_obj_get(root, "tokens")));
    if (yyjson_is_num(complexity))
        buf_printf(out, ", complexity %.2f", yyjson_get_num(complexity));
    yyjson_arr_foreach(yyjson_obj_get(root, "signs"), i, n, sign)
        buf_printf(out, "%s%.*s", i ? ", " : " (", STR_ARG(json_str(sign)));
    if (yyjson_arr_size(yyjson_obj_get(root, "signs")))
        buf_lit(out, ")");
    if (language.n)
        buf_printf(out, ", language %.*s", STR_ARG(language));
    if (intent.n)
        buf_printf(out, ", intent %.*s", STR_ARG(intent));
    for (i = 0; i < COUNTOF(yes); i++)
        if (yyjson_get_bool(yyjson_obj_get(root, yes[i].key)))
            buf_printf(out, ", %s", yes[i].word);
    buf_lit(out, "\n");
}

static void put_applies(yyjson_val *root, struct buf *out)
{
    yyjson_val *policy = yyjson_obj_get(root, "policy"), *alias = yyjson_obj_get(root, "alias"), *model;
    struct str verify = json_str(yyjson_obj_get(policy, "verify")), until = json_str(yyjson_obj_get(alias, "deprecated_until"));
    size_t i, n;
    if (until.n)
        buf_printf(out, "'%.*s' is an old name, to be left by %.*s: ask for '%.*s'\n", STR_ARG(json_str(yyjson_obj_get(alias, "name"))), STR_ARG(until),
            STR_ARG(json_str(yyjson_obj_get(alias, "to"))));
    if (yyjson_get_bool(yyjson_obj_get(policy, "background")))
        buf_lit(out, "in the background: uses only what is in memory\n");
    struct str thinking = json_str(yyjson_obj_get(policy, "thinking")), by = json_str(yyjson_obj_get(policy, "thinking_by"));
    if (thinking.n && !str_eq(thinking, STR("off")))
        buf_printf(out, "thinking is %.*s (%.*s)\n", STR_ARG(thinking), STR_ARG(by));
    if (verify.n)
        buf_printf(out, "the answer is checked by %.*s\n", STR_ARG(verify));
    yyjson_arr_foreach(yyjson_obj_get(root, "wake"), i, n, model)
        buf_printf(out, "%.*s is woken meanwhile\n", STR_ARG(json_str(model)));
}

static void put_sent(const struct json_doc *d, yyjson_val *c, struct buf *out)
{
    struct json_member body;
    struct str model = json_str(yyjson_obj_get(c, "model")), host = json_str(yyjson_obj_get(c, "host")), why = json_str(yyjson_obj_get(c, "body_error"));
    if (why.n) {
        fprintf(stderr, "hob: '%.*s' on '%.*s' would be sent nothing: %.*s\n", STR_ARG(model), STR_ARG(host), STR_ARG(why));
    } else if (json_find_member(d, c, STR("body"), &body)) {
        fprintf(stderr, "hob: '%.*s' on '%.*s' would be sent\n", STR_ARG(model), STR_ARG(host));
        buf_add(out, str_make(d->text.p + body.value.at, body.value.end - body.value.at));
        buf_lit(out, "\n");
    }
}

/* A line each, byte by byte as it would leave. */
static int print_bodies(struct str json)
{
    struct json_doc d = { 0 };
    struct buf out = { 0 };
    size_t i, n;
    yyjson_val *c;
    if (read_answer(json, &d))
        return EXIT_FAILED;
    yyjson_arr_foreach(yyjson_obj_get(d.root, "chain"), i, n, c) put_sent(&d, c, &out);
    if (!yyjson_arr_size(yyjson_obj_get(d.root, "chain")))
        fprintf(stderr, "hob: nobody would be asked: %.*s\n", STR_ARG(json_str(yyjson_obj_get(d.root, "reason"))));
    bool any = out.n > 0;
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    json_free(&d);
    return fflush(stdout) || !any ? EXIT_FAILED : EXIT_OK;
}

static int print_lines(struct str json)
{
    struct json_doc d = { 0 };
    struct buf out = { 0 };
    if (read_answer(json, &d))
        return EXIT_FAILED;
    struct str hint = json_str(yyjson_obj_get(yyjson_obj_get(d.root, "error"), "hint"));
    buf_printf(&out, "%.*s\n", STR_ARG(json_str(yyjson_obj_get(d.root, "reason"))));
    if (hint.n)
        buf_printf(&out, "%.*s\n", STR_ARG(hint));
    put_known(d.root, &out);
    put_applies(d.root, &out);
    put_candidates(yyjson_obj_get(d.root, "chain"), true, &out);
    put_candidates(yyjson_obj_get(d.root, "skipped"), false, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    json_free(&d);
    return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

/* ---- the command ---- */

/* What is explained is a refusal: scripts ask for the exit status. */
static bool is_refusal(struct str json)
{
    struct json_doc d = { 0 };
    struct err e;
    bool refused = !json_parse(&d, json, &e) && yyjson_is_obj(yyjson_obj_get(d.root, "error"));
    json_free(&d);
    return refused;
}

static int make_request(struct explaining *x)
{
    struct str file = cli_option_value(x->args, "--body");
    if (file.n && (x->args->nwords > 1 || cli_option_value(x->args, "--model").n || cli_option_value(x->args, "--image").n)) {
        fprintf(stderr, "hob: --body is the whole request: no text, --model or --image beside it\n");
        return EXIT_USAGE;
    }
    if (!file.n && x->args->nwords < 2) {
        fprintf(stderr, "hob: what would be asked? hob route explain [--model M] \"TEXT\", or --body FILE\n");
        return EXIT_USAGE;
    }
    int rc = file.n ? input_read(file.p, &x->body) : make_body(x);
    return rc ? rc : make_head(x);
}

static int print(const struct explaining *x)
{
    if (cli_flag(x->args, "--json"))
        return print_answer(buf_str(&x->out));
    return x->first || x->all ? print_bodies(buf_str(&x->out)) : print_lines(buf_str(&x->out));
}

static int run(const struct cli_args *a)
{
    struct explaining x = { .args = a, .first = cli_flag(a, "--show-body"), .all = cli_flag(a, "--show-bodies") };
    if (!a->nwords || !str_eq(a->words[0], STR("explain"))) {
        fprintf(stderr, "hob: hob route explain [--model M] \"TEXT\"; `hob help route` shows the rest\n");
        return EXIT_USAGE;
    }
    log_set_level(LOG_ERROR); /* whose file is not there is no matter here */
    int rc = make_request(&x);
    if (!rc)
        rc = cli_load_config(a, &x.config);
    if (!rc)
        rc = ask_around(&x);
    if (!rc)
        rc = print(&x);
    if (!rc && is_refusal(buf_str(&x.out)))
        rc = EXIT_FAILED;
    conf_free(x.config);
    buf_free(&x.body);
    buf_free(&x.head);
    buf_free(&x.out);
    return rc;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--model", NULL, "ROLE", "what is asked for: a model, role, tier, old name or auto (default: the role chat)" },
    { "--image", NULL, "FILE", "with a picture" },
    { "--body", NULL, "FILE", "a whole request as JSON; - reads it from stdin" },
    { "--show-body", NULL, NULL, "what the first of them would be sent: the request as it would leave" },
    { "--show-bodies", NULL, NULL, "and each of the others, a line each" },
    { "--class", NULL, "CLASS", "who asks: chat, program or background" },
    { "--as", NULL, "KEY", "with the key of that name" },
    { "--header", NULL, "'K: V'", "a header of the request; may be given several times" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
static const struct cli_sub subs[] = { { "explain", "show who would answer a request, in which order, and why", CLI_WORDS_NONE }, { .name = NULL } };
const struct command cli_route = { .name = "route", .usage = "explain [--model M] \"TEXT\"", .what = "show who would answer a request, and why",
    .example = "hob route explain --model auto \"Compare these two plans\"", .run = run, .options = options, .max_words = CLI_MAX_ARGS - 1, .subs = subs };
