/* Names before paths, in one place for all commands that take both. */
#include "cli/subject.h"

#include <stdio.h>
#include <sys/stat.h>

bool subject_is_path(struct str word)
{
    return memchr(word.p, '/', word.n) || str_ends(word, STR(".gguf")) || str_ends(word, STR(".safetensors"));
}

bool subject_find(const struct config *c, struct str word, struct subject *out)
{
    struct stat st;
    *out = (struct subject){ .model = NULL };
    if (!word.n)
        return false;
    out->model = conf_meant(c, word, &out->role);
    return out->model || stat(word.p, &st) == 0;
}

int subject_unknown(const struct config *c, struct str word, const char *what_may_be_named)
{
    struct str names[256];
    size_t n = 0;
    for (size_t i = 0; c && i < c->nmodels && n < COUNTOF(names); i++)
        names[n++] = c->models[i].name;
    struct str near = str_nearest(word, names, n);
    fprintf(stderr, "hob: there is no model and no file '%.*s'", STR_ARG(word));
    if (near.n)
        fprintf(stderr, ", did you mean '%.*s'?", STR_ARG(near));
    fprintf(stderr, "\nhob: %s\n", what_may_be_named);
    return EXIT_FAILED;
}
