/* From file to struct config, and back to words. One table of settings (settings.c) parses, checks, documents and prints: a new
 * setting is a field in config.h and a row there. */
#ifndef HOB_CONF_CONF_H
#define HOB_CONF_CONF_H

#include "base/buf.h"
#include "conf/config.h"

/* Where the file is: `given` (flag), else $HOB_CONFIG, else ./hob.yaml, else ~/.config/hob/hob.yaml, else none (empty). ERR_CONFIG when one
 * that was named does not exist. */
enum err_code conf_find(struct str given, struct arena *a, struct str *path, struct err *e) __attribute__((warn_unused_result));

/* Reads, resolves ${env:X}, ${env:X:-default} and ${file:x} (relative to the file), applies defaults, checks references (role -> model …).
 * path empty: the defaults alone. ERR_CONFIG, text "FILE:LINE:COLUMN: what, did you mean …". *out is untouched on error. */
enum err_code conf_load(struct str path, struct config **out, struct err *e) __attribute__((warn_unused_result));
/* The same from text in memory; `name` stands for the file in errors and its folder for relative paths. */
enum err_code conf_parse(struct str name, struct str text, struct config **out, struct err *e) __attribute__((warn_unused_result));
void conf_free(struct config *c);

/* YAML of the whole configuration in force, defaults included, secrets as "(hidden)"; with_origin adds `# default` or `# file:LINE`. */
void conf_show_yaml(const struct config *c, bool with_origin, struct buf *out);
void conf_show_json(const struct config *c, struct buf *out); /* the same as one JSON object with "schema": 1 */
/* JSON Schema (2020-12) of the file, from the table: every key with type, default, unit and description. */
void conf_schema(struct buf *out);

const struct conf_model *conf_model(const struct config *c, struct str name_or_alias);
const struct conf_host *conf_host(const struct config *c, struct str name);

#endif
