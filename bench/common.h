/* What the mock upstream and the load client share: the clock both stamp with, and reading numbers from the command
 * line. Linux only, like all of bench/ (epoll, /proc); libc only, so that neither tool brings a library of its own. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Around the send time (monotonic ns, decimal) inside the content of a streamed event. The mock writes it and the client
 * looks for it, whatever a gateway in between did to the rest of the event. */
#define STAMP '@'

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(2);
}

static inline void *must(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

/* A whole number from min to max, or the program ends and says which option was wrong. */
static inline long number(const char *option, const char *text, long min, long max)
{
    char *end = NULL;
    errno = 0;
    long n = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno || n < min || n > max)
        die("%s wants a number from %ld to %ld, not \"%s\"", option, min, max, text ? text : "");
    return n;
}

#endif
