/* For a variable on the path of each event that is written before it is read. The build clears all others (-ftrivial-auto-var-init=zero), and of a large one that
 * costs more than what is done with it. Nowhere else: what is cleared cannot tell anybody anything. */
#ifndef HOB_BASE_UNCLEARED_H
#define HOB_BASE_UNCLEARED_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNCLEARED __attribute__((uninitialized))
#endif
#endif
#ifndef UNCLEARED
#define UNCLEARED
#endif

#endif
