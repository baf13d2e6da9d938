/* explore_run.c - coroutines: each has a stack and a copy of the program's thread-local data.
 *
 * A switch is a setjmp() and a longjmp(); a context is made once for each process, for the
 * stack. The product's thread-local state (the sentence of why(), the held locks) lies in the
 * program's own block of thread-local data. A switch copies the whole block, so no list of
 * variables can miss an entry. A death needs no code: the explorer never continues the
 * coroutine. */
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/why.h"
#include "verify/explore/explore.h"

struct world w;

static jmp_buf explorer;
static char *stacks;
static struct {
	unsigned char *at;
	size_t bytes;
	unsigned char fresh[TLS_MAX];
} tls;

/* ---- the program's thread-local data ---- */

static int find_tls(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS) {
			tls.at = info->dlpi_tls_data;
			tls.bytes = info->dlpi_phdr[i].p_memsz;
		}
	return 1; /* the first block is the program's */
}

/* ---- faults ---- */

/* On a signal stack, because the coroutine's stack may be broken. */
static void on_fault(int signal)
{
	explore_fail("signal %d (%s)", signal, strsignal(signal));
}

static void catch_faults(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	static char fault_stack[1 << 16];
	stack_t stack = { .ss_sp = fault_stack, .ss_size = sizeof fault_stack };
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER };
	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < COUNT_OF(faults); i++)
		sigaction(faults[i], &action, NULL);
}

void run_open(void)
{
	dl_iterate_phdr(find_tls, NULL);
	CHECK(tls.at && tls.bytes <= TLS_MAX);
	memcpy(tls.fresh, tls.at, tls.bytes);
	stacks = mmap(NULL, (size_t)PROCS_MAX * STACK_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(stacks != MAP_FAILED);
	for (int i = 0; i < PROCS_MAX; i++) /* so that a stack overflow faults at once */
		CHECK(mprotect(stacks + (size_t)i * STACK_BYTES, 4096, PROT_NONE) == 0);
	catch_faults();
}

/* ---- switching ---- */

static void run_begin(void)
{
	struct proc *self = &w.proc[w.current];
	self->body(self);
	run_exit(0);
}

static void make_context(struct proc *p)
{
	getcontext(&p->start);
	p->start.uc_stack.ss_sp = stacks + (size_t)(p - w.proc) * STACK_BYTES;
	p->start.uc_stack.ss_size = STACK_BYTES;
	p->start.uc_link = NULL;
	makecontext(&p->start, run_begin, 0);
}

static void go_on(uint32_t process)
{
	struct proc *p = &w.proc[process];
	memcpy(tls.at, p->tls, tls.bytes);
	errno = p->saved_errno;
	w.current = process;
	if (tracing)
		printf("    %8llu  %s in slot %u goes on\n", (unsigned long long)w.step,
		    process_kind_name(p->kind), p->slot);
	w.slice = w.step + QUANTUM;
	if (w.next_step > w.slice)
		w.next_step = w.slice;
	if (_setjmp(explorer) == 0) {
		if (p->begun)
			_longjmp(p->at, 1);
		p->begun = true;
		make_context(p);
		setcontext(&p->start);
	}
	w.proc[w.current].saved_errno = errno;
	memcpy(w.proc[w.current].tls, tls.at, tls.bytes);
	memcpy(tls.at, tls.fresh, tls.bytes);
	w.current = NOBODY;
}

void run_yield(void)
{
	if (w.current != NOBODY && _setjmp(w.proc[w.current].at) == 0)
		_longjmp(explorer, 1);
}

void explore_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (!w.failure[0])
		vsnprintf(w.failure, sizeof w.failure, format, args);
	va_end(args);
	if (w.current == NOBODY) {
		printf("explore: in the explorer itself: %s\n", w.failure);
		fflush(stdout);
		_exit(2);
	}
	_longjmp(explorer, 1);
}

/* ---- what happens to processes ---- */

uint32_t run_add(enum process_kind kind, uint32_t slot, void (*body)(struct proc *self))
{
	if (w.procs == PROCS_MAX)
		explore_fail("over %d processes", PROCS_MAX);
	struct proc *p = &w.proc[w.procs];
	p->state = PROC_READY;
	p->kind = kind;
	p->slot = slot;
	p->body = body;
	p->word = NULL;
	p->timed_out = p->for_lock = p->fails = p->is_waited_for = p->killed = p->begun = false;
	p->stopped_until = p->frozen_until_ns = 0;
	p->forever = false;
	p->saved_errno = p->status = 0;
	memcpy(p->tls, tls.fresh, tls.bytes);
	return w.procs++;
}

