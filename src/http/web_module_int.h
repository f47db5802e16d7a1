/* Inside the room: what differs between systems when the module is looked for. */
#ifndef HOB_HTTP_WEB_MODULE_INT_H
#define HOB_HTTP_WEB_MODULE_INT_H

#include <stdbool.h>
#include <stddef.h>

bool web_program_path(char *out, size_t room); /* the running program's own file */

#endif
