/* log.h - the log on stderr, a line for each fact.
 *
 * As text: "12:00:00 plm[NAME] role: message"; where stderr is the journal of systemd, "<4>" and
 * the like before it give the journal the priority. As JSON (`plm --log json`): an object a line,
 * with the same message, the time, the process that writes, and the subject of the message as
 * fields. The text never needs the fields: a reader of text misses nothing.
 * Who may call: the processes of the runtime; never the client library. A line about a death or an
 * error names the process, the event, and what happens next. Each line is one write() of at most
 * PIPE_BUF bytes, so lines of many processes do not mix, in a pipe either. */
#ifndef PLM_LOG_H
#define PLM_LOG_H

#include "base/log_line.h"

/* The variables that plm sets for its processes. "1": no log_info(). */
#define LOG_QUIET "PLM_QUIET"
/* A word of LOG_FORMS. */
#define LOG_FORM "PLM_LOG"
#define LOG_FORMS "text|json" /* in the order of enum log_form */

/* The subject of a line: ABOUT(ABOUT_WORKER(3), ABOUT_PID(4711)). A negative number leaves the
 * field out. Names are those of plm_inspect.h; `pid` alone is the process that writes. */
#define ABOUT(...) ((const struct log_field[]){ __VA_ARGS__, { .name = NULL } })
#define ABOUT_WORKER(n)                         \
	{                                       \
		.name = "worker", .number = (n) \
	}
#define ABOUT_PROCESS_SLOT(n)                         \
	{                                             \
		.name = "process_slot", .number = (n) \
	}
#define ABOUT_PID(n)                               \
	{                                          \
		.name = "about_pid", .number = (n) \
	}
#define ABOUT_SIGNAL(n)                         \
	{                                       \
		.name = "signal", .number = (n) \
	}
#define ABOUT_EXIT_CODE(n)                         \
	{                                          \
		.name = "exit_code", .number = (n) \
	}
#define ABOUT_TASK(reference)                       \
	{                                           \
		.name = "task", .text = (reference) \
	}
#define ABOUT_ATTEMPT(n)                         \
	{                                        \
		.name = "attempt", .number = (n) \
	}
#define ABOUT_PATH(path)                       \
	{                                      \
		.name = "path", .text = (path) \
	}

void log_open(const char *runtime, const char *role);
/* The role is "worker", and each line has these fields. */
void log_open_worker(const char *runtime, uint32_t worker, uint32_t process_slot);

void log_say(enum log_level level, const struct log_field *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_info(...) log_say(LEVEL_INFO, NULL, __VA_ARGS__)
#define log_warn(...) log_say(LEVEL_WARNING, NULL, __VA_ARGS__)
/* Why a boot fails, and bugs. As text: "plm: message", as programs speak to a terminal. */
#define log_error(...) log_say(LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_info_about(about, ...) log_say(LEVEL_INFO, about, __VA_ARGS__)
#define log_warn_about(about, ...) log_say(LEVEL_WARNING, about, __VA_ARGS__)

#endif
