/* hob run: asks a model from the terminal. The answer streams to stdout; how it was routed goes to stderr. On a terminal and without a prompt it is
 * a small chat that remembers what was said. */
#include "api/question.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "http/client.h"
#include "http/sse.h"
#include "json/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROMPT_MAX_BYTES = 8 * 1024 * 1024, EVENT_MAX_BYTES = 4 * 1024 * 1024, CONNECT_MS = 5000 };

struct talk {
    struct loop *loop;
    struct http_pool *pool;
    struct http_call *call;
    struct sse *sse;
    struct json_scratch scratch;
    struct buf messages;          /* of the conversation so far: JSON objects, comma separated */
    struct buf body, headers, in; /* in: an answer that is no stream */
    struct str pieces[1];
    struct buf answer, routing;   /* the whole text; `_routing` as JSON */
    bool json, thinking, newline;
    bool on_terminal;             /* stdout is one: what a model says must not steer it */
    bool chats;
    int status, exit_code;
    char finish[24];
};

static void print(struct str s)
{
    if (s.n)
        fwrite(s.p, 1, s.n, stdout);
}

/* A model's words. On a terminal without its control sequences: an answer may hold what somebody wanted it to. */
static void print_words(const struct talk *t, struct str s)
{
    size_t begun = 0;
    for (size_t i = 0; t->on_terminal && i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool c1 = c == 0xC2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xA0;
        if (!c1 && (c >= ' ' || c == '\n' || c == '\t') && c != 127)
            continue;
        print(str_make(s.p + begun, i - begun));
        print(STR("?"));
        i += c1;
        begun = i + 1;
    }
    print(str_from(s, begun));
}

static void show_error(struct talk *t, struct str body)
{
    struct json_doc d = { 0 };
    struct err e;
    t->exit_code = EXIT_FAILED;
    if (t->newline)
        fputc('\n', stdout);
    t->newline = false;
    fflush(stdout);
    if (t->json)
        printf("%.*s\n", STR_ARG(body));
    struct str message = { NULL, 0 };
    if (!json_parse(&d, body, &e))
        message = json_str(yyjson_obj_get(yyjson_obj_get(d.root, "error"), "message"));
    fprintf(stderr, "hob: %.*s\n", STR_ARG(message.n ? message : body));
    if (t->status == 401)
        fprintf(stderr, "hob: set HOB_KEY to a key of that daemon\n");
    json_free(&d);
}

static void take_routing(struct talk *t, yyjson_val *routing)
{
    if (!routing)
        return;
    struct json_out o = json_out(&t->routing);
    json_value(&o, routing);
}

static void take_text(struct talk *t, struct str text, bool thought)
{
    if (!text.n)
        return;
    if (!t->json && thought != t->thinking) {
        print(thought ? STR("(thinking) ") : STR("\n\n"));
        t->thinking = thought;
    }
    if (!thought)
        buf_add(&t->answer, text);
    if (t->json)
        return;
    print_words(t, text);
    if (fflush(stdout)) { /* nobody reads: no need to go on */
        t->exit_code = EXIT_FAILED;
        loop_stop(t->loop);
    }
    t->newline = text.p[text.n - 1] != '\n';
}

static void on_event(void *ctx, struct str event, struct str data)
{
    struct talk *t = ctx;
    struct json_doc d;
    struct err e;
    (void)event;
    if (str_eq(data, STR("[DONE]")) || json_parse_fast(&d, data, &t->scratch, &e))
        return;
    if (yyjson_obj_get(d.root, "error")) {
        show_error(t, data);
    } else {
        yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(d.root, "choices")), *delta = yyjson_obj_get(choice, "delta");
        take_text(t, json_str(yyjson_obj_get(delta, "reasoning_content")), true);
        take_text(t, json_str(yyjson_obj_get(delta, "content")), false);
        struct str finish = json_str(yyjson_obj_get(choice, "finish_reason"));
        if (finish.n)
            snprintf(t->finish, sizeof t->finish, "%.*s", STR_ARG(finish));
        take_routing(t, yyjson_obj_get(d.root, "_routing"));
    }
    json_free(&d);
}

static void on_head(void *ctx, const struct http_answer *a)
{
    struct talk *t = ctx;
    t->status = a->status;
}

static void on_body(void *ctx, struct str bytes)
{
    struct talk *t = ctx;
    struct err e;
    if (t->status != 200)
        buf_add(&t->in, bytes);
    else if (sse_feed(t->sse, bytes, &e))
        t->exit_code = EXIT_FAILED;
}

