/* capabilities, rollback: is it the right kind of model for what it is to do, and is there a way back. */
#include "fleet/preflight_int.h"

#include "conf/conf.h"
#include "model/template.h"

/* ---- what it is good for ---- */

static const struct {
    unsigned bit;
    const char *word, *is;
} services[] = {
    { SERVES_CHAT, "chat", "a model that talks" },       { SERVES_EMBED, "embed", "an embedding model" },
    { SERVES_RERANK, "rerank", "a reranker" },           { SERVES_TRANSCRIBE, "transcribe", "a model that writes down speech" },
    { SERVES_SPEECH, "speech", "a model that speaks" },  { SERVES_IMAGE, "image", "a model that paints" },
};

static size_t service_of(unsigned bits)
{
    size_t i = 0;
    while (i + 1 < COUNTOF(services) && !(bits & services[i].bit))
        i++;
    return i;
}

/* ---- the projector ---- */

static int64_t key_of(const struct gguf *g, const char *key)
{
    const struct gguf_value *v = gguf_find(g, str_of(key));
    return v && gguf_is_integer(v->type) ? v->integer : 0;
}

/* What comes out of it must be as wide as what goes into the model. Old projectors name another width in their header: so one of the tensors that
 * project (mm.*) will do as well. */
static bool is_as_wide(const struct gguf *g, int64_t width)
{
    if (key_of(g, "clip.vision.projection_dim") == width || key_of(g, "clip.audio.projection_dim") == width || key_of(g, "clip.projection_dim") == width)
        return true;
    for (size_t i = 0; i < g->ntensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        if (str_starts(t->name, STR("mm.")) && (t->size[0] == (uint64_t)width || t->size[1] == (uint64_t)width))
            return true;
    }
    return false;
}

static bool is_projector(const struct gguf *g)
{
    return str_eq(gguf_text(g, STR("general.type")), STR("mmproj")) || str_eq(g->architecture, STR("clip"));
}

/* false: it has said no. */
static bool projector_fits(struct preflight *p, struct preflight_check *out)
{
    struct model_files mm;
    struct err e;
    if (model_files_open_gguf(p->m->mmproj.p, &mm, &e)) {
        say(out, PREFLIGHT_NOT_APPLICABLE, "its projector could not be read");
        return false;
    }
    bool is = is_projector(&mm.first), wide = !p->shaped || is_as_wide(&mm.first, p->shape.embed);
    if (!is) {
        say(out, PREFLIGHT_NO, "%.200s is no projector: its architecture is '%.*s'", p->m->mmproj.p, STR_ARG(mm.first.architecture));
        fix(out, "`mmproj:` names the mmproj-….gguf that belongs to the model");
    } else if (!wide) {
        long long has = (long long)key_of(&mm.first, "clip.vision.projection_dim");
        say(out, PREFLIGHT_NO, "the projector is another model's: it makes vectors of %lld, the model takes %lld", has, (long long)p->shape.embed);
        fix(out, "take the mmproj-….gguf that was published with this model");
    }
    model_files_close(&mm);
    return is && wide;
}

static bool sees(struct preflight *p, struct preflight_check *out)
{
    unsigned missing = p->role->input & ~p->m->input;
    bool here = p->m->file.n > 0;
    if (here && p->m->mmproj.n)
        return projector_fits(p, out);
    if (here && (p->role->input & (INPUT_IMAGE | INPUT_AUDIO))) {
        say(out, PREFLIGHT_NO, "the role '%.*s' wants %s, and the model has no projector", STR_ARG(p->ask->role),
            p->role->input & INPUT_IMAGE ? "images" : "sound");
        fix(out, "name its projector: `mmproj: FILE`");
        return false;
    }
    if (!here && missing) {
        say(out, PREFLIGHT_NO, "the role '%.*s' wants %s, and the model's `input:` does not name it", STR_ARG(p->ask->role),
            missing & INPUT_IMAGE ? "images" : missing & INPUT_AUDIO ? "sound" : "text");
        fix(out, "add it to `input:` when the place takes it, or choose another model");
        return false;
    }
    return true;
}

/* ---- what lies beside it ---- */

/* What is wrong with a file beside the model, into out; nothing when it belongs to it. */
typedef void belongs_fn(const struct preflight *p, struct str path, const struct gguf *g, struct preflight_check *out);

static void is_adapter(const struct preflight *p, struct str path, const struct gguf *g, struct preflight_check *out)
{
    (void)p;
    if (str_eq(gguf_text(g, STR("general.type")), STR("adapter")))
        return;
    say(out, PREFLIGHT_NO, "%.200s is no adapter: the engine will not start with it", path.p);
    fix(out, "`lora:` names adapters that were made for this model, as GGUF");
}

