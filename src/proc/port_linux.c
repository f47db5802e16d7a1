/* /proc/net/tcp has the inode of each listening socket, /proc/PID/fd who holds it. */
#include "proc/port.h"

#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LISTEN_STATE = 0x0a, MAX_SOCKETS = 64, MAX_FAMILY = 4096 };

struct family {                 /* a process and all that it has started, directly or not */
    int pid[MAX_FAMILY];
    size_t n;
};

/* As the kernel writes an address: words of 32 bits, each in this machine's order. Loopback, or any. */
static bool is_reached_by_loopback(const char *hex)
{
    static const char *const all[] = {
        "0100007F", "00000000",
        "00000000000000000000000000000000", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F",
    };
    for (size_t i = 0; i < COUNTOF(all); i++)
        if (strcmp(hex, all[i]) == 0)
            return true;
    return false;
}

static size_t find_sockets(const char *table, int port, unsigned long *inodes, size_t n)
{
    FILE *f = fopen(table, "re");
    char line[512], local[40];
    while (f && n < MAX_SOCKETS && fgets(line, sizeof line, f)) {
        unsigned at = 0, state = 0;
        unsigned long inode = 0;
        if (sscanf(line, " %*u: %39[0-9A-F]:%x %*s %x %*s %*s %*s %*u %*u %lu", local, &at, &state, &inode) == 4 && (int)at == port &&
            state == LISTEN_STATE && is_reached_by_loopback(local))
            inodes[n++] = inode;
    }
    if (f)
        fclose(f);
    return n;
}

static int parent_of(int pid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    int parent = 0;
    if (f && fgets(line, sizeof line, f)) {
        const char *behind = strrchr(line, ')'); /* the name before it may hold anything */
        if (!behind || sscanf(behind, ") %*c %d", &parent) != 1)
            parent = 0;
    }
    if (f)
        fclose(f);
    return parent;
}


/* Goes up from each process: who comes to ours before the first is of the family. */
static bool descends(int pid, int from)
{
    for (int depth = 0; pid > 1 && depth < 64; depth++, pid = parent_of(pid))
        if (pid == from)
            return true;
    return false;
}

static void find_family(int pid, struct family *out)
{
    DIR *d = opendir("/proc");
    out->n = 0;
    for (struct dirent *e; d && out->n < MAX_FAMILY && (e = readdir(d));) {
        int64_t one;
        if (str_to_int(str_of(e->d_name), 1, INT32_MAX, &one) && descends((int)one, pid))
            out->pid[out->n++] = (int)one;
    }
    if (d)
        closedir(d);
}

/* Of the sockets, those that pid holds: their inodes become 0. */
static void cross_off(int pid, unsigned long *inodes, size_t n)
{
    char folder[64], path[330], to[64];
    snprintf(folder, sizeof folder, "/proc/%d/fd", pid);
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        unsigned long inode;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        ssize_t got = readlink(path, to, sizeof to - 1);
        to[got > 0 ? got : 0] = 0;
        for (size_t i = 0; sscanf(to, "socket:[%lu]", &inode) == 1 && i < n; i++)
            if (inodes[i] == inode)
                inodes[i] = 0;
    }
    if (d)
        closedir(d);
}

enum port_owner port_owner(int port, int pid)
{
    static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
    unsigned long inodes[MAX_SOCKETS];
    size_t n = 0;
    if (access(tables[0], R_OK))
        return PORT_UNKNOWN;
    for (size_t i = 0; i < COUNTOF(tables); i++)
        n = find_sockets(tables[i], port, inodes, n);
    if (!n)
        return PORT_NOBODY;
    struct family *all = malloc(sizeof *all);
    if (!all)
        return PORT_UNKNOWN;
    find_family(pid, all);
    for (size_t i = 0; i < all->n; i++)
        cross_off(all->pid[i], inodes, n);
    free(all);
    for (size_t i = 0; i < n; i++)
        if (inodes[i])
            return PORT_STRANGER;
    return PORT_OURS;
}
