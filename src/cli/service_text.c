/* One table for both managers: a line is something that a service is, and how each of them says it. systemd's lines come in the table's order, under
 * the section they name; launchd's keys likewise.
 *
 * Not in it, because engines would not find their GPU: PrivateDevices, DeviceAllow (any of it shuts all other devices out), ProtectClock (implies
 * one), MemoryDenyWriteExecute (drivers compile), ProtectKernelModules (drivers are loaded at the first use). */
#include "cli/service.h"

enum scope { USER = 1, SYSTEM = 2, BOTH = USER | SYSTEM };

struct field {
    const char *section, *key, *value; /* systemd; value NULL: put writes it; key NULL: nothing */
    const char *plist, *xml;           /* launchd; likewise */
    enum scope scope;                  /* which of systemd's units */
    void (*put)(const struct service_facts *f, struct buf *out); /* the value; nothing written: the line is left out */
    const char *why;                   /* a comment above the line, where it is not plain */
};

/* ---- values ---- */

/* One word of a systemd command line, or of its Environment= (there `$` means nothing): quoted, with what systemd would expand doubled. */
static void quote(struct buf *out, struct str word, bool command)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == '"' || c == '\\')
            buf_add_char(out, '\\');
        else if (c == '%' || (c == '$' && command))
            buf_add_char(out, c);
        buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

static void put_xml_text(struct buf *out, struct str text)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" } };
    for (size_t i = 0; i < text.n; i++) {
        size_t k = 0;
        while (k < COUNTOF(escapes) && escapes[k].c != text.p[i])
            k++;
        if (k < COUNTOF(escapes))
            buf_add(out, str_of(escapes[k].as));
        else
            buf_add_char(out, text.p[i]);
    }
}

static void put_xml_string(struct buf *out, struct str text)
{
    buf_lit(out, "<string>");
    put_xml_text(out, text);
    buf_lit(out, "</string>");
}

/* serve [-c FILE] [--state DIR] */
static size_t words_of(const struct service_facts *f, struct str words[6])
{
    size_t n = 0;
    words[n++] = f->program;
    words[n++] = STR("serve");
    if (f->config.n) {
        words[n++] = STR("-c");
        words[n++] = f->config;
    }
    if (f->state_given) {
        words[n++] = STR("--state");
        words[n++] = f->state;
    }
    return n;
}

static void put_command(const struct service_facts *f, struct buf *out)
{
    struct str words[6];
    size_t n = words_of(f, words);
    for (size_t i = 0; i < n; i++) {
        if (f->manager == MANAGER_LAUNCHD) {
            buf_lit(out, "\n        ");
            put_xml_string(out, words[i]);
        } else {
            buf_add(out, str_of(i ? " " : ""));
            quote(out, words[i], i > 0); /* in the program's own path systemd expands no `$` */
        }
    }
    if (f->manager == MANAGER_LAUNCHD)
        buf_lit(out, "\n    ");
    else if (f->system)
        buf_lit(out, " --state %S/hob");
}

static void put_path(const struct service_facts *f, struct buf *out)
{
    if (!f->path.n)
        return;
    if (f->manager == MANAGER_LAUNCHD) {
        buf_lit(out, "\n        <key>PATH</key>\n        ");
        put_xml_string(out, f->path);
        buf_lit(out, "\n    ");
        return;
    }
    struct buf text = { 0 };
    buf_lit(&text, "PATH=");
    buf_add(&text, f->path);
    quote(out, buf_str(&text), false);
    buf_free(&text);
}

static void put_groups(const struct service_facts *f, struct buf *out)
{
    buf_add(out, f->groups);
}

static void put_log(const struct service_facts *f, struct buf *out)
{
    struct buf path = { 0 };
    buf_printf(&path, "%.*s/hob.log", STR_ARG(f->state));
    put_xml_string(out, buf_str(&path));
    buf_free(&path);
}

/* ---- the table ---- */

