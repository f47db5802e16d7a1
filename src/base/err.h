/* Errors: a code, a sentence, one table. What a code means to the outside (HTTP status, whose fault, may another place be tried,
 * should the caller try again) is in its row and nowhere else. */
#ifndef HOB_BASE_ERR_H
#define HOB_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum fault { FAULT_NONE, FAULT_CALLER, FAULT_GATEWAY, FAULT_BACKEND, FAULT_MODEL, FAULT_HARNESS };

enum err_code {
    ERR_OK,
    /* the caller's */
    ERR_BAD_REQUEST,     /* broken framing, duplicate keys */
    ERR_INVALID_JSON,
    ERR_INVALID_REQUEST, /* types, ranges: param names the field */
    ERR_TOO_LARGE,
    ERR_HEADERS_TOO_LARGE,
    ERR_REQUEST_TIMEOUT,
    ERR_NOT_FOUND,
    ERR_METHOD,
    ERR_MEDIA_TYPE,
    ERR_EXPECTATION,
    ERR_HOST,          /* asked by a name that is not ours */
    ERR_ORIGIN,        /* a page of another origin */
    ERR_MODEL_NOT_FOUND,
    ERR_CONTEXT,
    ERR_UNSUPPORTED_INPUT,
    ERR_TOOLS_UNSUPPORTED,
    ERR_SCHEMA_UNSUPPORTED,
    ERR_NO_KEY,        /* none, or one that is not known: the two are not told apart */
    ERR_NOT_ALLOWED,   /* the key may not ask for this */
    ERR_TOO_MANY_ATTEMPTS, /* too many requests without a key that opens, from one address */
    ERR_RETIRED,       /* an old name, and its day has come */
    ERR_GATE,          /* evidence is missing, or speaks against it */
    ERR_WRONG_STATE,         /* it is not in a state for that step */
    ERR_CALLER_GONE,
    /* ours */
    ERR_QUEUE_FULL,
    ERR_QUEUE_TIMEOUT,
    ERR_NO_BACKEND,
    ERR_NOT_RESIDENT,  /* a background request, and its model is not in memory */
    ERR_PRIVATE_NO_PLACE, /* nobody who is local can answer */
    ERR_NOT_REMOTE,    /* a background request, and the place is elsewhere */
    ERR_LOOP,          /* it has come through too many hobs */
    ERR_CAPPED,        /* what may be used up there today is used up */
    ERR_EXHAUSTED,     /* the gateway has no file descriptor or port left to ask somebody with */
    ERR_OVERLOADED,    /* the gateway has as much to do as it may have: memory, requests, connections */
    ERR_STORE_FAILING, /* requests cannot be written down, and none is answered without that */
    ERR_SHUTTING_DOWN,
    ERR_INTERNAL,
    /* the place that should have answered */
    ERR_UP_REFUSED,  /* no connection */
    ERR_UP_RESET,    /* the connection ended early */
    ERR_UP_GARBLED,  /* not HTTP, not JSON, not what was asked for */
    ERR_UP_STATUS,   /* it answered 5xx */
    ERR_UP_TIMEOUT,
    ERR_UP_AUTH,
    ERR_UP_MODEL_MISSING,
    ERR_UP_BUSY,     /* it answered 429 */
    ERR_UP_CUT,      /* it has left out a part of the prompt, and did not say so */
    ERR_BREAKER_OPEN,  /* it failed too often of late: not asked */
    ERR_WAKING,        /* it sleeps, and is being woken */
    ERR_ONLY_THOUGHTS, /* the model's: it thought, and said nothing */
    ERR_SCHEMA_UNMET,
    ERR_TOOL_UNMET,    /* likewise: a tool that nobody offered, or none where one had to be called */
    ERR_WEIGHTS_MISSING,
    ERR_WEIGHTS_BROKEN,
    ERR_UNKNOWN_ARCHITECTURE,
    ERR_OUT_OF_MEMORY,
    ERR_DOES_NOT_FIT,  /* never, or not beside what stays */
    ERR_ENGINE_MISSING,
    ERR_LOAD_FAILED,
    /* set-up and the machine: seen by the operator, not by callers */
    ERR_CONFIG,
    ERR_UPGRADE,       /* another program could not take over: nothing has changed */
    ERR_SYSTEM,
    ERR_COUNT
};

struct err_row {
    const char *code;      /* "model_not_found": in answers and rows */
    int http;              /* status when it is the whole answer */
    enum fault fault;
    bool failover;         /* another place may be tried for the same ask */
    bool retry;            /* x-should-retry: the same request may work later */
    const char *type;      /* OpenAI's error.type */
};

struct err {
    enum err_code code;
    int sys;               /* errno, or 0 */
    int retry_after_s;     /* 0 = none known */
    enum fault fault;      /* whose it is where the code's row does not say it; FAULT_NONE = as the row says */
    char text[288];        /* what went wrong, a sentence */
    char param[64];        /* the field it is about, or "" */
    char hint[192];        /* what to do next, or "" */
};

const struct err_row *err_row(enum err_code code);
const char *fault_name(enum fault f);
enum fault err_fault(const struct err *e);

/* Each returns the code, so that `return err_set(e, …)` reads well: never ERR_OK. e may be NULL. err_set clears all other fields. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
enum err_code err_sys(struct err *e, enum err_code code, int sys, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Add to an error that is set already. Without one to ask (e is NULL) the code is ERR_INTERNAL: what failed has failed. */
enum err_code err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum err_code err_param(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef HOB_ANALYZE /* scripts/analyze: the compilers' analyzers see no further than one file, and are told what is promised above */
#define err_set(...) (err_set(__VA_ARGS__) ?: ERR_INTERNAL)
#define err_sys(...) (err_sys(__VA_ARGS__) ?: ERR_INTERNAL)
#define err_hint(...) (err_hint(__VA_ARGS__) ?: ERR_INTERNAL)
#define err_param(...) (err_param(__VA_ARGS__) ?: ERR_INTERNAL)
#endif

/* What stands between the text and the hint behind it: "." when the text does not end a sentence itself, ";" when the hint begins none. */
const char *err_stop(const struct err *e);

/* A bug or an exhausted machine: says so on stderr and aborts. Never for input. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Round a call into a library that aborts where it should fail: an abort() of this thread until the next call, which takes NULL, is die(why). */
void die_if_aborted(const char *why);

#endif
