/* What is offered, and what is called of it. A schema is compiled only when its tool is called: agents offer dozens with each request. */
#include "policy/tools.h"

#include "json/schema.h"
#include "policy/schema.h"

#include <stdlib.h>

enum { NAME_SHOWN = 64 };

static int shown(struct str name)
{
    return (int)(name.n < NAME_SHOWN ? name.n : NAME_SHOWN);
}

/* ---- what is asked for ---- */

static struct str name_of(yyjson_val *tool)
{
    yyjson_val *function = yyjson_obj_get(tool, "function");
    return json_str(yyjson_obj_get(function ? function : yyjson_obj_get(tool, "custom"), "name"));
}

static void read_mode(struct str mode, struct tools_wish *w)
{
    if (str_eq(mode, STR("none")))
        w->choice = TOOLS_NONE;
    else if (str_eq(mode, STR("required")) || str_eq(mode, STR("any"))) /* as Mistral has it */
        w->choice = TOOLS_REQUIRED;
}

static void read_choice(yyjson_val *choice, struct tools_wish *w)
{
    yyjson_val *allowed = yyjson_obj_get(choice, "allowed_tools");
    if (yyjson_is_str(choice)) {
        read_mode(json_str(choice), w);
    } else if (allowed) {
        read_mode(json_str(yyjson_obj_get(allowed, "mode")), w);
        w->allowed = yyjson_obj_get(allowed, "tools");
    } else if (name_of(choice).n) {
        w->choice = TOOLS_NAMED;
        w->named = name_of(choice);
    }
}

bool tools_wish_read(yyjson_val *root, struct tools_wish *w)
{
    *w = (struct tools_wish){ .tools = yyjson_obj_get(root, "tools") };
    if (!yyjson_arr_size(w->tools))
        return false;
    read_choice(yyjson_obj_get(root, "tool_choice"), w);
    w->one = yyjson_is_false(yyjson_obj_get(root, "parallel_tool_calls"));
    return true;
}

static yyjson_val *find(yyjson_val *tools, struct str name)
{
    size_t i, n;
    yyjson_val *tool;
    yyjson_arr_foreach(tools, i, n, tool) {
        if (str_eq(name_of(tool), name))
            return tool;
    }
    return NULL;
}

static yyjson_val *offered(const struct tools_wish *w, struct str name)
{
    if (!name.n || (w->allowed && !find(w->allowed, name)))
        return NULL;
    return find(w->tools, name);
}

/* Others than functions that a place has itself (a search, a shell): its calls may have a form of their own. */
static bool offers_others(const struct tools_wish *w)
{
    size_t i, n;
    yyjson_val *tool;
    yyjson_arr_foreach(w->tools, i, n, tool) {
        if (!yyjson_obj_get(tool, "function"))
            return true;
    }
    return false;
}

static enum err_code check_tool(yyjson_val *tool, size_t i, struct err *e)
{
    bool function = yyjson_obj_get(tool, "function") || yyjson_equals_str(yyjson_obj_get(tool, "type"), "function");
    if (yyjson_is_obj(tool) && (!function || name_of(tool).n))
        return ERR_OK;
    err_set(e, ERR_INVALID_REQUEST, "tools[%zu]%s.", i, yyjson_is_obj(tool) ? " is a function without a name: `function: {name}`" : " must be an object");
    return err_param(e, "tools[%zu]", i);
}

static size_t size_of(const struct json_doc *d, yyjson_val *in, const char *key)
{
    struct json_member m;
    return yyjson_is_obj(in) && json_find_member(d, in, str_of(key), &m) ? m.value.end - m.value.at : 0;
}

/* What a model calls is checked against its parameters, on the loop. */
static enum err_code check_sizes(const struct json_doc *d, yyjson_val *tools, struct err *e)
{
    size_t i, n, all = size_of(d, d->root, "tools");
    yyjson_val *tool;
    if (all > TOOLS_MOST_BYTES) {
        err_set(e, ERR_INVALID_REQUEST, "'tools' has %zu bytes; at most %d are taken.", all, TOOLS_MOST_BYTES);
        return err_param(e, "tools");
    }
    yyjson_arr_foreach(tools, i, n, tool) {
        size_t one = all > SCHEMA_MOST_BYTES ? size_of(d, yyjson_obj_get(tool, "function"), "parameters") : 0;
        if (one <= SCHEMA_MOST_BYTES)
            continue;
        err_set(e, ERR_INVALID_REQUEST, "The parameters of tools[%zu] have %zu bytes; at most %d are taken.", i, one, SCHEMA_MOST_BYTES);
        return err_param(e, "tools[%zu]", i);
    }
    return ERR_OK;
}

