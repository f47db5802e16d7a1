/* The few edits an answer may need, as spans of its text: a name put in another's place, the routing put in. */
#ifndef HOB_API_ANSWER_EDIT_H
#define HOB_API_ANSWER_EDIT_H

#include "json/json.h"

enum { EDITS_MAX = 7 };

/* Zeroed is empty. What is put in lies in text[], one buffer each, so that slices of it do not move. */
struct edits {
    struct json_edit at[EDITS_MAX]; /* ascending */
    struct buf text[EDITS_MAX];
    size_t n;
};

void edits_free(struct edits *x);
/* put: borrowed, not copied. */
void edits_insert(struct edits *x, size_t at, struct str put);

/* A member of the root: nothing when it has that value already, else its value is replaced, whatever it was; put in when it is missing. The root has
 * members of its own (an answer without choices is none). */
void edits_string(struct edits *x, const struct json_doc *d, struct str name, struct str value);
void edits_int(struct edits *x, const struct json_doc *d, struct str name, int64_t value);
/* A member that is there gets that value, which is JSON: borrowed. */
void edits_value(struct edits *x, const struct json_doc *d, struct str name, struct str json);
/* Takes a member out; at most one of a document, and not its only one. */
void edits_cut(struct edits *x, const struct json_doc *d, struct str name);
/* `_routing`, a JSON object, behind all else; in the place of the one that a place which is a hob itself has put there. Without one theirs becomes null:
 * what it says of the way is no word of ours. */
void edits_routing(struct edits *x, const struct json_doc *d, struct str routing);

#endif
