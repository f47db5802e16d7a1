/* vlm-bench: three pictures of the seed, and what can be read in them. */
#include "evidence/builtin_int.h"
#include "evidence/draw.h"

static void put_case(struct drawing_up *u, const char *id, struct str image, const char *input, struct str expect, struct str ideal, struct str wrong)
{
    json_begin_object(&u->o);
    up_text(u, "id", str_of(id));
    up_text(u, "images", image);
    up_text(u, "input", str_of(input));
    up_int(u, "max_tokens", 120);
    up_int(u, "temperature", 0);
    up_text(u, "thinking", STR("off"));
    up_json(u, "expect", expect);
    up_text(u, "ideal", ideal);
    up_json(u, "wrong", wrong);
    json_end_object(&u->o);
}

static struct str image_of(struct drawing_up *u, const char *kind, uint64_t seed)
{
    return arena_printf(u->a, "draw:%s?seed=%llu", kind, (unsigned long long)seed);
}

static void put_bars(struct drawing_up *u, uint64_t seed)
{
    struct draw_bars b;
    struct str image = image_of(u, "bars", seed);
    size_t most = 0, least = 0, asked;
    draw_bars_of(seed, &b);
    for (size_t i = 1; i < b.n; i++) {
        most = b.values[i] > b.values[most] ? i : most;
        least = b.values[i] < b.values[least] ? i : least;
    }
    asked = dice_below(&u->dice, b.n);
    struct str ask = arena_printf(u->a, "How many crates of %s were sold? Answer with the number alone.", b.names[asked]);
    put_case(u, "bars-highest", image, "Which fruit has the highest bar? Answer with its name as the picture has it, one word.",
        arena_printf(u->a, "[{\"equals\":\"%s\",\"ignore_case\":true,\"lenient\":true}]", b.names[most]), str_of(b.names[most]), arena_printf(u->a, "[\"%s\",\"grapes\"]", b.names[least]));
    put_case(u, "bars-value", image, ask.p, arena_printf(u->a, "[{\"number\":%d,\"tolerance\":2}]", b.values[asked]), arena_printf(u->a, "%d", b.values[asked]),
        arena_printf(u->a, "[\"%d\",\"I see a chart.\"]", b.values[asked] + 10));
    put_case(u, "bars-count", image, "How many bars does the chart have? Answer with the number alone.", arena_printf(u->a, "[{\"number\":%zu}]", b.n), arena_printf(u->a, "%zu", b.n),
        arena_printf(u->a, "[\"%zu\",\"several\"]", b.n + 1));
}

static void put_code(struct drawing_up *u, uint64_t seed)
{
    struct draw_code c;
    struct str image = image_of(u, "code", seed);
    draw_code_of(seed, &c);
    put_case(u, "code-function", image, "What is the name of the function in this screenshot? Answer with the name alone.",
        arena_printf(u->a, "[{\"regex\":\"^[`'\\\" ]*%s(\\\\(.*\\\\))?[`'\\\" .]*$\"}]", c.function), str_of(c.function), STR("[\"total\",\"main\"]"));
    put_case(u, "code-language", image, "Which programming language is this? Answer with its name alone.",
        arena_printf(u->a, "[{\"equals\":\"%s\",\"ignore_case\":true,\"lenient\":true}]", c.language), str_of(c.language), STR("[\"COBOL\",\"a program\"]"));
}

static void put_net(struct drawing_up *u, uint64_t seed)
{
    struct draw_net t;
    struct str image = image_of(u, "net", seed);
    struct buf nodes = { 0 };
    draw_net_of(seed, &t);
    for (size_t i = 0; i < t.n; i++)
        buf_printf(&nodes, "%s\"%s\"", i ? "," : "", t.nodes[i]);
    struct str list = arena_copy(u->a, buf_str(&nodes));
    buf_free(&nodes);
    put_case(u, "net-hub", image, "Which machine do all the others connect to? Answer with its name alone.",
        arena_printf(u->a, "[{\"equals\":\"%s\",\"ignore_case\":true,\"lenient\":true}]", t.hub), str_of(t.hub), arena_printf(u->a, "[\"%s\",\"switch\"]", t.nodes[0]));
    put_case(u, "net-all", image, "Describe the network as JSON alone, without a code fence: {\"hub\": \"the machine in the middle\", \"nodes\": [\"the machines around it\"]}",
        arena_printf(u->a, "[{\"json\":\"$.hub\",\"equals\":\"%s\",\"ignore_case\":true},{\"json\":\"$.nodes\",\"tags\":[%.*s]}]", t.hub, STR_ARG(list)),
        arena_printf(u->a, "{\"hub\":\"%s\",\"nodes\":[%.*s]}", t.hub, STR_ARG(list)), arena_printf(u->a, "[\"{\\\"hub\\\":\\\"%s\\\",\\\"nodes\\\":[]}\"]", t.hub));
    put_case(u, "net-count", image, "How many machines are connected to the one in the middle? Answer with the number alone.", arena_printf(u->a, "[{\"number\":%zu}]", t.n),
        arena_printf(u->a, "%zu", t.n), arena_printf(u->a, "[\"%zu\"]", t.n + 1));
}

void builtin_vlm_bench(struct drawing_up *u, const struct suite_choice *o)
{
    (void)o;
    put_bars(u, dice_next(&u->dice) >> 40);
    put_code(u, dice_next(&u->dice) >> 40);
    put_net(u, dice_next(&u->dice) >> 40);
}
