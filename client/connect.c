/* connect.c - a process's place in a runtime: through the door, into the tables, and out again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "base/standard.h"
#include "base/why.h"
#include "client/handle.h"

enum {
	DOOR_PATIENCE_MS = 10000,
	ANSWER_LEAST_MS = 1000,
	MODULE_PATIENCE_MS = 60000,
	ALONE_PATIENCE_MS = 2000,
	ENTER_TRIES = 3,
	PLACE_TEXT_BYTES = 32
};

struct tables *plm_tables(plm *rt)
{
	return &rt->tables;
}

static bool connect_manager_listens(const struct plm *rt)
{
	char byte;
	return rt->socket < 0 || recv(rt->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static bool connect_lives(const struct process *p)
{
	int32_t pid = p->pid;
	return pid > 1 && process_start_time(pid) == p->start_time;
}

/* Without a manager the runtime goes on; without a scheduler as well nothing does until somebody
 * boots it again. That is given a moment: the guard of a manager needs some milliseconds. */
int handle_runtime_gone(struct plm *rt)
{
	const struct tables *t = &rt->tables;
	const char *name = t->control->name;
	if (sh_load(&t->control->mode) == MODE_STOPPED)
		return why(-EHOSTDOWN, "the runtime \"%s\" has stopped", name);
	if (connect_manager_listens(rt) || connect_lives(&t->process[SLOT_SCHEDULER]) ||
	    connect_lives(&t->process[SLOT_MANAGER])) {
		atomic_store_explicit(&rt->alone_ns, 0, memory_order_relaxed);
		return 0;
	}
	uint64_t now = clock_ns(), none = 0;
	atomic_compare_exchange_strong(&rt->alone_ns, &none, now);
	if (none == 0 || now - none < ALONE_PATIENCE_MS * NS_PER_MS)
		return 0;
	return why(-EHOSTDOWN,
	    "the processes of runtime \"%s\" are dead: `plm --name %s --daemon` "
	    "resumes it",
	    name, name);
}

int handle_check(struct plm *rt)
{
	if (!rt)
		return why(-EINVAL, "no handle: plm_connect() first");
	if (!*rt->alive)
		return why(-ECHILD,
		    "this handle belongs to the parent process: the child of a fork "
		    "connects anew");
	if (sh_load(&rt->tables.control->mode) == MODE_STOPPED)
		return handle_runtime_gone(rt);
	return 0;
}

static uint32_t connect_look_for_place(struct plm *rt, void *context)
{
	(void)context;
	struct ring ring = ring_up(&rt->tables, rt->self);
	return ring_used(&ring) < UP_RING_ENTRIES ? AWAITING_NOTHING : AWAITING_ANY;
}

static int connect_tell(struct plm *rt, const uint64_t *hints, uint32_t n, bool wake)
{
	for (;;) {
		uint32_t sent = tell_scheduler(&rt->tables, rt->self, hints, n, wake);
		hints += sent;
		n -= sent;
		if (n == 0)
			return 0;
		int r = handle_runtime_gone(rt);
		if (r < 0)
			return r;
		wait_for(rt, connect_look_for_place, NULL, deadline_after_ms(SAFETY_TICK_MS));
	}
}

int handle_tell(struct plm *rt, const uint64_t *hints, uint32_t n)
{
	return connect_tell(rt, hints, n, true);
}

int handle_tell_quietly(struct plm *rt, const uint64_t *hints, uint32_t n)
{
	return connect_tell(rt, hints, n, false);
}

uint64_t handle_answer_deadline(const struct plm *rt, int timeout_ms)
{
	int ms = LOCK_WAIT_MS;
	if (rt->answer_ms && rt->answer_ms < ms)
		ms = rt->answer_ms;
	if (timeout_ms > 0 && timeout_ms < ms)
		ms = timeout_ms;
	return deadline_after_ms(ms < ANSWER_LEAST_MS ? ANSWER_LEAST_MS : ms);
}

int handle_scheduler_silent(const struct plm *rt, uint64_t since_ns)
{
	const struct process *p = &rt->tables.process[SLOT_SCHEDULER];
	unsigned long long ms = (clock_ns() - since_ns) / NS_PER_MS;
	int pid = p->pid;
	if (process_stopped(pid, p->start_time))
		return why(-ETIMEDOUT,
		    "the scheduler (pid %d) is stopped: nothing from it for "
		    "%llu ms; `kill -CONT %d` lets it go on",
		    pid, ms, pid);
	return why(-ETIMEDOUT,
	    "the scheduler (pid %d) has not answered for %llu ms: it hangs, or "
	    "the machine is very busy; after `kill -9 %d` the runtime starts a new one",
	    pid, ms, pid);
}

