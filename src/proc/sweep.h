/* The mark that a child gets, and the sweep by it at a first start: both are the keeper's too. */
#ifndef HOB_PROC_SWEEP_H
#define HOB_PROC_SWEEP_H

#include "keeper/sweep.h"

#endif
