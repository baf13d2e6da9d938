/* watch.h - prints a list again and again, until a signal comes.
 *
 * On a terminal each list is drawn over the last list, as many lines as fit; elsewhere lists follow
 * each other. SIGINT and SIGTERM end the watch between two lists, with EXIT_FINE.
 */
#ifndef PLM_CLI_WATCH_H
#define PLM_CLI_WATCH_H

#include "cli/ctl_command.h"

#define WATCH_HELP "  --watch[=SECONDS]  again each so many seconds (2), until Ctrl-C\n"

struct watch {
	bool wanted;
	int pause_ms;
};

/* Takes --watch; the number of seconds may also be the next word. */
void watch_option(const struct context *context, int argc, char **argv, struct watch *watch);

/* Connects, and shows once, or again and again until show() returns an exit code other than
 * EXIT_FINE. */
typedef int watch_show_f(struct context *context, void *argument);
int watch_run(
    struct context *context, const struct watch *watch, watch_show_f *show, void *argument);

#endif
