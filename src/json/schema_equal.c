/* Numbers and deep equality. yyjson's own equality tells 1 from 1.0, so it will not do here. */
#include "json/schema_equal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double two_to_64 = 18446744073709551616.0;

bool number_is_whole(yyjson_val *v)
{
    if (!yyjson_is_real(v))
        return yyjson_is_int(v);
    double d = unsafe_yyjson_get_real(v);
    return d == trunc(d); /* JSON has no infinity */
}

static int sign(bool greater, bool less)
{
    return greater - less;
}

/* A whole number of up to 64 bits, its sign apart. */
struct whole {
    bool negative;
    uint64_t size;
};

static struct whole whole(yyjson_val *v)
{
    if (unsafe_yyjson_is_uint(v))
        return (struct whole){ false, unsafe_yyjson_get_uint(v) };
    int64_t i = unsafe_yyjson_get_sint(v);
    return i < 0 ? (struct whole){ true, 0 - (uint64_t)i } : (struct whole){ false, (uint64_t)i };
}

static int compare_whole(struct whole a, struct whole b)
{
    if (a.negative != b.negative)
        return a.negative ? -1 : 1; /* what is negative is no 0 */
    int c = sign(a.size > b.size, a.size < b.size);
    return a.negative ? -c : c;
}

/* Not by making a double of the integer: above 2^53 that rounds. */
static int compare_with_real(struct whole a, double d)
{
    if (d >= two_to_64)
        return -1;
    if (d <= -two_to_64)
        return 1;
    double t = trunc(d);
    struct whole b = { t < 0, (uint64_t)fabs(t) };
    int c = compare_whole(a, b);
    return c ? c : sign(t > d, t < d);
}

int number_compare(yyjson_val *a, yyjson_val *b)
{
    bool ra = unsafe_yyjson_is_real(a), rb = unsafe_yyjson_is_real(b);
    if (ra && rb) {
        double x = unsafe_yyjson_get_real(a), y = unsafe_yyjson_get_real(b);
        return sign(x > y, x < y);
    }
    if (ra)
        return -compare_with_real(whole(b), unsafe_yyjson_get_real(a));
    return rb ? compare_with_real(whole(a), unsafe_yyjson_get_real(b)) : compare_whole(whole(a), whole(b));
}

/* digits * 10^exponent, with the fewest digits that read back as the same double: what its writer most likely wrote. */
struct decimal {
    uint64_t digits;
    int exponent;
};

static struct decimal decimal(yyjson_val *v)
{
    struct decimal d = { 0, 0 };
    char text[40];
    if (!unsafe_yyjson_is_real(v)) {
        d.digits = whole(v).size;
        return d;
    }
    double x = fabs(unsafe_yyjson_get_real(v));
    for (int precision = 14;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, x);
        if (precision == 16 || strtod(text, NULL) == x)
            break;
    }
    const char *p = text;
    int behind = 0;
    int64_t exponent = 0;
    bool fraction = false;
    for (; *p != 'e'; p++) {
        if (*p < '0') { /* the point */
            fraction = true;
            continue;
        }
        d.digits = d.digits * 10 + (uint64_t)(*p - '0');
        behind += fraction;
    }
    str_to_int(str_of(p[1] == '+' ? p + 2 : p + 1), -400, 400, &exponent);
    d.exponent = (int)exponent - behind;
    while (d.digits && d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    return d;
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t modulus)
{
    return (uint64_t)((unsigned __int128)a * b % modulus);
}

bool number_is_multiple(yyjson_val *v, yyjson_val *of)
{
    if (!unsafe_yyjson_is_real(v) && !unsafe_yyjson_is_real(of))
        return whole(v).size % whole(of).size == 0;
    struct decimal a = decimal(v), b = decimal(of);
    if (a.digits == 0)
        return true;
    if (b.digits == 0) /* the compiler lets no such schema through */
        return false;
    int shift = a.exponent - b.exponent;
    for (; shift < 0; shift++) { /* v's last digit is behind that of `of`: then it is one only if the latter's zeros make up for it */
        if (a.digits % 10)
            return false;
        a.digits /= 10;
    }
    uint64_t rest = a.digits % b.digits, ten = 10 % b.digits;
    for (; shift; shift >>= 1, ten = times(ten, ten, b.digits))
        if (shift & 1)
            rest = times(rest, ten, b.digits);
    return rest == 0;
}

static bool equal(yyjson_val *a, yyjson_val *b, int64_t *steps);

static bool objects_equal(yyjson_val *a, yyjson_val *b, int64_t *steps)
{
    size_t n = unsafe_yyjson_get_len(a);
    yyjson_obj_iter it;
    yyjson_val *key = unsafe_yyjson_get_first(a);
    yyjson_obj_iter_init(b, &it);
    for (size_t i = 0; i < n; i++, key = unsafe_yyjson_get_next(key + 1)) {
        size_t from = it.idx;
        yyjson_val *other = yyjson_obj_iter_getn(&it, unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key)); /* goes on from the last one found */
        *steps -= (int64_t)((other && it.idx > from ? it.idx - from : n) / 8);
        if (!other || !equal(key + 1, other, steps))
            return false;
    }
    return true;
}

