/* A request in other words. The first input byte says what is wished, the rest is the request.
 * Oracles: what comes of it is JSON; nothing changes without a wish; members that no wish speaks of keep their values; no new member comes but those
 * that wishes may bring; a document whose messages were cut at the reading gives the same text. */
#include "policy/reword.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct str stops[] = { { "END", 3 }, { "\n\n", 2 } };

/* Bit by bit, so that the fuzzer finds each alone. */
static void wish(struct reword *w, struct conf_role *role, uint8_t bits)
{
    *role = (struct conf_role){ .name = STR("r"), .instructions = bits & 128 ? INSTRUCTIONS_REPLACE : INSTRUCTIONS_ADD };
    *w = (struct reword){ .role = bits & 15 ? role : NULL };
    if (bits & 1)
        role->words = STR("Be \"short\".");
    if (bits & 2)
        role->stop = (struct conf_strs){ stops, COUNTOF(stops) };
    if (bits & 4)
        role->max_tokens = 100;
    if (bits & 8)
        role->max_tokens_cap = 50;
    role->rewords = bits & 15;
    if (bits & 16)
        w->leave_out = 2;
    if (bits & 32)
        w->describe = STR("As JSON.\n");
    if (bits & 64) {
        w->draft = STR("{\"a\":");
        w->remark = STR("That is no JSON.");
    }
}

static bool may_change(struct str name)
{
    static const struct str names[] = { STR("messages"), STR("stop"), STR("max_tokens"), STR("max_completion_tokens") };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

/* Every member of `from` that no wish speaks of is in `to`. */
static void check_kept(const struct json_doc *from, const struct json_doc *to)
{
    yyjson_obj_iter it;
    yyjson_val *key;
    yyjson_obj_iter_init(from->root, &it);
    while ((key = yyjson_obj_iter_next(&it)))
        if (!may_change(json_str(key)))
            must(yyjson_equals(yyjson_obj_iter_get_val(key), yyjson_obj_getn(to->root, yyjson_get_str(key), yyjson_get_len(key))));
}

/* What the door lets in (policy/reword.h). */
static bool is_let_in(const struct json_doc *d)
{
    yyjson_val *messages = yyjson_obj_get(d->root, "messages"), *m;
    size_t i, n;
    if (!yyjson_is_obj(d->root) || (messages && !yyjson_is_arr(messages)))
        return false;
    yyjson_arr_foreach(messages, i, n, m) if (!yyjson_is_obj(m)) return false;
    return true;
}

static void check(struct str text, const struct reword *w, bool wishes)
{
    struct json_doc d, cut, now;
    struct buf out = { 0 }, again = { 0 };
    if (json_parse(&d, text, NULL))
        return;
    if (!is_let_in(&d)) {
        json_free(&d);
        return;
    }
    must(json_parse_cut(&cut, text, STR("messages"), NULL) == ERR_OK);
    bool changes = reword_changes(&d, w);
    must(changes == reword_changes(&cut, w) && (wishes || !changes));
    reword_request(&d, w, &out);
    reword_request(&cut, w, &again);
    must(str_eq(buf_str(&out), buf_str(&again)) && (changes || str_eq(buf_str(&out), text)));
    must(json_parse(&now, buf_str(&out), NULL) == ERR_OK);
    check_kept(&d, &now);
    check_kept(&now, &d);
    must(reword_droppable(&d) == reword_droppable(&cut) && reword_max_tokens(&d, w) == reword_max_tokens(&cut, w));
    json_free(&now);
    json_free(&cut);
    json_free(&d);
    buf_free(&again);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_role role;
    struct reword w;
    if (size < 2)
        return 0;
    wish(&w, &role, data[0]);
    check(str_make((const char *)data + 1, size - 1), &w, data[0] & 127);
    return 0;
}
