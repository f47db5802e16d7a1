/* JSON from outside: parsed strictly, edited by splicing byte spans, so that what is not touched leaves as it came.
 *
 * Reading is yyjson's: callers use its accessors (yyjson_obj_get, yyjson_get_str …) on the values. This room adds what a gateway
 * needs beside it: refused duplicate keys (a splice edits the first, a backend may read the last), a depth limit, and from a value back
 * to the bytes of the original text. */
#ifndef HOB_JSON_JSON_H
#define HOB_JSON_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <yyjson.h>

enum { JSON_MAX_DEPTH = 64 };

struct json_doc {
    struct str text;    /* the original, borrowed: must outlive the document when spans are asked for */
    yyjson_doc *doc;
    yyjson_val *root;
    char *copy;         /* what the in-situ parse has written into: copy[i] was text.p[i] */
    bool owned;         /* copy and doc are this document's own; else they are a scratch's */
    struct json_gap *gaps; /* of json_parse_cut: what the copy leaves out; copy[i] was further behind in text by what is missing before it */
    size_t ngaps;
};

/* Reused memory for documents that die before the next one is read (events of a stream): no allocation in the steady state. */
struct json_scratch {
    struct buf copy, pool;
};
void json_scratch_free(struct json_scratch *s);

/* What a parsed tree has of memory beside the copy; and what that of a text may have, at most: JSON_TREE_COST times the text, or what a look at it says. */
enum { JSON_TREE_COST = 8 };
size_t json_doc_bytes(const struct json_doc *d);
size_t json_tree_bytes(struct str text);

/* ERR_INVALID_JSON with line, column and what is wrong there (bad UTF-8 and lone surrogates too); ERR_BAD_REQUEST for duplicate keys
 * (param names the key's path) and for depth over JSON_MAX_DEPTH; ERR_SYSTEM when memory for a large text is not to be had (a tree
 * takes up to 8 times its text). On error *d is zeroed. May be called from any thread. */
enum err_code json_parse(struct json_doc *d, struct str text, struct err *e) __attribute__((warn_unused_result));
/* The same, for one that will only look at the outside of the root's member with that name: of strings in it longer than 128 KiB (its
 * keys are not meant) the document holds just the beginning, at least the first 4 KiB as they are written. That they are well-formed is checked,
 * and spans are those of the whole text; yet nothing may be made of such a string's value that needs all of it. */
enum err_code json_parse_cut(struct json_doc *d, struct str text, struct str member, struct err *e) __attribute__((warn_unused_result));
bool json_is_cut(const struct json_doc *d, yyjson_val *v);
/* Bytes of a string, what is cut included (that as it is written: escapes count in full). */
size_t json_length(const struct json_doc *d, yyjson_val *string);
/* The same into scratch, without the check for duplicates (for what a backend sends); the document dies at the next use of the scratch. */
enum err_code json_parse_fast(struct json_doc *d, struct str text, struct json_scratch *s, struct err *e) __attribute__((warn_unused_result));
/* The same with it: an answer whose keys come twice is read in one way here and in another by the caller. */
enum err_code json_parse_sure(struct json_doc *d, struct str text, struct json_scratch *s, struct err *e) __attribute__((warn_unused_result));
void json_free(struct json_doc *d); /* fine on a zeroed one */

static inline struct str json_str(yyjson_val *v) /* decoded text of a string value (its beginning where it is cut); empty with p NULL when it is none */
{
    return yyjson_is_str(v) ? (struct str){ unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v) } : (struct str){ NULL, 0 };
}

static inline struct str json_name(yyjson_val *key) /* of a member: it is a string always */
{
    return (struct str){ unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key) };
}

/* Where things are in d->text. A member is `"key": value`; spans are in bytes, [at, end). */
struct json_span {
    size_t at, end;
};
struct json_member {
    struct json_span key, value; /* key with its quotes */
};
/* The member of obj (any object of d, the root included) with that name; false when it has none. */
bool json_find_member(const struct json_doc *d, yyjson_val *obj, struct str name, struct json_member *out);
/* A string value of d, with its quotes. */
struct json_span json_string_span(const struct json_doc *d, yyjson_val *string);
/* End of the value that starts at text[at] (text is known to be valid JSON). */
size_t json_skip_value(struct str text, size_t at);
/* Place just behind the opening brace of obj: where a member may be put in ("\"k\":v," or, in an object that is empty or whose
 * members are all cut by the same splice, without the comma). */
size_t json_object_inside(const struct json_doc *d, yyjson_val *obj);

/* Edits of a text, in ascending order, not overlapping (else it is a bug: die()): bytes [at, at + cut) are replaced by put. */
struct json_edit {
    size_t at, cut;
    struct str put;
};
void json_splice(struct buf *out, struct str text, const struct json_edit *edits, size_t n);
/* As pieces that point into text and the edits (for writev, no copy); returns how many, at most 2 * n + 1. */
size_t json_splice_pieces(struct str *pieces, struct str text, const struct json_edit *edits, size_t n);
/* The edit that removes a member together with the comma before it (behind it for an object's first member). */
struct json_edit json_cut_member(struct str text, const struct json_member *m);
/* The same for several members of ONE object, given in the text's order; single cuts of neighbours would both claim the comma between
 * them. Writes at most n edits, ascending; returns how many. */
size_t json_cut_members(struct str text, const struct json_member *m, size_t n, struct json_edit *edits);

/* Values of a text replaced, one after the other in its order, by what is written meanwhile. Zeroed is empty. */
struct json_change;
struct json_changes {
    struct buf put;
    struct json_change *at;
    size_t n, room;
};
/* What is added to the buffer, until the next change begins, stands in the place of that span. */
struct buf *json_changes_begin(struct json_changes *c, struct json_span where);
void json_changes_write(const struct json_changes *c, struct str text, struct buf *out);
void json_changes_free(struct json_changes *c);

/* Writing: values straight into a buffer, commas by themselves.
 *   struct json_out o = json_out(buf); json_begin_object(&o); json_key(&o, STR("a")); json_int(&o, 1); json_end_object(&o); */
struct json_out {
    struct buf *to;
    bool comma; /* the next value or key needs one before it */
};
struct json_out json_out(struct buf *to);
void json_begin_object(struct json_out *o);
void json_end_object(struct json_out *o);
void json_begin_array(struct json_out *o);
void json_end_array(struct json_out *o);
void json_key(struct json_out *o, struct str key);
void json_string(struct json_out *o, struct str text); /* escaped; bytes that are no UTF-8 become U+FFFD */
void json_int(struct json_out *o, int64_t v);
void json_double(struct json_out *o, double v, int decimals); /* at most so many (0..17), zeros at the end left out; NaN and infinities become null */
void json_bool(struct json_out *o, bool v);
void json_null(struct json_out *o);
void json_string_or_null(struct json_out *o, struct str text); /* an empty text is null: nobody knows */
void json_int_or_null(struct json_out *o, int64_t v);          /* so is a negative number */
void json_raw(struct json_out *o, struct str json);           /* text that is JSON already */
void json_value(struct json_out *o, yyjson_val *v);           /* a parsed value, written compactly (numbers by value: 1e2 becomes 100.0) */

/* Would it stand between quotes just as it is? UTF-8, and nothing in it that has to be escaped. */
bool json_means_itself(struct str text);
/* Just the escaped text, without quotes. */
void json_escape(struct buf *to, struct str text);

#endif
