/* Between the table of words (classify_words.c), the pass that uses it (classify_scan.c) and what is made of its finds (classify.c). */
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
    /* nor of these, which are told beside the score */
    URGENT, FRESH,
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

/* One message, and where the pass is in it. Zeroed with c set it is at the beginning. */
enum { SCAN_RING = 8 };              /* a power of two above the words of a phrase */
struct scan {
    const struct classifier *c;
    double best[SIGNS], more[SIGNS]; /* the weightiest find of each kind; the others together */
    int votes[TONGUES];
    size_t dense_by[TONGUES];        /* characters by script: JA kana, KO Hangul, ZH Han */
    double wish;                     /* the weightiest verb that stood where it asks for something */
    size_t words, commas, bytes;
    bool code;

    /* where the pass is */
    uint64_t ring[SCAN_RING];             /* hashes of the last words, the newest at [(nring - 1) % SCAN_RING] */
    bool ring_leads[SCAN_RING];
    size_t nring;                    /* words since the last break */
    bool leads;                      /* a clause begins here */
    bool given;                      /* of this sentence: it asks for something to be done with a text, which follows behind a colon */
    bool pasted;                     /* this part is more likely pasted than said */
    size_t refused;                  /* words that are still under a "no need to" */
    int64_t number;                  /* the word before, where it was a number; else 0 */
};

/* A further text of the message, of which at most `most` bytes are read. */
void scan_text(struct scan *s, struct str text, size_t most);
double scan_strongest(const struct scan *s, enum sign from, enum sign end);

#endif
