/* An answer that must be JSON: what a request asks for, and what of it a place is told. Pure; who checks the answer is api/exchange_schema.c.
 *
 * A schema leaves for a place in the form that its engine takes (schema_fit.c): some refuse a pattern that has no ^ and $, some generate what is no
 * JSON for one that has a dot, some take a keyword and enforce nothing. What is left unenforced is named. */
#ifndef HOB_POLICY_SCHEMA_H
#define HOB_POLICY_SCHEMA_H

#include "json/json.h"

/* ---- what is asked for ---- */

enum schema_wish_kind { SCHEMA_WISH_NONE, SCHEMA_WISH_OBJECT /* any object */, SCHEMA_WISH_SCHEMA };

/* Schemas are compiled and looked through on the loop, so they have a size: of one schema as it is written, and of a request's tools together. */
enum { SCHEMA_MOST_BYTES = 256 * 1024, TOOLS_MOST_BYTES = 1024 * 1024 };

struct schema_wish {
    enum schema_wish_kind kind;
    yyjson_val *schema;           /* an object, or true; NULL where any object will do */
    yyjson_val *in;               /* the object whose member `key` it is */
    const char *key;
    struct str name;              /* as the caller calls it; may be empty */
    bool strict;                  /* the caller's word; the promise is the same with and without */
    const char *field;            /* where it stands, for errors */
    bool usual;                   /* in the form that OpenAI has: a host can be sent it as it is */
};

/* Out of `response_format`, `text.format` (as /v1/responses has it) or `format` (Ollama's), the first that says something. What is no wish for JSON, or in a
 * form that nobody knows, is none. ERR_SCHEMA_UNSUPPORTED for a schema that is none: missing, a text, `false`. */
enum err_code schema_wish_read(yyjson_val *root, struct schema_wish *w, struct err *e) __attribute__((warn_unused_result));
/* Is it one with a schema? Cheaper, and never an error. */
bool schema_wish_names_one(yyjson_val *root);

/* ---- what a place is told ---- */

enum schema_place { SCHEMA_LLAMA, SCHEMA_OLLAMA, SCHEMA_ANTHROPIC, SCHEMA_OPENAI, SCHEMA_UNKNOWN, SCHEMA_PLACES };

/* The schema as that place gets it, appended to out. Names of keywords that it does not enforce, or is not sent: comma separated, each once, to
 * unenforced. */
void schema_fit(yyjson_val *schema, enum schema_place place, struct buf *out, struct buf *unenforced);
/* A pattern that llama-server takes and that lets nothing through that would be no JSON, appended to out; it may allow less than the original. False: there
 * is none (look-around, back references, quotes …). */
bool schema_fit_pattern(struct str pattern, struct buf *out);

/* In words, for a prompt: each field with its type, what is said of it, and whether it may be left out. At most SCHEMA_WORDS_MAX bytes. schema NULL: any
 * object. */
enum { SCHEMA_WORDS_MAX = 4096 };
void schema_describe(yyjson_val *schema, struct buf *out);

/* ---- to think first ---- */

/* The schema with one more field, the first of all, for thoughts: in the object itself, or around it. False where there is no way to do so (references that
 * would lead elsewhere). d: the schema's own document. */
struct schema_reason {
    char name[24];                /* of the field for thoughts */
    bool around;                  /* the answer is in a field `answer` beside it */
};
bool schema_reason_wrap(const struct json_doc *d, struct schema_reason *r, struct buf *out);
/* The answer without them, appended to out; as it is when it has none. d: the answer's document. */
void schema_reason_unwrap(const struct json_doc *d, const struct schema_reason *r, struct buf *out);

/* ---- what came ---- */

/* The inside of a text that is one fenced block (```json … ```) and nothing else; p NULL: it is not. */
struct str schema_unfence(struct str text);

#endif
