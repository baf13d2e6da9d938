#include "worker/life.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/why.h"
#include "store/nodes.h"
#include "worker/needs.h"
#include "worker/worker.h"

static struct worker life_worker; /* of the process */

static void life_on_interrupt(int signal)
{
	(void)signal;
}

static void life_on_terminate(int signal)
{
	(void)signal;
	atomic_store(&life_worker.stop, true);
}

void life_name(const struct worker_order *order)
{
	char title[32];
	snprintf(title, sizeof title, "plm-%s", process_kind_name(KIND_WORKER));
	log_open_worker(order->runtime, order->worker, order->slot);
	prctl(PR_SET_NAME, title);
}

/* Without SA_RESTART, so a blocking system call returns EINTR. */
void life_take_signals(void)
{
	struct sigaction terminate = { .sa_handler = life_on_terminate };
	struct sigaction interrupt = { .sa_handler = life_on_interrupt }, given;
	sigset_t none;
	sigaction(SIGTERM, &terminate, NULL);
	if (sigaction(PROCESS_INTERRUPT, NULL, &given) < 0 || given.sa_handler == SIG_DFL)
		sigaction(PROCESS_INTERRUPT, &interrupt, NULL);
	signal(SIGINT, SIG_IGN); /* the manager handles a Ctrl-C at the terminal */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Before the worker touches private memory, so that the pages lie near. A worker in the wrong place
 * is slow and right, so a failure is only logged. */
static void life_take_place(const struct worker_order *order)
{
	if (order->placed && place_take(&order->place) < 0)
		log_warn("%s; the worker runs where the kernel puts the process", why_text());
}

static uint32_t life_node_of(const struct worker_order *order)
{
	return order->placed && order->place.node >= 0 ? (uint32_t)order->place.node : nodes_here();
}

/* The lock file is let go after the pid is told: until then the next manager waits. */
static int life_tell_pid(const struct tables *t, const struct worker_order *order, int lock)
{
	struct process *me = &t->process[order->slot];
	uint64_t word = sh_load(&me->state);
	if (lock < 0)
		return 0;
	if (process_state(word) != PROCESS_STARTING ||
	    process_generation(word) != order->generation) {
		close(lock);
		return why(-ESRCH, "process slot %u is no longer for this worker", order->slot);
	}
	me->start_time = process_start_time(getpid());
	me->pid = getpid();
	close(lock);
	return 0;
}

static int life_join(
    struct worker *w, const struct worker_order *order, const struct life_files *files)
{
	w->injection = order->injected ? &order->injection : NULL;
	w->recycling = order->recycling;
	life_take_place(order);
	int r = tables_attach(files->control, files->store, &w->rt.tables);
	if (r == 0 && order->slot >= w->rt.tables.limits.processes)
		r = why(-EINVAL, "there is no process slot %u", order->slot);
	if (r == 0)
		r = life_tell_pid(&w->rt.tables, order, files->lock);
	else if (files->lock >= 0)
		close(files->lock);
	return r == 0 ? worker_open(w, order->slot) : r;
}

int worker_life(
    const struct worker_order *order, const struct life_files *files, life_begun_f *begun)
{
	struct worker *w = &life_worker;
	int r = life_join(w, order, files);
	if (r < 0) {
		log_warn("cannot start: %s", why_text());
		return 1;
	}
	needs_end(w);
	sh_poke(&w->rt.me->node, life_node_of(order));
	slice_shorten();
	eventfd_write(files->joined, 1);
	int code = begun(&w->rt);
	if (code == 0)
		worker_run(w);
	worker_close(w);
	return code;
}
