/* What is reported with a fault: this program's version and those of the libraries in it. */
#include "admin/admin.h"

#include "json/json.h"

#include <llhttp.h>
#include <stdio.h>
#include <uv.h>
#include <yaml.h>

void admin_put_version(struct buf *out, int pid)
{
    char llhttp[32];
    snprintf(llhttp, sizeof llhttp, "%d.%d.%d", LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH);
    const struct {
        const char *name, *version;
    } parts[] = {
        { "version", HOB_VERSION },
        { "libuv", uv_version_string() },
        { "llhttp", llhttp },
        { "yyjson", YYJSON_VERSION_STRING },
        { "libyaml", yaml_get_version_string() },
    };
    struct json_out o = json_out(out);
    json_begin_object(&o);
    json_key(&o, STR("schema"));
    json_int(&o, 1);
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        json_key(&o, str_of(parts[i].name));
        json_string(&o, str_of(parts[i].version));
    }
    if (pid) {
        json_key(&o, STR("pid"));
        json_int(&o, pid);
    }
    json_end_object(&o);
}
