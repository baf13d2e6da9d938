/* steps.h - every touch of a shared word by which processes meet, in one place.
 *
 * Payload needs no step: the state word permits a single process to write it (start_ms of a RUNNING
 * record), and a step publishes it afterwards.
 * Where: inline, in every process.  Who may call: any code.  Death: a process dies before or after
 * a step, never inside.  Blocks: only sh_futex_wait().
 *
 * The ordinary build compiles each step to the bare instruction (make bare proves it). With
 * -DPLM_STEPS a process calls step_hook() before each step. The hook may stop the process, switch
 * to another process, or kill; so a sweep puts a death at every step, and a mutant leaves a step
 * out to show that a test notices.
 * With -DPLM_LOOKS a process calls the hook before each load, too (step: NULL). A death there
 * leaves the same memory as a death at the next step, but other processes can go on, as the
 * explorer wants (verify/explore/).
 *
 * Labels: the lists of the tests name a step "MODULE: OPERATION FIELD", e.g. "record: cas state":
 * MODULE is the source file without its ending, FIELD the last field that the first argument
 * names. A last argument "NAME" stands for FIELD: write one where the first argument names no
 * field, or where two steps of a file must be told apart. So no rename of a function or of a local
 * variable changes a list.
 *
 *   sh_load    acquire       pairs with sh_store, sh_cas
 *   sh_peek    relaxed       a hint, a statistic, or a word only this process writes
 *   sh_glance  relaxed       of a word that decides nothing but whether somebody watches: no look
 *   sh_once    plain load    of a field that is not atomic: one load, so that the value judged is
 *                            the value used, though a stray write may change the field (law 5)
 *   sh_store   release       publishes everything written before
 *   sh_poke    relaxed store
 *   sh_set     plain store, of a field under a lock or not yet published
 *   sh_rewrite relaxed store, of a field that is not atomic and that others read by sh_once()
 *   sh_cas     seq_cst; on failure *expected holds the value found
 *   sh_or/and/add/swap  seq_cst, return the old value
 *   sh_fence   store-load barrier: "publish, fence, look for sleepers" (event.h)  */
#ifndef PLM_STEPS_H
#define PLM_STEPS_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
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
/* A place in the source; all steps of a program lie in its section `steps`. */
struct step {
	const char *file, *function;
	const char
	    *what; /* the operation, its first argument, and the name in quotes if there is one */
	unsigned line;
};

/* shm/steps.c; NULL outside a test. The process is about to touch `bytes` at `at`; 0: a step that
 * cannot be left out. True: leave the step out, as if its line were missing. */
extern bool (*step_hook)(const struct step *step, const void *at, size_t bytes);

#define step_at(text, at, bytes)                                                                \
	({                                                                                      \
		static const struct step here                                                   \
		    __attribute__((section("steps"))) = { __FILE__, __func__, text, __LINE__ }; \
		step_hook &&step_hook(&here, (const void *)(uintptr_t)(at), (bytes));           \
	})
#define step_here(text) ((void)step_at(text, NULL, 0))
#define step_do(text, p, touch, instead) (step_at(text, p, sizeof *(p)) ? (instead) : (touch))
#else
#define step_here(text) ((void)0)
#define step_do(text, p, touch, instead) (touch)
#endif

#ifdef PLM_LOOKS
#define look_here() ((void)(step_hook && step_hook(NULL, NULL, 0)))
#else
#define look_here() ((void)0)
#endif

#define sh_load(p) (look_here(), atomic_load_explicit((p), memory_order_acquire))
#define sh_peek(p) (look_here(), atomic_load_explicit((p), memory_order_relaxed))
#define sh_glance(p) atomic_load_explicit((p), memory_order_relaxed)
#define sh_once(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_RELAXED)
/* For a plain field not published yet: a late reader of the field's last life may still look. */
#define sh_fill(lvalue, v) __atomic_store_n(&(lvalue), (v), __ATOMIC_RELAXED)

#define sh_store(p, v, ...)                      \
	step_do("store " #p " " #__VA_ARGS__, p, \
	    atomic_store_explicit((p), (v), memory_order_release), (void)0)
#define sh_poke(p, v, ...)                      \
	step_do("poke " #p " " #__VA_ARGS__, p, \
	    atomic_store_explicit((p), (v), memory_order_relaxed), (void)0)
#define sh_set(lvalue, v, ...) \
	step_do("set " #lvalue " " #__VA_ARGS__, &(lvalue), (void)((lvalue) = (v)), (void)0)
#define sh_rewrite(lvalue, v, ...)                              \
	step_do("rewrite " #lvalue " " #__VA_ARGS__, &(lvalue), \
	    __atomic_store_n(&(lvalue), (v), __ATOMIC_RELAXED), (void)0)
#define sh_cas(p, expected, want, ...)                                                \
	step_do("cas " #p " " #__VA_ARGS__, p,                                        \
	    atomic_compare_exchange_strong_explicit(                                  \
		(p), (expected), (want), memory_order_seq_cst, memory_order_acquire), \
	    true)
#define sh_or(p, v, ...) sh_change("or " #p " " #__VA_ARGS__, p, atomic_fetch_or_explicit, v)
#define sh_and(p, v, ...) sh_change("and " #p " " #__VA_ARGS__, p, atomic_fetch_and_explicit, v)
#define sh_add(p, v, ...) sh_change("add " #p " " #__VA_ARGS__, p, atomic_fetch_add_explicit, v)
#define sh_swap(p, v, ...) sh_change("swap " #p " " #__VA_ARGS__, p, atomic_exchange_explicit, v)
#define sh_change(text, p, operation, v) \
	step_do(text, p, operation((p), (v), memory_order_seq_cst), atomic_load(p))

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
	long r = syscall(
	    SYS_futex, word, FUTEX_WAIT_BITSET, value, &until, NULL, FUTEX_BITSET_MATCH_ANY);
	return r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

static inline void sh_futex_wake(shared32 *word, int how_many)
{
	step_do("futex wake", word,
	    (void)syscall(SYS_futex, word, FUTEX_WAKE, how_many, NULL, NULL, 0), (void)0);
}

#endif
