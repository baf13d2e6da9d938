/* bridge_follow.c - output of a command that runs here, for a user somewhere in the fleet.
 *
 * The user asks for each piece, so a host does nothing for output without a reader, and keeps no
 * account of readers: one that dies stops asking. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "fleet/bridge_parts.h"

enum { PIECE_LIFE_MS = 5000, HEAD_BYTES = 64 };

static const struct bridge_task *follow_find(const struct bridge *b, uint64_t id, uint64_t attempt)
{
	for (size_t i = 0; i < b->tasks; i++)
		if (b->task[i].id == id && b->task[i].attempt == attempt)
			return &b->task[i];
	return NULL;
}

/* Returns how many bytes; 0 also for a task without output. */
static size_t follow_read(struct bridge *b, const struct bridge_task *task, int stream,
    uint64_t from, char piece[ENGINE_PIECE_MOST])
{
	int fd = task && task->command ? plm_inspect_output_open(b->in, task->ref, stream) : -1;
	ssize_t n = fd >= 0 ? pread(fd, piece, ENGINE_PIECE_MOST, (off_t)from) : 0;
	if (fd >= 0)
		close(fd);
	return n > 0 ? (size_t)n : 0;
}

int bridge_follow(struct bridge *b, const char *request)
{
	static char answer[HEAD_BYTES + ENGINE_PIECE_MOST];
	char token[ENGINE_MEMBER_BYTES];
	uint64_t id, attempt, from;
	int stream;
	if (sscanf(request, "%" SCNu64 " %" SCNu64 " %23[0-9a-f] %d %" SCNu64, &id, &attempt, token,
		&stream, &from) != 5 ||
	    (stream != STDOUT_FILENO && stream != STDERR_FILENO) || from > INT64_MAX)
		return 0;
	int head = snprintf(answer, HEAD_BYTES, "%" PRIu64 " %" PRIu64 "\n", attempt, from);
	size_t n = follow_read(b, follow_find(b, id, attempt), stream, from, answer + head);
	int r = engine_trace_give(b->engine, token, answer, (size_t)head + n, PIECE_LIFE_MS);
	/* An engine that is full takes no piece, which is no trouble of the host: the user asks
	 * again. */
	return r == -ENOTCONN || r == -ESTALE || r == -EXDEV ? r : 0;
}
