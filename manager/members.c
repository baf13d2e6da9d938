/* members.c - birth and death of scheduler and workers.
 *
 * A child is forked from this one-threaded process, which has loaded no user code; it keeps the
 * segments' descriptors and nothing else, and attaches anew. It outlives us, unless --tied. Not
 * SIGCHLD for deaths: pending signals merge, and two deaths would look like one. A pidfd a process
 * names the dead, costs one descriptor, and serves clients as well. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/journal.h"
#include "manager/manager.h"
#include "scheduler/scheduler.h"
#include "store/nodes.h"
#include "spec/spec.h"
#include "command/command.h"
#include "worker/needs.h"

/* ---- the child ---- */

void child_begin(const int *keep, int n)
{
	sigset_t none;
	unsigned from = 3;
	descriptors_restore();
	/* Ascending order of keep is the callers' duty: each gap between them is closed at once. */
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
	signal(SIGINT, SIG_IGN); /* a Ctrl-C at the terminal is the manager's to handle */
}

/* For the handler of SIGTERM alone: the role it stops. */
static struct worker *this_worker;
static struct scheduler *this_scheduler;
static struct journal *this_journal;

static void members_on_interrupt(int signal)
{
	(void)signal;
}

static void members_on_terminate(int signal)
{
	(void)signal;
	if (this_worker)
		atomic_store(&this_worker->stop, true);
	if (this_scheduler)
		atomic_store(&this_scheduler->stop, true);
	if (this_journal)
		atomic_store(&this_journal->stop, true);
}

/* A system call that blocks returns EINTR: no SA_RESTART. */
static void members_take_interrupts(void)
{
	struct sigaction action = { .sa_handler = members_on_interrupt };
	sigaction(PROCESS_INTERRUPT, &action, NULL);
}

static int members_scheduler_main(int control_fd, int store_fd, int joined)
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
	eventfd_write(joined, 1);
	scheduler_run(&scheduler);
	uint64_t word = sh_load(&scheduler.me->state); /* for a manager that is not told how */
	process_step(scheduler.me, &word, PROCESS_LEAVING);
	return 0;
}

/* Before it touches memory of its own, so that this lies near. A worker in the wrong place is slow
 * and right: it runs. */
static void members_take_place(const struct place *place)
{
	if (place && place_take(place) < 0)
		log_warn("%s; it runs where it is put", why_text());
}

static uint32_t members_node_of(const struct place *place)
{
	return place && place->node >= 0 ? (uint32_t)place->node : nodes_here();
}

struct post { /* what a worker is told at its birth */
	uint32_t slot;
	const struct injection *injection;
	const struct place *place;
	struct recycling recycling;
};

static int members_worker_main(int control_fd, int store_fd, int joined, const struct post *post)
{
	static struct worker worker;
	worker.injection = post->injection;
	worker.recycling = post->recycling;
	members_take_place(post->place);
	int r = tables_attach(control_fd, store_fd, &worker.rt.tables);
	if (r == 0)
		r = worker_open(&worker, post->slot);
	if (r < 0) {
		log_warn("cannot start: %s", why_text());
		return 1;
	}
	needs_end(&worker);
	sh_poke(&worker.rt.me->node, members_node_of(post->place));
	this_worker = &worker;
	eventfd_write(joined, 1);
	command_begin(&worker.rt.tables, post->slot);
	worker_run(&worker);
	worker_close(&worker);
	return 0;
}

