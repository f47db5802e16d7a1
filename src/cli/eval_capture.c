/* hob eval capture ROLE: a few of the asks that the daemon keeps of a role, as a suite that waits to be labelled. It lists them (admin/captured.c), draws by what the
 * list says (evidence/sample.h), and asks for the texts of those alone. --status: what is kept. --forget: all of a role, now. */
#include "cli/ask.h"
#include "cli/eval.h"
#include "cli/numbers.h"
#include "cli/table.h"
#include "evidence/sample.h"
#include "evidence/suite.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 60 * 1000, AT_A_TIME = 50 };

static struct str text_at(yyjson_val *obj, const char *key)
{
    struct str s = json_str(yyjson_obj_get(obj, key));
    return s.p ? s : STR("");
}

static int64_t number_at(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : -1;
}

static bool flag_at(yyjson_val *obj, const char *key)
{
    return yyjson_is_true(yyjson_obj_get(obj, key));
}

/* ---- the daemon ---- */

static void put_percent(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        buf_printf(to, plain ? "%c" : "%%%02X", c);
    }
}

/* body keeps the text that d points into. */
static int ask(const struct cli_args *a, const char *method, struct str path, struct str with, struct buf *body, struct json_doc *d)
{
    struct buf whole = { 0 };
    struct err e;
    buf_add(&whole, path);
    buf_add_char(&whole, 0);
    struct question q = { .method = method, .path = whole.p, .body = with, .answer_ms = ANSWER_MS };
    int code = ask_daemon(a, &q, body);
    buf_free(&whole);
    if (!code && json_parse(d, buf_str(body), &e)) {
        cli_error(&e);
        code = EXIT_FAILED;
    }
    return code;
}

static int ask_list(const struct cli_args *a, struct str role, struct str more, struct buf *body, struct json_doc *d)
{
    struct buf path = { 0 };
    buf_lit(&path, "/hob/v1/captured");
    if (role.n) {
        buf_lit(&path, "?role=");
        put_percent(&path, role);
        buf_add(&path, more);
    }
    int code = ask(a, "GET", buf_str(&path), STR(""), body, d);
    buf_free(&path);
    return code;
}

/* ---- --status ---- */

static void print_status(yyjson_val *roles)
{
    static const char *const heads[] = { "ROLE", "SHARE", "KEPT", "MOST", "SIZE", "OLDEST", "EACH FOR", "ALL GONE" };
    struct buf out = { 0 };
    struct table t;
    size_t i, n;
    yyjson_val *r;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(roles, i, n, r) {
        char share[24] = "off", size[32], keep[32] = "";
        if (flag_at(r, "capturing"))
            snprintf(share, sizeof share, "%g%%", yyjson_get_num(yyjson_obj_get(r, "share")) * 100);
        table_cell(&t, text_at(r, "role"));
        table_cell(&t, str_of(share));
        table_int(&t, number_at(r, "kept"));
        table_int(&t, number_at(r, "most"));
        table_cell(&t, show_bytes(number_at(r, "bytes"), size));
        table_cell(&t, text_at(r, "oldest"));
        table_cell(&t, number_at(r, "keep_ms") < 0 ? STR("") : show_ms(number_at(r, "keep_ms"), keep));
        table_cell(&t, text_at(r, "all_over"));
    }
    table_print(&t, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    table_fini(&t);
}

static int status(const struct cli_args *a)
{
    struct buf body = { 0 };
    struct json_doc d = { 0 };
    int code = ask_list(a, STR(""), STR(""), &body, &d);
    yyjson_val *roles = yyjson_obj_get(d.root, "roles");
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&body));
    else if (!code && !yyjson_arr_size(roles))
        fprintf(stderr, "hob: no role keeps asks, and none are kept. In hob.yaml: `roles: {chat: {model: …, capture: {share: 100%%, keep: 7d, most: 500}}}`\n");
    else if (!code)
        print_status(roles);
    json_free(&d);
    buf_free(&body);
    return code;
}

/* ---- --forget ---- */

