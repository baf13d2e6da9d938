/* watch.h - the same list again and again, until somebody has seen enough.
 *
 * On a terminal each one is drawn over the one before, as many lines as fit; elsewhere they follow
 * one another. SIGINT and SIGTERM end it between two of them, with EXIT_FINE: it ends no other way.
 */
#ifndef PLM_CLI_WATCH_H
#define PLM_CLI_WATCH_H

#include "cli/ctl_command.h"

/* --watch[=SECONDS]; the target is a struct watch. */
extern const struct option_row watch_rows[];

struct watch {
	bool wanted;
	int pause_ms;
};

/* Connects, and shows once, or again and again. show() returns an exit code; another than EXIT_FINE
 * ends it. */
typedef int watch_show_f(struct context *context, void *argument);
int watch_run(
    struct context *context, const struct watch *watch, watch_show_f *show, void *argument);

#endif