enum err_code tools_ask_check(const struct json_doc *d, struct err *e)
{
    yyjson_val *root = d->root;
    struct tools_wish w = { .tools = yyjson_obj_get(root, "tools") };
    size_t i, n;
    yyjson_val *tool;
    if (yyjson_arr_size(w.tools) && check_sizes(d, w.tools, e))
        return ERR_INVALID_REQUEST;
    yyjson_arr_foreach(w.tools, i, n, tool) {
        if (check_tool(tool, i, e))
            return ERR_INVALID_REQUEST;
    }
    read_choice(yyjson_obj_get(root, "tool_choice"), &w);
    if (w.choice == TOOLS_NAMED && !find(w.tools, w.named))
        err_set(e, ERR_INVALID_REQUEST, "'tool_choice' names '%.*s', which is not among the 'tools'.", shown(w.named), w.named.p);
    else if (w.choice == TOOLS_REQUIRED && !yyjson_arr_size(w.tools))
        err_set(e, ERR_INVALID_REQUEST, "'tool_choice' wants a tool to be called, and there are no 'tools'.");
    else
        return ERR_OK;
    return err_param(e, "tool_choice");
}

/* ---- for the model ---- */

static void remark_names(const struct tools_wish *w, struct buf *to)
{
    enum { MOST = 32 };
    size_t i, n, put = 0;
    yyjson_val *tool;
    buf_lit(to, " The tools are: ");
    yyjson_arr_foreach(w->allowed ? w->allowed : w->tools, i, n, tool) {
        if (i == MOST) /* each is looked for among all */
            break;
        if (offered(w, name_of(tool)))
            buf_printf(to, "%s%.*s", put++ ? ", " : "", STR_ARG(name_of(tool)));
    }
    buf_lit(to, ".");
}

/* ---- one call ---- */

static enum err_code wrong_arguments(const struct tool_call *c, size_t at, struct str why, struct buf *remark, struct err *e)
{
    if (remark)
        buf_printf(remark, "The arguments of '%.*s' are wrong: %.*s. Call it again, with arguments that fit its schema.", shown(c->name), c->name.p, STR_ARG(why));
    err_set(e, ERR_SCHEMA_UNMET, "the arguments of its call %zu, of '%.*s', are wrong: %.*s", at, shown(c->name), c->name.p, (int)(why.n < 180 ? why.n : 180), why.p);
    return err_hint(e, "Ask a stronger model, or let `policy: {tools: pass}` hand such calls on.");
}

/* Schemas of tools that have been called: one may be called a hundred times, and its schema be as large as a request. */
struct known {
    struct known_tool {
        yyjson_val *tool;
        struct schema *schema;      /* NULL: it is none, */
        struct err why;             /* and why */
    } *at;                          /* room for one of each call */
    size_t n;
};

static struct schema *compile(struct known *k, yyjson_val *tool, yyjson_val *parameters, bool formats, struct err *why)
{
    struct schema_options o = { .formats = formats };
    size_t i = 0;
    while (i < k->n && k->at[i].tool != tool)
        i++;
    if (i == k->n) {
        k->at[k->n++].tool = tool;
        if (schema_compile(parameters, &o, &k->at[i].schema, &k->at[i].why))
            k->at[i].schema = NULL;
    }
    *why = k->at[i].why;
    return k->at[i].schema;
}

static void forget(struct known *k)
{
    for (size_t i = 0; i < k->n; i++)
        schema_free(k->at[i].schema);
    free(k->at);
}

static enum err_code fits(const struct schema *s, yyjson_val *arguments, const struct tool_call *c, size_t at, struct buf *remark, struct err *e)
{
    struct schema_fault fault;
    struct buf why = { 0 };
    if (schema_check(s, arguments, &fault))
        return ERR_OK;
    schema_fault_write(&fault, &why);
    wrong_arguments(c, at, buf_str(&why), remark, e);
    buf_free(&why);
    return e->code;
}

/* Without parameters whatever object is given will do. What is no schema is the caller's affair, unless it says that the model has to keep to it. */
static enum err_code fits_tool(yyjson_val *tool, yyjson_val *arguments, const struct tool_call *c, size_t at, bool formats, struct known *k, struct buf *remark, struct err *e)
{
    yyjson_val *function = yyjson_obj_get(tool, "function"), *parameters = yyjson_obj_get(function, "parameters");
    struct err why;
    if (!parameters || yyjson_is_null(parameters))
        return ERR_OK;
    const struct schema *s = compile(k, tool, parameters, formats, &why);
    if (!s && why.code == ERR_INVALID_REQUEST && yyjson_is_true(yyjson_obj_get(function, "strict"))) {
        err_set(e, why.code, "`parameters` of the tool '%.*s' are no schema, and it is `strict`: %.150s", shown(c->name), c->name.p, why.text);
        return err_param(e, "tools");
    }
    return s ? fits(s, arguments, c, at, remark, e) : ERR_OK;
}

static bool is_blank(struct str s)
{
    return !str_trim(s).n;
}

