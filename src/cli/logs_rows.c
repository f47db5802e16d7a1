/* Rows about requests, read from the store beside a running daemon and without one; over $HOB_URL from the daemon there. */
#include "cli/logs.h"

#include "admin/requests.h"
#include "base/clock.h"
#include "cli/ask.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 250, ANSWER_MS = 60 * 1000 };

struct showing {
    const struct cli_args *args;
    struct requests_wish wish;
    bool json, story;
    bool from_now;              /* what was before is not shown */
    bool closed;                /* nobody reads what we print */
    size_t shown;
    int64_t last_at;
};

/* ---- a row on a line ---- */

static const struct column {
    const char *head;
    size_t width;               /* what is longer takes its room */
} columns[] = { { "TIME", 19 }, { "ID", 32 }, { "CALLER", 10 }, { "ASKED", 14 }, { "MODEL", 14 }, { "HOST", 10 }, { "STATUS", 6 }, { "TOKENS", 11 },
    { "FIRST", 8 }, { "TOTAL", 8 }, { "FAULT", 0 } };

/* Control characters are not for a terminal; characters are counted, not bytes. */
static void put_cell(struct buf *out, size_t at, struct str text)
{
    size_t width = 0;
    text = text.n ? text : STR("-");
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_add_char(out, c < ' ' || c == 0x7f ? '?' : (char)c);
        width += (c & 0xc0) != 0x80;
    }
    for (; at + 1 < COUNTOF(columns) && width < columns[at].width + 2; width++)
        buf_add_char(out, ' ');
    if (at + 1 < COUNTOF(columns) && out->p[out->n - 1] != ' ')
        buf_lit(out, "  ");
    if (at + 1 == COUNTOF(columns))
        buf_add_char(out, '\n');
}

static struct str took(yyjson_val *ms, char out[32])
{
    double v = yyjson_is_num(ms) ? yyjson_get_num(ms) : -1;
    out[0] = 0;
    if (v >= 0)
        snprintf(out, 32, v < 1000 ? "%.0f ms" : "%.1f s", v < 1000 ? v : v / 1000);
    return str_of(out);
}

static struct str in_and_out(yyjson_val *tokens, char out[32])
{
    yyjson_val *in = yyjson_obj_get(tokens, "input"), *made = yyjson_obj_get(tokens, "output");
    out[0] = 0;
    if (yyjson_is_int(in) || yyjson_is_int(made))
        snprintf(out, 32, "%lld/%lld", (long long)yyjson_get_sint(in), (long long)yyjson_get_sint(made));
    return str_of(out);
}

