/* sweep_boot.c - the manager, killed at every step of its life: while the manager boots from
 * nothing, replaces a runtime or continues one; while the manager reports ready, stops and ends.
 * The recovery is another boot of the same name by a whole manager, which dies as well. In the
 * end there is one complete runtime, and it works.
 *
 * The image is the files: a copy of the used parts of the segments. Before the first word of a
 * segment is written no process reads the segment, so the content is not copied. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rmtree.h"
#include "events/eventlog_segment.h"
#include "manager/manager.h"
#include "manager/watching.h"
#include "tables/segment_plan.h"
#include "tests/sweeps/standin.h"
#include "tests/support/world.h"

enum { UNUSED = 40, IMAGE_BYTES = 1 << 17, PAGE = 4096, FILES = 3, PIECES = 2 };

static struct manager dying, next, *playing;
static struct options options = { .kinds = 1,
	.jobserver = JOBSERVER_NONE,
	.policy = 1,
	.event_ring = EVENT_RING_MIN,
	.kind[0] = { .count = 1, .generation = 1, .cpus = 1, .amount[RESOURCE_CPUS] = AMOUNT_UNIT },
	.limits = {
	    .processes = 64, .workers = 1, .records = 64, .nodes = 1, .store_bytes = 1 << 20 } };
static char directory[] = "/tmp/sweep-boot-XXXXXX";
static struct plan plan;

/* The files in /dev/shm: the control segment, the store and the event log. */
static struct image {
	bool there[FILES], ready[FILES];
	uint64_t bytes[FILES];
	char content[FILES][IMAGE_BYTES];
} * image;

static struct piece { /* of a file; the bytes between pieces are zero: no module and no hint is
		       * there */
	uint64_t at, bytes;
} piece[FILES][PIECES];

/* The mapping of a client of the first runtime, whatever files have the names later. */
static struct segment_header *before;

/* ---- answers in the kernel's stead ---- */

/* The loader is another process, which touches only the registry: the judge does the loader's
 * work. */
int __wrap_loader_begin(struct manager *m);
int __wrap_loader_begin(struct manager *m)
{
	(void)m;
	return 0;
}

/* The boot id that distinguishes runtimes: the same in each run, a different one in the
 * recovery. */
ssize_t __wrap_getrandom(void *at, size_t bytes, unsigned flags);
ssize_t __wrap_getrandom(void *at, size_t bytes, unsigned flags)
{
	(void)flags;
	memset(at, playing == &dying ? 0x5a : 0x7b, bytes);
	return (ssize_t)bytes;
}

/* The manager is ready when this message is sent. */
void __wrap_notify_say(int socket, const char *format, ...);
void __wrap_notify_say(int socket, const char *format, ...)
{
	(void)socket;
	if (strncmp(format, "READY=1", strlen("READY=1")) == 0)
		SWEEP_REQUIRE(sh_load(&playing->tables.control->mode) == MODE_UP);
}

/* ---- files ---- */

static void segment_name(int i, char ret[SEGMENT_NAME_BYTES])
{
	static const char *const whats[FILES] = { "control", "store", "events" };
	tables_segment_name(options.name, whats[i], ret);
}

/* The stand-in counts as dead, whatever start time is recorded. */
static void forget_start(char *control)
{
	struct process *table = (struct process *)(void *)(control + plan.process);
	if (!standin_lives(&table[SLOT_MANAGER]))
		table[SLOT_MANAGER].start_time = 0;
}

static void take(void)
{
	memset(image, 0, sizeof *image);
	for (int i = 0; i < FILES; i++) {
		char name[SEGMENT_NAME_BYTES], *to = image->content[i];
		struct stat st;
		segment_name(i, name);
		int fd = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			continue;
		SWEEP_REQUIRE(fstat(fd, &st) == 0);
		image->there[i] = true;
		if (pread(fd, to, sizeof(uint64_t), 0) > 0 && *(uint64_t *)(void *)to) {
			image->ready[i] = true;
			image->bytes[i] = (uint64_t)st.st_size;
			for (int n = 0; n < PIECES; to += piece[i][n++].bytes)
				SWEEP_REQUIRE(
				    pread(fd, to, piece[i][n].bytes, (off_t)piece[i][n].at) ==
				    (ssize_t)piece[i][n].bytes);
		}
		close(fd);
	}
	if (image->ready[0])
		forget_start(image->content[0]);
}

static void forget_before(void)
{
	if (before)
		munmap(before, plan.total);
	before = NULL;
}

