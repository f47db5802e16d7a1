/* The check of long strings (scan_block.h) with SSE2, and which of the two is used.
 *
 * Without SSE2 there is no cheap way from bytes to bits; then nothing is scanned, and json_shrink() cuts nothing. */
#include "json/json_int.h"

#if JSON_CAN_SCAN
#include "json/scan_block.h"

size_t json_scan_narrow(struct str text, size_t at)
{
    return scan_string(text, at);
}

size_t json_scan_string(struct str text, size_t at)
{
    return json_can_scan_wide() ? json_scan_wide(text, at) : scan_string(text, at);
}

#else

size_t json_scan_narrow(struct str text, size_t at)
{
    (void)at;
    return text.n;
}

size_t json_scan_string(struct str text, size_t at)
{
    return json_scan_narrow(text, at);
}

#endif
