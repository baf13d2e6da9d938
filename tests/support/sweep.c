#include "tests/support/sweep.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/mutate.h"
#include "tests/support/places.h"
#include "tests/support/seen.h"

enum {
	DEADLINE_S = 5,
	SHORT_INSTRUCTIONS = 400, /* up to so many: a victim dies at each */
	LONG_INSTRUCTIONS = 2000, /* up to so many: around each change of the image, */
	AROUND_INSTRUCTIONS = 6,  /* so many before and after; else one */
	INSTRUCTIONS_MAX = 1 << 20,
	POINTS_MAX = 1 << 20,
	ENDLESS_POINTS = 1000, /* steps; the longest operation has some hundreds */
	STATES_MAX = 1 << 14,
	FAILURES_SHOWN = 5,
	NOTHING_SWEPT = 3, /* exit code */
};

struct sweep {
	const struct sweep_op *op;
	bool setting_up;
	unsigned char *image;
	struct sweep_region region[SWEEP_REGIONS_MAX];
	size_t regions, bytes;
	unsigned char *start; /* private copies of all regions, in sequence */
	unsigned char *crash;
	unsigned char *scratch;
	char *reason; /* shared: the verdict of the survivor */
	uint64_t states[STATES_MAX];
	unsigned n_states;
	unsigned points;
	unsigned double_points;
	unsigned failures;
	unsigned shown; /* of this operation */
	bool finished;
};

enum { REASON_BYTES = 4096 };

static struct sweep sweep;

_Noreturn static void give_up(const char *what)
{
	perror(what);
	exit(2);
}

_Noreturn void sweep_fail(const char *reason)
{
	snprintf(sweep.reason, REASON_BYTES, "%s", reason);
	if (sweep.setting_up)
		printf("    %s: %s\n", sweep.op->name, reason);
	_exit(1);
}

bool sweep_finished(void)
{
	return sweep.finished;
}

static void *sweep_share(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		give_up("mmap");
	return memory;
}

static pid_t start_child(void)
{
	pid_t child = fork();
	if (child < 0)
		give_up("fork");
	return child;
}

static int wait_for(pid_t child)
{
	int status;
	if (waitpid(child, &status, __WALL) != child)
		give_up("waitpid");
	return status;
}

static void fail(const char *how, unsigned point, const char *reason)
{
	sweep.failures++;
	if (sweep.shown++ < FAILURES_SHOWN)
		printf("    %s: %s at point %u: %s\n", sweep.op->name, how, point, reason);
}

static void image_save(unsigned char *copy)
{
	if (sweep.op->take)
		sweep.op->take();
	for (size_t i = 0; i < sweep.regions; copy += sweep.region[i++].bytes)
		memcpy(copy, sweep.region[i].at, sweep.region[i].bytes);
}

static void image_restore(const unsigned char *copy)
{
	for (size_t i = 0; i < sweep.regions; copy += sweep.region[i++].bytes)
		memcpy(sweep.region[i].at, copy, sweep.region[i].bytes);
	if (sweep.op->put)
		sweep.op->put();
}

/* FNV-1a of the image without thread ids in locks, which differ from run to run. */
static uint64_t image_hash(pid_t victim)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	image_save(sweep.scratch);
	for (size_t i = 0; i + sizeof(uint32_t) <= sweep.bytes; i += sizeof(uint32_t)) {
		uint32_t word;
		memcpy(&word, sweep.scratch + i, sizeof word);
		if ((word & FUTEX_TID_MASK) == (uint32_t)victim)
			word ^= (uint32_t)victim;
		hash = (hash ^ word) * UINT64_C(1099511628211);
	}
	return hash;
}

/* True for the first crash with this image. */
static bool note_state(pid_t victim)
{
	uint64_t hash = image_hash(victim);
	for (unsigned i = 0; i < sweep.n_states; i++)
		if (sweep.states[i] == hash)
			return false;
	if (sweep.n_states < STATES_MAX)
		sweep.states[sweep.n_states++] = hash;
	return true;
}

static void sweep_recover(void);

