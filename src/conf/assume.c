/* What stands in for a configuration file that is not there: YAML that a person could have written. It is parsed like any other, so what
 * `hob config show` prints is what is in force, and saving it changes nothing. Only what was chosen is in it: a default that is written
 * down would outlive its reasons. Where the models come from is not known here (model/catalog.h). */
#include "conf/conf.h"
#include "conf/conf_int.h"

/* Roles that can be told from what a model serves. */
static const struct {
    struct str role;
    unsigned serves;
    const char *first;
} roles[] = {
    { STR("chat"), SERVES_CHAT, "the first with a chat template" },
    { STR("embed"), SERVES_EMBED, "the first that embeds" },
    { STR("rerank"), SERVES_RERANK, "the first that ranks" },
};

/* A comment ends at a line break, of which YAML knows more than one: ASCII only. */
static void put_comment(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?');
}

static void put_serves(struct buf *out, unsigned serves)
{
    const struct setting *s = setting_find(STR("models.*.serves"));
    const char *between = "    serves: [";
    for (const struct word *w = s->words; w->name; w++)
        if (serves & w->value) {
            buf_printf(out, "%s%s", between, w->name);
            between = ", ";
        }
    buf_lit(out, "]\n");
}

static void put_model(struct buf *out, const struct conf_found *f, bool notes)
{
    buf_lit(out, "  ");
    put_yaml_value(out, f->name);
    buf_lit(out, ":");
    if (notes) {
        buf_lit(out, "  # found there: ");
        put_comment(out, f->note);
    }
    buf_lit(out, "\n    file: ");
    put_yaml_value(out, f->file);
    buf_lit(out, "\n    keep: demand\n");
    if (f->serves != SERVES_CHAT)
        put_serves(out, f->serves);
}

static const struct conf_found *first_that(const struct conf_found *found, size_t n, unsigned serves, bool with_template)
{
    for (size_t i = 0; i < n; i++)
        if ((found[i].serves & serves) && (found[i].has_template || !with_template))
            return &found[i];
    return NULL;
}

/* A model of the role's name is what who asks for the role gets anyway. */
static bool is_model(const struct conf_found *found, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(found[i].name, name))
            return true;
    return false;
}

static void put_roles(struct buf *out, const struct conf_found *found, size_t n, bool notes)
{
    bool any = false;
    for (size_t i = 0; i < COUNTOF(roles); i++) {
        const struct conf_found *best = first_that(found, n, roles[i].serves, true), *f = first_that(found, n, roles[i].serves, false);
        bool talks = roles[i].serves == SERVES_CHAT && best;
        if (!f || is_model(found, n, roles[i].role))
            continue;
        if (!any)
            buf_lit(out, "roles:\n");
        any = true;
        buf_printf(out, "  %.*s: {model: ", STR_ARG(roles[i].role));
        put_yaml_value(out, talks ? best->name : f->name);
        buf_lit(out, "}");
        if (notes)
            buf_printf(out, "  # %s", roles[i].serves != SERVES_CHAT || talks ? roles[i].first : "the first; none has a chat template");
        buf_lit(out, "\n");
    }
}

void conf_assume(struct str folder, const struct conf_found *found, size_t n, bool notes, struct buf *yaml)
{
    if (notes) {
        buf_lit(yaml, "# No configuration file was found. This is assumed instead: the models of ");
        put_comment(yaml, folder);
        buf_lit(yaml, "\n# Saved as hob.yaml it means the same and can be edited; `hob config schema` names every setting.\n");
    }
    buf_add(yaml, n ? STR("models:\n") : STR("models: {}\n"));
    for (size_t i = 0; i < n; i++)
        put_model(yaml, &found[i], notes);
    put_roles(yaml, found, n, notes);
}