static enum err_code check_arguments(yyjson_val *tool, const struct tool_call *c, size_t at, bool formats, struct known *k, struct buf *remark, struct err *e)
{
    struct json_doc d = { 0 };
    struct err why;
    if (yyjson_obj_get(tool, "custom")) /* any text */
        return ERR_OK;
    if (json_parse(&d, is_blank(c->arguments) ? STR("{}") : c->arguments, &why))
        return wrong_arguments(c, at, str_of(why.text), remark, e);
    enum err_code rc = yyjson_is_obj(d.root) ? fits_tool(tool, d.root, c, at, formats, k, remark, e) : wrong_arguments(c, at, STR("they are no object"), remark, e);
    json_free(&d);
    return rc;
}

static enum err_code unknown(const struct tools_wish *w, const struct tool_call *c, struct buf *remark, struct err *e)
{
    if (remark) {
        buf_printf(remark, "There is no tool '%.*s'.", shown(c->name), c->name.n ? c->name.p : "");
        remark_names(w, remark);
        buf_lit(remark, " Answer again.");
    }
    err_set(e, ERR_TOOL_UNMET, "it called '%.*s', which is none of the tools that it may call", shown(c->name), c->name.n ? c->name.p : "");
    return err_hint(e, "Ask a stronger model, or let `policy: {tools: pass}` hand such calls on.");
}

static enum err_code check_call(const struct tools_wish *w, const struct tool_call *c, size_t at, bool formats, struct known *k, struct buf *remark, struct err *e)
{
    yyjson_val *tool = offered(w, c->name);
    if (!c->name.n && offers_others(w))
        return ERR_OK;
    if (!tool || (w->choice == TOOLS_NAMED && !str_eq(c->name, w->named)))
        return unknown(w, c, remark, e);
    return check_arguments(tool, c, at, formats, k, remark, e);
}

/* ---- all of them ---- */

static enum err_code missing(const struct tools_wish *w, struct buf *remark, struct err *e)
{
    bool named = w->choice == TOOLS_NAMED;
    if (remark && named) {
        buf_printf(remark, "The tool '%.*s' has to be called now, whatever else there is to say. Call it.", shown(w->named), w->named.p);
    } else if (remark) {
        buf_lit(remark, "A tool has to be called now, whatever else there is to say.");
        remark_names(w, remark);
    }
    err_set(e, ERR_TOOL_UNMET, "it called no tool, and %s%.*s%s had to be called", named ? "'" : "one", named ? shown(w->named) : 0, named ? w->named.p : "", named ? "'" : "");
    return err_hint(e, "Ask a stronger model, or leave `tool_choice` away.");
}

static enum err_code unwanted(const struct tool_call *c, struct buf *remark, struct err *e)
{
    if (remark)
        buf_lit(remark, "No tool may be called now. Answer in words.");
    err_set(e, ERR_TOOL_UNMET, "it called '%.*s', and `tool_choice` is none", shown(c->name), c->name.n ? c->name.p : "");
    return err_hint(e, "Offer no tools where none may be called.");
}

static enum err_code too_many(size_t n, struct buf *remark, struct err *e)
{
    if (remark)
        buf_lit(remark, "Only one tool may be called at a time. Call the one that comes first, alone.");
    err_set(e, ERR_TOOL_UNMET, "it made %zu calls, and `parallel_tool_calls` is false", n);
    return err_hint(e, "Ask a stronger model, or let `policy: {tools: pass}` hand such calls on.");
}

enum err_code tools_check(const struct tools_wish *w, const struct tool_call *calls, size_t n, bool formats, struct buf *remark, struct err *e)
{
    if (!n)
        return w->choice == TOOLS_REQUIRED || w->choice == TOOLS_NAMED ? missing(w, remark, e) : ERR_OK;
    if (w->choice == TOOLS_NONE)
        return unwanted(&calls[0], remark, e);
    if (w->one && n > 1)
        return too_many(n, remark, e);
    enum err_code rc = ERR_OK;
    struct known k = { .at = calloc(n, sizeof *k.at) };
    if (!k.at)
        die("out of memory for tools");
    for (size_t i = 0; i < n && !rc; i++)
        rc = check_call(w, &calls[i], i, formats, &k, remark, e);
    forget(&k);
    return rc;
}

void tools_draft(struct str content, const struct tool_call *calls, size_t n, struct buf *out)
{
    buf_add(out, content);
    for (size_t i = 0; i < n; i++) {
        struct json_out o = json_out(out);
        if (out->n)
            buf_add_char(out, '\n');
        json_begin_object(&o);
        json_key(&o, STR("name"));
        json_string(&o, calls[i].name);
        json_key(&o, STR("arguments"));
        json_string(&o, calls[i].arguments);
        json_end_object(&o);
    }
    if (!out->n)
        buf_lit(out, "(nothing)");
}