static int forget(const struct cli_args *a, struct str role)
{
    struct buf body = { 0 }, with = { 0 };
    struct json_doc d = { 0 };
    struct json_out o = json_out(&with);
    json_begin_object(&o);
    json_key(&o, STR("role"));
    json_string(&o, role);
    json_end_object(&o);
    int code = ask(a, "POST", STR("/hob/v1/captured/forget"), buf_str(&with), &body, &d);
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&body));
    else if (!code)
        fprintf(stderr, "hob: %lld asks of the role '%.*s' are gone\n", (long long)number_at(d.root, "forgotten"), STR_ARG(role));
    json_free(&d);
    buf_free(&body);
    buf_free(&with);
    return code;
}

/* ---- a suite of some of them ---- */

struct drawing {
    const struct cli_args *args;
    struct str role;
    int64_t n, seed;
    struct arena memory;
    struct buf body;            /* the list; d points into it */
    struct json_doc d;
    yyjson_val *info;           /* the role's, of the list */
    struct sample sample;
    int64_t *at;                /* of those drawn */
    struct suite_case *cases;
    size_t ncases, left_out;
};

/* Nothing there: why, and what to write. */
static int say_none(const struct drawing *w)
{
    bool on = flag_at(w->info, "capturing");
    if (!flag_at(w->info, "known")) {
        fprintf(stderr, "hob: there is no role '%.*s': `hob models` has them\n", STR_ARG(w->role));
        return EXIT_USAGE;
    }
    if (on) {
        fprintf(stderr, "hob: the role '%.*s' keeps its asks, and there are none yet: ask it something, and come back\n", STR_ARG(w->role));
        return EXIT_FAILED;
    }
    fprintf(stderr, "hob: the role '%.*s' keeps no asks. Write into hob.yaml, and say `hob config reload`:\n", STR_ARG(w->role));
    fprintf(stderr, "  roles:\n    %.*s:\n      capture: {share: 100%%, keep: 7d, most: 500}\n", STR_ARG(w->role));
    fprintf(stderr, "Its asks are kept from then on, with personal data replaced, for so long and never more.\n");
    return EXIT_USAGE;
}

static int list(struct drawing *w)
{
    int code = ask_list(w->args, w->role, STR(""), &w->body, &w->d);
    if (code)
        return code;
    w->info = yyjson_arr_get_first(yyjson_obj_get(w->d.root, "roles"));
    return yyjson_arr_size(yyjson_obj_get(w->d.root, "asks")) ? EXIT_OK : say_none(w);
}

/* Where its place has not said how long the prompt was, by its bytes. */
static int64_t tokens_of(yyjson_val *ask)
{
    int64_t tokens = number_at(ask, "input_tokens");
    return tokens >= 0 ? tokens : number_at(ask, "bytes") / 4;
}

static void draw(struct drawing *w)
{
    yyjson_val *all = yyjson_obj_get(w->d.root, "asks"), *v;
    size_t i, n, count = yyjson_arr_size(all);
    struct sample_ask *asks = arena_array(&w->memory, struct sample_ask, count + 1);
    int64_t *at = arena_array(&w->memory, int64_t, count + 1);
    yyjson_arr_foreach(all, i, n, v) {
        asks[i] = (struct sample_ask){ .caller = text_at(v, "caller"), .model = text_at(v, "model"), .stream = flag_at(v, "stream"), .tools = flag_at(v, "tools"),
            .schema = flag_at(v, "schema"), .tokens = tokens_of(v), .print = (int64_t)strtoull(text_at(v, "print").p, NULL, 16) };
        at[i] = number_at(v, "at");
    }
    sample_draw(asks, count, (size_t)w->n, (uint64_t)w->seed, &w->memory, &w->sample);
    w->at = arena_array(&w->memory, int64_t, w->sample.n + 1);
    for (i = 0; i < w->sample.n; i++)
        w->at[i] = at[w->sample.drawn[i]];
}

/* ---- from an ask to a case ---- */

static struct str json_of(struct drawing *w, yyjson_val *v)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    if (!v)
        return STR("");
    json_value(&o, v);
    struct str s = arena_copy(&w->memory, buf_str(&text));
    buf_free(&text);
    return s;
}

static struct str copy_at(struct drawing *w, yyjson_val *obj, const char *key)
{
    return arena_copy(&w->memory, text_at(obj, key));
}

