/* peer.h - one contestant of `make bench`: a program that answers requests on its standard input.
 *
 * It starts what it needs (a server, two workers), does one task, and says `first`. Then, a line
 * each:  many S   no-op tasks a second, in the best way it has for many, for S seconds
 *        each S   the same, handed over one by one
 *        hot N    p50 and p99 of N round trips back to back, us
 *        idle N   the same, 1 ms after the last: everybody sleeps
 *        touch B  us until another process has looked at B bytes that lie ready here
 *        commands N  us for one, when /bin/true is run N times
 * The end of the input ends it and all that it started. What it cannot do is answered by `none`.
 * The contestants in Python speak the same (peer.py). */
#ifndef PLM_BENCH_PEER_H
#define PLM_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Each 0, or negative: said on stderr, and the program ends. NULL: it has no such way. */
struct peer {
	int (*start)(void);
	void (*stop)(void);
	int (*one)(void);
	int (*many)(size_t n);
	int (*each)(size_t n);
	int (*touch)(const void *data, size_t bytes);
	size_t batch; /* for many and each */
	int (*commands)(size_t n);
};

int peer_main(const struct peer *peer);

/* ---- for contestants ---- */

enum { PEER_WORKERS = 2 };

/* A process of ours, dying with us. */
pid_t peer_fork(void (*body)(void));
pid_t peer_server(const char *const argument[]); /* its output goes to /dev/null */
void peer_end(pid_t pid);

/* A folder of our own for sockets, removed at the end; a connection to a socket there that a server
 * has yet to open (waits up to ten seconds); a TCP port of the loopback that is free now. */
const char *peer_folder(void);
int peer_connect(const char *path);
int peer_port_free(void);
int peer_port_await(int port);

#endif
