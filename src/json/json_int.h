/* What the files of this room share. */
#ifndef HOB_JSON_JSON_INT_H
#define HOB_JSON_JSON_INT_H

#include "json/json.h"

/* Length of the well-formed UTF-8 sequence that starts at p (n >= 1 bytes are there), or 0; then *bad is how many bytes belong to the
 * broken one (at least 1: the longest start of a sequence, as Unicode recommends for replacement). */
size_t json_utf8(const unsigned char *p, size_t n, size_t *bad);

/* Depth of a parsed tree and, when asked, that no object has a key twice. */
enum err_code json_check(yyjson_val *root, bool unique_keys, struct err *e);

/* Says what is wrong with a text that the parser has refused: reads it again, slowly. ERR_OK when it finds nothing wrong. */
enum err_code json_explain(struct str text, struct err *e);

/* From behind a string's opening quote to its closing one; text.n when there is none. */
size_t json_string_end(struct str text, size_t at);
size_t json_skip_blanks(struct str text, size_t at);

#endif
