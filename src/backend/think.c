#include "backend/think.h"

#include <math.h>

const char *const effort_name[] = {
    [EFFORT_UNSAID] = "",    [EFFORT_MINIMAL] = "minimal", [EFFORT_LOW] = "low", [EFFORT_MEDIUM] = "medium",
    [EFFORT_HIGH] = "high",  [EFFORT_XHIGH] = "xhigh",     [EFFORT_MAX] = "max",
};
const char *const thinks_name[] = {
    [THINKS_UNKNOWN] = "unknown", [THINKS_NONE] = "none",     [THINKS_SWITCHABLE] = "switchable",
    [THINKS_ALWAYS] = "always",   [THINKS_FORCED] = "forced",
};

enum thinks think_of_template(const struct template_look *l)
{
    if (!l->parses)
        return THINKS_UNKNOWN;
    if (!l->thinking)
        return THINKS_NONE;
    if (l->enable_thinking || l->thinking_named)
        return THINKS_SWITCHABLE;
    return l->opens_thought ? THINKS_FORCED : THINKS_ALWAYS;
}

/* ---- what a request says ---- */

static const char *const field_names[] = {
    "thinking", "reasoning", "reasoning_effort", "think", "chat_template_kwargs", "enable_thinking", "thinking_budget_tokens", "reasoning_budget_tokens",
    "thinking_budget",
};

const char *think_field_name(size_t bit)
{
    return bit < COUNTOF(field_names) ? field_names[bit] : NULL;
}

bool think_is_field(struct str name)
{
    for (size_t bit = 0; bit < COUNTOF(field_names); bit++)
        if (str_eq(name, str_of(field_names[bit])))
            return true;
    return false;
}

/* What is being read: of which field. */
struct reading {
    struct think_wish *w;
    unsigned field;               /* enum think_field */
    const char *name;             /* as errors call it */
};

static void note(const struct reading *r)
{
    if (!r->w->field)
        r->w->field = r->name;
    r->w->fields |= r->field;
}

static void want(const struct reading *r, bool yes)
{
    struct think_wish *w = r->w;
    note(r);
    if (w->wanted && (w->wanted == TRI_YES) != yes)
        w->torn = true;
    w->wanted = yes && w->wanted != TRI_NO ? TRI_YES : TRI_NO;
}

static void want_effort(const struct reading *r, enum effort effort)
{
    want(r, true);
    if (!r->w->effort)
        r->w->effort = effort;
}

static void read_tokens(const struct reading *r, yyjson_val *v)
{
    struct think_wish *w = r->w;
    double n = yyjson_get_num(v);
    if (!yyjson_is_num(v) || !(fabs(n) < 9e18))
        return;
    note(r);
    if (n < 0 && n != -1)
        r->w->negative = r->name;
    if (n == 0)
        want(r, false);
    else if (n > 0 && (!w->budget_tokens || n < (double)w->budget_tokens))
        w->budget_tokens = (int64_t)n;
}

static bool read_effort(const struct reading *r, struct str word)
{
    for (size_t i = EFFORT_MINIMAL; i < COUNTOF(effort_name); i++)
        if (str_eq_nocase(word, str_of(effort_name[i]))) {
            want_effort(r, (enum effort)i);
            return true;
        }
    return false;
}

static bool is_word(struct str word, const char *const *words)
{
    for (; *words; words++)
        if (str_eq_nocase(word, str_of(*words)))
            return true;
    return false;
}

/* true, "on", "low", 512 within an object … whatever a switch is set to. */
static void read_switch(const struct reading *r, yyjson_val *v)
{
    static const char *const yes[] = { "on", "true", "yes", "enabled", "adaptive", "auto", NULL };
    static const char *const no[] = { "off", "false", "no", "disabled", "none", NULL };
    struct str word = json_str(v);
    if (yyjson_is_bool(v))
        want(r, yyjson_get_bool(v));
    if (!yyjson_is_str(v) || read_effort(r, word))
        return;
    if (is_word(word, yes) || is_word(word, no)) {
        want(r, is_word(word, yes));
        return;
    }
    want(r, true);
    r->w->unknown = r->name;
}

static struct reading of_field(struct think_wish *w, enum think_field field)
{
    return (struct reading){ w, field, field_names[__builtin_ctz(field)] };
}

