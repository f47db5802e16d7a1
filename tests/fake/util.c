/* util.c - time, a growing buffer, files, and the log. */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void *must_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        abort();
    return p;
}

char *must_dup(const char *p, size_t n)
{
    char *copy = must_alloc(n + 1);
    memcpy(copy, p, n);
    return copy;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (b->n + n + 1 > b->cap) {
        b->cap = (b->n + n + 1) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line)
        abort();
    buf_add(b, line, (size_t)n);
}

void buf_drop(struct buf *b, size_t n)
{
    if (!n)
        return;
    memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

long count_words(const char *s)
{
    long n = 0;
    bool inside = false;
    for (; *s; s++) {
        bool space = *s == ' ' || *s == '\n' || *s == '\t' || *s == '\r';
        n += !space && !inside;
        inside = !space;
    }
    return n;
}

uint32_t text_hash(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

char *file_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    struct buf b = {0};
    char chunk[4096];
    size_t got;
    buf_add(&b, "", 0);
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&b, chunk, got);
    fclose(f);
    if (n)
        *n = b.n;
    return b.p;
}

/* `M.SS.mmm.uuu L tag func: text`, M.SS counted from the start of the process. */
void llama_log(char level, const char *tag, const char *fmt, ...)
{
    static struct timespec start;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    if (!start.tv_sec)
        start = t;
    long us = (long)(t.tv_sec - start.tv_sec) * 1000000 + (t.tv_nsec - start.tv_nsec) / 1000;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%ld.%02ld.%03ld.%03ld %c %s %s\n", us / 60000000, us / 1000000 % 60, us / 1000 % 1000, us % 1000,
            level, tag, text);
    fflush(stderr);
}
