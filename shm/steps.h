/* steps.h - every touch of shared memory that another process can see, in one place (law 10).
 *
 * Where: inline, in every process.  Who may call: anyone.  Death: a process can die before or after
 * each of these, never inside.  Blocks: only sh_futex_wait.
 *
 * The ordinary build compiles each to the bare instruction. With -DPLM_STEPS each first calls
 * step_here(), where a test stops, switches or kills: so a sweep can put a death at every step.
 * With -DPLM_LOOKS loads call it as well (what: NULL): a death there leaves nothing else than one
 * at the step behind it, but others can go on, which the explorer wants (explore/).
 *
 *   sh_load    acquire       pairs with sh_store, sh_cas
 *   sh_peek    relaxed       a hint, a statistic, or a word only this process writes
 *   sh_store   release       publishes what was written before it
 *   sh_poke    relaxed store
 *   sh_set     plain store, of a field under a lock or not yet published
 *   sh_cas     seq_cst; *expected holds what was seen when it fails
 *   sh_or/and/add/swap  seq_cst, return the old value
 *   sh_fence   store-load barrier: "publish, fence, look for sleepers" (event.h)  */
#ifndef PLM_STEPS_H
#define PLM_STEPS_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics shared between processes must be lock-free");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "atomics shared between processes must be lock-free");

typedef _Atomic uint32_t shared32;
typedef _Atomic uint64_t shared64;

#ifdef PLM_STEPS
extern void (*step_hook)(const char *what); /* shm/steps.c; NULL outside a sweep */
static inline void step_here(const char *what)
{
	if (step_hook)
		step_hook(what);
}
#else
#define step_here(what) ((void)0)
#endif

#ifdef PLM_LOOKS
#define look_here() step_here(NULL)
#else
#define look_here() ((void)0)
#endif

#define sh_load(p)     (look_here(), atomic_load_explicit((p), memory_order_acquire))
#define sh_peek(p)     (look_here(), atomic_load_explicit((p), memory_order_relaxed))
#define sh_store(p, v)                                                                             \
	(step_here("store " #p), atomic_store_explicit((p), (v), memory_order_release))
#define sh_poke(p, v)                                                                              \
	(step_here("poke " #p), atomic_store_explicit((p), (v), memory_order_relaxed))
#define sh_set(lvalue, v) (step_here("set " #lvalue), (void)((lvalue) = (v)))
#define sh_cas(p, expected, want)                                                                  \
	(step_here("cas " #p), atomic_compare_exchange_strong_explicit((p), (expected), (want),    \
	                           memory_order_seq_cst, memory_order_acquire))
#define sh_or(p, v)                                                                                \
	(step_here("or " #p), atomic_fetch_or_explicit((p), (v), memory_order_seq_cst))
#define sh_and(p, v)                                                                               \
	(step_here("and " #p), atomic_fetch_and_explicit((p), (v), memory_order_seq_cst))
#define sh_add(p, v)                                                                               \
	(step_here("add " #p), atomic_fetch_add_explicit((p), (v), memory_order_seq_cst))
#define sh_swap(p, v)                                                                              \
	(step_here("swap " #p), atomic_exchange_explicit((p), (v), memory_order_seq_cst))

/* ThreadSanitizer knows read-modify-writes, not fences; there a dummy word carries the order. */
#ifdef __SANITIZE_THREAD__
static inline void sh_fence(void)
{
	static shared32 order;
	atomic_fetch_add_explicit(&order, 1, memory_order_seq_cst);
}
#else
static inline void sh_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}
#endif

/* The same after a seq_cst read-modify-write, which on x86 is a fence itself. */
static inline void sh_fence_after_cas(void)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	atomic_signal_fence(memory_order_seq_cst);
#else
	sh_fence();
#endif
}

/* A hint to the core that we spin on a word another core will write. */
static inline void sh_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Sleeps while *word == value, until the absolute CLOCK_MONOTONIC deadline. May wake early.
 * 0, or -ETIMEDOUT. */
static inline int sh_futex_wait(shared32 *word, uint32_t value, uint64_t deadline_ns)
{
	struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u) };
	step_here("futex wait");
	long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, &until, NULL,
	    FUTEX_BITSET_MATCH_ANY);
	return r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

static inline void sh_futex_wake(shared32 *word, int how_many)
{
	step_here("futex wake");
	syscall(SYS_futex, word, FUTEX_WAKE, how_many, NULL, NULL, 0);
}

#endif
