/* Is there room for a lab's models beside what is loaded? Its hob would refuse them, too, but could not say what to unload. */
#include "cli/ask.h"
#include "cli/lab.h"

#include "fleet/estimate.h"
#include "json/json.h"
#include "proc/machine.h"

#include <stdio.h>

enum { CONNECT_MS = 300, ANSWER_MS = 10 * 1000 };

/* All that are loaded at the start, else the largest: the others take turns. 0: nobody knows. */
static enum err_code needed(const struct config *lab, int64_t *out, struct err *e)
{
    int64_t hot = 0, largest = 0;
    for (size_t i = 0; i < lab->nmodels; i++) {
        struct estimate got;
        enum err_code rc = estimate_model(lab, &lab->models[i], ESTIMATE_CACHED, NULL, &got, e);
        if (rc)
            return rc;
        hot += lab->models[i].keep == KEEP_HOT ? got.bytes : 0;
        largest = got.bytes > largest ? got.bytes : largest;
    }
    *out = hot > largest ? hot : largest;
    return ERR_OK;
}

/* What the user's daemon has loaded, as it lists it. */
static void name_loaded(const struct cli_args *a, const struct config *user, struct buf *names)
{
    static const struct question q = { .method = "GET", .path = "/hob/v1/ps", .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS };
    struct door door;
    struct answer got = { 0 };
    struct json_doc d = { 0 };
    struct err e;
    size_t i, n;
    yyjson_val *b;
    if (door_find(a, user, &door, &e) || door_ask(&door, &q, &got, &e))
        return;
    if (got.status == 200 && !json_parse(&d, buf_str(&got.body), &e)) {
        yyjson_arr_foreach(yyjson_obj_get(d.root, "backends"), i, n, b)
            if (yyjson_is_int(yyjson_obj_get(b, "pid")) && names->n < 100)
                buf_printf(names, "%s%.*s", names->n ? ", " : "", STR_ARG(json_str(yyjson_obj_get(b, "model"))));
    }
    json_free(&d);
    buf_free(&got.body);
}

enum err_code lab_check_room(const struct cli_args *a, const struct config *user, const struct config *lab, struct err *e)
{
    struct machine machine;
    struct buf names = { 0 };
    int64_t bytes;
    enum err_code rc = needed(lab, &bytes, e);
    if (rc)
        return rc;
    machine_look("", &machine);
    int64_t room = machine.models_free - user->reserve_bytes;
    room = room > 0 ? room : 0;
    if (bytes <= room || machine.models_free <= 0)
        return ERR_OK;
    name_loaded(a, user, &names);
    err_set(e, ERR_DOES_NOT_FIT, "There is no room to measure in: %.1f GiB are needed, %.1f GiB are free without the reserve of %.1f GiB.", (double)bytes / (double)GIB, (double)room / (double)GIB,
        (double)user->reserve_bytes / (double)GIB);
    rc = names.n ? err_hint(e, "The daemon has loaded %.*s: `hob unload MODEL` makes room.", STR_ARG(buf_str(&names))) : err_hint(e, "Something else has the memory; `budget.reserve` sets how much is left alone.");
    buf_free(&names);
    return rc;
}
