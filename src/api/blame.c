/* The table of blame. Rows that want more than a code stand before the plain one of that code. */
#include "api/blame.h"

#include <errno.h>
#include <stdio.h>

enum {
    ASK = BLAME_ASKING, WAIT = BLAME_WAITING, CONN = BLAME_CONNECTING, ANSW = BLAME_ANSWERING, TELL = BLAME_TELLING, ANY = BLAME_ANYWHERE,
    PLACE = CONN | ANSW | TELL,
};

static const struct blame_row rows[] = {
    /* where         seen                   cause                 fault          code                   again  ours   saw */
    { ANY,           ERR_OK,                CAUSE_ANY,            FAULT_NONE,    ERR_OK,                false, false, "answered" },

    /* the caller's */
    { ANY,           ERR_CALLER_GONE,       CAUSE_RUSH,           FAULT_HARNESS, ERR_CALLER_GONE,       false, false, "left, one of many that it sent at once while the model was loading" },
    { ASK | WAIT,    ERR_CALLER_GONE,       CAUSE_ANY,            FAULT_CALLER,  ERR_CALLER_GONE,       false, false, "the caller left before anything was asked" },
    { CONN | ANSW,   ERR_CALLER_GONE,       CAUSE_ANY,            FAULT_CALLER,  ERR_CALLER_GONE,       false, false, "the caller left before the answer" },
    { TELL,          ERR_CALLER_GONE,       CAUSE_ANY,            FAULT_CALLER,  ERR_CALLER_GONE,       false, false, "the caller left in the middle of the answer" },
    { ANY,           ERR_BAD_REQUEST,       CAUSE_ANY,            FAULT_CALLER,  ERR_BAD_REQUEST,       false, false, "the request is not well-formed" },
    { ANY,           ERR_INVALID_JSON,      CAUSE_ANY,            FAULT_CALLER,  ERR_INVALID_JSON,      false, false, "the body is no JSON" },
    { PLACE,         ERR_INVALID_REQUEST,   CAUSE_ANY,            FAULT_CALLER,  ERR_INVALID_REQUEST,   false, false, "refused the request" },
    { ANY,           ERR_INVALID_REQUEST,   CAUSE_ANY,            FAULT_CALLER,  ERR_INVALID_REQUEST,   false, false, "a field is missing or wrong" },
    { ANY,           ERR_TOO_LARGE,         CAUSE_ANY,            FAULT_CALLER,  ERR_TOO_LARGE,         false, false, "the body is too large" },
    { ANY,           ERR_HEADERS_TOO_LARGE, CAUSE_ANY,            FAULT_CALLER,  ERR_HEADERS_TOO_LARGE, false, false, "the head is too large" },
    { ANY,           ERR_REQUEST_TIMEOUT,   CAUSE_ANY,            FAULT_CALLER,  ERR_REQUEST_TIMEOUT,   false, false, "the request did not come whole in time" },
    { ANY,           ERR_NOT_FOUND,         CAUSE_ANY,            FAULT_CALLER,  ERR_NOT_FOUND,         false, false, "no such path" },
    { ANY,           ERR_METHOD,            CAUSE_ANY,            FAULT_CALLER,  ERR_METHOD,            false, false, "no such method there" },
    { ANY,           ERR_MEDIA_TYPE,        CAUSE_ANY,            FAULT_CALLER,  ERR_MEDIA_TYPE,        false, false, "a body of another kind" },
    { ANY,           ERR_EXPECTATION,       CAUSE_ANY,            FAULT_CALLER,  ERR_EXPECTATION,       false, false, "an expectation that nobody meets" },
    { ANY,           ERR_HOST,              CAUSE_ANY,            FAULT_CALLER,  ERR_HOST,              false, false, "asked by a name that is not ours" },
    { ANY,           ERR_ORIGIN,            CAUSE_ANY,            FAULT_CALLER,  ERR_ORIGIN,            false, false, "a page of another origin" },
    { ANY,           ERR_MODEL_NOT_FOUND,   CAUSE_ANY,            FAULT_CALLER,  ERR_MODEL_NOT_FOUND,   false, false, "no such model, role or tier" },
    { ANY,           ERR_CONTEXT,           CAUSE_ANY,            FAULT_CALLER,  ERR_CONTEXT,           false, false, "the prompt does not fit" },
    { ANY,           ERR_UNSUPPORTED_INPUT, CAUSE_ANY,            FAULT_CALLER,  ERR_UNSUPPORTED_INPUT, false, false, "parts that it does not take" },
    { ANY,           ERR_SCHEMA_UNSUPPORTED, CAUSE_ANY,           FAULT_CALLER,  ERR_SCHEMA_UNSUPPORTED, false, false, "a schema that it does not heed" },
    { ANY,           ERR_TOOLS_UNSUPPORTED, CAUSE_ANY,            FAULT_CALLER,  ERR_TOOLS_UNSUPPORTED, false, false, "tools that it does not call" },
    { ANY,           ERR_NO_KEY,            CAUSE_ANY,            FAULT_CALLER,  ERR_NO_KEY,            false, false, "no key, or none that is known" },
    { ANY,           ERR_NOT_ALLOWED,       CAUSE_ANY,            FAULT_CALLER,  ERR_NOT_ALLOWED,       false, false, "its key may not ask for this" },
    { ANY,           ERR_TOO_MANY_ATTEMPTS, CAUSE_ANY,            FAULT_CALLER,  ERR_TOO_MANY_ATTEMPTS, false, false, "no key that opens, too often in a short time" },
    { ANY,           ERR_RETIRED,           CAUSE_ANY,            FAULT_CALLER,  ERR_RETIRED,           false, false, "a name that is retired" },
    { ANY,           ERR_GATE,              CAUSE_ANY,            FAULT_CALLER,  ERR_GATE,              false, false, "a step of a swap without its evidence" },
    { ANY,           ERR_WRONG_STATE,       CAUSE_ANY,            FAULT_CALLER,  ERR_WRONG_STATE,       false, false, "a step that is not the next one" },

    /* ours */
    { ANY,           ERR_QUEUE_FULL,        CAUSE_RUSH,           FAULT_HARNESS, ERR_QUEUE_FULL,        false, false, "its line is full of one caller's requests, sent at once while it was loading" },
    { ANY,           ERR_QUEUE_FULL,        CAUSE_ANY,            FAULT_GATEWAY, ERR_QUEUE_FULL,        false, false, "its line is full" },
    { ANY,           ERR_QUEUE_TIMEOUT,     CAUSE_RUSH,           FAULT_HARNESS, ERR_QUEUE_TIMEOUT,     false, false, "not free in time for so many requests of one caller, sent at once while it was loading" },
    { ANY,           ERR_QUEUE_TIMEOUT,     CAUSE_ANY,            FAULT_GATEWAY, ERR_QUEUE_TIMEOUT,     false, false, "not free in time" },
    { ANY,           ERR_NO_BACKEND,        CAUSE_ANY,            FAULT_GATEWAY, ERR_NO_BACKEND,        false, true,  "not there" },
    { ANY,           ERR_NOT_RESIDENT,      CAUSE_ANY,            FAULT_GATEWAY, ERR_NOT_RESIDENT,      false, false, "not in memory, and a background request loads nothing" },
    { ANY,           ERR_PRIVATE_NO_PLACE,  CAUSE_ANY,            FAULT_GATEWAY, ERR_PRIVATE_NO_PLACE,  false, false, "private, and no local place can answer" },
    { ANY,           ERR_NOT_REMOTE,        CAUSE_ANY,            FAULT_GATEWAY, ERR_NOT_REMOTE,        false, false, "background requests do not go there" },
    { ANY,           ERR_CAPPED,            CAUSE_ANY,            FAULT_GATEWAY, ERR_CAPPED,            false, false, "what may be used up there today is used up" },
    { ANY,           ERR_LOOP,              CAUSE_ANY,            FAULT_GATEWAY, ERR_LOOP,              false, false, "it has come through another hob already" },
    { ANY,           ERR_EXHAUSTED,         CAUSE_ANY,            FAULT_GATEWAY, ERR_EXHAUSTED,         false, true,  "the gateway has run out of handles" },
    { ANY,           ERR_OVERLOADED,        CAUSE_ANY,            FAULT_GATEWAY, ERR_OVERLOADED,        false, true,  "the gateway has too much to do" },
    { ANY,           ERR_STORE_FAILING,     CAUSE_ANY,            FAULT_GATEWAY, ERR_STORE_FAILING,     false, true,  "requests cannot be written down" },
    { ANY,           ERR_SHUTTING_DOWN,     CAUSE_ANY,            FAULT_GATEWAY, ERR_SHUTTING_DOWN,     false, false, "the gateway is shutting down" },
    { ANY,           ERR_INTERNAL,          CAUSE_ANY,            FAULT_GATEWAY, ERR_INTERNAL,          false, true,  "the gateway failed" },
    { ANY,           ERR_CONFIG,            CAUSE_ANY,            FAULT_GATEWAY, ERR_CONFIG,            false, true,  "the configuration is wrong" },
    { ANY,           ERR_UPGRADE,           CAUSE_ANY,            FAULT_GATEWAY, ERR_UPGRADE,           false, true,  "the new program could not take over" },
    { ANY,           ERR_SYSTEM,            CAUSE_ANY,            FAULT_GATEWAY, ERR_SYSTEM,            false, true,  "the system refused" },

    /* the place that should have answered */
    { PLACE,         ERR_UP_REFUSED,        CAUSE_NO_HANDLES,     FAULT_GATEWAY, ERR_EXHAUSTED,         false, true,  "the gateway has no handle left to connect with" },
    { PLACE,         ERR_UP_REFUSED,        CAUSE_DIED_OF_MEMORY, FAULT_BACKEND, ERR_OUT_OF_MEMORY,     true,  false, "its process has died for want of memory" },
    { PLACE,         ERR_UP_RESET,          CAUSE_DIED_OF_MEMORY, FAULT_BACKEND, ERR_OUT_OF_MEMORY,     true,  false, "its process has died for want of memory" },
    { PLACE,         ERR_UP_REFUSED,        CAUSE_DIED,           FAULT_BACKEND, ERR_UP_REFUSED,        true,  false, "its process has died" },
    { PLACE,         ERR_UP_RESET,          CAUSE_DIED,           FAULT_BACKEND, ERR_UP_RESET,          true,  false, "its process has died" },
    { ANY,           ERR_UP_REFUSED,        CAUSE_RUSH,           FAULT_HARNESS, ERR_UP_REFUSED,        false, false, "refused, one of many that one caller sent at once while it was loading" },
    { ANY,           ERR_UP_REFUSED,        CAUSE_ANY,            FAULT_BACKEND, ERR_UP_REFUSED,        true,  true,  "no connection" },
    { ANY,           ERR_UP_RESET,          CAUSE_ANY,            FAULT_BACKEND, ERR_UP_RESET,          true,  true,  "broke off" },
    { ANY,           ERR_UP_GARBLED,        CAUSE_ANY,            FAULT_BACKEND, ERR_UP_GARBLED,        false, false, "sent what is no answer" },
    { ANY,           ERR_UP_STATUS,         CAUSE_ANY,            FAULT_BACKEND, ERR_UP_STATUS,         false, false, "failed" },
    { ANY,           ERR_UP_TIMEOUT,        CAUSE_RUSH,           FAULT_HARNESS, ERR_UP_TIMEOUT,        false, false, "too slow for so many requests of one caller, sent at once while it was loading" },
    { ANY,           ERR_UP_TIMEOUT,        CAUSE_ANY,            FAULT_BACKEND, ERR_UP_TIMEOUT,        false, true,  "took too long" },
    { ANY,           ERR_UP_AUTH,           CAUSE_ANY,            FAULT_BACKEND, ERR_UP_AUTH,           false, false, "did not accept the gateway's key" },
    { ANY,           ERR_UP_MODEL_MISSING,  CAUSE_ANY,            FAULT_BACKEND, ERR_UP_MODEL_MISSING,  false, false, "does not have this model or path" },
    { ANY,           ERR_UP_BUSY,           CAUSE_ANY,            FAULT_BACKEND, ERR_UP_BUSY,           false, false, "has too much to do" },
    { ANY,           ERR_UP_CUT,            CAUSE_ANY,            FAULT_BACKEND, ERR_UP_CUT,            false, true,  "has cut the prompt without a word" },
    { ANY,           ERR_BREAKER_OPEN,      CAUSE_ANY,            FAULT_BACKEND, ERR_BREAKER_OPEN,      false, false, "failed too often of late: not asked" },
    { ANY,           ERR_WAKING,            CAUSE_ANY,            FAULT_BACKEND, ERR_WAKING,            false, false, "sleeps, and is being woken" },
    { ANY,           ERR_WEIGHTS_MISSING,   CAUSE_ANY,            FAULT_BACKEND, ERR_WEIGHTS_MISSING,   false, true,  "its weights are not there" },
    { ANY,           ERR_WEIGHTS_BROKEN,    CAUSE_ANY,            FAULT_BACKEND, ERR_WEIGHTS_BROKEN,    false, true,  "its weights are broken" },
    { ANY,           ERR_UNKNOWN_ARCHITECTURE, CAUSE_ANY,         FAULT_BACKEND, ERR_UNKNOWN_ARCHITECTURE, false, true, "its engine does not know the architecture" },
    { ANY,           ERR_OUT_OF_MEMORY,     CAUSE_ANY,            FAULT_BACKEND, ERR_OUT_OF_MEMORY,     false, false, "died or did not load for want of memory" },
    { ANY,           ERR_DOES_NOT_FIT,      CAUSE_ANY,            FAULT_BACKEND, ERR_DOES_NOT_FIT,      false, true,  "does not fit in memory" },
    { ANY,           ERR_ENGINE_MISSING,    CAUSE_ANY,            FAULT_BACKEND, ERR_ENGINE_MISSING,    false, true,  "its engine is not there" },
    { ANY,           ERR_LOAD_FAILED,       CAUSE_ANY,            FAULT_BACKEND, ERR_LOAD_FAILED,       false, false, "did not load" },

    /* the model's */
    { ANY,           ERR_ONLY_THOUGHTS,     CAUSE_ANY,            FAULT_MODEL,   ERR_ONLY_THOUGHTS,     false, false, "thought, and said nothing" },
    { ANY,           ERR_SCHEMA_UNMET,      CAUSE_ANY,            FAULT_MODEL,   ERR_SCHEMA_UNMET,      false, false, "did not keep to the schema" },
    { ANY,           ERR_TOOL_UNMET,        CAUSE_ANY,            FAULT_MODEL,   ERR_TOOL_UNMET,        false, false, "did not call the tools as they were offered" },
};

