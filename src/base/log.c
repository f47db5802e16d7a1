/* One line of words on stderr: `hob: warn: …`, with the time in front when stderr is no terminal (a journal has its own, a file has not). */
#include "base/log.h"

#include "base/clock.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };

enum log_level log_current = LOG_INFO;

void log_set_level(enum log_level level)
{
    log_current = level;
}

bool log_level_parse(struct str name, enum log_level *out)
{
    for (size_t i = 0; i < COUNTOF(level_names); i++)
        if (str_eq(name, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

static int put_time(char *out, size_t room)
{
    int64_t now = clock_wall_ms();
    time_t s = (time_t)(now / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, room, "%Y-%m-%dT%H:%M:%S", &tm);
    return (int)n + snprintf(out + n, room - n, ".%03dZ ", (int)(now % 1000));
}

/* Who is to read may be a pipe that stands still: a full one would hold up whoever writes, for ever. What finds no room is left out, and that it was is said when there
 * is some again. An error of poll() says nothing about room: then it is tried. */
static void put(const char *line, size_t n)
{
    static _Atomic unsigned lost; /* the store's thread has words too */
    struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (!poll(&out, 1, 0)) {
        lost++;
        return;
    }
    unsigned before = atomic_exchange(&lost, 0);
    if (before) {
        char words[96];
        int w = snprintf(words, sizeof words, "hob: warn: nobody read the log for a while: %u lines are missing here\n", before);
        if (write(STDERR_FILENO, words, (size_t)w) < 0 || !poll(&out, 1, 0)) {
            lost += 1; /* this one; those before were said, or nobody is there at all */
            return;
        }
    }
    ssize_t rc = write(STDERR_FILENO, line, n); /* a log that cannot be written must not stop the serving */
    (void)rc;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    if (level > log_current)
        return;
    static _Atomic int on_terminal = -1; /* the store's thread has words too */
    if (on_terminal < 0)
        on_terminal = isatty(STDERR_FILENO);
    char line[1024];
    int n = on_terminal ? 0 : put_time(line, sizeof line);
    n += snprintf(line + n, sizeof line - (size_t)n, level == LOG_INFO ? "hob: " : "hob: %s: ", level_names[level]);
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    n += more < 0 ? 0 : more;
    if ((size_t)n > sizeof line - 2)
        n = (int)sizeof line - 2;
    str_mask_controls(line, (size_t)n);
    line[n] = '\n';
    put(line, (size_t)n + 1);
}
