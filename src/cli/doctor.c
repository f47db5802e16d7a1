/* hob doctor: runs the tables of checks and prints what they found. */
#include "cli/doctor.h"

#include "cli/commands.h"
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const health_name[] = { [HEALTH_OK] = "ok", [HEALTH_WARN] = "warn", [HEALTH_FAIL] = "fail" };

static __attribute__((format(printf, 2, 0))) struct str print_text(struct arena *a, const char *fmt, va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    return arena_copy(a, str_of(text));
}

void doctor_say(struct doctor *d, const char *of, enum doctor_health h, const char *fmt, ...)
{
    struct finding *f = arena_new(&d->arena, struct finding);
    va_list ap;
    va_start(ap, fmt);
    f->detail = print_text(&d->arena, fmt, ap);
    va_end(ap);
    f->name = of ? arena_printf(&d->arena, "%s:%s", d->check, of) : str_of(d->check);
    f->health = h;
    if (d->last)
        d->last->next = f;
    else
        d->first = f;
    d->last = f;
}

/* Hints of errors begin a sentence; here they follow a colon. */
static void lower_first(struct str fix)
{
    if (fix.n > 1 && fix.p[0] >= 'A' && fix.p[0] <= 'Z' && fix.p[1] >= 'a' && fix.p[1] <= 'z')
        ((char *)fix.p)[0] |= 0x20;
}

void doctor_fix(struct doctor *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    d->last->fix = print_text(&d->arena, fmt, ap);
    lower_first(d->last->fix);
    va_end(ap);
}

static void run_checks(struct doctor *d)
{
    const struct check *const tables[] = { doctor_setup_checks, doctor_model_checks, doctor_host_checks, doctor_machine_checks, doctor_sandbox_checks };
    for (size_t i = 0; i < COUNTOF(tables); i++)
        for (const struct check *c = tables[i]; c->name; c++) {
            d->check = c->name;
            if (d->config || !c->needs_config)
                c->fn(d);
        }
}

static bool all_well(const struct doctor *d)
{
    for (const struct finding *f = d->first; f; f = f->next)
        if (f->health == HEALTH_FAIL)
            return false;
    return true;
}

static void print_json(const struct doctor *d)
{
    struct buf out = { 0 };
    struct json_out o = json_out(&out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    json_key(&o, STR("ok"));
    json_bool(&o, all_well(d));
    json_key(&o, STR("checks"));
    json_begin_array(&o);
    for (const struct finding *f = d->first; f; f = f->next) {
        json_begin_object(&o);
        json_key(&o, STR("name"));
        json_string(&o, f->name);
        json_key(&o, STR("status"));
        json_string(&o, str_of(health_name[f->health]));
        json_key(&o, STR("detail"));
        json_string(&o, f->detail);
        json_key(&o, STR("fix"));
        json_string_or_null(&o, f->fix);
        json_end_object(&o);
    }
    json_end_array(&o);
    json_end_object(&o);
    print_answer(buf_str(&out));
    buf_free(&out);
}

static bool in_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && no[0]) && term && !str_eq(str_of(term), STR("dumb"));
}

static void print_lines(const struct doctor *d)
{
    static const char *const colour[] = { [HEALTH_OK] = "\033[32m", [HEALTH_WARN] = "\033[33m", [HEALTH_FAIL] = "\033[31m" };
    bool coloured = in_colour();
    size_t width = 0;
    for (const struct finding *f = d->first; f; f = f->next)
        width = f->name.n > width ? f->name.n : width;
    for (const struct finding *f = d->first; f; f = f->next) {
        printf("%s%-4s%s  %-*.*s  %.*s\n", coloured ? colour[f->health] : "", health_name[f->health], coloured ? "\033[0m" : "", (int)width,
            STR_ARG(f->name), STR_ARG(f->detail));
        if (f->fix.n)
            printf("      %*s  fix: %.*s\n", (int)width, "", STR_ARG(f->fix));
    }
}

static int run(const struct cli_args *a)
{
    struct doctor d = { .args = a };
    arena_init(&d.arena);
    log_set_level(LOG_ERROR); /* what is wrong is found below, and said once */
    run_checks(&d);
    if (cli_flag(a, "--json"))
        print_json(&d);
    else
        print_lines(&d);
    if (d.run_dir_made && d.run_dir[0])
        rmdir(d.run_dir); /* as it was; unless a hob began to use it just now */
    int rc = all_well(&d) ? EXIT_OK : EXIT_FAILED;
    conf_free(d.config);
    arena_fini(&d.arena);
    return rc;
}

static const struct cli_option options[] = { CLI_COMMON, { "--json", NULL, NULL, "one JSON object" }, CLI_END };
const struct command cli_doctor = { .name = "doctor", .usage = "[--json]", .what = "look for what would not work, and say how to fix it",
    .example = "hob doctor -c hob.yaml", .run = run, .options = options };
