/* fault_parts.c - rules as they are read, and the record of what passed. */
#include "fault_proxy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- small things ---- */

_Noreturn void give_up(const char *what)
{
    fprintf(stderr, "fault-proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

void *must(void *p)
{
    if (!p)
        give_up("memory");
    return p;
}

void bytes_add(struct bytes *b, const void *p, size_t n)
{
    if (b->n + n + 1 > b->cap) {
        b->cap = 2 * (b->n + n + 1);
        b->p = must(realloc(b->p, b->cap));
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void bytes_drop(struct bytes *b, size_t n)
{
    if (n) /* of a buffer that was never filled there is nothing to move */
        memmove(b->p, b->p + n, b->n - n + 1);
    b->n -= n;
}

void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){ 0 };
}

void bytes_printf(struct bytes *b, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    bytes_add(b, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- rules ---- */

static const struct {
    const char *name;
    enum action action;
    int needs; /* numbers */
    bool text; /* hex */
} actions[] = {
    { "rst",     RST,     0, false }, /* both sides see a reset */
    { "fin",     FIN,     0, false }, /* both see an orderly end */
    { "half",    HALF,    0, false }, /* this way ends in order, the other goes on */
    { "stall",   STALL,   0, false }, /* this way stands still: for ever, or so many ms */
    { "drip",    DRIP,    2, false }, /* from here on N bytes each T ms */
    { "pieces",  PIECES,  1, false }, /* from here on each segment has at most N bytes */
    { "delay",   DELAY,   1, false }, /* from here on what comes waits T ms */
    { "insert",  INSERT,  0, true },  /* these bytes come in between */
    { "replace", REPLACE, 0, true },  /* these come in the place of as many */
    { "drop",    DROP,    1, false }, /* N bytes are lost */
    { "refuse",  REFUSE,  0, false }, /* connect: reset as soon as it is accepted */
    { "hole",    HOLE,    0, false }, /* connect: accepted, and not a word */
};

static bool rule_numbers(struct rule *r, char **save, int needs)
{
    const char *a = strtok_r(NULL, " ", save), *b = strtok_r(NULL, " ", save);
    r->a = a ? strtol(a, NULL, 10) : 0;
    r->b = b ? strtol(b, NULL, 10) : 0;
    return needs == 0 || (needs == 1 && a) || b;
}

static bool rule_text(struct rule *r, char **save)
{
    const char *hex = strtok_r(NULL, " ", save);
    if (!hex || strlen(hex) % 2)
        return false;
    r->text_n = strlen(hex) / 2;
    r->text = must(malloc(r->text_n + 1));
    for (size_t i = 0; i < r->text_n; i++) {
        char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };
        r->text[i] = (char)strtol(two, NULL, 16);
    }
    return true;
}

/* "down 100 rst", "connect hole", "up 0 drip 1 20". */
bool rule_parse(char *line, struct rule *r)
{
    static const char *const ways[] = { "up", "down", "connect" };
    char *save = NULL;
    const char *way = strtok_r(line, " ", &save);
    *r = (struct rule){ .way = CONNECT + 1 };
    for (int i = 0; way && i < 3; i++) {
        if (!strcmp(way, ways[i]))
            r->way = (enum way_name)i;
    }
    if (r->way > CONNECT)
        return false;
    if (r->way != CONNECT) {
        const char *at = strtok_r(NULL, " ", &save);
        if (!at || *at < '0' || *at > '9')
            return false;
        r->at = strtoull(at, NULL, 10);
    }
    const char *name = strtok_r(NULL, " ", &save);
    for (size_t i = 0; name && i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(name, actions[i].name))
            continue;
        r->action = actions[i].action;
        if ((r->action == REFUSE || r->action == HOLE) != (r->way == CONNECT))
            return false;
        return actions[i].text ? rule_text(r, &save) : rule_numbers(r, &save, actions[i].needs);
    }
    return false;
}

/* ---- what is recorded: an entry for each connection, and for each request that carries a mark ---- */

struct entry *entries;
static struct entry **entries_end = &entries;

struct entry *entry_new(const char *door, long pair)
{
    struct entry *e = must(calloc(1, sizeof *e));
    snprintf(e->door, sizeof e->door, "%s", door);
    e->pair = pair;
    *entries_end = e;
    entries_end = &e->next;
    return e;
}

static void entry_free(struct entry *e)
{
    bytes_free(&e->kept[UP]);
    bytes_free(&e->kept[DOWN]);
    free(e);
}

void entry_over(struct entry *e, const char *how)
{
    if (!e->end)
        e->end = how;
    if (e->forgotten)
        entry_free(e);
}

void entries_reset(void)
{
    for (struct entry *e = entries, *next; e; e = next) {
        next = e->next;
        e->forgotten = true;
        e->next = NULL;
        if (e->end)
            entry_free(e);
    }
    entries = NULL;
    entries_end = &entries;
}

const char *action_name(enum action a)
{
    return actions[a].name;
}
