/* Strays: processes that outlived the keeper that should have ended them (it was killed, and they had called setsid, or were a child's child). They
 * are found by a mark in their environment that only children of this state folder, and what those start, ever had. No file of pids has to be
 * right for that, and nobody else's process can be hit. Who sweeps: the minder (minder.h) when the keeper dies, and, should that have been killed too,
 * the gateway of the next start. */
#ifndef HOB_KEEPER_SWEEP_H
#define HOB_KEEPER_SWEEP_H

#include "base/str.h"

#include <sys/types.h>

#define SWEEP_VARIABLE "HOB_CHILD_OF"
#define SWEEP_ALL INT64_MAX

/* Kills every process of this user whose environment has SWEEP_VARIABLE=run_dir and that was started no later than `until` (sweep_now(), SWEEP_ALL), except
 * this one and what descends from a keeper that lives (a next hob's children). Returns how many. With SWEEP_ALL only while no other hob uses the folder (who calls holds its lock), and before any child is started. */
size_t sweep_strays(struct str run_dir, int64_t until);

/* When a process was started, on the clock of sweep_now(); -1: it lives no more. */
int64_t sweep_born(pid_t pid);
int64_t sweep_now(void);

#endif
