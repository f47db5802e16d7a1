/* Which variables of our environment what we start may have: where libraries and devices are. None of them is a secret of ours. */
#ifndef HOB_PROC_ENV_H
#define HOB_PROC_ENV_H

#include "base/str.h"

#include <stdbool.h>

bool env_is_passed_on(struct str name_value);

#endif
