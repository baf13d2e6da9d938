/* mod_gauge.c - tasks that know how many of them run at once, and that tell what they were given.
 * The gauge is a file that a test made and looks into: two 64-bit words, now and most ever. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "plm.h"

enum { TEXT_BYTES = 256, US_PER_S = 1000000, NS_PER_US = 1000 };

struct gauge {
	_Atomic int64_t now, most;
};

static const char *mod_gauge_text(plm_call *call, size_t i, char ret[TEXT_BYTES])
{
	size_t length = 0;
	const void *data = plm_arg_data(call, i, &length);
	memset(ret, 0, TEXT_BYTES);
	if (data && length < TEXT_BYTES)
		memcpy(ret, data, length);
	return ret;
}

static struct gauge *open_gauge(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory = fd < 0
	    ? MAP_FAILED
	    : mmap(NULL, sizeof(struct gauge), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return memory == MAP_FAILED ? NULL : memory;
}

/* FILE AMOUNT MICROSECONDS */
static int mod_gauge_hold(plm_call *call)
{
	char path[TEXT_BYTES], number[TEXT_BYTES];
	struct gauge *gauge = open_gauge(mod_gauge_text(call, 0, path));
	int64_t amount = strtoll(mod_gauge_text(call, 1, number), NULL, 10);
	long us = strtol(mod_gauge_text(call, 2, number), NULL, 10);
	if (!gauge)
		return plm_fail(call, errno, "no gauge at %s", path);
	int64_t now = atomic_fetch_add(&gauge->now, amount) + amount;
	int64_t most = atomic_load(&gauge->most);
	while (now > most && !atomic_compare_exchange_weak(&gauge->most, &most, now))
		;
	struct timespec while_held = { us / US_PER_S, us % US_PER_S * NS_PER_US };
	nanosleep(&while_held, NULL);
	atomic_fetch_sub(&gauge->now, amount);
	munmap(gauge, sizeof *gauge);
	return 0;
}

/* NAME: what this variable of the environment is; "(unset)". */
static int mod_gauge_variable(plm_call *call)
{
	char name[TEXT_BYTES];
	const char *value = getenv(mod_gauge_text(call, 0, name));
	value = value ? value : "(unset)";
	char *result = plm_result(call, strlen(value));
	if (!result)
		return plm_fail(call, ENOSPC, "%s", plm_why());
	memcpy(result, value, strlen(value));
	return 0;
}

PLM_MODULE(gauge, { "hold", mod_gauge_hold, "FILE AMOUNT US: counts up, sleeps, counts down" },
    { "variable", mod_gauge_variable, "NAME: of the environment" });
