/* Names of adapters to numbers and scales. */
#include "policy/lora.h"

#include <stdio.h>

static struct str name_of(yyjson_val *one)
{
    return json_str(yyjson_is_obj(one) ? yyjson_obj_get(one, "name") : one);
}

static enum err_code unknown(struct str name, const struct conf_lora *loras, size_t n, struct err *e)
{
    char all[128] = "";
    for (size_t i = 0, at = 0; i < n && at < sizeof all; i++)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s'%.*s'", i ? ", " : "", STR_ARG(loras[i].name));
    if (!n)
        err_set(e, ERR_INVALID_REQUEST, "'lora' names '%.*s', and this model has no adapters.", (int)(name.n < 64 ? name.n : 64), name.n ? name.p : "");
    else
        err_set(e, ERR_INVALID_REQUEST, "'lora' names '%.*s', which this model does not have; it has %s.", (int)(name.n < 64 ? name.n : 64),
            name.n ? name.p : "", all);
    return err_param(e, "lora");
}

static bool is_known(struct str name, const struct conf_lora *loras, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(loras[i].name, name))
            return true;
    return false;
}

static enum err_code check_one(yyjson_val *one, const struct conf_lora *loras, size_t n, struct err *e)
{
    struct str name = name_of(one);
    yyjson_val *scale = yyjson_is_obj(one) ? yyjson_obj_get(one, "scale") : NULL;
    if (!name.n) {
        err_set(e, ERR_INVALID_REQUEST, "'lora' must be names of adapters, or objects with a 'name' and a 'scale'.");
        return err_param(e, "lora");
    }
    if (!is_known(name, loras, n))
        return unknown(name, loras, n, e);
    if (scale && !yyjson_is_null(scale) && (!yyjson_is_num(scale) || yyjson_get_num(scale) < -100 || yyjson_get_num(scale) > 100)) {
        err_set(e, ERR_INVALID_REQUEST, "The 'scale' of '%.*s' must be a number between -100 and 100.", STR_ARG(name));
        return err_param(e, "lora");
    }
    return ERR_OK;
}

enum err_code lora_check(yyjson_val *asked, const struct conf_lora *loras, size_t n, struct err *e)
{
    size_t i, count;
    yyjson_val *one;
    if (!asked || yyjson_is_null(asked))
        return ERR_OK;
    if (!yyjson_is_arr(asked))
        return check_one(asked, loras, n, e);
    yyjson_arr_foreach(asked, i, count, one) {
        if (check_one(one, loras, n, e))
            return e->code;
    }
    return ERR_OK;
}

static double scale_in(yyjson_val *one, double otherwise)
{
    yyjson_val *scale = yyjson_is_obj(one) ? yyjson_obj_get(one, "scale") : NULL;
    return yyjson_is_num(scale) ? yyjson_get_num(scale) : otherwise;
}

/* The last of the same name holds. */
static double scale_of(yyjson_val *asked, const struct conf_lora *l)
{
    size_t i, count;
    yyjson_val *one;
    double scale = l->scale, own = l->scale != 0 ? l->scale : 1;
    if (!yyjson_is_arr(asked))
        return asked && str_eq(name_of(asked), l->name) ? scale_in(asked, own) : scale;
    yyjson_arr_foreach(asked, i, count, one) {
        if (str_eq(name_of(one), l->name))
            scale = scale_in(one, own);
    }
    return scale;
}

void lora_write(struct json_out *o, yyjson_val *asked, const struct conf_lora *loras, size_t n)
{
    json_begin_array(o);
    for (size_t i = 0; i < n; i++) {
        char scale[32];
        int len = snprintf(scale, sizeof scale, "%.9g", scale_of(asked, &loras[i]));
        json_begin_object(o);
        json_key(o, STR("id"));
        json_int(o, (int64_t)i);
        json_key(o, STR("scale"));
        json_raw(o, str_make(scale, (size_t)len));
        json_end_object(o);
    }
    json_end_array(o);
}
