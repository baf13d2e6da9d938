/* bridge_member.c - the lease of the host: joining, renewing, fencing, coming back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { PAUSE_LEAST_MS = 100, PAUSE_MOST_MS = 2000, PAUSE_HOPELESS_MS = 10000 };
enum { TROUBLE_AGAIN_MS = 60000 };

/* Parts of the lease. */
enum { RENEW_PART = 5, END_PART = 5, ANSWER_PART = 10, ANSWER_LEAST_MS = 100 };
enum { FENCE_TENTHS = 6, GUARD_TENTHS = 7, GUARD_FENCING_TENTHS = 9 };

uint64_t bridge_clock_ns(void)
{
	return clock_of(CLOCK_BOOTTIME);
}

uint64_t bridge_fence_due_ns(const struct bridge *b)
{
	return b->renewed_ns + engine_lease_ms(b->engine) * NS_PER_MS / 10 * FENCE_TENTHS;
}

/* ---- the guard ---- */

int bridge_guard_open(struct bridge *b)
{
	struct sigevent kills = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	return timer_create(CLOCK_BOOTTIME, &kills, &b->guard) < 0
	    ? why(-errno, "timer_create: %s", strerror(errno))
	    : 0;
}

/* So many tenths of a lease after the last renewal; 0: never. */
static void member_guard(struct bridge *b, unsigned tenths)
{
	uint64_t due = b->renewed_ns + engine_lease_ms(b->engine) * NS_PER_MS / 10 * tenths;
	struct itimerspec at = { .it_value = { .tv_sec = 0 } };
	if (tenths)
		at.it_value = (struct timespec){ .tv_sec = (time_t)(due / NS_PER_S),
			.tv_nsec = (long)(due % NS_PER_S) };
	CHECK(timer_settime(b->guard, TIMER_ABSTIME, &at, NULL) == 0);
}

static void member_renewed(struct bridge *b, uint64_t sent_ns)
{
	b->renewed_ns = sent_ns;
	b->renew_due_ns = sent_ns + engine_lease_ms(b->engine) * NS_PER_MS / RENEW_PART;
	member_guard(b, GUARD_TENTHS);
}

/* The same trouble is told once a minute. */
static void member_say(struct bridge *b, const char *what, const char *reason)
{
	uint64_t now = clock_ns();
	if (strncmp(reason, b->trouble, sizeof b->trouble - 1) == 0 &&
	    now - b->trouble_ns < TROUBLE_AGAIN_MS * NS_PER_MS)
		return;
	log_warn("host %s %s: %s; trying again", b->host, what, reason);
	snprintf(b->trouble, sizeof b->trouble, "%.255s", reason);
	b->trouble_ns = now;
}

/* ---- fencing ---- */

static int member_part_ms(const struct bridge *b, unsigned part)
{
	return (int)(engine_lease_ms(b->engine) / part);
}

uint32_t bridge_grace_ms(const struct bridge *b)
{
	return (uint32_t)member_part_ms(b, END_PART);
}

void bridge_fence(struct bridge *b, const char *reason)
{
	size_t n = b->tasks;
	int grace_ms = (int)bridge_grace_ms(b);
	member_guard(b, GUARD_FENCING_TENTHS);
	plm_ref *refs = calloc(n + 1, sizeof *refs);
	CHECK(refs);
	log_warn("host %s is out of the fleet: %s; its %zu tasks of the fleet end here", b->host,
	    reason, n);
	for (size_t i = 0; i < n; i++) {
		refs[i] = b->task[i].ref;
		plm_cancel(b->rt, refs[i], grace_ms);
	}
	if (n && plm_wait_ended(b->rt, refs, n, n, 2 * grace_ms, NULL) < 0)
		log_warn("some task did not end in time: %s", plm_why());
	free(refs);
	while (b->tasks > 0)
		bridge_forget(b, b->tasks - 1);
	b->member[0] = 0;
	member_guard(b, 0);
}

