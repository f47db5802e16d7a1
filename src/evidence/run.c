#include "evidence/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_TEXT_BYTES = 8 * 1024, WAIT_FIRST_MS = 500, WAIT_MOST_MS = 10 * 1000, ASKED_MOST_MS = 120 * 1000 };

/* ---- the plan ---- */

static int64_t turns_of(const struct run_plan *p, size_t item)
{
    int64_t n = p->repeat ? p->repeat : p->suite->cases[item].repeat;
    return n < 1 ? 1 : n > RUN_MAX_TURNS ? RUN_MAX_TURNS : n;
}

static int64_t most_turns(const struct run_plan *p)
{
    int64_t most = 1;
    for (size_t i = 0; i < p->suite->ncases; i++)
        most = turns_of(p, i) > most ? turns_of(p, i) : most;
    return most;
}

/* Turn by turn, so that a run that is stopped has asked all cases about as often. Steps that a case does not have are done from the start. */
static struct run_step step_at(const struct run_plan *p, size_t index)
{
    size_t cases = p->suite->ncases, places = p->nplaces;
    size_t turns = p->total / (cases * places);
    if (p->order == RUN_INTERLEAVED)
        return (struct run_step){ index % places, index / places % cases, (int64_t)(index / places / cases) + 1 };
    return (struct run_step){ index / cases / turns, index % cases, (int64_t)(index / cases % turns) + 1 };
}

void run_plan_init(struct run_plan *p, const struct suite *s, size_t nplaces, int64_t repeat, enum run_order order)
{
    *p = (struct run_plan){ .suite = s, .nplaces = nplaces, .repeat = repeat, .order = order };
    p->total = s->ncases * nplaces * (size_t)most_turns(p);
    p->done = calloc(p->total ? p->total : 1, sizeof *p->done);
    if (!p->done)
        die("out of memory for a plan of %zu steps", p->total);
    for (size_t i = 0; i < p->total; i++) {
        struct run_step step = step_at(p, i);
        p->done[i] = step.turn > turns_of(p, step.item);
    }
}

void run_plan_fini(struct run_plan *p)
{
    free(p->done);
    p->done = NULL;
}

bool run_plan_has(struct run_plan *p, size_t place, struct str item, int64_t turn)
{
    for (size_t i = 0; i < p->total; i++) {
        struct run_step step = step_at(p, i);
        if (step.place == place && step.turn == turn && str_eq(p->suite->cases[step.item].id, item)) {
            p->done[i] = true;
            return true;
        }
    }
    return false;
}

bool run_plan_next(struct run_plan *p, struct run_step *out)
{
    while (p->next < p->total && p->done[p->next])
        p->next++;
    if (p->next == p->total)
        return false;
    p->done[p->next] = true;
    *out = step_at(p, p->next++);
    return true;
}

/* ---- an answer ---- */

static struct str text_at(yyjson_val *obj, const char *key)
{
    return json_str(yyjson_obj_get(obj, key));
}

static double number_at(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return yyjson_is_num(v) ? yyjson_get_num(v) : -1;
}

static void nothing(struct run_result *r, enum fault fault, struct str why)
{
    r->outcome = RUN_NOTHING;
    r->fault = fault;
    r->why = why;
}

/* It was answered by whom it was asked of, or it says nothing. */
static bool is_theirs(struct arena *a, const struct run_place *p, struct run_result *r)
{
    bool same = str_eq(r->model, p->model);
    for (size_t i = 0; i < p->replicas.n && !p->host.n; i++)
        same = same || str_eq(r->model, p->replicas.at[i]);
    if (same && (!p->host.n || str_eq(r->host, p->host)))
        return true;
    nothing(r, FAULT_GATEWAY, r->model.n ? arena_printf(a, "%.*s on %.*s answered in its place", STR_ARG(r->model), STR_ARG(r->host)) :
        STR("who answered was not told: `routing_metadata` is off"));
    return false;
}

