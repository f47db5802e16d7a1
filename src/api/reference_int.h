/* Inside the reference: the shapes of what goes in and out as JSON, and what both of its forms say.
 *
 * A shape is a run of rows: first one without a name, which says what it is, then its members. Types are written in a small language:
 *   string text integer token number boolean object any null     `text`: a string with something in it; `token`: the id of one, from 0 on
 *   []T  a list        =a,b  one of these strings        Name  another shape        T | T  either        (T)          */
#ifndef HOB_API_REFERENCE_INT_H
#define HOB_API_REFERENCE_INT_H

#include "api/api_int.h"
#include "policy/fields.h"

struct member {
    const char *shape;
    const char *name;   /* NULL: the shape itself */
    const char *type;   /* of a member; of a shape: more members of its JSON Schema, or "" */
    bool always;        /* it is there in every such object */
    const char *what;
};
const struct member *member_at(size_t i);           /* NULL past the end */

/* A field's type where it is more than those of its row: lists that are looked into (all of them in required fields), words. Else NULL. */
const char *field_inside(const struct field *f);
const char *field_words(const struct field *f); /* the texts that it takes, comma separated; NULL = any */
bool field_is_required(const struct field *f, enum task task);
const char *field_child_word(const struct field *f); /* what becomes of it on the way to a managed child */

void type_put_schema(struct json_out *o, const char *type); /* a whole JSON Schema */
void type_put_members(struct json_out *o, const char *type); /* the same without its braces */
void type_put_words(struct buf *to, const char *type);      /* for people, shapes as links */

enum header_on { ON_ANSWER = 1, ON_STREAM = 2, ON_ERROR = 4, ON_METHOD = 8 }; /* of requests that a model answers; of any that failed; of a 405 */
struct header_row {
    const char *name;
    unsigned on;        /* enum header_on, or-ed */
    const char *type;
    bool always;        /* there whenever `on` says */
    const char *what;
};
const struct header_row *header_at(size_t i);       /* NULL past the end */

/* Which errors may be the answer of which routes. */
enum error_group {
    ERRORS_ANY,         /* of every route: the HTTP itself is wrong */
    ERRORS_KEY,         /* and of those that want a key, where there are some */
    ERRORS_ASK,         /* and of those where a model is asked */
};
bool error_is_of(enum err_code code, enum error_group group);
static inline enum error_group route_errors(const struct route *t)
{
    return t->body != BODY_NONE ? ERRORS_ASK : t->needs == NEEDS_KEY ? ERRORS_KEY : ERRORS_ANY;
}
/* A route that names a model in its path adds this one. */
bool route_takes_name(const struct route *t);

#endif
