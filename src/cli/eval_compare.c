/* hob eval compare --pairs FILE: a verdict over passes and fails that were had elsewhere. No daemon is asked. */
#include "cli/eval.h"
#include "cli/input.h"
#include "cli/numbers.h"
#include "evidence/verdict_put.h"

#include <stdio.h>

static int read_line(struct str line, int64_t number, struct pairs *p)
{
    struct json_doc d = { 0 };
    struct err e;
    enum err_code rc = json_parse(&d, line, &e);
    yyjson_val *a = yyjson_obj_get(d.root, "a"), *b = yyjson_obj_get(d.root, "b");
    bool right = !rc && yyjson_is_bool(a) && yyjson_is_bool(b);
    if (right)
        pairs_count(p, yyjson_get_bool(a), yyjson_get_bool(b));
    else
        fprintf(stderr, "hob: line %lld: %s\n", (long long)number, rc ? e.text : "each line is {\"a\": true|false, \"b\": true|false}");
    json_free(&d);
    return right ? EXIT_OK : EXIT_FAILED;
}

static int read_pairs(struct str text, struct pairs *p)
{
    int64_t number = 0;
    int rc = EXIT_OK;
    while (text.n && !rc) {
        struct str rest, line = str_trim(str_cut(text, '\n', &rest));
        number++;
        if (line.n)
            rc = read_line(line, number, p);
        text = rest;
    }
    return rc;
}

static void print_verdict(const struct verdict *v, const struct pairs *p, bool json)
{
    struct buf text = { 0 };
    if (json) {
        struct json_out o = json_out(&text);
        const struct { const char *key; int64_t n; } counts[] = { { "both", p->both }, { "only_a", p->only_a }, { "only_b", p->only_b }, { "neither", p->neither } };
        json_begin_object(&o);
        json_key(&o, STR("schema"));
        json_int(&o, 1);
        verdict_put(v, &o);
        for (size_t i = 0; i < COUNTOF(counts); i++) {
            json_key(&o, str_of(counts[i].key));
            json_int(&o, counts[i].n);
        }
        json_end_object(&o);
        buf_add_char(&text, '\n');
    } else {
        buf_printf(&text, "%lld pairs: both pass %lld, only a %lld, only b %lld, neither %lld\n", (long long)v->pairs, (long long)p->both, (long long)p->only_a,
            (long long)p->only_b, (long long)p->neither);
        verdict_write(v, &text);
    }
    fwrite(text.p, 1, text.n, stdout);
    buf_free(&text);
}

int eval_compare(const struct cli_args *a, const struct str *words, size_t n)
{
    struct str file = cli_option_value(a, "--pairs");
    struct judge_rule rule = judge_usual;
    struct pairs p = { 0 };
    struct verdict v;
    struct buf text = { 0 };
    double points = 100 * rule.margin;
    (void)words;
    (void)n;
    if (!file.n) {
        fprintf(stderr, "hob: which pairs? hob eval compare --pairs FILE\n");
        return EXIT_USAGE;
    }
    int rc = option_number(a, "--margin", 0, 100, &points);
    rule.margin = points / 100;
    if (!rc)
        rc = input_read(file.p, &text);
    if (!rc)
        rc = read_pairs(buf_str(&text), &p);
    if (!rc) {
        pairs_judge(&p, &rule, &v);
        print_verdict(&v, &p, cli_flag(a, "--json"));
        rc = fflush(stdout) ? EXIT_FAILED : EXIT_OK;
    }
    buf_free(&text);
    return rc;
}
