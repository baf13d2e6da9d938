#include "fleet/bridge.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/why.h"
#include "fleet/bridge_parts.h"

enum { TICK_MS = 1000, BEGIN_LOOK_MS = 5, UP_LOOK_MS = 20, REQUEST_MS = 1000 };
enum { LOOKED_AT_MOST = 8 };

/* ---- into the runtime ---- */

static int bridge_open_signals(struct bridge *b)
{
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGPIPE, SIG_IGN);
	b->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return b->signals < 0 ? why(-errno, "signalfd: %s", strerror(errno)) : 0;
}

/* The name by which people and `plmctl drain` know the host. */
static void bridge_name_host(struct bridge *b)
{
	char machine[64] = "host";
	gethostname(machine, sizeof machine - 1);
	machine[strcspn(machine, ".")] = 0;
	bool usual = strcmp(b->runtime, "default") == 0;
	snprintf(b->host, sizeof b->host, usual ? "%s" : "%s:%s", machine, b->runtime);
}

static int bridge_open(struct bridge *b)
{
	bridge_name_host(b);
	b->pair = calloc(TRACE_PAIRS_MOST, sizeof *b->pair);
	CHECK(b->pair);
	int r = bridge_open_signals(b);
	if (r == 0)
		r = bridge_guard_open(b);
	if (r == 0)
		r = plm_connect_with(&b->rt, b->runtime, 0, REQUEST_MS);
	if (r == 0 && plm_fd(b->rt) < 0)
		r = -EIO;
	if (r == 0)
		r = plm_inspect_of(&b->in, b->rt);
	if (r == 0)
		r = bridge_values_open(b);
	if (r == 0)
		r = plm_status_get(b->rt, &b->status);
	return r;
}

/* ---- a turn ---- */

static void bridge_take_signals(struct bridge *b, bool *ret_now)
{
	struct signalfd_siginfo info;
	while (read(b->signals, &info, sizeof info) == sizeof info) {
		b->leaving = true;
		*ret_now |= info.ssi_signo == SIGINT;
	}
}

static int bridge_hear(struct bridge *b)
{
	struct engine_claim claim;
	int r = 0, rung = 0;
	while (r == 0 && engine_bell_fd(b->engine) >= 0 &&
	    (rung = engine_bell(b->engine, &claim)) > 0) {
		b->hungry |= rung == BELL_WORK;
		if (rung == BELL_ORDER)
			b->renew_due_ns = 0; /* cancels and orders come with a renewal */
		if (rung == BELL_TASK)
			r = bridge_take(b, &claim);
		if (rung == BELL_FOLLOW)
			r = bridge_follow(b, claim.words);
	}
	return r < 0 ? r : rung < 0 ? rung : 0;
}

/* Errors of a verb end the turn; bridge_fail() says what comes next. */
static int bridge_step(struct bridge *b)
{
	uint64_t count;
	int r = b->news ? bridge_hear(b) : 0;
	if (b->settled && read(plm_fd(b->rt), &count, sizeof count) < 0 && errno != EAGAIN)
		return -EIO;
	if (b->thread_ended)
		eventfd_read(b->bell, &count);
	if (r == 0)
		r = bridge_commit(b);
	if (r == 0 && bridge_clock_ns() >= b->renew_due_ns) {
		r = bridge_renew(b);
		bridge_send_back(b);
	}
	if (b->moment_ns && clock_ns() >= b->moment_ns)
		b->hungry = true;
	if (r == 0 && (b->hungry || b->waiting))
		r = bridge_claim(b);
	return r;
}