struct room_look {
	uint32_t entries; /* that are to be free */
};

static uint32_t connect_look_for_room_to_tell(struct plm *rt, void *context)
{
	const struct room_look *look = context;
	struct ring ring = ring_up(&rt->tables, rt->self);
	bool room = ring_used(&ring) + look->entries <= UP_RING_ENTRIES;
	return room ? AWAITING_NOTHING : AWAITING_ANY;
}

/* A scheduler that lives empties a ring within milliseconds; to wait for one that is stopped is
 * given up before the caller is bound to tell. */
int handle_await_room_to_tell(struct plm *rt, uint32_t n)
{
	uint32_t most = UP_RING_ENTRIES / 2;
	struct room_look look = { n < most ? n : most };
	if (connect_look_for_room_to_tell(rt, &look) == AWAITING_NOTHING)
		return 0;
	uint64_t since_ns = clock_ns();
	process_post(&rt->tables, SLOT_SCHEDULER);
	int r = wait_for(rt, connect_look_for_room_to_tell, &look, handle_answer_deadline(rt, -1));
	return r == -ETIMEDOUT ? handle_scheduler_silent(rt, since_ns) : r;
}

/* ---- opening a handle over attached tables ---- */

static int connect_map_private(struct plm *rt)
{
	/* Untouched pages of the counts cost nothing, however large the table. */
	size_t bytes = (size_t)rt->tables.limits.records * sizeof rt->refs[0];
	void *refs = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *alive = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rt->refs = rt->refs_memory = refs == MAP_FAILED ? NULL : refs;
	rt->alive = alive == MAP_FAILED ? NULL : alive;
	if (!rt->refs || !rt->alive)
		return why(-ENOMEM, "no memory for a handle of %zu KiB", bytes >> 10);
	*rt->alive = 1;
	if (madvise(alive, 4096, MADV_WIPEONFORK) < 0)
		return why(-errno, "MADV_WIPEONFORK: %s", strerror(errno));
	return 0;
}

static void connect_unmap_private(struct plm *rt)
{
	if (rt->refs_memory)
		munmap(rt->refs_memory, (size_t)rt->tables.limits.records * sizeof rt->refs[0]);
	if (rt->alive)
		munmap(rt->alive, 4096);
	free(rt->adopted);
	free(rt->untold.hint);
	rt->adopted = NULL;
	rt->untold.hint = NULL;
	rt->refs_memory = NULL;
	rt->refs = NULL;
	rt->alive = NULL;
}

int handle_open(struct plm *rt, uint32_t slot)
{
	CHECK(slot < rt->tables.limits.processes);
	rt->self = rt->tables.self = slot;
	rt->me = &rt->tables.process[slot];
	rt->runtime = rt->tables.control->runtime;
	rt->bell_fd = -1;
	pthread_mutex_init(&rt->socket_mutex, NULL);
	pthread_mutex_init(&rt->import_mutex, NULL);
	for (int i = 0; i < DROP_GATES; i++)
		pthread_mutex_init(&rt->gate[i].mutex, NULL);
	pthread_mutex_init(&rt->untold.mutex, NULL);
	pthread_mutex_init(&rt->waiters_mutex, NULL);
	pthread_mutex_init(&rt->bell_mutex, NULL);
	for (int i = 0; i < SLOT_CACHES; i++) {
		pthread_mutex_init(&rt->cache[i].mutex, NULL);
		rt->cache[i].refill = 1;
	}
	int r = connect_map_private(rt);
	if (r == 0)
		r = names_open(&rt->names);
	uint64_t word = sh_load(&rt->me->state);
	if (r == 0 && !process_step(rt->me, &word, PROCESS_LIVE))
		r = why(-ECONNRESET, "process slot %u is not waiting for us", slot);
	if (r < 0) {
		names_close(&rt->names);
		connect_unmap_private(rt);
		return r;
	}
	/* A client counts as awake only while it spins: what it does between its calls is unknown.
	 */
	process_set_awake(&rt->tables, slot, rt->help);
	members_changed(&rt->tables);
	return 0;
}

void handle_close(struct plm *rt)
{
	bell_close(rt);
	slots_return_all(rt);
	/* Nothing held, reserved, or still to be granted: the scheduler need not scan the table for
	 * us. */
	if (atomic_load(&rt->held) == 0 && !rt->late.open && !untold_any(rt))
		sh_store(&rt->me->unclean, 0);
	uint64_t word = sh_load(&rt->me->state);
	process_step(rt->me, &word, PROCESS_LEAVING);
	names_close(&rt->names);
	connect_unmap_private(rt);
}

