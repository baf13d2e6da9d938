/* watch.h - prints a list again and again, until a signal comes.
 *
 * On a terminal each list is drawn over the last list, as many lines as fit; elsewhere lists follow
 * each other. SIGINT and SIGTERM end the watch between two lists, with EXIT_FINE.
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

/* Connects, and shows once, or again and again until show() returns an exit code other than
 * EXIT_FINE. */
typedef int watch_show_f(struct context *context, void *argument);
int watch_run(
    struct context *context, const struct watch *watch, watch_show_f *show, void *argument);

#endif
