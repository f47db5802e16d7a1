/* How a row lies in the table: what its three files share. */
#ifndef HOB_STORE_REQUESTS_INT_H
#define HOB_STORE_REQUESTS_INT_H

#include "store/store_int.h"

/* The column `flags`. The two bits above ROW_VERDICT_SHIFT are enum row_verdict, the three above ROW_FINISH_SHIFT enum row_finish, and those above ROW_OTHERS_SHIFT
 * one more than `others`, 0 = unknown: a row of a program that knew of none of them is read right, and one of ours by it. */
enum { ROW_STREAM = 1, ROW_PRIVATE = 2, ROW_REDACTED = 4, ROW_FELL_BACK = 8, ROW_UNKNOWN = 16, ROW_VERDICT_SHIFT = 5, ROW_UNASKED_THOUGHTS = 128,
    ROW_FINISH_SHIFT = 8, ROW_OTHERS_SHIFT = 11, ROW_OTHERS_MAX = 65535, ROW_AWAY = 1 << 27 };
enum { ROW_PLACES_A_MS = 1024 };        /* of `at` */

/* An id is half as long without its hex digits. Anything else than one of ours packs to nothing. */
enum { ROW_ID_BYTES = 16, ROW_ID_TEXT = 4 + 2 * ROW_ID_BYTES };
size_t row_id_pack(struct str id, char out[ROW_ID_BYTES]);
struct str row_id_text(const unsigned char *packed, size_t n, char out[ROW_ID_TEXT]);

/* On the writer's thread, inside of a transaction. */
enum err_code requests_write(struct store_db *db, const struct request_row *r, int64_t *at, struct err *e) __attribute__((warn_unused_result));
enum err_code requests_is_at(struct store_db *db, int64_t at, struct str id, bool *there, struct err *e) __attribute__((warn_unused_result));

/* What is summed up of rows, the same wherever it is done: the columns of request_sums. */
#define ROW_SUMS                                                                                                                     \
    " came_ms / 3600000 * 3600, way, count(*), sum(fault <> 0), ifnull(sum(min(input, 1 << 40)), 0), ifnull(sum(min(output, 1 << 40)), 0),"  \
    " ifnull(sum(min(cached, 1 << 40)), 0),"                                                                                            \
    " total(cost), sum(cost IS NULL AND ifnull(input, 0) + ifnull(output, 0) > 0), sum(flags >> 5 & 3 > 0), sum(flags >> 5 & 3 = 1),"   \
    " sum(flags >> 3 & 1), max(came_ms) FROM requests"

#endif
