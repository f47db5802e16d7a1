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

/* ---- the projection ---- */

static const int64_t MAX_MIB = INT64_C(1) << 40; /* nobody has that much */

/* The first number behind `at`, and what is left behind it. */
static bool next_number(struct str *s, int64_t *out)
{
    size_t i = 0, from;
    while (i < s->n && (s->p[i] < '0' || s->p[i] > '9'))
        i++;
    from = i;
    while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9')
        i++;
    bool is = i > from && str_to_int(str_make(s->p + from, i - from), 0, MAX_MIB, out);
    *s = str_from(*s, i);
    return is;
}

/* A row's own share is what its parts add up to: "117 = 92 + 11 + 14", or for a device "24080 = 23000 + (117 = 92 + 11 + 14) + 963". */
static bool own_share(struct str row, int64_t *mib)
{
    ptrdiff_t bar = str_find(row, STR("|")), inner = -1;
    struct str cells = bar < 0 ? row : str_from(row, (size_t)bar + 1); /* the name before it may have digits */
    inner = str_find(cells, STR("("));
    if (inner >= 0)
        cells = str_from(cells, (size_t)inner + 1);
    return str_find(cells, STR("=")) >= 0 && next_number(&cells, mib);
}

bool probe_read_projection(struct str said, int64_t *bytes)
{
    static const struct str row_mark = STR("memory_breakdown_print: |   - "), sentence = STR("projected to use ");
    int64_t sum = 0, mib = 0;
    bool found = false;
    while (said.p) {
        struct str line = str_cut(said, '\n', &said);
        ptrdiff_t at = str_find(line, row_mark), end = str_find(line, sentence);
        struct str rest = str_from(line, at >= 0 ? (size_t)at + row_mark.n : end >= 0 ? (size_t)end + sentence.n : line.n);
        if (at >= 0 && own_share(rest, &mib)) {
            sum = sum + mib < MAX_MIB ? sum + mib : MAX_MIB;
            found = true;
        } else if (end >= 0) {
            if (!found && next_number(&rest, &mib)) {
                sum = mib;
                found = true;
            }
            break; /* what comes after it is of the load itself */
        }
    }
    if (found)
        *bytes = sum * (int64_t)MIB;
    return found;
}
