#include "command/jobserver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tables/lent.h"

enum {
	PATH_BYTES = 64,
	SHY_MIN_MS = 10, /* a make with jobs for others runs longer */
	SHY_MAX_MS = 1000,
	OPTION_BYTES = 128, /* our part of MAKEFLAGS */
};

static const char token = '+';

static shared64 *jobserver_lent_word(const struct jobserver *j)
{
	return &j->rt->me->lent;
}

/* ---- begin and end ---- */

/* Cpus booked for the task itself need not be borrowed for jobs. */
static uint32_t jobserver_cpus_beyond_one(const struct plm_call *call)
{
	const struct plm *rt = call->rt;
	const struct terms *terms = terms_at(rt->tables.terms, call->record->terms);
	uint32_t way = sh_peek(&rt->me->booked_way);
	if (!terms || way == 0 || way > terms->alternatives || way > ALTERNATIVES_MAX)
		return 0;
	uint64_t cpus = terms->alternative[way - 1].amount[RESOURCE_CPUS] / AMOUNT_UNIT;
	return cpus > 1 ? (uint32_t)cpus - 1 : 0;
}

/* Our end is opened anew: ours must not block, the command's end may have to. Why one page:
 * jobserver.h. */
static int jobserver_open_pipe(int *ours, int *read_end, int *write_end)
{
	char path[PATH_BYTES];
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*read_end = ends[0];
	*write_end = ends[1];
	snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
	*ours = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return *ours < 0 || fcntl(*ours, F_SETPIPE_SZ, 1) < 0 ? -errno : 0;
}

static void jobserver_drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void jobserver_close_pipes(struct jobserver *j)
{
	jobserver_drop(&j->tokens);
	jobserver_drop(&j->returned);
	jobserver_drop(&j->read);
	jobserver_drop(&j->write);
}

static int jobserver_open_pipes(struct jobserver *j, enum jobserver_form form)
{
	int unneeded = -1, r = jobserver_open_pipe(&j->tokens, &j->read, &j->write);
	if (r < 0 || form == JOBSERVER_FIFO)
		return r;
	jobserver_drop(&j->write);
	r = jobserver_open_pipe(&j->returned, &unneeded, &j->write);
	jobserver_drop(&unneeded);
	return r;
}

static bool jobserver_put_token(const struct jobserver *j)
{
	return write(j->tokens, &token, 1) == 1;
}

static bool jobserver_take_token(const struct jobserver *j)
{
	char taken;
	return (j->returned >= 0 && read(j->returned, &taken, 1) == 1) ||
	    read(j->tokens, &taken, 1) == 1;
}

static void jobserver_tell(struct jobserver *j)
{
	sh_add(&j->rt->tables.control->lent_changes, 1);
	tell_scheduler(&j->rt->tables, j->rt->self, NULL, 0, true);
	j->tell = false;
}

void jobserver_none(struct jobserver *j, struct plm_call *call)
{
	*j = (struct jobserver){ .rt = call->rt,
		.call = call,
		.tokens = -1,
		.returned = -1,
		.read = -1,
		.write = -1,
		.shy_ms = SHY_MIN_MS };
}

bool jobserver_open(struct jobserver *j, enum jobserver_form form)
{
	int r = jobserver_open_pipes(j, form);
	if (r < 0) {
		log_warn("a command gets no jobserver: %s", strerror(-r));
		jobserver_close_pipes(j);
		return false;
	}
	for (uint32_t cpus = jobserver_cpus_beyond_one(j->call);
	     j->own < cpus && jobserver_put_token(j);)
		j->own++;
	j->wants_ns = clock_ns() + SHY_MIN_MS * NS_PER_MS;
	sh_store(
	    jobserver_lent_word(j), lent_next(sh_load(jobserver_lent_word(j))), "lent, opened");
	return true;
}

/* A CAS here too, since the scheduler moves the limit meanwhile. */
void jobserver_close(struct jobserver *j)
{
	if (j->tokens < 0)
		return;
	uint64_t lent = sh_load(jobserver_lent_word(j));
	while (!sh_cas(jobserver_lent_word(j), &lent, lent_next(lent), "lent, closed"))
		;
	jobserver_close_pipes(j);
	if (lent_claim(lent) || lent_wants(lent))
		jobserver_tell(j);
}

/* ---- tokens in and out ---- */

static uint32_t jobserver_waiting_in(int fd)
{
	int bytes = 0;
	return fd >= 0 && ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (uint32_t)bytes : 0;
}

static uint32_t jobserver_unused(const struct jobserver *j)
{
	return jobserver_waiting_in(j->tokens) + jobserver_waiting_in(j->returned);
}

/* False: the word moved; *lent is the new word. */
static bool jobserver_change(
    struct jobserver *j, uint64_t *lent, bool wants, uint32_t limit, uint32_t out)
{
	uint64_t want = lent_with(*lent, wants, limit, out);
	if (!sh_cas(jobserver_lent_word(j), lent, want, "lent, changed"))
		return false;
	*lent = want;
	return true;
}

/* Nobody had a use for the token: ask later the next time. */
static void jobserver_be_shy(struct jobserver *j)
{
	if (j->shy_ms < SHY_MAX_MS)
		j->shy_ms *= 2;
	j->wants_ns = clock_ns() + j->shy_ms * NS_PER_MS;
}

