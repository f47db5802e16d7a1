/* vectors.c - embeddings and rerankings: the body of the answer, as a document; answer.c sends it.
 *
 * A vector follows from the text alone: a small generator started from the text's hash, brought to length 1. So a test can make it again.
 * A score follows from the words that query and document share. */
#include "fake.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMS = 8, MAX_DIMS = 65536 };

/* -- the inputs */

static bool is_one(yyjson_val *input) /* a text, or one list of token ids */
{
    return yyjson_is_str(input) || yyjson_is_num(yyjson_arr_get_first(input));
}

static size_t input_count(yyjson_val *input)
{
    return is_one(input) ? 1 : yyjson_arr_size(input);
}

/* A text as it is, token ids as their JSON. */
static char *input_text(yyjson_val *input, size_t i, size_t *tokens)
{
    yyjson_val *v = is_one(input) ? input : yyjson_arr_get(input, i);
    char *text = yyjson_is_str(v) ? must_dup(yyjson_get_str(v), yyjson_get_len(v)) : yyjson_val_write(v, 0, NULL);
    if (!text)
        abort();
    *tokens = yyjson_is_str(v) ? (size_t)count_words(text) : yyjson_arr_size(v);
    return text;
}

/* What directives are read from: all texts, or the query. */
struct buf vectors_prompt(yyjson_val *root)
{
    struct buf all = {0};
    yyjson_val *input = yyjson_obj_get(root, "input"), *v, *query = yyjson_obj_get(root, "query");
    size_t i, n;
    buf_add(&all, "", 0);
    if (yyjson_is_str(query))
        buf_add(&all, yyjson_get_str(query), yyjson_get_len(query));
    if (yyjson_is_str(input))
        buf_add(&all, yyjson_get_str(input), yyjson_get_len(input));
    yyjson_arr_foreach(input, i, n, v) {
        if (yyjson_is_str(v))
            buf_add(&all, yyjson_get_str(v), yyjson_get_len(v));
    }
    return all;
}

/* -- one vector */

static void vector_make(const char *text, float *to, size_t dims)
{
    uint32_t state = text_hash(text);
    double sum = 0;
    for (size_t i = 0; i < dims; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = (float)((double)(state >> 8) / 8388608.0 - 1.0);
        sum += (double)to[i] * (double)to[i];
    }
    for (size_t i = 0; i < dims; i++)
        to[i] = (float)((double)to[i] / sqrt(sum));
}

static void add_base64(yyjson_mut_doc *d, yyjson_mut_val *item, const float *v, size_t dims)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)v; /* little-endian machines only */
    size_t n = dims * sizeof *v;
    struct buf out = {0};
    for (size_t i = 0; i < n; i += 3) {
        unsigned three = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0u) | (i + 2 < n ? p[i + 2] : 0u);
        for (size_t k = 0; k < 4; k++)
            buf_add(&out, i + k > n ? "=" : &digits[three >> (18 - 6 * k) & 63], 1);
    }
    yyjson_mut_obj_add_strncpy(d, item, "embedding", out.p, out.n);
    buf_free(&out);
}

static void add_numbers(yyjson_mut_doc *d, yyjson_mut_val *item, const float *v, size_t dims)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, item, "embedding");
    for (size_t i = 0; i < dims; i++)
        yyjson_mut_arr_add_real(d, list, (double)v[i]);
}

static void add_usage(yyjson_mut_doc *d, yyjson_mut_val *root, size_t tokens)
{
    yyjson_mut_val *u = yyjson_mut_obj_add_obj(d, root, "usage");
    yyjson_mut_obj_add_uint(d, u, "prompt_tokens", tokens);
    yyjson_mut_obj_add_uint(d, u, "total_tokens", tokens);
}

static yyjson_mut_doc *answer_doc(yyjson_mut_val **root, const char *model)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    *root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, *root);
    yyjson_mut_obj_add_strcpy(d, *root, "model", model);
    yyjson_mut_obj_add_str(d, *root, "object", "list");
    return d;
}

/* -- embeddings */

/* llama-server knows no `dimensions`; a host that plays a hosted service does, unless `dims` says how many there are. */
static size_t pick_dims(yyjson_val *root, const struct plan *p)
{
    yyjson_val *asked = yyjson_obj_get(root, "dimensions");
    size_t dims = p->dims ? (size_t)p->dims : !fake.model && yyjson_is_uint(asked) ? (size_t)yyjson_get_uint(asked) : DIMS;
    return dims < MAX_DIMS ? dims : MAX_DIMS;
}