static bool is_plain(yyjson_val *m, const char *role)
{
    return str_eq(text_at(m, "role"), str_of(role)) && text_at(m, "content").n && yyjson_obj_size(m) == 2;
}

/* [system,] user: the texts alone, which is what people read and mend. */
static void take_messages(struct drawing *w, yyjson_val *messages, struct suite_case *c)
{
    size_t n = yyjson_arr_size(messages);
    yyjson_val *first = yyjson_arr_get_first(messages), *last = yyjson_arr_get_last(messages);
    bool system = n == 2 && is_plain(first, "system");
    if ((n == 1 || system) && is_plain(last, "user")) {
        c->input = copy_at(w, last, "content");
        c->system = system ? copy_at(w, first, "content") : STR("");
        return;
    }
    c->messages = json_of(w, messages);
}

static double number_or_none(yyjson_val *ask, const char *key, double most)
{
    yyjson_val *v = yyjson_obj_get(ask, key);
    double d = yyjson_get_num(v);
    return yyjson_is_num(v) && d >= 0 && d <= most ? d : NAN;
}

static struct suite_texts texts_of(struct drawing *w, yyjson_val *v)
{
    size_t i, n, count = yyjson_is_str(v) ? 1 : yyjson_arr_size(v);
    struct str *at = arena_array(&w->memory, struct str, count + 1);
    yyjson_val *item;
    if (yyjson_is_str(v))
        at[0] = arena_copy(&w->memory, json_str(v));
    yyjson_arr_foreach(v, i, n, item)
        at[i] = arena_copy(&w->memory, json_str(item));
    return (struct suite_texts){ at, count };
}

/* The first call, where there are any; arguments that are no JSON are shown as text. */
static void take_answer(struct drawing *w, yyjson_val *answer, struct suite_case *c)
{
    yyjson_val *call = yyjson_arr_get_first(yyjson_obj_get(answer, "calls"));
    struct str arguments = text_at(call, "arguments");
    struct json_doc d = { 0 };
    struct err e;
    c->has_answered = true;
    c->answered.text = copy_at(w, answer, "text");
    c->answered.tool = copy_at(w, call, "name");
    if (!arguments.n || json_parse(&d, arguments, &e))
        c->answered.text = arguments.n && !c->answered.text.n ? arena_copy(&w->memory, arguments) : c->answered.text;
    else
        c->answered.arguments = json_of(w, d.root);
    json_free(&d);
}

static struct suite_texts tags_of(struct drawing *w, yyjson_val *v)
{
    struct str *at = arena_array(&w->memory, struct str, 5);
    size_t n = 0;
    at[n++] = STR("captured");
    at[n++] = str_of(sample_length(tokens_of(v)));
    if (flag_at(v, "stream"))
        at[n++] = STR("stream");
    if (flag_at(v, "tools"))
        at[n++] = STR("tools");
    if (flag_at(v, "schema"))
        at[n++] = STR("schema");
    return (struct suite_texts){ at, n };
}

static struct suite_case case_of(struct drawing *w, yyjson_val *v)
{
    yyjson_val *ask = yyjson_obj_get(v, "ask");
    int64_t most = number_at(ask, "max_tokens");
    struct suite_case c = { .strict = true, .repeat = 1 };
    c.id = copy_at(w, v, "id");
    take_messages(w, yyjson_obj_get(ask, "messages"), &c);
    c.tools = json_of(w, yyjson_obj_get(ask, "tools"));
    c.tool_choice = json_of(w, yyjson_obj_get(ask, "tool_choice"));
    c.schema = json_of(w, yyjson_obj_get(ask, "schema"));
    c.strict = !c.schema.n || flag_at(ask, "strict");
    c.max_tokens = most > 0 && most <= 1000000 ? most : 0;
    c.temperature = number_or_none(ask, "temperature", 2);
    c.top_p = number_or_none(ask, "top_p", 1);
    c.stop = texts_of(w, yyjson_obj_get(ask, "stop"));
    c.thinking = copy_at(w, ask, "thinking");
    c.tags = tags_of(w, v);
    take_answer(w, yyjson_obj_get(ask, "answer"), &c);
    c.answered_by = copy_at(w, v, "model");
    return c;
}

