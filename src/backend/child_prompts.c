/* Prompts over an unload (`keep_prompts: on`): the slots' keys and values are saved to files before an idle child goes, and restored after the next
 * load. Some builds save and restore without a word and then read the prompt again all the same; so it is proven before it is used: at the first unload
 * a prompt is asked, saved, erased, asked (it must be read anew), erased, restored, and asked once more (it must not).
 *
 * All is in files, STATE/prompts/MODEL-IDENTITY-SLOT.bin, and .kept or .lost for what was proven: they outlive gateways. The identity is that of the
 * command line, the engine, the weights and what goes with them: whatever of it changes makes the files stale, and they are removed. */
#include "backend/child.h"
#include "json/json.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT_MS = 10 * 1000, ASK_LIMIT_MS = 30 * 1000 };

enum action { ACT_SAVE, ACT_ERASE, ACT_RESTORE, ACT_ASK };
static const char *const action_name[] = { [ACT_SAVE] = "save", [ACT_ERASE] = "erase", [ACT_RESTORE] = "restore" };

/* The proof. It is read anew at the second ask, and not at the third. */
static const enum action proof[] = { ACT_ASK, ACT_SAVE, ACT_ERASE, ACT_ASK, ACT_ERASE, ACT_RESTORE, ACT_ASK };
enum { CONTROL = 3, VERDICT = COUNTOF(proof) - 1 };

static void add_file(struct identity *id, struct str path)
{
    char name[4096];
    snprintf(name, sizeof name, "%.*s", STR_ARG(path));
    (void)identity_add_file(id, name); /* one that is not there changes nothing */
}

void child_prompts_identify(struct child *c, const struct launch *words)
{
    const struct conf_model *m = c->b->model;
    struct identity id;
    identity_init(&id);
    for (size_t i = 0; i < words->nargv; i++)
        identity_add(&id, words->argv[i]);
    add_file(&id, words->argv[0]);
    add_file(&id, m->file);
    add_file(&id, m->mmproj);
    for (size_t i = 0; i < m->nloras; i++) /* they change what a prompt comes to */
        add_file(&id, m->loras[i].file);
    identity_hex(&id, c->identity);
}

/* ---- files ---- */

static bool folder_of(const struct child *c, char *out, size_t room)
{
    int n = snprintf(out, room, "%.*s/prompts", STR_ARG(c->b->config->state));
    return n > 0 && (size_t)n < room;
}

static void file_name(const struct child *c, const char *what, char out[96])
{
    snprintf(out, 96, "%012llx-%s-%s", (unsigned long long)c->number, c->identity, what);
}

static void slot_file(const struct child *c, int64_t slot, char out[96])
{
    char what[32];
    snprintf(what, sizeof what, "%lld.bin", (long long)slot);
    file_name(c, what, out);
}

static bool path_of(const struct child *c, const char *name, char *out, size_t room)
{
    char folder[4000];
    int n = folder_of(c, folder, sizeof folder) ? snprintf(out, room, "%s/%s", folder, name) : -1;
    return n > 0 && (size_t)n < room;
}

static bool exists(const struct child *c, const char *name)
{
    char path[4200];
    return path_of(c, name, path, sizeof path) && access(path, R_OK) == 0;
}

static bool is_proven(const struct child *c, const char *what)
{
    char name[96];
    file_name(c, what, name);
    return exists(c, name);
}

static void note(const struct child *c, const char *what)
{
    char name[96], path[4200];
    file_name(c, what, name);
    FILE *f = path_of(c, name, path, sizeof path) ? fopen(path, "we") : NULL;
    if (f)
        fclose(f);
}

/* What is of this model: all of another identity, or (all) everything but what was proven. */
static void remove_files(const struct child *c, bool all)
{
    char folder[4000], own[64], path[4300];
    snprintf(own, sizeof own, "%012llx-%s-", (unsigned long long)c->number, c->identity);
    DIR *d = folder_of(c, folder, sizeof folder) ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct str name = str_of(e->d_name);
        bool mine = str_starts(name, str_make(own, 13)), current = str_starts(name, str_of(own));
        if (mine && (!current || (all && str_ends(name, STR(".bin")))) && path_of(c, e->d_name, path, sizeof path))
            unlink(path);
    }
    if (d)
        closedir(d);
}

bool child_prompts_folder(const struct child *c, char *out, size_t room)
{
    return folder_of(c, out, room) && (mkdir(out, 0700) == 0 || access(out, W_OK) == 0);
}

/* ---- asking ---- */

