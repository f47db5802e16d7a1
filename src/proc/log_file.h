/* Where a child's words are kept: STATE/logs/NAME.log, capped, and turned over once to NAME.log.1 (keeper/tail.h). NAME is the child's label (a
 * model's name), with what a file name cannot or should not have as %XX, so that any name is a file in that folder and no other. */
#ifndef HOB_PROC_LOG_FILE_H
#define HOB_PROC_LOG_FILE_H

#include "base/str.h"

enum { LOG_FILE_PATH_BYTES = 4096 };

/* False: the state folder's path is too long. Nothing is made. */
bool log_file_path(struct str state, struct str name, char out[LOG_FILE_PATH_BYTES]);
/* Makes the folder STATE/logs (0700); false, with errno, when it cannot be. The state folder is there. */
bool log_file_folder(struct str state);

#endif