const struct blame_row *blame_at(size_t i)
{
    return i < COUNTOF(rows) ? &rows[i] : NULL;
}

const struct blame_row *blame_find(enum blame_where where, enum err_code seen, enum blame_cause cause)
{
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (rows[i].seen == seen && (rows[i].where & (unsigned)where) && (rows[i].cause == CAUSE_ANY || rows[i].cause == cause))
            return &rows[i];
    die("no row of blame for '%s'", err_row(seen)->code);
}

enum blame_cause blame_cause_of(int sys)
{
    static const int handles[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL };
    for (size_t i = 0; i < COUNTOF(handles); i++)
        if (sys == handles[i])
            return CAUSE_NO_HANDLES;
    return CAUSE_ANY;
}

void blame_write(const struct blame_row *r, const struct err *e, struct str model, struct str host, int status, char *out, size_t room)
{
    bool refused = status && status != 200;
    if (r->ours && !refused && e->text[0]) { /* it names the place itself */
        snprintf(out, room, "%s", e->text);
        return;
    }
    int n = model.n ? snprintf(out, room, "'%.*s' on '%.*s': ", STR_ARG(model), STR_ARG(host)) : 0;
    size_t at = (size_t)n < room ? (size_t)n : room - 1;
    if (refused)
        snprintf(out + at, room - at, "%s (%d)", r->saw, status);
    else
        snprintf(out + at, room - at, "%s", r->saw);
}
