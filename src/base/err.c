/* The one table of errors, and the setters. */
#include "base/err.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct err_row rows[ERR_COUNT] = {
    /*                            code                     http  fault          failover retry  type */
    [ERR_OK]                   = { "ok",                    200, FAULT_NONE,    false, false, "" },
    [ERR_BAD_REQUEST]          = { "bad_request",           400, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_INVALID_JSON]         = { "invalid_json",          400, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_INVALID_REQUEST]      = { "invalid_request",       400, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_TOO_LARGE]            = { "body_too_large",        413, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_HEADERS_TOO_LARGE]    = { "headers_too_large",     431, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_REQUEST_TIMEOUT]      = { "request_timeout",       408, FAULT_CALLER,  false, true,  "invalid_request_error" },
    [ERR_NOT_FOUND]            = { "not_found",             404, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_METHOD]               = { "method_not_allowed",    405, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_MEDIA_TYPE]           = { "unsupported_media_type", 415, FAULT_CALLER, false, false, "invalid_request_error" },
    [ERR_EXPECTATION]          = { "expectation_failed",    417, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_HOST]                 = { "host_not_allowed",      421, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_ORIGIN]               = { "origin_not_allowed",    403, FAULT_CALLER,  false, false, "permission_error" },
    [ERR_MODEL_NOT_FOUND]      = { "model_not_found",       404, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_CONTEXT]              = { "context_length_exceeded", 400, FAULT_CALLER, true, false, "invalid_request_error" },
    [ERR_UNSUPPORTED_INPUT]    = { "unsupported_input",     400, FAULT_CALLER,  true,  false, "invalid_request_error" },
    [ERR_SCHEMA_UNSUPPORTED]   = { "schema_unsupported",    400, FAULT_CALLER,  true,  false, "invalid_request_error" },
    [ERR_TOOLS_UNSUPPORTED]    = { "tools_unsupported",     400, FAULT_CALLER,  true,  false, "invalid_request_error" },
    [ERR_NO_KEY]               = { "invalid_api_key",       401, FAULT_CALLER,  false, false, "authentication_error" },
    [ERR_NOT_ALLOWED]          = { "not_allowed",           403, FAULT_CALLER,  false, false, "permission_error" },
    [ERR_TOO_MANY_ATTEMPTS]    = { "too_many_attempts",     429, FAULT_CALLER,  false, true,  "rate_limit_error" },
    [ERR_RETIRED]              = { "model_retired",         410, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_GATE]                 = { "gate_refused",          409, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_WRONG_STATE]          = { "wrong_state",           409, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_CALLER_GONE]          = { "caller_gone",           499, FAULT_CALLER,  false, false, "invalid_request_error" },
    [ERR_QUEUE_FULL]           = { "queue_full",            429, FAULT_GATEWAY, true,  true,  "rate_limit_error" },
    [ERR_QUEUE_TIMEOUT]        = { "queue_timeout",         503, FAULT_GATEWAY, true,  true,  "server_error" },
    [ERR_NO_BACKEND]           = { "no_backend",            503, FAULT_GATEWAY, true,  true,  "server_error" },
    [ERR_NOT_RESIDENT]         = { "not_resident",          503, FAULT_GATEWAY, true,  true,  "server_error" },
    [ERR_PRIVATE_NO_PLACE]     = { "private_no_place",      503, FAULT_GATEWAY, true,  false, "server_error" },
    [ERR_NOT_REMOTE]           = { "not_remote",            503, FAULT_GATEWAY, true,  false, "server_error" },
    [ERR_LOOP]                 = { "routing_loop",          508, FAULT_GATEWAY, true,  false, "server_error" },
    [ERR_CAPPED]               = { "cap_reached",           503, FAULT_GATEWAY, true,  true,  "server_error" },
    [ERR_EXHAUSTED]            = { "gateway_exhausted",     503, FAULT_GATEWAY, true,  true,  "server_error" },
    [ERR_OVERLOADED]           = { "overloaded",            503, FAULT_GATEWAY, false, true,  "server_error" },
    [ERR_STORE_FAILING]        = { "store_failing",         503, FAULT_GATEWAY, false, true,  "server_error" },
    [ERR_SHUTTING_DOWN]        = { "shutting_down",         503, FAULT_GATEWAY, false, true,  "server_error" },
    [ERR_INTERNAL]             = { "internal_error",        500, FAULT_GATEWAY, false, false, "server_error" },
    [ERR_UP_REFUSED]           = { "backend_failed",        502, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_UP_RESET]             = { "backend_failed",        502, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_UP_GARBLED]           = { "backend_failed",        502, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_UP_STATUS]            = { "backend_failed",        502, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_UP_TIMEOUT]           = { "backend_timeout",       504, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_UP_AUTH]              = { "backend_auth",          502, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_UP_MODEL_MISSING]     = { "backend_model_missing", 502, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_UP_BUSY]              = { "rate_limited",          429, FAULT_BACKEND, true,  true,  "rate_limit_error" },
    [ERR_UP_CUT]               = { "silently_truncated",    502, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_BREAKER_OPEN]         = { "breaker_open",          503, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_WAKING]               = { "waking",                503, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_ONLY_THOUGHTS]        = { "only_thoughts",         502, FAULT_MODEL,   true,  false, "server_error" },
    [ERR_SCHEMA_UNMET]         = { "schema_unmet",          502, FAULT_MODEL,   true,  false, "server_error" },
    [ERR_TOOL_UNMET]           = { "tool_unmet",            502, FAULT_MODEL,   true,  false, "server_error" },
    [ERR_WEIGHTS_MISSING]      = { "weights_missing",       503, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_WEIGHTS_BROKEN]       = { "weights_broken",        503, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_UNKNOWN_ARCHITECTURE] = { "unknown_architecture",  503, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_OUT_OF_MEMORY]        = { "out_of_memory",         503, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_DOES_NOT_FIT]         = { "does_not_fit",          503, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_ENGINE_MISSING]       = { "engine_missing",        503, FAULT_BACKEND, true,  false, "server_error" },
    [ERR_LOAD_FAILED]          = { "load_failed",           503, FAULT_BACKEND, true,  true,  "server_error" },
    [ERR_CONFIG]               = { "config",                500, FAULT_GATEWAY, false, false, "server_error" },
    [ERR_UPGRADE]              = { "upgrade_failed",        500, FAULT_GATEWAY, false, false, "server_error" },
    [ERR_SYSTEM]               = { "system",                500, FAULT_GATEWAY, false, true,  "server_error" },
};

