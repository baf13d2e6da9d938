/* kernel.c - the answers of kernel and libc: the linker sends the product's calls here (--wrap,
 * Makefile), so the product needs no code for the explorer.
 *
 * Time is the schedule's. A futex sleeps as a coroutine does. A robust mutex is a word with the
 * number of the holder, whose life or death is known here. Memory comes from a block that is
 * emptied before each schedule, so nothing is freed and nothing leaks. Forked processes are
 * coroutines, and their pidfds are numbers. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "manager/orphans.h"
#include "manager/watching.h"
#include "verify/explore/explore.h"

enum { CLOCK_READ_NS = 20, FORGOTTEN_WAKE = 3, OVERLOOKED_HOLD = 20, MUTEX_ROBUST = 16 };
enum { MUTEX_SOUND, MUTEX_INHERITED, MUTEX_LOST };

enum mutation mutation;
const char *const mutation_names[MUTATIONS] = { "nothing", "wake", "bump", "commit", "inherit",
	"hold", "owed", "late" };

#define WRAPPED(type, name, ...)         \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

static bool kernel_refused(void)
{
	if (w.current == NOBODY || !w.proc[w.current].fails || w.ending)
		return false;
	w.proc[w.current].fails = false;
	return true;
}

/* ---- time ---- */

WRAPPED(int, clock_gettime, clockid_t id, struct timespec *ret)
{
	(void)id;
	w.now_ns += CLOCK_READ_NS;
	*ret = clock_timespec(w.now_ns);
	return 0;
}

WRAPPED(int, nanosleep, const struct timespec *span, struct timespec *left)
{
	(void)left;
	schedule_step("nanosleep");
	run_sleep(NULL, w.now_ns + (uint64_t)span->tv_sec * NS_PER_S + (uint64_t)span->tv_nsec);
	return 0;
}

WRAPPED(int, sched_yield, void)
{
	schedule_step("yield");
	run_yield();
	return 0;
}

WRAPPED(int, sched_getcpu, void)
{
	return 0;
}

WRAPPED(int, sched_getaffinity, pid_t pid, size_t bytes, cpu_set_t *set)
{
	(void)pid;
	memset(set, 0, bytes);
	CPU_SET(0, set);
	return 0;
}

/* No task sleeps. */
WRAPPED(int, getrusage, int who, struct rusage *usage)
{
	(void)who;
	memset(usage, 0, sizeof *usage);
	return 0;
}

WRAPPED(ssize_t, getrandom, void *at, size_t bytes, unsigned flags)
{
	(void)flags;
	memset(at, 0x5a, bytes);
	return (ssize_t)bytes;
}

/* ---- memory ---- */

WRAPPED(void *, malloc, size_t bytes)
{
	if (!memory_is_ours)
		return __real_malloc(bytes);
	return kernel_refused() && w.scenario->fails ? NULL : memory_take(bytes);
}

WRAPPED(void *, calloc, size_t n, size_t bytes)
{
	return memory_is_ours ? __wrap_malloc(n * bytes) : __real_calloc(n, bytes);
}

WRAPPED(void, free, void *at)
{
	if (at && !memory_owns(at))
		__real_free(at);
}

WRAPPED(void *, realloc, void *at, size_t bytes)
{
	if (!memory_is_ours)
		return __real_realloc(at, bytes);
	void *other = __wrap_malloc(bytes);
	/* The bytes behind the old block are ours as well: copying too much does no harm. */
	if (other && at)
		memmove(other, at, bytes);
	return other;
}

WRAPPED(void *, mmap, void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	if (!memory_is_ours || !(flags & MAP_ANONYMOUS))
		return __real_mmap(at, bytes, protection, flags, fd, offset);
	void *taken = kernel_refused() && w.scenario->fails ? NULL : memory_take(bytes);
	errno = ENOMEM;
	return taken ? taken : MAP_FAILED;
}

