/* Inside a host: host.c is what it is and what it was told, host_probe.c what is asked of it, host_list.c what its answers say. */
#ifndef HOB_BACKEND_HOST_INT_H
#define HOB_BACKEND_HOST_INT_H

#include "backend/backend.h"
#include "backend/host.h"
#include "base/arena.h"
#include "store/host_days.h"

struct hosts {
    struct loop *loop;
    struct store *store;
    struct list all;
    bool started, stopped;
};

enum host_question { ASK_NOTHING, ASK_LIST, ASK_TOKEN, ASK_DESCRIPTION };

/* What is asked of it now. */
struct host_ask {
    enum host_question what;
    struct backend *of;             /* whose address, key and pool are used */
    struct http_call *call;
    int64_t since_ms;
    int status;
    struct str retry_after;
    char retry_after_text[16];
    struct buf question, answer;
};

struct host {
    struct hosts *all;
    struct list node;
    char name[HOST_DAY_NAME];
    struct list members;            /* backends; the one with the newest configuration first */
    uint64_t address;               /* of url, key …: what was learned is of this one */

    enum host_sleep sleep;          /* sleep_enter() in host.c is its only writer */
    int64_t since_ms, used_ms;      /* in this state; the last request came or ended */
    size_t running;                 /* requests */
    int64_t give_up_ms;             /* WAKING: until then; COLD: not woken again before */
    int64_t delay_ms;               /* WAKING: before the next try */
    struct list waits;

    struct timer timer;             /* the next probe, or the next try to wake it */
    struct host_ask ask;
    enum tri up;
    int64_t heard_ms;
    int64_t probed_ms, probe_took_ms; /* loop time; -1 = never */
    struct err error;

    struct arena names_in;
    struct conf_strs names;         /* its list */
    int64_t listed_ms;              /* loop time; 0 = not read */
    bool list_said;                 /* what is missing in it was said */

    struct spend spend;
    bool dirty;                     /* spent more than the store knows */
    struct timer save;
    struct host_day_ask *asked_store;
};

static inline const struct backend *host_newest(const struct host *h) /* the last that leaves takes the host with it */
{
    return list_entry(h->members.next, const struct backend, in_host);
}

static inline int64_t host_now(const struct host *h)
{
    return loop_now_ms(h->all->loop);
}

/* ---- host.c ---- */
void host_awake(struct host *h);
void host_not_awake(struct host *h, const struct err *why);    /* it could not be woken */
void host_heard(struct host *h, bool up, const struct err *why);

/* ---- host_probe.c ---- */
void host_timer(void *ctx);
void host_plan(struct host *h);                                 /* when it is to be probed next */
void host_hush(struct host *h);                                 /* nothing more is asked now */
void host_try_to_wake(struct host *h);

/* ---- host_list.c ---- */
void host_take_list(struct host *h, struct str body);           /* of a 200; what is missing in it is said once */

#endif
