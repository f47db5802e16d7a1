/* hob eval label FILE: case by case, what was asked and what was answered, and a line that says what was expected (evidence/label.h). The file is written after each,
 * so that an interrupt loses nothing, and going on is beginning again: what has an `expect` is passed over. Words and cases go to stderr, as all that is no
 * data; lines come from stdin, whatever that is. */
#include "cli/eval.h"
#include "cli/input.h"
#include "evidence/grade.h"
#include "evidence/label.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_LINES = 12, SHOWN_BYTES = 1500 };

struct labelling {
    struct str name;
    struct buf text;            /* of the file, as it was written last */
    struct suite *suite;        /* of it */
    size_t *order, n;           /* cases to go through */
    size_t labelled, skipped, met; /* met: by the answer that was given then */
    bool told_form;             /* that the file's form could not be kept */
    char *line;
    size_t room;
};

/* ---- shown ---- */

/* What models and people have written is not for the terminal to obey. */
static void put_clean(struct str text, const char *margin, struct buf *to)
{
    buf_printf(to, "%s", margin);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i], next = i + 1 < text.n ? (unsigned char)text.p[i + 1] : 0;
        if (c == '\n')
            buf_printf(to, "\n%s", margin);
        else if ((c < ' ' && c != '\t') || c == 0x7f)
            buf_add_char(to, '?');
        else if (c == 0xc2 && next >= 0x80 && next < 0xa0) { /* control characters beyond ASCII */
            buf_add_char(to, '?');
            i++;
        } else
            buf_add_char(to, (char)c);
    }
    buf_add_char(to, '\n');
}

/* The beginning of it, unless all is wanted. */
static void put_text(const char *head, struct str text, bool whole, struct buf *to)
{
    size_t end = 0, lines = 0, more = 0;
    struct str shown = str_trim(text);
    while (end < shown.n && lines < SHOWN_LINES && end < SHOWN_BYTES)
        lines += shown.p[end++] == '\n';
    if (!whole && end < shown.n) {
        while (end && ((unsigned char)shown.p[end] & 0xc0) == 0x80)
            end--;
        more = shown.n - end;
        shown.n = end;
    }
    buf_printf(to, "%s\n", head);
    put_clean(shown.n ? shown : STR("(nothing)"), "    ", to);
    if (more)
        buf_printf(to, "    … %zu bytes more: w shows them\n", more);
}

static void put_call(struct str name, struct str arguments, struct buf *to)
{
    buf_lit(to, "    calls ");
    put_clean(name, "", to);
    if (arguments.n)
        put_clean(arguments, "      ", to);
}

static void put_message(yyjson_val *m, bool whole, struct buf *to)
{
    struct str role = json_str(yyjson_obj_get(m, "role")), content = json_str(yyjson_obj_get(m, "content"));
    char head[40];
    size_t i, n;
    yyjson_val *call;
    snprintf(head, sizeof head, "  %.*s:", role.n < 30 ? (int)role.n : 30, role.n ? role.p : "");
    if (content.n || !yyjson_arr_size(yyjson_obj_get(m, "tool_calls")))
        put_text(head, content.p ? content : STR(""), whole, to);
    else
        buf_printf(to, "%s\n", head);
    yyjson_arr_foreach(yyjson_obj_get(m, "tool_calls"), i, n, call) {
        yyjson_val *f = yyjson_obj_get(call, "function");
        put_call(json_str(yyjson_obj_get(f, "name")), json_str(yyjson_obj_get(f, "arguments")), to);
    }
}

/* The last of the user's and what follows it; all of them, where all is wanted. */
static void put_messages(const struct suite_case *c, bool whole, struct buf *to)
{
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n, first = 0;
    yyjson_val *m;
    if (c->messages.n && !json_parse(&d, c->messages, &e)) {
        yyjson_arr_foreach(d.root, i, n, m)
            if (!whole && !c->input.n && str_eq(json_str(yyjson_obj_get(m, "role")), STR("user")))
                first = i;
        if (first)
            buf_printf(to, "  … %zu messages before: w shows them\n", first);
        yyjson_arr_foreach(d.root, i, n, m)
            if (i >= first)
                put_message(m, whole, to);
    }
    json_free(&d);
}

static void put_answer(const struct suite_case *c, bool whole, struct buf *to)
{
    char head[120];
    if (!c->has_answered)
        return;
    snprintf(head, sizeof head, "  answered%s%.*s:", c->answered_by.n ? " by " : "", c->answered_by.n < 80 ? (int)c->answered_by.n : 80, c->answered_by.n ? c->answered_by.p : "");
    if (c->answered.text.n || !c->answered.tool.n)
        put_text(head, c->answered.text, whole, to);
    else
        buf_printf(to, "%s\n", head);
    if (c->answered.tool.n)
        put_call(c->answered.tool, c->answered.arguments, to);
}

static void say_all(struct buf *words)
{
    fwrite(words->p, 1, words->n, stderr);
    buf_free(words);
}

