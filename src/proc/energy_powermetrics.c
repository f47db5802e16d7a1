/* powermetrics of macOS, for root: a process that writes twice a second what was taken since. Its samples are of a time that has passed, so what is read lags by half a second at most. */
#include "proc/energy_int.h"

#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct powermetrics {
    pid_t pid;
    int fd;
    char line[512];
    size_t n;
    double elapsed_ms, joules;
};

/* "*** Sampled system activity (Sun Nov 22 07:00:00 2026 +0000) (503.21ms elapsed) ***", and later in the same sample
 * "Combined Power (CPU + GPU + ANE): 1234 mW" or, on Intel, "Intel energy model derived package power (CPUs+GT+SA): 3.26W". */
double powermetrics_line(struct str line, double *elapsed_ms)
{
    static const struct { struct str words; double watts; } powers[] = { { STR("Combined Power (CPU + GPU + ANE):"), 1e-3 }, { STR("Intel energy model derived package power (CPUs+GT+SA):"), 1 } };
    char text[64];
    ptrdiff_t at = str_find(line, STR("ms elapsed)"));
    ptrdiff_t open = at;
    while (open > 0 && line.p[open - 1] != '(')
        open--;
    if (at > 0 && open > 0) {
        snprintf(text, sizeof text, "%.*s", (int)(at - open), line.p + open);
        *elapsed_ms = strtod(text, NULL);
        return -1;
    }
    for (size_t i = 0; i < COUNTOF(powers); i++)
        if (str_starts(line, powers[i].words)) {
            snprintf(text, sizeof text, "%.*s", STR_ARG(str_trim(str_from(line, powers[i].words.n))));
            return strtod(text, NULL) * powers[i].watts;
        }
    return -1;
}

static void take_line(struct powermetrics *p)
{
    double watts = powermetrics_line(str_make(p->line, p->n), &p->elapsed_ms);
    if (watts >= 0 && p->elapsed_ms > 0)
        p->joules += watts * p->elapsed_ms / 1e3;
    if (watts >= 0)
        p->elapsed_ms = 0; /* once a sample */
    p->n = 0;
}

static const char *program(const struct energy_opts *o)
{
    static const char usual[] = "/usr/bin/powermetrics";
    if (o->powermetrics)
        return o->powermetrics;
    return access(usual, X_OK) == 0 ? usual : "";
}

static void *powermetrics_open(const struct energy_opts *o, int64_t now_ns, char why[ENERGY_WHY])
{
    const char *path = program(o);
    char *const argv[] = { (char *)path, "--samplers", "cpu_power", "-i", "500", "-b", "1", NULL };
    posix_spawn_file_actions_t files;
    int pipes[2];
    (void)now_ns;
    if (!path[0])
        return NULL;
    if (!o->powermetrics && geteuid() != 0) {
        snprintf(why, ENERGY_WHY, "powermetrics is for root alone: `sudo hob bench …`, or --watts");
        return NULL;
    }
    struct powermetrics *p = calloc(1, sizeof *p);
    if (!p)
        die("out of memory for energy");
    if (pipe(pipes)) {
        free(p);
        return NULL;
    }
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    fcntl(pipes[0], F_SETFD, FD_CLOEXEC);
    fcntl(pipes[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipes[1], 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int bad = posix_spawn(&p->pid, path, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(pipes[1]);
    p->fd = pipes[0];
    if (!bad)
        return p;
    snprintf(why, ENERGY_WHY, "%s cannot be run: %s", path, strerror(bad));
    close(p->fd);
    free(p);
    return NULL;
}

static double powermetrics_read(void *self, int64_t now_ns)
{
    struct powermetrics *p = self;
    char part[4096];
    ssize_t n;
    (void)now_ns;
    while ((n = read(p->fd, part, sizeof part)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (part[i] == '\n')
                take_line(p);
            else if (p->n < sizeof p->line)
                p->line[p->n++] = part[i];
        }
    return p->joules;
}

static void powermetrics_close(void *self)
{
    struct powermetrics *p = self;
    kill(p->pid, SIGTERM);
    waitpid(p->pid, NULL, 0);
    close(p->fd);
    free(p);
}

const struct energy_kind energy_powermetrics = { "powermetrics", powermetrics_open, powermetrics_read, powermetrics_close };
