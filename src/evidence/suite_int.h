/* Inside the room: the table of a case's keys, by which it is read, written and compared; and the tree between text and suite. */
#ifndef HOB_EVIDENCE_SUITE_INT_H
#define HOB_EVIDENCE_SUITE_INT_H

#include "conf/tree.h"
#include "evidence/suite.h"
#include "json/json.h"

enum key_type {
    KEY_ID,
    KEY_TEXT,      /* struct str */
    KEY_TEXTS,     /* struct suite_texts: one text or a list */
    KEY_JSON,      /* struct str, JSON text; a text in it is read as JSON */
    KEY_LIST,      /* the same, a list */
    KEY_TOOLS,     /* the same; functions may stand bare in it */
    KEY_CHOICE,    /* the same; a word is one */
    KEY_COUNT,     /* int64_t */
    KEY_NUMBER,    /* double */
    KEY_BOOL,      /* bool */
    KEY_THINKING,  /* struct str */
    KEY_EXPECT,
    KEY_EXPECTED,  /* {"input","expected"} */
    KEY_IDEAL,
    KEY_ANSWERED,  /* struct suite_answer */
};

struct case_key {
    const char *name;
    enum key_type type;
    size_t at;              /* in struct suite_case */
    double min, max;        /* KEY_COUNT, KEY_NUMBER */
    bool own;               /* not among the defaults */
    bool note;              /* says nothing of what is asked or expected: not in a case's print */
};
extern const struct case_key case_keys[]; /* ended by a row without a name */

/* What may stand in an expectation. One with a kind begins one (or adds its limit to that of the same kind), the others say more about those beside them. */
enum part_type { PART_TEXT, PART_TEXTS, PART_JSON, PART_NUMBER, PART_TOLERANCE, PART_SHARE, PART_BOOL, PART_MIN, PART_MAX, PART_TRUE, PART_ANY };
#define NO_KIND EXPECT_KINDS
#define OF(kind) (1U << (kind))
struct expect_part {
    const char *name;
    enum part_type type;
    enum expect_kind kind;  /* that it begins; NO_KIND: none */
    enum expect_how how;    /* beside `json` */
    size_t at;              /* in struct suite_expect */
    unsigned with;          /* kinds that it says more about */
    bool beside_json;
};
extern const struct expect_part expect_parts[]; /* ended by a row without a name */

/* suite_tree.c: JSON text, and lines of it, as the same tree that YAML gives. */
enum err_code suite_tree_read(struct str name, struct str text, enum suite_form form, struct arena *a, struct node **root, struct err *e) __attribute__((warn_unused_result));
/* A node as compact JSON: plain scalars are typed as YAML 1.2's core schema has it. */
void node_json(const struct node *n, struct buf *to);
bool node_is_null(const struct node *n);
bool node_bool(const struct node *n, bool *out);
bool node_number(const struct node *n, double *out);
const struct node *node_get(const struct node *map, const char *key);
enum err_code suite_fail(struct str name, struct conf_place at, struct err *e, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* suite_write.c */
void suite_case_write(const struct suite_case *c, bool with_id, struct buf *to); /* an item of `cases:`, two spaces in */
void suite_expect_write(const struct suite_expect *x, int indent, struct buf *to);
void suite_answer_write(const struct suite_answer *a, int indent, struct buf *to); /* behind its key */
void suite_margin(int indent, struct buf *to);
void yaml_text(struct str s, int indent, struct buf *to);  /* behind "key:", with the space or the line break before it, and a line break behind it */
void yaml_json(struct str json, int indent, struct buf *to); /* the same */
bool yaml_is_number(struct str s); /* plain, it would be read as one */

#endif
