/* load_wait.c - load --wait: reports each task and lets go of the task as soon as it has ended.
 *
 * An ended task occupies a record of the table as long as load holds the task, and later lines
 * want that room. load therefore keeps only counts of ended tasks. The list has the tasks that run
 * or wait, and at most as many again that load has not looked at yet. */
#include <errno.h>

#include "base/clock.h"
#include "cli/load/load.h"
#include "cli/result.h"

enum {
	SHOWN_FAILED = 10,
	LOOK_LEAST = 512,  /* fewer tasks are not worth a look */
	GROUP = 256,       /* oldest tasks that one wait is about */
	ROOM_TICK_MS = 50, /* younger tasks may end before the oldest */
	END_TICK_MS = 1000,
};

void load_wait_add(struct load_wait *w, plm_ref ref, uint64_t line)
{
	w->task = grow(w->task, w->tasks + 1, &w->room, sizeof *w->task);
	w->task[w->tasks++] = (struct load_waited){ ref, line };
}

static void load_wait_tell(struct load_wait *w, const struct load_waited *task, bool well)
{
	char text[PLM_REF_TEXT_BYTES];
	w->ended++;
	if (well || w->bad++ >= SHOWN_FAILED)
		return;
	plm_ref_print(task->ref, text);
	fprintf(stderr, "plmctl: %s:%llu: %s did not succeed\n", w->path,
	    (unsigned long long)task->line, text);
}

/* Removes ended tasks from the list, which stays in order. True: some had ended. */
static bool load_wait_poll(struct load_wait *w, plm *rt)
{
	size_t left = 0, before = w->tasks;
	for (size_t i = 0; i < before; i++) {
		struct load_waited *task = &w->task[i];
		int outcome = plm_outcome(rt, task->ref);
		if (outcome == -EAGAIN) {
			w->task[left++] = *task;
			continue;
		}
		load_wait_tell(w, task, outcome == 0);
		plm_drop(rt, task->ref);
	}
	w->tasks = left;
	w->look_at = left * 2 > LOOK_LEAST ? left * 2 : LOOK_LEAST;
	return left < before;
}

void load_wait_look(struct load_wait *w, plm *rt)
{
	if (w->tasks >= w->look_at && w->tasks >= LOOK_LEAST)
		load_wait_poll(w, rt);
}

/* Waits for the oldest tasks, which usually end first. 0, -ETIMEDOUT, or -errno of the runtime. */
static int wait_for_oldest(const struct load_wait *w, plm *rt, int timeout_ms)
{
	plm_ref ref[GROUP];
	size_t n = w->tasks < GROUP ? w->tasks : GROUP;
	for (size_t i = 0; i < n; i++)
		ref[i] = w->task[i].ref;
	return plm_wait(rt, ref, n, n, timeout_ms, NULL);
}

int load_wait_for_room(struct load_wait *w, plm *rt, bool *ret_some)
{
	*ret_some = load_wait_poll(w, rt);
	if (*ret_some || w->tasks == 0)
		return 0;
	int r = wait_for_oldest(w, rt, ROOM_TICK_MS);
	*ret_some = load_wait_poll(w, rt);
	return r == -ETIMEDOUT ? 0 : r;
}

int load_wait_all(struct load_wait *w, struct context *context)
{
	uint64_t deadline_ns = deadline_of(context);
	while (w->tasks > 0) {
		int left_ms = milliseconds_left(deadline_ns);
		int r = wait_for_oldest(
		    w, context->rt, left_ms < 0 || left_ms > END_TICK_MS ? END_TICK_MS : left_ms);
		load_wait_poll(w, context->rt);
		if (r < 0 && r != -ETIMEDOUT)
			return failed(r, "waiting");
		if (w->tasks == 0 || left_ms < 0 || clock_ns() < deadline_ns)
			continue;
		fprintf(stderr, "plmctl: --timeout ran out after %llu of %llu tasks\n",
		    (unsigned long long)w->ended, (unsigned long long)(w->ended + w->tasks));
		return EXIT_TIMED_OUT;
	}
	if (!context->quiet)
		fprintf(stderr, "plmctl: %s: %llu tasks ended, %llu did not succeed\n", w->path,
		    (unsigned long long)w->ended, (unsigned long long)w->bad);
	return w->bad > EXIT_COUNT_MAX ? EXIT_COUNT_MAX + 1 : (int)w->bad;
}
