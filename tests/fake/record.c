/* record.c - what came in, and how it ended: what GET /fake/log tells. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

static struct record *first, **last = &first;
static int in_flight, in_flight_streams, max_in_flight, connections_seen_bad;
static struct buf bad_log; /* one reason a line */

struct record *record_new(const char *head, size_t head_n)
{
    struct record *r = must_alloc(sizeof *r);
    const char *sp = memchr(head, ' ', head_n);
    const char *sp2 = sp ? strchr(sp + 1, ' ') : NULL;
    r->method = must_dup(head, sp ? (size_t)(sp - head) : 0);
    r->target = sp2 ? must_dup(sp + 1, (size_t)(sp2 - sp - 1)) : must_dup("", 0);
    r->head = must_dup(head, head_n);
    r->t_start = now_ms();
    r->probe = strcasestr(head, "\r\nx-hob-probe:") != NULL;
    r->listed = !fake.forgets && strncmp(r->target, "/fake/", 6) != 0;
    if (r->listed) {
        *last = r;
        last = &r->next;
    }
    return r;
}

static void record_free(struct record *r)
{
    free(r->method);
    free(r->target);
    free(r->head);
    free(r->body);
    free(r);
}

void record_first_byte(struct record *r)
{
    if (!r->t_first)
        r->t_first = now_ms();
}

void record_chat_begins(struct record *r)
{
    r->chat = true;
    in_flight++;
    in_flight_streams += r->stream;
    if (in_flight > max_in_flight && !r->probe)
        max_in_flight = in_flight;
}

void record_end(struct record *r, enum outcome how)
{
    if (r->chat) {
        in_flight--;
        in_flight_streams -= r->stream;
    }
    r->outcome = how;
    r->t_end = now_ms();
    if (!r->listed)
        record_free(r);
}

void record_bad(const char *why)
{
    connections_seen_bad++;
    buf_text(&bad_log, why);
    buf_text(&bad_log, "\n");
}

/* A request still being answered leaves the list now and is freed when it ends. */
void record_reset(void)
{
    for (struct record *r = first, *next; r; r = next) {
        next = r->next;
        r->listed = false;
        r->next = NULL;
        if (r->outcome != OUT_OPEN)
            record_free(r);
    }
    first = NULL;
    last = &first;
    max_in_flight = in_flight;
    connections_seen_bad = 0;
    buf_free(&bad_log);
}

int record_in_flight(int *streams)
{
    *streams = in_flight_streams;
    return in_flight;
}

/* Bodies and heads may hold any bytes, so they go out as hex. */
static void add_hex(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = must_alloc(2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[(unsigned char)p[i] >> 4];
        hex[2 * i + 1] = digits[(unsigned char)p[i] & 15];
    }
    yyjson_mut_obj_add_strncpy(d, o, key, hex, 2 * n);
    free(hex);
}

static yyjson_mut_val *record_object(yyjson_mut_doc *d, const struct record *r)
{
    static const char *const names[] = { "open", "completed", "cancelled", "cut" };
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_mut_obj_add_str(d, o, "method", r->method);
    yyjson_mut_obj_add_str(d, o, "target", r->target);
    add_hex(d, o, "head_hex", r->head, strlen(r->head));
    add_hex(d, o, "body_hex", r->body ? r->body : "", r->body_n);
    yyjson_mut_obj_add_int(d, o, "connection_id", r->conn_id);
    yyjson_mut_obj_add_int(d, o, "nth", r->nth);
    yyjson_mut_obj_add_int(d, o, "t_start", r->t_start);
    yyjson_mut_obj_add_int(d, o, "t_first", r->t_first);
    yyjson_mut_obj_add_int(d, o, "t_end", r->t_end);
    yyjson_mut_obj_add_int(d, o, "pieces", r->pieces);
    yyjson_mut_obj_add_uint(d, o, "bytes_out", r->bytes_out);
    yyjson_mut_obj_add_bool(d, o, "chat", r->chat);
    yyjson_mut_obj_add_bool(d, o, "stream", r->stream);
    yyjson_mut_obj_add_bool(d, o, "blocked", r->blocked);
    yyjson_mut_obj_add_str(d, o, "outcome", names[r->outcome]);
    return o;
}

static int count(enum outcome how)
{
    int n = 0;
    for (const struct record *r = first; r; r = r->next)
        n += r->chat && !r->probe && r->outcome == how;
    return n;
}

char *record_json(int open_connections, size_t *n)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    yyjson_mut_doc_set_root(d, root);
    for (const struct record *r = first; r; r = r->next)
        yyjson_mut_arr_append(list, record_object(d, r));
    yyjson_mut_obj_add_int(d, root, "now", now_ms());
    yyjson_mut_obj_add_val(d, root, "requests", list);
    yyjson_mut_obj_add_int(d, root, "open_connections", open_connections);
    yyjson_mut_obj_add_int(d, root, "in_flight", in_flight);
    yyjson_mut_obj_add_int(d, root, "max_in_flight", max_in_flight);
    yyjson_mut_obj_add_int(d, root, "cancelled", count(OUT_CANCELLED));
    yyjson_mut_obj_add_int(d, root, "completed", count(OUT_COMPLETED));
    yyjson_mut_obj_add_int(d, root, "bad", connections_seen_bad);
    yyjson_mut_obj_add_strcpy(d, root, "bad_reasons", bad_log.p ? bad_log.p : "");
    char *text = yyjson_mut_write(d, 0, n);
    yyjson_mut_doc_free(d);
    return text;
}
