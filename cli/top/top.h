/* top.h - the state of a running plmctl top. */
#ifndef PLM_CLI_TOP_H
#define PLM_CLI_TOP_H

#include "cli/ctl_command.h"
#include "cli/top/top_canvas.h"
#include "cli/top/top_layout.h"
#include "cli/top/top_view.h"
#include "cli/top/top_watch.h"

struct top {
	struct context *context;
	struct watched watched;
	struct facts facts;
	struct view view;
	struct canvas canvas;
	uint64_t interval_ms;
	bool once;                   /* all panes are shown */
	int64_t count_ns, reason_ns; /* time that counting and asking may take now */
};

#endif
