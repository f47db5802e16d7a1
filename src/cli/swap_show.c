/* A swap as words: how far it is, and what should be done next. hob swap log. */
#include "cli/swap.h"

#include "cli/ask.h"
#include "cli/table.h"
#include "evidence/swap.h"

#include <stdio.h>

enum { ANSWER_MS = 60 * 1000 };

int swap_number(struct str word, int64_t *id)
{
    if (str_to_int(word, 1, INT64_MAX, id))
        return EXIT_OK;
    fprintf(stderr, "hob: '%.*s' is no number of a swap: `hob swap status` lists them\n", STR_ARG(word));
    return EXIT_USAGE;
}

int swap_ask(const struct cli_args *a, const char *method, const char *path, struct str request, struct buf *body, struct json_doc *d)
{
    struct question q = { .method = method, .path = path, .body = request, .answer_ms = ANSWER_MS };
    struct err e;
    int code = ask_daemon(a, &q, body);
    if (!code && d && json_parse(d, buf_str(body), &e)) {
        cli_error(&e);
        code = EXIT_FAILED;
    }
    return code;
}

/* ---- words ---- */

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

static double number_at(yyjson_val *obj, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(obj, key));
}

static struct str day_of(struct str time)
{
    return str_make(time.p, time.n < 16 ? time.n : 16);
}

static void print_proof(yyjson_val *p)
{
    yyjson_val *ci = yyjson_obj_get(p, "ci"), *needed = yyjson_obj_get(p, "needed");
    struct str verdict = text_at(p, "verdict"), note = text_at(p, "note");
    if (!text_at(p, "run").n) { /* numbers held side by side, no answers: nothing of it is chance */
        printf("      %.*s: %.*s: %lld of %lld alike; %.*s\n", STR_ARG(text_at(p, "suite")), STR_ARG(verdict), (long long)number_at(p, "both"), (long long)number_at(p, "pairs"), STR_ARG(note));
        return;
    }
    printf("      %.*s (run %.*s): %.*s: %lld pairs, only old %lld, only new %lld; difference %+.1f points (%.1f to %.1f)", STR_ARG(text_at(p, "suite")), STR_ARG(text_at(p, "run")),
        STR_ARG(verdict), (long long)number_at(p, "pairs"), (long long)number_at(p, "only_old"), (long long)number_at(p, "only_new"), 100 * number_at(p, "difference"),
        100 * yyjson_get_num(yyjson_arr_get(ci, 0)), 100 * yyjson_get_num(yyjson_arr_get(ci, 1)));
    if (yyjson_is_int(needed) && yyjson_get_sint(needed) > 0)
        printf("; to tell it needs about %lld", (long long)yyjson_get_sint(needed));
    printf("%s%.*s\n", note.n ? "; " : "", STR_ARG(note));
}

static void print_guard(yyjson_val *g)
{
    struct str evidence = text_at(g, "evidence");
    printf("  %-8.*s %.*s: %.*s\n", STR_ARG(text_at(g, "verdict")), STR_ARG(text_at(g, "role")), STR_ARG(evidence));
}

static void print_baseline(yyjson_val *b)
{
    struct str saved = text_at(b, "saved"), note = text_at(b, "note");
    long long requests = (long long)number_at(b, "requests");
    if (str_eq(text_at(b, "source"), STR("none")))
        printf("  %.*s: nothing is watched (--baseline none)", STR_ARG(text_at(b, "role")));
    else if (!requests)
        printf("  %.*s: nothing is watched: no request of the old model is on record", STR_ARG(text_at(b, "role")));
    else
        printf("  %.*s: held against %lld requests of %.*s, %.*s to %.*s", STR_ARG(text_at(b, "role")), requests, STR_ARG(text_at(b, "model")), STR_ARG(day_of(text_at(b, "from"))),
            STR_ARG(day_of(text_at(b, "until"))));
    printf("%s%.*s%s%.*s\n", saved.n ? ", saved " : "", STR_ARG(day_of(saved)), note.n ? "; " : "", STR_ARG(note));
}

