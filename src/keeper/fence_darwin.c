/* macOS: there is no fence. (Its sandbox_init() is deprecated, and its profiles are in a language that is not documented.) */
#include "keeper/fence.h"

int fence_abi(void)
{
    return 0;
}

bool fence_no_privileges(void)
{
    return true;
}

bool fence_enter(const struct fence *f)
{
    (void)f;
    return true;
}
