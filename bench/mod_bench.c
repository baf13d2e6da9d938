/* mod_bench.c - the module of the benchmarks: tasks of a length finer than a microsecond. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/work.h"
#include "plm.h"

/* TURNS [FUTURE...]: works for TURNS (eight bytes) turns; the futures' values are not read. */
static int bench_work(plm_call *call)
{
	uint64_t turns;
	size_t length = 0;
	const void *data = plm_nargs(call) > 0 ? plm_arg_data(call, 0, &length) : NULL;
	if (length != sizeof turns)
		return plm_fail(call, EINVAL, "bench.work takes eight bytes first");
	memcpy(&turns, data, sizeof turns);
	work_turns(turns);
	return 0;
}

/* MILLISECONDS, as text: burns as much processor time, however many tasks share the core. */
static int bench_burn(plm_call *call)
{
	char text[16] = "";
	size_t length = 0;
	const void *data = plm_nargs(call) == 1 ? plm_arg_data(call, 0, &length) : NULL;
	if (!data || length >= sizeof text)
		return plm_fail(call, EINVAL, "bench.burn takes a number of milliseconds");
	memcpy(text, data, length);
	uint64_t end = work_cpu_ns() + strtoull(text, NULL, 10) * 1000000u;
	while (work_cpu_ns() < end)
		work_turns(1000);
	return 0;
}

/* BYTES: reads the first and the last byte. */
static int bench_touch(plm_call *call)
{
	size_t length = 0;
	const unsigned char *data = plm_arg_data(call, 0, &length);
	unsigned char *result = data && length ? plm_result(call, 1) : NULL;
	if (!result)
		return plm_fail(call, EINVAL, "bench.touch takes some bytes");
	*result = data[0] ^ data[length - 1];
	return 0;
}

/* Opens the file that the argument names. 0, or the result of plm_fail(). */
static int record_of(plm_call *call, struct start_record **ret)
{
	char path[256];
	size_t length = 0;
	const void *data = plm_nargs(call) == 1 ? plm_arg_data(call, 0, &length) : NULL;
	if (!data || length >= sizeof path)
		return plm_fail(call, EINVAL, "it takes a path");
	memcpy(path, data, length);
	path[length] = 0;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct start_record *seen = fd < 0
	    ? MAP_FAILED
	    : mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (seen == MAP_FAILED)
		return plm_fail(call, errno, "%s: %s", path, strerror(errno));
	*ret = seen;
	return 0;
}

/* PATH: notes the start in a file, and stays until killed; the second start ends at once. */
static int bench_stay(plm_call *call)
{
	uint64_t now = work_now_ns();
	struct start_record *seen;
	int r = record_of(call, &seen);
	if (r != 0)
		return r;
	if (seen->pid == 0) {
		__atomic_store_n(&seen->pid, getpid(), __ATOMIC_RELEASE);
		for (;;)
			pause();
	}
	seen->again_ns = now;
	munmap(seen, sizeof *seen);
	return 0;
}

/* PATH: notes the start, unless another task of this kind has already. */
static int bench_first(plm_call *call)
{
	uint64_t now = work_now_ns(), none = 0;
	struct start_record *seen;
	int r = record_of(call, &seen);
	if (r != 0)
		return r;
	__atomic_compare_exchange_n(
	    &seen->first_ns, &none, now, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	munmap(seen, sizeof *seen);
	return 0;
}

PLM_MODULE(bench, { "work", bench_work, "TURNS [FUTURE...]: works for so many turns of a loop" },
    { "burn", bench_burn, "MILLISECONDS: burns as much processor time" },
    { "touch", bench_touch, "BYTES: looks at the first and the last" },
    { "stay", bench_stay, "PATH: notes its start there and stays until it is killed, once" },
    { "first", bench_first, "PATH: notes its start there, if it is the first" });
