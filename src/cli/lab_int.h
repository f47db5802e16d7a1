/* A lab's folders: lab_keep.c. */
#ifndef HOB_CLI_LAB_INT_H
#define HOB_CLI_LAB_INT_H

/* With its hob's run folder; only what lab_open() has made, else nothing happens. */
void lab_remove(const char *folder);
/* What labs of before have left that were killed together with who kept them. */
void lab_sweep(void);

#endif
