/* What a build makes of a model that does not chat: no suite can tell, but the same weights must give the same numbers. Some texts are put to both builds, and what comes is
 * held side by side: vectors of an embedder, scores of a reranker. An index that was made with the old build is read with the new one, so nearly the same is the least. */
#include "cli/swap.h"

#include "cli/ask.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_NUMBERS = 65536, ANSWER_MS = 30 * 60 * 1000 };
static const double ALIKE = 0.999; /* cosine. Other kernels and threads: 0.9999 and above, as seen with quantised weights; another pooling or normalisation: far below */

static const char *const texts[] = {
    "The kettle boils.", "How do I reset my password?", "Invoice 4711 is due on the first of May.", "Der Zug nach Hamburg hat Verspätung.", "def add(a, b): return a + b",
    "It rained for three days, and on the fourth the river was over its banks.", "SELECT name FROM users WHERE age > 30;", "La réunion est reportée à jeudi.",
    "a", "42", "The cat sat on the mat. The mat was red. The cat was not.", "Error: connection refused (111)", "http://example.com/index.html?q=1",
    "Please summarise the following minutes in two sentences.", "Mitochondria turn sugar into what cells can use.", "¿Dónde está la estación?",
    "buy milk, eggs, bread; call Ann", "{\"intent\": \"refund\", \"urgent\": true}", "Once the dough has risen, fold it twice and let it rest.", "猫は静かに眠っている。",
    "The vote was 52 to 48.", "Never use this near water!!!", "To be, or not to be", "Battery at 3 %, 12 minutes left",
};

struct numbers {
    double *at;
    size_t n;
};

static void put_ask(struct buf *body, struct str model, size_t text, bool reranks)
{
    struct json_out o = json_out(body);
    json_begin_object(&o);
    json_key(&o, STR("model"));
    json_string(&o, model);
    json_key(&o, reranks ? STR("query") : STR("input"));
    json_string(&o, str_of(texts[text]));
    if (reranks) {
        json_key(&o, STR("documents"));
        json_begin_array(&o);
        for (size_t i = 0; i < COUNTOF(texts); i += 3)
            json_string(&o, str_of(texts[i]));
        json_end_array(&o);
    }
    json_end_object(&o);
}

static void take_numbers(yyjson_val *root, bool reranks, struct numbers *out)
{
    yyjson_val *list = reranks ? yyjson_obj_get(root, "results") : yyjson_obj_get(yyjson_arr_get(yyjson_obj_get(root, "data"), 0), "embedding"), *v;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v) {
        size_t at = reranks ? (size_t)yyjson_get_uint(yyjson_obj_get(v, "index")) : i;
        yyjson_val *x = reranks ? yyjson_obj_get(v, "relevance_score") : v;
        if (at >= MOST_NUMBERS || !yyjson_is_num(x))
            continue;
        out->at[at] = yyjson_get_num(x);
        out->n = at >= out->n ? at + 1 : out->n;
    }
}

static enum err_code ask(const struct door *door, struct str model, size_t text, bool reranks, struct numbers *out, struct err *e)
{
    struct buf body = { 0 }, headers = { 0 };
    struct answer got = { 0 };
    struct json_doc d = { 0 };
    out->n = 0;
    put_ask(&body, model, text, reranks);
    buf_lit(&headers, "x-hob-wait: true\r\n");
    struct question q = { .method = "POST", .path = reranks ? "/v1/rerank" : "/v1/embeddings", .body = buf_str(&body), .headers = buf_str(&headers), .answer_ms = ANSWER_MS };
    enum err_code rc = door_ask(door, &q, &got, e);
    if (!rc && got.status == 200)
        rc = json_parse(&d, buf_str(&got.body), e);
    if (!rc && got.status == 200)
        take_numbers(d.root, reranks, out);
    if (!rc && got.status != 200)
        rc = err_set(e, ERR_UP_STATUS, "%.*s answered %d: %.*s", STR_ARG(model), got.status, (int)(got.body.n < 120 ? got.body.n : 120), got.body.p ? got.body.p : "");
    json_free(&d);
    buf_free(&body);
    buf_free(&headers);
    buf_free(&got.body);
    return rc;
}

/* 0 when they cannot be compared. */
static double cosine(const struct numbers *a, const struct numbers *b)
{
    double ab = 0, aa = 0, bb = 0;
    if (!a->n || a->n != b->n)
        return 0;
    for (size_t i = 0; i < a->n; i++) {
        ab += a->at[i] * b->at[i];
        aa += a->at[i] * a->at[i];
        bb += b->at[i] * b->at[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

enum err_code swap_compare_vectors(const struct door *door, struct str old, struct str new, bool reranks, struct swap_vectors *out, struct err *e)
{
    struct numbers all[COUNTOF(texts)] = { { NULL, 0 } }, now = { .at = calloc(MOST_NUMBERS, sizeof(double)) };
    enum err_code rc = ERR_OK;
    *out = (struct swap_vectors){ .lowest = 1 };
    for (size_t i = 0; i < COUNTOF(texts); i++)
        if (!now.at || !(all[i].at = calloc(MOST_NUMBERS, sizeof(double)))) /* what is not written takes no memory */
            die("out of memory for vectors");
    for (size_t i = 0; i < COUNTOF(texts) && !rc; i++)
        rc = ask(door, old, i, reranks, &all[i], e); /* all of one, then all of the other: a load each */
    for (size_t i = 0; i < COUNTOF(texts) && !rc; i++) {
        rc = ask(door, new, i, reranks, &now, e);
        double is = cosine(&all[i], &now);
        out->texts++;
        out->alike += is >= ALIKE;
        out->lowest = is < out->lowest ? is : out->lowest;
    }
    for (size_t i = 0; i < COUNTOF(texts); i++)
        free(all[i].at);
    free(now.at);
    return rc;
}
