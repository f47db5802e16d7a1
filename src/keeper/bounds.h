/* The keeper's numbers: how many, how large, how long. -DKEEPER_HASTY shortens the waits for the tests, and nothing else. */
#ifndef HOB_KEEPER_BOUNDS_H
#define HOB_KEEPER_BOUNDS_H

enum {
    CHILD_MAX = 64,
    LISTENER_MAX = 16,
    LABEL_MAX = 200,              /* bytes */
    ARGV_MAX_BYTES = 12 * 1024,   /* kept for LIST: all of them fit one message */
    ENV_MAX_BYTES = 128 * 1024,
    FENCE_MAX_BYTES = 64 * 1024,
    OUT_MAX_BYTES = 8 * 1024 * 1024, /* waiting for the gateway: every child's obituary at once, and some */

    BACKOFF_FIRST_MS = 200,
    BACKOFF_MAX_MS = 30 * 1000,
    NO_MEMORY_MS = 10 * 1000,     /* without memory for so long, it gives up; */
    NO_MEMORY_LOOK_MS = 20,       /* it looks so often; */
    NO_MEMORY_PAUSE_MS = 1000,    /* when it has not had to for so long, it counts anew */

    CRASH_LOOP_MS = 1000,         /* a gateway that was ready, yet lived shorter than this, waits CRASH_PAUSE_MS */
    CRASH_PAUSE_MS = 100,

#ifdef KEEPER_HASTY
    STOP_PATIENCE_MS = 700,
    HARD_PATIENCE_MS = 300,
    CLOSED_PATIENCE_MS = 200,
    REAP_PATIENCE_MS = 1000,
#else
    STOP_PATIENCE_MS = 60 * 1000, /* TERM at the keeper -> the gateway drains (its own bound is 30 s) -> KILL */
    HARD_PATIENCE_MS = 1000,      /* a second TERM: the gateway may still write down what it knows */
    CLOSED_PATIENCE_MS = 2000,    /* the gateway shut its socket: on its way out, or lost */
    REAP_PATIENCE_MS = 5000,      /* KILLed children that do not die (stuck in a driver): we go without them */
#endif
};

#endif