WRAPPED(int, munmap, void *at, size_t bytes)
{
	return memory_owns(at) ? 0 : __real_munmap(at, bytes);
}

WRAPPED(int, madvise, void *at, size_t bytes, int advice)
{
	return memory_owns(at) ? 0 : __real_madvise(at, bytes, advice);
}

/* The file is sparse and grows when written; reserving pages is not tested here. */
WRAPPED(int, posix_fallocate, int fd, off_t offset, off_t bytes)
{
	(void)fd;
	(void)offset;
	(void)bytes;
	schedule_step("posix_fallocate");
	return kernel_refused() && w.scenario->fails ? ENOSPC : 0;
}

/* ---- sleeping and waking ---- */

static long kernel_futex(
    shared32 *word, int operation, uint32_t value, const struct timespec *until)
{
	if (w.current == NOBODY)
		return 0;
	if ((operation & FUTEX_CMD_MASK) == FUTEX_WAKE) {
		if (mutation != MUTATE_WAKE || ++w.wakes % FORGOTTEN_WAKE)
			run_wake(word);
		return 0;
	}
	errno = EAGAIN;
	if (atomic_load(word) != value)
		return -1;
	errno = EINTR;
	if (kernel_refused())
		return -1;
	run_sleep(word, (uint64_t)until->tv_sec * NS_PER_S + (uint64_t)until->tv_nsec);
	errno = ETIMEDOUT;
	return w.proc[w.current].timed_out ? -1 : 0;
}

/* ---- robust mutexes ---- */

static int take_mutex(pthread_mutex_t *mutex)
{
	int *holder = &mutex->__data.__lock, me = (int)w.current + PID_BASE;
	unsigned *state = &mutex->__data.__nusers;
	if (*state == MUTEX_LOST)
		return ENOTRECOVERABLE;
	if (*holder && (w.current == NOBODY || run_alive(*holder)))
		return EBUSY;
	bool inherited = *holder != 0;
	*holder = w.current == NOBODY ? PID_BASE - 1 : me;
	if (inherited && mutation != MUTATE_INHERIT)
		*state = MUTEX_INHERITED;
	return *state == MUTEX_INHERITED ? EOWNERDEAD : 0;
}

WRAPPED(int, pthread_mutex_trylock, pthread_mutex_t *mutex)
{
	return take_mutex(mutex);
}

WRAPPED(int, pthread_mutex_clocklock, pthread_mutex_t *mutex, clockid_t id,
    const struct timespec *until)
{
	(void)id;
	uint64_t deadline = (uint64_t)until->tv_sec * NS_PER_S + (uint64_t)until->tv_nsec;
	int r;
	while ((r = take_mutex(mutex)) == EBUSY) {
		w.proc[w.current].for_lock = true;
		run_sleep(mutex, deadline);
		w.proc[w.current].for_lock = false;
		if (w.proc[w.current].timed_out)
			return ETIMEDOUT;
	}
	return r;
}

WRAPPED(int, pthread_mutex_consistent, pthread_mutex_t *mutex)
{
	mutex->__data.__nusers = MUTEX_SOUND;
	return 0;
}

WRAPPED(int, pthread_mutex_unlock, pthread_mutex_t *mutex)
{
	if (!(mutex->__data.__kind & MUTEX_ROBUST))
		return __real_pthread_mutex_unlock(mutex);
	if (mutex->__data.__nusers == MUTEX_INHERITED)
		mutex->__data.__nusers = MUTEX_LOST;
	mutex->__data.__lock = 0;
	run_wake(mutex);
	return 0;
}

/* ---- processes ---- */

WRAPPED(pid_t, getpid, void)
{
	return w.current == NOBODY ? __real_getpid() : PID_BASE + (pid_t)w.current;
}

WRAPPED(uint64_t, process_start_time, pid_t pid)
{
	return run_alive(pid) ? (uint64_t)pid : 0;
}

