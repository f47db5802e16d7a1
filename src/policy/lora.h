/* The adapters of a request: asked for by name, told to an engine of ours by their place in its list. An engine takes a number it does not have without
 * a word, and forgets the scale of each that is not named: so names are checked here, and all are always told. */
#ifndef HOB_POLICY_LORA_H
#define HOB_POLICY_LORA_H

#include "conf/config.h"
#include "json/json.h"

/* asked: a name, or a list of names and {"name", "scale"}; NULL or null: nothing. ERR_INVALID_REQUEST, with what there is. */
enum err_code lora_check(yyjson_val *asked, const struct conf_lora *loras, size_t n, struct err *e) __attribute__((warn_unused_result));
/* `[{"id":0,"scale":1},…]`: those asked for at the scale asked for (else their own, or 1 when that is 0), the others at their own. After the check. */
void lora_write(struct json_out *o, yyjson_val *asked, const struct conf_lora *loras, size_t n);

#endif
