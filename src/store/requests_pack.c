/* A row on its way to another process: one table of its fields, walked both ways. */
#include "json/json.h"
#include "store/requests.h"

#include <stddef.h>

enum kind { TEXT, COUNT, NUMBER, FLAG, SMALL };

static const struct field {
    const char *name;
    enum kind kind;
    size_t at;
} fields[] = {
#define FIELD(kind, name) { #name, kind, offsetof(struct request_row, name) }
    FIELD(COUNT, time_ms),      FIELD(TEXT, id),            FIELD(TEXT, client_id),    FIELD(TEXT, caller),      FIELD(TEXT, class),
    FIELD(TEXT, endpoint),      FIELD(TEXT, role),          FIELD(TEXT, tier),         FIELD(TEXT, asked),       FIELD(FLAG, unknown),
    FIELD(TEXT, model),         FIELD(TEXT, host),          FIELD(SMALL, status),      FIELD(SMALL, fault),      FIELD(TEXT, code),
    FIELD(TEXT, evidence),      FIELD(TEXT, reason),        FIELD(COUNT, input_tokens), FIELD(COUNT, output_tokens),
    FIELD(COUNT, reasoning_tokens), FIELD(COUNT, cached_tokens), FIELD(NUMBER, queue_ms), FIELD(NUMBER, load_ms), FIELD(NUMBER, ttft_ms),
    FIELD(NUMBER, total_ms),    FIELD(TEXT, chain),         FIELD(COUNT, bytes_in),    FIELD(COUNT, bytes_out),  FIELD(FLAG, stream),
    FIELD(FLAG, remote),        FIELD(FLAG, private_),      FIELD(FLAG, redacted),     FIELD(FLAG, fell_back),   FIELD(FLAG, unasked_thoughts), FIELD(FLAG, away),
    FIELD(NUMBER, cost),        FIELD(NUMBER, complexity),  FIELD(SMALL, verdict),    FIELD(SMALL, finish),
    FIELD(COUNT, others),
#undef FIELD
};

_Static_assert(sizeof(enum fault) == sizeof(int) && sizeof(enum row_verdict) == sizeof(int) && sizeof(enum row_finish) == sizeof(int), "SMALL is an int");

static void put(struct json_out *o, const struct field *f, const char *at)
{
    json_key(o, str_of(f->name));
    switch (f->kind) {
    case TEXT:
        json_string(o, *(const struct str *)(const void *)at);
        break;
    case COUNT:
        json_int(o, *(const int64_t *)(const void *)at);
        break;
    case NUMBER:
        json_double(o, *(const double *)(const void *)at, 12);
        break;
    case FLAG:
        json_bool(o, *(const bool *)(const void *)at);
        break;
    case SMALL:
        json_int(o, *(const int *)(const void *)at);
        break;
    }
}

void request_pack(const struct request_row *r, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    for (size_t i = 0; i < COUNTOF(fields); i++)
        put(&o, &fields[i], (const char *)r + fields[i].at);
    json_end_object(&o);
}

static void take(const struct field *f, yyjson_val *v, char *at)
{
    switch (f->kind) {
    case TEXT:
        *(struct str *)(void *)at = yyjson_is_str(v) ? json_str(v) : STR("");
        break;
    case COUNT:
        *(int64_t *)(void *)at = yyjson_is_num(v) ? yyjson_get_sint(v) : -1;
        break;
    case NUMBER:
        *(double *)(void *)at = yyjson_is_num(v) ? yyjson_get_num(v) : -1;
        break;
    case FLAG:
        *(bool *)(void *)at = yyjson_is_true(v);
        break;
    case SMALL:
        *(int *)(void *)at = yyjson_is_int(v) ? yyjson_get_int(v) : 0;
        break;
    }
}

enum err_code request_unpack(struct str text, struct json_doc *d, struct request_row *r, struct err *e)
{
    struct json_doc read = { 0 };
    enum err_code rc = json_parse(&read, text, e);
    if (rc)
        return rc;
    struct request_row row = { .at = 0 };
    for (size_t i = 0; i < COUNTOF(fields); i++)
        take(&fields[i], yyjson_obj_get(read.root, fields[i].name), (char *)&row + fields[i].at);
    if (!row.id.n || row.fault < FAULT_NONE || row.fault > FAULT_HARNESS || row.verdict < ROW_UNCHECKED || row.verdict > ROW_CHECK_FAILED || row.finish < FINISH_UNKNOWN || row.finish > FINISH_OTHER) {
        json_free(&read);
        return err_set(e, ERR_SYSTEM, "a row that is none");
    }
    *d = read;
    *r = row;
    return ERR_OK;
}
