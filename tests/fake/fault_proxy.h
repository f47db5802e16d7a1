/* What the files of the fault proxy share: bytes, rules as they are read, and the record of what passed. */
#ifndef FAULT_PROXY_H
#define FAULT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    char *p;
    size_t n, cap;
};

enum way_name { UP, DOWN, CONNECT }; /* from who connected; to them; before there is either */
enum action { RST, FIN, HALF, STALL, DRIP, PIECES, DELAY, INSERT, REPLACE, DROP, REFUSE, HOLE };

struct rule {
    enum way_name way;
    uint64_t at;
    enum action action;
    long a, b;
    char *text;
    size_t text_n;
};

/* An entry for each connection, and for each request that carries a mark. */
struct entry {
    struct entry *next;
    char door[32], name[32]; /* name: what the mark says after `case` */
    long pair;
    uint64_t passed[2];
    struct bytes kept[2];
    char fired[96];
    const char *end; /* NULL: not yet */
    bool forgotten;  /* by `reset`: its pair still has it */
};
extern struct entry *entries;

_Noreturn void give_up(const char *what);
void *must(void *p);
void bytes_add(struct bytes *b, const void *p, size_t n);
void bytes_drop(struct bytes *b, size_t n);
void bytes_free(struct bytes *b);
__attribute__((format(printf, 2, 3))) void bytes_printf(struct bytes *b, const char *fmt, ...);
int64_t now_ms(void);
bool rule_parse(char *line, struct rule *r);
struct entry *entry_new(const char *door, long pair);
void entry_over(struct entry *e, const char *how);
void entries_reset(void);
const char *action_name(enum action a);

#endif