/* `chat -> smollm2 on local, ttft 0.12 s, 61 tok/s` */
static void print_routing(struct talk *t, struct str asked)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, buf_str(&t->routing), &e))
        return;
    /* The first token's time is the prompt's. An answer that came at once has no speed of its own: then all of it counts. */
    double total = yyjson_get_num(yyjson_obj_get(d.root, "latency_ms")), first = yyjson_get_num(yyjson_obj_get(d.root, "ttft_ms"));
    int64_t tokens = yyjson_get_sint(yyjson_obj_get(yyjson_obj_get(d.root, "tokens"), "output"));
    struct str model = json_str(yyjson_obj_get(d.root, "model")), host = json_str(yyjson_obj_get(d.root, "host"));
    struct str fallback = json_str(yyjson_obj_get(d.root, "fallback"));
    fprintf(stderr, "%.*s -> %.*s on %.*s, ttft %.2f s", STR_ARG(asked), STR_ARG(model), STR_ARG(host), first / 1000);
    if (tokens > 1 && total - first > 1)
        fprintf(stderr, ", %.0f tok/s", (double)(tokens - 1) * 1000 / (total - first));
    else if (tokens > 0 && total > 0)
        fprintf(stderr, ", %.0f tok/s", (double)tokens * 1000 / total);
    if (fallback.n)
        fprintf(stderr, ", fallback %.*s", STR_ARG(fallback));
    if (str_eq(str_of(t->finish), STR("length")))
        fprintf(stderr, ", cut at its token limit");
    fputc('\n', stderr);
    json_free(&d);
}

static void print_json(struct talk *t)
{
    struct buf line = { 0 };
    struct json_out o = json_out(&line);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("answer"));
    json_string(&o, buf_str(&t->answer));
    json_key(&o, STR("finish_reason"));
    json_string(&o, str_of(t->finish));
    json_key(&o, STR("routing"));
    if (t->routing.n)
        json_raw(&o, buf_str(&t->routing));
    else
        json_null(&o);
    json_end_object(&o);
    printf("%.*s\n", STR_ARG(buf_str(&line)));
    buf_free(&line);
}

static void on_done(void *ctx, enum err_code rc, const struct err *e)
{
    struct talk *t = ctx;
    t->call = NULL;
    loop_stop(t->loop);
    if (rc == ERR_UP_REFUSED && !t->status) {
        fprintf(stderr, "hob: the daemon does not answer: %s\nhob: start it with `hob serve`, or set HOB_URL\n", e->text);
        t->exit_code = EXIT_NO_DAEMON;
    } else if (rc) {
        fprintf(stderr, "%shob: %s\n", t->newline ? "\n" : "", e->text);
        t->exit_code = EXIT_FAILED;
    } else if (t->status != 200) {
        show_error(t, buf_str(&t->in));
    }
}

static const struct http_call_ops ops = { on_head, on_body, on_done };

static void add_message(struct talk *t, const char *role, struct str content)
{
    if (t->messages.n)
        buf_add_char(&t->messages, ',');
    struct json_out o = json_out(&t->messages);
    question_put_message(&o, role, content);
}

static void make_body(struct talk *t, struct str model)
{
    t->body.n = 0;
    struct json_out o = json_out(&t->body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, model);
    json_key(&o, STR("stream"));
    json_bool(&o, true);
    json_key(&o, STR("messages"));
    json_begin_array(&o);
    json_raw(&o, buf_str(&t->messages));
    json_end_array(&o);
    json_end_object(&o);
    t->pieces[0] = buf_str(&t->body);
}

static void make_headers(struct talk *t, const struct door *at)
{
    buf_lit(&t->headers, "Content-Type: application/json\r\nUser-Agent: hob/" HOB_VERSION "\r\nx-hob-class: chat\r\n");
    daemon_put_key(at, &t->headers);
}

static void on_interrupt(void *ctx, int signum)
{
    struct talk *t = ctx;
    (void)signum;
    t->exit_code = EXIT_FAILED;
    loop_stop(t->loop);
}

/* One request and its answer, which ends up in t->answer. */
static int ask(struct talk *t, const struct door *at, struct str model)
{
    char target[600];
    struct err e;
    snprintf(target, sizeof target, "%.*s/v1/chat/completions", STR_ARG(at->prefix));
    struct http_pool_opts opts = { .max_idle = 0, .idle_ms = 1000, .connect_ms = CONNECT_MS };
    make_body(t, model);
    t->answer.n = t->routing.n = t->in.n = 0;
    t->status = t->exit_code = 0;
    t->thinking = t->newline = false;
    t->loop = loop_new();
    if (http_pool_open(t->loop, &at->target, &opts, &t->pool, &e)) {
        loop_free(t->loop);
        cli_error(&e);
        return t->exit_code = EXIT_USAGE;
    }
    t->sse = sse_new(EVENT_MAX_BYTES, on_event, t);
    struct http_request r = { .method = STR("POST"), .path = str_of(target), .headers = buf_str(&t->headers), .body = t->pieces, .pieces = 1 };
    if (t->chats)
        loop_on_signal(t->loop, SIGINT, on_interrupt, t); /* ends the answer, not the chat */
    t->call = http_call_start(t->pool, &r, &ops, t);
    loop_run(t->loop);
    http_call_cancel(t->call);
    t->call = NULL;
    http_pool_free(t->pool);
    loop_free(t->loop);
    sse_free(t->sse);
    if (t->newline)
        fputc('\n', stdout);
    fflush(stdout);
    return t->exit_code;
}

