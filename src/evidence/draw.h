/* Pictures for the vlm-bench, drawn with cairo by a seed: other seeds have other answers, so that none can be learnt by heart. Texts are in cairo's own stroked font: the
 * picture is the same whichever fonts a machine has. Cairo is loaded with the first picture; nothing of hob is linked to it, and the gateway never draws. */
#ifndef HOB_EVIDENCE_DRAW_H
#define HOB_EVIDENCE_DRAW_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum { DRAW_BARS_MOST = 6, DRAW_NODES_MOST = 6 };

/* What is in a picture: pure, without cairo. */
struct draw_bars {
    size_t n;
    const char *names[DRAW_BARS_MOST];
    int values[DRAW_BARS_MOST]; /* tens, all different, up to 100 */
};
struct draw_code {
    const char *language, *function;
    const char *const *lines; /* ended by NULL; "%s" is where the function's name stands */
};
struct draw_net {
    const char *hub;
    size_t n;
    const char *nodes[DRAW_NODES_MOST];
};
void draw_bars_of(uint64_t seed, struct draw_bars *out);
void draw_code_of(uint64_t seed, struct draw_code *out);
void draw_net_of(uint64_t seed, struct draw_net *out);

/* kind: bars, code, net. A PNG of 640 x 480 behind what is in *png. ERR_NOT_FOUND: no such kind; ERR_SYSTEM: cairo is not installed, or failed. */
enum err_code draw_png(struct str kind, uint64_t seed, struct buf *png, struct err *e) __attribute__((warn_unused_result));

#endif
