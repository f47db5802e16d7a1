/* A window of local time, as rules name it: "22:00-06:00", "mon-fri", "sat,sun 08:00-12:00". Plain value, pure. */
#ifndef HOB_CONF_WINDOW_H
#define HOB_CONF_WINDOW_H

#include "base/str.h"

struct window {
    unsigned days;              /* bit 0 is Monday: on which it begins */
    int from_min, until_min;    /* of the day, the end outside; when from is the later one it goes over midnight */
};

/* False for a text that is none; *out is then untouched. */
bool window_read(struct str text, struct window *out);
/* "fri 22:00-06:00" holds until Saturday, 6 o'clock. */
bool window_holds(const struct window *w, int64_t wall_s, int utc_offset_s);

#endif
