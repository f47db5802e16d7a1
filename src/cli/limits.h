/* What the gateway as a whole may have: memory, connections, requests in progress. Works out what the configuration leaves to `auto`, and tells the rooms. */
#ifndef HOB_CLI_LIMITS_H
#define HOB_CLI_LIMITS_H

#include "api/api.h"
#include "conf/config.h"

struct limits;

struct limits *limits_new(struct loop *l, struct http_server *s, struct api *a);
void limits_apply(struct limits *l, const struct config *c);   /* in force from now on */
void limits_without_server(struct limits *l);                  /* it is about to go */
void limits_free(struct limits *l);                            /* after the server, before the loop; NULL is fine */

enum { LIMITS_MOST_FILES = 1024 * 1024 }; /* more is not made use of */
/* Of `files` descriptors of which `open` are open. */
struct limits_found {
    size_t connections, requests;
};
struct limits_found limits_find(size_t files, size_t open);
int64_t limits_memory(const struct config *c);
/* The process's limit, and how many are open, about; the limit is raised as far as the system lets it. */
void limits_files(size_t *most, size_t *open);

#endif
