/* The gateway that counts, and for a while another beside it (an upgrade): their processes, their ends of the wire, and when one is started again. */
#ifndef HOB_KEEPER_GATEWAY_H
#define HOB_KEEPER_GATEWAY_H

#include "base/str.h"
#include "keeper/tail.h"

#include <poll.h>
#include <sys/types.h>

void gateway_init(char *const *argv); /* argv[0] is its executable; both outlive the keeper */
pid_t gateway_pid(void);              /* of the one that counts; 0: none at the moment */
bool gateway_is_one(pid_t pid);
bool gateway_any(void);

/* ---- for requests: of the one that is speaking ---- */
bool gateway_speaker_counts(void);    /* what changes anything is the affair of the one that counts */
uint32_t gateway_speaker(void);       /* a number that is never given again, for: */
void gateway_answer(uint32_t speaker); /* what is told from now on goes to that one; when it is gone, to nobody */
void gateway_is_ready(void);          /* it said WIRE_READY */
void gateway_upgrade(uint32_t id, struct str argv, int64_t now_ms); /* argv: a list as on the wire. Answers */
void gateway_drop_heir(void);
void gateway_drop_other(void);        /* whoever there is beside the speaker, unless that one counts and is ready */
bool gateway_take(void);              /* false: it is no heir */

/* What it is told; no words when there is no gateway to hear them. The first are answers, to the speaker. */
void gateway_tell_welcome(uint32_t id);
void gateway_tell_listening(uint32_t id, struct str bound, int fd);
void gateway_tell_spawned(uint32_t id, pid_t pid);
void gateway_tell_done(uint32_t id);
void gateway_tell_failed(uint32_t id, int sys, const char *sentence);
void gateway_tell_listed(uint32_t id);
bool gateway_tell_tail(uint32_t id, struct str label); /* false: no such child */
/* These are heard by both, but a reload. */
void gateway_tell_exited(struct str label, pid_t pid, int exit_code, int sig, const struct tail *words);
void gateway_tell_stop(bool hard);
void gateway_tell_reload(void);

/* Their time ends then, unless an earlier end is set. */
void gateway_kill_by(int64_t at_ms);
void gateway_kill_all(void);

/* For the loop. */
enum { GATEWAY_POLLS = 2 };
size_t gateway_poll(struct pollfd out[GATEWAY_POLLS]);
void gateway_polled(const struct pollfd in[GATEWAY_POLLS], int64_t now_ms);
void gateway_flush(void);
int64_t gateway_due_ms(void);          /* of a kill or a start; 0 = none */
void gateway_step(int64_t now_ms);     /* starts it, or kills it, when it is due */
/* One's process is reaped. Hears the last it had to say. NONE: the one that counts lives. */
enum gateway_end { GATEWAY_END_NONE, GATEWAY_END_EXIT, GATEWAY_END_CRASH };
enum gateway_end gateway_reaped(pid_t pid, int status, int64_t now_ms);
/* It died of a signal: sets the time of the next start. There is no giving up: whoever is in front of it can stop it, nobody else would start it. */
void gateway_start_again(int64_t now_ms);
void gateway_never_again(void);        /* a start that is due is off */

#endif
