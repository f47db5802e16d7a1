#include "api/places.h"

#include "api/api_int.h"
#include "base/clock.h"

#include <stdlib.h>

static void look(const struct world *w, size_t model, struct route_place *out)
{
    const struct backend *b = world_backend(w, model);
    const struct conf_model *m = &world_config(w)->models[model];
    bool ours = b->kind->managed;
    *out = (struct route_place){
        .state = backend_state_name[b->state],
        .hot = b->state == BACKEND_HOT,
        .local = ours || (b->place && b->place->local),
        .wait_ms = -1,
        .context = b->context ? b->context : m->context,
        .input = m->input,
    };
}

void api_snapshot(struct api *a, struct world *w, struct snapshot *out)
{
    size_t n = world_config(w)->nmodels;
    if (n > a->nplaces) {
        free(a->places);
        a->places = calloc(n, sizeof *a->places);
        if (!a->places)
            die("out of memory for a snapshot");
        a->nplaces = n;
    }
    for (size_t i = 0; i < n; i++)
        look(w, i, &a->places[i]);
    *out = (struct snapshot){ .at = a->places, .n = n, .wall_s = clock_wall_ms() / 1000 };
}