/* A fresh process takes over after the death. */
static void sweep_survive(const char *how, unsigned point)
{
	sweep.reason[0] = 0;
	pid_t child = start_child();
	if (child == 0) {
		alarm(DEADLINE_S);
		sweep_recover();
		const char *unsound = sweep.op->judge(sweep.image);
		if (unsound)
			sweep_fail(unsound);
		_exit(0);
	}
	int status = wait_for(child);
	if (WIFSIGNALED(status))
		fail(how, point,
		    WTERMSIG(status) == SIGALRM ? "the survivor hangs" : "the survivor crashed");
	else if (WEXITSTATUS(status) != 0)
		fail(how, point, sweep.reason);
}

#ifdef PLM_STEPS

enum { SWEEPS_STEPS = true };

/* How a victim dies: at the first place where no victim of `places` has died; or, if that is NULL,
 * after so many steps, which only recorded moves need. */
struct death {
	struct places *places;
	unsigned steps;
};

static const struct death never = { .steps = UINT_MAX };
static struct places *of_operation, *of_recovery; /* of the operation; of one crash image */

static bool recovering;
static struct death awaited;

static bool comes_now(const struct step *step, const void *at)
{
	return awaited.places ? places_is_new(awaited.places, step, at) : awaited.steps-- == 0;
}

static bool come_to(const struct step *step, const void *at, size_t bytes)
{
	if (comes_now(step, at)) {
		seen_here(step, recovering ? SEEN_KILLED_IN_RECOVERY : SEEN_KILLED);
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	return mutate_step(step, at, bytes);
}

static void act_until(void (*act)(void *image), struct death death)
{
	awaited = death;
	recovering = act == sweep.op->recover;
	step_hook = come_to;
	act(sweep.image);
	step_hook = NULL;
}

static void sweep_recover(void)
{
	act_until(sweep.op->recover, never);
}

/* Runs act in victim k. False if the victim came to the end and did not die. */
static bool kill_at(
    void (*act)(void *image), struct death death, const char *how, unsigned k, pid_t *ret_victim)
{
	sweep.reason[0] = 0;
	pid_t child = start_child();
	if (child == 0) {
		alarm(DEADLINE_S);
		act_until(act, death);
		_exit(0);
	}
	int status = wait_for(child);
	*ret_victim = child;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail(how, k,
		    sweep.reason[0] ? sweep.reason : "the victim ended before it was killed");
	return false;
}

/* One failure proves that a broken rule was noticed. */
static bool is_noticed(void)
{
	return mutate_wanted() && sweep.failures > 0;
}

/* Kills the recovery of the current crash image at each place. */
static void sweep_recovery(void)
{
	pid_t victim;
	const struct death next = { .places = of_recovery };
	image_save(sweep.crash);
	places_forget(of_recovery);
	for (unsigned k = 0; k < POINTS_MAX && !is_noticed(); k++) {
		image_restore(sweep.crash);
		if (!kill_at(sweep.op->recover, next, "recovery killed", k, &victim))
			break;
		sweep.double_points++;
		sweep_survive("recovery killed", k);
	}
	image_restore(sweep.crash);
}

/* False if the operation came to the end. */
static bool sweep_point(unsigned k, struct death death)
{
	pid_t victim;
	image_restore(sweep.start);
	bool killed = kill_at(sweep.op->operate, death, "killed", k, &victim);
	sweep.points++;
	sweep.finished = !killed;
	bool is_new = note_state(victim);
	if (is_new && (!mutate_wanted() || getenv("PLM_MUTATE_DEEP")))
		sweep_recovery();
	if (is_new || !mutate_wanted())
		sweep_survive(killed ? "killed" : "finished", k);
	return killed;
}

/* ---- a broken rule ---- */

static void record_moves(void (*act)(void *image), const unsigned char *image)
{
	image_restore(image);
	pid_t child = start_child();
	if (child == 0) {
		alarm(DEADLINE_S);
		mutate_record();
		act_until(act, never);
		mutate_recorded();
		_exit(0);
	}
	wait_for(child);
}

/* A death between the right and the wrong place of a moved step. */
static void sweep_moves(void (*act)(void *image), const unsigned char *image, const char *how)
{
	pid_t victim;
	record_moves(act, image);
	for (unsigned i = 0; i < mutate_moves() * MUTATE_PLACES && !is_noticed(); i++) {
		unsigned move = i / MUTATE_PLACES, places = i % MUTATE_PLACES + 1;
		const struct death death = { .steps = mutate_death(move, places) };
		image_restore(image);
		kill_at(act, death, how, death.steps, &victim);
		sweep.points++;
		if (mutate_move(move, places) && note_state(victim))
			sweep_survive(how, death.steps);
	}
}

static void sweep_order(void)
{
	pid_t victim;
	const struct death next = { .places = of_operation };
	sweep_moves(sweep.op->operate, sweep.start, "killed");
	if (!getenv("PLM_MUTATE_DEEP"))
		return;
	for (unsigned k = 0; !is_noticed(); k++) {
		image_restore(sweep.start);
		if (!kill_at(sweep.op->operate, next, "killed", k, &victim))
			break;
		image_save(sweep.crash);
		sweep_moves(sweep.op->recover, sweep.crash, "recovery killed");
	}
}

static void sweep_points(void)
{
	const struct death next = { .places = of_operation };
	places_forget(of_operation);
	if (mutate_is_order()) {
		sweep_order();
		return;
	}
	if (mutate_wanted())
		sweep_point(0, never); /* most mutants fail there */
	unsigned k = 0;
	while (k < ENDLESS_POINTS && !is_noticed() && sweep_point(k, next))
		k++;
	if (k == ENDLESS_POINTS)
		fail("killed", k, "the operation never ends");
	seen_write(sweep.op->name);
}

#else

enum { SWEEPS_STEPS = false };

static void sweep_recover(void)
{
	sweep.op->recover(sweep.image);
}

/* By instruction count. */
static unsigned char changed_here[INSTRUCTIONS_MAX];
static unsigned char kill_here[INSTRUCTIONS_MAX];

static pid_t start_traced(void)
{
	image_restore(sweep.start);
	pid_t child = start_child();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		sweep.op->operate(sweep.image);
		raise(SIGUSR1);
		_exit(0);
	}
	if (!WIFSTOPPED(wait_for(child)))
		give_up("the victim cannot be traced");
	return child;
}

