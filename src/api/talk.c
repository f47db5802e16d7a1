/* What the user and the system have said. Answers and what tools gave count by their size alone: in a run of tools the question may lie far back. */
#include "api/talk.h"

enum { CUT_BYTES = 128 * 1024 }; /* json_parse_cut: a text that is cut was longer */

/* The last pieces, in a ring; the system's first piece stays, however long ago. */
struct gathering {
    const struct json_doc *d;
    struct said ring[TALK_MAX - 1], system;
    size_t n, bytes;
};

static void gather(struct gathering *g, enum said_by by, bool begins, yyjson_val *text)
{
    struct said said = { by, json_str(text), begins };
    g->bytes += json_is_cut(g->d, text) ? CUT_BYTES : said.text.n;
    if (!said.text.n || by == SAID_OTHER)
        return;
    if (by == SAID_SYSTEM && !g->system.text.n)
        g->system = said;
    else
        g->ring[g->n++ % COUNTOF(g->ring)] = said;
}

/* A text, or a list of parts of which some are text. */
static void gather_content(struct gathering *g, enum said_by by, yyjson_val *content)
{
    size_t i, n;
    yyjson_val *part;
    bool begins = true;
    if (yyjson_is_str(content))
        gather(g, by, true, content);
    yyjson_arr_foreach(content, i, n, part) {
        yyjson_val *text = yyjson_is_obj(part) ? yyjson_obj_get(part, "text") : part;
        if (!yyjson_is_str(text))
            continue;
        gather(g, by, begins, text);
        begins = false;
    }
}

static enum said_by said_by(struct str role)
{
    if (str_eq(role, STR("user")))
        return SAID_USER;
    return str_eq(role, STR("system")) || str_eq(role, STR("developer")) ? SAID_SYSTEM : SAID_OTHER;
}

void talk_read(const struct json_doc *d, enum task task, struct talk *out)
{
    struct gathering g = { .d = d };
    size_t i, n;
    yyjson_val *m;
    if (task == TASK_TEXT)
        gather_content(&g, SAID_USER, yyjson_obj_get(d->root, "prompt"));
    yyjson_arr_foreach(yyjson_obj_get(d->root, "messages"), i, n, m)
        gather_content(&g, said_by(json_str(yyjson_obj_get(m, "role"))), yyjson_obj_get(m, "content"));
    *out = (struct talk){ .bytes = g.bytes };
    if (g.system.text.n)
        out->at[out->n++] = g.system;
    for (size_t k = g.n > COUNTOF(g.ring) ? g.n - COUNTOF(g.ring) : 0; k < g.n; k++)
        out->at[out->n++] = g.ring[k % COUNTOF(g.ring)];
}