/* All of stdin, behind whatever prompt was given as words. */
static bool read_stdin(struct buf *prompt)
{
    char part[16384];
    size_t n;
    if (isatty(STDIN_FILENO))
        return true;
    bool first = prompt->n > 0;
    while ((n = fread(part, 1, sizeof part, stdin)) > 0) {
        if (first)
            buf_lit(prompt, "\n\n");
        first = false;
        buf_add(prompt, str_make(part, n));
        if (prompt->n > PROMPT_MAX_BYTES)
            return false;
    }
    return true;
}

/* False after an error that has been told. */
static bool read_prompt(const struct cli_args *a, struct buf *prompt)
{
    for (size_t i = 1; i < a->nwords; i++) {
        if (i > 1)
            buf_add_char(prompt, ' ');
        buf_add(prompt, a->words[i]);
    }
    if (!read_stdin(prompt)) {
        fprintf(stderr, "hob: the prompt on stdin is longer than %d MiB\n", PROMPT_MAX_BYTES / (int)MIB);
        return false;
    }
    if (prompt->n || isatty(STDIN_FILENO))
        return true;
    fprintf(stderr, "hob: no prompt. Give one as words, or on stdin: hob run chat \"Say hello\"\n");
    return false;
}

static int ask_once(struct talk *t, const struct door *at, struct str model, struct str prompt)
{
    add_message(t, "user", prompt);
    int rc = ask(t, at, model);
    if (!rc && t->json)
        print_json(t);
    if (!rc && !t->json)
        print_routing(t, model);
    return rc;
}

/* Until Ctrl-D or /bye. What got no answer is forgotten, so that it can be asked again. */
static int chat(struct talk *t, const struct door *at, struct str model)
{
    char *line = NULL;
    size_t room = 0;
    t->chats = true;
    fprintf(stderr, "chat with %.*s: /clear forgets what was said, Ctrl-C ends an answer, /bye or Ctrl-D the chat\n", STR_ARG(model));
    for (;;) {
        fputs("> ", stderr);
        ssize_t n = getline(&line, &room, stdin);
        struct str said = n > 0 ? str_trim(str_make(line, (size_t)n)) : STR("/bye");
        if (str_eq(said, STR("/bye")))
            break;
        if (str_eq(said, STR("/clear")))
            t->messages.n = 0;
        if (!said.n || str_eq(said, STR("/clear")))
            continue;
        size_t before = t->messages.n;
        add_message(t, "user", said);
        int rc = ask(t, at, model);
        if (rc == EXIT_NO_DAEMON) {
            free(line);
            return rc;
        }
        if (rc && !t->answer.n) {
            t->messages.n = before;
            continue;
        }
        add_message(t, "assistant", buf_str(&t->answer));
        if (!rc)
            print_routing(t, model);
    }
    fputc('\n', stderr);
    free(line);
    return EXIT_OK;
}

static int run(const struct cli_args *a)
{
    struct config *c = NULL;
    struct buf prompt = { 0 };
    struct talk t = { .json = cli_flag(a, "--json"), .on_terminal = isatty(STDOUT_FILENO) };
    struct door at;
    struct str model = a->nwords ? a->words[0] : STR("chat");
    struct err e;
    int rc = cli_load_config(a, &c);
    if (!rc && !read_prompt(a, &prompt))
        rc = EXIT_USAGE;
    if (!rc && daemon_find(c, &at, &e)) {
        cli_error(&e);
        rc = EXIT_USAGE;
    }
    if (!rc) {
        make_headers(&t, &at);
        rc = prompt.n ? ask_once(&t, &at, model, buf_str(&prompt)) : chat(&t, &at, model);
    }
    wipe(t.headers.p, t.headers.n); /* a key may be in it */
    struct buf *all[] = { &prompt, &t.messages, &t.body, &t.headers, &t.in, &t.answer, &t.routing };
    for (size_t i = 0; i < COUNTOF(all); i++)
        buf_free(all[i]);
    json_scratch_free(&t.scratch);
    conf_free(c);
    return rc;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--json", NULL, NULL, "one JSON object at the end: answer, finish_reason, routing" },
    CLI_END,
};
const struct command cli_run = {
    "run", "[MODEL] [PROMPT]", "ask a model, role or tier (default: chat); the prompt may come on stdin; without one: a small chat", "hob run chat \"Why is the sky blue?\"", run, options, false, 63,
    .words = CLI_WORDS_NAMES };
