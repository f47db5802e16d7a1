/* The reference of the public API, printed from the tables that the program itself goes by: routes, fields, errors, and the shapes of shapes.c.
 * Two forms of one thing: an OpenAPI 3.1 document (GET /openapi.json, `hob api --json`) and a page to read (doc/api.md, `hob api`). */
#ifndef HOB_API_REFERENCE_H
#define HOB_API_REFERENCE_H

#include "base/buf.h"

void reference_put_openapi(struct buf *to); /* one JSON object */
void reference_put_page(struct buf *to);    /* Markdown */

#endif
