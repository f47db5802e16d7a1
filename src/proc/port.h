/* Who listens on a port of this machine's loopback? A port that answers says nothing about which process does. */
#ifndef HOB_PROC_PORT_H
#define HOB_PROC_PORT_H

enum port_owner {
    PORT_NOBODY,    /* nobody listens there */
    PORT_OURS,      /* the process, or what it has started */
    PORT_STRANGER,  /* somebody else, too */
    PORT_UNKNOWN,   /* the system does not say */
};

/* Reads files of the kernel: for the pool. */
enum port_owner port_owner(int port, int pid);

/* A port of 127.0.0.1 that is free now; 0 = none. */
int port_free(void);

#endif
