/* bench/complexity FILE [--half tune|held] [--misses] [--json] - how often `auto` finds the tier that a person would, and what it costs.
 *
 * FILE has a prompt a line: {"label","lang","text"} or {"label","lang","messages":[…]}. They are split in two by a hash of their bytes. The table of
 * words is worked on with one half (`tune`) in view; what is reported is the other. Which prompts of the held-out half come out wrong is not
 * printed by any option: who has seen them would tune on them. Times are per call on a text of 4 KiB. */
#include "base/clock.h"
#include "json/json.h"
#include "route/classify.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIERS = 3, LANGUAGES = 7 };
static const char *const tiers[TIERS] = { "fast", "primary", "heavy" };
static const char *const languages[LANGUAGES] = { "en", "de", "fr", "es", "zh", "ja", "ko" };

struct tally {
    int confusion[TIERS][TIERS];               /* [label][found] */
    int right_in[LANGUAGES], all_in[LANGUAGES];
    int language_right, all;
};

static int place_of(const char *const *words, int n, struct str word)
{
    for (int i = 0; i < n; i++)
        if (str_eq(word, str_of(words[i])))
            return i;
    fprintf(stderr, "complexity: '%.*s' is neither a label nor a language\n", STR_ARG(word));
    exit(1);
}

static struct str read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf b = { 0 };
    size_t n;
    if (!f) {
        perror(path);
        exit(1);
    }
    while ((n = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0)
        b.n += n;
    fclose(f);
    return buf_str(&b);
}

static uint64_t hash_of(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void add_said(struct talk *t, struct str role, struct str text)
{
    enum said_by by = str_eq(role, STR("user")) ? SAID_USER : str_eq(role, STR("system")) ? SAID_SYSTEM : SAID_OTHER;
    if (t->n < TALK_MAX)
        t->at[t->n++] = (struct said){ by, text, true };
    t->bytes += text.n;
}

/* One line; returns the hash of what was said. */
static uint64_t read_talk(yyjson_val *row, struct talk *t)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    size_t i, n;
    yyjson_val *m, *messages = yyjson_obj_get(row, "messages");
    *t = (struct talk){ .n = 0 };
    if (!messages)
        add_said(t, STR("user"), json_str(yyjson_obj_get(row, "text")));
    yyjson_arr_foreach(messages, i, n, m) add_said(t, json_str(yyjson_obj_get(m, "role")), json_str(yyjson_obj_get(m, "content")));
    for (size_t k = 0; k < t->n; k++)
        h = hash_of(h, t->at[k].text);
    return h;
}

static int tier_of(double score)
{
    return score < 0.33 ? 0 : score < 0.66 ? 1 : 2;
}

static void show_miss(const struct talk *t, int label, const struct complexity *c)
{
    struct str text = t->at[t->n - 1].text;
    printf("%-7s -> %-7s %.2f %-2s [", tiers[label], tiers[tier_of(c->score)], c->score, c->language);
    for (size_t i = 0; i < c->nreasons; i++)
        printf("%s%s", i ? ", " : "", c->reasons[i]);
    printf("] %.*s\n", (int)(text.n < 150 ? text.n : 150), text.p);
}

static void count(struct tally *all, const struct complexity *c, int label, struct str lang)
{
    int found = tier_of(c->score), l = place_of(languages, LANGUAGES, lang);
    all->confusion[label][found]++;
    all->right_in[l] += found == label;
    all->all_in[l]++;
    all->language_right += str_eq(str_of(c->language), lang);
    all->all++;
}

static int right(const struct tally *t)
{
    return t->confusion[0][0] + t->confusion[1][1] + t->confusion[2][2];
}

/* The fastest of many calls: what else runs on the machine only ever adds. */
static int64_t nanoseconds(const struct classifier *c, struct str text)
{
    struct talk t = { .n = 1, .bytes = text.n, .at = { { SAID_USER, text, true } } };
    struct complexity out;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 2000; i++) {
        int64_t from = clock_mono_ns();
        classify(c, &t, &out);
        int64_t took = clock_mono_ns() - from;
        best = took < best ? took : best;
    }
    return best;
}

static int64_t time_of(const struct classifier *c, const char *sentence)
{
    char text[4096];
    size_t n = strlen(sentence);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = sentence[i % n];
    return nanoseconds(c, str_make(text, sizeof text));
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    bool held = true, misses = false, json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--half") == 0 && i + 1 < argc)
            held = strcmp(argv[++i], "tune") != 0;
        else if (strcmp(argv[i], "--misses") == 0)
            misses = true;
        else if (strcmp(argv[i], "--json") == 0)
            json = true;
        else
            path = argv[i];
    }
    if (!path || (misses && held)) {
        fprintf(stderr, "use: complexity FILE [--half tune|held] [--misses (of the tuning half)] [--json]\n");
        return 2;
    }
    struct classifier *c = classifier_new();
    struct tally t = { .all = 0 };
    struct str line, rest = read_file(path);
    while (line = str_cut(rest, '\n', &rest), line.n) {
        struct json_doc d;
        struct err e;
        struct talk talk;
        struct complexity got;
        if (json_parse(&d, line, &e)) {
            fprintf(stderr, "complexity: %s\n", e.text);
            return 1;
        }
        bool is_held = read_talk(d.root, &talk) >> 17 & 1;
        if (is_held == held) {
            int label = place_of(tiers, TIERS, json_str(yyjson_obj_get(d.root, "label")));
            classify(c, &talk, &got);
            count(&t, &got, label, json_str(yyjson_obj_get(d.root, "lang")));
            if (misses && tier_of(got.score) != label)
                show_miss(&talk, label, &got);
        }
        json_free(&d);
        if (!rest.n)
            break;
    }
    int heavy = t.confusion[2][0] + t.confusion[2][1] + t.confusion[2][2];
    int64_t latin = time_of(c, "Compare the three designs in terms of cost, latency and risk, explain each trade-off step by step, and recommend one. ");
    int64_t dense = time_of(c, "请比较这三个方案在成本、延迟和风险方面的优缺点，并逐步说明理由。");
    if (json) {
        printf("{\"prompts\":%d,\"right\":%d,\"heavy\":%d,\"heavy_as_fast\":%d,\"language_right\":%d,\"ns_4k\":%lld,\"ns_4k_dense\":%lld,\"confusion\":[[%d,%d,%d],[%d,%d,%d],[%d,%d,%d]]}\n",
               t.all, right(&t), heavy, t.confusion[2][0], t.language_right, (long long)latin, (long long)dense, t.confusion[0][0], t.confusion[0][1],
               t.confusion[0][2], t.confusion[1][0], t.confusion[1][1], t.confusion[1][2], t.confusion[2][0], t.confusion[2][1], t.confusion[2][2]);
        classifier_free(c);
        return 0;
    }
    printf("%s half: %d prompts, %d right (%.1f %%), heavy taken for fast %d of %d, language right %d\n", held ? "held-out" : "tuning", t.all, right(&t),
           100.0 * right(&t) / t.all, t.confusion[2][0], heavy, t.language_right);
    printf("%-9s fast primary heavy\n", "");
    for (int i = 0; i < TIERS; i++)
        printf("%-9s %4d %7d %5d\n", tiers[i], t.confusion[i][0], t.confusion[i][1], t.confusion[i][2]);
    for (int i = 0; i < LANGUAGES; i++)
        printf("%s %d/%d  ", languages[i], t.right_in[i], t.all_in[i]);
    printf("\n4 KiB: %.1f us (Latin), %.1f us (Chinese)\n", (double)latin / 1e3, (double)dense / 1e3);
    classifier_free(c);
    return 0;
}
