/* fake.h - what the files of the fake engine share.
 *
 * The fake is a stand-in for llama-server and for any OpenAI-compatible host: one thread, one poll() loop, nothing of
 * hob's own code in it (its HTTP reader is a second opinion on what hob sends). How it behaves is scripted, per process
 * by a script file and per request by [[directives]] in the last user message; README.md lists both. Everything it
 * receives is recorded and can be read back by GET /fake/log. */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

/* util.c: time, a growing buffer, and a log in llama-server's line format. Out of memory aborts. */
struct buf {
    char *p; /* always NUL-terminated once something was added */
    size_t n, cap;
};
int64_t now_ms(void); /* CLOCK_MONOTONIC, so that a test on the same machine can compare it with its own */
void *must_alloc(size_t n);
char *must_dup(const char *p, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_text(struct buf *b, const char *text);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);
void buf_drop(struct buf *b, size_t n); /* removes the first n bytes */
void buf_free(struct buf *b);
long count_words(const char *s);
uint32_t text_hash(const char *s); /* FNV-1a */
char *file_read(const char *path, size_t *n); /* NULL when it cannot; the text is NUL-terminated */
__attribute__((format(printf, 3, 4))) void llama_log(char level, const char *tag, const char *fmt, ...);

/* The process: how it was started and what its script says (fake_engine.c). */
struct fake {
    const char *model, *host, *alias, *key;
    int port;
    long n_ctx;
    int slots;
    int load_ms;
    int crash_after_ms; /* after having become ready; 0 = never */
    int health_fails;   /* this many of the first /health answers after the load are still 503 */
    const char *load_fail;
    int load_crash; /* a signal number, 0 = none */
    bool load_hang, ignore_term, health_hang;
    bool forgets; /* no request is remembered: for runs of a million */
    bool embeddings, reranking; /* by its flags */
    const char *loras, *draft, *mmproj, *spec_type; /* likewise; loras: FILE:SCALE,FILE:SCALE */
    bool loras_lost;  /* it has taken none of them */
    char *modalities; /* "vision audio" */
    char *tools;      /* what its template says of them: "yes", "no"; NULL: nothing */
    int keepalive_ms; /* an idle connection is closed after so long; 5 s, as llama-server does */
    int log_lines;    /* said on stderr while loading */
    char *defaults; /* directives that every request starts from */
    char *probe_defaults; /* and those that hob asks for itself */
    bool ready;
    bool stopping;
    int64_t ready_at;
};
extern struct fake fake;
void script_now(const char *line);
_Noreturn void fake_die(int sig); /* dies by this signal, without a core and without a sanitizer's help */

/* plan.c: what the directives of one request ask for. */
enum trip { /* what happens after trip_after pieces of content */
    TRIP_NONE, TRIP_STALL, TRIP_DIE, TRIP_CLOSE, TRIP_RESET, TRIP_GARBAGE, TRIP_BAD_CHUNK, TRIP_ERROR, TRIP_BIG,
    TRIP_TRUNCATED,
};
struct plan {
    int words, gap_ms, first_ms, reasoning, word_bytes, split_bytes, big_event, trip_after, status, retry_after, cached, dims;
    enum trip trip;
    bool no_done, no_usage, no_finish, two_done, null_choices_usage, always_usage, no_role, usage_in_finish, created_drifts, ids_differ,
        no_id, crlf, ping, echo, heeds;
    bool close_before, early_close, stale_next, truncate_json, after_done;
    bool drop_vector, short_vector, swap_vectors, too_large;
    char *finish, *json, *tool, *tool_args, *content_type, *vectors;
    struct buf raw;
    bool has_raw;
};
void plan_init(struct plan *p);
void plan_read(struct plan *p, const char *text); /* directives it does not know are a fault of the test: it aborts */
void plan_free(struct plan *p);

/* record.c: what came, and how it ended. */
enum outcome { OUT_OPEN, OUT_COMPLETED, OUT_CANCELLED, OUT_CUT };
struct record {
    struct record *next;
    char *method, *target, *head, *body;
    size_t body_n;
    long conn_id, nth; /* which connection, and the how-manieth request on it */
    int64_t t_start, t_first, t_end;
    int pieces; /* content pieces handed to the socket */
    size_t bytes_out;
    bool chat, stream, blocked, listed;
    bool probe; /* hob asks for itself (X-Hob-Probe): not counted among the chats */
    enum outcome outcome;
};
struct record *record_new(const char *head, size_t head_n);
void record_first_byte(struct record *r);
void record_chat_begins(struct record *r); /* counts it as in flight until record_end */
void record_end(struct record *r, enum outcome how);
void record_bad(const char *why); /* a request that could not be read */
void record_reset(void);
char *record_json(int open_connections, size_t *n);
int record_in_flight(int *streams); /* chats being answered now, and how many of them are streams */

struct conn;
struct request {
    const char *method, *target;
    char *path; /* the target without its query */
    const char *body;
    size_t body_n;
    bool keep_alive, authorized;
};

/* serve.c: routes and small answers. Each ends the request, but for handlers that leave an answer on the connection. */
void serve_request(struct conn *c, const struct request *r);
void send_head(struct conn *c, int status, const char *type, long length, int retry_after); /* -1: chunked; no Retry-After */
void respond(struct conn *c, int status, const char *json, size_t n, int retry_after);
void respond_doc(struct conn *c, int status, yyjson_mut_doc *d);
yyjson_mut_doc *error_doc(int status, const char *type, const char *message);
char *doc_text(yyjson_mut_doc *d, size_t *n); /* frees the document */
const char *model_name(void);

/* answer.c: a chat or a text, piece by piece; embeddings and rerankings in one. */
struct answer;
void answer_chat(struct conn *c, const struct request *r);
void answer_completion(struct conn *c, const struct request *r);
void answer_count(struct conn *c, const struct request *r);
void answer_embeddings(struct conn *c, const struct request *r);
void answer_rerank(struct conn *c, const struct request *r);
void answer_never(struct conn *c);
/* Adds the next piece to the connection's output; called when the output is empty and the time has come. */
void answer_step(struct conn *c, struct answer *a);
int64_t answer_due(const struct answer *a); /* INT64_MAX: never */
int answer_split(const struct answer *a);   /* bytes per write, 0 = as many as go */
void answer_free(struct answer *a);

/* vectors.c: the bodies of embeddings and rerankings; faults are NULL when there is none. */
struct buf vectors_prompt(yyjson_val *root);
yyjson_mut_doc *vectors_embed(yyjson_val *root, const struct plan *p, const char *model);
yyjson_mut_doc *vectors_embed_fault(yyjson_val *root, const struct plan *p, int *status);
yyjson_mut_doc *vectors_rerank(yyjson_val *root, const struct plan *p, const char *model);
yyjson_mut_doc *vectors_rerank_fault(yyjson_val *root, const struct plan *p, int *status);

/* conn.c: connections; what answer.c may do with one. */
void conn_listen(void);
/* One turn of the loop, which ends at wake_at at the latest, or when signal_fd becomes readable. */
void conn_turn(int64_t wake_at, int signal_fd);
void conn_stop_listening(void);
void conn_send(struct conn *c, const void *p, size_t n);
struct record *conn_record(struct conn *c);
void conn_answering(struct conn *c, struct answer *a);
int conn_open_count(void);
/* How the connection ends after what is in its output has gone out. */
enum conn_end { END_KEEP, END_CLOSE, END_RESET, END_STALE_NEXT };
void conn_finish(struct conn *c, enum conn_end how, enum outcome outcome);

#endif