void bridge_fail(struct bridge *b, int error)
{
	char reason[WHY_TEXT_BYTES];
	snprintf(reason, sizeof reason, "%s", why_text());
	b->connected = false;
	b->connect_due_ns = bridge_clock_ns() + PAUSE_LEAST_MS * NS_PER_MS;
	if (error == -ESTALE || error == -EXDEV)
		bridge_fence(b, reason);
	else
		member_say(b, "lost the fleet", reason);
}

/* ---- joining, and coming back ---- */

/* A module that came meanwhile makes classes of tasks possible here, and the facts say so. */
static struct engine_facts member_facts(struct bridge *b)
{
	bridge_look_around(b);
	bridge_needs_judge(b);
	return bridge_facts(b);
}

static int member_join(struct bridge *b)
{
	struct engine_facts facts = member_facts(b);
	unsigned long long number = 0;
	uint64_t sent_ns;
	FILE *random = fopen("/dev/urandom", "re");
	bool drawn = random && fread(&number, sizeof number, 1, random) == 1;
	if (random)
		fclose(random);
	if (!drawn)
		return why(-EIO, "/dev/urandom: %s", strerror(errno));
	snprintf(b->member, sizeof b->member, "%016llx", number);
	sent_ns = bridge_clock_ns();
	int r = engine_bell_open(b->engine, b->member);
	if (r == 0)
		r = engine_join(b->engine, b->member, &facts);
	if (r < 0) {
		b->member[0] = 0;
		return r;
	}
	b->heard = b->ignored = b->pushed_before = 0;
	b->idle = false;
	member_renewed(b, sent_ns);
	b->renew_due_ns = sent_ns; /* at once: the classes of needs come with a renewal */
	log_info("host %s has joined the fleet %s", b->host, b->url.shown);
	return 0;
}

static bool member_has(const struct bridge *b, uint64_t id, uint64_t attempt)
{
	for (size_t i = 0; i < b->tasks; i++)
		if (b->task[i].id == id && b->task[i].attempt == attempt)
			return true;
	return false;
}

/* Claims whose answer was lost never began here: they go back. */
static int member_return_unknown(struct bridge *b, uint64_t (*mine)[2], size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		uint8_t taken;
		bool idle;
		const struct engine_room room = { .heard = b->heard };
		const struct engine_end end = {
			.id = mine[i][0], .attempt = mine[i][1], .kind = ENDING_BACK, .message = ""
		};
		if (!member_has(b, mine[i][0], mine[i][1]))
			r = engine_commit(b->engine, b->member, &room, &end, 1, &taken, &idle);
	}
	return r;
}

/* Tasks that the engine does not know as ours any more end here: an engine that came back from an
 * older file may give them to another host. */
static void member_end_foreign(struct bridge *b, uint64_t (*mine)[2], size_t n)
{
	for (size_t i = b->tasks; i > 0; i--) {
		bool ours = false;
		for (size_t j = 0; j < n && !ours; j++)
			ours =
			    mine[j][0] == b->task[i - 1].id && mine[j][1] == b->task[i - 1].attempt;
		if (ours)
			continue;
		log_warn("the engine no longer knows task %llu, attempt %llu, as a task of this "
			 "host: it ends here",
		    (unsigned long long)b->task[i - 1].id,
		    (unsigned long long)b->task[i - 1].attempt);
		plm_cancel(b->rt, b->task[i - 1].ref, 0);
		bridge_forget(b, i - 1);
	}
}

static int member_compare(struct bridge *b)
{
	enum { MINE_MOST = BRIDGE_CLAIM_MOST + BRIDGE_AHEAD_MOST + 4096 };
	static uint64_t mine[MINE_MOST][2];
	int n = engine_mine(b->engine, b->member, mine, MINE_MOST, &b->ignored);
	if (n < 0)
		return n;
	b->heard = b->ignored > b->heard ? b->ignored : b->heard;
	size_t known = n < MINE_MOST ? (size_t)n : MINE_MOST;
	int r = member_return_unknown(b, mine, known);
	if (r == 0 && n <= MINE_MOST)
		member_end_foreign(b, mine, known);
	b->renew_due_ns = bridge_clock_ns();
	return r;
}

