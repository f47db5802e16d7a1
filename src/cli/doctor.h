/* hob doctor: a table of checks. Each looks at one thing and says how it is: ok, warn (it will work, but) or fail (it will not), with the fix. */
#ifndef HOB_CLI_DOCTOR_H
#define HOB_CLI_DOCTOR_H

#include "cli/ask.h"
#include "cli/rundir.h"

enum doctor_health { HEALTH_OK, HEALTH_WARN, HEALTH_FAIL };

struct finding {
    struct finding *next;
    struct str name, detail, fix; /* fix may be empty */
    enum doctor_health health;
};

struct doctor {
    const struct cli_args *args;
    struct arena arena;
    struct config *config;           /* NULL when it cannot be read: checks that need it are left out */
    char run_dir[RUNDIR_MAX_BYTES];  /* "" when there is none */
    bool daemon;                     /* one runs with our state folder */
    bool store_failing;              /* … and says that it cannot write; why */
    struct str store_why;
    int64_t held_rows;               /* … so many wait in memory */
    bool run_dir_made;               /* by us: there was none */
    const char *check;               /* the row that is at work: the name of what it finds */
    struct finding *first, *last;
};

struct check {
    const char *name;
    void (*fn)(struct doctor *d);
    bool needs_config;
};
extern const struct check doctor_setup_checks[], doctor_model_checks[], doctor_host_checks[], doctor_machine_checks[],
    doctor_sandbox_checks[]; /* each ended by a row without a name */

void doctor_kinds(struct doctor *d); /* of hosts: a row of theirs with a file of its own */
void doctor_store(struct doctor *d); /* of the set-up: likewise; behind the daemon's row */

/* A finding of the running check; `of` (a model's name) is added to its name, NULL for none. */
void doctor_say(struct doctor *d, const char *of, enum doctor_health h, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void doctor_fix(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* of the last finding */

#endif
