#include "cli/map/map_live.h"

#include <string.h>
#include <unistd.h>

#include "cli/command_view.h"

enum { PIECE_BYTES = 64 << 10 };

/* Each attempt has its own files. */
static int live_stream_of(const struct command_view *v, struct job *job, int stream)
{
	if (job->live[stream - 1].attempt != v->attempt) {
		if (job->live[stream - 1].fd >= 0)
			close(job->live[stream - 1].fd);
		job->live[stream - 1].fd = -1;
		job->live[stream - 1].attempt = v->attempt;
		job->live[stream - 1].shown = 0;
	}
	if (job->live[stream - 1].fd < 0)
		job->live[stream - 1].fd = command_stream_open(v, stream);
	/* The worker opens the stream after this attempt has emptied the outlet. Once the outlet
	 * has bytes, all output of the attempt is there. */
	bool in_file =
	    job->live[stream - 1].fd >= 0 && job->outlet && outlet_bytes(job->outlet, stream) > 0;
	return in_file ? job->outlet->fd[stream - 1] : job->live[stream - 1].fd;
}

/* Shows whole lines. A line longer than the piece is shown after the end of the job. */
static void live_show_lines(struct map_output *o, struct job *job, int stream, int fd)
{
	char piece[PIECE_BYTES];
	for (;;) {
		uint64_t *shown = &job->live[stream - 1].shown;
		ssize_t n = pread(fd, piece, sizeof piece, (off_t)*shown);
		const char *last = n > 0 ? memrchr(piece, '\n', (size_t)n) : NULL;
		if (n > 0 && o->shown.live == LIVE_BYTES)
			last = piece + n - 1;
		if (!last)
			return;
		output_piece(o, job, stream, piece, (size_t)(last + 1 - piece));
		*shown += (uint64_t)(last + 1 - piece);
	}
}

int live_look(struct context *context, struct map_output *o, struct job *job)
{
	struct command_view v;
	int code = command_look(context, job->ref[0], &v);
	if (code != EXIT_FINE || v.state != PLM_STATE_RUNNING || v.pid == 0)
		return code;
	output_echo_running(o, job);
	for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++) {
		int fd = live_stream_of(&v, job, stream);
		if (fd >= 0)
			live_show_lines(o, job, stream, fd);
	}
	return EXIT_FINE;
}
