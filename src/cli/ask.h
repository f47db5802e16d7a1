/* One question to the running daemon's admin door (admin/admin.h), and its answer: over STATE/hob.sock, or over $HOB_URL when that is set and neither
 * -c nor --state says otherwise. Waits: for who is a command and has nothing else to do. */
#ifndef HOB_CLI_ASK_H
#define HOB_CLI_ASK_H

#include "cli/cli.h"
#include "cli/daemon.h"
#include "json/json.h"

struct question {
    const char *method, *path;
    struct str body;         /* a JSON object, or empty */
    struct str headers;      /* further ones, complete lines; or empty */
    int64_t connect_ms;      /* 0 = 5 s */
    int64_t answer_ms;       /* from asked to answered; 0 = however long it takes */
    int64_t tick_ms;         /* > 0: on_tick so often while it waits */
    void (*on_tick)(void *ctx, int64_t waited_ms); /* -1: the waiting is over; only if it was called before */
    void *ctx;
};

struct answer {
    int status;
    struct buf body;         /* the asker's to free */
};

/* ERR_CONFIG: there can be no such door (a path too long for a socket, a URL that is none). */
enum err_code door_find(const struct cli_args *a, const struct config *c, struct door *out, struct err *e) __attribute__((warn_unused_result));
/* ERR_UP_REFUSED: nobody is there. Else as http/client.h has it. */
enum err_code door_ask(const struct door *d, const struct question *q, struct answer *out, struct err *e) __attribute__((warn_unused_result));

/* All of it for a command: loads the configuration, finds the daemon, asks. EXIT_OK: body is the 200's. Otherwise it has said why not on stderr (with
 * --json also put the daemon's words on stdout) and returns the exit code; body is empty. */
int ask_daemon(const struct cli_args *a, const struct question *q, struct buf *body);
/* What it answered, to be json_free()d; EXIT_FAILED after a word on stderr: it is no JSON. */
int read_answer(struct str body, struct json_doc *out);
/* Prints it, with a newline. */
int print_answer(struct str body);

#endif
