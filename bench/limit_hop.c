/* A token round a ring of processes, spinning or parked. */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/limits.h"
#include "bench/machine_limits.h"
#include "shm/steps.h"

enum {
	MEMBERS_MAX = 3,
	WARM_TURNS = 50,
	TURN_MAX_S = 5,
	SPINS_PER_LOOK = 1 << 16, /* at the clock */
};

struct member {
	_Alignas(CACHE_LINE_BYTES) shared32 word; /* W: the previous member; plus one each turn. */
};

struct hop {
	struct member *member;
	const struct hop_limit *limit;
	unsigned self; /* of a helper */
	int cpu[2];    /* where the two sides spin */
	int helper[MEMBERS_MAX];
};

static int wait_spinning(shared32 *word, uint32_t seen, uint64_t deadline)
{
	for (uint32_t spins = 1; sh_load(word) == seen; spins++) {
		if (spins % SPINS_PER_LOOK == 0 && clock_ns() > deadline)
			return -ETIMEDOUT;
		sh_relax();
	}
	return 0;
}

static int wait_parked(shared32 *word, uint32_t seen, uint64_t deadline)
{
	while (sh_load(word) == seen)
		if (sh_futex_wait(word, seen, deadline) < 0)
			return -ETIMEDOUT;
	return 0;
}

static int hop_wait(struct hop *hop, unsigned who, uint32_t seen, uint64_t deadline)
{
	shared32 *word = &hop->member[who].word;
	return hop->limit->spin ? wait_spinning(word, seen, deadline)
				: wait_parked(word, seen, deadline);
}

static void hop_pass(struct hop *hop, unsigned from, uint32_t turn)
{
	shared32 *next = &hop->member[(from + 1) % hop->limit->members].word;
	sh_store(next, turn);
	if (!hop->limit->spin)
		sh_futex_wake(next, 1);
}

static void limit_hop_pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	sched_setaffinity(0, sizeof set, &set);
}

/* Runs until killed by the process that started the ring. */
static void hop_serve(void *context)
{
	struct hop *hop = context;
	if (hop->limit->spin)
		limit_hop_pin(hop->cpu[1]);
	for (uint32_t turn = 1; hop_wait(hop, hop->self, turn - 1, DEADLINE_NEVER) == 0; turn++)
		hop_pass(hop, hop->self, turn);
}

static int hop_turn(struct hop *hop, uint32_t turn)
{
	hop_pass(hop, 0, turn);
	return hop_wait(hop, 0, turn - 1, clock_ns() + TURN_MAX_S * NS_PER_S);
}

static int hop_sample(struct hop *hop, uint32_t *turn, double *ret_ns)
{
	if (hop->limit->pause_us) {
		struct timespec pause = clock_timespec(hop->limit->pause_us * (uint64_t)1000);
		nanosleep(&pause, NULL);
	}
	uint64_t start = clock_ns();
	for (unsigned i = 0; i < hop->limit->turns; i++) {
		int r = hop_turn(hop, ++*turn);
		if (r < 0)
			return r;
	}
	*ret_ns = (double)(clock_ns() - start) / hop->limit->turns;
	return 0;
}

static int hop_measure(struct hop *hop, struct samples *ret)
{
	uint32_t turn = 0;
	while (turn < WARM_TURNS) {
		int r = hop_turn(hop, ++turn);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < hop->limit->samples; i++) {
		double ns;
		int r = hop_sample(hop, &turn, &ns);
		if (r < 0)
			return r;
		samples_add(ret, ns);
	}
	return 0;
}

/* Two spinners on one core would measure the time slice of the scheduler. */
static int choose_cpus(const cpu_set_t *usable, int cpu[2])
{
	int found = 0;
	for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
		if (CPU_ISSET((unsigned)i, usable))
			cpu[found++] = i;
	return found == 2 ? 0 : -ENODEV;
}

static int hop_run(struct hop *hop, struct samples *ret)
{
	int r = 0;
	unsigned started = 1;
	for (; started < hop->limit->members && r == 0; started++) {
		hop->self = started;
		hop->helper[started] = r = helper_start(hop_serve, hop);
		if (r > 0)
			r = 0;
	}
	if (r == 0)
		r = hop_measure(hop, ret);
	while (--started > 0)
		helper_end(hop->helper[started]);
	return r;
}

int limit_hop(void *hop_limit, struct samples *ret)
{
	struct hop hop = { .limit = hop_limit };
	cpu_set_t usable;
	if (sched_getaffinity(0, sizeof usable, &usable) < 0)
		return -errno;
	int r = hop.limit->spin ? choose_cpus(&usable, hop.cpu) : 0;
	if (r < 0)
		return r;
	size_t bytes = sizeof(struct member) * MEMBERS_MAX;
	hop.member = shared_map(bytes);
	if (!hop.member)
		return -ENOMEM;
	if (hop.limit->spin)
		limit_hop_pin(hop.cpu[0]);
	r = hop_run(&hop, ret);
	sched_setaffinity(0, sizeof usable, &usable); /* later children inherit the affinity */
	munmap(hop.member, bytes);
	return r;
}
