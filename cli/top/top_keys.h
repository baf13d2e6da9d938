/* top_keys.h - from keys to changes of the view and acts on the runtime. top_keys_help.h has the
 * texts. */
#ifndef PLM_CLI_TOP_KEYS_H
#define PLM_CLI_TOP_KEYS_H

#include "cli/top/top.h"

/* `key` as of top_screen.h. */
void keys_press(struct top *top, int key);

#endif