int bridge_renew(struct bridge *b)
{
	char drops[ENGINE_DROPS_MOST * (ENGINE_PLACE_BYTES + 1)];
	struct engine_orders orders;
	struct engine_facts facts = member_facts(b);
	uint64_t sent_ns = bridge_clock_ns();
	int r = engine_renew(b->engine, b->member, &facts, &orders);
	if (r < 0)
		return r;
	member_renewed(b, sent_ns);
	snprintf(drops, sizeof drops, "%s", orders.drops); /* other verbs come between */
	if (orders.drain != b->drained)
		log_info("%s",
		    orders.close       ? "told to close: no more tasks of the fleet"
			: orders.drain ? "told to drain: no more tasks of the fleet"
				       : "told to take tasks of the fleet again");
	b->hungry = true; /* a bell may have been lost */
	b->drained = orders.drain;
	b->closing = orders.close;
	b->moment_ns = orders.next_ms >= 0 ? clock_ns() + (uint64_t)orders.next_ms * NS_PER_MS : 0;
	bridge_note_needs(b, orders.needs);
	if (orders.trace[0])
		bridge_trace(b, orders.trace);
	bool missed = b->heard < b->pushed_before;
	b->pushed_before = orders.pushed;
	for (size_t i = 0; i < orders.ends; i++)
		bridge_cancel(b, orders.end[i]);
	bridge_values_drop(b, drops);
	return missed ? member_compare(b) : 0;
}

int bridge_withdraw(struct bridge *b)
{
	const struct engine_room none = { .heard = b->heard };
	int64_t ms;
	int r = b->idle ? engine_claim(b->engine, b->member, &none, 0, NULL, 0, NULL, &ms) : 0;
	b->idle = false;
	return r < 0 ? r : member_compare(b);
}

static int member_open(struct bridge *b)
{
	if (b->engine)
		return engine_reopen(b->engine);
	/* The lease is not known before; a second is a tenth of the usual one. */
	int r = engine_open(&b->engine, &b->url, 1000);
	if (r < 0)
		return r;
	int answer_ms = member_part_ms(b, ANSWER_PART);
	if (answer_ms < 1000) {
		engine_close(&b->engine);
		r = engine_open(
		    &b->engine, &b->url, answer_ms > ANSWER_LEAST_MS ? answer_ms : ANSWER_LEAST_MS);
	}
	return r;
}

static int member_come_in(struct bridge *b)
{
	int r = member_open(b);
	if (r == -EXDEV && b->engine) {
		if (b->member[0])
			bridge_fence(b, why_text());
		r = engine_reopen(b->engine);
	}
	if (r == 0) {
		bridge_values_serve(b);
		r = b->member[0] ? member_compare(b) : member_join(b);
	}
	if (r == -ESTALE) {
		bridge_fence(b, why_text());
		r = member_join(b);
	}
	return r;
}

int bridge_connect(struct bridge *b)
{
	uint64_t now = bridge_clock_ns();
	int r = member_come_in(b);
	if (r == 0) {
		b->connected = b->hungry = b->news = true;
		b->connect_pause_ms = 0;
		return 0;
	}
	bool hopeless = r == -EACCES || r == -EPROTO || r == -EEXIST || r == -EINVAL;
	b->connect_pause_ms = hopeless                ? PAUSE_HOPELESS_MS
	    : b->connect_pause_ms == 0                ? PAUSE_LEAST_MS
	    : b->connect_pause_ms * 2 < PAUSE_MOST_MS ? b->connect_pause_ms * 2
						      : PAUSE_MOST_MS;
	b->connect_due_ns = now + b->connect_pause_ms * NS_PER_MS;
	member_say(b, "cannot join the fleet", why_text());
	return r;
}