static bool wants_base64(yyjson_val *root, const struct plan *p)
{
    if (p->vectors)
        return !strcmp(p->vectors, "base64");
    return yyjson_equals_str(yyjson_obj_get(root, "encoding_format"), "base64");
}

yyjson_mut_doc *vectors_embed(yyjson_val *root, const struct plan *p, const char *model)
{
    yyjson_mut_val *to;
    yyjson_mut_doc *d = answer_doc(&to, model);
    yyjson_val *input = yyjson_obj_get(root, "input");
    size_t dims = pick_dims(root, p), count = input_count(input), all = 0;
    float *v = must_alloc(dims * sizeof *v);
    yyjson_mut_val *data = yyjson_mut_arr(d);
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        size_t tokens, at = p->swap_vectors ? count - 1 - i : i;
        char *text = input_text(input, at, &tokens);
        vector_make(text, v, dims);
        free(text);
        all += tokens;
        if (last && p->drop_vector)
            break;
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(d, data);
        (wants_base64(root, p) ? add_base64 : add_numbers)(d, item, v, last && p->short_vector ? dims - 1 : dims);
        yyjson_mut_obj_add_uint(d, item, "index", at);
        yyjson_mut_obj_add_str(d, item, "object", "embedding");
    }
    free(v);
    if (!p->no_usage)
        add_usage(d, to, all);
    yyjson_mut_obj_add_val(d, to, "data", data);
    return d;
}

/* What llama-server refuses. NULL: fine. */
yyjson_mut_doc *vectors_embed_fault(yyjson_val *root, const struct plan *p, int *status)
{
    if (fake.model && !fake.embeddings) {
        *status = 501;
        return error_doc(501, "not_supported_error", "This server does not support embeddings. Start it with `--embeddings`");
    }
    if (p->too_large) {
        *status = 500;
        return error_doc(500, "server_error", "input (1201 tokens) is too large to process. increase the physical batch size (current batch size: 512)");
    }
    yyjson_val *input = yyjson_obj_get(root, "input");
    *status = 400;
    return yyjson_is_str(input) || yyjson_arr_size(input) ? NULL : error_doc(400, "invalid_request_error", "\"input\" or \"content\" must be provided");
}

/* -- rerank */

/* How many of the query's words the document holds, as a number between -10 and 10. */
static double score(const char *query, const char *document)
{
    int all = 0, shared = 0;
    for (const char *at = query + strspn(query, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        char *word = must_dup(at, n);
        all++;
        shared += strstr(document, word) != NULL;
        free(word);
        at += n;
    }
    return all ? 20.0 * shared / all - 10.0 : -10.0;
}

yyjson_mut_doc *vectors_rerank(yyjson_val *root, const struct plan *p, const char *model)
{
    yyjson_mut_val *to;
    yyjson_mut_doc *d = answer_doc(&to, model);
    yyjson_val *documents = yyjson_obj_get(root, "documents"), *v, *query = yyjson_obj_get(root, "query");
    yyjson_mut_val *results = yyjson_mut_arr(d);
    size_t i, n, tokens = 0;
    yyjson_arr_foreach(documents, i, n, v) {
        const char *text = yyjson_get_str(yyjson_is_str(v) ? v : yyjson_obj_get(v, "text"));
        yyjson_mut_val *item = yyjson_mut_arr_add_obj(d, results);
        tokens += (size_t)(count_words(yyjson_get_str(query)) + count_words(text ? text : ""));
        yyjson_mut_obj_add_uint(d, item, "index", i);
        yyjson_mut_obj_add_real(d, item, "relevance_score", score(yyjson_get_str(query), text ? text : ""));
    }
    if (!p->no_usage)
        add_usage(d, to, tokens);
    yyjson_mut_obj_add_val(d, to, "results", results);
    return d;
}

yyjson_mut_doc *vectors_rerank_fault(yyjson_val *root, const struct plan *p, int *status)
{
    yyjson_val *documents = yyjson_obj_get(root, "documents"), *v;
    size_t i, n;
    (void)p;
    if (fake.model && !fake.reranking) {
        *status = 501;
        return error_doc(501, "not_supported_error", "This server does not support reranking. Start it with `--reranking`");
    }
    *status = 400;
    if (!yyjson_is_str(yyjson_obj_get(root, "query")))
        return error_doc(400, "invalid_request_error", "\"query\" must be provided");
    yyjson_arr_foreach(documents, i, n, v) {
        if (fake.model && !yyjson_is_str(v))
            return error_doc(400, "invalid_request_error", "\"documents\" must be a non-empty string array");
    }
    return n ? NULL : error_doc(400, "invalid_request_error", "\"documents\" must be a non-empty string array");
}
