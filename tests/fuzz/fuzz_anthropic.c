/* The dialect of the Messages API: see dialect_fuzz.h. */
#include "dialect_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_dialect(&dialect_anthropic, data, size);
}
