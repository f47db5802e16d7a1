/* The man page, in man(7): the table of commands between what is not in a table. */
#include "cli/complete.h"

/* Text: what roff would take for something else is escaped; what is not ASCII goes by its number, so that any reader finds it. */
static void put_text(struct buf *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (*p == '.' || *p == '\'')
        buf_lit(out, "\\&");
    while (*p) {
        unsigned code = *p;
        size_t n = code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : code >= 0xc0 ? 2 : 1;
        if (n > 1) {
            code &= 0xffu >> (n + 1);
            for (size_t i = 1; i < n && p[i]; i++)
                code = code << 6 | (p[i] & 0x3f);
            if (code == 0x2026) /* readers in plain ASCII have none */
                buf_lit(out, "\\&...");
            else
                buf_printf(out, "\\[u%04X]", code);
        } else if (code == '\\') {
            buf_lit(out, "\\e");
        } else if (code == '-') {
            buf_lit(out, "\\-");
        } else if (code == '\'') {
            buf_lit(out, "\\(aq");
        } else if (code == '`') {
            buf_lit(out, "\\(ga");
        } else if (code == '~') {
            buf_lit(out, "\\(ti");
        } else if (code == '^') {
            buf_lit(out, "\\(ha");
        } else if (code == '"') {
            buf_lit(out, "\\(dq");
        } else {
            buf_add_char(out, (char)code);
        }
        for (; n > 0 && *p; n--)
            p++;
    }
}

static void put_tagged(struct buf *out, const char *tag, const char *value, const char *text)
{
    buf_lit(out, ".TP\n.B ");
    put_text(out, tag);
    if (value) {
        buf_lit(out, " \\fI");
        put_text(out, value);
        buf_lit(out, "\\fR");
    }
    buf_lit(out, "\n");
    put_text(out, text);
    buf_lit(out, "\n");
}

static void put_option(struct buf *out, const struct cli_option *o)
{
    buf_lit(out, ".TP\n.B ");
    if (o->letter) {
        put_text(out, o->letter);
        buf_lit(out, ", ");
    }
    put_text(out, o->name);
    if (o->value) {
        buf_lit(out, " \\fI");
        put_text(out, o->value);
        buf_lit(out, "\\fR");
    }
    buf_lit(out, "\n");
    for (struct str rest, list = str_of(o->of ? o->of : ""); list.n; list = rest) {
        struct str word = str_cut(list, ' ', &rest);
        buf_printf(out, "%.*s%s", STR_ARG(word), rest.n ? ", " : ": ");
    }
    put_text(out, o->what);
    buf_lit(out, "\n");
}

static void put_command(struct buf *out, const struct command *c)
{
    buf_lit(out, ".SS hob ");
    put_text(out, c->name);
    if (c->usage[0]) {
        buf_add_char(out, ' ');
        put_text(out, c->usage);
    }
    buf_lit(out, "\n");
    char first = c->what[0] >= 'a' && c->what[0] <= 'z' ? (char)(c->what[0] - 'a' + 'A') : c->what[0];
    buf_add_char(out, first);
    put_text(out, c->what + 1);
    buf_lit(out, ".\n");
    for (const struct cli_sub *s = c->subs; s && s->name; s++)
        put_tagged(out, s->name, s->words == CLI_WORDS_FILES ? "[FILE]" : NULL, s->what);
    for (const struct cli_option *o = c->options; o && o->name; o++)
        put_option(out, o);
    if (c->example) {
        buf_lit(out, ".PP\nExample:\n.IP\n.EX\n");
        put_text(out, c->example);
        buf_lit(out, "\n.EE\n");
    }
}

struct item {
    const char *tag, *text;
};
static const struct item exits[] = {
    { "0", "It worked. For checks: nothing failed." },
    { "1", "It failed; stderr says why." },
    { "2", "The command line or the configuration is wrong; stderr says where." },
    { "3", "The daemon is not running." },
    { "4", "A gate said no." },
};
static const struct item variables[] = {
    { "HOB_CONFIG", "The configuration file, when -c does not name one." },
    { "HOB_STATE", "The state folder, when --state does not name one." },
    { "HOB_URL", "The daemon's address, when it runs elsewhere: http://HOST:PORT or https://HOST." },
    { "HOB_KEY", "The key to send there; for all but `hob run` one with `admin: on`." },
    { "NO_COLOR", "When set: no colours." },
};
static const struct item files[] = {
    { "./hob.yaml", "The configuration, when no other is named." },
    { "~/.config/hob/hob.yaml", "The configuration, when there is no such file here." },
    { "~/.local/share/hob/models", "Model files; served as they are when there is no configuration." },
    { "~/.local/state/hob", "The state folder: what is remembered (hob.db), the engines' logs (logs/), the hashes of keys (keys/), the address (listen), the admin socket (hob.sock)." },
};

static void put_items(struct buf *out, const char *head, const struct item *items, size_t n)
{
    buf_printf(out, ".SH %s\n", head);
    for (size_t i = 0; i < n; i++)
        put_tagged(out, items[i].tag, NULL, items[i].text);
}

void complete_man(struct buf *out)
{
    buf_lit(out, ".TH HOB 1 \"\" \"hob " HOB_VERSION "\" \"User Commands\"\n"
                 ".SH NAME\nhob \\- one door to many language models\n"
                 ".SH SYNOPSIS\n.B hob\n.I command\n.RI [ option ...]\n.RI [ word ...]\n"
                 ".SH DESCRIPTION\nhob serves language models on this machine and elsewhere under one OpenAI\\-shaped address, keeps them running, and names "
                 "the place that answered.\nData goes to stdout, words to stderr; with \\fB\\-\\-json\\fR a command prints one JSON object.\n"
                 ".SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (!cli_commands[i]->hidden)
            put_command(out, cli_commands[i]);
    put_items(out, "EXIT STATUS", exits, COUNTOF(exits));
    put_items(out, "ENVIRONMENT", variables, COUNTOF(variables));
    put_items(out, "FILES", files, COUNTOF(files));
}
