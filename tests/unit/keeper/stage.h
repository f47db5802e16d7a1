/* A stage for the keeper: the real process, this test in its gateway's place. */
#ifndef HOB_TESTS_STAGE_H
#define HOB_TESTS_STAGE_H

#include "keeper/line.h"

#include <sys/types.h>

enum { STAGE_WAIT_MS = 10 * 1000 };

struct stage {
    char dir[64], path[96]; /* of this stage's files; the socket where stand-ins report */
    int door;               /* listens at path */
    int puppet;             /* to the stand-in of the hour; -1 none */
    pid_t keeper;
    struct line line;       /* the wire, its gateway's end */
    uint32_t last_id;
    struct buf news;        /* messages with id 0 that came while an answer was waited for */
};

void stage_programs(const char *keeper, const char *stand_in);
void stage_up(struct stage *s);
void stage_up_with(struct stage *s, const char *gateway); /* another one than the stand-in */
void stage_meet(struct stage *s);                    /* the next stand-in */
int stage_meet_fd(struct stage *s);                  /* the same, but hands out the wire's descriptor instead of opening a line */
/* Another stand-in of s's keeper, on a stage of its own: an heir ('h') or one that comes after an heir ('a'). The socket between the two: the caller's. */
int stage_meet_beside(struct stage *s, struct stage *its, char what);
void stage_leave(struct stage *its);                 /* what stage_meet_beside() has set up */
const char *stage_stand_in(void);
bool stage_is_met_within(struct stage *s, int ms);   /* is there a next stand-in? */
void stage_deed(struct stage *s, char deed, char arg);
int stage_end(struct stage *s);                      /* waits for the keeper to end by itself; its wait status */
void stage_down(struct stage *s);                    /* kills what is left */

/* Begin a request, put its fields into s->line.out, then stage_ask: the type of the answer, *in at its body. */
size_t stage_begin(struct stage *s, enum wire_type type);
enum wire_type stage_ask(struct stage *s, size_t begun_at, struct wire_reader *in, int *fd);
/* The next message that nobody asked for. */
enum wire_type stage_news(struct stage *s, struct wire_reader *in);
bool stage_eof(struct stage *s); /* the keeper shuts the wire */

bool stage_gone(pid_t pid);      /* waits until no such process runs */
long stage_left(int64_t until_ms);

#endif