static void map_before(int fd)
{
	before = mmap(NULL, plan.total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SWEEP_REQUIRE(before != MAP_FAILED);
}

static void put(void)
{
	forget_before();
	for (int i = 0; i < FILES; i++) {
		char name[SEGMENT_NAME_BYTES];
		const char *from = image->content[i];
		segment_name(i, name);
		shm_unlink(name);
		if (!image->there[i])
			continue;
		int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		SWEEP_REQUIRE(fd >= 0 && ftruncate(fd, (off_t)image->bytes[i]) == 0);
		for (int n = 0; n < PIECES && image->ready[i]; from += piece[i][n++].bytes)
			SWEEP_REQUIRE(pwrite(fd, from, piece[i][n].bytes, (off_t)piece[i][n].at) ==
			    (ssize_t)piece[i][n].bytes);
		if (i == 0 && image->ready[i])
			map_before(fd);
		close(fd);
	}
}

static size_t regions(struct sweep_region *ret)
{
	ret[0] = (struct sweep_region){ image, sizeof *image };
	return 1;
}

/* ---- a manager's life ---- */

static void boot(struct manager *m)
{
	playing = m;
	standin_plays = &m->tables;
	SWEEP_REQUIRE(manager_boot(m, &options, open("/dev/null", O_WRONLY | O_CLOEXEC)) == 0);
}

/* Plays the members that the manager has started. */
static uint32_t come_to_life(const struct manager *m)
{
	uint32_t worker = process_nth_slot(&m->tables, KIND_WORKER, 0);
	tables_share(&m->tables, &world.tables);
	if (process_state(sh_load(&world.tables.process[SLOT_SCHEDULER].state)) == PROCESS_STARTING)
		world_born(SLOT_SCHEDULER);
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		uint64_t word = sh_load(&world.tables.process[i].state);
		if (process_kind(word) == KIND_WORKER && process_state(word) == PROCESS_STARTING)
			world_born(worker = i);
	}
	return worker;
}

/* No process dies in this runtime. */
static void quietly(void (*act)(void))
{
#ifdef PLM_STEPS
	bool (*hook)(const struct step *step, const void *at, size_t bytes) = step_hook;
	step_hook = NULL;
	act();
	step_hook = hook;
#else
	act();
#endif
}

static void boot_and_live(void)
{
	boot(&dying);
	come_to_life(&dying);
	sh_poke(
	    &dying.tables.process[SLOT_MANAGER].beat_ns, 0); /* the manager has not beaten yet */
}

/* ---- the start ---- */

static void make_image(void)
{
	plan_make(&options.limits, &plan);
	piece[0][0] = (struct piece){ 0, plan.registry + PAGE };
	piece[0][1] = (struct piece){ plan.worker_heap, plan.total - plan.worker_heap };
	piece[1][0] = (struct piece){ 0, SEGMENT_HEADER_BYTES };
	struct eventlog_plan log;
	eventlog_plan_make(options.limits.processes, EVENT_RING_MIN, &log);
	piece[2][0] = (struct piece){ 0, log.ring }; /* nobody writes into the rings */
	SWEEP_REQUIRE(piece[0][0].bytes + plan.total - plan.worker_heap <= IMAGE_BYTES);
	image =
	    mmap(NULL, sizeof *image, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	SWEEP_REQUIRE(image != MAP_FAILED);
}

static void setup_nothing(void *unused)
{
	(void)unused;
	if (!image) {
		make_image();
		SWEEP_REQUIRE(mkdtemp(directory));
		setenv("XDG_RUNTIME_DIR", directory, 1);
		unsetenv("MAKEFLAGS");
		unsetenv("NOTIFY_SOCKET");
		snprintf(options.name, sizeof options.name, "sweep-boot-%d", (int)getpid());
	}
	standin_begin();
	options.fresh = false;
	tables_unlink(options.name);
}

/* A booted runtime with a living client; all members are dead, and so is the manager. */
static void leave_one(void)
{
	boot_and_live();
	const struct tables *t = &dying.tables;
	sh_store(&t->control->mode, MODE_UP);
	SWEEP_REQUIRE(process_claim(&t->process[WORLD_A], KIND_CLIENT, 0, "client"));
	uint64_t word = sh_load(&t->process[WORLD_A].state);
	SWEEP_REQUIRE(process_step(&t->process[WORLD_A], &word, PROCESS_LIVE));
	for (uint32_t i = SLOT_SCHEDULER; i < t->limits.processes; i++)
		if (process_present(sh_load(&t->process[i].state)))
			standin_take(&t->process[i], i == WORLD_A);
	event_prepare(&t->process[WORLD_A].event);
}

static void setup_left(void *unused)
{
	int status;
	setup_nothing(unused);
	pid_t child = fork();
	SWEEP_REQUIRE(child >= 0);
	if (child == 0) {
		leave_one();
		_exit(0);
	}
	SWEEP_REQUIRE(waitpid(child, &status, 0) == child && status == 0);
	take();
	put();
}

/* ---- operations ---- */

static void boot_once(void *unused)
{
	(void)unused;
	boot(&dying);
}

static void boot_fresh(void *unused)
{
	(void)unused;
	options.fresh = true;
	boot(&dying);
}

/* Two signals wait before the manager's first look, and all members have ended after the
 * signals. */
static void live_and_end(void *unused)
{
	(void)unused;
	quietly(boot_and_live);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGINT);
	for (uint32_t i = SLOT_SCHEDULER; i < dying.tables.limits.processes; i++) {
		if (dying.slot[i].pidfd < 0)
			continue;
		watching_drop(&dying, dying.slot[i].pidfd);
		standin_take(&dying.tables.process[i], false);
		standin_watch(&dying, i);
		SWEEP_REQUIRE(watching_add(&dying, dying.slot[i].pidfd, WATCH_PROCESS, i) == 0);
	}
	SWEEP_REQUIRE(manager_run(&dying) == 0);
	SWEEP_REQUIRE(sh_load(&dying.tables.control->mode) == MODE_STOPPED);
	SWEEP_REQUIRE(sh_peek(&dying.tables.process[SLOT_MANAGER].beat_ns));
}

