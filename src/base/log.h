/* Words for the operator, on stderr. Never a prompt, never a secret: keys are `struct secret`, which no function here takes. */
#ifndef HOB_BASE_LOG_H
#define HOB_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

/* A value that must not be printed. Only who needs the bytes (a header writer) takes them out, by name. */
struct secret {
    struct str hidden;
};

void log_set_level(enum log_level level);
bool log_level_parse(struct str name, enum log_level *out);

/* One line each; control characters in it are printed as '?', so that nobody outside can forge a line. Never waits for who reads stderr: a line that finds no room
 * in a pipe is left out, and how many were is said when there is room again. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* For the tracing of states on the path of a request: costs one comparison when it is off. */
extern enum log_level log_current;
#define log_trace(...) (log_current >= LOG_TRACE ? log_at(LOG_TRACE, __VA_ARGS__) : (void)0)

#endif
