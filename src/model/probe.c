#include "model/probe.h"

enum { GGUF_VERSION = 3, TYPE_STRING = 8, ARCHITECTURE_MAX = 63 };

const char *const probe_flags[] = { "-fit", "off", "-dev", "none", "--port", "0", NULL };

static char *put_number(char *at, uint64_t v, size_t bytes) /* little-endian */
{
    for (size_t i = 0; i < bytes; i++)
        *at++ = (char)(v >> (8 * i) & 0xff);
    return at;
}

static char *put_text(char *at, struct str s)
{
    at = put_number(at, s.n, 8);
    memcpy(at, s.p, s.n);
    return at + s.n;
}

size_t probe_write(char out[PROBE_MAX_BYTES], struct str architecture)
{
    struct str name = str_make(architecture.p ? architecture.p : "", architecture.n < ARCHITECTURE_MAX ? architecture.n : ARCHITECTURE_MAX);
    char *at = out;
    memcpy(at, "GGUF", 4);
    at = put_number(at + 4, GGUF_VERSION, 4);
    at = put_number(at, 0, 8); /* tensors */
    at = put_number(at, 1, 8); /* keys */
    at = put_text(at, STR("general.architecture"));
    at = put_number(at, TYPE_STRING, 4);
    at = put_text(at, name);
    return (size_t)(at - out);
}

enum probe_answer probe_read(struct str said)
{
    static const struct {
        struct str words;
        enum probe_answer answer;
    } rows[] = {
        { STR("unknown model architecture"), PROBE_UNKNOWN },
        { STR("unsupported model architecture"), PROBE_UNKNOWN },
        { STR("key not found in model"), PROBE_KNOWN },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (str_find(said, rows[i].words) >= 0)
            return rows[i].answer;
    return PROBE_UNCLEAR;
}
