/* The pictures. Cairo's functions are found by name, with their types written here: they have not changed since 1.2, and so neither its headers nor the library are
 * needed where nobody draws. */
#include "evidence/draw.h"

#include "evidence/builtin_int.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

enum { WIDTH = 640, HEIGHT = 480, RGB24 = 1 };

struct extents { /* cairo_text_extents_t */
    double x_bearing, y_bearing, width, height, x_advance, y_advance;
};
typedef int write_fn(void *ctx, const unsigned char *p, unsigned n); /* cairo_write_func_t; 0 = fine */

static struct {
    bool there;
    void *(*image_surface_create)(int format, int width, int height);
    void *(*create)(void *surface);
    void (*destroy)(void *c);
    void (*surface_destroy)(void *surface);
    void (*set_source_rgb)(void *c, double r, double g, double b);
    void (*paint)(void *c);
    void (*rectangle)(void *c, double x, double y, double w, double h);
    void (*fill)(void *c);
    void (*move_to)(void *c, double x, double y);
    void (*line_to)(void *c, double x, double y);
    void (*stroke)(void *c);
    void (*arc)(void *c, double x, double y, double r, double from, double to);
    void (*set_line_width)(void *c, double w);
    void (*select_font_face)(void *c, const char *family, int slant, int weight);
    void (*set_font_size)(void *c, double size);
    void (*show_text)(void *c, const char *text);
    void (*text_extents)(void *c, const char *text, struct extents *out);
    int (*write_png)(void *surface, write_fn *fn, void *ctx);
} lib;

static const struct {
    const char *name;
    void *to;
} functions[] = {
    { "cairo_image_surface_create", &lib.image_surface_create }, { "cairo_create", &lib.create }, { "cairo_destroy", &lib.destroy }, { "cairo_surface_destroy", &lib.surface_destroy },
    { "cairo_set_source_rgb", &lib.set_source_rgb }, { "cairo_paint", &lib.paint }, { "cairo_rectangle", &lib.rectangle }, { "cairo_fill", &lib.fill },
    { "cairo_move_to", &lib.move_to }, { "cairo_line_to", &lib.line_to }, { "cairo_stroke", &lib.stroke }, { "cairo_arc", &lib.arc },
    { "cairo_set_line_width", &lib.set_line_width }, { "cairo_select_font_face", &lib.select_font_face }, { "cairo_set_font_size", &lib.set_font_size },
    { "cairo_show_text", &lib.show_text }, { "cairo_text_extents", &lib.text_extents }, { "cairo_surface_write_to_png_stream", &lib.write_png },
};