/* One instruction; false at the end of the operation or after an error. */
static bool sweep_step(pid_t child)
{
	if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0)
		give_up("ptrace");
	int status = wait_for(child);
	if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)
		return true;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGUSR1)
		fail("traced", 0, "the victim ended before it was killed");
	return false;
}

static void end_victim(pid_t child)
{
	kill(child, SIGKILL);
	int status = wait_for(child);
	while (WIFSTOPPED(status))
		status = wait_for(child);
}

/* Has the image changed since the last image_save() into sweep.crash? */
static bool image_moved(void)
{
	const unsigned char *copy = sweep.crash;
	for (size_t i = 0; i < sweep.regions; copy += sweep.region[i++].bytes)
		if (memcmp(copy, sweep.region[i].at, sweep.region[i].bytes) != 0)
			return true;
	return false;
}

/* Steps through once, notes where the image changed, returns the number of instructions. */
static unsigned find_changes(void)
{
	unsigned n = 0;
	pid_t child = start_traced();
	memset(changed_here, 0, sizeof changed_here);
	changed_here[0] = 1;
	image_save(sweep.crash);
	while (n < INSTRUCTIONS_MAX - 1 && sweep_step(child)) {
		n++;
		if (!image_moved())
			continue;
		image_save(sweep.crash);
		changed_here[n] = 1;
	}
	end_victim(child);
	return n;
}

static void mark_around(unsigned at, unsigned around)
{
	unsigned first = at > around ? at - around : 0;
	for (unsigned i = first; i <= at + around && i < INSTRUCTIONS_MAX; i++)
		kill_here[i] = 1;
}

/* Each victim is stepped from the start: the cost is instructions times points. */
static unsigned choose_points(void)
{
	unsigned n = find_changes();
	unsigned around = n <= LONG_INSTRUCTIONS ? AROUND_INSTRUCTIONS : 1;
	memset(kill_here, 0, sizeof kill_here);
	for (unsigned i = 0; i <= n; i++)
		if (n <= SHORT_INSTRUCTIONS)
			kill_here[i] = 1;
		else if (changed_here[i])
			mark_around(i, around);
	return n;
}

