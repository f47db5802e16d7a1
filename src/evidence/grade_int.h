/* Inside the room: what graders share. */
#ifndef HOB_EVIDENCE_GRADE_INT_H
#define HOB_EVIDENCE_GRADE_INT_H

#include "evidence/grade.h"
#include "json/json.h"

/* ---- grade_number.c ---- */

/* A number as people write it may be read in more than one way ("1.234"): all of them. */
struct figure {
    double reads[4];
    size_t n;
    struct str text;       /* as it stands there */
};
enum { FIGURES_MOST = 32 };
size_t figures_find(struct str text, struct figure out[FIGURES_MOST]); /* the first ones */
bool figure_is(const struct figure *f, double wanted, double tolerance, bool percent);

/* ---- grade_json.c ---- */

/* The answer's JSON, parsed; false with a sentence in why. lenient: it may stand in a fence, or among words. */
bool answer_json(struct arena *a, struct str text, bool lenient, struct json_doc *d, struct str *why);

/* $ .name ["name"] [0] [-1] [*] .* - what is gathered by stars is a list. */
struct path_found {
    yyjson_val **at;
    size_t n;
    bool many;             /* there was a star in it */
};
/* False: it is no path, why says so. d may have no root: then the path alone is checked. */
bool path_find(struct arena *a, struct str path, yyjson_val *root, struct path_found *out, struct str *why);

/* ---- grade_tree.c ---- */

/* The tree's paths once the answer's commands are done, sorted; false with why at the first line that is none or cannot be done. */
bool tree_apply(struct arena *a, struct suite_texts tree, struct str commands, struct suite_texts *out, struct str *why);
struct suite_texts tree_sorted(struct arena *a, struct suite_texts tree);

/* ---- grade_text.c ---- */

/* Inside of the first fence, or the text itself. */
struct str unfenced(struct str text);
/* Anywhere in text; -1: the pattern is none or takes too long, why says so. */
int regex_matches(struct arena *a, struct str pattern, bool nocase, struct str text, struct str *why);
bool has_text(struct str text, struct str part, bool nocase);
size_t count_words(struct str s), count_chars(struct str s), count_lines(struct str s);
/* A text cut to some 80 bytes for a sentence, in quotes, on one line. */
struct str said(struct arena *a, struct str s);
/* A tag without its '#', letter case, dashes and underscores. */
struct str tag_plain(struct arena *a, struct str s);
/* A list of words as people and models write one: JSON, commas, lines, bullets. */
struct suite_texts tags_of(struct arena *a, struct str text, bool lenient);

#endif
