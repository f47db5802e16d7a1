/* How hard is what was asked? A first guess from the words alone: no model, no I/O, the same answer every time. It serves the name `auto`
 * (route/decide.h): a greeting need not go to the largest model, a proof should not go to the smallest.
 *
 * One pass over the bytes, at most a few KiB of them: of long texts the beginning and the end, where people say what they want. */
#ifndef HOB_ROUTE_CLASSIFY_H
#define HOB_ROUTE_CLASSIFY_H

#include "conf/config.h"

enum said_by { SAID_SYSTEM, SAID_USER, SAID_OTHER }; /* other: the model, a tool */

struct said {
    enum said_by by;
    struct str text;          /* borrowed; any bytes */
    bool begins;              /* a message begins here; else it is a further part of the one before */
};

enum { TALK_MAX = 24 };

/* The end of a conversation, oldest first. */
struct talk {
    struct said at[TALK_MAX];
    size_t n;
    size_t bytes;             /* of the whole conversation, what is left out here too */
};

enum { COMPLEXITY_REASONS = 3 };

struct complexity {
    double score;                               /* 0 trivial .. 1 hard */
    const char *language;                       /* "en" "de" "fr" "es" "zh" "ja" "ko"; "" when it could not be told */
    const char *reasons[COMPLEXITY_REASONS];    /* static words, the weightiest first */
    size_t nreasons;
    bool urgent;                                /* it is said to be */
    bool fresh;                                 /* it asks about what is going on now: news, prices, the weather */
};

/* The table of words, made ready for looking up: made once, read by any number of calls. */
struct classifier;
struct classifier *classifier_new(void);
void classifier_free(struct classifier *c); /* NULL is fine */
/* What signs count for from now on, against the table; those that are not named count as it has them. */
void classifier_tune(struct classifier *c, const struct conf_weight *weights, size_t n);

void classify(const struct classifier *c, const struct talk *t, struct complexity *out);

#endif