static void kill_at_instruction(unsigned k)
{
	pid_t child = start_traced();
	for (unsigned i = 0; i < k; i++)
		if (!sweep_step(child))
			break;
	end_victim(child);
	sweep.points++;
	note_state(child);
	sweep_survive("killed", k);
}

static void sweep_points(void)
{
	unsigned n = choose_points();
	for (unsigned k = 0; k <= n; k++)
		if (kill_here[k])
			kill_at_instruction(k);
}

#endif

static void begin_image(const struct sweep_op *op)
{
	sweep.image = op->bytes ? sweep_share(op->bytes) : NULL;
	sweep.setting_up = true;
	op->setup(sweep.image);
	sweep.setting_up = false;
	sweep.region[0] = (struct sweep_region){ sweep.image, op->bytes };
	sweep.regions = op->bytes ? 1 : op->regions(sweep.region);
	sweep.bytes = 0;
	for (size_t i = 0; i < sweep.regions; i++)
		sweep.bytes += sweep.region[i].bytes;
	sweep.start = malloc(sweep.bytes);
	sweep.crash = malloc(sweep.bytes);
	sweep.scratch = malloc(sweep.bytes);
	if (!sweep.start || !sweep.crash || !sweep.scratch)
		give_up("malloc");
	image_save(sweep.start);
}

static void end_image(const struct sweep_op *op)
{
	free(sweep.start);
	free(sweep.crash);
	free(sweep.scratch);
	if (op->bytes)
		munmap(sweep.image, op->bytes);
}

static void sweep_one(const struct sweep_op *op)
{
	uint64_t began = clock_ns();
	unsigned failures = sweep.failures;
	sweep.op = op;
	sweep.finished = false;
	sweep.n_states = sweep.points = sweep.double_points = sweep.shown = 0;
	begin_image(op);
	sweep_points();
	printf("%-44s %5u points %4u states %6u double faults %6.2f s  %s\n", op->name,
	    sweep.points, sweep.n_states, sweep.double_points,
	    (double)(clock_ns() - began) / (double)NS_PER_S,
	    sweep.failures == failures ? "ok" : "FAILED");
	fflush(stdout);
	end_image(op);
}

/* Lazy binding would add thousands of instructions of the loader to each victim. */
static void start_anew(void)
{
	static char name[] = "sweep";
	char *argv[] = { name, NULL };
	if (getenv("LD_BIND_NOW"))
		return;
	setenv("LD_BIND_NOW", "1", 1);
	personality(ADDR_NO_RANDOMIZE); /* refused: the numbers of points then vary a little */
	execv("/proc/self/exe", argv);
	give_up("exec");
}

/* $PLM_SWEEP_ONLY names one operation. */
static bool is_asked_for(const struct sweep_op *op)
{
	const char *only = getenv("PLM_SWEEP_ONLY");
	return (SWEEPS_STEPS || !op->steps_only) && (!only || strcmp(only, op->name) == 0);
}

static void open_notes(void)
{
#ifdef PLM_STEPS
	of_operation = places_open();
	of_recovery = places_open();
	if (mutate_wanted())
		mutate_open();
	else if (!getenv("PLM_SWEEP_ONLY"))
		seen_open();
#endif
}

/* A rule at a step that no victim reaches cannot be noticed. */
static void check_asked(unsigned operations)
{
	if (operations == 0) {
		fprintf(stderr, "sweep: no operation \"%s\"\n", getenv("PLM_SWEEP_ONLY"));
		exit(NOTHING_SWEPT);
	}
#ifdef PLM_STEPS
	if (mutate_wanted() && !mutate_was_met()) {
		fprintf(stderr, "sweep: nobody comes to \"%s\"\n", getenv("PLM_MUTATE"));
		exit(NOTHING_SWEPT);
	}
#endif
}

int sweep_run(const struct sweep_op *ops, size_t n)
{
	unsigned operations = 0;
	start_anew();
	setvbuf(stdout, NULL, _IOLBF, 0);
	sweep.reason = sweep_share(REASON_BYTES);
	open_notes();
	for (size_t i = 0; i < n; i++)
		if (is_asked_for(&ops[i])) {
			sweep_one(&ops[i]);
			operations++;
		}
	check_asked(operations);
	return (int)sweep.failures;
}
