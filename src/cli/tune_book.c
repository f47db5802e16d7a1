/* What hob tune has found, kept in STATE/tune/: one file for each model file, engine build and machine, as what is fastest hangs on all three. */
#include "cli/tune.h"

#include "cli/ask.h"
#include "fleet/estimate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_BYTES = 1024 * 1024, MAX_KEPT = 256 };

enum err_code tune_identify(const struct config *c, const struct conf_model *m, struct tune_of *of, int64_t *window, struct err *e)
{
    static struct estimate got;
    enum err_code rc = estimate_model(c, m, ESTIMATE_CACHED, NULL, &got, e);
    if (rc)
        return rc;
    memcpy(of->model, got.model, sizeof of->model);
    memcpy(of->engine, got.engine, sizeof of->engine);
    *window = got.ask.context;
    return ERR_OK;
}

enum err_code tune_keep(const struct config *c, const struct tune_of *of, struct str json, struct err *e)
{
    char folder[4096], path[4200], fresh[4300];
    snprintf(folder, sizeof folder, "%.*s/tune", STR_ARG(c->state));
    snprintf(path, sizeof path, "%s/%.16s-%.16s-%08llx.json", folder, of->model, of->engine, (unsigned long long)(str_hash(str_of(of->machine)) & 0xffffffff));
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = cli_make_dirs(folder) ? open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool whole = fd >= 0 && write(fd, json.p, json.n) == (ssize_t)json.n && write(fd, "\n", 1) == 1;
    int sys = errno;
    if (fd >= 0)
        whole = close(fd) == 0 && whole;
    return whole && rename(fresh, path) == 0 ? ERR_OK : err_sys(e, ERR_SYSTEM, sys, "%s cannot be written", path);
}

/* ---- showing ---- */

static bool read_file(const char *folder, const char *name, struct buf *out)
{
    char path[4400], part[16384];
    struct err e;
    size_t n;
    bool whole = true;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    buf_init(out, MAX_BYTES);
    while (whole && (n = fread(part, 1, sizeof part, f)) > 0)
        whole = !buf_feed(out, str_make(part, n), &e);
    fclose(f);
    return whole;
}

static double number(yyjson_val *o, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(o, key));
}

static void say_gain(yyjson_val *gain, const char *over, struct buf *out)
{
    yyjson_val *factor = yyjson_obj_get(gain, "factor");
    if (yyjson_is_num(factor))
        buf_printf(out, "  %.2f times as fast as %s (%.2f to %.2f)\n", yyjson_get_num(factor), over, number(gain, "lo"), number(gain, "hi"));
}

static void show_one(yyjson_val *root, const char *note, struct buf *out)
{
    yyjson_val *gain = yyjson_obj_get(root, "gain"), *engine = yyjson_obj_get(root, "engine");
    struct str lines = json_str(yyjson_obj_get(root, "lines")), line;
    buf_printf(out, "%.*s  %.*s  %.*s\n", STR_ARG(json_str(yyjson_obj_get(root, "model"))), STR_ARG(json_str(yyjson_obj_get(root, "time"))), STR_ARG(json_str(yyjson_obj_get(root, "machine"))));
    buf_printf(out, "  engine %.*s%s%.*s\n", STR_ARG(json_str(yyjson_obj_get(engine, "path"))), note[0] ? ", " : "", (int)strlen(note), note);
    if (!yyjson_get_bool(yyjson_obj_get(root, "changed")))
        buf_lit(out, "  nothing was found that is surely faster than what was in force\n");
    for (struct str rest = lines; rest.n;) {
        line = str_cut(rest, '\n', &rest);
        if (line.n)
            buf_printf(out, "  %.*s\n", STR_ARG(str_trim(line)));
    }
    say_gain(yyjson_obj_get(gain, "over_present"), "what was in force", out);
    say_gain(yyjson_obj_get(gain, "over_standard"), "the engine's own settings", out);
}

/* Does it still hold? "" when it does, as far as can be told. */
static const char *note_on(const struct config *c, yyjson_val *root)
{
    static struct estimate got;
    struct err e;
    const struct conf_model *m = conf_model(c, json_str(yyjson_obj_get(root, "model")));
    if (!m)
        return "which no model of the configuration uses now";
    if (estimate_model(c, m, ESTIMATE_CACHED, NULL, &got, &e))
        return "";
    if (!str_eq(json_str(yyjson_obj_get(yyjson_obj_get(root, "engine"), "build")), str_of(got.engine)))
        return "another build than now: tune again";
    return str_eq(json_str(yyjson_obj_get(root, "file_print")), str_of(got.model)) ? "" : "for another file than now: tune again";
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list(const char *folder, char **names)
{
    struct dirent *d;
    size_t n = 0;
    DIR *dir = opendir(folder);
    while (dir && n < MAX_KEPT && (d = readdir(dir))) {
        struct str name = str_of(d->d_name);
        if (str_ends(name, STR(".json")) && !(names[n++] = strdup(d->d_name)))
            die("out of memory for names");
    }
    if (dir)
        closedir(dir);
    qsort(names, n, sizeof *names, by_name);
    return n;
}

int tune_show(const struct cli_args *a, const struct config *c, struct str model)
{
    char folder[4096];
    char *names[MAX_KEPT];
    struct buf out = { 0 };
    size_t shown = 0;
    bool json = cli_flag(a, "--json");
    snprintf(folder, sizeof folder, "%.*s/tune", STR_ARG(c->state));
    size_t n = list(folder, names);
    if (json)
        buf_lit(&out, "{\"schema\":1,\"tuned\":[");
    for (size_t i = 0; i < n; i++) {
        struct buf text = { 0 };
        struct json_doc d = { 0 };
        struct err e;
        if (read_file(folder, names[i], &text) && !json_parse(&d, buf_str(&text), &e) && (!model.n || str_eq(json_str(yyjson_obj_get(d.root, "model")), model))) {
            buf_printf(&out, "%s", shown++ ? json ? "," : "\n" : "");
            if (json)
                buf_add(&out, str_trim(buf_str(&text)));
            else
                show_one(d.root, note_on(c, d.root), &out);
        }
        json_free(&d);
        buf_free(&text);
        free(names[i]);
    }
    if (json)
        buf_lit(&out, "]}\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    if (!shown)
        fprintf(stderr, "hob: nothing was tuned here%s: `hob tune MODEL` does\n", model.n ? " under that name" : "");
    return EXIT_OK;
}
