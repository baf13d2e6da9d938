/* schedule.c - decides what happens at each step: drawn from a seed, or read from a list.
 *
 * Every decision other than the default is noted with the number of the step. The list alone
 * repeats the schedule. A list with entries left out is a schedule as well, so a failing
 * schedule can be shrunk. The default: the running process goes on, and when it cannot, the
 * process with the next number does. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "verify/explore/explore.h"

struct schedule schedule;

static const char *const kind_of_decision[] = {
	[DECIDE_SWITCH] = "goes on",
	[DECIDE_STOP] = "is stopped",
	[DECIDE_DIE] = "dies",
	[DECIDE_FAIL] = "is refused its next call",
	[DECIDE_LEAP] = "time passes",
	[DECIDE_PICK] = "goes on",
	[DECIDE_FREEZE] = "is frozen",
};

static uint32_t next_forced; /* 1 + the process to switch to: picked at once */

/* ---- chance ---- */

uint64_t schedule_random(void)
{
	uint64_t x = w.random += 0x9e3779b97f4a7c15u; /* splitmix64 */
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint32_t schedule_below(uint32_t n)
{
	return (uint32_t)((schedule_random() >> 32) * n >> 32);
}

uint32_t typical_steps = 3000; /* deaths are spread over so many */

/* Up to so many steps, in ascending order. */
static uint32_t draw_steps(uint32_t *ret, uint32_t most)
{
	uint32_t n = most ? schedule_below(most + 1) : 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = 1 + schedule_below(typical_steps), k = i;
		for (; k > 0 && ret[k - 1] > at; k--)
			ret[k] = ret[k - 1];
		ret[k] = at;
	}
	return n;
}

static void draw_temper(struct temper *t)
{
	static const uint32_t between[] = { 3, 8, 20, 60, 200, 1000 };
	static const uint32_t step_ns[] = { 5, 50, 500, 5000 };
	const struct scenario *s = w.scenario;
	*t = (struct temper){ .between = between[schedule_below(COUNT_OF(between))],
		.step_ns = step_ns[schedule_below(COUNT_OF(step_ns))],
		.stops = schedule_below(2) * schedule_below(30),
		.leaps = schedule_below(3) == 0 ? schedule_below(8) : 0,
		.fails = s->fails ? 1 + schedule_below(12) : schedule_below(2) };
	if (s->fails && t->step_ns < 500)
		t->step_ns = 500; /* whole seconds are waited for room */
	t->deaths = draw_steps(t->death_at, s->deaths < DEATHS_MAX ? s->deaths : DEATHS_MAX);
	t->freezes = draw_steps(t->freeze_at, s->freezes < FREEZES_MAX ? s->freezes : FREEZES_MAX);
}

/* ---- the next step at which something is decided ---- */

static void plan_next(void)
{
	uint64_t next = UINT64_MAX;
	if (schedule.replay) {
		for (uint32_t i = schedule.next; i < schedule.n; i++)
			if (schedule.decision[i].kind != DECIDE_PICK) {
				next = schedule.decision[i].step;
				break;
			}
	} else if (!w.ending) {
		next = w.step + 1 + schedule_below(2 * w.temper.between);
		if (w.temper.died < w.temper.deaths && w.temper.death_at[w.temper.died] < next)
			next = w.temper.death_at[w.temper.died];
		if (w.temper.froze < w.temper.freezes && w.temper.freeze_at[w.temper.froze] < next)
			next = w.temper.freeze_at[w.temper.froze];
	}
	w.next_step = next > w.step ? next : w.step + 1;
	if (w.next_step > w.slice)
		w.next_step = w.slice;
}

void schedule_begin(uint64_t seed)
{
	w.random = seed * 0x2545f4914f6cdd1du + 1;
	next_forced = 0;
	if (seed)
		draw_temper(&w.temper);
	else
		w.temper = (struct temper){ .between = QUANTUM, .step_ns = 50 };
	schedule.next = 0;
	if (!schedule.replay)
		schedule.n = 0;
	w.slice = UINT64_MAX;
	plan_next();
}

