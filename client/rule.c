/* rule.c - the calls that rule a runtime: each sends one request to the manager and reads the
 * reply. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/door.h"
#include "base/why.h"
#include "client/door_request.h"
#include "client/handle.h"

enum { MODULE_PATIENCE_MS = 60000, PLACE_TEXT_BYTES = 32 };

/* Connects to the manager which has replaced ours. */
static int rule_dial_again(struct plm *rt, uint64_t deadline_ns)
{
	struct door_reply reply;
	char place[PLACE_TEXT_BYTES];
	int peer, fd = door_dial(rt->tables.control->name, deadline_ns);
	if (fd == -ETIMEDOUT)
		return fd;
	if (fd < 0)
		return why(-EHOSTDOWN,
		    "the manager of runtime \"%s\" is dead; its tasks go on, "
		    "and `plm --name %s --daemon` takes it over",
		    rt->tables.control->name, rt->tables.control->name);
	snprintf(
	    place, sizeof place, "%u %u", rt->self, process_generation(sh_load(&rt->me->state)));
	int r = door_check_peer(fd, &peer);
	if (r == 0)
		r = door_ask(rt, fd, DOOR_AGAIN, place, deadline_ns, &reply, NULL, 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	dup3(fd, rt->socket, O_CLOEXEC); /* other threads may be looking at the number */
	close(fd);
	return 0;
}

/* The manager answers at once; only a module takes longer, since the loader opens the module
 * first. */
static uint64_t rule_deadline(const struct plm *rt, enum door_request_kind kind)
{
	if (kind == DOOR_MODULE && rt->answer_ms == 0)
		return deadline_after_ms(MODULE_PATIENCE_MS);
	return deadline_after_ms(door_patience_ms(rt->answer_ms ? rt->answer_ms : -1));
}

static int rule_ask(struct plm *rt, enum door_request_kind kind, const char *text)
{
	struct door_reply reply;
	int r = handle_check(rt);
	if (r < 0)
		return r;
	if (rt->socket < 0)
		return why(-ENOTSUP,
		    "a task cannot rule its own runtime: call this from a client outside of tasks");
	pthread_mutex_lock(&rt->socket_mutex);
	uint64_t deadline_ns = rule_deadline(rt, kind);
	r = handle_manager_listens(rt) ? 0 : rule_dial_again(rt, deadline_ns);
	if (r == 0)
		r = door_ask(rt, rt->socket, kind, text, deadline_ns, &reply, NULL, 0);
	pthread_mutex_unlock(&rt->socket_mutex);
	return r < 0 ? r : 0;
}

static int rule_request(struct plm *rt, enum door_request_kind kind, const char *text)
{
	unsigned said = why_count();
	return handle_end(said, rule_ask(rt, kind, text));
}

/* Says why no such file was found, also if the current directory has been removed. */
static int rule_why_no_file(const char *path)
{
	char directory[PATH_MAX];
	int error = errno;
	bool here = path[0] == '/' || getcwd(directory, sizeof directory);
	return why(-error, "%s: %s", path,
	    here ? strerror(error) : "the current directory no longer exists");
}

int plm_module_load(plm *rt, const char *path)
{
	if (!path)
		return why(-EINVAL, "plm_module_load: no path is given");
	char *full = realpath(path, NULL); /* the manager runs in another directory */
	if (!full)
		return rule_why_no_file(path);
	int r = rule_request(rt, DOOR_MODULE, full);
	free(full);
	return r;
}

int plm_stop(plm *rt, int now)
{
	return rule_request(rt, now ? DOOR_STOP_NOW : DOOR_STOP, "");
}

static int rule_request_about(plm *rt, uint32_t kind, unsigned n)
{
	char text[16];
	snprintf(text, sizeof text, "%u", n);
	return rule_request(rt, kind, text);
}

int plm_set_workers(plm *rt, unsigned n)
{
	return rule_request_about(rt, DOOR_WORKERS, n);
}

int plm_drain_worker(plm *rt, unsigned worker)
{
	return rule_request_about(rt, DOOR_WORKER_DRAIN, worker);
}

int plm_resume_worker(plm *rt, unsigned worker)
{
	return rule_request_about(rt, DOOR_WORKER_RESUME, worker);
}

int plm_pause(plm *rt)
{
	return rule_request(rt, DOOR_ADMISSION, DOOR_PAUSE);
}

int plm_drain(plm *rt)
{
	return rule_request(rt, DOOR_ADMISSION, DOOR_DRAIN);
}

int plm_resume(plm *rt)
{
	return rule_request(rt, DOOR_ADMISSION, DOOR_RESUME);
}
