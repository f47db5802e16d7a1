/* A YAML text as a tree of nodes with their places: the configuration's, and that of other files that people write for hob. No typing: a scalar is text,
 * and whether it had quotes. Tags, anchors, second documents and doubled keys are refused, each with its place. */
#ifndef HOB_CONF_TREE_H
#define HOB_CONF_TREE_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/config.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain;                        /* scalar without quotes */
    struct str text;                   /* scalar, NUL behind its end */
    struct conf_place place;
    size_t n;                          /* list, map: how many children */
    struct node *first, *next;
    struct str key;                    /* in a map */
    struct conf_place key_place;
};

struct tree_limits {
    const char *what;                  /* "config": for sentences */
    const char *hint;                  /* of errors; NULL: the config's */
    size_t bytes, nodes, entries;      /* entries: of one list; a map has 4096 at most */
    int depth;
};

/* *root is NULL for an empty text. Nodes live in a. ERR_CONFIG "NAME:LINE:COLUMN: sentence". */
enum err_code tree_read(struct str name, struct str text, const struct tree_limits *limits, struct arena *a, struct node **root, struct err *e)
    __attribute__((warn_unused_result));

/* For messages: 'text', shortened, control characters as '?'. The buffer is the caller's. */
struct shown {
    char text[72];
};
struct shown show_text(struct str s);

#endif
