#include "manager/watching.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/why.h"
#include "manager/manager.h"

int watching_add(struct manager *m, int fd, enum watch what, uint32_t which)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)what << 32 | which };
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	return why(-errno, "epoll_ctl: %s", strerror(errno));
}

/* A child that was just forked still has the descriptor, so a close alone would leave epoll
 * watching: the next owner of the process slot would be told of the death of the former owner. */
void watching_drop(struct manager *m, int fd)
{
	epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
	m->descriptor_freed = true;
}