/* A suite is to be read again, whatever somebody has once asked: what cannot be put into a case is left out, and that is said. */
static bool can_be_read(const struct suite_case *c)
{
    struct suite one = { .name = STR("one"), .margin = 0.05, .cases = c, .ncases = 1 }, *again = NULL;
    struct buf yaml = { 0 };
    struct err e;
    suite_write(&one, &yaml);
    bool fine = !suite_read(STR("one"), buf_str(&yaml), SUITE_YAML, &again, &e);
    suite_free(again);
    buf_free(&yaml);
    return fine;
}

static int take_some(struct drawing *w, size_t from, size_t n)
{
    struct buf more = { 0 }, body = { 0 };
    struct json_doc d = { 0 };
    size_t i, count;
    yyjson_val *v;
    buf_lit(&more, "&at=");
    for (i = 0; i < n; i++)
        buf_printf(&more, "%s%lld", i ? "," : "", (long long)w->at[from + i]);
    int code = ask_list(w->args, w->role, buf_str(&more), &body, &d);
    if (!code)
        yyjson_arr_foreach(yyjson_obj_get(d.root, "asks"), i, count, v) {
            struct suite_case c = case_of(w, v);
            if (can_be_read(&c))
                w->cases[w->ncases++] = c;
            else
                w->left_out++;
        }
    json_free(&d);
    buf_free(&body);
    buf_free(&more);
    return code;
}

static int take_texts(struct drawing *w)
{
    int code = EXIT_OK;
    w->cases = arena_array(&w->memory, struct suite_case, w->sample.n + 1);
    for (size_t from = 0; from < w->sample.n && !code; from += AT_A_TIME)
        code = take_some(w, from, w->sample.n - from < AT_A_TIME ? w->sample.n - from : AT_A_TIME);
    return code;
}

/* ---- what comes of it ---- */

static void write_suite(struct drawing *w, struct buf *yaml)
{
    char day[16] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (gmtime_r(&now, &tm))
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    struct suite s = { .margin = 0.05, .cases = w->cases, .ncases = w->ncases };
    s.name = arena_printf(&w->memory, "%.*s-captured", STR_ARG(w->role));
    s.description = arena_printf(&w->memory, "%zu of %lld asks of the role %.*s, drawn on %s with seed %lld; personal data that was found in them is replaced by placeholders", w->ncases,
        (long long)number_at(w->info, "kept"), STR_ARG(w->role), day, (long long)w->seed);
    suite_write(&s, yaml);
}

/* For the user alone: it is what people have asked. What is there stays. */
static int write_file(struct str path, struct str text)
{
    errno = 0;
    int fd = open(path.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    bool whole = f && fwrite(text.p, 1, text.n, f) == text.n;
    whole = f && fclose(f) == 0 && whole;
    if (fd < 0 && errno == EEXIST)
        fprintf(stderr, "hob: %s is there already, and stays: name another file with -o, or remove it\n", path.p);
    else if (!whole)
        fprintf(stderr, "hob: %s cannot be written%s%s\n", path.p, errno ? ": " : "", errno ? strerror(errno) : "");
    return whole ? EXIT_OK : EXIT_FAILED;
}

static void print_json(const struct drawing *w, struct str file, struct str yaml)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("role"));
    json_string(&o, w->role);
    json_key(&o, STR("kept"));
    json_int(&o, number_at(w->info, "kept"));
    json_key(&o, STR("alike"));
    json_int(&o, (int64_t)w->sample.alike);
    json_key(&o, STR("drawn"));
    json_int(&o, (int64_t)w->ncases);
    json_key(&o, STR("left_out"));
    json_int(&o, (int64_t)w->left_out);
    json_key(&o, STR("seed"));
    json_int(&o, w->seed);
    json_key(&o, STR("strata"));
    json_begin_array(&o);
    for (size_t i = 0; i < w->sample.nstrata; i++) {
        const struct sample_stratum *s = &w->sample.strata[i];
        json_begin_object(&o);
        json_key(&o, STR("name"));
        json_string(&o, s->name);
        json_key(&o, STR("there"));
        json_int(&o, (int64_t)s->there);
        json_key(&o, STR("drawn"));
        json_int(&o, (int64_t)s->drawn);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_key(&o, STR("next_over"));
    json_string_or_null(&o, text_at(w->info, "next_over"));
    json_key(&o, STR("all_over"));
    json_string_or_null(&o, text_at(w->info, "all_over"));
    json_key(&o, STR("file"));
    json_string_or_null(&o, file);
    json_key(&o, STR("suite"));
    json_string_or_null(&o, file.n ? STR("") : yaml);
    json_end_object(&o);
    print_answer(buf_str(&out));
    buf_free(&out);
}

