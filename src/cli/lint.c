/* hob lint: what small models would stumble over in a prompt, before it is sent. Nothing is asked of anybody. */
#include "api/question.h"
#include "api/size.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "json/json.h"
#include "policy/fields.h"
#include "policy/lint.h"
#include "policy/reword.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct looking {
    const struct cli_args *args;
    struct config *config;              /* NULL: no model is named */
    struct buf request;                 /* a chat */
    struct json_doc doc;
    struct lint_given given;
    struct lint_finding found[LINT_MOST];
    size_t n;
};

/* ---- what is looked at ---- */

/* A text is what a user says. */
static void put_chat(struct str text, struct buf *to)
{
    struct json_out o = json_out(to);
    json_begin_object(&o);
    question_put_chat(&o, text);
    json_end_object(&o);
}

/* It is, or was meant to be: what is wrong with one that is broken is told when it is read. */
static bool is_request(struct str input, yyjson_val *parsed)
{
    return parsed ? yyjson_obj_get(parsed, "messages") != NULL : str_starts(str_trim(input), STR("{")) && str_find(input, STR("\"messages\"")) >= 0;
}

/* A chat request as it is; anything else is a text. */
static int take_input(struct looking *l, struct str input)
{
    struct json_doc d = { 0 };
    bool empty = !str_trim(input).n;
    if (empty || memchr(input.p, 0, input.n)) {
        fprintf(stderr, "hob: %s\n", empty ? "there is no text in it" : "that is no text");
        return EXIT_FAILED;
    }
    bool json = str_starts(str_trim(input), STR("{")) && !json_parse(&d, input, NULL);
    struct str prompt = json ? json_str(yyjson_obj_get(d.root, "prompt")) : (struct str){ NULL, 0 };
    if (is_request(input, json ? d.root : NULL))
        buf_add(&l->request, input);
    else
        put_chat(prompt.p ? prompt : input, &l->request);
    json_free(&d);
    return EXIT_OK;
}

/* One word with a slash in it, or an ending such as `.json`: a file, and no prompt. */
static bool names_a_file(struct str word)
{
    struct str after;
    bool letter = false;
    size_t at = word.n;
    for (; at && isalnum((unsigned char)word.p[at - 1]); at--)
        letter |= isalpha((unsigned char)word.p[at - 1]) != 0;
    bool ending = at > 1 && letter && word.p[at - 1] == '.';
    (void)str_cut(word, ' ', &after);
    return (ending || str_find(word, STR("/")) >= 0) && !after.p && str_find(word, STR("\n")) < 0;
}

static int read_input(struct looking *l)
{
    const struct cli_args *a = l->args;
    struct buf input = { 0 };
    bool file = a->nwords == 1 && (str_eq(a->words[0], STR("-")) || names_a_file(a->words[0]) || !access(a->words[0].p, F_OK));
    if (!a->nwords) {
        fprintf(stderr, "hob: what shall be looked at? hob lint \"PROMPT\", a file with one or with a chat request, or - for stdin\n");
        return EXIT_USAGE;
    }
    int rc = file ? input_read(a->words[0].p, &input) : EXIT_OK;
    for (size_t i = 0; i < a->nwords && !file; i++) {
        if (i)
            buf_add_char(&input, ' ');
        buf_add(&input, a->words[i]);
    }
    if (!rc)
        rc = take_input(l, buf_str(&input));
    buf_free(&input);
    return rc;
}

/* ---- for which model ---- */

/* A role's words and numbers are a part of what the model gets. */
static void apply_role(struct looking *l, struct str name)
{
    struct reword w = { .role = NULL };
    struct buf text = { 0 };
    for (size_t i = 0; i < l->config->nroles; i++)
        if (str_eq(l->config->roles[i].name, name))
            w.role = &l->config->roles[i];
    reword_request(&l->doc, &w, &text);
    json_free(&l->doc);
    buf_free(&l->request);
    l->request = text;
}