static void print_role(yyjson_val *r)
{
    size_t i, n;
    yyjson_val *v;
    struct str why = text_at(r, "why"), verdict = text_at(r, "verdict");
    printf("  %.*s: %.*s -> %.*s, %.*s%s%.*s%s%.*s\n", STR_ARG(text_at(r, "role")), STR_ARG(text_at(r, "from")), STR_ARG(text_at(r, "to")), STR_ARG(swap_state_words(text_at(r, "state"))),
        verdict.n ? "; evidence: " : "", STR_ARG(verdict), why.n ? "; " : "", STR_ARG(why));
    yyjson_arr_foreach(yyjson_obj_get(r, "evidence"), i, n, v)
        print_proof(v);
}

/* ---- a shadow ---- */

struct str swap_amount(double v, struct str unit, bool sign, char out[32])
{
    bool share = str_eq(unit, STR("share"));
    double shown = share ? 100 * v : v;
    snprintf(out, 32, sign ? "%+.*f" : "%.*f", share || (shown > -100 && shown < 100) ? 1 : 0, shown);
    return str_of(out);
}

static void print_amount(struct str unit, double v, bool sign)
{
    char text[32];
    printf("%.*s", STR_ARG(swap_amount(v, unit, sign, text)));
}

static void print_unit(yyjson_val *m, const char *key, bool sign)
{
    struct str unit = text_at(m, "unit");
    print_amount(unit, number_at(m, key), sign);
    if (str_eq(unit, STR("share")))
        printf(sign ? " points" : " %%");
    else
        printf(" %.*s", STR_ARG(unit));
}

static void print_measure(yyjson_val *m)
{
    yyjson_val *ci = yyjson_obj_get(m, "ci"), *needed = yyjson_obj_get(m, "needed");
    struct str verdict = text_at(m, "verdict"), unit = text_at(m, "unit");
    long long pairs = (long long)number_at(m, "pairs");
    printf("    %.*s %-14.*s %lld pair%s: ", STR_ARG(text_at(m, "role")), STR_ARG(text_at(m, "name")), pairs, pairs == 1 ? "" : "s");
    if (yyjson_is_num(yyjson_obj_get(m, "old"))) {
        printf("old ");
        print_unit(m, "old", false);
        printf(", new ");
        print_unit(m, "new", false);
        printf("; ");
        print_unit(m, "difference", true);
    } else {
        print_unit(m, "new", false);
    }
    printf(" (");
    print_amount(unit, yyjson_get_num(yyjson_arr_get(ci, 0)), false);
    printf(" to ");
    print_amount(unit, yyjson_get_num(yyjson_arr_get(ci, 1)), false);
    printf(")");
    if (verdict.n)
        printf(": %.*s", STR_ARG(verdict));
    if (yyjson_is_int(needed))
        printf(", to tell it needs about %lld", (long long)yyjson_get_sint(needed));
    printf("\n");
}

static void print_shadow(yyjson_val *s)
{
    struct str from = text_at(s, "from"), waits = text_at(s, "waits");
    long long waiting = (long long)number_at(s, "waiting");
    size_t i, n;
    yyjson_val *m;
    printf("  shadow%s of %.3g %% of the asks, from %.*s: %lld pair%s", yyjson_is_true(yyjson_obj_get(s, "on")) ? "" : ", over,", 100 * number_at(s, "share"), STR_ARG(day_of(from)),
        (long long)number_at(s, "pairs"), number_at(s, "pairs") == 1 ? "" : "s");
    static const char *const others[] = { "dropped", "cancelled", "unfit" };
    for (i = 0; i < COUNTOF(others); i++)
        if (number_at(s, others[i]) > 0)
            printf(", %lld %s", (long long)number_at(s, others[i]), others[i]);
    if (waiting)
        printf(", %lld waiting%s%.*s", waiting, waits.n ? ": " : "", STR_ARG(waits));
    printf("\n");
    yyjson_arr_foreach(yyjson_obj_get(s, "measures"), i, n, m)
        print_measure(m);
}

/* ---- an engine ---- */