static void boot_next(void *unused)
{
	(void)unused;
	options.fresh = false;
	boot(&next);
}

/* ---- verdicts ---- */

static const char *judge_members(void)
{
	const struct tables *t = &next.tables;
	uint32_t workers = 0;
	for (uint32_t i = SLOT_MANAGER; i < t->limits.processes; i++) {
		uint64_t word = sh_load(&t->process[i].state);
		if (!process_present(word))
			continue;
		workers += process_kind(word) == KIND_WORKER;
		if (i != SLOT_MANAGER && !standin_lives(&t->process[i]))
			return "one that is dead is not declared dead";
		if (i != SLOT_MANAGER && next.slot[i].pidfd < 0)
			return "one that lives is not watched";
	}
	if (!process_present(sh_load(&t->process[SLOT_SCHEDULER].state)) || workers != 1)
		return "its members are not those it is to have";
	return t->process[SLOT_MANAGER].pid == getpid() ? NULL : "nobody knows its manager";
}

/* The page as manager.c:manager_make_tables writes it, whichever manager wrote it. */
static const char *judge_page(void)
{
	const struct tables *t = &next.tables;
	char path[SEGMENT_NAME_BYTES + 32], name[SEGMENT_NAME_BYTES];
	if (!sh_load(&t->control->made) || sh_load(&t->control->staff) != 1)
		return "the control page is not complete";
	if (sh_load(&t->control->policy) != options.policy)
		return "the policy is not the one that was asked for";
	if (process_state(sh_load(&t->process[SLOT_MANAGER].state)) != PROCESS_LIVE)
		return "the manager's slot is not its own";
	struct segment log;
	if (eventlog_segment_open(t, false, &log) < 0)
		return "the runtime has no event log";
	segment_detach(&log);
	for (int i = 0; i < FILES; i++) {
		segment_name(i, name);
		snprintf(path, sizeof path, "/dev/shm%s.aside", name);
		if (access(path, F_OK) == 0)
			return "what a boot had not finished is set aside, as if it were worth it";
	}
	return NULL;
}

/* A process that has the former runtime mapped sees the end of that runtime, and is woken. */
static const char *judge_before(void)
{
	if (!before || before->runtime == next.tables.control->runtime)
		return NULL;
	const char *base = (const char *)before;
	const struct control *c = (const struct control *)(const void *)(base + plan.control);
	const struct process *client =
	    (const struct process *)(const void *)(base + plan.process) + WORLD_A;
	if (sh_load(&c->mode) != MODE_STOPPED)
		return "the former runtime is removed, and does not say so";
	return event_sleeper(&client->event) ? "a client of the former runtime sleeps on" : NULL;
}

static const char *it_works(void)
{
	plm_ref ref = world_submit(&world.b, "probe.echo", &PLM_BYTES("x", 1), 1, 1, 0, 0);
	world_work();
	return world_yields(ref, "x", 1) ? NULL : "a task has no value";
}

static const char *judge(void *unused)
{
	(void)unused;
	const char *why = judge_members();
	if (!why)
		why = judge_page();
	if (!why)
		why = judge_before();
	if (why)
		return why;
	uint32_t worker = come_to_life(&next);
	sh_store(&world.tables.control->mode, MODE_UP);
	for (uint32_t i = SLOT_FIRST_SHARED; i < world.tables.limits.processes; i++)
		if (i != worker)
			world_declare_dead(i);
	world_settle();
	world_learn();
	world_join(&world.a, WORLD_A);
	world_join(&world.b, WORLD_B);
	return world_judge(UNUSED, it_works);
}

#define SWEPT(what, prepare, act)                                                                  \
	{                                                                                          \
		.name = what, .regions = regions, .setup = prepare, .operate = act,                \
		.recover = boot_next, .judge = judge, .take = take, .put = put, .steps_only = true \
	}

static const struct sweep_op ops[] = {
	SWEPT("booting", setup_nothing, boot_once),
	SWEPT("beginning anew", setup_left, boot_fresh),
	SWEPT("going on with what is left", setup_left, boot_once),
	SWEPT("ready, stopping, the end", setup_nothing, live_and_end),
};

int main(void)
{
	int failures = sweep_run(ops, COUNT_OF(ops));
	char lock[DOOR_LOCK_BYTES];
	door_lock_path(options.name, lock);
	unlink(lock);
	tables_unlink(options.name);
	rmtree_at(AT_FDCWD, directory);
	return failures ? 1 : 0;
}