/* ---- the door ---- */

/* A round trip to the manager takes microseconds, and a scheduling delay on a crowded machine a
 * good part of a second: a caller with less patience than that means its own wait, not this. */
static int connect_door_patience_ms(int timeout_ms)
{
	if (timeout_ms < 0)
		return DOOR_PATIENCE_MS;
	return timeout_ms < ANSWER_LEAST_MS ? ANSWER_LEAST_MS : timeout_ms;
}

/* One request, one reply, perhaps with descriptors. */
static int connect_ask(struct plm *rt, int socket, enum door_request_kind kind, const char *text,
    uint64_t deadline_ns, struct door_reply *ret, int *ret_fds, int fds)
{
	struct door_request request = { .kind = kind, .number = ++rt->requests };
	size_t length = strlen(text);
	if (length >= sizeof request.text)
		return why(
		    -ENAMETOOLONG, "over %zu bytes: %.40s...", sizeof request.text - 1, text);
	memcpy(request.text, text, length);
	return door_ask(socket, &request, deadline_ns, ret, ret_fds, fds);
}

static int connect_enter(
    struct plm *rt, const char *name, enum door_request_kind kind, uint64_t deadline_ns)
{
	struct door_reply reply;
	int fds[2] = { -1, -1 }, peer;
	rt->socket = door_dial(name, deadline_ns);
	if (rt->socket < 0)
		return rt->socket;
	int r = door_check_peer(rt->socket, &peer);
	if (r == 0)
		r = connect_ask(rt, rt->socket, kind, program_invocation_short_name, deadline_ns,
		    &reply, fds, 2);
	for (int i = 0; i < 2; i++)
		fds[i] = standard_avoid(fds[i]);
	if (r == 0)
		r = tables_attach(fds[0], fds[1], &rt->tables);
	if (r == 0 && (uint32_t)reply.code >= rt->tables.limits.processes)
		r = why(-EPROTO, "the manager gave out a process slot that does not exist");
	if (r == 0)
		r = handle_open(rt, (uint32_t)reply.code);
	if (r == 0)
		rt->visits = reply.kept;
	if (r < 0) {
		tables_detach(&rt->tables);
		close(rt->socket);
	}
	return r;
}

static int connect_to(plm **ret, const char *name, unsigned flags, int timeout_ms)
{
	if (!name)
		name = getenv("PLM_NAME");
	struct plm *rt = calloc(1, sizeof *rt);
	if (!rt)
		return -ENOMEM;
	rt->tables.control_segment.fd = rt->tables.store_segment.fd = -1;
	rt->answer_ms = timeout_ms < 0 ? 0 : timeout_ms > 0 ? timeout_ms : 1;
	uint64_t deadline_ns = deadline_after_ms(connect_door_patience_ms(timeout_ms));
	int r, tries = 0;
	do /* a manager that takes over turns away who has come to the threshold of the last one */
		r = connect_enter(rt, name && name[0] ? name : "default",
		    flags & PLM_VISIT ? DOOR_VISIT : DOOR_HELLO, deadline_ns);
	while (r == -ECONNRESET && ++tries < ENTER_TRIES);
	if (r < 0) {
		free(rt);
		return r;
	}
	nested_enter(rt);
	*ret = rt;
	return 0;
}

int plm_connect_with(plm **ret, const char *name, unsigned flags, int timeout_ms)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_connect: no place for the handle");
	if (flags & ~(unsigned)PLM_VISIT)
		return why(-EINVAL, "unknown flags %#x", flags);
	return handle_end(said, connect_to(ret, name, flags, timeout_ms));
}

int plm_connect(plm **ret, const char *name)
{
	return plm_connect_with(ret, name, 0, -1);
}

void plm_disconnect(plm **rtp)
{
	struct plm *rt = rtp ? *rtp : NULL;
	if (!rt)
		return;
	*rtp = NULL;
	/* In the child of a fork the place is the parent's: only our copy of it goes. */
	bool ours = *rt->alive;
	if (ours)
		handle_close(rt);
	else
		connect_unmap_private(rt);
	tables_detach(&rt->tables);
	/* The manager sees the connection end, and our LEAVING: the slot is free again. Closing
	 * alone would not end it while a child that was forked meanwhile has the descriptor. */
	if (ours)
		shutdown(rt->socket, SHUT_RDWR);
	close(rt->socket);
	free(rt);
}

