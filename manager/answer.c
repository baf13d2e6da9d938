#include "manager/answer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "manager/manager.h"

void answer_send(int socket, const struct door_reply *r, const int *fds, int n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct door_reply copy = *r;
	struct iovec io = { &copy, sizeof copy };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1 };
	if (n) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN((size_t)n * sizeof(int)) };
		memcpy(CMSG_DATA(c), fds, (size_t)n * sizeof(int));
	}
	/* A client may never read, and the manager never waits: the shutdown ends the wait of the
	 * client. */
	if (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		shutdown(socket, SHUT_RDWR);
}

void answer_code(int socket, uint32_t number, int code, const char *text)
{
	struct door_reply r = {
		.magic = DOOR_MAGIC, .version = DOOR_VERSION, .code = code, .number = number
	};
	snprintf(r.text, sizeof r.text, "%s", text);
	answer_send(socket, &r, NULL, 0);
}

void answer_client(struct manager *m, uint32_t slot, uint32_t number, int code, const char *text)
{
	if (m->slot[slot].socket >= 0)
		answer_code(m->slot[slot].socket, number, code, text);
}