static void schedule_note(enum decision_kind kind, uint32_t target, const char *what)
{
	if (schedule.n < DECISIONS_MAX)
		schedule.decision[schedule.n++] =
		    (struct decision){ (uint32_t)w.step, (uint8_t)kind, (uint8_t)target, what };
}

/* ---- carrying a decision out ---- */

static bool is_mortal(uint32_t process)
{
	const struct proc *p = &w.proc[process];
	return process < w.procs && p->state != PROC_GONE && w.scenario->mortal >> p->kind & 1 &&
	    w.procs + 2 < PROCS_MAX;
}

static void carry_out(enum decision_kind kind, uint32_t target)
{
	struct proc *me = &w.proc[w.current];
	switch (kind) {
	case DECIDE_SWITCH:
		if (target < w.procs && target != w.current && w.proc[target].state == PROC_READY) {
			next_forced = target + 1;
			run_yield();
		}
		break;
	case DECIDE_STOP:
		me->stopped_until = w.step + ((uint64_t)1 << (target & 15));
		run_yield();
		break;
	case DECIDE_DIE:
		if (is_mortal(target)) {
			w.deaths++;
			run_kill(target);
		}
		break;
	case DECIDE_FAIL: me->fails = w.refusals++ < REFUSALS_MAX; break;
	case DECIDE_FREEZE:
		if (target < w.procs && w.proc[target].state != PROC_GONE) {
			w.freezes++;
			run_freeze(target, w.now_ns + FREEZE_MS * NS_PER_MS);
		}
		break;
	case DECIDE_LEAP:
		w.now_ns += (uint64_t)1000 << (target & 15);
		run_yield();
		break;
	default: break;
	}
}

static uint32_t somebody_mortal(void)
{
	uint32_t from = schedule_below(w.procs);
	for (uint32_t i = 0; i < w.procs; i++)
		if (is_mortal((from + i) % w.procs))
			return (from + i) % w.procs;
	return NOBODY;
}

/* Half of all frozen processes hold a lock: they stop just before the release. NOBODY: not yet. */
static uint32_t who_is_frozen(struct temper *t, const char *what)
{
	enum { LOOKED_FOR = 2000 };
	uint32_t since = t->freeze_at[t->froze];
	bool in_lock = since & 1 && w.step < since + LOOKED_FOR;
	if (in_lock && !(what && strcmp(what, "lock release") == 0))
		return NOBODY;
	t->froze++;
	return in_lock || schedule_below(4) ? w.current : schedule_below(w.procs);
}

static enum decision_kind schedule_draw(uint32_t *target, const char *what)
{
	struct temper *t = &w.temper;
	if (t->died < t->deaths && w.step >= t->death_at[t->died]) {
		t->died++;
		*target = schedule_below(4) && is_mortal(w.current) ? w.current : somebody_mortal();
		return DECIDE_DIE;
	}
	if (t->froze < t->freezes && w.step >= t->freeze_at[t->froze]) {
		*target = who_is_frozen(t, what);
		return DECIDE_FREEZE;
	}
	uint32_t roll = schedule_below(100);
	if (roll < t->stops) {
		*target = 3 + schedule_below(10);
		return DECIDE_STOP;
	}
	if (roll < t->stops + t->leaps) {
		*target = schedule_below(15);
		return DECIDE_LEAP;
	}
	*target = w.current;
	if (roll < t->stops + t->leaps + t->fails && w.refusals < REFUSALS_MAX)
		return DECIDE_FAIL;
	*target = schedule_below(w.procs);
	return DECIDE_SWITCH;
}

static void take_again(void)
{
	while (schedule.next < schedule.n && schedule.decision[schedule.next].step < w.step)
		schedule.next++;
	if (schedule.next == schedule.n)
		return;
	struct decision *d = &schedule.decision[schedule.next];
	if (d->step != w.step || d->kind == DECIDE_PICK)
		return;
	schedule.next++;
	plan_next();
	if (!w.ending)
		carry_out(d->kind, d->target);
}

