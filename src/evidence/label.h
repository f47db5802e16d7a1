/* What somebody says was expected of a case, in a line, and the suite's file with that in it. Pure; who shows cases and reads lines is cli/eval_label.c.
 *
 *   y                    as it was answered, whole                 s [JSON]          JSON that meets the case's schema, or that one
 *   e TEXT               equals TEXT                               o [NAME {ARGS}]   a call of that tool, or the one that was made; `o none`: none
 *   c [TEXT]             contains TEXT, or what was answered       w                 shows all of the case
 *   a TEXT | TEXT        contains one of them                      k  b  q           skip, back, quit
 *   r PATTERN            a match of it                             ?                 help
 *   j PATH [VALUE]       JSON: that value there, or any            !…                not that: `!c sorry`
 *   n NUMBER [TOLERANCE] that number                               +…                that, and another line for the same case
 *   t TAG, TAG           these tags
 *
 * Each has a word too: yes equals contains any regex json number tags schema tool whole skip back quit help. */
#ifndef HOB_EVIDENCE_LABEL_H
#define HOB_EVIDENCE_LABEL_H

#include "evidence/suite.h"

enum label_act { LABEL_EXPECT, LABEL_WHOLE, LABEL_SKIP, LABEL_BACK, LABEL_QUIT, LABEL_HELP };

struct label_said {
    enum label_act act;
    bool more;              /* another line follows for this case */
    bool ideal;             /* the answer is right as it is: it becomes the case's `ideal` */
    struct str json;        /* LABEL_EXPECT: an expectation, as JSON; in the arena */
};
/* ERR_INVALID_REQUEST with a sentence for who has said it. */
enum err_code label_read(const struct suite_case *c, struct str line, struct arena *a, struct label_said *out, struct err *e) __attribute__((warn_unused_result));

/* The case with those expectations (a JSON list) in the place of its own, and with `ideal` as it was answered where that is said. It lives as long as c's suite and
 * *own, which is the caller's to free. */
enum err_code label_case(const struct suite_case *c, struct str expects, bool ideal, struct suite **own, struct suite_case *out, struct err *e)
    __attribute__((warn_unused_result));

/* The text of s with `with` in the place of its case number `at`: only lines of that case change, comments stay; *kept false: that could not be done (a case on one
 * line), and all of it is written anew. */
enum err_code label_write(const struct suite *s, struct str text, size_t at, const struct suite_case *with, struct buf *out, bool *kept, struct err *e)
    __attribute__((warn_unused_result));

extern const char label_help[];

#endif
