/* What a command about models is about, when the command line names it by one word: a model of the configuration (by its name, an alias, a tier, a role), else
 * a file or folder. A name goes before a file that is called the same. */
#ifndef HOB_CLI_SUBJECT_H
#define HOB_CLI_SUBJECT_H

#include "cli/cli.h"
#include "conf/conf.h"

struct subject {
    const struct conf_model *model; /* the configuration's; NULL: it is a file or folder */
    struct str role;                /* the role that it was named by, or empty */
};

/* It can only be a path: no configuration is needed to know. */
bool subject_is_path(struct str word);

/* false: it is neither. *out is empty then. word ends in a NUL, as arguments do. */
bool subject_find(const struct config *c, struct str word, struct subject *out);

/* Says on stderr that there is none such, with the nearest name, and what may be named (a line without end). c may be NULL where no configuration was
 * read.
 * EXIT_FAILED. */
int subject_unknown(const struct config *c, struct str word, const char *what_may_be_named);

#endif
