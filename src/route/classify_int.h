/* Between the table of words and the pass that uses it. */
#ifndef HOB_ROUTE_CLASSIFY_INT_H
#define HOB_ROUTE_CLASSIFY_INT_H

#include "route/classify.h"

enum tongue { ANY, EN, DE, FR, ES, ZH, JA, KO, TONGUES };

/* What a word speaks for. Their order is that of the three tiers. */
enum sign {
    /* fast */
    GREETING, THANKS, SMALL_TALK, FACT,
    /* primary */
    CODE, WRITING, REWRITING, TRANSLATION, SUMMARY, EXTRACTION, EXPLANATION, HOW_TO,
    /* heavy */
    ANALYSIS, COMPARISON, PROOF, STEPS, PLANNING, LONG_FORM, CONSTRAINTS,
    /* none of them: how the others are to be read */
    BRIEF,      /* "in one sentence": takes from what speaks for heavy */
    MORE,       /* "go on": as hard as what was asked before */
    COUNTED,    /* "words": LONG_FORM behind a large number */
    LEAD,       /* "please", "and": what follows may be what is asked for */
    NOT,        /* "no need to": what follows is not */
    STOP_WORD,  /* only tells the language */
    SIGNS,

    FAST_END = FACT + 1,
    PRIMARY_END = HOW_TO + 1,
    HEAVY_END = CONSTRAINTS + 1,
};

/* Where a word must stand to count in full: verbs ask for something only where a clause begins ("explain …", "please explain …"); elsewhere
 * ("as you explained", "the design museum") they count for a part. */
enum where { ANYWHERE, LEADS };

struct sign_row {
    enum tongue tongue;
    enum sign sign;
    int weight;             /* hundredths */
    enum where where;
    const char *words;      /* separated by '|'; "x*" is any word that begins so; phrases of at most 5 words ("what's" is two); case and accents do not count */
};
extern const struct sign_row sign_rows[];
extern const size_t nsign_rows;

extern const char *const sign_name[SIGNS];
extern const char *const tongue_code[TONGUES];

#endif
