/* A verdict as it is told: the members of `hob eval compare --json`, and lines for people. */
#include "evidence/verdict_put.h"

#include <math.h>

static void put_interval(struct json_out *o, const char *key, double lo, double hi)
{
    json_key(o, str_of(key));
    json_begin_array(o);
    json_double(o, lo, 6);
    json_double(o, hi, 6);
    json_end_array(o);
}

static void put_side(struct json_out *o, const char *key, int64_t pass, int64_t total, double rate, const struct interval *ci)
{
    json_key(o, str_of(key));
    json_begin_object(o);
    json_key(o, STR("pass"));
    json_int(o, pass);
    json_key(o, STR("total"));
    json_int(o, total);
    json_key(o, STR("rate"));
    json_double(o, total ? rate : NAN, 6);
    put_interval(o, "ci", ci->lo, ci->hi);
    json_end_object(o);
}

void verdict_put(const struct verdict *v, struct json_out *o)
{
    json_key(o, STR("pairs"));
    json_int(o, v->pairs);
    put_side(o, "a", v->a_pass, v->a_total, v->a_rate, &v->a);
    put_side(o, "b", v->b_pass, v->b_total, v->b_rate, &v->b);
    json_key(o, STR("difference"));
    json_double(o, v->difference, 6);
    put_interval(o, "ci", v->lo, v->hi);
    json_key(o, STR("p"));
    json_double(o, v->p, 9);
    json_key(o, STR("verdict"));
    json_string(o, str_of(verdict_names[v->kind]));
    json_key(o, STR("needed"));
    json_int_or_null(o, v->needed > 0 ? v->needed : -1);
    json_key(o, STR("power"));
    json_double(o, v->power, 4);
}

static void write_side(struct buf *out, const char *name, int64_t pass, int64_t total, double rate, const struct interval *ci)
{
    buf_printf(out, "%-5s  %lld of %lld, %.1f %% (%.1f to %.1f)\n", name, (long long)pass, (long long)total, 100 * rate, 100 * ci->lo, 100 * ci->hi);
}

void verdict_write(const struct verdict *v, struct buf *out)
{
    write_side(out, "a", v->a_pass, v->a_total, v->a_rate, &v->a);
    write_side(out, "b", v->b_pass, v->b_total, v->b_rate, &v->b);
    buf_printf(out, "b - a  %+.1f points (%+.1f to %+.1f), p %.3g\n", 100 * v->difference, 100 * v->lo, 100 * v->hi, v->p);
    buf_printf(out, "%s", verdict_names[v->kind]);
    if (v->needed > 0)
        buf_printf(out, ": to tell you need about %lld cases", (long long)v->needed);
    buf_printf(out, "\n");
}
