/* Strays: processes that outlived the keeper that should have ended them (it was killed, and they had called setsid, or were a child's child). At the first
 * start with a state folder they are found by a mark in their environment that only children of this folder, and what those start, ever had. No file
 * of pids has to be right for that, and nobody else's process can be hit. */
#ifndef HOB_PROC_SWEEP_H
#define HOB_PROC_SWEEP_H

#include "base/str.h"

#define SWEEP_VARIABLE "HOB_CHILD_OF"

/* Kills every process of this user whose environment has SWEEP_VARIABLE=run_dir, except this one. Returns how many. Only while no
 * other hob uses the folder (who calls holds its lock), and before any child is started. */
size_t sweep_strays(struct str run_dir);

#endif