static void load(void)
{
    static const char *const names[] = { "libcairo.so.2", "libcairo.2.dylib", "/opt/homebrew/lib/libcairo.2.dylib", "/usr/local/lib/libcairo.2.dylib" };
    void *handle = NULL;
    for (size_t i = 0; i < COUNTOF(names) && !handle; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    lib.there = handle != NULL;
    for (size_t i = 0; i < COUNTOF(functions) && lib.there; i++) {
        void *f = dlsym(handle, functions[i].name);
        memcpy(functions[i].to, &f, sizeof f);
        lib.there = f != NULL;
    }
}

/* ---- what is in them ---- */

static const char *const hosts[] = { "anvil", "birch", "cedar", "delta", "ember", "flint", "grove", "heron", "iris", "jade" };
static const char *const fruits[] = { "apples", "pears", "plums", "figs", "limes", "dates", "kiwis", "nuts" };

void draw_bars_of(uint64_t seed, struct draw_bars *out)
{
    struct dice d = { seed };
    size_t names[DRAW_BARS_MOST], values[DRAW_BARS_MOST];
    out->n = (size_t)dice_from(&d, 4, 6);
    dice_pick(&d, COUNTOF(fruits), out->n, names);
    dice_pick(&d, 10, out->n, values);
    for (size_t i = 0; i < out->n; i++) {
        out->names[i] = fruits[names[i]];
        out->values[i] = 10 + 10 * (int)values[i];
    }
}

void draw_code_of(uint64_t seed, struct draw_code *out)
{
    static const char *const python[] = { "import sys", "", "def %s(items):", "    total = 0", "    for item in items:", "        total += item", "    return total", NULL };
    static const char *const go[] = { "package main", "", "func %s(items []int) int {", "    total := 0", "    for _, item := range items {", "        total += item", "    }",
        "    return total", "}", NULL };
    static const char *const rust[] = { "fn %s(items: &[i64]) -> i64 {", "    let mut total = 0;", "    for item in items {", "        total += item;", "    }", "    total", "}", NULL };
    static const char *const ruby[] = { "def %s(items)", "  total = 0", "  items.each do |item|", "    total += item", "  end", "  total", "end", NULL };
    static const char *const script[] = { "function %s(items) {", "  let total = 0;", "  for (const item of items) {", "    total += item;", "  }", "  return total;", "}", NULL };
    static const struct {
        const char *language;
        const char *const *lines;
    } all[] = { { "Python", python }, { "Go", go }, { "Rust", rust }, { "Ruby", ruby }, { "JavaScript", script } };
    static const char *const functions_named[] = { "harvest", "balance", "gather", "tally", "collect", "measure", "weigh", "reckon" };
    struct dice d = { seed };
    size_t i = dice_below(&d, COUNTOF(all));
    *out = (struct draw_code){ all[i].language, functions_named[dice_below(&d, COUNTOF(functions_named))], all[i].lines };
}

void draw_net_of(uint64_t seed, struct draw_net *out)
{
    struct dice d = { seed };
    size_t some[DRAW_NODES_MOST + 1];
    out->n = (size_t)dice_from(&d, 3, 6);
    dice_pick(&d, COUNTOF(hosts), out->n + 1, some);
    out->hub = hosts[some[0]];
    for (size_t i = 0; i < out->n; i++)
        out->nodes[i] = hosts[some[i + 1]];
}

/* ---- drawing ---- */

static void colour(void *c, unsigned rgb)
{
    lib.set_source_rgb(c, (double)(rgb >> 16 & 255) / 255, (double)(rgb >> 8 & 255) / 255, (double)(rgb & 255) / 255);
}

enum side { LEFT, MIDDLE, RIGHT };

static void text(void *c, double x, double y, enum side at, double size, const char *s)
{
    struct extents e;
    lib.set_font_size(c, size);
    lib.text_extents(c, s, &e);
    lib.move_to(c, at == LEFT ? x : at == MIDDLE ? x - e.x_advance / 2 : x - e.x_advance, y);
    lib.show_text(c, s);
}

static void line(void *c, double x1, double y1, double x2, double y2, double width)
{
    lib.set_line_width(c, width);
    lib.move_to(c, x1, y1);
    lib.line_to(c, x2, y2);
    lib.stroke(c);
}

static void bars(void *c, uint64_t seed)
{
    static const unsigned colours[] = { 0x3366cc, 0xdc6912, 0x2a8f4f, 0x9040a0, 0xb02a2a, 0x607080 };
    enum { X0 = 70, Y0 = 420, TOP = 60 };
    const double step = (Y0 - TOP) / 10.0;
    struct draw_bars b;
    draw_bars_of(seed, &b);
    colour(c, 0x222222);
    text(c, WIDTH / 2.0, 36, MIDDLE, 24, "Crates sold");
    for (int i = 0; i <= 10; i++) {
        char label[8];
        colour(c, 0xd0d0d0);
        line(c, X0, Y0 - i * step, WIDTH - 20, Y0 - i * step, 1);
        snprintf(label, sizeof label, "%d", i * 10);
        colour(c, 0x222222);
        text(c, X0 - 8, Y0 - i * step + 6, RIGHT, 16, label);
    }
    double slot = (double)(WIDTH - 20 - X0) / (double)b.n;
    for (size_t i = 0; i < b.n; i++) {
        double x = X0 + slot * (double)i;
        colour(c, colours[i]);
        lib.rectangle(c, x + slot * 0.2, Y0 - b.values[i] / 10.0 * step, slot * 0.6, b.values[i] / 10.0 * step);
        lib.fill(c);
        colour(c, 0x222222);
        text(c, x + slot / 2, Y0 + 26, MIDDLE, 18, b.names[i]);
    }
    line(c, X0, Y0, WIDTH - 20, Y0, 2);
}

static void code(void *c, uint64_t seed)
{
    struct draw_code k;
    draw_code_of(seed, &k);
    colour(c, 0x1e2430);
    lib.rectangle(c, 0, 0, WIDTH, HEIGHT);
    lib.fill(c);
    for (int i = 0; k.lines[i]; i++) {
        char number[8], full[96];
        const char *hole = strstr(k.lines[i], "%s");
        int n = hole ? (int)(hole - k.lines[i]) : (int)strlen(k.lines[i]);
        snprintf(number, sizeof number, "%d", i + 1);
        snprintf(full, sizeof full, "%.*s%s%s", n, k.lines[i], hole ? k.function : "", hole ? hole + 2 : "");
        colour(c, 0x70788a);
        text(c, 44, 50 + 40 * i, RIGHT, 20, number);
        colour(c, hole ? 0xf0d080 : 0xe0e4ec);
        text(c, 64, 50 + 40 * i, LEFT, 20, full);
    }
}

static void box(void *c, double x, double y, double w, double h, unsigned rgb, const char *name, const char *under)
{
    colour(c, rgb);
    lib.rectangle(c, x - w / 2, y - h / 2, w, h);
    lib.fill(c);
    colour(c, 0xffffff);
    text(c, x, y + (under ? 0 : 7), MIDDLE, 20, name);
    if (under)
        text(c, x, y + 22, MIDDLE, 14, under);
}

static void net(void *c, uint64_t seed)
{
    struct draw_net t;
    draw_net_of(seed, &t);
    colour(c, 0x222222);
    text(c, WIDTH / 2.0, 34, MIDDLE, 22, "Home network");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < t.n; i++) {
            double angle = 2 * M_PI * (double)i / (double)t.n - M_PI / 2, x = WIDTH / 2.0 + 230 * cos(angle), y = 262 + 165 * sin(angle);
            if (pass) {
                box(c, x, y, 120, 46, 0x2a6f9f, t.nodes[i], NULL);
            } else {
                colour(c, 0x808080);
                line(c, WIDTH / 2.0, 262, x, y, 3);
            }
        }
    box(c, WIDTH / 2.0, 262, 140, 64, 0xa03030, t.hub, "switch");
}

