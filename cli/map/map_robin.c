#include "cli/map/map_robin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/why.h"

enum { PIPE_BYTES = 1 << 20, ERROR_BYTES = 512 };

struct robin_job {
	int read, write;     /* the ends of the pipe; read -1: given away; write -1: closed */
	struct text pending; /* the block that is being written */
	size_t written;
};

struct robin {
	/* the thread's alone, while it runs: */
	struct stream stream;
	struct text stripped; /* the present block */
	struct robin_job *job;
	unsigned turn; /* the job after the last that got a block */
	struct pollfd *wake;
	/* written by the thread with release stores, after what they tell of: */
	_Atomic unsigned started; /* jobs with a pipe */
	_Atomic bool finished;    /* no more jobs are started; error and why are final */
	int error;
	char why[ERROR_BYTES];
	/* the caller's: */
	unsigned given; /* jobs that robin_next() has given */
	/* constant: */
	const struct cut *strip; /* blocks lose their separators; NULL: nothing */
	unsigned jobs;
	int stop, news; /* eventfds */
	pthread_t thread;
	bool runs;
};

/* ---- the thread ---- */

static void robin_end_job(struct robin_job *job)
{
	if (job->write >= 0)
		close(job->write);
	job->write = -1;
	job->pending.length = job->written = 0;
}

/* A reader that is gone loses its block, as in any pipeline. */
static void robin_flush(struct robin_job *job)
{
	while (job->write >= 0 && job->written < job->pending.length) {
		ssize_t n = write(job->write, job->pending.data + job->written,
		    job->pending.length - job->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			robin_end_job(job);
			return;
		}
		job->written += (size_t)n;
	}
	job->pending.length = job->written = 0;
}

static void robin_tell(struct robin *r, int error, bool finished)
{
	if (error) {
		r->error = error;
		snprintf(r->why, sizeof r->why, "%s", why_text());
	}
	if (finished)
		r->finished = true;
	eventfd_write(r->news, 1);
}

static struct robin_job *robin_start_job(struct robin *r)
{
	struct robin_job *job = &r->job[r->started];
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		robin_tell(r, why(-errno, "no pipe for a command: %s", strerror(errno)), true);
		return NULL;
	}
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	job->read = ends[0];
	job->write = ends[1];
	if (r->stream.header.length)
		text_add(&job->pending, r->stream.header.data, r->stream.header.length);
	r->started++;
	robin_tell(r, 0, r->started == r->jobs);
	return job;
}

/* The job that gets the next block; NULL: all are busy, or gone. */
static struct robin_job *robin_choose(struct robin *r)
{
	if (r->started < r->jobs)
		return robin_start_job(r);
	for (unsigned i = 0; i < r->started; i++) {
		struct robin_job *job = &r->job[(r->turn + i) % r->started];
		if (job->write < 0 || job->pending.length)
			continue;
		r->turn = (r->turn + i + 1) % r->started;
		return job;
	}
	return NULL;
}

/* Could one more block be given away? */
static bool robin_wants(const struct robin *r)
{
	if (r->started < r->jobs)
		return true;
	for (unsigned i = 0; i < r->started; i++)
		if (r->job[i].write >= 0 && r->job[i].pending.length == 0)
			return true;
	return false;
}

static bool robin_is_busy(const struct robin *r)
{
	for (unsigned i = 0; i < r->started; i++)
		if (r->job[i].write >= 0 && r->job[i].pending.length)
			return true;
	return false;
}

/* Sleeps until a pipe takes more, or, with `reads`, the stream has more. False: stop. */
static bool robin_sleep(struct robin *r, bool reads)
{
	nfds_t n = 0;
	r->wake[n++] = (struct pollfd){ .fd = r->stop, .events = POLLIN };
	if (reads)
		r->wake[n++] = (struct pollfd){ .fd = r->stream.fd, .events = POLLIN };
	for (unsigned i = 0; i < r->started; i++)
		if (r->job[i].write >= 0 && r->job[i].pending.length)
			r->wake[n++] = (struct pollfd){ .fd = r->job[i].write, .events = POLLOUT };
	while (poll(r->wake, n, -1) < 0 && errno == EINTR)
		continue;
	return !r->wake[0].revents;
}

