/* The reference as a page to read: doc/api.md, `hob api`. Prose is only what no table can say. */
#include "api/reference.h"
#include "api/reference_int.h"

#include <stdio.h>

static const char *const head =
    "# API\n"
    "\n"
    "Printed by `hob api` from the tables that the program goes by: do not edit, run `scripts/doc-api`. `GET /openapi.json` and `hob api --json` say\n"
    "the same as an OpenAPI 3.1 document. [guide/clients.md](guide/clients.md) shows how it is used, [guide/errors.md](guide/errors.md) what to do about\n"
    "an error.\n"
    "\n"
    "- A client's base URL is the address hob listens on, with `/v1` behind it. HEAD works wherever GET does.\n"
    "- Bodies are JSON, read strictly: UTF-8, no key twice, no depth over 64. The media type of a request is not looked at; a body that is coded\n"
    "  (`Content-Encoding`) is refused.\n"
    "- Where the operator has set keys ([guide/keys.md](guide/keys.md)), one goes into `Authorization: Bearer` or `x-api-key`, never into the address.\n"
    "- `null` counts as absent. Lengths of texts are in characters.\n"
    "- A host gets the body as it came, but for the model's name and, in a stream, the wish for usage. For an engine of ours it is built anew: fields are\n"
    "  *passed* on, *written* by hob itself, or *dropped*; what is dropped, and any field that is not in the table, is named in `x-hob-dropped`.\n";

static const char *const streams =
    "\n## Streams\n"
    "\n"
    "With `stream: true` the answer is `text/event-stream`: `data: ` and a JSON object ([ChatChunk](#chatchunk), or [Completion](#completion)), a blank\n"
    "line, and so on; at the end `data: [DONE]`.\n"
    "\n"
    "- While nothing has come for a while (10 s), comments (`: waiting`) show that somebody is there.\n"
    "- The event with `finish_reason` carries `_routing`; with `stream_options: {\"include_usage\": true}` one more event has `usage` and no choices.\n"
    "- Before the first content a failure is an ordinary error, or another place is asked. After it, it is an event that holds an [Error](#error), and the\n"
    "  end, without `[DONE]`.\n";

static void put_table_head(struct buf *to, const char *cells, size_t n)
{
    buf_printf(to, "\n| %s |\n|", cells);
    for (size_t i = 0; i < n; i++)
        buf_lit(to, "---|");
    buf_add_char(to, '\n');
}

/* ---- routes ---- */

static void put_routes(struct buf *to)
{
    const struct route *t;
    buf_lit(to, "\n## Routes\n");
    put_table_head(to, "route | | key | asks with | answers with", 5);
    for (size_t i = 0; (t = route_at(i)); i++) {
        buf_printf(to, "| `%s %s%s` | %s | %s | ", t->method, t->path, route_takes_name(t) ? "ID" : "", t->what, t->needs == NEEDS_NOTHING ? "" : "yes");
        if (t->request)
            type_put_words(to, t->request);
        buf_lit(to, " | ");
        if (strchr(t->answer, '/'))
            buf_printf(to, "`%s`", t->answer);
        else
            type_put_words(to, t->answer);
        if (t->event)
            buf_lit(to, ", or a [stream](#streams)");
        if (t->unready && strcmp(t->unready, t->answer) != 0) {
            buf_lit(to, ", or ");
            type_put_words(to, t->unready);
        }
        buf_lit(to, " |\n");
    }
}

/* ---- requests ---- */

static const struct {
    unsigned bit;
    const char *word;
} types[] = {
    { FIELD_BOOL, "boolean" },  { FIELD_INT, "integer" }, { FIELD_NUMBER, "number" },
    { FIELD_STRING, "string" }, { FIELD_ARRAY, "list" },  { FIELD_OBJECT, "object" },
};

static void put_types(struct buf *to, const struct field *f)
{
    const char *inside = field_inside(f);
    bool first = true;
    if (inside) {
        type_put_words(to, inside);
        return;
    }
    for (size_t i = 0; i < COUNTOF(types); i++) {
        if (!(f->types & types[i].bit))
            continue;
        buf_printf(to, "%s%s", first ? "" : " or ", types[i].word);
        first = false;
    }
}