static void take_routing(struct arena *a, yyjson_val *root, struct run_result *r)
{
    yyjson_val *routing = yyjson_obj_get(root, "_routing"), *tokens = yyjson_obj_get(routing, "tokens");
    r->model = arena_copy(a, text_at(routing, "model"));
    r->host = arena_copy(a, text_at(routing, "host"));
    r->input_tokens = (int64_t)number_at(tokens, "input");
    r->output_tokens = (int64_t)number_at(tokens, "output");
    r->ttft_ms = number_at(routing, "ttft_ms");
    r->load_ms = (int64_t)number_at(routing, "load_ms");
}

static void take_graded(const struct suite_case *c, struct run_result *r)
{
    const struct grade *g = &r->grade;
    r->score = g->score;
    r->why = g->why;
    switch (g->mark) {
    case GRADE_PASS:
        r->outcome = RUN_PASSED;
        r->fault = FAULT_NONE;
        return;
    case GRADE_FAIL:
        r->outcome = RUN_FAILED;
        r->fault = FAULT_MODEL;
        return;
    case GRADE_CUT: /* by the suite's own budget, which does not hold the smallest right answer: nothing; else it was too long */
        r->outcome = c->max_tokens && suite_least_tokens(c) > c->max_tokens ? RUN_NOTHING : RUN_FAILED;
        r->fault = r->outcome == RUN_NOTHING ? FAULT_HARNESS : FAULT_MODEL;
        return;
    case GRADE_JUDGE:
        r->outcome = RUN_JUDGE;
        return;
    case GRADE_UNDECIDED:
    case GRADE_MARKS:
        r->outcome = RUN_NOTHING;
        r->fault = FAULT_HARNESS;
        return;
    }
}

void run_settle(const struct suite_case *c, struct run_result *r)
{
    grade_settle(c, &r->grade);
    take_graded(c, r);
}

static void take_answer(struct arena *a, const struct suite_case *c, const struct run_place *p, const struct run_answer *got, struct run_result *r)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, got->body, &e)) {
        nothing(r, FAULT_GATEWAY, STR("the answer is no JSON"));
        return;
    }
    take_routing(a, d.root, r);
    json_free(&d);
    if (!is_theirs(a, p, r))
        return;
    if (grade_answer_read(a, got->body, &r->answer, &e)) {
        nothing(r, FAULT_BACKEND, arena_copy(a, str_of(e.text)));
        return;
    }
    r->answer.total_ms = r->answer.total_ms < 0 ? got->total_ms : r->answer.total_ms;
    grade(a, c, &r->answer, &r->grade);
    take_graded(c, r);
}

/* ---- a refusal ---- */

/* What may pass by itself, as the table of errors has it: somebody loads, or is busy. */
static bool passes(struct str code)
{
    for (int i = 0; i < ERR_COUNT; i++)
        if (str_eq(code, str_of(err_row((enum err_code)i)->code)))
            return err_row((enum err_code)i)->retry;
    return false;
}

static enum fault fault_named(struct str name)
{
    for (int f = FAULT_CALLER; f <= FAULT_HARNESS; f++)
        if (str_eq(name, str_of(fault_name((enum fault)f))))
            return (enum fault)f;
    return FAULT_GATEWAY;
}

static bool again(struct run_result *r, const struct run_answer *got, int tries, struct str why)
{
    if (tries >= RUN_TRIES)
        return false;
    r->outcome = RUN_AGAIN;
    r->wait_ms = (int64_t)WAIT_FIRST_MS << (2 * (tries - 1));
    r->wait_ms = r->wait_ms > WAIT_MOST_MS ? WAIT_MOST_MS : r->wait_ms;
    if (got->retry_after_ms > r->wait_ms)
        r->wait_ms = got->retry_after_ms > ASKED_MOST_MS ? ASKED_MOST_MS : got->retry_after_ms;
    r->why = why;
    return true;
}