const struct err_row *err_row(enum err_code code)
{
    return &rows[(unsigned)code < ERR_COUNT ? code : ERR_INTERNAL];
}

const char *fault_name(enum fault f)
{
    static const char *const names[] = { "none", "caller", "gateway", "backend", "model", "harness" };
    return names[f];
}

enum fault err_fault(const struct err *e)
{
    return e->fault ? e->fault : err_row(e->code)->fault;
}

/* In brackets: not the macros of that name, with which scripts/analyze reads err.h. */
enum err_code (err_set)(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        e->code = code;
        e->sys = e->retry_after_s = 0;
        e->fault = FAULT_NONE;
        e->param[0] = e->hint[0] = 0;
        vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
    }
    return code;
}

enum err_code (err_sys)(struct err *e, enum err_code code, int sys, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        err_set(e, code, "%s", "");
        e->sys = sys;
        int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof e->text)
            snprintf(e->text + n, sizeof e->text - (size_t)n, ": %s", strerror(sys));
    }
    return code;
}

enum err_code (err_hint)(struct err *e, const char *fmt, ...)
{
    if (!e)
        return ERR_INTERNAL;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
    return e->code;
}

enum err_code (err_param)(struct err *e, const char *fmt, ...)
{
    if (!e)
        return ERR_INTERNAL;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->param, sizeof e->param, fmt, ap);
    va_end(ap);
    return e->code;
}

const char *err_stop(const struct err *e)
{
    size_t n = strlen(e->text);
    if (n && strchr(".!?", e->text[n - 1]))
        return "";
    return e->hint[0] >= 'a' && e->hint[0] <= 'z' ? ";" : ".";
}

void die(const char *fmt, ...)
{
    char text[1024] = "hob: bug or exhausted machine: ";
    size_t n = strlen(text), room = sizeof text - n - 1; /* and the end of the line */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + n, room, fmt, ap);
    va_end(ap);
    n = strlen(text);
    text[n++] = '\n';
    ssize_t told = write(STDERR_FILENO, text, n); /* in one call: whole among other processes' lines, and no memory is asked for */
    (void)told;
    abort();
}

static _Thread_local const char *why_aborted;

static void on_abort(int signum)
{
    const char *why = why_aborted;
    why_aborted = NULL;
    if (why)
        die("%s", why); /* the signal has its ordinary meaning again */
    raise(signum);      /* an abort of another kind, or the signal from outside: as it would have been without us, when this returns */
}

void die_if_aborted(const char *why)
{
    const struct sigaction look = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND };
    why_aborted = why;
    if (why)
        sigaction(SIGABRT, &look, NULL);
}
