/* mod_events.c - tasks that note when and where they ran, and with which cpus and GPUs.
 *
 * The notes go into the file $TEST_EVENTS, made by the test: a 64-bit count, then events of six
 * 64-bit words: begin and end in nanoseconds of CLOCK_MONOTONIC (0: not reached), process, number
 * of the task, cpus and set of GPUs from the environment. A task notes its begin and end while it
 * runs, so two events that overlap did run at once. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "given.h"

enum { CHILDREN_MAX = 8, CRASH_RETRIES = 200, NS_PER_US = 1000, GPUS_MAX = 64 };
#define NS_PER_S UINT64_C(1000000000)

struct order { /* the only argument; children are tasks 0 without an argument */
	uint64_t task, us, children;
};

struct event {
	_Atomic uint64_t begin_ns, end_ns;
	uint64_t process, task, cpus, gpus;
};

struct events {
	_Atomic uint64_t count;
	struct event event[];
};

static struct events *events; /* mapped once in a process */
static uint64_t room;

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int open_events(void)
{
	size_t bytes;
	events = given_memory(getenv("TEST_EVENTS"), &bytes);
	if (!events)
		return -1;
	room = (bytes - sizeof *events) / sizeof(struct event);
	return 0;
}

/* "0,3": bits 0 and 3 */
static uint64_t gpus_seen(void)
{
	const char *list = getenv("CUDA_VISIBLE_DEVICES");
	uint64_t set = 0;
	char *end;
	for (; list && *list; list = *end ? end + 1 : end) {
		unsigned long gpu = strtoul(list, &end, 10);
		if (end == list)
			break;
		set |= UINT64_C(1) << gpu % GPUS_MAX;
	}
	return set;
}

static struct event *mod_events_begin(const struct order *order)
{
	const char *cpus = getenv("PLM_CPUS");
	uint64_t at = atomic_fetch_add(&events->count, 1);
	if (at >= room)
		return NULL;
	struct event *event = &events->event[at];
	event->process = (uint64_t)getpid();
	event->task = order->task;
	event->cpus = cpus ? strtoul(cpus, NULL, 10) : 0;
	event->gpus = gpus_seen();
	atomic_store(&event->begin_ns, now_ns());
	return event;
}

static int wait_for_children(plm_call *call, const struct order *order)
{
	plm_ref child[CHILDREN_MAX];
	plm *rt = plm_runtime(call);
	struct order theirs = { .us = order->us };
	plm_arg arg = PLM_BYTES(&theirs, sizeof theirs);
	plm_task task = {
		.function = "events.run", .args = &arg, .nargs = 1, .crash_retries = CRASH_RETRIES
	};
	size_t n = 0;
	int r = 0;
	while (r == 0 && n < order->children && n < CHILDREN_MAX)
		if ((r = plm_submit(rt, &task, &child[n])) == 0)
			n++;
	if (r == 0)
		r = plm_wait(rt, child, n, n, -1, NULL);
	plm_drop_many(rt, child, n);
	return r ? plm_fail(call, -r, "its children: %s", plm_why()) : 0;
}

/* ORDER, as above */
static int mod_events_run(plm_call *call)
{
	struct order order = { 0 };
	size_t length;
	const void *data = plm_arg_data(call, 0, &length);
	if (length != sizeof order)
		return plm_fail(call, EINVAL, "an order of %zu bytes", length);
	memcpy(&order, data, sizeof order);
	if (!events && open_events() < 0)
		return plm_fail(call, errno, "no file of events");
	struct event *event = mod_events_begin(&order);
	if (!event)
		return plm_fail(call, ENOSPC, "the record of events is full");
	struct timespec while_busy = { .tv_nsec = (long)order.us * NS_PER_US };
	nanosleep(&while_busy, NULL);
	int r = order.children ? wait_for_children(call, &order) : 0;
	atomic_store(&event->end_ns, now_ns());
	return r;
}

PLM_MODULE(events, { "run", mod_events_run, "ORDER: writes down its begin and its end" });
