/* strangers.c - connections that have not said hello yet.
 *
 * Each costs a descriptor, so there are at most STRANGERS_MAX of them. A client says hello within
 * microseconds of its connect: one that has not for GREETING_MS is closed, and when there is no
 * room the one that came first makes way, so that silent connections cannot keep others out. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/manager.h"

enum { GREETING_MS = 5000 };

static uint32_t strangers_find(const struct manager *m, int socket)
{
	uint32_t i = 0;
	while (i < m->strangers && m->stranger[i].socket != socket)
		i++;
	return i;
}

static void strangers_forget(struct manager *m, uint32_t i)
{
	m->strangers--;
	memmove(&m->stranger[i], &m->stranger[i + 1], (m->strangers - i) * sizeof m->stranger[0]);
}

static void strangers_send_away(struct manager *m, uint32_t i)
{
	int socket = m->stranger[i].socket;
	strangers_forget(m, i);
	manager_unwatch(m, socket);
}

int strangers_add(struct manager *m, int socket)
{
	int r = manager_watch(m, socket, WATCH_STRANGER, (uint32_t)socket);
	if (r < 0)
		return r;
	if (m->strangers == STRANGERS_MAX)
		strangers_send_away(m, 0);
	m->stranger[m->strangers++] = (struct stranger){ socket, clock_ns() };
	return 0;
}

bool strangers_has(const struct manager *m, int socket)
{
	return strangers_find(m, socket) < m->strangers;
}

void strangers_remove(struct manager *m, int socket)
{
	strangers_forget(m, strangers_find(m, socket));
}

void strangers_overdue(struct manager *m)
{
	uint64_t now = m->strangers ? clock_ns() : 0;
	while (m->strangers && now - m->stranger[0].since_ns >= GREETING_MS * NS_PER_MS) {
		log_info("a connection has not said hello for %d ms: closed", GREETING_MS);
		strangers_send_away(m, 0);
	}
}
