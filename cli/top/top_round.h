/* top_round.h - one round of plmctl top after another: look, count, ask, measure.
 *
 * Two accounts keep the price low whatever the size of the runtime: counting tasks and asking why
 * tasks wait get a few hundredths of the time, and a step that took longer is paid off before the
 * next. The event log has an account of its own (top_flow.h).
 * Allocates: for each boot of the runtime.  Blocks: never. */
#ifndef PLM_CLI_TOP_ROUND_H
#define PLM_CLI_TOP_ROUND_H

#include "cli/top/top.h"

/* Finds the runtime, or the next boot of the name. 0, or -errno (top->watched.trouble tells why).
 * At the first call everything small is counted at once, so that the first frame is whole. */
int round_find(struct top *top);
/* Looks at the processes; goes on counting and asking. `ns`: since the last look. */
void round_look(struct top *top, uint64_t ns);
/* Watches the event log while functions are shown; flow_read() reads it. */
void round_follow(struct top *top);
/* The numbers for the next frame; `measure`: an interval is over. */
void round_measure(struct top *top, bool measure);
/* Counts all tasks, and asks for the time given: for --once. */
void round_finish(struct top *top, uint64_t ns);
/* The rows of the pane as of now: before keys act on them. */
void round_arrange(struct top *top);
void round_draw(struct top *top);
void round_close(struct top *top);

#endif
