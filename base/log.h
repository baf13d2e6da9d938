/* log.h - the log on stderr, a line for each fact: "plm[NAME] role: message".
 * Who may call: the processes of the runtime; never the client library. A line about a death or an
 * error names the process, the event, and what happens next. Each line is one write(), so lines of
 * many processes do not mix. */
#ifndef PLM_LOG_H
#define PLM_LOG_H

/* The variable that plm --quiet sets for its processes: no log_info(). */
#define LOG_QUIET "PLM_QUIET"

void log_open(const char *runtime, const char *role);
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