static const struct field fields[] = {
    { "Unit", "Description", "hob, one door to many language models", "Label", "<string>" SERVICE_LABEL "</string>", BOTH },
    { "Unit", "Documentation", "man:hob(1)", .scope = BOTH },
    { "Unit", "After", "network-online.target", .scope = SYSTEM },
    { "Unit", "Wants", "network-online.target", .scope = SYSTEM },

    { "Service", "Type", "notify", "ProcessType", "<string>Interactive</string>", BOTH },
    { "Service", "NotifyAccess", "all", .scope = BOTH, .why = "the gateway speaks; the main process is its keeper" },
    { "Service", "ExecStart", NULL, "ProgramArguments", NULL, BOTH, put_command },
    { "Service", "ExecReload", "/bin/kill -HUP $MAINPID", .scope = BOTH },
    { "Service", "WatchdogSec", "30", .scope = BOTH },
    { "Service", "Restart", "on-failure", "KeepAlive", "<dict>\n        <key>SuccessfulExit</key>\n        <false/>\n    </dict>", BOTH },
    { "Service", "RestartSec", "2", "ThrottleInterval", "<integer>10</integer>", BOTH },
    { "Service", "RestartPreventExitStatus", "2", .scope = BOTH, .why = "2: the configuration is wrong, and stays so" },
    { "Service", "KillMode", "mixed", .scope = BOTH, .why = "the keeper ends its engines; what is left at the time limit is killed" },
    { "Service", "TimeoutStopSec", "90", "ExitTimeOut", "<integer>90</integer>", BOTH },
    { "Service", "OOMPolicy", "continue", .scope = BOTH, .why = "an engine that memory ran out for is hob's to restart" },
    { "Service", "LimitNOFILE", "65536", "SoftResourceLimits", "<dict>\n        <key>NumberOfFiles</key>\n        <integer>65536</integer>\n    </dict>",
      BOTH },
    { "Service", "LimitMEMLOCK", "infinity", .scope = BOTH },
    { "Service", "UMask", "0077", "Umask", "<integer>63</integer>", BOTH },
    { "Service", "Environment", NULL, "EnvironmentVariables", NULL, USER, put_path, "where engines are looked for" },
    { "Service", "Environment", "HOME=%S/hob XDG_RUNTIME_DIR=%t/hob XDG_CACHE_HOME=%C/hob", .scope = SYSTEM },
    { "Service", "DynamicUser", "yes", .scope = SYSTEM },
    { "Service", "SupplementaryGroups", NULL, .scope = SYSTEM, .put = put_groups, .why = "GPUs" },
    { "Service", "StateDirectory", "hob", .scope = SYSTEM },
    { "Service", "StateDirectoryMode", "0700", .scope = SYSTEM },
    { "Service", "CacheDirectory", "hob", .scope = SYSTEM },
    { "Service", "RuntimeDirectory", "hob", .scope = SYSTEM },
    { "Service", "RuntimeDirectoryMode", "0700", .scope = SYSTEM },
    { "Service", "NoNewPrivileges", "yes", .scope = BOTH },
    { "Service", "ProtectSystem", "strict", .scope = SYSTEM },
    { "Service", "ProtectHome", "read-only", .scope = SYSTEM, .why = "models may lie there" },
    { "Service", "PrivateTmp", "yes", .scope = SYSTEM },
    { "Service", "ProtectKernelTunables", "yes", .scope = SYSTEM },
    { "Service", "ProtectKernelLogs", "yes", .scope = SYSTEM },
    { "Service", "ProtectControlGroups", "yes", .scope = SYSTEM },
    { "Service", "ProtectHostname", "yes", .scope = SYSTEM },
    { "Service", "RestrictSUIDSGID", "yes", .scope = SYSTEM },
    { "Service", "RestrictRealtime", "yes", .scope = SYSTEM },
    { "Service", "LockPersonality", "yes", .scope = SYSTEM },
    { "Service", "RestrictNamespaces", "yes", .scope = SYSTEM },
    { "Service", "ProtectProc", "invisible", .scope = SYSTEM },
    { "Service", "CapabilityBoundingSet", " ", .scope = SYSTEM, .why = "none" },
    { "Service", "SystemCallArchitectures", "native", .scope = SYSTEM },
    { "Service", "SystemCallFilter", "~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap", .scope = SYSTEM,
      .why = "for engines; the gateway's own filter (`sandbox:`) is narrower" },
    { "Service", "SystemCallErrorNumber", "EPERM", .scope = SYSTEM },
    { "Service", "RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK", .scope = SYSTEM },
    { .plist = "StandardErrorPath", .put = put_log },

    { "Install", "WantedBy", "default.target", "RunAtLoad", "<true/>", USER },
    { "Install", "WantedBy", "multi-user.target", .scope = SYSTEM },
};

static void put_unit(const struct service_facts *f, struct buf *out)
{
    const char *section = "";
    const char *edit = f->system ? "systemctl edit hob" : "systemctl --user edit hob";
    buf_printf(out, "# " SERVICE_UNIT ", " SERVICE_MARK "; the next install writes it anew.\n# What shall be different goes into a file beside it: %s\n", edit);
    for (size_t i = 0; i < COUNTOF(fields); i++) {
        const struct field *at = &fields[i];
        struct buf value = { 0 };
        if (!at->key || !(at->scope & (f->system ? SYSTEM : USER)))
            continue;
        if (at->value)
            buf_add(&value, str_of(at->value));
        else
            at->put(f, &value);
        if (value.n) {
            if (strcmp(section, at->section))
                buf_printf(out, "\n[%s]\n", section = at->section);
            if (at->why)
                buf_printf(out, "# %s\n", at->why);
            buf_printf(out, "%s=%.*s\n", at->key, STR_ARG(buf_str(&value)));
        }
        buf_free(&value);
    }
}

static void put_plist(const struct service_facts *f, struct buf *out)
{
    buf_lit(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- " SERVICE_MARK "; the next install writes it anew -->\n"
                 "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
                 "<plist version=\"1.0\">\n<dict>\n");
    for (size_t i = 0; i < COUNTOF(fields); i++) {
        const struct field *at = &fields[i];
        struct buf value = { 0 };
        if (!at->plist)
            continue;
        if (at->xml)
            buf_add(&value, str_of(at->xml));
        else
            at->put(f, &value);
        const char *around = at->put == put_command ? "array" : at->put == put_path ? "dict" : NULL;
        if (value.n && around)
            buf_printf(out, "    <key>%s</key>\n    <%s>%.*s</%s>\n", at->plist, around, STR_ARG(buf_str(&value)), around);
        else if (value.n)
            buf_printf(out, "    <key>%s</key>\n    %.*s\n", at->plist, STR_ARG(buf_str(&value)));
        buf_free(&value);
    }
    buf_lit(out, "</dict>\n</plist>\n");
}

void service_text(const struct service_facts *f, struct buf *out)
{
    if (f->manager == MANAGER_LAUNCHD)
        put_plist(f, out);
    else
        put_unit(f, out);
}
