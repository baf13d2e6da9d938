/* log_line.h - the forms of a line of the log.
 * Who: any thread.  Blocks, allocates: never. */
#ifndef PLM_LOG_LINE_H
#define PLM_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum log_form { LOG_AS_TEXT, LOG_AS_JSON };

enum log_level { LEVEL_ERROR = 3, LEVEL_WARNING = 4, LEVEL_INFO = 6 }; /* as for syslog */

struct log_field {
	const char *name; /* NULL ends the fields */
	const char *text; /* NULL: a number */
	int64_t number;   /* negative: the line has no such field */
};

struct log_line {
	enum log_level level;
	struct timespec time; /* since 1970 */
	const char *runtime, *role;
	const char *title; /* of the writer, as text tells it: "worker 3, process slot 5" */
	int pid;
	const struct log_field *self, *about; /* of the writer; of the subject */
	const char *message;
};

enum { LOG_LINE_BYTES = 4096 }; /* PIPE_BUF */

/* Both write the line with its end and return the length. Bytes outside of UTF-8 and characters
 * that a terminal takes as commands are replaced; a long text is cut between two characters. */
size_t log_line_text(const struct log_line *line, bool priority, char ret[LOG_LINE_BYTES]);
/* One JSON object, whatever the bytes of the message: time, level, runtime, role, pid, the fields,
 * message. */
size_t log_line_json(const struct log_line *line, char ret[LOG_LINE_BYTES]);

#endif
