/* The version of a program that serves a `command:` model: what it says of itself, and whether that is enough. */
#ifndef HOB_BACKEND_VERSION_H
#define HOB_BACKEND_VERSION_H

#include "base/err.h"
#include "conf/config.h"

enum { VERSION_BYTES = 64 };

/* The first version in a text, as it is written there: "mlx-lm 0.31.2rc1 (…)" -> "0.31.2rc1"; with no dotted number the first number. false: none. */
bool version_find(struct str said, char out[VERSION_BYTES]);
/* By parts, as numbers: 0.9 < 0.10; missing ones are 0. What is not finished yet (rc, dev, alpha …) comes before what is; what stands behind a '+'
 * says nothing. < 0, 0, > 0. */
int version_compare(struct str a, struct str b);

/* The lowest version of `min_version:` that holds for a model of this architecture ("" = not known: then for what its name and command name, or the
 * only one there is). Empty: none. */
struct str version_wanted(const struct conf_model *m, struct str architecture);

/* Runs `version:` and finds it in what that says. ERR_ENGINE_MISSING: it does not run, or says none. Blocks, up to 10 s. */
enum err_code version_ask(const struct conf_model *m, char out[VERSION_BYTES], struct err *e) __attribute__((warn_unused_result));

#endif