/* A request that is refused as the caller's is the suite's. What the model did (no fit to the schema, thoughts alone, no such tool) is its own. */
static void take_refusal(struct arena *a, const struct run_answer *got, int tries, struct run_result *r)
{
    struct json_doc d = { 0 };
    struct err e;
    struct str why = STR("it was refused, not as hob does it"), code = STR(""), fault = STR("gateway");
    if (!json_parse(&d, got->body, &e)) {
        yyjson_val *error = yyjson_obj_get(d.root, "error"), *hob = yyjson_obj_get(error, "hob");
        code = arena_copy(a, text_at(error, "code"));
        fault = arena_copy(a, text_at(hob, "fault"));
        why = arena_printf(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(text_at(error, "message")));
        r->request_id = arena_copy(a, text_at(hob, "request_id"));
        json_free(&d);
    }
    if ((passes(code) || got->status == 429) && again(r, got, tries, why))
        return;
    enum fault whose = fault_named(fault);
    if (whose == FAULT_MODEL) {
        r->outcome = RUN_FAILED;
        r->fault = FAULT_MODEL;
        r->why = why;
    } else {
        nothing(r, whose == FAULT_CALLER ? FAULT_HARNESS : whose, why);
    }
}

void run_take(struct arena *a, const struct suite_case *c, const struct run_place *p, const struct run_answer *got, int tries, struct run_result *out)
{
    *out = (struct run_result){ .input_tokens = -1, .output_tokens = -1, .ttft_ms = -1 };
    if (got->status == 200)
        take_answer(a, c, p, got, out);
    else if (got->status)
        take_refusal(a, got, tries, out);
    else if (!again(out, got, tries, got->trouble))
        nothing(out, FAULT_GATEWAY, got->trouble);
}

/* ---- for the store ---- */

static struct str cut(struct str s)
{
    size_t n = s.n < KEPT_TEXT_BYTES ? s.n : KEPT_TEXT_BYTES;
    while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_make(s.p, n);
}

static void put_text(struct json_out *o, const char *key, struct str text)
{
    if (!text.n)
        return;
    json_key(o, str_of(key));
    json_string(o, cut(text));
}

static void put_int(struct json_out *o, const char *key, int64_t v)
{
    if (v < 0)
        return;
    json_key(o, str_of(key));
    json_int(o, v);
}