/* The process slot that the manager claimed just before this fork. */
static uint32_t slot_of_unborn(void)
{
	for (uint32_t i = SLOT_SCHEDULER; i < image->tables.limits.processes; i++) {
		const struct process *p = &image->tables.process[i];
		if (process_state(atomic_load(&p->state)) == PROCESS_STARTING && p->pid == 0)
			return i;
	}
	explore_fail("a manager forks, and no process slot is for the child");
}

WRAPPED(pid_t, fork, void)
{
	schedule_step("fork");
	uint32_t slot = slot_of_unborn();
	struct process *p = &image->tables.process[slot];
	errno = EAGAIN;
	if (kernel_refused())
		return -1;
	uint32_t process = run_add(process_kind(atomic_load(&p->state)), slot, body_born);
	p->pid = PID_BASE + (pid_t)process;
	p->start_time = (uint64_t)p->pid;
	return p->pid;
}

WRAPPED(void, exit, int status)
{
	run_exit(status);
}

static int kernel_wait(long id, siginfo_t *ret)
{
	const struct proc *p = &w.proc[(uint32_t)id - PIDFD_BASE];
	if (p->state != PROC_GONE)
		return -1;
	ret->si_pid = (int)id;
	ret->si_code = p->killed ? CLD_KILLED : CLD_EXITED;
	ret->si_status = p->killed ? SIGKILL : p->status;
	return 0;
}

WRAPPED(int, waitid, idtype_t type, id_t id, siginfo_t *ret, int options)
{
	(void)type;
	(void)options;
	return kernel_wait((long)id, ret);
}

static long pidfd_open(pid_t pid)
{
	errno = EMFILE;
	if (kernel_refused())
		return -1;
	errno = ESRCH;
	return run_alive(pid) ? PIDFD_BASE + pid - PID_BASE : -1;
}

static long pidfd_signal(int pidfd, int signal)
{
	uint32_t process = (uint32_t)(pidfd - PIDFD_BASE);
	if (signal == SIGKILL)
		run_kill(process);
	else if (process < w.procs && w.proc[process].state == PROC_ASLEEP)
		w.proc[process].state = PROC_READY; /* the call is interrupted */
	return 0;
}

WRAPPED(int, kill, pid_t pid, int signal)
{
	if (pid < PID_BASE || (uint32_t)(pid - PID_BASE) >= w.procs)
		explore_fail("signal %d to pid %d, who is nobody here", signal, (int)pid);
	return (int)pidfd_signal(PIDFD_BASE + pid - PID_BASE, signal);
}

WRAPPED(pid_t, waitpid, pid_t pid, int *ret_status, int options)
{
	(void)ret_status; /* a killed child is known to no other process */
	(void)options;
	return pid;
}

WRAPPED(long, syscall, long number, ...)
{
	va_list args;
	va_start(args, number);
	long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long);
	const struct timespec *until = va_arg(args, const struct timespec *);
	va_end(args);
	switch (number) {
	case SYS_futex: return kernel_futex((shared32 *)a, (int)b, (uint32_t)c, until); // NOLINT
	case SYS_waitid: return kernel_wait(b, (siginfo_t *)c);                         // NOLINT
	case SYS_pidfd_open: return pidfd_open((pid_t)a);
	case SYS_pidfd_send_signal: return pidfd_signal((int)a, (int)b);
	default: explore_fail("system call %ld has no answer here", number);
	}
}

WRAPPED(int, eventfd_write, int fd, eventfd_t value)
{
	(void)fd;
	(void)value;
	w.bell++;
	run_wake(&w.bell);
	return 0;
}

WRAPPED(int, close, int fd)
{
	return fd >= PIDFD_BASE ? 0 : __real_close(fd);
}

/* ---- functions of the product that would leave the world of a schedule ---- */

WRAPPED(int, watching_add, struct manager *m, int fd, enum watch what, uint32_t which)
{
	(void)m;
	(void)fd;
	(void)what;
	(void)which;
	return 0;
}

