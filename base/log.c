#include "base/log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

enum { MESSAGE_BYTES = 1024, NAME_BYTES = 48 };

_Static_assert(LOG_LINE_BYTES <= PIPE_BUF, "lines of several processes do not mix in a pipe");

static struct {
	char runtime[NAME_BYTES], role[NAME_BYTES], title[NAME_BYTES];
	struct log_field self[3];
	bool quiet, json, priority;
} writer = { .runtime = "default", .role = "manager", .title = "manager" };

/* Systemd names the file that it connected with stderr of a service: "DEVICE:INODE". A process of
 * the service that writes elsewhere has the variable, too. */
static bool log_is_in_journal(void)
{
	const char *given = getenv("JOURNAL_STREAM");
	char stream[NAME_BYTES];
	struct stat st;
	if (!given || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	return strcmp(given, stream) == 0;
}

static void log_bug(const char *file, int line, const char *what)
{
	log_error("bug: %s:%d: this must hold: %s", file, line, what);
}

void log_open(const char *runtime, const char *role)
{
	check_tell = log_bug;
	const char *quiet = getenv(LOG_QUIET), *form = getenv(LOG_FORM);
	snprintf(writer.runtime, sizeof writer.runtime, "%s", runtime);
	snprintf(writer.role, sizeof writer.role, "%s", role);
	snprintf(writer.title, sizeof writer.title, "%s", role);
	writer.self[0].name = NULL;
	writer.quiet = quiet && quiet[0];
	writer.json = form && strcmp(form, "json") == 0;
	writer.priority = log_is_in_journal();
}

void log_open_worker(const char *runtime, uint32_t worker, uint32_t process_slot)
{
	log_open(runtime, "worker");
	snprintf(
	    writer.title, sizeof writer.title, "worker %u, process slot %u", worker, process_slot);
	writer.self[0] = (struct log_field)ABOUT_WORKER(worker);
	writer.self[1] = (struct log_field)ABOUT_PROCESS_SLOT(process_slot);
	writer.self[2].name = NULL;
}

void log_say(enum log_level level, const struct log_field *about, const char *format, ...)
{
	char message[MESSAGE_BYTES], text[LOG_LINE_BYTES];
	if (level == LEVEL_INFO && writer.quiet)
		return;
	struct log_line line = { .level = level,
		.runtime = writer.runtime,
		.role = writer.role,
		.title = writer.title,
		.pid = getpid(),
		.self = writer.self,
		.about = about,
		.message = message };
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	clock_gettime(CLOCK_REALTIME, &line.time);
	size_t bytes =
	    writer.json ? log_line_json(&line, text) : log_line_text(&line, writer.priority, text);
	/* A failed write of the log must not stop the process. */
	ssize_t ignored = write(STDERR_FILENO, text, bytes);
	(void)ignored;
}