static void put_calls(struct json_out *o, const struct grade_answer *answer)
{
    if (!answer->ncalls)
        return;
    json_key(o, STR("calls"));
    json_begin_array(o);
    for (size_t i = 0; i < answer->ncalls; i++) {
        json_begin_object(o);
        put_text(o, "name", answer->calls[i].name);
        put_text(o, "arguments", answer->calls[i].arguments);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_lines(struct json_out *o, const struct suite_case *c, const struct grade *g)
{
    if (!g->nlines)
        return;
    json_key(o, STR("lines"));
    json_begin_array(o);
    for (size_t i = 0; i < g->nlines; i++) {
        json_begin_object(o);
        put_text(o, "expect", str_of(expect_kind_name[c->expects[i].kind]));
        put_text(o, "mark", str_of(grade_mark_name[g->lines[i].mark]));
        put_text(o, "why", g->lines[i].why);
        json_end_object(o);
    }
    json_end_array(o);
}

void run_put(const struct suite_case *c, const struct run_result *r, const struct run_answer *got, int tries, struct buf *out)
{
    struct json_out o = json_out(out);
    json_begin_object(&o);
    put_text(&o, "text", r->answer.text);
    put_text(&o, "reasoning", r->answer.reasoning);
    put_calls(&o, &r->answer);
    put_text(&o, "finish", r->answer.finish);
    put_text(&o, "why", r->why);
    put_lines(&o, c, &r->grade);
    put_text(&o, "model", r->model);
    put_text(&o, "host", r->host);
    put_text(&o, "request_id", r->request_id);
    put_int(&o, "total_ms", got->total_ms);
    put_int(&o, "ttft_ms", (int64_t)r->ttft_ms);
    put_int(&o, "load_ms", r->load_ms);
    put_int(&o, "input_tokens", r->input_tokens);
    put_int(&o, "output_tokens", r->output_tokens);
    put_int(&o, "tries", tries);
    json_key(&o, STR("print"));
    char print[20];
    snprintf(print, sizeof print, "%016llx", (unsigned long long)c->print);
    json_string(&o, str_of(print));
    json_end_object(&o);
}

/* ---- sums ---- */

void run_tally_init(struct run_tally *t, size_t ncases, size_t nplaces)
{
    *t = (struct run_tally){ .ncases = ncases, .nplaces = nplaces, .cells = calloc(ncases * nplaces + 1, sizeof *t->cells) };
    if (!t->cells)
        die("out of memory for a tally");
}

void run_tally_fini(struct run_tally *t)
{
    free(t->cells);
    t->cells = NULL;
}

void run_tally_add(struct run_tally *t, size_t item, size_t place, int passed, enum fault fault, double score)
{
    struct run_cell *c = &t->cells[item * t->nplaces + place];
    if (fault > FAULT_NONE && fault <= FAULT_HARNESS)
        c->faults[fault]++;
    if (passed < 0)
        return;
    c->total++;
    c->passed += passed;
    c->score += score;
}

struct run_cell run_tally_sum(const struct run_tally *t, const struct suite *s, size_t place, bool aside)
{
    struct run_cell sum = { 0 };
    for (size_t i = 0; i < t->ncases; i++) {
        const struct run_cell *c = &t->cells[i * t->nplaces + place];
        if (s->cases[i].aside != aside)
            continue;
        sum.passed += c->passed;
        sum.total += c->total;
        sum.score += c->score;
        for (size_t f = 0; f < COUNTOF(sum.faults); f++)
            sum.faults[f] += c->faults[f];
    }
    return sum;
}

void run_cell_put(const struct run_cell *c, struct json_out *o)
{
    struct interval ci = wilson_interval(c->passed, c->total, 0.05);
    json_key(o, STR("pass"));
    json_int(o, c->passed);
    json_key(o, STR("total"));
    json_int(o, c->total);
    json_key(o, STR("rate"));
    json_double(o, c->total ? (double)c->passed / c->total : NAN, 4);
    json_key(o, STR("ci"));
    json_begin_array(o);
    json_double(o, ci.lo, 4);
    json_double(o, ci.hi, 4);
    json_end_array(o);
    json_key(o, STR("score"));
    json_double(o, c->total ? c->score / c->total : NAN, 4);
}

void run_faults_put(const struct run_cell *c, struct json_out *o)
{
    json_key(o, STR("faults"));
    json_begin_object(o);
    for (int f = FAULT_GATEWAY; f <= FAULT_HARNESS; f++) {
        json_key(o, str_of(fault_name((enum fault)f)));
        json_int(o, c->faults[f]);
    }
    json_end_object(o);
}

void run_compare(const struct run_tally *t, const struct suite *s, size_t a, size_t b, struct verdict *out, struct pairs *majority)
{
    struct case_score *scores = calloc(t->ncases + 1, sizeof *scores);
    size_t n = 0;
    if (!scores)
        die("out of memory for a comparison");
    *majority = (struct pairs){ 0 };
    for (size_t i = 0; i < t->ncases; i++) {
        const struct run_cell *ca = &t->cells[i * t->nplaces + a], *cb = &t->cells[i * t->nplaces + b];
        if (s->cases[i].aside || !ca->total || !cb->total)
            continue;
        scores[n++] = (struct case_score){ ca->passed, ca->total, cb->passed, cb->total };
        pairs_count(majority, 2 * ca->passed > ca->total, 2 * cb->passed > cb->total);
    }
    struct judge_rule rule = judge_usual;
    rule.margin = s->margin > 0 ? s->margin : rule.margin;
    cases_judge(scores, n, &rule, out);
    free(scores);
}
