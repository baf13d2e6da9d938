/* clock.c - for LD_PRELOAD: the clock of the wall is wrong by as many seconds as the file says that
 * $PLM_TEST_CLOCK names. Other clocks run on, as on a machine whose date somebody sets. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_wrong_by(void)
{
	static const int64_t *seconds;
	const char *path = seconds ? NULL : getenv("PLM_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		void *page = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, fd, 0);
		seconds = page == MAP_FAILED ? NULL : page;
		close(fd);
	}
	return seconds ? __atomic_load_n(seconds, __ATOMIC_RELAXED) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(clock, ret);
	if (r == 0 && clock == CLOCK_REALTIME)
		ret->tv_sec += clock_wrong_by();
	return r;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	int r = clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return r;
}

time_t time(time_t *ret)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
