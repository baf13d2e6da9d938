#include "cli/read_stream.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

enum { STREAM_FIRST_BYTES = 1 << 16 };

ssize_t read_fully(int fd, char *data, size_t length)
{
	size_t done = 0;
	while (done < length) {
		ssize_t n = read(fd, data + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t read_stream(int fd, size_t most, char **ret)
{
	size_t room = 0, length = 0;
	char *data = NULL;
	ssize_t n;
	do {
		room = room ? room * 2 : STREAM_FIRST_BYTES;
		char *more = room > SSIZE_MAX ? NULL : realloc(data, room);
		if (!more) {
			free(data);
			return -ENOMEM;
		}
		data = more;
		n = read_fully(fd, data + length, room - length);
		length += n > 0 ? (size_t)n : 0;
	} while (n >= 0 && length == room && length <= most);
	if (n >= 0 && length > most)
		n = -EFBIG;
	if (n < 0) {
		free(data);
		return n;
	}
	*ret = data;
	return (ssize_t)length;
}