/* Takes back tokens over the limit, as far as any lie in the pipe: first the token, then the
 * count. */
static void jobserver_take_back(struct jobserver *j, uint64_t *lent)
{
	bool any = false;
	while (lent_out(*lent) > lent_limit(*lent) && jobserver_take_token(j)) {
		while (!jobserver_change(
		    j, lent, lent_wants(*lent), lent_limit(*lent), lent_out(*lent) - 1))
			;
		any = true;
	}
	if (any && !j->touched)
		jobserver_be_shy(j);
	j->tell |= any;
}

/* Hands out tokens up to the limit: first the count, then the token. Unused tokens lower the limit
 * instead. */
static void jobserver_hand_out(struct jobserver *j, uint64_t *lent)
{
	bool useful = jobserver_unused(j) == 0;
	while (lent_out(*lent) < lent_limit(*lent)) {
		if (!useful)
			j->tell |=
			    jobserver_change(j, lent, false, lent_out(*lent), lent_out(*lent));
		else if (jobserver_change(j, lent, true, lent_limit(*lent), lent_out(*lent) + 1))
			j->touched = !jobserver_put_token(j);
	}
}

/* A process giving back more tokens than it took would make cpus out of nothing. */
static void jobserver_drop_surplus(struct jobserver *j, uint64_t lent)
{
	uint32_t all = j->own + lent_out(lent), there = jobserver_unused(j);
	if (there == 0 && all > 0) {
		j->touched = true;
		j->shy_ms = SHY_MIN_MS;
	}
	while (there > all && jobserver_take_token(j))
		there--;
}

/* Tokens that came back, within the limit, may be taken again. */
static bool jobserver_pass_on(const struct jobserver *j)
{
	char taken;
	bool any = false;
	for (; j->returned >= 0 && read(j->returned, &taken, 1) == 1; any = true)
		jobserver_put_token(j);
	return any;
}

void jobserver_step(struct jobserver *j)
{
	if (j->tokens < 0)
		return;
	uint64_t lent = sh_load(jobserver_lent_word(j));
	jobserver_drop_surplus(j, lent);
	jobserver_take_back(j, &lent);
	bool passed = jobserver_pass_on(j);
	jobserver_hand_out(j, &lent);
	bool wants = jobserver_unused(j) == 0 && clock_ns() >= j->wants_ns;
	if (passed)
		wants = lent_wants(
		    lent); /* a token is about to be taken: one wake for each job is enough */
	while (wants != lent_wants(lent))
		j->tell |=
		    jobserver_change(j, &lent, wants, lent_limit(lent), lent_out(lent)) && wants;
	if (j->tell)
		jobserver_tell(j);
}

void jobserver_wait(const struct jobserver *j, struct pollfd ret[JOBSERVER_FDS], uint64_t *wait_ns)
{
	ret[0] = (struct pollfd){ .fd = -1 };
	ret[1] = (struct pollfd){ .fd = j->returned, .events = POLLIN };
	if (j->tokens < 0)
		return;
	uint64_t lent = sh_load(jobserver_lent_word(j)), now = clock_ns();
	if (lent_out(lent) > lent_limit(lent))
		ret[0] = (struct pollfd){ .fd = j->tokens, .events = POLLIN };
	else if (!lent_wants(lent) && now >= j->wants_ns)
		ret[0] = (struct pollfd){ .fd = j->tokens, .events = POLLOUT };
	else if (!lent_wants(lent) && j->wants_ns - now < *wait_ns)
		*wait_ns = j->wants_ns - now;
}

/* ---- MAKEFLAGS ---- */

static bool jobserver_is_anothers(const char *word, size_t length)
{
	static const char *const theirs[] = { "-j", "--jobserver-auth=", "--jobserver-fds=" };
	for (size_t i = 0; i < COUNT_OF(theirs); i++)
		if (length >= strlen(theirs[i]) && strncmp(word, theirs[i], strlen(theirs[i])) == 0)
			return true;
	return false;
}

/* Appends our words to those of `before`. A first word of letters without a dash stays first, ours
 * come behind, and variables stay at the end. */
char *jobserver_makeflags(const struct jobserver *j, const char *before)
{
	char ours[OPTION_BYTES];
	uint32_t slots = j->rt->tables.limits.workers;
	const char *at = before ? before : "";
	if (j->returned >= 0)
		snprintf(
		    ours, sizeof ours, " -j%u --jobserver-auth=%d,%d", slots, j->read, j->write);
	else
		snprintf(ours, sizeof ours, " -j%u --jobserver-auth=fifo:/proc/%d/fd/%d", slots,
		    (int)getpid(), j->read);
	char *all = malloc(sizeof "MAKEFLAGS=" + strlen(at) + strlen(ours) + 1);
	if (!all)
		return NULL;
	size_t first = strcspn(at, " ");
	bool letters = first && at[0] != '-' && !memchr(at, '=', first);
	char *to = all + sprintf(all, "MAKEFLAGS=%.*s%s", letters ? (int)first : 0, at, ours);
	for (at += letters ? first : 0; *at;) {
		size_t blanks = strspn(at, " "), length = strcspn(at + blanks, " ");
		if (!jobserver_is_anothers(at + blanks, length))
			to += sprintf(to, "%.*s", (int)(blanks + length), at);
		at += blanks + length;
	}
	return all;
}
