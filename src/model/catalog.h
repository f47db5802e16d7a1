/* The models that lie in a folder, and in its folders one level deep: what is served when no configuration names any. Each gets a name
 * out of its file's, and a look at its header says what it is good for. Reads headers only, but of every file; blocks on the disk. */
#ifndef HOB_MODEL_CATALOG_H
#define HOB_MODEL_CATALOG_H

#include "base/arena.h"
#include "conf/conf.h"

enum { CATALOG_MAX_MODELS = 1024 };

struct catalog {
    struct arena arena;             /* all texts of models */
    struct conf_found *models;      /* by name; names are unique and fit for a configuration */
    size_t n;
    size_t left_out;                /* broken files */
};

/* A folder that is not there has no models. Files that are broken are told by a warning and left out; projectors (mmproj), adapters, and
 * parts of a split model but its first are no models and silently passed over. Paths begin with `folder` as it is given. */
struct catalog *catalog_scan(struct str folder);
void catalog_free(struct catalog *c); /* NULL is fine */

/* "SmolLM2-135M-Instruct.Q4_1.gguf" -> "smollm2-135m-instruct"; with its quantisation: "smollm2-135m-instruct.q4_1". Characters that no
 * name may have become '-'. Never empty. */
struct str catalog_name(struct arena *a, struct str file_name, bool with_quantisation);
/* What a file's name (without its extension and part) says its weights were packed to, as it is written: "Q4_K_M", "UD-Q4_K_XL"; empty when it does not. */
struct str catalog_quantisation(struct str stem);

/* What a GGUF is good for (enum serves), by its general.architecture, general.type and pooling_type. 0: it answers nobody by itself: a projector, an
 * adapter … */
unsigned catalog_serves(const char *architecture, const char *type, uint32_t pooling);

#endif