void logs_time(yyjson_val *row, char out[32])
{
    int64_t ms;
    time_t s;
    struct tm tm;
    struct str text = json_str(yyjson_obj_get(row, "time"));
    char whole[32];
    snprintf(whole, sizeof whole, "%.*sZ", (int)(text.n > 19 ? 19 : text.n), text.n ? text.p : "");
    out[0] = 0;
    if (when_parse(str_of(whole), 0, &ms) && (s = (time_t)(ms / 1000), localtime_r(&s, &tm)))
        strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

static void put_line(struct buf *out, yyjson_val *row)
{
    char time[32], tokens[32], first[32], total[32], status[16], fault[160];
    struct str whose = json_str(yyjson_obj_get(row, "fault")), code = json_str(yyjson_obj_get(row, "code"));
    logs_time(row, time);
    snprintf(status, sizeof status, "%lld", (long long)yyjson_get_sint(yyjson_obj_get(row, "status")));
    snprintf(fault, sizeof fault, whose.n ? "%.*s: %.*s" : "", STR_ARG(whose), STR_ARG(code));
    const struct str cells[COUNTOF(columns)] = { str_of(time), json_str(yyjson_obj_get(row, "id")), json_str(yyjson_obj_get(row, "caller")),
        json_str(yyjson_obj_get(row, "asked")), json_str(yyjson_obj_get(row, "model")), json_str(yyjson_obj_get(row, "host")), str_of(status),
        in_and_out(yyjson_obj_get(row, "tokens"), tokens), took(yyjson_obj_get(row, "ttft_ms"), first), took(yyjson_obj_get(row, "total_ms"), total),
        str_of(fault) };
    for (size_t i = 0; i < COUNTOF(columns); i++)
        put_cell(out, i, cells[i]);
}

static void put_heads(struct buf *out)
{
    for (size_t i = 0; i < COUNTOF(columns); i++)
        put_cell(out, i, str_of(columns[i].head));
}

/* ---- showing ---- */

static void print(struct showing *s, const struct buf *out)
{
    s->closed = s->closed || fwrite(out->p, 1, out->n, stdout) != out->n;
}

static void show_row(struct showing *s, yyjson_val *row)
{
    struct buf out = { 0 };
    if (s->story) {
        if (s->shown)
            buf_add_char(&out, '\n');
        logs_story(row, &out);
    } else {
        if (!s->shown)
            put_heads(&out);
        put_line(&out, row);
    }
    s->shown++;
    print(s, &out);
    buf_free(&out);
}

static void on_row(void *ctx, const struct request_row *r)
{
    struct showing *s = ctx;
    struct json_doc d = { 0 };
    struct buf json = { 0 };
    struct err e;
    s->last_at = r->at;
    view_request(r, &json);
    if (s->json) {
        buf_add_char(&json, '\n');
        print(s, &json);
        s->shown++;
    } else if (!json_parse(&d, buf_str(&json), &e)) {
        show_row(s, d.root);
    }
    json_free(&d);
    buf_free(&json);
}

static int flush(struct showing *s)
{
    s->closed = fflush(stdout) != 0 || s->closed;
    if (s->closed)
        fprintf(stderr, "hob: stdout cannot be written\n");
    return s->closed ? EXIT_FAILED : EXIT_OK;
}

static bool is_choosy(const struct requests_wish *w)
{
    return w->since_ms || w->faults || w->model.n || w->caller.n;
}

static int nothing(const struct showing *s)
{
    if (s->shown)
        return EXIT_OK;
    if (s->story)
        fprintf(stderr, "hob: there is no row about a request '%.*s'\n", STR_ARG(s->wish.id));
    else if (!s->json && is_choosy(&s->wish))
        fprintf(stderr, "hob: no such request is written down\n");
    else if (!s->json)
        fprintf(stderr, "hob: no request is written down yet\n");
    return s->story ? EXIT_FAILED : EXIT_OK;
}

/* ---- from the store ---- */

static enum err_code read_rows(struct showing *s, struct str state, struct store **store, struct err *e)
{
    enum err_code rc = *store ? ERR_OK : store_open_to_read(state, store, e);
    return rc || !*store ? rc : requests_read(*store, &s->wish, on_row, s, e);
}

/* Until whoever reads it has gone. */
static enum err_code follow(struct showing *s, struct str state, struct store **store, struct err *e)
{
    enum err_code rc = ERR_OK;
    while (!rc && !s->closed && !fflush(stdout)) {
        struct pollfd out = { .fd = STDOUT_FILENO };
        if (poll(&out, 1, LOOK_MS) > 0 && (out.revents & (POLLERR | POLLNVAL)))
            break;
        s->wish.after = s->last_at ? s->last_at : s->wish.after;
        s->wish.last = 0;
        rc = read_rows(s, state, store, e);
    }
    return rc;
}

static int from_store(struct showing *s, struct str state)
{
    struct store *store = NULL;
    struct err e;
    bool follows = cli_flag(s->args, "--follow");
    enum err_code rc = s->from_now ? ERR_OK : read_rows(s, state, &store, &e);
    if (!rc && follows)
        rc = follow(s, state, &store, &e);
    store_close(store);
    if (rc)
        cli_error(&e);
    return rc ? EXIT_FAILED : follows ? EXIT_OK : flush(s) ? EXIT_FAILED : nothing(s);
}

/* ---- from a daemon elsewhere ---- */

static void put_wish(struct buf *path, const char *key, struct str value)
{
    if (!value.p)
        return;
    buf_printf(path, "%c%s=", str_find(buf_str(path), STR("?")) < 0 ? '?' : '&', key);
    for (size_t i = 0; i < value.n; i++)
        buf_printf(path, "%%%02x", (unsigned)(unsigned char)value.p[i]);
}

static int show_answer(struct showing *s, struct str body)
{
    struct json_doc d = { 0 };
    size_t i, n;
    yyjson_val *row;
    if (read_answer(body, &d))
        return EXIT_FAILED;
    yyjson_arr_foreach(yyjson_obj_get(d.root, "rows"), i, n, row) {
        struct buf line = { 0 };
        struct json_out o = json_out(&line);
        if (!s->json) {
            show_row(s, row);
            continue;
        }
        json_value(&o, row);
        buf_add_char(&line, '\n');
        print(s, &line);
        buf_free(&line);
        s->shown++;
    }
    json_free(&d);
    return flush(s) ? EXIT_FAILED : nothing(s);
}

static int from_daemon(struct showing *s, int64_t lines)
{
    struct buf path = { 0 }, body = { 0 };
    char n[24];
    snprintf(n, sizeof n, "%lld", (long long)lines);
    if (cli_flag(s->args, "--follow")) {
        fprintf(stderr, "hob: -f works on the daemon's own machine, without HOB_URL\n");
        return EXIT_USAGE;
    }
    buf_lit(&path, "/hob/v1/logs");
    put_wish(&path, "n", lines > 10000 ? STR("all") : str_of(n));
    put_wish(&path, "since", cli_option_value(s->args, "--since"));
    put_wish(&path, "faults", cli_flag(s->args, "--faults") ? STR("1") : (struct str){ NULL, 0 });
    put_wish(&path, "caller", s->wish.caller);
    put_wish(&path, "model", s->wish.model);
    put_wish(&path, "id", s->wish.id);
    buf_add_char(&path, 0);
    struct question q = { .method = "GET", .path = path.p, .answer_ms = ANSWER_MS };
    int rc = ask_daemon(s->args, &q, &body);
    if (!rc)
        rc = show_answer(s, buf_str(&body));
    buf_free(&path);
    buf_free(&body);
    return rc;
}

/* ---- the command ---- */

static int make_wish(struct showing *s, int64_t lines)
{
    const struct cli_args *a = s->args;
    struct str since = cli_option_value(a, "--since");
    s->wish = (struct requests_wish){ .caller = cli_option_value(a, "--caller"), .model = cli_option_value(a, "--model"), .faults = cli_flag(a, "--faults"),
        .id = a->nwords ? a->words[0] : STR(""), .last = lines < INT64_MAX ? (size_t)lines : 0 };
    s->json = cli_flag(a, "--json");
    s->story = a->nwords && !s->json;
    if (since.p && !when_parse(since, clock_wall_ms(), &s->wish.since_ms)) {
        fprintf(stderr, "hob: --since wants a time, like 2h, 7d, 2026-11-21 or 2026-11-21T14:30, not '%.*s'\n", STR_ARG(since));
        return EXIT_USAGE;
    }
    s->from_now = !lines;
    if (s->from_now)
        s->wish.after = clock_wall_ms() * 1024;
    return EXIT_OK;
}

int logs_rows(const struct cli_args *a, int64_t lines)
{
    struct showing s = { .args = a };
    struct config *c = NULL;
    struct door door;
    struct err e;
    int rc = make_wish(&s, lines);
    if (!rc)
        rc = cli_load_config(a, &c);
    if (rc)
        return rc;
    bool there = door_find(a, c, &door, &e) == ERR_OK && door.remote;
    rc = there ? from_daemon(&s, lines) : from_store(&s, c->state);
    conf_free(c);
    return rc;
}
