#include "manager/outer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/birth.h"
#include "manager/manager.h"
#include "manager/staff.h"
#include "manager/watching.h"

enum { PATH_BYTES = 256, SOON_NS = 5000000, LOOK_NS = 50000000, IDLE_NS = 100000000 };

/* ---- joining ---- */

/* The last jobserver word counts: a make adds a word behind those of the parent. */
static const char *outer_find_jobserver(const char *flags)
{
	static const char *const words[] = { "--jobserver-auth=", "--jobserver-fds=" };
	const char *last = NULL;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		for (const char *at = flags; (at = strstr(at, words[i])) != NULL;) {
			at += strlen(words[i]);
			if (!last || at > last)
				last = at;
		}
	return last;
}

/* A recipe without a + finds the descriptor numbers in MAKEFLAGS but not the descriptors: the
 * numbers may name wrong files, or none. */
static bool outer_is_pipe_end(int fd, int mode)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && ((flags & O_ACCMODE) == mode || (flags & O_ACCMODE) == O_RDWR) &&
	    fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* The ends are opened anew, because O_NONBLOCK applies to all processes with the descriptor. */
static bool outer_open_ends(struct outer *o, const char *where)
{
	char path[PATH_BYTES], again[PATH_BYTES];
	int ends[2];
	if (sscanf(where, "fifo:%255[^ ]", path) == 1) {
		snprintf(again, sizeof again, "%s", path);
	} else if (sscanf(where, "%d,%d", &ends[0], &ends[1]) == 2 &&
	    outer_is_pipe_end(ends[0], O_RDONLY) && outer_is_pipe_end(ends[1], O_WRONLY)) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
		snprintf(again, sizeof again, "/proc/self/fd/%d", ends[1]);
	} else {
		return false;
	}
	o->read = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	o->write = open(again, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (o->read >= 0 && o->write >= 0)
		return true;
	if (o->read >= 0)
		close(o->read);
	if (o->write >= 0)
		close(o->write);
	return false;
}

void outer_join(struct manager *m)
{
	struct outer *o = &m->outer;
	struct control *c = m->tables.control;
	const char *flags = getenv("MAKEFLAGS"),
		   *where = flags ? outer_find_jobserver(flags) : NULL;
	*o = (struct outer){ .cap = c->kind[0].count, .look_ns = DEADLINE_NEVER };
	if (m->adopts) { /* the dead manager's tokens are lost, and the make may be over */
		if (sh_load(&c->outer))
			sh_store(&c->staff, o->cap);
		sh_store(&c->outer, 0);
		return;
	}
	if (!where || m->options->daemon)
		return; /* a daemon outlives the recipe */
	if (c->kinds != 1 || c->kind[0].cpus != 1) {
		log_warn("the jobserver in MAKEFLAGS is not joined: that takes workers of one kind "
			 "with one cpu each");
		return;
	}
	if (!outer_open_ends(o, where))
		return;
	log_info(
	    "joined the jobserver in MAKEFLAGS: 1 worker, up to %u as tokens are free", o->cap);
	o->joined = true;
	unsetenv("MAKEFLAGS"); /* tasks find the jobserver of the runtime, or none */
	unsetenv("MFLAGS");
	sh_store(&c->outer, 1);
	sh_store(&c->staff, 1);
}

/* ---- tokens ---- */

static bool outer_take_token(struct outer *o)
{
	return o->tokens < WORKERS_MAX && read(o->read, &o->token[o->tokens], 1) == 1 &&
	    ++o->tokens > 0;
}

static bool outer_give_token(struct outer *o)
{
	if (o->tokens == 0 || write(o->write, &o->token[o->tokens - 1], 1) != 1)
		return false;
	o->tokens--;
	return true;
}

void outer_leave(struct manager *m)
{
	while (m->outer.joined && outer_give_token(&m->outer))
		;
}

/* The loop wakes when a token may be free. */
static void outer_watch(struct manager *m, bool wanted)
{
	struct outer *o = &m->outer;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)WATCH_OUTER << 32 };
	if (wanted == o->watched)
		return;
	epoll_ctl(m->epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, o->read, &event);
	o->watched = wanted;
}

/* ---- workers ---- */

struct crew {
	uint32_t present, busy;
	bool last_is_idle; /* the worker next to leave */
};

static struct crew outer_look_at_crew(const struct manager *m)
{
	struct crew crew = { 0 };
	uint32_t last = sh_peek(&m->tables.control->staff) - 1;
	for (uint32_t i = SLOT_FIRST_SHARED; i < m->tables.limits.processes; i++) {
		const struct process *p = &m->tables.process[i];
		uint64_t word = sh_load(&p->state);
		if (process_kind(word) != KIND_WORKER || !process_present(word) || p->spare)
			continue;
		bool busy = sh_load(&p->running) || sh_load(&p->booked) > BOOKED_FOR_NOBODY;
		crew.present++;
		crew.busy += busy;
		crew.last_is_idle |= p->worker == last && !busy;
	}
	return crew;
}

static void outer_set_staff(struct manager *m, uint32_t staff)
{
	sh_store(&m->tables.control->staff, staff);
	staff_dismiss(m);
	birth_complete(m);
}

/* The first worker needs no token, hence never leaves. */
static void outer_dismiss_idle(struct manager *m, const struct crew *crew, uint64_t now)
{
	struct outer *o = &m->outer;
	uint32_t staff = sh_peek(&m->tables.control->staff);
	if (!crew->last_is_idle || staff < 2)
		o->idle_ns = 0;
	else if (!o->idle_ns)
		o->idle_ns = now;
	else if (now - o->idle_ns >= IDLE_NS) {
		o->idle_ns = 0;
		outer_set_staff(m, staff - 1);
	}
}

void outer_step(struct manager *m)
{
	struct outer *o = &m->outer;
	if (!o->joined || !m->announced || m->ending)
		return;
	uint64_t now = clock_ns();
	struct crew crew = outer_look_at_crew(m);
	outer_dismiss_idle(m, &crew, now);
	uint32_t staff = sh_peek(&m->tables.control->staff);
	uint32_t counted = crew.present > staff ? crew.present : staff;
	while (o->tokens + 1 > counted && outer_give_token(o))
		;
	bool wanted = sh_load(&m->tables.control->tasks_wait) && staff < o->cap;
	bool all_busy = crew.busy == crew.present && crew.present == staff;
	bool got = wanted && all_busy && (staff == 0 || outer_take_token(o));
	if (got)
		outer_set_staff(m, staff + 1);
	outer_watch(m, wanted && all_busy && !got);
	o->look_ns = wanted && !all_busy ? now + SOON_NS
	    : o->tokens                  ? now + LOOK_NS
					 : DEADLINE_NEVER;
}
