/* Does an engine know an architecture? Asked without a model: a GGUF that names the architecture and nothing else. An engine that knows it misses the
 * next key, one that does not says so, both within milliseconds. (Its --help does not tell, and the names in its binary are not whole strings.) Here are
 * the question and the reading of the answer; who runs the engine is elsewhere. */
#ifndef HOB_MODEL_PROBE_H
#define HOB_MODEL_PROBE_H

#include "base/str.h"

enum { PROBE_MAX_BYTES = 128 };
enum probe_answer { PROBE_UNCLEAR, PROBE_KNOWN, PROBE_UNKNOWN };

/* The file's bytes; returns how many. An architecture longer than 63 bytes is cut, as struct weights has it. */
size_t probe_write(char out[PROBE_MAX_BYTES], struct str architecture);
/* llama-server's flags behind `-m FILE`: no device, no fitting, no port of anybody's. Ended by NULL. */
extern const char *const probe_flags[];
enum probe_answer probe_read(struct str said);

/* What an engine says that it will need, before it loads: the sum over all devices of its table of memory (its words at -lv 4, in MiB), else the
 * sentence "projected to use". false: it says neither. */
bool probe_read_projection(struct str said, int64_t *bytes);

#endif