static void print_names(const char *what, yyjson_val *names)
{
    size_t i, n;
    yyjson_val *v;
    if (!yyjson_arr_size(names))
        return;
    printf("  %s:", what);
    yyjson_arr_foreach(names, i, n, v)
        printf(" %.*s", STR_ARG(json_str(v)));
    printf("\n");
}

static const char *place_of(yyjson_val *m)
{
    struct str state = text_at(m, "state");
    if (!str_eq(state, STR("trial")))
        return yyjson_is_true(yyjson_obj_get(m, "resident")) ? ", in memory when it was planned" : "";
    if (text_at(m, "smoked").n)
        return ", answers in the new build";
    return text_at(m, "up").n ? ", up in the new build" : ", not up in the new build yet";
}

static void print_model(yyjson_val *m)
{
    size_t i, n;
    yyjson_val *v;
    struct str why = text_at(m, "why"), verdict = text_at(m, "verdict");
    printf("  %.*s: %.*s%s%s%.*s%s%.*s\n", STR_ARG(text_at(m, "model")), STR_ARG(swap_state_words(text_at(m, "state"))), place_of(m), verdict.n ? "; evidence: " : "", STR_ARG(verdict),
        why.n ? "; " : "", STR_ARG(why));
    yyjson_arr_foreach(yyjson_obj_get(m, "evidence"), i, n, v)
        print_proof(v);
}

/* One that did not run has said no version. */
static void print_build(struct str path, struct str version)
{
    printf("%.*s", STR_ARG(path));
    if (version.n)
        printf(" (%.*s)", STR_ARG(version));
    putchar('\n');
}

static void print_engine(yyjson_val *g)
{
    yyjson_val *architectures = yyjson_obj_get(g, "architectures"), *m;
    size_t i, n;
    if (!yyjson_is_obj(g))
        return;
    printf("  %.*s: ", STR_ARG(text_at(g, "name")));
    print_build(text_at(g, "from"), text_at(g, "version_from"));
    printf("    -> ");
    print_build(text_at(g, "to"), text_at(g, "version_to"));
    print_names("architectures that the new build does not know any more", yyjson_obj_get(architectures, "lost"));
    print_names("architectures that it knows besides", yyjson_obj_get(architectures, "gained"));
    yyjson_arr_foreach(yyjson_obj_get(g, "models"), i, n, m)
        print_model(m);
}

void swap_print_object(yyjson_val *s)
{
    yyjson_val *window = yyjson_obj_get(s, "window"), *r;
    struct str from = text_at(window, "from"), until = text_at(window, "until"), why = text_at(s, "why");
    size_t i, n;
    printf("swap %lld: %.*s", (long long)yyjson_get_sint(yyjson_obj_get(s, "id")), STR_ARG(swap_state_words(text_at(s, "state"))));
    if (from.n)
        printf(", from %.*s until %.*s (%.3g days)", STR_ARG(day_of(from)), STR_ARG(day_of(until)), number_at(window, "days"));
    if (number_at(s, "share") < 1)
        printf(", %.3g %% of the conversations", 100 * number_at(s, "share"));
    printf("%s%s%.*s\n", yyjson_is_true(yyjson_obj_get(s, "forced")) ? ", by force" : "", why.n ? ": " : "", STR_ARG(why));
    yyjson_arr_foreach(yyjson_obj_get(s, "roles"), i, n, r)
        print_role(r);
    print_engine(yyjson_obj_get(s, "engine"));
    yyjson_arr_foreach(yyjson_obj_get(s, "baselines"), i, n, r)
        print_baseline(r);
    yyjson_arr_foreach(yyjson_obj_get(s, "guards"), i, n, r)
        print_guard(r);
    if (yyjson_is_null(yyjson_obj_get(s, "shadow")))
        printf("  shadow: the store cannot be read, where its pairs are\n");
    else if (yyjson_obj_get(s, "shadow"))
        print_shadow(yyjson_obj_get(s, "shadow"));
    printf("  next: %.*s\n", STR_ARG(text_at(s, "next")));
}