/* To the manager that has taken the place of the one that let us in. */
static int connect_dial_again(struct plm *rt, uint64_t deadline_ns)
{
	struct door_reply reply;
	char place[PLACE_TEXT_BYTES];
	int peer, fd = door_dial(rt->tables.control->name, deadline_ns);
	if (fd == -ETIMEDOUT)
		return fd;
	if (fd < 0)
		return why(-EHOSTDOWN,
		    "the manager of runtime \"%s\" is dead; its tasks go on, "
		    "and `plm --name %s --daemon` takes it over",
		    rt->tables.control->name, rt->tables.control->name);
	snprintf(
	    place, sizeof place, "%u %u", rt->self, process_generation(sh_load(&rt->me->state)));
	int r = door_check_peer(fd, &peer);
	if (r == 0)
		r = connect_ask(rt, fd, DOOR_AGAIN, place, deadline_ns, &reply, NULL, 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	dup3(fd, rt->socket, O_CLOEXEC); /* others may be looking at the number */
	close(fd);
	return 0;
}

/* The manager answers at once, but for a module, which it has loaded by another process first. */
static uint64_t connect_request_deadline(const struct plm *rt, enum door_request_kind kind)
{
	if (kind == DOOR_MODULE && rt->answer_ms == 0)
		return deadline_after_ms(MODULE_PATIENCE_MS);
	return deadline_after_ms(connect_door_patience_ms(rt->answer_ms ? rt->answer_ms : -1));
}

static int connect_ask_manager(struct plm *rt, enum door_request_kind kind, const char *text)
{
	struct door_reply reply;
	int r = handle_check(rt);
	if (r < 0)
		return r;
	if (rt->socket < 0)
		return why(-ENOTSUP, "not from inside a task");
	pthread_mutex_lock(&rt->socket_mutex);
	uint64_t deadline_ns = connect_request_deadline(rt, kind);
	r = connect_manager_listens(rt) ? 0 : connect_dial_again(rt, deadline_ns);
	if (r == 0)
		r = connect_ask(rt, rt->socket, kind, text, deadline_ns, &reply, NULL, 0);
	pthread_mutex_unlock(&rt->socket_mutex);
	return r < 0 ? r : 0;
}

static int connect_request(struct plm *rt, enum door_request_kind kind, const char *text)
{
	unsigned said = why_count();
	return handle_end(said, connect_ask_manager(rt, kind, text));
}

/* Also in a directory that somebody has removed meanwhile. */
static int connect_why_no_file(const char *path)
{
	char directory[PATH_MAX];
	int error = errno;
	bool here = path[0] == '/' || getcwd(directory, sizeof directory);
	return why(-error, "%s: %s", path,
	    here ? strerror(error) : "the current directory no longer exists");
}

int plm_module_load(plm *rt, const char *path)
{
	if (!path)
		return why(-EINVAL, "plm_module_load: no path is given");
	char *full = realpath(path, NULL); /* the manager stands in another directory */
	if (!full)
		return connect_why_no_file(path);
	int r = connect_request(rt, DOOR_MODULE, full);
	free(full);
	return r;
}

int plm_stop(plm *rt, int now)
{
	return connect_request(rt, now ? DOOR_STOP_NOW : DOOR_STOP, "");
}

static int connect_request_about(plm *rt, uint32_t kind, unsigned n)
{
	char text[16];
	snprintf(text, sizeof text, "%u", n);
	return connect_request(rt, kind, text);
}

int plm_set_workers(plm *rt, unsigned n)
{
	return connect_request_about(rt, DOOR_WORKERS, n);
}

int plm_drain_worker(plm *rt, unsigned worker)
{
	return connect_request_about(rt, DOOR_WORKER_DRAIN, worker);
}

int plm_resume_worker(plm *rt, unsigned worker)
{
	return connect_request_about(rt, DOOR_WORKER_RESUME, worker);
}

int plm_pause(plm *rt)
{
	return connect_request(rt, DOOR_ADMISSION, DOOR_PAUSE);
}

int plm_drain(plm *rt)
{
	return connect_request(rt, DOOR_ADMISSION, DOOR_DRAIN);
}

int plm_resume(plm *rt)
{
	return connect_request(rt, DOOR_ADMISSION, DOOR_RESUME);
}

int plm_patience(plm *rt, int timeout_ms)
{
	int r = handle_check(rt);
	if (r == 0)
		atomic_store_explicit(&rt->patience_ms, timeout_ms, memory_order_relaxed);
	return r;
}
