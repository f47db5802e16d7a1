/* Names of models on a hub, and what its public API says of a repository: which files there are, and which of them are meant. Pure: who asks the hub is
 * elsewhere (model/hub_ask.h). Everything from outside is checked here; a name never becomes a path, only its last part does, and only when it is made
 * of harmless characters. */
#ifndef HOB_MODEL_HUB_H
#define HOB_MODEL_HUB_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

enum { HUB_MAX_FILES = 4096, HUB_MAX_PATH = 512, HUB_MAX_NAME = 200, HUB_MAX_INFO = 16 * 1024 * 1024 };
#define HUB_DEFAULT "https://huggingface.co"
#define HUB_DEFAULT_QUANT "Q4_K_M"

/* What somebody wrote: a file or a choice in a repository, or an address of anywhere. */
struct hub_name {
    struct str org, repo;       /* empty: `url` says it all */
    struct str revision;        /* empty = the main one */
    struct str quant;           /* empty = not said */
    struct str file;            /* a path in the repository; empty = not said */
    struct str url;             /* with org empty */
};
/* ORG/REPO, ORG/REPO:QUANT, ORG/REPO:FILE.gguf, ORG/REPO/PATH/FILE.gguf, each also behind hf.co/, huggingface.co/, the hub's own address, or with
 * resolve/REV/, blob/REV/, tree/REV in it as a browser shows it; else any https://…/FILE.gguf. Slices of text, or in the arena. ERR_INVALID_REQUEST. */
enum err_code hub_name_parse(struct str text, struct str hub, struct arena *a, struct hub_name *out, struct err *e) __attribute__((warn_unused_result));
/* Is it of that form at all? A plain word is the name of a configured model instead. */
bool hub_is_name(struct str text);

struct hub_file {
    struct str path;            /* in the repository */
    struct str name;            /* its last part: a harmless file name */
    int64_t bytes;              /* -1 = not said */
    struct str sha256;          /* 64 lower-case digits; empty = not said */
};
struct hub_repo {
    struct str commit;          /* what the revision stands for now; empty = not said */
    bool gated;                 /* a licence is to be accepted first */
    const struct hub_file *files; /* GGUF files only, by path */
    size_t n;
    size_t left_out;            /* GGUF files with names that may be no file's here */
};
/* The answer of /api/models/ORG/REPO?blobs=true. ERR_UP_GARBLED. Texts are copied into the arena. On error *out is untouched. */
enum err_code hub_repo_read(struct str json, struct arena *a, struct hub_repo *out, struct err *e) __attribute__((warn_unused_result));

/* Files that make one model (more than one: its parts, in order) or one projector. */
struct hub_choice {
    const struct hub_file *const *files;
    size_t n;
    struct str label;           /* its quantisation as its name says it ("UD-Q4_K_XL"), else the name */
    int64_t bytes;              /* of all; -1 = not said of one */
    bool projector;
    bool whole;                 /* no part is missing */
};
/* All there is to choose from, by path; returns how many. */
size_t hub_choices(const struct hub_repo *r, struct arena *a, const struct hub_choice **out);

/* The one that is meant: by file, else by quantisation (of either case), else by `otherwise`, else the only one. ERR_NOT_FOUND: there is none, or
 * there are several; the text says which of both, and the asker prints hub_choices(). ERR_UP_GARBLED: parts are missing. */
enum err_code hub_choose(const struct hub_repo *r, const struct hub_name *name, struct str otherwise, struct arena *a, struct hub_choice *out,
    struct err *e) __attribute__((warn_unused_result));
/* The repository's projector, the most exact of 16 bits first; false: it has none. */
bool hub_choose_projector(const struct hub_repo *r, struct arena *a, struct hub_choice *out);

/* The last part of a path or an address, when it may be a file's name here: letters, digits, '.', '_', '-', '+', no leading dot, at most HUB_MAX_NAME
 * bytes. Empty otherwise. */
struct str hub_file_name(struct str path);
/* "org__repo": where a repository's files lie in the models folder, which is looked at one level deep. */
struct str hub_folder(const struct hub_name *name, struct arena *a);

/* Addresses; `base` is a hub's or a mirror's. */
struct str hub_info_url(struct str base, const struct hub_name *name, struct arena *a);
struct str hub_file_url(struct str base, const struct hub_name *name, struct str commit, struct str path, struct arena *a);
struct str hub_mirror_url(struct str base, const struct hub_name *name, struct str path, struct arena *a);
struct str hub_page_url(struct str base, const struct hub_name *name, struct arena *a);

#endif
