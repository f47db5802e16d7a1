/* The whole story of one request, a line for each step of its way. */
#include "cli/logs.h"

#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>

/* What to do about it, by whose fault it was; errors.md has a row for each code. */
static const struct {
    const char *fault, *hint;
} hints[] = {
    { "caller", "The request itself has to change; asking again as it is will end the same." },
    { "gateway", "hob itself would not or could not: its configuration, its limits, or the machine's." },
    { "backend", "The place failed: `hob ps` shows its state, `hob logs --model NAME` what an engine on this machine said." },
    { "model", "The model's answer was not usable: another model, or another prompt." },
    { "harness", "The caller asks in a way that cannot go well, like all at once before anything is loaded." },
};

static void line(struct buf *out, const char *head, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void line(struct buf *out, const char *head, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    str_mask_controls(text, strlen(text));
    buf_printf(out, "  %-10s%s\n", head, text);
}

static struct str text_of(yyjson_val *row, const char *key)
{
    return json_str(yyjson_obj_get(row, key));
}

static bool is_true(yyjson_val *row, const char *key)
{
    return yyjson_get_bool(yyjson_obj_get(row, key));
}

/* "12 ms", "3.4 s"; NULL when it is not known, or nothing. */
static const char *took(yyjson_val *row, const char *key, char out[32])
{
    yyjson_val *v = yyjson_obj_get(row, key);
    double ms = yyjson_is_num(v) ? yyjson_get_num(v) : 0;
    if (ms <= 0)
        return NULL;
    snprintf(out, 32, ms < 10 ? "%.1f ms" : ms < 1000 ? "%.0f ms" : "%.1f s", ms < 1000 ? ms : ms / 1000);
    return out;
}

static void tell_asked(struct buf *out, yyjson_val *row)
{
    char size[32], who[160];
    struct str caller = text_of(row, "caller"), asked = text_of(row, "asked"), own = text_of(row, "client_id"), class = text_of(row, "class");
    yyjson_val *bytes = yyjson_obj_get(row, "bytes_in");
    snprintf(who, sizeof who, caller.n ? "%.*s, class " : "%.*sclass ", STR_ARG(caller));
    show_bytes(yyjson_is_int(bytes) ? yyjson_get_sint(bytes) : 0, size);
    line(out, "asked", "%s%.*s%s by %s%.*s; %s%s", asked.n ? "'" : "no name", STR_ARG(asked), asked.n ? "'" : "", who, STR_ARG(class), size,
        is_true(row, "stream") ? ", streamed" : "");
    if (own.n)
        line(out, "known as", "%.*s", STR_ARG(own));
    if (is_true(row, "private"))
        line(out, "private", "%s", is_true(row, "redacted") ? "yes; what was found was replaced" : "yes");
}

static void tell_decided(struct buf *out, yyjson_val *row)
{
    struct str role = text_of(row, "role"), tier = text_of(row, "tier"), reason = text_of(row, "reason");
    yyjson_val *complexity = yyjson_obj_get(row, "complexity");
    if (reason.n)
        line(out, "decided", "%.*s", STR_ARG(reason));
    if (role.n || tier.n)
        line(out, "by", "%s%.*s%s%s%.*s", role.n ? "role " : "", STR_ARG(role), role.n && tier.n ? ", " : "", tier.n ? "tier " : "", STR_ARG(tier));
    if (yyjson_is_num(complexity))
        line(out, "judged", "%.2f of 1 hard", yyjson_get_num(complexity));
}

static void tell_way(struct buf *out, yyjson_val *row)
{
    size_t i, n;
    yyjson_val *try;
    char queue[32], load[32];
    struct str model = text_of(row, "model");
    bool failed = text_of(row, "fault").n;
    yyjson_arr_foreach(yyjson_obj_get(row, "chain"), i, n, try)
        line(out, "tried", "%.*s on %.*s: %.*s", STR_ARG(text_of(try, "model")), STR_ARG(text_of(try, "host")), STR_ARG(text_of(try, "error")));
    if (!failed && text_of(row, "evidence").n)
        line(out, "seen", "%.*s", STR_ARG(text_of(row, "evidence")));
    if (took(row, "queue_ms", queue))
        line(out, "waited", "%s in line", queue);
    if (yyjson_get_sint(yyjson_obj_get(row, "others")) > 0)
        line(out, "beside", "%lld other requests there", (long long)yyjson_get_sint(yyjson_obj_get(row, "others")));
    if (took(row, "load_ms", load))
        line(out, "loaded", "%s until the model was in memory", load);
    if (model.n && !failed)
        line(out, "answered", "%.*s on %.*s%s", STR_ARG(model), STR_ARG(text_of(row, "host")), is_true(row, "remote") ? ", elsewhere" : "");
}

static void tell_figures(struct buf *out, yyjson_val *row)
{
    char money[32];
    char first[32], total[32];
    yyjson_val *tokens = yyjson_obj_get(row, "tokens"), *in = yyjson_obj_get(tokens, "input"), *made = yyjson_obj_get(tokens, "output");
    yyjson_val *cached = yyjson_obj_get(tokens, "cached"), *thought = yyjson_obj_get(tokens, "reasoning"), *cost = yyjson_obj_get(row, "cost");
    if (took(row, "ttft_ms", first))
        line(out, "first", "words after %s", first);
    if (took(row, "total_ms", total))
        line(out, "took", "%s in all", total);
    if (yyjson_is_int(in) || yyjson_is_int(made))
        line(out, "tokens", "%lld in (%lld of them cached), %lld out (%lld of them thoughts)", (long long)yyjson_get_sint(in),
            (long long)yyjson_get_sint(cached), (long long)yyjson_get_sint(made), (long long)yyjson_get_sint(thought));
    if (str_eq(text_of(row, "finish"), STR("length")))
        line(out, "ended", "by its length: it was allowed no more");
    if (yyjson_is_num(cost))
        line(out, "cost", "%s", show_money(yyjson_get_num(cost), money).p);
    else if (is_true(row, "remote"))
        line(out, "cost", "unknown: neither the model nor its host has a `price:`");
    if (text_of(row, "verify").n)
        line(out, "checked", "%.*s", STR_ARG(text_of(row, "verify")));
}

static void tell_blame(struct buf *out, yyjson_val *row)
{
    struct str fault = text_of(row, "fault"), evidence = text_of(row, "evidence");
    if (!fault.n)
        return;
    line(out, "blame", "%.*s, %.*s", STR_ARG(fault), STR_ARG(text_of(row, "code")));
    if (evidence.n)
        line(out, "seen", "%.*s", STR_ARG(evidence));
    for (size_t i = 0; i < COUNTOF(hints); i++)
        if (str_eq(fault, str_of(hints[i].fault)))
            line(out, "hint", "%s", hints[i].hint);
}

void logs_story(yyjson_val *row, struct buf *out)
{
    char time[32];
    logs_time(row, time);
    buf_printf(out, "%.*s  %s  %.*s, %lld\n", STR_ARG(text_of(row, "id")), time, STR_ARG(text_of(row, "endpoint")),
        (long long)yyjson_get_sint(yyjson_obj_get(row, "status")));
    tell_asked(out, row);
    tell_decided(out, row);
    tell_way(out, row);
    tell_figures(out, row);
    tell_blame(out, row);
}