static void act(struct child *c, enum action what, int64_t slot, const char *file, child_answer_fn *answered)
{
    struct buf *q = &c->question;
    struct child_question ask = { .method = "POST", .limit_ms = what == ACT_ASK ? ASK_LIMIT_MS : LIMIT_MS };
    buf_reset(q, 8192);
    if (what == ACT_ASK)
        buf_printf(q, "%.*s/chat/completions", STR_ARG(buf_str(&c->b->path)));
    else
        buf_printf(q, "/slots/%lld?action=%s", (long long)slot, action_name[what]);
    size_t path = q->n;
    if (what == ACT_ASK) {
        buf_lit(q, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
        for (int i = 0; i < 40; i++)
            buf_printf(q, "%s%d times", i ? " and " : "", i * 7);
        buf_lit(q, "\"}],\"max_tokens\":1,\"temperature\":0,\"stream\":false,\"id_slot\":0}");
    } else {
        buf_printf(q, "{\"filename\":\"%s\"}", file);
    }
    ask.path = str_make(q->p, path);
    ask.body = str_from(buf_str(q), path);
    child_ask(c, &ask, answered);
}

static int64_t number_in(struct str body, const char *object, const char *key)
{
    struct json_doc d = { 0 };
    struct err e;
    if (json_parse(&d, body, &e))
        return -1;
    yyjson_val *in = object ? yyjson_obj_get(d.root, object) : d.root, *v = yyjson_obj_get(in, key);
    int64_t n = yyjson_is_int(v) ? yyjson_get_sint(v) : -1;
    json_free(&d);
    return n;
}

/* ---- before it goes ---- */

static void through(struct child *c)
{
    c->saving = false;
    child_stop(c);
}

static void not_kept(struct child *c, const char *why)
{
    log_warn("%.*s: prompts are not kept over an unload: %s", STR_ARG(c->b->name), why);
    c->b->flags |= BACKEND_PROMPTS_NOT_KEPT;
    note(c, "lost");
    remove_files(c, true);
    through(c);
}

/* No answer in time proves nothing: a busy machine, most often. What was saved stays, unproven. */
static void undecided(struct child *c)
{
    log_warn("%.*s: whether its engine keeps prompts over an unload could not be seen in time", STR_ARG(c->b->name));
    through(c);
}

static void prove_on(struct child *c);

static void proof_came(struct child *c, enum err_code rc, int status, struct str body)
{
    enum action was = proof[c->step];
    if (rc) {
        undecided(c);
        return;
    }
    if (status != 200) {
        not_kept(c, "its engine does not save, erase or restore a slot");
        return;
    }
    int64_t cached = was == ACT_ASK ? number_in(body, "timings", "cache_n") : 0;
    int64_t read = was == ACT_ASK ? number_in(body, "timings", "prompt_n") : 0;
    bool anew = cached >= 0 && cached < read;
    if ((c->step == CONTROL && !anew) || (c->step == VERDICT && anew) || cached < 0) {
        not_kept(c, c->step == CONTROL ? "what is erased seems to stay" : "its engine restores them and reads them again all the same");
        return;
    }
    c->step++;
    if (c->step <= VERDICT) {
        prove_on(c);
        return;
    }
    note(c, "kept");
    through(c);
}

static void prove_on(struct child *c)
{
    char name[96];
    file_name(c, "proof.bin", name);
    act(c, proof[c->step], 0, name, proof_came);
}

static void save_on(struct child *c);

static void saved(struct child *c, enum err_code rc, int status, struct str body)
{
    int64_t bytes = status != 200 ? -1 : number_in(body, NULL, "n_written");
    if (rc) {
        undecided(c);
        return;
    }
    if (bytes < 0) {
        not_kept(c, "its engine does not save a slot");
        return;
    }
    c->saved_bytes += bytes;
    c->step++;
    save_on(c);
}

static void save_on(struct child *c)
{
    char name[96];
    if (c->step < c->b->slots) {
        slot_file(c, c->step, name);
        act(c, ACT_SAVE, c->step, name, saved);
        return;
    }
    if (c->saved_bytes > c->b->model->cache_bytes) {
        log_warn("%.*s: its prompts take %lld MiB and are not kept (`cache:` allows less)", STR_ARG(c->b->name), (long long)(c->saved_bytes >> 20));
        remove_files(c, true);
    }
    c->step = 0;
    if (is_proven(c, "kept"))
        through(c);
    else
        prove_on(c);
}

bool child_prompts_save(struct child *c)
{
    const struct conf_model *m = c->b->model;
    if (!m->keep_prompts || !m->file.n || !(m->serves & SERVES_CHAT) || http_pool_running(c->b->pool) || is_proven(c, "lost"))
        return false;
    remove_files(c, false);
    c->saving = true;
    c->step = 0;
    c->saved_bytes = 0;
    save_on(c);
    return true;
}

/* ---- after it has come ---- */

static void restored(struct child *c, enum err_code rc, int status, struct str body)
{
    (void)body;
    if (rc || status != 200)
        log_debug("%.*s: a slot's prompt could not be restored (%d)", STR_ARG(c->b->name), status);
    c->step++;
    child_prompts_restore(c, c->restored);
}

void child_prompts_restore(struct child *c, void (*then)(struct child *c))
{
    char name[96];
    c->restored = then;
    if (c->b->model->keep_prompts && is_proven(c, "lost"))
        c->b->flags |= BACKEND_PROMPTS_NOT_KEPT;
    else
        c->b->flags &= ~(unsigned)BACKEND_PROMPTS_NOT_KEPT;
    for (; c->b->model->keep_prompts && c->step < c->b->slots && is_proven(c, "kept"); c->step++) {
        slot_file(c, c->step, name);
        if (exists(c, name)) {
            act(c, ACT_RESTORE, c->step, name, restored);
            return;
        }
    }
    then(c);
}
