#include "manager/strangers.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "manager/manager.h"
#include "manager/watching.h"

enum { GREETING_MS = 5000 };

static uint32_t strangers_find(const struct manager *m, int socket)
{
	uint32_t i = 0;
	while (i < m->strangers.count && m->strangers.each[i].socket != socket)
		i++;
	return i;
}

static void strangers_forget(struct manager *m, uint32_t i)
{
	struct strangers *all = &m->strangers;
	all->count--;
	memmove(&all->each[i], &all->each[i + 1], (all->count - i) * sizeof all->each[0]);
}

static void strangers_close(struct manager *m, uint32_t i)
{
	int socket = m->strangers.each[i].socket;
	strangers_forget(m, i);
	watching_drop(m, socket);
}

int strangers_add(struct manager *m, int socket)
{
	int r = watching_add(m, socket, WATCH_STRANGER, (uint32_t)socket);
	if (r < 0)
		return r;
	if (m->strangers.count == STRANGERS_MAX)
		strangers_close(m, 0);
	m->strangers.each[m->strangers.count++] = (struct stranger){ socket, clock_ns() };
	return 0;
}

bool strangers_has(const struct manager *m, int socket)
{
	return strangers_find(m, socket) < m->strangers.count;
}

void strangers_remove(struct manager *m, int socket)
{
	strangers_forget(m, strangers_find(m, socket));
}

void strangers_overdue(struct manager *m)
{
	uint64_t now = m->strangers.count ? clock_ns() : 0;
	while (
	    m->strangers.count && now - m->strangers.each[0].since_ns >= GREETING_MS * NS_PER_MS) {
		log_info("closed a connection that had not said hello for %d ms", GREETING_MS);
		strangers_close(m, 0);
	}
}