static int bridge_ms_until(uint64_t due_ns, uint64_t now_ns, int most)
{
	if (due_ns <= now_ns)
		return 0;
	uint64_t ms = (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms < (uint64_t)most ? (int)ms : most;
}

static int bridge_timeout_ms(const struct bridge *b)
{
	uint64_t now = bridge_clock_ns();
	if (!b->connected)
		return bridge_ms_until(b->connect_due_ns, now, TICK_MS);
	int ms = bridge_ms_until(b->renew_due_ns, now, TICK_MS);
	if (b->moment_ns)
		ms = bridge_ms_until(b->moment_ns, clock_ns(), ms);
	return b->waiting && ms > BEGIN_LOOK_MS ? BEGIN_LOOK_MS : ms;
}

struct bridge_ears {
	struct bridge *b;
	struct pollfd *fd;
	nfds_t n;
};

/* A task that has ended is seen before the descriptor of the runtime tells of the end, if there are
 * few tasks to look at. */
static bool bridge_hears(void *context)
{
	const struct bridge_ears *ears = context;
	struct bridge *b = ears->b;
	for (size_t i = 0; b->tasks <= LOOKED_AT_MOST && i < b->tasks; i++)
		if (plm_outcome(b->rt, b->task[i].ref) != -EAGAIN && !b->task[i].far)
			return true;
	return poll(ears->fd, ears->n, 0) != 0;
}

/* What has not been heard is heard in the next turn: a descriptor stays readable. */
static void bridge_sleep(struct bridge *b)
{
	enum { SIGNALS, SETTLED, THREADS, NEWS, EARS };
	struct pollfd p[EARS] = { [SIGNALS] = { .fd = b->signals, .events = POLLIN },
		[SETTLED] = { .fd = plm_fd(b->rt), .events = POLLIN },
		[THREADS] = { .fd = b->bell, .events = POLLIN },
		[NEWS] = {
		    .fd = b->connected ? engine_bell_fd(b->engine) : -1, .events = POLLIN } };
	struct bridge_ears ears = { b, p, EARS };
	int timeout_ms = bridge_timeout_ms(b);
	if (timeout_ms == 0 || !soon_look(&b->turns, bridge_hears, &ears))
		poll(p, EARS, timeout_ms);
	if (timeout_ms)
		soon_over(&b->turns);
	b->settled = p[SETTLED].revents;
	b->thread_ended = p[THREADS].revents;
	b->news = p[NEWS].revents;
}

/* The member has to be out before the engine may give its tasks away. */
static void bridge_fence_if_due(struct bridge *b)
{
	if (b->member[0] && bridge_clock_ns() >= bridge_fence_due_ns(b))
		bridge_fence(b, "the lease could not be renewed in time");
}

static bool bridge_is_over(const struct bridge *b, bool now)
{
	if (now || plm_alive(b->rt) < 0)
		return true;
	return (b->leaving || b->closing) && b->tasks == 0;
}

static void bridge_turn(struct bridge *b)
{
	bridge_fence_if_due(b);
	bridge_trace_reap(b);
	if (getppid() != b->manager && !b->leaving) {
		log_info("the manager has ended: no more tasks of the fleet");
		b->leaving = true;
	}
	if (!b->connected && bridge_clock_ns() >= b->connect_due_ns)
		bridge_connect(b);
	/* A member that was fenced joins anew. */
	if (b->connected && !b->member[0])
		b->connected = false;
	if (!b->connected)
		return;
	int r = bridge_step(b);
	if (r < 0)
		bridge_fail(b, r);
}

static void bridge_leave(struct bridge *b)
{
	bool close = b->closing && !b->leaving;
	if (b->connected && b->member[0] && bridge_withdraw(b) < 0)
		b->connected = false;
	if (b->connected && b->member[0] && engine_leave(b->engine, b->member) >= 0)
		log_info("host %s has left the fleet", b->host);
	if (close && plm_stop(b->rt, 0) < 0)
		log_warn("told to close, but the runtime does not stop: %s", plm_why());
	engine_close(&b->engine);
	if (!bridge_values_close(b))
		return; /* the process ends with its threads */
	plm_inspect_close(&b->in);
	plm_disconnect(&b->rt);
	free(b->task);
	free(b->pair);
}

int bridge_run(const struct fleet_url *url, const char *runtime)
{
	static struct bridge b;
	bool now = false;
	b = (struct bridge){ .url = *url, .runtime = runtime, .signals = -1, .manager = getppid() };
	if (bridge_open(&b) < 0) {
		log_warn("cannot start: %s", plm_why());
		return 1;
	}
	while (!bridge_is_over(&b, now)) {
		bridge_turn(&b);
		bridge_sleep(&b);
		bridge_take_signals(&b, &now);
	}
	bridge_leave(&b);
	return 0;
}
