#include "manager/manager.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "events/eventlog_segment.h"
#include "manager/adopt.h"
#include "manager/birth.h"
#include "manager/death.h"
#include "manager/descriptors.h"
#include "manager/instance.h"
#include "manager/mode.h"
#include "manager/notify.h"
#include "manager/nursery.h"
#include "manager/spare_processes.h"
#include "manager/staff.h"
#include "manager/state_directory.h"
#include "manager/watching.h"
#include "store/nodes.h"

enum { EVENTS_PER_TURN = 32, RINGS_AT_ONCE = 64 };

/* ---- boot ---- */

/* The pidfd comes first: if getppid() still names the starter, the pidfd does, too. */
static int manager_tie(struct manager *m)
{
	pid_t starter = m->options->starter;
	m->parent = (int)syscall(SYS_pidfd_open, starter, 0);
	if (m->parent >= 0 && getppid() == starter)
		return watching_add(m, m->parent, WATCH_PARENT, 0);
	return why(-ESRCH, "the process that this runtime is --tied to has ended");
}

/* From here on a signal waits for the loop, so the loop can take down a boot half made. */
static void manager_hold_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigprocmask(SIG_BLOCK, ret, NULL);
}

static int manager_open_descriptors(struct manager *m)
{
	sigset_t wanted;
	manager_hold_signals(&wanted);
	signal(SIGPIPE, SIG_IGN);
	/* A file size limit is then an error of posix_fallocate, not a death. */
	signal(SIGXFSZ, SIG_IGN);
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	m->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->epoll < 0 || m->signals < 0)
		return why(-errno, "opening descriptors: %s", strerror(errno));
	int r = instance_bell(m);
	if (r == 0)
		r = watching_add(m, m->signals, WATCH_SIGNAL, 0);
	if (r == 0)
		r = watching_add(m, m->joined, WATCH_JOINED, 0);
	return r == 0 && m->options->tied ? manager_tie(m) : r;
}

/* Before the first touch, which decides the NUMA node of a page. */
static void manager_bind_arenas(struct manager *m)
{
	const struct tables *t = &m->tables;
	for (uint32_t i = 0; i < t->limits.nodes; i++)
		nodes_bind(store_writable(t, t->arena[i].first_granule),
		    (uint64_t)t->arena[i].pages * STORE_PAGE_BYTES, i);
}

/* Too little room in /dev/shm is only logged: the runtime may never need all of the store, and
 * `plmctl map` writes output without room to a file. */
static void manager_compare_store(const struct tables *t)
{
	uint64_t there = tables_shm_free(t), wanted = t->limits.store_bytes;
	if (there < wanted)
		log_warn(
		    "the store cannot reach its size: --store is %llu MiB, /dev/shm has "
		    "%llu MiB free; enlarge /dev/shm (mount -o remount,size=... /dev/shm; docker "
		    "run --shm-size), or choose a smaller --store",
		    (unsigned long long)wanted >> 20, (unsigned long long)there >> 20);
}

/* A runtime runs as well without a log of events. */
static void manager_make_log(struct manager *m)
{
	struct control *c = m->tables.control;
	c->event_ring = (uint32_t)m->options->event_ring;
	if (eventlog_segment_create(&m->tables, m->options->name) < 0) {
		c->event_ring = 0;
		log_warn("events of this runtime cannot be watched: %s", why_text());
		return;
	}
	c->events_always = m->options->events == EVENTS_ON;
	sh_store(&c->events, c->events_always);
}

static int manager_make_tables(struct manager *m)
{
	int r = tables_create(m->options->name, &m->options->limits, &m->tables);
	if (r < 0)
		return r;
	manager_compare_store(&m->tables);
	r = members_make_slots(m);
	if (r < 0)
		return r;
	struct control *c = m->tables.control;
	c->kinds = m->options->kinds;
	memcpy(c->kind, m->options->kind, sizeof c->kind);
	c->resources = m->options->resources;
	sh_store(&c->staff, c->kind[0].count);
	c->memory = m->options->memory;
	c->memory_rules = m->options->memory_rules;
	c->retention = m->options->retention;
	if (m->options->on_finish)
		snprintf(c->on_finish, sizeof c->on_finish, "%s", m->options->on_finish);
	memcpy(c->device, m->options->device, sizeof c->device);
	sh_store(&c->policy, m->options->policy);
	c->ageing_ms = (uint32_t)m->options->ageing_ms;
	c->spares = m->options->spares;
	c->seed = m->options->seed;
	c->jobserver = m->options->jobserver;
	manager_make_log(m);
	manager_bind_arenas(m);
	state_publish(m);
	struct process *self = &m->tables.process[SLOT_MANAGER];
	process_claim(self, KIND_MANAGER, getpid(), "manager");
	uint64_t word = sh_load(&self->state);
	process_step(self, &word, PROCESS_LIVE);
	sh_store(&c->made, 1);
	return 0;
}

