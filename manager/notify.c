#include "manager/notify.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { TEXT_BYTES = 256 };

/* A path, or @ and an abstract name. False: neither. */
static bool notify_address_of(const char *text, struct sockaddr_un *ret, socklen_t *ret_bytes)
{
	size_t length = strlen(text);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((text[0] != '/' && text[0] != '@') || length < 2 || length >= sizeof ret->sun_path)
		return false;
	memcpy(ret->sun_path, text, length);
	if (text[0] == '@')
		ret->sun_path[0] = 0;
	*ret_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return true;
}

static int notify_open_socket(const char *text)
{
	struct sockaddr_un address;
	socklen_t bytes;
	if (!notify_address_of(text, &address, &bytes)) {
		log_warn("NOTIFY_SOCKET is not the address of a socket: %s", text);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, bytes) == 0)
		return fd;
	log_warn("NOTIFY_SOCKET %s: no process listens there", text);
	if (fd >= 0)
		close(fd);
	return -1;
}

int notify_open(void)
{
	const char *text = getenv("NOTIFY_SOCKET");
	int fd = text && text[0] ? notify_open_socket(text) : -1;
	unsetenv("NOTIFY_SOCKET");
	return fd;
}

void notify_say(int socket, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;
	if (socket < 0)
		return;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > 0)
		send(socket, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1,
		    MSG_NOSIGNAL);
}
