/* Finds and loads hob-web.so. Loaded once and never given back: libcurl keeps state of its own. */
#include "http/web_module.h"

#include "http/web_module_int.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* commands and the pool's threads come here */
static const struct web_module *current;

/* Beside the program (the build folder), or where `make install` puts it. HOB_LIBDIR is relative to the folder above the program's, or absolute. */
static const char *const places[] = { "hob-web.so", "../" HOB_LIBDIR "/hob/hob-web.so" };

static bool find(char *out, size_t room)
{
    char own[4096];
    if (!web_program_path(own, sizeof own))
        return false;
    const char *slash = strrchr(own, '/');
    for (size_t i = 0; slash && i < COUNTOF(places); i++) {
        snprintf(out, room, "%.*s/%s", (int)(slash - own), own, places[i]);
        if (access(out, R_OK) == 0)
            return true;
    }
    snprintf(out, room, "%s", HOB_LIBDIR "/hob/hob-web.so");
    return out[0] == '/' && access(out, R_OK) == 0;
}

static enum err_code fail(const char *why, struct err *e)
{
    err_set(e, ERR_SYSTEM, "%s", why);
    return err_hint(e, "install hob again, program and module together (make install)");
}

static enum err_code load(const struct web_module **out, struct err *e)
{
    char path[4096 + 64], text[400];
    if (!find(path, sizeof path))
        return fail("https, proxies, downloads and hashes need hob's module hob-web.so, which is neither beside the program nor in its library folder", e);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        err_set(e, ERR_SYSTEM, "cannot load the module %.100s: %.160s", path, why ? why : "it does not say why");
        return err_hint(e, "it needs the system's libcurl (Debian: libcurl4)");
    }
    const struct web_module *m = dlsym(handle, WEB_MODULE_SYMBOL);
    if (m && m->abi == WEB_MODULE_ABI && strcmp(m->release, HOB_VERSION) == 0) {
        *out = m;
        return ERR_OK;
    }
    if (m)
        snprintf(text, sizeof text, "the module %.120s is of hob %.20s (interface %u), this is hob %s (interface %d)", path, m->release, m->abi,
            HOB_VERSION, WEB_MODULE_ABI);
    else
        snprintf(text, sizeof text, "%.160s is no module of hob's", path);
    dlclose(handle);
    return fail(text, e);
}

enum err_code web_module_get(const struct web_module **out, struct err *e)
{
    enum err_code rc = ERR_OK;
    pthread_mutex_lock(&lock);
    if (!current)
        rc = load(&current, e);
    if (!rc)
        *out = current;
    pthread_mutex_unlock(&lock);
    return rc;
}

void web_module_use(const struct web_module *m)
{
    pthread_mutex_lock(&lock);
    current = m;
    pthread_mutex_unlock(&lock);
}
