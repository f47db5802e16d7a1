/* A bar for people; the speed is smoothed over some seconds, so that it can be read. */
#include "cli/progress.h"

#include "cli/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TERMINAL_MS = 200, PLAIN_MS = 5000, COUNT_MS = 500, SMOOTH_MS = 5000, BAR = 20, USUAL_COLUMNS = 80, MAX_COLUMNS = 160 };

void progress_init(struct progress *p)
{
    const char *term = getenv("TERM");
    *p = (struct progress){ .bytes_per_s = -1, .terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 };
}

static size_t columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? (w.ws_col < MAX_COLUMNS ? w.ws_col : MAX_COLUMNS) : USUAL_COLUMNS;
}

static void put_bar(char out[BAR + 4], double part)
{
    size_t full = (size_t)(part * BAR);
    out[0] = '[';
    memset(out + 1, '=', full);
    memset(out + 1 + full, ' ', BAR - full);
    memcpy(out + 1 + BAR, "] ", 3);
}

void progress_line(char out[PROGRESS_MAX_LINE], size_t width, struct str name, const char *word, int64_t done, int64_t total, double bytes_per_s)
{
    char have[32], all[32], speed[32], left[32], percent[16] = "", bar[BAR + 4] = "", tail[96] = "", room[PROGRESS_MAX_LINE];
    double part = total > 0 ? (double)done / (double)total : 0;
    part = part > 1 ? 1 : part;
    show_bytes(done, have);
    if (total > 0) {
        snprintf(percent, sizeof percent, "%3d%% ", (int)(part * 100));
        put_bar(bar, part);
    }
    int n = snprintf(tail, sizeof tail, "%s%s%s", have, total > 0 ? " of " : "", total > 0 ? show_bytes(total, all).p : "");
    if (word[0])
        n += snprintf(tail + n, sizeof tail - (size_t)n, ", %s", word);
    else if (bytes_per_s >= 0)
        n += snprintf(tail + n, sizeof tail - (size_t)n, ", %s/s", show_bytes((int64_t)bytes_per_s, speed).p);
    if (!word[0] && bytes_per_s >= 1 && total > done)
        snprintf(tail + n, sizeof tail - (size_t)n, ", %s left", show_ms((int64_t)((double)(total - done) / bytes_per_s * 1000), left).p);
    size_t rest = strlen(percent) + strlen(tail), with_bar = rest + strlen(bar);
    if (with_bar + 20 > width) /* narrow: the bar goes first, then the name's beginning */
        bar[0] = 0;
    rest += strlen(bar);
    size_t name_room = width > rest + 4 ? width - rest - 2 : 0;
    if (name.n > name_room)
        name = name_room > 3 ? str_from(name, name.n - name_room) : str_make(NULL, 0);
    snprintf(room, sizeof room, "%.*s%s%s%s%s", STR_ARG(name), name.n ? " " : "", percent, bar, tail);
    snprintf(out, PROGRESS_MAX_LINE, "%.*s", (int)(width < PROGRESS_MAX_LINE ? width : PROGRESS_MAX_LINE - 1), room);
}

static void count_speed(struct progress *p, int64_t done, int64_t now_ms)
{
    int64_t ms = now_ms - p->counted_ms, bytes = done - p->counted_bytes;
    if (p->counted_ms && ms < COUNT_MS)
        return;
    if (p->counted_ms && bytes >= 0) {
        double now = (double)bytes * 1000 / (double)ms, weight = 1 - exp(-(double)ms / SMOOTH_MS);
        p->bytes_per_s = p->bytes_per_s < 0 ? now : p->bytes_per_s + (now - p->bytes_per_s) * weight;
    }
    p->counted_ms = now_ms;
    p->counted_bytes = done;
}

void progress_show(struct progress *p, struct str name, const char *word, int64_t done, int64_t total, int64_t now_ms)
{
    char line[PROGRESS_MAX_LINE];
    bool same = p->word && strcmp(p->word, word) == 0;
    if (!same) {
        p->word = word;
        p->counted_ms = 0;
        p->bytes_per_s = -1;
        p->shown_ms = p->terminal ? 0 : now_ms; /* what is done soon needs no line of its own */
    }
    if (!word[0])
        count_speed(p, done, now_ms);
    if (now_ms - p->shown_ms < (p->terminal ? TERMINAL_MS : PLAIN_MS))
        return;
    p->shown_ms = now_ms;
    progress_line(line, p->terminal ? columns() - 1 : MAX_COLUMNS, name, word, done, total, p->bytes_per_s);
    fprintf(stderr, p->terminal ? "\r%s\033[K" : "%s\n", line);
    fflush(stderr);
    p->open = p->terminal;
}

void progress_clear(struct progress *p)
{
    if (p->open)
        fputs("\r\033[K", stderr);
    p->open = false;
}
