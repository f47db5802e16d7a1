/* Inside the room: where built-in suites come from. Written ones are files in suites/, made a part of the program; drawn ones are functions of a seed. */
#ifndef HOB_EVIDENCE_BUILTIN_INT_H
#define HOB_EVIDENCE_BUILTIN_INT_H

#include "evidence/suite.h"
#include "json/json.h"

struct builtin_file {
    const char *name, *text; /* YAML */
};
extern const struct builtin_file builtin_files[]; /* ended by a row without a name; the build writes it */

/* The same numbers for the same seed on every machine (splitmix64). */
struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *d);
size_t dice_below(struct dice *d, size_t n); /* 0..n-1 */
int dice_from(struct dice *d, int min, int max);
const char *dice_word(struct dice *d, const char *const *words); /* NULL-ended */
/* k different places of n, in any order. */
void dice_pick(struct dice *d, size_t n, size_t k, size_t *out);

/* A suite as JSON, case by case. */
struct drawing_up {
    struct arena *a;
    struct dice dice;
    struct json_out o;
};
void up_text(struct drawing_up *u, const char *key, struct str text);
void up_json(struct drawing_up *u, const char *key, struct str json);
void up_int(struct drawing_up *u, const char *key, int64_t v);

typedef void builtin_fn(struct drawing_up *u, const struct suite_choice *o); /* writes cases, comma between them by u->o */
extern builtin_fn builtin_json_bench, builtin_long_context, builtin_vlm_bench, builtin_recall;

extern const char *const words_names[], *const words_companies[], *const words_cities[], *const words_things[], *const words_colours[], *const words_animals[];

#endif
