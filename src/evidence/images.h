/* A case's images, made ready to be sent: files read, pictures drawn. For the program that runs a suite, not for the gateway: cairo is loaded with the first drawing. */
#ifndef HOB_EVIDENCE_IMAGES_H
#define HOB_EVIDENCE_IMAGES_H

#include "evidence/suite.h"

struct images {
    struct str folder;      /* of the suite's file: relative paths begin there; "" = the working directory */
};
/* A suite_image_fn; ctx is a struct images. "data:…" as it is, "draw:KIND?seed=N" drawn (draw.h), all else is a path: PNG, JPEG, GIF or WebP, told by its first bytes.
 * ERR_NOT_FOUND, ERR_INVALID_REQUEST, ERR_TOO_LARGE (20 MiB), ERR_SYSTEM (cairo is not installed). */
enum err_code images_get(void *ctx, struct str image, struct arena *a, struct str *data_url, struct err *e);

#endif
