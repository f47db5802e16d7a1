/* One request's life, from its whole body to its settled row. See exchange.c for the states. */
#ifndef HOB_API_EXCHANGE_H
#define HOB_API_EXCHANGE_H

#include "api/api_int.h"
#include "route/decide.h"

/* Takes the request over: parses the body, decides, waits, sends, relays, settles, answers. */
void exchange_start(struct api *a, struct http_req *r, enum task task);
/* One that was refused before its body was read, or for it: its row, and the error. */
void exchange_refuse(struct api *a, struct http_req *r, enum task task, const struct err *e);

#endif