static void read_thinking(struct think_wish *w, yyjson_val *v)
{
    struct reading r = of_field(w, THINK_IN_THINKING);
    read_switch(&r, v);
    read_switch(&r, yyjson_obj_get(v, "type"));
    if (w->wanted != TRI_NO)
        read_tokens(&r, yyjson_obj_get(v, "budget_tokens"));
}

static void read_reasoning(struct think_wish *w, yyjson_val *v)
{
    struct reading r = of_field(w, THINK_IN_REASONING);
    read_switch(&r, v);
    read_switch(&r, yyjson_obj_get(v, "enabled"));
    read_switch(&r, yyjson_obj_get(v, "effort"));
    read_tokens(&r, yyjson_obj_get(v, "max_tokens"));
}

static void read_kwargs(struct think_wish *w, yyjson_val *v)
{
    struct reading r = of_field(w, THINK_IN_KWARGS);
    read_switch(&r, yyjson_obj_get(v, "enable_thinking"));
    read_switch(&r, yyjson_obj_get(v, "thinking"));
    read_switch(&r, yyjson_obj_get(v, "reasoning_effort"));
    read_tokens(&r, yyjson_obj_get(v, "thinking_budget"));
}

void think_read(yyjson_val *root, struct think_wish *w)
{
    size_t i, n;
    yyjson_val *key, *v;
    *w = (struct think_wish){ .wanted = TRI_UNSAID };
    yyjson_obj_foreach(root, i, n, key, v) {
        struct str name = json_str(key);
        unsigned bit = 0;
        if (!name.n || !memchr("trec", name.p[0], 4)) /* most are not among them */
            continue;
        while (bit < COUNTOF(field_names) && !str_eq(name, str_of(field_names[bit])))
            bit++;
        if (bit == COUNTOF(field_names))
            continue;
        struct reading r = of_field(w, (enum think_field)(1u << bit));
        switch ((enum think_field)(1u << bit)) {
        case THINK_IN_THINKING:
            read_thinking(w, v);
            break;
        case THINK_IN_REASONING:
            read_reasoning(w, v);
            break;
        case THINK_IN_KWARGS:
            read_kwargs(w, v);
            break;
        case THINK_IN_EFFORT:
        case THINK_IN_THINK:
        case THINK_IN_ENABLE:
            read_switch(&r, v);
            break;
        case THINK_IN_LIMIT:
        case THINK_IN_LIMIT_2:
        case THINK_IN_BUDGET:
            read_tokens(&r, v);
            break;
        }
    }
    if (!w->wanted && w->budget_tokens)
        w->wanted = TRI_YES;
}

enum err_code think_ask_check(yyjson_val *root, struct err *e)
{
    struct think_wish w;
    const char *kwargs = field_names[__builtin_ctz(THINK_IN_KWARGS)];
    think_read(root, &w);
    if (w.negative) {
        err_set(e, ERR_INVALID_REQUEST, "The budget of thoughts in '%s' must be a number of tokens, or -1 for no limit.", w.negative);
        return err_param(e, "%s", w.negative);
    }
    if (!w.unknown || w.unknown == kwargs)
        return ERR_OK;
    err_set(e, ERR_INVALID_REQUEST, "'%s' says nothing about thinking that is known here.", w.unknown);
    err_hint(e, "Efforts are none, minimal, low, medium, high, xhigh, max; switches are on and off.");
    return err_param(e, "%s", w.unknown);
}

/* ---- families ---- */

enum at { AT_HOME, AT_HOST };     /* an engine of somebody's own, or a service */

/* The first that fits. Hosts and models are globs, without regard to case. At home are engines that run a model's own template: vLLM, SGLang, llama-server,
 * LM Studio, MLX; a field that they do not know does no harm there. A service that is not here gets nothing that it might refuse. */