static bool arrays_equal(yyjson_val *a, yyjson_val *b, int64_t *steps)
{
    size_t n = unsafe_yyjson_get_len(a);
    yyjson_val *x = unsafe_yyjson_get_first(a), *y = unsafe_yyjson_get_first(b);
    for (size_t i = 0; i < n; i++, x = unsafe_yyjson_get_next(x), y = unsafe_yyjson_get_next(y))
        if (!equal(x, y, steps))
            return false;
    return true;
}

static bool equal(yyjson_val *a, yyjson_val *b, int64_t *steps)
{
    if (--*steps < 0 || unsafe_yyjson_get_type(a) != unsafe_yyjson_get_type(b))
        return false;
    switch (unsafe_yyjson_get_type(a)) {
    case YYJSON_TYPE_NUM:
        return number_compare(a, b) == 0;
    case YYJSON_TYPE_STR:
        return str_eq(json_str(a), json_str(b));
    case YYJSON_TYPE_BOOL:
        return unsafe_yyjson_get_bool(a) == unsafe_yyjson_get_bool(b);
    case YYJSON_TYPE_ARR:
        return unsafe_yyjson_get_len(a) == unsafe_yyjson_get_len(b) && arrays_equal(a, b, steps);
    case YYJSON_TYPE_OBJ:
        return unsafe_yyjson_get_len(a) == unsafe_yyjson_get_len(b) && objects_equal(a, b, steps);
    default:
        return true;
    }
}

bool value_equal(yyjson_val *a, yyjson_val *b, int64_t *steps)
{
    return equal(a, b, steps) && *steps >= 0;
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

static uint64_t number_hash(yyjson_val *v)
{
    double d = yyjson_get_num(v); /* equal numbers are the same double, if rounded; 0 and -0 are one */
    uint64_t bits;
    d = d == 0 ? 0 : d;
    memcpy(&bits, &d, sizeof bits);
    return mix(bits + 4);
}

uint64_t value_hash(yyjson_val *v, int64_t *steps)
{
    uint64_t h = unsafe_yyjson_get_type(v) * 0x9e3779b97f4a7c15u;
    bool object = unsafe_yyjson_is_obj(v);
    if (--*steps < 0)
        return 0;
    if (unsafe_yyjson_is_num(v))
        return number_hash(v);
    if (unsafe_yyjson_is_str(v)) {
        *steps -= (int64_t)(unsafe_yyjson_get_len(v) / 64);
        return mix(str_hash(json_str(v)) + 5);
    }
    if (!unsafe_yyjson_is_ctn(v))
        return mix(h + unsafe_yyjson_get_subtype(v));
    yyjson_val *item = unsafe_yyjson_get_len(v) ? unsafe_yyjson_get_first(v) : NULL;
    for (size_t i = 0, n = unsafe_yyjson_get_len(v); i < n && *steps >= 0; i++) {
        yyjson_val *value = object ? item + 1 : item;
        if (object)
            h += mix(str_hash(json_str(item)) * 3 + value_hash(value, steps)); /* a sum, for the order is no part of it */
        else
            h = mix(h + value_hash(value, steps));
        item = unsafe_yyjson_get_next(value);
    }
    return mix(h + unsafe_yyjson_get_len(v));
}

struct entry {
    uint64_t hash;
    yyjson_val *item;
    size_t place;
};

static int by_hash(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return sign(a->place > b->place, a->place < b->place);
}

/* Within one hash everything is compared with everything: that is one pair, but for who chose the values so; he pays in steps. */
static bool twins_of_sorted(const struct entry *e, size_t n, int64_t *steps, size_t *first, size_t *second)
{
    bool found = false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n && e[k].hash == e[i].hash && *steps >= 0; k++)
            if (value_equal(e[i].item, e[k].item, steps) && (!found || e[k].place < *second)) {
                *first = e[i].place;
                *second = e[k].place;
                found = true;
            }
    return found;
}

enum { FEW_ITEMS = 32 };

bool value_find_twins(yyjson_val *array, int64_t *steps, size_t *first, size_t *second)
{
    struct entry few[FEW_ITEMS];
    size_t n = unsafe_yyjson_get_len(array);
    if (n < 2)
        return false;
    struct entry *entries = n <= FEW_ITEMS ? few : calloc(n, sizeof *entries);
    yyjson_val *item = unsafe_yyjson_get_first(array);
    if (!entries) {
        *steps = -1;
        return false;
    }
    for (size_t i = 0; i < n && *steps >= 0; i++, item = unsafe_yyjson_get_next(item))
        entries[i] = (struct entry){ value_hash(item, steps), item, i };
    bool found = false;
    if (*steps >= 0) {
        qsort(entries, n, sizeof *entries, by_hash);
        found = twins_of_sorted(entries, n, steps, first, second);
    }
    if (entries != few)
        free(entries);
    return found && *steps >= 0;
}
