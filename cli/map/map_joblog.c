#include "cli/map/map_joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/why.h"

enum { MS_PER_S = 1000, US_PER_S = 1000000, BITS = 64, NUMBER_MAX = INT32_MAX };

static const char heading[] =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

struct joblog {
	int fd;
	bool dry;
	const char *path;
	struct text lines;  /* not written yet */
	uint64_t *finished; /* a bit for each job */
	size_t words;
};

/* ---- reading ---- */

static int joblog_mark(struct joblog *log, uint64_t number, bool finished)
{
	size_t word = (size_t)(number / BITS);
	if (word >= log->words) {
		size_t words = 2 * word + 1;
		uint64_t *more = realloc(log->finished, words * sizeof *more);
		if (!more)
			return why(-ENOMEM, "no memory for the jobs of %s", log->path);
		memset(more + log->words, 0, (words - log->words) * sizeof *more);
		log->finished = more;
		log->words = words;
	}
	uint64_t bit = (uint64_t)1 << number % BITS;
	log->finished[word] = finished ? log->finished[word] | bit : log->finished[word] & ~bit;
	return 0;
}

bool joblog_has(const struct joblog *log, uint64_t number)
{
	size_t word = (size_t)(number / BITS);
	return word < log->words && log->finished[word] >> number % BITS & 1;
}

/* Another program may have written the file: skips foreign lines. */
static int joblog_take_line(struct joblog *log, const char *line, enum resume resume)
{
	unsigned long long number;
	int code, signal;
	if (resume == RESUME_NOTHING)
		return 0;
	if (sscanf(line, "%llu\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%d\t%d\t", &number,
		&code, &signal) != 3 ||
	    number == 0 || number > NUMBER_MAX)
		return 0;
	return joblog_mark(log, number, resume == RESUME_MISSING || (code == 0 && signal == 0));
}

/* Returns the length of the whole lines in *ret_whole. */
static int joblog_read_lines(struct joblog *log, FILE *file, enum resume resume, off_t *ret_whole)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int r = 0;
	*ret_whole = 0;
	while (r == 0 && (n = getline(&line, &room, file)) > 0 && line[n - 1] == '\n') {
		*ret_whole += n;
		r = joblog_take_line(log, line, resume);
	}
	free(line);
	return r;
}

static int joblog_read_earlier(struct joblog *log, enum resume resume)
{
	FILE *file = fopen(log->path, "re");
	off_t whole = 0;
	if (!file)
		return why(-errno, "--joblog %s: %s", log->path, strerror(errno));
	int r = joblog_read_lines(log, file, resume, &whole);
	fclose(file);
	if (r == 0 && !log->dry && ftruncate(log->fd, whole) < 0)
		r = why(-errno, "--joblog %s: %s", log->path, strerror(errno));
	if (r == 0 && whole == 0 && !log->dry)
		text_words(&log->lines, heading);
	return r;
}

static int joblog_open_file(const char *path, bool dry, bool empty)
{
	int flags = dry ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND;
	return open(path, flags | O_CLOEXEC | (!dry && empty ? O_TRUNC : 0), 0666);
}

int joblog_open(struct joblog **ret, const char *path, enum resume resume, bool dry)
{
	struct joblog *log = calloc(1, sizeof *log);
	int r = 0;
	if (!log)
		return why(-ENOMEM, "no memory for --joblog");
	*ret = log;
	bool more = path[0] == '+' && path[1];
	log->path = path += more;
	log->dry = dry;
	log->fd = joblog_open_file(path, dry, resume == RESUME_NOTHING && !more);
	if (log->fd < 0 && dry && errno == ENOENT)
		r = 0;
	else if (log->fd < 0)
		r = why(-errno, "--joblog %s: %s", path, strerror(errno));
	else if (resume == RESUME_NOTHING && !more)
		text_words(&log->lines, heading);
	else
		r = joblog_read_earlier(log, resume);
	if (r < 0)
		joblog_close(ret);
	return r;
}

/* ---- writing ---- */

/* Escapes newlines of the command, so that each job is one line. */
static void joblog_add_command(struct text *lines, const struct text *command)
{
	size_t begin = lines->length;
	text_add(lines, command->data, command->length);
	for (size_t i = begin; i < lines->length; i++)
		if (lines->data[i] == '\n' || lines->data[i] == 0)
			lines->data[i] = ' ';
	text_byte(lines, '\n');
}

void joblog_add(struct joblog *log, const struct job *job, const struct text *command)
{
	text_format(&log->lines, "%llu\t:\t%llu.%03u\t%10.3f\t%llu\t%llu\t%d\t%d\t",
	    (unsigned long long)job->number, (unsigned long long)(job->begin_ms / MS_PER_S),
	    (unsigned)(job->begin_ms % MS_PER_S), (double)job->run_us / US_PER_S,
	    (unsigned long long)job->sent, (unsigned long long)job->out_bytes, job->exit_code,
	    job->signal);
	joblog_add_command(&log->lines, command);
}

int joblog_flush(struct joblog *log)
{
	while (log->lines.length) {
		ssize_t n = write(log->fd, log->lines.data, log->lines.length);
		if (n < 0 && errno != EINTR)
			return why(-EIO, "--joblog %s: %s", log->path, strerror(errno));
		if (n < 0)
			continue;
		log->lines.length -= (size_t)n;
		memmove(log->lines.data, log->lines.data + n, log->lines.length);
	}
	return 0;
}

void joblog_close(struct joblog **logp)
{
	struct joblog *log = *logp;
	if (!log)
		return;
	if (log->fd >= 0)
		close(log->fd);
	text_free(&log->lines);
	free(log->finished);
	free(log);
	*logp = NULL;
}