static void schedule_decide(const char *what)
{
	uint32_t target;
	enum decision_kind kind = schedule_draw(&target, what);
	plan_next();
	if (target == NOBODY)
		return;
	if (kind == DECIDE_SWITCH && (target == w.current || w.proc[target].state != PROC_READY))
		return;
	schedule_note(kind, target, what);
	carry_out(kind, target);
}

void schedule_step(const char *what)
{
	if (w.current == NOBODY)
		return;
	/* Processes that look every millisecond, or every tenth of a second, do so less often
	 * then. */
	w.now_ns += w.now_ns < w.frozen_until_ns ? FREEZE_STEP_NS : w.temper.step_ns;
	if (tracing_steps && what)
		printf("    %8llu  %s in slot %u: %s\n", (unsigned long long)w.step,
		    process_kind_name(w.proc[w.current].kind), w.proc[w.current].slot, what);
	if (++w.step < w.next_step)
		return;
	bool slice_is_over = w.step >= w.slice;
	if (schedule.replay)
		take_again();
	else if (!w.ending)
		schedule_decide(what);
	plan_next();
	if (slice_is_over)
		run_yield();
}

static uint32_t next_by_number(const uint32_t *ready, uint32_t n)
{
	static uint32_t last;
	if (w.step == 0)
		last = 0;
	uint32_t i = 0;
	while (i < n && ready[i] <= last)
		i++;
	return last = ready[i < n ? i : 0];
}

static uint32_t picked_again(uint32_t otherwise, const uint32_t *ready, uint32_t n)
{
	while (schedule.next < schedule.n && schedule.decision[schedule.next].step < w.step)
		schedule.next++;
	if (schedule.next == schedule.n)
		return otherwise;
	const struct decision *d = &schedule.decision[schedule.next];
	if (d->step != w.step || d->kind != DECIDE_PICK)
		return otherwise;
	schedule.next++;
	for (uint32_t i = 0; i < n; i++)
		if (ready[i] == d->target)
			return d->target;
	return otherwise;
}

uint32_t schedule_pick(const uint32_t *ready, uint32_t n)
{
	uint32_t forced = next_forced - 1;
	next_forced = 0;
	for (uint32_t i = 0; i < n; i++)
		if (ready[i] == forced)
			return forced;
	if (n == 1)
		return ready[0];
	uint32_t usual = next_by_number(ready, n), other = usual;
	if (schedule.replay)
		return picked_again(usual, ready, n);
	if (!w.ending)
		other = ready[schedule_below(n)];
	if (other != usual)
		schedule_note(DECIDE_PICK, other, NULL);
	return other;
}

/* ---- for people ---- */

static void print_who(uint32_t process)
{
	const struct proc *p = &w.proc[process < w.procs ? process : 0];
	printf("%s pid %u (slot %u)", process_kind_name(p->kind), PID_BASE + process, p->slot);
}

void schedule_print(void)
{
	for (uint32_t i = 0; i < schedule.n; i++) {
		const struct decision *d = &schedule.decision[i];
		printf("    step %-6u ", d->step);
		if (d->kind == DECIDE_SWITCH || d->kind == DECIDE_DIE || d->kind == DECIDE_PICK ||
		    d->kind == DECIDE_FREEZE)
			print_who(d->target);
		if (d->kind == DECIDE_LEAP)
			printf("%u us: ", 1u << (d->target & 15));
		if (d->kind == DECIDE_STOP)
			printf("who runs, for %u steps,", 1u << (d->target & 15));
		if (d->kind == DECIDE_FAIL)
			print_who(d->target);
		printf(" %s%s%s\n", kind_of_decision[d->kind], d->what ? ", before " : "",
		    d->what ? d->what : "");
	}
}
