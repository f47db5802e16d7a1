#include "proc/env.h"

static const char *const passed_on[] = { "PATH=", "HOME=", "USER=", "LANG=", "LC_", "TMPDIR=", "XDG_CACHE_HOME=", "LD_LIBRARY_PATH=",
    "DYLD_LIBRARY_PATH=", "CUDA_", "NVIDIA_", "HIP_", "HSA_", "ROCR_", "VK_", "GGML_", "OMP_" };

bool env_is_passed_on(struct str name_value)
{
    for (size_t i = 0; i < COUNTOF(passed_on); i++)
        if (str_starts(name_value, str_of(passed_on[i])))
            return true;
    return false;
}
