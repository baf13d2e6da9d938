#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char prefix[64] = "plm";
static bool quiet;

void log_open(const char *runtime, const char *role)
{
	const char *wanted = getenv(LOG_QUIET);
	snprintf(prefix, sizeof prefix, "plm[%s] %s", runtime, role);
	quiet = wanted && wanted[0];
}

static void log_line(const char *level, const char *format, va_list args)
{
	char line[1024];
	time_t now = time(NULL);
	struct tm local;
	localtime_r(&now, &local);
	size_t used = strftime(line, sizeof line, "%H:%M:%S ", &local);
	used += (size_t)snprintf(line + used, sizeof line - used, "%s: %s", prefix, level);
	int more = vsnprintf(line + used, sizeof line - used - 1, format, args);
	used += more < 0 ? 0 : (size_t)more;
	if (used > sizeof line - 2)
		used = sizeof line - 2;
	line[used++] = '\n';
	/* A failed write of the log must not stop the process. */
	ssize_t ignored = write(STDERR_FILENO, line, used);
	(void)ignored;
}

void log_info(const char *format, ...)
{
	va_list args;
	if (quiet)
		return;
	va_start(args, format);
	log_line("", format, args);
	va_end(args);
}

void log_warn(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_line("warning: ", format, args);
	va_end(args);
}
