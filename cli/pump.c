#include "cli/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/why.h"

enum { PIPE_BYTES = 256 << 10, PIECE_BYTES = 64 << 10 };

/* ---- the thread ---- */

static void pump_write_all(struct pump *p, int fd, const char *data, size_t n)
{
	while (n && p->error == 0) {
		ssize_t written = write(fd, data, n);
		if (written < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
			continue;
		}
		if (written < 0 && errno != EINTR)
			p->error = errno;
		data += written > 0 ? written : 0;
		n -= written > 0 ? (size_t)written : 0;
	}
}

static void pump_close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* One piece, of at most so many bytes. How many. */
static size_t pump_move(struct pump *p, int i, size_t most)
{
	char piece[PIECE_BYTES];
	ssize_t n = read(p->from[i], piece, most < sizeof piece ? most : sizeof piece);
	if (n <= 0)
		return 0;
	pump_write_all(p, STDOUT_FILENO + i, piece, (size_t)n);
	if (i == 0)
		p->open_line = piece[n - 1] != '\n';
	if (p->error)
		pump_close_end(&p->from[i]);
	return (size_t)n;
}

/* Not until it is empty: a command that was cancelled may write on while it is being ended. */
static void pump_drain(struct pump *p, int i)
{
	int there = 0;
	if (p->from[i] < 0 || ioctl(p->from[i], FIONREAD, &there) < 0)
		return;
	for (size_t left = (size_t)there, n; left && p->from[i] >= 0; left -= n)
		if ((n = pump_move(p, i, left)) == 0)
			return;
}

static void *pump_run(void *argument)
{
	struct pump *p = argument;
	struct pollfd wake[] = { { .events = POLLIN }, { .events = POLLIN },
		{ .fd = p->stop, .events = POLLIN } };
	do {
		for (int i = 0; i < 2; i++)
			wake[i].fd = p->from[i];
		if (poll(wake, COUNT_OF(wake), -1) < 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (wake[i].revents && wake[i].fd >= 0)
				pump_move(p, i, PIECE_BYTES);
	} while (!wake[2].revents);
	for (int i = 0; i < 2; i++)
		pump_drain(p, i);
	return NULL;
}

/* ---- begin and end ---- */

static bool pump_is_one_place(void)
{
	struct stat out, err;
	return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
	    out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

static int pump_open_pipe(struct pump *p, int i)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* less, if its user has many */
	p->from[i] = ends[0];
	p->to[i] = ends[1];
	return 0;
}

/* All other signals are for the thread that waits; a SIGPIPE is for whoever writes. */
static int pump_start_thread(struct pump *p)
{
	sigset_t all, before;
	sigfillset(&all);
	sigdelset(&all, SIGPIPE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = -pthread_create(&p->thread, NULL, pump_run, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	p->runs = p->shown = r == 0;
	return r;
}

static void pump_close_all(struct pump *p)
{
	if (p->to[1] != p->to[0])
		pump_close_end(&p->to[1]);
	pump_close_end(&p->to[0]);
	pump_close_end(&p->from[0]);
	pump_close_end(&p->from[1]);
	pump_close_end(&p->stop);
}

int pump_start(struct pump *p)
{
	bool one = pump_is_one_place();
	*p = (struct pump){ .to = { -1, -1 }, .from = { -1, -1 } };
	p->stop = eventfd(0, EFD_CLOEXEC);
	int r = p->stop < 0 ? -errno : pump_open_pipe(p, 0);
	if (r == 0 && !one)
		r = pump_open_pipe(p, 1);
	if (one)
		p->to[1] = p->to[0];
	if (r == 0)
		r = plm_command_outlet_of(p->to[0], p->to[1], 1, &p->named);
	if (r == 0)
		r = pump_start_thread(p);
	if (r < 0)
		pump_close_all(p);
	return r < 0 ? why(r, "no pipes for the output of the command: %s", strerror(-r)) : 0;
}

int pump_end(struct pump *p)
{
	if (!p->runs)
		return 0;
	eventfd_write(p->stop, 1);
	pthread_join(p->thread, NULL);
	p->runs = false;
	pump_close_all(p);
	if (p->open_line && isatty(STDOUT_FILENO))
		pump_write_all(p, STDOUT_FILENO, "\n", 1);
	return p->error ? why(-p->error, "writing the output: %s", strerror(p->error)) : 0;
}
