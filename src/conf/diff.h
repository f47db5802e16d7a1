/* What a configuration changes against the one in force, by the table of settings: each row says what its change takes (enum takes in conf_int.h), so a
 * new setting cannot be forgotten. Pure. Models, hosts, roles … are told by their names: another order is no change. */
#ifndef HOB_CONF_DIFF_H
#define HOB_CONF_DIFF_H

#include "conf/config.h"

enum conf_change {
    CONF_SAME,      /* nothing, or only what holds at once: the process that runs is as it would be started now */
    CONF_RESTART,   /* it must start anew */
    CONF_ADDED,
};

struct conf_model_change {
    enum conf_change change;
    size_t was;                 /* index in the old one's models; SIZE_MAX: added */
    struct str cause;           /* RESTART: the first setting that takes it, "models.small.context", "hosts.anvil.url" */
};

/* Lists and names lie in the arena given, or in the two configurations. */
struct conf_diff {
    const struct conf_model_change *models; /* one for each of now's models */
    size_t nmodels;
    struct conf_strs removed;   /* models of before */
    struct conf_strs changed;   /* settings, roles, tiers, hosts … that differ: "queue.limit", "roles.chat", "models.small.idle" */
    struct conf_strs restart;   /* of those, what takes effect when hob is started anew */
};

void conf_diff(const struct config *was, const struct config *now, struct arena *a, struct conf_diff *out);

#endif