bool run_alive(int pid)
{
	uint32_t i = (uint32_t)(pid - PID_BASE);
	return pid >= PID_BASE && i < w.procs && w.proc[i].state != PROC_GONE;
}

void run_sleep(const void *word, uint64_t deadline_ns)
{
	struct proc *p = &w.proc[w.current];
	p->word = word;
	p->deadline_ns = deadline_ns;
	p->timed_out = false;
	/* Only safety ticks are so long. They are there against bugs, and would hide bugs here.
	 * But a process that waits for a frozen process must give up. */
	p->forever = deadline_ns - w.now_ns >= FOREVER_MS * NS_PER_MS && deadline_ns > w.now_ns &&
	    !w.scenario->idles;
	p->state = PROC_ASLEEP;
	if (tracing)
		printf("    %8llu  %s in slot %u sleeps for %lld us\n", (unsigned long long)w.step,
		    process_kind_name(p->kind), p->slot,
		    (long long)(deadline_ns - w.now_ns) / 1000);
	run_yield();
}

void run_wake(const void *word)
{
	for (uint32_t i = 0; i < w.procs; i++)
		if (w.proc[i].state == PROC_ASLEEP && w.proc[i].word == word) {
			if (tracing)
				printf("    %8llu  %s in slot %u is woken\n",
				    (unsigned long long)w.step, process_kind_name(w.proc[i].kind),
				    w.proc[i].slot);
			w.proc[i].state = PROC_READY;
			w.proc[i].word = NULL;
		}
}

/* The process continues later, whatever the process slept on. */
void run_freeze(uint32_t process, uint64_t until_ns)
{
	w.proc[process].frozen_until_ns = w.frozen_until_ns = until_ns;
	if (tracing)
		printf("    %8llu  %s in slot %u is frozen\n", (unsigned long long)w.step,
		    process_kind_name(w.proc[process].kind), w.proc[process].slot);
	if (process == w.current)
		run_yield();
}

static bool is_frozen(const struct proc *p)
{
	return p->frozen_until_ns > w.now_ns;
}

static bool any_frozen(void)
{
	bool any = false;
	for (uint32_t i = 0; i < w.procs && w.freezes; i++)
		any |= w.proc[i].state != PROC_GONE && is_frozen(&w.proc[i]);
	return any;
}

/* The time at which the sleep ends if no process wakes the sleeper. */
static uint64_t end_of_sleep(const struct proc *p, bool somebody_is_frozen)
{
	return p->forever && !somebody_is_frozen ? DEADLINE_NEVER : p->deadline_ns;
}

static void run_gone(uint32_t process)
{
	struct proc *p = &w.proc[process];
	p->state = PROC_GONE;
	if (p->is_waited_for && --w.waited_for == 0)
		w.end_step = w.step + END_STEPS, w.end_ns = w.now_ns;
	/* A waiter may now get the dead process's lock and must repair; the manager is told. */
	for (uint32_t i = 0; i < w.procs; i++)
		if (w.proc[i].state == PROC_ASLEEP && w.proc[i].for_lock)
			w.proc[i].state = PROC_READY;
	w.bell++;
	run_wake(&w.bell);
	if (process == w.manager) /* somebody boots the name again */
		w.manager = run_add(KIND_MANAGER, SLOT_MANAGER, body_next_manager);
}

void run_kill(uint32_t process)
{
	if (w.proc[process].state == PROC_GONE)
		return;
	w.proc[process].killed = true;
	run_gone(process);
	if (process == w.current)
		_longjmp(explorer, 1);
}

void run_exit(int status)
{
	w.proc[w.current].status = status;
	run_gone(w.current);
	_longjmp(explorer, 1);
}

/* ---- the loop ---- */

static void wake_those_whose_time_came(void)
{
	bool frozen = any_frozen();
	for (uint32_t i = 0; i < w.procs; i++)
		if (w.proc[i].state == PROC_ASLEEP &&
		    end_of_sleep(&w.proc[i], frozen) <= w.now_ns) {
			w.proc[i].state = PROC_READY;
			w.proc[i].timed_out = true;
		}
}

static uint32_t find_ready(uint32_t ready[PROCS_MAX])
{
	uint32_t n = 0;
	wake_those_whose_time_came();
	for (uint32_t i = 0; i < w.procs; i++)
		if (w.proc[i].state == PROC_READY && w.proc[i].stopped_until <= w.step &&
		    !is_frozen(&w.proc[i]))
			ready[n++] = i;
	return n;
}

