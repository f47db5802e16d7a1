/* What was used at a host today, against its cap. Pure: the wall clock is an argument. A day is a local one; a clock that is set back does not open again
 * what was closed; one that was far ahead for a while leaves it closed until the next midnight, not until the one it had in mind. */
#ifndef HOB_BACKEND_SPEND_H
#define HOB_BACKEND_SPEND_H

#include "conf/config.h"

struct spend {                    /* zeros: nothing yet */
    int day;                      /* 20261121, local; 0 = none has begun */
    int64_t until_ms;             /* its end, wall clock */
    int64_t tokens;
    double money;
    int64_t unpriced;             /* tokens of which nobody knows the price */
};

/* Begins a new day where one is due. Before anything else is asked of it, and before somebody is sent away. */
void spend_turn(struct spend *s, int64_t wall_ms);
void spend_add(struct spend *s, int64_t tokens, double money); /* money negative: unknown */
/* Which of the caps is reached: its name in the configuration ("tokens_day", "money_day"), or NULL. */
const char *spend_reached(const struct spend *s, const struct conf_cap *cap, int64_t wall_ms);
int64_t spend_left_ms(const struct spend *s, int64_t wall_ms); /* of the day */

#endif