static int members_journal_main(
    int control_fd, int store_fd, int joined, const struct journal_plan *plan)
{
	static struct journal journal;
	int r = tables_attach(control_fd, store_fd, &journal.rt.tables);
	this_journal = &journal; /* it may be told to stop while it waits for its file */
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

static void members_name_role(const struct manager *m, enum process_kind kind, uint32_t slot)
{
	char role[32], title[32];
	int n = snprintf(role, sizeof role, "%s", process_kind_name(kind));
	if (kind == KIND_WORKER)
		snprintf(role + n, sizeof role - (size_t)n, " %u", slot);
	snprintf(title, sizeof title, "plm-%s", process_kind_name(kind));
	log_open(m->options->name, role);
	prctl(PR_SET_NAME, title);
}

static _Noreturn void members_child_main(
    struct manager *m, enum process_kind kind, uint32_t slot, pid_t parent)
{
	/* Low numbers in a known order, so that what lies between can be closed. */
	int keep[3] = { fcntl(m->tables.control_segment.fd, F_DUPFD_CLOEXEC, 3),
		fcntl(m->tables.store_segment.fd, F_DUPFD_CLOEXEC, 3),
		fcntl(m->joined, F_DUPFD_CLOEXEC, 3) };
	members_name_role(m, kind, slot);
	signal(SIGTERM, members_on_terminate);
	members_take_interrupts();
	if (m->options->tied)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* nobody knows of us yet, but for who waits for the lock to be free */
	m->tables.process[slot].start_time = process_start_time(getpid());
	m->tables.process[slot].pid = getpid();
	uint32_t worker_kind = m->tables.process[slot].worker_kind % WORKER_KINDS_MAX;
	struct post post = { .slot = slot,
		.recycling = m->options->recycling,
		.place = m->place
		    ? &m->place[m->tables.process[slot].place % m->tables.limits.workers]
		    : NULL,
		.injection = injection_for(
		    &m->options->injections, m->options->kind[worker_kind].generation) };
	const struct journal_plan journal = { .directory = m->state,
		.slot = slot,
		.durability = (enum durability)m->tables.control->journal.durability,
		.age_ms = m->options->history_age_ms,
		.count = m->options->history_count };
	tables_detach(&m->tables); /* the manager's view of them; ours is made anew */
	child_begin(keep, 3);
	int code = kind == KIND_WORKER ? members_worker_main(keep[0], keep[1], keep[2], &post)
	    : kind == KIND_JOURNAL     ? members_journal_main(keep[0], keep[1], keep[2], &journal)
				       : members_scheduler_main(keep[0], keep[1], keep[2]);
	_exit(code);
}

/* ---- birth ---- */

int members_plan(struct manager *m)
{
	struct topology *topology;
	uint32_t workers = m->tables.limits.workers;
	if (m->options->pin == PIN_NONE)
		return 0; /* nor is hwloc asked, which takes milliseconds */
	m->place = calloc(workers, sizeof *m->place);
	if (!m->place)
		return why(-ENOMEM, "no memory for the places of %u workers", workers);
	int r = topology_open(TOPOLOGY_CPUS, &topology);
	if (r < 0)
		return r;
	r = topology_plan(topology, m->options->pin, workers, m->place);
	topology_close(&topology);
	return r;
}

/* The first that fewest workers have: the next one gets the place of the one it replaces, and they
 * share when there are more than at boot. Not by its slot: that of a dead one is free only when the
 * scheduler has cleaned up after it. */
static uint32_t members_free_place(const struct manager *m)
{
	uint32_t takers[WORKERS_MAX] = { 0 }, best = 0;
	for (uint32_t slot = SLOT_FIRST_MEMBER; slot < m->tables.limits.processes; slot++) {
		uint64_t word = sh_load(&m->tables.process[slot].state);
		if (process_kind(word) == KIND_WORKER && process_present(word) &&
		    !m->tables.process[slot].spare)
			takers[m->tables.process[slot].place % WORKERS_MAX]++;
	}
	for (uint32_t place = 1; place < m->tables.limits.workers; place++)
		if (takers[place] < takers[best])
			best = place;
	return best;
}

static uint32_t members_free_slot(const struct manager *m, enum process_kind kind)
{
	uint32_t members = kind == KIND_WORKER ? m->tables.limits.processes - SLOT_FIRST_MEMBER : 1;
	uint32_t journal = journal_slot(&m->tables);
	for (uint32_t i = 0; i < members; i++) {
		uint32_t slot = kind == KIND_WORKER ? process_nth_slot(&m->tables, kind, i)
		    : kind == KIND_JOURNAL          ? journal
						    : (uint32_t)SLOT_SCHEDULER;
		if (kind == KIND_WORKER && slot == journal)
			continue;
		if (process_state(sh_load(&m->tables.process[slot].state)) == PROCESS_FREE &&
		    m->slot[slot].pidfd < 0 && tables_open_slot(&m->tables, slot) == 0)
			return slot;
	}
	return 0;
}

/* A slot of the process table, and of a worker, for one that is to be forked. */
static int members_take_slot(struct manager *m, enum process_kind kind, uint32_t *ret)
{
	struct vacancy vacancy = { 0 };
	if (kind == KIND_WORKER && !staff_vacancy(m, &vacancy) && !staff_spare_vacancy(m, &vacancy))
		return why(-EEXIST, "every worker has its processes");
	uint32_t slot = members_free_slot(m, kind);
	if (!slot)
		return why(-EAGAIN, "no process slot is free");
	struct process *p = &m->tables.process[slot];
	p->worker = vacancy.worker;
	p->worker_kind = vacancy.kind;
	p->gpu_first = vacancy.gpu_first;
	p->spare = vacancy.relieved;
	if (!process_claim(p, kind, 0, process_kind_name(kind)))
		return why(-EAGAIN, "process slot %u was taken", slot);
	if (kind == KIND_WORKER)
		sh_poke(&p->booked, BOOKED_AT_BIRTH);
	*ret = slot;
	return 0;
}

static int members_watch_child(struct manager *m, enum process_kind kind, uint32_t slot, pid_t pid)
{
	struct process *p = &m->tables.process[slot];
	p->pid = pid;
	p->start_time = process_start_time(pid);
	uint64_t word = sh_load(&p->state);
	m->slot[slot].pid = pid;
	m->slot[slot].kind = kind;
	m->slot[slot].generation = process_generation(word);
	m->slot[slot].born_ns = clock_ns();
	m->slot[slot].fenced = m->slot[slot].adopted = false;
	m->slot[slot].beat_ns = 0; /* none was seen */
	m->slot[slot].pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (m->slot[slot].pidfd < 0)
		return why(-errno, "pidfd_open: %s", strerror(errno));
	return manager_watch(m, m->slot[slot].pidfd, WATCH_PROCESS, slot);
}

int members_spawn(struct manager *m, enum process_kind kind)
{
	uint32_t slot = 0,
		 place = members_free_place(m); /* before the slot, which had one of its own */
	int r = members_take_slot(m, kind, &slot);
	if (r < 0)
		return r;
	uint32_t relieved = m->tables.process[slot].spare;
	if (relieved && relieved < m->tables.limits.processes)
		place = m->tables.process[relieved].place;
	m->tables.process[slot].place = place;
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		members_child_main(m, kind, slot, parent);
	r = pid < 0 ? why(-errno, "fork: %s", strerror(errno))
		    : members_watch_child(m, kind, slot, pid);
	if (r == 0)
		return 0;
	/* Unwatched it must not live: nobody would notice its end. */
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	members_gone(m, slot, 0);
	return r;
}

/* ---- death ---- */

/* Whoever sleeps may wait for a wake that the dead one ate: everybody looks again. */
static void members_wake_everybody(struct manager *m)
{
	for (uint32_t i = 0; i < m->tables.limits.processes; i++)
		if (process_present(sh_load(&m->tables.process[i].state)))
			process_bump(&m->tables, i);
	event_bump(&m->tables.control->room);
}

void members_wake(struct manager *m)
{
	struct process *scheduler = &m->tables.process[SLOT_SCHEDULER];
	uint64_t word = sh_load(&scheduler->state);
	/* Nothing of a dead one is truth: its successor derives it again. */
	process_step(scheduler, &word, PROCESS_FREE);
	members_changed(&m->tables);
	members_wake_everybody(m);
}

/* A damaged word of one that we have seen die: what it held is to be released all the same. */
static void members_insist_that_it_is_dead(struct manager *m, uint32_t slot)
{
	const struct watched *w = &m->slot[slot];
	if (w->kind != KIND_NONE)
		sh_store(&m->tables.process[slot].state,
		    process_word(w->generation, w->kind, PROCESS_DEAD));
}

void members_gone(struct manager *m, uint32_t slot, int status)
{
	struct process *p = &m->tables.process[slot];
	uint64_t word = sh_load(&p->state);
	sh_poke(&p->died_ns, clock_ns());
	sh_store(&p->exit_status, (uint32_t)status);
	if (!process_step(p, &word, PROCESS_DEAD))
		members_insist_that_it_is_dead(m, slot);
	process_set_awake(&m->tables, slot, false);
	members_wake(m);
}

static void members_describe_end(int status, char *ret, size_t size)
{
	if (status == PROCESS_UNSEEN)
		snprintf(ret, size, "ended, nobody knows how,");
	else if (WIFSIGNALED(status))
		snprintf(ret, size, "killed by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(ret, size, "ended with exit code %d", WEXITSTATUS(status));
}

static bool members_any_adopted(const struct manager *m)
{
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		if (m->slot[i].pidfd >= 0 && m->slot[i].adopted && m->slot[i].kind != KIND_CLIENT)
			return true;
	return false;
}

/* Damage that no attach sees is found by those who work with it: they end with a word, each time
 * again, and nobody would ever be let in. Who is killed says nothing of the kind. */
static void members_count_failure(struct manager *m, int status, uint64_t lived_ms)
{
	if (m->announced || m->ending || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		return;
	/* It waited for a lock in vain: if nobody lives who could give it back, twice is enough. */
	m->failures += lived_ms >= LOCK_WAIT_MS && !members_any_adopted(m) ? FAILURES_MAX / 2 : 1;
	if (m->failures < FAILURES_MAX * (m->adopts ? 1 : m->tables.limits.workers + 1))
		return;
	log_warn("its processes end before it is ready, each time: it cannot be %s",
	    m->adopts ? "resumed" : "booted");
	if (m->adopts)
		m->hopeless = true;
	else
		m->failed = true;
	manager_end(m);
}

/* One that did its work, or lived long, is replaced at once; one that dies young makes the next
 * wait. */
static void members_plan_restart(
    struct manager *m, uint32_t slot, enum process_kind kind, const char *end)
{
	const struct process *p = &m->tables.process[slot];
	struct backoff *b = kind == KIND_SCHEDULER ? &m->scheduler
	    : kind == KIND_JOURNAL                 ? &m->journal
						   : &m->workers;
	uint64_t now = clock_ns(), lived_ms = (now - m->slot[slot].born_ns) / NS_PER_MS;
	bool worked = sh_peek(&p->done) || sh_peek(&p->failed) || sh_peek(&p->running);
	if (worked || lived_ms >= RESTART_CALM_MS)
		b->delay_ms = 0;
	else
		b->delay_ms = b->delay_ms == 0               ? RESTART_DELAY_MIN_MS
		    : b->delay_ms * 2 > RESTART_DELAY_MAX_MS ? RESTART_DELAY_MAX_MS
							     : b->delay_ms * 2;
	/* A scheduler's first death is always mended at once: everybody waits for it. */
	if (kind == KIND_SCHEDULER && lived_ms >= RESTART_DELAY_MAX_MS / 10)
		b->delay_ms = 0;
	b->missing++;
	b->due_ns = now + b->delay_ms * NS_PER_MS;
	sh_add(&m->tables.control->restarts, 1);
	log_warn("%s in slot %u pid %d %s after %llu ms: replaced in %u ms",
	    process_kind_name(kind), slot, p->pid, end, (unsigned long long)lived_ms, b->delay_ms);
}

/* It ended as it was asked to, or wanted to: another comes only if there are too few. */
static void members_plan_vacancy(struct manager *m, uint32_t slot)
{
	const struct process *p = &m->tables.process[slot];
	log_info("worker %u in slot %u pid %d has left after %llu tasks", p->worker, slot, p->pid,
	    (unsigned long long)(sh_peek(&p->done) + sh_peek(&p->failed)));
	m->workers.missing++;
	m->workers.due_ns = clock_ns();
}

static bool members_take_status(int pidfd, int *ret)
{
	siginfo_t info = { 0 };
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return false;
	*ret = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
	return true;
}

void members_died(struct manager *m, uint32_t slot)
{
	uint64_t word = sh_load(&m->tables.process[slot].state);
	enum process_kind kind = m->slot[slot].kind;
	int status = 0;
	if (!m->slot[slot].adopted && !members_take_status(m->slot[slot].pidfd, &status))
		return;
	if (m->slot[slot].adopted)
		status = PROCESS_UNSEEN;
	bool orderly =
	    status == 0 || (m->slot[slot].adopted && process_state(word) == PROCESS_LEAVING);
	manager_unwatch(m, m->slot[slot].pidfd);
	m->slot[slot].pidfd = -1;
	char end[96];
	members_describe_end(status, end, sizeof end);
	if (kind == KIND_SCHEDULER && m->draining && orderly)
		manager_end(m);
	else if (!m->ending && kind == KIND_WORKER && orderly &&
	    process_state(word) == PROCESS_LEAVING)
		members_plan_vacancy(m, slot);
	else if (kind == KIND_JOURNAL && !m->announced && !m->adopts && WIFEXITED(status))
		manager_fail(m); /* it has said why: without what was asked for there is no boot */
	else if (!m->ending) {
		members_plan_restart(m, slot, kind, end);
		members_count_failure(m, status, (clock_ns() - m->slot[slot].born_ns) / NS_PER_MS);
	}
	/* Before its task is anybody else's, or said to be gone: what it started is over then. */
	orphans_end(m);
	orphans_await(m);
	if (m->slot[slot].adopted && kind == KIND_WORKER)
		orphans_unowned(m);
	members_gone(m, slot, status | (m->slot[slot].fenced ? (int)PROCESS_HUNG : 0));
}

static void members_spawn_missing(struct manager *m, struct backoff *b, enum process_kind kind)
{
	while (b->missing > 0) {
		int r = members_spawn(m, kind);
		if (r == -EEXIST) {
			b->missing = 0;
			break;
		}
		if (r < 0) { /* no slot yet, or no process to be had: soon again */
			if (r == -EAGAIN)
				places_starve(m, b, process_kind_name(kind));
			else
				log_warn("starting a %s: %s; trying again", process_kind_name(kind),
				    why_text());
			b->due_ns = clock_ns() + RESTART_DELAY_MIN_MS * NS_PER_MS;
			return;
		}
		places_feed(b, process_kind_name(kind));
		b->missing--;
	}
	b->due_ns = DEADLINE_NEVER;
}

void members_spawn_due(struct manager *m)
{
	uint64_t now = clock_ns();
	if (m->ending)
		return;
	if (m->scheduler.due_ns <= now)
		members_spawn_missing(m, &m->scheduler, KIND_SCHEDULER);
	if (m->workers.due_ns <= now)
		members_spawn_missing(m, &m->workers, KIND_WORKER);
	if (m->journal.due_ns <= now)
		members_spawn_missing(m, &m->journal, KIND_JOURNAL);
}

void members_complete(struct manager *m)
{
	uint64_t now = clock_ns();
	if (m->slot[SLOT_SCHEDULER].pidfd < 0) {
		m->scheduler.missing = 1;
		m->scheduler.due_ns = now;
	}
	m->workers.missing = m->tables.limits.processes; /* as many as there are vacancies */
	m->workers.due_ns = now;
	if (m->state[0] && m->slot[journal_slot(&m->tables)].pidfd < 0) {
		m->journal.missing = 1;
		m->journal.due_ns = now;
	}
}

/* By what we know ourselves: whatever the table says, it is signalled, and waited for. */
static bool members_is_of_ours(const struct manager *m, uint32_t slot)
{
	return m->slot[slot].pidfd >= 0 && m->slot[slot].kind != KIND_CLIENT;
}

void members_signal(struct manager *m, int signal)
{
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		if (members_is_of_ours(m, i) && m->slot[i].kind != KIND_JOURNAL)
			syscall(SYS_pidfd_send_signal, m->slot[i].pidfd, signal, NULL, 0);
	members_wake_everybody(m);
}

void members_dismiss_journal(struct manager *m, int signal)
{
	uint32_t slot = journal_slot(&m->tables);
	if (m->slot[slot].pidfd >= 0)
		syscall(SYS_pidfd_send_signal, m->slot[slot].pidfd, signal, NULL, 0);
	members_wake_everybody(m);
}

bool members_only_journal(const struct manager *m)
{
	uint32_t slot = journal_slot(&m->tables);
	return slot && m->slot[slot].pidfd >= 0 && members_count(m) == 1;
}

/* Not by their number: who was drained is not to be, in a runtime that is gone on with. */
bool members_all_live(const struct manager *m)
{
	struct vacancy vacancy;
	uint64_t word = sh_load(&m->tables.process[SLOT_SCHEDULER].state);
	if (process_state(word) != PROCESS_LIVE)
		return false;
	for (uint32_t i = SLOT_FIRST_MEMBER; i < m->tables.limits.processes; i++) {
		word = sh_load(&m->tables.process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_STARTING &&
		    !m->tables.process[i].spare)
			return false;
	}
	uint32_t journal = m->state[0] ? journal_slot(&m->tables) : 0;
	if (journal && process_state(sh_load(&m->tables.process[journal].state)) != PROCESS_LIVE)
		return false;
	return !staff_vacancy(m, &vacancy);
}

uint32_t members_count(const struct manager *m)
{
	uint32_t n = 0;
	for (uint32_t i = SLOT_SCHEDULER; i < m->tables.limits.processes; i++)
		n += members_is_of_ours(m, i);
	return n;
}
