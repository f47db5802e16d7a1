/* The rules of `routes:`. Pure. */
#ifndef HOB_ROUTE_RULES_H
#define HOB_ROUTE_RULES_H

#include "route/ask.h"
#include "route/snapshot.h"

struct rule_facts {          /* what is known of the decision as it stands without a rule */
    struct str role, tier;   /* of the name asked for, and of the first candidate */
    const struct conf_host *host; /* of the first candidate; NULL = this machine */
};

/* The first whose conditions all hold, or NULL. */
const struct conf_route *rules_match(const struct config *c, const struct ask *ask, const struct rule_facts *f, const struct snapshot *s);
/* Does any rule ask for complexity, language, urgent, fresh or intent? */
bool rules_want_words(const struct config *c);
/* Does any rule ask whether it is private? */
bool rules_want_findings(const struct config *c);

/* "22:00-06:00", "mon-fri", "sat,sun 08:00-12:00": does local time lie in it? For conf's checks too: false with *valid = false when it is none. */
bool rule_time_holds(struct str text, int64_t wall_s, int utc_offset_s, bool *valid);
/* '*' and '?' as in file names; case does not count. */
bool rule_glob(struct str pattern, struct str text);

#endif
