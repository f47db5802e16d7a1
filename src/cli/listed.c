#include "cli/listed.h"

yyjson_val *listed_model(yyjson_val *models, struct str name)
{
    size_t i, n, k, max;
    yyjson_val *m, *alias;
    yyjson_arr_foreach(models, i, n, m) {
        if (str_eq(json_str(yyjson_obj_get(m, "name")), name))
            return m;
        yyjson_arr_foreach(yyjson_obj_get(m, "aliases"), k, max, alias)
            if (str_eq(json_str(alias), name))
                return m;
    }
    return NULL;
}

yyjson_val *listed_at(yyjson_val *models, yyjson_val *m, struct str host)
{
    size_t i, n;
    yyjson_val *name;
    if (!m || !host.n || str_eq(json_str(yyjson_obj_get(m, "host")), host))
        return m;
    yyjson_arr_foreach(yyjson_obj_get(m, "replicas"), i, n, name) {
        yyjson_val *other = listed_model(models, json_str(name));
        if (other && str_eq(json_str(yyjson_obj_get(other, "host")), host))
            return other;
    }
    return NULL;
}
