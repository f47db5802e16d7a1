/* Server-sent events out of a byte stream. The usual read holds whole events of one data line each: then nothing is copied, the
 * slices point into what was fed. Only what must outlive a feed (a line or an event that is not finished) and events of several
 * data lines go through buffers. Whatever is found is found per line, and a line is looked at only when it is whole: that is why
 * the places where the stream was cut cannot matter. */
#include "http/sse.h"

#include "base/buf.h"

#include <stdlib.h>

enum { KEEP_BYTES = 16 * 1024 }; /* of each buffer, between events */

struct sse {
    sse_event_fn *on_event;
    void *ctx;
    size_t max;
    struct buf line;       /* the start of a line whose end has not come; while it is finished, the whole of it */
    struct buf data, name; /* what outlives a feed, or was joined */
    struct str data_now, name_now; /* into the feed, `line`, or the buffer above */
    bool has_data;         /* a data line has come: an event even if it is empty */
    bool past_bom;         /* the first line is over */
    bool skip_lf;          /* the last byte was a CR: an LF now belongs to it */
    bool stopped;
    bool failed;
    bool feeding, doomed;  /* sse_free() from inside on_event waits for the feed to end */
};

struct sse *sse_new(size_t max_event_bytes, sse_event_fn *on_event, void *ctx)
{
    struct sse *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory: a splitter of events");
    s->on_event = on_event;
    s->ctx = ctx;
    s->max = max_event_bytes;
    return s;
}

void sse_stop(struct sse *s)
{
    s->stopped = true;
}

void sse_free(struct sse *s)
{
    if (!s)
        return;
    s->stopped = true;
    if (s->feeding) {
        s->doomed = true;
        return;
    }
    buf_free(&s->line);
    buf_free(&s->data);
    buf_free(&s->name);
    free(s);
}

/* An event without a data line is none (so says the specification); its name goes with it. */
static void dispatch(struct sse *s)
{
    if (s->has_data)
        s->on_event(s->ctx, s->name_now, s->data_now);
    s->has_data = false;
    s->name_now = s->data_now = STR("");
    buf_reset(&s->data, KEEP_BYTES);
    buf_reset(&s->name, KEEP_BYTES);
}

/* Makes *now a slice of the buffer, if it is not one already. */
static void settle(struct buf *b, struct str *now)
{
    if (now->n > 0 && now->p != b->p) {
        b->n = 0;
        buf_add(b, *now);
        *now = buf_str(b);
    }
}

static void add_data(struct sse *s, struct str value)
{
    if (!s->has_data) {
        s->has_data = true;
        s->data_now = value;
        return;
    }
    settle(&s->data, &s->data_now); /* an empty first line leaves the buffer empty, as dispatch() did */
    buf_add_char(&s->data, '\n');
    buf_add(&s->data, value);
    s->data_now = buf_str(&s->data);
}

static void take_line(struct sse *s, struct str line)
{
    if (!s->past_bom && str_starts(line, STR("\xEF\xBB\xBF")))
        line = str_from(line, 3);
    s->past_bom = true;
    if (line.n == 0) {
        dispatch(s);
        return;
    }
    struct str value = { NULL, 0 };
    struct str field = str_cut(line, ':', &value);
    if (value.n > 0 && value.p[0] == ' ')
        value = str_from(value, 1);
    if (str_eq(field, STR("data")))
        add_data(s, value);
    else if (str_eq(field, STR("event")))
        s->name_now = value;
    /* A comment has an empty field name; `id` and `retry` are for clients that reconnect, which we never do. */
}

/* The one limit: what is held of this event and the line at hand together. */
static enum err_code check_room(struct sse *s, size_t line_bytes, struct err *e)
{
    size_t held = s->data_now.n + s->name_now.n;
    if (line_bytes <= s->max && held <= s->max - line_bytes)
        return ERR_OK;
    s->failed = true;
    return err_set(e, ERR_UP_GARBLED, "an event in the stream is longer than %zu bytes", s->max);
}

/* The next LF and the next CR, each looked for again only once it is passed: the search stays linear whatever ends the lines. */
struct ends {
    const char *lf, *cr, *end;
};

static const char *find_byte(const char *from, const char *end, char c)
{
    const char *at = memchr(from, c, (size_t)(end - from));
    return at ? at : end;
}

static const char *line_end(struct ends *n, const char *from)
{
    if (n->lf < from)
        n->lf = find_byte(from, n->end, '\n');
    if (n->cr < from)
        n->cr = find_byte(from, n->end, '\r');
    return n->lf < n->cr ? n->lf : n->cr;
}

/* All whole lines of bytes; *rest is what lies behind the last. */
static enum err_code take_lines(struct sse *s, struct str bytes, struct str *rest, struct err *e)
{
    const char *at = bytes.p, *end = bytes.p + bytes.n;
    struct ends next = { find_byte(at, end, '\n'), find_byte(at, end, '\r'), end };
    bool joined = s->line.n > 0;
    for (;;) {
        const char *stop = line_end(&next, at);
        *rest = str_make(at, (size_t)(end - at));
        if (stop == end)
            return ERR_OK;
        struct str line = str_make(at, (size_t)(stop - at));
        enum err_code rc = check_room(s, line.n + (joined ? s->line.n : 0), e);
        if (rc)
            return rc;
        if (joined) {
            buf_add(&s->line, line);
            line = buf_str(&s->line);
            joined = false;
        }
        take_line(s, line);
        if (s->stopped)
            return ERR_OK;
        at = stop + 1;
        if (*stop == '\r' && at == end)
            s->skip_lf = true;
        else if (*stop == '\r' && *at == '\n')
            at++;
    }
}

/* Everything that points into the feed, or into a line that is over, gets a place of its own. */
static enum err_code hold_rest(struct sse *s, struct str rest, bool had_line, struct err *e)
{
    settle(&s->data, &s->data_now);
    settle(&s->name, &s->name_now);
    if (had_line)
        buf_reset(&s->line, KEEP_BYTES);
    enum err_code rc = check_room(s, s->line.n + rest.n, e);
    if (!rc)
        buf_add(&s->line, rest);
    return rc;
}

static enum err_code feed(struct sse *s, struct str bytes, struct err *e)
{
    if (s->skip_lf) {
        s->skip_lf = false;
        if (bytes.p[0] == '\n')
            bytes = str_from(bytes, 1);
    }
    struct str rest = bytes;
    enum err_code rc = bytes.n ? take_lines(s, bytes, &rest, e) : ERR_OK;
    if (!rc && !s->stopped)
        rc = hold_rest(s, rest, rest.n != bytes.n, e);
    return rc;
}

enum err_code sse_feed(struct sse *s, struct str bytes, struct err *e)
{
    if (s->failed)
        return err_set(e, ERR_UP_GARBLED, "the stream had been given up before");
    if (s->stopped || bytes.n == 0)
        return ERR_OK;
    s->feeding = true;
    enum err_code rc = feed(s, bytes, e);
    s->feeding = false;
    if (s->doomed)
        sse_free(s);
    return rc;
}