static void show(const struct labelling *l, size_t i, bool whole)
{
    const struct suite_case *c = &l->suite->cases[l->order[i]];
    struct buf out = { 0 };
    buf_printf(&out, "\n%zu of %zu  ", i + 1, l->n);
    put_clean(c->id, "", &out);
    if (c->system.n && whole)
        put_text("  system:", c->system, true, &out);
    put_messages(c, whole, &out);
    if (c->input.n)
        put_text("  user:", c->input, whole, &out);
    if (c->tools.n && whole)
        put_text("  tools:", c->tools, true, &out);
    if (c->schema.n)
        put_text("  schema:", c->schema, whole, &out);
    put_answer(c, whole, &out);
    if (c->nexpects)
        buf_printf(&out, "  it has %zu expectations, which a new one replaces\n", c->nexpects);
    say_all(&out);
}

/* ---- the file ---- */

static int cannot(const struct labelling *l)
{
    fprintf(stderr, "hob: %s cannot be written: %s\n", l->name.p, strerror(errno));
    return EXIT_FAILED;
}

/* All of it or nothing, with the rights it has, whether it is a link or not. */
static int replace_file(const struct labelling *l, struct str text)
{
    char *path = realpath(l->name.p, NULL);
    struct buf beside = { 0 };
    struct stat st;
    if (!path || stat(path, &st)) {
        free(path);
        return cannot(l);
    }
    buf_printf(&beside, "%s.hob-%ld", path, (long)getpid());
    buf_add_char(&beside, 0);
    int fd = open(beside.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    bool whole = f && !fchmod(fd, st.st_mode & 07777) && fwrite(text.p, 1, text.n, f) == text.n && !fflush(f) && !fsync(fd);
    whole = f && fclose(f) == 0 && whole;
    whole = whole && !rename(beside.p, path);
    int code = whole ? EXIT_OK : cannot(l);
    if (!whole && fd >= 0)
        unlink(beside.p);
    buf_free(&beside);
    free(path);
    return code;
}

static int check_same(const struct labelling *l)
{
    struct buf now = { 0 };
    int code = input_read(l->name.p, &now);
    if (!code && !str_eq(buf_str(&now), buf_str(&l->text))) {
        fprintf(stderr, "hob: %s has been changed by somebody else meanwhile: begin again\n", l->name.p);
        code = EXIT_FAILED;
    }
    buf_free(&now);
    return code;
}

static int read_suite(struct labelling *l, struct str text)
{
    struct suite *s = NULL;
    struct err e;
    if (suite_read(l->name, text, SUITE_YAML, &s, &e)) {
        cli_error(&e);
        return EXIT_USAGE;
    }
    suite_free(l->suite);
    l->suite = s;
    return EXIT_OK;
}

/* ---- one case ---- */

static bool meets(const struct suite_case *c, struct buf *why)
{
    struct arena a;
    struct grade g;
    struct grade_call call = { c->answered.tool, c->answered.arguments };
    struct grade_answer answer = { .text = c->answered.text, .calls = &call, .ncalls = c->answered.tool.n > 0, .finish = STR("stop"), .total_ms = -1, .ttft_ms = -1,
        .output_tokens = -1 };
    arena_init(&a);
    grade(&a, c, &answer, &g);
    bool pass = g.mark == GRADE_PASS;
    if (!pass)
        put_clean(g.why, "", why);
    arena_fini(&a);
    return pass;
}

static int put_label(struct labelling *l, size_t at, struct str list, bool ideal)
{
    struct suite *own = NULL;
    struct suite_case with;
    struct buf out = { 0 }, why = { 0 };
    struct err e;
    bool kept = true, pass = false;
    int code = check_same(l);
    if (!code && (label_case(&l->suite->cases[at], list, ideal, &own, &with, &e) || label_write(l->suite, buf_str(&l->text), at, &with, &out, &kept, &e))) {
        cli_error(&e);
        code = EXIT_FAILED;
    }
    if (!code) {
        pass = with.has_answered && meets(&with, &why);
        code = replace_file(l, buf_str(&out));
    }
    if (!code && !kept && !l->told_form) {
        fprintf(stderr, "hob: %s could not keep its form and is written anew; comments are gone\n", l->name.p);
        l->told_form = true;
    }
    if (!code && with.has_answered)
        fprintf(stderr, "  noted; what was answered then %s%.*s\n", pass ? "meets it" : "does not meet it: ", pass || !why.n ? 0 : (int)why.n - 1, why.n ? why.p : "");
    if (!code) {
        l->met += pass;
        l->labelled++;
        struct buf was = l->text;
        l->text = out;
        out = was;
        code = read_suite(l, buf_str(&l->text)); /* own and with are done with */
    }
    suite_free(own);
    buf_free(&out);
    buf_free(&why);
    return code;
}

static bool next_line(struct labelling *l, struct str *line)
{
    if (isatty(STDIN_FILENO))
        fputs("expected> ", stderr);
    fflush(stderr);
    ssize_t n = getline(&l->line, &l->room, stdin);
    *line = n > 0 ? str_trim(str_make(l->line, (size_t)n)) : STR("");
    return n > 0;
}

/* Lines until one of them is the last for this case. LABEL_EXPECT: it is written. */
static int ask_case(struct labelling *l, size_t i, enum label_act *act)
{
    struct arena a;
    struct buf list = { 0 };
    struct label_said said = { .more = true };
    struct err e;
    struct str line;
    int code = EXIT_OK;
    bool ideal = false;
    arena_init(&a);
    buf_lit(&list, "[");
    for (*act = LABEL_HELP; *act == LABEL_HELP || *act == LABEL_WHOLE || (*act == LABEL_EXPECT && said.more);) {
        if (!next_line(l, &line)) {
            *act = LABEL_QUIT;
            break;
        }
        if (label_read(&l->suite->cases[l->order[i]], line, &a, &said, &e)) {
            fprintf(stderr, "  %s\n", e.text);
            said.more = true;
            continue;
        }
        *act = said.act;
        if (said.act == LABEL_HELP)
            fputs(label_help, stderr);
        if (said.act == LABEL_WHOLE)
            show(l, i, true);
        if (said.act != LABEL_EXPECT)
            continue;
        ideal |= said.ideal;
        buf_printf(&list, "%s%.*s", list.n > 1 ? "," : "", STR_ARG(said.json));
    }
    buf_lit(&list, "]");
    if (*act == LABEL_EXPECT)
        code = put_label(l, l->order[i], buf_str(&list), ideal);
    buf_free(&list);
    arena_fini(&a);
    return code;
}

/* ---- all of them ---- */

static size_t open_cases(const struct suite *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->ncases; i++)
        n += !s->cases[i].nexpects;
    return n;
}