int swap_print(const struct cli_args *a, struct str object)
{
    struct json_doc d = { 0 };
    struct err e;
    if (cli_flag(a, "--json"))
        return print_answer(object);
    if (json_parse(&d, object, &e)) {
        cli_error(&e);
        return EXIT_FAILED;
    }
    swap_print_object(d.root);
    json_free(&d);
    return fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

/* ---- log ---- */

static void cell_roles(struct table *t, yyjson_val *step)
{
    struct buf text = { 0 };
    size_t i, n;
    yyjson_val *r;
    yyjson_arr_foreach(yyjson_obj_get(step, "roles"), i, n, r)
        buf_printf(&text, "%s%.*s: %.*s -> %.*s", i ? ", " : "", STR_ARG(text_at(r, "role")), STR_ARG(text_at(r, "from")), STR_ARG(text_at(r, "to")));
    yyjson_val *g = yyjson_obj_get(step, "engine"), *models = yyjson_obj_get(g, "models");
    if (g)
        buf_printf(&text, "%.*s: %.*s -> %.*s (%zu model%s)", STR_ARG(text_at(g, "name")), STR_ARG(text_at(g, "from")), STR_ARG(text_at(g, "to")), yyjson_arr_size(models),
            yyjson_arr_size(models) == 1 ? "" : "s");
    table_cell(t, buf_str(&text));
    buf_free(&text);
}

static void print_steps(yyjson_val *steps)
{
    static const char *const heads[] = { "SWAP", "TIME", "STEP", "STATE", "BY", "ROLES", "WHY" };
    struct table t;
    struct buf out = { 0 };
    size_t i, n;
    yyjson_val *s;
    table_init(&t, heads, COUNTOF(heads));
    yyjson_arr_foreach(steps, i, n, s) {
        table_int(&t, yyjson_get_sint(yyjson_obj_get(s, "swap")));
        table_cell(&t, text_at(s, "time"));
        table_cell(&t, text_at(s, "step"));
        table_cell(&t, swap_state_words(text_at(s, "state")));
        table_cell(&t, text_at(s, "actor"));
        cell_roles(&t, s);
        table_cell(&t, text_at(s, "reason"));
    }
    table_print(&t, &out);
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    table_fini(&t);
}

void swap_put_query(struct buf *path, const char *key, struct str value)
{
    if (!value.n)
        return;
    buf_printf(path, "%c%s=", memchr(path->p, '?', path->n) ? '&' : '?', key);
    for (size_t i = 0; i < value.n; i++)
        buf_printf(path, value.p[i] >= '0' && value.p[i] <= '9' ? "%c" : "%%%02X", (unsigned char)value.p[i]); /* numbers are read as they come */
}

/* Each swap begins with a plan, so nothing is a word that nobody knows. */
static int none_found(struct str id, struct str role)
{
    if (!role.n)
        fprintf(stderr, "hob: There is no swap %.*s. `hob swap status` lists them.\n", STR_ARG(id));
    else
        fprintf(stderr, "hob: no step%s%.*s has moved '%.*s'\n", id.n ? " of swap " : "", STR_ARG(id), STR_ARG(role));
    return EXIT_FAILED;
}

int swap_log(const struct cli_args *a, const struct str *words, size_t n)
{
    struct buf body = { 0 }, path = { 0 };
    struct json_doc d = { 0 };
    struct str id = n ? words[0] : STR(""), role = cli_option_value(a, "--role");
    int64_t number;
    int code = n ? swap_number(id, &number) : EXIT_OK;
    if (code)
        return code;
    buf_lit(&path, "/hob/v1/swaps/log");
    swap_put_query(&path, "id", id);
    swap_put_query(&path, "role", role);
    buf_add_char(&path, '\0');
    code = swap_ask(a, "GET", path.p, STR(""), &body, &d);
    if (!code && (n || role.n) && !yyjson_arr_size(yyjson_obj_get(d.root, "steps")))
        code = none_found(id, role);
    if (!code && cli_flag(a, "--json"))
        code = print_answer(buf_str(&body));
    else if (!code)
        print_steps(yyjson_obj_get(d.root, "steps"));
    json_free(&d);
    buf_free(&body);
    buf_free(&path);
    return code;
}