static const struct family {
    enum at at;
    const char *host, *model;
    enum thinks thinks;
    enum conf_think_by by;
    const char *word;             /* THINK_BY_TEMPLATE: another variable; THINK_BY_EFFORT: the least */
    enum think_limit limit;
} families[] = {
    /* services, as their references have it */
    { AT_HOST, "*openrouter.ai",       "*",                THINKS_UNKNOWN,    THINK_BY_REASONING, NULL,       LIMIT_INSIDE },
    { AT_HOST, "api.openai.com",       "gpt-5-chat*",      THINKS_NONE,       THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-5-pro*",       THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-5.*codex*",    THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-5.*",          THINKS_SWITCHABLE, THINK_BY_EFFORT,    "none",     LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-5-codex*",     THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-5*",           THINKS_ALWAYS,     THINK_BY_EFFORT,    "minimal",  LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "o1-mini*",         THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "o?",               THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "o?-*",             THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-4*",           THINKS_NONE,       THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.openai.com",       "gpt-3*",           THINKS_NONE,       THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.anthropic.com",    "claude*",          THINKS_SWITCHABLE, THINK_BY_THINKING,  NULL,       LIMIT_INSIDE },
    { AT_HOST, "api.deepseek.com",     "*reasoner*",       THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.deepseek.com",     "*",                THINKS_SWITCHABLE, THINK_BY_THINKING,  NULL,       LIMIT_NOT },
    { AT_HOST, "api.moonshot.*",       "*thinking*",       THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.moonshot.*",       "kimi-k2.*",        THINKS_SWITCHABLE, THINK_BY_THINKING,  NULL,       LIMIT_NOT },
    { AT_HOST, "api.z.ai",             "glm-*",            THINKS_SWITCHABLE, THINK_BY_THINKING,  NULL,       LIMIT_NOT },
    { AT_HOST, "open.bigmodel.cn",     "glm-*",            THINKS_SWITCHABLE, THINK_BY_THINKING,  NULL,       LIMIT_NOT },
    { AT_HOST, "*.volces.com",         "*",                THINKS_SWITCHABLE, THINK_BY_THINKING,  NULL,       LIMIT_NOT },
    { AT_HOST, "dashscope*",           "*thinking*",       THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_BUDGET },
    { AT_HOST, "dashscope*",           "qwq*",             THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_BUDGET },
    { AT_HOST, "dashscope*",           "qwen*",            THINKS_SWITCHABLE, THINK_BY_SWITCH,    NULL,       LIMIT_BUDGET },
    { AT_HOST, "api.groq.com",         "*gpt-oss*",        THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "api.groq.com",         "*qwen3*",          THINKS_SWITCHABLE, THINK_BY_EFFORT,    "none",     LIMIT_NOT },
    { AT_HOST, "generativelanguage.*", "*gemini-*-pro*",   THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "generativelanguage.*", "*gemini-3*",       THINKS_ALWAYS,     THINK_BY_EFFORT,    "minimal",  LIMIT_NOT },
    { AT_HOST, "generativelanguage.*", "*gemini-2.5*",     THINKS_SWITCHABLE, THINK_BY_EFFORT,    "none",     LIMIT_NOT },
    { AT_HOST, "api.x.ai",             "grok-3-mini*",     THINKS_ALWAYS,     THINK_BY_EFFORT,    "low",      LIMIT_NOT },
    { AT_HOST, "api.x.ai",             "*non-reasoning*",  THINKS_NONE,       THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.x.ai",             "grok-4*",          THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.minimax*",         "*-m2*",            THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },
    { AT_HOST, "api.mistral.ai",       "magistral*",       THINKS_ALWAYS,     THINK_BY_NONE,      NULL,       LIMIT_NOT },

    /* at home, by the template that comes with the weights */
    { AT_HOME, "*", "*gpt-oss*",              THINKS_ALWAYS,     THINK_BY_EFFORT,   "low",      LIMIT_NOT },
    { AT_HOME, "*", "*qwen3*thinking*",       THINKS_FORCED,     THINK_BY_NONE,     NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*qwen3*instruct*",       THINKS_NONE,       THINK_BY_NONE,     NULL,       LIMIT_NOT },
    { AT_HOME, "*", "*qwen3-coder*",          THINKS_NONE,       THINK_BY_NONE,     NULL,       LIMIT_NOT },
    { AT_HOME, "*", "*qwen3*embedding*",      THINKS_NONE,       THINK_BY_NONE,     NULL,       LIMIT_NOT },
    { AT_HOME, "*", "*qwen3*",                THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*qwq*",                  THINKS_FORCED,     THINK_BY_NONE,     NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*deepseek-r1*",          THINKS_FORCED,     THINK_BY_NONE,     NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*deepseek-v3.*",         THINKS_SWITCHABLE, THINK_BY_TEMPLATE, "thinking", LIMIT_TOKENS },
    { AT_HOME, "*", "*deepseek-v4*",          THINKS_SWITCHABLE, THINK_BY_TEMPLATE, "thinking", LIMIT_TOKENS },
    { AT_HOME, "*", "*glm-4.5*",              THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*glm-4.6*",              THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*glm-4.7*",              THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*glm-5*",                THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*glm-z1*",               THINKS_FORCED,     THINK_BY_NONE,     NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*kimi-k2*thinking*",     THINKS_ALWAYS,     THINK_BY_NONE,     NULL,       LIMIT_NOT },
    { AT_HOME, "*", "*kimi-k2.*",             THINKS_SWITCHABLE, THINK_BY_TEMPLATE, "thinking", LIMIT_TOKENS },
    { AT_HOME, "*", "*magistral*",            THINKS_ALWAYS,     THINK_BY_NONE,     NULL,       LIMIT_NOT },
    { AT_HOME, "*", "*minimax-m2*",           THINKS_FORCED,     THINK_BY_NONE,     NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*phi-4*reasoning*",      THINKS_ALWAYS,     THINK_BY_NONE,     NULL,       LIMIT_NOT },
    { AT_HOME, "*", "*gemma-4*",              THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*gemma4*",               THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*granite-3.*",           THINKS_SWITCHABLE, THINK_BY_TEMPLATE, "thinking", LIMIT_TOKENS },
    { AT_HOME, "*", "*granite-4*",            THINKS_SWITCHABLE, THINK_BY_TEMPLATE, "thinking", LIMIT_TOKENS },
    { AT_HOME, "*", "*nemotron*nano*",        THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*smollm3*",              THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*hunyuan*",              THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*exaone-deep*",          THINKS_FORCED,     THINK_BY_NONE,     NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*exaone-4*",             THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
    { AT_HOME, "*", "*seed-oss*",             THINKS_SWITCHABLE, THINK_BY_TEMPLATE, NULL,       LIMIT_TOKENS },
};

/* The name or address in http://NAME:PORT/…, without brackets. */
static struct str host_in(struct str url)
{
    struct str rest = str_from(url, str_starts(url, STR("https://")) ? 8 : 7), path, port;
    struct str authority = str_cut(rest, '/', &path);
    if (authority.n && authority.p[0] == '[')
        return str_cut(str_from(authority, 1), ']', &port);
    return str_cut(authority, ':', &port);
}

/* A host of somebody's own: said to be local, or its address is of no use in public. */
static bool is_home(const struct conf_host *h)
{
    static const char *const globs[] = { "10.*", "192.168.*", "172.16.*", "172.17.*", "172.18.*", "172.19.*", "172.2?.*", "172.30.*", "172.31.*", "100.64.*",
        "*.local", "*.lan", "*.internal", "*.home.arpa", "*.ts.net", "::1", "fd*:*", "fe80:*" };
    struct str host = h ? host_in(h->url) : STR("");
    bool home = !h || h->local || (!memchr(host.p, '.', host.n) && !memchr(host.p, ':', host.n)); /* a name of this network alone */
    for (size_t i = 0; !home && i < COUNTOF(globs); i++)
        home = str_glob(str_of(globs[i]), host);
    return home;
}

static const struct family *find_family(enum at at, struct str host, struct str model, enum conf_think_by by)
{
    for (size_t i = 0; i < COUNTOF(families); i++) {
        const struct family *f = &families[i];
        if (f->at == at && str_glob(str_of(f->host), host) && str_glob(str_of(f->model), model) && (!by || f->by == by))
            return f;
    }
    return NULL;
}

static void set_words(struct think_place *t, const struct family *f)
{
    t->variable = t->by == THINK_BY_TEMPLATE ? f->word : NULL;
    t->least = t->by == THINK_BY_EFFORT ? f->word : NULL;
    t->limit = f->limit;
}

struct think_place think_family(const struct conf_host *place, struct str model, enum conf_think_by said)
{
    bool home = is_home(place);
    struct str host = place ? host_in(place->url) : STR("");
    const struct family *f = find_family(home ? AT_HOME : AT_HOST, host, model, THINK_BY_AUTO);
    struct think_place t = { .by = said, .lenient = home };
    if (place && place->kind == HOST_HOB)
        return (struct think_place){ .by = said ? said : THINK_BY_HOB, .limit = LIMIT_TOKENS, .lenient = true };
    if (f) {
        t.thinks = f->thinks;
        t.by = said ? said : f->by;
        if (t.by == f->by) /* else its word is of another way */
            set_words(&t, f);
    }
    if (!said || (f && f->by == said))
        return t;
    const struct family *like = find_family(AT_HOME, host, model, said); /* the words of its like, if there is any */
    t.limit = said == THINK_BY_TEMPLATE ? LIMIT_TOKENS : said == THINK_BY_REASONING || said == THINK_BY_THINKING ? LIMIT_INSIDE :
        said == THINK_BY_SWITCH ? LIMIT_BUDGET : LIMIT_NOT;
    if (like)
        set_words(&t, like);
    return t;
}

/* ---- how a place is told ---- */

static void put_word(struct json_out *o, const char *key, const char *word)
{
    json_key(o, str_of(key));
    json_string(o, str_of(word));
}

static void put_number(struct json_out *o, const char *key, int64_t n)
{
    json_key(o, str_of(key));
    json_int(o, n);
}

static bool is_switch(struct str name)
{
    static const char *const names[] = { "enable_thinking", "thinking", "thinking_budget", "reasoning_effort", NULL };
    return is_word(name, names);
}

/* What else the request gives the template. */
static size_t put_rest(struct json_out *o, yyjson_val *kwargs, bool on)
{
    size_t i, n, put = 0;
    yyjson_val *key, *v;
    yyjson_obj_foreach(kwargs, i, n, key, v) {
        if (is_switch(json_str(key)) && !(on && yyjson_equals_str(key, "reasoning_effort")))
            continue;
        if (!put++) {
            json_key(o, STR("chat_template_kwargs"));
            json_begin_object(o);
        }
        json_key(o, json_str(key));
        json_value(o, v);
    }
    return put;
}

static void put_kwargs(struct json_out *o, yyjson_val *root, const struct think_plan *p, const struct think_place *t)
{
    if (!put_rest(o, yyjson_obj_get(root, "chat_template_kwargs"), p->on)) {
        json_key(o, STR("chat_template_kwargs"));
        json_begin_object(o);
    }
    json_key(o, STR("enable_thinking"));
    json_bool(o, p->on);
    if (t->variable) {
        json_key(o, str_of(t->variable));
        json_bool(o, p->on);
    }
    json_end_object(o);
}

static void put_inside(struct json_out *o, const struct think_plan *p, bool typed)
{
    json_key(o, str_of(typed ? "thinking" : "reasoning"));
    json_begin_object(o);
    if (typed) {
        put_word(o, "type", p->on ? "enabled" : "disabled");
        if (p->on && p->budget_tokens)
            put_number(o, "budget_tokens", p->budget_tokens);
    } else if (p->on && p->budget_tokens) {
        put_number(o, "max_tokens", p->budget_tokens);
    } else if (p->on && p->effort) {
        put_word(o, "effort", effort_name[p->effort]);
    } else {
        json_key(o, STR("enabled"));
        json_bool(o, p->on);
    }
    json_end_object(o);
}

static void put_limit(struct json_out *o, const struct think_plan *p, const struct think_place *t)
{
    bool ends = !p->on && t->thinks == THINKS_FORCED; /* nothing but this ends the thought that it begins with; with 0 llama-server garbles it */
    if (t->limit == LIMIT_NOT || t->limit == LIMIT_INSIDE || !(p->budget_tokens || ends))
        return;
    put_number(o, t->limit == LIMIT_TOKENS ? "thinking_budget_tokens" : "thinking_budget", ends ? 1 : p->budget_tokens);
}

/* Nobody knows how the place is told: the request's own ways, set as was decided. */
static void put_as_said(struct json_out *o, yyjson_val *root, const struct think_plan *p, const struct think_wish *w, const struct think_place *t)
{
    static const struct think_place plain = { .by = THINK_BY_TEMPLATE };
    yyjson_val *thinking = yyjson_obj_get(root, "thinking");
    if (w->fields & THINK_IN_THINKING && yyjson_is_obj(thinking))
        put_inside(o, p, true);
    else if (w->fields & THINK_IN_THINKING && yyjson_is_bool(thinking))
        json_key(o, STR("thinking")), json_bool(o, p->on);
    else if (w->fields & THINK_IN_THINKING)
        put_word(o, "thinking", p->on ? "on" : "off");
    if (w->fields & THINK_IN_REASONING)
        put_inside(o, p, false);
    if (w->fields & THINK_IN_EFFORT)
        put_word(o, "reasoning_effort", p->on && p->effort ? effort_name[p->effort] : p->on ? "medium" : "none");
    if (w->fields & THINK_IN_THINK)
        json_key(o, STR("think")), json_bool(o, p->on);
    if (w->fields & THINK_IN_KWARGS)
        put_kwargs(o, root, p, &plain);
    if (w->fields & THINK_IN_ENABLE)
        json_key(o, STR("enable_thinking")), json_bool(o, p->on);
    if (t->limit == LIMIT_NOT && p->on && p->budget_tokens && w->fields & (THINK_IN_LIMIT | THINK_IN_LIMIT_2 | THINK_IN_BUDGET))
        put_number(o, w->fields & THINK_IN_BUDGET ? "thinking_budget" : "thinking_budget_tokens", p->budget_tokens);
}

/* Where nothing is known, and what it does not know does no harm: told once, to no avail, it is told in the way of most. */
static bool insists(const struct think_plan *p, const struct think_place *t)
{
    return p->insist && !p->on && t->lenient;
}

static bool speaks_to_template(const struct think_plan *p, const struct think_wish *w, const struct think_place *t)
{
    bool unknown = t->by == THINK_BY_AUTO || t->by == THINK_BY_NONE;
    return t->by == THINK_BY_TEMPLATE || (unknown && (insists(p, t) || w->fields & THINK_IN_KWARGS));
}

void think_put(struct json_out *o, yyjson_val *root, const struct think_plan *p, const struct think_wish *w, const struct think_place *t)
{
    if (!speaks_to_template(p, w, t) && put_rest(o, yyjson_obj_get(root, "chat_template_kwargs"), p->on))
        json_end_object(o);
    switch (t->by) {
    case THINK_BY_AUTO:
    case THINK_BY_NONE:
        if (insists(p, t))
            put_kwargs(o, root, p, t);
        else
            put_as_said(o, root, p, w, t);
        break;
    case THINK_BY_TEMPLATE:
        put_kwargs(o, root, p, t);
        if (p->on && p->effort)
            put_word(o, "reasoning_effort", effort_name[p->effort]);
        break;
    case THINK_BY_EFFORT:
        if (!p->on)
            put_word(o, "reasoning_effort", t->least ? t->least : "none");
        else if (p->effort)
            put_word(o, "reasoning_effort", effort_name[p->effort]);
        break;
    case THINK_BY_REASONING:
    case THINK_BY_THINKING:
        put_inside(o, p, t->by == THINK_BY_THINKING);
        break;
    case THINK_BY_SWITCH:
        json_key(o, STR("enable_thinking"));
        json_bool(o, p->on);
        break;
    case THINK_BY_HOB:
        put_word(o, "thinking", p->on ? p->effort ? effort_name[p->effort] : "on" : "off");
        break;
    }
    put_limit(o, p, t);
}

static unsigned own_fields(const struct think_place *t)
{
    static const unsigned of[] = {
        [THINK_BY_AUTO] = 0,
        [THINK_BY_NONE] = 0,
        [THINK_BY_TEMPLATE] = THINK_IN_KWARGS | THINK_IN_LIMIT,
        [THINK_BY_EFFORT] = THINK_IN_EFFORT,
        [THINK_BY_REASONING] = THINK_IN_REASONING,
        [THINK_BY_THINKING] = THINK_IN_THINKING,
        [THINK_BY_SWITCH] = THINK_IN_ENABLE | THINK_IN_BUDGET,
        [THINK_BY_HOB] = THINK_IN_THINKING | THINK_IN_LIMIT | THINK_IN_EFFORT,
    };
    return of[t->by];
}

bool think_fits(const struct think_plan *p, const struct think_wish *w, const struct think_place *t)
{
    bool unknown = t->by == THINK_BY_AUTO || t->by == THINK_BY_NONE, said = w->wanted && (w->wanted == TRI_YES) == p->on;
    bool limit = p->budget_tokens == w->budget_tokens, forced = !p->on && t->thinks == THINKS_FORCED && t->limit != LIMIT_NOT;
    if (!p->decided)
        return true;
    if (insists(p, t) || forced)
        return false;
    if (unknown)
        return !w->wanted || (said && !w->torn && (!p->on || limit || t->limit == LIMIT_NOT)) || (w->wanted == TRI_NO && p->on && !w->torn);
    if (!w->wanted && t->thinks == THINKS_NONE)
        return true;
    return said && !w->torn && limit && !(w->fields & ~own_fields(t)) && !w->unknown;
}