static int go_through(struct labelling *l)
{
    int code = EXIT_OK;
    enum label_act act = LABEL_SKIP;
    for (size_t i = 0; i < l->n && !code && act != LABEL_QUIT;) {
        show(l, i, false);
        code = ask_case(l, i, &act);
        l->skipped += act == LABEL_SKIP;
        i = act == LABEL_BACK ? i - (i > 0) : act == LABEL_QUIT ? i : i + 1;
    }
    return code;
}

static void say_end(const struct cli_args *a, const struct labelling *l)
{
    size_t left = open_cases(l->suite);
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    if (!cli_flag(a, "--json")) {
        fprintf(stderr, "\nhob: %zu said now, %zu skipped; %zu of %zu cases wait for a word%s\n", l->labelled, l->skipped, left, l->suite->ncases, left ? "" : ": `hob eval check` it, then `hob eval run`");
        return;
    }
    const struct {
        const char *name;
        size_t n;
    } counts[] = { { "cases", l->suite->ncases }, { "labelled", l->labelled }, { "met", l->met }, { "skipped", l->skipped }, { "left", left } };
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("file"));
    json_string(&o, l->name);
    for (size_t i = 0; i < COUNTOF(counts); i++) {
        json_key(&o, str_of(counts[i].name));
        json_int(&o, (int64_t)counts[i].n);
    }
    json_end_object(&o);
    buf_lit(&out, "\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
}

static void pick(struct labelling *l, bool all)
{
    l->order = calloc(l->suite->ncases + 1, sizeof *l->order);
    if (!l->order)
        die("out of memory: a suite");
    for (size_t i = 0; i < l->suite->ncases; i++)
        if (all || !l->suite->cases[i].nexpects)
            l->order[l->n++] = i;
}

static int begin(struct labelling *l, const struct cli_args *a)
{
    if (str_eq(l->name, STR("-")) || suite_form_of(l->name) != SUITE_YAML) {
        fprintf(stderr, "hob: label writes into a YAML file; `hob eval import %s -o mine.yaml` makes one of samples\n", l->name.p);
        return EXIT_USAGE;
    }
    int code = input_read(l->name.p, &l->text);
    if (!code)
        code = read_suite(l, buf_str(&l->text));
    if (!code)
        pick(l, cli_flag(a, "--all"));
    return code;
}

/* hob eval label FILE [--all] */
int eval_label(const struct cli_args *a, const struct str *words, size_t n)
{
    struct labelling l = { .name = words[0] };
    int code = begin(&l, a);
    (void)n;
    if (!code && !l.n)
        fprintf(stderr, "hob: all %zu cases say what they expect: --all goes through them again\n", l.suite->ncases);
    else if (!code)
        fprintf(stderr, "hob: %zu of %zu cases to go through. What was expected? y: as it was answered; ? lists what can be said\n", l.n, l.suite->ncases);
    if (!code)
        code = go_through(&l);
    if (l.suite)
        say_end(a, &l);
    suite_free(l.suite);
    buf_free(&l.text);
    free(l.order);
    free(l.line);
    return code;
}
