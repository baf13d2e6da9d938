/* mod_nested.c - tasks that wait inside: for what a client brings, or for tasks with needs; and
 * tasks that stand until a test lets them go, so that it sees how many run at once.
 * What they stand in is a file that the test made: three 64-bit words: how many stand there, the
 * most ever, and not 0 when they are to go. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "plm.h"

enum { TEXT_BYTES = 256, LOOK_AGAIN_NS = 500000 };

struct hall {
	_Atomic int64_t now, most, open;
};

static const char *mod_nested_text(plm_call *call, size_t i, char ret[TEXT_BYTES])
{
	size_t length = 0;
	const void *data = plm_arg_data(call, i, &length);
	memset(ret, 0, TEXT_BYTES);
	if (data && length < TEXT_BYTES)
		memcpy(ret, data, length);
	return ret;
}

static struct hall *enter_hall(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory = fd < 0
	    ? MAP_FAILED
	    : mmap(NULL, sizeof(struct hall), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

static int stand_in(plm_call *call, size_t argument)
{
	static const struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	char path[TEXT_BYTES];
	struct hall *hall = enter_hall(mod_nested_text(call, argument, path));
	if (!hall)
		return plm_fail(call, errno, "no hall at %s", path);
	int64_t now = atomic_fetch_add(&hall->now, 1) + 1, most = atomic_load(&hall->most);
	while (now > most && !atomic_compare_exchange_weak(&hall->most, &most, now))
		;
	while (!atomic_load(&hall->open) && !plm_cancelled(call))
		nanosleep(&pause, NULL);
	atomic_fetch_sub(&hall->now, 1);
	munmap(hall, sizeof *hall);
	return 0;
}

/* FILE */
static int mod_nested_stand(plm_call *call)
{
	return stand_in(call, 0);
}

/* REF [FILE] */
static int mod_nested_await(plm_call *call)
{
	char name[TEXT_BYTES];
	plm_ref ref;
	if (plm_ref_parse(mod_nested_text(call, 0, name), &ref) < 0)
		return plm_fail(call, EINVAL, "%s", plm_why());
	int r = plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL);
	if (r < 0)
		return plm_fail(call, -r, "%s", plm_why());
	return plm_nargs(call) > 1 ? stand_in(call, 1) : 0;
}

/* NEEDS */
static int await_needing(plm_call *call)
{
	char needs[TEXT_BYTES];
	plm_terms terms = { .needs = mod_nested_text(call, 0, needs) };
	plm_task task = { .function = "probe.noop", .terms = &terms };
	plm_ref ref;
	int r = plm_submit(plm_runtime(call), &task, &ref);
	if (r == 0)
		r = plm_wait(plm_runtime(call), &ref, 1, 1, -1, NULL);
	return r < 0 ? plm_fail(call, -r, "%s", plm_why()) : 0;
}

PLM_MODULE(nested, { "stand", mod_nested_stand, "FILE: stands there until it is open" },
    { "await", mod_nested_await, "REF [FILE]: waits for it, then stands there" },
    { "await_needing", await_needing, "NEEDS: waits for a task that has them" });