/* 1: a block was given away, or was nothing but separators; 0: the stream has ended; -EAGAIN: it
 * has no block yet. */
static int robin_give_block(struct robin *r)
{
	const char *data;
	size_t bytes;
	int n = stream_next(&r->stream, &data, &bytes);
	if (n <= 0)
		return n;
	if (r->strip) {
		r->stripped.length = 0;
		cut_strip(r->strip, data, bytes, &r->stripped);
		data = r->stripped.data;
		bytes = r->stripped.length;
	}
	if (bytes == 0)
		return 1;
	struct robin_job *job = robin_choose(r);
	if (!job)
		return 0;
	text_add(&job->pending, data, bytes);
	robin_flush(job);
	return 1;
}

static bool robin_any_lives(const struct robin *r)
{
	bool lives = r->started < r->jobs;
	for (unsigned i = 0; i < r->started; i++)
		lives = lives || r->job[i].write >= 0;
	return lives;
}

static void *robin_run(void *argument)
{
	struct robin *r = argument;
	int n = 1;
	while (n != 0 || robin_is_busy(r)) {
		for (unsigned i = 0; i < r->started; i++)
			robin_flush(&r->job[i]);
		bool wants = n != 0 && robin_wants(r);
		if (wants)
			n = robin_give_block(r);
		if (n < 0 && n != -EAGAIN) {
			robin_tell(r, n, true);
			break;
		}
		if (!robin_any_lives(r))
			break;
		if ((!wants || n == -EAGAIN || n == 0) && (n != 0 || robin_is_busy(r)) &&
		    !robin_sleep(r, wants && n == -EAGAIN))
			break;
		for (unsigned i = 0; n == 0 && i < r->started; i++)
			if (r->job[i].pending.length == 0)
				robin_end_job(&r->job[i]);
	}
	for (unsigned i = 0; i < r->started; i++)
		robin_end_job(&r->job[i]);
	robin_tell(r, 0, true);
	return NULL;
}

/* ---- begin and end ---- */

static int robin_start_thread(struct robin *r)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&r->thread, NULL, robin_run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	r->runs = error == 0;
	return error ? why(-error, "no thread to spread the input: %s", strerror(error)) : 0;
}

int robin_open(
    struct robin **ret, const struct stream *stream, const struct cut *strip, unsigned jobs)
{
	struct robin *r = calloc(1, sizeof *r);
	if (!r)
		return why(-ENOMEM, "no memory");
	*ret = r;
	r->stream = *stream;
	r->strip = strip;
	r->jobs = jobs;
	r->job = calloc(jobs, sizeof *r->job);
	r->wake = calloc(jobs + 2, sizeof *r->wake);
	r->stop = eventfd(0, EFD_CLOEXEC);
	r->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!r->job || !r->wake || r->stop < 0 || r->news < 0)
		return why(-ENOMEM, "no memory for %u commands", jobs);
	return robin_start_thread(r);
}

int robin_next(struct robin *r, int *ret)
{
	eventfd_t count;
	eventfd_read(r->news, &count);
	bool finished = r->finished; /* before a look at the jobs: no job is missed */
	if (r->given < r->started) {
		*ret = r->job[r->given++].read;
		return 1;
	}
	if (!finished)
		return -EAGAIN;
	return r->error ? why(r->error, "%s", r->why) : 0;
}

int robin_fd(const struct robin *r)
{
	return r->news;
}

void robin_close(struct robin **rp)
{
	struct robin *r = *rp;
	*rp = NULL;
	if (!r)
		return;
	if (r->runs) {
		eventfd_write(r->stop, 1);
		pthread_join(r->thread, NULL);
	}
	for (unsigned i = 0; i < r->started; i++) {
		if (i >= r->given)
			close(r->job[i].read);
		text_free(&r->job[i].pending);
	}
	stream_end(&r->stream);
	text_free(&r->stripped);
	if (r->stop >= 0)
		close(r->stop);
	if (r->news >= 0)
		close(r->news);
	free(r->job);
	free(r->wake);
	free(r);
}
