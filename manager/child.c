#include "manager/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/why.h"
#include "command/command.h"
#include "journal/journal.h"
#include "manager/descriptors.h"
#include "manager/manager.h"
#include "scheduler/scheduler.h"
#include "worker/life.h"

void child_begin(const int *keep, int n)
{
	sigset_t none;
	unsigned from = 3;
	descriptors_restore();
	/* The order of `keep` lets one call close each gap between two descriptors. */
	for (int i = 0; i < n; i++) {
		if ((unsigned)keep[i] > from)
			syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN); /* the manager handles a Ctrl-C at the terminal */
}

/* The role to be stopped by the handler of SIGTERM. */
static struct scheduler *this_scheduler;
static struct journal *this_journal;

static void child_on_interrupt(int signal)
{
	(void)signal;
}

static void child_on_terminate(int signal)
{
	(void)signal;
	if (this_scheduler)
		atomic_store(&this_scheduler->stop, true);
	if (this_journal)
		atomic_store(&this_journal->stop, true);
}

/* Without SA_RESTART, so a blocking system call returns EINTR. */
static void child_take_interrupts(void)
{
	struct sigaction action = { .sa_handler = child_on_interrupt };
	sigaction(PROCESS_INTERRUPT, &action, NULL);
}

static int child_scheduler_main(int control_fd, int store_fd, int joined)
{
	static struct tables tables;
	static struct scheduler scheduler;
	int r = tables_attach(control_fd, store_fd, &tables);
	if (r == 0)
		r = scheduler_open(&scheduler, &tables);
	if (r < 0) {
		log_warn("cannot start: %s", why_text());
		return 1;
	}
	scheduler.manager = joined;
	this_scheduler = &scheduler;
	slice_shorten();
	eventfd_write(joined, 1);
	scheduler_run(&scheduler);
	/* After an adoption the manager cannot see the exit code: LEAVING marks an orderly end. */
	uint64_t word = sh_load(&scheduler.me->state);
	process_step(scheduler.me, &word, PROCESS_LEAVING);
	return 0;
}

static int child_journal_main(
    int control_fd, int store_fd, int joined, const struct journal_plan *plan)
{
	static struct journal journal;
	int r = tables_attach(control_fd, store_fd, &journal.rt.tables);
	this_journal = &journal; /* SIGTERM may come while the journal waits for the file */
	if (r == 0)
		r = journal_open(&journal, plan);
	if (r < 0) {
		log_warn("cannot start: %s", why_text());
		return 1;
	}
	eventfd_write(joined, 1);
	journal_run(&journal);
	journal_close(&journal);
	return 0;
}

/* What the worker of the process slot is to be; a Python worker gets the order as a message. */
void child_order(const struct manager *m, uint32_t slot, struct worker_order *ret)
{
	const struct process *p = &m->tables.process[slot];
	uint32_t kind = p->worker_kind % WORKER_KINDS_MAX;
	const struct injection *injection =
	    injection_for(&m->options->injections, m->options->kind[kind].generation);
	*ret = (struct worker_order){ .slot = slot,
		.generation = process_generation(sh_load(&p->state)),
		.manager = getpid(),
		.worker = p->worker,
		.python = m->tables.control->kind[kind].python,
		.tied = m->options->tied,
		.recycling = m->options->recycling };
	snprintf(ret->runtime, sizeof ret->runtime, "%s", m->options->name);
	if (m->place) {
		ret->place = m->place[p->place % m->tables.limits.workers];
		ret->placed = 1;
	}
	if (injection) {
		ret->injection = *injection;
		ret->injected = 1;
	}
}

static int child_begun(plm *rt)
{
	command_begin(&rt->tables, rt->self);
	return 0;
}

static void child_name_role(const struct manager *m, enum process_kind kind)
{
	char title[32];
	snprintf(title, sizeof title, "plm-%s", process_kind_name(kind));
	log_open(m->options->name, process_kind_name(kind));
	prctl(PR_SET_NAME, title);
}

static void child_take_role(
    const struct manager *m, enum process_kind kind, const struct worker_order *order)
{
	if (kind == KIND_WORKER) {
		life_name(order);
		life_take_signals();
	} else {
		child_name_role(m, kind);
		signal(SIGTERM, child_on_terminate);
		child_take_interrupts();
	}
}

_Noreturn void child_main(struct manager *m, enum process_kind kind, uint32_t slot, pid_t parent)
{
	/* Low numbers in ascending order, as child_begin() wants. */
	int keep[3] = { fcntl(m->tables.control_segment.fd, F_DUPFD_CLOEXEC, 3),
		fcntl(m->tables.store_segment.fd, F_DUPFD_CLOEXEC, 3),
		fcntl(m->joined, F_DUPFD_CLOEXEC, 3) };
	static struct worker_order order;
	child_order(m, slot, &order);
	child_take_role(m, kind, &order);
	if (m->options->tied)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* no process knows the child; claim_births() waits for the descriptor */
	m->tables.process[slot].start_time = process_start_time(getpid());
	m->tables.process[slot].pid = getpid();
	const struct life_files files = { keep[0], keep[1], keep[2], -1 };
	const struct journal_plan journal = { .directory = m->state,
		.slot = slot,
		.durability = (enum durability)m->tables.control->journal.durability,
		.age_ms = m->options->history_age_ms,
		.count = m->options->history_count };
	tables_detach(&m->tables); /* the manager's mapping; the role attaches anew */
	child_begin(keep, 3);
	int code = kind == KIND_WORKER ? worker_life(&order, &files, child_begun)
	    : kind == KIND_JOURNAL     ? child_journal_main(keep[0], keep[1], keep[2], &journal)
				       : child_scheduler_main(keep[0], keep[1], keep[2]);
	_exit(code);
}