static void say(const struct drawing *w, struct str file)
{
    struct buf out = { 0 };
    size_t absent = 0;
    buf_printf(&out, "hob: %zu of %lld asks of the role '%.*s'", w->ncases, (long long)number_at(w->info, "kept"), STR_ARG(w->role));
    if (w->sample.alike)
        buf_printf(&out, " (%zu of them repeat another, and do not count)", w->sample.alike);
    buf_lit(&out, ":\n");
    for (size_t i = 0; i < w->sample.nstrata; i++) {
        const struct sample_stratum *s = &w->sample.strata[i];
        if (s->drawn)
            buf_printf(&out, "  %4zu of %-5zu %.*s\n", s->drawn, s->there, STR_ARG(s->name));
        absent += !s->drawn;
    }
    if (absent)
        buf_printf(&out, "  %zu kinds more are not in it: --n %zu has one of each\n", absent, w->sample.nstrata);
    if (w->left_out)
        buf_printf(&out, "  %zu could not be put into a case and are left out\n", w->left_out);
    buf_printf(&out, "They are kept until %.*s (the first goes at %.*s), the suite as long as you keep it.\n", STR_ARG(text_at(w->info, "all_over")), STR_ARG(text_at(w->info, "next_over")));
    if (file.n)
        buf_printf(&out, "Next: hob eval label %.*s\n", STR_ARG(file));
    fwrite(out.p, 1, out.n, stderr);
    buf_free(&out);
}

static int finish(struct drawing *w)
{
    struct str file = cli_option_value(w->args, "--output");
    struct buf yaml = { 0 };
    bool json = cli_flag(w->args, "--json");
    write_suite(w, &yaml);
    int code = file.n ? write_file(file, buf_str(&yaml)) : EXIT_OK;
    if (!code && json)
        print_json(w, file, buf_str(&yaml));
    else if (!code && !file.n && (fwrite(yaml.p, 1, yaml.n, stdout) != yaml.n || fflush(stdout)))
        code = EXIT_FAILED;
    if (!code && !json)
        say(w, file);
    buf_free(&yaml);
    return code;
}

static int capture(const struct cli_args *a, struct str role)
{
    struct drawing w = { .args = a, .role = role, .n = 20, .seed = 1 };
    int code = option_count(a, "--n", 1, 10000, &w.n);
    if (!code)
        code = option_count(a, "--seed", 0, INT64_MAX, &w.seed);
    if (code)
        return code;
    arena_init(&w.memory);
    code = list(&w);
    if (!code)
        draw(&w);
    if (!code)
        code = take_texts(&w);
    if (!code && !w.ncases) {
        fprintf(stderr, "hob: none of them is there any more, or can be put into a case\n");
        code = EXIT_FAILED;
    }
    if (!code)
        code = finish(&w);
    json_free(&w.d);
    buf_free(&w.body);
    arena_fini(&w.memory);
    return code;
}

/* hob eval capture [ROLE] [--n N] [--seed N] [-o FILE] | --status | --forget */
int eval_capture(const struct cli_args *a, const struct str *words, size_t n)
{
    struct str role = n ? words[0] : (struct str){ NULL, 0 };
    if (cli_flag(a, "--status"))
        return status(a);
    if (!role.n) {
        fprintf(stderr, "hob: hob eval capture ROLE [--n 20] [-o FILE] | capture ROLE --forget | capture --status\n");
        return EXIT_USAGE;
    }
    return cli_flag(a, "--forget") ? forget(a, role) : capture(a, role);
}
