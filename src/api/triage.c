#include "api/triage.h"

#include "api/question.h"

enum { MOST_BYTES = 4096, OF_ONE_BYTES = 2048, ANSWER_TOKENS = 64 };

static const struct {
    const char *word;
    double score; /* of 0..1; the middle of its tier as the bounds stand by default */
} levels[] = { { "fast", 0.16 }, { "primary", 0.5 }, { "heavy", 0.83 } };

static const char instructions[] =
    "You sort requests for other assistants. Never answer the request itself.\n"
    "complexity: \"fast\" for greetings, small talk and simple facts; \"primary\" for everyday work such as summaries, rewriting, translation, short code and "
    "explanations; \"heavy\" for analysis, proofs, plans, comparisons, long texts and several steps or conditions.\n"
    "urgent: does it say that it cannot wait? private: does it hold personal, medical, legal or financial matters of a person, or secrets?";

/* A long text by its beginning and its end: there people say what they want. */
static void add_clipped(struct buf *to, struct str text, size_t room)
{
    if (text.n <= room) {
        buf_add(to, text);
        return;
    }
    buf_add(to, str_make(text.p, room / 2));
    buf_lit(to, "\n…\n");
    buf_add(to, str_from(text, text.n - room / 2));
}

/* What the user has said, the last of it. */
static void add_talk(struct buf *to, const struct talk *t)
{
    size_t first = t->n, bytes = 0;
    while (first && bytes < MOST_BYTES) {
        const struct said *s = &t->at[--first];
        bytes += s->text.n < OF_ONE_BYTES ? s->text.n : OF_ONE_BYTES;
    }
    for (size_t i = first; i < t->n; i++)
        if (t->at[i].by == SAID_USER) {
            buf_lit(to, "<said>\n");
            add_clipped(to, t->at[i].text, OF_ONE_BYTES);
            buf_lit(to, "\n</said>\n");
        }
    buf_lit(to, "Sort the last thing that was said.");
}

static void put_enum(struct json_out *o, const char *name, struct conf_strs words)
{
    json_key(o, str_of(name));
    json_begin_object(o);
    json_key(o, STR("enum"));
    json_begin_array(o);
    for (size_t i = 0; i < words.n; i++)
        json_string(o, words.at[i]);
    json_end_array(o);
    json_end_object(o);
}

static void put_properties(struct json_out *o, const struct config *c)
{
    struct str words[COUNTOF(levels)];
    for (size_t i = 0; i < COUNTOF(levels); i++)
        words[i] = str_of(levels[i].word);
    put_enum(o, "complexity", (struct conf_strs){ words, COUNTOF(words) });
    if (c->triage_intents.n)
        put_enum(o, "intent", c->triage_intents);
    json_key(o, STR("urgent"));
    json_raw(o, STR("{\"type\":\"boolean\"}"));
    json_key(o, STR("private"));
    json_raw(o, STR("{\"type\":\"boolean\"}"));
}

static void put_schema(struct json_out *o, const struct config *c)
{
    json_key(o, STR("response_format"));
    json_begin_object(o);
    json_key(o, STR("type"));
    json_string(o, STR("json_schema"));
    json_key(o, STR("json_schema"));
    json_begin_object(o);
    json_key(o, STR("name"));
    json_string(o, STR("triage"));
    json_key(o, STR("strict"));
    json_bool(o, true);
    json_key(o, STR("schema"));
    json_begin_object(o);
    json_key(o, STR("type"));
    json_string(o, STR("object"));
    json_key(o, STR("properties"));
    json_begin_object(o);
    put_properties(o, c);
    json_end_object(o);
    json_key(o, STR("required"));
    json_raw(o, c->triage_intents.n ? STR("[\"complexity\",\"intent\",\"urgent\",\"private\"]") : STR("[\"complexity\",\"urgent\",\"private\"]"));
    json_key(o, STR("additionalProperties"));
    json_bool(o, false);
    json_end_object(o);
    json_end_object(o);
    json_end_object(o);
}

void triage_body(const struct config *c, const struct talk *t, bool thinks, struct buf *out)
{
    struct buf said = { 0 };
    struct json_out o = json_out(out);
    add_talk(&said, t);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, c->triage_model);
    json_key(&o, STR("messages"));
    json_begin_array(&o);
    question_put_message(&o, "system", str_of(instructions));
    question_put_message(&o, "user", buf_str(&said));
    json_end_array(&o);
    question_put_manner(&o, thinks);
    json_key(&o, STR("max_tokens"));
    json_int(&o, ANSWER_TOKENS);
    put_schema(&o, c);
    json_end_object(&o);
    buf_free(&said);
}

static bool read_level(yyjson_val *v, double *score)
{
    for (size_t i = 0; i < COUNTOF(levels); i++)
        if (str_eq(json_str(v), str_of(levels[i].word))) {
            *score = levels[i].score;
            return true;
        }
    return false;
}

bool triage_read(const struct config *c, struct str content, struct triage_view *out)
{
    struct json_doc d = { 0 };
    struct err e;
    struct triage_view v = { 0 };
    if (json_parse(&d, str_trim(content), &e))
        return false;
    yyjson_val *urgent = yyjson_obj_get(d.root, "urgent"), *private = yyjson_obj_get(d.root, "private");
    bool good = read_level(yyjson_obj_get(d.root, "complexity"), &v.complexity) && yyjson_is_bool(urgent) && yyjson_is_bool(private);
    struct str intent = json_str(yyjson_obj_get(d.root, "intent"));
    for (size_t i = 0; i < c->triage_intents.n; i++)
        if (str_eq(c->triage_intents.at[i], intent))
            v.intent = c->triage_intents.at[i];
    v.urgent = yyjson_get_bool(urgent);
    v.private = yyjson_get_bool(private);
    json_free(&d);
    if (good)
        *out = v;
    return good;
}