static const struct {
    const char *kind;
    void (*draw)(void *c, uint64_t seed);
} kinds[] = { { "bars", bars }, { "code", code }, { "net", net } };

static int write_some(void *ctx, const unsigned char *p, unsigned n)
{
    buf_add(ctx, str_make((const char *)p, n));
    return 0;
}

enum err_code draw_png(struct str kind, uint64_t seed, struct buf *png, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t i = 0;
    while (i < COUNTOF(kinds) && !str_eq(kind, str_of(kinds[i].kind)))
        i++;
    if (i == COUNTOF(kinds))
        return err_set(e, ERR_NOT_FOUND, "there is no picture '%.40s' to be drawn", kind.n ? kind.p : "");
    pthread_once(&once, load);
    if (!lib.there) {
        err_set(e, ERR_SYSTEM, "pictures are drawn with cairo, and it is not installed here");
        return err_hint(e, "Debian: apt install libcairo2; macOS: brew install cairo");
    }
    void *surface = lib.image_surface_create(RGB24, WIDTH, HEIGHT), *c = lib.create(surface);
    colour(c, 0xffffff);
    lib.paint(c);
    lib.select_font_face(c, "@cairo:monospace", 0, 0);
    kinds[i].draw(c, seed);
    lib.destroy(c);
    int failed = lib.write_png(surface, write_some, png);
    lib.surface_destroy(surface);
    return failed ? err_set(e, ERR_SYSTEM, "cairo could not write the picture (status %d)", failed) : ERR_OK;
}
