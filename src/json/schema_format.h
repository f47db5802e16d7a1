/* Formats that can be told by looking at the text: no name is resolved, no calendar but the usual one. */
#ifndef HOB_JSON_SCHEMA_FORMAT_H
#define HOB_JSON_SCHEMA_FORMAT_H

#include "json/schema_int.h"

enum format format_named(struct str name); /* FORMAT_NONE: not one of ours */
struct str format_name(enum format f);
bool format_fits(enum format f, struct str text); /* f: one of ours */

#endif