static int manager_spawn_all(struct manager *m)
{
	int r = birth_spawn(m, KIND_SCHEDULER);
	if (r == 0 && m->state[0])
		r = birth_spawn(m, KIND_JOURNAL);
	for (uint32_t i = staff_processes(m); i > 0 && r == 0; i--)
		r = birth_spawn(m, KIND_WORKER);
	nursery_step(m);
	return r;
}

/* A failed boot leaves an adopted runtime unchanged. */
static void manager_give_up(struct manager *m)
{
	if (m->adopts)
		return;
	if (m->slot) {
		nursery_end(m);
		members_signal(m, SIGKILL);
	}
	instance_release(m);
}

int manager_boot(struct manager *m, const struct options *options, int ready)
{
	*m = (struct manager){ .options = options,
		.ready = ready,
		.lock = -1,
		.door.socket = -1,
		.parent = -1,
		.state_lock = -1,
		.notify = notify_open(),
		.scheduler.due_ns = DEADLINE_NEVER,
		.workers.due_ns = DEADLINE_NEVER,
		.journal.due_ns = DEADLINE_NEVER,
		.hang.due_ns = options->hang_after_ms ? 0 : DEADLINE_NEVER };
	sigset_t held;
	manager_hold_signals(&held);
	descriptors_raise();
	int r = instance_claim(m);
	if (r < 0)
		return r; /* the name is not taken: nothing to release */
	orphans_adopt();
	r = state_claim(m);
	if (r == 0)
		r = manager_open_descriptors(m);
	if (r == 0 && !m->adopts)
		nursery_begin(m);
	if (r == 0)
		r = m->adopts ? adopt_tables(m) : manager_make_tables(m);
	if (r == 0)
		outer_join(m);
	if (r == 0)
		r = birth_plan(m);
	if (r == 0) /* members come up while modules are loaded */
		r = m->adopts ? adopt_processes(m) : manager_spawn_all(m);
	if (r == 0)
		r = admission_open(m);
	if (r == 0)
		r = loader_begin(m);
	if (r < 0)
		manager_give_up(m);
	return r;
}

/* ---- the loop: events record facts, manager_step() decides ---- */

static void manager_on_signal(struct manager *m)
{
	struct signalfd_siginfo info;
	while (read(m->signals, &info, sizeof info) == sizeof info) {
		if (m->stopping)
			mode_end(m);
		else
			mode_stop(m);
	}
}

static void manager_announce(struct manager *m)
{
	char line[128];
	int n = snprintf(line, sizeof line, "plm: ready name=%s pid=%d workers=%u\n",
	    m->options->name, (int)getpid(), staff_workers(m));
	while (write(m->ready, line, (size_t)n) < 0 && errno == EINTR)
		;
	if (!m->stopping)
		sh_store(&m->tables.control->mode, MODE_UP);
	m->announced = true;
	if (journal_slot(&m->tables)) /* modules are loaded: time to queue tasks of earlier boots */
		event_bump(&m->tables.process[journal_slot(&m->tables)].event);
	notify_say(
	    m->notify, "READY=1\nSTATUS=%s: up, %u workers\n", m->options->name, staff_workers(m));
	if (m->ready != STDOUT_FILENO) {
		close(m->ready);
		m->ready = -1;
	}
}

static void manager_announce_if_complete(struct manager *m)
{
	bool stops = m->ending || m->abandoned || (m->stopping && !m->adopts);
	if (!m->announced && !stops && !m->loader.boot_due && members_all_live(m))
		manager_announce(m);
}

static void manager_on_joined(struct manager *m)
{
	eventfd_t rings[RINGS_AT_ONCE];
	while (read(m->joined, rings, sizeof rings) == sizeof rings)
		;
	manager_announce_if_complete(m);
	staff_dismiss(m);
}

static void manager_on_parent_gone(struct manager *m)
{
	log_info("the process that this runtime is --tied to has ended: the runtime ends, too");
	watching_drop(m, m->parent);
	mode_end(m);
}

static void manager_on_process(struct manager *m, uint32_t slot)
{
	/* An earlier event of the turn may have handled the death, and a later event may have given
	 * the process slot to a living process. */
	struct pollfd death = { .fd = m->slot[slot].pidfd, .events = POLLIN };
	if (death.fd < 0 || poll(&death, 1, 0) != 1)
		return;
	if (m->slot[slot].kind == KIND_CLIENT)
		admission_client_died(m, slot);
	else
		death_of_member(m, slot);
}