/* Continues a stopped process; else moves the time on. False: nothing will ever happen. */
static bool something_comes(void)
{
	bool stopped = false, frozen = any_frozen();
	uint64_t first = DEADLINE_NEVER;
	for (uint32_t i = 0; i < w.procs; i++) {
		struct proc *p = &w.proc[i];
		p->stopped_until = 0;
		uint64_t end = end_of_sleep(p, frozen);
		if (p->state == PROC_ASLEEP && end < first)
			first = end;
		if (p->state != PROC_GONE && is_frozen(p) && p->frozen_until_ns < first)
			first = p->frozen_until_ns;
		stopped |= p->state == PROC_READY && !is_frozen(p);
	}
	if (stopped)
		return true;
	bool over = w.scenario->idles && !w.waited_for && w.now_ns >= w.end_ns + NS_PER_S;
	if (first == DEADLINE_NEVER || over)
		return false;
	/* In strides, as on a busy machine: a process that polls does so less often. */
	uint64_t stride = w.now_ns + FREEZE_STRIDE_MS * NS_PER_MS;
	w.now_ns = frozen && first < stride ? stride : first;
	return true;
}

/* All scripts are over. A process for which no script waits may have waited for a safety tick:
 * let one tick come. */
static bool last_tick(void)
{
	if (w.ticked)
		return false;
	for (uint32_t i = 0; i < w.procs; i++)
		if (w.proc[i].state == PROC_ASLEEP)
			w.proc[i].state = PROC_READY;
	return w.ticked = w.ending = true;
}

static void print_state(void)
{
	const struct tables *t = &image->tables;
	for (uint32_t i = 0; i < t->limits.records; i++) {
		const struct record *r = &t->record[i];
		uint64_t word = sh_load(&r->state);
		if (word_state(word) != RECORD_FREE)
			printf("    record %u: %s, owner %u, attempt %u, flags %#x, holds %#llx, "
			       "uses %#x, pending %#x\n",
			    i, record_state_name(word_state(word)), word_owner(word),
			    word_attempt(word), word_flags(word),
			    (unsigned long long)sh_load(&r->holds), sh_load(&r->uses),
			    sh_load(&r->pending));
	}
	for (uint32_t i = 0; i < t->limits.processes; i++) {
		const struct process *p = &t->process[i];
		struct ring up = ring_up(t, i), down = ring_down(t, i);
		if (process_state(sh_load(&p->state)) != PROCESS_FREE)
			printf("    slot %u: %s %s, up %u, down %u, handed %#llx, booked %#llx, "
			       "awaiting %#x\n",
			    i, process_kind_name(process_kind(sh_load(&p->state))),
			    process_state_name(process_state(sh_load(&p->state))), ring_used(&up),
			    ring_used(&down), (unsigned long long)sh_load(&p->handed),
			    (unsigned long long)sh_load(&p->booked),
			    sh_load(&p->waiter[0].awaiting));
	}
	printf("    unread %#llx quiet %#llx, task heap %u\n",
	    (unsigned long long)sh_load(&t->control->unread[0]),
	    (unsigned long long)sh_load(&t->control->unread_quiet[0]), heap_length(&t->task_heap));
}

static void tell_hang(void)
{
	if (tracing)
		print_state();
	char who[200] = "";
	size_t n = 0;
	for (uint32_t i = 0; i < w.procs && n < sizeof who; i++)
		if (w.proc[i].is_waited_for && w.proc[i].state == PROC_ASLEEP)
			n += (size_t)snprintf(
			    who + n, sizeof who - n, " client in slot %u", w.proc[i].slot);
	snprintf(w.failure, sizeof w.failure, "a hang: nobody can go on, but%s wait%s", who,
	    w.waited_for == 1 ? "s" : "");
}

/* In a coroutine, so that the judge can fail like the scripts. */
static void run_judge(struct proc *self)
{
	(void)self;
	w.ending = true;
	judge_end();
}

void run_schedule(void)
{
	uint32_t ready[PROCS_MAX], n;
	w.current = NOBODY;
	while (!w.failure[0]) {
		if (w.step > STEPS_MAX)
			snprintf(w.failure, sizeof w.failure, "it never ends: %d steps", STEPS_MAX);
		else if (w.ending |= w.step >= w.end_step, (n = find_ready(ready)) > 0)
			go_on(schedule_pick(ready, n));
		else if (!something_comes() && (w.waited_for || !last_tick()))
			break;
	}
	if (!w.failure[0] && w.waited_for)
		tell_hang();
	else if (w.failure[0] && tracing)
		print_state();
	if (!w.failure[0])
		go_on(run_add(KIND_MANAGER, SLOT_MANAGER, run_judge));
}
