/* channels - the plain ways to hand bytes to another process through the kernel: a pipe and a
 * unix socket (`channels pipe`, `channels socket`). The other process reads all bytes and
 * answers with a single byte. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/peer.h"

static bool use_socket;
static int to[2], from[2];
static pid_t reader;

static bool channels_transfer(
    ssize_t (*step)(int, void *, size_t), int fd, void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = step(fd, (char *)data + done, bytes - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static ssize_t write_some(int fd, void *data, size_t bytes)
{
	return write(fd, data, bytes);
}

static void answer_all(void)
{
	size_t bytes, room = 0;
	char *data = NULL;
	while (channels_transfer(read, to[0], &bytes, sizeof bytes)) {
		if (bytes > room) {
			free(data);
			data = malloc(room = bytes);
		}
		if (!data || !channels_transfer(read, to[0], data, bytes) ||
		    !channels_transfer(write_some, from[1], data, 1))
			return;
	}
}

static int channels_touch(const void *data, size_t bytes)
{
	char answer;
	union {
		const void *in;
		void *out;
	} source = { .in = data };
	if (!channels_transfer(write_some, to[1], &bytes, sizeof bytes) ||
	    !channels_transfer(write_some, to[1], source.out, bytes) ||
	    !channels_transfer(read, from[0], &answer, 1))
		return -1;
	return 0;
}

static int channels_one(void)
{
	return channels_touch("x", 1);
}

static int channels_start(void)
{
	int r = use_socket
	    ? socketpair(AF_UNIX, SOCK_STREAM, 0, to) | socketpair(AF_UNIX, SOCK_STREAM, 0, from)
	    : pipe(to) | pipe(from);
	reader = peer_fork(answer_all);
	return r < 0 ? r : 0;
}

static void channels_stop(void)
{
	peer_end(reader);
}

int main(int argc, char **argv)
{
	static const struct peer peer = { channels_start, channels_stop, channels_one, NULL, NULL,
		channels_touch, 1, NULL };
	use_socket = argc > 1 && strcmp(argv[1], "socket") == 0;
	return peer_main(&peer);
}
