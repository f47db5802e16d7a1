/* What engines say: an answer to the question about an architecture, and a projection. Oracle: each is one of its kind, a projection is whole MiB,
 * and the question stays inside its bytes whatever the name. */
#include "model/probe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *own = malloc(size + 1), file[PROBE_MAX_BYTES]; /* memory of its own, so that a read past its end is seen */
    if (!own)
        abort();
    memcpy(own, data, size);
    char *fit = realloc(own, size ? size : 1);
    struct str said = str_make(fit, size);
    int64_t bytes = -1;
    enum probe_answer answer = probe_read(said);
    bool projects = probe_read_projection(said, &bytes);
    if (answer != PROBE_UNCLEAR && answer != PROBE_KNOWN && answer != PROBE_UNKNOWN)
        abort();
    if (projects ? bytes < 0 || bytes % (int64_t)MIB : bytes != -1)
        abort();
    if (probe_write(file, said) > sizeof file)
        abort();
    free(fit);
    return 0;
}
