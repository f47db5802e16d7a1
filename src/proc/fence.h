/* What a child may reach of this machine, as rules that the keeper puts up around it (keeper/fence.h): the table of what every engine needs, and what
 * follows from the program, its words and its environment. Whatever is not in the rules is not there for it.
 *
 * A folder that holds the home folder, or `closed` (what is hob's own), is never opened whole because a word names it.
 *
 * Where a child may write it may leave a link for its next start: a name that leads through a folder of FENCE_WRITE, FENCE_ALL or FENCE_SHARED opens nothing
 * beyond that folder. So these are added first. */
#ifndef HOB_PROC_FENCE_H
#define HOB_PROC_FENCE_H

#include "base/arena.h"

#include <stdbool.h>

enum { FENCE_MAX_RULES = 320, FENCE_PORT_ANY = 65536 /* whichever the kernel gives it */ };

enum fence_access {
    FENCE_READ = 'r',
    FENCE_RUN = 'x',    /* and run programs */
    FENCE_DEVICE = 'd', /* read and write, and ask devices */
    FENCE_SHARED = 's', /* make, read, write and remove files, not see which there are */
    FENCE_WRITE = 'w',  /* all but running */
    FENCE_ALL = 'a',
};

struct fence_rules {
    struct arena *arena;
    struct str closed;
    bool files, tcp;            /* what is shut; neither: there is no fence */
    bool calls;                 /* shut, too: connecting to anything, socket files included; only for who just listens on one */
    int port;                   /* that it may listen on although TCP is shut; 0 = none */
    struct str at[FENCE_MAX_RULES]; /* a letter and a path each */
    size_t n;
};

void fence_init(struct fence_rules *f, struct arena *a, struct str closed); /* all open, no rule */
void fence_add(struct fence_rules *f, enum fence_access access, struct str path); /* absolute, or it is no rule */
void fence_add_path(struct fence_rules *f, enum fence_access access, struct str path); /* likewise, named by the operator */
void fence_add_system(struct fence_rules *f);   /* libraries, locales, /proc, /sys, /dev/null … */
bool fence_add_gpus(struct fence_rules *f);     /* what drivers have in /dev. true: several GPUs that speak TCP with each other */
void fence_add_program(struct fence_rules *f, struct str path); /* its folder, its libraries, and the program that runs it if it is a script */
void fence_add_word(struct fence_rules *f, struct str word);    /* of the command line: the file or folder it names, to read */
void fence_add_env(struct fence_rules *f, struct str name_value); /* the files and folders it names, to read */

/* Of the kernel: 0 = it has none, or it is off. */
int fence_version(void);

#endif
