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

/* The closing quote of the string whose first byte (behind its opening quote) is at `at`; text.n when it is not well-formed: no end, a
 * control character, an escape that is none, a lone surrogate, bytes that are not UTF-8. For long strings. */
size_t json_scan_string(struct str text, size_t at);
/* The same by 16 and by 32 bytes at a time: one of them is json_scan_string(). */
size_t json_scan_narrow(struct str text, size_t at);
size_t json_scan_wide(struct str text, size_t at); /* only where this is true: */
bool json_can_scan_wide(void);
#if defined(__SSE2__)
#define JSON_CAN_SCAN 1
#else
#define JSON_CAN_SCAN 0 /* nothing is well-formed then */
#endif

/* What a shrunk copy of a text leaves out: see shrink.c. Offsets are the copy's. */
struct json_gap {
    size_t string; /* where the string begins that is cut */
    size_t at;     /* here bytes are missing */
    size_t total;  /* so many, those of the gaps before included */
};
struct json_shrink {
    size_t longer_than; /* strings of more bytes are cut … */
    size_t keep;        /* … to at most these, less where that would split a character */
    size_t patience;    /* gives up when it takes more than so many'th of the text's bytes in steps; 0: never */
};
/* How many gaps there are, in *gaps (free() them). 0, and *gaps NULL, where nothing is to be cut, or the text looks wrong. */
size_t json_shrink(struct str text, struct str member, const struct json_shrink *by, struct json_gap **gaps);
void json_copy_shrunk(char *copy, struct str text, const struct json_gap *gaps, size_t n);
enum err_code json_parse_shrunk(struct json_doc *d, struct str text, struct str member, const struct json_shrink *by, struct err *e) __attribute__((warn_unused_result));

/* Where in d->text the string's first byte behind the quote is. */
size_t json_place(const struct json_doc *d, yyjson_val *string);

/* From behind a string's opening quote to its closing one; text.n when there is none. */
size_t json_string_end(struct str text, size_t at);
size_t json_skip_blanks(struct str text, size_t at);

#endif