WRAPPED(void, watching_drop, struct manager *m, int fd)
{
	(void)m;
	(void)fd;
}

WRAPPED(void, orphans_end, struct manager *m)
{
	(void)m;
}

WRAPPED(void, orphans_unowned, struct manager *m)
{
	(void)m;
}

WRAPPED(void, process_bump, struct tables *t, uint32_t process)
{
	if (mutation != MUTATE_BUMP)
		__real_process_bump(t, process);
}

WRAPPED(bool, hold_any, const struct tables *t, uint32_t index)
{
	bool overlooked = mutation == MUTATE_HOLD && ++w.holds % OVERLOOKED_HOLD == 0;
	return !overlooked && __real_hold_any(t, index);
}

WRAPPED(uint32_t, repair_owed, struct scheduler *s)
{
	if (mutation != MUTATE_OWED)
		return __real_repair_owed(s);
	s->owed.next_ns = DEADLINE_NEVER;
	return 0;
}

WRAPPED(uint32_t, tell_scheduler, struct tables *t, uint32_t process, const uint64_t *hints,
    uint32_t n, bool wake)
{
	bool late =
	    n == 2 && hint_kind(hints[0]) == HINT_DROPPED && hints[1] == hint_make(HINT_IMPORT, 0);
	if (late && mutation == MUTATE_LATE)
		return __real_tell_scheduler(t, process, hints + 1, 1, wake) + 1;
	return __real_tell_scheduler(t, process, hints, n, wake);
}

static void kernel_say(const char *format, va_list args)
{
	if (!tracing)
		return;
	printf("    %8llu  ", (unsigned long long)w.step);
	vprintf(format, args);
	printf("\n");
}

WRAPPED(void, log_say, enum log_level level, const struct log_field *about, const char *format, ...)
{
	va_list args;
	(void)level;
	(void)about;
	va_start(args, format);
	kernel_say(format, args);
	va_end(args);
}

WRAPPED(void, check_failed, const char *file, int line, const char *what)
{
	explore_fail("%s:%d: this must hold: %s", file, line, what);
}

/* Each commit decides a task once: the witness sees each commit of the product. */
static void kernel_witness(
    const struct record *r, uint64_t before, enum record_state to, uint32_t attempt)
{
	uint32_t i = record_index(&image->tables, r), generation = word_generation(before);
	if (tracing)
		printf("    %8llu  record %u becomes %s\n", (unsigned long long)w.step, i,
		    record_state_name(to));
	w.fingerprint ^= i << 16 | (uint32_t)to << 8 | w.current;
	w.fingerprint *= 1099511628211u; /* FNV-1a */
	if (to == RECORD_RUNNING && word_state(before) == RECORD_READY &&
	    attempt > 1u + r->retries + r->crash_retries)
		explore_fail("record %u is run for the %uth time, with %u and %u retries", i,
		    attempt, r->retries, r->crash_retries);
	if (word_state(before) != RECORD_RUNNING || to == RECORD_RUNNING || to == RECORD_READY)
		return;
	if (w.was_settled[i] && w.settled[i] == generation)
		explore_fail("record %u was committed twice, the second time as %s", i,
		    record_state_name(to));
	w.was_settled[i] = true;
	w.settled[i] = generation;
}

WRAPPED(bool, record_step, struct record *r, uint64_t *seen, enum record_state to, uint32_t owner,
    uint32_t attempt, uint32_t flags)
{
	uint64_t before = *seen;
	bool done = __real_record_step(r, seen, to, owner, attempt, flags);
	if (!done && mutation == MUTATE_COMMIT && word_state(before) == RECORD_RUNNING &&
	    to == RECORD_DONE) {
		atomic_store(
		    &r->state, word_make(word_generation(before), owner, attempt, to, flags));
		done = true;
	}
	if (done)
		kernel_witness(r, before, to, attempt);
	return done;
}
