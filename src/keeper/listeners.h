/* The listening sockets: made once, kept while the keeper lives, handed to each gateway that asks for the same address. */
#ifndef HOB_KEEPER_LISTENERS_H
#define HOB_KEEPER_LISTENERS_H

#include "base/buf.h"

/* Answers with WIRE_LISTENING or WIRE_FAILED. */
void listeners_open(uint32_t id, struct str addr, uint32_t backlog);
bool listeners_close(struct str addr); /* as asked for or as bound; false: none such */
void listeners_close_all(void);
void listeners_put(struct buf *out);   /* for LIST */

#endif