static int parse(struct looking *l)
{
    struct err e;
    if (!json_parse(&l->doc, buf_str(&l->request), &e) && !fields_check(l->doc.root, TASK_CHAT, &e))
        return EXIT_OK;
    cli_error(&e);
    return EXIT_FAILED;
}

static int take_model(struct looking *l)
{
    struct str name = cli_option_value(l->args, "--model"), role;
    if (!name.n)
        return EXIT_OK;
    int rc = cli_load_config(l->args, &l->config);
    if (rc)
        return rc;
    const struct conf_model *m = conf_meant(l->config, name, &role);
    if (!m) {
        fprintf(stderr, "hob: there is no model '%.*s' in the configuration\n", STR_ARG(name));
        return EXIT_FAILED;
    }
    l->given.context = m->context;
    if (!role.n)
        return EXIT_OK;
    apply_role(l, role);
    return parse(l);
}

static int take_context(struct looking *l)
{
    struct str said = cli_option_value(l->args, "--context");
    if (!said.n || str_to_int(said, 1, INT32_MAX, &l->given.context))
        return EXIT_OK;
    fprintf(stderr, "hob: --context wants a number of tokens\n");
    return EXIT_USAGE;
}

/* ---- what is said ---- */

static void print_json(const struct looking *l)
{
    struct buf text = { 0 };
    struct json_out o = json_out(&text);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("findings"));
    json_begin_array(&o);
    for (size_t i = 0; i < l->n; i++) {
        const struct lint_finding *f = &l->found[i];
        const struct { const char *key, *value; } members[] = {
            { "code", lint_rows[f->code].name }, { "where", f->where }, { "text", f->text }, { "fix", lint_rows[f->code].fix } };
        json_begin_object(&o);
        for (size_t k = 0; k < COUNTOF(members); k++) {
            json_key(&o, str_of(members[k].key));
            json_string(&o, str_of(members[k].value));
        }
        json_end_object(&o);
    }
    json_end_array(&o);
    json_key(&o, STR("tokens"));
    json_int(&o, l->given.tokens);
    json_key(&o, STR("context"));
    json_int_or_null(&o, l->given.context ? l->given.context : -1);
    json_end_object(&o);
    printf("%.*s\n", STR_ARG(buf_str(&text)));
    buf_free(&text);
}

static void print_lines(const struct looking *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct lint_row *row = &lint_rows[l->found[i].code];
        printf("%s: %s: %s\n    %s\n", l->found[i].where, row->name, l->found[i].text, row->fix);
    }
    if (!l->n)
        fprintf(stderr, "hob: nothing that a small model is known to stumble over\n");
}

static int look(struct looking *l)
{
    l->given.tokens = size_tokens(&l->doc, TASK_CHAT);
    l->n = lint_request(&l->doc, &l->given, l->found);
    if (cli_flag(l->args, "--json"))
        print_json(l);
    else
        print_lines(l);
    if (fflush(stdout))
        return EXIT_FAILED;
    return l->n ? EXIT_GATE : EXIT_OK;
}

static int run(const struct cli_args *a)
{
    struct looking l = { .args = a };
    int rc = read_input(&l);
    if (!rc)
        rc = parse(&l);
    if (!rc)
        rc = take_model(&l);
    if (!rc)
        rc = take_context(&l);
    if (!rc)
        rc = look(&l);
    json_free(&l.doc);
    buf_free(&l.request);
    conf_free(l.config);
    return rc;
}

static const struct cli_option options[] = {
    CLI_COMMON,
    { "--model", NULL, "ROLE", "for that model, or role with its instructions: its window counts" },
    { "--context", NULL, "TOKENS", "for a window of so many tokens" },
    { "--json", NULL, NULL, "one JSON object" },
    CLI_END,
};
const struct command cli_lint = { .name = "lint", .usage = "\"PROMPT\"|FILE|-", .what = "say what small models would stumble over in a prompt; 4 when there is something",
    .example = "hob lint \"Summarize this and translate it.\"", .run = run, .options = options, .max_words = CLI_MAX_ARGS, .words = CLI_WORDS_FILES };