/* The ready line may have waited for the module. */
static void manager_on_loader(struct manager *m)
{
	if (loader_done(m) < 0)
		mode_boot_failed(m);
	manager_announce_if_complete(m);
}

static void manager_on_zygote(struct manager *m, uint32_t python)
{
	orphans_end(m); /* processes started by modules that the zygote imported */
	int r = nursery_ended(m, python);
	if (r < 0 && !m->announced && !m->ending)
		mode_boot_failed(m);
	else if (r < 0)
		log_warn("%s; trying again in %u ms", why_text(), nursery_delay_ms(m, python));
}

static void manager_on_event(struct manager *m, uint64_t what)
{
	uint32_t which = (uint32_t)what;
	switch ((enum watch)(what >> 32)) {
	case WATCH_DOOR: admission_accept(m); break;
	case WATCH_SIGNAL: manager_on_signal(m); break;
	case WATCH_JOINED: manager_on_joined(m); break;
	case WATCH_STRANGER: admission_hello(m, (int)which); break;
	case WATCH_PROCESS: manager_on_process(m, which); break;
	case WATCH_SOCKET: admission_request(m, which); break;
	case WATCH_LOADER: manager_on_loader(m); break;
	case WATCH_ORPHAN: orphans_ended(m, (int)which); break;
	case WATCH_NURSERY: nursery_hear(m, which); break;
	case WATCH_ZYGOTE: manager_on_zygote(m, which); break;
	case WATCH_OUTER: break; /* manager_step() takes the token */
	case WATCH_PARENT: manager_on_parent_gone(m); break;
	case WATCH_FLEET: fleet_child_ended(m); break;
	}
}

/* The journal ends last, to write the tasks settled during the end of all members. */
static void manager_end_step(struct manager *m)
{
	if (m->ending && !m->journal_dismissed && members_only_journal(m)) {
		m->journal_dismissed = true;
		m->end_deadline_ns = clock_ns() + JOURNAL_GRACE_MS * NS_PER_MS;
		members_dismiss_journal(m, SIGTERM);
	}
	if (!m->ending || clock_ns() < m->end_deadline_ns)
		return;
	log_warn("killed %u processes that did not end in time", members_count(m));
	if (m->journal_dismissed)
		members_dismiss_journal(m, SIGKILL);
	else
		members_signal(m, SIGKILL);
	fleet_child_end(m, true);
	m->end_deadline_ns = DEADLINE_NEVER;
}

static void manager_step(struct manager *m)
{
	spare_processes_adjust(m);
	outer_step(m);
	birth_spawn_due(m);
	nursery_step(m);
	fleet_child_step(m);
	hang_look(m);
	orphans_reap(m);
	loader_overdue(m);
	admission_step(m);
	strangers_overdue(m);
	sh_poke(&m->tables.process[SLOT_MANAGER].beat_ns, clock_coarse_ns());
	manager_end_step(m);
}

static int manager_next_timeout_ms(const struct manager *m)
{
	uint64_t now = clock_ns(), due = now + SAFETY_TICK_MS * NS_PER_MS;
	const uint64_t all[] = { m->scheduler.due_ns, m->workers.due_ns, m->journal.due_ns,
		m->outer.look_ns, nursery_due_ns(m), fleet_child_due_ns(m),
		m->loader.pid ? m->loader.deadline_ns : DEADLINE_NEVER,
		m->ending ? m->end_deadline_ns : m->hang.due_ns };
	for (size_t i = 0; i < COUNT_OF(all); i++)
		due = all[i] < due ? all[i] : due;
	return due <= now ? 0 : (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

static bool manager_is_over(const struct manager *m)
{
	return m->ending && members_count(m) == 0 && m->orphans.count == 0 && !m->loader.pid &&
	    !m->fleet.pid && nursery_is_empty(m);
}

int manager_run(struct manager *m)
{
	struct epoll_event events[EVENTS_PER_TURN];
	manager_announce_if_complete(m); /* adopted members may be complete already */
	while (!m->abandoned && !manager_is_over(m)) {
		int n = epoll_wait(m->epoll, events, EVENTS_PER_TURN, manager_next_timeout_ms(m));
		for (int i = 0; i < n; i++)
			manager_on_event(m, events[i].data.u64);
		manager_step(m);
	}
	if (m->abandoned)
		return -EIO;
	outer_leave(m);
	if (m->hopeless)
		instance_set_aside(m, "its processes cannot work with it");
	instance_release(m);
	log_info("stopped");
	return m->failed || m->hopeless ? -EIO : 0;
}
