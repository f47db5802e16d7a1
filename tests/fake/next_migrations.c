/* hob-next: the same hob with one step of the schema more, as its next release may have it. Linked before the rooms, this table is the one that counts. */
#include "store/store_int.h"

#undef NULL
#define NULL "CREATE TABLE next (n INTEGER) STRICT;", ((void *)0) /* the table's last row */
#include "store/migrations.c"
