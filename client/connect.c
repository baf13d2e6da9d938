/* connect.c - how a process gets a place in a runtime, through the manager's door, and leaves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/door.h"
#include "base/standard.h"
#include "base/why.h"
#include "client/door_request.h"
#include "client/handle.h"
#include "client/nested_wait.h"

enum { ENTER_TRIES = 3 };

static int connect_enter(
    struct plm *rt, const char *name, enum door_request_kind kind, uint64_t deadline_ns)
{
	struct door_reply reply;
	int fds[2] = { -1, -1 }, peer;
	rt->socket = door_dial(name, deadline_ns);
	if (rt->socket < 0)
		return rt->socket;
	int r = door_check_peer(rt->socket, &peer);
	if (r == 0)
		r = door_ask(rt, rt->socket, kind, program_invocation_short_name, deadline_ns,
		    &reply, fds, 2);
	for (int i = 0; i < 2; i++)
		fds[i] = standard_avoid(fds[i]);
	if (r == 0)
		r = tables_attach(fds[0], fds[1], &rt->tables);
	if (r == 0 && (uint32_t)reply.code >= rt->tables.limits.processes)
		r = why(-EPROTO, "the manager gave out a process slot that does not exist");
	if (r == 0)
		r = handle_open(rt, (uint32_t)reply.code);
	if (r == 0)
		rt->visits = reply.kept;
	if (r < 0) {
		tables_detach(&rt->tables);
		close(rt->socket);
	}
	return r;
}

static int connect_to(plm **ret, const char *name, unsigned flags, int timeout_ms)
{
	if (!name)
		name = getenv("PLM_NAME");
	if (name && strstr(name, "://"))
		return why(-EINVAL,
		    "the name of a runtime has no \"://\": to a fleet connects plm_fleet_connect() "
		    "of plm_fleet.h (-lplm-fleet)");
	struct plm *rt = calloc(1, sizeof *rt);
	if (!rt)
		return -ENOMEM;
	rt->tables.control_segment.fd = rt->tables.store_segment.fd = -1;
	rt->tables.event_segment.fd = -1;
	rt->answer_ms = timeout_ms < 0 ? 0 : timeout_ms > 0 ? timeout_ms : 1;
	uint64_t deadline_ns = deadline_after_ms(door_patience_ms(timeout_ms));
	int r, tries = 0;
	do /* a manager taking over turns queued clients away: knock again */
		r = connect_enter(rt, name && name[0] ? name : "default",
		    flags & PLM_VISIT ? DOOR_VISIT : DOOR_HELLO, deadline_ns);
	while (r == -ECONNRESET && ++tries < ENTER_TRIES);
	if (r < 0) {
		free(rt);
		return r;
	}
	nested_enter(rt);
	*ret = rt;
	return 0;
}

int plm_connect_with(plm **ret, const char *name, unsigned flags, int timeout_ms)
{
	unsigned said = why_count();
	if (!ret)
		return why(-EINVAL, "plm_connect: no place for the handle");
	if (flags & ~(unsigned)PLM_VISIT)
		return why(-EINVAL, "unknown flags %#x", flags);
	return handle_end(said, connect_to(ret, name, flags, timeout_ms));
}

int plm_connect(plm **ret, const char *name)
{
	return plm_connect_with(ret, name, 0, -1);
}

void plm_disconnect(plm **rtp)
{
	struct plm *rt = rtp ? *rtp : NULL;
	if (!rt)
		return;
	*rtp = NULL;
	/* In the child of a fork the place is the parent's: give back our copy alone. */
	bool ours = *rt->alive;
	if (ours)
		handle_close(rt);
	else
		handle_unmap(rt);
	tables_detach(&rt->tables);
	/* The manager sees the connection end and our LEAVING, and frees the process slot. Shut
	 * down: after close() alone, a child forked meanwhile would keep the connection open. */
	if (ours)
		shutdown(rt->socket, SHUT_RDWR);
	close(rt->socket);
	free(rt);
}
