/* How far something long is: one line that is written over on a terminal, else a line every few seconds. On stderr. */
#ifndef HOB_CLI_PROGRESS_H
#define HOB_CLI_PROGRESS_H

#include "base/str.h"

enum { PROGRESS_MAX_LINE = 256 };

struct progress {
    bool terminal;
    bool open;                  /* an unfinished line stands on the terminal */
    const char *word;           /* of the last line: "checking"; NULL = none yet */
    int64_t shown_ms;
    int64_t counted_ms, counted_bytes; /* when the speed was last counted; 0 = not yet */
    double bytes_per_s;         /* smoothed; negative = not known yet */
};

/* terminal: stderr is one that can write over a line. */
void progress_init(struct progress *p);
/* Shows it when it is time to. word: "" for bytes that come (speed and time left are told), else what is done with them. total: -1 = unknown. */
void progress_show(struct progress *p, struct str name, const char *word, int64_t done, int64_t total, int64_t now_ms);
void progress_clear(struct progress *p); /* for who has something else to say */

/* The line itself, at most `columns` wide. bytes_per_s: negative = not known. */
void progress_line(char out[PROGRESS_MAX_LINE], size_t columns, struct str name, const char *word, int64_t done, int64_t total, double bytes_per_s);

#endif
