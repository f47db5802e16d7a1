/* No configuration file: the models folder stands in for it. */
#ifndef HOB_CLI_ASSUME_H
#define HOB_CLI_ASSUME_H

#include "cli/cli.h"

/* *c, when it came from no file, becomes what is assumed from its models_dir; `state` is kept. The header of every model file is read, so
 * this is for who needs the models, not for who looks for the daemon. yaml (may be NULL) gets what was assumed, with notes or without; it
 * stays empty when there is a file. On error *c is untouched. */
enum err_code assume_models(struct config **c, bool notes, struct buf *yaml, struct err *e) __attribute__((warn_unused_result));

/* The configuration as `hob serve` was told to find it, with its options --listen and --log over what the file says. May be called on the pool. */
enum err_code cli_read_models(const struct cli_args *a, struct config **out, struct err *e) __attribute__((warn_unused_result));
/* The same at the start: says where models come from, or prints why not. The log is as loud as --log says from here on, since broken files are told
 * while it reads. */
int cli_load_models(const struct cli_args *a, struct config **out);
/* What an earlier gateway of this keeper had accepted (cli/accepted.h); EXIT_USAGE when there is nothing. */
int cli_load_accepted(const struct cli_args *a, struct config **out);
/* The same for who takes over from a gateway that goes on with it: what is in force stays so. ERR_CONFIG: it came from no file, or is wrong here. */
enum err_code cli_read_accepted(const struct cli_args *a, struct config **out, struct err *e) __attribute__((warn_unused_result));

#endif
