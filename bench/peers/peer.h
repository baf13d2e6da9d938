/* peer.h - one contestant of `make bench`: a program that answers requests on standard input.
 *
 * A contestant starts the needed processes (a server, two workers), does one task, and prints
 * `first`. Then a line each:
 *	many S      no-op tasks a second, in the contestant's best way for many tasks, for S seconds
 *	each S      the same, submitted in single calls
 *	hot N       p50 and p99 of N round trips back to back, us
 *	idle N      the same, 1 ms after the last trip, so that every process sleeps
 *	touch B     us until another process has read B bytes that lie ready here
 *	commands N  us for one command, when /bin/true is run N times
 * The end of the input ends the contestant and all processes started. `none` answers a request that
 * the contestant cannot serve. The contestants in Python speak the same protocol (peer.py). */
#ifndef PLM_BENCH_PEER_H
#define PLM_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Each returns 0, or negative after a message on stderr, which ends the program. NULL: not
 * supported. */
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
pid_t peer_server(const char *const argument[]); /* the server's output goes to /dev/null */
void peer_end(pid_t pid);

/* A folder for sockets, removed at the end; a connection to a socket there that a server has yet
 * to open (waits up to ten seconds); a TCP port of the loopback that is free now. */
const char *peer_folder(void);
int peer_connect(const char *path);
int peer_port_free(void);
int peer_port_await(int port);

#endif
