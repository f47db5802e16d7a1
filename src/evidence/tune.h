/* Which of an engine's settings are fastest here? The search, without the measuring: trials out, figures in. Pure: no clock, no engine, no names; a setting is a factor, a
 * value its number.
 *
 *   base -> for each factor: anchor -> screen -> contest [-> suite] -> ... -> confirm -> end
 *
 * Screen: one short run of each value, and whoever is far behind is out. Contest: the one that looked best against the best so far, in turns (what the machine does meanwhile
 * meets both). What may change answers is put to the suite before it is taken. Confirm: the engine's own settings, those in force and those that won, in turns, from
 * nothing but whose runs the gain is told: choosing the best of many runs flatters it. */
#ifndef HOB_EVIDENCE_TUNE_H
#define HOB_EVIDENCE_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TUNE_MAX_FACTORS = 12, TUNE_MAX_VALUES = 16, TUNE_MAX_ROUNDS = 16, TUNE_MAX_REFUSED = 16 };

struct tune_factor {
    size_t values;              /* 1 .. TUNE_MAX_VALUES */
    size_t searched;            /* of them the first so many are tried; further ones are only what is in force, or the engine's own */
    size_t present, standard;   /* in force; the engine's own */
    bool answers;               /* a value may change what is answered: the suite is asked */
};

struct tune_point {
    uint8_t at[TUNE_MAX_FACTORS];
};

struct tune_rule {
    int64_t budget_ms;          /* no trial is begun after it, but for the confirmation, which is counted in; 0 = none */
    double least_gain;          /* less is not worth a setting */
    double loser;               /* so far behind after one run is out */
    size_t pairs;               /* of a contest */
    size_t rounds;              /* of the confirmation: at least 5, more while the budget lasts, at most TUNE_MAX_ROUNDS */
};
extern const struct tune_rule tune_usual; /* 10 minutes, 2 %, 15 %, 3, 6 */

enum tune_want { TUNE_MEASURE, TUNE_SUITE, TUNE_END };
enum tune_phase { TUNE_BASE, TUNE_ANCHOR, TUNE_SCREEN, TUNE_CONTEST, TUNE_CHECK, TUNE_CONFIRM, TUNE_OVER };
extern const char *const tune_phase_names[TUNE_OVER + 1];

struct tune_trial {
    enum tune_want want;
    enum tune_phase phase;
    size_t factor, value;       /* that it is about: of SCREEN, CONTEST, CHECK */
    struct tune_point point;    /* to be measured, or put to the suite against the present ones */
};

struct tune;
/* The factors in the order in which they are searched: by how much they usually give. n 1 .. TUNE_MAX_FACTORS. rule NULL: the usual one. */
struct tune *tune_new(const struct tune_factor *factors, size_t n, const struct tune_rule *rule);
void tune_free(struct tune *t);
/* The next trial. Asked again before it was answered it says the same. now_ms: since the beginning. */
void tune_next(struct tune *t, int64_t now_ms, struct tune_trial *out);
/* MEASURE: what a request takes (seconds, or whatever is less for better); NaN: it could not be measured, or does not start. */
void tune_took(struct tune *t, double cost, int64_t now_ms);
/* SUITE: may it be taken? */
void tune_suite(struct tune *t, bool passes, int64_t now_ms);
/* No more searching: the next trials confirm what there is. */
void tune_enough(struct tune *t);

struct tune_gain {
    double factor, lo, hi;      /* so many times as fast, with its 95 % interval; NaN: too few rounds */
    size_t rounds;
    bool sure;                  /* the interval is above 1, by at least five rounds */
};
/* Of two lists of costs, measured in turns: from[i] beside to[i]; pairs with a NaN are left out. At most TUNE_MAX_ROUNDS. */
struct tune_gain tune_gain_of(const double *from, const double *to, size_t n);

struct tune_result {
    struct tune_point best;     /* what won; the present one where nothing did, or where what won is not surely faster than it */
    struct tune_point found;    /* what won the search, sure or not */
    bool changed;               /* best is another than the present one */
    struct tune_gain over_present, over_standard; /* of `found` */
    double present, standard, cost; /* medians of the confirmation; NaN = none */
    size_t trials;
    bool cut;                   /* the budget ended the search before all factors had their turn */
    struct { size_t factor, value; } refused[TUNE_MAX_REFUSED]; /* faster, and the suite said no */
    size_t nrefused;
};
void tune_result(const struct tune *t, struct tune_result *out);

#endif