/* The engine starts with a draft model of another vocabulary, says so in its log, and guesses nothing. */
static void has_same_words(const struct preflight *p, struct str path, const struct gguf *g, struct preflight_check *out)
{
    struct str its = gguf_text(g, STR("tokenizer.ggml.model")), ours = gguf_text(&p->files.first, STR("tokenizer.ggml.model"));
    if (!its.n || !ours.n || str_eq(its, ours))
        return;
    say(out, PREFLIGHT_NO, "the draft model %.200s has another vocabulary ('%.*s', the model's is '%.*s'): nothing would be guessed", path.p, STR_ARG(its),
        STR_ARG(ours));
    fix(out, "`draft:` names a smaller model of the same family, or leave it out");
}

/* One that cannot be read is for `weights` to say. */
static bool belongs(struct preflight *p, struct str path, belongs_fn *look, struct preflight_check *out)
{
    struct model_files f;
    struct err e;
    if (!path.n || model_files_open_gguf(path.p, &f, &e))
        return true;
    struct preflight_check no = { .answer = PREFLIGHT_YES };
    look(p, path, &f.first, &no);
    model_files_close(&f);
    if (no.answer == PREFLIGHT_YES)
        return true;
    no.name = out->name;
    *out = no;
    return false;
}

static bool what_is_beside_belongs(struct preflight *p, struct preflight_check *out)
{
    if (!p->m->file.n || p->files.safetensors)
        return true;
    bool all = belongs(p, p->m->draft, has_same_words, out);
    for (size_t i = 0; all && i < p->m->nloras; i++)
        all = belongs(p, p->m->loras[i].file, is_adapter, out);
    return all;
}

/* ---- capabilities ---- */

static bool takes_tools(const struct preflight *p)
{
    return p->opened || !p->files.chat_template.n || template_look(p->files.chat_template).tools;
}

void check_capabilities(struct preflight *p, struct preflight_check *out)
{
    unsigned of_file = p->of_file, wanted = p->role->serves ? p->role->serves : p->serves;
    if (p->m->file.n && p->opened) {
        has_header(p, out);
    } else if (p->m->file.n && !of_file && !p->files.safetensors) {
        say(out, PREFLIGHT_NO, "it is a part of a model ('%.*s'), and answers nobody by itself", STR_ARG(p->files.first.architecture));
        fix(out, "name it as `mmproj:`, `draft:` or `lora:` of the model it belongs to");
    } else if (of_file && !(of_file & wanted)) {
        say(out, PREFLIGHT_NO, "it is %s, wanted is %s", services[service_of(of_file)].is, services[service_of(wanted)].is);
        fix(out, p->ask->role.n ? "choose another model for the role '%.*s'" : "say so: `serves: [%.*s]`",
            STR_ARG(p->ask->role.n ? p->ask->role : str_of(services[service_of(of_file)].word)));
    } else if (!(p->serves & wanted)) {
        say(out, PREFLIGHT_NO, "the role '%.*s' wants %s, and the model's `serves:` does not name %s", STR_ARG(p->ask->role),
            services[service_of(wanted)].is, services[service_of(wanted)].word);
        fix(out, "add it to `serves:` when it is one, or choose another model");
    } else if (sees(p, out) && what_is_beside_belongs(p, out)) {
        say(out, PREFLIGHT_YES, "%s%s%s", services[service_of(wanted)].is, p->m->mmproj.n ? ", with a projector that fits" : "",
            (wanted & SERVES_CHAT) && !takes_tools(p) ? "; its template knows no tools: requests with tools will not work" : "");
    }
}

/* ---- the way back ---- */

static const struct conf_model *present_model(const struct preflight *p)
{
    struct str ignored;
    for (size_t i = 0; i < p->c->nroles; i++)
        if (p->ask->role.n && str_eq(p->c->roles[i].name, p->ask->role))
            return conf_meant(p->c, p->c->roles[i].model, &ignored);
    return NULL;
}

void check_rollback(struct preflight *p, struct preflight_check *out)
{
    const struct conf_model *m = present_model(p);
    struct model_files files;
    struct err e;
    if (!m || m == p->m) {
        say(out, PREFLIGHT_NOT_APPLICABLE, m ? "it serves that role already" : "nothing would be replaced");
    } else if (!m->file.n) {
        say(out, PREFLIGHT_YES, "'%.*s' serves the role now, and stays configured", STR_ARG(m->name));
    } else if (model_files_open(m->file.p, &files, &e)) {
        say(out, PREFLIGHT_NO, "'%.*s' serves the role now, and could not be loaded again: %s", STR_ARG(m->name), e.text);
        fix(out, "%s", e.hint);
    } else {
        say(out, PREFLIGHT_YES, "'%.*s' serves the role now, and its weights are whole", STR_ARG(m->name));
        model_files_close(&files);
    }
}
