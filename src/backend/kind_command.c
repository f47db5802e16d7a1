/* Any program that serves a model over HTTP: MLX, vLLM, whisper.cpp, a Python sidecar. A child of ours like others, with the operator's own command
 * line; requests go to it as to a host, the caller's bytes as they came.
 *
 * It listens where `${socket}` says, in a folder only we may enter, or on a port of loopback that was free a moment ago (`${port}`). On a port anybody
 * may have come first: before it is asked anything but its health, the socket that listens there must be its own (proc/port.h). It is not told a key:
 * no convention says how, and whoever can reach the port could read it from its command line. */
#include "backend/child.h"
#include "conf/conf.h"
#include "net/addr.h"
#include "proc/port.h"
#include "proc/run.h"

#include <stdio.h>
#include <stdlib.h>

struct command {
    struct child child;
    int port;               /* 0: a socket */
};

static struct command *command_of(struct child *c)
{
    return list_entry(c, struct command, child);
}

/* ---- its words ---- */

static bool put_in(struct arena *a, struct str *word, struct str name, struct str value)
{
    ptrdiff_t at = str_find(*word, name);
    if (at < 0)
        return false;
    struct str before = str_make(word->p, (size_t)at), behind = str_from(*word, (size_t)at + name.n);
    *word = arena_printf(a, "%.*s%.*s%.*s", STR_ARG(before), STR_ARG(value), STR_ARG(behind));
    return true;
}

/* The port in the words of a child that was found: what stands in the place of `${port}`. 0: they are not of this command. */
static int port_among(struct str words, const struct conf_strs *command)
{
    for (size_t i = 0; i < command->n; i++) {
        struct str found = str_cut(words, 0, &words), word = command->at[i];
        ptrdiff_t at = str_find(word, STR("${port}"));
        int64_t port;
        if (at < 0)
            continue;
        size_t before = (size_t)at, behind = word.n - before - (sizeof "${port}" - 1);
        if (found.n <= before + behind || !str_to_int(str_make(found.p + before, found.n - before - behind), 1, 65535, &port))
            return 0;
        return (int)port;
    }
    return 0;
}

static void aim(struct child *c, int port)
{
    struct addr to = { .kind = ADDR_UNIX };
    if (port)
        to = (struct addr){ .kind = ADDR_TCP, .port = (uint16_t)port };
    snprintf(to.host, sizeof to.host, "%s", port ? "127.0.0.1" : c->sock);
    http_pool_move(c->b->pool, &to);
    http_pool_move(c->asks, &to);
}

static enum err_code pick_port(struct child *c, const struct conf_strs *command, struct err *e)
{
    struct command *s = command_of(c);
    s->port = 0;
    if (str_find(c->b->model->command, STR("${port}")) >= 0) {
        s->port = c->found_pid ? port_among(buf_str(&c->found_argv), command) : port_free();
        if (!s->port)
            return err_set(e, ERR_LOAD_FAILED, "There is no free port for '%.*s'.", STR_ARG(c->b->name));
    }
    aim(c, s->port);
    return ERR_OK;
}

static enum err_code find_program(struct launch *out, struct err *e)
{
    char path[1024];
    if (run_find_program(out->argv[0], path, sizeof path)) {
        out->argv[0] = arena_copy(&out->arena, str_of(path));
        return ERR_OK;
    }
    err_set(e, ERR_ENGINE_MISSING, "There is no program '%.*s'%s.", (int)(out->argv[0].n < 120 ? out->argv[0].n : 120), out->argv[0].p,
        memchr(out->argv[0].p, '/', out->argv[0].n) ? ", or it may not be run" : " on PATH");
    return err_hint(e, "Check the model's `command` setting.");
}

static enum err_code make_launch(struct child *c, struct launch *out, struct err *e)
{
    const struct conf_model *m = c->b->model;
    struct conf_strs words;
    char port[16];
    enum err_code rc = conf_words(m->command, &out->arena, &words, e);
    if (!rc && words.n > LAUNCH_MAX_WORDS)
        rc = err_set(e, ERR_LOAD_FAILED, "The command of '%.*s' has more than %d words.", STR_ARG(c->b->name), LAUNCH_MAX_WORDS);
    if (!rc)
        rc = pick_port(c, &words, e);
    if (rc)
        return rc;
    snprintf(port, sizeof port, "%d", command_of(c)->port);
    for (size_t i = 0; i < words.n; i++) {
        struct str word = words.at[i];
        if (!put_in(&out->arena, &word, STR("${port}"), str_of(port)))
            put_in(&out->arena, &word, STR("${socket}"), str_of(c->sock));
        launch_add(out, word);
    }
    const char *slash = strrchr(c->key_file, '/');
    launch_pass_env(out, str_make(c->key_file, (size_t)(slash - c->key_file)));
    for (size_t i = 0; i < m->env.n; i++)
        launch_set_env(out, m->env.at[i]);
    c->b->context = m->context;
    c->b->slots = m->slots;
    return find_program(out, e);
}

static int listens_on(const struct child *c)
{
    return list_entry(c, const struct command, child)->port;
}

static void free_own(struct child *c)
{
    free(command_of(c));
}

static const struct child_kind command_child = {
    .launch = make_launch, .keyless = true, .port = listens_on, .silence_ms = 5 * 60 * 1000, .free = free_own,
};

const struct backend_kind backend_kind_command = {
    .name = "command", .managed = true, .load = child_load, .unload = child_unload, .adopt = child_adopt, .pid = child_pid, .free = child_free,
    .read_refusal = backend_plain_refusal,
};

void command_init(struct backend *b, struct str run_dir)
{
    struct command *s = calloc(1, sizeof *s);
    if (!s)
        die("out of memory for a child");
    b->kind = &backend_kind_command;
    child_init(&s->child, b, &command_child, run_dir);
}