static void put_range(struct buf *to, const struct field *f)
{
    if ((f->min == 0 && f->max == 0) || (field_inside(f) && field_inside(f)[0] == '='))
        return;
    struct json_out o = json_out(to);
    json_double(&o, f->min, 3);
    buf_lit(to, " to ");
    o.comma = false;
    json_double(&o, f->max, 3);
    if (f->types & FIELD_STRING)
        buf_lit(to, " characters");
    if (f->types & FIELD_ARRAY)
        buf_printf(to, "%s items", f->types & FIELD_STRING ? " or" : "");
}

static void put_field(struct buf *to, const struct field *f, bool required)
{
    buf_printf(to, "| `%s`%s | ", f->name, required ? ", required" : "");
    put_types(to, f);
    buf_lit(to, " | ");
    put_range(to, f);
    buf_printf(to, " | %s | %s |\n", field_child_word(f), f->what);
}

static void put_request(struct buf *to, const struct route *t)
{
    const struct field *f;
    buf_printf(to, "\n### %s\n\n`%s %s`\n", t->request, t->method, t->path);
    put_table_head(to, "field | type | range | engine of ours | meaning", 5);
    for (int wanted = 1; wanted >= 0; wanted--) /* what is required first */
        for (size_t i = 0; (f = field_at(i)); i++)
            if (f->tasks & 1u << route_task(t) && field_is_required(f, route_task(t)) == wanted)
                put_field(to, f, wanted);
}

static void put_requests(struct buf *to)
{
    const struct route *t;
    buf_lit(to, "\n## Requests\n");
    for (size_t i = 0; (t = route_at(i)); i++)
        if (t->body != BODY_NONE)
            put_request(to, t);
}

/* ---- objects, headers, errors ---- */

static void put_objects(struct buf *to)
{
    const struct member *m;
    buf_lit(to, "\n## Objects\n\n\"Always\" is what hob promises of its own. What a host answers goes on as it came, with the model's name and `_routing` put in, so it may have more\n"
                "members or fewer.\n");
    for (size_t i = 0; (m = member_at(i)); i++) {
        if (!m->name) {
            buf_printf(to, "\n### %s\n\n%s\n", m->shape, m->what);
            put_table_head(to, "member | type | always | meaning", 4);
            continue;
        }
        buf_printf(to, "| `%s` | ", m->name);
        type_put_words(to, m->type);
        buf_printf(to, " | %s | %s |\n", m->always ? "yes" : "", m->what);
    }
}

static void put_headers(struct buf *to)
{
    const struct header_row *h;
    buf_lit(to, "\n## Headers\n");
    put_table_head(to, "header | with | always | meaning", 4);
    for (size_t i = 0; (h = header_at(i)); i++) {
        const char *with = h->on & ON_METHOD ? "405" : !(h->on & ON_ERROR) ? "answers" : h->on & ON_ANSWER ? "answers, errors" : "errors";
        buf_printf(to, "| `%s` | %s | %s | %s |\n", h->name, with, h->always ? "yes" : "", h->what);
    }
}

static const char *where(enum err_code code)
{
    if (error_is_of(code, ERRORS_ANY))
        return "every route";
    if (error_is_of(code, ERRORS_KEY))
        return "routes that want a key";
    return error_is_of(code, ERRORS_ASK) ? "requests to a model" : "no route of its own";
}

static void put_errors(struct buf *to)
{
    const char *last = "";
    buf_lit(to, "\n## Errors\n\nThe answer is an [Error](#error). [guide/errors.md](guide/errors.md) says what each one means and what to do about it.\n");
    put_table_head(to, "code | status | type | fault | may retry | from", 6);
    for (unsigned c = ERR_OK + 1; c < ERR_COUNT; c++) {
        const struct err_row *row = err_row((enum err_code)c);
        if (strcmp(row->code, last) == 0 || c == ERR_CALLER_GONE || c == ERR_CONFIG || c == ERR_UPGRADE) /* one code, several rows; no answers */
            continue;
        last = row->code;
        buf_printf(to, "| `%s` | %d | `%s` | %s | %s | %s |\n", row->code, row->http, row->type, fault_name(row->fault), row->retry ? "yes" : "no",
            where((enum err_code)c));
    }
}

void reference_put_page(struct buf *to)
{
    buf_add(to, str_of(head));
    put_routes(to);
    put_requests(to);
    put_objects(to);
    buf_add(to, str_of(streams));
    put_headers(to);
    put_errors(to);
}
