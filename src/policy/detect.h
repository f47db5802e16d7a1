/* Personal data in a text: found by form, and by check digits where there are some. Pure; one pass, no allocation. */
#ifndef HOB_POLICY_DETECT_H
#define HOB_POLICY_DETECT_H

#include "base/str.h"

enum finding { FOUND_EMAIL = 1, FOUND_PHONE = 2, FOUND_IBAN = 4, FOUND_CARD = 8, FOUND_SECRET = 16 };

struct found {
    enum finding what;
    size_t at, n;            /* bytes of the text */
};

/* The next one at or after *from; *from goes behind it. False: no more. Findings do not overlap. */
bool detect_next(struct str text, size_t *from, struct found *out);
/* Is all of it one, seen with the name of the member that it is the value of? "hunter22" under "password", digits under "phone". */
bool detect_named(struct str name, struct str value, struct found *out);
const char *finding_name(enum finding f); /* "email" … */

#endif
